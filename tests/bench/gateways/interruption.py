# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbered packets both ways through a tunnel while the key of one of its ends changes."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from lab.gateways import Mesh, Traffic

from ..run import BenchError
from . import cases
from .play import play

Run = dict[str, Any]
CALM = 1.0
"""Seconds of traffic before and after."""
BACK = 60.0
"""Seconds until a tunnel counts as lost for good."""
SILENCE = 0.03
"""Silences from here on are kept in the results."""
KEYS = {"wireguard": "wg show all public-key", "strongswan": "cat /etc/swanctl/private/* | sha256sum"}


def runs(case: cases.Mesh, tell: Callable[[str], None], raw: Path | None = None) -> Iterator[Run]:
    """All ways in turn, each some times, in one mesh. `raw`: where every packet's times go."""
    with tempfile.TemporaryDirectory(prefix="bench") as made:
        folder = Path(made)
        with Mesh(
            case.count, platform=case.platform, directory=folder, delay_ms=case.delay_ms, algorithm=case.algorithm
        ) as mesh:
            mesh.write_inventory(folder / "inventory.yml")
            enrolled = False
            for way in (way for way in cases.WAYS.values() if way.name in case.ways):
                if way.ours and not enrolled:
                    play(folder, cases.FORKS, cases.ENROLL)
                    enrolled = True
                for number in range(min(way.rounds, case.most)):
                    run, result = _one(mesh, case, way, folder)
                    if raw:
                        result.save(raw / f"{case.title}, {way.name}, {number}.json".replace(" ", "_"))
                    tell(_shown(way, run))
                    yield run


def _one(mesh: Mesh, case: cases.Mesh, way: cases.Way, folder: Path) -> tuple[Run, Any]:
    # From the last one: a playbook tells the peers one group of them after the other.
    source, target = mesh.names[-1], mesh.names[0]
    playbook = way.playbook.format(platform=case.platform)
    words = (*way.words, "-e", f"gateway={target}")
    before = mesh.run(target, KEYS[case.platform])
    with Traffic(mesh, source, target, rate=cases.RATE) as traffic:
        time.sleep(CALM)
        started = time.monotonic()
        play(folder, cases.FORKS, playbook, *words)
        wall = time.monotonic() - started
        mesh.wait(BACK)
        time.sleep(CALM)
        result = traffic.stop()
    if way.changes and mesh.run(target, KEYS[case.platform]) == before:
        raise BenchError(f"{case.title}: {way.title}: {target} has the key that it had before")
    run = {
        "mesh": case.title,
        "platform": case.platform,
        "gateways": case.count,
        "delay_ms": case.delay_ms,
        "algorithm": case.algorithm,
        "way": way.name,
        "source": source,
        "target": target,
        "wall_s": round(wall, 2),
        "load": round(os.getloadavg()[0], 2),
        **result.summary(),
        "silence_ms": result.silence_ms,
        "packets": [packets(stream["sent"], stream["received"]) for stream in result.raw],
    }
    return run, result


def packets(sent: Sequence[float], received: Sequence[tuple[int, float]]) -> dict[str, Any]:
    """What is kept of a direction: runs of lost numbers, and silences with the second of the traffic they began in."""
    lost: list[list[int]] = []
    for number in sorted(set(range(len(sent))) - {number for number, dummy in received}):
        if lost and lost[-1][1] == number - 1:
            lost[-1][1] = number
        else:
            lost.append([number, number])
    times = sorted(when for dummy, when in received)
    silences = [
        [round(before - sent[0], 3), round(1000 * (after - before), 1)]
        for before, after in pairwise(times)
        if after - before > SILENCE
    ]
    return {"lost": lost, "silences": silences}


def _shown(way: cases.Way, run: Run) -> str:
    lost = f"{run['there']['lost']:5d} lost there, {run['back']['lost']:5d} back"
    cost = f"{run['silence_ms']:8.1f} ms of silence, rtt {run['rtt_ms']:.1f} ms, {run['wall_s']} s"
    return f"  {way.title:<40} {lost}, {cost}"
