# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parser and the terminal, byte for byte."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest

from lab.commands import tree
from lab.grammar import Node as Root
from lab.grammar import Parsed, Wrong, complete, key, line, num, parse, word
from lab.personality import PERSONALITIES
from lab.spec import DeviceSpec, KeySpec

ROOT = Root(
    "",
    next=(
        key("show", "", key("clock", run="clock"), key("crypto", "", word("label", run="one"), run="all")),
        key("shut", run="shut"),
        key("length", "", num("n", 0, 512, run="length")),
        key("say", "", line("text", run="say")),
        key(
            "make",
            options=(
                key("label", "", word("label")),
                key("fast", name="fast"),
                key("red", name="color", group="color"),
                key("blue", name="color", group="color"),
            ),
            run="make",
        ),
    ),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sho cl", Parsed("clock", {})),
        ("SHOW CLOCK", Parsed("clock", {})),
        ("sh cl", Wrong("ambiguous")),
        ("show", Wrong("incomplete")),
        ("show clack", Wrong("invalid", 7)),
        ("show x", Wrong("invalid", 5)),
        ("length 512", Parsed("length", {"n": 512})),
        ("length 513", Wrong("invalid", 7)),
        ("length -1", Wrong("invalid", 7)),
        ("show clock now", Wrong("invalid", 11)),
        ("say  a  b ", Parsed("say", {"text": "a  b"})),
        ("make", Parsed("make", {})),
        ("make fast label L red", Parsed("make", {"fast": True, "label": "L", "color": "red"})),
        ("make red label L fast", Parsed("make", {"fast": True, "label": "L", "color": "red"})),
        ("make label", Wrong("incomplete")),
        ("make fast fast", Wrong("invalid", 10)),
        ("make red blue", Wrong("invalid", 9)),
    ],
)
def test_parse(text: str, expected: Any) -> None:
    assert parse(ROOT, text) == expected


def test_caret_under_the_word_instead() -> None:
    assert parse(ROOT, "show clack", caret="token") == Wrong("invalid", 5)


def test_complete() -> None:
    assert complete(ROOT, "sh") == [("show", ""), ("shut", "")]
    assert complete(ROOT, "show crypto ") == [("WORD", ""), ("<cr>", "")]
    assert complete(ROOT, "make red ") == [("fast", ""), ("label", ""), ("<cr>", "")]


ABBREVIATIONS = [
    ("exec", "conf t"),
    ("exec", "sh run"),
    ("exec", "sh ver"),
    ("exec", "sh star"),
    ("exec", "sh cry key my rsa"),
    ("exec", "sh cry key mypubkey rsa LABEL"),
    ("exec", "sh cry gdoi ks coop"),
    ("exec", "sh crypto gdoi group G ks pol"),
    ("exec", "wr"),
    ("exec", "wr mem"),
    ("exec", "cop run star"),
    ("exec", "term len 0"),
    ("exec", "ter wid 512"),
    ("exec", "term no mon"),
    ("exec", "ena"),
    ("exec", "en"),
    ("exec", "rel"),
    ("exec", "sh priv"),
    ("exec", "sh clo"),
    ("exec", "sh inv"),
    ("exec", "sh ip int br"),
    ("exec", "sh ip ssh"),
    ("exec", "sh his"),
    ("exec", "ex"),
    ("exec", "q"),
    ("config", "cry key gen rsa mod 2048 lab X exp"),
    ("config", "cry key zer rsa X"),
    ("config", "ho NAME"),
    ("config", "int g0/0"),
    ("config", "do sh run"),
    ("config", "crypto gdoi gr G"),
    ("config", "ip domain na example.net"),
    ("config", "ip domain-name example.net"),
]


@pytest.mark.parametrize(("mode", "text"), ABBREVIATIONS)
@pytest.mark.parametrize("name", PERSONALITIES)
def test_abbreviations_people_use(mode: str, text: str, name: str) -> None:
    assert isinstance(parse(tree(mode, PERSONALITIES[name]), text), Parsed)


def test_prompt_after_login(console: Any) -> None:
    assert console().greeting == "\r\nR1#"
    assert console(DeviceSpec("R1"), privilege=1).greeting == "\r\nR1>"
    assert console(DeviceSpec("R1", motd="Keep out")).greeting == "\r\nKeep out\r\n\r\nR1#"


def test_invalid_input(console: Any) -> None:
    r1 = console()
    assert r1.type("show crypto key mypubkye rsa\r") == (
        "show crypto key mypubkye rsa\r\n"
        "                         ^\r\n"
        "% Invalid input detected at '^' marker.\r\n\r\nR1#"
    )


