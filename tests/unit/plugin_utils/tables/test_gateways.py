# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of gateways: what the message of the failed task says is not told above it, too."""

from __future__ import annotations

from unit.fleet import samples
from unit.fleet.samples import entry, snapshot, unreachable

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.findings import FORGED, Finding, sentences
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.outcome import Converged, outcome
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.plan import PLANNED, PlanOptions, plan
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


def test_a_finding_of_a_convergence_is_told_once() -> None:
    found = Converged([], [Finding(FORGED, "gw1", "It lies.")])
    (text,) = sentences(found.findings)
    assert text in gateways.converged(found, WIDTH)
    assert text not in gateways.converged(found, WIDTH, f"Before. {text}")
