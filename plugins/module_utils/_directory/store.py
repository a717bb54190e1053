# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records between the database and a book: read, verified, compared, signed, written. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .._errors import NOTHING_CHANGED, VpnKeysError
from .._printable import printable
from . import rows, schema, signing
from .records import Book, Row

try:
    import sqlalchemy as sa
    from cryptography.hazmat.primitives.asymmetric import ed25519
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
    number = connection.execute(sa.select(schema.directory.c.id)).scalar_one_or_none()
    keys = rows.read(connection, schema.directory_keys, order=schema.directory_keys.c.id)
    if not (number and keys):
        return None
    if not (isinstance(number, str) and all(one.sound for one in keys)):
        raise VpnKeysError(
            "tampered",
            f"The directory {where} holds something that is no record of vpnops.keys, so somebody else wrote to it",
            state=NOTHING_CHANGED,
            advice="restore the database from a backup",
        )
    return Identity(number, tuple(one.row for one in keys))


def create(connection: sa.Connection, key: ed25519.Ed25519PrivateKey, now: str) -> Identity:
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
            "directory, or somebody else wrote to it",
            state=NOTHING_CHANGED,
            advice="see that O(url) and the key that is trusted belong together",
        )
    return public


def load(connection: sa.Connection, identity: Identity, public: bytes) -> Book:
    """Everything that decisions are made on. A record that is none, or has no place, is its gateway's trouble."""
    known: dict[tuple[str, bytes], bool] = {}

    def genuine(kind: str, row: Row) -> bool:
        signed = signing.claim(kind, identity.id, row)
        if signed is not None and signed not in known:
            known[signed] = signing.is_signed(public, *signed)
        return signed is not None and known[signed]

    last = sa.select(sa.func.max(schema.rotations.c.id)).group_by(schema.rotations.c.gateway)
    book = Book(identity.id, genuine)
    for kind, table, read in (
        ("gateway", schema.gateways, rows.read(connection, schema.gateways)),
        ("key", schema.keys, rows.read(connection, schema.keys)),
        ("rotation", schema.rotations, rows.read(connection, schema.rotations, schema.rotations.c.id.in_(last))),
    ):
        _place(book, kind, table, read)
    for one in rows.read(connection, schema.acknowledgements):
        if one.keyed:
            book.acknowledgements[one.row["peer"], one.row["gateway"]] = one.row
    book.marks = {one.row["peer"]: one.row for one in rows.read(connection, schema.marks) if one.keyed}
    counter = [one.row["revision"] for one in rows.read(connection, schema.directory)]
    signed = [row["revision"] for row in book.gateways.values() if genuine("gateway", row)]
    book.revision = max([*counter, *signed], default=0)
    book.last_rotation_id = max((row["id"] for row in book.rotations.values()), default=0)
    return book


def _place(book: Book, kind: str, table: sa.Table, read: Iterable[rows.Read]) -> None:
    for one in read:
        row = one.row
        if not one.keyed:
            name = one.key[0] if kind == "gateway" else row["gateway"]
            gateway = name if isinstance(name, str) and name else repr(name)
            stray = {"gateway": gateway, "serial": None, "what": kind, "table": table.name, "key": one.key}
            book.strays.append(stray)
        elif kind == "gateway":
            book.gateways[row["name"]] = row
        elif kind == "key":
            book.keys[row["gateway"], row["serial"]] = row
        else:
            book.rotations[row["gateway"]] = row


# -- writing


def save(connection: sa.Connection, before: Book, after: Book, key: ed25519.Ed25519PrivateKey) -> bool:
    """Write what differs, signed; whether there was anything that counts as a change."""
    pairs: tuple[tuple[str, t.Any, t.Any, t.Any], ...] = (
        ("gateway", schema.gateways, before.gateways, after.gateways),
        ("key", schema.keys, before.keys, after.keys),
        ("", schema.marks, before.marks, after.marks),
        ("", schema.acknowledgements, before.acknowledgements, after.acknowledgements),
        ("rotation", schema.rotations, _by_id(before), _by_id(after)),
    )
    changed = bool(after.events)
    for stray in before.strays:
        if stray not in after.strays:
            _delete(connection, schema.METADATA.tables[stray["table"]], [stray["key"]])
    for kind, table, old, new in pairs:
        for name, row in new.items():
            # Of a repaired gateway also what the repair leaves as it is: the signature may be all that is wrong.
            if kind and (row != old.get(name) or _gateway(kind, row) in after.repaired):
                if name in old:
                    _refuse_tampered(kind, old[name], before, after)
                row["signature"] = signing.sign(key, kind, after.id, row)
        changed |= _write(connection, table, old, new) and bool(kind)
    if after.revision != before.revision:
        connection.execute(sa.update(schema.directory).values(revision=after.revision))
    log(connection, after.events)
    after.original = None  # all of it is signed now
    return changed


