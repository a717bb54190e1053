# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key server that has been tampered with: it answers whatever an attacker wants, for the fault `says`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Lie:
    """A GET VPN group as the device shows it, whatever is true."""

    name: str
    identity: int
    label: str
    peers: Sequence[str] = ()
    address: str = "10.66.6.6"
    priority: int = 255
    role: str = "Secondary"


def says(*groups: Lie) -> Mapping[str, str]:
    """The answers about groups and COOP. Keys are shown as they are."""
    return {
        "show running-config.*": "".join(map(_configuration, groups)),
        "show crypto (gdoi|gkm) ks coop": "".join(map(_coop, groups)),
        "show crypto (gdoi|gkm) ks members": "",
    }


def _configuration(group: Lie) -> str:
    return (
        f"crypto gdoi group {group.name}\n identity number {group.identity}\n server local\n"
        f"  rekey authentication mypubkey rsa {group.label}\n  rekey transport unicast\n"
        f"  address ipv4 {group.address}\n  redundancy\n   local priority {group.priority}\n"
        + "".join(f"   peer address ipv4 {peer}\n" for peer in group.peers)
        + "!\n"
    )


def _coop(group: Lie) -> str:
    return (
        f"Crypto Gdoi Group Name :{group.name}\n"
        "        Group handle: 2147483650, Local Key Server handle: 2147483650\n\n"
        f"        Local Address: {group.address}\n        Local Priority: {group.priority}\n"
        f"        Local KS Role: {group.role}   , Local KS Status: Alive\n        Peer Sessions:\n\n"
    )
