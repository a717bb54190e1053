# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How progress looks: bars for a terminal, a line per step, the summary at the end. Pure: counts in, text out."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...module_utils._errors import about_host, clause, together
from ...module_utils._fleet import findings
from .model import Outcome, Run, Step, clock, remaining

try:
    from rich.console import Console, RenderableType
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text
except ImportError:  # the callback names the missing library
    pass

WIDE = 72
"""Columns from which name, bar and counts have room side by side."""
NAMES_SHOWN = 12
PROBLEMS_SHOWN = 20
COLORS: dict[str, str] = {
    "ok": "green",
    "changed": "yellow",
    "failed": "red",
    "unreachable": "red",
    "deferred": "magenta",
    "ignored": "cyan",
}
FOR_ALL = "for all"
LIVE: tuple[str, ...] = ("failed", "unreachable", "ignored", "deferred")
"""What is worth a place beside a bar."""


@dataclass(frozen=True)
class Terminal:
    """What the terminal can show."""

    width: int
    height: int = 24
    color: bool = False
    encoding: str = "utf-8"


@dataclass(frozen=True)
class _Row:
    """One bar: a step, the devices of a step, or the batches of a play."""

    name: str
    done: int
    total: int | None
    elapsed: float
    notes: Sequence[tuple[str, int]] = ()

    @property
    def numbers(self) -> str:
        return f"{self.done}/{self.total}" if self.total is not None else str(self.done)

    @property
    def time(self) -> str:
        left = remaining(self.done, self.total or 0, self.elapsed)
        return f"{clock(left)} left" if left else clock(self.elapsed)


