# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the timer of a gateway runs, and a person by hand. PRIVATE to the collection; standard library only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import typing as t

from .._errors import VpnKeysError
from .._gateway import detached, files
from .._gateway.managed import open_platform
from . import source
from .config import load
from .fetch import Fetch

SECONDS = 300.0
"""For everything that is fetched."""
EXITS = {"timeout": 3, "unreachable": 3, "tampered": 4, "blocked": 5, "refused": 6}
"""By code; all else is 1."""


def main() -> int:
    try:
        with _alone() as alone:
            return _fetched() if alone else _said("Another fetch is already running; nothing was done.", 0)
    except VpnKeysError as error:
        return _said(str(error), EXITS.get(error.code, 1))


def _fetched() -> int:
    config = load()
    origin = source.opened(config.url, config.ca)
    fetch = Fetch(config, origin, open_platform(config.daemon))
    try:
        with source.limited(SECONDS, config.url):
            found = fetch.download()
        done = fetch.store(found)
    except VpnKeysError as error:
        fetch.end(str(error), error.code)
        raise
    finally:
        origin.close()
    fetch.end(done)
    return _said(done, 0)


def _said(text: str, code: int) -> int:
    (sys.stderr if code else sys.stdout).write(f"{text}\n")
    return code


@contextlib.contextmanager
def _alone() -> t.Iterator[bool]:
    """Whether no other fetch is going on here."""
    files.private_directory(detached.RUNTIME)
    handle = os.open(os.path.join(detached.RUNTIME, "fetch.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.SECRET)
    try:
        yield _taken(handle)
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
