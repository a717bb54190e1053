# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The terminal line: echo, editing, scrolling, paging.

Characters wait in a type-ahead buffer and are echoed only when somebody reads them, as IOS does. CR, LF and CR LF
each end one line. Text is str with one character per byte (latin-1); callers write "\\n", the wire sees "\\r\\n".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

MORE = " --More-- "
ERASE_MORE = "\b" * 9 + " " * 8 + "\b" * 9
_SPECIAL = re.compile(r"[^ -~\x80-\xff]|\?")
_UNPRINTABLE = re.compile(r"[^ -~\x80-\xff]")
_LINE_END = re.compile(r"[\r\n]")

EndedBy = Literal["enter", "ctrl-c", "ctrl-z", "help", "tab"]


class Hangup(Exception):
    """The other side is gone, or a fault cut the line."""


@dataclass
class Line:
    """What was read, and the key that ended it. For help and tab, `text` is what stands before the cursor."""

    text: str
    ended_by: EndedBy = "enter"


@dataclass
class _Editor:
    """A line being typed at a prompt, with the part of it that the screen shows."""

    terminal: Terminal
    prompt: str
    text: str = ""
    cursor: int = 0
    start: int = 0  # first visible character: the line has scrolled when it is not 0

    def room(self) -> int:
        """Columns for text; 0: no limit."""
        return max(self.terminal.width - len(self.prompt), 8) if self.terminal.width else 0

    def insert(self, text: str) -> None:
        """Type printable characters at the cursor, as one echo."""
        limit = self.terminal.max_line - len(self.text)
        if len(text) > limit:
            self.terminal.write_raw("\a" * (len(text) - limit))
            text = text[:limit]
        if self.cursor < len(self.text):
            for char in text:
                tail = self.text[self.cursor :]
                self.text = self.text[: self.cursor] + char + tail
                self.cursor += 1
                self.terminal.write_raw(char + tail + "\b" * len(tail))
            return
        room = self.room()
        while text:
            fits = room - 1 - (self.cursor - self.start) if room else len(text)
            part, text = text[: max(fits, 0)], text[max(fits, 0) :]
            self.text += part
            self.cursor += len(part)
            self.terminal.write_raw(part)
            if text:
                self._scroll()

    def _scroll(self) -> None:
        """Shift the line left by a quarter of the screen: `$` stands for what is hidden.

        The quarter is measured on a transcript: width 80, 12 columns of prompt, 20 characters gone.
        """
        shown = self.cursor - self.start
        self.start += max(self.terminal.width // 4, 1)
        visible = "$" + self.text[self.start + 1 : self.cursor]
        blank = shown - len(visible)
        head = "\b" * shown if self.terminal.scroll_redraw == "backspace" else "\r" + self.prompt
        self.terminal.write_raw(head + visible + " " * blank + "\b" * blank)

    def erase(self, count: int) -> None:
        """Rub out `count` characters before the cursor."""
        count = min(count, self.cursor)
        if not count:
            return
        tail = self.text[self.cursor :]
        self.text = self.text[: self.cursor - count] + tail
        self.cursor -= count
        visible = min(count, self.cursor + count - self.start)
        if self.start and self.cursor <= self.start:
            self.start = 0
            self.terminal.write_raw("\r" + self.prompt + self.text)
        else:
            self.terminal.write_raw("\b" * visible + tail + " " * visible + "\b" * (visible + len(tail)))

    def move(self, to: int) -> None:
        """Put the cursor somewhere else."""
        to = min(max(to, 0), len(self.text))
        self.terminal.write_raw("\b" * (self.cursor - to) if to < self.cursor else self.text[self.cursor : to])
        self.cursor = to

    def replace(self, text: str) -> None:
        """Another line instead (history)."""
        self.move(len(self.text))
        self.erase(len(self.text))
        self.insert(text)


@dataclass
class Terminal:
    """One terminal line. `sink` takes what goes out; `feed` brings what comes in."""

    sink: Callable[[str], Awaitable[None]]
    width: int = 80
    length: int = 24
    max_line: int = 254
    scroll_redraw: str = "backspace"
    output_wrap: bool = False
    typeahead_limit: int = 0
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._in = ""
        self._out: list[str] = []
        self._wake: asyncio.Event = asyncio.Event()
        self._skip_lf = False
        self._closed = False
        self._reading = False
        self._at_eof = False
        self.last = ""  # the last character that went out

    # -- in
    def feed(self, data: str) -> None:
        """Characters arrived."""
        if self.typeahead_limit and not self._reading:
            data = data[: max(self.typeahead_limit - len(self._in), 0)]
        self._in += data
        self._wake.set()

    def eof(self) -> None:
        """No more input; what was typed ahead is still read."""
        self._at_eof = True
        self._wake.set()

    def close(self) -> None:
        """The line is gone, and what was typed ahead with it."""
        self._closed = True
        self._in = ""
        self._wake.set()

    @property
    def closed(self) -> bool:
        """Whether the line is gone."""
        return self._closed

    @property
    def idle(self) -> bool:
        """Whether somebody waits for input and there is none."""
        return self._reading and not self._in

    def drop_typeahead(self) -> None:
        """Forget what was typed ahead."""
        self._in = ""

    async def _more_input(self) -> None:
        """Wait until something is in the buffer. Hangup when nothing will come."""
        await self.flush()
        while not self._in:
            if self._closed or self._at_eof:
                raise Hangup
            self._wake.clear()
            self._reading = True
            try:
                await self._wake.wait()
            finally:
                self._reading = False
            self._after_cr()
            await self.flush()
        if self._closed:
            raise Hangup

    def _after_cr(self) -> None:
        if self._skip_lf and self._in:
            self._skip_lf = False
            if self._in[0] in "\n\0":
                self._in = self._in[1:]

    async def _char(self) -> str:
        self._after_cr()
        if not self._in:
            await self._more_input()
        char, self._in = self._in[0], self._in[1:]
        if char == "\r":
            self._skip_lf = True
        return char

    def _whole_line(self, special: re.Pattern[str]) -> str | None:
        """The next line, if all of it is in the buffer and needs no editing."""
        self._after_cr()
        end = _LINE_END.search(self._in)
        if end is None or special.search(self._in, 0, end.start()):
            return None
        at = end.start()
        text = self._in[:at]
        self._skip_lf = self._in[at] == "\r"
        self._in = self._in[at + 1 :]
        self._after_cr()
        return text

    async def key(self) -> str:
        """One keystroke, not echoed. CR and LF both come as CR."""
        char = await self._char()
        return "\r" if char == "\n" else char

    async def secret(self) -> Line:
        """A line that is not echoed (the line end neither)."""
        text = ""
        while True:
            whole = self._whole_line(_UNPRINTABLE)
            if whole is not None:
                return Line(text + whole)
            char = await self._char()
            if char in "\r\n":
                return Line(text)
            if char in "\b\x7f":
                text = text[:-1]
            elif char == "\x15":
                text = ""
            elif char in "\x03\x1a":
                return Line("", "ctrl-c")
            elif not _UNPRINTABLE.match(char):
                text += char

    async def answer(self, echo: bool = True) -> Line:
        """A line with plain editing: answers and pasted text. `?` is a character like any other."""
        text = ""
        while True:
            whole = self._whole_line(_UNPRINTABLE)
            if whole is not None:
                if echo:
                    self.write_raw(whole)
                self.write_raw("\r\n")
                return Line(text + whole)
            char = await self._char()
            if char in "\r\n":
                self.write_raw("\r\n")
                return Line(text)
            if char in "\b\x7f":
                if text and echo:
                    self.write_raw("\b \b")
                text = text[:-1]
            elif char == "\x15":
                if echo:
                    self.write_raw("\b \b" * len(text))
                text = ""
            elif char == "\x03" or char == "\x1a":
                self.write_raw("^C\r\n" if char == "\x03" else "^Z\r\n")
                return Line(text, "ctrl-c" if char == "\x03" else "ctrl-z")
            elif char == "\t" or not _UNPRINTABLE.match(char):
                text += char
                if echo:
                    self.write_raw(char)

    async def command(self, prompt: str, typed: str = "") -> Line:
        """A command line at `prompt` with full editing; `typed` already stands there (after `?` help)."""
        self.write_raw(prompt)
        editor = _Editor(self, prompt)
        if typed:
            editor.insert(typed)
        recall = len(self.history)
        while True:
            if editor.cursor == len(editor.text):
                whole = self._whole_line(_SPECIAL)
                if whole is not None:
                    editor.insert(whole)
                    return self._entered(editor)
            char = await self._char()
            if char in "\r\n":
                return self._entered(editor)
            if char == "?":
                self.write_raw("?\r\n")
                return Line(editor.text[: editor.cursor], "help")
            if char == "\t":
                return Line(editor.text[: editor.cursor], "tab")
            if char == "\x03":
                self.write_raw("^C\r\n")
                return Line(editor.text, "ctrl-c")
            if char == "\x1a":
                self.write_raw("^Z\r\n")
                return Line(editor.text, "ctrl-z")
            if char == "\x16":
                char = await self._char()
                editor.insert(char if not _UNPRINTABLE.match(char) else "")
            elif char == "\x1b":
                char = await self._escape()
                if char in ("\x10", "\x0e"):
                    recall = self._recall(editor, recall, char)
                elif char:
                    _edit(editor, char)
            elif char in ("\x10", "\x0e"):
                recall = self._recall(editor, recall, char)
            elif char in _KEYS:
                _edit(editor, char)
            elif not _UNPRINTABLE.match(char):
                editor.insert(char)

    def _entered(self, editor: _Editor) -> Line:
        self.write_raw("\r\n")
        if editor.text.strip():
            self.history.append(editor.text)
            del self.history[:-20]
        return Line(editor.text)

    async def _escape(self) -> str:
        """The control key that an arrow key stands for; empty for any other escape sequence."""
        char = await self._char()
        if char in "[O":
            char = await self._char()
            return {"A": "\x10", "B": "\x0e", "C": "\x06", "D": "\x02"}.get(char, "")
        return ""

    def _recall(self, editor: _Editor, at: int, char: str) -> int:
        at += -1 if char == "\x10" else 1
        if not 0 <= at <= len(self.history):
            self.write_raw("\a")
            return min(max(at, 0), len(self.history))
        editor.replace(self.history[at] if at < len(self.history) else "")
        return at

    # -- out
    def write(self, text: str) -> None:
        """Say something; line feeds become CR LF."""
        if text:
            if self.output_wrap and self.width:
                text = _wrapped(text, self.width)
            self.write_raw(text.replace("\n", "\r\n"))

    def write_raw(self, text: str) -> None:
        """Say something, byte for byte."""
        if text:
            self._out.append(text)
            self.last = text[-1]

    def interrupt(self, message: str, prompt: str | None = None) -> None:
        """A message at any moment. With `prompt` (logging synchronous) the prompt and what was typed come again after
        it.
        """
        self.write_raw(("" if self.last == "\n" else "\r\n") + message + "\r\n")
        if self._reading:
            if prompt is not None:
                self.write_raw(prompt)
            self._wake.set()

    async def flush(self) -> None:
        """Send what was written."""
        if self._out:
            text = "".join(self._out)
            self._out.clear()
            await self.sink(text)

    async def page(self, text: str) -> bool:
        """Say something long, a screen at a time. False when the reader had enough."""
        screen = self.length - 1
        if self.length == 0 or text.count("\n") <= screen:
            self.write(text)
            return True
        room = screen
        for line in text.splitlines(keepends=True):
            rows = 1 + max(len(line) - 2, 0) // self.width if self.width else 1
            if room < rows:
                self.write_raw(MORE)
                key = await self.key()
                self.write_raw(ERASE_MORE)
                if key == "\r":
                    room = rows
                elif key == " ":
                    room = max(screen, rows)
                else:
                    return False
            self.write(line)
            room -= rows
        return True


def _wrapped(text: str, width: int) -> str:
    """Hard line breaks where a terminal of that width ends."""
    lines = text.split("\n")
    return "\n".join("\n".join(line[i : i + width] for i in range(0, max(len(line), 1), width)) for line in lines)


def _word_start(text: str) -> int:
    return len(text.rstrip()) - len((text.split() or [""])[-1])


def _kill(editor: _Editor) -> None:
    end = len(editor.text)
    count = end - editor.cursor
    editor.move(end)
    editor.erase(count)


def _delete(editor: _Editor) -> None:
    if editor.cursor < len(editor.text):
        editor.move(editor.cursor + 1)
        editor.erase(1)


def _redisplay(editor: _Editor) -> None:
    editor.terminal.write_raw("\r\n" + editor.prompt + editor.text)
    editor.start, editor.cursor = 0, len(editor.text)


def _erase_line(editor: _Editor) -> None:
    editor.move(len(editor.text))
    editor.erase(len(editor.text))


_KEYS: dict[str, Callable[[_Editor], None]] = {
    "\b": lambda e: e.erase(1),
    "\x7f": lambda e: e.erase(1),
    "\x15": _erase_line,
    "\x18": _erase_line,
    "\x17": lambda e: e.erase(e.cursor - _word_start(e.text[: e.cursor])),
    "\x01": lambda e: e.move(0),
    "\x05": lambda e: e.move(len(e.text)),
    "\x02": lambda e: e.move(e.cursor - 1),
    "\x06": lambda e: e.move(e.cursor + 1),
    "\x0b": _kill,
    "\x04": _delete,
    "\x12": _redisplay,
    "\x0c": _redisplay,
}


def _edit(editor: _Editor, char: str) -> None:
    _KEYS[char](editor)
