# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records between the database and a book: read, verified, compared, signed, written. PRIVATE to the collection."""

from __future__ import annotations

import operator
import typing as t
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .._errors import VpnKeysError
from . import schema, signing
from .book import Book, Row

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


def found(connection: sa.Connection) -> Identity | None:
    """None where the tables are there and nothing is in them."""
    number = connection.execute(sa.select(schema.directory.c.id)).scalar_one_or_none()
    keys = _rows(connection, sa.select(schema.directory_keys).order_by(schema.directory_keys.c.id))
    return Identity(number, tuple(keys)) if number and keys else None


def create(connection: sa.Connection, key: ed25519.Ed25519PrivateKey, now: str) -> Identity:
    number = str(uuid.uuid4())
    row = signing.key_row(1, signing.public_der(key), now, key, number)
    connection.execute(sa.insert(schema.directory), [{"id": number}])
    connection.execute(sa.insert(schema.directory_keys), [row])
    return Identity(number, (row,))


def verifier(identity: Identity, trusted: str, where: str) -> bytes:
    """The key (DER) that records must be signed with. Raises VpnKeysError(tampered) if it cannot be trusted."""
    public = signing.trusted_key(identity.keys, identity.id, trusted)
    if public is None:
        raise VpnKeysError(
            "tampered",
            f"The directory {where} is not signed by the key that is trusted here ({trusted[:12]}): it is another "
            "directory, or somebody else wrote to it. Nothing was changed; see that the URL and the signing key or "
            "verify_key belong together.",
        )
    return public


def load(connection: sa.Connection, identity: Identity, public: bytes, where: str) -> Book:
    """Everything that decisions are made on. Raises VpnKeysError(tampered) for what no version of this ever wrote."""
    try:
        return _load(connection, identity, public)
    except (ValueError, TypeError):
        raise VpnKeysError(
            "tampered",
            f"The directory {where} holds something that is no record of vpnops.keys, so somebody else wrote to it. "
            "Nothing was changed; restore the database from a backup.",
        ) from None


def _load(connection: sa.Connection, identity: Identity, public: bytes) -> Book:

    known: dict[tuple[str, bytes], bool] = {}

    def genuine(kind: str, row: Row) -> bool:
        signed = (str(row["signature"]), signing.signed_bytes(kind, identity.id, row))
        if signed not in known:
            known[signed] = signing.verifies(public, kind, identity.id, row)
        return known[signed]

    last = sa.select(sa.func.max(schema.rotations.c.id)).group_by(schema.rotations.c.gateway)
    rotations = _rows(connection, sa.select(schema.rotations).where(schema.rotations.c.id.in_(last)))
    return Book(
        identity.id,
        genuine,
        gateways={row["name"]: row for row in _rows(connection, sa.select(schema.gateways))},
        keys={
            (row["gateway"], operator.index(row["serial"])): row for row in _rows(connection, sa.select(schema.keys))
        },
        acknowledgements={
            (row["peer"], row["gateway"]): row for row in _rows(connection, sa.select(schema.acknowledgements))
        },
        rotations={row["gateway"]: row for row in rotations},
        last_rotation_id=max((row["id"] for row in rotations), default=0),
    )


def _rows(connection: sa.Connection, select: t.Any) -> list[Row]:
    return [dict(row) for row in connection.execute(select).mappings()]


# -- writing


def save(connection: sa.Connection, before: Book, after: Book, key: ed25519.Ed25519PrivateKey) -> bool:
    """Write what differs, signed; whether there was anything that counts as a change."""
    pairs: tuple[tuple[str, t.Any, t.Any, t.Any], ...] = (
        ("gateway", schema.gateways, before.gateways, after.gateways),
        ("key", schema.keys, before.keys, after.keys),
        ("", schema.acknowledgements, before.acknowledgements, after.acknowledgements),
        ("rotation", schema.rotations, _by_id(before), _by_id(after)),
    )
    changed = bool(after.events)
    for kind, table, old, new in pairs:
        for name, row in new.items():
            # Of a repaired gateway also what the repair leaves as it is: the signature may be all that is wrong.
            if kind and (row != old.get(name) or _gateway(kind, row) in after.repaired):
                if name in old:
                    _refuse_tampered(kind, old[name], before, after)
                row["signature"] = signing.sign(key, kind, after.id, row)
        changed |= _write(connection, table, old, new)
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
            "tampered", f"{name}: the directory did not sign its {kind} as it is now. Nothing was changed."
        )


def _write(connection: sa.Connection, table: t.Any, old: Mapping[t.Any, Row], new: Mapping[t.Any, Row]) -> bool:
    added = [row for name, row in new.items() if name not in old]
    altered = [(old[name], row) for name, row in new.items() if name in old and row != old[name]]
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
            row for row in _rows(connection, sa.select(table)) if signing.verifies(public, kind, identity.id, row)
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

    rotations = [
        row
        for row in _rows(connection, sa.select(schema.rotations).order_by(schema.rotations.c.id.desc()))
        if mine(row)
    ]
    events = sa.select(schema.events).order_by(schema.events.c.id.desc()).limit(limit)
    if names is not None:
        events = events.where(schema.events.c.gateway.in_(names))
    keys = sorted(book.keys.values(), key=lambda row: (row["gateway"], -row["serial"]))
    return {
        "all_keys": [_unsigned(row) for row in keys if mine(row) and book.genuine("key", row)],
        "rotations": [_unsigned(row) for row in rotations if book.genuine("rotation", row)],
        "events": _rows(connection, events),
    }


def _unsigned(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in ("signature", "lease_until")}
