# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets inside network namespaces, made without a process in there."""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .machine import NETNS

CLONE_NEWNET = 0x40000000
ECHO_REPLY = 0
SIOCGIFFLAGS = 0x8913
IFF_UP = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread is in a network namespace; the sockets it makes stay there."""
    own = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
    try:
        there = os.open(NETNS / namespace, os.O_RDONLY)
        try:
            _enter(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _enter(own)
    finally:
        os.close(own)


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def sysctl(namespace: str, values: Mapping[str, str]) -> None:
    """Set kernel parameters of a network namespace."""
    with inside(namespace):
        for name, value in values.items():
            Path("/proc/sys", *name.split(".")).write_text(value, encoding="ascii")


def ssh_answers(namespace: str, address: str = "127.0.0.1") -> bool:
    """Whether an SSH server greets in a namespace."""
    with inside(namespace), socket.socket() as sock:
        sock.settimeout(5)
        try:
            sock.connect((address, 22))
            return sock.recv(4) == b"SSH-"
        except OSError:
            return False


def is_up(namespace: str, interface: str) -> bool:
    """Whether a namespace has an interface, and it is up."""
    with inside(namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("16sh14x", interface.encode(), 0))
        except OSError:
            return False
    return bool(struct.unpack("16sh14x", answer)[1] & IFF_UP)


def listens(namespace: str, port: int) -> bool:
    """Whether something in a namespace has bound a UDP port."""
    with inside(namespace):
        rows = Path("/proc/thread-self/net/udp").read_text(encoding="ascii").splitlines()[1:]
    return any(row.split()[1].endswith(f":{port:04X}") for row in rows)


def ping(pairs: Iterable[tuple[str, str]], timeout: float) -> list[tuple[str, str]]:
    """Ping until everybody answered; the pairs (namespace, target address) that had no answer in time."""
    waiting = dict.fromkeys(pairs)
    end = time.monotonic() + timeout
    with ExitStack() as stack:
        socks: dict[str, socket.socket] = {}
        for namespace in {pair[0] for pair in waiting}:
            with inside(namespace):
                sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            socks[namespace] = stack.enter_context(sock)
        names = {sock: namespace for namespace, sock in socks.items()}
        pause, again = 0.05, 0.0
        while waiting and time.monotonic() < end:
            if time.monotonic() >= again:
                for namespace, target in waiting:
                    _echo(socks[namespace], target)
                again, pause = time.monotonic() + pause, min(pause * 2, 0.5)
            for sock in select.select(list(names), [], [], 0.01)[0]:
                packet, sender = sock.recvfrom(2048)
                if packet[20] == ECHO_REPLY:
                    waiting.pop((names[sock], sender[0]), None)
    return list(waiting)


def _echo(sock: socket.socket, target: str) -> None:
    try:
        sock.sendto(ECHO_REQUEST, (target, 0))
    except OSError:
        pass


def _request() -> bytes:
    body = b"vpnops.keys lab!"
    words = struct.unpack("!12H", struct.pack("!BBHHH", 8, 0, 0, 1, 1) + body)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBHHH", 8, 0, ~(total + (total >> 16)) & 0xFFFF, 1, 1) + body


ECHO_REQUEST = _request()
