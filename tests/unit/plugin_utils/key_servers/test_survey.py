# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what devices show to plans: whatever one key server says, the plans of others are those without it."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.effort import examples

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn import Survey
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_config import Group
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_coop import Coop
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_members import Member
from ansible_collections.vpnops.keys.plugins.module_utils._ios.key_listings import KeyRing, RsaKey
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.steps import Distribute
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios.options import Target
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers import survey as key_servers
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.survey import (
    ADDRESSES,
    MOST_GROUPS,
    MOST_PEERS,
    Plans,
    Seen,
)

NAMES = ("ks1", "ks2", "ks3", "ks4")
ADDRESS = {name: f"10.0.0.{number}" for number, name in enumerate((*NAMES, "liar"), 1)}
OPTIONS: dict[str, t.Any] = {
    "label": None, "groups": None, "overwrite": True, "size": 2048, "minimum_size": 0, "allow_weak_source": True,
    "exportable": True, "save": True, "compromised": [], "primary": [],
    "allow_absent_compromised": False, "only_groups": None, "allowed_hosts": None,
    "allow_partial_inventory": True,
}  # fmt: skip


def planned(seen: Mapping[str, Seen], **options: t.Any) -> Plans:
    return key_servers.plan_all(seen, OPTIONS | options, {name: (ADDRESS[name],) for name in seen})


def rsa_key(label: str, number: int, exportable: bool = True) -> RsaKey:
    return RsaKey(label, "general", 2048, exportable, None, True, False, None, bytes([number]) * 8)


def survey(groups: tuple[Group, ...], ring: KeyRing, roles: Mapping[str, str] | None = None) -> Survey:
    coop = {name: Coop(role=t.cast(t.Any, role)) for name, role in (roles or {}).items()}
    return Survey(ring, groups, coop, ())


@st.composite
def honest(draw: st.DrawFn) -> dict[str, Seen]:
    """Two groups with different key servers or the same, each of which names all others of its group."""
    groups: dict[str, list[Group]] = {name: [] for name in NAMES}
    for group, label in (("G", draw(st.sampled_from("KL"))), ("H", "L")):
        members = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
        for name in members:
            peers = tuple(ADDRESS[other] for other in members if other != name)
            groups[name].append(Group(group, "gdoi", str(ord(group)), label, draw(st.integers(1, 100)), peers))
    rings = {name: KeyRing(tuple(draw(st.lists(keys, max_size=2, unique_by=lambda key: key.label)))) for name in NAMES}
    primary = {group: draw(st.sampled_from(NAMES)) for group in "GH"}
    return {
        name: survey(tuple(own), rings[name], {group.name: "Primary" for group in own if primary[group.name] == name})
        for name, own in groups.items()
        if own
    }


keys = st.builds(rsa_key, st.sampled_from(["K", "L", "K.vpnops-new"]), st.integers(1, 3), st.booleans())
labels = st.sampled_from([None, "K", "L", "K.vpnops-new", "-x", "all", "a b", "\x1b[2J", "x" * 1000])
some_addresses = st.lists(st.sampled_from([*ADDRESS.values(), "10.9.9.9", "\x1b"]), max_size=5).map(tuple)
lies = st.one_of(
    st.builds(lambda: VpnKeysError("unreadable", "it shows nonsense", host="liar")),
    st.builds(
        lambda groups, ring, roles: survey(tuple(groups), KeyRing(tuple(ring)), roles),
        st.lists(
            st.builds(
                Group,
                name=st.sampled_from(["G", "H", "I", "\u202e"]),
                kind=st.just("gdoi"),
                identity=st.sampled_from([None, str(ord("G")), str(ord("H")), "x"]),
                label=labels,
                priority=st.sampled_from([None, 1, 255]),
                peers=some_addresses,
                address=st.sampled_from([None, *ADDRESS.values()]),
            ),
            max_size=4,
        ),
        st.lists(keys, max_size=3),
        st.dictionaries(st.sampled_from("GHI"), st.sampled_from(["Primary", "Secondary", "King"])),
    ),
)


