# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as tables: for the terminal, and between two marks in the guide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .cases import CALM, FLOOR, HERE, NORNIR, ONE_TASK, OURS, SCRAPLI, START, TASK_EACH, TOOLS

GUIDE = HERE.parent.parent / "docs" / "docsite" / "rst" / "guide_performance_figures.rst"
BEGIN, END = ".. BEGIN of what make bench writes", ".. END of what make bench writes"
Results = dict[str, Any]
Best = dict[tuple[str, int, int, str], dict[str, Any]]

FLOOR_SHARE = 1.3
CPU_PER_DEVICE = 0.015
MEMORY_MB = 300
TIMES_LESS = 20
WAITING_PERCENT = 0.1
LAB_BUSY = 0.85
"""From this share of a core on, a lab process and not the tool decides about the wall."""


def best(results: Results) -> Best:
    """Per work, size, latency and tool: the least wall and the least CPU of its runs, the most memory."""
    found: Best = {}
    for run in results["runs"]:
        key = (run["work"], run["devices"], run["latency_ms"], run["tool"])
        one = found.setdefault(key, dict(run))
        one["wall_s"] = min(one["wall_s"], run["wall_s"])
        one["cpu_s"] = min(one["cpu_s"], run["cpu_s"])
        one["peak_mb"] = max(one["peak_mb"], run["peak_mb"])
        one["lab_busiest"] = max(one["lab_busiest"], run["lab_busiest"])
    return found


Goal = tuple[str, str, str, bool]
"""What, the figure to reach, what was measured, whether that reaches it."""


def _goals(found: Best) -> Iterable[Goal]:
    def get(work: str, devices: int, latency: int, *tools: str) -> list[dict[str, Any]] | None:
        keys = [(work, devices, latency, tool) for tool in tools]
        return [found[key] for key in keys] if all(key in found for key in keys) else None

    def at_most(what: str, goal: float, value: float, unit: str) -> Goal:
        return what, f"at most {goal:.4g} {unit}", f"{value:.4g} {unit}", value <= goal

    if rows := get("compare", 64, 50, OURS, SCRAPLI):
        ours, other = rows
        yield at_most("compare 64 at 50 ms: wall, against scrapli", other["wall_s"], ours["wall_s"], "s")
    if rows := get("compare", 64, 50, OURS, FLOOR, START):
        ours, floor, start = rows
        goal = FLOOR_SHARE * floor["wall_s"] + start["wall_s"]
        what = f"compare 64 at 50 ms: wall, against {FLOOR_SHARE} times the floor and Ansible alone"
        yield at_most(what, goal, ours["wall_s"], "s")
    for latency in (0, 50):
        if rows := get("compare", 512, latency, OURS, NORNIR):
            ours, other = rows
            title = f"compare 512 at {latency} ms: "
            yield at_most(title + "CPU per device", CPU_PER_DEVICE * 1000, ours["cpu_s"] / 512 * 1000, "ms")
            yield at_most(title + "memory", MEMORY_MB, ours["peak_mb"], "MB")
            yield at_most(title + "CPU, against nornir + netmiko", other["cpu_s"], ours["cpu_s"], "s")
            yield at_most(title + "wall, against nornir + netmiko", other["wall_s"], ours["wall_s"], "s")
    for latency in (0, 50):
        if rows := get("sync", 8, latency, OURS, NORNIR):
            ours, other = rows
            what = f"sync 8 at {latency} ms: wall, against nornir + netmiko"
            yield at_most(what, other["wall_s"], ours["wall_s"], "s")
    for work, devices, latency, rival in (
        *(("compare", n, ms, tool) for tool in (TASK_EACH, ONE_TASK) for n in (8, 64) for ms in (0, 50)),
        *(("sync", 8, ms, ONE_TASK) for ms in (0, 50)),
    ):
        if rows := get(work, devices, latency, OURS, rival):
            times = rows[1]["cpu_s"] / rows[0]["cpu_s"]
            what = f"{work} {devices} at {latency} ms: CPU of {TOOLS[rival].title}"
            yield what, f"at least {TIMES_LESS} times ours", f"{times:.1f} times ours", times >= TIMES_LESS
    if (rows := get("wait", 8, 0, OURS)) and rows[0]["waiting"]:
        what = "waiting for 8 keys: CPU per device, beside Ansible's own loop"
        yield at_most(what, WAITING_PERCENT, rows[0]["waiting"]["percent_per_device_beside_main"], "% of a core")
    if (rows := get("wait", 8, 0, CALM)) and rows[0]["waiting"]:
        what = "waiting for 8 keys: CPU per device, all in all, with internal_poll_interval = 0.05"
        yield at_most(what, WAITING_PERCENT, rows[0]["waiting"]["percent_per_device"], "% of a core")


