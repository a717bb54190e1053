# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which key servers must hold the same key: one test per rule, and properties for any fleet, also if one host lies."""

from __future__ import annotations

import dataclasses
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.effort import examples

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.grouping import (
    MOST_CLAIMS,
    Claim,
    GivenGroup,
    Grouping,
    GroupOnHost,
    Host,
    as_configured,
    as_given,
    under_one_label,
)

ADDRESS = {f"ks{number}": f"10.0.0.{number}" for number in range(1, 10)}


def group(
    name: str = "G",
    label: str | None = "K",
    identity: str | None = "1",
    addresses: tuple[str, ...] = (),
    peers: tuple[str, ...] = (),
) -> GroupOnHost:
    return GroupOnHost(name, identity, label, addresses, peers)


def host(name: str, *groups: GroupOnHost, readable: bool = True) -> Host:
    """A key server whose address the inventory knows: ks2 is at 10.0.0.2."""
    return Host(name, groups, (ADDRESS[name],), readable)


def peers(*names: str) -> tuple[str, ...]:
    return tuple(ADDRESS[name] for name in names)


def full(*names: str, group_name: str = "G", label: str | None = "K", identity: str | None = "1") -> list[Host]:
    """Key servers of one group, each of which names all others."""
    return [
        host(name, group(group_name, label, identity, peers=peers(*(other for other in names if other != name))))
        for name in names
    ]


def together(*hosts: Host) -> list[Host]:
    """The groups of hosts that are given more than once, on one host each."""
    merged: dict[str, Host] = {}
    for one in hosts:
        old = merged.get(one.name)
        merged[one.name] = dataclasses.replace(one, groups=(*old.groups, *one.groups)) if old else one
    return list(merged.values())


def of(found: Grouping) -> list[tuple[str | None, str, str, str | None]]:
    """Of each unit: label, groups, hosts and why it is blocked."""
    return [(one.label, " ".join(one.groups), " ".join(one.hosts), one.blocked) for one in found.units]


# Who is tied to whom


def test_key_servers_that_name_each_other_in_one_group_are_one_unit() -> None:
    found = as_configured(full("ks1", "ks2", "ks3"))
    assert of(found) == [("K", "G", "ks1 ks2 ks3", None)]
    assert found.units[0].served == ((("ks1", "G"), ("ks2", "G"), ("ks3", "G")),)
    assert (found.claims, found.findings, found.ungrouped, found.units[0].findings) == ((), (), (), ())


def test_a_chain_of_key_servers_that_name_each_other_is_one_unit() -> None:
    chain = [
        host("ks1", group(peers=peers("ks2"))),
        host("ks2", group(peers=peers("ks1", "ks3"))),
        host("ks3", group(peers=peers("ks2"))),
    ]
    assert of(as_configured(chain)) == [("K", "G", "ks1 ks2 ks3", None)]


def test_the_same_group_number_of_two_customers_is_two_units() -> None:
    found = as_configured([*full("ks1", "ks2"), *full("ks8", "ks9")])
    assert of(found) == [("K", "G", "ks1 ks2", None), ("K", "G", "ks8 ks9", None)]
    assert not found.claims


@pytest.mark.parametrize("liar", [group(), group(identity=None), group(label=None), group(addresses=peers("ks2"))])
def test_what_two_have_in_common_ties_nobody(liar: GroupOnHost) -> None:
    """Neither identity, name, label nor an address that one says is its own: only that they name each other."""
    found = as_configured([*full("ks1", "ks2"), host("ks9", liar)])
    assert {one.hosts for one in found.units} == {("ks1", "ks2"), ("ks9",)}
    assert as_configured(full("ks1", "ks2")).units[0] in found.units


