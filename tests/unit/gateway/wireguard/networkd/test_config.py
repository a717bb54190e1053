# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of systemd-networkd: every edit changes what it must and not a byte more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.gateway.wireguard.samples import NEW, PSK, A, B, raw_key

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import sections
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.networkd import config
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.record import (
    HIDDEN,
    IN_CONFIG,
    IN_FILE,
    NOWHERE,
    Place,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.sections import Block
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import PublicKey

TYPICAL = f"""# the network team's
[NetDev]
Name = wg0
Kind=wireguard
Description=to \\
  the branch offices

[WireGuard]
PrivateKey={raw_key("secret")}
ListenPort=51820

; a
[WireGuardPeer]
# by the door
PublicKey = {A.text}
PresharedKey={PSK}
AllowedIPs=10.0.0.2/32 \\
# its second one
  fd00:0::2
Endpoint=a.example:51820
PersistentKeepalive=25

[WireGuardPeer]
PublicKey={B.text}
AllowedIPs=10.0.0.3, 10.3.0.1/16
# the end
"""
PEER = f"[WireGuardPeer]\nPublicKey={A.text}\n"


def parse(text: str) -> list[Block]:
    return config.parse(text, "10-wg0.netdev")


def peer(blocks: list[Block], key: PublicKey) -> int:
    (index,) = (
        index
        for index, block in enumerate(blocks)
        if block.kind == sections.PEER and sections.public_key(block) == key
    )
    return index


@st.composite
def entries(draw: st.DrawFn, keyword: str, value: str) -> str:
    """An entry, maybe on several lines, with comments within it."""
    between = draw(st.sampled_from(["", " ", "\t"]))
    split = draw(st.sampled_from(["", "", " \\\n", "\\\n# AllowedIPs=0.0.0.0/0\n  ", " \\\n; x \\\n"]))
    return f"{between}{keyword}{between}={between}{split}{value}{draw(st.sampled_from(['', ' ', chr(9)]))}"


COMMENTS = st.sampled_from(["", "#", "; by hand", "  # PublicKey=x \\", "\t", "X-Mine=1", "Unknown = a=b"])


@st.composite
def files(draw: st.DrawFn) -> str:
    """A file with two peers, its sections in any order, with or without an end of the last line."""
    parts = [
        ["[NetDev]", "Name=wg0", "Kind=wireguard"],
        ["[WireGuard]", draw(entries("PrivateKey", raw_key("secret"))), draw(entries("ListenPort", "51820"))],
    ]
    for number, key in enumerate((A, B), 2):
        optional = [("PresharedKey", PSK), ("Endpoint", f"h{number}:1"), ("PersistentKeepalive", "25")]
        lines = [draw(entries(*some)) for some in optional if draw(st.booleans())]
        lines.append(draw(entries("PublicKey", key.text)))
        lines.append(draw(entries("AllowedIPs", f"10.0.0.{number}/32,10.{number}.0.0/16")))
        parts.append(["[WireGuardPeer]", *(x for line in draw(st.permutations(lines)) for x in (draw(COMMENTS), line))])
    lines = draw(st.lists(st.sampled_from(["", "# x", ";"]), max_size=2))
    for part in draw(st.permutations(parts)):
        lines += part + draw(st.lists(st.sampled_from(["", "# x", ";"]), max_size=2))
    text = "\n".join(lines + draw(st.sampled_from([[], [""]])))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


# ---- reading


def test_what_systemd_does_not_know_is_ignored() -> None:
    """Its names are exact, and a comment is a line of its own."""
    _own, entry, other = parse(f"[WireGuard]\n{PEER}allowedips=10.0.0.1\nMTU=x # y\n[wireguardpeer]\nPublicKey=x")
    assert (entry.kind, sections.networks(entry)) == (sections.PEER, ())
    assert (other.kind, other.name) == (sections.OTHER, "wireguardpeer")


OUT_OF_RANGE = {
    "Endpoint": ("h:0", "h:65536", "h:99999", "a..example:51820", ".a:51820"),
    "PersistentKeepalive": ("65536", "99999"),
    "RouteTable": ("9999999999",),
    "RouteMetric": ("abc", "9999999999"),
    "AllowedIPs": ("10.0.0.0/08", "10.0.0.0/024", "::/0,10.0.0.0/08"),
    "PresharedKey": (f"{PSK[:-2]}B=",),
}


def test_the_first_kind_counts() -> None:
    text = "[NetDev]\nName=wg0\nKind={}\nKind={}\n"
    assert config.sets_up({"": text.format("vlan", "wireguard")}).name == ""
    assert config.sets_up({"": text.format("wireguard", "vlan")}) == config.Name("wg0", 2)


NO_ENTRY = "is neither a section nor an entry of one"
NO_MASK = "begins a peer of whose AllowedIPs '10.0.0.0/255.0.0.0' is not a network"
STRANGE = "has a character that systemd takes for an end of a line, or for none at all"
NO_PEER = "begins a peer that has not exactly one usable PublicKey"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("Name=x\n[NetDev]\n", 1, NO_ENTRY),
        ("\n[WireGuard]\nwhat is this\n", 3, NO_ENTRY),
        ("[WireGuard] # here\n", 1, NO_ENTRY),
        ("[WireGuard]\n=1\n", 2, NO_ENTRY),
        ("[WireGuard]\nListen\\\nPort=1\n", 2, NO_ENTRY),
        ("\ufeff[WireGuard]\n", 1, NO_ENTRY),
        ("[WireGuardPeer]\nPublicKey=\nAllowedIPs=::/0\n", 1, NO_PEER),
        (f"[WireGuard]\n[WireGuardPeer]\nPublicKey={A.text} # door\n", 2, NO_PEER),
        (f"{PEER}PublicKey={B.text}\n", 1, NO_PEER),
        ("[WireGuardPeer]\nPublicKeyFile=/k\n", 2, "gives PublicKeyFile a value that cannot be analyzed"),
        # Some versions take back what is above it, others do not.
        (f"{PEER}AllowedIPs=10.0.0.1\nAllowedIPs=\n", 4, "gives AllowedIPs a value that cannot be analyzed"),
        (f"{PEER}AllowedIPs=10.0.0.1 # x\n", 1, "begins a peer of whose AllowedIPs '#' is not a network"),
        (f"{PEER}AllowedIPs=10.0.0.0/255.0.0.0\n", 1, NO_MASK),
        (f"{PEER}Endpoint=h \\\n:1\n", 3, "gives Endpoint a value that cannot be analyzed"),
        (f"{PEER}PersistentKeepalive=25s\n", 3, "gives PersistentKeepalive a value that cannot be analyzed"),
        (f"{PEER}PresharedKey={PSK}#\n", 3, "gives PresharedKey a value that cannot be analyzed"),
        (f"{PEER}PresharedKeyFile=psk\n", 3, "gives PresharedKeyFile a value that cannot be analyzed"),
        (f"{PEER}RouteTable=office\n", 3, "gives RouteTable a value that cannot be analyzed"),
        *(
            (f"{PEER}{name}={value}\n", 3, f"gives {name} a value that cannot be analyzed")
            for name, values in OUT_OF_RANGE.items()
            for value in values
        ),
        ("[WireGuard]\nPrivateKey=x\n", 2, "gives PrivateKey a value that cannot be analyzed"),
        ("[WireGuard]\n#\rPrivateKeyFile=/k\n", 2, STRANGE),
        ("[NetDev]\n\n\0", 3, STRANGE),
    ],
)
def test_what_cannot_be_followed_is_refused_with_the_line(text: str, line: int, what: str) -> None:
    with pytest.raises(VpnKeysError) as caught:
        parse(text)
    assert str(caught.value) == f"10-wg0.netdev: line {line} {what}. Nothing was changed; fix the file first."


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        ([TYPICAL], ("wg0", 3, "0")),
        ([TYPICAL, "[NetDev]\nName=wg7\n"], ("wg7", 2, "1")),
        ([TYPICAL.replace("Kind=wireguard", "Kind=bridge")], ("", 0, "")),
        ([TYPICAL.replace("Kind", "kind")], ("", 0, "")),
        (["[WireGuard]\nName=wg0\nKind=wireguard\n"], ("", 0, "")),
        (["[NetDev]\nDescription=a \\\n b\nName=wg0\nKind=wireguard\n"], ("wg0", 4, "0")),
        (["[NetDev\nName=wg0\n[NetDev]\nName=wg1\nnonsense\nKind=wireguard\n"], ("wg1", 4, "0")),
    ],
)
def test_which_interface_is_set_up(texts: list[str], name: tuple[str, int, str]) -> None:
    assert config.sets_up({str(position): text for position, text in enumerate(texts)}) == name


