# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the progress callback counts, without Ansible."""

from __future__ import annotations

import json
import os
import typing as t
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._fleet import findings
from ansible_collections.vpnops.keys.plugins.plugin_utils.progress import files, found, pipe, results, view
from ansible_collections.vpnops.keys.plugins.plugin_utils.progress.model import (
    OUTCOMES,
    Devices,
    Outcome,
    Run,
    Section,
    clock,
    remaining,
)
from ansible_collections.vpnops.keys.plugins.plugin_utils.progress.view import Terminal

HOSTS = [f"h{number}" for number in range(1, 7)]


def run_on(*hosts: str, everybody: t.Sequence[str] = ()) -> Run:
    run = Run("site.yml", 1000.0)
    run.begin_play("Play", hosts or HOSTS, everybody or hosts or HOSTS, 1000.0)
    return run


def did(run: Run, key: str, outcomes: dict[str, Outcome], section: Section = "block", *, once: bool = False) -> None:
    """One task, on these hosts."""
    run.begin(key, f"Task {key}", 1000.0, section, once=once)
    for host, outcome in outcomes.items():
        run.start(key, host)
        run.finish(key, host, outcome, f"{host}: {outcome}.")


def total(run: Run, key: str, section: Section = "block") -> int:
    return run.total(run.begin(key, key, 1000.0, section))


# ------------------------------------------------------------------ who is expected


def test_everybody_is_expected_until_lost() -> None:
    run = run_on()
    did(run, "a", {"h1": "failed", "h2": "unreachable", "h3": "deferred", "h4": "ignored", "h5": "ok"})
    assert total(run, "b") == 4
    assert total(run, "r", "rescue") == 1
    assert total(run, "w", "always") == 5
    assert total(run, "n", "handler") == 0


def test_who_is_lost_elsewhere_is_waited_for_no_more() -> None:
    """With the strategy free, a host may fail in an earlier task while others are in a later one."""
    run = run_on("h1", "h2")
    step = run.begin("late", "late", 1000.0)
    run.finish("late", "h1", "ok")
    assert (run.total(step), run.complete("late")) == (2, False)
    did(run, "early", {"h2": "failed"})
    assert (run.total(step), run.complete("late")) == (1, True)


def test_included_tasks_are_for_those_that_include_them() -> None:
    run = run_on()
    run.include("inc", ["h1", "h2"])
    step = run.begin("a", "a", 1000.0, within=["block", "inc"])
    assert run.total(step) == 2
    run.finish("a", "h1", "ok")
    run.finish("a", "h2", "ok")
    assert not run.complete("a"), "with the strategy free, others may still include it"
    assert run.running == []
    run.start("a", "h3")
    assert (run.total(step), run.running) == (3, [step])
    run.begin_play("Next", HOSTS, HOSTS, 1001.0)
    assert run.total(run.begin("b", "b", 1001.0, within=["inc"])) == len(HOSTS)


def test_a_task_that_runs_once_is_one() -> None:
    run = run_on()
    step = run.begin("a", "a", 1000.0, once=True)
    assert (run.total(step), run.complete("a")) == (1, False)
    run.finish("a", "h1", "ok")
    assert run.complete("a")


# ------------------------------------------------------------------ failures


def test_rescued_by_going_on() -> None:
    run = run_on("h1", "h2")
    did(run, "a", {"h1": "failed", "h2": "failed"})
    did(run, "r", {"h1": "ok", "h2": "ok"}, "rescue")
    did(run, "w", {"h1": "ok", "h2": "ok"}, "always")
    assert run.verdicts == {"failed": 2}, "always runs after what nothing rescued as well"
    did(run, "b", {"h1": "ok"})
    assert [one.host for one in run.unsolved] == ["h2"]
    assert [run.rescued(one) for one in run.problems] == [True, False]
    run.end(1001.0, failed=["h2"])
    assert run.verdicts == {"failed": 1, "ok": 1}


def test_rescued_at_the_very_end_is_known_from_ansible() -> None:
    run = run_on("h1", "h2")
    did(run, "a", {"h1": "failed", "h2": "failed"})
    run.end(1001.0, failed=["h1"])
    assert [one.host for one in run.unsolved] == ["h1"]


def test_once_for_all_fails_for_all() -> None:
    run = run_on("h1", "h2", "h3")
    did(run, "a", dict.fromkeys(("h1", "h2", "h3"), "ok"))
    did(run, "b", {"h1": "failed"}, once=True)
    assert total(run, "c") == 0
    assert run.verdicts == {"not finished": 3}, "the one that it ran on did nothing wrong either"
    assert view.summary(run)[1] == ("  for all: h1: failed.", "failed")
    run.begin("d", "d", 1000.0)
    run.finish("d", "h2", "ok")
    assert run.unsolved == []
    assert total(run, "e") == 3


