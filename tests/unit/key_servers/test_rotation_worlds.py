# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rotation of a live group, in each of the four ways that its devices may behave, killed at every command.

The decision knows nothing of the world it is in. See rotation_run.py for what must hold at any moment.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.key_servers.rotation_run import CANARY, NEW, OLD, Killed, Run, ended_well, make_group

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation import (
    CoopFact,
    Facts,
    Policy,
    RekeyFact,
)
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation_steps import Switch

WORLDS = [(rekey, strict) for rekey in ("in_band", "out_of_band") for strict in (False, True)]
KNOWN_TO_SPLIT = Facts((CoopFact(("15.7",), "splits"),), (RekeyFact("15.7", "1.0.4", "out_of_band"),))
LONG = 900
"""Longer than all that is waited for: dead time, retransmissions, a life of a TEK."""


def world(rekey: str, strict: bool, **more: Any) -> Run:
    return Run(make_group(rekey_new_key=rekey, coop_needs_key=strict, **more))


def whole(run: Run, kill_at: int | None = None, pause: float = 0) -> Run:
    """Bring it to its end. Where it is not known that the devices hear each other the operator is asked, and says yes.

    The run is killed after that many commands, and another one comes after the pause; or at once, where the devices
    split, as the operator was told.
    """
    run.kill_at = kill_at
    splits = any(server.personality.coop_needs_key for server in run.group.servers.values())
    waits = iter(range(20))
    while True:
        try:
            found = run.go()
        except Killed:
            run.pass_time(1 if splits and run.policy.allow_split else pause)
            continue
        if found.outcome == "done":
            return run
        assert found.outcome == "blocked", found.why
        told = ("does not receive COOP messages", "cannot be read")
        if any(text in found.why for text in told) and next(waits, None) is not None:
            run.pass_time(30)  # one that restarted is not back yet
            continue
        assert "O(allow_split)" in found.why
        assert {server.label for server in run.group.servers.values()} == {OLD}
        run.allow_split()


@cache
def undisturbed(rekey: str, strict: bool) -> Run:
    return whole(world(rekey, strict))


@pytest.mark.parametrize(("rekey", "strict"), WORLDS)
def test_it_comes_to_its_end_and_has_found_out_how_the_devices_behave(rekey: str, strict: bool) -> None:
    run = undisturbed(rekey, strict)
    assert ended_well(run)
    assert run.facts == Facts(
        (CoopFact(("15.7",), "splits" if strict else "hears"),),
        (RekeyFact("15.7", "1.0.4", "in_band" if rekey == "in_band" else "out_of_band"),),
    )
    again = 2 if rekey == "out_of_band" else 1
    assert {member.registrations for member in run.group.members.values()} == {again}


@pytest.mark.parametrize(("rekey", "strict"), WORLDS)
def test_killed_after_any_command_another_run_ends_in_the_same_place(rekey: str, strict: bool) -> None:
    expected = undisturbed(rekey, strict)
    for number in range(1, expected.commands + 1):
        run = whole(world(rekey, strict), number, LONG if number % 2 else 5)
        assert (run.end(), run.facts) == (expected.end(), expected.facts), number


@pytest.mark.parametrize(("rekey", "strict"), WORLDS)
def test_a_change_that_sends_a_rekey_by_itself_makes_no_difference(rekey: str, strict: bool) -> None:
    run = whole(world(rekey, strict, label_change_rekeys=True))
    assert (run.end(), run.facts) == (undisturbed(rekey, strict).end(), undisturbed(rekey, strict).facts)


@pytest.mark.parametrize(("rekey", "strict"), WORLDS)
def test_what_a_canary_found_out_is_used_for_the_next_group(rekey: str, strict: bool) -> None:
    facts = undisturbed(rekey, strict).facts
    run = Run(make_group(5, 8, rekey_new_key=rekey, coop_needs_key=strict), Policy(), facts)
    assert ended_well(whole(run))
    assert run.facts == facts
    switches = [step for step in run.steps if isinstance(step, Switch)]
    assert len(switches) == (1 if strict else 5)