def test_groups_of_two_identities_are_never_joined_by_one_without() -> None:
    """ks2 serves both, and calls the one group that it shows as both customers do."""
    customers = (*full("ks1", "ks3", "ks2", identity="1"), *full("ks8", "ks9", "ks2", identity="2"))
    named = [one for one in customers if one.name != "ks2"]
    between = host("ks2", group(identity=None, peers=peers("ks1", "ks8")))
    found = as_configured([*named, between])
    units = {one.hosts: one.blocked for one in found.units}
    assert set(units) == {("ks1", "ks3"), ("ks8", "ks9"), ("ks2",)}
    assert (units["ks1", "ks3"], units["ks8", "ks9"]) == (None, None)
    why = (
        "ks2 names ks1 and ks8 as peers of G. ks2 sets no identity there, and peers set different ones, so it is "
        "unclear which group is meant."
    )
    assert units["ks2",] == (
        f"{why} Nothing is changed on ks2; if they belong together, set the identity on ks2, or set O(groups)."
    )
    assert Claim("ks2", "G", ("ks1", "ks8"), why) in found.claims


def test_one_without_an_identity_belongs_to_those_of_one_identity() -> None:
    hosts = [host("ks1", group(peers=peers("ks2"))), host("ks2", group(identity=None, peers=peers("ks1")))]
    assert of(as_configured(hosts)) == [("K", "G", "ks1 ks2", None)]


def test_key_servers_without_peers_are_alone() -> None:
    found = as_configured([host("ks1", group()), host("ks2", group())])
    assert of(found) == [("K", "G", "ks1", None), ("K", "G", "ks2", None)]


def test_a_group_is_known_by_its_identity_and_not_by_its_name() -> None:
    one, two = full("ks1", "ks2", identity="7")
    found = as_configured([one, dataclasses.replace(two, groups=(group("g", identity="7", peers=peers("ks1")),))])
    assert of(found) == [("K", "G g", "ks1 ks2", None)]
    assert found.units[0].served == ((("ks1", "G"), ("ks2", "g")),)
    found = as_configured([one, dataclasses.replace(two, groups=(group("G", identity="8", peers=peers("ks1")),))])
    assert [one.hosts for one in found.units] == [("ks1",), ("ks2",)]


def test_a_group_without_identity_is_known_by_its_name() -> None:
    one, two = full("ks1", "ks2")
    for name, hosts in (("G", [("ks1", "ks2")]), ("H", [("ks1",), ("ks2",)])):
        other = dataclasses.replace(two, groups=(group(name, identity=None, peers=peers("ks1")),))
        assert [unit.hosts for unit in as_configured([one, other]).units] == hosts


def test_addresses_are_compared_as_addresses() -> None:
    found = as_configured(
        [
            Host("ks1", (group(peers=("2001:DB8:0::2",)),), ("10.0.0.1",)),
            Host("ks2", (group(peers=("10.0.0.1",)),), ("2001:db8::2", "ks2.example.com")),
        ]
    )
    assert of(found) == [("K", "G", "ks1 ks2", None)]


def test_its_own_address_among_its_peers_ties_nobody_and_blocks_nobody() -> None:
    found = as_configured([host("ks1", group(peers=peers("ks1")))])
    assert (of(found), found.claims) == ([("K", "G", "ks1", None)], ())


def test_hosts_without_a_group_are_reported() -> None:
    assert as_configured([*full("ks1", "ks4"), host("ks3"), host("ks2")]).ungrouped == ("ks2", "ks3")


def test_no_host() -> None:
    assert as_configured([]).units == as_given([], []).units == under_one_label([], "K").units == ()


# Claims


def test_who_names_others_that_do_not_name_it_is_not_planned_and_they_go_on_without_it() -> None:
    found = as_configured([*full("ks1", "ks2"), host("ks9", group(peers=peers("ks1", "ks2")))])
    why = "ks9 names ks1 and ks2 as peers of G (1), and neither names it."
    advice = "Nothing is changed on ks9; if they belong together, make ks1 and ks2 name it as a peer, or set O(groups)."
    assert of(found) == [("K", "G", "ks1 ks2", None), ("K", "G", "ks9", f"{why} {advice}")]
    assert found.claims == (Claim("ks9", "G", ("ks1", "ks2"), why),)


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (("ks1",), "ks9 names ks1 as a peer of G (1), and ks1 does not name it."),
        (("ks1", "ks2", "ks3"), "ks9 names ks1, ks2 and ks3 as peers of G (1), and none of them names it."),
    ],
)
def test_a_claim_in_words(named: tuple[str, ...], why: str) -> None:
    found = as_configured([*full("ks1", "ks2", "ks3"), host("ks9", group(peers=peers(*named)))])
    assert [claim.why for claim in found.claims] == [why]


