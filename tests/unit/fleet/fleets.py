# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets of every sort, as records of the directory and what gateways say. Made from a seed: that is cheap."""

from __future__ import annotations

import base64
import functools
import hashlib
import random
import typing as t
from dataclasses import dataclass

from unit.directory.samples import Records, gateway, names
from unit.fleet.samples import Data

from ansible_collections.vpnops.keys.plugins.module_utils._directory import view
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
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import parse

ROLES = ("current", "staged", "withdrawn", None)
STEPS = ("activating", "active", "confirmed", "rolled_back", "failed")
GARBAGE = ("", "gw1", "sw2", "\\x1b[2J", "<script>", "{{ 7 * 7 }}", "*", "all", "nobody")
ED25519 = bytes.fromhex("302a300506032b6570032100")
SERIALS = (1, 2, 3, 9)
"""All that any gateway has or is about to have; 9 is nobody's."""


@functools.cache
def key(name: str, serial: int = 1) -> str:
    """A public key as the platform of that gateway uses it: those with strongSwan are called sw1, sw2 and so on."""
    raw = hashlib.sha256(f"{name} {serial}".encode()).digest()
    return base64.b64encode(ED25519 + raw if name.startswith("sw") else raw).decode()


@functools.cache
def fp(name: str, serial: int = 1) -> str:
    return parse(key(name, serial)).fingerprint


def identity(name: str) -> str:
    """By which strongSwan knows a peer; WireGuard knows none."""
    return f"{name}.example" if name.startswith("sw") else ""


def metadata(name: str) -> Data:
    """What the inventory says of a gateway."""
    platform = "strongswan" if name.startswith("sw") else "wireguard"
    return {"platform": platform, "identity": identity(name) or None, "endpoint": f"{name}.example.net", "networks": []}


@dataclass(frozen=True)
class Fleet:
    """The records of a directory, its events, and what honest gateways say."""

    records: Records
    events: list[Data]
    observations: dict[str, Observation]

    @property
    def names(self) -> list[str]:
        return list(self.records.snapshot.gateways)

    @functools.cached_property
    def result(self) -> Data:
        return result(self.records, self.events)

    @functools.cached_property
    def directory(self) -> Directory:
        return Directory.from_result(self.result)


def result(records: Records, events: list[Data]) -> Data:
    """As key_directory_info returns it."""
    rotations = sorted(records.snapshot.rotations.values(), key=lambda row: -row["id"])
    numbered = [{"id": number, **event} for number, event in enumerate(events, 1)]
    return {**view.build(records.snapshot, {}, None), "rotations": rotations, "events": numbered[::-1]}


def fleet(seed: int) -> Fleet:
    rng = random.Random(seed)
    every = [f"{rng.choice(('gw', 'gw', 'gw', 'sw'))}{number}" for number in range(1, rng.randint(2, 6) + 1)]
    records, events = Records(), list[Data]()

    def do(state: str, **given: t.Any) -> None:
        events.extend(records.do(state, **given))

    do("present", gateways=[gateway(name, key(name), **metadata(name)) for name in every])
    for name in every:
        _history(rng, name, do)
    behind = [name for name in every if records.snapshot.gateways[name]["revoked"] or rng.random() < 0.3]
    revision = records.snapshot.revision
    do("present", learned=[{"peer": name, "revision": revision} for name in every if name not in behind])
    observations = {name: _honest(rng, name, records) for name in every}
    if rng.random() < 0.1:
        records.forged.append(("key", every[-1], 1))
    return Fleet(records, events, observations)


HISTORIES = {
    "calm": (),
    "replaced": ("prepared", "staged", "active", "verified", "retired"),
    "begun": ("prepared",),
    "staged": ("prepared", "staged"),
    "active": ("prepared", "staged", "active"),
    "verified": ("prepared", "staged", "active", "verified"),
    "rolled_back": ("prepared", "staged", "rolled_back"),
    "emergency": ("emergency", "revoked"),
    "emergency staged": ("emergency", "revoked", "staged"),
    "lost": ("lost",),
}


def _history(rng: random.Random, name: str, do: t.Callable[..., None]) -> None:
    """Rotations and revocations of one gateway, none at all of most."""
    for step in HISTORIES[rng.choice(("calm",) * 8 + tuple(HISTORIES))]:
        if step == "staged":
            do("staged", keys=[{"gateway": name, "public_key": key(name, 2)}])
            do("staged", gateways=names(name), minimum_share=0)
        elif step == "emergency":
            do("prepared", gateways=names(name), mode="emergency")
        else:
            state = "revoked" if step == "lost" else step
            do(state, gateways=names(name), lost=step == "lost")


