# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who still has to store what of whom. Pure. PRIVATE to the collection.

Gateways of one protocol are peers. Each change of what peers must store of a gateway has a number of the whole
directory, its revision, and of every peer one number says how far it has come: it has stored everything up to there.
So no pair of gateways has a record of its own.
"""

from __future__ import annotations

import typing as t
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from ._backends import protocol


class Entry(t.NamedTuple):
    """Something that all peers of a gateway have to store, since that revision."""

    name: str
    protocol: str
    revision: int


class Learned(t.NamedTuple):
    """What one peer has stored: everything up to the revision `upto` but for `missing`, and `also` what is newer."""

    upto: int = 0
    also: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


class Pending:
    """Answers about one directory. `protocols`: of every gateway; `learned`: of every one that is not revoked."""

    def __init__(
        self, entries: Iterable[Entry], protocols: Mapping[str, str], learned: Mapping[str, Learned]
    ) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self._protocols = protocols
        self._learned = learned
        self._sorted: dict[str, list[Entry]] = {}
        for entry in sorted(self._entries.values(), key=lambda one: (one.revision, one.name)):
            self._sorted.setdefault(entry.protocol, []).append(entry)
        self._revisions = {
            protocol: [entry.revision for entry in entries] for protocol, entries in self._sorted.items()
        }

    def pending_of(self, peer: str, most: int | None = None) -> list[str]:
        """The gateways of which this peer must store something yet, oldest change first; only so many if `most` is
        given. Takes as long as the answer is."""
        return list(islice(self._iterate(peer), most))

    def count_of(self, peer: str) -> int:
        """How many those are, without looking at each."""
        if peer not in self._learned:
            return 0
        has, newer, start = self._learned[peer], *self._newer(peer)
        done = sum(1 for name in has.also | {peer} if self._follows(name, peer, has.upto))
        return len(newer) - start - done + len(self._missing(peer))

    def peers_pending(self, name: str) -> list[str]:
        """The peers that must store something of this gateway yet, by name."""
        return sorted(peer for peer in self._learned if self.is_pending(peer, name))

    def is_pending(self, peer: str, name: str) -> bool:
        has, entry = self._learned.get(peer), self._entries.get(name)
        if has is None or entry is None or peer == name or entry.protocol != self._protocols[peer]:
            return False
        return name not in has.also if entry.revision > has.upto else name in has.missing

    def _iterate(self, peer: str) -> Iterator[str]:
        if peer not in self._learned:
            return
        yield from self._missing(peer)
        also = self._learned[peer].also
        newer, start = self._newer(peer)
        for position in range(start, len(newer)):
            if newer[position].name != peer and newer[position].name not in also:
                yield newer[position].name

    def _newer(self, peer: str) -> tuple[list[Entry], int]:
        """The entries of its protocol by revision, and where those begin that are newer than what it has."""
        own = self._protocols[peer]
        start = bisect_right(self._revisions.get(own, []), self._learned[peer].upto)
        return self._sorted.get(own, []), start

    def _missing(self, peer: str) -> list[str]:
        has = self._learned[peer]
        named = [self._entries[name] for name in has.missing if self.is_pending(peer, name)]
        found = [entry for entry in named if entry.revision <= has.upto]
        return [entry.name for entry in sorted(found, key=lambda one: (one.revision, one.name))]

    def _follows(self, name: str, peer: str, upto: int) -> bool:
        entry = self._entries.get(name)
        return entry is not None and entry.protocol == self._protocols[peer] and entry.revision > upto


def is_stored(peer: Mapping[str, t.Any]) -> bool:
    """Whether an entry of `peers` is anything to store or to drop: a gateway without any key yet is not."""
    return bool(peer["current"] is not None or (peer["withdrawn"] and peer["known"]))


def of_result(peers: Iterable[Mapping[str, t.Any]], learned: Mapping[str, Mapping[str, t.Any]]) -> Pending:
    """From `peers` and `learned` as key_directory and key_directory_info return them."""
    peers = list(peers)
    protocols = {one["name"]: protocol(one["platform"]) for one in peers}
    entries = [Entry(one["name"], protocols[one["name"]], one["revision"]) for one in peers if is_stored(one)]
    return Pending(
        entries,
        protocols,
        {
            name: Learned(one["upto"], frozenset(one["also"]), frozenset(one.get("missing", ())))
            for name, one in learned.items()
        },
    )