def bars(run: Run, now: float, terminal: Terminal) -> list[str]:
    """The lines of the live display: a bar per step under way, and one for all batches where there are several."""
    rows = [_row(run, step, now) for step in run.running]
    room = max(1, terminal.height // 2 // (1 if terminal.width >= WIDE else 2) - 1)
    shown = rows[-room:]
    parts: list[RenderableType] = [_bar(row, terminal) for row in shown]
    if len(rows) > room:
        parts.insert(0, Text(f"and {len(rows) - room} more steps under way"))
    play = run.plays[-1] if run.plays else None
    if play and play.in_batches:
        parts.append(_bar(_Row("All batches", _of_play(run), len(play.hosts), now - play.begun), terminal))
    return _lines(parts, terminal)


def _row(run: Run, step: Step, now: float) -> _Row:
    counts = step.counts
    name, seconds = step.name, step.seconds(now)
    if step.devices:
        counts["failed"] = counts.get("failed", 0) + step.devices.failed
        done, total = step.devices.done, step.devices.total
    else:
        done, total = step.done, run.total(step)
    if step.operations:
        name, seconds = f"{step.name}: steps", now - step.operations.begun
        done, total = step.operations.done, step.operations.total
    notes = [(what, counts[what]) for what in LIVE if counts.get(what)]
    return _Row(name, done, None if step.section == "handler" else total, seconds, notes)


def _of_play(run: Run) -> int:
    """Hosts that are through with the play: those of former batches; of this one nobody can tell."""
    return run.plays[-1].finished


def _bar(row: _Row, terminal: Terminal) -> RenderableType:
    name = Text(row.name, no_wrap=True, overflow="ellipsis")
    facts = Text().append(row.numbers, style="bold")
    for what, count in row.notes:
        facts.append(f"  {count} {what}", style=COLORS[what])
    facts.append(f"  {row.time}")
    grid = Table.grid(padding=(0, 1), expand=True)
    if terminal.width >= WIDE:
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        grid.add_column()
        grid.add_column(no_wrap=True, min_width=24)
        grid.add_row(name, _strip(row, terminal.width // 8), facts)
        return grid
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_row(name)
    facts.no_wrap, facts.overflow = True, "ellipsis"
    grid.add_row(Text("  ") + facts)
    return grid


def _strip(row: _Row, width: int) -> RenderableType:
    # Where there is no total, rich would move the bar to and fro, which says nothing.
    done = row.done if row.total else 0
    return ProgressBar(
        row.total or 1, done, width, style="bright_black", complete_style="green", finished_style="green"
    )


def _lines(parts: Sequence[RenderableType], terminal: Terminal) -> list[str]:
    data = io.BytesIO()
    out = io.TextIOWrapper(data, encoding=terminal.encoding, errors="replace", newline="\n")
    console = Console(
        file=out, width=max(terminal.width - 1, 1), force_terminal=True, legacy_windows=False, highlight=False,
        markup=False, emoji=False, color_system="standard" if terminal.color else None, no_color=not terminal.color,
    )  # fmt: skip
    for part in parts:
        console.print(part)
    out.flush()
    return [line.rstrip() for line in data.getvalue().decode(terminal.encoding).splitlines()]


# ------------------------------------------------------------------ lines


def heading(run: Run) -> str:
    """What begins: a play, or a batch of one."""
    play = run.plays[-1]
    hosts = _hosts(len(play.hosts))
    if play.in_batches:
        first, last = play.finished + 1, play.finished + len(play.batch)
        which = f"hosts {first} to {last}" if first < last else f"host {last}"
        hosts = f"{which} of {len(play.hosts)}"
    return f"{play.name}: {hosts}" + (", check mode" if run.check else "")


def line(step: Step) -> tuple[str, str]:
    """A step that is over, and its color."""
    counts = step.counts
    worst = next(iter(counts), "ok")
    alone = step.once and len(counts) == 1
    texts = [outcome if alone else f"{count} {outcome}" for outcome, count in counts.items()]
    if step.devices:
        texts.append(f"{step.devices.done} devices")
        texts += [f"{step.devices.failed} of them failed"] if step.devices.failed else []
    if step.operations:
        texts.append(f"{step.operations.done} of {step.operations.total} steps")
    seconds = step.seconds(step.begun)
    took = f" ({clock(seconds)})" if seconds >= 1 else ""
    return f"{step.name}: {', '.join(texts)}{took}", worst


def problem(host: str, where: str, outcome: Outcome, sentence: str) -> str:
    """A failure when it happens; `where`: where the work is done, if it is not just that host."""
    what = {"ignored": "failed, the play continues", "deferred": "unreachable, the play continues"}
    return f"{host}{where}: {what.get(outcome, outcome)}: {about_host(host, sentence)}"


def summary(run: Run, just_shown: str = "") -> list[tuple[str, str]]:
    """The end: one line of counts, then what failed and who has still to store something. Lines with their colors.
    `just_shown`: why all failed, if that was told last."""
    verdicts = run.verdicts
    counted = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    begin = "Interrupted after" if run.interrupted else "Done in"
    took = clock((run.ended if run.ended is not None else run.begun) - run.begun)
    worst = "failed" if run.unsolved else next(iter(verdicts), "ok")
    lines = [(f"{begin} {took}. {_hosts(len(run.hosts))}{': ' + counted if counted else ''}.", worst)]
    texts = [(FOR_ALL if one.for_all else one.host, one.sentence) for one in run.unsolved]
    said = " ".join(text for host, text in texts if host == FOR_ALL)
    texts += _untold([(one.host, one.message) for one in run.unlike if one.state != "differs"], said)
    lines += [(f"  {text}", "failed") for text in _grouped(texts) if text != f"{FOR_ALL}: {just_shown}"]
    if run.interrupted and run.rotations:
        lines.append((f"  {findings.open_rotations(run.rotations)}", "failed"))
    lines += [(f"  deferred: {text}", "deferred") for text in _grouped(list(run.deferred.items()))]
    return lines


def _hosts(count: int) -> str:
    return f"{count} host{'' if count == 1 else 's'}"


def _untold(texts: Sequence[tuple[str, str]], said: str) -> Iterator[tuple[str, str]]:
    """What failed for all does not say. What is of single hosts it must say of all that have it: else the others look
    fine."""
    named = set(re.split(r"[\s,:;()]+", said))
    new = [(host, text) for host, text in texts if text not in said or text != about_host(host, text)]
    for text, hosts in together(new).items():
        is_told = named.issuperset(hosts) or f"{_names(hosts)}: {text}" in said
        if not is_told or clause(text) not in said:
            yield from ((host, text) for host in hosts)


def _grouped(texts: Sequence[tuple[str, str]]) -> list[str]:
    """Who has the same to say says it together; what names its host at the beginning does not name it twice."""
    lines = [f"{_names(hosts)}: {text}" for text, hosts in together(texts).items()]
    more = len(lines) - PROBLEMS_SHOWN
    return lines if more <= 0 else [*lines[:PROBLEMS_SHOWN], f"and {more} more"]


def _names(hosts: Sequence[str]) -> str:
    more = len(hosts) - NAMES_SHOWN
    return ", ".join(hosts) if more <= 0 else f"{', '.join(hosts[:NAMES_SHOWN])} and {more} more"
