# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What proves that the records of a directory are all that there are, and the newest. PRIVATE to the collection.

Each record is a leaf of a Merkle tree. The leaves are in the order of their places; their hashes are kept in the table
`leaves`, so that a change costs no reading of what has not changed, and a record that somebody removed or put back is
named. Events and checkpoints are chains, each with the hash of all before it; a leaf of its own says where each chain
ends. The newest checkpoint signs the root of the tree. So whoever has the database and no signing key can only put the
whole of it back to what it was once, which a witness sees.
"""

from __future__ import annotations

import hashlib
import json
import operator
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from json.encoder import encode_basestring_ascii

from .. import _checkpoint
from .._checkpoint import Checkpoint
from . import checkpoint, merkle, note, schema, signing
from .records import Row
from .rows import LARGEST
from .signing import Signer

try:
    import sqlalchemy as sa
except ImportError:  # the modules name the missing library
    pass

FORM = 1
"""The version of the form of leaves and links. Another one needs a migration that seals everything again."""
LEAVES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "directory": ((), ("id", "revision")),
    "directory_keys": (("id",), (*signing.FORMS[signing.KIND][0], "retired_at", "signature")),
    "gateways": (("name",), (*signing.FORMS["gateway"][2], "signature")),
    "keys": (("gateway", "serial"), (*signing.FORMS["key"][1], "signature")),
    "rotations": (("gateway", "id"), (*signing.FORMS["rotation"][0], "signature")),
    "marks": (("peer",), ("peer", "revision", "at")),
    "acknowledgements": (("peer", "gateway"), ("peer", "gateway", "serial", "role", "revision", "at")),
}
"""By table, the fields that are the place of a record, and those of its leaf."""
LINKS: dict[str, tuple[str, ...]] = {
    "events": ("id", "at", "by", "what", "gateway", "peer", "outcome", "why", "details"),
    "checkpoints": ("number", "note"),
}
"""By chained table, the fields of a link, the number first."""
START = bytes(32)
BATCH = 10_000

_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=repr).encode
_PLAIN: dict[type, t.Callable[[t.Any], str]] = {
    str: encode_basestring_ascii,
    int: str,
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
}
_raw_decode = json.JSONDecoder().raw_decode


def _encode_list(value: list[t.Any]) -> str:
    return f"[{','.join([_PLAIN.get(one.__class__, _json)(one) for one in value])}]"


def _encode_object(value: dict[t.Any, t.Any]) -> str:
    if any(name.__class__ is not str for name in value):
        return _json(value)
    pairs = sorted(value.items(), key=operator.itemgetter(0))
    parts = [f"{encode_basestring_ascii(name)}:{_PLAIN.get(one.__class__, _json)(one)}" for name, one in pairs]
    return f"{{{','.join(parts)}}}"


_ANY: dict[type, t.Callable[[t.Any], str]] = {**_PLAIN, list: _encode_list, dict: _encode_object}


def encode(values: Sequence[t.Any]) -> str:
    """As JSON, in its one form. Written out, as an encoder takes longer to be made than to encode so little."""
    return f"[{','.join([_ANY.get(value.__class__, _json)(value) for value in values])}]"


class Head(t.NamedTuple):
    """Where a chain ends: how many links it has, the number of the last one, and the hash (hex) of all."""

    links: int
    last: int
    hash: str


EMPTY = Head(0, 0, START.hex())
Leaves = dict[str, "str | None"]
"""By place, the hash (hex) of the leaf that is there now; None where there is none any more."""


@dataclass(frozen=True)
class Seal:
    """`leaves`: by place, the hash (hex) of the leaf, as signed; `wrong`: what is not as it was signed (`WHOLE`)."""

    checkpoint: Checkpoint | None = None
    note: str = ""
    leaves: Mapping[str, str] = field(default_factory=dict)
    heads: Mapping[str, Head] = field(default_factory=lambda: dict.fromkeys(LINKS, EMPTY))
    wrong: tuple[str, ...] = ()


def place(table: str, row: Mapping[str, t.Any]) -> str:
    """As JSON."""
    return encode(values_of_place(table, row))


def values_of_place(table: str, row: Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    """The same as values, for looking up: they cost no encoding."""
    return (table, *[row[name] for name in LEAVES[table][0]])


def parsed(at: str) -> list[t.Any] | None:
    """Table and values of a place; None for another text: the tree holds the order of the places, not their names."""
    found = _decoded(at)
    if not (isinstance(found, list) and found and found[0] in LEAVES):
        return None
    numbers = [one in ("id", "serial") for one in LEAVES[found[0]][0]]
    kinds = [isinstance(one, int) for one in found[1:]]
    return found if kinds == numbers and all(isinstance(one, (str, int)) for one in found) else None


def leaf(table: str, row: Mapping[str, t.Any]) -> str:
    data = encode([table, FORM, *[row[name] for name in LEAVES[table][1]]])
    return merkle.leaf(data.encode()).hex()


def _head_leaf(table: str, head: Head) -> tuple[str, str]:
    return encode([table]), merkle.leaf(encode([table, FORM, *head]).encode()).hex()


HEADS = frozenset(encode([table]) for table in LINKS)
"""The places of the heads."""


def root(leaves: Mapping[str, str]) -> bytes | None:
    """None if any is no hash of a place."""
    try:
        return merkle.root([bytes.fromhex(leaves[name]) for name in sorted(leaves)])
    except (TypeError, ValueError):
        return None


# -- reading


def read(connection: sa.Connection, directory: str, public: bytes, every_link: bool) -> Seal:
    """`public`: the key (DER) that signs now. `every_link`: see to it that no event and no checkpoint was changed, not
    only that none is missing at the end: this takes longer the older a directory is."""
    newest = connection.execute(
        sa.select(schema.checkpoints).order_by(schema.checkpoints.c.number.desc()).limit(1)
    ).first()
    found = _verified(newest, directory, public)
    if newest is None or found is None:
        return Seal(wrong=("checkpoint",))
    rows = connection.execute(sa.select(schema.leaves.c.place, schema.leaves.c.hash)).all()
    leaves = dict(t.cast("t.Sequence[tuple[str, str]]", rows))
    if len(leaves) != found.size or root(leaves) != found.root:
        return Seal(found, newest.note, wrong=("records",))
    heads, wrong = {}, []
    for table in LINKS:
        heads[table] = head = _walked(connection, table, found) if every_link else _head(connection, table, found)
        name, expected = _head_leaf(table, head)
        if leaves.get(name) != expected:
            wrong.append(table)
    whole = Seal(found, newest.note, leaves, heads, tuple(wrong))
    if not wrong and _last_checkpoint(whole).hash != newest.hash:
        return replace(whole, wrong=("checkpoints",))
    return whole


def _verified(row: t.Any, directory: str, public: bytes) -> Checkpoint | None:
    key = signing.public_key(public)
    if row is None or key is None or not isinstance(row.note, str):
        return None
    text = note.opened(row.note, _checkpoint.origin(directory), key)
    found = None if text is None else _checkpoint.parse(text)
    return found if found and (found.directory, found.number) == (directory, row.number) else None


def _before(table: str, newest: Checkpoint) -> tuple[t.Any, ...]:
    """A checkpoint signs the checkpoints before it."""
    return (schema.checkpoints.c.number < newest.number,) if table == "checkpoints" else ()


def _head(connection: sa.Connection, table: str, newest: Checkpoint) -> Head:
    columns, limits = schema.table(table).c, _before(table, newest)
    number = columns[LINKS[table][0]]
    (count,) = connection.execute(sa.select(sa.func.count()).select_from(columns.hash.table).where(*limits)).one()
    last = connection.execute(sa.select(number, columns.hash).where(*limits).order_by(number.desc()).limit(1)).first()
    return Head(count, last[0], last[1]) if last else EMPTY


def _walked(connection: sa.Connection, table: str, newest: Checkpoint) -> Head:
    """The head that the links really have."""
    links, last, digest = 0, 0, START
    for values, stored in _links(connection, table, _before(table, newest)):
        links, last, digest = links + 1, values[0], _linked(table, digest, values)
        if digest.hex() != stored:
            return EMPTY  # no chain that was ever signed
    return Head(links, last, digest.hex())


def _links(connection: sa.Connection, table: str, limits: Sequence[t.Any] = ()) -> Iterable[tuple[list[t.Any], t.Any]]:
    """The values of each link, and the hash that is there."""
    columns = schema.table(table).c
    selected = [_plain(columns[name]) for name in (*LINKS[table], "hash")]
    rows = connection.execute(sa.select(*selected).where(*limits).order_by(columns[LINKS[table][0]]))
    has_json = LINKS[table][-1] == "details"
    for part in rows.partitions(BATCH):
        for *values, stored in part:
            if has_json and values[-1] is not None:
                values[-1] = _decoded(values[-1])
            yield values, stored


def _plain(column: t.Any) -> t.Any:
    """As the database has it, whatever that is."""
    return sa.type_coerce(column, sa.Text()).label(column.name)


def _decoded(value: t.Any) -> t.Any:
    """JSON as PostgreSQL's driver has decoded it already."""
    if not isinstance(value, str):
        return value
    try:
        found, end = _raw_decode(value)
        return found if end == len(value) else json.loads(value)
    except (ValueError, RecursionError):
        return {"no JSON": value}


