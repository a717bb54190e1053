# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Merkle tree of RFC 6962 (section 2.1) with SHA-256. Pure. PRIVATE to the collection; standard library only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

LEAF, NODE = b"\x00", b"\x01"


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(LEAF + data).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Of the hashes of leaves. Level by level: an odd one at the end is taken up as it is, which gives the same tree as
    the recursive definition does."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    sha256, level = hashlib.sha256, list(leaves)
    while len(level) > 1:
        pairs = [sha256(NODE + one + two).digest() for one, two in zip(level[::2], level[1::2])]  # noqa: B905
        level = pairs + level[-1:] if len(level) % 2 else pairs
    return level[0]
