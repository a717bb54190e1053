# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of the fleet: one row per gateway, and everything that is not as it should be. Pure. PRIVATE to the
collection.

A row says what that gateway itself says, beside what the directory says. A finding is the word, or the missing
acknowledgement, of the host that it names. So whatever one gateway answers, nothing else is said of another one.
"""

from __future__ import annotations

import itertools
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .._errors import beginning, clause
from .._fingerprint import short
from . import findings, stored
from .findings import SHOWN, Finding, listed
from .model import EMERGENCY, Directory, Gateway, Key
from .observed import ABSENT, READY, REFUSED, UNREACHABLE, Observation, Observations, StoredKey, absent
from .periods import DUE, GATEWAY, OVERDUE, SIGNING_KEY, Calendar, Term
from .running import RunningNext, running_next
from .stored import Cell, Stored, Summary
from .verdict import Verdict, verdict

AT_ONCE = 32
AS_RECORDED, DIFFERS, NEXT_KEY, UNKNOWN = "as recorded", "differs", "next key", "-"
"""Of the own key of a gateway."""


@dataclass(frozen=True)
class Row:
    """One gateway. `own`: which key it has itself, and `next_key` more of that where it is the next one of an open
    rotation. `term`: of its current key, None where none is asked for. `right` of `any` peers whose keys it
    stores at all it stores as it should. `pending`: of how many gateways it has still to store the present state, and
    `first` some of them."""

    gateway: Gateway
    observation: Observation
    own: str
    right: int
    any: int
    tunnels: int
    pending: int
    first: tuple[str, ...]
    term: Term | None = None
    next_key: RunningNext | None = None

    def to_result(self) -> dict[str, t.Any]:
        one = self.gateway
        counts = self.observation.seen and not one.gone
        return {
            "gateway": one.name,
            "platform": one.platform,
            "algorithm": one.algorithm,
            "serial": one.serial,
            "fingerprint": one.fingerprint,
            "since": one.created_at,
            "ends": self.term.ends if self.term else None,
            "period": self.term.state if self.term else None,
            "state": one.state,
            "reachability": self.observation.state,
            "why": self.observation.why,
            "observed": self.observation.seen,
            "own": self.own,
            "next_key": self.next_key.to_result() if self.next_key else None,
            "holds": {"right": self.right, "any": self.any} if counts else None,
            "tunnels": self.tunnels if counts else None,
            "pending": {"count": self.pending, "first": list(self.first)},
        }


@dataclass(frozen=True, eq=False)
class FleetStatus:
    """`accepted`: by fingerprint, the peers that may still accept a key that nobody may accept."""

    directory: Directory
    rows: Sequence[Row]
    findings: Sequence[Finding]
    accepted: Mapping[str, Sequence[str]]
    _summaries: Mapping[str, Summary]
    _observations: Observations
    _read: dict[str, Stored] = field(default_factory=dict)

    def to_result(self) -> dict[str, t.Any]:
        return {
            "gateways": [row.to_result() for row in self.rows],
            "findings": [one.to_result() for one in self.findings],
            "in_sync": self.verdict.in_sync,
            "summary": self.verdict.text,
        }

    @property
    def verdict(self) -> Verdict:
        return verdict(self.directory.in_use, self.findings)

    @property
    def names(self) -> list[str]:
        """Those that have been revoked come last, and those that are retired not at all."""
        return [*self.directory.in_use, *(name for name, one in self.directory.gateways.items() if one.revoked)]

    # -- pairs

    def cell(self, holder: str, owner: str) -> Cell:
        return stored.cell(self.directory, holder, owner, self._stored(holder))

    def _stored(self, holder: str) -> Stored | None:
        """Pairs are shown holder by holder, so only the last holders are cached."""
        if holder not in self._summaries:
            return None
        if holder not in self._read:
            if len(self._read) >= AT_ONCE:
                self._read.clear()
            self._read[holder] = stored.read(self.directory, self._observations[holder])
        return self._read[holder]

    def differing(self, most: int) -> list[Cell]:
        """The first pairs that are not as they should be."""
        return list(itertools.islice(self._differing(most), most))

    def _differing(self, most: int) -> Iterator[Cell]:
        for holder in self.directory.in_use:
            owners = {*self.directory.pending.pending_of(holder, most), *self._unusual(holder)}
            yield from (self.cell(holder, owner) for owner in sorted(owners, key=self.directory.rank.__getitem__))

    def count_differing(self) -> int:
        """How many pairs those are, without making them."""
        pending = self.directory.pending
        return sum(
            pending.count_of(holder) + sum(not pending.is_pending(holder, owner) for owner in self._unusual(holder))
            for holder in self.directory.in_use
        )

    def _unusual(self, holder: str) -> Iterator[str]:
        """Of whom it stores anything but what is right."""
        there = self._summaries.get(holder)
        return iter(there.unusual if there else ())


def status(directory: Directory, observations: Observations, calendar: Calendar | None = None) -> FleetStatus:
    """Of every gateway in the directory, and of every host that was asked for an observation. `calendar`: without one,
    no key is due."""
    seen = {name: observations.get(name) or absent(name) for name in directory.gateways}
    among = {name for name, one in seen.items() if one.seen}
    there = {
        name: stored.summarize(directory, one, among)
        for name, one in seen.items()
        if one.seen and not directory.gateways[name].gone
    }
    accepted: dict[str, list[str]] = {}
    found = [*_of_all(directory, observations), *_one_sided(directory, there)]
    for name, one in directory.gateways.items():
        if one.retired:
            continue  # it has left the fleet
        found += _of_gateway(directory, one, seen[name], there.get(name), accepted)
    retired = {name for name, one in directory.gateways.items() if one.retired}
    found += [_still_listed(directory.gateways[name]) for name in retired & observations.keys()]
    for host in observations.keys() - directory.gateways.keys():
        found += _of_stranger(directory, observations[host])
    last = len(directory.rank)
    terms = terms_of(directory, calendar)
    found += _due(directory, calendar, terms)
    found.sort(key=lambda one: (directory.rank.get(one.host, last), one.host))
    living = [one for one in directory.gateways.values() if not one.retired]
    rows = [_row(directory, one, seen[one.name], there.get(one.name), terms.get(one.name)) for one in living]
    return FleetStatus(directory, rows, findings.worst_first(found), accepted, there, observations)


def _row(
    directory: Directory, one: Gateway, observation: Observation, there: Summary | None, term: Term | None
) -> Row:
    next_key = running_next(one, observation)
    if not observation.seen or one.gone:
        own = UNKNOWN
    elif list(_own(directory, one, observation)):
        own = DIFFERS
    else:
        own = NEXT_KEY if next_key else AS_RECORDED
    return Row(
        gateway=one,
        observation=observation,
        own=own,
        right=there.right if there else 0,
        any=there.any if there else 0,
        tunnels=there.tunnels if there else 0,
        pending=directory.pending.count_of(one.name),
        first=tuple(directory.pending.pending_of(one.name, SHOWN)),
        term=term,
        next_key=next_key if own == NEXT_KEY else None,
    )


def terms_of(directory: Directory, calendar: Calendar | None) -> dict[str, Term]:
    """By gateway that has a current key, when that is to be replaced."""
    if calendar is None:
        return {}
    living = [directory.gateways[name] for name in directory.in_use]
    return {one.name: calendar.term(GATEWAY, one.created_at) for one in living if one.serial is not None}


def _due(directory: Directory, calendar: Calendar | None, terms: Mapping[str, Term]) -> Iterator[Finding]:
    """Every key whose period ends soon, or is over."""
    for name, term in terms.items():
        yield from _ending(GATEWAY, name, f"Its key, serial {directory.gateways[name].serial},", term)
    if calendar and directory.signing_keys:
        term = calendar.term(SIGNING_KEY, directory.signing_keys[0].since)
        yield from _ending(SIGNING_KEY, "directory", "Its signing key", term)


def _ending(kind: str, host: str, which: str, term: Term) -> Iterator[Finding]:
    kinds = {DUE: findings.DUE, OVERDUE: findings.OVERDUE}
    if term.state in kinds:
        yield Finding(kinds[term.state][kind], host, f"{which} {term.sentence}.", term.ends)


# ------------------------------------------------------------------ findings


def _of_all(directory: Directory, observations: Observations) -> Iterator[Finding]:
    for record in directory.tampered:
        yield Finding("tampered", record.gateway or "directory", f"{record.sentence}.")
    for name, what in directory.claimed.items():
        yield Finding(findings.FORGED, name, what)
    if observations and directory.trusted and not directory.gateways:
        yield Finding("empty directory", "directory", "It has no gateway.")


def _of_gateway(
    directory: Directory,
    one: Gateway,
    observation: Observation,
    there: Summary | None,
    accepted: dict[str, list[str]],
) -> Iterator[Finding]:
    """What this gateway says, or has not acknowledged; nothing in it is the word of another one."""
    yield from _of_answer(observation)
    yield from _rotation(one, observation)
    if one.revoked:
        return
    if observation.state == UNREACHABLE:
        yield Finding(findings.NOT_OBSERVED, one.name, _not_observed(observation))
    if observation.state == ABSENT:
        yield Finding(findings.NOT_ASKED, one.name, f"It was not asked ({observation.why}).")
    if observation.seen:
        yield from _own(directory, one, observation)
        # Even of one that refuses: it is about what it was given before.
        for text in observation.at_restart:
            yield Finding(findings.NOT_LASTING, one.name, beginning(text))
        if observation.fetch:
            yield Finding(findings.NOT_FETCHING, one.name, f"Its last fetch failed: {observation.fetch}")
    yield from _still_accepted(directory, one.name, observation, there, accepted)
    yield from _pending(directory, one.name, there)
    if there:
        yield from _wrong(directory, one.name, there)
        if there.unknown_keys:
            number = f"{len(there.unknown_keys)} key{'' if len(there.unknown_keys) == 1 else 's'}"
            keys = listed([short(key) for key in there.unknown_keys])
            yield Finding("unknown keys", one.name, f"It accepts {number} unknown to the directory: {keys}.")


def _rotation(one: Gateway, observation: Observation) -> Iterator[Finding]:
    """An open one, and which key the gateway runs by its own word."""
    rotation = one.rotation
    if not rotation:
        return
    kind = findings.UNFINISHED_EMERGENCY if rotation.mode == EMERGENCY else findings.UNFINISHED
    what = f"A rotation ({rotation.mode}) begun by {rotation.begun_by} at {rotation.begun_at} is open, state "
    running = running_next(one, observation)
    more = f" {running.sentence}" if running else ""
    yield Finding(kind, one.name, f"{what}{rotation.state}.{more}", rotation.begun_at)


def _still_listed(one: Gateway) -> Finding:
    what = f"It was retired at {one.retired_at}, and is still in the inventory group."
    return Finding(findings.RETIRED, one.name, what, one.retired_at)


def _of_answer(observation: Observation) -> Iterator[Finding]:
    for text in observation.findings:
        yield Finding(findings.FORGED, observation.host, text)
    if observation.state == REFUSED:
        why = observation.reason if observation.advice else observation.why
        yield Finding("refused", observation.host, beginning(why) or "It refused.")


def _not_observed(observation: Observation) -> str:
    return f"It was not observed ({clause(observation.why)}). {observation.advice}".rstrip()


def _of_stranger(directory: Directory, observation: Observation) -> Iterator[Finding]:
    yield from _of_answer(observation)
    if directory.trusted and not any(observation.host == record.gateway for record in directory.tampered):
        yield Finding("not enrolled", observation.host, "It is in the inventory, but not in the directory.")


def _own(directory: Directory, one: Gateway, observation: Observation) -> Iterator[Finding]:
    """Its own key in its file and in its running daemon, beside the directory."""
    keys = {"file": observation.own_file, "runtime": observation.own_runtime}
    recorded = short(one.fingerprint) if one.fingerprint else "that it has none"
    wrong = sorted(observation.own - one.expected)
    for key in wrong:
        places = " and ".join(words for place, words in stored.IN.items() if keys[place] == key)
        owner = directory.keys.get(key)
        whose = f", which is one of {owner[0]}" if owner and owner[0] != one.name else ""
        what = f"It has the key {short(key)}{whose} {places}, but the directory says {recorded}."
        # A new machine has nothing of the old one.
        replaced = owner is None and one.fingerprint is not None and not observation.own & one.expected
        yield Finding(findings.REPLACED if replaced else "wrong key", one.name, what)
    if not wrong and len(observation.own) > 1 and not one.rotation:
        yield Finding("drifted gateway", one.name, "It has one key in its file and another one in its running daemon.")
    if observation.own_file is None:
        yield Finding("drifted gateway", one.name, "It has no key in its file.")


# -- keys that nobody may accept


def _still_accepted(
    directory: Directory,
    peer: str,
    observation: Observation,
    there: Summary | None,
    accepted: dict[str, list[str]],
) -> Iterator[Finding]:
    """It says so itself, or it has not acknowledged that it dropped them."""
    said = {entry.fingerprint: stored.where(entry) for entry in (there.dropped if there else ())}
    admitted = [(directory.gateways[owner], key, said[key.fingerprint]) for owner, key in _known(directory, said)]
    missing = [one for one in _undropped(directory, peer, there) if _may(one, there)]
    for _one, key, _place in admitted:
        accepted.setdefault(key.fingerprint, []).append(peer)
    for one in missing:
        for key in one.keys:
            if key.fingerprint in one.dropped:
                accepted.setdefault(key.fingerprint, []).append(peer)
    if admitted:
        whole = listed([f"{_key(one, key)} {place}" for one, key, place in admitted])
        since = _since([one for one, _named, _place in admitted])
        yield Finding(findings.STILL_ACCEPTED, peer, f"It still accepts {whole}.", since)
    if missing:
        whole = listed([_dropped(one) for one in missing])
        what = f"It may still accept {whole}: {_why(observation)}."
        yield Finding(findings.STILL_ACCEPTED, peer, what, _since(missing))


def _known(directory: Directory, fingerprints: t.Iterable[str]) -> Iterator[tuple[str, Key]]:
    return (directory.keys[one] for one in fingerprints)


def _undropped(directory: Directory, peer: str, there: Summary | None) -> list[Gateway]:
    """Of which gateways with revoked keys it must store something yet, but for those of which it says to accept one."""
    said = {entry.fingerprint for entry in (there.dropped if there else ())}
    pending = [directory.gateways[name] for name in directory.undropped.pending_of(peer)]
    return [one for one in pending if not said & one.dropped.keys()]


def _may(one: Gateway, there: Summary | None) -> bool:
    """Whether a missing acknowledgement leaves this open. Of a gateway that has a new key it may be about that one, and
    then the peer's own word is enough."""
    return one.revoked or there is None


