# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real RSA keys: a pool made beforehand (pool/BITS.txt, the two primes of a key a line), and generation after that."""

from __future__ import annotations

import base64
import hashlib
import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from . import der

EXPONENT = 65537
POOL = Path(__file__).parent / "pool"


@dataclass(frozen=True)
class RsaKey:
    """An RSA key pair. Two are equal when their numbers are."""

    n: int
    e: int
    d: int
    p: int
    q: int

    @property
    def bits(self) -> int:
        """Size of the modulus."""
        return self.n.bit_length()

    @cached_property
    def spki(self) -> bytes:
        """DER SubjectPublicKeyInfo."""
        return der.spki(self.n, self.e)

    @cached_property
    def pkcs1(self) -> bytes:
        """DER RSAPrivateKey."""
        p, q, d = self.p, self.q, self.d
        return der.pkcs1((self.n, self.e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the SubjectPublicKeyInfo, lower-case hex."""
        return hashlib.sha256(self.spki).hexdigest()

    @cached_property
    def hex_lines(self) -> str:
        """The lines below `Key Data:`: two spaces, then eight words of four bytes, a space after each whole word."""
        text = self.spki.hex().upper()
        words = [text[i : i + 8] for i in range(0, len(text), 8)]
        spaced = [word + " " if len(word) == 8 else word for word in words]
        return "".join("  " + "".join(spaced[i : i + 8]) + "\n" for i in range(0, len(spaced), 8))


def from_primes(p: int, q: int) -> RsaKey:
    """The key of two primes, with e = 65537."""
    return RsaKey(p * q, EXPONENT, pow(EXPONENT, -1, math.lcm(p - 1, q - 1)), p, q)


def from_pkcs1(data: bytes) -> RsaKey:
    """The key in a DER RSAPrivateKey. ValueError for anything else, and for numbers that do not belong together.

    The CRT values are not checked: a published device export carries a wrong one.
    """
    n, e, d, p, q = der.read_pkcs1(data)[:5]
    if p * q != n or min(p, q) < 2 or (e * d) % math.lcm(p - 1, q - 1) != 1:
        raise ValueError("inconsistent RSA private key")
    return RsaKey(n, e, d, p, q)


@lru_cache(maxsize=4096)
def pool_key(bits: int, index: int) -> RsaKey:
    """Key number `index` of the pool of that size, counted from 0. LookupError when there is none."""
    try:
        p, q = _pool_lines(bits)[index].split()
    except IndexError:
        raise LookupError(f"the pool has no {bits}-bit key number {index}") from None
    return from_primes(_number(p), _number(q))


def pool_size(bits: int) -> int:
    """How many keys of that size were made beforehand."""
    return len(_pool_lines(bits))


def generate(bits: int) -> RsaKey:
    """A fresh key, really generated: 25 to 100 ms at 2048 bits."""
    if bits < 1024:
        return _generate_small(bits)
    numbers = rsa.generate_private_key(EXPONENT, bits).private_numbers()
    public = numbers.public_numbers
    return RsaKey(public.n, public.e, numbers.d, numbers.p, numbers.q)


class KeySource:
    """Hands out keys for one lab: never the same twice. Safe without locks when used from one thread.

    `taken` are the pool keys the lab file gives to devices, as (bits, index); `slice_of` (i, n) leaves this source
    every n-th key, so that the processes of one lab do not meet.
    """

    def __init__(self, taken: frozenset[tuple[int, int]] = frozenset(), slice_of: tuple[int, int] = (0, 1)) -> None:
        self._taken, self._slice = taken, slice_of
        self._unused: dict[int, Iterator[int]] = {}

    def from_pool(self, bits: int) -> RsaKey | None:
        """The next unused key of the pool, or None: then generate one."""
        first, step = self._slice
        if bits not in self._unused:
            indexes = (i for i in range(pool_size(bits)) if (bits, i) not in self._taken)
            self._unused[bits] = iter([i for position, i in enumerate(indexes) if position % step == first])
        index = next(self._unused[bits], None)
        return None if index is None else pool_key(bits, index)


@lru_cache(maxsize=64)
def _pool_lines(bits: int) -> tuple[str, ...]:
    path = POOL / f"{bits}.txt"
    return tuple(path.read_text(encoding="ascii").splitlines()) if path.exists() else ()


def _number(text: str) -> int:
    return int.from_bytes(base64.b64decode(text), "big")


def pool_line(key: RsaKey) -> str:
    """How a key is written in the pool."""
    return " ".join(base64.b64encode(x.to_bytes((x.bit_length() + 7) // 8, "big")).decode() for x in (key.p, key.q))


def _generate_small(bits: int) -> RsaKey:
    """Sizes that `cryptography` refuses (old routers offer 360 bits and up)."""
    while True:
        p, q = _prime(bits - bits // 2), _prime(bits // 2)
        if p != q and (p * q).bit_length() == bits and math.gcd(EXPONENT, (p - 1) * (q - 1)) == 1:
            return from_primes(max(p, q), min(p, q))


def _prime(bits: int) -> int:
    while True:
        candidate = secrets.randbits(bits) | (3 << (bits - 2)) | 1
        if all(candidate % small for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)) and _probably_prime(candidate):
            return candidate


def _probably_prime(n: int) -> bool:
    """Miller-Rabin, 24 rounds."""
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for dummy in range(24):
        x = pow(secrets.randbelow(n - 3) + 2, odd, n)
        if x in (1, n - 1):
            continue
        for dummy in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True
