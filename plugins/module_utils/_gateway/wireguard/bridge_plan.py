# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a second WireGuard interface shall be, and what is in its way; wg_bridge makes it. PRIVATE to the collection."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from ..._errors import NOTHING_CHANGED, VpnKeysError
from ..._public_key import PublicKey
from .. import files
from ..platform import WantedPeer
from . import runtime as wg_runtime
from .platform import WireGuard
from .runtime import Runtime

LONGEST_NAME = 15


@dataclass(frozen=True)
class Neighbor:
    """The other end of a tunnel. `key`: its key on the second interface. `host`: without the port, "" if not known."""

    name: str
    key: str
    host: str
    networks: tuple[str, ...]
    psk: str = field(default="", repr=False)


@dataclass(frozen=True)
class Wanted:
    """A second interface. `secret`: its private key."""

    own: str
    port: int
    neighbors: tuple[Neighbor, ...]
    secret: str = field(repr=False)


def name_of(interface: str) -> str:
    """The second interface."""
    return f"{interface}b"


def is_there(interface: str) -> bool:
    """Whether there is an interface of that name."""
    return os.path.exists(f"/sys/class/net/{interface}")


def all_networks(runtime: Runtime | None) -> set[str]:
    """What all peers together have."""
    return {network for peer in (runtime.peers if runtime else {}).values() for network in peer.networks}


# ---- what is in the way


def obstacles(gateway: WireGuard, port: int, made: bool) -> list[str]:
    """Why there can be no second interface here, one sentence each. `made`: there is one of ours."""
    interface, bridge = gateway.interface, name_of(gateway.interface)
    try:
        record = gateway.record()
        runtime = wg_runtime.read(interface)
    except VpnKeysError:
        return []  # that is in the way of any change, and said there
    checks = {
        f"A second interface beside {interface} would be named {bridge}, and {LONGEST_NAME} characters are the limit; "
        f"use the strategy in_place.": len(bridge) > LONGEST_NAME,
        f"There is an interface {bridge} already, which this collection did not create; use the strategy in_place, or "
        f"rename it.": is_there(bridge) and not made,
        f"UDP port {port} is in use; set gateway_keys_second_port to one that is free on all gateways.":
            not made and port in _ports(),
        f"rp_filter is strict (1) on {interface}, so packets by a second interface would be dropped; set "
        f"net.ipv4.conf.all.rp_filter=2, or use the strategy in_place.": rp_filter(interface) == 1,
        f"A peer of {interface} has a default route in its AllowedIPs, which needs rules that a second interface does "
        f"not have; use the strategy in_place.": _has_default_route(runtime),
    }  # fmt: skip
    found = [sentence for sentence, applies in checks.items() if applies]
    return found + record.backend.in_the_way(record, bridge)


def _has_default_route(runtime: Runtime | None) -> bool:
    return any(network.endswith("/0") for network in all_networks(runtime))


def rp_filter(interface: str) -> int:
    """0: none, 1: strict, 2: loose. Not the stricter one of two settings counts, but the greater number."""
    values = (files.read(f"/proc/sys/net/ipv4/conf/{place}/rp_filter") for place in ("all", interface))
    return max((int(value) for value in values if value), default=0)


def _ports() -> set[int]:
    """The UDP ports on which something listens."""
    rows = [row.split() for kind in ("udp", "udp6") for row in (files.read(f"/proc/net/{kind}") or "").splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows}


# ---- what it shall be


def wanted(
    gateway: WireGuard, name: str, peers: t.Sequence[WantedPeer], changing: t.Container[str], port: int
) -> Wanted:
    """The second interface of this gateway, `name`, while the keys of `changing` change."""
    runtime = wg_runtime.read(gateway.interface)
    if runtime is None or not wg_runtime.is_up(gateway.interface):
        raise VpnKeysError(
            "refused", f"{gateway.interface} is down", state=NOTHING_CHANGED, advice="start the interface first"
        )
    secret = wg_runtime.running_key(gateway.interface)
    if name in changing:
        secret = (files.read(gateway.state.pending) or secret).strip()
    return Wanted(wg_runtime.public_of(secret), port, tuple(neighbors(runtime, name, peers, changing)), secret)


def neighbors(
    runtime: Runtime, name: str, peers: t.Sequence[WantedPeer], changing: t.Container[str]
) -> t.Iterator[Neighbor]:
    """Who is at the other ends: for a gateway that changes its key all peers, for others those that change theirs.

    Peers that the directory does not know never get a second interface, so they stay where they are.
    """
    by_key = {key.text: peer for peer in peers for key in _keys(peer)}
    for key, entry in runtime.peers.items():
        peer = by_key.get(key)
        if peer is None or not entry.networks or not (peer.name in changing or name in changing):
            continue
        new = (peer.staged or peer.current) if peer.name in changing else None
        yield Neighbor(peer.name, new.text if new else key, host_of(entry.endpoint), entry.networks, entry.psk)


def _keys(peer: WantedPeer) -> t.Iterator[PublicKey]:
    yield from peer.known
    yield from (key for key in (peer.current, peer.staged) if key)


def host_of(endpoint: str) -> str:
    """An endpoint without its port."""
    return endpoint.rpartition(":")[0]
