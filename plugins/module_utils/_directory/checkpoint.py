# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The next checkpoint of a directory. Pure. PRIVATE to the collection."""

from __future__ import annotations

from .._checkpoint import Checkpoint
from . import rotation

DAYS = 30
"""How long a checkpoint is valid for a reader that does not get it from the database."""


def following(
    before: Checkpoint | None, directory: str, size: int, root: bytes, now: str, at_least: int = 0
) -> Checkpoint:
    number = max(before.number if before else 0, at_least) + 1
    previous = before.root if before else bytes(32)
    return Checkpoint(directory, size, root, number, previous, now, rotation.later(now, DAYS * 86_400))
