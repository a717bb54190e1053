# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: who changes, who can be told, and what speaks against it."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from unit.fleet import samples
from unit.fleet.samples import Data, all_seen, entry, fp, names, refused, revoked, seen, snapshot, unreachable

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._fleet import plan as planning
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import Blocked, Observation
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.plan import DeferredPeer, Plan, PlanOptions
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import gateways

NAMES = names(4)
MESH = snapshot(*map(entry, NAMES))
ALL = all_seen(NAMES)


def plan(
    observations: dict[str, Observation] = ALL,
    directory: Directory = MESH,
    targets: Sequence[str] = ("gw1",),
    **wish: t.Any,
) -> Plan:
    return planning.plan(directory, observations, list(targets), PlanOptions(**wish))


# -- how long a change may wait for its confirmation


@dataclass
class Clock:
    """A run in which targets change one after the other, and then all show their tunnels and are confirmed."""

    made: Plan
    settle: float
    forks: int

    def is_confirmed(self, seconds: Sequence[tuple[float, float, float]]) -> bool:
        """Whether the first one that answers in good time is confirmed before it goes back, whoever else does what: so
        long each takes for its three answers, a silent one for ever. Its last answer may come as late as it likes."""
        limit, now = self.made.change_timeout, 0.0
        left: list[tuple[float, float, float, float]] = []
        for change, observed, confirm in seconds:
            if now > self.made.begin_timeout:
                break
            spent = min(change, limit)
            if change <= limit:
                left.append((now, max(limit - spent, 1), observed, confirm))
            now += spent
        mine = next(one for one in left if one[2] == GOOD)
        now += self._together([min(observed, rest) + self.settle for began, rest, observed, confirm in left])
        still = [(max(rest - observed, 1), confirm) for began, rest, observed, confirm in left if observed <= rest]
        now += self._together([min(confirm, rest) for rest, confirm in still])
        return now < mine[0] + self.made.confirm_timeout

    def _together(self, seconds: Sequence[float]) -> float:
        """How long as many as there are forks take at a time."""
        free = [0.0] * self.forks
        for one in seconds:
            free[free.index(min(free))] += one
        return max(free)


GOOD, NEVER = 8.0, 1e9
CONDUCT = {
    "silent": (NEVER, NEVER, NEVER),
    "silent later": (1.0, NEVER, NEVER),
    "slow in each": (13.0, 13.0, 13.0),
    "slow, then silent": (39.0, NEVER, NEVER),
    "slow at last": (1.0, 1.0, 37.0),
}


