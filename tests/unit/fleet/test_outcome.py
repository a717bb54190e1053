# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change of keys and a convergence came to."""

from __future__ import annotations

from unit.fleet import samples
from unit.fleet.samples import all_seen, entry, fp, names, refused, revoked, snapshot, unreachable

from ansible_collections.vpnops.keys.plugins.module_utils._fleet import findings
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import Observation
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.outcome import converged, outcome
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.plan import Plan, PlanOptions, plan
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.verify import Proof
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import gateways as tables

NAMES = names(4)
ROTATING = snapshot(samples.rotating("gw1"), *map(entry, NAMES[1:]))
PROOF = Proof(True, "", ["gw2"], ["gw3"], ["gw4"], None)


def planned() -> Plan:
    return plan(ROTATING, all_seen(NAMES), ["gw1"], PlanOptions())


def test_a_change_and_whom_it_has_not_reached() -> None:
    after = snapshot(entry("gw1", 2), *map(entry, NAMES[1:]), pending={"gw4": ["gw1"]})
    found = outcome(after, planned(), {"gw1": PROOF})
    (row,) = found.gateways
    assert (row.before, row.fingerprint, row.state) == (fp("gw1"), fp("gw1", 2), "changed")
    assert row.pending == ["gw4"]
    assert found.to_result()["done"]


def test_that_nothing_was_verified_is_said_and_is_no_failure() -> None:
    """Seen before: a success with `tunnels verified 0`."""
    after = snapshot(entry("gw1", 2), *map(entry, NAMES[1:]))
    found = outcome(after, planned(), {"gw1": Proof(True, "", [], [], [], None)})
    assert found.gateways[0].idle
    assert found.problems("planned") == []
    assert found.to_result()["done"]
    text = "gw1: no tunnel was up before the change, so none was verified to use the new key."
    assert text in tables.outcome(found, planned(), False, 200)
    assert text not in tables.outcome(found, planned(), True, 200)
    assert text not in tables.outcome(outcome(after, planned(), {"gw1": PROOF}), planned(), False, 200)


def test_a_tunnel_that_is_not_proved_fails_the_run_but_not_the_change() -> None:
    found = outcome(snapshot(entry("gw1", 2), *map(entry, NAMES[1:])), planned(), {"gw1": PROOF})
    assert found.to_result()["done"]
    sentence = "gw1 has no tunnel with its new key to gw3, where one was up before."
    assert found.problems("planned") == [sentence]
    assert found.problems("emergency") == []


def test_a_rotation_that_is_stuck_is_a_problem() -> None:
    """Nothing speaks against the new key, and yet it could not be kept."""
    found = outcome(ROTATING, planned(), {"gw1": PROOF})
    assert found.problems("planned") == [
        "The rotation of gw1 is not finished, state staged. Run it again, or abort it."
    ]
    assert not found.to_result()["done"]


def test_who_was_left_out_is_told_why() -> None:
    """Before it used its new key, for which the run on the others went on."""
    excluded = samples.rotating("gw1", "prepared")
    found = outcome(snapshot(excluded, *map(entry, NAMES[1:]), pending={"gw3": ["gw1"]}), planned(), {})
    (sentence,) = found.problems("planned")
    assert sentence == (
        "The rotation of gw1 is not finished, state prepared: too few peers accept its new key, and gw3 may not accept "
        "it yet. Run it again, or abort it."
    )
    excluded["rotation"]["new"] = None
    found = outcome(snapshot(excluded, *map(entry, NAMES[1:])), planned(), {})
    assert "state prepared: no new key of it was recorded. Run it again" in found.problems("planned")[0]


