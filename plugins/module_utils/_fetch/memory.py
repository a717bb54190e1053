# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a gateway remembers of what it fetched: how far it has come, and the files. PRIVATE to the collection; standard
library only.
"""

from __future__ import annotations

import json
import os
import typing as t

from .._errors import VpnKeysError
from .._gateway import files

PLACE = "/var/lib/vpnops.keys/fetch"


class Seen(t.NamedTuple):
    """The newest publication that was believed. `root` and `directory`: hex, see Publication; `stored`: whether all of
    it is stored here; `pending`: whether a peer is about to change its key; `etag`: what the server calls it.

    `code`: "" if all is well, and `msg`: how the last fetch ended, in sentences; `at`: when, in Unix seconds, and
    `succeeded_at`: when it ended well last."""

    origin: str = ""
    number: int = 0
    root: str = ""
    directory: str = ""
    revision: int = 0
    time: int = 0
    expires: int = 0
    stored: bool = False
    pending: bool = False
    etag: str = ""
    code: str = ""
    msg: str = ""
    at: int = 0
    succeeded_at: int = 0


def read(place: str = PLACE) -> Seen | None:
    """None where nothing was fetched yet. Raises VpnKeysError(unreadable): who forgets could be led back."""
    path = os.path.join(place, "seen.json")
    text = files.read(path)
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    kinds = {name: type(value) for name, value in Seen()._asdict().items()}
    if not isinstance(found, dict) or {name: type(value) for name, value in found.items()} != kinds:
        raise VpnKeysError(
            "unreadable", f"{path}, which says what was fetched last, cannot be read", advice="run gateway_fetch again"
        )
    return Seen(**found)


def keep(seen: Seen, place: str = PLACE) -> None:
    files.private_directory(place)
    files.write(os.path.join(place, "seen.json"), json.dumps(seen._asdict()) + "\n")


def kept(name: str, place: str = PLACE) -> bytes | None:
    """A file that was fetched before; None without it. It must be verified again."""
    text = files.read(os.path.join(place, "files", name))
    return None if text is None else text.encode("utf-8", "surrogateescape")


def keep_file(name: str, data: bytes, place: str = PLACE) -> None:
    files.private_directory(os.path.join(place, "files"))
    files.write(os.path.join(place, "files", name), data.decode("utf-8", "surrogateescape"))


def keep_only(names: t.Container[str], place: str = PLACE) -> None:
    """Remove the files of earlier publications, and what a killed run left."""
    folder = os.path.join(place, "files")
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if name not in names:
            files.remove(os.path.join(folder, name))
