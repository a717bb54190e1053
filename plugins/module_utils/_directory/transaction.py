# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One task on a directory: the module's options in, its result out. PRIVATE to the collection."""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._checkpoint import Checkpoint
from .._errors import NOTHING_CHANGED, NOTHING_READ, VpnKeysError
from .._printable import printable
from .._tampered import WHOLE
from . import (
    acknowledgements,
    backup,
    database,
    evidence,
    lock_owner,
    merkle,
    migrations,
    records,
    seal,
    signers,
    signing,
    states,
    store,
    view,
    witness,
)
from .context import Context, event
from .database import Place
from .records import Row, Snapshot
from .signers import Source
from .signing import Signer

try:
    import sqlalchemy as sa
except ImportError:  # the modules name the missing library
    pass

Options = Mapping[str, t.Any]


# -- reading


@database.uncollected()
def read(options: Options) -> Row:
    """The result of key_directory_info. Raises VpnKeysError."""
    place = database.locate(options["url"])
    remembered = witness_path(options, place)
    seen = witness.read(remembered)
    if database.missing_file(place):
        raise no_directory(place, seen, remembered)
    with database.transaction(place, write=False) as connection:
        revision = migrations.revision_of(connection)
        identity = None
        if revision is not None:
            migrations.check(revision, place.where)
            identity = store.found(connection, place.where)
        if identity is None:
            raise no_directory(place, seen, remembered)
        public = store.verifier(identity, _trusted(options, identity, place), place.where)
        snapshot = store.load(connection, identity, public)
        _compare(connection, snapshot, seen)
        seen_by_gateways = _evaluate(connection, snapshot, public, options)
        history = store.history(connection, snapshot, options["only"], options["events_limit"])
    if snapshot.whole:
        if options["fail_on_tampered"]:
            raise not_trusted(snapshot, place)
    else:
        witness.keep(remembered, checkpoint_of(snapshot))
    shown = view.build(snapshot, about(identity, snapshot), options["only"])
    claimed = seen_by_gateways.to_result()
    return {"changed": False, **place_of(options, place), **shown, **history, "claimed": claimed}


def place_of(options: Options, place: Place) -> Row:
    """The locations of the database and the signing key, for results. Without any password."""
    return {"where": place.where, **signers.shown(options, place)}


def no_directory(place: Place, seen: witness.Seen | None = None, remembered: str | None = None) -> VpnKeysError:
    if seen:
        return VpnKeysError(
            "tampered",
            f"There is no directory {place.where} any more, although this control node has seen the directory "
            f"{seen.directory} there (checkpoint {seen.number})",
            state=NOTHING_CHANGED,
            advice="restore the database from a backup, or check O(url); to start with an empty one, move "
            f"{remembered} away",
        )
    return VpnKeysError(
        "not_found",
        f"There is no directory {place.where}",
        state=NOTHING_CHANGED,
        advice="check O(url), or make one by enrolling the gateways (vpnops.keys.enroll_gateways)",
    )


def witness_path(options: Options, place: Place) -> str | None:
    return witness.path_of(options["witness_path"], signers.path_of(options, place))


def checkpoint_of(snapshot: Snapshot) -> Checkpoint | None:
    return snapshot.seal.checkpoint if snapshot.seal else None


def _compare(connection: sa.Connection, snapshot: Snapshot, seen: witness.Seen | None) -> None:
    """With what this control node has seen; a directory without any checkpoint is older than all of them."""
    if snapshot.whole:
        return
    wrong = witness.against(seen, checkpoint_of(snapshot), lambda number: seal.root_at(connection, number))
    snapshot.whole = (wrong,) if wrong else ()


def _evaluate(connection: sa.Connection, snapshot: Snapshot, public: bytes, options: Options) -> evidence.Evidence:
    """What gateways have seen of it. Late answers are only reported, as they cannot stop this step."""
    given, ignored = options.get("witnesses") or (), options.get("ignored_witnesses") or ()
    if not given:
        return evidence.Evidence()

    def root_at(number: int) -> bytes | None:
        return seal.root_at(connection, number)

    def seen(*, late: bool) -> evidence.Evidence:
        notes = [one for one in given if bool(one.get("late")) is late]
        return evidence.evaluate(notes, ignored, checkpoint_of(snapshot), public, root_at)

    found = seen(late=False)
    if found.proved and not snapshot.whole:
        snapshot.whole, snapshot.witnesses = tuple(found.proved), found.proved
    return evidence.joined(found, seen(late=True))