# -- what gateways say


def _honest(rng: random.Random, name: str, records: Records) -> Observation:
    """What is true, or nearly: some keys are missing, old, or stored in one place only."""
    state = rng.choice((READY, READY, READY, READY, REFUSED, UNREACHABLE, ABSENT))
    if state != READY:
        return absent(name) if state == ABSENT else Observation(name, state, "it cannot be updated now")
    stored, tunnels = [], []
    for other in records.snapshot.gateways:
        serial = max(1, _serial(records, other) - (rng.random() < 0.1))
        if other == name or identity(name)[:2] != identity(other)[:2] or rng.random() < 0.15:
            continue
        places = {"file": "current", "runtime": rng.choice(("current",) * 6 + (None,))}
        stored.append(StoredKey(identity(other), fp(other, serial), **places))
        tunnels.append(Tunnel(identity(other), fp(name, rng.randint(1, 2)), fp(other, serial), 1.0, 5.0))
    own = fp(name, max(1, _serial(records, name) - (rng.random() < 0.1)))
    change = rng.choice((None, Change("active", own, 1.0, 9.0, "")))
    return Observation(name, READY, "", True, own, own, None, None, change, tuple(stored), tuple(tunnels))


def _serial(records: Records, name: str) -> int:
    states = records.states(name)
    return next((serial for serial, state in states.items() if state == "current"), max(states))


def current(records: Records, name: str) -> str:
    """The key that an honest gateway has: the one that is or was its current one, or its first one."""
    return key(name, _serial(records, name) if name in records.snapshot.gateways else 1)


def lie(rng: random.Random, liar: str, every: list[str]) -> Observation:
    """Anything that has the right types: keys of others as its own, claims about everybody, nonsense as text."""
    prints = [fp(name, serial) for name in (*every, "nobody") for serial in SERIALS]

    def some(values: t.Sequence[t.Any]) -> t.Any:
        return rng.choice(values)

    def text() -> str:
        return str(some((*GARBAGE, *every, *(f"{name}.example" for name in every))))

    stored = [StoredKey(text(), some(prints), some(ROLES), some(ROLES)) for dummy in range(rng.randint(0, 12))]
    tunnels = [
        Tunnel(text(), some((*prints, None)), some((*prints, None)), rng.random() * 1e6, some((0.0, -1.0, 5.0, 1e12)))
        for dummy in range(rng.randint(0, 12))
    ]
    state = some((READY, READY, READY, REFUSED))
    return Observation(
        host=liar,
        state=state,
        why=text() or "x",
        seen=rng.random() < 0.9,
        own_file=some((*prints, None)),
        own_runtime=some((*prints, None)),
        pending=some((*prints, None)),
        previous=some((*prints, None)),
        change=some((None, Change(some(STEPS), some(prints), some((0.0, -1.0, 1e12)), 0.0, text()))),
        stored=tuple(stored),
        tunnels=tuple(tunnels),
    )


def said(one: Observation, every: t.Iterable[str]) -> Data:
    """What gateway_info on that gateway prints for it to be observed so."""
    if one.state == REFUSED and not one.seen:
        return {"failed": True, "msg": one.why, "code": "refused", "changed": False}
    keys = {fp(name, serial): key(name, serial) for name in (*every, "nobody") for serial in SERIALS}

    def shown(fingerprint: str | None) -> Data | None:
        if fingerprint is None:
            return None
        found = parse(keys[fingerprint])
        return {
            "public_key": found.text, "fingerprint": fingerprint, "algorithm": found.algorithm, "bits": found.bits
        }  # fmt: skip

    change = one.change and {
        "step": one.change.step, "key": one.change.key, "at": one.change.began, "began": one.change.began,
        "deadline": one.change.deadline, "error": one.change.error,
    }  # fmt: skip
    gateway_ = {
        "platform": metadata(one.host)["platform"],
        "own": {"file": shown(one.own_file), "runtime": shown(one.own_runtime)},
        "pending": shown(one.pending), "previous": shown(one.previous), "change": change,
        "stored": [
            {
                "peer": entry.peer, "public_key": keys[entry.fingerprint], "fingerprint": entry.fingerprint,
                "file": entry.file, "runtime": entry.runtime,
            }
            for entry in one.stored
        ],
        "tunnels": [
            {
                "peer": tunnel.peer, "with_own": tunnel.with_own, "with_peer": tunnel.with_peer, "age": tunnel.age,
                "by": tunnel.by, "proof": f"seen by {one.host}",
            }
            for tunnel in one.tunnels
        ],
    }  # fmt: skip
    return {"changed": False, "gateway": gateway_, "obstacles": [one.why] if one.state == REFUSED else []}
