# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profiles of NetworkManager: every edit changes what it must and not a byte more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.gateway.wireguard.samples import NEW, PSK, A, B, C, raw_key

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import sections
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.networkmanager import config
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.record import (
    HIDDEN,
    IN_CONFIG,
    NOWHERE,
    Place,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.sections import Block

TYPICAL = f"""# the network team's
[connection]
id=office
uuid=6a3c1e6e-9a25-4c5e-8ec0-0d7e1a6b4a11
type=wireguard
interface-name=wg0

[wireguard]
private-key={raw_key("secret")}
listen-port=51820

# a
[wireguard-peer.{A.text}]
# by the door
preshared-key = {PSK}
preshared-key-flags=0
allowed-ips=10.0.0.2/32;fd00:0::2;
endpoint=a.example:51820
persistent-keepalive=25

[wireguard-peer.{B.text}]
allowed-ips=10.0.0.3;10.3.0.1/16

[ipv4]
method=manual
address1=10.0.0.1/24
# the end
"""
PEER = f"[wireguard-peer.{A.text}]\n"


def parse(text: str) -> list[Block]:
    return config.parse(text, "wg0.nmconnection")


def peer(blocks: list[Block]) -> int:
    (index,) = (number for number, block in enumerate(blocks) if block.kind == sections.PEER)
    return index


SPACES = st.sampled_from(["", " ", "\t"])


@st.composite
def entries(draw: st.DrawFn, keyword: str, value: str) -> str:
    return f"{draw(SPACES)}{keyword}{draw(SPACES)}={draw(SPACES)}{value}{draw(SPACES)}"


COMMENTS = ("", "#", "# by hand", "  # endpoint=x", "\t", "x-mine=1", "Endpoint = a")


@st.composite
def files(draw: st.DrawFn) -> str:
    """A profile with three peers, its sections in any order, with or without an end of the last line."""
    parts = [
        ["[connection]", "type=wireguard", "interface-name=wg0"],
        ["[wireguard]", draw(entries("private-key", raw_key("secret"))), draw(entries("listen-port", "51820"))],
        ["[ipv4] ", "method=manual"],
    ]
    for number, key in enumerate((A, B, C), 2):
        optional = [("endpoint", f"h{number}:1"), ("persistent-keepalive", "25")]
        optional += [("preshared-key", PSK), ("preshared-key-flags", "0")] if draw(st.booleans()) else []
        lines = [draw(entries(*some)) for some in optional if some[0].startswith("pre") or draw(st.booleans())]
        lines.append(draw(entries("allowed-ips", f"10.0.0.{number}/32{draw(st.sampled_from(['', ';']))}")))
        between = draw(st.permutations(COMMENTS))[: len(lines)]  # of a word that comes twice, the last would count
        entry = [x for pair in zip(between, draw(st.permutations(lines)), strict=True) for x in pair]
        parts.append([f"{draw(SPACES)}[wireguard-peer.{key.text}]{draw(SPACES)}", *entry])
    lines = draw(st.lists(st.sampled_from(["", "# x", "#"]), max_size=2))
    for part in draw(st.permutations(parts)):
        lines += part + draw(st.lists(st.sampled_from(["", "# x", "#"]), max_size=2))
    text = "\n".join(lines + draw(st.sampled_from([[], [""]])))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


# ---- reading


NO_ENTRY = "is neither a section nor an entry of one"
NO_PEER = "begins a peer that has not exactly one usable PublicKey"
OUT_OF_RANGE = {
    "endpoint": ("h:0", "h:65536", "fd00::1:5", "h:1 # x", "a..example:51820"),
    "persistent-keepalive": ("65536", "025", "25s"),
    "preshared-key": (f"{PSK[:-2]}B=", "x"),
    "preshared-key-flags": ("1", "2", "0x0"),
    "allowed-ips": ("10.0.0.1,10.0.0.2", "10.0.0.1; 10.0.0.2", "10.0.0.1;;10.0.0.2", "10.0.0.1\\;10.0.0.2"),
}


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("id=x\n[connection]\n", 1, NO_ENTRY),
        ("\n[wireguard]\nwhat is this\n", 3, NO_ENTRY),
        ("[wireguard]\n; x\n", 2, NO_ENTRY),
        (f"[wireguard-peer.{A.text}] # x\n", 1, NO_ENTRY),
        ("[wireguard]\n=1\n", 2, NO_ENTRY),
        ("\ufeff[wireguard]\n", 1, NO_ENTRY),
        ("[wireguard-peer.]\n", 1, NO_PEER),
        ("[wireguard-peer]\n", 1, NO_PEER),
        (f"[wireguard-peer. {A.text}]\n", 1, "begins a peer whose key NetworkManager does not take for one"),
        (f"{PEER}allowed-ips=10.0.0.0/255.0.0.0\n", 1, "begins a peer of whose AllowedIPs '10.0.0.0/255.0.0.0' is not"),
        (f"{PEER}allowed-ips=::\n\nallowed-ips=::1\n", 4, "gives allowed-ips a value for the second time"),
        *(
            (f"{PEER}{name}={value}\n", 2, f"gives {name} a value that cannot be analyzed")
            for name, values in OUT_OF_RANGE.items()
            for value in values
        ),
        ("[wireguard]\nprivate-key=x\n", 2, "gives private-key a value that cannot be analyzed"),
        ("[wireguard]\nprivate-key-flags=4\n", 2, "gives private-key-flags a value that cannot be analyzed"),
        ("[wireguard]\n#\rprivate-key=x\n", 2, "has a character that NetworkManager does not take for text"),
        ("[connection]\n\n\0", 3, "has a character that NetworkManager does not take for text"),
    ],
)
def test_what_would_be_read_in_another_way_is_refused_with_the_line(text: str, line: int, what: str) -> None:
    with pytest.raises(VpnKeysError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"wg0.nmconnection: line {line} {what}")
    assert str(caught.value).endswith("Nothing was changed; fix the file first.")


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        (TYPICAL, ("wg0", 6, True)),
        (TYPICAL.replace("wg0", "wg1"), ("wg1", 6, True)),
        (TYPICAL.replace("type=wireguard", "type=ethernet"), ("", 0, True)),
        (TYPICAL + "[connection]\ninterface-name=wg7\nautoconnect=false\n", ("wg7", 29, False)),
        (TYPICAL + "nonsense\n[connection]\nautoconnect=no\n", ("wg0", 6, True)),
        (TYPICAL + "[.nmmeta]\nnm-generated=true\n", ("", 0, True)),
        ("", ("", 0, True)),
    ],
)
def test_which_interface_is_set_up(text: str, profile: tuple[str, int, bool]) -> None:
    """Not one that NetworkManager has only found, and written down."""
    found = config.profile(text)
    assert (found.interface, found.line, found.autoconnect) == profile


