# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What peers say that they have stored. Pure. PRIVATE to the collection.

Each peer has a mark: it has stored everything up to that revision. An acknowledgement has a row of its own only where
it says something else than the mark does, or where a rotation counts who holds the new key; then the row is what
counts. A peer that has everything has no row.

What a device says is believed of itself alone, and nothing that it says stops the work on others: what cannot be
believed is left out, and named.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .. import _public_key
from .._backends import protocol
from .._errors import VpnKeysError
from .._pending import Entry, Learned, Pending
from .._printable import printable
from . import records, stored
from .context import Context, log
from .records import Row, Snapshot
from .stored import Want

NOTHING = "none"
"""The role of a row that only says that the mark is wrong: this one is not stored."""
ROLES = (*stored.HOLDING, "withdrawn")
BULK = 32
"""Of more gateways at once a peer has one event, not one for each of them; of more nonsense, the number is named."""
LONGEST_NAME = 80

Options = Mapping[str, t.Any]


@dataclass
class Ledger:
    """What has to be stored of whom, and who has. `suspects`: gateways that were tampered with; `wants`: of all others;
    `counted`: the serial of the new key of each open rotation; `rows`: who has acknowledgements of which gateways."""

    snapshot: Snapshot
    suspects: set[str]
    wants: dict[str, Want]
    counted: dict[str, int]
    rows: dict[str, set[str]] = field(default_factory=dict)
    learned: dict[str, Learned] = field(default_factory=dict)

    def upto(self, peer: str) -> int:
        """A number that was never given is not believed."""
        mark = self.snapshot.marks.get(peer)
        return mark["revision"] if mark and mark["revision"] <= self.snapshot.revision else 0

    def revision(self, name: str) -> int:
        return int(self.snapshot.gateways[name]["revision"])

    def undecided(self, peer: str) -> list[str]:
        """Gateways of which nobody knows now what this one must store, and nothing says that it does not."""
        known = self.rows.get(peer, set()) | {peer}
        return sorted(name for name in self.suspects if name not in known and name in self.snapshot.gateways)

    def satisfied(self, row: Row) -> bool:
        name = row["gateway"]
        return (row["role"], row["serial"]) == self.wants[name] and row["revision"] >= self.revision(name)

    def counts(self, row: Row) -> bool:
        """Whether an open rotation counts it."""
        return stored.holds(row, self.counted.get(row["gateway"]))

    def peers(self, peer: str, gateway: str) -> bool:
        """Whether one stores the key of the other. Both are enrolled."""
        gateways = self.snapshot.gateways
        return peer != gateway and protocol(gateways[peer]["platform"]) == protocol(gateways[gateway]["platform"])

    def needless(self, row: Row) -> bool:
        """Whether the mark says the same."""
        peer, name = row["peer"], row["gateway"]
        if name in self.suspects or not {peer, name} <= self.snapshot.gateways.keys():
            return False
        if name not in self.wants or not self.peers(peer, name):
            return True
        stands = self.revision(name) <= self.upto(peer)
        return not self.counts(row) and self.satisfied(row) == stands

    def learn(self, peer: str) -> None:
        """What the mark and the rows of a peer say together."""
        upto = self.upto(peer)
        also: list[str] = []
        missing: list[str] = []
        for name in self.rows.get(peer, ()):
            if name in self.wants:
                newer = self.revision(name) > upto
                if newer == self.satisfied(self.snapshot.acknowledgements[peer, name]):
                    (also if newer else missing).append(name)
        self.learned[peer] = Learned(upto, frozenset(also), frozenset(missing))

    def pending(self) -> Pending:
        """It follows what is learned."""
        gateways = self.snapshot.gateways
        protocols = {name: protocol(row["platform"]) for name, row in gateways.items()}
        entries = (Entry(name, protocols[name], gateways[name]["revision"]) for name in self.wants)
        return Pending(entries, protocols, self.learned)


def ledger(snapshot: Snapshot, suspects: set[str]) -> Ledger:
    keys, wants = records.keys_of(snapshot), {}
    for name, gateway in snapshot.gateways.items():
        want = None if name in suspects else stored.wanted(gateway, keys[name])
        if want:
            wants[name] = want
    rotations = snapshot.rotations.items()
    opened = {name: row["new_serial"] for name, row in rotations if records.open_rotation(snapshot, name)}
    counted = {name: serial for name, serial in opened.items() if serial is not None}
    found = Ledger(snapshot, suspects, wants, counted)
    for peer, name in snapshot.acknowledgements:
        found.rows.setdefault(peer, set()).add(name)
    for name, gateway in snapshot.gateways.items():
        if name not in suspects and not records.is_gone(gateway):
            found.learn(name)
    return found


def suspects_of(snapshot: Snapshot) -> set[str]:
    """Gateways of which no record is believed until they are repaired."""
    return {one["gateway"] for one in records.tampered(snapshot)} - snapshot.repaired


