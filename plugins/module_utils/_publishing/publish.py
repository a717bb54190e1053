# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One publication of a directory: the module's options in, its result out. PRIVATE to the collection."""

from __future__ import annotations

import os
import time
import typing as t
from collections.abc import Mapping

from .._directory import database, note, signers, transaction
from .._directory.options import ABOUT_GATEWAYS
from .._directory.signing import Signer
from .._errors import NOTHING_CHANGED, VpnKeysError
from . import entries, folder, publication, tree
from .publication import Publication

Data = t.Dict[str, t.Any]  # noqa: UP006, read as Python 3.8
DAY = 86_400


def publish(options: Mapping[str, t.Any], check: bool) -> Data:
    """The result of key_directory_publish. Raises VpnKeysError."""
    path, salt = os.path.abspath(options["path"]), options["name_salt"] or ""
    if not 1 <= options["valid_days"] <= 365:
        raise VpnKeysError("bad_input", "O(valid_days) is not between 1 and 365", state=NOTHING_CHANGED)
    view = transaction.read({**ABOUT_GATEWAYS, **options, "events_limit": 0, "fail_on_tampered": True})
    key = _signing_key(options, view)
    files, one = _made(view, salt, options["valid_days"])
    signed = note.sign(publication.text(one), one.origin, key)
    done = folder.publish(path, one, signed, files, note.raw(key.public_key()), check)
    shown = one if done.changed or done.before is None else done.before
    return {
        "changed": done.changed,
        "path": path,
        "publication": {**shown._asdict(), "root": shown.root.hex(), "directory": shown.directory.hex()},
        "verify_key": note.verifier_key(one.origin, note.raw(key.public_key())),
        "files_written": done.files,
        "bytes_written": done.size,
        "files_removed": done.removed,
        "excluded": sorted({one["gateway"] for one in view["directory"]["tampered"] if one["gateway"]}),
        "diff": {"before": _outline(done.before), "after": _outline(shown)},
    }


def _made(view: Data, salt: str, days: int) -> t.Tuple[t.Dict[str, bytes], Publication]:  # noqa: UP006
    directory, now = view["directory"], int(time.time())
    newest = directory["checkpoint"]
    lines = entries.lines(view, salt)
    if newest is None:
        raise VpnKeysError(
            "bad_input",
            "The directory has no checkpoint yet",
            state=NOTHING_CHANGED,
            advice="run vpnops.keys.key_directory with state=present once",
        )
    if len(lines) > tree.MOST or max(map(len, lines), default=0) > tree.LONGEST_LINE:
        raise VpnKeysError(
            "bad_input",
            f"The directory is too large to be published: at most {tree.MOST} gateways, with {tree.LONGEST_LINE >> 10} "
            "KiB of keys and networks each",
            state=NOTHING_CHANGED,
            advice="purge gateways that are not needed any more, with vpnops.keys.key_directory and state=purged",
        )
    root, files = tree.built(lines)
    one = Publication(
        origin=publication.origin(directory["id"], salt),
        size=len(lines),
        root=root,
        number=newest["number"],
        directory=bytes.fromhex(newest["root"]),
        revision=directory["revision"],
        time=now,
        expires=now + days * DAY,
    )
    return files, one


def _signing_key(options: Mapping[str, t.Any], view: Data) -> Signer:
    """The one that signs the directory now."""
    wanted = view["directory"]["key_fingerprint"]
    source = signers.source(options, database.locate(options["url"]))
    key = source.current(wanted)[0] if source else None
    if key is None or signers.fingerprint_of(key) != wanted:
        raise VpnKeysError(
            "signing_key",
            f"A publication must be signed by the key of the directory ({wanted[:12]}), which is not set",
            state=NOTHING_CHANGED,
            advice=signers.SET_ONE,
        )
    return key


def _outline(one: Publication | None) -> str:
    if one is None:
        return ""
    return f"number: {one.number}\nentries: {one.size}\nroot: {one.root.hex()}\nrevision: {one.revision}\n"