def test_a_claim_of_a_group_without_identity_or_with_its_name_for_it() -> None:
    for identity in (None, "G"):
        found = as_configured([host("ks9", group(identity=identity, peers=peers("ks1"))), host("ks1")])
        assert [claim.why for claim in found.claims] == ["ks9 names ks1 as a peer of G, and ks1 does not name it."]


def test_a_key_server_that_takes_itself_out_does_not_stop_those_who_name_it() -> None:
    found = as_configured([*full("ks1", "ks2", "ks9")[:2], host("ks9")])
    assert of(found) == [("K", "G", "ks1 ks2", None)]
    assert [(claim.host, claim.names) for claim in found.claims] == [("ks1", ("ks9",)), ("ks2", ("ks9",))]


def test_two_new_key_servers_that_nobody_names_yet_get_no_key_of_their_own() -> None:
    new = [
        host("ks4", group(peers=peers("ks1", "ks2", "ks5"))),
        host("ks5", group(peers=peers("ks1", "ks2", "ks4"))),
    ]
    found = as_configured([*full("ks1", "ks2"), *new])
    assert [(one.hosts, one.blocked is None) for one in found.units] == [
        (("ks1", "ks2"), True),
        (("ks4", "ks5"), False),
    ]
    assert (found.units[1].blocked or "").endswith(
        "Nothing is changed on ks4 and ks5; if they belong together, make ks1 and ks2 name them as peers, or set"
        " O(groups)."
    )


def test_a_liar_in_one_group_pulls_nobody_else_in() -> None:
    """ks9 is a peer of ks1, and names ks3 as well."""
    first = full("ks1", "ks2", "ks9")[:2]
    second = full("ks3", "ks4", group_name="H", identity="2")
    liar = host("ks9", group(peers=peers("ks1", "ks2", "ks3")), group("H", identity="2", peers=peers("ks3", "ks4")))
    found = as_configured([*first, *second, liar])
    assert [one.hosts for one in found.units] == [("ks1", "ks2", "ks9"), ("ks3", "ks4"), ("ks9",)]
    assert found.units[1] == as_configured(second).units[0]
    assert found.units[2].blocked
    assert [(claim.group, claim.names) for claim in found.claims] == [("G", ("ks3",)), ("H", ("ks3", "ks4"))]


def test_thousands_of_claims_are_counted() -> None:
    many = tuple(group(f"G{number}", identity=str(number), peers=peers("ks1")) for number in range(1000))
    claims = as_configured([host("ks1"), Host("ks9", many, peers("ks9"))]).claims
    assert len(claims) == MOST_CLAIMS + 1
    assert claims[-1].why == f"ks9 makes {1000 - MOST_CLAIMS} more claims like these."


def test_many_names_are_counted() -> None:
    addresses = tuple(f"10.1.0.{number}" for number in range(100, 150))
    (unit,) = as_configured([host("ks1", group(peers=addresses))]).units
    assert "10.1.0.109 and 40 more as peers of G" in (unit.blocked or "")


# Addresses


def test_an_address_is_whose_the_inventory_says() -> None:
    """ks9 says that it is 10.0.0.2."""
    honest = full("ks1", "ks2")
    found = as_configured([*honest, host("ks9", group(addresses=peers("ks2"), peers=peers("ks1")))])
    assert found.units[0] == as_configured(honest).units[0]
    assert [claim.why for claim in found.claims] == [
        "ks9 names ks1 as a peer of G (1), and ks1 does not name it.",
        "ks9 says that 10.0.0.2 is its own address in G (1), but in the inventory this address belongs to ks2.",
    ]


