# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which key servers must hold the same key: one test per rule, and properties for any fleet."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.grouping import (
    GivenGroup,
    GroupOnHost,
    Host,
    Unit,
    as_configured,
    as_given,
    under_one_label,
)


def group(
    name: str,
    label: str | None = "K",
    identity: str | None = "1",
    addresses: tuple[str, ...] = (),
    peers: tuple[str, ...] = (),
) -> GroupOnHost:
    return GroupOnHost(name, identity, label, addresses, peers)


def unit(label: str | None, groups: str, hosts: str, *findings: str, blocked: str | None = None) -> Unit:
    strangers = tuple(one for one in findings if one.endswith("no key server of the inventory."))
    return Unit(label, tuple(groups.split()), tuple(hosts.split()), blocked, findings, strangers)


# As configured


def test_hosts_of_one_group_are_one_unit() -> None:
    found = as_configured([Host("ks1", (group("G"),)), Host("ks2", (group("G"),))])
    assert found.units == (unit("K", "G", "ks1 ks2"),)
    assert found.ungrouped == ()


def test_the_same_group_number_of_two_customers_is_two_units() -> None:
    def customer(name: str, address: str, peer: str) -> Host:
        return Host(name, (group("G", addresses=(address,), peers=(peer,)),))

    found = as_configured(
        [
            customer("a1", "10.0.0.1", "10.0.0.2"),
            customer("a2", "10.0.0.2", "10.0.0.1"),
            customer("b1", "10.9.0.1", "10.9.0.2"),
            customer("b2", "10.9.0.2", "10.9.0.1"),
        ]
    )
    assert found.units == (unit("K", "G", "a1 a2"), unit("K", "G", "b1 b2"))


def test_a_key_server_that_names_no_peers_belongs_where_it_is_named() -> None:
    found = as_configured(
        [
            Host("ks1", (group("G", addresses=("10.0.0.1",), peers=("10.0.0.2",)),)),
            Host("ks2", (group("G"),), addresses=("10.0.0.2",)),
        ]
    )
    assert found.units == (unit("K", "G", "ks1 ks2"),)


def test_groups_with_the_same_label_on_a_common_host_are_one_unit() -> None:
    found = as_configured(
        [
            Host("ks1", (group("G1", identity="1"), group("G2", identity="2"))),
            Host("ks2", (group("G1", identity="1"),)),
            Host("ks3", (group("G2", identity="2"),)),
        ]
    )
    assert found.units == (unit("K", "G1 G2", "ks1 ks2 ks3"),)


def test_groups_with_other_labels_on_a_common_host_are_two_units() -> None:
    found = as_configured([Host("ks1", (group("G1", "K1", "1"), group("G2", "K2", "2")))])
    assert found.units == (unit("K1", "G1", "ks1"), unit("K2", "G2", "ks1"))


def test_the_same_label_on_disjoint_hosts_is_two_units() -> None:
    found = as_configured([Host("ks1", (group("G1", identity="1"),)), Host("ks2", (group("G2", identity="2"),))])
    assert found.units == (unit("K", "G1", "ks1"), unit("K", "G2", "ks2"))


def test_a_group_is_known_by_its_identity_and_not_by_its_name() -> None:
    found = as_configured(
        [
            Host("ks1", (group("EAST", identity="7"),)),
            Host("ks2", (group("east-vpn", identity="7"),)),
            Host("ks3", (group("EAST", identity="8"),)),
        ]
    )
    assert found.units == (unit("K", "EAST", "ks3"), unit("K", "EAST east-vpn", "ks1 ks2"))


def test_a_group_without_identity_is_known_by_its_name() -> None:
    found = as_configured([Host("ks1", (group("G", identity=None),)), Host("ks2", (group("G"),))])
    assert found.units == (unit("K", "G", "ks1 ks2"),)


