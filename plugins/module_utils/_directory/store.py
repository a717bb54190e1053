# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records between the database and a snapshot: read, verified, compared, signed, written. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .._errors import NOTHING_CHANGED, VpnKeysError
from .._printable import printable
from . import changes, records, rows, schema, seal, signing
from .records import Row, Snapshot
from .seal import Seal
from .signing import Signer

try:
    import sqlalchemy as sa
except ImportError:  # the modules name the missing library
    pass

UNCOUNTED = frozenset(("holder", "lease_until", "signature"))
"""Columns that every step of a rotation renews: alone they are no change."""


@dataclass(frozen=True)
class Identity:
    """Which directory this is, and the keys it has had."""

    id: str
    keys: tuple[Row, ...]

    @property
    def fingerprint(self) -> str:
        return str(signing.current(self.keys)["fingerprint"])


def found(connection: sa.Connection, where: str) -> Identity | None:
    """None where the tables are there and nothing is in them. Raises VpnKeysError(tampered) for what no version of this
    ever wrote there."""
    numbers = list(connection.execute(sa.select(schema.directory.c.id)).scalars())
    keys = rows.read(connection, schema.directory_keys, order=schema.directory_keys.c.id)
    if not any((numbers, keys, *(_first(connection, name) for name in _FILLED))):
        return None
    number = numbers[0] if len(numbers) == 1 else None
    if not (number and isinstance(number, str) and keys and all(one.sound for one in keys)):
        raise VpnKeysError(
            "tampered",
            f"The directory {where} holds something that is not a record of vpnops.keys, so it was modified "
            "outside vpnops.keys",
            state=NOTHING_CHANGED,
            advice="restore the database from a backup",
        )
    return Identity(number, tuple(one.row for one in keys))


_FILLED = ("gateways", "events", "leaves", "checkpoints")
"""Tables that are empty where there is no directory yet."""


def _first(connection: sa.Connection, table: str) -> t.Any:
    return connection.execute(sa.select(sa.literal(1)).select_from(schema.table(table)).limit(1)).first()


def create(connection: sa.Connection, key: Signer, now: str) -> Identity:
    number = str(uuid.uuid4())
    row = signing.key_row(1, signing.public_der(key), now, key, number)
    connection.execute(sa.insert(schema.directory), [{"id": number, "revision": 0}])
    connection.execute(sa.insert(schema.directory_keys), [row])
    return Identity(number, (row,))


def verifier(identity: Identity, trusted: str, where: str) -> bytes:
    """The key (DER) that records must be signed with. Raises VpnKeysError(tampered) if it cannot be trusted."""
    public = signing.trusted_key(identity.keys, identity.id, trusted)
    if public is None:
        raise VpnKeysError(
            "tampered",
            f"The directory {where} is not signed by the key that is trusted here ({trusted[:12]}): it is another "
            "directory, or it was modified outside vpnops.keys",
            state=NOTHING_CHANGED,
            advice="check that O(url) belongs to the signing key, or to O(verify_key)",
        )
    return public


def load(
    connection: sa.Connection, identity: Identity, public: bytes, every_link: bool = True, sealed: bool = True
) -> Snapshot:
    """Everything that decisions are made on. A record that cannot be read, has no place, or is not the newest one that
    was signed, concerns its gateway alone. `sealed`: False for a directory without checkpoints, and for one that is to
    be believed as it is; then all that is signed is still to be sealed."""
    found = seal.read(connection, identity.id, public, every_link) if sealed else seal.Seal()
    reading = Reading(connection, identity, public, found, sealed)
    snapshot = reading.snapshot
    reading.place_all()
    counter = [one.row["revision"] for one in rows.read(connection, schema.directory)]
    signed = [row["revision"] for row in snapshot.gateways.values() if reading.genuine("gateway", row)]
    snapshot.revision = max([*counter, *signed], default=0)
    # The number of one that was removed is never that of another.
    removed = [one["key"][0] for one in snapshot.strays if one["table"] == "rotations"]
    known = [row["id"] for row in snapshot.rotations.values()]
    snapshot.last_rotation_id = max([*known, *filter(rows.is_count, removed)], default=0)
    lost = sa.select(schema.events.c.gateway).where(schema.events.c.what == changes.LOST)
    snapshot.lost = frozenset(name for name in connection.scalars(lost) if isinstance(name, str))
    renamed = rows.read(
        connection, schema.events, schema.events.c.what == changes.RENAMED, order=schema.events.c.id
    )
    for event in renamed:
        old, new = (event.row["details"] or {}).get("from"), event.row["gateway"]
        if isinstance(old, str) and isinstance(new, str):
            snapshot.former[old] = new
    snapshot.whole = found.wrong
    if sealed and not found.wrong:
        snapshot.whole = tuple(what for table, what in WHOLE.items() if table in reading.strange)
    return snapshot


