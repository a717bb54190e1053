# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as tables: for the terminal, and between two marks in the guide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from ..report import list_table, measured_on, plain, put, section
from .cases import GROWTH_FORKS, IN_PLACE, SECOND, WAYS

BEGIN, END = ".. BEGIN of the figures of gateways", ".. END of the figures of gateways"
Results = dict[str, Any]
Run = dict[str, Any]
Goal = tuple[str, str, str, bool]
"""What, the figure to reach, what was measured, whether that reaches it."""

WORKS = {"enroll": "enrollment", "one": "a new key for one", "all": "new keys for all"}
SWAN_LOST = 1
SILENCE_MS = 100


def goals(results: Results) -> str:
    """Plain text."""
    rows = [(*goal[:3], "yes" if goal[3] else "NO") for goal in _goals(results)]
    return plain(rows)


def write(results: Results) -> None:
    """Put the tables into the guide."""
    parts = [measured_on(results["machine"])]
    for title, runs in _grouped(results["interruption"], "mesh").items():
        parts += [section(title), _interruption(runs)]
    if results["growth"]:
        parts += [section(f"One gateway and all of them ({GROWTH_FORKS} forks)"), _growth(results["growth"])]
    rows = [(*goal[:3], "yes" if goal[3] else "**no**") for goal in _goals(results)]
    head = ("figure", "goal", "measured", "reached")
    parts += [section("Goals: gateways"), list_table(head, rows, (46, 20, 24, 10))]
    put("\n".join(parts), BEGIN, END)


def _goals(results: Results) -> Iterable[Goal]:
    for title, all_runs in _grouped(results["interruption"], "mesh").items():
        ways = _grouped(all_runs, "way")
        if runs := ways.get(IN_PLACE, []):
            if runs[0]["platform"] == "strongswan":
                yield _at_most(f"{title}: lost packets", [_lost(run) for run in runs], SWAN_LOST, "")
            elif not runs[0]["delay_ms"]:
                yield _at_most(f"{title}: silence", [run["silence_ms"] for run in runs], SILENCE_MS, " ms")
        if runs := ways.get(SECOND, []):
            yield _at_most(f"{title}, second interface: lost packets", [_lost(run) for run in runs], 0, "")
    whole = [run for run in results["growth"] if run["what"] == "all"]
    if len(whole) > 1:
        counts = {run["gateways"]: run["tasks_most"] for run in whole}
        shown = ", ".join(f"{tasks} with {count}" for count, tasks in counts.items())
        yield "all keys: tasks per gateway", "the same for every size", shown, len(set(counts.values())) == 1
    for one, every in _pairs(results["growth"]):
        times, count = every["cpu_s"] / one["cpu_s"], every["gateways"]
        what = f"all {count} keys: CPU against one key"
        yield what, f"less than {count} times", f"{times:.1f} times", times < count


def _at_most(what: str, values: Sequence[float], goal: int, unit: str) -> Goal:
    middle, most = median(values), max(values)
    shown = f"{middle:.4g}{unit} (at most {most:.4g}{unit})"
    return what, f"median at most {goal}{unit}", shown, middle <= goal


def _lost(run: Run) -> int:
    return int(run["there"]["lost"] + run["back"]["lost"])


def _grouped(runs: Iterable[Run], key: str) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run[key], []).append(run)
    return found


def _pairs(runs: Iterable[Run]) -> list[tuple[Run, Run]]:
    """Per size: the change of one key, and of all."""
    found = {(run["gateways"], run["what"]): run for run in runs}
    return [(found[count, "one"], found[count, "all"]) for count, what in found if what == "all"]


def _interruption(runs: Sequence[Run]) -> str:
    ways = _grouped(runs, "way")
    base = median(run["silence_ms"] for run in ways[IN_PLACE]) if IN_PLACE in ways else 0
    rows = []
    for name, way in WAYS.items():
        if mine := ways.get(name):
            silence = median(run["silence_ms"] for run in mine)
            rows.append(
                (
                    way.title,
                    str(len(mine)),
                    _spread([run["there"]["lost"] for run in mine]),
                    _spread([run["back"]["lost"] for run in mine]),
                    _spread([run["silence_ms"] for run in mine]),
                    f"{silence / base:.1f}" if base else "-",
                    f"{median(run['rtt_ms'] for run in mine):.1f}",
                    f"{median(run['wall_s'] for run in mine):.1f}",
                )
            )
    head = ("way", "runs", "lost there", "lost back", "silence ms", "silence, ours = 1", "rtt ms", "run s")
    return list_table(head, rows, (30, 7, 13, 13, 14, 10, 8, 8))


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.0f} ({min(values):.0f}-{max(values):.0f})"


def _growth(runs: Sequence[Run]) -> str:
    head = ("gateways", "work", "tasks per gateway", "tasks for all", "wall s", "CPU s", "kB sent", "MB")
    rows = [_cells(run) for run in runs]
    for one, every in _pairs(runs):
        ratios = (f"{every[what] / one[what]:.2f}" for what in ("wall_s", "cpu_s", "pushed_kb", "peak_mb"))
        rows.append((str(one["gateways"]), "all keys : one key", "-", "-", *ratios))
    return list_table(head, sorted(rows, key=lambda row: int(row[0])), (10, 20, 14, 12, 12, 12, 12, 8))


def _cells(run: Run) -> tuple[str, ...]:
    tasks = f"{run['tasks_least']}-{run['tasks_most']}"
    numbers = f"{run['wall_s']:.1f}", f"{run['cpu_s']:.1f}", f"{run['pushed_kb']:.0f}", f"{run['peak_mb']:.0f}"
    return str(run["gateways"]), WORKS[run["what"]], tasks, str(run["tasks_once"]), *numbers
