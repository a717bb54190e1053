# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories, as key_directory_info returns them, and observations, for fleets of any size."""

from __future__ import annotations

import base64
import functools
import hashlib
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import (
    READY,
    REFUSED,
    UNREACHABLE,
    Change,
    Observation,
    StoredKey,
    Tunnel,
)
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import parse

Data = dict[str, t.Any]
BEGUN = "2026-11-22T11:00:00Z"
NO_KEY: Data = {"serial": None, "public_key": None, "fingerprint": None}


@functools.cache
def key(name: str, serial: int = 1) -> str:
    return base64.b64encode(hashlib.sha256(f"{name} {serial}".encode()).digest()).decode()


@functools.cache
def fp(name: str, serial: int = 1) -> str:
    return parse(key(name, serial)).fingerprint


def names(number: int) -> list[str]:
    return [f"gw{one}" for one in range(1, number + 1)]


# -- the directory


def keys(name: str, serial: int, states: Mapping[int, str], algorithm: str = "x25519") -> list[Data]:
    """Newest first. The newest is current and the others are retired, unless `states` says something else."""
    numbers = range(max([serial, *states]), 0, -1)
    return [
        {
            "serial": number, "public_key": key(name, number), "fingerprint": fp(name, number), "algorithm": algorithm,
            "state": states.get(number, "current" if number == serial else "retired"),
            "created_at": "2026-06-01T00:00:00Z",
        }
        for number in numbers
    ]  # fmt: skip


def entry(name: str, serial: int = 1, states: Mapping[int, str] | None = None, **more: t.Any) -> Data:
    """A gateway whose key is the one with this serial; `states`: of its keys that are neither current nor retired."""
    algorithm = more.get("algorithm", "x25519")
    return {
        "name": name, "platform": "wireguard", "algorithm": algorithm, "identity": None, "revoked": False,
        "revoked_at": None, "revision": 1, "serial": serial, "public_key": key(name, serial),
        "fingerprint": fp(name, serial), "keys": keys(name, serial, states or {}, algorithm),
        "created_at": "2026-06-01T00:00:00Z", "rotation": None, **more,
    }  # fmt: skip


def revoked(name: str) -> Data:
    """A gateway that is lost."""
    return entry(name, 1, {1: "revoked"}, revoked=True, revoked_at=BEGUN) | NO_KEY


def retired(name: str) -> Data:
    """A gateway that is not needed any more."""
    return entry(name, 1, {1: "retired"}, retired_at=BEGUN) | NO_KEY


def rotation(name: str, state: str = "staged", mode: str = "planned", serial: int = 1, **more: t.Any) -> Data:
    """The open rotation from that serial to the next one."""
    return {
        "id": 7, "state": state, "mode": mode, "strategy": "in_place", "begun_by": "alice", "begun_at": BEGUN,
        "old": {"serial": serial, "fingerprint": fp(name, serial)},
        "new": {"serial": serial + 1, "fingerprint": fp(name, serial + 1)}, **more,
    }  # fmt: skip


def rotating(name: str, state: str = "staged") -> Data:
    """A gateway whose planned rotation from its first key to its second one is open."""
    after = state in ("active", "verified")
    other = {1: "retired"} if after else {2: "staged"}
    return entry(name, 2 if after else 1, other, rotation=rotation(name, state))


def result(
    *entries: Data,
    pending: Mapping[str, Iterable[str]] | None = None,
    tampered: Iterable[Data] = (),
    **more: t.Any,
) -> Data:
    """As key_directory_info returns it. `pending`: of which gateways each of these peers must store something yet."""
    missing = {peer: list(of) for peer, of in (pending or {}).items()}
    changed = {name for of in missing.values() for name in of}
    revisions = {one["name"]: 2 if one["name"] in changed else 1 for one in entries}
    peers = [
        {
            "name": one["name"], "platform": one["platform"], "current": one["public_key"],
            "withdrawn": one["revoked"] or not one["public_key"], "known": [key["public_key"] for key in one["keys"]],
            "revision": revisions[one["name"]],
        }
        for one in entries
    ]  # fmt: skip
    learned = {
        one["name"]: {"upto": 1, "also": sorted(changed - {one["name"], *missing[one["name"]]})}
        if one["name"] in missing
        else {"upto": 2, "also": []}
        for one in entries
        if not one["revoked"] and not one.get("retired_at")
    }
    directory = {"gateways": {one["name"]: one for one in entries}, "tampered": list(tampered), "revision": 2}
    return {
        "directory": directory, "peers": peers, "learned": learned, "rotations": [], "events": [],
    } | more  # fmt: skip


def snapshot(*entries: Data, **more: t.Any) -> Directory:
    return Directory.from_result(result(*entries, **more))


# -- what gateways say


def stored(name: str, serial: int = 1, file: str | None = "current", runtime: str | None = "current") -> StoredKey:
    return StoredKey("", fp(name, serial), file, runtime)


def tunnel(name: str, own: str | None, serial: int = 1, by: float = 0.0) -> Tunnel:
    return Tunnel("", own, fp(name, serial), 1.0, by)


def seen(
    name: str, others: Mapping[str, int] | Iterable[str], own: int = 1, runtime: int | None = None, **more: t.Any
) -> Observation:
    """A gateway that stores, in file and daemon, the given serials of others, and has tunnels by them."""
    serials = others if isinstance(others, Mapping) else {other: 1 for other in others if other != name}
    used = fp(name, own if runtime is None else runtime)
    about: Data = {
        "state": READY,
        "seen": True,
        "own_file": fp(name, own),
        "own_runtime": used,
        "stored": tuple(stored(peer, serial) for peer, serial in serials.items()),
        "tunnels": tuple(tunnel(peer, used, serial) for peer, serial in serials.items()),
    }
    return Observation(name, **about | more)


def unreachable(name: str) -> Observation:
    return Observation(name, UNREACHABLE, "unreachable")


def refused(name: str, why: str = "Incorrect sudo password", **more: t.Any) -> Observation:
    return Observation(name, REFUSED, why, **more)


def change(step: str = "active", began: float = 0.0, error: str = "", name: str = "gw1") -> Change:
    return Change(step, fp(name, 2), began, began + 60, error)


def with_stored(one: Observation, *more: StoredKey) -> Observation:
    """The same, with these keys instead of those with the same fingerprint, and beside the others."""
    replaced = {entry.fingerprint for entry in more}
    return replace(one, stored=(*(entry for entry in one.stored if entry.fingerprint not in replaced), *more))


def without(one: Observation, *peers: str) -> Observation:
    """It stores no key of these, and sees no tunnel to them."""
    gone = {fp(peer, serial) for peer in peers for serial in (1, 2, 3)}
    return replace(
        one,
        stored=tuple(entry for entry in one.stored if entry.fingerprint not in gone),
        tunnels=tuple(tunnel for tunnel in one.tunnels if tunnel.with_peer not in gone),
    )


def mesh(number: int) -> tuple[Data, dict[str, Observation]]:
    """A directory and observations that agree in everything."""
    every = names(number)
    return result(*(entry(name) for name in every)), {name: seen(name, every) for name in every}


def all_seen(every: Sequence[str]) -> dict[str, Observation]:
    return {name: seen(name, every) for name in every}