def not_trusted(snapshot: Snapshot, place: Place) -> VpnKeysError:
    why = "; ".join(WHOLE[what] + evidence.shown(snapshot.witnesses.get(what, ())) for what in snapshot.whole)
    meant = "; if this is intended, name those gateways in O(ignored_witnesses)" if snapshot.witnesses else ""
    return VpnKeysError(
        "tampered",
        f"The directory {place.where} cannot be trusted: {why}",
        state=NOTHING_CHANGED,
        advice="find out who wrote to the database, or whether an old backup was restored, and restore its newest "
        f"backup; vpnops.keys.key_directory with repair=true shows what could be accepted as it is{meant}",
    )


def about(identity: store.Identity, snapshot: Snapshot, *, predicted: bool = False) -> Row:
    """`predicted`: nothing of it is kept. Its signature would be evidence against the directory: a gateway that was
    given it could show it later, beside what became the next checkpoint instead."""
    return {
        "id": identity.id,
        "schema": migrations.REVISIONS[-1].revision,
        "key_fingerprint": identity.fingerprint,
        "signing_keys": [{name: row.get(name) for name in _OF_KEY} for row in _newest_first(identity)],
        "checkpoint": _shown(snapshot.seal, "" if predicted or snapshot.seal is None else snapshot.seal.note),
    }


_OF_KEY = ("fingerprint", "since", "retired_at")


def _newest_first(identity: store.Identity) -> list[Row]:
    return sorted(identity.keys, key=lambda row: -int(row["id"]))


def _shown(found: seal.Seal | None, signed: str) -> Row | None:
    if found is None or found.checkpoint is None:
        return None
    one = found.checkpoint
    return {
        "number": one.number,
        "root": one.root.hex(),
        "previous": one.previous.hex(),
        "size": one.size,
        "time": one.time,
        "expires": one.expires,
        "note": signed,
    }


def _trusted(options: Options, identity: store.Identity, place: Place) -> str:
    """The fingerprint of the key that a reader trusts: the one thing that is never taken from the database, which only
    says which one of several it wants."""
    if options["verify_key"]:
        return signing.anchor(options["verify_key"])
    source = signers.source(options, place)
    key = source.current(identity.fingerprint)[0] if source else None
    if key is None:
        raise _no_signing_key(source, place, NOTHING_READ)
    return signers.fingerprint_of(key)


# -- writing


@dataclass(frozen=True)
class Outcome:
    """A step that was done, or predicted. `claimed`: what gateways say of the directory without any proof."""

    changed: bool
    before: Snapshot
    after: Snapshot
    identity: store.Identity
    claimed: tuple[Row, ...] = ()


def write(options: Options, check: bool, diff: bool = False) -> Row:
    """The result of key_directory; in check mode what it would be. Raises VpnKeysError; then nothing was changed."""
    done = change(options, check)
    result = {
        "changed": done.changed,
        "events": done.after.events,
        "ignored": done.after.ignored,
        "refused": done.after.refused,
        "claimed": list(done.claimed),
        **place_of(options, database.locate(options["url"])),
        **view.build(done.after, about(done.identity, done.after, predicted=check), options["only"]),
    }
    if diff:
        result["diff"] = {"before": view.outline(done.before), "after": view.outline(done.after)}
    return result


def change(options: Options, check: bool) -> Outcome:
    """The whole step in one transaction, which is undone in check mode."""
    place = database.locate(options["url"])
    source = signing_source(options, place)
    remembered = witness_path(options, place)
    seen = witness.read(remembered)
    absent = database.missing_file(place)
    if absent and (options["state"] != "present" or seen):
        raise no_directory(place, seen, remembered)
    with database.transaction(place, write=True, memory=check and absent) as connection:
        opening = Opening(connection, options, place, source, seen, check)
        if not (opening.exists() or opening.may_be_made()):
            raise no_directory(place, seen, remembered)
        done = opening.rekeyed() if options["state"] == "rekeyed" else opening.changed()
        if check:
            database.rollback(connection)
        elif opening.created:
            source.keep(opening.key)
    if not check:
        witness.keep(remembered, checkpoint_of(done.after))
        if opening.rename:
            source.settle()
    return done


def signing_source(options: Options, place: Place) -> Source:
    """Raises VpnKeysError(bad_input)."""
    source = signers.source(options, place)
    if source is None:
        raise _no_signing_key(source, place, NOTHING_CHANGED)
    return source


def _no_signing_key(source: Source | None, place: Place, state: str) -> VpnKeysError:
    looked = f", and there is no signing key {source.path}" if isinstance(source, signers.InFile) else ""
    what = f"No signing key is set for the directory {place.where}{looked}"
    return VpnKeysError("bad_input", what, state=state, advice=signers.SET_ONE)


