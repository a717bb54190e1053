# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What peers must store of a gateway, and what they have to acknowledge of it. Pure. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Sequence

from . import records
from .records import Row

ACTIVATED = ("active", "verified")
NEW = "(new)"
"""Instead of the text of a key that a check mode run only predicts."""
HOLDING = ("current", "staged")
"""The roles in which a peer accepts a key."""

Want = tuple[str, int]
"""Role and serial that an acknowledgement must have."""


def text(key: Row | None) -> str | None:
    return (key["public_key"] or NEW) if key else None


def peer(gateway: Row, keys: Sequence[Row], rotation: Row | None) -> Row:
    """What every other gateway must store of this one. `keys`: newest first; `rotation`: the open one."""
    current, staged = _accepted(keys)
    previous = None
    if rotation and rotation["state"] in ACTIVATED:
        # A revoked key is never accepted again, also not while the rotation goes on.
        previous = records.in_state((row for row in keys if row["serial"] == rotation["old_serial"]), "retired")
    return {
        "name": gateway["name"],
        "platform": gateway["platform"],
        "identity": gateway["identity"],
        "endpoint": gateway["endpoint"],
        "networks": gateway["networks"],
        "revision": gateway["revision"],
        "current": text(current),
        "staged": text(staged),
        "previous": text(previous),
        # In an emergency there is no current key, until the new one is in use.
        "withdrawn": _is_withdrawn(gateway, keys, current),
        "known": [row["public_key"] for row in keys if row["public_key"]],
        "serial": current["serial"] if current else None,
        "staged_serial": staged["serial"] if staged else None,
    }


def _accepted(keys: Sequence[Row]) -> tuple[Row | None, Row | None]:
    """The current key, and the staged one, which is accepted beside it only."""
    current = records.in_state(keys, "current")
    return current, records.in_state(keys, "staged") if current else None


def _is_withdrawn(gateway: Row, keys: Sequence[Row], current: Row | None) -> bool:
    return bool(records.is_gone(gateway) or (keys and not current))


def without_revision(gateway: Row, keys: Sequence[Row]) -> Row:
    """What makes a new revision if it changes: not the keys that are merely known, or good for going back."""
    return {**peer(gateway, keys, None), "known": None, "revision": None}


def wanted(gateway: Row, keys: Sequence[Row]) -> Want | None:
    """What every peer has to acknowledge; None where there is nothing to store. `keys`: newest first."""
    current, staged = _accepted(keys)
    if _is_withdrawn(gateway, keys, current):
        return ("withdrawn", records.withdrawn_serial(keys)) if keys else None
    if staged:
        return "staged", staged["serial"]
    return ("current", current["serial"]) if current else None


def holds(row: Row, serial: int | None) -> bool:
    """Whether who gave this acknowledgement has that key, whether the one before is gone there or not."""
    return row["serial"] == serial and row["role"] in HOLDING
