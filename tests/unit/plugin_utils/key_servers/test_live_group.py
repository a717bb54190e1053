# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A live group as the decision sees it: what is not shown is a problem, and never a guess."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.effort import examples

from ansible_collections.vpnops.keys.plugins.action.ios_getvpn_rotation import _chosen, _meant
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn import Survey
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_config import Group
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_coop import Coop, CoopPeer
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_members import Member, Rekeys
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_policy import Kek, Policy, Tek
from ansible_collections.vpnops.keys.plugins.module_utils._ios.key_listings import KeyRing, RsaKey
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers import rotation
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers import rotations
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.live_group import (
    LiveGroup,
    apart,
    labels_of,
    live_groups,
    observation,
    told_apart,
)
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.rotation_store import RotationStore

A, B = "192.0.2.1", "192.0.2.2"
ADDRESSES = {"ks1": [A], "ks2": [B]}
KEY = RsaKey("OLD", "general", 2048, True, "private-config", True, False, "", b"old")
KEK = Kek("0x1", lifetime=86400, remaining=5000, time_to_rekey=4800, acknowledgement="Cisco")
POLICY = Policy("G", kek=KEK, teks=(Tek("0x2", lifetime=3600, remaining=100), Tek("0x3", None, None, 3600, 900, 810)))


def group(own: str, other: str, **changes: Any) -> Group:
    usual = Group("G", "gdoi", "7", "OLD", 100, (other,), own, redundancy=True, local_server=True)
    return dataclasses.replace(usual, **changes)


def server(own: str, other: str, role: Any, **changes: Any) -> Survey:
    peer = CoopPeer(other, 90, "Secondary" if role == "Primary" else "Primary", "Alive", heard=17)
    usual = Survey(
        KeyRing((KEY,)),
        (group(own, other),),
        {"G": Coop(True, own, 100, role, "Alive", (peer,))},
        (Member("198.51.100.1", "G", "Registered", A, "1.0.4", 5, 0, 5, 0),),
        (POLICY,),
        {"G": Rekeys(12)},
        "15.7(3)M3",
        (group(own, other),),
    )
    return dataclasses.replace(usual, **changes)


def both(**changes: Any) -> dict[str, Any]:
    return {"ks1": server(A, B, "Primary", **changes), "ks2": server(B, A, "Secondary")}


def seen(found: dict[str, Any]) -> rotation.Observation:
    (live,) = live_groups(found, ADDRESSES)
    return observation(live, found, ADDRESSES, "OLD", "NEW", 1000)


def test_everything_is_where_the_decision_looks_for_it() -> None:
    found = seen(both())
    first, second = found.servers
    assert (first.name, first.release, first.label, first.saved, first.role) == (
        "ks1", "15.7(3)M3", "OLD", True, "Primary",
    )  # fmt: skip
    assert (first.peers, second.peers) == ((rotation.Peer("ks2", True, 17),), (rotation.Peer("ks1", True, 17),))
    assert first.old
    assert (first.old.fingerprint, first.new, first.rekeys, first.problem) == (KEY.fingerprint, None, 12, None)
    assert found.members == (rotation.Member("198.51.100.1", "1.0.4", "ks1", 5, 5, 0),)
    assert found.timers == rotation.Timers(86400, 5000, 810, 3600, 900, acknowledged=True)


def test_a_group_with_a_key_server_outside_of_the_inventory_is_not_rotated() -> None:
    """As in a slice of AWX, where two of three are looked at: the third one would keep the old key."""
    third = "192.0.2.3"
    found = both()
    for name, one in found.items():
        named = dataclasses.replace(one.groups[0], peers=(*one.groups[0].peers, third))
        found[name] = dataclasses.replace(one, groups=(named,))
    (live,) = live_groups(found, ADDRESSES)
    assert live.blocked == (
        "192.0.2.3, a peer of ks1, ks2, is an address that the inventory gives to no key server. Nothing was "
        "changed; add the missing key servers to the inventory, or set key_server_addresses of those that are in it."
    )
    (live,) = live_groups(both(), ADDRESSES)
    assert live.blocked is None


