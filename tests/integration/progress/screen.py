# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A terminal: what a person saw there at every moment, and what was left in the end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from integration.control_node import FINISHED_WITHIN, ON_TERMINAL

TOKEN = re.compile(r"\x1b\[(?P<number>\d*)(?P<command>[A-Z])|\x1b\[[0-9;?]*[a-zA-Z]|(?P<char>[^\x1b])")


@dataclass
class Screen:
    """Lines of text and a cursor, as far as a stream of text and bars needs them. Anything else would show as text."""

    width: int
    lines: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    column: int = 0

    def feed(self, text: str) -> None:
        for token in TOKEN.finditer(text):
            if token["char"]:
                self._put(token["char"])
            elif token["command"] == "A":
                self.row = max(0, self.row - int(token["number"] or 1))
            elif token["command"] == "K":
                self.lines[self.row] = "" if token["number"] == "2" else self.lines[self.row][: self.column]

    def _put(self, char: str) -> None:
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self._down()
        elif char.isprintable():
            if self.column == self.width:
                self._down()
                self.column = 0
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + char + line[self.column + 1 :]
            self.column += 1

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append("")

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines).rstrip("\n")


@dataclass(frozen=True)
class Seen:
    code: int
    raw: str = field(repr=False)
    moments: list[str] = field(repr=False)
    """The whole screen after each piece of output."""

    @property
    def end(self) -> str:
        return self.moments[-1]

    def ever(self, pattern: str) -> bool:
        return any(re.search(pattern, moment) for moment in self.moments)


def watch(
    command: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    width: int,
    answers: Sequence[tuple[str, str]] = (),
) -> Seen:
    """Run a command on a terminal of that width, and answer its questions, in this order, as a person would."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, os.ttyname(theirs), *command],
        cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    screen, raw, moments, waiting = Screen(width), "", [], list(answers)
    end = time.monotonic() + FINISHED_WITHIN
    try:
        while time.monotonic() < end:
            if not select.select([ours], [], [], 1.5)[0]:
                # Nothing moves: a question is out, and whatever a bar did to it has been done.
                if waiting and re.search(waiting[0][0], screen.text.rpartition("\n")[2]):
                    os.write(ours, waiting.pop(0)[1].encode() + b"\r")
                continue
            try:
                data = os.read(ours, 65536).decode(errors="replace")
            except OSError:  # Linux says so when the other end is closed
                break
            raw += data
            screen.feed(data)
            moments.append(screen.text)
        assert not waiting, f"{waiting[0][0]!r} was never asked:\n{screen.text}"
        return Seen(process.wait(10), raw, moments)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        os.close(ours)