# ---- editing


@given(files())
def test_a_new_key_of_a_peer_and_of_its_own_touch_nothing_else(text: str) -> None:
    blocks = sections.with_private_key(parse(text), raw_key("other"))
    blocks = [
        sections.with_value(block, "publickey", NEW.text)
        if block.kind == sections.PEER and sections.public_key(block) == A
        else block
        for block in blocks
    ]
    assert sections.render(blocks) == text.replace(raw_key("secret"), raw_key("other")).replace(A.text, NEW.text)


def test_sections_are_written_in_its_own_words() -> None:
    blocks = parse(f"[wireguard]\n{PEER}preshared-key={PSK}\npreshared-key-flags=0\nendpoint=h:1 \nallowed-ips=::\n")
    blocks.insert(peer(blocks) + 1, sections.staged(blocks[peer(blocks)], NEW.text, "gw1"))
    settings = {"PublicKey": C.text, "PresharedKey": PSK, "AllowedIPs": "10.9.0.0/16, fd00::/64", "Endpoint": "h:2"}
    blocks = sections.with_private_key(sections.append(blocks, "gw9", settings), raw_key("secret"))
    assert sections.render(blocks) == f"""[wireguard]
private-key={raw_key("secret")}
{PEER}preshared-key={PSK}
preshared-key-flags=0
endpoint=h:1{" "}
allowed-ips=::

# vpnops.keys: next key of gw1
[wireguard-peer.{NEW.text}]
preshared-key={PSK}
preshared-key-flags=0
endpoint=h:1

# gw9
[wireguard-peer.{C.text}]
preshared-key={PSK}
preshared-key-flags=0
allowed-ips=10.9.0.0/16;fd00::/64;
endpoint=h:2
"""