def test_an_address_that_the_inventory_does_not_know_is_nobodys() -> None:
    """Else who says so would be given the key of whoever is down, or has been forgotten."""
    found = as_configured(
        [
            Host("ks1", (group(addresses=("10.7.0.1",), peers=("10.7.0.2",)),), ("192.0.2.1",)),
            Host("ks2", (group(addresses=("10.7.0.2",), peers=("10.7.0.1",)),), ("192.0.2.2",)),
        ]
    )
    assert [one.hosts for one in found.units] == [("ks1",), ("ks2",)]
    assert found.units[0].blocked == (
        "ks1 has 10.7.0.2 as a peer of G. The inventory has no other key server with this address, and no key server "
        "has ks1 as a peer. Nothing is changed; set key_server_addresses of the key servers that are meant, or "
        "O(groups)."
    )
    assert found.claims[0] == Claim(
        "ks1",
        "G",
        ("ks2",),
        "ks1 says that 10.7.0.1 is its own address in G (1); ks2 names it as a peer, and the inventory gives it to "
        "no key server. If it is that of ks1, set key_server_addresses of ks1.",
    )


def test_two_that_say_the_same_address_is_theirs() -> None:
    found = as_configured(
        [
            host("ks1", group(peers=("10.7.0.2", *peers("ks3")))),
            host("ks3", group(peers=("10.7.0.2", *peers("ks1")))),
            *(
                Host(name, (group(addresses=("10.7.0.2",), peers=peers("ks1")),), peers(name))
                for name in ("ks2", "ks9")
            ),
        ]
    )
    assert found.units[0].hosts == ("ks1", "ks3")
    assert found.units[0].blocked is None
    said = [claim for claim in found.claims if "says" in claim.why]
    assert [claim.host for claim in said] == ["ks2", "ks9"]
    assert said[0].why == (
        "ks2 says that 10.7.0.2 is its own address in G (1), and so does ks9; ks1 and ks3 name it as a peer, and the "
        "inventory gives it to no key server. If it is that of ks2, set key_server_addresses of ks2."
    )


def test_an_address_that_the_inventory_gives_to_two_is_neithers() -> None:
    found = as_configured(
        [
            Host("ks1", (group(peers=("127.0.0.1",)),), ("127.0.0.1",)),
            Host("ks2", (group(peers=("127.0.0.1",)),), ("127.0.0.1",)),
        ]
    )
    assert [one.hosts for one in found.units] == [("ks1",), ("ks2",)]


def test_an_address_that_nobody_names_takes_nobody_in() -> None:
    found = as_configured([host("ks1", group(addresses=("10.7.0.1",))), host("ks2", group("H", identity="2"))])
    assert found.claims == ()


def test_a_peer_outside_the_inventory_is_reported_and_does_not_stop_two_that_name_each_other() -> None:
    one, two = full("ks1", "ks2")
    hosts = [
        dataclasses.replace(
            host, groups=(dataclasses.replace(host.groups[0], peers=(*host.groups[0].peers, "10.9.9.9")),)
        )
        for host in (one, two)
    ]
    (unit,) = as_configured(hosts).units
    finding = "10.9.9.9, a peer of ks1, ks2, is an address that the inventory gives to no key server."
    assert (unit.blocked, unit.findings, unit.unknown_peers) == (None, (finding,), (finding,))


# Labels


def test_different_labels_in_one_group_block_it() -> None:
    one, two = full("ks1", "ks2")
    found = as_configured([one, dataclasses.replace(two, groups=(group(label="L", peers=peers("ks1")),))])
    assert of(found) == [(None, "G", "ks1 ks2", "The key servers of G name different RSA keys: K on ks1; L on ks2.")]


def test_no_label_in_a_group_blocks_it() -> None:
    found = as_configured(full("ks1", "ks2", label=None))
    blocked = "No key server names an RSA key for the rekeys of G: ks1, ks2."
    assert of(found) == [(None, "G", "ks1 ks2", blocked)]


def test_a_host_that_names_no_label_belongs_to_its_group_all_the_same() -> None:
    one, two = full("ks1", "ks2")
    (unit,) = as_configured([one, dataclasses.replace(two, groups=(group(label=None, peers=peers("ks1")),))]).units
    assert (unit.label, unit.hosts) == ("K", ("ks1", "ks2"))
    assert unit.findings == ("No RSA key is named for the rekeys of G on ks2.",)


