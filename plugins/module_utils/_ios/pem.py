# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The PEM forms of IOS: reading, writing, checking. PRIVATE to the collection.

Encrypted private keys are "traditional" PEM: PKCS#1 DER, a cipher named in DEK-Info, the key derived from the
passphrase by one round of MD5. `cryptography` cannot write that with 3DES, and newer ones cannot read single
DES, so both are done here. IOS XE's `aes` export is a form of its own (`_aes_of_xe`).
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from .._errors import VpnKeysError
from .._fingerprint import fingerprint

try:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    try:
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    except ImportError:  # older than 43
        from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES
except ImportError:
    pass  # control_action names the missing library

Usage = Literal["general", "signature", "encryption"]

LARGEST = 64 * 1024
"""Characters. The PEM of the largest RSA key that IOS makes has some 3300."""
COLUMNS = 64

_BLOCK = re.compile(
    r"-----BEGIN RSA PRIVATE KEY-----(?P<body>[^-]*(?:-[^-]+)*)-----END RSA PRIVATE KEY-----"
)
_HEADERS = re.compile(
    r"\s*Proc-Type: *4,ENCRYPTED\s+DEK-Info: *(?P<cipher>[A-Z0-9-]{1,20}),(?P<iv>[0-9A-Fa-f]{16,32})[ \t]*\n"
)


@dataclass(frozen=True)
class Exported:
    """What one `crypto key export ... terminal` printed: public and encrypted private PEM, with LF."""

    public_pem: str
    private_pem: str = field(repr=False)
    usage: Usage | None


@dataclass(frozen=True)
class PrivateKey:
    """An opened private key. Lives in memory only; its `repr` shows nothing."""

    der: bytes = field(repr=False)  # PKCS#1
    spki: bytes = field(repr=False)

    @property
    def bits(self) -> int:
        return rsa_numbers(self.spki)[0].bit_length()

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.spki)


# -- DER: just enough for RSA --------------------------------------------------------------------------------

_RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")


def _tlv(der: bytes, at: int, tag: int) -> tuple[int, int]:
    """Start and end of the content of the element at `at`. ValueError unless it is well-formed DER."""
    head = der[at : at + 2]
    if len(head) != 2 or head[0] != tag:
        raise ValueError("another element was expected")
    size, start = head[1], at + 2
    if size & 0x80:
        octets = der[start : start + (size & 0x7F)]
        start += len(octets)
        size = int.from_bytes(octets, "big")
        if size < 0x80 or octets[0] == 0:
            raise ValueError("length not in its shortest form")
    if start + size > len(der):
        raise ValueError("it ends too early")
    return start, start + size


def _integer(der: bytes, at: int) -> tuple[int, int]:
    start, end = _tlv(der, at, 0x02)
    octets = der[start:end]
    if not octets or octets[0] & 0x80 or (len(octets) > 1 and octets[0] == 0 and not octets[1] & 0x80):
        raise ValueError("not a positive integer in its shortest form")
    return int.from_bytes(octets, "big"), end


def rsa_numbers(spki: bytes) -> tuple[int, int]:
    """Modulus and exponent of a DER SubjectPublicKeyInfo.

    ValueError unless it is the whole structure, of an RSA key, with nothing behind it.
    """
    start, end = _tlv(spki, 0, 0x30)
    if end != len(spki):
        raise ValueError("unexpected data after its end")
    if spki[start : start + len(_RSA_ENCRYPTION)] != _RSA_ENCRYPTION:
        raise ValueError("not an RSA key")
    start, end = _tlv(spki, start + len(_RSA_ENCRYPTION), 0x03)
    if end != len(spki) or spki[start : start + 1] != b"\0":
        raise ValueError("not one whole bit string")
    modulus, exponent = _integers(spki[start + 1 :])
    if not modulus & 1 or not exponent & 1 or exponent < 3 or modulus <= exponent:
        raise ValueError("no RSA key has these numbers")
    return modulus, exponent


def _integers(der: bytes) -> list[int]:
    """The content of a sequence of nothing but integers, with nothing behind it."""
    at, end = _tlv(der, 0, 0x30)
    if end != len(der):
        raise ValueError("unexpected data after its end")
    numbers = []
    while at < end:
        number, at = _integer(der, at)
        numbers.append(number)
    return numbers