KINDS = {"gateways": "gateway", "keys": "key", "rotations": "rotation"}
"""By table, the records that are signed one by one."""
WHOLE = {"directory": "revision", "directory_keys": "signing keys", "leaves": "records"}
TABLES = ("directory", "directory_keys", "gateways", "keys", "rotations", "marks", "acknowledgements")


class Reading:
    """All records of a directory on their way to a snapshot. Where nothing says what was signed last, each is believed
    for the signature that it bears itself. `strange`: tables of the directory itself that are not as they were
    signed."""

    def __init__(
        self, connection: sa.Connection, identity: Identity, public: bytes, found: Seal, sealed: bool
    ) -> None:
        self.connection, self.identity, self.public, self.sealed = connection, identity, public, sealed
        self.leaves = found.leaves
        self.snapshot = Snapshot(identity.id, self.genuine, seal=found)
        self.strange: set[str] = set()
        self.signed: dict[tuple[str, bytes], bool] = {}

    def genuine(self, kind: str, row: Row) -> bool:
        if self.leaves or not self.sealed:
            return seal.values_of_place(TABLE_OF[kind], row) in self.snapshot.proved
        return self.verifies(kind, row)

    def verifies(self, kind: str, row: Row) -> bool:
        signed = signing.claim(kind, self.identity.id, row)
        if signed is not None and signed not in self.signed:
            self.signed[signed] = signing.is_signed(self.public, *signed)
        return signed is not None and self.signed[signed]

    def place_all(self) -> None:
        unseen = set(self.leaves) - seal.HEADS
        for name in TABLES:
            table = schema.table(name)
            # The newest rotation first: it stands for all of its gateway.
            for one in rows.read(self.connection, table, order=table.c.id.desc() if name == "rotations" else None):
                at = seal.place(name, one.row) if one.keyed else ""
                unseen.discard(at)
                if self._is_proved(name, at, one):
                    self.snapshot.proved.add(seal.values_of_place(name, one.row))
                    _place(self.snapshot, name, one.row)
                else:
                    self._doubt(name, at, one)
        for at in sorted(unseen):
            self._miss(at)

    def _is_proved(self, table: str, at: str, one: rows.Read) -> bool:
        if not (at and one.sound):
            return False
        if self.leaves:
            return at in self.leaves and self.leaves[at] == seal.leaf(table, one.row)
        if self.sealed or table not in KINDS or self.verifies(KINDS[table], one.row):
            self.snapshot.unsealed[at] = seal.leaf(table, one.row)
            return True
        return False

    def _doubt(self, table: str, at: str, one: rows.Read) -> None:
        """Not as it was signed. A record that decisions would be made on has its place, as one that is not genuine."""
        if table in WHOLE:
            self.strange.add(table)
        elif one.keyed and table in KINDS and not _is_superseded(self.snapshot, table, one.row):
            _place(self.snapshot, table, one.row)
        else:
            name = one.row["gateway"] if table in ("keys", "rotations") else one.key[0]
            gateway = name if isinstance(name, str) and name else repr(name)
            self._stray(gateway, one.row["serial"] if one.keyed and table == "keys" else None, at, table, one.key)

    def _miss(self, at: str) -> None:
        """Something that was signed is not there."""
        table, *key = seal.parsed(at) or ("leaves",)
        if table in WHOLE:
            self.strange.add(table)
        else:
            primary = tuple(key[1:] if table == "rotations" else key)
            self._stray(key[0], key[1] if table == "keys" else None, at, table, primary)

    def _stray(self, gateway: str, serial: int | None, at: str, table: str, key: tuple[t.Any, ...]) -> None:
        what = KINDS.get(table, "acknowledgement")
        self.snapshot.strays.append(
            {"gateway": gateway, "serial": serial, "what": what, "place": at, "table": table, "key": key}
        )


TABLE_OF = {kind: table for table, kind in KINDS.items()}


def _is_superseded(snapshot: Snapshot, table: str, row: Row) -> bool:
    """An earlier rotation than the last one: no decision is made on it."""
    return table == "rotations" and snapshot.rotations.get(row["gateway"], row)["id"] > row["id"]


def _place(snapshot: Snapshot, table: str, row: Row) -> None:
    if table == "gateways":
        snapshot.gateways[row["name"]] = row
    elif table == "keys":
        snapshot.keys[row["gateway"], row["serial"]] = row
    elif table == "rotations":
        if _is_superseded(snapshot, table, row):
            snapshot.earlier[row["id"]] = row
        else:
            snapshot.add_rotation(row)
    elif table == "marks":
        snapshot.marks[row["peer"]] = row
    elif table == "acknowledgements":
        snapshot.acknowledgements[row["peer"], row["gateway"]] = row