def test_groups_with_one_label_on_the_same_key_servers_are_one_unit() -> None:
    one, two = full("ks1", "ks2", "ks3"), full("ks1", "ks2", group_name="H", identity="2")
    (unit,) = as_configured(together(*one, *two)).units
    assert (unit.label, unit.groups, unit.hosts, unit.barrier) == ("K", ("G", "H"), ("ks1", "ks2", "ks3"), None)
    assert unit.served == ((("ks1", "G"), ("ks2", "G"), ("ks3", "G")), (("ks1", "H"), ("ks2", "H")))


def test_groups_with_one_label_that_two_key_servers_have_in_common_are_one_unit() -> None:
    one, two = full("ks1", "ks2", "ks3"), full("ks2", "ks3", "ks4", group_name="H", identity="2")
    (unit,) = as_configured(together(*one, *two)).units
    assert (unit.hosts, unit.barrier) == (("ks1", "ks2", "ks3", "ks4"), None)


def test_groups_with_one_label_on_a_single_common_key_server_are_changed_only_if_the_operator_says_so() -> None:
    """ks2 alone says so: with it, the key of one customer would go to another."""
    one, two = full("ks1", "ks2"), full("ks2", "ks3", group_name="H", identity="2")
    (unit,) = as_configured(together(*one, *two)).units
    assert (unit.label, unit.hosts, unit.blocked) == ("K", ("ks1", "ks2", "ks3"), None)
    assert unit.barrier == (
        "G, H use the same label K only on ks2; their other key servers differ. Nothing is changed while "
        "their keys differ; if all of them are to hold one key, set O(groups)."
    )


def test_groups_with_other_labels_on_a_common_host_are_two_units() -> None:
    one, two = full("ks1", "ks2"), full("ks1", "ks2", group_name="H", identity="2", label="L")
    assert of(as_configured(together(*one, *two))) == [("K", "G", "ks1 ks2", None), ("L", "H", "ks1 ks2", None)]


def test_a_group_whose_key_servers_disagree_leaves_the_others_alone() -> None:
    """Also those that share a label with it on one of its key servers."""
    good = full("ks1", "ks2")
    bad = [
        host("ks1", group("BAD", "K", "2", peers=peers("ks3"))),
        host("ks3", group("BAD", "L", "2", peers=peers("ks1"))),
    ]
    found = as_configured(together(*good, *bad))
    assert [(one.groups, one.hosts, one.blocked is None) for one in found.units] == [
        (("BAD",), ("ks1", "ks3"), False),
        (("G",), ("ks1", "ks2"), True),
    ]


def test_groups_without_label_on_one_host_have_nothing_in_common() -> None:
    found = as_configured([host("ks1", group("G1", None, "1"), group("G2", None, "2"))])
    assert [one.groups for one in found.units] == [("G1",), ("G2",)]


# Hosts that could not be read


def test_an_unreadable_host_is_waited_for_by_those_who_name_it_and_by_nobody_else() -> None:
    named = full("ks1", "ks2", "ks3")[:2]
    found = as_configured([*named, host("ks3", readable=False), *full("ks4", "ks5", group_name="H", identity="2")])
    assert of(found) == [("K", "G", "ks1 ks2 ks3", None), ("K", "H", "ks4 ks5", None)]
    assert (found.claims, found.findings, found.units[0].findings) == ((), (), ())


def test_an_unreadable_host_that_nobody_names_stops_nobody() -> None:
    lone = host("ks3", group("H", identity="2"))
    strange = [dataclasses.replace(one, groups=(group(peers=(*one.groups[0].peers, "10.9.9.9")),))
               for one in full("ks1", "ks2")]  # fmt: skip
    found = as_configured([lone, *strange, host("ks9", readable=False)])
    assert [one.hosts for one in found.units] == [("ks1", "ks2"), ("ks3",)]
    assert found.ungrouped == ("ks9",)
    assert found.findings == (
        "ks9 could not be read. No key server has it as a COOP peer, so no other group is held up.",
    )


def test_unreadable_hosts_that_nobody_names_are_named_in_one_sentence() -> None:
    away = [host(f"ks{number}", readable=False) for number in (9, 7, 8)]
    found = as_configured([*full("ks1", "ks2"), *away])
    assert found.findings == (
        "ks7, ks8, ks9 could not be read. No key server has them as COOP peers, so no other group is held up.",
    )