def test_a_target_that_could_not_change_is_a_problem_in_the_end() -> None:
    seen = all_seen(NAMES) | {"gw2": unreachable("gw2")}
    made = plan(snapshot(*map(entry, NAMES)), seen, ["gw1", "gw2"], PlanOptions())
    found = outcome(snapshot(entry("gw1", 2), *map(entry, NAMES[1:])), made, {})
    assert [(row.gateway, row.state) for row in found.gateways] == [("gw1", "changed"), ("gw2", "excluded")]
    assert found.problems("planned") == [
        "gw2: unreachable. gw2 was excluded and keeps its key; run this again for it."
    ]
    assert not found.to_result()["done"]
    stuck = snapshot(entry("gw1", 2), samples.rotating("gw2"), *map(entry, NAMES[2:]), pending={"gw3": ["gw2"]})
    (row,) = [row for row in outcome(stuck, made, {}).gateways if row.gateway == "gw2"]
    assert row.problem.startswith("gw2: unreachable. gw2 was excluded. The rotation of gw2 is not finished, state ")
    assert row.pending == ["gw3"]


def test_who_did_not_begin_with_its_change_is_told_so() -> None:
    """While others did. An abort that failed has no proof of anybody, and says nothing of that."""
    both = snapshot(samples.rotating("gw1"), entry("gw2", 2), *map(entry, NAMES[2:]))
    found = outcome(both, planned(), {"gw2": PROOF})
    assert found.problems("planned") == [
        "The rotation of gw1 is not finished, state staged: its change was not started. Run it again, or abort it."
    ]
    assert outcome(both, planned(), {}).problems("abort") == [
        "The rotation of gw1 is not finished, state staged. Run it again, or abort it."
    ]


def test_a_gateway_that_the_directory_lost_meanwhile() -> None:
    found = outcome(snapshot(*map(entry, NAMES[1:])), planned(), {})
    assert "gw1 is no longer in the directory" in found.problems("planned")[0]


# -- converge

PENDING = snapshot(entry("gw1", 2), *map(entry, NAMES[1:]), pending={name: ["gw1"] for name in NAMES[1:]})
LEFT = snapshot(entry("gw1", 2), *map(entry, NAMES[1:]), pending={name: ["gw1"] for name in NAMES[2:]})
READY = {name: Observation(name, "ready") for name in NAMES}


def test_who_had_to_store_what_and_has() -> None:
    found = converged(PENDING, LEFT, {"gw2": READY["gw2"], "gw3": unreachable("gw3")})
    assert [(row["gateway"], row["pending"]["first"], row["stored"], row["why"]) for row in found.rows] == [
        ("gw2", ["gw1"], True, ""),
        ("gw3", ["gw1"], False, "unreachable"),
        ("gw4", ["gw1"], False, "not in this play"),
    ]
    assert [(one.kind, one.host) for one in found.findings] == [("pending", "gw3"), ("pending", "gw4")]
    assert not findings.failing(found.findings, "problems")
    assert not converged(snapshot(*map(entry, NAMES)), snapshot(*map(entry, NAMES)), {}).rows


def test_who_answers_without_an_acknowledgement_has_stored_nothing() -> None:
    (row, *_others) = converged(PENDING, PENDING, READY).rows
    assert row["gateway"] == "gw2"
    assert (row["stored"], row["why"]) == (False, "it has not acknowledged everything")


def test_who_was_reached_and_did_not_store_is_a_problem() -> None:
    (first, *_others) = converged(PENDING, PENDING, {"gw2": refused("gw2")}).findings
    assert (first.kind, first.host, first.severity) == ("not stored", "gw2", "problem")
    assert first.what == "It did not store what is pending: Incorrect sudo password."


def test_a_revoked_key_that_may_still_be_accepted_comes_first() -> None:
    lost = snapshot(
        revoked("gw1"), samples.rotating("gw2"), *map(entry, NAMES[2:]), pending={"gw3": ["gw1"], "gw4": ["gw2"]}
    )
    found = converged(lost, lost, {})
    assert [(one.host, one.kind) for one in found.findings] == [
        ("gw3", "still accepted"),
        ("gw4", "pending"),
        ("gw2", "unfinished"),
    ]
    assert found.to_result()["interrupted"] == ["gw2"]
