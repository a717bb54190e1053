# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The little DER an RSA key needs: SubjectPublicKeyInfo and PKCS#1, both ways, strictly."""

from __future__ import annotations

_RSA_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")
INTEGER, BIT_STRING, SEQUENCE = 0x02, 0x03, 0x30


def tlv(tag: int, body: bytes) -> bytes:
    """One DER element: tag, definite length, body."""
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def integer(value: int) -> bytes:
    """A non-negative DER INTEGER."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def spki(n: int, e: int) -> bytes:
    """DER SubjectPublicKeyInfo of an RSA key: what IOS shows as hex and exports as BEGIN PUBLIC KEY."""
    public = tlv(SEQUENCE, integer(n) + integer(e))
    return tlv(SEQUENCE, _RSA_ALGORITHM + tlv(BIT_STRING, b"\0" + public))


def pkcs1(numbers: tuple[int, ...]) -> bytes:
    """DER RSAPrivateKey of (n, e, d, p, q, dp, dq, qi)."""
    return tlv(SEQUENCE, integer(0) + b"".join(map(integer, numbers)))


def _element(data: bytes, at: int, tag: int) -> tuple[bytes, int]:
    """Body of the element of kind `tag` at `at`, and where the next one starts. ValueError if it is not there."""
    if at + 2 > len(data) or data[at] != tag:
        raise ValueError("not the expected element")
    size, at = data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 3 or at + count > len(data):
            raise ValueError("bad length")
        size, at = int.from_bytes(data[at : at + count], "big"), at + count
    if at + size > len(data):
        raise ValueError("truncated")
    return data[at : at + size], at + size


def _only(data: bytes, tag: int) -> bytes:
    body, end = _element(data, 0, tag)
    if end != len(data):
        raise ValueError("trailing bytes")
    return body


def _integers(body: bytes) -> list[int]:
    found, at = [], 0
    while at < len(body):
        value, at = _element(body, at, INTEGER)
        found.append(int.from_bytes(value, "big"))
    return found


def read_spki(data: bytes) -> tuple[int, int]:
    """(n, e) of an RSA SubjectPublicKeyInfo; ValueError for anything else."""
    body = _only(data, SEQUENCE)
    if not body.startswith(_RSA_ALGORITHM):
        raise ValueError("not an RSA public key")
    bits = _only(body[len(_RSA_ALGORITHM) :], BIT_STRING)
    if bits[:1] != b"\0":
        raise ValueError("bad bit string")
    n, e = _integers(_only(bits[1:], SEQUENCE))
    return n, e


def read_pkcs1(data: bytes) -> tuple[int, ...]:
    """(n, e, d, p, q, dp, dq, qi) of an RSAPrivateKey; ValueError for anything else."""
    numbers = _integers(_only(data, SEQUENCE))
    if len(numbers) != 9 or numbers[0] != 0:
        raise ValueError("not an RSA private key")
    return tuple(numbers[1:])
