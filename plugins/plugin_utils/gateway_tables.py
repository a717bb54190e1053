# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read about gateways: plan, outcome and status as tables. Pure: facts in, text out."""

from __future__ import annotations

import io
import re
import textwrap
import typing as t
from collections.abc import Callable, Mapping, Sequence

from ..module_utils._fingerprint import short

try:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
except ImportError:  # the action names the missing library
    pass

Data = dict[str, t.Any]
Column = Callable[[Mapping[str, t.Any]], str]
NAMES_SHOWN = 12
NARROW = ("gateway", "serial", "key", "key now", "key before", "stored", "tunnels")

PLAN: dict[str, Column] = {
    "gateway": lambda row: str(row["gateway"]),
    "platform": lambda row: row["platform"] or "-",
    "serial": lambda row: f"{row['serial']} -> {row['serial'] + 1}" if not row["resumes"] else str(row["serial"]),
    "key now": lambda row: _key(row["fingerprint"]),
    "interruption to expect": lambda row: row["interruption"] or "-",
}
OUTCOME: dict[str, Column] = {
    "gateway": lambda row: str(row["gateway"]),
    "key before": lambda row: _key(row["before"]),
    "key now": lambda row: _key(row["fingerprint"]),
    "serial": lambda row: str(row["serial"] or "-"),
    "state": lambda row: str(row["state"]),
    "tunnels proved": lambda row: str(row["tunnels"]),
    "still to learn it": lambda row: names(row["pending"]) or "-",
}
CONVERGED: dict[str, Column] = {
    "gateway": lambda row: str(row["gateway"]),
    "was owed the keys of": lambda row: names(row["owed"]),
    "now": lambda row: "done" if row["stored"] else row["why"],
}
STATUS: dict[str, Column] = {
    "gateway": lambda row: str(row["gateway"]),
    "serial": lambda row: str(row["serial"] or "-"),
    "key": lambda row: _key(row["fingerprint"]),
    "state": lambda row: str(row["state"]),
    "own key": lambda row: row["own"] if row["reached"] in ("ready", "refused") else row["reached"],
    "stored": lambda row: f"{row['stored_by']}/{row['neighbours']}",
    "tunnels": lambda row: str(row["tunnels"]),
    "pending": lambda row: names(row["pending"]) or "-",
}


def names(many: Sequence[str]) -> str:
    """Names for people: with hundreds, the first ones and how many more."""
    more = len(many) - NAMES_SHOWN
    return ", ".join(many) if more <= 0 else f"{', '.join(many[:NAMES_SHOWN])} and {more} more"


def plan(planned: Mapping[str, t.Any], width: int) -> str:
    page = Page(width)
    page.table("To be changed", PLAN, planned["targets"])
    for row in planned["targets"]:
        if row["resumes"]:
            page.note(f"{row['gateway']}: goes on with the rotation that is open in state {row['resumes']}.")
    page.note(f"Peers that can be told now: {names(planned['peers']) or 'none'}.")
    page.note(*_later(planned))
    page.note(f"Digest: {planned['digest']}")
    return page.text()


def outcome(result: Mapping[str, t.Any], planned: Mapping[str, t.Any], emergency: bool, width: int) -> str:
    page = Page(width)
    if emergency:
        page.note(_still(planned))
    page.table("Outcome", OUTCOME, result["gateways"])
    page.note(*[row["problem"] for row in result["gateways"] if row["problem"]])
    for row in result["gateways"]:
        if row["no_tunnel"] and not row["problem"]:
            page.note(f"{row['gateway']}: no tunnel by the new key yet to {names(row['no_tunnel'])}.")
    if _away(planned) and not emergency:
        page.note(f"At their next contact (converge_gateways): {', '.join(_away(planned))}.")
    return page.text()


def dropped(planned: Mapping[str, t.Any], width: int) -> str:
    """The first thing to know on the night when a key was stolen."""
    page = Page(width)
    page.note(_still(planned))
    return page.text()


def _still(planned: Mapping[str, t.Any]) -> str:
    still = _away(planned)
    if not still:
        return "No peer accepts the old key any more."
    return f"STILL ACCEPT THE OLD KEY: {', '.join(still)}. Reach them, then run converge_gateways."


def _away(planned: Mapping[str, t.Any]) -> list[str]:
    return [f"{one['gateway']} ({one['why']})" for one in [*planned["unreachable"], *planned["refused"]]]


def converged(found: Mapping[str, t.Any], width: int) -> str:
    page = Page(width)
    if found["gateways"]:
        page.table("Converged", CONVERGED, found["gateways"])
    else:
        page.note("Nothing is owed: all gateways have acknowledged what the directory says.")
    page.note(
        *[f"{name}: a rotation is open; run it again to finish it, or abort it." for name in found["interrupted"]]
    )
    return page.text()


def status(found: Mapping[str, t.Any], width: int) -> str:
    page = Page(width)
    verdict = "all as the directory says" if found["in_line"] else "differences"
    page.table(f"Gateways: {verdict}", STATUS, found["gateways"])
    page.note(*found["differences"], *found["notes"])
    return page.text()


def _later(planned: Mapping[str, t.Any]) -> list[str]:
    lines = []
    if planned["unreachable"]:
        away = [f"{one['gateway']} ({one['why']})" for one in planned["unreachable"]]
        lines.append(f"Out of reach, told at their next contact (converge_gateways): {names(away)}.")
    lines += [f"{one['gateway']}: {one['why']}" for one in planned["refused"]]
    return lines


class Page:
    """Tables and notes, one below the other, as text."""

    def __init__(self, width: int) -> None:
        self.out = io.StringIO()
        self.console = Console(
            file=self.out, width=max(width, 60), no_color=True, highlight=False, markup=False, emoji=False
        )

    def table(self, title: str, columns: Mapping[str, Column], rows: Sequence[Mapping[str, t.Any]]) -> None:
        table = Table(
            box=box.SIMPLE_HEAD, title=Text(title), title_justify="left", title_style="bold", pad_edge=False,
            padding=(0, 1, 0, 0),
        )  # fmt: skip
        for name in columns:
            table.add_column(name, overflow="fold", no_wrap=name in NARROW)
        for row in rows:
            table.add_row(*(Text(cell(row)) for cell in columns.values()))
        self.console.print()
        self.console.print(table)

    def note(self, *texts: str) -> None:
        for text in texts:
            filled = textwrap.fill(
                text, self.console.width, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False
            )
            self.console.print(Text(filled))

    def text(self) -> str:
        lines = "\n".join(line.rstrip() for line in self.out.getvalue().splitlines())
        return re.sub("\n\n\n+", "\n\n", lines).strip("\n")


def _key(fingerprint: str | None) -> str:
    return short(fingerprint) if fingerprint else "none"
