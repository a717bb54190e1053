# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows as they are read from a database that somebody else may have written to. PRIVATE to the collection.

Everything behind this has the types of the schema. A value of another type becomes an empty one, and its record
cannot be taken for a genuine one; so one strange row stands for itself alone.
"""

from __future__ import annotations

import copy
import json
import typing as t
from collections.abc import Callable, Sequence

from .records import Row

try:
    import sqlalchemy as sa
except ImportError:  # the modules name the missing library
    pass

LARGEST = 2**30
"""No number that this program counts to."""


class Kind(t.NamedTuple):
    """What the values of a column are: `plain`: the type of one that is as it should be; `parse`: what any other one
    becomes, STRANGE if it is not valid; `empty`: its replacement then; `read_as`: the type to read it as, where
    SQLAlchemy itself would fail at unexpected values."""

    plain: type | None
    parse: Callable[[t.Any], t.Any]
    empty: t.Any
    read_as: str = ""


STRANGE: t.Any = object()


def _decoded(value: t.Any) -> t.Any:
    """JSON; PostgreSQL's driver has decoded it already."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _texts(value: t.Any) -> t.Any:
    found = _decoded(value)
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else STRANGE


def _dictionary(value: t.Any) -> t.Any:
    found = _decoded(value)
    return found if isinstance(found, dict) else STRANGE


def is_count(value: t.Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST


def _count(value: t.Any) -> t.Any:
    return value if is_count(value) else STRANGE


def _truth(value: t.Any) -> t.Any:
    return bool(value) if isinstance(value, int) and value in (0, 1) else STRANGE


KINDS = {
    "Text": Kind(str, lambda value: str(value) if isinstance(value, str) else STRANGE, ""),
    "Integer": Kind(None, _count, 0),
    "Boolean": Kind(None, _truth, False, "Integer"),
    "JSON": Kind(None, _dictionary, {}, "Text"),
}
LISTS = Kind(None, _texts, [], "Text")
"""The column `networks`, the only one with JSON that holds no dictionary."""


class Column(t.NamedTuple):
    name: str
    kind: Kind
    nullable: bool
    selected: t.Any


class Read(t.NamedTuple):
    """`row`: with the types of the schema; `sound`: whether all of it was so in the database; `key`: the values of the
    primary key as they are there; `keyed`: whether they are of the right types."""

    row: Row
    sound: bool
    key: tuple[t.Any, ...]
    keyed: bool


def read(
    connection: sa.Connection, table: sa.Table, *where: t.Any, order: t.Any = None, limit: int | None = None
) -> list[Read]:
    """All rows of a table, or those of a condition."""
    columns = [_column(column) for column in table.columns]
    select = sa.select(*(column.selected for column in columns)).where(*where).order_by(order).limit(limit)
    names, keys = [column.name for column in columns], [column.name for column in table.primary_key]
    # Nearly all rows of a table have values of the same types, so what is to be done with them is looked up.
    parsers: dict[tuple[type, ...], Parsers] = {}
    found = []
    for values in connection.execute(select).all():
        types = tuple([value.__class__ for value in values])
        if types not in parsers:
            parsers[types] = _parsers(columns, types)
        found.append(_read(dict(zip(names, values)), columns, keys, parsers[types]))  # noqa: B905 - as many
    return found


Parsers = Sequence["tuple[str, Callable[[t.Any], t.Any]]"]
"""Of the columns whose values are not as they should be by their types alone."""


def _parsers(columns: Sequence[Column], types: Sequence[type]) -> Parsers:
    return [
        (name, kind.parse)
        for (name, kind, nullable, dummy), found in zip(columns, types)  # noqa: B905 - as many as were selected
        if found is not kind.plain and not (nullable and found is type(None))
    ]


def _column(column: t.Any) -> Column:
    kind = LISTS if column.name == "networks" else KINDS[type(column.type).__name__]
    plain = getattr(sa, kind.read_as)() if kind.read_as else None
    selected = column if plain is None else sa.type_coerce(column, plain).label(column.name)
    return Column(column.name, kind, column.nullable, selected)


def _read(row: Row, columns: Sequence[Column], keys: Sequence[str], parsers: Parsers) -> Read:
    parsed = [(name, parse(row[name])) for name, parse in parsers]
    strange = {name for name, value in parsed if value is STRANGE}
    key = tuple([row[name] for name in keys])
    row.update(parsed)
    if not strange:
        return Read(row, True, key, True)
    empty = {one.name: None if one.nullable else copy.copy(one.kind.empty) for one in columns if one.name in strange}
    row.update(empty)
    if "signature" in row:
        row["signature"] = ""
    return Read(row, False, key, strange.isdisjoint(keys))
