# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One task on a directory: the module's options in, its result out. PRIVATE to the collection."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from .._errors import NOTHING_CHANGED, NOTHING_READ, VpnKeysError
from .._fingerprint import fingerprint
from . import acknowledgements, changes, database, key_file, lock_owner, migrations, signing, store, view
from .context import Context, event
from .database import Place
from .records import Book, Row

try:
    import sqlalchemy as sa
    from cryptography.hazmat.primitives.asymmetric import ed25519
except ImportError:  # the modules name the missing library
    pass

Options = Mapping[str, t.Any]


# -- reading


def read(options: Options) -> Row:
    """The result of key_directory_info. Raises VpnKeysError."""
    place = database.locate(options["url"])
    if database.missing_file(place):
        raise _no_directory(place)
    with database.transaction(place, write=False) as connection:
        revision = migrations.revision_of(connection)
        identity = None
        if revision is not None:
            migrations.check(revision, place.where)
            identity = store.found(connection, place.where)
        if identity is None:
            raise _no_directory(place)
        public = store.verifier(identity, _trusted(options, place), place.where)
        book = store.load(connection, identity, public)
        history = store.history(connection, book, options["only"], options["events_limit"])
    shown = view.build(book, _about(identity), options["only"])
    return {"changed": False, **_place(options, place), **shown, **history}


def _place(options: Options, place: Place) -> Row:
    """Where everything is, for people. No password is in it."""
    return {"where": place.where, "signing_key_path": None if options["signing_key"] else _key_path(options, place)}


def _no_directory(place: Place) -> VpnKeysError:
    return VpnKeysError(
        "not_found",
        f"There is no directory {place.where}",
        state=NOTHING_CHANGED,
        advice="see that O(url) is right, or make one with vpnops.keys.key_directory and state=present",
    )


def _about(identity: store.Identity) -> Row:
    return {"id": identity.id, "schema": migrations.REVISIONS[-1].revision, "key_fingerprint": identity.fingerprint}


def _trusted(options: Options, place: Place) -> str:
    """The fingerprint of the key that a reader trusts: the one thing that is never taken from the database."""
    if options["verify_key"]:
        return signing.anchor(options["verify_key"])
    if options["signing_key"]:
        return _fingerprint(_from_text(options["signing_key"], "signing_key"))
    path = _key_path(options, place)
    key = key_file.read(path) if path else None
    if key is None:
        looked = f", and there is no signing key {path}" if path else ""
        raise VpnKeysError(
            "bad_input",
            f"Nothing says which key the directory {place.where} must be signed with{looked}",
            state=NOTHING_READ,
            advice="set O(signing_key_path) or O(signing_key)",
        )
    return _fingerprint(key)


def _key_path(options: Options, place: Place) -> str | None:
    if given := options["signing_key_path"]:
        return os.path.abspath(os.path.expanduser(str(given)))
    return f"{place.path}.key" if place.path else None


def _fingerprint(key: ed25519.Ed25519PrivateKey) -> str:
    return fingerprint(signing.public_der(key))


def _from_text(text: str, option: str) -> ed25519.Ed25519PrivateKey:
    try:
        return signing.from_pem(text)
    except ValueError as error:
        raise VpnKeysError("signing_key", f"O({option}) cannot be used: {error}", state=NOTHING_CHANGED) from None


# -- writing


@dataclass(frozen=True)
class Outcome:
    """A step that was done, or foretold."""

    changed: bool
    before: Book
    after: Book
    identity: store.Identity


def write(options: Options, check: bool, diff: bool = False) -> Row:
    """The result of key_directory; in check mode what it would be. Raises VpnKeysError; then nothing was changed."""
    done = change(options, check)
    result = {
        "changed": done.changed,
        "events": done.after.events,
        "ignored": done.after.ignored,
        "refused": done.after.refused,
        **_place(options, database.locate(options["url"])),
        **view.build(done.after, _about(done.identity), options["only"]),
    }
    if diff:
        result["diff"] = {"before": view.outline(done.before), "after": view.outline(done.after)}
    return result