def test_a_key_server_whose_only_peer_is_unreadable_waits_for_it() -> None:
    found = as_configured([full("ks1", "ks2")[0], host("ks2", readable=False)])
    assert of(found) == [("K", "G", "ks1 ks2", None)]


# Given


def test_a_given_label_makes_all_hosts_one_unit() -> None:
    found = under_one_label([host("ks1", group("G1", "K"), group("G2", "OTHER")), host("ks2")], "K")
    assert of(found) == [("K", "G1", "ks1 ks2", None)]
    assert (found.units[0].served, found.ungrouped, found.claims) == ((), (), ())


def test_with_a_given_label_peers_are_strangers_only_if_no_key_server_says_that_it_is_them() -> None:
    hosts = [host("ks1", group(peers=("10.7.0.2", "10.7.0.3"))), host("ks2", group(addresses=("10.7.0.2",)))]
    (unit,) = under_one_label(hosts, "K").units
    assert unit.unknown_peers == ("10.7.0.3, a peer of ks1, is an address that the inventory gives to no key server.",)


def test_given_groups_replace_the_configured_ones() -> None:
    hosts = [*full("ks1", "ks4", "ks9"), host("ks2"), host("ks3", readable=False)]
    found = as_given(hosts, [GivenGroup("A", "L", ("ks1", "ks2")), GivenGroup("B", "M", ("ks3",))])
    assert of(found) == [("L", "A", "ks1 ks2", None), ("M", "B", "ks3", None)]
    assert (found.units[0].served, found.ungrouped, found.claims) == ((), ("ks4", "ks9"), ())


def test_given_groups_that_share_label_and_host_are_one_unit() -> None:
    found = as_given([], [GivenGroup("A", "L", ("ks1", "ks2")), GivenGroup("B", "L", ("ks2", "ks3"))])
    assert of(found) == [("L", "A B", "ks1 ks2 ks3", None)]


def test_a_given_group_without_hosts_is_no_unit() -> None:
    assert as_given([], [GivenGroup("A", "L", ())]).units == ()


# Any fleet

NAMES = ("ks1", "ks2", "ks3", "ks4", "ks5")
KNOWN = [ADDRESS[name] for name in (*NAMES, "ks9")]
addresses = st.lists(st.sampled_from([*KNOWN, "10.7.0.1", "::1", "x"]), max_size=4).map(tuple)
groups = st.builds(
    GroupOnHost,
    name=st.sampled_from("GHI"),
    identity=st.sampled_from([None, "1", "2"]),
    label=st.sampled_from([None, "K", "L"]),
    addresses=addresses,
    peers=addresses,
)


@st.composite
def any_host(draw: st.DrawFn, name: str) -> Host:
    own = draw(st.sampled_from([(ADDRESS[name],), (ADDRESS[name], "10.7.0.1"), ()]))
    return Host(name, tuple(draw(st.lists(groups, max_size=4))), own, draw(st.sampled_from([True, True, True, False])))


def without(hosts: list[Host], name: str) -> list[Host]:
    """Nobody names it: no peer is an address of it."""
    return [
        dataclasses.replace(
            one,
            groups=tuple(
                dataclasses.replace(group, peers=tuple(peer for peer in group.peers if peer != ADDRESS[name]))
                for group in one.groups
            ),
        )
        for one in hosts
    ]


@st.composite
def fleets(draw: st.DrawFn) -> list[Host]:
    """Mostly key servers that are configured as they should be, and some that are anyhow."""
    hosts: list[Host] = []
    for number, identity in enumerate(("1", "2")):
        members = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
        hosts += full(*members, group_name="GH"[number], label=draw(st.sampled_from("KL")), identity=identity)
    drawn = [draw(any_host(name)) for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))]
    return together(*hosts, *drawn)


