# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single decisions of a rotation, and what every decision keeps to, whatever is observed and recorded."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.plan import Copy
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation import (
    Baseline,
    CoopFact,
    Decision,
    Facts,
    KeyServer,
    Member,
    Observation,
    Peer,
    Policy,
    RekeyFact,
    Rotation,
    State,
    Timers,
    Trial,
    decide,
)
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation_steps import (
    Prepare,
    Rekey,
    Remove,
    Switch,
)

OLD, NEW = "GETVPN", "GETVPN-2"
NAMES = ("ks1", "ks2", "ks3")
KNOWN = Facts((CoopFact(("15.7",), "hears"),), (RekeyFact("15.7", "1.0.4", "in_band"),))
USUAL = Policy()
TIMERS = Timers(86400, 80000, 2000, 3600, 3000, acknowledged=True)


def key(fingerprint: str = "aa", saved: bool | None = True) -> Copy:
    return Copy(fingerprint * 32, 2048, "general", True, saved)


def server(name: str, **changes: Any) -> KeyServer:
    usual = KeyServer(
        name=name,
        release="15.7",
        label=OLD,
        saved=True,
        old=key("aa"),
        new=key("bb"),
        role="Primary" if name == "ks1" else "Secondary",
        peers=tuple(Peer(other, True, 10) for other in NAMES if other != name),
    )
    return dataclasses.replace(usual, **changes)


def member(name: str, **changes: Any) -> Member:
    return dataclasses.replace(Member(name, "1.0.4", "ks1", 5, 5, 0), **changes)


def seen(*servers: KeyServer, members: int | tuple[Member, ...] = 2, now: float = 1000, **changes: Any) -> Observation:
    given_ = {one.name: one for one in servers}
    all_ = tuple(given_.get(name) or server(name) for name in NAMES)
    listed = members if isinstance(members, tuple) else tuple(member(f"gm{n}") for n in range(members))
    return dataclasses.replace(Observation(now, all_, listed, TIMERS), **changes)


def ask(observation: Observation, facts: Facts = KNOWN, policy: Policy = USUAL, **record: Any) -> Decision:
    return decide(Rotation("G", OLD, NEW, **record), observation, facts, policy)


# -- before anything is changed


def test_the_new_key_comes_first_and_to_those_that_lack_it_or_would_lose_it() -> None:
    found = ask(seen(server("ks2", new=None), server("ks3", new=key("bb", saved=False))))
    assert (found.outcome, found.step) == ("step", Prepare(NEW, ("ks2", "ks3")))


def test_a_key_server_that_does_not_tell_whether_a_key_is_saved_is_believed_to_have_saved_it() -> None:
    assert isinstance(ask(seen(server("ks2", new=key("bb", saved=None)))).step, Switch)


@pytest.mark.parametrize(
    ("changed", "outcome", "why"),
    [
        (
            server("ks2", problem="ks2: no answer."),
            "blocked",
            "ks2 cannot be read. ks2: no answer. Nothing is changed; restore access, then run again.",
        ),
        (
            server("ks2", label="OTHER"),
            "blocked",
            (
                "The rotation is from GETVPN to GETVPN-2, but ks2 names OTHER. Nothing is changed; find out "
                "who changed that."
            ),
        ),
        (
            server("ks2", old=None),
            "blocked",
            (
                "ks2 has no key under the label that G names. Nothing is changed; run vpnops.keys.sync_key_servers "
                "first."
            ),
        ),
        (
            server("ks2", role="Primary"),
            "blocked",
            (
                "More than one key server says that it is the primary: ks1, ks2. Nothing is changed; find out why "
                "they do not receive COOP messages from each other."
            ),
        ),
        (server("ks1", role="Secondary"), "wait", "No key server says that it is the primary."),
        (
            server("ks2", peers=(Peer("ks1", False, 0), Peer("ks3", True, 9))),
            "blocked",
            "ks2 does not receive COOP messages from ks1. Nothing is changed; fix that first.",
        ),
        (
            server("ks2", old=key("cc")),
            "blocked",
            (
                "The key servers hold different keys under GETVPN. Nothing is changed; run "
                "vpnops.keys.sync_key_servers first."
            ),
        ),
        (
            server("ks2", new=key("cc")),
            "blocked",
            (
                "The key servers hold different keys under GETVPN-2. Nothing is changed; run "
                "vpnops.keys.sync_key_servers with key_server_sync_label=GETVPN-2 and "
                "key_server_sync_hosts=ks1,ks2,ks3 first."
            ),
        ),
    ],
)
def test_a_group_that_is_not_whole_is_not_begun(changed: KeyServer, outcome: str, why: str) -> None:
    found = ask(seen(changed))
    assert (found.outcome, found.why, found.step) == (outcome, why, None)


