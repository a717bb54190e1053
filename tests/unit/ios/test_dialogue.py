# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The terminal engine against scripted devices: no SSH, no clock."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._ios.dialogue import Dialogue, Exchange, Terminal

T = t.TypeVar("T")
Device = Callable[[str], Iterator["str | None"]]
"""What the device prints for what was typed; None is a silence."""


def play(talk: Dialogue[T], device: Device, limit: int = 500) -> T:
    """Drive a dialogue against a device; every silence costs no time."""
    waiting: list[str | None] = []
    try:
        wire: Exchange = next(talk)
        for dummy in range(limit):
            if wire.send:
                waiting += device(wire.send)
            wire = talk.send(waiting.pop(0) if waiting else None)
    except StopIteration as stop:
        return t.cast(T, stop.value)
    raise AssertionError("the dialogue does not end")


def answers(table: dict[str, list[str | None]]) -> Device:
    """A device that knows what to print for each line, with echo."""

    def device(typed: str) -> Iterator[str | None]:
        for line in typed.split("\r")[:-1] if typed.endswith("\r") else [typed]:
            if line not in table:
                yield f"{line}\r\nR1#" if line else "\r\nR1#"
                continue
            first, *rest = table[line]
            yield f"{line}\r\n{first or ''}"
            yield from rest

    return device


def terminal() -> Terminal:
    tty = Terminal("ks1", timeout=30)
    play(tty.login(None, enable=False), answers({}), 50)
    return tty


def test_a_reply_has_neither_echo_nor_prompt() -> None:
    reply = play(terminal().ask("show clock"), answers({"show clock": ["10:00:00 UTC\r\nR1#"]}))
    assert reply.text == "10:00:00 UTC\n"
    assert reply.end == "R1#"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_output_may_come_in_any_pieces(size: int) -> None:
    whole = "line R1> in between\r\nlast\r\nR1#"

    def device(typed: str) -> Iterator[str | None]:
        text = typed.replace("\r", "\r\n") + whole
        for at in range(0, len(text), size):
            yield text[at : at + size]

    assert play(terminal().ask("show x"), device).text == "line R1> in between\nlast\n"


def test_a_log_message_behind_the_prompt_does_not_hide_it() -> None:
    log = "R1#\r\n*Nov 22 10:00:00.123: %CRYPTO_ENGINE-5-KEY_ADDITION: A key named X has been generated\r\n"
    reply = play(terminal().ask("show x"), answers({"show x": ["out\r\n" + log]}))
    assert reply.text == "out\n"


def test_a_prompt_of_an_earlier_nudge_does_not_end_the_next_answer() -> None:
    def device(typed: str) -> Iterator[str | None]:
        yield "\r\nR1#"  # late
        yield typed.replace("\r", "\r\n")
        yield "the answer\r\nR1#"

    assert "the answer" in play(terminal().ask("show x"), device).text


def test_a_silent_device_is_nudged_and_then_given_up() -> None:
    typed: list[str] = []

    def device(text: str) -> Iterator[str | None]:
        typed.append(text)
        return iter(())

    with pytest.raises(VpnKeysError, match="no answer within 30 s") as caught:
        play(terminal().ask("show x"), device)
    assert caught.value.code == "timeout"
    assert "\r" in typed


def test_questions_are_answered_and_never_nudged() -> None:
    typed: list[str] = []

    def device(text: str) -> Iterator[str | None]:
        typed.append(text)
        if text == "crypto x\r":
            yield "crypto x\r\nReplace them? [yes/no]: "
            yield None
        elif text == "no\r":
            yield "no\r\nR1(config)#"

    reply = play(terminal().ask("crypto x", answers=[(r"\[yes/no\]: ?", "no")], probe=False), device)
    assert typed == ["crypto x\r", "no\r"]
    assert reply.end == "R1(config)#"


def test_a_question_behind_which_a_log_message_was_printed_is_still_answered() -> None:
    def device(text: str) -> Iterator[str | None]:
        if text == "go\r":
            yield "go\r\nHow many bits in the modulus [512]: \r\n"
            yield "*Jun  7 10:00:00.1: %SSH-5-DISABLED: SSH 2.0 has been disabled\r\n"
            yield None
        elif text == "2048\r":
            yield "2048\r\n[OK]\r\nR1(config)#"

    question = r"How many bits in the modulus \[\d+\]: ?"
    assert "[OK]" in play(terminal().ask("go", answers=[(question, "2048")], probe=False), device).text


def test_an_unforeseen_question_is_cancelled_and_told_without_secrets() -> None:
    typed: list[str] = []

    def device(text: str) -> Iterator[str | None]:
        typed.append(text)
        if text == "go\r":
            yield "go\r\nErase everything? [confirm]"
        elif text == "\x03":
            yield "\r\nR1#"

    with pytest.raises(VpnKeysError, match=r"Erase everything\? \[confirm\]") as caught:
        play(terminal().ask("go"), device)
    assert caught.value.code == "unexpected_question"
    assert "\r" not in typed, "a carriage return would have confirmed"


