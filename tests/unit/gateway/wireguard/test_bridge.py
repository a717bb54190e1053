# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second interface: who is at its other ends, by which keys, and which routes lead over it."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.gateway.wireguard.samples import NEW, NEWER, OWN, PSK, A, B, C

from ansible_collections.vpnops.keys.plugins.module_utils._gateway.platform import WantedPeer
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import (
    bridge_plan,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import (
    routes as wg_routes,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import (
    runtime as wg_runtime,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.runtime import Peer, Runtime
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.wg_quick import config, second
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import PublicKey

MAIN = """default via 192.0.2.1 dev eth0 metric 100
10.0.0.0/24 dev wg0 proto kernel scope link src 10.0.0.1
10.2.0.0/16 dev wg0 scope link
10.2.7.0/24 via 192.0.2.9 dev eth0
10.3.0.0/16 proto static
\tnexthop via 192.0.2.8 dev eth0 weight 1
\tnexthop via 192.0.2.9 dev eth0 weight 1
unreachable 10.0.0.128/25
192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.7 linkdown
"""
ROUTES = wg_routes.parse(MAIN, "-4")
RULES = "0:\tfrom all lookup local\n220:\tfrom all lookup 220\n{}32766:\tfrom all lookup main\n"


# ---- who


def peer(key: PublicKey, *networks: str, psk: str = "") -> Peer:
    return Peer(key.text, psk, "192.0.2.7:51820", networks, 0, 25)


def gateway(name: str, current: PublicKey, staged: PublicKey | None = None) -> WantedPeer:
    return WantedPeer(name, "", current, staged, (current,))


def running(*peers: Peer) -> Runtime:
    return Runtime(OWN.text, {one.key: one for one in peers})


RUNNING = running(peer(A, "10.0.0.2/32", psk=PSK), peer(NEW), peer(B, "10.0.0.3/32"))


def ends(name: str, *peers: WantedPeer, changing: list[str], runtime: Runtime = RUNNING) -> dict[str, str]:
    return {one.name: one.key for one in bridge_plan.neighbors(runtime, name, peers, changing)}


def test_a_peer_meets_only_those_that_change_and_by_their_new_keys() -> None:
    found = list(bridge_plan.neighbors(RUNNING, "gw9", [gateway("gw1", A, NEW)], ["gw1"]))
    assert found == [bridge_plan.Neighbor("gw1", NEW.text, "192.0.2.7", ("10.0.0.2/32",), PSK)]
    assert PSK not in repr(found)


def test_one_that_changes_meets_everybody_by_the_keys_they_use() -> None:
    peers = [gateway("gw1", A), gateway("gw2", B)]
    assert ends("gw9", *peers, changing=["gw9"]) == {"gw1": A.text, "gw2": B.text}


def test_two_that_change_meet_by_the_new_keys_of_both() -> None:
    peers = [gateway("gw1", A, NEW), gateway("gw2", B)]
    assert ends("gw9", *peers, changing=["gw9", "gw1"]) == {"gw1": NEW.text, "gw2": B.text}


def test_a_rotation_of_somebody_else_that_is_only_prepared_does_not_count() -> None:
    peers = [gateway("gw1", A, NEW), gateway("gw2", B, NEWER)]
    assert ends("gw9", *peers, changing=["gw9", "gw2"]) == {"gw1": A.text, "gw2": NEWER.text}


def test_a_peer_that_uses_its_new_key_already_is_found_by_it() -> None:
    moved = running(peer(A), peer(NEW, "10.0.0.2/32"))
    assert ends("gw9", gateway("gw1", A, NEW), changing=["gw1"], runtime=moved) == {"gw1": NEW.text}


def test_somebody_the_directory_does_not_know_stays_where_it_is() -> None:
    stranger = running(peer(C, "10.0.0.4/32"))
    assert ends("gw9", changing=["gw9"], runtime=stranger) == {}
    assert ends("gw9", gateway("gw1", A, NEW), changing=["gw1"], runtime=stranger) == {}


@pytest.mark.parametrize(
    ("endpoint", "host"), [("192.0.2.7:51820", "192.0.2.7"), ("[2001:db8::1]:51820", "[2001:db8::1]"), ("", "")]
)
def test_host(endpoint: str, host: str) -> None:
    assert bridge_plan.host_of(endpoint) == host


def test_received() -> None:
    key = "00" * 31 + "{}"
    rows = ["public_key={}", f"preshared_key={'11' * 32}", "last_handshake_time_sec=1", "tx_bytes=5", "rx_bytes={}", ""]
    answer = "".join("\n".join(rows).format(key.format(end), count) for end, count in (("01", 7), ("02", 0)))
    found = wg_runtime.read_seen("private_key=" + "22" * 32 + "\n" + answer + "errno=0\n\n")
    assert [one.received for one in found.values()] == [7, 0]


# ---- what is in the way


@pytest.mark.parametrize(
    ("line", "there"),
    [
        ("PostUp = iptables -A FORWARD -i %i -j ACCEPT", True),
        ("PreUp=/usr/sbin/nft -f /etc/wg.nft", True),
        ("PostUp = wg set %i private-key /etc/wireguard/wg0.key", False),
        ("PostDown = iptables -D FORWARD -i %i -j ACCEPT", False),
        ("# PostUp = iptables -A FORWARD -i %i -j ACCEPT", False),
    ],
)
def test_packet_filters_of_the_file_are_seen(line: str, there: bool) -> None:
    assert second.sets_filters(config.parse(f"[Interface]\n{line}\nListenPort = 1\n", "wg0.conf")) is there


# ---- routes


def table(carried: list[str], others: list[str], routes: list[wg_routes.Route] | None = None) -> dict[str, str]:
    return wg_routes.wanted(carried, others, ROUTES if routes is None else routes, "wg0", "wg0b")


def test_a_host_behind_the_connected_route() -> None:
    assert table(["10.0.0.2/32"], ["10.0.0.3/32"]) == {"10.0.0.2/32": "10.0.0.2/32 dev wg0b src 10.0.0.1"}


def test_what_takes_another_way_within_a_network_still_does() -> None:
    found = table(["10.2.0.0/16"], [])
    assert found == {"10.2.7.0/24": "throw 10.2.7.0/24", "10.2.0.0/16": "10.2.0.0/16 dev wg0b"}
    assert next(iter(found)) == "10.2.7.0/24", "what is thrown back comes first"


def test_a_peer_that_stays_keeps_its_part_of_a_network_that_goes() -> None:
    found = table(["10.0.0.0/24"], ["10.0.0.3/32"])
    assert found["10.0.0.3/32"] == "throw 10.0.0.3/32"
    assert found["10.0.0.128/25"] == "throw 10.0.0.128/25"
    assert found["10.0.0.0/24"] == "10.0.0.0/24 dev wg0b src 10.0.0.1"


@pytest.mark.parametrize("network", ["10.3.0.0/16", "10.2.7.0/24", "10.0.0.128/32", "198.51.100.0/24", "10.2.7.9/32"])
def test_what_does_not_go_over_the_interface_now_is_left_alone(network: str) -> None:
    assert table([network], []) == {}


def test_the_better_metric_decides() -> None:
    both = "10.5.0.0/16 dev eth0 metric 50\n10.5.0.0/16 dev wg0 metric 10\n"
    assert table(["10.5.0.0/16"], [], wg_routes.parse(both, "-4")) == {"10.5.0.0/16": "10.5.0.0/16 dev wg0b"}


def test_ipv6() -> None:
    routes = wg_routes.parse("fd00::/64 dev wg0 proto kernel metric 256 pref medium\ndefault dev eth0\n", "-6")
    assert table(["fd00::2/128"], ["fd00::3/128"], routes) == {"fd00::2/128": "fd00::2/128 dev wg0b"}


NETS = st.builds(
    lambda value, length: ipaddress.ip_network((0x0A000000 | value << 8, length), strict=False),
    st.integers(0, 255),
    st.integers(20, 32),
)


def way(address: ipaddress.IPv4Address, routes: list[wg_routes.Route]) -> str:
    covering = [route for route in routes if address in route.network]
    return max(covering, key=lambda route: route.network.prefixlen).device if covering else ""


@given(
    st.lists(st.tuples(NETS, st.sampled_from(["wg0", "wg0", "eth0", ""])), max_size=6, unique_by=lambda one: one[0]),
    st.lists(NETS, max_size=5, unique=True),
    st.integers(0, 5),
    st.integers(0, 65535),
)
def test_every_packet_goes_to_the_peer_it_went_to(
    main: list[tuple[ipaddress.IPv4Network, str]], allowed: list[ipaddress.IPv4Network], split: int, offset: int
) -> None:
    """It leaves by the second interface only if it left by the first one, to a peer that is carried."""
    routes = [wg_routes.Route(network, device) for network, device in main]
    carried, others = allowed[:split], allowed[split:]
    entries = table([str(one) for one in carried], [str(one) for one in others], routes)
    ours = wg_routes.parse("".join(f"{line}\n" for line in entries.values()), "-4")
    address = ipaddress.IPv4Address(0x0A000000 + offset)
    if way(address, ours) == "wg0b":
        assert way(address, routes) == "wg0"
        owner = max((one for one in allowed if address in one), key=lambda one: one.prefixlen)
        assert owner in carried


def test_the_rule_comes_right_before_the_main_table() -> None:
    assert wg_routes.place(RULES.format("")) == 32765
    assert wg_routes.place(RULES.format("32764:\tfrom all lookup main suppress_prefixlength 0\n")) == 32763


def test_the_rule_is_known_again() -> None:
    number = wg_routes.table_of("wg0b")
    assert not wg_routes.has_rule(RULES.format(""), number)
    assert wg_routes.has_rule(RULES.format(f"32765:\tfrom all lookup {number}\n"), number)
    assert wg_routes.table_of("wg1b") != number