@pytest.mark.parametrize(
    ("timers", "members", "why"),
    [
        (
            dataclasses.replace(TIMERS, acknowledged=False),
            2,
            (
                "Members do not acknowledge rekeys, so it cannot be known which members have learned the new key. "
                "The rotation stays in state prepared; configure rekey acknowledgement."
            ),
        ),
        (
            dataclasses.replace(TIMERS, tek_left=20000),
            2,
            (
                "Members may need 20000 seconds to learn the new key, more than 14400. The rotation stays in state "
                "prepared; wait "
                "until the keys in use are older, or set O(max_window)."
            ),
        ),
        (
            dataclasses.replace(TIMERS, tek_left=100),
            2000,
            (
                "2000 members may register again within 100 seconds. The rotation stays in state prepared; "
                "wait until the keys in "
                "use are newer, or set O(max_rate)."
            ),
        ),
    ],
)
def test_limits_of_time(timers: Timers, members: int, why: str) -> None:
    known = Facts(KNOWN.coop, (RekeyFact("15.7", "1.0.4", "out_of_band"),))
    assert ask(seen(timers=timers, members=members), known).why == why
    assert ask(seen(timers=timers, members=members), known, Policy(emergency=True)).step == Switch(("ks2",), NEW)
    if timers.acknowledged:
        assert ask(seen(timers=timers, members=members), KNOWN).step == Switch(("ks2",), NEW)


# -- what is known of releases


def test_a_bad_example_counts_for_all_releases_that_it_has_to_do_with() -> None:
    facts = Facts().with_coop(["a", "b", "c"], "hears").with_coop(["c", "d"], "splits")
    assert [facts.coop_of(r) for r in ("ab", "a", "ac", "d", "ae", "e")] == [
        "hears",
        "hears",
        "splits",
        "splits",
        None,
        None,
    ]


def test_members_that_once_had_to_register_again_are_expected_to() -> None:
    facts = Facts().with_rekey([RekeyFact("a", "1", "in_band"), RekeyFact("a", "1", "out_of_band")])
    assert facts.rekey_of("a", "1") == "out_of_band"
    assert facts.rekey_of("a", "2") is None
    assert facts.rekey_of("b", "1") is None


def test_an_unknown_release_is_tried_on_one_secondary_with_consent() -> None:
    mixed = [server("ks3", release="17.9")]
    assert ask(seen(*mixed), KNOWN, Policy(canary=True)).outcome == "blocked"
    found = ask(seen(*mixed), KNOWN, Policy(canary=True, allow_split=True))
    assert found.step == Switch(("ks3",), NEW)
    assert found.rotation.trial == Trial("ks3")


# -- secondaries and primary


def test_a_secondary_that_no_longer_hears_the_primary_goes_back_and_that_is_remembered() -> None:
    silent = server("ks2", label=NEW, peers=(Peer("ks1", False, 10), Peer("ks3", False, 10)))
    found = ask(seen(silent), state="canary", trial=Trial("ks2", 10, 990))
    assert (found.outcome, found.step) == ("back", Switch(("ks2",), OLD))
    assert found.facts.coop_of(["15.7"]) == "splits"
    assert "ks2 does not receive COOP messages from ks1" in found.why


