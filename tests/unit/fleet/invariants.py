# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must not depend on the answers of one gateway: all that is planned for, proved of and shown of the others.

Left out is only what is the liar's own word: that it can be told, that it accepts a key itself, and a sentence that
names it as one of the two whose word it is.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from unit.fleet.samples import Data

from ansible_collections.vpnops.keys.plugins.module_utils._fleet import outcome, plan, verify
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.findings import Finding
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import Observation, absent
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import FleetStatus, status

Observations = dict[str, Observation]


def without_the_liar(observations: Observations, liar: str) -> Observations:
    return observations | {liar: absent(liar)}


def of_others(directory: Directory, observations: Observations, liar: str) -> Data:
    """Everything about all gateways but that one, as data to be compared."""
    others = [name for name in directory.gateways if name != liar]
    proofs = verify.verify(directory, observations, observations, others, 50)
    return {
        "status": of_status(status(directory, observations), liar),
        "plans": [_plan(directory, observations, name, mode, liar) for name in others for mode in plan.AGAINST],
        "proofs": proofs,
        "outcomes": [
            outcome.outcome(directory, plan.plan(directory, observations, [name], _wish("planned")), proofs)
            for name in others
        ],
        "converged": _converged(directory, observations, liar),
        # What a thief says about itself does not steer its own revocation.
        "revocation": _revocation(directory, observations, liar),
    }


def of_status(found: FleetStatus, liar: str) -> Data:
    every = list(found.directory.gateways)
    names = [name for name in every if name != liar]
    return {
        "rows": [row.to_result() for row in found.rows if row.gateway.name != liar],
        "findings": of_findings(found.findings, liar),
        "accepted": _lists_without(found.accepted, liar),
        "cells": [found.cell(holder, owner) for holder in names for owner in every if owner != holder],
    }


def of_findings(found: Iterable[Finding], liar: str) -> list[Data]:
    return [one.to_result() for one in found if liar not in (one.host, one.also)]


def _lists_without(found: t.Mapping[str, t.Sequence[str]], liar: str) -> Data:
    lists = {key: [name for name in names if name != liar] for key, names in found.items()}
    return {key: names for key, names in lists.items() if names}


def _wish(mode: str) -> plan.Wish:
    return plan.Wish(mode=mode, minimum_share=0)


def _plan(directory: Directory, observations: Observations, name: str, mode: str, liar: str) -> Data:
    made = plan.plan(directory, observations, [name], _wish(mode))
    found = {**made.to_result(), "peers": [peer for peer in made.peers if peer != liar]}
    for way in ("unreachable", "refused"):
        found[way] = [one for one in found[way] if one["gateway"] != liar]
    after = plan.dropped(directory, observations, made)
    return found | {"dropped": [peer for peer in after.peers if peer != liar]}


def _converged(directory: Directory, answers: Observations, liar: str) -> Data:
    found = outcome.converged(directory, directory, answers)
    return {
        "rows": [row for row in found.rows if row["gateway"] != liar],
        "findings": of_findings(found.findings, liar),
    }


def _revocation(directory: Directory, observations: Observations, liar: str) -> Data:
    made = plan.plan(directory, observations, [liar], _wish("emergency")).to_result()
    for target in made["targets"]:
        del target["note"]
    return made
