# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that the collection keeps on a gateway: as they shall be, as they are, and the difference. PRIVATE to the
collection; standard library only.
"""

from __future__ import annotations

import hashlib
import os
import stat
import typing as t

from .._errors import NOTHING_CHANGED, VpnKeysError
from . import files


class File(t.NamedTuple):
    """A file as it shall be. `shown`: whether a diff may say what is in it."""

    path: str
    text: str
    mode: int
    shown: bool = True


class Change(t.NamedTuple):
    """One thing that is not as it shall be, in words."""

    what: str
    before: str
    after: str


def converge(place: str, wanted: t.Iterable[File]) -> None:
    try:
        os.makedirs(place, mode=0o755, exist_ok=True)
    except OSError as error:
        raise VpnKeysError(
            "save_failed", f"{place} cannot be created: {error.strerror}", state=NOTHING_CHANGED
        ) from None
    for file in wanted:
        if difference(file):
            files.write(file.path, file.text, file.mode)
            os.chmod(file.path, file.mode)


def difference(file: File) -> Change | None:
    there = files.read(file.path)
    mode = stat.S_IMODE(os.stat(file.path).st_mode) if there is not None else None
    if there == file.text and mode == file.mode:
        return None
    after = f"mode {file.mode:04o}, {_about(file, file.text)}"
    before = "absent" if there is None else f"mode {mode:04o}, {_about(file, there)}"
    return Change(file.path, before, after)


def diff(what: str, changes: t.Sequence[Change]) -> dict[str, str]:
    """As Ansible shows it."""
    return {
        "before_header": what,
        "after_header": what,
        "before": "".join(f"{change.what}: {change.before}\n" for change in changes),
        "after": "".join(f"{change.what}: {change.after}\n" for change in changes),
    }


def _about(file: File, text: str) -> str:
    """What a diff says of a text: of a secret nothing, of others which it is."""
    if not file.shown:
        return "not shown"
    return f"SHA-256 {hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()}"