def test_ambiguous_and_incomplete(console: Any) -> None:
    r1 = console()
    assert r1.type("sh i\r") == 'sh i\r\n% Ambiguous command:  "sh i"\r\nR1#'
    assert r1.type("copy running-config\r") == "copy running-config\r\n% Incomplete command.\r\n\r\nR1#"
    assert r1.type("show\r") == 'show\r\n% Type "show ?" for a list of subcommands\r\nR1#'
    assert r1.type("clear\r") == 'clear\r\n% Type "clear ?" for a list of subcommands\r\nR1#'


def test_unknown_command(console: Any) -> None:
    assert console().run("bogus") == "   ^\n% Invalid input detected at '^' marker.\n\n"
    translating = console(DeviceSpec("R1", overrides={"unknown_command": "translate"}))
    assert 'Translating "bogus"' in translating.run("bogus")
    assert "% Invalid input" in translating.run("bogus words")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\0"])
def test_every_line_end_ends_one_line(console: Any, end: str) -> None:
    out = console().type(f"show privilege{end}show clock{end}")
    assert out.count("R1#") == 2
    assert "Current privilege level is 15\r\nR1#show clock\r\n" in out


def test_crlf_split_over_two_reads(console: Any) -> None:
    r1 = console()
    first = r1.type("show privilege\r")
    assert r1.type("\nshow privilege\r") == first


def test_type_ahead_is_echoed_when_it_is_read(console: Any) -> None:
    r1 = console(DeviceSpec("R1", faults={"latency_ms": 20}))
    out = r1.type("show privilege\rshow privilege\r")
    block = "show privilege\r\nCurrent privilege level is 15\r\nR1#"
    assert out == block * 2


def test_type_ahead_limit(console: Any) -> None:
    r1 = console(DeviceSpec("R1", overrides={"typeahead_limit": 10}, faults={"latency_ms": 50}))
    r1.shell.term.feed("show privilege\r")
    r1.loop.run_until_complete(asyncio.sleep(0.01))
    assert r1.type("show privilege\r").endswith("R1#show privi")


def test_editing(console: Any) -> None:
    r1 = console()
    assert r1.type("shox\b") == "shox\b \b"
    assert r1.type("w\x15") == "w" + "\b" * 4 + " " * 4 + "\b" * 4
    assert r1.type("show clok\x02c\r").startswith("show clok\bck\b\r\n*")
    assert r1.type("xx\x03") == "xx^C\r\nR1#"
    assert r1.type("foo bar\x17privilege\x01\x0b\r").endswith("\r\nR1#")
    assert r1.type("\x10").endswith("show clock")
    assert r1.type("\x15show priv\t").endswith("\r\nR1#show privilege ")


def test_control_z(console: Any) -> None:
    r1 = console()
    r1.run("configure terminal")
    assert r1.type("hostname R2\x1a") == "hostname R2^Z\r\nR2#"


def test_control_c_leaves_configuration_mode(console: Any) -> None:
    r1 = console()
    r1.run("configure terminal")
    assert r1.type("hostname R2\x03") == "hostname R2^C\r\nR1#"


def test_help_for_a_word(console: Any) -> None:
    r1 = console()
    assert r1.type("wri?") == "wri?\r\nwrite  \r\n\r\nR1#wri"
    assert r1.type("te\r").endswith("[OK]\r\nR1#")


def test_help_for_the_next_word(console: Any) -> None:
    r1 = console()
    assert r1.type("write ?") == (
        "write ?\r\n  memory    Write to NV memory\r\n  terminal  Write to terminal\r\n  <cr>\r\n\r\nR1#write "
    )
    assert r1.type("\x15bogus ?").split("\r\n")[1:] == [
        "   ^",
        "% Invalid input detected at '^' marker.",
        "",
        "R1#bogus ",
    ]


def test_question_mark_in_a_passphrase_is_help(console: Any) -> None:
    r1 = console(DeviceSpec("R1", keys=[KeySpec("L")]))
    r1.run("configure terminal")
    out = r1.type("crypto key export rsa L pem terminal 3des abcd?efgh\r")
    assert "LINE" in out
    assert "BEGIN RSA" in out  # and the passphrase was abcdefgh


def test_control_v_makes_a_question_mark_literal(console: Any) -> None:
    assert console().type("a\x16?") == "a?"


def test_long_lines_scroll_like_the_transcript(console: Any) -> None:
    r15 = console(DeviceSpec("R15"))
    r15.run("configure terminal")
    command = "crypto key generate rsa general-keys label FromDMVPN exportable modulus 2048"
    assert _screen("R15(config)#" + r15.type(command)) == (
        "R15(config)#$sa general-keys label FromDMVPN exportable modulus 2048"
    )


