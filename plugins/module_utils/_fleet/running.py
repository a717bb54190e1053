# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway that runs the next key of an open rotation while the directory has the old one, as an interrupted run
leaves it. Pure. PRIVATE to the collection.

It is the word of the gateway about itself, its clock as well.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass
from datetime import datetime, timezone

from .._fingerprint import short
from .model import Gateway
from .observed import Change, Observation

ACTIVATING, ACTIVE, CONFIRMED = "activating", "active", "confirmed"
"""Steps of a change, as the gateway names them."""
LONGEST = 30 * 86400.0
"""Seconds from its change after which no gateway rolls back: a later time is no deadline of ours."""
LAST = 253402300800.0
"""Unix seconds of the end of the year 9999."""


@dataclass(frozen=True)
class RunningNext:
    """`rolls_back_at`: ISO 8601, by the clock of the gateway; None where it does not, or where that is not known."""

    fingerprint: str
    confirmed: bool
    rolls_back_at: str | None

    def to_result(self) -> dict[str, t.Any]:
        return asdict(self)

    @property
    def text(self) -> str:
        """For a cell."""
        found = f"next key {short(self.fingerprint)}, {'' if self.confirmed else 'not '}confirmed"
        return f"{found}, rolls back at {self.rolls_back_at} by its clock" if self.rolls_back_at else found

    @property
    def sentence(self) -> str:
        found = f"It runs its next key {short(self.fingerprint)}"
        if self.confirmed:
            return f"{found}, which is confirmed: it does not roll back by itself."
        at = f" at {self.rolls_back_at} by its own clock" if self.rolls_back_at else " by itself"
        return f"{found}, which is not confirmed: it rolls back{at}."


def running_next(one: Gateway, observation: Observation) -> RunningNext | None:
    """None for a gateway that runs what the directory has as its current key, or that nobody observed."""
    new = one.rotation.new if one.rotation else None
    if one.gone or not new or not observation.seen or new[1] == one.fingerprint:
        return None
    change = observation.change if observation.change and observation.change.key == new[1] else None
    if new[1] not in observation.own and not (observation.own_runtime is None and _under_way(change)):
        return None
    confirmed = bool(change and change.step == CONFIRMED)
    return RunningNext(new[1], confirmed, _deadline(change))


def _under_way(change: Change | None) -> bool:
    """A strongSwan that has both keys does not tell which of them it uses, but how far its change has come."""
    return bool(change and change.step in (ACTIVATING, ACTIVE, CONFIRMED))


def _deadline(change: Change | None) -> str | None:
    if not change or change.step != ACTIVE or not change.began < change.deadline < min(change.began + LONGEST, LAST):
        return None
    return datetime.fromtimestamp(change.deadline, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
