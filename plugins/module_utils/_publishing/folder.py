# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A publication in a folder: at every instant a reader finds a whole one, the old or the new. PRIVATE to the
collection.

    FOLDER/checkpoint       the signed note
    FOLDER/files/NAME       pages and tiles, each named by what is in it
    FOLDER/.lock, .unused   who writes, and since when files are not part of the newest publication
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import typing as t
from collections.abc import Iterator, Mapping

from .._errors import NOTHING_CHANGED, VpnKeysError
from .publication import Publication, opened

CHECKPOINT, FILES, LOCK, UNUSED = "checkpoint", "files", ".lock", ".unused"
PARTIAL = ".partial"
GRACE = 86_400.0
"""Seconds that a file stays after it was needed last: who has the older checkpoint still finds all of it."""


class Written(t.NamedTuple):
    """`before`: what was published; `files`: how many are new, with `size` bytes; `removed`: how many are gone."""

    changed: bool
    before: Publication | None
    files: int = 0
    size: int = 0
    removed: int = 0


def publish(
    path: str, one: Publication, signed: str, files: Mapping[str, bytes], public: bytes, check: bool = False
) -> Written:
    """Raises VpnKeysError; then the old publication is whole. `public`: the key (32 bytes) that signed."""
    try:
        with contextlib.nullcontext() if check else _locked(path):
            before = _before(path, one, public)
            new = sorted(name for name in files if not os.path.exists(os.path.join(path, FILES, name)))
            if before and not new and not _is_to_be_renewed(before, one):
                return Written(False, before)
            done = Written(True, before, len(new), sum(len(files[name]) for name in new))
            return done if check else done._replace(removed=_write(path, signed, files, new, one.time))
    except OSError as error:
        raise VpnKeysError(
            "save_failed", f"{path} cannot be written: {error.strerror}", state="What was published is whole"
        ) from None


def _before(path: str, one: Publication, public: bytes) -> Publication | None:
    """What is published there, unless another key signed it, as before a change of the directory's key. Raises
    VpnKeysError(conflict) where it must not be replaced."""
    try:
        with open(os.path.join(path, CHECKPOINT), "rb") as file:
            found = file.read(1 << 16)
    except FileNotFoundError:
        return None
    if found.split(b"\n")[0] != one.origin.encode():
        raise VpnKeysError(
            "conflict",
            f"{path} has the publication of another directory, or of this one with another salt",
            state=NOTHING_CHANGED,
            advice="publish to a folder of its own, or empty this one",
        )
    before = opened(found, one.origin, public)
    if before and (before.number > one.number or (before.number == one.number and before.root != one.root)):
        raise VpnKeysError(
            "conflict",
            f"{path} has the publication of checkpoint {before.number}, but the database has checkpoint {one.number}: "
            "it is older than what was published, or its history is another one",
            state=NOTHING_CHANGED,
            advice="check that O(url) is right, and restore the newest backup of the database",
        )
    return before


def _is_to_be_renewed(before: Publication, one: Publication) -> bool:
    """Something has changed, or half of the time is over for which what is there is good."""
    lasting = one.expires - one.time
    return before.number != one.number or not lasting / 2 < before.expires - one.time <= lasting


def _write(path: str, signed: str, files: Mapping[str, bytes], new: list[str], now: float) -> int:
    place = os.path.join(path, FILES)
    for folder in (path, place):
        for name in os.listdir(folder):
            if name.endswith(PARTIAL):  # of a run that was killed
                os.unlink(os.path.join(folder, name))
    for name in new:
        _replace(os.path.join(place, name), files[name])
    _sync(place)
    _replace(os.path.join(path, CHECKPOINT), signed.encode())
    _sync(path)
    return _collect(path, files, now)


def _collect(path: str, used: t.Container[str], now: float) -> int:
    """Remove what has not been part of a publication for long."""
    place, since = os.path.join(path, FILES), _unused(path)
    unused = {name: since.get(name, now) for name in os.listdir(place) if name not in used}
    gone = [name for name, moment in unused.items() if not now - GRACE < moment <= now]
    for name in gone:
        os.unlink(os.path.join(place, name))
    left = {name: moment for name, moment in sorted(unused.items()) if name not in gone}
    _replace(os.path.join(path, UNUSED), json.dumps(left).encode())
    return len(gone)


def _unused(path: str) -> dict[str, float]:
    """When each was needed last, as far as that is known."""
    try:
        with open(os.path.join(path, UNUSED), encoding="utf-8") as file:
            found = json.load(file)
    except (FileNotFoundError, ValueError):
        return {}
    known = found if isinstance(found, dict) else {}
    return {name: moment for name, moment in known.items() if isinstance(moment, (int, float))}


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """One at a time. The lock ends with the process, however that ends."""
    os.makedirs(os.path.join(path, FILES), mode=0o755, exist_ok=True)
    handle = os.open(os.path.join(path, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VpnKeysError(
                "in_use", f"Another run publishes to {path}", state=NOTHING_CHANGED, advice="run this again later"
            ) from None
        yield
    finally:
        os.close(handle)


def _replace(path: str, data: bytes) -> None:
    """Whole and on the disk before it has its name; for everybody to read."""
    handle = os.open(path + PARTIAL, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(handle, left) :]
        os.fchmod(handle, 0o644)
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(path + PARTIAL, path)


def _sync(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