# -- what is said


def acknowledge(known: Ledger, given: Sequence[Options], learned: Sequence[Options], context: Context) -> None:
    """`given`: who stores which key; `learned`: who stores all that was handed out at a revision. One event for each
    gateway, however many peers."""
    snapshot = known.snapshot
    pending = known.pending()
    peers_by_change: dict[tuple[str, int, str], list[str]] = {}
    for peer, ones in _by_peer(given).items():
        refused: dict[str | None, str] = {}
        understood = dict(_understood(known, peer, ones, refused))
        new = [(name, *said) for name, said in understood.items() if _record(known, peer, name, *said, context.now)]
        if new:
            known.learn(peer)
            _fold(known, pending, peer, context.now)
        if len(new) > BULK:
            _log_many(snapshot, context, peer, len(new), snapshot.revision)
        else:
            for what in new:
                peers_by_change.setdefault(what, []).append(peer)
        _ignore(snapshot, peer, refused)
    for (name, serial, role), peers in peers_by_change.items():
        details = {"serial": serial, "peers": sorted(peers)}
        log(snapshot, context, "acknowledged", gateway=name, outcome=role, details=details)
    for one in learned:
        _learn(known, pending, one, context)


def _log_many(snapshot: Snapshot, context: Context, peer: str, count: int, revision: int) -> None:
    details = {"gateways": count, "revision": revision}
    log(snapshot, context, "acknowledged", peer=peer, outcome="done", details=details)


def _by_peer(given: Sequence[Options]) -> dict[str, list[Options]]:
    found: dict[str, list[Options]] = {}
    for one in given:
        found.setdefault(str(one.get("peer")), []).append(one)
    return found


def _understood(
    known: Ledger, peer: str, given: Sequence[Options], refused: dict[str | None, str]
) -> Iterator[tuple[str, tuple[int, str]]]:
    """Gateway, serial and role of what is to be recorded. What cannot be trusted is `refused`, and why. Of gateways
    that it does not store at all a peer says honestly that it accepts none of their keys: that is neither."""
    against = _against_peer(known, peer)
    for one in given:
        name, role = str(one.get("gateway")), one.get("role")
        why = against or _against(known, name)
        if not why and not known.peers(peer, name):
            continue
        keys = [] if why else records.keys_of_one(known.snapshot, name)
        if not why and role not in ROLES:
            why = f"{peer} gives an unknown role for a key of {name}."
        elif not why and not keys:
            if role == "withdrawn":
                continue
            why = f"{name} has no key to acknowledge."
        if why:
            refused[name] = why
            continue
        serial = _serial(keys, one)
        if serial is None:
            refused[name] = f"{peer} acknowledges a key of {name} that is not in the directory."
        else:
            yield name, (serial, str(role))


def _against(known: Ledger, name: str) -> str:
    """Why nothing is recorded about a gateway."""
    if name in known.suspects:
        return f"The records of {printable(name, LONGEST_NAME)} were tampered with."
    if name not in known.snapshot.gateways:
        return f"The directory has no gateway {printable(name, LONGEST_NAME)}."
    return ""


def _against_peer(known: Ledger, peer: str) -> str:
    """Why nothing is recorded that it says."""
    if why := _against(known, peer):
        return why
    gateway = known.snapshot.gateways[peer]
    return f"{peer} is {'revoked' if gateway['revoked'] else 'retired'}." if records.is_gone(gateway) else ""


def _serial(keys: Sequence[Row], given: Options) -> int | None:
    """Which key is meant. `keys`: newest first."""
    if given.get("public_key"):
        try:
            fingerprint = _public_key.parse(given["public_key"]).fingerprint
        except VpnKeysError:
            return None
        found = [row["serial"] for row in keys if row["fingerprint"] == fingerprint]
    elif given.get("serial") is not None:
        found = [row["serial"] for row in keys if row["serial"] == given["serial"]]
    else:
        found = [records.withdrawn_serial(keys) if given["role"] == "withdrawn" else keys[0]["serial"]]
    return int(found[0]) if found else None


def _ignore(snapshot: Snapshot, peer: str, refused: Mapping[str | None, str]) -> None:
    shown = printable(peer, LONGEST_NAME)
    rest = len(refused) - BULK
    some: list[tuple[str | None, str]] = list(refused.items())[:BULK]
    if rest > 0:
        some.append((None, f"{rest} more of its acknowledgements cannot be trusted."))
    for name, why in some:
        gateway = None if name is None else printable(name, LONGEST_NAME)
        snapshot.ignored.append({"peer": shown, "gateway": gateway, "why": why})


# -- what becomes of it