@pytest.mark.parametrize("timeout", [20.0, 120.0])
@pytest.mark.parametrize("settle", [5.0, 15.0, 60.0])
@pytest.mark.parametrize("confirm", [10.0, 60.0])
@pytest.mark.parametrize("conduct", CONDUCT)
@pytest.mark.parametrize("others", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("forks", [1, 2, 3, 4, 5, 50])
def test_nobody_uses_up_the_time_of_another_one(
    forks: int, others: int, conduct: str, confirm: float, settle: float, timeout: float
) -> None:
    """Whatever the other targets do, and however few of them are asked at a time: the first one, which waits longest,
    is confirmed."""
    some = names(others + 1)
    if not others and confirm < settle + 30:
        return
    wish: Data = {"timeout": timeout, "settle_timeout": settle, "confirm_timeout": confirm, "forks": forks}
    made = plan(all_seen(some), snapshot(*map(entry, some)), targets=some, **wish)
    seconds = [(GOOD, GOOD, 2.0), *[CONDUCT[conduct]] * others]
    assert Clock(made, settle, forks).is_confirmed(seconds)


@pytest.mark.parametrize("silent", [6, 20, 100])
def test_no_target_begins_when_the_time_of_all_is_up(silent: int) -> None:
    """However many are silent in one large run, those that have changed are confirmed."""
    some = names(silent + 2)
    made = plan(all_seen(some), snapshot(*map(entry, some)), targets=some)
    seconds = [(GOOD, GOOD, 2.0), *[CONDUCT["silent"]] * silent, (GOOD, GOOD, 2.0)]
    assert Clock(made, 15.0, 5).is_confirmed(seconds)


def test_the_time_to_confirm() -> None:
    assert plan().confirm_timeout == 60
    assert plan(targets=NAMES[:3], confirm_timeout=30, timeout=7).confirm_timeout == 7 + 15 + 5 + 2 * 7 + 2 * 7
    assert plan(targets=NAMES[:3], confirm_timeout=300, timeout=7).confirm_timeout == 300 + 2 * 7
    many = snapshot(*map(entry, names(50)))
    assert plan(all_seen(names(50)), many, targets=["gw1"]).confirm_timeout == 70
    assert plan(all_seen(names(400)), snapshot(*map(entry, names(400))), targets=names(400)).confirm_timeout < 76 * 60
    two = plan(targets=NAMES[:3], confirm_timeout=30, timeout=7, forks=2).confirm_timeout
    assert two == 7 + 2 * (15 + 5) + 2 * 7 + 2 * 7
    assert plan(timeout=1000).change_timeout == planning.CHANGE_SECONDS


def test_every_target_of_an_honest_run_begins() -> None:
    """And so does the second one behind a silent one."""
    for number in (1, 2, 3, 40, 400):
        some = names(number)
        made = plan(all_seen(some), snapshot(*map(entry, some)), targets=some)
        assert (number - 1) * planning.ANSWERED_SECONDS <= made.begin_timeout
        assert min(number - 1, 1) * made.change_timeout < made.begin_timeout


# -- who is meant


def test_names_have_to_be_typed_twice_and_be_known() -> None:
    assert planning.check_names(["gw2", "gw1"], ["gw2", "gw1"], NAMES, NAMES) == ["gw2", "gw1"]
    assert planning.check_names(["all"], ["all"], [*NAMES, "lost"], NAMES) == NAMES
    assert planning.check_names(["lost"], ["lost"], [*NAMES, "lost"], NAMES) == ["lost"]
    for given, confirm, words in [
        (["gw1"], ["gw2"], "The confirmation gw2 is not gw1. Nothing was changed; type the same again .confirm=gw1.."),
        (["gw1"], [], "The confirmation \\(none\\) is not gw1."),
        ([], [], "Name the gateway"),
        (["gw9"], ["gw9"], "has no gateway gw9; it has gw1, gw2, gw3, gw4"),
    ]:
        with pytest.raises(VpnKeysError, match=words) as caught:
            planning.check_names(given, confirm, [*NAMES, "lost"], NAMES)
        assert str(caught.value).count("Nothing was changed") == 1


# -- who can be told


def test_all_can_be_told() -> None:
    planned = plan()
    assert planned.peers == ["gw2", "gw3", "gw4"]
    assert not planned.refusals
    assert not planned.deferred


@pytest.mark.parametrize("deferred", [unreachable("gw4"), refused("gw4")], ids=["unreachable", "refused"])
def test_peers_that_cannot_be_told_are_left_for_later_or_a_reason_not_to_begin(deferred: Observation) -> None:
    """A peer that refuses could be one that was tampered with: it must not stop the others."""
    planned = plan(ALL | {"gw4": deferred})
    assert planned.deferred == [DeferredPeer("gw4", deferred.why)]
    assert planned.refusals == []
    assert plan(ALL | {"gw4": deferred}, unreachable="fail").refusals == [
        f"gw4 ({deferred.why}) cannot be updated now, but O(unreachable)=fail requires all peers."
    ]


def test_a_peer_that_cannot_store_the_key_of_the_target_is_known_before_anything_begins() -> None:
    """By a key of it, also a former one, or by the identity that the configuration gives; others are told."""
    mesh = snapshot(entry("gw1", 2), *map(entry, NAMES[1:3]), entry("gw4", identity="vpn4"))
    why = "wg0.conf, line 4, PostUp = wg set wg0 peer KEY preshared-key FILE sets peers after their [Peer] sections."
    blocked = (Blocked("", fp("gw1", 1), why), Blocked("vpn4", None, "auth = psk."), Blocked("", fp("x"), "of nobody"))
    observations = ALL | {"gw1": seen("gw1", NAMES, own=2), "gw3": replace(ALL["gw3"], blocked=blocked)}
    assert plan(observations, mesh).refused == [DeferredPeer("gw3", why)]
    assert plan(observations, mesh).peers == ["gw2", "gw4"]
    assert plan(observations, mesh, ["gw4"]).refused == [DeferredPeer("gw3", "auth = psk.")]
    assert plan(observations, mesh, ["gw2"]).refused == []
    assert plan(observations, mesh, ["gw3"]).refusals == [], "its own key is another matter"
    assert plan(observations, mesh, unreachable="fail").refusals


@pytest.mark.parametrize(("share", "is_refused"), [(33, False), (34, True), (0, False), (100, True)])
def test_minimum_share(share: int, is_refused: bool) -> None:
    """One of three peers can be told."""
    observations = {"gw1": ALL["gw1"], "gw2": ALL["gw2"], "gw3": unreachable("gw3"), "gw4": refused("gw4")}
    assert bool(plan(observations, minimum_share=share).refusals) is is_refused


def test_peers_that_fetch_come_by_themselves() -> None:
    """They need not be observed, and count as peers that can be updated; a target is told in any case."""
    observations = {"gw1": ALL["gw1"], "gw2": ALL["gw2"]}
    fetching = frozenset({"gw1", "gw3", "gw4", "gw9"})
    planned = plan(observations, fetching=fetching, minimum_share=100, unreachable="fail")
    assert (planned.peers, planned.fetching, planned.refusals) == (["gw2"], ["gw3", "gw4"], [])
    assert planned.digest == plan().digest
    assert "Fetch the new keys by themselves: gw3, gw4." in gateways.plan(planned, 120)
    few = plan(observations, fetching=frozenset({"gw3"}), minimum_share=67)
    share = "Only 2 of 3 peers can be updated now, but O(minimum_share) requires 67 %."
    assert few.refusals == [f"{share} Not now: gw4 (not in this play)."]
    assert plan(targets=NAMES, fetching=frozenset(NAMES)).peers == NAMES


@pytest.mark.parametrize("mode", [planning.ABORT, planning.REVOKE, planning.RETIRE, "emergency"])
def test_only_a_planned_rotation_waits_for_those_that_fetch(mode: str) -> None:
    made = plan(mode=mode, fetching=frozenset(NAMES))
    assert (made.peers, made.fetching) == (["gw2", "gw3", "gw4"], [])


def test_all_of_a_mesh_are_targets_and_peers() -> None:
    planned = plan(targets=NAMES)
    assert planned.names == NAMES == planned.peers


def test_other_platforms_are_no_peers() -> None:
    directory = snapshot(entry("gw1"), entry("gw2"), entry("gw3", platform="strongswan"), revoked("gw4"))
    assert plan(ALL, directory).peers == ["gw2"]


# -- approval

OTHER_PLANS: dict[str, Data] = {
    "another gateway": {"targets": ("gw2",)},
    "one gateway more": {"targets": ("gw1", "gw2")},
    "changed meanwhile": {"directory": snapshot(entry("gw1", 2), *map(entry, NAMES[1:]))},
    "a peer more": {"directory": snapshot(*map(entry, names(5)))},
    "another mode": {"mode": "emergency"},
    "another strategy": {"strategy": "second_interface"},
}


@pytest.mark.parametrize("what", OTHER_PLANS)
def test_another_plan_is_not_the_approved_one(what: str) -> None:
    approved = plan()
    (refusal,) = planning.not_approved(plan(**OTHER_PLANS[what]), [approved.digest])
    assert "has changed since it was approved" in refusal
    assert approved.digest in refusal


SAME_PLANS: dict[str, Data] = {
    "the same": {},
    "a peer is away": {"observations": ALL | {"gw3": unreachable("gw3")}},
    "begun and interrupted": {"directory": snapshot(samples.rotating("gw1", "active"), *map(entry, NAMES[1:]))},
}


@pytest.mark.parametrize("what", SAME_PLANS)
def test_the_approved_plan(what: str) -> None:
    assert planning.not_approved(plan(**SAME_PLANS[what]), [plan().digest, "another"]) == []


@pytest.mark.parametrize("nothing", [[], [""]], ids=["empty", "empty text"])
def test_an_empty_approval_approves_nothing(nothing: list[str]) -> None:
    assert planning.not_approved(plan(), nothing) == ["The plan for gw1 is not approved."]
    assert planning.not_approved(plan(), None) == []


# -- reasons not to begin


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (unreachable("gw1"), "gw1: unreachable."),
        (None, "gw1: not in this play."),
        (refused("gw1"), "gw1: Incorrect sudo password."),
        (replace(ALL["gw1"], state="refused", why="/etc cannot be written."), "gw1: /etc cannot be written."),
        (replace(ALL["gw1"], own_file=None, own_runtime=None), "gw1 has no key yet; enroll it first."),
        (seen("gw1", NAMES, own=7), "gw1 uses the key"),
    ],
)
def test_a_target_must_be_ready_and_the_one_the_directory_knows(state: Observation | None, words: str) -> None:
    observations = {name: one for name, one in (ALL | {"gw1": state}).items() if one}
    (refusal,) = plan(observations).refusals
    assert refusal.startswith(words)


