# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as one HTML file that needs nothing else."""

from __future__ import annotations

import functools
import hashlib
import html
import re
import typing as t
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from ...module_utils._fingerprint import short
from ...module_utils._fleet.findings import listed
from ...module_utils._fleet.status import FleetStatus
from ...module_utils._fleet.stored import STATES
from ..tables.gateways import STATUS
from . import folds, pictures, rotations, times

Data = dict[str, t.Any]
HERE = Path(__file__).parent
MOST_CELLS, MOST_EVENTS, MOST_HOSTS = 200, 500, 16
"""What somebody still reads; the JSON has more."""
LONGEST_NAME = 32
PIECE = re.compile(r"(<[^>]*>)|([^<\s]+)")
BREAKABLE = re.compile(r"[^\w.,:;()]")
"""Behind these a browser may begin a new line."""
COLUMNS = {**STATUS, "observed": lambda row: "yes" if row["observed"] else f"no: {row['why'] or row['reachability']}"}
"""The table of gateway_status, and why somebody was not observed."""


def render(report: Data, fleet: FleetStatus | None) -> str:
    """ASCII: what is not is written as character references, so that nobody has to know an encoding."""
    page: str = _environment().get_template("report.html.j2").render(
        report=report,
        digest=template_digest(report),
        circle=fleet and pictures.circle(fleet, report["mesh"]["gateways"]),
        cells=fleet and pictures.cells(fleet),
        matrix=fleet and pictures.matrix(fleet),
        columns=COLUMNS,
        servers=folds.servers(report["units"] or (), report["limits"]["minimum_size"]),
        gateways=report["mesh"] and folds.apart(report["mesh"]["gateways"], folds.good_gateway),
        strip=pictures.strip(report["rotations"], report["at"]),
        states=STATES,
        most_cells=MOST_CELLS,
        most_events=MOST_EVENTS,
    )
    return page.encode("ascii", "xmlcharrefreplace").decode()


def template_digest(report: Data) -> str:
    """Of what the report says and how it is shown."""
    return hashlib.sha256((report["digest"] + _looks_like()).encode()).hexdigest()


@functools.cache
def _looks_like() -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.j2")))


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(HERE),
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    environment.filters.update(
        short=short,
        listed=listed,
        span=times.span,
        yes=yes,
        details=details,
        hosts=hosts,
        number=number,
        unbroken=unbroken,
        newest=folds.newest,
        apart_keys=lambda keys: folds.apart(keys, folds.good_key),
        apart_terms=lambda rows: folds.apart(rows, folds.good_term),
        day=day,
        interruption=rotations.interruption,
    )
    return environment


def visible(value: t.Any) -> t.Any:
    """What somebody named may hold anything: control characters are shown as such, and text never turns around."""
    if value is None:
        return "-"
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in value)


def unbroken(text: t.Any) -> Markup:
    """What is not broken at a blank is not broken at all, as a name must not be. What is longer than any name may be
    broken anywhere, or the page would be wider than its window."""
    return Markup(PIECE.sub(_piece, escape(visible(text))))


def _piece(found: re.Match[str]) -> str:
    tag, word = found.groups()
    if tag:
        return str(tag)
    if len(html.unescape(word)) > LONGEST_NAME:
        return f'<span class="long">{word}</span>'
    return f'<span class="name">{word}</span>' if BREAKABLE.search(word) else word


def day(moment: str | None) -> str:
    return moment[:10] if moment else "-"


def yes(value: bool | None) -> str:
    return "?" if value is None else "yes" if value else "no"


def number(what: int | t.Sized, noun: str) -> str:
    many = what if isinstance(what, int) else len(what)
    return f"{many} {noun}" if many == 1 else f"{many} {noun}s"


def hosts(names: list[str]) -> str:
    more = len(names) - MOST_HOSTS
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:MOST_HOSTS])} and {more} more"


def details(value: t.Any) -> str:
    """Of an event, in one line."""
    if isinstance(value, dict):
        return "; ".join(f"{name} {details(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(details(one) for one in value)
    text = str(value)
    return short(text) if len(text) == 64 and text.isalnum() else text
