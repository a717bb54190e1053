# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must not depend on the answers of one gateway: all that is recorded of, planned for, sent to, proved of and
shown of the others.

Each function gives it as data to be compared, with that gateway, `liar`, left out. Left out is only what is its own
word: its rows, that it can be told, that it accepts a key itself or has acknowledged it, its name in lists of those who
do, and a sentence that names it as one of the two whose word it is. Of the numbers of revisions only the order counts,
as they number all changes together.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from unit.fleet import views
from unit.fleet.chain import Run
from unit.fleet.samples import Data

from ansible_collections.vpnops.keys.plugins.module_utils import _pending
from ansible_collections.vpnops.keys.plugins.module_utils._fleet import outcome, plan, verify
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.findings import Finding
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import Observation, absent
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import FleetStatus, status

Observations = dict[str, Observation]


def without_the_liar(observations: Observations, liar: str) -> Observations:
    return observations | {liar: absent(liar)}


def of_others(result: Data, observations: Observations, liar: str) -> Data:
    """Everything about all gateways but that one, as data to be compared."""
    directory = Directory.from_result(result)
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


def _wish(mode: str) -> plan.PlanOptions:
    return plan.PlanOptions(mode=mode, minimum_share=0)


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


# -- a run


def of_run(run: Run) -> Data:
    """What a run recorded of the others, said of them, and sent to them."""
    return {"recorded": _recorded(run), "events": list(_events(run)), "said": run.told, "sent": list(_sent(run))}


def _recorded(run: Run) -> Data:
    snapshot, liar, view = run.records.snapshot, run.liar, run.view
    by_revision = sorted(snapshot.gateways, key=lambda name: snapshot.gateways[name]["revision"])
    pending = _pending.of_result(view["peers"], view["learned"])

    def plain(rows: Iterable[Data], name: str) -> list[Data]:
        return [{**row, "revision": None} for row in rows if row[name] != liar]

    return {
        "gateways": plain(snapshot.gateways.values(), "name"),
        "order": _without(by_revision, liar),
        "keys": plain(snapshot.keys.values(), "gateway"),
        "rotations": plain(snapshot.rotations.values(), "gateway"),
        "peers": plain(view["peers"], "name"),
        "pending": {name: _without(pending.pending_of(name), liar) for name in view["learned"] if name != liar},
        "acknowledged": {
            name: _without((one["rotation"] or {}).get("acknowledged", ()), liar)
            for name, one in view["directory"]["gateways"].items()
            if name != liar
        },
    }  # fmt: skip


def own_records(run: Run) -> str:
    """What is recorded of the liar itself, its word about itself: its keys, its rotation, and what it has yet to store.
    In a form that can be compared and looked up."""
    part, view = run.records.snapshot.part(run.liar), run.view
    pending = _pending.of_result(view["peers"], view["learned"])
    keys = [(row["serial"], row["state"], row["public_key"]) for row in part.keys.values()]
    return repr((sorted(keys), part.rotation, pending.pending_of(run.liar), pending.peers_pending(run.liar)))


def _without(names: Iterable[str], liar: str) -> list[str]:
    return [name for name in names if name != liar]


def _events(run: Run) -> t.Iterator[Data]:
    for one in run.events:
        details = dict(one["details"] or {})
        if "peers" in details:
            details["peers"] = _without(details["peers"], run.liar)
        # How many at once, and up to which revision: that counts the liar as one of whom something was stored.
        counted = {name: value for name, value in details.items() if name not in ("gateways", "revision")}
        if run.liar not in (one["gateway"], one["peer"]) and details.get("peers") != []:
            yield {**one, "details": counted}


def _sent(run: Run) -> t.Iterator[tuple[str, str, Data]]:
    for host, module, options in run.sent:
        peers = [{**one, "revision": None} for one in options.get("peers", ()) if one["name"] != run.liar]
        if host != run.liar and (peers or "peers" not in options):
            yield host, module, {**options, "peers": peers, "revision": None}


# -- what is shown


def of_views(result: Data, observations: Observations, liar: str) -> Data:
    """Every cell, sentence and line about the others, on the terminal and on the page."""
    found = status(Directory.from_result(result), observations)
    both = {(one.host, one.what) for one in found.findings if one.also == liar}
    rows, sentences = views.of_terminal(found)
    # The events are those of the directory, whatever anybody says now; see of_run.
    paper = views.of_page({**result, "events": []}, observations)[1]

    def told(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Of sentences with their hosts."""
        each = {(host, what) for hosts, what in pairs for host in hosts.split(", ") if host != liar}
        return sorted(each - both)

    return {
        "terminal": {name: row for name, row in rows.items() if name != liar},
        "sentences": told((hosts, what) for hosts, _colon, what in (line.partition(": ") for line in sentences)
                          if hosts != "Gateways"),
        "page": {name: row for name, row in paper.gateways.items() if name != liar},
        "findings": told((row["host"], row["finding"]) for row in paper.findings),
        "pairs": {pair: cell for pair, cell in paper.pairs.items() if pair[0] != liar},
        "differing": [row for row in paper.differing if row["gateway"] != liar],
        "keys": [_key(row, liar) for row in paper.keys if row["of"] != liar and _key(row, liar)],
        "lines": [line for line in paper.lines if liar not in line.split()],
    }  # fmt: skip


def _key(row: views.Cells, liar: str) -> views.Cells:
    """Nothing where only the liar may still accept it."""
    key, accepted, names = row["key"].partition("still accepted by ")
    others = _without(names.split(", "), liar)
    return {**row, "key": f"{key}{accepted}{', '.join(others)}"} if others else {}