@pytest.mark.parametrize("again", ["", "How many bits in the modulus [1024]: "])
def test_a_question_that_cannot_be_left_is_never_answered_with_a_carriage_return(again: str) -> None:
    typed: list[str] = []

    def device(text: str) -> Iterator[str | None]:
        typed.append(text)
        if text == "go\r":
            yield "go\r\nHow many bits in the modulus [1024]: "
        elif again:
            yield f"\r\n{again}"

    def refuse(question: str) -> str:
        raise VpnKeysError("bad_input", "no such size")

    tty = terminal()
    with pytest.raises(VpnKeysError, match="no such size"):
        play(tty.ask("go", answers=[(r"modulus \[\d+\]: ?", refuse)], probe=False), device)
    assert play(tty.recover(), device) is False
    assert "\r" not in typed


def test_paging_that_could_not_be_switched_off_is_turned() -> None:
    def device(text: str) -> Iterator[str | None]:
        if text == "show x\r":
            yield "show x\r\none\r\n --More-- "
        elif text == " ":
            yield "\b\b\b\b\b\b\b\b\b        \b\b\b\b\b\b\b\b\btwo\r\nR1#"

    assert play(terminal().ask("show x"), device).text.split() == ["one", "two"]


def test_a_paste_stops_at_the_line_where_the_device_stops_reading() -> None:
    typed: list[str] = []

    def device(text: str) -> Iterator[str | None]:
        typed.append(text)
        if text == "line2\r":
            yield "line2\r\n% Key pair import failed.\r\nR1(config)#"
        else:
            yield text.replace("\r", "\r\n")

    reply = play(terminal().paste(["line1", "line2", "line3", "line4"]), device)
    assert reply is not None
    assert "import failed" in reply.text
    assert typed == ["line1\r", "line2\r"]


def test_a_device_that_does_not_echo_a_paste_gets_all_of_it() -> None:
    typed: list[str] = []

    def device(text: str) -> Iterator[str | None]:
        typed.append(text)
        return iter(())

    assert play(terminal().paste(["line1", "line2", "line3"]), device) is None
    assert typed == ["line1\r", "line2\r", "line3\r"]


def test_enable_is_given_its_password_once() -> None:
    typed: list[str] = []

    def device(text: str) -> Iterator[str | None]:
        typed.append(text)
        if text == "enable\r":
            yield "enable\r\nPassword: "
        elif text == "wrong\r":
            yield "\r\nPassword: "
        else:
            for line in text.split("\r")[:-1]:
                yield f"{line}\r\nR1>"

    tty = Terminal("ks1")
    talk = tty.login("wrong", enable=True)
    next(talk)
    with pytest.raises(VpnKeysError, match="enable password was not accepted"):
        play_on(talk, device, "R1>")
    assert typed.count("wrong\r") == 1


def play_on(talk: Dialogue[T], device: Device, first: str) -> T:
    """Go on with a dialogue that listens already."""
    waiting: list[str | None] = [first]
    try:
        for dummy in range(200):
            wire = talk.send(waiting.pop(0) if waiting else None)
            if wire.send:
                waiting += device(wire.send)
    except StopIteration as stop:
        return t.cast(T, stop.value)
    raise AssertionError("the dialogue does not end")


def test_a_banner_that_looks_like_a_prompt_is_not_one() -> None:
    def device(text: str) -> Iterator[str | None]:
        for line in text.split("\r")[:-1]:
            yield f"{line}\r\nedge-router-1#"

    tty = Terminal("ks1")
    talk = tty.login(None, enable=False)
    next(talk)
    play_on(talk, device, "*** keep out ***\r\nNO>ACCESS#\r\n\r\nedge-router-1#")
    reply = play(tty.ask("show x"), answers_as("edge-router-1", "OTHER#\r\nvalue"))
    assert "value" in reply.text


def test_a_banner_that_arrives_as_a_prompt_does_not_pass_for_a_privileged_one() -> None:
    tty = Terminal("ks1")
    talk = tty.login(None, enable=False)
    next(talk)

    def device(text: str) -> Iterator[str | None]:
        yield "\r\nR1>"
        for line in text.split("\r")[:-1]:
            yield f"{line}\r\nR1>"

    with pytest.raises(VpnKeysError, match="unprivileged prompt"):
        play_on(talk, device, "KEEP-OUT#")


def answers_as(host: str, text: str) -> Device:
    def device(typed: str) -> Iterator[str | None]:
        yield typed.replace("\r", "\r\n")
        yield f"{text}\r\n{host}#"

    return device
