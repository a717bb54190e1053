# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is typed, the device neither falls over nor hangs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab import DeviceSpec, GroupSpec, KeySpec, pem
from lab.commands import tree
from lab.grammar import Parsed, Wrong, complete, parse
from lab.personality import PERSONALITIES

WORDS = (
    "show crypto key mypubkey rsa gdoi gkm ks coop policy members configure terminal length "
    "0 width 512 end exit enable "
    "generate label L modulus 2048 exportable export pem 3des cisco123 import zeroize yes no "
    "quit write memory running-config "
    "| include begin section . do interface g0/0 group G server local identity number 7 "
    "address ipv4 10.0.0.1 redundancy "
    "banner motd hostname R9 copy startup-config monitor ? -----BEGIN -----END"
).split()
lines = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
noise = st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=12)
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@relaxed
@given(
    name=st.sampled_from(list(PERSONALITIES)),
    typed=st.lists(st.one_of(lines, noise), max_size=12),
    end=st.sampled_from("\r\n"),
)
def test_nothing_breaks_the_shell(console: Any, name: str, typed: list[str], end: str) -> None:
    spec = DeviceSpec("R1", personality=name, keys=[KeySpec("L")], groups=[GroupSpec("G", 1, "L")])
    r1 = console(spec)
    for text in typed:
        r1.type(text + end, limit=2)
        if r1.ended:
            break
    if r1.task.done():
        assert r1.task.exception() is None
    else:
        assert r1.shell.term.idle or r1.ended


@relaxed
@given(
    text=st.text(st.sampled_from("abcdef \b\x15\x17"), max_size=200),
    one_by_one=st.booleans(),
    width=st.sampled_from([0, 20, 80]),
)
def test_the_edited_line_is_what_runs(console: Any, text: str, one_by_one: bool, width: int) -> None:
    r1 = console()
    r1.shell.term.width = width
    for part in text if one_by_one else [text]:
        r1.type(part)
    r1.type("\r")
    model = ""
    for char in text:
        if char == "\b":
            model = model[:-1]
        elif char == "\x15":
            model = ""
        elif char == "\x17":
            model = model.rstrip()
            model = model[: len(model) - len((model.split() or [""])[-1])]
        else:
            model += char
    assert r1.device.commands()[-1] == model


@given(mode=st.sampled_from(["exec", "config", "group", "server", "sa", "coop"]), text=st.one_of(lines, noise))
def test_the_parser_is_total(mode: str, text: str) -> None:
    for p in PERSONALITIES.values():
        parsed = parse(tree(mode, p), text)
        assert isinstance(parsed, (Parsed, Wrong))
        if isinstance(parsed, Wrong):
            assert 0 <= parsed.at <= len(text)
        complete(tree(mode, p), text)


@given(
    st.lists(
        st.one_of(noise, st.sampled_from(["-----BEGIN RSA PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED", "", "AAAA"]))
    )
)
def test_bad_pem_is_bad_pem(rows: list[str]) -> None:
    accepted = pem.Accepted(True, True, True)
    with pytest.raises(pem.BadPem):
        pem.read_private(rows, "cisco123", accepted)
    with pytest.raises(pem.BadPem):
        pem.read_public(rows)
