# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verification of Ed25519 signatures (RFC 8032) for gateways, which have no library for it. Pure. PRIVATE to the
collection; standard library only.

It works on public data alone, so it need not take the same time for all. Only the one encoding of each number and of
each point is accepted, as OpenSSL does.
"""

from __future__ import annotations

import hashlib
import typing as t

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

if t.TYPE_CHECKING:
    Point = tuple[int, int, int, int]
    """X, Y, Z and T with x = X/Z, y = Y/Z and xy = T/Z."""


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether this key (32 bytes) made this signature (64 bytes) of the message."""
    point = _decoded(public)
    if point is None or len(signature) != 64 or _is_identity(_times(8, point)):
        return False
    scalar = int.from_bytes(signature[32:], "little")
    if scalar >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    minus = _times(int.from_bytes(digest, "little") % ORDER, _negative(point))
    return _encoded(_sum(_times(scalar, BASE), minus)) == signature[:32]


def _decoded(encoded: bytes) -> Point | None:
    """RFC 8032, section 5.1.3; None if it is not a point in its one encoding."""
    if len(encoded) != 32:
        return None
    number = int.from_bytes(encoded, "little")
    y, sign = number & ((1 << 255) - 1), number >> 255
    x = _x_of(y)
    if y >= P or x is None or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def _x_of(y: int) -> int | None:
    """One of the two, None where there is none."""
    squared = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(squared, (P + 3) // 8, P)
    if (x * x - squared) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    return None if (x * x - squared) % P else x


def _encoded(point: Point) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _sum(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _negative(point: Point) -> Point:
    return -point[0] % P, point[1], point[2], -point[3] % P


def _times(number: int, point: Point) -> Point:
    result = NOTHING
    while number:
        if number & 1:
            result = _sum(result, point)
        point, number = _sum(point, point), number >> 1
    return result


def _is_identity(point: Point) -> bool:
    return point[0] % P == 0 and (point[1] - point[2]) % P == 0


def _base() -> Point:
    y = 4 * pow(5, P - 2, P) % P
    x = _x_of(y) or 0
    x = x if x & 1 == 0 else P - x
    return x, y, 1, x * y % P


NOTHING: Point = (0, 1, 1, 0)
BASE = _base()