def test_verdicts() -> None:
    run = run_on()
    did(run, "a", {"h1": "ok", "h2": "changed", "h3": "deferred", "h4": "unreachable", "h5": "failed"})
    did(run, "b", {"h2": "ok", "h3": "changed"})
    assert {host: run.verdict(host) for host in run.hosts} == {
        "h1": "ok", "h2": "changed", "h3": "deferred", "h4": "unreachable", "h5": "failed", "h6": "not run",
    }  # fmt: skip
    run.pending = {"h1": "missing the key of h2"}
    assert run.deferred == {"h1": "missing the key of h2", "h3": "h3: deferred."}
    assert run.verdict("h1") == "deferred"


def test_what_is_changed_elsewhere_changes_no_host() -> None:
    run = run_on("h1")
    run.begin("a", "a", 1000.0)
    run.finish("a", "h1", "changed", elsewhere=True)
    assert run.verdicts == {"ok": 1}


def test_one_task_worked_on_many() -> None:
    run = run_on("ks1", "ks2", "ks3", "ks4")
    did(run, "a", {"ks1": "ok"}, once=True)
    key = "a" * 64
    servers = [{"host": host, "fingerprint": held} for host, held in (("ks1", key), ("ks2", None), ("ks3", None))]
    servers[2]["problem"] = "ks3: no answer."
    done = {"ks1": [], "ks2": ["imported", "saved"]}
    unit = {"label": "REKEY", "groups": ["GETVPN"], "key_servers": servers, "done": done, "fingerprint": key}
    run.find(found.on_key_servers({"units": [unit], "problems": {"ks3": "ks3: no answer."}}))
    assert {host: run.verdict(host) for host in run.hosts} == {
        "ks1": "ok", "ks2": "changed", "ks3": "failed", "ks4": "not run",
    }  # fmt: skip
    assert ("  ks3: no answer.", "failed") in view.summary(run)


KEYS = {"right": "a" * 64, "wrong": "b" * 64}


def compared(**held: str | None) -> dict[str, t.Any]:
    """A result of ios_rsa_key_compare; the key of ks1 is the one that all shall hold."""
    servers = [{"host": host, "fingerprint": KEYS[key] if key else None} for host, key in held.items()]
    return {
        "units": [
            {
                "label": "REKEY", "groups": ["GETVPN"], "key_servers": servers, "fingerprint": KEYS["right"],
                "source": "ks1", "verdict": "conflict", "in_sync": False,
            }
        ]
    }  # fmt: skip


def test_the_one_that_differs_is_to_blame_and_not_the_one_that_the_task_ran_on() -> None:
    """In all that programs read, by key server and group."""
    run = run_on("ks1", "ks2", "ks3")
    did(run, "look", {"ks1": "ok"}, once=True)
    run.find(found.on_key_servers(compared(ks1="right", ks2="wrong", ks3=None)))
    assert run.verdicts == {"ok": 3}, "to look is no failure"
    did(run, "report", {"ks1": "failed"}, once=True)
    run.end(1001.0, failed=["ks1", "ks2", "ks3"])
    data = files.as_data(run)
    assert data["hosts"] == {"ks1": "ok", "ks2": "failed", "ks3": "failed"}
    assert [(one["host"], one["group"], one["result"]) for one in data["results"]] == [
        ("ks1", "REKEY (GETVPN)", "ok"), ("ks2", "REKEY (GETVPN)", "differs"), ("ks3", "REKEY (GETVPN)", "differs"),
    ]  # fmt: skip
    assert [one["host"] for one in data["problems"]] == [None]
    (suite,) = ElementTree.fromstring(files.as_junit(run))
    assert {str(case.get("name")): [(one.tag, one.get("message")) for one in case] for case in suite} == {
        "ks1: REKEY (GETVPN)": [],
        "ks2: REKEY (GETVPN)": [
            ("failure", "It has the key bbbbbbbbbbbb under REKEY, not the key aaaaaaaaaaaa of ks1.")
        ],
        "ks3: REKEY (GETVPN)": [("failure", "It has no key under REKEY, not the key aaaaaaaaaaaa of ks1.")],
        "for all: Task report": [("failure", "ks1: failed.")],
    }
    assert (suite.get("tests"), suite.get("failures")) == ("4", "3")


