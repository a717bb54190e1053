# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Encrypted private keys in files and texts on the control node. A user's passphrase never goes to a device."""

from __future__ import annotations

import os
import re

from ...module_utils._errors import NOTHING_CHANGED, NOTHING_DONE, VpnKeysError
from ...module_utils._ios import commands, pem
from ...module_utils._ios.rsa_keys import Sealed
from .. import whole_file

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
except ImportError:  # control_action names the missing library
    pass

SHORTEST_PASSPHRASE = 8
LONGEST_PASSPHRASE = 1023
"""Bytes: what OpenSSL takes."""
BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?-----END \1-----", re.DOTALL)


def check_passphrase(passphrase: str) -> None:
    """Raises bad_input. Longer ones are the user's business: the file may be kept for years."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise VpnKeysError(
            "bad_input",
            f"The passphrase must have at least {SHORTEST_PASSPHRASE} characters",
            state=NOTHING_DONE,
        )
    if len(passphrase.encode()) > LONGEST_PASSPHRASE:
        raise VpnKeysError(
            "bad_input",
            f"The passphrase has more than {LONGEST_PASSPHRASE} bytes",
            state=NOTHING_DONE,
            advice="take a shorter one",
        )


def sealed(text: str, passphrase: str | None) -> Sealed:
    """A key pair from a text with one encrypted private key (PKCS#8, or what IOS and OpenSSL write), and perhaps its
    public key, sealed again under a one-time passphrase. Raises bad_input."""
    private = _opened(text, passphrase)
    for public in _blocks(text, "PUBLIC KEY"):
        try:
            spki = pem.spki_of(public)
        except ValueError:
            raise VpnKeysError("bad_input", "The PEM of the public key cannot be read", state=NOTHING_CHANGED) from None
        if spki != private.spki:
            raise VpnKeysError(
                "bad_input", "The public key in the PEM belongs to another private key", state=NOTHING_CHANGED
            )
    once = commands.one_time_passphrase()
    return Sealed(private.spki, "general", pem.public_pem_of(private), pem.seal_3des(private, once), once)


def _opened(text: str, passphrase: str | None) -> pem.PrivateKey:
    if len(text) > pem.LARGEST:
        raise VpnKeysError(
            "bad_input",
            f"The PEM is longer than {pem.LARGEST >> 10} kB, too long for an RSA key",
            state=NOTHING_CHANGED,
        )
    text = text.replace("\r\n", "\n")
    privates = [
        block for kind in ("RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PRIVATE KEY") for block in _blocks(text, kind)
    ]
    if len(privates) > 1:
        raise VpnKeysError(
            "bad_input",
            f"The PEM holds {len(privates)} private keys; exactly one is needed",
            state=NOTHING_CHANGED,
        )
    begun = text.find("-----BEGIN RSA PRIVATE KEY-----")  # a public key before it is not what is wrong
    block = privates[0] if privates else text[max(begun, 0) :]
    if passphrase is None:
        raise VpnKeysError(
            "bad_input", "A private key is taken only encrypted: O(passphrase) is missing", state=NOTHING_CHANGED
        )
    try:
        return (
            _pkcs8(block, passphrase) if "BEGIN ENCRYPTED PRIVATE KEY" in block else pem.open_private(block, passphrase)
        )
    except VpnKeysError as error:
        raise error.about(state=NOTHING_CHANGED) from None


def _pkcs8(block: str, passphrase: str) -> pem.PrivateKey:
    try:
        key = serialization.load_pem_private_key(block.encode(), passphrase.encode())
    except Exception:  # noqa: BLE001 - which one depends on where the damage is; none may be quoted
        raise VpnKeysError(
            "bad_input", "The PEM cannot be opened: the passphrase is wrong or the file is damaged."
        ) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise VpnKeysError("bad_input", "The PEM holds a key that is not RSA.")
    der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem.PrivateKey(der, spki)


def _blocks(text: str, kind: str) -> list[str]:
    return [found.group() + "\n" for found in BLOCK.finditer(text.replace("\r\n", "\n")) if found[1] == kind]


def armored(key: Sealed, passphrase: str, form: str) -> str:
    """Public key and private key encrypted under the user's passphrase. `pkcs8`: AES-256 with a real key derivation;
    `ios`: what `crypto key import` takes (3DES, one round of MD5)."""
    private = pem.open_private(key.private_pem, key.passphrase)
    if form == "ios":
        return key.public_pem + pem.seal_3des(private, passphrase)
    opened = serialization.load_der_private_key(private.der, None, unsafe_skip_rsa_key_validation=True)
    text: bytes = opened.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )
    return key.public_pem + text.decode()


def read(path: str) -> str:
    """Raises bad_input."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(pem.LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = whole_file.reason(error)
        raise VpnKeysError("bad_input", f"{path} cannot be read: {reason}", state=NOTHING_CHANGED) from None


def fingerprint_in(path: str, passphrase: str) -> str | None:
    """Of the key in the file, if the passphrase opens it; None where there is no file.

    Raises bad_input for a file that is something else: it is not ours to write over.
    """
    if not os.path.lexists(path):
        return None
    try:
        return sealed(read(path), passphrase).fingerprint
    except VpnKeysError:
        raise VpnKeysError(
            "bad_input",
            f"{path} exists and has no key that this passphrase opens",
            state="It was not changed",
            advice="choose another path",
        ) from None


def keep(key: Sealed, path: str, passphrase: str, form: str) -> None:
    """The key in a file, unless it holds that very key. Raises bad_input, also for a file that is something else."""
    if fingerprint_in(path, passphrase) != key.fingerprint:
        whole_file.write(path, armored(key, passphrase, form))