def _encoded(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def _encoded_integer(number: int) -> bytes:
    return _encoded(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def rsa_spki(modulus: int, exponent: int) -> bytes:
    """The DER SubjectPublicKeyInfo of an RSA key."""
    key = _encoded(0x30, _encoded_integer(modulus) + _encoded_integer(exponent))
    return _encoded(0x30, _RSA_ENCRYPTION + _encoded(0x03, b"\0" + key))


# -- PEM -----------------------------------------------------------------------------------------------------


def armour(kind: str, der: bytes, headers: str = "") -> str:
    """A PEM block: 64 columns, LF, one newline at the end."""
    body = base64.b64encode(der).decode()
    lines = "\n".join(body[at : at + COLUMNS] for at in range(0, len(body), COLUMNS))
    return f"-----BEGIN {kind}-----\n{headers}{lines}\n-----END {kind}-----\n"


def public_pem(spki: bytes) -> str:
    return armour("PUBLIC KEY", spki)


def public_pem_of(private: PrivateKey) -> str:
    return public_pem(private.spki)


def private_pem(sealed: bytes, cipher: str, iv: str) -> str:
    """An encrypted private key from its parts. Without the blank line nobody reads it."""
    return armour("RSA PRIVATE KEY", sealed, f"Proc-Type: 4,ENCRYPTED\nDEK-Info: {cipher},{iv}\n\n")


def spki_of(public: str) -> bytes:
    """The DER of a PEM `BEGIN PUBLIC KEY` with an RSA key. ValueError otherwise."""
    found = re.fullmatch(r"\s*-----BEGIN PUBLIC KEY-----([^-]*)-----END PUBLIC KEY-----\s*", public)
    if not found:
        raise ValueError("not one PEM block of a public key")
    spki = base64.b64decode("".join(found[1].split()), validate=True)
    rsa_numbers(spki)
    return spki


# -- private keys --------------------------------------------------------------------------------------------


def open_private(pem: str, passphrase: str) -> PrivateKey:
    """Decrypts an encrypted PEM `BEGIN RSA PRIVATE KEY` and checks that it is a whole RSA key.

    LF or CRLF, with spaces at line ends and with or without the blank line after DEK-Info.
    Raises VpnKeysError("bad_input"); the messages quote nothing of the PEM.
    """
    if len(pem) > LARGEST:
        raise _bad(f"is longer than {LARGEST // 1024} kB, too long for an RSA key")
    text = pem.replace("\r", "\n").strip()
    if "BEGIN ENCRYPTED PRIVATE KEY" in text:
        raise _bad("is PKCS#8, which IOS does not take; convert it with `openssl rsa -traditional -des3`")
    block = _BLOCK.fullmatch(text)
    if not block:
        raise _bad(_why_no_block(text))
    body = block["body"]
    headers = _HEADERS.match(body)
    if not headers:
        raise _bad("has a damaged header" if "Proc-Type" in body else "is not encrypted")
    try:
        iv = bytes.fromhex(headers["iv"])
        data = base64.b64decode("".join(body[headers.end() :].split()), validate=True)
    except ValueError:
        raise _bad("is damaged or truncated") from None
    if not data:
        raise _bad("is damaged or truncated")
    opened = _readings(headers["cipher"], iv, data, passphrase.encode())
    for der in opened:
        private = _private(der)
        if private:
            return private
    raise _bad("cannot be opened: the passphrase is wrong or the file is damaged")


def _bad(what: str) -> VpnKeysError:
    return VpnKeysError("bad_input", f"The PEM of the private key {what}.")


def _why_no_block(text: str) -> str:
    if text.count("-----BEGIN ") > 1:
        return "holds more than one block; exactly one BEGIN RSA PRIVATE KEY is needed"
    if "-----BEGIN RSA PRIVATE KEY-----" in text:
        return "is truncated or has something around it"
    if "-----BEGIN PRIVATE KEY-----" in text:
        return "is not encrypted"
    if "-----BEGIN " in text:
        return "is not one of an RSA key (BEGIN RSA PRIVATE KEY)"
    return "has no BEGIN RSA PRIVATE KEY line"


def _derive(passphrase: bytes, salt: bytes, size: int) -> bytes:
    """EVP_BytesToKey with MD5 and one round, as PEM has used it since PEM."""
    key = block = b""
    while len(key) < size:
        block = hashlib.new("md5", block + passphrase + salt, usedforsecurity=False).digest()
        key += block
    return key[:size]


def _triple_des(key: bytes) -> TripleDES:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the device's choice of cipher, not ours
        return TripleDES(key)


def _decrypted(cipher: TripleDES | algorithms.AES, iv: bytes, data: bytes) -> bytes | None:
    """CBC, PKCS#7. None where the padding is wrong: the usual sign of a wrong passphrase."""
    block = len(iv)
    if not data or len(data) % block:
        return None
    decryptor = Cipher(cipher, modes.CBC(iv)).decryptor()
    padded = decryptor.update(data) + decryptor.finalize()
    count = padded[-1]
    if count > block or padded[-count:] != bytes([count]) * count:
        return None
    return padded[:-count]


def _des3(iv: bytes, data: bytes, passphrase: bytes) -> list[bytes | None]:
    return [_decrypted(_triple_des(_derive(passphrase, iv, 24)), iv, data)]


def _des(iv: bytes, data: bytes, passphrase: bytes) -> list[bytes | None]:
    """Single DES is triple DES with one key three times."""
    return [_decrypted(_triple_des(_derive(passphrase, iv, 8) * 3), iv, data)]


def _aes(size: int) -> Callable[[bytes, bytes, bytes], list[bytes | None]]:
    def standard(iv: bytes, data: bytes, passphrase: bytes) -> list[bytes | None]:
        return [_decrypted(algorithms.AES(_derive(passphrase, iv[:8], size)), iv, data)]

    return standard


def _aes_of_xe(iv: bytes, data: bytes, passphrase: bytes) -> list[bytes | None]:
    """IOS XE: the salt of the key derivation leads the body, and is not the beginning of the IV.

    Seen on IOS XE, 2022, RSA 4096. Standard AES-256-CBC is tried first; the body lengths never agree.
    """
    key = _derive(passphrase, data[:8], 32)
    return [*_aes(32)(iv, data, passphrase), _decrypted(algorithms.AES(key), iv, data[8:])]


_CIPHERS: dict[str, tuple[int, Callable[[bytes, bytes, bytes], list[bytes | None]]]] = {
    "DES-EDE3-CBC": (8, _des3),
    "DES-CBC": (8, _des),
    "AES-128-CBC": (16, _aes(16)),
    "AES-192-CBC": (16, _aes(24)),
    "AES-256-CBC": (16, _aes_of_xe),
}


def _readings(cipher: str, iv: bytes, data: bytes, passphrase: bytes) -> list[bytes]:
    if cipher not in _CIPHERS:
        raise _bad("is encrypted with an unknown cipher")
    size, read = _CIPHERS[cipher]
    if len(iv) != size:
        raise _bad("has a damaged header")
    return [der for der in read(iv, data, passphrase) if der is not None]


def _private(der: bytes) -> PrivateKey | None:
    """None unless `der` is PKCS#1 of an RSA key whose numbers belong together.

    Products and congruences find every damaged number in microseconds; that p and q are prime, which a full
    validation would also look at (40 to 270 ms a key), is the affair of the device that made them.
    """
    try:
        version, n, e, d, p, q, dp, dq, inverse = _integers(der)
        spki = rsa_spki(n, e)
        rsa_numbers(spki)
    except ValueError:
        return None
    if version != 0 or q == 1 or p * q != n or inverse * q % p != 1:
        return None
    if any(part != d % (prime - 1) or part * e % (prime - 1) != 1 for part, prime in ((dp, p), (dq, q))):
        return None
    return PrivateKey(der, spki)


def seal_3des(private: PrivateKey, passphrase: str) -> str:
    """Encrypted PEM that IOS 15, IOS XE and OpenSSL read."""
    iv = secrets.token_bytes(8)
    pad = 8 - len(private.der) % 8
    encryptor = Cipher(_triple_des(_derive(passphrase.encode(), iv, 24)), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(private.der + bytes([pad]) * pad) + encryptor.finalize()
    return private_pem(sealed, "DES-EDE3-CBC", iv.hex().upper())


def check_pair(exported: Exported, passphrase: str, expected_spki: bytes) -> PrivateKey:
    """Proves that an export is whole, opens with its passphrase and is the key that was meant.

    Raises VpnKeysError("export_failed").
    """
    try:
        shown = spki_of(exported.public_pem)
    except ValueError:
        raise VpnKeysError("export_failed", "The exported public key cannot be read.") from None
    try:
        private = open_private(exported.private_pem, passphrase)
    except VpnKeysError as error:
        raise VpnKeysError("export_failed", f"The export cannot be used: {error}") from None
    if private.spki != shown:
        raise VpnKeysError("export_failed", "The exported private and public keys do not belong together.")
    if private.spki != expected_spki:
        raise VpnKeysError("export_failed", "The exported key is not the one that the device lists.")
    return private