@pytest.mark.parametrize("redraw", ["backspace", "carriage_return"])
def test_typing_one_by_one_looks_the_same(console: Any, redraw: str) -> None:
    r1 = console(DeviceSpec("R1", overrides={"scroll_redraw": redraw}))
    text = "show running-config | include " + "abcdefghij" * 15
    shown = "R1#" + "".join(r1.type(char) for char in text)
    other = console(DeviceSpec("R1", overrides={"scroll_redraw": redraw}))
    assert _screen(shown) == _screen("R1#" + other.type(text))
    assert "$" in shown
    assert len(_screen(shown)) <= 80
    assert r1.type("\r").endswith("R1#")


@pytest.mark.parametrize("width", [0, 512])
def test_no_scrolling_after_terminal_width(console: Any, width: int) -> None:
    r1 = console()
    r1.run(f"terminal width {width}")
    text = "show running-config | include " + "x" * 150
    assert r1.type(text + "\r").startswith(text + "\r\n")


def test_the_line_is_full_after_254_characters(console: Any) -> None:
    r1 = console()
    r1.run("terminal width 0")
    assert r1.type("x" * 260) == "x" * 254 + "\a" * 6


def _screen(raw: str) -> str:
    """The last line of a terminal that received this."""
    row: list[str] = []
    at = 0
    for char in raw.rsplit("\n", 1)[-1]:
        if char == "\b":
            at = max(at - 1, 0)
        elif char == "\r":
            at = 0
        elif char == "\a":
            pass
        else:
            row[at : at + 1] = [char]
            at += 1
    return "".join(row).rstrip()


# -- paging


def test_paging(console: Any) -> None:
    r1 = console()
    out = r1.type("show running-config\r")
    assert out.endswith("\r\n --More-- ")
    assert out.count("\r\n") == 1 + 23
    out = r1.type("\r")
    assert out.startswith("\b" * 9 + " " * 8 + "\b" * 9)
    assert out.endswith("\r\n --More-- ")
    assert out.count("\r\n") == 1
    assert r1.type("q") == "\b" * 9 + " " * 8 + "\b" * 9 + "R1#"


def test_paging_to_the_end(console: Any) -> None:
    r1 = console()
    paged = r1.type("show version\r ")
    r1.run("terminal length 0")
    whole = r1.type("show version\r")
    assert re.sub(r" --More-- [\b ]+\b", "", paged) == whole


def test_type_ahead_answers_more(console: Any) -> None:
    r1 = console()
    out = r1.type("show version\rshow privilege\r")
    assert "R1#how privilege\r\n" in out
    assert "% Invalid input" in out


def test_paging_counts_wrapped_lines(console: Any) -> None:
    r1 = console()
    r1.run("terminal width 40")
    out = r1.type("show version\r")
    assert out.endswith(" --More-- ")
    assert out.count("\r\n") < 1 + 23


def test_no_paging_after_terminal_length_0(console: Any) -> None:
    r1 = console()
    r1.run("terminal length 0")
    assert "--More--" not in r1.type("show version\r")


def test_output_wrap(console: Any) -> None:
    r1 = console(DeviceSpec("R1", overrides={"output_wrap": "hard"}))
    r1.run("terminal length 0")
    assert max(map(len, r1.run("show version").split("\n"))) == 80
    r1.run("terminal width 0")
    assert max(map(len, r1.run("show version").split("\n"))) > 80


def test_filters(console: Any) -> None:
    r1 = console()
    assert r1.run("show running-config | include ^hostname") == "hostname R1\n"
    assert "hostname" not in r1.run("show running-config | exclude hostname|vty|service|interface")
    assert r1.run("show running-config | begin line con").startswith("line con 0\nline vty 0 4\n")
    assert r1.run("show running-config | section interface") == (
        "interface GigabitEthernet0/0\n ip address 10.0.0.1 255.255.255.0\n"
    )
    assert r1.run("show running-config | count hostname") == "Number of lines which match regexp = 1\n"
    assert r1.run("sh run | i (") == ""
    assert "% Incomplete" in r1.run("show running-config | include")
    assert "% Invalid input" in r1.run("show running-config | bogus x")
    assert "% Invalid input" in r1.run("write memory | include x")


def test_typing_does_not_take_long(console: Any) -> None:
    r1 = console()
    started = time.monotonic()
    r1.type("show privilege\r" * 500)
    assert time.monotonic() - started < 2
