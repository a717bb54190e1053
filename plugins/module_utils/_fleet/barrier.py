# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether peers that fetch have the next key of a gateway, so that it may use it. Pure. PRIVATE to the collection.

Nobody tells them, so there are two signs: a few are asked and say so, and all have had the time to fetch it. The third
one, tunnels with the new key, comes afterwards, see `verify`: without it, the gateway rolls back.

Where those that were asked are evenly divided, one false answer decides whether the silent ones count. Nothing is lost
by it: the rotation waits for another run, or rolls back by itself.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from .observed import READY, REFUSED

SEVERAL = 2
"""So many that lack it show that what is published does not arrive, unless as many have it. One could lie."""


@dataclass(frozen=True)
class Barrier:
    """`holding`: say that they have it; `lacking`: say that they do not. `counted`: say nothing, so they have the time
    until the deadline, and count as having it then."""

    holding: Sequence[str]
    lacking: Sequence[str]
    counted: Sequence[str]

    def to_result(self) -> dict[str, t.Any]:
        return asdict(self)


def barrier(fetching: Sequence[str], states: Mapping[str, str]) -> Barrier:
    """`states`: of the answers of those that were asked, see `observed`; READY is one that has it."""
    holding = [name for name in fetching if states.get(name) == READY]
    lacking = [name for name in fetching if states.get(name) == REFUSED]
    arrives = len(lacking) < SEVERAL or len(holding) >= len(lacking)
    counted = [name for name in fetching if states.get(name) not in (READY, REFUSED)] if arrives else []
    return Barrier(holding, lacking, counted)