@settings(max_examples=examples(400), deadline=None)
@given(honest(), lies, st.booleans(), st.booleans())
def test_a_liar_changes_no_plan_of_others_and_is_in_none(
    seen: dict[str, Seen], lie: Seen, overwrite: bool, partial: bool
) -> None:
    options = {"overwrite": overwrite, "allow_partial_inventory": partial}
    alone = planned(seen, **options).planned
    try:
        found = planned({**seen, "liar": lie}, **options).planned
    except VpnKeysError:  # for the liar's own group, where nothing is done to any other one
        assert not partial
        assert all(one.plan.verdict == "unknown" for one in alone)
        return
    others = [one for one in found if "liar" not in one.unit.hosts]
    assert [key_servers.to_result(one, {}) for one in others] == [key_servers.to_result(one, {}) for one in alone]
    for one in found:
        assert one.unit.hosts == ("liar",) or "liar" not in one.unit.hosts
        for step in one.plan.steps:
            if isinstance(step, Distribute):
                assert "liar" not in step.needs


# The corners


def lone(label: str | None = "K", **more: t.Any) -> Group:
    return Group("G", "gdoi", "1", label, 1, **more)


@pytest.mark.parametrize(("label", "says"), [("all", "keyword"), ("K.vpnops-new", "reserved for staged keys")])
def test_a_label_that_cannot_be_used_stops_its_own_unit(label: str, says: str) -> None:
    good = survey((lone(),), KeyRing((rsa_key("K", 1),)))
    bad = survey((Group("H", "gdoi", "2", label, 1),), KeyRing((rsa_key(label, 1),)))
    first, second = planned({"ks1": good, "ks2": bad}).planned
    assert first.plan.verdict == "in_sync"
    assert (second.plan.verdict, second.plan.steps) == ("unknown", ())
    assert says in (second.plan.blocked or "")
    assert "Nothing is changed on ks2." in (second.plan.blocked or "")


def test_who_lists_more_than_can_be_is_unreadable() -> None:
    groups = tuple(Group(f"G{number}", "gdoi") for number in range(MOST_GROUPS + 1))
    peers = tuple(f"10.1.0.{number}" for number in range(MOST_PEERS + 1))
    for found, what in ((groups, "257 groups"), ((lone(peers=peers),), "65 peers of one group")):
        read = key_servers.believable("ks1", survey(found, KeyRing(())))
        assert isinstance(read, VpnKeysError)
        assert (read.code, read.host) == ("unreadable", "ks1")
        assert what in str(read)
    fits = survey((*groups[1:],), KeyRing(()))
    assert key_servers.believable("ks1", fits) is fits


def test_groups_that_a_single_key_server_shares_are_left_alone_until_their_keys_are_equal() -> None:
    def fleet(first: int, last: int) -> dict[str, Seen]:
        def ring(number: int) -> KeyRing:
            return KeyRing((rsa_key("K", number),))

        one = Group("G", "gdoi", "1", "K", 1, (ADDRESS["ks2"],))
        back = Group("G", "gdoi", "1", "K", 1, (ADDRESS["ks1"],))
        over = Group("H", "gdoi", "2", "K", 1, (ADDRESS["ks3"],))
        far = Group("H", "gdoi", "2", "K", 1, (ADDRESS["ks2"],))
        return {
            "ks1": survey((one,), ring(first)),
            "ks2": survey((back, over), ring(first)),
            "ks3": survey((far,), ring(last)),
        }

    (equal,) = planned(fleet(1, 1)).planned
    assert (equal.plan.verdict, equal.plan.blocked) == ("in_sync", None)
    (differ,) = planned(fleet(1, 2)).planned
    assert (differ.plan.verdict, differ.plan.steps, differ.plan.would) == ("conflict", (), ())
    assert "use the same label K only on ks2" in (differ.plan.blocked or "")
    asked = planned(fleet(1, 2), overwrite=False).planned[0]
    assert (asked.plan.needs_consent, asked.plan.would) == (False, ())


