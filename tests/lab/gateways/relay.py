# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A switch that takes its time: relay.py DELAY_MS DESCRIPTOR...

Each descriptor is a packet socket on the link of one gateway. Frames go out DELAY_MS after they came in. Started as a
file, without the package around it, since importing that takes longer than everything done here.
"""

from __future__ import annotations

import collections
import select
import socket
import sys
import time
from collections.abc import Sequence

# With this option a frame carries a header about checksums that its sender left to a network card, and the receiver's
# kernel takes it into account. Without it such frames are dropped.
PACKET_VNET_HDR = 15
VNET_HEADER = 10
GROUP_BIT = 1
NOTHING_TO_SEND = 3600.0


def serve(delay: float, links: Sequence[socket.socket]) -> None:
    """Relay for ever."""
    where: dict[bytes, socket.socket] = {}
    queue: collections.deque[tuple[float, Sequence[socket.socket], bytes]] = collections.deque()
    poll = select.epoll()
    by_number = {link.fileno(): link for link in links}
    for link in links:
        link.setblocking(False)
        poll.register(link, select.EPOLLIN)
    while True:
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            dummy, targets, frame = queue.popleft()
            for target in targets:
                _send(target, frame)
        pause = queue[0][0] - now if queue else NOTHING_TO_SEND
        for event in poll.poll(max(0.0, pause)):
            link = by_number[event[0]]
            for frame in _waiting(link):
                target_mac, source_mac = frame[VNET_HEADER:][:6], frame[VNET_HEADER + 6 :][:6]
                where[source_mac] = link
                known = None if target_mac[0] & GROUP_BIT else where.get(target_mac)
                targets = [known] if known else [other for other in links if other is not link]
                queue.append((time.monotonic() + delay, targets, frame))


def _waiting(link: socket.socket) -> list[bytes]:
    frames = []
    try:
        while True:
            frames.append(link.recv(1 << 17))
    except OSError:  # nothing more, or the cable is out
        return frames


def _send(link: socket.socket, frame: bytes) -> None:
    try:
        link.send(frame)
    except OSError:  # the cable is out
        pass


if __name__ == "__main__":
    serve(float(sys.argv[1]) / 1000, [socket.socket(fileno=int(number)) for number in sys.argv[2:]])
