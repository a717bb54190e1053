# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What proves that a gateway has the private half of an X25519 key. PRIVATE to the collection; standard library only,
for the gateways, which need not have a tool that can do it.

The control node makes a pair of keys for this one question, and sends the public half: the challenge. The shared secret
of the two pairs can be computed only with one of the private keys (RFC 7748).
"""

from __future__ import annotations

import hashlib
import hmac

P = 2**255 - 19
A24 = 121665
PURPOSE = b"vpnops.keys proof of possession 1\n"


def prove(private: bytes, public: bytes, challenge: str) -> str:
    """The answer of who has the private key of `public`. `challenge`: 64 hexadecimal digits."""
    asked = bytes.fromhex(challenge)
    return code(shared(private, asked), public, asked)


def code(secret: bytes, public: bytes, challenge: bytes) -> str:
    """Of both sides the same, from the shared secret."""
    return hmac.new(secret, PURPOSE + public + challenge, hashlib.sha256).hexdigest()


def shared(private: bytes, public: bytes) -> bytes:
    """X25519 as in section 5 of RFC 7748: every private key takes the same steps."""
    k = int.from_bytes(private, "little") & ~7 & ((1 << 255) - 1) | 1 << 254
    u = int.from_bytes(public, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for position in reversed(range(255)):
        bit = k >> position & 1
        x2, x3, z2, z3 = _swapped(swap ^ bit, x2, x3, z2, z3)
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + A24 * e) % P
    x2, x3, z2, z3 = _swapped(swap, x2, x3, z2, z3)
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def _swapped(bit: int, x2: int, x3: int, z2: int, z3: int) -> tuple[int, int, int, int]:
    """Both pairs exchanged if the bit is 1, without a branch."""
    x, z = -bit & (x2 ^ x3), -bit & (z2 ^ z3)
    return x2 ^ x, x3 ^ x, z2 ^ z, z3 ^ z
