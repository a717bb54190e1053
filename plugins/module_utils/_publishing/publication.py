# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The signed text at the top of a publication: which list of keys is the newest one. Pure. PRIVATE to the collection;
standard library only.

It is a checkpoint (https://c2sp.org/tlog-checkpoint) in a signed note (https://c2sp.org/signed-note). Its number is
that of the directory's own checkpoint, whose root it has, too: so all publishers of one directory count alike, and
gateways that fetch it see a directory that was put back to what it was.
"""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t

from .._directory import note_lines
from . import ed25519

LONGEST = 4096
"""Bytes of a signed note."""
_FORM = re.compile(
    r"(?P<origin>vpnops\.keys/[A-Za-z0-9-]{1,64}/gateways(?:/[0-9a-f]{16})?)\n"
    r"(?P<size>0|[1-9][0-9]{0,5})\n(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"number (?P<number>[1-9][0-9]{0,8})\ndirectory (?P<directory>[A-Za-z0-9+/]{43}=)\n"
    r"revision (?P<revision>0|[1-9][0-9]{0,14})\ntime (?P<time>[0-9]{1,12})\nexpires (?P<expires>[0-9]{1,12})\n"
)


class Publication(t.NamedTuple):
    """`size`: of how many entries; `root`: of their tree; `directory`: the root of the directory's own checkpoint of
    that number; both are 32 bytes. `revision`: of the directory. `time`, `expires`: Unix seconds."""

    origin: str
    size: int
    root: bytes
    number: int
    directory: bytes
    revision: int
    time: int
    expires: int


def origin(directory: str, salt: str = "") -> str:
    """Of the publication of a directory. With another salt all names are others, so it is another publication."""
    mark = f"/{hashlib.sha256(salt.encode()).hexdigest()[:16]}" if salt else ""
    return f"vpnops.keys/{directory}/gateways{mark}"


def text(one: Publication) -> str:
    lines = (
        one.origin,
        str(one.size),
        base64.b64encode(one.root).decode(),
        f"number {one.number}",
        f"directory {base64.b64encode(one.directory).decode()}",
        f"revision {one.revision}",
        f"time {one.time}",
        f"expires {one.expires}",
    )
    return "".join(f"{line}\n" for line in lines)


def parse(found: str) -> Publication | None:
    """None for any other text."""
    match = _FORM.fullmatch(found)
    if not match:
        return None
    return Publication(
        match["origin"],
        int(match["size"]),
        base64.b64decode(match["root"]),
        int(match["number"]),
        base64.b64decode(match["directory"]),
        int(match["revision"]),
        int(match["time"]),
        int(match["expires"]),
    )


def opened(signed: bytes, origin: str, public: bytes) -> Publication | None:
    """What this key (32 bytes) signed as the publication of that origin; None for anything else."""
    try:
        whole = signed.decode("utf-8")
    except UnicodeDecodeError:
        return None
    found = None if len(signed) > LONGEST else note_lines.opened(whole, origin, public, ed25519.verify)
    one = None if found is None else parse(found)
    return one if one and one.origin == origin else None