def test_one_task_that_looks_works_and_proves_tells_all_of_it() -> None:
    """A key server that was changed, one that failed, and one that could not be read, in one result of the sync."""
    servers = [{"host": host} for host in ("ks1", "ks2", "ks3")]
    unit: dict[str, t.Any] = {"label": "REKEY", "groups": ["GETVPN"], "key_servers": servers, "interrupted": False}
    unit |= {"done": {"ks2": ["replaced"]}, "left": ["ks3"], "error": "ks3: no answer."}
    before, after = compared(ks1="right", ks2="wrong", ks3="wrong"), compared(ks1="right", ks2="right", ks3="wrong")
    run = run_on("ks1", "ks2", "ks3", "ks4")
    run.find(found.on_key_servers({"found": before | {"problems": {"ks4": "away"}}, "units": [unit], "proof": after}))
    states = {host: [one.state for one in run.found(host)] for host in run.hosts}
    assert states == {"ks1": ["ok"], "ks2": ["changed"], "ks3": ["failed"], "ks4": ["failed"]}
    run.find(found.on_key_servers({"found": after, "units": [], "proof": None}))
    assert [one.state for one in run.found("ks2")] == ["changed"]


def rotated(**outcomes: str) -> dict[str, t.Any]:
    """A result of ios_getvpn_rotation: groups of two key servers each, of which one was changed where it is done."""
    groups = []
    for number, (name, outcome) in enumerate(outcomes.items()):
        hosts = [f"ks{2 * number + 1}", f"ks{2 * number + 2}"]
        good = outcome in ("done", "reached", "planned")
        done = [f"The label is changed to NEW on {hosts[0]}."] if outcome == "reached" else []
        group = {"name": name, "hosts": hosts, "outcome": outcome, "why": "" if good else f"{name} is {outcome}."}
        # Of a group that cannot begin none was read for it.
        read = [] if outcome == "blocked" else [{"host": host, "problem": None} for host in hosts]
        groups.append(group | {"done": done, "key_servers": read})
    return {"groups": groups}


def test_a_rotation_tells_of_every_key_server_and_group() -> None:
    result = rotated(A="reached", B="done", C="waiting", D="blocked", E="failed")
    result["groups"][4]["key_servers"][0]["problem"] = "ks9: no answer."
    run = run_on(*(f"ks{number}" for number in range(1, 11)))
    did(run, "rotate", {"ks1": "failed"}, once=True)
    run.find(found.of_rotations(result))
    run.end(1001.0, failed=[])
    told = {(one["host"], one["group"]): (one["result"], one["message"]) for one in files.as_data(run)["results"]}
    assert told == {
        ("ks1", "A"): ("changed", None), ("ks2", "A"): ("changed", None),
        ("ks3", "B"): ("ok", None), ("ks4", "B"): ("ok", None),
        ("ks5", "C"): ("not finished", "C is waiting."), ("ks6", "C"): ("not finished", "C is waiting."),
        ("ks7", "D"): ("failed", "D is blocked."), ("ks8", "D"): ("failed", "D is blocked."),
        ("ks9", "E"): ("failed", "ks9: no answer."), ("ks10", "E"): ("failed", "E is failed."),
    }  # fmt: skip
    (suite,) = ElementTree.fromstring(files.as_junit(run))
    cases = {str(case.get("name")): [one.tag for one in case] for case in suite}
    assert (cases["ks1: A"], cases["ks5: C"], cases["ks7: D"]) == ([], ["error"], ["failure"])
    assert not found.is_interrupted(result)


def test_a_rotation_that_was_interrupted_blames_no_key_server() -> None:
    result = rotated(A="interrupted", B="planned")
    assert found.is_interrupted(result)
    assert [one.state for one in found.of_rotations(result)] == ["not finished"] * 2 + ["ok"] * 2
    assert found.of_rotations({"msg": "no"}) == []


def test_why_a_group_went_no_further_is_told_once() -> None:
    run = run_on("ks1", "ks2")
    run.begin("a", "a", 1000.0, once=True)
    run.finish("a", "ks1", "failed", "A: A is blocked.")
    run.find(found.of_rotations(rotated(A="blocked")))
    run.end(1001.0, failed=["ks1", "ks2"])
    assert [text for text, _color in view.summary(run)[1:]] == ["  for all: A: A is blocked."]