CANNOT = [
    unreachable("gw2"),
    refused("gw2"),
    replace(ALL["gw2"], own_file=None, own_runtime=None),
    seen("gw2", NAMES, own=7),
]


@pytest.mark.parametrize("said", CANNOT)
def test_one_target_that_cannot_change_does_not_stop_the_others(said: Observation) -> None:
    """It is left out, and a peer like any other; the rest of the plan is as without it, and so is the approval."""
    made = plan(ALL | {"gw2": said}, targets=["gw1", "gw2", "gw3"], minimum_share=0)
    assert (made.names, made.refusals) == (["gw1", "gw3"], [])
    assert [one.gateway for one in made.excluded] == ["gw2"]
    alone = plan(ALL | {"gw2": said}, targets=["gw1", "gw3"], minimum_share=0)
    whole = plan(targets=["gw1", "gw2", "gw3"])
    assert replace(made, excluded=[], digest="") == replace(alone, digest="")
    assert made.digest == whole.digest != alone.digest
    assert f"Excluded unless this changes: {made.excluded[0].why}" in gateways.plan(made, 200)
    assert Plan.from_result(made.to_result()) == made
    (refusal,) = planning.not_approved(made, ["another"])
    assert refusal.startswith("The plan for gw1, gw3, gw2 has changed")


