# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are whole, the old or the new, after a kill or a full disk at any instant. PRIVATE to the collection."""

from __future__ import annotations

import errno
import grp
import os
import stat
import tempfile

from .._errors import NOTHING_CHANGED, VpnKeysError

SECRET = 0o600
UNFINISHED = ".vpnops.keys.new~"
"""NetworkManager takes a file for one of its own whatever its name ends with, but for this."""
_PROBE = "x" * 16384
_BY_GROUP = 0o040
_OWN = -1  # the owner or the group that the process gives it


def read(path: str) -> str | None:
    """The text of a file, every byte of it kept, None where there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VpnKeysError("unreadable", f"{path} cannot be read: {error.strerror}.") from None


def write(path: str, text: str, mode: int = SECRET, group: str = "") -> None:
    """Replace the text of a file, atomically and durably.

    An existing file keeps its owner and mode; `mode` is for a new one, which `group` can read, too. A symbolic link
    stays one, and its target is written.
    """
    target = os.path.realpath(path)
    beside = target + UNFINISHED
    try:
        try:
            before: os.stat_result | None = os.stat(target)
        except FileNotFoundError:
            before = None
        try:
            if before:
                _fill(beside, text, stat.S_IMODE(before.st_mode), (before.st_uid, before.st_gid))
            else:
                readers = _number(group)
                _fill(beside, text, mode if readers == _OWN else mode | _BY_GROUP, (_OWN, readers))
            os.replace(beside, target)
        except BaseException:
            _clear(beside)
            raise
        _sync_directory(os.path.dirname(target))
    except OSError as error:
        raise VpnKeysError(
            "save_failed", f"{path} cannot be written: {error.strerror}", state="It was not changed"
        ) from None


def remove(path: str) -> None:
    """Remove a file that may be gone already."""
    try:
        os.unlink(path)
        _sync_directory(os.path.dirname(path))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise VpnKeysError("remove_failed", f"{path} cannot be removed: {error.strerror}.") from None


def remove_unfinished(path: str) -> None:
    """Remove what a `write` to that path left that was killed."""
    remove(os.path.realpath(path) + UNFINISHED)


def private_directory(path: str) -> str:
    """Make a directory that only root can look into, with its parents."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        os.chmod(path, 0o700)
    except OSError as error:
        what = f"{path} cannot be created: {error.strerror}"
        raise VpnKeysError("save_failed", what, state=NOTHING_CHANGED) from None
    return path


def why_not_writable(directory: str) -> str:
    """"" when a file of some kilobytes can be written into a directory, which need not be there yet, else one clause
    that says why not."""
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    try:
        _try(directory)
    except OSError as error:
        return f"{directory} cannot be written: {error.strerror}"
    return ""


def _try(directory: str) -> None:
    """Write a file without a name, which changes nothing there. Where the file system has no such files, it is in a
    directory of its own, as daemons read what they find in theirs."""
    try:
        handle = os.open(directory, os.O_WRONLY | os.O_TMPFILE, SECRET)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
        with tempfile.TemporaryDirectory(prefix=".vpnops.keys", dir=directory) as room:
            _fill(os.path.join(room, "probe"), _PROBE, SECRET, (_OWN, _OWN))
        return
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(_PROBE)
        file.flush()
        os.fsync(handle)


def _clear(path: str) -> None:
    """Take away what could not be written, without a word if it is not there: why it could not be is being told."""
    try:
        os.unlink(path)
    except OSError:
        pass


def _fill(path: str, text: str, mode: int, owner: tuple[int, int]) -> None:
    """Write a file that nobody else can open before it has its owner and mode."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)
        file.flush()
        os.fchown(handle, *owner)
        os.fchmod(handle, mode)
        os.fsync(handle)


def _number(group: str) -> int:
    """The number of a group; where there is none of that name, the one that stands for one's own."""
    try:
        return grp.getgrnam(group).gr_gid if group else _OWN
    except KeyError:
        return _OWN


def _sync_directory(path: str) -> None:
    handle = os.open(path or ".", os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
