# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures one command: `python -m bench.meter RESULT.json SECONDS COMMAND ...`.

A process of its own, so that what it reaps is the command and everything the command started: it adopts orphans
(sub-reaper), hence connection processes that detach themselves are counted too.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
INTERVAL = 0.1
"""Seconds between looks at memory and CPU; longer where a look itself takes long."""
LOOK_SHARE = 0.03
LINGER = 45.0
"""Seconds that processes may go on after the command's end."""
_TICK = os.sysconf("SC_CLK_TCK")


class _Tree:
    """This process's descendants."""

    def __init__(self, command: int) -> None:
        self.command = command
        self.peak = 0.0
        self.most = 0
        self.cpu: list[tuple[float, float, float]] = []

    def look(self) -> None:
        """Note memory (PSS, MB) and CPU so far (s): of all, and of the command's own process alone."""
        pids, ticks = self.descendants()
        memory = sum(map(_pss, pids)) / 1024
        self.peak, self.most = max(self.peak, memory), max(self.most, len(pids))
        self.cpu.append((time.monotonic(), ticks / _TICK + _reaped(), _own(self.command)))

    @staticmethod
    def descendants() -> tuple[list[int], int]:
        """Their ids, and the clock ticks that they have used."""
        parents: dict[int, tuple[int, int]] = {}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    fields = Path(entry.path, "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                    # utime, stime, and those of the children that it has waited for
                    parents[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15]))
        ours, found, ticks = {os.getpid()}, list[int](), 0
        grown = True
        while grown:
            grown = False
            for pid, (parent, spent) in list(parents.items()):
                if parent in ours and pid not in ours:
                    ours.add(pid)
                    found.append(pid)
                    ticks += spent
                    grown = True
        return found, ticks


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _own(pid: int) -> float:
    with contextlib.suppress(OSError):
        return (
            sum(map(int, Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]))
            / _TICK
        )
    return 0.0


def _reaped() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap() -> bool:
    """Collect who has ended; whether anybody is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def measure(
    command: list[str], limit: float, linger: float = LINGER, ended: Callable[[], None] = lambda: None
) -> dict[str, object]:
    """Run it. wall_s: of the command; cpu_s, peak_mb: of it and everything it started.

    `ended` is called when the command has ended, and what it left behind has not; its own cost does not count.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    started = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    tree = _Tree(child.pid)
    handle = os.pidfd_open(child.pid)
    pause = INTERVAL
    while not select.select([handle], [], [], pause)[0]:
        before = time.monotonic()
        tree.look()
        pause = max(INTERVAL, (time.monotonic() - before) / LOOK_SHARE)
        if before - started > limit:
            child.kill()
    wall = time.monotonic() - started
    code = child.wait()
    before = _reaped()
    ended()
    aside = _reaped() - before
    end = time.monotonic() + linger
    while _reap():
        if time.monotonic() > end:
            for pid in tree.descendants()[0]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return {
        "exit_code": code,
        "wall_s": round(wall, 3),
        "cpu_s": round(_reaped() - aside, 3),
        # Of a short run there are few looks; the kernel has kept the size of the largest process.
        "peak_mb": round(max(tree.peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024), 1),
        "processes": tree.most,
        "started": started,
        "cpu_timeline": tree.cpu,
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(measure(sys.argv[3:], float(sys.argv[2]))), encoding="utf-8")