def test_a_gateway_that_a_report_complains_of_is_to_blame() -> None:
    run = run_on("gw1", "gw2", "gw3")
    did(run, "look", dict.fromkeys(("gw1", "gw2", "gw3"), "ok"))
    did(run, "report", {"gw1": "failed"}, once=True)
    pending = {"count": 0, "first": []}
    rows = [{"gateway": name, "pending": pending} for name in ("gw1", "gw2", "gw3")]
    complaint = {"host": "gw2", "what": "accepts a revoked key"}
    run.find(found.on_gateways({"status": {"gateways": rows, "findings": [complaint]}}))
    run.end(1001.0, failed=["gw1", "gw2", "gw3"])
    assert files.as_data(run)["hosts"] == {"gw1": "ok", "gw2": "failed", "gw3": "ok"}
    target = {"gateway": "gw1", "problem": "gw1 rolled back to the old key.", "no_tunnel": [], "pending": []}
    assert [one.state for one in found.on_gateways({"outcome": {"gateways": [target]}})] == ["failed"]


def test_a_report_that_failed_says_the_same_in_brief() -> None:
    """What the callback reads of it, without what its message says already."""
    rows = [{"gateway": f"gw{number}", "pending": {"count": 1, "first": ["gw9"]}} for number in (1, 2, 3, 4)]
    why = "It is unreachable."
    complaints = [{"host": "gw4", "what": "It is odd."}, *({"host": f"gw{number}", "what": why} for number in (1, 2))]
    whole = {"status": {"gateways": rows, "findings": complaints}}
    msg = f"gw1, gw2: {why}"
    full = found.on_gateways(whole)
    brief: dict[str, t.Any] = {"failed": True, "msg": msg, "by_gateway": found.in_brief(full, msg)}
    brief["pending"] = results.in_brief(results.pending(whole) or {})
    assert brief["by_gateway"] == [
        {"gateways": ["gw1", "gw2"], "result": "differs", "in_msg": [10, 28]},
        {"gateways": ["gw3"], "result": "ok"},
        {"gateways": ["gw4"], "result": "differs", "message": "It is odd."},
    ]
    runs = [run_on(), run_on()]
    for run, result in zip(runs, (full, found.on_gateways(brief)), strict=True):
        run.find(result)
    assert [runs[0].found(host) for host in runs[0].hosts] == [runs[1].found(host) for host in runs[1].hosts]
    assert results.pending(brief) == results.pending(whole)


@pytest.mark.parametrize(
    ("before", "now", "counts"),
    [
        ("differs", "changed", "changed"), ("changed", "ok", "changed"), ("failed", "differs", "failed"),
        ("failed", "ok", "ok"), ("changed", "differs", "differs"), ("ok", "unknown", "unknown"),
        ("not finished", "differs", "not finished"), ("not finished", "ok", "ok"),
    ],
)  # fmt: skip
def test_what_counts_of_two_looks(before: found.State, now: found.State, counts: str) -> None:
    run = run_on("ks1")
    for state in (before, now):
        run.find([found.Found("ks1", "REKEY", state)])
    assert [one.state for one in run.found("ks1")] == [counts]


def test_nobody_is_well_in_a_run_that_was_interrupted() -> None:
    run = run_on("h1", "h2", "h3", "h4", everybody=[*HOSTS])
    did(run, "a", {"h1": "ok", "h2": "changed", "h3": "failed"})
    run.find([found.Found("h2", "REKEY", "changed"), found.Found("h4", "REKEY", "differs")])
    run.end(1001.0, interrupted=True)
    assert {host: run.verdict(host) for host in run.hosts} == {
        "h1": "not finished", "h2": "changed", "h3": "failed", "h4": "not finished", "h5": "not run", "h6": "not run",
    }  # fmt: skip
    assert "ok" not in view.summary(run)[0][0]


def test_an_interrupted_run_that_goes_on_to_its_report_blames_nobody_for_what_it_left() -> None:
    run = run_on("ks1", "ks2", "ks3")
    unit = {
        "label": "REKEY", "groups": ["GETVPN"], "done": {"ks2": ["replaced", "saved"]}, "left": ["ks3"],
        "error": "interrupted. Done: ks2. Not started: ks3.", "interrupted": True,
        "key_servers": [{"host": f"ks{number}"} for number in (1, 2, 3)],
    }  # fmt: skip
    run.find(found.on_key_servers({"units": [unit], "interrupted": True}))
    run.find(found.on_key_servers(compared(ks1="right", ks2="right", ks3="wrong")))
    run.interrupted = True
    did(run, "report", {"ks1": "failed"}, once=True)
    run.end(1001.0, failed=["ks1", "ks2", "ks3"])
    assert {host: run.verdict(host) for host in run.hosts} == {"ks1": "ok", "ks2": "changed", "ks3": "not finished"}
    assert files.as_data(run)["interrupted"] is True
    assert view.summary(run)[0][0].startswith("Interrupted after")