@settings(max_examples=examples(500), deadline=None)
@given(fleets())
def test_every_host_is_somewhere_and_every_key_in_one_unit(hosts: list[Host]) -> None:
    found = as_configured(hosts)
    grouped = {name for one in found.units for name in one.hosts}
    assert grouped | set(found.ungrouped) == {host.name for host in hosts}
    assert not grouped & set(found.ungrouped)
    for one in found.units:
        assert one.label is not None or one.blocked is not None
        assert {name for part in one.served for name, _group in part} <= set(one.hosts)
    # One key on one readable host is planned once only: two plans for it could contradict each other.
    readable = {host.name for host in hosts if host.readable}
    planned = [(one.label, name) for one in found.units if not one.blocked for name in one.hosts if name in readable]
    assert len(planned) == len(set(planned))


@settings(max_examples=examples(500), deadline=None)
@given(fleets(), st.randoms(use_true_random=False))
def test_the_order_of_the_hosts_does_not_matter(hosts: list[Host], random: Random) -> None:
    shuffled = list(hosts)
    random.shuffle(shuffled)
    assert as_configured(shuffled) == as_configured(hosts)


@settings(max_examples=examples(1000), deadline=None)
@given(fleets(), any_host("ks9"))
def test_who_is_named_by_nobody_changes_nothing_for_anybody(hosts: list[Host], liar: Host) -> None:
    """Whatever it says of groups, identities, labels, addresses and peers, readable or not."""
    liar = dataclasses.replace(liar, addresses=peers("ks9"))
    honest = without(hosts, "ks9")
    alone, found = as_configured(honest), as_configured([*honest, liar])
    assert [one for one in found.units if "ks9" not in one.hosts] == list(alone.units)
    unread = {one.name for one in honest if not one.readable}
    assert all(set(one.hosts) <= {"ks9", *unread} for one in found.units if "ks9" in one.hosts)
    assert [claim for claim in found.claims if claim.host != "ks9"] == [
        claim for claim in alone.claims if claim.host != "ks9"
    ] or any("says that" in claim.why for claim in found.claims if claim.host != "ks9")


@settings(max_examples=examples(1000), deadline=None)
@given(fleets(), any_host("ks9"))
def test_nobody_shares_a_key_with_whom_nobody_in_its_groups_names(hosts: list[Host], liar: Host) -> None:
    """A plan carries keys only within a unit; in it, each key server is named by another one of its group there."""
    liar = dataclasses.replace(liar, addresses=peers("ks9"))
    everybody = [*hosts, liar]
    names: dict[tuple[str, str], set[str]] = {}
    for one in everybody:
        for own in one.groups:
            named = {other.name for other in everybody if set(own.peers) & set(other.addresses)}
            names.setdefault((one.name, own.name), set()).update(named)
    for unit in as_configured(everybody).units:
        for part in unit.served:
            for name, _group in part:
                others = [member for member in part if member[0] != name]
                assert not others or any(name in names[member] for member in others)


@settings(max_examples=examples(500), deadline=None)
@given(fleets(), any_host("ks9"))
def test_no_group_has_two_identities(hosts: list[Host], liar: Host) -> None:
    identities = {
        (one.name, group_.name): {same.identity for same in one.groups if same.name == group_.name}
        for one in (*hosts, liar)
        for group_ in one.groups
    }
    for unit in as_configured([*hosts, liar]).units:
        for part in unit.served:
            sure = [identities[place] for place in part if len(identities[place]) == 1]
            assert len(set().union(*sure) - {None}) <= 1


@settings(max_examples=examples(200), deadline=None)
@given(fleets(), any_host("ks9"), st.booleans())
def test_what_the_operator_says_counts_in_place_of_what_devices_say(
    hosts: list[Host], liar: Host, by_label: bool
) -> None:
    described = [GivenGroup("A", "K", ("ks1", "ks2")), GivenGroup("B", "L", ("ks3",))]
    everybody = [*hosts, liar]

    def units(those: list[Host]) -> list[tuple[str | None, tuple[str, ...], str | None]]:
        found = under_one_label(those, "K") if by_label else as_given(those, described)
        return [(one.label, one.hosts, one.blocked) for one in found.units]

    blank = [dataclasses.replace(one, groups=(), readable=True) for one in everybody]
    assert units(everybody) == units(blank)
