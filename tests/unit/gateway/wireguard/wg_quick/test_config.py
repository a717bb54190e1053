# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of wg-quick: every edit changes what it must and not a byte more."""

from __future__ import annotations

import difflib
import re

import pytest
from hypothesis import given
from unit.gateway.wireguard.samples import NEW, PSK, TYPICAL, A, B, files, raw_key

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import sections
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.record import (
    HIDDEN,
    IN_CONFIG,
    IN_FILE,
    NOWHERE,
    Place,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.sections import Block
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.wg_quick import config
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import PublicKey


def parse(text: str) -> list[Block]:
    return config.parse(text, "wg0.conf")


def peer(blocks: list[Block], key: PublicKey) -> int:
    (index,) = (
        index
        for index, block in enumerate(blocks)
        if block.kind == sections.PEER and sections.public_key(block) == key
    )
    return index


def changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines taken away and the lines put in."""
    lines = list(difflib.ndiff(before.split("\n"), after.split("\n")))
    return [line[2:] for line in lines if line[0] == "-"], [line[2:] for line in lines if line[0] == "+"]


# ---- reading


def test_a_file_falls_into_sections_and_what_stands_between_them() -> None:
    kinds = [sections.TEXT, sections.INTERFACE, *[sections.TEXT, sections.PEER] * 2, sections.TEXT]
    assert [block.kind for block in parse(TYPICAL)] == kinds


def test_spaces_and_case_mean_as_little_as_to_wg() -> None:
    secret = raw_key("secret")
    own, entry = parse(
        f"[ interface ]\nprivate key = {secret[:9]} {secret[9:]}\n[PEER]\nPublic Key\t=\t{A.text}\n"
        f"PRESHAREDKEY={PSK[:9]} {PSK[9:]}\nAllowed IPs = 10.3.0.1 / 16 ,fd00::/ 8\npersistentkeepalive=OFF"
    )
    assert sections.private_key([own]) == secret
    assert sections.public_key(entry) == A
    assert sections.preshared_key(entry) == PSK
    assert sections.networks(entry) == ("10.3.0.0/16", "fd00::/8")
    assert sections.keepalive(entry) == 0
    assert sections.keepalive(parse(f"[Peer]\nPublicKey = {A.text}\nPersistentKeepalive = 2 5 # s\r")[0]) == 25


def test_what_is_no_network() -> None:
    with pytest.raises(VpnKeysError) as caught:
        sections.network(" 10.0.0.0/33")
    assert str(caught.value) == "'10.0.0.0/33' is not a network. Nothing was changed."
    assert caught.value.code == "bad_input"


def test_of_several_interface_sections_the_last_word_counts() -> None:
    text = f"[Interface]\nPrivateKey = {PSK}\nTable = 7\nTable = 8\n[Interface]\nPrivateKey = {raw_key('secret')}\n"
    blocks = parse(text + f"[Peer]\nPublicKey = {A.text}\nTable = 9\n")
    assert sections.private_key(blocks) == raw_key("secret")
    assert sections.setting(blocks, "table") == "8"
    assert sections.setting(blocks, "fwmark") == ""


def test_no_secret_is_shown_by_a_block() -> None:
    shown = repr(parse(TYPICAL))
    assert PSK not in shown
    assert raw_key("secret") not in shown


NO_ENTRY = "is neither a section nor an entry of one"
NO_SECTION = "begins neither [Interface] nor [Peer]"
NO_PEER = "begins a peer that has not exactly one usable PublicKey"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("Address = 1\n[Interface]\n", 1, NO_ENTRY),
        ("[Interface]\nwhat is this\n", 2, NO_ENTRY),
        ("[Interface]\n[Server]\n", 2, NO_SECTION),
        ("[Interface]\n\n[Peer]\nAllowedIPs = ::/0\n", 3, NO_PEER),
        (f"[Peer]\nPublicKey = {A.text}\nPublicKey = {B.text}\n", 1, NO_PEER),
        ("[Peer]\nPublicKey = AAAA\n", 1, NO_PEER),
        (f"[Interface]\n[Peer]\nPublicKey = {'A' * 43}=\n", 2, NO_PEER),
        # The newest wg takes a sign there.
        (
            f"[Interface]\n\n[Peer]\nPublicKey = {A.text}\nAllowedIPs = 10.0.0.0/8, -10.1.0.0/16\n",
            3,
            "begins a peer of whose AllowedIPs '-10.1.0.0/16' is not a network",
        ),
        (
            f"[Interface]\n#vpnops.keys withdrawn a# [Peer]\n#vpnops.keys withdrawn a# PublicKey = {A.text}\nMTU = 1",
            4,
            NO_ENTRY,
        ),
    ],
)
def test_a_file_that_is_not_understood(text: str, line: int, what: str) -> None:
    with pytest.raises(VpnKeysError) as caught:
        parse(text)
    assert str(caught.value) == f"wg0.conf: line {line} {what}. Nothing was changed; fix the file first."


# ---- keys of peers


@given(files())
def test_a_new_key_changes_one_line(text: str) -> None:
    blocks = parse(text)
    blocks[peer(blocks, A)] = sections.with_value(blocks[peer(blocks, A)], "publickey", NEW.text)
    after = sections.render(blocks)
    gone, come = changed(text, after)
    assert [line.replace(A.text, NEW.text) for line in gone] == come
    assert len(come) == 1
    assert peer(parse(after), NEW) == peer(parse(text), A)


@given(files())
def test_staging_adds_a_section_and_nothing_else(text: str) -> None:
    blocks = parse(text)
    index = peer(blocks, A)
    blocks.insert(index + 1, sections.staged(blocks[index], NEW.text, "gw1"))
    after = sections.render(blocks)
    gone, come = changed(text, after)
    assert gone == [] or [line.rstrip() for line in gone] == [line.rstrip() for line in come[: len(gone)]]
    again = parse(after)
    assert [block.kind for block in again].count(sections.STAGED) == 1
    section = again[peer(again, A) + 1]
    assert (section.kind, section.name) == (sections.STAGED, "gw1")
    assert sections.public_key(section) == NEW
    assert sections.preshared_key(section) == sections.preshared_key(blocks[index])
    assert sections.value(section, "endpoint") == sections.value(blocks[index], "endpoint")
    assert sections.networks(section) == ()
    assert sections.keepalive(section) is None
    assert sections.render(block for block in again if block.kind != sections.STAGED) == text


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_staged_section_has_what_the_daemon_must_know(end: str) -> None:
    text = TYPICAL.replace("\n", end)
    blocks = parse(text)
    index = peer(blocks, A)
    blocks.insert(index + 1, sections.staged(blocks[index], NEW.text, "gw 1"))
    section = f"""
# vpnops.keys: next key of gw 1
[Peer]
PublicKey = {NEW.text}
PresharedKey = {PSK}
Endpoint = a.example:51820
"""
    after = sections.render(blocks)
    assert after == TYPICAL.replace("Keepalive = 25\n", "Keepalive = 25\n" + section).replace("\n", end)
    assert parse(after) == blocks


@pytest.mark.parametrize(
    ("above", "left"),
    [
        ("", ""),
        ("\n", ""),
        ("# by hand\n", "# by hand\n"),
        ("# by hand\n\n", "# by hand\n"),
        ("\n# by hand\n", "\n# by hand\n"),
        ("\n\n", "\n"),
    ],
)
def test_a_staged_section_goes_without_what_stands_above_it(above: str, left: str) -> None:
    before = f"[Interface]\n[Peer]\nPublicKey = {A.text}\n"
    text = before + above + f"# vpnops.keys: next key of gw1\n[Peer]\nPublicKey = {NEW.text}\n"
    blocks = parse(text)
    assert sections.render(blocks) == text
    assert sections.render(block for block in blocks if block.kind != sections.STAGED) == before + left


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_withdrawn_section_stays_readable(end: str) -> None:
    text = TYPICAL.replace("\n", end)
    blocks = parse(text)
    index = peer(blocks, A)
    blocks[index] = sections.withdrawn(blocks[index], "gw 1")
    after = sections.render(blocks)
    lines = TYPICAL.split("\n")
    first, last = lines.index("[Peer]"), lines.index("PersistentKeepalive = 25")
    lines[first : last + 1] = ["#vpnops.keys withdrawn gw 1# " + line for line in lines[first : last + 1]]
    assert after == end.join(lines)
    assert parse(after) == blocks


def test_a_withdrawn_section_outlives_an_editor_that_strips_lines() -> None:
    blocks = parse(TYPICAL)
    index = peer(blocks, A)
    blocks[index] = sections.withdrawn(blocks[index], "gw1")
    again = parse(re.sub(r"(?m) +$", "", sections.render(blocks)))
    assert again[index].lines != blocks[index].lines
    again[index] = sections.brought_back(again[index])
    assert sections.render(again) == TYPICAL


def test_two_withdrawn_entries_in_a_row_stay_two() -> None:
    text = f"[Interface]\n[Peer]\nPublicKey = {A.text}\n[Peer]\nPublicKey = {B.text}\n"
    blocks = parse(text)
    blocks[1:3] = [sections.withdrawn(block, "same") for block in blocks[1:3]]
    again = parse(sections.render(blocks))
    assert [sections.public_key(block) for block in again if block.kind == sections.WITHDRAWN] == [A, B]


@given(files())
def test_an_added_peer_stands_at_the_end(text: str) -> None:
    settings = {"AllowedIPs": "10.0.9.0/24, 10.9.0.0/16", "Endpoint": "192.0.2.9:51820", "PresharedKey": ""}
    blocks = sections.append(parse(text), "gw9", {"PublicKey": NEW.text, **settings})
    after = sections.render(blocks)
    assert after.startswith(text)
    assert after.endswith("\n") == text.endswith("\n")
    again = parse(after)
    section = again[peer(again, NEW)]
    assert sections.networks(section) == ("10.0.9.0/24", "10.9.0.0/16")
    assert sections.value(section, "endpoint") == "192.0.2.9:51820"
    assert "# gw9" in after[len(text) :]
    assert "PresharedKey" not in after[len(text) :]


ADDED = f"""
# gw9
[Peer]
PublicKey = {NEW.text}
AllowedIPs = 10.0.9.0/24
"""


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", ADDED),
        (TYPICAL, TYPICAL + ADDED),
        (TYPICAL.replace("\n", "\r\n"), (TYPICAL + ADDED).replace("\n", "\r\n")),
        ("[Interface]\nMTU = 1400\n", "[Interface]\nMTU = 1400\n" + ADDED),
        ("[Interface]\nMTU = 1400", "[Interface]\nMTU = 1400\n" + ADDED[:-1]),
        ("[Interface]\n# peers\n\n", "[Interface]\n# peers\n\n" + ADDED),
        ("[Interface]\n# peers", "[Interface]\n# peers\n" + ADDED[:-1]),
        ("# to be done\n", "# to be done\n" + ADDED),
    ],
)
def test_an_added_peer_has_a_comment_and_what_is_known(text: str, after: str) -> None:
    settings = {"PublicKey": NEW.text, "PresharedKey": "", "AllowedIPs": "10.0.9.0/24"}
    assert sections.render(sections.append(parse(text), "gw9", settings)) == after


def test_peers_are_added_one_after_the_other() -> None:
    blocks = sections.append(parse("[Interface]\n"), "gw8", {"PublicKey": A.text})
    blocks = sections.append(blocks, "gw9", {"PublicKey": B.text})
    text = f"[Interface]\n\n# gw8\n[Peer]\nPublicKey = {A.text}\n\n# gw9\n[Peer]\nPublicKey = {B.text}\n"
    assert sections.render(blocks) == text
    assert parse(text) == blocks


# ---- the own key


@given(files())
def test_the_own_key_changes_one_line(text: str) -> None:
    after = sections.render(sections.with_private_key(parse(text), raw_key("other")))
    gone, come = changed(text, after)
    assert [line.replace(raw_key("secret"), raw_key("other")) for line in gone] == come
    assert len(come) == 1
    assert sections.private_key(parse(after)) == raw_key("other")


def test_the_own_key_is_changed_wherever_it_stands() -> None:
    text = TYPICAL + f"[Interface]\nMTU = 1400\nprivatekey={PSK} # old\n"
    after = text.replace(f"PrivateKey = {raw_key('secret')}", f"PrivateKey = {raw_key('other')}")
    after = after.replace(f"privatekey={PSK}", f"privatekey={raw_key('other')}")
    assert sections.render(sections.with_private_key(parse(text), raw_key("other"))) == after


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_first_own_key_becomes_the_first_entry(end: str) -> None:
    text = "# mine\n[Interface] # this\n# where\nAddress = 10.0.0.1/24\n"
    after = text.replace("# this\n", f"# this\nPrivateKey = {raw_key('secret')}\n")
    blocks = sections.with_private_key(parse(text.replace("\n", end)), raw_key("secret"))
    assert sections.render(blocks) == after.replace("\n", end)


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ("", Place(NOWHERE)),
        (f"PrivateKey = {PSK}", Place(IN_CONFIG)),
        ("PostUp = wg set %i private-key /etc/wireguard/%i.key", Place(IN_FILE, "/etc/wireguard/wg0.key")),
        ("postup=/usr/bin/wg set wg0 private-key '/k e y' peer x", Place(IN_FILE, "/k e y")),
        ("PostUp = ip route add x; wg set %i fwmark 1 private-key /k && true", Place(IN_FILE, "/k")),
        (f"PrivateKey = {PSK}\nPostUp = wg set %i private-key /k", Place(IN_FILE, "/k")),
        ("PostUp = wg set %i private-key /a\nPostUp = wg set %i private-key /b", Place(IN_FILE, "/b")),
        ("PostUp = wg set %i private-key /etc/%i@a,b.key", Place(IN_FILE, "/etc/wg0@a,b.key")),
        ("PostUp = sysctl -q x && wg set %i private-key /k", Place(IN_FILE, "/k")),
        ("PostUp = sysctl -q x || wg set %i private-key /k || exit 1", Place(IN_FILE, "/k")),
        ("PostUp = watch-wg & wg set %i private-key /k;", Place(IN_FILE, "/k")),
        ("PostUp = wg set %i private-key <(pass show wg)", Place(HIDDEN)),
        ("PostUp = pass show wg | wg set %i private-key /dev/stdin", Place(HIDDEN)),
        ("PostUp = wg set %i private-key /dev/shm/k", Place(HIDDEN)),
        ("PostUp = wg set %i private-key /proc/self/fd/0 < /k", Place(HIDDEN)),
        ("PostUp = pass show wg | tee /k; wg set %i private-key /proc/self/fd/0", Place(HIDDEN)),
        ("PostUp = wg set %i private-key $KEY", Place(HIDDEN)),
        ("PostUp = wg set %i private-key /etc/$HOSTNAME.key", Place(HIDDEN)),
        ("PostUp = wg set %i private-key /k | logger", Place(HIDDEN)),
        ("PostUp = /usr/local/bin/set-private-key %i", Place(HIDDEN)),
        ("PostUp = wg set %i private-key relative", Place(HIDDEN)),
        ("PostUp = wg set wg1 private-key /k", Place(HIDDEN)),
        ("PostUp = sudo wg set %i private-key /k", Place(HIDDEN)),
        ("PostUp = wg set %i private-key", Place(HIDDEN)),
        ("PostUp = wg set %i private-key 'open", Place(HIDDEN)),
        (f"PrivateKey = {PSK}\nPostUp = iptables -A x", Place(IN_CONFIG)),
    ],
)
def test_where_the_own_key_comes_from(lines: str, place: Place) -> None:
    assert config.key_place(parse(f"[Interface]\n{lines}\n"), "wg0") == place
