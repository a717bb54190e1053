# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PEM forms of IOS: what it exports, and what it can read back.

3des and des are OpenSSL's traditional form. The aes of IOS XE is not: the body is an 8-byte salt and then the
cipher text; the salt, and not the IV of DEK-Info, goes into the key derivation (verified on a published IOS XE
export).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, CipherAlgorithm, algorithms, modes

from . import der
from .keys import RsaKey, from_pkcs1

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:  # older than 43
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES

PUBLIC, PRIVATE, CERTIFICATE = "PUBLIC KEY", "RSA PRIVATE KEY", "CERTIFICATE"
_BASE64 = re.compile(r"[A-Za-z0-9+/]{1,64}={0,2}\Z")
_DEK = re.compile(r"DEK-Info: ([A-Z0-9-]+),([0-9A-Fa-f]+)\Z")
_SIZES = {"DES-CBC": (8, 8), "DES-EDE3-CBC": (24, 8), "AES-256-CBC": (32, 16)}
_NAMES = {"des": "DES-CBC", "3des": "DES-EDE3-CBC", "aes": "AES-256-CBC"}


class BadPem(ValueError):
    """The device cannot decode this."""


class WrongPassphrase(BadPem):
    """The PEM is well formed, but does not decrypt to a key."""


@dataclass(frozen=True)
class Accepted:
    """Which private PEM forms the importing device reads."""

    ios_aes: bool
    openssl_aes: bool
    plain: bool


def public_pem(key: RsaKey) -> str:
    """BEGIN PUBLIC KEY, as exported."""
    return _wrap(PUBLIC, _body(key.spki))


def private_pem(key: RsaKey, cipher: str, passphrase: str) -> tuple[str, int]:
    """The private key as exported with `cipher` (3des, des, aes), and the number IOS XE calls `base64 len`."""
    name = _NAMES[cipher]
    key_size, iv_size = _SIZES[name]
    iv = secrets.token_bytes(iv_size)
    salt = secrets.token_bytes(8) if cipher == "aes" else iv
    secret = _derive(passphrase, salt, key_size)
    padding = iv_size - len(key.pkcs1) % iv_size
    encryptor = Cipher(_algorithm(name, secret), modes.CBC(iv)).encryptor()
    data = encryptor.update(key.pkcs1 + bytes([padding]) * padding) + encryptor.finalize()
    body = _body((salt if cipher == "aes" else b"") + data)
    head = f"Proc-Type: 4,ENCRYPTED\nDEK-Info: {name},{iv.hex().upper()}\n\n"
    return _wrap(PRIVATE, head + body), len(body) + body.count("\n")


def read_public(lines: list[str]) -> bytes:
    """The SubjectPublicKeyInfo in a pasted public key or certificate. BadPem if it is neither, or not RSA."""
    kind, body = _unwrap(lines)
    if kind not in (PUBLIC, CERTIFICATE):
        raise BadPem(f"a {kind} is not a public key")
    data = _decode(body)
    try:
        if kind == CERTIFICATE:
            public = x509.load_der_x509_certificate(data).public_key()
            if not isinstance(public, RSAPublicKey):
                raise BadPem("not an RSA certificate")
            numbers = public.public_numbers()
            return der.spki(numbers.n, numbers.e)
        n, e = der.read_spki(data)
    except ValueError as error:
        raise BadPem(str(error)) from error
    return der.spki(n, e)


