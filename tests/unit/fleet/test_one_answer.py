# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status and the page of the audit give one answer about one fleet."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st
from unit import key_report_samples
from unit.fleet import fleets
from unit.fleet.samples import Data

from ansible_collections.vpnops.keys.plugins.module_utils._fleet import findings
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import status
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_report import build, page
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import gateways

SEEDS = st.integers(min_value=0, max_value=2**48)
WIDTH = 1000
"""So wide that no cell is wrapped."""


class Cells(HTMLParser):
    """The cells of the tables of a section, row by row."""

    def __init__(self, section: str) -> None:
        super().__init__(convert_charrefs=True)
        self.section, self.within, self.rows = section, False, list[dict[str, str]]()
        self.label = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section":
            self.within = given.get("aria-labelledby") == self.section
        if tag == "tr" and self.within:
            self.rows.append({})
        if tag in ("td", "th"):
            self.label = given.get("data-label") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.label = ""

    def handle_data(self, data: str) -> None:
        if self.within and self.label and self.rows:
            row = self.rows[-1]
            row[self.label] = row.get(self.label, "") + data


def on_the_page(html: str) -> dict[str, dict[str, str]]:
    reader = Cells("gateways")
    reader.feed(html)
    return {row["gateway"]: row for row in reader.rows if "holds" in row and "own key" in row}


def on_the_terminal(text: str) -> dict[str, dict[str, str]]:
    """The rows of the one table, cut where its columns begin."""
    lines = text.splitlines()
    top = next(number for number, line in enumerate(lines) if line.lstrip().startswith("gateway "))
    starts = [lines[top].index(name) for name in gateways.STATUS]
    ends = [*starts[1:], None]
    body = lines[top + 2 :]
    rows = body[: next((number for number, line in enumerate(body) if not line.strip()), len(body))]
    found = [
        {name: line[start:end].strip() for name, start, end in zip(gateways.STATUS, starts, ends, strict=True)}
        for line in rows
    ]
    return {row["gateway"]: row for row in found}


def report_of(made: fleets.Fleet) -> tuple[Data, str]:
    inputs = key_report_samples.inputs(directory=made.result, gateways=made.observations)
    fleet = build.fleet_of(inputs)
    report = build.build(inputs, fleet)
    return report, page.render(report, fleet)


@settings(max_examples=150, deadline=None)
@given(seed=SEEDS)
def test_every_cell_is_the_same_in_the_status_and_on_the_page(seed: int) -> None:
    made = fleets.fleet(seed)
    found = status(made.directory, made.observations)
    text, (report, html) = gateways.status(found, WIDTH), report_of(made)
    terminal, paper = on_the_terminal(text), on_the_page(html)
    assert terminal.keys() == paper.keys() == made.directory.gateways.keys()
    for name, row in terminal.items():
        assert row == {label: paper[name][label].strip() for label in gateways.STATUS}
    assert report["mesh"]["gateways"] == found.to_result()["gateways"]


@settings(max_examples=150, deadline=None)
@given(seed=SEEDS)
def test_every_finding_is_the_same_in_the_status_and_in_the_report(seed: int) -> None:
    """And a pair is counted as differing where it is shown as such."""
    made = fleets.fleet(seed)
    found = status(made.directory, made.observations)
    report, _html = report_of(made)
    of_fleet = {
        (one["kind"], one["severity"], one["what"], host)
        for one in report["findings"]
        for host in one["hosts"]
        if one["kind"] in findings.KINDS
    }
    assert of_fleet == {(one.kind, one.severity, one.what, one.host) for one in found.findings}
    cells = [found.cell(holder, owner) for holder in made.names for owner in made.names if holder != owner]
    differing = {(one.holder, one.owner) for one in cells if one.state in ("changing", "pending", "drift")}
    assert {(one["holder"], one["owner"]) for one in report["mesh"]["cells"]} == differing
    assert report["mesh"]["differing"] == len(differing)
