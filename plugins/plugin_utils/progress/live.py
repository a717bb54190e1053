# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines that stay at the foot of a terminal while other text runs above them."""

from __future__ import annotations

import os
import re
import select
import threading
import time
import typing as t
from collections.abc import Callable
from contextlib import suppress

COLORS = re.compile("\x1b\\[[0-9;]*m")
CLEAR = b"\r\x1b[2K"
UP = b"\x1b[1A\x1b[2K"
QUIET_PERIOD = 0.15
"""Seconds after a text like a question until the lines come back: if it is one, Ansible holds the lock by then."""
QUESTION = (b":", b"?")
"""What questions end with."""
TICK = 0.2


class StatusLines:
    """The lines themselves. Whatever is written to the terminal by this process appears above them.

    They are only painted while `lock` is free, which Ansible holds while it writes, and while it asks a question. What
    a fork of this process writes goes to `elsewhere`: it cannot know what is painted now.
    """

    def __init__(
        self,
        terminal: t.TextIO,
        others: t.Iterable[t.TextIO],
        lock: threading.RLock,
        elsewhere: Callable[[bytes], None],
    ) -> None:
        self._fd, self._encoding = terminal.fileno(), terminal.encoding
        self._lock, self._elsewhere = lock, elsewhere
        self._pid = os.getpid()
        self._lines: list[str] = []
        self._painted: list[int] = []
        self._text_at = 0.0
        self._open_line = False
        self._asking = False
        for stream in (terminal, *others):
            if stream.isatty():
                self._watch(stream)

    def _watch(self, stream: t.TextIO) -> None:
        # As Ansible itself does for its lock: what holds the stream elsewhere must be watched as well.
        buffer: t.Any = stream.buffer
        write: Callable[[t.Any], int] = buffer.write

        def watched(data: t.Any) -> int:
            if os.getpid() != self._pid:
                self._elsewhere(bytes(data))
                return len(data)
            with self._lock:
                self._text_at = time.monotonic()
                self._open_line = bool(data) and bytes(data)[-1:] != b"\n"
                self._asking = bytes(data).rstrip()[-1:] in QUESTION
                if self._painted and not self._open_line and not self._asking:
                    # At once, and in one piece: while one line follows the other, the lines must not flicker.
                    buffer.flush()
                    self._show(bytes(data))
                    return len(data)
                self.remove()
                return write(data)

        buffer.write = watched

    @property
    def size(self) -> os.terminal_size:
        with suppress(OSError):
            found = os.get_terminal_size(self._fd)
            if found.columns and found.lines:
                return found
        return os.terminal_size((80, 24))

    def paint(self, lines: list[str]) -> None:
        """Show these instead of those before, if nothing else is under way."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._open_line or (self._asking and time.monotonic() - self._text_at < QUIET_PERIOD):
                return
            self._lines = lines
            self._show()
        finally:
            self._lock.release()

    def _show(self, above: bytes = b"") -> None:
        self._write(self._removal() + above + "\n".join(self._lines).encode(self._encoding, "replace"))
        self._painted = [len(COLORS.sub("", line)) for line in self._lines]

    def remove(self) -> None:
        with self._lock:
            if self._painted:
                self._write(self._removal())
                self._painted = []

    def _removal(self) -> bytes:
        """A terminal that was made narrower has wrapped them since."""
        columns = self.size.columns
        rows = sum(max(1, -(-width // columns)) for width in self._painted)
        return CLEAR + UP * (rows - 1)

    def _write(self, data: bytes) -> None:
        with suppress(OSError):
            while data:
                data = data[os.write(self._fd, data) :]


class Ticker:
    """Does something several times a second, and at once when there is something to read."""

    def __init__(self, reader: int, read: Callable[[bytes], None], tick: Callable[[], None]) -> None:
        self._reader, self._read, self._tick = reader, read, tick
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vpnops.keys.progress", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.drain()
            self._tick()
            self._stop.wait(TICK)

    def drain(self) -> None:
        if select.select([self._reader], [], [], 0)[0]:
            with suppress(OSError):
                self._read(os.read(self._reader, 1 << 20))

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self.drain()