@pytest.mark.parametrize("said", CANNOT)
def test_whoever_wants_all_peers_wants_all_targets(said: Observation) -> None:
    made = plan(ALL | {"gw2": said}, targets=["gw1", "gw2"], unreachable="fail", minimum_share=0)
    assert made.refusals
    assert (made.names, made.excluded) == (["gw1", "gw2"], [])


def test_a_target_that_is_left_out_does_not_count_as_one_that_fetches() -> None:
    """Its answer is known: as a peer it is as good as unreachable."""
    away = {name: unreachable(name) for name in NAMES[1:]}
    wish: Data = {"targets": NAMES, "fetching": frozenset(NAMES[1:]), "minimum_share": 50}
    made = plan(ALL | away, **wish)
    assert (made.names, made.fetching) == (["gw1"], [])
    assert made.refusals == [
        (
            "Only 0 of 3 peers can be updated now, but O(minimum_share) requires 50 %. "
            "Not now: gw2, gw3, gw4 (unreachable)."
        )
    ]


def test_where_no_target_can_change_every_reason_is_said() -> None:
    made = plan(ALL | {"gw1": unreachable("gw1"), "gw2": refused("gw2")}, targets=["gw1", "gw2"], minimum_share=0)
    assert made.refusals == ["gw1: unreachable.", "gw2: Incorrect sudo password."]
    assert made.excluded == []