@pytest.mark.parametrize(("rekey", "strict"), WORLDS)
def test_without_a_canary_nothing_of_the_group_is_changed(rekey: str, strict: bool) -> None:
    run = world(rekey, strict)
    run.policy = Policy()
    found = run.go()
    assert found.outcome == "blocked"
    assert found.why == (
        "The behavior of these releases during a label change is not known yet: 15.7, GET VPN 1.0.4 on members. "
        "The rotation stays in state timed; rotate the key of a small group of these releases first, or set O(canary) "
        "to find out with this one."
    )
    assert {server.label for server in run.group.servers.values()} == {OLD}


def test_labels_do_not_differ_without_consent_where_it_is_not_known_what_that_does() -> None:
    run = Run(make_group(), Policy(canary=True))
    found = run.go()
    assert (found.outcome, found.rotation.state) == ("blocked", "canary")
    assert "set O(allow_split) if a split of this group does no harm" in found.why
    run.allow_split()
    assert ended_well(whole(run))


def test_with_consent_a_run_that_is_killed_and_left_alone_splits_the_group_and_the_next_run_heals_it() -> None:
    run = Run(make_group(rekey_new_key="out_of_band", coop_needs_key=True), Policy(), KNOWN_TO_SPLIT)
    assert run.go().outcome == "blocked"
    run.allow_split()
    run.allowed_splits = 1
    run.kill_at = run.commands + 3  # two observations, one of three key servers
    with pytest.raises(Killed):
        run.go()
    labels = {server.label for server in run.group.servers.values()}
    run.pass_time(LONG)
    assert (labels, run.group.splits) == ({OLD, NEW}, 1)
    run.go()
    assert ended_well(run)


def test_members_that_ignore_a_key_in_a_rekey_are_waited_for_and_remembered_by_their_version() -> None:
    run = Run(make_group(2, 6, ignoring=2, rekey_new_key="in_band"))
    assert ended_well(whole(run))
    assert {(fact.version, fact.behavior) for fact in run.facts.rekey} == {
        ("1.0.3", "out_of_band"),
        ("1.0.4", "in_band"),
    }


@pytest.mark.parametrize("rekey", ["in_band", "out_of_band"])
def test_a_member_that_is_off_is_named_and_waited_for_until_the_operator_leaves_it_behind(rekey: str) -> None:
    run = world(rekey, False)
    run.group.stop("172.16.0.2")
    found = run.go(4000)
    assert (found.outcome, found.rotation.state) == ("wait", "learning")
    assert found.progress.overdue == ("172.16.0.2",)
    assert len(found.progress.learned) == 3
    run.policy = dataclasses.replace(CANARY, leave=("172.16.0.2",))
    assert ended_well(whole(run))


def test_a_member_that_comes_back_late_has_learned_the_key_by_registering() -> None:
    run = world("out_of_band", False)
    run.group.stop("172.16.0.2")
    assert run.go(4000).progress.overdue == ("172.16.0.2",)
    run.group.start("172.16.0.2")
    assert ended_well(whole(run))


def test_a_single_key_server_needs_to_know_nothing_of_cooperation() -> None:
    run = Run(make_group(1, 3))
    assert ended_well(whole(run))
    assert run.facts.coop == ()


@pytest.mark.parametrize("state", ["canary", "secondaries", "primary", "learning", "verified"])
def test_the_primary_goes_away_in_the_middle_and_the_rotation_still_ends(state: str) -> None:
    run = world("out_of_band", False)
    while run.record.state != state:
        assert run.step_on().outcome in ("step", "wait")
    run.group.reload("10.0.0.1", 240)
    assert ended_well(whole(run))
    assert run.group.splits == 0