# ---- editing


@given(files())
def test_a_new_key_of_a_peer_and_of_its_own_touch_nothing_else(text: str) -> None:
    blocks = sections.with_private_key(parse(text), raw_key("other"))
    blocks[peer(blocks, A)] = sections.with_value(blocks[peer(blocks, A)], "publickey", NEW.text)
    after = parse(sections.render(blocks))
    assert sections.private_key(after) == raw_key("other")
    assert sections.networks(after[peer(after, NEW)]) == sections.networks(blocks[peer(blocks, NEW)])
    changed = {raw_key("secret"): raw_key("other"), A.text: NEW.text}
    if "\\" not in text:
        for old, new in changed.items():
            text = text.replace(old, new)
        assert sections.render(after) == text


def test_sections_are_written_in_its_own_words() -> None:
    text = TYPICAL.replace(f"PresharedKey={PSK}", "PresharedKeyFile=/etc/psk")
    text = text.replace("a.example:51820", "\\\na.example:51820")
    blocks = parse(text)
    blocks.insert(peer(blocks, A) + 1, sections.staged(blocks[peer(blocks, A)], NEW.text, "gw1"))
    blocks = sections.append(blocks, "gw9", {"PublicKey": NEW.text, "AllowedIPs": "10.9.0.0/16", "Endpoint": ""})
    after = sections.render(blocks)
    staged = f"""
# vpnops.keys: next key of gw1
[WireGuardPeer]
PublicKey = {NEW.text}
PresharedKeyFile=/etc/psk
Endpoint = a.example:51820
"""
    added = f"\n# gw9\n[WireGuardPeer]\nPublicKey = {NEW.text}\nAllowedIPs = 10.9.0.0/16\n"
    assert after == text.replace("Keepalive=25\n", "Keepalive=25\n" + staged) + added