def _key(one: Gateway, key: Key) -> str:
    return f"serial {key.serial} of {one.name}{_ago(one.dropped[key.fingerprint])}"


def _dropped(one: Gateway) -> str:
    if one.revoked:
        return f"{one.name}{_ago(one.revoked_at)}"
    serials = [key.serial for key in one.keys if key.fingerprint in one.dropped]
    return f"serial {', '.join(map(str, serials))} of {one.name}{_ago(_since([one]))}"


def _ago(since: str | None) -> str:
    return f" (revoked since {since})" if since else " (revoked)"


def _since(gateways: Sequence[Gateway]) -> str | None:
    return min((moment for one in gateways for moment in one.dropped.values() if moment), default=None)


WHY = {
    READY: "it has not acknowledged that it dropped it",
    UNREACHABLE: "it is unreachable",
    ABSENT: "it was not asked",
}


def _why(observation: Observation) -> str:
    return WHY.get(observation.state) or f"it refused ({clause(observation.why)})"


# -- keys that are missing or wrong


def _pending(directory: Directory, peer: str, there: Summary | None) -> Iterator[Finding]:
    known = [one for one in _undropped(directory, peer, there) if not _may(one, there)]
    living = [one.name for one in known if not one.retired]
    retired = [*(one.name for one in known if one.retired), *directory.leaving.pending_of(peer)]
    names = [*living, *directory.waiting.pending_of(peer, SHOWN)]
    count = len(living) + directory.waiting.count_of(peer)
    if retired:
        what = f"It has not yet dropped the keys of {listed(retired)}, which are retired."
        yield Finding(findings.PENDING, peer, what)
    if count:
        yield Finding(findings.PENDING, peer, f"It has not yet stored the keys of {listed(names, count)}.")