# ---- the own key, peers


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ("", Place(NOWHERE)),
        ("private-key=", Place(NOWHERE)),
        (f"private-key={PSK}", Place(IN_CONFIG)),
        (f"private-key={PSK}\nprivate-key-flags=0", Place(IN_CONFIG)),
        (f"private-key={PSK}\nprivate-key-flags=1", Place(HIDDEN)),
        ("private-key-flags=2", Place(HIDDEN)),
    ],
)
def test_where_the_own_key_comes_from(lines: str, place: Place) -> None:
    assert config.key_place(parse(f"[wireguard]\n{lines}\n"), "wg0") == place


@pytest.mark.parametrize(
    ("lines", "what", "keys"),
    [
        ("preshared-key-flags=4", "", []),
        (f"preshared-key={PSK}\npreshared-key-flags=0", "", []),
        (f"preshared-key={PSK}", "line 1 begins a peer with a preshared key that NetworkManager ignores", [A.text]),
        (f"preshared-key={PSK}\npreshared-key-flags=4", "that NetworkManager ignores without its flags", [A.text]),
        ("preshared-key-flags=0", "so NetworkManager does not start the interface", [""]),
        (PEER, f"line 3 begins a section that is there for {A.text} already, so both count as one", [A.text]),
    ],
)
def test_what_it_makes_of_a_section_in_another_way_is_known(lines: str, what: str, keys: list[str]) -> None:
    found = list(config.doubts(parse(f"{PEER}\n{lines}\n")))
    assert [doubt.key for doubt in found] == keys
    assert all(what in doubt.what for doubt in found)


@pytest.mark.parametrize(
    ("endpoint", "named"),
    [("h.example:1", True), ("10.0.0.1:1", False), ("[fd00::1]:1", False), ("", False), ("10-0.example:1", True)],
)
def test_whether_an_endpoint_has_a_name(endpoint: str, named: bool) -> None:
    assert config.names_an_endpoint(parse(f"{PEER}endpoint={endpoint}\n")) == named


# ---- routes, and what else is about the interface


@pytest.mark.parametrize(
    ("lines", "network", "table", "sets"),
    [
        ("", "10.9.0.0/16", "", False),
        ("peer-routes=false", "10.9.0.0/16", "off", False),
        ("peer-routes=0", "10.9.0.0/16", "off", False),
        ("peer-routes=no", "10.9.0.0/16", "", False),  # which it does not take for a word
        ("[ipv4]\nroute-table=77", "10.9.0.0/16", "77", True),
        ("[ipv4]\nroute-table=0", "10.9.0.0/16", "", False),
        ("[ipv4]\nroute-table=254", "10.9.0.0/16", "254", False),
        ("[ipv6]\nmethod=disabled", "fd00::/64", "off", False),
        ("[ipv6]\nmethod=ignore", "10.9.0.0/16", "", False),
        ("fwmark=5", "10.9.0.0/16", "", True),
    ],
)
def test_where_a_network_gets_its_route(lines: str, network: str, table: str, sets: bool) -> None:
    blocks = parse(f"{PEER}allowed-ips={network}\n[wireguard]\n{lines}\n")
    assert config.table(blocks, network) == table
    assert config.sets_table(blocks) == sets


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        ("[keyfile]\npath=/etc/NetworkManager/system-connections/", 0),
        ("[keyfile]\npath=/etc/other", 2),
        ("[main]\nunmanaged-devices=*", 0),
        ("[keyfile]\nunmanaged-devices=interface-name:wg*", 2),
        ("[keyfile]\nunmanaged-devices=interface-name:wg1;type:wireguard", 2),
        ("[keyfile]\nunmanaged-devices=mac:00:11:22:33:44:55,type:ethernet", 0),
        ("[keyfile]\nunmanaged-devices=*,except:interface-name:wg0", 0),
        ("[keyfile]\nunmanaged-devices=*", 2),
    ],
)
def test_how_it_is_configured_not_to_set_it_up(lines: str, number: int) -> None:
    found = list(config.in_the_way(f"{lines}\n", "wg0", "/etc/NetworkManager/system-connections"))
    assert [line for line, _what in found] == ([number] if number else [])
