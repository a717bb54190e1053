# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets of every sort, and what a gateway may say that lies about everything. Made from a seed: that is cheap."""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass, replace

from unit.fleet import samples
from unit.fleet.samples import Data, fp

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import (
    ABSENT,
    READY,
    REFUSED,
    UNREACHABLE,
    Change,
    Observation,
    StoredKey,
    Tunnel,
    absent,
)

ROLES = ("current", "staged", "withdrawn", None)
GARBAGE = ("", "gw1", "gw2", "\\x1b[2J", "<script>", "{{ 7 * 7 }}", "*", "all", "nobody")


@dataclass(frozen=True)
class Fleet:
    """A directory as a result, parsed, and what honest gateways say."""

    result: Data
    directory: Directory
    observations: dict[str, Observation]

    @property
    def names(self) -> list[str]:
        return list(self.result["directory"]["gateways"])


def fleet(seed: int) -> Fleet:
    rng = random.Random(seed)
    names = samples.names(rng.randint(2, 6))
    entries = [_entry(rng, name) for name in names]
    pending = {
        name: [other for other in names if other != name and rng.random() < 0.5] for name in names if rng.random() < 0.3
    }
    tampered = [{"gateway": "gw99", "serial": 1, "what": "key"}] if rng.random() < 0.2 else []
    result = samples.result(*entries, pending=pending, tampered=tampered, rotations=_history(rng, entries))
    observations = {name: _honest(rng, name, entries) for name in names}
    return Fleet(result, Directory.from_result(result), observations)


def _entry(rng: random.Random, name: str) -> Data:
    strongswan = rng.random() < 0.3
    more: Data = {"platform": "strongswan", "identity": f"{name}.example"} if strongswan else {}
    what = rng.choice(("calm", "calm", "calm", "revoked", "staged", "swapped", "emergency", "replaced"))
    if what == "revoked":
        return samples.revoked(name) | more
    if what in ("staged", "swapped"):
        return samples.rotating(name, what) | more
    if what == "emergency":
        opened = samples.rotation(name, "prepared", "emergency") | {"new": None}
        return samples.entry(name, 1, {1: "revoked"}, **more) | samples.NO_KEY | {"rotation": opened}
    if what == "replaced":
        return samples.entry(name, 2, {1: "revoked"}, **more)
    return samples.entry(name, rng.randint(1, 3), **more)


def _history(rng: random.Random, entries: list[Data]) -> list[Data]:
    return [
        {"id": number, "gateway": one["name"], "mode": rng.choice(("planned", "emergency")), "strategy": "in_place",
         "state": rng.choice(("retired", "aborted")), "old_serial": 1, "new_serial": 2, "why": None,
         "begun_by": "alice", "begun_at": samples.BEGUN, "ended_at": None}
        for number, one in enumerate(entries, 1)
        if rng.random() < 0.3
    ]  # fmt: skip


def _honest(rng: random.Random, name: str, entries: list[Data]) -> Observation:
    """What is true, or nearly: some keys are missing, old, or stored in one place only."""
    state = rng.choice((READY, READY, READY, REFUSED, UNREACHABLE, ABSENT))
    if state != READY:
        return absent(name) if state == ABSENT else Observation(name, state, state)
    stored, tunnels = [], []
    for one in entries:
        serial = max(1, (one["serial"] or 1) - (rng.random() < 0.1))
        if one["name"] == name or rng.random() < 0.15:
            continue
        identity = one["identity"] or ""
        places = {"file": "current", "runtime": rng.choice(("current",) * 6 + (None,))}
        stored.append(StoredKey(identity, fp(one["name"], serial), **places))
        tunnels.append(Tunnel(identity, fp(name, rng.randint(1, 2)), fp(one["name"], serial), 1.0, 5.0))
    own = fp(name, rng.randint(1, 2))
    return Observation(name, READY, "", True, own, own, None, None, Change("swapped", own, 1.0, 9.0, ""),
                       tuple(stored), tuple(tunnels))  # fmt: skip


def lie(seed: int, liar: str, names: list[str]) -> Observation:
    """Anything that has the right types: keys of others as its own, claims about everybody, nonsense as text."""
    rng = random.Random(seed)
    prints = [fp(name, serial) for name in (*names, "nobody") for serial in (1, 2, 3)]

    def some(values: t.Sequence[t.Any]) -> t.Any:
        return rng.choice(values)

    def text() -> str:
        return str(some((*GARBAGE, *names, *(f"{name}.example" for name in names))))

    state = some((READY, READY, REFUSED, UNREACHABLE, ABSENT))
    stored = [StoredKey(text(), some(prints), some(ROLES), some(ROLES)) for dummy in range(rng.randint(0, 12))]
    tunnels = [
        Tunnel(text(), some((*prints, None)), some((*prints, None)), rng.random() * 1e6, some((0.0, -1.0, 5.0, 1e12)))
        for dummy in range(rng.randint(0, 12))
    ]
    one = Observation(
        host=liar,
        state=state,
        why=text(),
        seen=state in (READY, REFUSED) and rng.random() < 0.9,
        own_file=some((*prints, None)),
        own_runtime=some((*prints, None)),
        pending=some((*prints, None)),
        previous=some((*prints, None)),
        change=some((None, Change(text(), some(prints), some((0.0, -1.0, 1e12)), 0.0, text()))),
        stored=tuple(stored),
        tunnels=tuple(tunnels),
        findings=tuple(text() for dummy in range(rng.randint(0, 2))),
    )
    return one if one.state in (READY, REFUSED) else replace(one, seen=False)