def test_what_is_the_same_of_several_is_said_once_with_what_to_check() -> None:
    """A wrong password for sudo is wrong on all of them."""
    wrong = {
        name: refused(name, 'Ansible says "Incorrect sudo password"', advice="Check -K.") for name in NAMES
    }
    text = 'gw1, gw2: Ansible says "Incorrect sudo password". Check -K.'
    peers = 'gw1, gw2, gw3, gw4 (Ansible says "Incorrect sudo password")'
    made = plan(wrong, targets=["gw1", "gw2"])
    assert made.refusals[0] == text
    assert made.refusals[1].endswith(f"Not now: {peers}.")
    left = plan(ALL | {name: wrong[name] for name in ("gw1", "gw2")}, targets=NAMES)
    assert f"Excluded unless this changes: {text}" in " ".join(gateways.plan(left, 200).split())
    others = plan(wrong | {"gw1": ALL["gw1"]}, minimum_share=0)
    assert '\n  gw2, gw3, gw4: Ansible says "Incorrect sudo password"' in gateways.plan(others, 200)


def test_that_no_tunnel_is_up_is_said_before_anything_begins() -> None:
    """Then nothing verifies the new key. Tunnels with peers that are gone, or with others, are none."""
    idle = replace(ALL["gw1"], tunnels=(samples.tunnel("road warrior", fp("gw1")),))
    text = "gw1: no tunnel is up now, so none can be verified to use the new key."
    made = plan(ALL | {"gw1": idle})
    assert made.targets[0].idle
    assert made.refusals == []
    assert text in gateways.plan(made, 200)
    assert Plan.from_result(made.to_result()) == made
    for other in (plan(), plan(ALL | {"gw1": idle}, mode="emergency"), plan(ALL | {"gw1": unreachable("gw1")})):
        assert not other.targets[0].idle
        assert text not in gateways.plan(other, 200)


def test_peers_with_the_same_reason_are_named_together_and_in_bounds() -> None:
    every = [DeferredPeer("gw1", "unreachable"), DeferredPeer("gw2", "full."), DeferredPeer("gw3", "unreachable")]
    assert planning.grouped(every) == "gw1, gw3 (unreachable), gw2 (full)"
    many = [DeferredPeer(f"gw{number}", f"reason {number}") for number in range(100)]
    assert planning.grouped(many).endswith("gw11 (reason 11) and 88 more")
    assert planning.grouped(many, every=True).endswith("gw99 (reason 99)"), "who accepts a revoked key is named"
    alike = [DeferredPeer(f"gw{number}", "away") for number in range(100)]
    assert planning.grouped(alike).endswith("gw11 and 88 more (away)")


def test_what_the_directory_says_stops_all() -> None:
    """It is a mistake of whoever typed the names, or of the directory: nobody's answer."""
    made = plan(ALL | {"gw2": unreachable("gw2")}, targets=["gw1", "gw2", "gw9"])
    assert made.refusals == ["The directory has no gateway gw9; it has gw1, gw2, gw3, gw4."]


def test_one_that_cannot_go_back_does_not_keep_the_others_from_it() -> None:
    directory = snapshot(*map(samples.rotating, NAMES[:3]), entry("gw4"))
    made = plan(ALL | {"gw2": unreachable("gw2")}, directory, NAMES[:3], mode="abort", unreachable="fail")
    assert (made.names, made.refusals) == (["gw1", "gw3"], [])
    assert made.excluded == [DeferredPeer("gw2", "gw2: unreachable. Its old key cannot be restored now.")]


@pytest.mark.parametrize(
    "said",
    [unreachable("gw1"), refused("gw1"), seen("gw1", (), own=7), replace(ALL["gw1"], own_file=None, own_runtime=None)],
)
def test_nothing_that_a_gateway_says_stops_its_own_revocation(said: Observation) -> None:
    planned = plan(ALL | {"gw1": said}, mode="emergency")
    assert planned.refusals == []
    others = {name: one for name, one in ALL.items() if name != "gw1"}
    assert planned == plan(others, mode="emergency")