STAGED = {"state": "staged", "mode": "planned"}
PREPARED = {"state": "prepared", "mode": "planned"}
VERIFIED = {"state": "verified", "mode": "planned"}
EMERGENCY = {"state": "staged", "mode": "emergency"}
MAY_BE_ACTIVE = (
    "The new key may be active now. If it is and nobody confirms it, the gateway rolls back to the old key by itself "
    "when gateway_keys_confirm_timeout is over (60 seconds by default, longer if several gateways change in one run). "
    "vpnops.keys.gateway_status shows which key it runs, and when it rolls back."
)
FINISH = "To finish it, run vpnops.keys.regenerate_gateway with gateway={0} and confirm={0}"
NO_WAY_BACK = "The old key is revoked and cannot come back."
BACK = "To roll back to the old key, run vpnops.keys.abort_rotation with gateway={0} and confirm={0}."
LEFT_OPEN: dict[str, tuple[dict[str, t.Any], str]] = {
    "staged": (
        {"gw1": STAGED, "gw2": None},
        f"Open rotation: gw1 (staged). {MAY_BE_ACTIVE} {FINISH.format('gw1')}. {BACK.format('gw1')}",
    ),
    "not so far": (
        {"gw1": PREPARED},
        f"Open rotation: gw1 (prepared). The old key is still in use. {FINISH.format('gw1')}. {BACK.format('gw1')}",
    ),
    "an emergency": (
        {"gw1": EMERGENCY},
        f"Open rotation: gw1 (staged). {FINISH.format('gw1')} and gateway_keys_mode=emergency. {NO_WAY_BACK}",
    ),
    "several": (
        {"gw1": STAGED, "gw2": VERIFIED, "gw3": EMERGENCY},
        (
            f"Open rotations: gw1 (staged), gw2 (verified), gw3 (staged). gw1: {MAY_BE_ACTIVE} gw2: The new key is in "
            f"use, and the gateway does not roll back by itself. {FINISH.format('gw1,gw2')}. {BACK.format('gw1,gw2')} "
            f"{FINISH.format('gw3')} and gateway_keys_mode=emergency. {NO_WAY_BACK}"
        ),
    ),
}


@pytest.mark.parametrize("what", LEFT_OPEN)
def test_an_interrupted_run_says_which_key_may_be_active_and_how_to_go_on_or_back(what: str) -> None:
    rotations, text = LEFT_OPEN[what]
    run = run_on("gw1", "gw2")
    gateways = {name: {"rotation": one} for name, one in rotations.items()}
    run.rotations = results.open_rotations({"directory": {"gateways": gateways}})
    run.end(1001.0, interrupted=True)
    assert view.summary(run)[-1][0] == f"  {text}"
    run.interrupted = False
    assert "rotation" not in " ".join(line for line, _color in view.summary(run))
    assert results.open_rotations({"msg": "no"}) == {}


def test_what_many_open_rotations_need_is_said_in_one_screen() -> None:
    many = {f"gw{number}": {"rotation": STAGED} for number in range(1, 501)}
    text = findings.open_rotations(results.open_rotations({"directory": {"gateways": many}}))
    assert "gw12 (staged) and 488 more" in text
    assert "gateway=... and confirm=..." in text
    assert len(text) < 1500


def test_what_failed_for_all_is_not_told_twice_in_a_row() -> None:
    run = run_on("h1")
    did(run, "a", {"h1": "failed"}, once=True)
    run.end(1001.0, failed=["h1"])
    assert len(view.summary(run)) == 2
    assert len(view.summary(run, "h1: failed.")) == 1


