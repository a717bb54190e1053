# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages to all terminals, which no session can refuse, in the middle of whole syncs: a shutdown is announced, or
somebody sends a word. A sync ends well in spite of the first; in spite of the second it ends well or says what it could
not read, and loses no key."""

from __future__ import annotations

import asyncio
import dataclasses
import typing as t

import pytest
from integration import devices, rounds
from integration.rounds import key, key_server

SHUTDOWN = "***\n*** --- SHUTDOWN in 0:05:00 ---\n***"
WORD = "***\n***\n*** Message from tty2 to all terminals:\n***\nthe core router goes down at ten"
TARGET = devices.key(1).fingerprint
WHERE: dict[str, dict[str, t.Any]] = {
    "in output": {"where": "during_output"},
    "after prompts": {"where": "after_prompt", "every": 5},
    "in questions": {"where": "in_question"},
}


def sync(personality: str, text: str, where: str) -> tuple[str, list[str], list[str]]:
    """What a sync told at its end, what was wrong at any instant of it, and what it left to do."""
    fault = {"syslog": {**WHERE[where], "text": text}}
    keys = ((key(1),), (key(2),), ())
    specs = [
        dataclasses.replace(key_server(number, personality, *own), faults=fault) for number, own in enumerate(keys, 1)
    ]

    async def whole() -> tuple[str, list[str], list[str]]:
        async with rounds.running(specs) as up:
            wrong = rounds.watch(rounds.before(up, target=TARGET), up)
            outcome = await rounds.sync(up, overwrite=True)
            told = outcome.told if outcome.planned else "no key server could be read"
            return told, wrong, rounds.unfinished(up)

    return asyncio.run(whole())


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("personality", devices.NAMES)
def test_a_shutdown_that_is_announced_changes_nothing(personality: str, where: str) -> None:
    assert sync(personality, SHUTDOWN, where) == ("", [], [])


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("personality", devices.NAMES)
def test_a_word_of_somebody_s_is_passed_over_or_named(personality: str, where: str) -> None:
    told, wrong, left = sync(personality, WORD, where)
    assert not wrong
    assert told or not left
