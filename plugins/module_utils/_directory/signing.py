# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures of the directory's own Ed25519 key over its records. PRIVATE to the collection. No I/O.

What is signed is a list of fields of a record, as canonical JSON, with the kind of record and the directory it belongs
to, so that no record can be passed off as another or moved to another directory. The lists stand here: a new column of
a table changes no signature.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import typing as t
from collections.abc import Mapping, Sequence

from .._errors import NOTHING_READ, VpnKeysError
from .._fingerprint import fingerprint
from .note_lines import from_base64

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519
except ImportError:  # the modules name the missing library
    pass

Row = dict[str, t.Any]


class Signer(t.Protocol):
    """What signs for the directory: a private key, or something that has one (`transit`)."""

    def sign(self, data: bytes, /) -> bytes:
        """An Ed25519 signature."""

    def public_key(self) -> ed25519.Ed25519PublicKey: ...


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


def public_der(key: Signer) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


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
        "O(verify_key) is neither the fingerprint nor the Ed25519 public key (PEM, or base64 DER) of a directory",
        state=NOTHING_READ,
    )


KIND = "directory key"
_GATEWAY = ("name", "platform", "algorithm", "identity", "endpoint", "networks", "enrolled_at", "enrolled_by")
_IN_USE = (*_GATEWAY, "revoked", "revision")
_KEY = ("gateway", "serial", "algorithm", "public_key", "fingerprint", "state", "created_at", "created_by", "reason")
_ROTATION = ("id", "gateway", "mode", "strategy", "state", "old_serial", "new_serial", "why", "begun_by", "begun_at")
FORMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "gateway": (_IN_USE, (*_IN_USE, "revoked_at"), (*_IN_USE, "revoked_at", "retired_at")),
    "key": (_KEY, (*_KEY, "revoked_at")),
    "rotation": ((*_ROTATION, "holder", "lease_until", "ended_at"),),
    KIND: (("id", "public_key", "fingerprint", "since"),),
}
"""The fields of each version of the signed form, the first one first. None is ever changed; another is added."""
UNSIGNED = {**dict.fromkeys(FORMS, ("signature",)), KIND: ("signature", "retired_at")}
"""All other columns."""


def signed_bytes(kind: str, directory: str, row: Mapping[str, t.Any], version: int) -> bytes:
    """The first version has no number in it."""
    record = {name: row[name] for name in FORMS[kind][version - 1]}
    whole = {"directory": directory, "kind": kind, "record": record, **({"form": version} if version > 1 else {})}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def sign(key: Signer, kind: str, directory: str, row: Mapping[str, t.Any]) -> str:
    """In the newest form, whose number stands before the signature if it is not the first."""
    version = len(FORMS[kind])
    signature = base64.b64encode(key.sign(signed_bytes(kind, directory, row, version))).decode()
    return signature if version == 1 else f"{version}:{signature}"


def verifies(public: bytes, kind: str, directory: str, row: Mapping[str, t.Any]) -> bool:
    """Whether the record bears a signature of this key (DER)."""
    signed = claim(kind, directory, row)
    return signed is not None and is_signed(public, *signed)


def claim(kind: str, directory: str, row: Mapping[str, t.Any]) -> tuple[str, bytes] | None:
    """The signature of a record, and what it must be of; None if it can be of nothing. A field that the form of the
    signature does not have yet must be empty."""
    version, signature = _form(row["signature"])
    if not 1 <= version <= len(FORMS[kind]):
        return None
    newer = set(FORMS[kind][-1]) - set(FORMS[kind][version - 1])
    if any(row.get(name) is not None for name in newer):
        return None
    return signature, signed_bytes(kind, directory, row, version)


def is_signed(public: bytes, signature: str, message: bytes) -> bool:
    key = public_key(public)
    if key is None:
        return False
    try:
        key.verify(from_base64(signature), message)
    except InvalidSignature:
        return False
    return True


def _form(signature: t.Any) -> tuple[int, str]:
    """Version and signature; version 0 is none."""
    if not isinstance(signature, str):
        return 0, ""
    version, colon, rest = signature.rpartition(":")
    if not colon:
        return 1, signature
    return (int(version) if re.fullmatch("[2-9]", version) else 0), rest


@functools.lru_cache(maxsize=8)
def public_key(der: bytes) -> ed25519.Ed25519PublicKey | None:
    """None if it is not an Ed25519 key."""
    try:
        key = serialization.load_der_public_key(der)
    except (UnsupportedAlgorithm, ValueError):
        return None
    return key if isinstance(key, ed25519.Ed25519PublicKey) else None


# -- the directory's own keys


def key_row(number: int, public: bytes, since: str, signer: Signer, directory: str) -> Row:
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
    """The key (DER) that signs now, if a reader of that fingerprint can trust it: it is that key, or each key
    since that one was signed by the one before. None otherwise."""
    chain = sorted(rows, key=lambda row: int(row["id"]))
    following: bytes | None = None
    for row in chain:
        try:
            der = base64.b64decode(row["public_key"], validate=True)
        except ValueError:
            return None
        if following is not None and not verifies(following, KIND, directory, row):
            return None
        if following is not None or fingerprint(der) == trusted:
            following = der
    return following