def _wrong(directory: Directory, peer: str, there: Summary) -> Iterator[Finding]:
    """One finding of a kind, however many keys it holds wrongly."""
    wrong, elsewhere = [], []
    for owner, entries in there.unusual.items():
        one = directory.gateways[owner]
        if stored.state(one, entries) != stored.DRIFT or directory.pending.is_pending(peer, owner):
            continue
        entries = [entry for entry in entries if entry.fingerprint not in one.dropped]
        bad = [entry for entry in entries if entry.fingerprint not in one.acceptable]
        wrong += [_stored_wrongly(one, entry) for entry in bad]
        if entries and not bad:
            elsewhere.append(_not_everywhere(one, entries))
    if wrong:
        yield Finding("wrong key", peer, f"It stores {_joined(wrong)}.")
    if elsewhere:
        yield Finding("drifted gateway", peer, f"It stores {_joined(elsewhere)}.")


def _joined(parts: Sequence[str]) -> str:
    more = f"; {len(parts)} in all" if len(parts) > SHOWN else ""
    return f"{'; '.join(parts[:SHOWN])}{more}"


def _stored_wrongly(one: Gateway, entry: StoredKey) -> str:
    number = stored.serial(one, entry.fingerprint)
    which = f"the unknown key {short(entry.fingerprint)}" if number == stored.UNKNOWN else f"serial {number}"
    wanted = f"where serial {one.serial} is current" if one.serial else "which has no current key"
    return f"{which} of {one.name} {stored.where(entry)}, {wanted}"


def _not_everywhere(one: Gateway, entries: Sequence[StoredKey]) -> str:
    """The right key, but not as the current one in both places."""
    lacking = [words for place, words in stored.IN.items() if not any(e.role(place) == "current" for e in entries)]
    what = f"no current key of {one.name} {' and '.join(lacking)}"
    return what if lacking else f"more than the current key of {one.name}"


def _one_sided(directory: Directory, there: Mapping[str, Summary]) -> Iterator[Finding]:
    """Tunnels of which only one end has a key. Two devices say that together, so it names both; whoever lies about it
    speaks of itself."""
    for peer, ours in there.items():
        for owner in sorted(ours.among, key=directory.rank.__getitem__):
            theirs = there.get(owner)
            if theirs is not None and peer not in theirs.among and not directory.pending.is_pending(owner, peer):
                what = f"It stores a key of {owner}, but {owner} reports that it stores no key of this gateway."
                yield Finding("drifted gateway", peer, what, also=owner)
