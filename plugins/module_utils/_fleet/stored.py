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
    CHANGING: "holds the next key beside the current one",
    PENDING: "has still to store what the directory says",
    DRIFT: "holds something else than the directory says",
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
    """Of one observation: the keys that it accepts for each peer, those of nobody (fingerprints), the peers with which
    it sees a tunnel, and the keys accepted by it that nobody may accept any more."""

    of: Mapping[str, Sequence[StoredKey]] = field(default_factory=dict)
    strangers: tuple[str, ...] = ()
    tunnels: frozenset[str] = frozenset()
    dropped: tuple[StoredKey, ...] = ()


def read(directory: Directory, observation: Observation) -> Stored:
    """In the time that its answer is long."""
    host, of = observation.host, t.cast("dict[str, list[StoredKey]]", {})
    strangers: dict[str, None] = {}
    dropped: list[StoredKey] = []
    for entry in observation.stored:
        if entry.file not in ACCEPTED and entry.runtime not in ACCEPTED:
            continue
        owner = directory.owner(entry.peer, entry.fingerprint)
        known = directory.keys.get(entry.fingerprint)
        if owner and directory.are_peers(host, owner):
            of.setdefault(owner, []).append(entry)
        elif owner is None:
            strangers[entry.fingerprint] = None
        if known and known[0] != host and entry.fingerprint in directory.gateways[known[0]].dropped:
            dropped.append(entry)
    owners = (directory.owner(one.peer, one.with_peer) for one in observation.tunnels)
    tunnels = frozenset(one for one in owners if one and directory.are_peers(host, one))
    return Stored(of, tuple(strangers), tunnels, tuple(dropped))


def state(owner: Gateway, entries: Sequence[StoredKey]) -> str:
    """How what somebody stores of a gateway agrees with the directory."""
    accepted = {entry.fingerprint for entry in entries}
    if not accepted:
        return APART
    if not owner.revoked and accepted == {owner.fingerprint} and _current(entries) == [accepted, accepted]:
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
