# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of wg-quick: every edit changes what it must and not a byte more."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.gateway.wg_samples import NEW, PSK, TYPICAL, A, B, files, raw_key

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import wg_config
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wg_config import Block, Place
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import PublicKey


def parse(text: str) -> list[Block]:
    return wg_config.parse(text, "wg0.conf")


def peer(blocks: list[Block], key: PublicKey) -> int:
    (index,) = (
        index
        for index, block in enumerate(blocks)
        if block.kind == wg_config.PEER and wg_config.public_key(block) == key
    )
    return index


def changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines taken away and the lines put in."""
    lines = list(difflib.ndiff(before.split("\n"), after.split("\n")))
    return [line[2:] for line in lines if line[0] == "-"], [line[2:] for line in lines if line[0] == "+"]


# ---- reading


@given(files())
def test_a_file_comes_back_byte_for_byte(text: str) -> None:
    assert wg_config.render(parse(text)) == text


@given(st.text())
def test_any_text_comes_back_or_is_refused_with_the_line(text: str) -> None:
    try:
        blocks = parse(text)
    except VpnKeysError as error:
        refusal = str(error)
        assert "wg0.conf: line" in refusal
    else:
        assert wg_config.render(blocks) == text


def test_what_a_peer_has() -> None:
    blocks = parse(TYPICAL)
    a, b = blocks[peer(blocks, A)], blocks[peer(blocks, B)]
    assert wg_config.preshared_key(a) == PSK
    assert wg_config.networks(a) == ("10.0.0.2/32", "fd00::2/128")
    assert wg_config.value(a, "endpoint") == "a.example:51820"
    assert wg_config.keepalive(a) == 25
    assert wg_config.networks(b) == ("10.0.0.3/32", "10.3.0.0/16")
    assert wg_config.keepalive(b) is None


def test_of_several_interface_sections_the_last_word_counts() -> None:
    text = f"[Interface]\nPrivateKey = {PSK}\nTable = 7\nTable = 8\n[Interface]\nPrivateKey = {raw_key('secret')}\n"
    blocks = parse(text + f"[Peer]\nPublicKey = {A.text}\nTable = 9\n")
    assert wg_config.private_key(blocks) == raw_key("secret")
    assert wg_config.setting(blocks, "table") == "8"
    assert wg_config.setting(blocks, "fwmark") == ""


def test_no_secret_is_shown_by_a_block() -> None:
    shown = repr(parse(TYPICAL))
    assert PSK not in shown
    assert raw_key("secret") not in shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Address = 1\n[Interface]\n", 1),
        ("[Interface]\nwhat is this\n", 2),
        ("[Interface]\n[Server]\n", 2),
        ("[Interface]\n\n[Peer]\nAllowedIPs = ::/0\n", 3),
        (f"[Peer]\nPublicKey = {A.text}\nPublicKey = {B.text}\n", 1),
        ("[Peer]\nPublicKey = AAAA\n", 1),
        (f"[Interface]\n[Peer]\nPublicKey = {'A' * 43}=\n", 2),
        (f"[Interface]\n#vpnops.keys withdrawn a# [Peer]\n#vpnops.keys withdrawn a# PublicKey = {A.text}\nMTU = 1", 4),
    ],
)
def test_a_file_that_is_not_understood(text: str, line: int) -> None:
    with pytest.raises(VpnKeysError, match=rf"^wg0\.conf: line {line} .*nothing was changed"):
        parse(text)


# ---- keys of peers


@given(files())
def test_a_new_key_changes_one_line(text: str) -> None:
    blocks = parse(text)
    blocks[peer(blocks, A)] = wg_config.with_value(blocks[peer(blocks, A)], "publickey", NEW.text)
    after = wg_config.render(blocks)
    gone, come = changed(text, after)
    assert [line.replace(A.text, NEW.text) for line in gone] == come
    assert len(come) == 1
    assert peer(parse(after), NEW) == peer(parse(text), A)


@given(files())
def test_staging_adds_a_section_and_nothing_else(text: str) -> None:
    blocks = parse(text)
    index = peer(blocks, A)
    blocks.insert(index + 1, wg_config.staged(blocks[index], NEW.text, "gw1"))
    after = wg_config.render(blocks)
    gone, come = changed(text, after)
    assert gone == [] or [line.rstrip() for line in gone] == [line.rstrip() for line in come[: len(gone)]]
    again = parse(after)
    assert [block.kind for block in again].count(wg_config.STAGED) == 1
    section = again[peer(again, A) + 1]
    assert (section.kind, section.name) == (wg_config.STAGED, "gw1")
    assert wg_config.public_key(section) == NEW
    assert wg_config.preshared_key(section) == wg_config.preshared_key(blocks[index])
    assert wg_config.value(section, "endpoint") == wg_config.value(blocks[index], "endpoint")
    assert wg_config.networks(section) == ()
    assert wg_config.keepalive(section) is None
    assert wg_config.render(block for block in again if block.kind != wg_config.STAGED) == text


@given(files())
def test_withdrawing_comments_out_and_is_undone_exactly(text: str) -> None:
    blocks = parse(text)
    index = peer(blocks, B)
    length = len(blocks[index].lines)
    blocks[index] = wg_config.withdrawn(blocks[index], "gw 2")
    after = wg_config.render(blocks)
    assert after.count("\n") == text.count("\n")
    changed_lines = [new for old, new in zip(text.split("\n"), after.split("\n"), strict=True) if old != new]
    assert len(changed_lines) == length
    assert all(line.startswith("#vpnops.keys withdrawn gw 2# ") for line in changed_lines)
    again = parse(after)
    (gone,) = (index for index, block in enumerate(again) if block.kind == wg_config.WITHDRAWN)
    assert (again[gone].name, wg_config.public_key(again[gone])) == ("gw 2", B)
    again[gone] = wg_config.brought_back(again[gone])
    assert wg_config.render(again) == text


def test_two_withdrawn_entries_in_a_row_stay_two() -> None:
    text = f"[Interface]\n[Peer]\nPublicKey = {A.text}\n[Peer]\nPublicKey = {B.text}\n"
    blocks = parse(text)
    blocks[1:3] = [wg_config.withdrawn(block, "same") for block in blocks[1:3]]
    again = parse(wg_config.render(blocks))
    assert [wg_config.public_key(block) for block in again if block.kind == wg_config.WITHDRAWN] == [A, B]


@given(files())
def test_an_added_peer_stands_at_the_end(text: str) -> None:
    settings = {"AllowedIPs": "10.0.9.0/24, 10.9.0.0/16", "Endpoint": "192.0.2.9:51820", "PresharedKey": ""}
    blocks = wg_config.append(parse(text), "gw9", {"PublicKey": NEW.text, **settings})
    after = wg_config.render(blocks)
    assert after.startswith(text)
    assert after.endswith("\n") == text.endswith("\n")
    again = parse(after)
    section = again[peer(again, NEW)]
    assert wg_config.networks(section) == ("10.0.9.0/24", "10.9.0.0/16")
    assert wg_config.value(section, "endpoint") == "192.0.2.9:51820"
    assert "# gw9" in after[len(text) :]
    assert "PresharedKey" not in after[len(text) :]


# ---- the own key


@given(files())
def test_the_own_key_changes_one_line(text: str) -> None:
    after = wg_config.render(wg_config.with_private_key(parse(text), raw_key("other")))
    gone, come = changed(text, after)
    assert [line.replace(raw_key("secret"), raw_key("other")) for line in gone] == come
    assert len(come) == 1
    assert wg_config.private_key(parse(after)) == raw_key("other")


def test_the_first_own_key_becomes_the_first_entry() -> None:
    text = "# mine\r\n[Interface] # this\r\n# where\r\nAddress = 10.0.0.1/24\r\n"
    after = wg_config.render(wg_config.with_private_key(parse(text), raw_key("secret")))
    assert after == text.replace("# this\r\n", f"# this\r\nPrivateKey = {raw_key('secret')}\r\n")


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ("", Place(wg_config.NOWHERE)),
        (f"PrivateKey = {PSK}", Place(wg_config.IN_CONFIG)),
        ("PostUp = wg set %i private-key /etc/wireguard/%i.key", Place(wg_config.IN_FILE, "/etc/wireguard/wg0.key")),
        ("postup=/usr/bin/wg set wg0 private-key '/k e y' peer x", Place(wg_config.IN_FILE, "/k e y")),
        ("PostUp = ip route add x; wg set %i fwmark 1 private-key /k && true", Place(wg_config.IN_FILE, "/k")),
        (f"PrivateKey = {PSK}\nPostUp = wg set %i private-key /k", Place(wg_config.IN_FILE, "/k")),
        ("PostUp = wg set %i private-key /a\nPostUp = wg set %i private-key /b", Place(wg_config.IN_FILE, "/b")),
        ("PostUp = wg set %i private-key <(pass show wg)", Place(wg_config.HIDDEN)),
        ("PostUp = pass show wg | wg set %i private-key /dev/stdin", Place(wg_config.HIDDEN)),
        ("PostUp = wg set %i private-key $KEY", Place(wg_config.HIDDEN)),
        ("PostUp = wg set %i private-key relative", Place(wg_config.HIDDEN)),
        ("PostUp = wg set wg1 private-key /k", Place(wg_config.HIDDEN)),
        ("PostUp = sudo wg set %i private-key /k", Place(wg_config.HIDDEN)),
        ("PostUp = wg set %i private-key", Place(wg_config.HIDDEN)),
        ("PostUp = wg set %i private-key 'open", Place(wg_config.HIDDEN)),
        (f"PrivateKey = {PSK}\nPostUp = iptables -A x", Place(wg_config.IN_CONFIG)),
    ],
)
def test_where_the_own_key_comes_from(lines: str, place: Place) -> None:
    assert wg_config.key_place(parse(f"[Interface]\n{lines}\n"), "wg0") == place
