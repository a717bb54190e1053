# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic through a tunnel, and what became of it."""

from __future__ import annotations

import json
import signal
import socket
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import hosts, net
from .machine import HERE, GatewayLabError

if TYPE_CHECKING:
    from .mesh import Mesh

PORT = 7007
IP_FREEBIND = 15


@dataclass(frozen=True)
class Direction:
    """One way."""

    sent: int
    lost: int
    silence_ms: float
    """The longest time without an arrival."""
    delay_ms: float
    """Median from sending to arrival; 0 when nothing arrived."""


@dataclass(frozen=True)
class Result:
    """What became of the traffic. `there` is from source to target, `back` the other way."""

    there: Direction
    back: Direction
    raw: list[dict[str, Any]]
    """Per direction: `sent`, times; `received`, pairs of number and time. Seconds of CLOCK_MONOTONIC."""

    @property
    def lost(self) -> int:
        """Both ways."""
        return self.there.lost + self.back.lost

    @property
    def silence_ms(self) -> float:
        """The longer one."""
        return max(self.there.silence_ms, self.back.silence_ms)

    @property
    def rtt_ms(self) -> float:
        """The medians of both ways together."""
        return self.there.delay_ms + self.back.delay_ms

    def summary(self) -> dict[str, Any]:
        """For a report."""
        return {"there": asdict(self.there), "back": asdict(self.back), "rtt_ms": self.rtt_ms}

    def save(self, path: Path | str) -> None:
        """Keep everything."""
        Path(path).write_text(json.dumps({**self.summary(), "raw": self.raw}), encoding="ascii")


def measure(sent: Sequence[float], received: Sequence[tuple[int, float]]) -> Direction:
    """The figures of one way. Doubled packets count once."""
    first: dict[int, float] = {}
    for number, when in received:
        first.setdefault(number, when)
    if not sent:
        return Direction(0, 0, 0.0, 0.0)
    lost = len(sent) - len(first)
    delay = statistics.median([when - sent[number] for number, when in first.items()] or [0.0])
    # Losses at the beginning or the end are silence too: from when the first packet was due, to when the last one was.
    due = [sent[0] + delay, sent[-1] + delay] if lost else []
    silence = max((after - before for before, after in pairwise(sorted([*first.values(), *due]))), default=0.0)
    return Direction(len(sent), lost, round(silence * 1000, 3), round(delay * 1000, 3))


class Traffic:
    """Numbered UDP packets between two gateways, at a steady rate in both directions, from `start` to `stop`."""

    def __init__(self, mesh: Mesh, source: str, target: str, rate: float = 200) -> None:
        self._mesh, self._names, self._rate = mesh, (source, target), rate
        self._process: subprocess.Popen[bytes] | None = None
        self._file = mesh.directory / f"traffic-{source}-{target}-{id(self):x}.json"

    def start(self) -> Traffic:
        """Start sending."""
        ends = [self._end(name) for name in self._names]
        ports = [end.getsockname()[1] for end in ends]
        words = []
        for end, port, name in zip(ends, reversed(ports), reversed(self._names), strict=True):
            words += [str(end.fileno()), str(port), self._mesh.address(name)]
        self._process = subprocess.Popen(
            hosts.joined(self._mesh.plan.lab, "traffic", [sys.executable, "-I", str(HERE / "probe.py")])
            + [str(self._file), str(self._rate), *words],
            stdin=subprocess.DEVNULL,
            pass_fds=[end.fileno() for end in ends],
        )
        for end in ends:
            end.close()
        return self

    def stop(self) -> Result:
        """Stop sending, wait for the last packets, and count."""
        if self._process is None:
            raise GatewayLabError("this traffic was not started")
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(30)
        self._process = None
        if code:
            raise GatewayLabError(f"the probe ended with {code}")
        raw = json.loads(self._file.read_text(encoding="ascii"))
        self._file.unlink()
        there, back = (measure(stream["sent"], stream["received"]) for stream in raw)
        return Result(there, back, raw)

    def __enter__(self) -> Traffic:
        return self.start()

    def __exit__(self, *dummy: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _end(self, name: str) -> socket.socket:
        with net.inside(self._mesh.namespace(name)):
            end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # The address goes and comes with the interface.
        end.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        end.bind((self._mesh.address(name), 0))
        return end
