# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The newest checkpoint that this control node has seen, in a file of its own. PRIVATE to the collection.

The database cannot show that all of it was put back to what it was once; who remembers can. The file is read before
the database, so that what others write meanwhile never looks older than it.
"""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Callable

from .._checkpoint import Checkpoint
from .._errors import NOTHING_CHANGED, VpnKeysError
from . import key_file

SUFFIX = ".witness"


class Seen(t.NamedTuple):
    """`root`: hex."""

    directory: str
    number: int
    root: str


def read(path: str | None) -> Seen | None:
    """None where nothing was seen yet. Raises VpnKeysError(bad_input)."""
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        seen = Seen(found["directory"], found["number"], found["root"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise _unreadable(path) from None
    if not (isinstance(seen.number, int) and isinstance(seen.directory, str) and isinstance(seen.root, str)):
        raise _unreadable(path)
    return seen


def _unreadable(path: str) -> VpnKeysError:
    return VpnKeysError(
        "bad_input",
        f"{path}, which holds the newest checkpoint that was seen from here, cannot be read",
        state=NOTHING_CHANGED,
        advice="restore it from a backup, or delete it if the directory is known to be the newest",
    )


def keep(path: str | None, found: Checkpoint | None) -> None:
    """Keep the newer one. A reader without the right to write there remembers nothing."""
    if path is None or found is None:
        return
    now = Seen(found.directory, found.number, found.root.hex())
    try:
        before = read(path)
        if before and before.directory == now.directory and before.number >= now.number:
            return
        key_file.replace(path, json.dumps(now._asdict()) + "\n")
    except OSError:
        pass


def against(seen: Seen | None, found: Checkpoint | None, root_at: Callable[[int], bytes | None]) -> str | None:
    """What is wrong with a directory whose newest checkpoint is this. `root_at`: of an earlier one, None where
    there is none with that number."""
    if seen is None or found is None:
        return None
    if seen.directory != found.directory:
        return "another directory"
    if seen.number > found.number:
        return "rolled back"
    root = found.root if seen.number == found.number else root_at(seen.number)
    # A number that the directory has jumped over: somebody accepted to forget it, with the signing key.
    return None if root is None or root.hex() == seen.root else "two histories"


def path_of(given: str | None, key_path: str | None) -> str | None:
    if given:
        return os.path.abspath(os.path.expanduser(given))
    return f"{key_path}{SUFFIX}" if key_path else None