@pytest.mark.parametrize("count", [3, 5])
@pytest.mark.parametrize("told", [True, False])
def test_who_could_not_be_read_is_named_together_and_nobody_is_missing(count: int, told: bool) -> None:
    """Where the failure for all says it of all of them, it alone; where it names some of them, all once more."""
    hosts = [f"ks{number}" for number in range(1, count + 1)]
    run = run_on(*hosts)
    sentence = f"{', '.join(hosts if told else hosts[-1:])}: No route to host. Nothing was changed."
    run.begin("a", "a", 1000.0, once=True)
    run.finish("a", "ks1", "failed", sentence)
    problems = {host: f"{host}: No route to host. Nothing was changed." for host in hosts}
    run.find(found.on_key_servers({"units": [], "problems": problems}))
    run.end(1001.0, failed=hosts)
    whole = f"  {', '.join(hosts)}: No route to host. Nothing was changed."
    others = [] if told else [whole]
    assert [text for text, _color in view.summary(run)[1:]] == [f"  for all: {sentence}", *others]
    assert [text for text, _color in view.summary(run, sentence)[1:]] == others
    assert [text for text, _color in view.summary(run, "of something else")[1:]] == [f"  for all: {sentence}", *others]


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(HOSTS), st.sampled_from(OUTCOMES), st.booleans(), st.booleans())
    )
)
def test_whatever_comes_nobody_is_counted_twice_or_lost(events: list[tuple[int, str, Outcome, bool, bool]]) -> None:
    run = run_on()
    for number, host, outcome, once, in_rescue in events:
        step = run.begin(str(number), str(number), 1000.0, "rescue" if in_rescue else "block", once=once)
        run.finish(str(number), host, outcome, "why")
        assert step.once or step.done <= run.total(step) <= len(HOSTS)
        assert sum(step.counts.values()) == step.done
        assert sum(run.verdicts.values()) == len(HOSTS)
    lost = {host for host in HOSTS if run.verdict(host) in ("failed", "unreachable")}
    assert lost <= {one.host for one in run.unsolved}
    assert files.as_data(run)["counts"] == run.verdicts


# ------------------------------------------------------------------ batches, time


def test_batches_of_one_play() -> None:
    run = run_on("h1", "h2", everybody=HOSTS)
    assert view.heading(run) == "Play: hosts 1 to 2 of 6"
    run.close(1001.0)
    run.begin_play("Play", ["h3", "h4", "h5"], HOSTS, 1010.0)
    assert view.heading(run) == "Play: hosts 3 to 5 of 6"
    run.begin("a", "Work", 1010.0)
    assert view.bars(run, 1020.0, Terminal(80))[-1].endswith("2/6  0:40 left")
    run.begin_play("Play", ["h6"], HOSTS, 1011.0)
    assert view.heading(run) == "Play: host 6 of 6"
    assert len(run.plays) == 1
    run.begin_play("Play", HOSTS, HOSTS, 1012.0)
    assert len(run.plays) == 2


def test_localhost_that_no_inventory_names() -> None:
    run = Run("site.yml", 1000.0)
    run.begin_play("Play", [], ["localhost"], 1000.0)
    assert view.heading(run) == "Play: 1 host"
    assert total(run, "a") == 1


@pytest.mark.parametrize(
    ("done", "of", "elapsed", "left"),
    [(0, 10, 60, None), (5, 10, 0.5, None), (5, 10, 60, 60), (10, 10, 60, 0), (1, 1000, 2, 1998), (3, 0, 60, None)],
)
def test_remaining(done: int, of: int, elapsed: float, left: float | None) -> None:
    assert remaining(done, of, elapsed) == left


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (59.6, "1:00"), (42, "0:42"), (727, "12:07"), (3723, "1:02:03"), (-1, "0:00")],
)
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


# ------------------------------------------------------------------ what is shown


def half_done() -> Run:
    run = run_on(*[f"gw{number}" for number in range(1000)])
    run.begin("a", "Look at every gateway, and prove the power over it, as it may be wanted", 1000.0)
    for number in range(412):
        run.finish("a", f"gw{number}", "failed" if number < 3 else "deferred" if number < 15 else "ok", "why")
    return run


def test_bars() -> None:
    (wide,) = view.bars(half_done(), 1042.0, Terminal(100))
    assert wide.startswith("Look at every gateway, and prove the")
    assert wide.endswith("412/1000  3 failed  12 deferred  1:00 left")
    assert len(wide) < 100
    name, numbers = view.bars(half_done(), 1042.0, Terminal(44))
    assert name.endswith("…")
    assert numbers == "  412/1000  3 failed  12 deferred  1:00 le…"
    assert max(map(len, (name, numbers))) < 44


@pytest.mark.parametrize("width", [1, 5, 20, 40, 71, 72, 80, 200])
def test_bars_fit(width: int) -> None:
    run = half_done()
    run.begin("b", "Another", 1041.0)
    assert all(len(line) < max(width, 2) for line in view.bars(run, 1042.0, Terminal(width)))


def test_bars_have_colors_only_where_they_may() -> None:
    assert not any("\x1b" in line for line in view.bars(half_done(), 1042.0, Terminal(80)))
    assert any(
        "\x1b[31m  3 failed" in line for line in view.bars(half_done(), 1042.0, Terminal(80, color=True))
    )
    (plain,) = view.bars(half_done(), 1042.0, Terminal(80, encoding="ascii"))
    assert plain.isascii()