def change(options: Options, check: bool) -> Outcome:
    """The whole step in one transaction, which is undone in check mode."""
    place = database.locate(options["url"])
    state, path = options["state"], None if options["signing_key"] else _key_path(options, place)
    if path is None and not options["signing_key"]:
        raise VpnKeysError(
            "bad_input",
            f"O(signing_key_path) or O(signing_key) is needed for the directory {place.where}",
            state=NOTHING_CHANGED,
        )
    absent = database.missing_file(place)
    if absent and state != "present":
        raise _no_directory(place)
    with database.transaction(place, write=True, memory=check and absent) as connection:
        fresh = migrations.revision_of(connection) is None
        if fresh and state != "present":
            raise _no_directory(place)
        upgraded = migrations.upgrade(connection, place.where)
        now = database.now(connection)
        identity = None if fresh else store.found(connection, place.where)
        created = identity is None
        rename = False
        if identity is None:
            key = _first_key(options, path)
            identity = store.create(connection, key, now)
        else:
            key, rename = _signing_key(options, path, identity, place)
        trusted = signing.anchor(options["verify_key"]) if options["verify_key"] else _fingerprint(key)
        before = store.load(connection, identity, store.verifier(identity, trusted, place.where))
        context = _context(options, now, check)
        if state == "rekeyed":
            # With a name still to be changed, the last run was killed between its last two steps.
            new = None if rename else _next_key(options, path, identity, check)
            done = Outcome(rename, before, before, identity)
            if new:
                done = _rekey(connection, done, key, new, context)
                rename = path is not None
        else:
            after = changes.apply(before, state, options, context)
            if upgraded:
                acknowledgements.compact(after, now)
            done = Outcome(store.save(connection, before, after, key) or upgraded, before, after, identity)
        if check:
            database.rollback(connection)
        elif created and path and key_file.read(path) is None:
            key_file.write(path, key)
    if rename and path and not check:
        _settle(path)
    return done


def _settle(path: str) -> None:
    """The last step of a change of keys."""
    try:
        key_file.move(f"{path}.new", path)
    except OSError as error:
        raise VpnKeysError(
            "signing_key",
            f"The directory is signed by its new key now, but {path}.new cannot be renamed to {path}: "
            f"{error.strerror}",
            state="Nothing is lost",
            advice="the next run that can write there finishes it",
        ) from None


def _rekey(
    connection: sa.Connection,
    done: Outcome,
    old: ed25519.Ed25519PrivateKey,
    new: ed25519.Ed25519PrivateKey,
    context: Context,
) -> Outcome:
    identity = store.rekey(connection, done.identity, old, new, context.now)
    after = store.load(connection, identity, signing.public_der(new))
    details = {"fingerprint": identity.fingerprint}
    after.events.append(event(context, "rekeyed", outcome="done", details=details))
    store.log(connection, after.events)
    return Outcome(True, done.before, after, identity)


def _context(options: Options, now: str, check: bool) -> Context:
    me = options["holder"] or lock_owner.describe(os.getpid())
    return Context(
        by=options["by"] or str(me.get("user")),
        why=options["why"],
        now=now,
        holder=dict(me),
        lease=options["lease"],
        take_over=options["take_over"],
        is_gone=lock_owner.is_gone,
        check=check,
    )


def _first_key(options: Options, path: str | None) -> ed25519.Ed25519PrivateKey:
    """Of a new directory: the one that is given or lies there already, or a new one."""
    if path is None:
        return _from_text(options["signing_key"], "signing_key")
    return key_file.read(path) or signing.new_private_key()


def _signing_key(
    options: Options, path: str | None, identity: store.Identity, place: Place
) -> tuple[ed25519.Ed25519PrivateKey, bool]:
    """The key that signs now, and whether its file still has the name PATH.new."""
    if path is None:
        key = _from_text(options["signing_key"], "signing_key")
        if options["state"] == "rekeyed" and options["new_signing_key"]:
            # A run again after the keys were exchanged: nothing is left to do for the former one.
            new = _from_text(options["new_signing_key"], "new_signing_key")
            key = new if _fingerprint(new) == identity.fingerprint else key
    else:
        pending = key_file.read(f"{path}.new")
        if pending and _fingerprint(pending) == identity.fingerprint:
            return pending, True
        found = key_file.read(path)
        if found is None:
            raise VpnKeysError(
                "signing_key",
                f"The directory {place.where} exists, but its signing key {path} does not",
                state=NOTHING_CHANGED,
                advice="restore the key from a backup, or set O(signing_key_path) or O(signing_key)",
            )
        key = found
    if _fingerprint(key) != identity.fingerprint:
        raise VpnKeysError(
            "signing_key",
            f"The directory {place.where} is signed by the key {identity.fingerprint[:12]}, and the signing key given "
            f"is {_fingerprint(key)[:12]}",
            state=NOTHING_CHANGED,
            advice="give the key of this directory",
        )
    return key, False


def _next_key(
    options: Options, path: str | None, identity: store.Identity, check: bool
) -> ed25519.Ed25519PrivateKey | None:
    """The key that is to sign from now on; None if it does already. A file with it is on the disk before it is used,
    and one that a killed run left there is used."""
    if path is None:
        if not options["new_signing_key"]:
            raise VpnKeysError(
                "bad_input",
                "state=rekeyed with O(signing_key) needs O(new_signing_key) too",
                state=NOTHING_CHANGED,
            )
        new = _from_text(options["new_signing_key"], "new_signing_key")
        return None if _fingerprint(new) == identity.fingerprint else new
    pending = key_file.read(f"{path}.new")
    if pending is None:
        pending = signing.new_private_key()
        if not check:
            key_file.write(f"{path}.new", pending)
    return pending