def coop(**changes: Any) -> dict[str, Coop]:
    peer = dataclasses.replace(CoopPeer(B, 90, "Secondary", "Alive", heard=17), **changes)
    return {"G": Coop(True, A, 100, "Primary", "Alive", (peer,))}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"release": None}, "ks1: it does not show its release."),
        ({"rekeys": {}}, "ks1: it does not show how many rekeys it has sent."),
        ({"coop": {}}, "ks1: it does not show its COOP state."),
        ({"coop": coop(heard=None)}, "ks1: it does not show which announcements of its peers it accepts."),
        (
            {"members": (Member("198.51.100.1", "G", "Registered", A, "1.0.4", 5),)},
            "ks1: it does not show the rekeys of member 198.51.100.1.",
        ),
    ],
)
def test_what_is_not_shown_is_a_problem(changes: dict[str, Any], problem: str) -> None:
    assert seen(both(**changes)).servers[0].problem == problem


@pytest.mark.parametrize(
    "damage",
    [
        lambda kek: dataclasses.replace(kek, remaining=None),
        lambda kek: dataclasses.replace(kek, time_to_rekey=None),
        lambda kek: None,
    ],
)
def test_without_all_timers_there_are_none(damage: Callable[[Kek], Any]) -> None:
    policy = dataclasses.replace(POLICY, kek=damage(KEK))
    assert seen(both(policies=(policy,))).timers is None


@pytest.mark.parametrize("word", [None, "None", "Disabled", "n/a"])
def test_acknowledgement_is_not_assumed(word: str | None) -> None:
    policy = dataclasses.replace(POLICY, kek=dataclasses.replace(KEK, acknowledgement=word))
    timers = seen(both(policies=(policy,))).timers
    assert timers
    assert not timers.acknowledged


def test_what_a_reload_would_bring_back_is_not_saved() -> None:
    assert not seen(both(startup=(group(A, B, label="OTHER"),))).servers[0].saved
    assert not seen(both(startup=())).servers[0].saved
    assert seen(both(startup=None)).servers[0].saved
    assert not seen(both(unsaved=True)).servers[0].saved, "a key that was removed comes back"
    assert not seen(both(startup=None, unsaved=True)).servers[0].saved


def test_a_peer_that_is_configured_and_not_shown_is_not_heard() -> None:
    alone = {"G": Coop(True, A, 100, "Primary", "Alive", ())}
    assert seen(both(coop=alone)).servers[0].peers == (rotation.Peer("ks2", False, 0),)


def test_a_member_is_counted_once_as_the_primary_lists_it() -> None:
    elsewhere = Member("198.51.100.1", "G", "Registered", B, "1.0.4", 9, 0, 9, 0)
    found = both()
    found["ks2"] = dataclasses.replace(found["ks2"], members=(elsewhere,))
    assert seen(found).members == (rotation.Member("198.51.100.1", "1.0.4", "ks1", 5, 5, 0),)
    found["ks1"] = dataclasses.replace(found["ks1"], members=())
    assert seen(found).members == (rotation.Member("198.51.100.1", "1.0.4", "ks2", 9, 9, 0),)


def test_a_group_is_one_while_its_labels_differ() -> None:
    found = both()
    found["ks2"] = dataclasses.replace(found["ks2"], groups=(group(B, A, label="NEW"),))
    (live,) = live_groups(found, ADDRESSES)
    assert (live.title, live.identity, live.hosts, live.blocked) == ("G", "7", ("ks1", "ks2"), None)
    assert labels_of(live, found) == {"ks1": "OLD", "ks2": "NEW"}


def test_groups_that_share_a_key_are_still_two() -> None:
    other = [dataclasses.replace(one, name="H", identity="8") for one in (group(A, B), group(B, A))]
    found = both()
    for host, more in zip(("ks1", "ks2"), other, strict=True):
        found[host] = dataclasses.replace(found[host], groups=(*found[host].groups, more))
    assert [live.title for live in live_groups(found, ADDRESSES)] == ["G", "H"]
    assert {one.others for one in seen_of(found, 0).servers} == {(("H", "OLD"),)}


def seen_of(found: dict[str, Any], number: int) -> rotation.Observation:
    return observation(live_groups(found, ADDRESSES)[number], found, ADDRESSES, "OLD", "NEW", 1000)


def test_a_key_server_that_cannot_be_read_is_waited_for() -> None:
    found: dict[str, Any] = both()
    found["ks2"] = VpnKeysError("timeout", "no answer", host="ks2")
    (live,) = live_groups(found, ADDRESSES)
    assert live == LiveGroup("G", "7", {"ks1": "G", "ks2": None})
    assert seen(found).servers[1].problem == "ks2: no answer."