class Opening:
    """A directory in a transaction, from its tables to a snapshot that may be changed.

    `created`: it was not there; `rename`: the file of its signing key still has the name PATH.new; `upgrades`: events
    that are to be written with the step; `repairs`: those that are written.
    """

    def __init__(
        self,
        connection: sa.Connection,
        options: Options,
        place: Place,
        source: Source,
        seen: witness.Seen | None,
        check: bool,
    ) -> None:
        self.connection, self.options, self.place, self.source = connection, options, place, source
        self.seen, self.check = seen, check
        self.former = migrations.revision_of(connection)
        self.upgrades: list[Row] = []
        self.repairs: list[Row] = []
        self.excluded: list[Row] = []
        self.created = self.rename = False
        self.evidence = evidence.Evidence()

    def exists(self) -> bool:
        """With up-to-date tables; where there are none, they are created if that is allowed."""
        if self.former is None and not self.may_be_made():
            return False
        kept = _backup(self.connection, self.place, self.former, self.check)
        upgraded = migrations.upgrade(self.connection, self.place.where)
        self.context = _context(self.options, database.now(self.connection), self.check)
        self.found = None if self.former is None else store.found(self.connection, self.place.where)
        if upgraded and self.found:
            details = {"schema": [self.former, migrations.REVISIONS[-1].revision], "backup": kept}
            self.upgrades.append(event(self.context, "upgraded", outcome="done", details=details))
        return self.found is not None

    @property
    def identity(self) -> store.Identity:
        """That of the directory, once `snapshot` has found or made it."""
        if self.found is None:
            raise RuntimeError("no directory is open")
        return self.found

    def may_be_made(self) -> bool:
        return self.options["state"] == "present" and self.seen is None

    def snapshot(self) -> Snapshot:
        """Raises VpnKeysError(tampered) unless the directory can be trusted as a whole."""
        options, connection = self.options, self.connection
        if self.found is None:
            self.created, self.key = True, self.source.first()
            self.found = store.create(connection, self.key, self.context.now)
        else:
            self.key, self.rename = _signing_key(options, self.source, self.found, self.place)
        trusted = signing.anchor(options["verify_key"]) if options["verify_key"] else signers.fingerprint_of(self.key)
        self.public = store.verifier(self.found, trusted, self.place.where)
        sealed = not self.created and migrations.has_checkpoints(self.former)
        # What events say counts for a repair.
        every_link = bool(options["repair"])
        snapshot = store.load(connection, self.found, self.public, every_link, sealed)
        if sealed:
            _compare(connection, snapshot, self.seen)
        else:
            snapshot.seal = seal.start_anew(connection, snapshot.id, self.public)
            snapshot.whole = ("rolled back",) if self.seen else ()
        self.evidence = _evaluate(connection, snapshot, self.public, options)
        if not (snapshot.gateways or options["repair"]):
            self._not_anew()
        return self._repaired(snapshot) if snapshot.whole else snapshot

    def _not_anew(self) -> None:
        """Gateways that have the keys of another directory prevent a start with an empty one. A few of many are
        left out instead, as one may lie."""
        asked = self.options["gateways"] or ()
        names = [str(one["name"]) for one in asked]
        some = evidence.a_few(self.evidence, names) if self.options["skip_refused"] else ()
        if not some:
            evidence.refuse_empty(self.evidence, self.place.where)
            return
        self.excluded = evidence.excluded(self.evidence, some)
        self.options = {**self.options, "gateways": [one for one in asked if str(one["name"]) not in some]}

    def _repaired(self, snapshot: Snapshot) -> Snapshot:
        if not self.options["repair"]:
            raise not_trusted(snapshot, self.place)
        found = store.load(self.connection, self.identity, self.public, sealed=False)
        digest = _digest(snapshot.whole, found)
        if self.options["confirm"] != digest:
            raise _unconfirmed(snapshot, found, self.place, digest)
        details = {"directory": list(snapshot.whole), "accepted": _counts(found)}
        repaired = event(self.context, "repaired", outcome="done", details=details)
        self.repairs.append(repaired)
        known = max(self.seen.number if self.seen and self.seen.directory == snapshot.id else 0, self.evidence.highest)
        return store.accept(self.connection, found, self.key, repaired, self.context.now, known)

    def changed(self) -> Outcome:
        """After what the task asks for."""
        before = self.snapshot()
        begun = records.renamed_states(before) if self.is_old else before
        after = states.apply(begun, self.options["state"], self.options, self.context)
        after.refused += self.excluded
        if self.is_old:
            acknowledgements.compact(after, self.context.now)
        return self._saved(before, after)

    @property
    def is_old(self) -> bool:
        """Whether it is being upgraded from a version without checkpoints."""
        return self.former is not None and not migrations.has_checkpoints(self.former)

    def _saved(self, before: Snapshot, after: Snapshot) -> Outcome:
        after.events = [*self.upgrades, *after.events]
        changed = store.save(self.connection, before, after, self.key, self.context.now)
        after.events = [*self.repairs, *after.events]
        return Outcome(changed or bool(self.repairs), before, after, self.identity, tuple(self.evidence.to_result()))

    def rekeyed(self) -> Outcome:
        """With the next signing key. With a name still to be changed, the last run was killed between its last two
        steps."""
        before = self.snapshot()
        if self.is_old:
            before = self._saved(before, records.renamed_states(before)).after
        new = None if self.rename else self.source.following(self.identity.fingerprint, self.check)
        if new is None:
            done = self._saved(before, before.copy())
            return Outcome(done.changed or self.rename, done.before, done.after, done.identity)
        self.rename = self.source.renames
        now, details = self.context.now, {"fingerprint": signers.fingerprint_of(new)}
        identity, leaves = store.rekey(self.connection, self.identity, before, (self.key, new), now)
        before.events = [*self.upgrades, event(self.context, "rekeyed", outcome="done", details=details)]
        store.log(self.connection, before, new, leaves, now)
        after = store.load(self.connection, identity, signing.public_der(new), every_link=False)
        after.events, before.events = [*self.repairs, *before.events], []
        return Outcome(True, before, after, identity)


