# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of gateways: what the message of the failed task says is not told above it, too."""

from __future__ import annotations

import pytest
from unit.fleet import samples
from unit.fleet.samples import entry, snapshot, unreachable

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.findings import FORGED, Finding, sentences
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import EMERGENCY
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import REFUSED, Observation
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.outcome import Converged, outcome
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.plan import PLANNED, PlanOptions, dropped, plan
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import gateways

WIDTH = 100


def test_the_problem_of_an_outcome_is_told_once() -> None:
    names = ("gw1", "gw2", "gw3")
    directory = snapshot(*map(entry, names))
    seen = {**samples.all_seen(names), "gw2": unreachable("gw2")}
    made = plan(directory, seen, ["gw1", "gw2"], PlanOptions(mode=PLANNED))
    found = outcome(directory, made, {})
    (problem,) = [row.problem for row in found.gateways if row.gateway == "gw2"]
    alone, above = (
        " ".join(gateways.outcome(found, made, False, WIDTH, said).split()) for said in ("", f"{problem} And more.")
    )
    assert problem in alone
    assert problem not in above
    assert "excluded" in above, "the row stays"


def test_a_gateway_that_refuses_to_change_and_to_store_is_told_once() -> None:
    names = ("gw1", "gw2", "gw3")
    seen = {**samples.all_seen(names), "gw2": Observation("gw2", REFUSED, "its disk is full")}
    made = plan(snapshot(*map(entry, names)), seen, ["gw1", "gw2"], PlanOptions(mode=PLANNED))
    found = outcome(snapshot(*map(entry, names)), made, {})
    said = " ".join(row.problem for row in found.gateways)
    assert gateways.plan(made, WIDTH).count("its disk is full") == 1
    assert "its disk is full" not in gateways.outcome(found, made, False, WIDTH, said)
    assert "To be updated by converge_gateways: gw2." in gateways.outcome(found, made, False, WIDTH, said)


@pytest.mark.parametrize(
    ("away", "full", "advice"),
    [
        (["gw2", "gw3"], [], "Make them reachable, then run"),
        ([], ["gw2", "gw3"], "Fix what they report, then run"),
        (["gw2"], ["gw3"], "Make those reachable that are not, fix what the others report, then run"),
    ],
)
def test_who_was_reached_need_not_be_made_reachable(away: list[str], full: list[str], advice: str) -> None:
    names = ["gw1", "gw2", "gw3"]
    directory = snapshot(*map(entry, names), pending={name: ["gw1"] for name in (*away, *full)})
    answers = {name: unreachable(name) for name in away} | {name: Observation(name, REFUSED, "full") for name in full}
    made = dropped(directory, answers, plan(directory, {}, ["gw1"], PlanOptions(mode=EMERGENCY)))
    assert advice in " ".join(gateways.dropped(made, WIDTH).split())


def test_a_finding_of_a_convergence_is_told_once() -> None:
    found = Converged([], [Finding(FORGED, "gw1", "It lies.")])
    (text,) = sentences(found.findings)
    assert text in gateways.converged(found, WIDTH)
    assert text not in gateways.converged(found, WIDTH, f"Before. {text}")