def test_whoever_goes_by_it_is_told_who_showed_it() -> None:
    """A key server that lies about it changes what is asked of the operators of other groups, and must be named."""
    silent = server("ks2", label=NEW, peers=(Peer("ks1", False, 10), Peer("ks3", False, 10)))
    shown = ask(seen(silent), state="canary", trial=Trial("ks2", 10, 990)).facts
    other = ask(seen(), shown)
    assert other.outcome == "blocked"
    what = "Key servers of these releases split while their labels differ"
    assert other.why.startswith(f"{what} (seen on ks1, ks2), so all must change")
    unknown = ask(seen(), Facts((CoopFact(("15.7",), "splits"),), KNOWN.rekey))
    assert unknown.why.startswith(f"{what}, so all must change")


def test_a_secondary_that_makes_itself_primary_goes_back() -> None:
    found = ask(seen(server("ks2", label=NEW, role="Primary")), state="canary")
    assert (found.outcome, found.step) == ("back", Switch(("ks2",), OLD))


def test_trouble_between_others_is_no_reason_to_go_back() -> None:
    others = [server("ks1", peers=(Peer("ks2", True, 9), Peer("ks3", False, 9))), server("ks2", label=NEW)]
    found = ask(seen(*others), state="canary")
    assert (found.outcome, found.facts) == ("wait", KNOWN)


@pytest.mark.parametrize(
    ("timers", "why"),
    [
        (dataclasses.replace(TIMERS, kek_left=86390), "Members are still acknowledging the last rekey."),
        (dataclasses.replace(TIMERS, tek_left=3590), "Members are still acknowledging the last rekey."),
        (dataclasses.replace(TIMERS, time_to_rekey=20), "The next rekey is due soon."),
    ],
)
def test_the_primary_is_not_changed_close_to_a_rekey(timers: Timers, why: str) -> None:
    changed = [server(name, label=NEW) for name in ("ks2", "ks3")]
    assert ask(seen(*changed, timers=timers), state="secondaries").why == why
    assert ask(seen(*changed), state="secondaries").step == Switch(("ks1",), NEW)


def test_members_are_counted_from_before_the_primary_is_changed() -> None:
    changed = [server("ks1", rekeys=7), *(server(name, label=NEW) for name in ("ks2", "ks3"))]
    found = ask(seen(*changed), state="secondaries")
    assert found.rotation.baseline == Baseline(seen().members, (("ks1", 7), ("ks2", 0), ("ks3", 0)))


# -- members

ALL_NEW = tuple(server(name, label=NEW, rekeys=1 if name == "ks1" else 0) for name in NAMES)
RECORD: dict[str, Any] = {
    "state": "learning",
    "baseline": Baseline((member("gm0"), member("gm1")), (("ks1", 0),), 900),
    "deadline": 5000.0,
    "watched": True,
}


@pytest.mark.parametrize(
    ("changes", "learned"),
    [
        ({"sent": 6, "acked": 6}, True),  # it accepted
        ({"sent": 6, "acked": 5, "missed": 1}, False),  # it did not
        ({"sent": 0, "acked": 0}, True),  # counted anew: it registered
        ({"sent": 5, "acked": 5}, True),  # not counted in the rekey: it registered, and had some since
        ({"sent": 6, "acked": 5, "missed": 1, "server": "ks2"}, True),  # it registered elsewhere
    ],
)
def test_who_has_learned_the_key(changes: dict[str, Any], learned: bool) -> None:
    other = member("gm0", sent=6, acked=6)
    found = ask(seen(*ALL_NEW, members=(other, member("gm1", **changes))), **RECORD)
    if learned:
        assert (found.step, found.rotation.proving) == (Rekey("ks1"), True)
    else:
        assert found.why == "1 members have not learned the new key yet: gm1."
        assert (found.progress.learned, found.progress.waiting, found.until) == (("gm0",), ("gm1",), 5000)