def _backup(connection: sa.Connection, place: Place, revision: str | None, check: bool) -> str:
    """Where a directory that is to be upgraded is kept as it was; nothing where there is nothing to upgrade."""
    if check or not migrations.is_older(revision):
        return ""
    tables = tuple(name for name in sa.inspect(connection).get_table_names() if not re.match(r"r\d{4}_", name))
    return backup.make(connection, place, str(revision), tables)


def _digest(whole: Sequence[str], found: Snapshot) -> str:
    """Of what would be accepted, so that a confirmation is bound to what was shown."""
    leaves = sorted(f"{place} {leaf}" for place, leaf in found.unsealed.items())
    return merkle.leaf("\n".join([*whole, *leaves]).encode()).hex()[:16]


def _counts(found: Snapshot) -> Row:
    kinds: dict[str, Mapping[t.Any, Row]] = {
        "gateways": found.gateways,
        "keys": found.keys,
        "rotations": found.rotations,
    }
    return {table: sum(found.genuine(store.KINDS[table], row) for row in kinds[table].values()) for table in kinds}


def _unconfirmed(snapshot: Snapshot, found: Snapshot, place: Place, digest: str) -> VpnKeysError:
    counts = _counts(found)
    refused = sorted({one["gateway"] for one in records.tampered(found)})
    without = f", without those of {', '.join(printable(name) for name in refused[:12])}" if refused else ""
    return VpnKeysError(
        "tampered",
        f"{not_trusted(snapshot, place).what}. A repair accepts it as it is now: {counts['gateways']} gateways, "
        f"{counts['keys']} keys and {counts['rotations']} last rotations with valid signatures{without}; what peers "
        "have stored is forgotten, so all keys are sent to them again",
        state=NOTHING_CHANGED,
        advice="if no backup is better, compare every key with its gateway, then run vpnops.keys.key_directory with "
        f"repair=true and confirm={digest}",
    )


def _context(options: Options, now: str, check: bool) -> Context:
    me = options["lock_owner"] or lock_owner.describe(os.getpid())
    return Context(
        by=options["by"] or str(me.get("user")),
        why=options["why"],
        now=now,
        lock_owner=dict(me),
        lease=options["lease"],
        take_over=options["take_over"],
        is_gone=lock_owner.is_gone,
        check=check,
    )


def _signing_key(options: Options, source: Source, identity: store.Identity, place: Place) -> tuple[Signer, bool]:
    """The key that signs now, and whether its file still has the name PATH.new."""
    key, rename = source.current(identity.fingerprint)
    if key is None:
        path = source.path if isinstance(source, signers.InFile) else None
        raise VpnKeysError(
            "signing_key",
            f"The directory {place.where} exists, but its signing key {path} does not",
            state=NOTHING_CHANGED,
            advice=f"restore the key from a backup, or {signers.SET_ONE}",
        )
    if signers.fingerprint_of(key) != identity.fingerprint:
        raise VpnKeysError(
            "signing_key",
            f"The directory {place.where} is signed by the key {identity.fingerprint[:12]}, and the signing key given "
            f"is {signers.fingerprint_of(key)[:12]}",
            state=NOTHING_CHANGED,
            advice="give the key of this directory",
        )
    return key, rename
