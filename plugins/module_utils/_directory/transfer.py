# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole directory in another place: moved to another database, kept in a file, brought back. PRIVATE.

Everything is copied as it is, and the copy is proved by the checkpoint that it bears: number, serials, history and
signatures are the same, or nothing is kept.
"""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable, Mapping

from .._errors import NOTHING_CHANGED, VpnKeysError
from . import database, key_file, migrations, records, schema, seal, signers, store, transaction, view, witness
from .context import event
from .database import Place
from .records import Row, Snapshot

try:
    import sqlalchemy as sa
except ImportError:  # the modules name the missing library
    pass

TABLES = (*store.TABLES, *seal.LINKS, "leaves")
BATCH = 5_000

Options = Mapping[str, t.Any]


@database.uncollected()
def write(options: Options, check: bool, diff: bool = False) -> Row:
    """The result of key_directory. Raises VpnKeysError; then nothing was changed."""
    work = STATES.get(options["state"])
    return work(options, check) if work else transaction.write(options, check, diff)


# -- one copy


def copy(source: sa.Connection, target: sa.Connection) -> None:
    """Into tables that are empty."""
    for name in TABLES:
        table = schema.table(name)
        for part in source.execute(sa.select(table)).mappings().partitions(BATCH):
            target.execute(sa.insert(table), [dict(row) for row in part])


def _proved(target: sa.Connection, snapshot: Snapshot, identity: store.Identity, public: bytes) -> Snapshot:
    """What was copied, if it is what was there: the checkpoint is the same, and all records and chains are as it
    says."""
    copied = store.load(target, identity, public)
    same = copied.seal and snapshot.seal and copied.seal.note == snapshot.seal.note
    if not same or copied.whole or records.tampered(copied):
        raise VpnKeysError(
            "not_proved",
            "The copy of the directory is not the same as the original, so it was not kept",
            state=NOTHING_CHANGED,
            advice="check the new database and its disk, then run this again",
        )
    return copied


def _refuse_doubtful(snapshot: Snapshot, place: Place) -> None:
    if snapshot.whole:
        raise transaction.not_trusted(snapshot, place)
    if found := records.tampered(snapshot):
        names = sorted({str(one["gateway"]) for one in found})
        raise VpnKeysError(
            "tampered",
            f"The directory {place.where} holds records that are not as it signed them (of {', '.join(names)})",
            state=NOTHING_CHANGED,
            advice="repair them first, with state=present and repair=true",
        )


def _need_empty(connection: sa.Connection, place: Place) -> None:
    """With tables as they are now."""
    if migrations.revision_of(connection) is not None:
        migrations.upgrade(connection, place.where)
        if found := store.found(connection, place.where):
            raise VpnKeysError(
                "conflict",
                f"There is a directory {place.where} already ({found.id}), and two directories cannot be merged: the "
                "serials and the history of each are its own",
                state=NOTHING_CHANGED,
                advice="use an empty database",
            )
    migrations.upgrade(connection, place.where)


def _shown(
    options: Options,
    place: Place,
    snapshot: Snapshot,
    identity: store.Identity,
    changed: bool,
    *,
    predicted: bool = False,
) -> Row:
    lists: Row = {"events": snapshot.events, "ignored": [], "refused": [], "claimed": []}
    shown = view.build(snapshot, transaction.about(identity, snapshot, predicted=predicted), options["only"])
    return {"changed": changed, **lists, **transaction.place_of(options, place), **shown}


def _file(path: str | None, state: str) -> Place:
    if not path:
        raise VpnKeysError("bad_input", f"state={state} needs O(path)", state=NOTHING_CHANGED)
    return database.locate(f"sqlite:///{os.path.abspath(os.path.expanduser(path))}")


def _opened(
    connection: sa.Connection, options: Options, place: Place, check: bool
) -> tuple[transaction.Opening, Snapshot]:
    """A directory that is to be copied."""
    remembered = transaction.witness_path(options, place)
    source = transaction.signing_source(options, place)
    seen = witness.read(remembered)
    opening = transaction.Opening(connection, {**options, "repair": False}, place, source, seen, check)
    if opening.former is None:
        raise transaction.no_directory(place, seen, remembered)
    migrations.check(opening.former, place.where)
    if not opening.exists():
        raise transaction.no_directory(place, seen, remembered)
    snapshot = opening.snapshot()
    _refuse_doubtful(snapshot, place)
    return opening, snapshot


# -- to another database


def move(options: Options, check: bool) -> Row:
    """The former place is no directory any more: two of them would become two histories."""
    if not options["to_url"]:
        raise VpnKeysError("bad_input", "state=moved needs O(to_url)", state=NOTHING_CHANGED)
    place, to = database.locate(options["url"]), database.locate(options["to_url"], "to_url")
    if place.where == to.where:
        raise VpnKeysError("bad_input", "the directory is already in the database of O(to_url)", state=NOTHING_CHANGED)
    if database.missing_file(place):
        raise transaction.no_directory(place)
    with database.transaction(place, write=True) as source:
        opening, snapshot = _opened(source, options, place, check)
        with database.transaction(to, write=True, memory=check and database.missing_file(to)) as target:
            _need_empty(target, to)
            copy(source, target)
            after = _proved(target, snapshot, opening.identity, opening.public)
            details = {"from": place.where, "to": to.where}
            after.events = [event(opening.context, "moved", outcome="done", details=details)]
            store.log(target, after, opening.key, {}, opening.context.now)
            if check:
                database.rollback(target)
        # Killed here, both are whole, and this control node takes the former one for what it is: an old one.
        if check:
            database.rollback(source)
        else:
            witness.keep(transaction.witness_path(options, place), transaction.checkpoint_of(after))
            migrations.mark_moved(source)
    shown = _shown(options, to, after, opening.identity, True, predicted=check)
    return {**shown, **signers.shown(options, place)}


# -- kept in a file


def back_up(options: Options, check: bool) -> Row:
    """All but the signing key, in a file of SQLite, whole and on the disk, or not there."""
    place, to = database.locate(options["url"]), _file(options["path"], "backed_up")
    if database.missing_file(place):
        raise transaction.no_directory(place)
    with database.transaction(place, write=False) as source:
        opening, snapshot = _opened(source, options, place, True)
        changed = not _is_kept(to, snapshot)
        if changed and not check:
            _keep(source, to, snapshot, opening)
    witness.keep(transaction.witness_path(options, place), transaction.checkpoint_of(snapshot))
    return {**_shown(options, place, snapshot, opening.identity, changed), "path": to.path}


def _is_kept(to: Place, snapshot: Snapshot) -> bool:
    """Whether that file is this very backup. Raises VpnKeysError(conflict) if it is anything else."""
    if database.missing_file(to):
        return False
    with database.transaction(to, write=False) as connection:
        note = None
        if migrations.revision_of(connection) == migrations.REVISIONS[-1].revision:
            newest = sa.select(schema.checkpoints.c.note).order_by(schema.checkpoints.c.number.desc()).limit(1)
            note = connection.scalar(newest)
    if snapshot.seal is None or note != snapshot.seal.note:
        raise VpnKeysError(
            "conflict",
            f"{to.where} exists already, and is not a backup of the directory as it is now",
            state=NOTHING_CHANGED,
            advice="set O(path) to another name, for example one with the date",
        )
    return True


def _keep(source: sa.Connection, to: Place, snapshot: Snapshot, opening: transaction.Opening) -> None:
    partial = _file(f"{to.path}.partial", "backed_up")
    try:
        os.unlink(str(partial.path))
    except FileNotFoundError:
        pass
    with database.transaction(partial, write=True) as target:
        migrations.upgrade(target, to.where)
        copy(source, target)
        _proved(target, snapshot, opening.identity, opening.public)
    with database.translated(to):
        key_file.move(str(partial.path), str(to.path))


# -- brought back


def restore(options: Options, check: bool) -> Row:
    """Into an empty database. A backup that is older than what was seen from here needs to be confirmed."""
    place, kept = database.locate(options["url"]), _file(options["path"], "restored")
    if database.missing_file(kept):
        what = f"There is no backup {kept.where}"
        raise VpnKeysError("not_found", what, state=NOTHING_CHANGED, advice="check O(path)")
    remembered, signing_source = transaction.witness_path(options, place), transaction.signing_source(options, place)
    seen = witness.read(remembered)
    absent = database.missing_file(place)
    with database.transaction(kept, write=False) as source:
        opening = transaction.Opening(source, {**options, "repair": False}, kept, signing_source, None, True)
        if opening.former is not None:
            migrations.check(opening.former, kept.where)
        if not opening.exists():
            raise VpnKeysError("not_found", f"There is no directory in {kept.where}", state=NOTHING_CHANGED)
        snapshot = opening.snapshot()
        _refuse_doubtful(snapshot, kept)
        older = witness.against(seen, transaction.checkpoint_of(snapshot), lambda number: seal.root_at(source, number))
        if older:
            _need_confirmation(options, kept, snapshot, seen)
        with database.transaction(place, write=True, memory=check and absent) as target:
            _need_empty(target, place)
            copy(source, target)
            before = _proved(target, snapshot, opening.identity, opening.public)
            after = before.copy()
            if older:  # what peers have stored since then, nobody knows
                after.marks, after.acknowledgements = {}, {}
            details = {"backup": kept.where, "forgets": older}
            after.events = [event(opening.context, "restored", outcome="done", details=details)]
            known = seen.number if seen and seen.directory == snapshot.id else 0
            store.save(target, before, after, opening.key, opening.context.now, known)
            if check:
                database.rollback(target)
    if not check:
        witness.keep(remembered, transaction.checkpoint_of(after))
    return _shown(options, place, after, opening.identity, True, predicted=check)


def _need_confirmation(options: Options, kept: Place, snapshot: Snapshot, seen: witness.Seen | None) -> None:
    one = transaction.checkpoint_of(snapshot)
    if one is None or seen is None or options["confirm"] == one.root.hex()[:16]:
        return
    if seen.directory != one.directory:
        what = f"is of another directory ({one.directory}) than this control node has seen ({seen.directory})"
    else:
        what = (
            f"has checkpoint {one.number} of {one.time}, but this control node has seen checkpoint "
            f"{seen.number}: all changes since then would be lost, including revocations"
        )
    raise VpnKeysError(
        "tampered",
        f"The backup {kept.where} {what}",
        state=NOTHING_CHANGED,
        advice="restore a newer backup; if there is none, run this again with "
        f"confirm={one.root.hex()[:16]}, then revoke again what was revoked since then",
    )


STATES: dict[str, Callable[[Options, bool], Row]] = {"moved": move, "backed_up": back_up, "restored": restore}
