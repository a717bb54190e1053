# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures of the directory's own Ed25519 key over its records. PRIVATE to the collection. No I/O.

What is signed is the whole record but the signature, as canonical JSON, with the kind of record and the directory it
belongs to, so that no record can be passed off as another or moved to another directory.
"""

from __future__ import annotations

import base64
import json
import re
import typing as t
from collections.abc import Mapping, Sequence

from .._errors import VpnKeysError
from .._fingerprint import fingerprint

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519
except ImportError:  # the modules name the missing library
    pass

Row = dict[str, t.Any]


def new_private_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def to_pem(key: ed25519.Ed25519PrivateKey) -> str:
    """A secret."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def from_pem(text: str) -> ed25519.Ed25519PrivateKey:
    """Raises ValueError, which quotes nothing of the text."""
    try:
        key = serialization.load_pem_private_key(text.encode(), None)
    except Exception:  # noqa: BLE001 - which one depends on where the damage is; none may be quoted
        raise ValueError("it is not the PEM of an unencrypted private key") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ValueError("it is not an Ed25519 key")
    return key


def public_der(key: ed25519.Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def anchor(text: str) -> str:
    """The fingerprint of the key that a reader trusts, from that fingerprint, base64 DER or PEM."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", text.strip()):
        return text.strip().lower()
    body = re.sub(r"-----(BEGIN|END) PUBLIC KEY-----", "", text)
    try:
        der = base64.b64decode("".join(body.split()), validate=True)
        if isinstance(serialization.load_der_public_key(der), ed25519.Ed25519PublicKey):
            return fingerprint(der)
    except (UnsupportedAlgorithm, ValueError):
        pass
    raise VpnKeysError(
        "bad_input",
        "verify_key is neither the fingerprint nor the Ed25519 public key (PEM, or base64 DER) of a directory. "
        "Nothing was read.",
    )


def signed_bytes(kind: str, directory: str, row: Mapping[str, t.Any]) -> bytes:
    record = {name: value for name, value in row.items() if name != "signature"}
    whole = {"directory": directory, "kind": kind, "record": record}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def sign(key: ed25519.Ed25519PrivateKey, kind: str, directory: str, row: Mapping[str, t.Any]) -> str:
    return base64.b64encode(key.sign(signed_bytes(kind, directory, row))).decode()


def verifies(public: bytes, kind: str, directory: str, row: Mapping[str, t.Any]) -> bool:
    """Whether the record bears a signature of this key (DER)."""
    try:
        key = serialization.load_der_public_key(public)
        if not isinstance(key, ed25519.Ed25519PublicKey):
            return False
        key.verify(base64.b64decode(row["signature"], validate=True), signed_bytes(kind, directory, row))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


# -- the directory's own keys

KIND = "directory key"
UNSIGNED = ("retired_at",)


def key_row(number: int, public: bytes, since: str, signer: ed25519.Ed25519PrivateKey, directory: str) -> Row:
    """A new key of the directory, not retired yet, signed by its predecessor, or the first by itself."""
    row: Row = {
        "id": number,
        "public_key": base64.b64encode(public).decode(),
        "fingerprint": fingerprint(public),
        "since": since,
    }
    return {**row, "signature": sign(signer, KIND, directory, row)}


def current(rows: Sequence[Row]) -> Row:
    """The one that signs now."""
    return max(rows, key=lambda row: int(row["id"]))


def trusted_key(rows: Sequence[Row], directory: str, trusted: str) -> bytes | None:
    """The key (DER) that signs now, if whoever trusts that fingerprint may trust it: it is that key, or each key since
    that one was signed by the one before."""
    chain = sorted(rows, key=lambda row: int(row["id"]))
    following: bytes | None = None
    for row in chain:
        try:
            der = base64.b64decode(row["public_key"], validate=True)
        except ValueError:
            return None
        shown = {name: value for name, value in row.items() if name not in UNSIGNED}
        if following is not None and not verifies(following, KIND, directory, shown):
            return None
        if following is not None or fingerprint(der) == trusted:
            following = der
    return following