def _record(known: Ledger, peer: str, name: str, serial: int, role: str, now: str) -> bool:
    """Whether it is news."""
    rows, revision = known.snapshot.acknowledgements, known.revision(name)
    row = {"peer": peer, "gateway": name, "serial": serial, "role": role, "revision": revision, "at": now}
    before, needless = rows.get((peer, name)), known.needless(row)
    if needless if before is None else {**before, "at": now} == row:
        return False
    if needless:
        _forget(known, peer, name)
    else:
        _keep(known, row)
    return True


def _keep(known: Ledger, row: Row) -> None:
    known.snapshot.acknowledgements[row["peer"], row["gateway"]] = row
    known.rows.setdefault(row["peer"], set()).add(row["gateway"])


def _forget(known: Ledger, peer: str, name: str) -> None:
    del known.snapshot.acknowledgements[peer, name]
    known.rows[peer].remove(name)


def _fold(known: Ledger, pending: Pending, peer: str, now: str) -> None:
    """Move the mark up to the newest revision, if fewer rows are left then: of what is not stored instead of what is.

    What was tampered with is not stored either: it may come back as it was, and is never to be taken for known then.
    """
    snapshot, mine = known.snapshot, known.rows.get(peer, set())
    undecided = known.undecided(peer)
    done = [
        name
        for name in mine
        if name in known.wants
        and known.satisfied(row := snapshot.acknowledgements[peer, name])
        and not known.counts(row)
    ]
    open_ends = pending.count_of(peer) + len(undecided)
    if open_ends >= max(len(done), 1):
        return
    lacking = [name for name in pending.pending_of(peer) if name not in mine]
    _mark(known, peer, snapshot.revision, [*lacking, *undecided], now)
    for name in done:
        _forget(known, peer, name)
    known.learn(peer)


def _mark(known: Ledger, peer: str, revision: int, lacking: Sequence[str], now: str) -> None:
    known.snapshot.marks[peer] = {"peer": peer, "revision": revision, "at": now}
    for name in lacking:
        _keep(known, {"peer": peer, "gateway": name, "serial": 0, "role": NOTHING, "revision": 0, "at": now})


def _learn(known: Ledger, pending: Pending, given: Options, context: Context) -> None:
    """A peer stores all that was handed out at a revision."""
    snapshot, peer, revision = known.snapshot, str(given.get("peer")), given.get("revision")
    why = _against_peer(known, peer)
    if why or not isinstance(revision, int) or not 0 <= revision <= snapshot.revision:
        _ignore(snapshot, peer, {None: why or f"{peer} acknowledges a revision that the directory never had."})
        return
    new = _count_until(known, pending, peer, revision)
    if not new:
        return
    mine = known.rows.setdefault(peer, set())
    for name in [name for name in mine if known.revision(name) <= revision and name in known.wants]:
        _forget(known, peer, name)
    if revision > known.upto(peer):
        _mark(known, peer, revision, known.undecided(peer), context.now)
    for name, serial in known.counted.items():
        want = known.wants.get(name, ("", None))
        if want[1] == serial and known.revision(name) <= revision and known.peers(peer, name):
            _record(known, peer, name, serial, want[0], context.now)
    known.learn(peer)
    _log_many(snapshot, context, peer, new, revision)


def _count_until(known: Ledger, pending: Pending, peer: str, revision: int) -> int:
    """How many gateways that peer has something new of."""
    if revision == known.snapshot.revision:
        return pending.count_of(peer)
    return sum(1 for name in pending.pending_of(peer) if known.revision(name) <= revision)


def tidy(known: Ledger) -> None:
    """Forget what says no more than the marks do, after a change of what has to be stored or the end of a rotation."""
    for peer, name in [pair for pair, row in known.snapshot.acknowledgements.items() if known.needless(row)]:
        _forget(known, peer, name)


def compact(snapshot: Snapshot, now: str) -> None:
    """Make marks of what every peer has acknowledged, as far as that is fewer rows."""
    known = ledger(snapshot, suspects_of(snapshot))
    pending = known.pending()
    for peer in sorted(known.rows.keys() & known.learned.keys()):
        _fold(known, pending, peer, now)


def start_anew(snapshot: Snapshot, peers: set[str]) -> None:
    """Forget all acknowledgements of these peers: they have other peers now, or it is unknown what they have stored."""
    for name in peers:
        snapshot.marks.pop(name, None)
    for pair in [pair for pair in snapshot.acknowledgements if pair[0] in peers] if peers else ():
        del snapshot.acknowledgements[pair]


def holders(known: Ledger) -> dict[str, list[str]]:
    """For each gateway with an open rotation the peers that hold its new key."""
    found: dict[str, list[str]] = {name: [] for name in known.counted}
    for (peer, name), row in sorted(known.snapshot.acknowledgements.items()):
        if peer in known.learned and name in known.wants and known.counts(row) and known.peers(peer, name):
            found[name].append(peer)
    return found
