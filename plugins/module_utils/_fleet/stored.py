# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one gateway says that it stores, by whose it is, and how that agrees with the directory. Pure. PRIVATE to the
collection.

A cell is what one gateway holds of another one, by its own word and the directory's alone. There are as many as pairs,
so they are made only where they are shown.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .model import Directory, Gateway
from .observed import PLACES, Observation, StoredKey

RIGHT, CHANGING, PENDING, DRIFT, UNSEEN, APART = "right", "changing", "pending", "drift", "unseen", "apart"
STATES = {
    RIGHT: "holds the current key and no other",
    CHANGING: "stores the next key beside the current one",
    PENDING: "has not yet stored the latest change",
    DRIFT: "stores other keys than the directory has, or only in one place",
    UNSEEN: "not observed",
    APART: "no tunnel is configured",
}
ACCEPTED = ("current", "staged")
IN = {"file": "in its file", "runtime": "in its running daemon"}
UNKNOWN = "?"


@dataclass(frozen=True)
class Cell:
    """What `holder` holds of `owner`. `serials`: as numbers, `?` for a key that is not one of the owner's. `only`: the
    one place where there is a key at all. `tunnel`: whether the holder sees one."""

    holder: str
    owner: str
    state: str
    serials: tuple[str, ...] = ()
    only: str = ""
    tunnel: bool = False

    @property
    def text(self) -> str:
        return "+".join(self.serials) or "-"


@dataclass(frozen=True)
class Stored:
    """Of one observation: the keys that it accepts for each peer (`of`), those of nobody (fingerprints), the peers with
    which it sees a tunnel, and the keys accepted by it that nobody may accept any more."""

    of: Mapping[str, Sequence[StoredKey]] = field(default_factory=dict)
    unknown_keys: tuple[str, ...] = ()
    tunnels: t.AbstractSet[str] = frozenset()
    dropped: tuple[StoredKey, ...] = ()


@dataclass(frozen=True)
class Summary:
    """What is kept of it, as most of what a fleet stores is right: of how many peers it has any key (`any`) and the
    right one, the entries of those of which it has not simply the current key, and which of `among` it has any of."""

    any: int
    right: int
    unusual: Mapping[str, Sequence[StoredKey]]
    among: t.AbstractSet[str]
    tunnels: int
    unknown_keys: tuple[str, ...]
    dropped: tuple[StoredKey, ...]


def summarize(directory: Directory, observation: Observation, among: t.AbstractSet[str]) -> Summary:
    found, gateways = read(directory, observation), directory.gateways
    unusual = {owner: entries for owner, entries in found.of.items() if not _is_plain(gateways[owner], entries)}
    plain = len(found.of) - len(unusual)
    return Summary(
        any=len(found.of),
        right=plain + sum(is_right(gateways[owner], entries) for owner, entries in unusual.items()),
        unusual={owner: entries for owner, entries in unusual.items() if state(gateways[owner], entries) != RIGHT},
        among=among & found.of.keys(),
        tunnels=len(found.tunnels),
        unknown_keys=found.unknown_keys,
        dropped=found.dropped,
    )


def _is_plain(owner: Gateway, entries: Sequence[StoredKey]) -> bool:
    """Whether it is one entry, of the current key, in both places: nearly all are. A quick way to RIGHT."""
    first = entries[0]
    return (
        len(entries) == 1
        and first.fingerprint == owner.fingerprint
        and first.file == first.runtime == "current"
        and not owner.gone
    )


def read(directory: Directory, observation: Observation) -> Stored:
    """In the time that its answer is long."""
    host, owner_of, owners = observation.host, directory.owner, directory.owners
    alike = directory.alike[directory.gateways[host].protocol]
    of: dict[str, list[StoredKey]] = {}
    unknown_keys: dict[str, None] = {}
    for entry in observation.stored:
        if entry.file in ACCEPTED or entry.runtime in ACCEPTED:
            # WireGuard names no peer, and stores a key of every peer: the quick way.
            owner = owner_of(entry.peer, entry.fingerprint) if entry.peer else owners.get(entry.fingerprint)
            if owner is None:
                unknown_keys[entry.fingerprint] = None
            elif owner in of:
                of[owner].append(entry)
            elif owner in alike and owner != host:
                of[owner] = [entry]
    dropped = [
        entry
        for entry in (observation.stored if directory.dropped else ())
        if entry.fingerprint in directory.dropped and directory.keys[entry.fingerprint][0] != host
        if entry.file in ACCEPTED or entry.runtime in ACCEPTED
    ]
    seen = {
        owner_of(one.peer, one.with_peer) if one.peer else owners.get(one.with_peer) for one in observation.tunnels
    }
    tunnels = (alike & seen) - {host}
    return Stored(of, tuple(unknown_keys), tunnels, tuple(dropped))


def state(owner: Gateway, entries: Sequence[StoredKey]) -> str:
    """How what somebody stores of a gateway agrees with the directory."""
    accepted = {entry.fingerprint for entry in entries}
    if not accepted:
        return APART
    if not owner.gone and accepted == {owner.fingerprint} and _current(entries) == [accepted, accepted]:
        return RIGHT
    return CHANGING if owner.rotation and accepted <= owner.acceptable else DRIFT


def _current(entries: Sequence[StoredKey]) -> list[set[str]]:
    return [{one.fingerprint for one in entries if one.role(place) == "current"} for place in PLACES]


def is_right(owner: Gateway, entries: Sequence[StoredKey]) -> bool:
    return state(owner, entries) in (RIGHT, CHANGING)


def cell(directory: Directory, holder: str, owner: str, stored: Stored | None) -> Cell:
    """`stored`: None where the holder was not observed."""
    if not directory.are_peers(holder, owner):
        return Cell(holder, owner, APART)
    pending = directory.pending.is_pending(holder, owner)
    if stored is None:
        return Cell(holder, owner, PENDING if pending else UNSEEN)
    entries, one = stored.of.get(owner, ()), directory.gateways[owner]
    return Cell(
        holder,
        owner,
        PENDING if pending else state(one, entries),
        tuple(sorted({serial(one, entry.fingerprint) for entry in entries})),
        _only(entries),
        owner in stored.tunnels,
    )


def _only(entries: Sequence[StoredKey]) -> str:
    places = [place for place in PLACES if any(entry.role(place) in ACCEPTED for entry in entries)]
    return places[0] if len(places) == 1 else ""


def serial(owner: Gateway, fingerprint: str) -> str:
    return next((str(key.serial) for key in owner.keys if key.fingerprint == fingerprint), UNKNOWN)


def where(entry: StoredKey) -> str:
    return " and ".join(IN[place] for place in PLACES if entry.role(place) in ACCEPTED)
