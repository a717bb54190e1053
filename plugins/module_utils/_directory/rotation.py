# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a rotation and who may take them. Pure. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from .._errors import NOTHING_CHANGED, VpnKeysError

STATES = ("prepared", "staged", "active", "verified", "retired")
CLOSED = ("retired", "rolled_back")
MODES = ("planned", "emergency")
STRATEGIES = ("in_place", "second_interface")
SKIPS = frozenset({("emergency", "prepared", "active"), ("emergency", "active", "retired")})
"""In an emergency nobody waits for peers to stage the new key or to be seen using it: they have dropped the old one."""

Row = dict[str, t.Any]


def is_open(rotation: Mapping[str, t.Any] | None) -> bool:
    return rotation is not None and rotation["state"] not in CLOSED


def must_advance(rotation: Mapping[str, t.Any] | None, gateway: str, wanted: str) -> bool:
    """Whether the rotation has to be brought to that state: not if it is there, or has been. Raises
    VpnKeysError(wrong_state) if it cannot get there in one step."""
    if rotation is None:
        raise VpnKeysError(
            "wrong_state",
            f"{gateway} has no rotation",
            state=NOTHING_CHANGED,
            advice="start one with state=prepared",
        )
    state = rotation["state"]
    if state == wanted:
        return False
    if not is_open(rotation):
        raise VpnKeysError(
            "wrong_state",
            f"The last rotation of {gateway} is {state}, so it cannot become {wanted}",
            state=NOTHING_CHANGED,
            advice="start another one with state=prepared",
        )
    step = STATES.index(wanted) - STATES.index(state) if wanted in STATES else 1
    if step < 0:
        return False
    if step != 1 and (rotation["mode"], state, wanted) not in SKIPS:
        following = STATES[STATES.index(state) + 1]
        raise VpnKeysError(
            "wrong_state",
            f"The rotation of {gateway} is {state}, so it cannot become {wanted}",
            state=NOTHING_CHANGED,
            advice=f"the next step is {following}, or rolled_back",
        )
    return True


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def later(text: str, seconds: int) -> str:
    return (moment(text) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def claim(
    rotation: Mapping[str, t.Any],
    me: Mapping[str, t.Any],
    now: str,
    is_gone: Callable[[Mapping[str, t.Any]], bool],
    take_over: bool,
) -> str | None:
    """None if the rotation is mine, or why it can be taken over. Raises VpnKeysError(held) if neither is so."""
    owner = rotation["holder"]
    if owner.get("run") == me.get("run"):
        return None
    if moment(rotation["lease_until"]) <= moment(now):
        return "its lease had expired"
    if is_gone(owner):
        return "its process has ended"
    if take_over:
        return "take_over was asked for"
    gateway, since = rotation["gateway"], moment(rotation["begun_at"])
    raise VpnKeysError(
        "held",
        f"{gateway} is being rotated by {owner.get('user')} on {owner.get('host')} (pid {owner.get('pid')}) since "
        f"{since:%H:%M} UTC, state {rotation['state']}",
        state=NOTHING_CHANGED,
        advice="wait until that run has ended, or set O(take_over) if it is known to be dead",
    )
