# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a task that works on many devices in one event loop tells the callback how far it is.

A task runs in a fork of ansible-playbook; the callback opens a pipe before, which every fork inherits. Without that
callback there is no pipe, and nothing is told. A count says where the task stands as a whole, so one may get lost.
"""

from __future__ import annotations

import json
import os
import typing as t
from contextlib import suppress
from dataclasses import dataclass

WHOLE = 500
"""Bytes of text that arrive whole, however they are escaped: of a pipe, 4096 do."""
_writer: int | None = None
_task = ""


def opened() -> int:
    """For the callback: a pipe is there from now on; where to read from it."""
    global _writer
    reader, _writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(_writer, False)
    return reader


def closed(reader: int) -> None:
    """For the callback: nobody listens any more."""
    global _writer
    for end in (reader, _writer):
        if end is not None:
            os.close(end)
    _writer = None


def is_open() -> bool:
    """Whether the callback listens."""
    return _writer is not None


def begin(task: str) -> None:
    """For the task: which one it is. A fork runs one task."""
    global _task
    _task = task


@dataclass
class Count:
    """For the task: counts its devices, or its moves on them, and tells."""

    total: int
    what: t.Literal["devices", "operations"] = "devices"
    done: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        self._tell()

    def one(self, *, failed: bool = False) -> None:
        """One more is done."""
        self.done += 1
        self.failed += failed
        self._tell()

    def _tell(self) -> None:
        if self.total:
            tell(self.what, total=self.total, done=self.done, failed=self.failed)


def tell(what: str, **more: t.Any) -> None:
    """For the task: one message. Short ones arrive whole."""
    if _writer is not None:
        # Full, or closed by a callback that has finished: neither is worth a word.
        with suppress(OSError):
            os.write(_writer, json.dumps({"task": _task, "what": what, **more}).encode() + b"\n")


def tell_text(data: bytes) -> None:
    """For the task: what it writes to the terminal by itself, which the main process does for it."""
    for start in range(0, len(data), WHOLE):
        tell("text", text=data[start : start + WHOLE].decode(errors="replace"))


def messages(data: bytes) -> list[dict[str, t.Any]]:
    """For the callback: what was read. Each message was written at once, so only the last one may be cut off."""
    found = []
    for line in data.split(b"\n"):
        with suppress(ValueError):
            found.append(json.loads(line))
    return [one for one in found if isinstance(one, dict)]