def test_a_key_server_that_only_claims_to_belong_to_a_group_is_in_none() -> None:
    liar = dataclasses.replace(server("192.0.2.9", A, "Primary"))
    found = {**both(), "ks9": liar}
    groups = live_groups(found, {**ADDRESSES, "ks9": ["192.0.2.9"]})
    assert [live.hosts for live in groups if not live.blocked] == [("ks1", "ks2")]


C = "192.0.2.9"
WIDER = {**ADDRESSES, "ks9": [C]}


def lone(**changes: Any) -> Survey:
    """ks9 alone, with a group of the same name and identity."""
    own = dataclasses.replace(group(C, ""), peers=(), redundancy=False, **changes)
    return server(C, "", "Primary", groups=(own,), coop={})


def test_who_alone_says_that_it_serves_a_group_does_not_stop_those_who_do() -> None:
    real, liar = told_apart(live_groups({**both(), "ks9": lone()}, WIDER))
    assert (real.hosts, real.blocked) == (("ks1", "ks2"), None)
    assert liar.blocked == (
        "ks9 and ks1, ks2 say that they serve G (7), and are not peers of each other. Nothing is changed; find out "
        "which of them belong to the group, and name only those in O(hosts)."
    )
    assert told_apart([real]) == [real]


def test_of_two_that_nobody_else_confirms_neither_is_chosen() -> None:
    found = {"ks1": server(A, "", "Primary", groups=(dataclasses.replace(group(A, ""), peers=()),)), "ks9": lone()}
    assert all(one.blocked for one in told_apart(live_groups(found, WIDER)))
    other = told_apart(live_groups({**found, "ks9": lone(identity="8")}, WIDER))
    assert [one.blocked for one in other] == [None, None]


def three(**liar: Any) -> dict[str, Any]:
    """ks1 to ks3 of one group, of which ks9 says more of itself than is true."""
    addresses = {"ks1": A, "ks2": B, "ks9": C}
    found: dict[str, Any] = {}
    for host, own in addresses.items():
        others = tuple(one for one in addresses.values() if one != own)
        sessions = tuple(CoopPeer(one, 90, "Primary" if one == A else "Secondary", "Alive", heard=17) for one in others)
        coop = {"G": Coop(True, own, 100, "Primary" if own == A else "Secondary", "Alive", sessions)}
        mine = dataclasses.replace(group(own, ""), peers=others, **(liar if host == "ks9" else {}))
        found[host] = server(own, "", "Primary", groups=(mine,), coop=coop)
    return found


def test_an_address_is_not_whose_it_says_it_is() -> None:
    """It could keep another key server from being heard, or take the members that are registered there."""
    usual, found = three(), three(address=A)
    (live,) = live_groups(found, WIDER)
    lied = observation(live, found, WIDER, "OLD", "NEW", 1000)
    assert lied == observation(live, usual, WIDER, "OLD", "NEW", 1000)
    assert [peer.name for peer in lied.servers[1].peers] == ["ks1", "ks9"]
    assert {member.server for member in lied.members} == {"ks1"}


def test_an_address_that_the_inventory_does_not_know_is_whose_one_says_it_is() -> None:
    inside = Member("198.51.100.1", "G", "Registered", "10.0.0.1", "1.0.4", 5, 0, 5, 0)
    found = both(groups=(group("10.0.0.1", B),), members=(inside,))
    assert {member.server for member in seen(found).members} == {"ks1"}
    found["ks2"] = dataclasses.replace(found["ks2"], groups=(group("10.0.0.1", A),))
    assert {member.server for member in seen(found).members} == {"10.0.0.1"}


def test_another_name_hides_no_group_and_makes_none() -> None:
    found = both(groups=(group(A, B, name="AAA"),), coop={"AAA": coop()["G"]})
    (live,) = live_groups(found, ADDRESSES)
    assert (live.hosts, live.known_as) == (("ks1", "ks2"), frozenset(("AAA", "G")))


def test_one_without_an_identity_is_of_the_group_that_it_names() -> None:
    found = both(groups=(group(A, B, identity=None),))
    (live,) = live_groups(found, ADDRESSES)
    assert (live.identity, live.hosts, live.blocked) == ("7", ("ks1", "ks2"), None)


def test_groups_that_share_a_key_server_do_not_wait_for_each_others() -> None:
    """ks1 serves G with ks2, and H with ks9, which cannot be read."""
    with_other = dataclasses.replace(group(A, C), name="H", identity="8")
    found: dict[str, Any] = both()
    found["ks1"] = dataclasses.replace(found["ks1"], groups=(*found["ks1"].groups, with_other))
    found["ks9"] = VpnKeysError("timeout", "no answer", host="ks9")
    assert {live.title: live.hosts for live in live_groups(found, WIDER)} == {
        "G": ("ks1", "ks2"),
        "H": ("ks1", "ks9"),
    }


