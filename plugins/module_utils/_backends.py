# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each kind of gateway can do, one row each; all choices, plans and checks take it from here. PRIVATE to the
collection.

The `platform` of a gateway names its backend: how this host is configured. Who can be whose peer is decided by its
protocol, which several backends may share. How it is done there is a folder of _gateway.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

IN_PLACE, SECOND_INTERFACE = "in_place", "second_interface"
WIREGUARD, IPSEC = "wireguard", "ipsec"


@dataclass(frozen=True)
class Backend:
    """`protocol`: of its tunnels. `algorithms`: of its keys, the default first. `outage`: its strategies, the default
    first, each with what a planned change costs a tunnel; the figures come from the benchmark (performance guide)."""

    protocol: str
    algorithms: tuple[str, ...]
    outage: t.Mapping[str, str]

    def strategy(self, wanted: str) -> str:
        """The wanted one, or the default where it has no such strategy."""
        return wanted if wanted in self.outage else next(iter(self.outage))


BACKENDS: t.Mapping[str, Backend] = {
    "wireguard": Backend(
        protocol=WIREGUARD,
        algorithms=("x25519",),
        outage={
            IN_PLACE: "about 0.01 to 0.1 s per tunnel, longer on high-latency links",
            SECOND_INTERFACE: "none",
        },
    ),
    "strongswan": Backend(
        protocol=IPSEC,
        algorithms=("ed25519", "rsa"),
        outage={IN_PLACE: "at most a packet or two per tunnel"},
    ),
}


def protocol(platform: str) -> str:
    """What gateways have in common that can be peers; one that this version does not know is its own."""
    return BACKENDS[platform].protocol if platform in BACKENDS else platform