def test_different_labels_in_one_group_block_it() -> None:
    found = as_configured([Host("ks1", (group("G", "K1"),)), Host("ks2", (group("G", "K2"),))])
    blocked = "The key servers of G name different RSA keys: K1 on ks1; K2 on ks2."
    assert found.units == (unit(None, "G", "ks1 ks2", blocked=blocked),)


def test_no_label_in_a_group_blocks_it() -> None:
    found = as_configured([Host("ks1", (group("G", None),)), Host("ks2", (group("G", None),))])
    blocked = "No key server names an RSA key for the rekeys of G: ks1, ks2."
    assert found.units == (unit(None, "G", "ks1 ks2", blocked=blocked),)


def test_a_host_that_names_no_label_belongs_to_its_group_all_the_same() -> None:
    found = as_configured([Host("ks1", (group("G"),)), Host("ks2", (group("G", None),))])
    finding = "No RSA key is named for the rekeys of G on ks2."
    assert found.units == (unit("K", "G", "ks1 ks2", finding),)


def test_a_label_that_a_host_gets_from_its_group_is_shared_with_its_other_groups() -> None:
    found = as_configured(
        [
            Host("ks1", (group("G1", "K", "1"),)),
            Host("ks2", (group("G1", None, "1"), group("G2", "K", "2"))),
            Host("ks3", (group("G2", "K", "2"),)),
        ]
    )
    finding = "No RSA key is named for the rekeys of G1 on ks2."
    assert found.units == (unit("K", "G1 G2", "ks1 ks2 ks3", finding),)


def test_groups_without_label_on_one_host_have_nothing_in_common() -> None:
    found = as_configured([Host("ks1", (group("G1", None, "1"), group("G2", None, "2")))])
    assert [one.groups for one in found.units] == [("G1",), ("G2",)]


def test_a_blocked_group_leaves_the_others_alone() -> None:
    found = as_configured(
        [
            Host("ks1", (group("BAD", "K1", "1"), group("GOOD", "K", "2"))),
            Host("ks2", (group("BAD", "K2", "1"), group("GOOD", "K", "2"))),
        ]
    )
    assert [one.blocked is None for one in found.units] == [False, True]


def test_hosts_without_a_group_are_reported() -> None:
    found = as_configured([Host("ks1", (group("G"),)), Host("ks3", ()), Host("ks2", ())])
    assert found.ungrouped == ("ks2", "ks3")


def test_no_host() -> None:
    assert as_configured([]).units == as_given([], []).units == under_one_label([], "K").units == ()


# Peers


def test_a_peer_outside_the_inventory_is_reported() -> None:
    found = as_configured(
        [
            Host("ks1", (group("G", peers=("10.0.0.2", "10.0.0.9")),)),
            Host("ks2", (group("G", addresses=("10.0.0.2",), peers=("10.0.0.9",)),)),
        ]
    )
    finding = "10.0.0.9, a peer of ks1, ks2, is the address of no key server of the inventory."
    assert found.units == (unit("K", "G", "ks1 ks2", finding),)


def test_addresses_are_compared_as_addresses() -> None:
    found = as_configured(
        [
            Host("ks1", (group("G", peers=("2001:DB8:0::2",)),)),
            Host("ks2", (group("G"),), addresses=("2001:db8::2", "ks2.example.com")),
        ]
    )
    assert found.units == (unit("K", "G", "ks1 ks2"),)


# Hosts that could not be read


def test_an_unreadable_host_belongs_where_it_is_a_peer() -> None:
    found = as_configured(
        [
            Host("ks1", (group("G1", identity="1", peers=("10.0.0.2",)),)),
            Host("ks2", (), addresses=("10.0.0.2",), readable=False),
            Host("ks3", (group("G2", identity="2"),)),
        ]
    )
    assert found.units == (unit("K", "G1", "ks1 ks2"), unit("K", "G2", "ks3"))