def test_the_role_in_a_group_of_the_same_name_elsewhere_does_not_count() -> None:
    """ks1 is the primary of another group, which has the name that ks2 has for this one."""
    first = Group("A", "gdoi", "1", "K", 1, (ADDRESS["ks2"],))
    second = Group("B", "gdoi", "1", "K", 1, (ADDRESS["ks1"],))
    other = Group("B", "gdoi", "2", "L", 255)
    seen = {
        "ks1": survey((first, other), KeyRing(()), {"B": "Primary"}),
        "ks2": survey((second,), KeyRing(()), {"B": "Primary"}),
    }
    unit = next(one for one in planned(seen).planned if one.unit.label == "K")
    assert (unit.plan.verdict, unit.plan.primary) == ("absent", "ks2")
    assert [server.priority for server in unit.servers] == [1, 1]


def test_a_split_is_seen_in_groups_that_the_operator_describes_too() -> None:
    def one(name: str) -> Survey:
        return survey((Group("REAL", "gdoi", "1", "K", 1),), KeyRing((rsa_key("K", 1),)), {"REAL": "Primary"})

    given = [{"name": "GIVEN", "label": "K", "hosts": ["ks1", "ks2"]}]
    for options in ({"groups": given}, {"label": "K"}):
        (unit,) = planned({"ks1": one("ks1"), "ks2": one("ks2")}, **options).planned
        assert unit.plan.verdict == "split"


def test_members_of_a_group_of_the_same_name_in_another_unit_are_not_counted() -> None:
    mine = Survey(KeyRing(()), (lone("K"),), {}, (Member("198.51.100.1", "G", state="Registered"),))
    theirs = Survey(
        KeyRing(()), (Group("G", "gdoi", "2", "K", 1),), {}, (Member("198.51.100.2", "G", state="Registered"),)
    )
    units = planned({"ks1": mine, "ks2": theirs}).planned
    assert [[member.address for member in unit.members] for unit in units] == [["198.51.100.1"], ["198.51.100.2"]]


# What is chosen


def three() -> dict[str, Seen]:
    """EUROPE on ks1 and ks2, which hold the same key, ASIA on ks3, and nothing that could be read of ks4."""

    def one(name: str, number: int, label: str, peer: str = "") -> Survey:
        group = Group(name, "gdoi", name, label, 1, (ADDRESS[peer],) if peer else ())
        return survey((group,), KeyRing((rsa_key(label, number),)))

    return {
        "ks1": one("EUROPE", 1, "E", "ks2"),
        "ks2": one("EUROPE", 1, "E", "ks1"),
        "ks3": one("ASIA", 3, "A", "ks4"),
        "ks4": VpnKeysError("unreachable", "it does not answer", host="ks4"),
    }


@pytest.mark.parametrize(
    ("options", "groups", "problems"),
    [
        ({}, ["ASIA", "EUROPE"], ["ks4"]),
        ({"only_groups": ["EUROPE"]}, ["EUROPE"], []),
        ({"only_groups": ["E*"]}, ["EUROPE"], []),
        ({"only_groups": ["all:!EUROPE"]}, ["ASIA"], ["ks4"]),
        ({"allowed_hosts": ["ks1"]}, ["EUROPE"], []),
        ({"allowed_hosts": ["ks4"]}, ["ASIA"], ["ks4"]),
        ({"allowed_hosts": ["ks1", "ks3"], "only_groups": ["EUROPE"]}, ["EUROPE"], []),
    ],
)
def test_other_groups_than_the_chosen_are_neither_planned_nor_a_problem(
    options: dict[str, t.Any], groups: list[str], problems: list[str]
) -> None:
    found = planned(three(), **options)
    assert [name for one in found.planned for name in one.unit.groups] == groups
    assert list(found.problems) == problems
    left = [text for text in found.findings if text.startswith("Excluded, because not selected: ")]
    assert bool(left) == (len(groups) == 1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"only_groups": ["EUROP"]},
            "matches nothing: EUROP; ks4 could not be read. Nothing was done; the key servers serve ASIA",
        ),
        (
            {"only_groups": ["ASIA"], "allowed_hosts": ["ks1"]},
            "allowed_hosts excludes all key servers of ASIA. Nothing",
        ),
    ],
)
def test_a_choice_of_nothing_is_refused(options: dict[str, t.Any], says: str) -> None:
    with pytest.raises(VpnKeysError) as caught:
        planned(three(), **options)
    assert says in str(caught.value)