def read_private(lines: list[str], passphrase: str | None, accepted: Accepted) -> RsaKey:
    """The key in a pasted private PEM. WrongPassphrase or BadPem if there is none to be had."""
    kind, body = _unwrap(lines)
    if kind != PRIVATE:
        raise BadPem(f"cannot read a {kind}")
    dek = dek_info(body)
    if dek is None:
        if passphrase is not None and not accepted.plain:
            raise BadPem("the private key is not encrypted")
        return _key(_decode(body), BadPem("not an RSA private key"))
    if passphrase is None:
        raise WrongPassphrase("the private key is encrypted")
    name, iv = dek
    data = _decode(body[3:])
    if name == "AES-256-CBC":
        salted = len(data) % 16 == 8
        if not (accepted.ios_aes if salted else accepted.openssl_aes):
            raise BadPem("unknown cipher")
        salt, data = (data[:8], data[8:]) if salted else (iv[:8], data)
    elif name in _SIZES:
        salt = iv
    else:
        raise BadPem("unknown cipher")
    key_size, block = _SIZES[name]
    if len(iv) != block or not data or len(data) % block:
        raise BadPem("truncated")
    decryptor = Cipher(_algorithm(name, _derive(passphrase, salt, key_size)), modes.CBC(iv)).decryptor()
    plain = decryptor.update(data) + decryptor.finalize()
    padding = plain[-1]
    if not 1 <= padding <= block or plain[-padding:] != bytes([padding]) * padding:
        raise WrongPassphrase("bad padding")
    return _key(plain[:-padding], WrongPassphrase("does not decrypt to a key"))


def dek_info(body: list[str]) -> tuple[str, bytes] | None:
    """(cipher, IV) of an encrypted body, None when it is not encrypted. BadPem when the header is broken."""
    if not body or ":" not in body[0]:
        return None
    match = _DEK.match(body[1]) if len(body) > 2 else None
    if body[0] != "Proc-Type: 4,ENCRYPTED" or not match or body[2] != "":
        raise BadPem("bad header")
    try:
        return match[1], bytes.fromhex(match[2])
    except ValueError:
        raise BadPem("bad IV") from None


def acceptable_line(index: int, line: str, accepted: Accepted) -> bool:
    """Whether line number `index` (0: the BEGIN line) of a private PEM can be read on its own: for devices that stop at
    the first line they do not understand."""
    if index == 0:
        return line == f"-----BEGIN {PRIVATE}-----"
    if line == f"-----END {PRIVATE}-----" or line == "Proc-Type: 4,ENCRYPTED" or not line:
        return True
    match = _DEK.match(line)
    if match:
        return match[1] in ("DES-CBC", "DES-EDE3-CBC") or (
            match[1] in _SIZES and (accepted.ios_aes or accepted.openssl_aes)
        )
    return bool(_BASE64.match(line))


def _key(data: bytes, error: BadPem) -> RsaKey:
    try:
        return from_pkcs1(data)
    except ValueError:
        raise error from None


def _unwrap(lines: list[str]) -> tuple[str, list[str]]:
    """(kind, lines between BEGIN and END). Blank lines around are nothing; anything else around is an error."""
    text = list(lines)
    while text and not text[0]:
        text.pop(0)
    while text and not text[-1]:
        text.pop()
    if len(text) < 3:
        raise BadPem("no PEM")
    match = re.fullmatch(r"-----BEGIN ([A-Z0-9 ]+)-----", text[0])
    if not match or text[-1] != f"-----END {match[1]}-----":
        raise BadPem("no PEM")
    return match[1], text[1:-1]


def _decode(lines: list[str]) -> bytes:
    if not lines or not all(map(_BASE64.match, lines)):
        raise BadPem("not base64")
    try:
        return base64.b64decode("".join(lines), validate=True)
    except binascii.Error as error:
        raise BadPem("not base64") from error


def _derive(passphrase: str, salt: bytes, size: int) -> bytes:
    """OpenSSL's EVP_BytesToKey, MD5, one round."""
    secret, block = b"", b""
    while len(secret) < size:
        block = hashlib.md5(block + passphrase.encode("latin-1", "replace") + salt[:8], usedforsecurity=False).digest()
        secret += block
    return secret[:size]


def _algorithm(name: str, secret: bytes) -> CipherAlgorithm:
    if name == "AES-256-CBC":
        return algorithms.AES(secret)
    return TripleDES(secret if len(secret) == 24 else secret * 3)


def _body(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    return "".join(text[i : i + 64] + "\n" for i in range(0, len(text), 64))


def _wrap(kind: str, body: str) -> str:
    return f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n"


def plain_pem(key: RsaKey) -> str:
    """The unencrypted private key (PKCS#1)."""
    return _wrap(PRIVATE, _body(key.pkcs1))