def test_who_is_no_longer_named_is_told() -> None:
    found = both()
    (live,) = live_groups(found, ADDRESSES)
    assert apart(live, found, ADDRESSES) == ""
    left = {**found, "ks1": server(A, "", "Primary", groups=(dataclasses.replace(group(A, B), peers=()),))}
    assert apart(live, left, ADDRESSES) == "ks1, ks2 do not name each other as peers of G any more"
    unread: dict[str, Any] = {**left, "ks1": VpnKeysError("timeout", "no answer", host="ks1")}
    assert apart(live, unread, ADDRESSES) == "", "nothing is done until it can be read"


# -- whatever one key server says

FLEET = {f"ks{number}": [f"192.0.2.{number}"] for number in (1, 2, 3, 4, 9)}
NAMED = st.sampled_from([own for own, *_more in FLEET.values()])
SAID = st.builds(
    Group,
    name=st.sampled_from(["EUROPE", "ASIA", "AAA", "all", "!ASIA"]),
    kind=st.just("gdoi"),
    identity=st.sampled_from([None, "7", "8", "9"]),
    label=st.sampled_from([None, "OLD", "NEW", "ODD!"]),
    peers=st.lists(NAMED, max_size=4, unique=True).map(tuple),
    address=st.one_of(st.none(), NAMED, st.just("10.0.0.1")),
    redundancy=st.booleans(),
    local_server=st.just(True),
)


def honest() -> dict[str, Any]:
    """Two groups of two key servers each, and one that serves none."""
    pairs = {"EUROPE": ("7", ("ks1", "ks2")), "ASIA": ("8", ("ks3", "ks4"))}
    found: dict[str, Any] = {"ks9": server(C, "", "Primary", groups=(), coop={})}
    for name, (identity, hosts) in pairs.items():
        for host, other in (hosts, hosts[::-1]):
            own, peer = FLEET[host][0], FLEET[other][0]
            one = server(own, peer, "Primary" if host == hosts[0] else "Secondary")
            called = dataclasses.replace(group(own, peer), name=name, identity=identity)
            changes: dict[str, Any] = {"groups": (called,), "coop": {name: one.coop["G"]}, "rekeys": {name: Rekeys(12)}}
            found[host] = dataclasses.replace(one, **changes)
    return found


def of(title: str, hosts: tuple[str, ...], found: dict[str, Any]) -> tuple[Any, ...]:
    """The group of these key servers, as it is chosen by its name and among all, and how it stands."""
    groups = told_apart(live_groups(found, FLEET))
    choices = [_chosen(groups, {"allowed_hosts": None, "only_groups": [pattern]}) for pattern in (title, "*")]
    chosen = [[one for one in choice if one.hosts == hosts] for choice in choices]
    (live,) = chosen[0]
    return chosen, observation(live, found, FLEET, "OLD", "NEW", 1000), apart(live, found, FLEET)


@settings(max_examples=examples(400), deadline=None)
@given(
    st.lists(SAID, max_size=3, unique_by=lambda one: one.name).map(tuple),
    st.sampled_from(["ks9", "ks2"]),
    st.booleans(),
)
def test_whatever_one_says_the_groups_of_others_stay(
    said: tuple[Group, ...], liar: str, readable: bool
) -> None:
    found = honest()
    usual = {title: of(title, hosts, found) for title, hosts in (("EUROPE", ("ks1", "ks2")), ("ASIA", ("ks3", "ks4")))}
    found[liar] = dataclasses.replace(found[liar], groups=said)
    if not readable:
        found[liar] = VpnKeysError("timeout", "no answer", host=liar)
    assert of("ASIA", ("ks3", "ks4"), found) == usual["ASIA"]
    if liar == "ks9":
        assert of("EUROPE", ("ks1", "ks2"), found) == usual["EUROPE"]