def test_several_that_cannot_be_read_stop_only_their_own_groups() -> None:
    seen = three()
    away = {name: VpnKeysError("unreachable", "it does not answer", host=name) for name in ("ks2", "ks4")}
    more = survey((Group("AFRICA", "gdoi", "3", "F", 1),), KeyRing((rsa_key("F", 5),)))
    found = planned({**seen, **away, "liar": more})
    verdicts = {one.unit.groups: one.plan.verdict for one in found.planned}
    assert verdicts == {("AFRICA",): "in_sync", ("ASIA",): "unknown", ("EUROPE",): "unknown"}
    assert not [text for one in found.planned for text in one.unit.unknown_peers]


GROUPS = {"all": ["ks1", "ks2", "ks3", "gw1"], "key_servers": ["ks1", "ks2", "ks3"]}
ALL = {**OPTIONS, "parallel": 1, "timeout": 1}


@pytest.mark.parametrize(
    ("hosts", "found"),
    [
        (["ks2", "ks1"], ["ks2", "ks1"]),
        (["key_servers:!ks3"], ["ks1", "ks2"]),
        (["key_servers", "!ks2"], ["ks1", "ks3"]),
        (["key_servers[0:1]"], ["ks1", "ks2"]),
    ],
)
def test_key_servers_are_named_as_ansible_names_hosts(hosts: list[str], found: list[str]) -> None:
    assert key_servers.check_options({**ALL, "hosts": hosts}, GROUPS) == found


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"hosts": ["ks1", "ks9"]}, "Not in the inventory: ks9"),
        ({"hosts": ["key_servers:ks9"]}, "Not in the inventory: ks9"),
        ({"hosts": []}, "There is no key server to read"),
        ({"hosts": ["ks1"], "allowed_hosts": ["gw1"]}, "allowed_hosts leaves none of the key servers ks1"),
    ],
)
def test_key_servers_that_are_not_there(options: dict[str, t.Any], says: str) -> None:
    with pytest.raises(VpnKeysError) as caught:
        key_servers.check_options({**ALL, **options}, GROUPS)
    assert says in str(caught.value)


# Compromised keys


def test_a_compromised_key_that_nobody_holds_is_refused_unless_that_is_allowed() -> None:
    known, unknown = rsa_key("E", 1).fingerprint, "0123456789ab"
    with pytest.raises(VpnKeysError) as caught:
        planned(three(), compromised=[known, unknown])
    assert caught.value.code == "not_found"
    said = "No key server has the compromised key 0123456789ab, as far as they could be read. Nothing was changed;"
    assert said in str(caught.value)
    found = planned(three(), compromised=[known, unknown], allow_absent_compromised=True)
    assert key_servers.shown_compromised(found) == [
        {"fingerprint": known, "key_servers": ["ks1", "ks2"]},
        {"fingerprint": unknown, "key_servers": []},
    ]