def test_many_tasks_leave_room() -> None:
    run = run_on()
    for number in range(50):
        run.begin(str(number), f"Task {number}", 1000.0)
    lines = view.bars(run, 1001.0, Terminal(80, 24))
    assert len(lines) == 12
    assert lines[0] == "and 39 more steps under way"
    assert lines[-1].startswith("Task 49")


def test_devices_of_one_task() -> None:
    run = run_on("ks1")
    step = run.begin("a", "Look", 1000.0, once=True)
    run.fleet("a", Devices(512, 256, 2))
    run.fleet("of somebody else", Devices(1, 1, 1))
    (shown,) = view.bars(run, 1010.0, Terminal(80))
    assert shown.endswith("256/512  2 failed  0:10 left")
    run.fleet("a", Devices(512, 512, 2))
    run.finish("a", "ks1", "ok")
    run.close(1020.0)
    assert view.line(step) == ("Look: ok, 512 devices, 2 of them failed (0:20)", "ok")


def test_what_one_task_does_comes_after_its_look() -> None:
    run = run_on("ks1")
    step = run.begin("a", "Sync", 1000.0, once=True)
    run.fleet("a", Devices(4, 4))
    run.work("a", Devices(9, 0, begun=1030.0))
    run.work("a", Devices(9, 3, begun=1060.0))
    run.work("of somebody else", Devices(1, 1))
    (shown,) = view.bars(run, 1060.0, Terminal(80))
    assert shown.startswith("Sync: steps ")
    assert shown.endswith("3/9  1:00 left")
    run.finish("a", "ks1", "failed")
    run.close(1070.0)
    assert view.line(step) == ("Sync: failed, 4 devices, 3 of 9 steps (1:10)", "failed")


def test_a_line_per_step_that_did_something() -> None:
    run = run_on()
    did(run, "a", {"h1": "ok", "h2": "changed", "h3": "failed", "h4": "skipped"})
    did(run, "b", {"h1": "skipped", "h2": "skipped"})
    run.begin("c", "Include", 1000.0, hidden=True)
    run.finish("c", "h1", "ok")
    run.begin("d", "Include", 1000.0, hidden=True)
    run.finish("d", "h2", "failed", "no such file")
    lines = [view.line(step)[0] for step in run.close(1000.5) if step.worth_a_line]
    assert lines == ["Task a: 1 failed, 1 changed, 1 ok, 1 skipped", "Include: 1 failed"]


def test_summary_says_the_same_once() -> None:
    run = run_on(*[f"h{number}" for number in range(30)])
    run.begin("a", "a", 1000.0)
    for number in range(30):
        run.finish("a", f"h{number}", "unreachable", "Connection refused")
    run.end(1075.0)
    (first, dummy), (second, color) = view.summary(run)
    assert first == "Done in 1:15. 30 hosts: 30 unreachable."
    assert second.startswith("  h0, h1,")
    assert second.endswith("and 18 more: Connection refused")
    assert color == "failed"


def test_summary_of_hundreds_of_failures_is_short() -> None:
    run = run_on(*[f"h{number}" for number in range(500)])
    did(run, "a", {f"h{number}": "failed" for number in range(500)})
    for number, one in enumerate(list(run.problems)):
        run.problems[number] = type(one)(one.host, one.step, one.outcome, f"reason {number}")
    run.end(1001.0, interrupted=True)
    lines = view.summary(run)
    assert lines[0][0].startswith("Interrupted after 0:01.")
    assert len(lines) == 22
    assert lines[-1][0] == "  and 480 more"


# ------------------------------------------------------------------ what results say


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"msg": "Broken.\nMend it."}, "Broken. Mend it."),
        ({"msg": "Task failed: Broken."}, "Broken."),
        ({"msg": "non-zero return code", "stderr": "x\ngw1: no such key\n"}, "non-zero return code gw1: no such key"),
        ({"msg": "MODULE FAILURE", "module_stderr": "Traceback\n  x\nKeyError: 'a'"}, "MODULE FAILURE KeyError: 'a'"),
        ({"censored": "the output has been hidden"}, "the output has been hidden"),
        ({}, "It failed without a message."),
    ],
)
def test_sentence(result: dict[str, t.Any], text: str) -> None:
    assert results.sentence(result) == text