# -- writing


def save(
    connection: sa.Connection,
    before: Snapshot,
    after: Snapshot,
    key: Signer,
    now: str,
    seen: int = 0,
) -> bool:
    """Write what differs, signed; whether there was anything that counts as a change. `seen`: the highest number of a
    checkpoint that this control node knows."""
    changed, leaves = bool(after.events), dict(before.unsealed)
    for stray in before.strays:
        if stray not in after.strays:
            _delete(connection, schema.table(stray["table"]), [stray["key"]])
            leaves[stray["place"]] = None
    for table, old, new in _pairs(before, after):
        kind = KINDS.get(table, "")
        for name, row in new.items():
            # Of a repaired gateway also what the repair leaves as it is: the signature may be all that is wrong.
            if row != old.get(name) or (kind and _gateway(kind, row) in after.repaired):
                if kind and name in old:
                    _refuse_tampered(kind, old[name], before, after)
                if kind:
                    row["signature"] = signing.sign(key, kind, after.id, row)
                if name in old:
                    leaves[seal.place(table, old[name])] = None  # a rotation keeps its number under another name
                leaves[seal.place(table, row)] = seal.leaf(table, row)
        leaves.update({seal.place(table, row): None for name, row in old.items() if name not in new})
        changed |= _write(connection, schema.table(table), old, new) and bool(kind)
    if gone := [(name,) for name in before.gateways if name not in after.gateways]:
        _delete(connection, schema.gateways, gone)  # now that nothing refers to them
    if after.revision != before.revision:
        connection.execute(sa.update(schema.directory).values(revision=after.revision))
        row = {"id": after.id, "revision": after.revision}
        leaves[seal.place("directory", row)] = seal.leaf("directory", row)
    log(connection, after, key, leaves, now, seen)
    after.original = None  # all of it is signed now
    return changed


Pair = tuple[str, t.Mapping[t.Any, Row], t.Mapping[t.Any, Row]]


def _pairs(before: Snapshot, after: Snapshot) -> tuple[Pair, ...]:
    """In this order no record is written before one that it needs."""
    return (
        ("gateways", before.gateways, after.gateways),
        ("keys", before.keys, after.keys),
        ("marks", before.marks, after.marks),
        ("acknowledgements", before.acknowledgements, after.acknowledgements),
        ("rotations", _by_id(before), _by_id(after)),
    )


def log(
    connection: sa.Connection,
    snapshot: Snapshot,
    key: Signer,
    leaves: seal.Leaves,
    now: str,
    seen: int = 0,
) -> None:
    """The events of a change, and the checkpoint that signs all there is after it."""
    before = snapshot.seal or seal.Seal()
    real = {at: value for at, value in leaves.items() if before.leaves.get(at) != value}
    snapshot.seal = seal.advance(connection, before, snapshot.id, key, real, snapshot.events, now, seen)
    written = (seal.parsed(at) for at, value in leaves.items() if value is not None)
    snapshot.proved.update(tuple(values) for values in written if values)
    snapshot.unsealed = {}


def _gateway(kind: str, row: Row) -> str:
    return str(row["name" if kind == "gateway" else "gateway"])


def _by_id(snapshot: Snapshot) -> dict[int, Row]:
    return {**snapshot.earlier, **{row["id"]: row for row in snapshot.rotations.values()}}


def _refuse_tampered(kind: str, row: Row, before: Snapshot, after: Snapshot) -> None:
    """The last line of defence: what somebody else wrote is never signed."""
    name = _gateway(kind, row)
    if name not in after.repaired and not before.genuine(kind, row):
        raise VpnKeysError(
            "tampered",
            f"its record ({kind}) is not as the directory signed it, so the database was modified outside vpnops.keys",
            host=name,
            state=NOTHING_CHANGED,
            advice="restore the database from a backup",
        )


def _write(connection: sa.Connection, table: t.Any, old: Mapping[t.Any, Row], new: Mapping[t.Any, Row]) -> bool:
    added = [row for name, row in new.items() if name not in old]
    altered = [(old[name], row) for name, row in new.items() if name in old and row != old[name]]
    removed = [name for name in old if name not in new]
    if removed and table is not schema.gateways:
        _delete(connection, table, [name if isinstance(name, tuple) else (name,) for name in removed])
    if added:
        connection.execute(sa.insert(table), added)
    if altered:
        _update(connection, table, [row for dummy, row in altered])
    return bool(added or removed) or any(
        {name for name, value in row.items() if value != was[name]} - UNCOUNTED for was, row in altered
    )


