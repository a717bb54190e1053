# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status on the terminal and the page of the audit, read back cell by cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from unit.fleet.samples import Data
from unit.plugin_utils.key_report import samples

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import Observations
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import FleetStatus
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_report import build, page
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import gateways

WIDTH = 1500
"""So wide that nothing is wrapped."""
Cells = dict[str, str]
"""By the label of the column."""


@dataclass
class Cell:
    """Of a table in HTML."""

    label: str
    state: str
    title: str
    text: str = ""


class Tables(HTMLParser):
    """The rows of all tables with the section in which they are, and the titles of pictures."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.section, self.rows, self.titles = "", list[tuple[str, list[Cell]]](), list[str]()
        self._cell: Cell | None = None
        self._in_title = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "section":
            self.section = given.get("aria-labelledby", "")
        if tag == "tr":
            self.rows.append((self.section, []))
        if tag in ("td", "th") and self.rows:
            self._cell = Cell(given.get("data-label", ""), given.get("class", ""), given.get("title", ""))
            self.rows[-1][1].append(self._cell)
        if tag == "title":
            self._in_title = True
            self.titles.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = None
        if tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.titles[-1] += data
        elif self._cell:
            self._cell.text += data


@dataclass
class Paper:
    """What the page says. `pairs`: by holder and owner, class, title and text of the table of small fleets;
    `differing`: the rows of pairs that are not as they should be; `lines`: the titles of the lines of the picture."""

    gateways: dict[str, Cells] = field(default_factory=dict)
    pairs: dict[tuple[str, str], tuple[str, str, str]] = field(default_factory=dict)
    differing: list[Cells] = field(default_factory=list)
    findings: list[Cells] = field(default_factory=list)
    keys: list[Cells] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def read_page(html: str) -> Paper:
    found, tables, owners = Paper(), Tables(html), list[str]()
    for section, cells in tables.rows:
        row = {cell.label: " ".join(cell.text.split()) for cell in cells if cell.label}
        if section == "findings" and row:
            found.findings.append(row)
        elif section == "keys" and row:
            found.keys.append(row)
        elif section == "gateways" and "own key" in row:
            found.gateways[row["gateway"]] = row
        elif section == "gateways" and cells[0].text == "stores the key of":
            owners = [cell.text for cell in cells[1:]]
        elif section == "gateways" and cells[0].text in owners and not cells[0].label:
            for owner, cell in zip(owners, cells[1:], strict=True):
                if cell.state != "self":
                    found.pairs[cells[0].text, owner] = (cell.state, cell.title, cell.text)
        elif section == "gateways" and row:
            found.differing.append(row)
    ends = ("Neither sees a tunnel.", "one of them reports.")
    found.lines = [title for title in tables.titles if title.endswith(ends)]
    return found


def of_page(result: Data, observations: Observations) -> tuple[Data, Paper]:
    """The report as data, and as it is shown."""
    inputs = samples.inputs(directory=result, gateways=observations)
    fleet = build.fleet_of(inputs)
    report = build.build(inputs, fleet)
    return report, read_page(page.render(report, fleet))


def of_terminal(found: FleetStatus) -> tuple[dict[str, Cells], list[str]]:
    """The rows of the one table, cut where its columns begin, and the sentences around it."""
    lines = gateways.status(found, WIDTH).splitlines()
    top = next(number for number, line in enumerate(lines) if line.lstrip().startswith("gateway "))
    starts = [lines[top].index(name) for name in gateways.STATUS]
    ends = [*starts[1:], None]
    body = lines[top + 2 :]
    end = next((number for number, line in enumerate(body) if not line.strip()), len(body))
    rows = [
        {name: line[start:stop].strip() for name, start, stop in zip(gateways.STATUS, starts, ends, strict=True)}
        for line in body[:end]
    ]
    sentences = [line.strip() for line in (*lines[:top], *body[end:]) if line.strip()]
    return {row["gateway"]: row for row in rows}, sentences