def goals(results: Results) -> str:
    """Plain text."""
    return plain([(*goal[:3], "yes" if goal[3] else "NO") for goal in _goals(best(results))])


def plain(rows: Sequence[Sequence[str]]) -> str:
    """A table for the terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "".join("  ".join(row).rstrip() + "\n" for row in padded)


def write(results: Results) -> None:
    """Put the tables into the guide."""
    put(_rst(results), BEGIN, END)


def put(tables: str, begin: str, end: str) -> None:
    """Put tables between two marks of the guide."""
    text = GUIDE.read_text(encoding="utf-8")
    before, dummy, rest = text.partition(begin)
    dummy, dummy, after = rest.partition(end)
    GUIDE.write_text(f"{before}{begin}\n\n{tables}\n{end}{after}", encoding="utf-8")


def _rst(results: Results) -> str:
    found = best(results)
    parts = [measured_on(results["machine"])]
    for work, title in (("compare", "Comparing"), ("sync", "Generating one key and importing it on all others")):
        for devices in sorted({key[1] for key in found if key[0] == work}):
            parts.append(section(f"{title}: {devices} key servers"))
            parts.append(_table(found, work, devices))
    if any(key[0] == "wait" for key in found):
        parts.append(section("Waiting for 8 devices that generate a key"))
        parts.append(_waiting(found))
    parts.append(section("Goals: key servers"))
    rows = [(*goal[:3], "yes" if goal[3] else "**no**") for goal in _goals(found)]
    parts.append(list_table(("figure", "goal", "measured", "reached"), rows, (46, 24, 20, 10)))
    return "\n".join(parts)


def measured_on(where: dict[str, Any]) -> str:
    """What `run.machine` says, as a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    machine = f"{where['cores']} cores ({where['cpu']}), {where['memory_gib']:.0f} GiB, {where['system']}"
    with_ = f"Python {where['python']}, {versions}"
    return f"Measured on {where['date']}: {machine}; {with_}. Load before the start: {where['load_before']}.\n"


def section(title: str) -> str:
    """A heading."""
    return f"{title}\n{'^' * len(title)}\n"


def _table(found: Best, work: str, devices: int) -> str:
    head = ("tool", "wall s, 0 ms", "wall s, 50 ms", "CPU s, 0 ms", "CPU s, 50 ms", "CPU, ours = 1", "MB", "sessions")
    rows, bound = [], False
    for name, tool in TOOLS.items():
        pair = [found.get((work, devices, latency, name)) for latency in (0, 50)]
        measured = [one for one in pair if one]
        if not measured:
            continue
        bound = bound or any(one["lab_busiest"] >= LAB_BUSY for one in measured)
        ours = [found.get((work, devices, latency, OURS)) for latency in (0, 50)]
        shares = [one["cpu_s"] / own["cpu_s"] for one, own in zip(pair, ours, strict=True) if one and own]
        cells = [f"{one[what]:.2f}" if one else "-" for what in ("wall_s", "cpu_s") for one in pair]
        share = f"{shares[-1]:.2f}" if shares else "-"
        memory = f"{max(one['peak_mb'] for one in measured):.0f}"
        sessions = f"{measured[0]['sessions_per_device']:g}" if name != START else "-"
        rows.append((tool.title, *cells, share, memory, sessions))
    note = (
        "\nIn some of these runs a process of the simulated devices was busy all the time: the walls of the fastest "
        "tools are the simulator's.\n"
        if bound
        else ""
    )
    return list_table(head, rows, (30, 10, 10, 10, 10, 10, 8, 12)) + note


def _waiting(found: Best) -> str:
    rows = []
    for name, tool in TOOLS.items():
        one = found.get(("wait", 8, 0, name))
        if one and one["waiting"]:
            waiting = one["waiting"]
            rows.append((tool.title, f"{waiting['percent_of_a_core']:.2f}", f"{waiting['percent_per_device']:.3f}"))
    return list_table(("tool", "% of a core, in all", "% of a core per device"), rows, (50, 25, 25))


def list_table(head: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[int]) -> str:
    """A table for the guide."""
    lines = [".. list-table::", f"   :widths: {' '.join(map(str, widths))}", "   :header-rows: 1", ""]
    for row in (head, *rows):
        lines += [f"   {'*' if number == 0 else ' '} - {cell}" for number, cell in enumerate(row)]
    return "\n".join(lines) + "\n"