def test_a_compromised_key_under_a_label_that_no_group_uses_is_named() -> None:
    seen = {**three(), "ks1": survey((), KeyRing((rsa_key("OLD", 7), rsa_key("E", 1))))}
    found = planned(seen, compromised=[rsa_key("OLD", 7).fingerprint[:12]])
    (said,) = [text for text in found.findings if "under OLD" in text]
    assert said.startswith("ks1 has the compromised key ")


# Addresses of the inventory


def own(**variables: t.Any) -> dict[str, tuple[str, ...]]:
    return key_servers.own_addresses({"ks1": Target("ks1", "192.0.2.1")}, {"ks1": variables})


def test_addresses_come_from_the_inventory() -> None:
    assert own() == {"ks1": ("192.0.2.1",)}
    assert own(**{ADDRESSES: "10.0.0.1"}) == {"ks1": ("192.0.2.1", "10.0.0.1")}
    assert own(**{ADDRESSES: ["10.0.0.1", "::1"]}) == {"ks1": ("192.0.2.1", "10.0.0.1", "::1")}


def test_addresses_that_facts_tell_do_not_count() -> None:
    """Facts are what a device says, and Ansible puts them before what the inventory says."""
    told = {ADDRESSES: ["10.0.0.1"], "ansible_facts": {ADDRESSES: ["10.0.0.1"]}}
    assert own(**told) == {"ks1": ("192.0.2.1",)}


def with_unknown_peers(*names: str) -> dict[str, Seen]:
    """Of `three`, these name a peer that is not in the inventory."""
    seen = three()
    for name in names:
        found = t.cast(Survey, seen[name])
        groups = tuple(dataclasses.replace(one, peers=(*one.peers, "10.9.9.9")) for one in found.groups)
        seen[name] = dataclasses.replace(found, groups=groups)
    return seen


def test_a_part_of_the_inventory_is_refused_where_it_matters() -> None:
    """Before anything is changed; by itself, a unit of which nothing is known does not stop the others."""
    with pytest.raises(VpnKeysError) as caught:
        planned(with_unknown_peers("ks1", "ks2"), allow_partial_inventory=False)
    said = str(caught.value)
    assert said.startswith("10.9.9.9, a peer of ks1, ks2, is an address that the inventory gives to no key server.")
    assert "Nothing was changed; add them to the inventory and set the slice count of the job template to 1" in said
    assert said.endswith("or set allow_partial_inventory.")
    assert planned(three(), allow_partial_inventory=False).planned
    assert planned(with_unknown_peers("ks1", "ks2")).planned
    assert planned(with_unknown_peers("ks3"), allow_partial_inventory=False).planned, "ASIA cannot be read anyway"
    with pytest.raises(VpnKeysError, match=r"10\.9\.9\.9, a peer of ks3, is an address"):
        planned(with_unknown_peers("ks3"), allow_partial_inventory=False, only_groups=["ASIA"])


def test_a_key_server_that_names_any_peer_stops_its_own_group_alone() -> None:
    def of(group: str, *hosts: str, more: tuple[str, ...] = ()) -> dict[str, Seen]:
        peers = {name: tuple(ADDRESS[other] for other in hosts if other != name) for name in hosts}
        more_of = {hosts[0]: more}
        return {
            name: survey((Group(group, "gdoi", group, "K", 1, (*peers[name], *more_of.get(name, ()))),), KeyRing(()))
            for name in hosts
        }

    whole = of("G", "ks1", "ks2") | of("H", "ks3", "ks4")
    lying = of("G", "ks1", "ks2", more=("10.9.9.9",)) | of("H", "ks3", "ks4")
    expected = {one.unit.groups: one.plan for one in planned(whole, allow_partial_inventory=False).planned}
    found = {one.unit.groups: one.plan for one in planned(lying, allow_partial_inventory=False).planned}
    assert found["H",] == expected["H",]
    assert found["H",].steps
    assert not found["G",].steps
    assert "10.9.9.9, a peer of ks1, is an address" in (found["G",].blocked or "")
    assert "set O(allow_partial_inventory)" in (found["G",].blocked or "")
