# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines at the foot of a terminal, and the text that runs above them."""

from __future__ import annotations

import os
import pty
import select
import threading
import time
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from integration.progress.screen import Screen

from ansible_collections.vpnops.keys.plugins.plugin_utils.progress.live import QUIET_PERIOD, StatusLines

BAR = "Work ━━━╸ 3/7"


@dataclass
class Seen:
    """A terminal with the foot under test."""

    stream: t.TextIO
    reader: int
    screen: Screen = field(default_factory=lambda: Screen(40))
    forked: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.foot = StatusLines(self.stream, [], threading.RLock(), self.forked.append)

    def say(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()

    @property
    def lines(self) -> list[str]:
        while select.select([self.reader], [], [], 0.05)[0]:
            self.screen.feed(os.read(self.reader, 65536).decode())
        return self.screen.text.split("\n")


@pytest.fixture
def seen() -> Iterator[Seen]:
    ours, theirs = pty.openpty()
    with open(theirs, "w", encoding="utf-8") as stream:
        yield Seen(stream, ours)
    os.close(ours)


def test_text_runs_above_the_lines_and_they_stay_visible(seen: Seen) -> None:
    """However fast one text follows the other, and however many lines it has."""
    seen.foot.paint([BAR, "All batches"])
    texts = ["first\n", "[WARNING]: second\nthird\n", "x" * 100 + "\n"]
    for text in texts:
        seen.say(text)
        assert seen.lines[-2:] == [BAR, "All batches"]
    whole = "".join(texts).replace("x" * 100, "\n".join(["x" * 40, "x" * 40, "x" * 20])).split("\n")
    assert seen.lines == [*whole[:-1], BAR, "All batches"]


@pytest.mark.parametrize("question", ["Really?:\n", "Type yes: ", "Go on? (y/n)[n]: ", "Is it?\n"])
def test_a_question_is_not_covered(question: str, seen: Seen) -> None:
    seen.foot.paint([BAR])
    seen.say(question)
    assert seen.lines[-1] == "" or seen.lines[-1] == question.strip()
    assert BAR not in seen.lines


def test_after_a_quiet_moment_they_come_back(seen: Seen) -> None:
    seen.foot.paint([BAR])
    seen.say("Look at this:\n")
    seen.foot.paint([BAR])
    assert BAR not in seen.lines
    time.sleep(QUIET_PERIOD)
    seen.foot.paint([BAR])
    assert seen.lines[-1] == BAR


def test_removed_lines_do_not_come_back_by_themselves(seen: Seen) -> None:
    seen.foot.paint([BAR])
    seen.foot.remove()
    seen.say("text\n")
    assert seen.lines == ["text"]


def test_what_a_fork_writes_is_handed_on(seen: Seen) -> None:
    """It would write into the lines, and they would eat it."""
    seen.foot.paint([BAR])
    reader, writer = os.pipe()
    if not (pid := os.fork()):
        seen.say("from a fork\n")
        os.write(writer, b"".join(seen.forked))
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reader, 100) == b"from a fork\n"
    assert seen.lines == [BAR]
