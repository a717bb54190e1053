# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbered packets in both directions: probe.py FILE RATE DESCRIPTOR PORT ADDRESS DESCRIPTOR PORT ADDRESS.

Two sockets, each in the namespace of one gateway, send to each other until SIGTERM. One process holds both, so that all
times are of one clock. Writes raw data, JSON, to FILE. Started as a file, like relay.py.
"""

from __future__ import annotations

import json
import select
import signal
import socket
import struct
import sys
import time
from typing import Any

PACKET = struct.Struct("!I60x")
LATE = 2.0
"""Seconds that packets may still be under way after the last one was sent."""


def exchange(ends: list[socket.socket], targets: list[tuple[str, int]], rate: float) -> list[dict[str, Any]]:
    """Send from each end to the other until SIGTERM. Per direction: times sent, and (number, time) received."""
    stopped: list[float] = []
    signal.signal(signal.SIGTERM, lambda *dummy: stopped.append(time.monotonic()))
    streams: list[dict[str, Any]] = [{"sent": [], "received": []} for dummy in ends]
    start, number = time.monotonic(), 0
    for end in ends:
        end.setblocking(False)
    while True:
        now = time.monotonic()
        if not stopped and now >= start + number / rate:
            for end, target, stream in zip(ends, targets, streams, strict=True):
                stream["sent"].append(time.monotonic())
                _send(end, number, target)
            number += 1
            continue
        if stopped and (now > stopped[0] + LATE or all(len(s["received"]) >= number for s in streams)):
            return streams
        pause = 0.05 if stopped else start + number / rate - now
        for ready in select.select(ends, [], [], max(0.0, pause))[0]:
            # What arrives at one end belongs to the stream of the other.
            stream = streams[1 - ends.index(ready)]
            for found in _waiting(ready):
                stream["received"].append((found, time.monotonic()))


def _send(end: socket.socket, number: int, target: tuple[str, int]) -> None:
    try:
        end.sendto(PACKET.pack(number), target)
    except OSError:  # no route, no interface: a packet lost
        pass


def _waiting(end: socket.socket) -> list[int]:
    found = []
    try:
        while True:
            found.append(PACKET.unpack(end.recv(2048))[0])
    except OSError:  # nothing more
        return found


def main(words: list[str]) -> None:
    """See above."""
    file, rate, *rest = words
    ends = [socket.socket(fileno=int(rest[0])), socket.socket(fileno=int(rest[3]))]
    streams = exchange(ends, [(rest[2], int(rest[1])), (rest[5], int(rest[4]))], float(rate))
    with open(file, "w", encoding="ascii") as out:
        json.dump(streams, out)


if __name__ == "__main__":
    main(sys.argv[1:])
