# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured."""

from __future__ import annotations

from dataclasses import dataclass

from lab.gateways.plan import Platform


@dataclass(frozen=True)
class Way:
    """One way to change the key of `gateway`. `rounds`: how often in a whole run."""

    name: str
    title: str
    playbook: str
    words: tuple[str, ...] = ()
    ours: bool = True
    changes: bool = True
    rounds: int = 5


def _regenerate(*more: str, targets: str = "gw1") -> tuple[str, ...]:
    return ("-e", f"gateway={targets}", "-e", f"confirm={targets}", *more)


STATUS, PLAYBOOK, RESTART = "status", "playbook", "restart"
IN_PLACE, SECOND, EMERGENCY = "in_place", "second_interface", "emergency"
ENROLL, REGENERATE = "vpnops.keys.enroll_gateways", "vpnops.keys.regenerate_gateway"
NAIVE = "{platform}"
"""Of the platform: playbooks/."""
WAYS = {
    way.name: way
    for way in (
        # These leave keys that the directory does not know, so they come first.
        Way(PLAYBOOK, "playbook: change the key, update the peers", NAIVE, ("-e", '{"restart":false}'), ours=False),
        Way(RESTART, "playbook: the same with a restart", NAIVE, ("-e", '{"restart":true}'), ours=False, rounds=3),
        Way(STATUS, "nothing (gateway_status)", "vpnops.keys.gateway_status", changes=False, rounds=3),
        Way(IN_PLACE, "vpnops.keys", REGENERATE, _regenerate()),
        Way(
            EMERGENCY,
            "vpnops.keys, emergency",
            REGENERATE,
            _regenerate("-e", "gateway_keys_mode=emergency"),
            rounds=3,
        ),
        # It leaves the tunnels on another interface, so it comes last.
        Way(
            SECOND,
            "vpnops.keys, second interface",
            REGENERATE,
            _regenerate("-e", "gateway_keys_strategy=second_interface"),
        ),
    )
}


@dataclass(frozen=True)
class Mesh:
    """A mesh, and the ways that are tried in it, in the order of WAYS. `most`: rounds of each at most."""

    platform: Platform
    count: int
    delay_ms: int
    algorithm: str
    ways: tuple[str, ...]
    most: int = 5

    @property
    def title(self) -> str:
        """In words."""
        network = f"{self.delay_ms} ms of round-trip delay" if self.delay_ms else "LAN"
        product = {"wireguard": "WireGuard", "strongswan": "strongSwan"}[self.platform]
        key = {"x25519": "", "ed25519": ", Ed25519", "rsa": ", RSA-3072"}[self.algorithm]
        return f"{product}{key}, {self.count} gateways, {network}"


FORKS = 5
"""Ansible's default."""
RATE = 200
"""Packets per second, each way."""

MESHES = (
    Mesh("wireguard", 4, 0, "x25519", (PLAYBOOK, STATUS, IN_PLACE, EMERGENCY, SECOND)),
    Mesh("wireguard", 4, 40, "x25519", (PLAYBOOK, IN_PLACE, SECOND), 3),
    Mesh("wireguard", 8, 0, "x25519", (PLAYBOOK, IN_PLACE), 3),
    Mesh("strongswan", 4, 0, "ed25519", (PLAYBOOK, RESTART, STATUS, IN_PLACE, EMERGENCY)),
    Mesh("strongswan", 4, 40, "ed25519", (PLAYBOOK, IN_PLACE), 3),
    Mesh("strongswan", 8, 0, "ed25519", (PLAYBOOK, IN_PLACE), 3),
    Mesh("strongswan", 4, 0, "rsa", (IN_PLACE,)),
)
QUICK_MESHES = (
    Mesh("wireguard", 2, 0, "x25519", (PLAYBOOK, IN_PLACE), 1),
    Mesh("strongswan", 2, 0, "ed25519", (PLAYBOOK, IN_PLACE), 1),
)

SIZES = (8, 16, 32)
QUICK_SIZES = (2,)
GROWTH_FORKS = 10
GROWTH = {
    "enroll": (ENROLL,),
    "one": (REGENERATE, *_regenerate()),
    "all": (REGENERATE, *_regenerate(targets="all")),
}
