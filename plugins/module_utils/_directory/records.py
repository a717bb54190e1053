# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All records of a directory in memory, and questions about them. Pure. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import rotation

if t.TYPE_CHECKING:
    from .seal import Seal

Row = dict[str, t.Any]
FORMER_STATES: t.Mapping[str, str] = {"swapped": "active", "aborted": "rolled_back"}
"""States of rotations as version 1.0.0 named them. Only the last rotation of a gateway is renamed at the upgrade."""


@dataclass
class Index:
    """Keys by gateway and by fingerprint, and of how many: no work per pair of records."""

    by_gateway: dict[str, list[Row]]
    by_fingerprint: dict[str, Row]
    count: int


@dataclass(frozen=True)
class Part:
    """What a snapshot says of one gateway. `events`: how many there were."""

    name: str
    gateway: Row | None
    keys: dict[tuple[str, int], Row]
    rotation: Row | None
    strays: list[Row]
    last_rotation_id: int
    events: int
    repaired: bool


@dataclass
class Snapshot:
    """`genuine(kind, row)`: whether a record bears the signature of the directory. `rotations` has the last one of each
    gateway, open or not, `earlier` by number all others. `events` has the new ones only. `repaired`: gateways whose
    records may be signed again whatever was done to them. `original`: what this one is a changed copy of.

    `revision`: the highest number that a change of what peers must store has had. `marks`: up to which one each peer
    has stored everything. `acknowledgements`: what they say beyond that; where there is one, it counts instead of the
    mark. `ignored` and `refused`: what was asked for and left out, of peers and of gateways. `strays`: records that
    belong to no place, are not there any more, or are not believed (`gateway`, `serial`, `what`, and `place`, `table`
    and `key`, the values of their primary key). `taken`: serials up to which no key is there, but was once. `lost`:
    gateways that were revoked once, as the events say, whatever their records do. `former`: by name, the name that
    the gateway was given which had it.

    `whole`: what is wrong with the directory as a whole (names of `WHOLE`); then nothing of it is believed.
    `witnesses`: by that, the gateways that show it. `seal`:
    what proves the records, `proved`: the places of those that are as it says. `unsealed`: leaves of records that are
    still to be sealed.
    """

    id: str
    genuine: Callable[[str, Row], bool]
    gateways: dict[str, Row] = field(default_factory=dict)
    keys: dict[tuple[str, int], Row] = field(default_factory=dict)
    acknowledgements: dict[tuple[str, str], Row] = field(default_factory=dict)
    marks: dict[str, Row] = field(default_factory=dict)
    rotations: dict[str, Row] = field(default_factory=dict)
    earlier: dict[int, Row] = field(default_factory=dict)
    strays: list[Row] = field(default_factory=list)
    revision: int = 0
    last_rotation_id: int = 0
    events: list[Row] = field(default_factory=list)
    ignored: list[Row] = field(default_factory=list)
    refused: list[Row] = field(default_factory=list)
    repaired: set[str] = field(default_factory=set)
    original: Snapshot | None = None
    whole: tuple[str, ...] = ()
    witnesses: Mapping[str, Sequence[str]] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    former: dict[str, str] = field(default_factory=dict)
    seal: Seal | None = field(default=None, repr=False)
    proved: set[tuple[t.Any, ...]] = field(default_factory=set, repr=False)
    unsealed: dict[str, str | None] = field(default_factory=dict, repr=False)
    _index: Index | None = field(default=None, repr=False, compare=False)

    def copy(self) -> Snapshot:
        """Rows can be changed, what is in them must be replaced."""
        return replace(
            self,
            gateways={name: dict(row) for name, row in self.gateways.items()},
            keys={name: dict(row) for name, row in self.keys.items()},
            acknowledgements={name: dict(row) for name, row in self.acknowledgements.items()},
            marks={name: dict(row) for name, row in self.marks.items()},
            rotations={name: dict(row) for name, row in self.rotations.items()},
            earlier=dict(self.earlier),  # rows that nobody changes
            strays=list(self.strays),
            events=list(self.events),
            ignored=[],
            refused=[],
            repaired=set(self.repaired),
            taken=dict(self.taken),
            former=dict(self.former),
            original=self,
            _index=None,
        )

    def part(self, name: str) -> Part:
        """All that a step about one gateway may change, as it is now."""
        return Part(
            name,
            _row(self.gateways.get(name)),
            {(name, row["serial"]): dict(row) for row in keys_of_one(self, name)},
            _row(self.rotations.get(name)),
            list(self.strays),
            self.last_rotation_id,
            len(self.events),
            name in self.repaired,
        )

    def put_back(self, part: Part) -> None:
        """As it was then; nothing else is touched."""
        _put(self.gateways, part.name, part.gateway)
        _put(self.rotations, part.name, part.rotation)
        if part.rotation:
            self.earlier.pop(part.rotation["id"], None)
        self.keys = {**{place: row for place, row in self.keys.items() if place[0] != part.name}, **part.keys}
        self.strays, self.last_rotation_id = part.strays, part.last_rotation_id
        del self.events[part.events :]
        if not part.repaired:
            self.repaired.discard(part.name)
        self._index = None

    def index(self) -> Index:
        if self._index is None or self._index.count != len(self.keys):
            self._index = _indexed(self.keys.values())
        return self._index

    def add_rotation(self, row: Row) -> None:
        """A new one, newer than all others of its gateway."""
        if before := self.rotations.get(row["gateway"]):
            self.earlier[before["id"]] = before
        self.rotations[row["gateway"]] = row

    def rotations_of(self, name: str) -> list[Row]:
        last = self.rotations.get(name)
        return [*([last] if last else ()), *(row for row in self.earlier.values() if row["gateway"] == name)]

    def drop_index(self) -> None:
        """After keys were removed or renamed."""
        self._index = None

    def add_key(self, row: Row) -> None:
        """A new key, newer than all others of its gateway."""
        index = self.index()
        self.keys[row["gateway"], row["serial"]] = row
        index.by_gateway.setdefault(row["gateway"], []).insert(0, row)
        index.by_fingerprint[row["fingerprint"]] = row
        index.count += 1