def _linked(table: str, digest: bytes, values: Sequence[t.Any]) -> bytes:
    """The hash of a chain with one link more."""
    return hashlib.sha256(digest + encode([table, FORM, *values]).encode()).digest()


def _extended(table: str, head: Head, values: Sequence[t.Any]) -> Head:
    digest = _linked(table, bytes.fromhex(head.hash), values)
    return Head(head.links + 1, values[0], digest.hex())


def root_at(connection: sa.Connection, number: int) -> bytes | None:
    """Of an earlier checkpoint, once the chain of them is known to be whole; None where there is none with that number,
    nothing where it cannot be read."""
    where = schema.checkpoints.c.number == number
    row = connection.execute(sa.select(schema.checkpoints.c.note).where(where)).first()
    if row is None:
        return None
    parsed = _checkpoint.unverified(row.note) if isinstance(row.note, str) else None
    return parsed.root if parsed else b""


# -- writing


def advance(
    connection: sa.Connection,
    seal: Seal,
    directory: str,
    key: Signer,
    leaves: Leaves,
    events: list[Row],
    now: str,
    at_least: int = 0,
) -> Seal:
    """The next checkpoint, in the same transaction as what it signs; none if nothing has changed. `at_least`: the
    number that somebody has seen already."""
    if not leaves and not events:
        return seal
    heads = {**seal.heads, "events": _append(connection, "events", seal.heads["events"], events)}
    heads["checkpoints"] = _last_checkpoint(seal)
    changed = {**leaves, **dict(_head_leaf(table, head) for table, head in heads.items())}
    after = {name: value for name, value in {**seal.leaves, **changed}.items() if value is not None}
    _store(connection, seal.leaves, {name: after.get(name) for name in changed})
    top = root(after) or START  # all of them are hashes
    following = checkpoint.following(seal.checkpoint, directory, len(after), top, now, at_least)
    signed = note.sign(_checkpoint.text(following), _checkpoint.origin(directory), key)
    _append(connection, "checkpoints", heads["checkpoints"], [{"number": following.number, "note": signed}])
    return Seal(following, signed, after, heads)


