# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel's WireGuard says of its peers and is told, by generic netlink. PRIVATE to the collection.

It tells nanoseconds and costs no process, where `wg` tells whole seconds. The layout is that of linux/netlink.h,
linux/genetlink.h and linux/wireguard.h, in the byte order of the machine.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import socket
import struct
import typing as t
from dataclasses import dataclass

_GENERIC = 16
_REQUEST, _ACKNOWLEDGE, _DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_CONTROL, _GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 16, 3, 1, 2
_GET_DEVICE, _SET_DEVICE, _IFNAME, _PEERS = 0, 1, 2, 8
_PUBLIC_KEY, _PEER_FLAGS, _KEEPALIVE, _LAST_HANDSHAKE, _RX_BYTES, _NETWORKS = 1, 3, 5, 6, 7, 9
_REPLACE_NETWORKS, _THERE_ALREADY = 0x2, 0x4
_ADDRESS_FAMILY, _ADDRESS, _LENGTH = 1, 2, 3
_NESTED = 0x8000
_FLAGS = 0x3FFF
"""Of the type of an attribute: what is left without the marks for nested ones and the byte order."""
_LARGEST = 1 << 16
_LONGEST = _LARGEST - 1
_PATIENCE = 5.0
"""Seconds for a part of an answer."""


@dataclass(frozen=True)
class Seen:
    """Of one peer: when it was last authenticated, in Unix seconds, 0 for never; how many bytes have come from it."""

    handshake: float = 0.0
    received: int = 0


def peers(interface: str) -> dict[str, Seen]:
    """The peers of an interface by their public keys. Raises OSError where there is none, or the kernel has no
    WireGuard, and ValueError for an answer that cannot be read."""
    return read_peers(_of_wireguard(_GET_DEVICE, _DUMP, _named(interface)))


def carry(interface: str, moves: t.Sequence[tuple[str, t.Sequence[str] | None, int]]) -> None:
    """Change peers that are there, in this order: the key of one, its networks (None: as they are), its keepalive
    interval. Raises as `peers` does."""
    _of_wireguard(_SET_DEVICE, _ACKNOWLEDGE, _named(interface) + moved(moves))


def _named(interface: str) -> bytes:
    return attribute(_IFNAME, interface.encode() + b"\0")


def _of_wireguard(command: int, flags: int, body: bytes) -> list[bytes]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _GENERIC) as kernel:
        kernel.settimeout(_PATIENCE)
        kernel.bind((0, 0))
        name = attribute(_FAMILY_NAME, b"wireguard\0")
        family = read_family(_ask(kernel, _CONTROL, _GET_FAMILY, _REQUEST, name))
        return _ask(kernel, family, command, _REQUEST | flags, body)


def _ask(kernel: socket.socket, family: int, command: int, flags: int, body: bytes) -> list[bytes]:
    """The bodies of all messages of the answer, without their headers."""
    payload = struct.pack("=BBH", command, 1, 0) + body
    kernel.send(struct.pack("=IHHII", 16 + len(payload), family, flags, 1, 0) + payload)
    bodies: list[bytes] = []
    ended = False
    while not ended:
        found, ended = read_messages(kernel.recv(_LARGEST))
        bodies += found
        ended = ended or not flags & _DUMP
    return bodies


def read_messages(data: bytes) -> tuple[list[bytes], bool]:
    """The bodies of the messages in one packet, and whether the answer ends with it. Raises OSError for what the
    kernel refuses."""
    bodies: list[bytes] = []
    while data:
        if len(data) < 16:
            raise ValueError("a message is shorter than its header")
        length, kind = struct.unpack_from("=IH", data)
        if not 16 <= length <= len(data):
            raise ValueError("a message is longer than its packet")
        if kind in (_ERROR, _DONE):
            code = -struct.unpack_from("=i", data[16:length].ljust(4, b"\0"))[0]
            if code:
                raise OSError(code, os.strerror(code))
            return bodies, True
        bodies.append(data[20:length])
        data = data[_aligned(length) :]
    return bodies, False


def read_family(bodies: t.Iterable[bytes]) -> int:
    """The number of a family, as the kernel's control family tells it."""
    for body in bodies:
        for kind, value in attributes(body):
            if kind == _FAMILY_ID:
                return int(struct.unpack("=H", value)[0])
    raise ValueError("no number of the family")


def read_peers(bodies: t.Iterable[bytes]) -> dict[str, Seen]:
    """The peers in the messages of a dump. One with many networks goes on in the next message, where it has its key
    alone."""
    found: dict[str, Seen] = {}
    for body in bodies:
        for kind, value in attributes(body):
            if kind != _PEERS:
                continue
            for dummy, peer in attributes(value):
                key, seen = _peer(dict(attributes(peer)))
                found[key] = seen or found.get(key, Seen())
    return found


def _peer(fields: t.Mapping[int, bytes]) -> tuple[str, Seen | None]:
    key = fields.get(_PUBLIC_KEY, b"")
    if len(key) != 32:
        raise ValueError("a peer without a key")
    name = base64.b64encode(key).decode()
    if _LAST_HANDSHAKE not in fields:
        return name, None
    seconds, nanoseconds = struct.unpack("=qq", fields[_LAST_HANDSHAKE])
    (received,) = struct.unpack("=Q", fields.get(_RX_BYTES, bytes(8)))
    return name, Seen(seconds + nanoseconds / 1e9, received)


def moved(moves: t.Sequence[tuple[str, t.Sequence[str] | None, int]]) -> bytes:
    """The attribute that says all that. Raises ValueError where it would be too long for one message."""
    told = b""
    for key, networks, keepalive in moves:
        flags = _THERE_ALREADY if networks is None else _THERE_ALREADY | _REPLACE_NETWORKS
        fields = attribute(_PUBLIC_KEY, base64.b64decode(key)) + attribute(_PEER_FLAGS, struct.pack("=I", flags))
        fields += attribute(_KEEPALIVE, struct.pack("=H", keepalive))
        if networks:
            fields += attribute(_NETWORKS | _NESTED, b"".join(map(_network, networks)))
        told += attribute(_NESTED, fields)
    return attribute(_PEERS | _NESTED, told)


def _network(text: str) -> bytes:
    network = ipaddress.ip_network(text)
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    fields = attribute(_ADDRESS_FAMILY, struct.pack("=H", family))
    fields += attribute(_ADDRESS, network.network_address.packed)
    return attribute(_NESTED, fields + attribute(_LENGTH, struct.pack("=B", network.prefixlen)))


def attributes(data: bytes) -> t.Iterator[tuple[int, bytes]]:
    """Each attribute as its type and its value."""
    while data:
        if len(data) < 4:
            raise ValueError("an attribute is shorter than its header")
        length, kind = struct.unpack_from("=HH", data)
        if not 4 <= length <= len(data):
            raise ValueError("an attribute is longer than what holds it")
        yield kind & _FLAGS, data[4:length]
        data = data[_aligned(length) :]


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, with what fills it up."""
    length = 4 + len(value)
    if length > _LONGEST:
        raise ValueError("an attribute is too long")
    return struct.pack("=HH", length, kind) + value + bytes(_aligned(length) - length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
