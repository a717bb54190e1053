# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a directory held after each change, as text (https://c2sp.org/tlog-checkpoint). Pure. PRIVATE to the
collection; standard library only.

The tree is that over all records as they were then, not a log that only grows: so the number, and what was before, are
in lines of their own.
"""

from __future__ import annotations

import base64
import re
import typing as t

_FORM = re.compile(
    r"vpnops\.keys/(?P<directory>[^\s+]+)\n(?P<size>0|[1-9][0-9]{0,8})\n(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"number (?P<number>[1-9][0-9]{0,8})\nprevious (?P<previous>[A-Za-z0-9+/]{43}=)\n"
    r"time (?P<time>[0-9T:Z-]{20})\nexpires (?P<expires>[0-9T:Z-]{20})\n"
)


class Checkpoint(t.NamedTuple):
    """`size`: of how many leaves; `previous`: the root before; both roots are 32 bytes."""

    directory: str
    size: int
    root: bytes
    number: int
    previous: bytes
    time: str
    expires: str


def origin(directory: str) -> str:
    return f"vpnops.keys/{directory}"


def text(one: Checkpoint) -> str:
    lines = (
        origin(one.directory),
        str(one.size),
        base64.b64encode(one.root).decode(),
        f"number {one.number}",
        f"previous {base64.b64encode(one.previous).decode()}",
        f"time {one.time}",
        f"expires {one.expires}",
    )
    return "".join(f"{line}\n" for line in lines)


def parse(found: str) -> Checkpoint | None:
    """None for any other text."""
    match = _FORM.fullmatch(found)
    if not match:
        return None
    return Checkpoint(
        match["directory"],
        int(match["size"]),
        base64.b64decode(match["root"]),
        int(match["number"]),
        base64.b64decode(match["previous"]),
        match["time"],
        match["expires"],
    )


def unverified(note: str) -> Checkpoint | None:
    """What a signed note says, without verifying the signature; None for any other text."""
    return parse(note.rpartition("\n\n")[0] + "\n")
