# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status and the page of the audit give one answer about one fleet, cell by cell as they are read."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.effort import examples
from unit.fleet import fleets, views
from unit.plugin_utils.key_report.samples import calendar

from ansible_collections.vpnops.keys.plugins.module_utils._errors import sentence
from ansible_collections.vpnops.keys.plugins.module_utils._fleet import findings
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import FleetStatus, status
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.stored import STATES, Cell
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import gateways

SEEDS = st.integers(min_value=0, max_value=2**48)
DIFFERING = ("changing", "pending", "drift")


def pairs(found: FleetStatus) -> list[Cell]:
    return [found.cell(holder, owner) for holder, owner in itertools.permutations(found.names, 2)]


@settings(max_examples=examples(100), deadline=None)
@given(seed=SEEDS)
def test_every_row_is_the_same_in_the_status_and_on_the_page(seed: int) -> None:
    made = fleets.fleet(seed)
    found = status(made.directory, made.observations, calendar())
    terminal, dummy = views.of_terminal(found)
    report, paper = views.of_page(made.result, made.observations)
    assert terminal.keys() == paper.gateways.keys() == made.directory.gateways.keys()
    for name, row in terminal.items():
        assert row == {label: paper.gateways[name][label] for label in gateways.STATUS}
    assert report["mesh"]["gateways"] == found.to_result()["gateways"]


@settings(max_examples=examples(100), deadline=None)
@given(seed=SEEDS)
def test_every_pair_on_the_page_is_that_of_the_status(seed: int) -> None:
    """Its state and its serials: in the table of all pairs, in the one of those that differ, in the picture, and in
    the data."""
    made = fleets.fleet(seed)
    found = status(made.directory, made.observations, calendar())
    report, paper = views.of_page(made.result, made.observations)
    cells = pairs(found)
    assert paper.pairs.keys() == {(one.holder, one.owner) for one in cells}
    for one in cells:
        state, title, text = paper.pairs[one.holder, one.owner]
        assert (state, title) == (one.state, f"{one.holder} {STATES[one.state]} of {one.owner}")
        assert text.split() == shown_as(one)
    differing = [one for one in cells if one.state in DIFFERING]
    rows = {(row["gateway"], row["peer"]): row for row in paper.differing}
    assert len(rows) == len(paper.differing) == report["mesh"]["differing"] == len(differing)
    for one in differing:
        row, wanted = rows[one.holder, one.owner], found.directory.gateways[one.owner].serial
        assert row["stores serial"] == (" and ".join(one.serials) or "-")
        assert row["current serial"] == ("-" if wanted is None else str(wanted))
        assert row["state"].endswith(STATES[one.state])
    assert {(one["holder"], one["owner"], one["state"], tuple(one["serials"])) for one in report["mesh"]["cells"]} == {
        (one.holder, one.owner, one.state, one.serials) for one in differing
    }
    names = [row.gateway.name for row in found.rows]
    lines = [line(found.cell(one, other), found.cell(other, one)) for one, other in itertools.combinations(names, 2)]
    assert [" ".join(one.split()) for one in paper.lines] == [one for one in lines if one]


def line(*pair: Cell) -> str:
    """What is said of the line between two gateways; nothing where there is none."""
    if {one.state for one in pair} == {"apart"}:
        return ""
    each = [
        f"{one.holder} {STATES[one.state]} of {one.owner}{f' (serial {one.text})' if one.serials else ''}."
        for one in pair
    ]
    tunnel = "A tunnel is up, one of them reports." if any(one.tunnel for one in pair) else "Neither sees a tunnel."
    return " ".join([*each, tunnel])


def shown_as(one: Cell) -> list[str]:
    """The words of a cell: the serials, a sign, and what the sign means for those who do not see it."""
    meaning = f"{STATES[one.state]}{', tunnel up' if one.tunnel else ''}".split()
    if one.state == "right":
        return [one.text, SIGNS["right"] if one.tunnel else "\u25cb", *meaning]
    return [SIGNS[one.state], *([one.text] if one.serials else []), *meaning]


SIGNS = {
    "right": "\u25cf", "changing": "\u25d0", "pending": "\u2026", "drift": "\u2715", "unseen": "?", "apart": "\u00b7"
}  # fmt: skip


@settings(max_examples=examples(100), deadline=None)
@given(seed=SEEDS)
def test_every_finding_is_the_same_in_the_status_and_on_the_page(seed: int) -> None:
    """As it is read: how bad it is, of whom, which sentence, and what to do next."""
    made = fleets.fleet(seed)
    found = status(made.directory, made.observations, calendar())
    dummy, sentences = views.of_terminal(found)
    report, paper = views.of_page(made.result, made.observations)
    expected = {(one.severity, one.host, sentence(one.what)) for one in found.findings}
    on_page = {
        (row["severity"].split()[-1], host, sentence(row["finding"]))
        for row in paper.findings
        for host in row["host"].split(", ")
    }
    ours = {one["what"] for one in report["findings"] if one["kind"] in findings.KINDS}
    assert expected == {one for one in on_page if one[2] in map(sentence, ours)}
    hosts_of = {kind: [one.host for one in found.findings if one.kind == kind] for kind in findings.OPEN}
    steps = [findings.next_step(kind, hosts) for kind, hosts in hosts_of.items()]
    told = [line.partition(": ") for line in sentences if line not in steps]
    on_terminal = {(host, what) for hosts, dummy, what in told for host in hosts.split(", ") if hosts != "Gateways"}
    assert on_terminal == {(host, what) for dummy, host, what in expected}
    assert {row["what to do"] for row in paper.findings} == {one["next"] for one in report["findings"]}


@settings(max_examples=examples(100), deadline=None)
@given(seed=SEEDS)
def test_every_finding_is_the_same_in_the_status_and_in_the_report(seed: int) -> None:
    made = fleets.fleet(seed)
    found = status(made.directory, made.observations, calendar())
    report, dummy = views.of_page(made.result, made.observations)
    of_fleet = {
        (one["kind"], one["severity"], one["what"], host)
        for one in report["findings"]
        for host in one["hosts"]
        if one["kind"] in findings.KINDS
    }
    assert of_fleet == {(one.kind, one.severity, one.what, one.host) for one in found.findings}