def _update(connection: sa.Connection, table: t.Any, rows: list[Row]) -> None:
    keys = [column.name for column in table.primary_key]
    values: dict[str, t.Any] = {name: sa.bindparam(name) for name in rows[0] if name not in keys}
    statement = sa.update(table).values(**values)
    for name in keys:
        statement = statement.where(table.c[name] == sa.bindparam(f"is_{name}"))
    connection.execute(statement, [{**row, **{f"is_{name}": row[name] for name in keys}} for row in rows])


def _delete(connection: sa.Connection, table: sa.Table, keys: Sequence[tuple[t.Any, ...]]) -> None:
    names = [column.name for column in table.primary_key]
    statement = sa.delete(table)
    for name in names:
        statement = statement.where(table.c[name] == sa.bindparam(f"is_{name}", type_=sa.types.NullType()))
    connection.execute(statement, [{f"is_{name}": key[n] for n, name in enumerate(names)} for key in keys])


def accept(
    connection: sa.Connection, snapshot: Snapshot, key: Signer, event: Row, now: str, seen: int
) -> Snapshot:
    """Seal what is there as it is (`snapshot`, as it was loaded for that). What peers have stored nobody signs for: it
    is forgotten, so they are told everything again."""
    snapshot.seal = seal.start_anew(connection, snapshot.id, signing.public_der(key))
    after = snapshot.copy()
    after.marks, after.acknowledgements = {}, {}
    after.strays = [one for one in snapshot.strays if one["table"] in KINDS]
    after.events = [event]
    save(connection, snapshot, after, key, now, seen)
    after.events = []
    return after


# -- a new key of the directory


def rekey(
    connection: sa.Connection,
    identity: Identity,
    before: Snapshot,
    keys: tuple[Signer, Signer],
    now: str,
) -> tuple[Identity, seal.Leaves]:
    """Sign everything again that is genuine; the rest stays as it is, and is still reported. `keys`: the old and the
    new one. The leaves of what was signed."""
    old, new = keys
    leaves: seal.Leaves = dict(before.unsealed)
    for table, kind in KINDS.items():
        genuine = [
            one.row
            for one in rows.read(connection, schema.table(table))
            if one.sound and before.genuine(kind, one.row)
        ]
        for row in genuine:
            row["signature"] = signing.sign(new, kind, identity.id, row)
            leaves[seal.place(table, row)] = seal.leaf(table, row)
        if genuine:
            _update(connection, schema.table(table), genuine)
    former = {**signing.current(identity.keys), "retired_at": now}
    row = signing.key_row(former["id"] + 1, signing.public_der(new), now, old, identity.id)
    _update(connection, schema.directory_keys, [former])
    connection.execute(sa.insert(schema.directory_keys), [row])
    for one in (former, {"retired_at": None, **row}):
        leaves[seal.place("directory_keys", one)] = seal.leaf("directory_keys", one)
    return Identity(identity.id, (*identity.keys, row)), leaves


# -- for readers


def history(connection: sa.Connection, snapshot: Snapshot, only: Iterable[str] | None, limit: int) -> Row:
    """Keys, rotations and events, newest first."""
    names = None if only is None else set(only)
    if names is not None:
        names.update(old for old in snapshot.former if records.now_called(snapshot, old) in names)

    def mine(row: Row) -> bool:
        return names is None or row["gateway"] in names

    rotations = rows.read(connection, schema.rotations, order=schema.rotations.c.id.desc())
    about = () if names is None else (schema.events.c.gateway.in_(names),)
    events = rows.read(connection, schema.events, *about, order=schema.events.c.id.desc(), limit=limit)
    keys = sorted(snapshot.keys.values(), key=lambda row: (row["gateway"], -row["serial"]))
    return {
        "all_keys": [_unsigned(row) for row in keys if mine(row) and snapshot.genuine("key", row)],
        "rotations": [
            _rotation(one.row) for one in rotations if mine(one.row) and snapshot.genuine("rotation", one.row)
        ],
        "events": [_printable(one.row) for one in events],
    }


def _unsigned(row: Row) -> Row:
    """As results show it: the column of the lock owner keeps its first name, because records are signed with it."""
    shown = {name: value for name, value in row.items() if name not in ("signature", "lease_until", "holder")}
    return {**shown, "lock_owner": row["holder"]} if "holder" in row else shown


def _rotation(row: Row) -> Row:
    return {**_unsigned(row), "state": records.FORMER_STATES.get(row["state"], row["state"])}


def _printable(row: Row) -> Row:
    """Events are not signed."""
    return {name: printable(value) if isinstance(value, str) else value for name, value in row.items()}