@pytest.mark.parametrize("rekey", ["in_band", "out_of_band"])
@pytest.mark.parametrize("commands", range(3, 30, 2))
def test_an_abort_before_the_primary_is_free_and_leaves_no_trace(rekey: str, commands: int) -> None:
    run = world(rekey, False)
    run.kill_at = commands
    with pytest.raises(Killed):
        run.go()
    primary_changed = run.group.servers["10.0.0.1"].label == NEW
    run.policy = dataclasses.replace(CANARY, abort=True)
    found = run.go()
    if primary_changed:
        assert found.outcome == "blocked"
        assert found.why.endswith("continue, or start a rotation from GETVPN-2 to GETVPN.")
        run.policy = CANARY
        assert ended_well(whole(run))
        return
    assert found.outcome == "done"
    for server in run.group.servers.values():
        assert (server.label, set(server.keys), server.saved) == (OLD, {OLD}, True)
    assert {member.registrations for member in run.group.members.values()} == {1}


@pytest.mark.parametrize("consent", [True, False])
def test_in_an_emergency_limits_do_not_count_but_traffic_is_lost_with_consent_only(consent: bool) -> None:
    run = world("in_band", False, tek=7200, kek=14400)
    run.policy = Policy(max_window=60)
    assert "set O(max_window)" in run.go().why
    run.policy = Policy(max_window=60, allow_split=True, emergency=True, replace_now=consent)
    run.go(1000)
    assert run.record.state == "verified"
    teks = [len(server.policy.teks) for server in run.group.servers.values() if server.policy]
    assert teks == ([1, 1, 1] if consent else [3, 3, 3])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(WORLDS),
    st.integers(1, 4),
    st.integers(0, 6),
    st.integers(0, 2),
    st.lists(st.tuples(st.integers(1, 25), st.sampled_from([1, 20, 45, LONG, 3000])), max_size=4),
    st.lists(st.tuples(st.integers(1, 30), st.sampled_from(["off", "on", "reload"]), st.integers(0, 5)), max_size=4),
)
def test_any_group_killed_several_times_while_members_and_key_servers_come_and_go(
    which: tuple[str, bool],
    servers: int,
    members: int,
    ignoring: int,
    kills: list[tuple[int, int]],
    events: list[tuple[int, str, int]],
) -> None:
    """A key server restarts only where that alone splits nothing."""
    run = world(*which, servers=servers, members=members, ignoring=ignoring)
    run.disturbances = tuple(one for one in events if one[1] != "reload" or (not which[1] and servers > 1))
    for gap, pause in kills:
        run.kill_at = run.commands + gap
        try:
            run.go(3000)
        except Killed:
            run.pass_time(1 if which[1] else pause)
    run.disturbances = ()
    for address, member in run.group.members.items():
        if not member.up:
            run.group.start(address)
    assert ended_well(whole(run))


def test_many_key_servers_and_members() -> None:
    run = Run(make_group(8, 2000, kek=3600, tek=1200, rekey_new_key="out_of_band"))
    run.grain = 30
    most = 0
    while run.record.state != "verified":
        found = run.step_on()
        most = max(most, len(found.progress.waiting))
        assert found.outcome in ("step", "wait")
    assert most == 2000
    assert ended_well(whole(run))
    assert {member.registrations for member in run.group.members.values()} == {2}


@pytest.mark.thorough
@pytest.mark.parametrize(("rekey", "strict"), WORLDS)
@pytest.mark.parametrize("pause", [1, 20, 45, LONG])
def test_killed_after_any_command_for_any_time(rekey: str, strict: bool, pause: int) -> None:
    expected = undisturbed(rekey, strict)
    for number in range(1, expected.commands + 1):
        run = whole(world(rekey, strict), number, pause)
        assert (run.end(), run.facts) == (expected.end(), expected.facts), number


@pytest.mark.thorough
def test_many_key_servers_and_members_killed_after_any_command() -> None:
    def run_it(kill_at: int | None) -> Run:
        run = Run(make_group(8, 2000, kek=1200, tek=900, rekey_new_key="out_of_band"))
        run.grain = 30
        return whole(run, kill_at, 60)

    expected = run_it(None)
    for number in range(1, expected.commands + 1):
        assert run_it(number).end() == expected.end(), number