@pytest.mark.parametrize("mode", ["planned", "emergency", "abort"])
def test_records_that_were_tampered_with_stop_their_own_gateway_only(mode: str) -> None:
    tampered = [{"gateway": "gw1", "serial": 1, "what": "key"}]
    directory = snapshot(*map(entry, NAMES[1:]), tampered=tampered)
    assert plan(ALL, directory, mode=mode).refusals == ["gw1: Its key 1 is not as the directory signed it."]
    if mode != "abort":
        assert plan(ALL, directory, ("gw2",), mode=mode).refusals == []


@pytest.mark.parametrize("mode", ["planned", "emergency", "abort"])
def test_revoked_and_unknown(mode: str) -> None:
    assert plan(ALL, snapshot(revoked("gw1"), entry("gw2")), mode=mode).refusals == [
        "gw1 is revoked as lost; a gateway that replaces it needs another name."
    ]
    (unknown,) = plan(targets=["gw9"], mode=mode).refusals
    assert unknown == "The directory has no gateway gw9; it has gw1, gw2, gw3, gw4."


def test_abort_needs_an_open_planned_rotation() -> None:
    def refusals(one: Data | None) -> Sequence[str]:
        return plan(ALL, snapshot(entry("gw1", rotation=one), entry("gw2")), mode="abort").refusals

    assert refusals(samples.rotation("gw1")) == []
    assert "none to abort" in refusals(None)[0]
    assert "cannot come back" in refusals(samples.rotation("gw1", mode="emergency"))[0]
    (deferred,) = plan(
        ALL | {"gw1": unreachable("gw1")}, snapshot(samples.rotating("gw1"), entry("gw2")), mode="abort"
    ).refusals
    assert deferred == "gw1: unreachable. Its old key cannot be restored now."


def test_abort_needs_the_old_key() -> None:
    directory = snapshot(samples.rotating("gw1", "verified"), entry("gw2"))
    kept = seen("gw1", NAMES, own=2, previous=fp("gw1"))
    assert plan(ALL | {"gw1": kept}, directory, mode="abort").refusals == []
    (refusal,) = plan(ALL | {"gw1": seen("gw1", NAMES, own=2)}, directory, mode="abort").refusals
    assert refusal.startswith("The old key of gw1 is destroyed and cannot come back")


# -- what was begun before, by a run that ended too early


def test_a_revocation_goes_on_where_it_was_interrupted() -> None:
    """The same command again: it is recorded, and who has not dropped the key yet is told."""
    directory = snapshot(revoked("gw1"), entry("gw2"), entry("gw3"), pending={"gw3": ["gw1"]})
    made = plan({}, directory, mode="revoke")
    assert made.refusals == []
    assert made.targets[0].note == f"It was revoked before ({samples.BEGUN}); this run continues from there."
    assert plan({}, mode="revoke").targets[0].note == ""
    found = planning.dropped(directory, {"gw3": Observation("gw3", "refused", "its answer cannot be read")}, made)
    assert (found.peers, [one.gateway for one in found.refused]) == (["gw2"], ["gw3"])


def test_an_abort_goes_on_where_it_was_interrupted() -> None:
    """The last rotation counts: an older one that was aborted is over when another one has ended well."""
    def of(*states: str, **more: t.Any) -> Plan:
        rows = [
            {"id": number, "gateway": "gw1", "mode": "planned", "state": state, "begun_at": samples.BEGUN,
             "ended_at": samples.BEGUN, "old_serial": 1, "new_serial": number + 1}
            for number, state in enumerate(states, 1)
        ]  # fmt: skip
        directory = snapshot(entry("gw1", **more), entry("gw2"), rotations=rows[::-1])
        return plan(ALL, directory, mode="abort")

    again = of("retired", "rolled_back")
    assert again.refusals == []
    note = f"Its rotation was rolled back before ({samples.BEGUN}); this run continues from there."
    assert again.targets[0].note == note
    assert "none to abort" in of("rolled_back", "retired").refusals[0]
    assert of("rolled_back", rotation=samples.rotation("gw1")).targets[0].note == ""


# -- as data, and after a revocation