def test_a_group_that_is_on_its_way_needs_no_name(tmp_path: Path) -> None:
    """Another one that a key server adds in the middle of it is not asked about; at the beginning both are named, with
    who serves them."""
    groups = told_apart(live_groups(honest(), FLEET))
    asked = {"allowed_hosts": None, "only_groups": None, "label": "NEW"}
    store = RotationStore(str(tmp_path))
    assert _meant(groups, asked, store) == groups
    with pytest.raises(VpnKeysError, match=r"2 groups: .*ASIA \(ks3, ks4\).*; choose one with only_groups") as caught:
        _chosen(groups, asked)
    assert "EUROPE (ks1, ks2)" in str(caught.value)
    europe = next(one for one in groups if one.hosts == ("ks1", "ks2"))
    record = rotations.record_for(europe, honest(), "NEW", None, store)
    assert record
    store.keep(dataclasses.replace(record, state="prepared"), europe)
    assert _chosen(_meant(groups, asked, store), asked) == [europe]
    assert _meant(groups, {**asked, "label": "ODD"}, store) == groups
    liar = honest()
    again = dataclasses.replace(liar["ks2"].groups[0], name="ODD", peers=())
    liar["ks2"] = dataclasses.replace(liar["ks2"], groups=(*liar["ks2"].groups, again))
    three = told_apart(live_groups(liar, FLEET))
    assert len(three) == 3
    assert [one.hosts for one in _chosen(_meant(three, asked, store), asked)] == [("ks1", "ks2")]
    store.keep(record, europe)
    assert record.state == "surveyed"
    assert _meant(groups, asked, store) == groups, "aborted: whatever labels key servers name"
    store.keep(dataclasses.replace(record, state="prepared"), europe)
    assert _meant(groups, {**asked, "only_groups": ["ASIA"]}, store) == groups
    asia = next(one for one in groups if one != europe)
    store.keep(dataclasses.replace(record, state="prepared"), asia)
    assert _meant(groups, asked, store) == groups, "which of two is unclear"


def adds_a_group(found: dict[str, Any], liar: str) -> dict[str, Any]:
    """One key server serves the identity of its group alone as well, under another name."""
    again = dataclasses.replace(found[liar].groups[0], name="ODD", peers=(), label="NEW")
    return {**found, liar: dataclasses.replace(found[liar], groups=(*found[liar].groups, again))}


def test_a_record_is_of_one_group(tmp_path: Path) -> None:
    """Or one key server would go on with the rotation of all: it says that its members have learned the key."""
    store = RotationStore(str(tmp_path))
    asia, europe = live_groups(honest(), FLEET)
    record = rotations.record_for(europe, honest(), "NEW", None, store)
    assert record
    store.keep(dataclasses.replace(record, state="learning"), europe)
    liar = adds_a_group(honest(), "ks2")
    first, second, odd = rotations.told_apart(told_apart(live_groups(liar, FLEET)), liar, store)
    assert (first, second, odd.hosts) == (asia, europe, ("ks2",))
    assert (odd.blocked or "").startswith(
        "the record of a rotation that ks2 would continue for ODD is also that of EUROPE (ks1, ks2). Nothing is changed"
    )


def test_a_record_waits_for_its_key_servers(tmp_path: Path) -> None:
    """ks1 cannot be read, and ks2 names it no more."""
    store = RotationStore(str(tmp_path))
    asia, europe = live_groups(honest(), FLEET)
    store.keep(rotation.Rotation("EUROPE", "OLD", "NEW", "learning"), europe)
    away: dict[str, Any] = {**honest(), "ks1": VpnKeysError("timeout", "no answer", host="ks1")}
    told = rotations.told_apart(live_groups(away, FLEET), away, store)
    assert [(one.hosts, one.blocked) for one in told] == [(asia.hosts, None), (europe.hosts, None)]
    alone = dataclasses.replace(away["ks2"], groups=(dataclasses.replace(away["ks2"].groups[0], peers=()),))
    liar = {**away, "ks2": alone}
    told = rotations.told_apart(live_groups(liar, FLEET), liar, store)
    assert [one.hosts for one in told if one.blocked] == [("ks2",)]
    assert "is also of ks1, which cannot be read" in str(told[1].blocked)


def test_one_that_has_left_a_group_keeps_no_others_from_its_rotation(tmp_path: Path) -> None:
    """Whoever was thrown out of a group and cannot be read is in its record for good. Nobody can have more of the key
    servers of that than those that are left."""
    asia, europe = live_groups(honest(), FLEET)
    three = dataclasses.replace(europe, names={**europe.names, "ks9": "EUROPE"})
    for state in ("learning", "retired"):
        store = RotationStore(str(tmp_path / state))
        store.keep(rotation.Rotation("EUROPE", "OLD", "NEW", state), three)
        away: dict[str, Any] = {**honest(), "ks9": VpnKeysError("timeout", "no answer", host="ks9")}
        assert rotations.told_apart(live_groups(away, FLEET), away, store) == [asia, europe]
