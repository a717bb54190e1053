# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of one gateway and of all of them, in meshes of several sizes: tasks, time, CPU, bytes."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lab.gateways import Mesh

from ..run import BenchError
from . import cases
from .play import LIMIT, play

Run = dict[str, Any]


def runs(count: int, tell: Callable[[str], None]) -> Iterator[Run]:
    """Enrollment, a key for one, keys for all, in a mesh of WireGuard gateways."""
    with tempfile.TemporaryDirectory(prefix="bench") as made:
        folder = Path(made)
        with Mesh(count, platform="wireguard", directory=folder) as mesh:
            mesh.write_inventory(folder / "inventory.yml")
            for what, changed in (("enroll", []), ("one", mesh.names[:1]), ("all", mesh.names)):
                run = _one(mesh, what, changed, folder)
                cost = f"{run['wall_s']:7.1f} s, {run['cpu_s']:7.1f} CPU s, {run['pushed_kb']:8.0f} kB sent"
                tell(f"  {what:<6} {cost}, {run['tasks_most']} tasks per gateway, {run['tasks_once']} for all")
                yield run


def _one(mesh: Mesh, what: str, changed: Sequence[str], folder: Path) -> Run:
    namespaces = [mesh.namespace(name) for name in mesh.names]
    before = _keys(mesh)
    result = folder / "measured.json"
    meter = [sys.executable, "-m", "bench.gateways.meter", str(result), str(LIMIT), ",".join(namespaces)]
    play(folder, cases.GROWTH_FORKS, *cases.GROWTH[what], through=meter)
    measured = json.loads(result.read_text(encoding="utf-8"))
    counted = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    after = _keys(mesh)
    found = [name for name in mesh.names if after[name] != before[name]]
    if found != list(changed):
        raise BenchError(f"{what}: the keys of {', '.join(found) or 'nobody'} have changed")
    pushed = [measured["pushed"][namespace] for namespace in namespaces]
    if any(len(connections) != 1 for connections in pushed):
        raise BenchError(f"{what}: connections to a gateway: {max(map(len, pushed))}, {min(map(len, pushed))}; not one")
    return {
        "gateways": len(mesh.names),
        "what": what,
        "wall_s": measured["wall_s"],
        "cpu_s": measured["cpu_s"],
        "peak_mb": measured["peak_mb"],
        "pushed_kb": round(sum(map(sum, pushed)) / 1000, 1),
        "tasks_most": max(counted["hosts"].values()),
        "tasks_least": min(counted["hosts"].values()),
        "tasks_once": counted["once"],
        "tasks": counted["tasks"],
        "load": round(os.getloadavg()[0], 2),
    }


def _keys(mesh: Mesh) -> dict[str, str]:
    return {name: mesh.run(name, "wg show wg0 public-key") for name in mesh.names}