# ---- the own key, routes


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ("", Place(NOWHERE)),
        (f"PrivateKey={PSK}", Place(IN_CONFIG)),
        (f"PrivateKey={PSK}\nPrivateKey=", Place(NOWHERE)),
        (f"PrivateKeyFile=/etc/wg0.key\nPrivateKey={PSK}", Place(IN_FILE, "/etc/wg0.key")),
        (f"PrivateKeyFile=/k\nPrivateKeyFile=\nPrivateKey={PSK}", Place(IN_CONFIG)),
        ("PrivateKeyFile=/a\n[WireGuard]\nPrivateKeyFile=/b c", Place(IN_FILE, "/b c")),
        ("PrivateKeyFile=/run/keys/socket", Place(HIDDEN)),
        ("PrivateKey=@wg0.key", Place(HIDDEN)),
    ],
)
def test_where_the_own_key_comes_from(lines: str, place: Place) -> None:
    assert config.key_place(parse(f"[WireGuard]\n{lines}\n"), "wg0") == place


@pytest.mark.parametrize(
    ("own", "of_peer", "table"),
    [
        ("", "", "off"),
        ("RouteTable=main", "", "main"),
        ("RouteTable=main", "RouteTable=77", "77"),
        ("RouteTable=77", "RouteTable=off", "off"),
        ("RouteTable=no", "", "off"),
        ("RouteTable=0", "RouteTable=main\nRouteTable=", "off"),
    ],
)
def test_where_a_network_gets_its_route(own: str, of_peer: str, table: str) -> None:
    blocks = parse(f"[WireGuard]\n{own}\n{PEER}AllowedIPs=10.9.0.0/16\n{of_peer}\n")
    assert config.table(blocks, "10.9.0.0/16") == table
    assert config.sets_table(blocks) == ("77" in own + of_peer)


def test_a_mark_counts_like_another_table() -> None:
    assert config.sets_table(parse("[WireGuard]\nFirewallMark=1\n"))


def test_what_depends_on_the_order_is_known() -> None:
    text = f"{PEER}AllowedIPs=10.0.0.1\n[WireGuardPeer]\nPublicKey={B.text}\nAllowedIPs=10.0.0.1/32\n"
    assert set(config.repeated(parse(text))) == {A.text, B.text}
    assert config.repeated(parse(PEER + PEER)) == {A.text: f"which has more than one [WireGuardPeer] for {A.text}"}
    assert config.repeated(parse(TYPICAL)) == {}


@pytest.mark.parametrize(
    ("match", "line"),
    [
        ("Name=wg0", 0),
        ("Name=wg*", 2),
        ("Name=en* \\\n wg0b", 2),
        ("Name=!en*", 2),
        ("Name=!wg*", 0),
        ("Name=wg0\nName=wg0b", 3),
        ("Type=ether wlan", 0),
        ("Type=wireguard", 2),
        ("Name=wg*\nType=ether", 0),
        ("Driver=x", 1),
    ],
)
def test_whether_a_network_file_is_for_the_second_interface(match: str, line: int) -> None:
    assert config.matches(f"[Match]\n{match}\n[Network]\nName=wg0b\nAddress=10.0.0.1/24\n", "wg0b") == line


def test_a_network_file_without_a_match_is_for_none() -> None:
    assert config.matches("[Network]\nDHCP=yes\n", "wg0b") == 0