def test_while_answers_are_on_their_way_a_low_count_proves_nothing() -> None:
    found = ask(seen(*ALL_NEW, members=(member("gm0", sent=6, acked=6), member("gm1")), now=930), **RECORD)
    assert (found.outcome, found.progress.waiting, found.until) == ("wait", ("gm1",), 960)


def test_a_member_that_is_on_no_key_server_any_more_is_not_waited_for() -> None:
    found = ask(seen(*ALL_NEW, members=(member("gm0", sent=6, acked=6),)), **RECORD)
    assert found.rotation.proving


def test_a_key_server_that_lost_the_label_in_a_reload_gets_it_again() -> None:
    found = ask(seen(*ALL_NEW[:2], server("ks3", label=OLD)), **RECORD)
    assert found.step == Switch(("ks3",), NEW)


@pytest.mark.parametrize("state", ["surveyed", "canary", "secondaries"])
def test_a_new_key_that_is_missing_is_brought_before_any_label_names_it(state: str) -> None:
    assert ask(seen(server("ks3", new=None)), state=state).step == Prepare(NEW, ("ks3",))


@pytest.mark.parametrize("state", ["primary", "learning", "verified"])
def test_a_key_server_that_lost_label_and_key_gets_the_key_first(state: str) -> None:
    lost = seen(*ALL_NEW[:2], server("ks3", new=None))
    assert ask(lost, **{**RECORD, "state": state}).step == Prepare(NEW, ("ks3",))


def test_what_was_not_watched_from_the_beginning_proves_no_good_behavior() -> None:
    accepted = tuple(member(name, sent=6, acked=6) for name in ("gm0", "gm1"))
    record: dict[str, Any] = {**RECORD, "proving": True}
    good = ask(seen(*ALL_NEW, members=accepted), Facts(), **record)
    assert good.facts.rekey == (RekeyFact("15.7", "1.0.4", "in_band"),)
    assert ask(seen(*ALL_NEW, members=accepted), Facts(), **{**record, "watched": False}).facts.rekey == ()


# -- the old key


def test_the_old_key_stays_for_a_life_of_all_keys_and_while_another_group_names_it() -> None:
    record: dict[str, Any] = {"state": "verified", "since": 1000}
    assert ask(seen(*ALL_NEW, now=90000), **record).until == 91000
    assert ask(seen(*ALL_NEW, now=91001), **record).step == Remove(NAMES, OLD)
    shared = (*ALL_NEW[:2], dataclasses.replace(ALL_NEW[2], others=(("H", OLD),)))
    assert ask(seen(*shared, now=91001), **record).why == (
        "GETVPN is the label of H as well. The rotation stays in state verified; rotate their keys, too."
    )
    gone = tuple(dataclasses.replace(one, old=None) for one in ALL_NEW)
    assert ask(seen(*gone, now=91001), **record).outcome == "done"


def test_an_aborted_rotation_leaves_a_key_that_another_group_names() -> None:
    shared = seen(server("ks2", others=(("H", NEW),)))
    assert ask(shared, policy=Policy(abort=True)).outcome == "done"
    assert ask(seen(), policy=Policy(abort=True)).step == Remove(NAMES, NEW)


# -- any observation, any record

_labels = st.sampled_from([OLD, NEW, NEW, OLD, "OTHER", None])
_copies = st.sampled_from([key("aa"), key("bb"), key("bb", None), key("bb", False), None])
_small = st.integers(0, 3)
_times = st.sampled_from([0.0, 900.0, 1000.0, 1e6])
_flags = st.booleans()