def test_sentence_of_a_loop() -> None:
    items = [results.of_item({"item": name, "msg": "No"}) for name in "abcde"]
    said = results.sentence({"msg": "One or more items failed"}, items)
    assert said == "a: No. b: No. c: No. And 2 more."
    assert results.of_item({"item": {"long": "x" * 100}, "msg": "No."}) == "No."


def test_who_has_still_to_store_something() -> None:
    rows = [{"gateway": "gw1", "pending": ["gw2", "gw3"]}, {"gateway": "gw4", "pending": ["gw2"]}]
    told = {"gw2": "missing the key of gw1, gw4", "gw3": "missing the key of gw1"}
    assert results.pending({"outcome": {"gateways": rows}}) == told
    some: dict[str, t.Any] = {"count": 2, "first": ["gw2", "gw1"]}
    none: dict[str, t.Any] = {"count": 0, "first": []}
    in_status = [{"gateway": "gw3", "pending": some}, {"gateway": "gw4", "pending": none}]
    assert results.pending({"status": {"gateways": in_status}}) == {"gw3": "missing keys of gw2, gw1"}
    answered = [
        {"gateway": "gw1", "stored": True, "state": "ready", "why": "", "pending": some},
        {"gateway": "gw3", "stored": False, "state": "unreachable", "why": "unreachable", "pending": some},
        {"gateway": "gw4", "stored": False, "state": "refused", "why": "No.", "pending": some},
    ]
    told = {"gw3": "unreachable; missing keys of gw2, gw1"}
    assert results.pending({"converged": {"gateways": answered}}) == told
    assert results.pending({"plan": {}}) is None


# ------------------------------------------------------------------ files


def finished() -> Run:
    run = run_on()
    did(run, "a", {"h1": "ok", "h2": "changed", "h3": "deferred", "h4": "unreachable", "h5": "failed"})
    run.end(1002.5, failed=["h5"])
    return run


def test_json() -> None:
    data = json.loads(files.as_json(finished()))
    assert data["counts"] == {"ok": 1, "changed": 1, "deferred": 1, "unreachable": 1, "failed": 1, "not run": 1}
    assert data["hosts"]["h5"] == "failed"
    assert data["deferred"] == {"h3": "h3: deferred."}
    assert {one["host"]: one["outcome"] for one in data["problems"]} == {"h4": "unreachable", "h5": "failed"}
    assert (data["begun"], data["ended"]) == ("1970-01-01T00:16:40+00:00", "1970-01-01T00:16:42+00:00")
    assert data["seconds"] == 2.5
    (step,) = data["steps"]
    assert (step["name"], step["counts"]["changed"], step["devices"], step["steps"]) == ("Task a", 1, None, None)


def test_junit() -> None:
    root = ElementTree.fromstring(files.as_junit(finished()))
    (suite,) = root
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "6", "failures": "1", "errors": "1", "skipped": "2", "time": "2.500",
    }  # fmt: skip
    found = {str(case.get("name")): [(one.tag, one.get("message")) for one in case] for case in suite}
    assert found == {
        "h1": [], "h2": [], "h3": [("skipped", "h3: deferred.")], "h4": [("error", "Task a: h4: unreachable.")],
        "h5": [("failure", "Task a: h5: failed.")], "h6": [("skipped", "not run")],
    }  # fmt: skip


@given(st.text())
def test_junit_is_xml_whatever_a_device_says(text: str) -> None:
    run = run_on("h1")
    run.begin("a", text, 1000.0)
    run.finish("a", "h1", "failed", text)
    root = ElementTree.fromstring(files.as_junit(run))
    assert root[0][0][0].tag == "failure"


# ------------------------------------------------------------------ from a fork


def test_a_task_tells_from_its_fork_how_far_it_is() -> None:
    reader = pipe.opened()
    try:
        pid = os.fork()
        if not pid:
            pipe.begin("task-1")
            count = pipe.Count(3)
            count.one(failed=False)
            count.one(failed=True)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        told = pipe.messages(os.read(reader, 1 << 16) + b'{"task": "cut')
        assert [(one["task"], one["total"], one["done"], one["failed"]) for one in told] == [
            ("task-1", 3, 0, 0), ("task-1", 3, 1, 0), ("task-1", 3, 2, 1),
        ]  # fmt: skip
    finally:
        pipe.closed(reader)


def test_nobody_listens() -> None:
    """Neither without the callback, nor with one that does not read for a long time, does a task wait or fail."""
    pipe.Count(1).one(failed=False)
    reader = pipe.opened()
    try:
        count = pipe.Count(10_000)
        for dummy in range(10_000):
            count.one(failed=False)
        assert count.done == 10_000
    finally:
        pipe.closed(reader)
