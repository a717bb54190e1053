# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public keys of gateways, as one line of text. PRIVATE to the collection; standard library only, for the gateways.

The text of an X25519 key is WireGuard's: base64 of its 32 bytes. The text of any other key is base64 of its DER
SubjectPublicKeyInfo, which is the body of the PEM file that `pki --pub --outform pem` writes.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from ._errors import VpnKeysError
from ._fingerprint import fingerprint

# RFC 8410: the DER SubjectPublicKeyInfo of these keys is this prefix and the 32 bytes of the key.
X25519_PREFIX = bytes.fromhex("302a300506032b656e032100")
ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")
RSA_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")

# With these u-coordinates every shared secret is zero (https://cr.yp.to/ecdh.html#validate).
P = 2**255 - 19
LOW_ORDER = frozenset(
    {
        0,
        1,
        P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)
SMALLEST_RSA = 1024


@dataclass(frozen=True)
class PublicKey:
    """A well-formed public key: `algorithm` is x25519, ed25519 or rsa, `bits` the strength people name it by."""

    algorithm: str
    text: str
    der: bytes
    bits: int

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.der)


def parse(text: str) -> PublicKey:
    """Raises VpnKeysError(bad_public_key) for whatever is not a usable public key, in one line or in PEM."""
    body = re.sub(r"-----(BEGIN|END) PUBLIC KEY-----", "", str(text))
    try:
        raw = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _bad("it is not base64") from None
    if len(raw) == 32:
        return _x25519(raw)
    return from_der(raw)


def from_der(der: bytes) -> PublicKey:
    """The same from a DER SubjectPublicKeyInfo."""
    text = base64.b64encode(der).decode()
    if len(der) == 44 and der.startswith(X25519_PREFIX):
        return _x25519(der[len(X25519_PREFIX) :])
    if len(der) == 44 and der.startswith(ED25519_PREFIX):
        return PublicKey("ed25519", text, der, 256)
    return PublicKey("rsa", text, der, _rsa_bits(der))


def pem(key: PublicKey) -> str:
    """The PEM form of a key, as `pki` and OpenSSL write it."""
    body = base64.b64encode(key.der).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


def _x25519(raw: bytes) -> PublicKey:
    number = int.from_bytes(raw, "little") & ((1 << 255) - 1)
    if number % P in LOW_ORDER:
        raise _bad("it is a point of low order, with which anyone could decrypt the traffic")
    return PublicKey("x25519", base64.b64encode(raw).decode(), X25519_PREFIX + raw, 256)


def _rsa_bits(der: bytes) -> int:
    """The size of the modulus; the key must be whole and nothing may follow it."""
    try:
        outer, rest = _element(der, 0x30)
        if rest or not outer.startswith(RSA_ALGORITHM):
            raise ValueError
        bit_string, rest = _element(outer[len(RSA_ALGORITHM) :], 0x03)
        if rest or bit_string[:1] != b"\0":
            raise ValueError
        numbers, rest = _element(bit_string[1:], 0x30)
        modulus, exponent_part = _element(numbers, 0x02)
        exponent, after = _element(exponent_part, 0x02)
        if rest or after or not exponent:
            raise ValueError
    except (ValueError, IndexError):
        raise _bad("it is neither an X25519, an Ed25519 nor an RSA key") from None
    bits = int.from_bytes(modulus, "big").bit_length()
    if modulus[:1] >= b"\x80" or bits < SMALLEST_RSA:
        raise _bad(f"its RSA modulus is not a number of at least {SMALLEST_RSA} bits")
    return bits


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Content of the first DER element, which must have that tag, and what follows it."""
    if data[0] != tag:
        raise ValueError("another tag")
    length, start = data[1], 2
    if length & 0x80:
        start = 2 + (length & 0x7F)
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        raise ValueError("cut off")
    return data[start : start + length], data[start + length :]


def _bad(why: str) -> VpnKeysError:
    return VpnKeysError("bad_public_key", f"This is not a public key that a gateway can have: {why}.")
