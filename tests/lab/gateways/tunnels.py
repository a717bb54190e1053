# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the tunnels of a mesh work."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from itertools import combinations

from . import net
from .plan import Plan

Pair = tuple[str, str]

ROUND = 2.0
"""Seconds that one end of each pair pings before the other end tries."""


def pairs(plan: Plan, names: Sequence[str], first: Collection[str] = ()) -> list[Pair]:
    """Every two of the gateways `names`, those in `first` in front."""
    if plan.link == "none":
        return []
    return [(b, a) if b in first and a not in first else (a, b) for a, b in combinations(names, 2)]


def ping(plan: Plan, wanted: Sequence[Pair], timeout: float) -> list[Pair]:
    """Ping through the tunnels, until everybody answered; the pairs that had no answer in time."""
    ways = {(plan.namespace(source), plan.address(plan.number(target))): (source, target) for source, target in wanted}
    return [ways[way] for way in net.ping(ways, timeout)]


def wait(plan: Plan, wanted: Sequence[Pair], timeout: float) -> list[Pair]:
    """Ping from the first of each pair; the pairs that had no answer in time.

    Not from both ends at once: two WireGuard handshakes that cross cost 5 s. And best from a gateway that just started,
    since a peer that believes in an older session doubts it only after 15 s. Those with a tunnel of their own
    come first, since a packet from spoke to spoke and one from the hub would make handshakes that cross, too.
    """
    end = time.monotonic() + timeout
    near = direct(plan, wanted)
    for missing in (near, [pair for pair in wanted if pair not in near]):
        while missing and time.monotonic() < end:
            missing[:] = [(target, source) for source, target in ping(plan, missing, ROUND)]
        if missing:
            return missing
    return []


def direct(plan: Plan, wanted: Sequence[Pair]) -> list[Pair]:
    """The pairs that have a tunnel of their own."""
    return [(a, b) for a, b in wanted if plan.number(b) in plan.peers(plan.number(a))]