def test_an_unreadable_host_may_be_any_peer_that_is_not_known() -> None:
    found = as_configured(
        [
            Host("ks1", (group("G", peers=("172.16.0.2",)),)),
            Host("ks2", (), addresses=("10.0.0.2",), readable=False),
        ]
    )
    assert found.units[0].hosts == ("ks1", "ks2")


def test_an_unreadable_host_that_nobody_names_may_be_in_any_group_without_peers() -> None:
    found = as_configured(
        [
            Host("ks1", (group("G1", identity="1"),)),
            Host("ks2", (), addresses=("10.0.0.2",), readable=False),
            Host("ks3", (group("G2", identity="2", addresses=("10.0.0.3",), peers=("10.0.0.4",)),)),
            Host("ks4", (group("G2", identity="2", addresses=("10.0.0.4",), peers=("10.0.0.3",)),)),
        ]
    )
    assert [one.hosts for one in found.units] == [("ks1", "ks2"), ("ks3", "ks4")]


def test_an_unreadable_host_that_can_be_in_no_group_is_reported() -> None:
    found = as_configured([Host("ks1", (), readable=False)])
    assert (found.units, found.ungrouped) == ((), ("ks1",))


# Given


def test_a_given_label_makes_all_hosts_one_unit() -> None:
    found = under_one_label([Host("ks1", (group("G1", "K"), group("G2", "OTHER"))), Host("ks2", ())], "K")
    assert found.units == (unit("K", "G1", "ks1 ks2"),)
    assert found.ungrouped == ()


def test_given_groups_replace_the_configured_ones() -> None:
    hosts = [
        Host("ks1", (group("G", "K"),)),
        Host("ks2", ()),
        Host("ks3", (), readable=False),
        Host("ks4", ()),
    ]
    found = as_given(hosts, [GivenGroup("A", "L", ("ks1", "ks2")), GivenGroup("B", "M", ("ks3",))])
    assert found.units == (unit("L", "A", "ks1 ks2"), unit("M", "B", "ks3"))
    assert found.ungrouped == ("ks4",)


def test_given_groups_that_share_label_and_host_are_one_unit() -> None:
    found = as_given([], [GivenGroup("A", "L", ("ks1", "ks2")), GivenGroup("B", "L", ("ks2", "ks3"))])
    assert found.units == (unit("L", "A B", "ks1 ks2 ks3"),)


# Any fleet

addresses = st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2", "::1", "x"]), max_size=2).map(tuple)
groups = st.builds(
    GroupOnHost,
    name=st.sampled_from("GHI"),
    identity=st.sampled_from([None, "1", "2"]),
    label=st.sampled_from([None, "K", "L"]),
    addresses=addresses,
    peers=addresses,
)
fleets = st.lists(
    st.builds(
        Host,
        name=st.sampled_from(["ks1", "ks2", "ks3", "ks4"]),
        groups=st.lists(groups, max_size=3).map(tuple),
        addresses=addresses,
        readable=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda host: host.name,
)


@settings(max_examples=500, deadline=None)
@given(fleets)
def test_every_host_is_somewhere_and_every_key_in_one_unit(hosts: list[Host]) -> None:
    found = as_configured(hosts)
    grouped = {name for one in found.units for name in one.hosts}
    assert grouped | set(found.ungrouped) == {host.name for host in hosts}
    assert not grouped & set(found.ungrouped)
    for one in found.units:
        assert (one.label is None) == (one.blocked is not None)
    # One key on one readable host is planned once only: two plans for it could contradict each other.
    readable = {host.name for host in hosts if host.readable}
    planned = [(one.label, name) for one in found.units if one.label for name in one.hosts if name in readable]
    assert len(planned) == len(set(planned))


@settings(max_examples=500, deadline=None)
@given(fleets, st.randoms(use_true_random=False))
def test_the_order_of_the_hosts_does_not_matter(hosts: list[Host], random: Random) -> None:
    shuffled = list(hosts)
    random.shuffle(shuffled)
    assert as_configured(shuffled) == as_configured(hosts)
