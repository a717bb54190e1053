# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ctrl-C and SIGTERM while keys are being changed: the first one lets the devices in hand be finished and begins no
other one; the second one ends the work at once.

A task runs in a worker, a fork of Ansible's main process. Left alone, the main process ends both at the first signal,
or leaves the worker behind, as its release has it. So here the main process only takes note of the first one where
the task itself tells in its result that it was interrupted, and the play goes on to report that; of other tasks it
waits in its signal handler until no worker has a device in hand, and then ends as it would have without waiting. Where
nothing is in hand it ends at once, and says what is under way by the directory of the gateways. The two see each
other's bytes in a page of memory that forks share: no signal, pipe or lock of Ansible's is needed for that.
"""

from __future__ import annotations

import asyncio
import mmap
import multiprocessing
import os
import signal
import threading
import time
import typing as t
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

SIGNALS = (signal.SIGINT, signal.SIGTERM)
STDERR = 2
POLL = 0.05
"""Seconds."""
ECHO = 1.0
"""Seconds in which another signal is the same one: what wraps Ansible may pass on what the whole group got."""
LAST_WORDS = 5.0
"""Seconds that a worker gets to say what is half done."""

_page = mmap.mmap(-1, 1 << 16)
_ASKED = 0
"""Where in the page the main process says how often it was asked to end. Every worker has a byte of its own, which
says whether it has devices in hand."""
_LEAVES, _REPORTS = b"\1", b"\2"
"""What such a byte says: after an interrupt the run ends with the task, or the task's result tells of it."""
_prepared = False
_under_way = mmap.mmap(-1, 1 << 12)
"""What the user has to know of work that is open, as UTF-8; of a run that ends at once nobody sees a report."""


@dataclass
class _Main:
    """The main process of Ansible. `before`: how it handled each signal until now."""

    pid: int
    before: dict[int, t.Any]
    first: float = 0.0

    def receive(self, number: int, frame: t.Any) -> None:
        if os.getpid() != self.pid:
            self._pass_on(number, frame)
        elif self._is_an_echo():
            return
        elif not _busy():
            # A worker that is just about to begin must see it.
            before, _page[_ASKED] = _page[_ASKED], _page[_ASKED] or 1
            _tell_what_is_under_way()
            self._pass_on(number, frame)
            _page[_ASKED] = before
        else:
            self._count()
            if _page[_ASKED] > 1 or _busy(_LEAVES):
                self._wait()
                # As Ctrl-C ends it, for SIGTERM as well: what workers said is shown, and callbacks write their files.
                self._pass_on(signal.SIGINT, frame)
                raise KeyboardInterrupt

    def _is_an_echo(self) -> bool:
        return bool(self.first) and time.monotonic() - self.first < ECHO

    def _count(self) -> None:
        if not _page[_ASKED]:
            self.first = time.monotonic()
        _page[_ASKED] = min(_page[_ASKED] + 1, 2)

    def _wait(self) -> None:
        end = time.monotonic() + LAST_WORDS
        while _busy() and not (_page[_ASKED] > 1 and time.monotonic() > end):
            time.sleep(POLL)

    def _pass_on(self, number: int, frame: t.Any) -> None:
        handler = self.before.get(number)
        if callable(handler):
            handler(number, frame)
        elif handler == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def prepare() -> None:
    """For the main process: it imports actions before it forks workers for them. A signal that it ignores stays so."""
    global _prepared
    in_worker = multiprocessing.parent_process() is not None
    if _prepared or in_worker or threading.current_thread() is not threading.main_thread():
        return
    _prepared = True
    found = {number: signal.getsignal(number) for number in SIGNALS}
    handled: dict[int, t.Any] = {number: one for number, one in found.items() if one != signal.SIG_IGN}
    main = _Main(os.getpid(), handled)
    for number in handled:
        signal.signal(number, main.receive)


def leave_the_terminal() -> None:
    """For a worker: Ctrl-C must reach neither it nor the ssh of a ProxyCommand, only the main process. From 2.19 on,
    ansible-core does that for every worker."""
    if multiprocessing.parent_process() is not None:
        with suppress(OSError):
            os.setpgid(0, 0)


@contextmanager
def in_hand(*, reports: bool = False) -> Iterator[Callable[[], int]]:
    """For a worker: from here on it changes devices. Yields how often it was asked to end; twice means at once. A main
    process that is gone has asked once. `reports`: the result of the task says that it was interrupted, and fails."""
    parent, place = os.getppid(), _place()
    before = {number: signal.signal(number, _nothing) for number in SIGNALS}
    _page[place] = ord(_REPORTS if reports else _LEAVES)
    try:
        yield lambda: _page[_ASKED] or int(os.getppid() != parent)
    finally:
        _page[place] = 0
        if os.getppid() != parent:
            os._exit(1)  # nobody takes the result, and the pipe for it may be full
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


async def watch(asked: Callable[[], int], say: Callable[[int], None]) -> None:
    """Says when it was asked to end, once each time; after the second time this process ends, as if it were killed."""
    said = 0
    while said < 2:
        await asyncio.sleep(POLL)
        if (now := asked()) > said:
            say(said := now)
    _page[_place()] = 0
    os._exit(1)


def note_under_way(text: str) -> None:
    """For a worker: what the user is told if the run is interrupted from here on, until another one says otherwise."""
    data = text.encode()[: len(_under_way) - 1]
    _under_way[:] = data.ljust(len(_under_way), b"\0")


def _tell_what_is_under_way() -> None:
    if text := bytes(_under_way[:]).rstrip(b"\0"):
        note_under_way("")
        # Not by Ansible's display, which the signal may have stopped in the middle of a line.
        with suppress(OSError):
            os.write(STDERR, b"\nvpnops.keys: " + text + b"\n")


def _busy(*kinds: bytes) -> bool:
    return any(_page.find(kind, _ASKED + 1) != -1 for kind in kinds or (_LEAVES, _REPORTS))


def _place() -> int:
    return _ASKED + 1 + os.getpid() % (len(_page) - 1)


def _nothing(*dummy: t.Any) -> None:
    # Not SIG_IGN, which the ssh of a ProxyCommand would inherit.
    return None
