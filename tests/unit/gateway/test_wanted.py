# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is given of peers cannot get into a file as more than it says, and one bad peer stops nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.gateway.wireguard.samples import NEW, NEWER, OWN, TYPICAL, A, B, C

from ansible_collections.vpnops.keys.plugins.module_utils._directory import changes
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import wanted
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import sections, store
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.wg_quick import config
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import parse

GOOD = {"name": "gw2", "current": A.text, "endpoint": "192.0.2.2:51820", "networks": ["10.79.2.0/24"]}
OTHER = {"name": "gw4", "current": C.text}


def sort_out(*entries: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Names of the peers that can be stored, and why others cannot."""
    peers, refusals = wanted.sort_out(entries, lambda entry: parse(entry["staged"]) if entry.get("staged") else None)
    return [peer.name for peer in peers], {one.gateway: one.why for one in refusals}


@pytest.mark.parametrize(
    ("reader", "good"),
    [
        (wanted.name, "gw2"),
        (wanted.name, "gw2.example.com"),
        (wanted.name, "fd00::2"),
        (wanted.identity, "gw2"),
        (wanted.identity, "@gw2"),
        (wanted.identity, "@#0a0b"),
        (wanted.identity, "C=CH, O=O'Neil & Söhne, CN=gw2"),
        (wanted.endpoint, ""),
        (wanted.endpoint, "vpn.example.com"),
        (wanted.endpoint, "vpn.example.com:51820"),
        (wanted.endpoint, "192.0.2.2:1"),
        (wanted.endpoint, "[2001:db8::2]:51820"),
        (wanted.endpoint, "2001:db8::2"),
        (wanted.network, "10.79.2.0/24"),
        (wanted.network, "fd00:2::/64"),
    ],
)
def test_what_is_usual_is_taken_as_it_is(reader: Callable[[str], str], good: str) -> None:
    assert reader(good) == good


@pytest.mark.parametrize(
    ("reader", "bad"),
    [
        *((wanted.name, text) for text in ("", "gw 2", "../gw2", "gw2/x", "-x", ".x", "gw2\n", "gw2#", "x" * 254)),
        *((wanted.identity, text) for text in ("gw2\n", 'a"b', "a{b", "a}b", "a\\n", "a#b", "a\x1b[1m", "x" * 1025)),
        *((wanted.endpoint, text) for text in ("h:0", "h:65536", "h:1\n[Peer]", "-h:1", "h:", "h h:1", "$(id):1")),
        *((wanted.endpoint, text) for text in ("[::1", "[h]:1", "[fe80::1%eth0]:1", "fe80::1%eth0", "h:1 # x")),
        *((wanted.endpoint, text) for text in (":1", "a,b:1", "h:\u0661", "\u0661.0.0.1", "h:1\n")),
        *((wanted.network, text) for text in ("", "all", "10.0.0.0/33", "fe80::1%x\nPostUp=id/64", "10.0.0.0/24;")),
        *((wanted.network, text) for text in ("\u0661.0.0.0/8", "10.0.0.0/\u0668")),
    ],
)  # fmt: skip
def test_what_could_say_more_than_it_should_is_refused(reader: Callable[[str], str], bad: str) -> None:
    with pytest.raises(VpnKeysError) as caught:
        reader(bad)
    assert caught.value.code == "bad_input"
    assert str(caught.value).isprintable()


def test_a_name_is_what_the_directory_takes() -> None:
    assert wanted.NAME.pattern == changes.NAME.pattern


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../gw2"},
        {"identity": 'gw2"\n}'},
        {"current": "garbage"},
        {"current": None},
        {"staged": "garbage"},
        {"known": ["garbage"]},
        {"endpoint": "h:1\nPostUp = id"},
        {"networks": ["10.0.0.0/8", "x"]},
    ],
)
def test_one_bad_value_leaves_out_that_peer_alone(change: dict[str, Any]) -> None:
    bad = {**GOOD, **change}
    taken, refused = sort_out(bad, OTHER)
    assert taken == ["gw4"]
    assert list(refused) == [bad["name"]]
    (why,) = refused.values()
    assert why.startswith(f"Peer {bad['name']}: ")
    assert why.endswith(" It was excluded.")
    assert why.isprintable()


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": "gw\n2"},
        {"identity": 'gw2"\n}'},
        {"endpoint": "h:1\nPostUp = id"},
        {"networks": ["x"]},
        {"current": "garbage", "staged": "garbage"},
        {"known": ["garbage", A.text]},
    ],
)
def test_no_bad_value_keeps_a_peer_from_being_withdrawn(change: dict[str, Any]) -> None:
    entry = {**GOOD, "known": [A.text], "withdrawn": True, **change}
    peers, refusals = wanted.sort_out([entry, {**OTHER, "known": [A.text]}], lambda entry: parse("garbage"))
    (peer,) = (one for one in peers if one.current is None)
    assert peer.known == (A,)
    assert wanted.NAME.fullmatch(peer.name)
    blocks = store.plan(config.parse(TYPICAL, "wg0.conf"), None, peers, {OWN.text}).blocks
    assert [sections.public_key(block) for block in blocks if block.kind == sections.PEER] == [B]
    complete = not {"name", "identity", "known"} & change.keys()
    assert (peer.name in {one.gateway for one in refusals}) is not complete, "what is unsure is not acknowledged"


@pytest.mark.parametrize(
    ("entries", "taken", "words"),
    [
        ([GOOD, OTHER | {"name": "gw2"}], [], {"gw2": "given more than once"}),
        ([GOOD, OTHER | {"staged": A.text}], [], {"gw2": "gw4 has the same key", "gw4": "gw2 has the same key"}),
        ([GOOD, OTHER | {"known": [A.text]}], [], {"gw2": "gw4 has the same key", "gw4": "gw2 has the same key"}),
        ([GOOD, {"name": "gw3", "withdrawn": True, "known": [A.text]}], ["gw3"], {"gw2": "gw3 has the same key"}),
        ([GOOD, {**GOOD, "withdrawn": True, "known": [NEW.text]}], ["gw2"], {"gw2": "given more than once"}),
    ],
)
def test_of_peers_that_contradict_each_other_a_withdrawal_counts(
    entries: list[dict[str, Any]], taken: list[str], words: dict[str, str]
) -> None:
    third = {"name": "gw9", "current": NEWER.text}
    names, refused = sort_out(*entries, third)
    assert names == [*taken, "gw9"]
    assert refused.keys() == words.keys()
    assert all(words[name] in why for name, why in refused.items())


NASTY = st.text(st.sampled_from("gw2:/\n\r\t\x1b\u2028 #[]{}\"'\\$`;=,.-%@0"), max_size=12) | st.text(max_size=8)


@given(
    st.fixed_dictionaries(
        {"name": NASTY | st.just("gw2"), "current": st.just(NEW.text), "networks": st.lists(NASTY, max_size=2)},
        optional={"identity": NASTY, "endpoint": NASTY, "withdrawn": st.booleans(), "known": st.just([A.text])},
    )
)
def test_whatever_a_peer_is_said_to_be_the_file_has_no_line_of_its_own(entry: dict[str, Any]) -> None:
    """Every line of the file is one that was there, that one as a comment, or one that the collection writes."""
    peers, dummy = wanted.sort_out([entry, {**GOOD, "name": "sound", "current": C.text}], lambda entry: None)
    made = store.plan(config.parse(TYPICAL, "wg0.conf"), None, peers, {OWN.text})
    text = sections.render(made.blocks)
    assert C.text in text, "the other one is stored"
    before = TYPICAL.splitlines()
    known = ("[Peer]", "PublicKey = ", "AllowedIPs = ", "Endpoint = ", "# ", "#vpnops.keys withdrawn ", "publickey=")
    added = [line for line in text.split("\n") if line and line not in before]
    assert all(line.startswith(known) and line.isprintable() for line in added)
    assert len([line for line in text.split("\n") if line == "[Peer]"]) <= 4