def test_a_plan_survives_its_way_through_a_playbook() -> None:
    made = plan(ALL | {"gw4": unreachable("gw4")})
    assert Plan.from_result(made.to_result()) == made
    for wrong in (None, {}, {**made.to_result(), "targets": [1]}, {**made.to_result(), "more": 1}):
        with pytest.raises(VpnKeysError, match="plan must be the plan"):
            Plan.from_result(wrong)


def test_who_has_not_acknowledged_still_accepts_whatever_it_answers() -> None:
    lost = snapshot(revoked("gw1"), *map(entry, NAMES[1:]), pending={"gw3": ["gw1"], "gw4": ["gw1"]})
    answers = {"gw3": Observation("gw3", "ready"), "gw4": unreachable("gw4")}
    found = planning.dropped(lost, answers, plan(mode="emergency"))
    assert found.peers == ["gw2"]
    assert found.unreachable == [DeferredPeer("gw4", "unreachable")]
    assert found.refused == [DeferredPeer("gw3", "it has not acknowledged that it dropped the key")]
    (sentence,) = planning.still_accepting(found)
    assert sentence.startswith("gw3 still accepts the old key: it has not acknowledged that it dropped the key. Fix")


def test_where_no_peer_can_be_reached_nothing_is_revoked_anywhere() -> None:
    """Some that are away is normal; that all are is not, and the run must not end well."""
    lost = snapshot(revoked("gw1"), *map(entry, NAMES[1:]), pending={name: ["gw1"] for name in NAMES[1:]})
    away = {name: unreachable(name) for name in NAMES[1:]}
    (sentence,) = planning.still_accepting(planning.dropped(lost, away, plan(mode="emergency")))
    assert sentence == (
        "No peer could be reached, so all of them may still accept the old key: gw2, gw3, gw4 (unreachable). Run "
        "vpnops.keys.converge_gateways when they can be reached."
    )
    one_there = snapshot(revoked("gw1"), *map(entry, NAMES[1:]), pending={name: ["gw1"] for name in NAMES[2:]})
    assert planning.still_accepting(planning.dropped(one_there, away, plan(mode="emergency"))) == []


# -- out of use in peace


def test_retired_before_goes_on_from_there() -> None:
    directory = snapshot(samples.retired("gw1"), entry("gw2"), entry("gw3"), pending={"gw3": ["gw1"]})
    made = plan({}, directory, mode="retire")
    assert made.refusals == []
    assert made.targets[0].note == f"It was retired before ({samples.BEGUN}); this run continues from there."
    assert plan({}, mode="retire").targets[0].note == ""


def test_who_is_lost_is_not_retired() -> None:
    assert plan({}, snapshot(revoked("gw1"), entry("gw2")), mode="retire").refusals == [
        "gw1 is revoked as lost; a gateway that replaces it needs another name."
    ]


@pytest.mark.parametrize("mode", ["planned", "emergency", "abort"])
def test_nothing_else_is_done_with_a_retired_gateway(mode: str) -> None:
    assert plan(ALL, snapshot(samples.retired("gw1"), entry("gw2")), mode=mode).refusals == [
        f"gw1 is retired ({samples.BEGUN}); a gateway that replaces it needs another name."
    ]


def test_who_has_still_to_drop_a_retired_gateway_is_told_in_plain_words() -> None:
    directory = snapshot(samples.retired("gw1"), entry("gw2"), entry("gw3"), pending={"gw3": ["gw1"]})
    answers = {"gw2": all_seen(["gw2"])["gw2"], "gw3": unreachable("gw3")}
    made = planning.dropped(directory, answers, plan({}, directory, mode="retire"))
    text = gateways.retired(made, 200)
    assert "Retired: gw1. Pending peers: gw3 (unreachable). Run converge_gateways" in text
    assert "STILL" not in text
    done = snapshot(samples.retired("gw1"), entry("gw2"), entry("gw3"))
    made = planning.dropped(done, {}, plan({}, done, mode="retire"))
    assert "No peer accepts the key any more." in gateways.retired(made, 200)