def _gateway(kind: str, row: Row) -> str:
    return str(row["name" if kind == "gateway" else "gateway"])


def _by_id(book: Book) -> dict[int, Row]:
    return {row["id"]: row for row in book.rotations.values()}


def _refuse_tampered(kind: str, row: Row, before: Book, after: Book) -> None:
    """The last line of defence: what somebody else wrote is never signed."""
    name = _gateway(kind, row)
    if name not in after.repaired and not before.genuine(kind, row):
        raise VpnKeysError(
            "tampered", f"the directory did not sign its {kind} as it is now", host=name, state=NOTHING_CHANGED
        )


def _write(connection: sa.Connection, table: t.Any, old: Mapping[t.Any, Row], new: Mapping[t.Any, Row]) -> bool:
    added = [row for name, row in new.items() if name not in old]
    altered = [(old[name], row) for name, row in new.items() if name in old and row != old[name]]
    if removed := [name for name in old if name not in new]:
        _delete(connection, table, [name if isinstance(name, tuple) else (name,) for name in removed])
    if added:
        connection.execute(sa.insert(table), added)
    if altered:
        _update(connection, table, [row for dummy, row in altered])
    return bool(added) or any(
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


# -- a new key of the directory


def rekey(
    connection: sa.Connection,
    identity: Identity,
    old: ed25519.Ed25519PrivateKey,
    new: ed25519.Ed25519PrivateKey,
    now: str,
) -> Identity:
    """Sign everything anew that verifies; what does not stays as it is, and stays found."""
    public, former = signing.public_der(old), signing.current(identity.keys)
    for kind, table in (("gateway", schema.gateways), ("key", schema.keys), ("rotation", schema.rotations)):
        genuine = [
            one.row
            for one in rows.read(connection, table)
            if one.sound and signing.verifies(public, kind, identity.id, one.row)
        ]
        for row in genuine:
            row["signature"] = signing.sign(new, kind, identity.id, row)
        if genuine:
            _update(connection, table, genuine)
    row = signing.key_row(former["id"] + 1, signing.public_der(new), now, old, identity.id)
    _update(connection, schema.directory_keys, [{**former, "retired_at": now}])
    connection.execute(sa.insert(schema.directory_keys), [row])
    return Identity(identity.id, (*identity.keys, row))


def log(connection: sa.Connection, events: list[Row]) -> None:
    if events:
        connection.execute(sa.insert(schema.events), events)


# -- for readers


def history(connection: sa.Connection, book: Book, only: Iterable[str] | None, limit: int) -> Row:
    """Keys, rotations and events, newest first."""
    names = None if only is None else set(only)

    def mine(row: Row) -> bool:
        return names is None or row["gateway"] in names

    rotations = rows.read(connection, schema.rotations, order=schema.rotations.c.id.desc())
    about = () if names is None else (schema.events.c.gateway.in_(names),)
    events = rows.read(connection, schema.events, *about, order=schema.events.c.id.desc(), limit=limit)
    keys = sorted(book.keys.values(), key=lambda row: (row["gateway"], -row["serial"]))
    return {
        "all_keys": [_unsigned(row) for row in keys if mine(row) and book.genuine("key", row)],
        "rotations": [
            _unsigned(one.row) for one in rotations if mine(one.row) and book.genuine("rotation", one.row)
        ],
        "events": [_printable(one.row) for one in events],
    }


def _unsigned(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in ("signature", "lease_until")}


def _printable(row: Row) -> Row:
    """Events are not signed."""
    return {name: printable(value) if isinstance(value, str) else value for name, value in row.items()}