def _servers() -> st.SearchStrategy[KeyServer]:
    return st.builds(
        KeyServer,
        name=st.just(""),
        release=st.sampled_from(["15.7", "17.9"]),
        label=_labels,
        saved=_flags,
        old=st.sampled_from([key("aa"), key("aa"), None]),
        new=_copies,
        role=st.sampled_from(["Primary", "Secondary", "Secondary", None]),
        peers=st.lists(st.builds(Peer, st.sampled_from(NAMES), _flags, _small), max_size=2).map(tuple),
        others=st.sampled_from([(), (), (("H", OLD),), (("H", NEW),)]),
        rekeys=_small,
        problem=st.sampled_from([None, None, None, None, "no answer"]),
    )


_members = st.lists(
    st.builds(
        Member,
        st.sampled_from(["gm0", "gm1"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(NAMES),
        _small,
        _small,
        _small,
    ),
    max_size=2,
    unique_by=lambda one: one.name,
).map(tuple)
_seconds = st.sampled_from([0, 10, 100, 3600, 90000])
_observations = st.builds(
    Observation,
    now=_times,
    servers=st.lists(_servers(), max_size=3).map(
        lambda many: tuple(dataclasses.replace(one, name=name) for one, name in zip(many, NAMES, strict=False))
    ),
    members=_members,
    timers=st.none() | st.builds(Timers, _seconds, _seconds, _seconds, _seconds, _seconds, _flags),
)
_records = st.builds(
    Rotation,
    group=st.just("G"),
    old=st.just(OLD),
    new=st.just(NEW),
    state=st.sampled_from(get_args(State)),
    trial=st.none() | st.builds(Trial, st.sampled_from(NAMES), st.none() | _small, _times),
    baseline=st.none()
    | st.builds(
        Baseline,
        _members,
        st.lists(st.tuples(st.sampled_from(NAMES), _small), max_size=3).map(tuple),
        st.none() | _times,
    ),
    watched=_flags,
    proving=_flags,
    deadline=_times,
    since=_times,
    registered=st.sampled_from([(), ("1",)]),
)
_facts = st.builds(
    Facts,
    st.lists(
        st.builds(
            CoopFact, st.sampled_from([("15.7",), ("17.9",), ("15.7", "17.9")]), st.sampled_from(["hears", "splits"])
        ),
        max_size=2,
    ).map(tuple),
    st.just(KNOWN.rekey),
)
_policies = st.builds(
    Policy,
    canary=_flags,
    allow_split=_flags,
    emergency=_flags,
    replace_now=_flags,
    leave=st.sampled_from([(), ("gm0",)]),
    abort=st.sampled_from([False, False, False, True]),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_records, _observations, _facts, _policies)
def test_whatever_is_observed_and_recorded(
    record: Rotation, observation: Observation, facts: Facts, policy: Policy
) -> None:
    found = decide(record, observation, facts, policy)
    step = found.step
    assert (step is not None) == (found.outcome in ("step", "back"))
    assert bool(found.why) == (found.outcome in ("wait", "blocked", "back")) or found.outcome == "done"
    if isinstance(step, Switch):
        assert step.hosts
        if step.label == NEW:
            assert all(one.new is not None for one in observation.servers), "a label without a key"
        else:
            assert record.state not in ("primary", "learning", "verified", "retired"), "back on its own"
            assert all(one.label == NEW for one in observation.servers if one.name in step.hosts)
        changed = [one for one in observation.servers if one.name in step.hosts and one.label != step.label]
        assert len(changed) == len(step.hosts), "a change that changes nothing"
    if isinstance(step, Remove):
        assert all(one.label != step.label for one in observation.servers), "a label without a key"
        assert all(label != step.label for one in observation.servers for _group, label in one.others)
    if isinstance(step, Rekey):
        assert {one.label for one in observation.servers} == {NEW}
        assert not step.replace_now or (policy.emergency and policy.replace_now)
    if found.outcome != "back":
        again = decide(found.rotation, observation, found.facts, policy)
        assert (again.outcome, again.step) == (found.outcome, step), "asked twice, it says something else"