def _row(row: Row | None) -> Row | None:
    return None if row is None else dict(row)


def _put(rows: dict[str, Row], name: str, row: Row | None) -> None:
    if row is None:
        rows.pop(name, None)
    else:
        rows[name] = row


def _indexed(rows: Collection[Row]) -> Index:
    by_gateway: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: -int(row["serial"])):
        by_gateway.setdefault(row["gateway"], []).append(row)
    return Index(by_gateway, {row["fingerprint"]: row for row in rows}, len(rows))


def keys_of(snapshot: Snapshot) -> dict[str, list[Row]]:
    """The keys of every gateway, newest first."""
    return {**{name: [] for name in snapshot.gateways}, **snapshot.index().by_gateway}


def keys_of_one(snapshot: Snapshot, gateway: str) -> list[Row]:
    """The same of one gateway."""
    return list(snapshot.index().by_gateway.get(gateway, ()))


def in_state(keys: Iterable[Row], state: str) -> Row | None:
    for row in keys:
        if row["state"] == state:
            return row
    return None


def withdrawn_serial(keys: Sequence[Row]) -> int:
    """Which key a peer names that accepts none any more: the newest that it may have had. `keys`: newest first."""
    return int((in_state(keys, "revoked") or keys[0])["serial"])


def now_called(snapshot: Snapshot, name: str) -> str | None:
    """The name now of the gateway that once had this name; None if that gateway does not exist any more."""
    passed: set[str] = set()
    while name in snapshot.former and name not in passed | snapshot.gateways.keys():
        passed.add(name)
        name = snapshot.former[name]
    return name if passed and name in snapshot.gateways else None


def is_gone(gateway: Row) -> bool:
    """Whether no peer may accept a key of it any more: it is revoked as lost, or retired."""
    return bool(gateway["revoked"] or gateway["retired_at"])


def renamed_states(snapshot: Snapshot) -> Snapshot:
    """With the states of rotations as they are called now; version 1.0.0 had words of its own. What is not genuine
    stays as it is, to be found."""
    after = snapshot.copy()
    for row in after.rotations.values():
        if row["state"] in FORMER_STATES and snapshot.genuine("rotation", row):
            row["state"] = FORMER_STATES[row["state"]]
    return after


def open_rotation(snapshot: Snapshot, gateway: str) -> Row | None:
    found = snapshot.rotations.get(gateway)
    return found if rotation.is_open(found) else None


def tampered(snapshot: Snapshot, only: Iterable[str] | None = None) -> list[Row]:
    """Records that the directory did not sign as they were found, of all gateways or only these; of all, also what is
    wrong with the directory itself, which has no gateway."""
    snapshot = snapshot.original or snapshot  # changed rows are signed when they are written
    wanted = None if only is None else set(only)
    names = {*snapshot.gateways, *snapshot.index().by_gateway, *snapshot.rotations} if wanted is None else wanted
    strays = (one for one in snapshot.strays if wanted is None or one["gateway"] in wanted)
    found = [{name: one[name] for name in _FOUND} for one in strays]
    found += [one for name in names for one in _tampered(snapshot, name)]
    found = sorted(found, key=lambda one: (one["gateway"], one["what"], one["serial"] or 0))
    whole = snapshot.whole if wanted is None else ()
    return [*(_whole(snapshot, what) for what in whole), *_once(found)]


def _whole(snapshot: Snapshot, what: str) -> Row:
    seen_by = sorted(snapshot.witnesses.get(what, ()))
    return {"gateway": None, "serial": None, "what": what, **({"seen_by": seen_by} if seen_by else {})}


def _once(found: Iterable[Row]) -> list[Row]:
    return list({tuple(one.values()): one for one in found}.values())


_FOUND = ("gateway", "serial", "what")


def _tampered(snapshot: Snapshot, name: str) -> Iterator[Row]:
    keys = keys_of_one(snapshot, name)
    places: tuple[tuple[str, Iterable[Row]], ...] = (
        ("gateway", [snapshot.gateways[name]] if name in snapshot.gateways else ()),
        ("key", keys),
        ("rotation", [snapshot.rotations[name]] if name in snapshot.rotations else ()),
    )
    for kind, rows in places:
        for row in rows:
            if not snapshot.genuine(kind, row):
                yield {"gateway": name, "serial": row["serial"] if kind == "key" else None, "what": kind}
    if what := _impossible([row["state"] for row in keys], is_gone(snapshot.gateways.get(name, _IN_USE))):
        yield {"gateway": name, "serial": None, "what": what}


_IN_USE: Row = {"revoked": False, "retired_at": None}


def _impossible(states: list[str], gone: bool) -> str | None:
    """What no step ever leaves, though each record was signed once: somebody put an old one back, or removed one."""
    if states.count("current") > 1:
        return "two current keys"
    if states and not gone and not {"current", "staged"} & set(states) and set(states) != {"revoked"}:
        return "no current key"
    return None
