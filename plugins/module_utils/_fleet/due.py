# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which gateways get a new key in a run because the period of theirs ends, and when that may be. Pure. PRIVATE to the
collection."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from .._errors import NOTHING_CHANGED, VpnKeysError, clause, rendered
from . import plan as planning
from .model import Directory
from .observed import READY, Observations, absent
from .periods import DUE, OVERDUE, Calendar, Term
from .plan import DeferredPeer, PlanOptions
from .status import terms_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WINDOW = re.compile(r"(?:([a-z,-]+) )?(\d\d):(\d\d)-(\d\d):(\d\d)")
DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class Window:
    """When rotations may begin. `days`: 0 is Monday; `begin`, `end`: minutes after midnight. One that ends before it
    begins ends on the next day."""

    days: frozenset[int]
    begin: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Window:
        """From `mon-fri 22:00-04:00`; without days it is on every day. Raises VpnKeysError(bad_input)."""
        found = WINDOW.fullmatch(text.strip().lower())
        days = _days(found[1]) if found else None
        begin, end = (_minutes(found[2], found[3]), _minutes(found[4], found[5])) if found else (None, None)
        if days is None or begin is None or end is None or begin in (end, DAY_MINUTES):
            raise VpnKeysError(
                "bad_input",
                f"O(window) has {text}, which is not a time window",
                state=NOTHING_CHANGED,
                advice="write it like mon-fri 22:00-04:00, sat,sun 00:00-24:00, or 01:00-05:00 for every day",
            )
        return cls(days, begin, end)

    def contains(self, local: datetime) -> bool:
        minute, today, before = local.hour * 60 + local.minute, local.weekday(), (local.weekday() - 1) % 7
        if self.begin < self.end:
            return today in self.days and self.begin <= minute < self.end
        return (today in self.days and minute >= self.begin) or (before in self.days and minute < self.end)


def _days(text: str | None) -> frozenset[int] | None:
    """0 is Monday; None for a text that is not days."""
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            return None
        start = DAYS.index(first)
        found.update((start + more) % 7 for more in range((DAYS.index(last or first) - start) % 7 + 1))
    return frozenset(found)


def _minutes(hour: str, minute: str) -> int | None:
    found = int(hour) * 60 + int(minute)
    return found if int(minute) < 60 and found <= DAY_MINUTES else None


@dataclass(frozen=True)
class Selection:
    """`names`: who gets a new key now, the most urgent first; `skipped`: whose key is due and cannot be changed now;
    `waiting`: who is left for another run; `closed`: whether that is because this is no time for rotations. `ends`: by
    name, when the period of each of their keys ends."""

    names: Sequence[str]
    skipped: Sequence[DeferredPeer]
    waiting: Sequence[str]
    closed: bool
    ends: Mapping[str, str]

    def to_result(self) -> dict[str, t.Any]:
        return asdict(self)


def select(
    directory: Directory, observations: Observations | None, calendar: Calendar, most: int, is_open: bool
) -> Selection:
    """At most so many at once. Without observations, nobody is skipped for what a gateway says."""
    terms = {name: term for name, term in terms_of(directory, calendar).items() if term.state in (DUE, OVERDUE)}
    names = sorted(terms, key=lambda name: (_end(terms[name]), directory.rank[name]))
    skipped = {name: why for name in names if (why := _against(directory, observations, name))}
    able = [name for name in names if name not in skipped]
    chosen = able[:most] if is_open else []
    return Selection(
        names=chosen,
        skipped=[DeferredPeer(name, why) for name, why in skipped.items()],
        waiting=able[len(chosen) :],
        closed=not is_open,
        ends={name: _end(terms[name]) for name in names},
    )


def _end(term: Term) -> str:
    return term.ends or ""


def _against(directory: Directory, observations: Observations | None, name: str) -> str:
    """Why its key cannot be changed now: the same reasons that a plan has."""
    rotation = directory.gateways[name].rotation
    if rotation:
        return f"a rotation is open, state {rotation.state}: finish or abort it first"
    if observations is None:
        return ""
    found = observations.get(name) or absent(name)
    if found.state != READY:
        return clause(found.why)
    options = PlanOptions()
    refusals = planning.against(directory, name, options) or [planning.unable(directory, name, found, options)]
    return rendered(clause(" ".join(refusals)), {})