def _last_checkpoint(seal: Seal) -> Head:
    before = seal.heads["checkpoints"]
    return _extended("checkpoints", before, [seal.checkpoint.number, seal.note]) if seal.checkpoint else before


def _append(connection: sa.Connection, table: str, head: Head, rows: Sequence[Row]) -> Head:
    """Each with its number, which only rises whatever the database would count, and its hash."""
    number, linked = LINKS[table][0], []
    for row in rows:
        whole = {number: head.last + 1, **row}
        head = _extended(table, head, [whole[name] for name in LINKS[table]])
        linked.append({**whole, "hash": head.hash})
    if linked:
        connection.execute(sa.insert(schema.table(table)), linked)
    return head


def _store(connection: sa.Connection, before: Mapping[str, str], changed: Leaves) -> None:
    where = schema.leaves.c.place == sa.bindparam("which")
    if gone := [{"which": name} for name, value in changed.items() if value is None and name in before]:
        connection.execute(sa.delete(schema.leaves).where(where), gone)
    present = [(name, value) for name, value in changed.items() if value is not None]
    if added := [{"place": name, "hash": value} for name, value in present if name not in before]:
        connection.execute(sa.insert(schema.leaves), added)
    if altered := [{"which": name, "becomes": value} for name, value in present if before.get(name, value) != value]:
        connection.execute(sa.update(schema.leaves).where(where).values(hash=sa.bindparam("becomes")), altered)


def start_anew(connection: sa.Connection, directory: str, public: bytes) -> Seal:
    """No leaf, and chains of what is there: for a directory that has never been sealed, or is to be sealed as it is.
    Checkpoints that are newer than the last one that the directory signed are none, and numbers beyond all counting
    are no events."""
    connection.execute(sa.delete(schema.leaves))
    connection.execute(sa.delete(schema.events).where(schema.events.c.id >= LARGEST))
    select = sa.select(schema.checkpoints.c.number, schema.checkpoints.c.note)
    for row in connection.execute(select.order_by(schema.checkpoints.c.number.desc())).all():
        if found := _verified(row, directory, public):
            _rechain(connection, "checkpoints")
            heads = {"events": _rechain(connection, "events"), "checkpoints": _head(connection, "checkpoints", found)}
            return Seal(found, row.note, heads=heads)
        connection.execute(sa.delete(schema.checkpoints).where(schema.checkpoints.c.number == row.number))
    return Seal(heads={"events": _rechain(connection, "events"), "checkpoints": EMPTY})


def _rechain(connection: sa.Connection, table: str) -> Head:
    columns, head = schema.table(table).c, EMPTY
    number = columns[LINKS[table][0]]
    where = number == sa.bindparam("which")
    statement = sa.update(columns.hash.table).where(where).values(hash=sa.bindparam("becomes"))
    wrong = []
    for values, stored in _links(connection, table):
        head = _extended(table, head, values)
        if head.hash != stored:
            wrong.append({"which": head.last, "becomes": head.hash})
    for start in range(0, len(wrong), BATCH):
        connection.execute(statement, wrong[start : start + BATCH])
    return head
