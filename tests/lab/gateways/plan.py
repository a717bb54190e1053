# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the platforms have in common: the plan of a mesh, and files of a gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Platform = Literal["wireguard", "strongswan"]
Link = Literal["full", "hub", "none"]
Files = dict[str, tuple[int, str]]
"""Path on the gateway: mode and content."""


@dataclass(frozen=True)
class Plan:
    """A mesh as it was ordered."""

    lab: str
    count: int
    platform: Platform = "wireguard"
    delay_ms: float = 0
    link: Link = "full"
    algorithm: str = "x25519"
    users: bool = True
    private_key_file: bool = False
    start_action: Literal["none", "start"] = "none"

    @property
    def names(self) -> list[str]:
        """gw1, gw2, ..."""
        return [f"gw{number}" for number in self.numbers]

    @property
    def numbers(self) -> range:
        """1, 2, ..."""
        return range(1, self.count + 1)

    def number(self, name: str) -> int:
        """The number of a gateway."""
        return self.names.index(name) + 1

    def peers(self, number: int) -> list[int]:
        """With whom a gateway has a tunnel."""
        if self.link == "none":
            return []
        others = [other for other in self.numbers if other != number]
        return [other for other in others if self.link == "full" or 1 in (number, other)]

    def namespace(self, name: str) -> str:
        """The network namespace of a gateway, or of the switch between them (`sw`)."""
        return f"{self.lab}-{name}"

    def management(self, number: int) -> tuple[str, str]:
        """The network namespace where ssh reaches a gateway, and its address there."""
        return self.namespace(f"gw{number}"), "127.0.0.1"

    def address(self, number: int) -> str:
        """The address that others reach through the tunnel."""
        return f"10.78.0.{number}" if self.platform == "wireguard" else f"10.79.{number}.1"

    def inner(self, number: int) -> str:
        """The address of the tunnel's own interface."""
        return self.address(number)

    def network(self, number: int) -> str:
        """What is behind a gateway."""
        return f"10.78.0.{number}/32" if self.platform == "wireguard" else f"10.79.{number}.0/24"

    def underlay(self, number: int) -> str:
        """The address outside the tunnel."""
        return f"10.77.0.{number}"

    def endpoint(self, number: int) -> str:
        """Where peers find a gateway."""
        return f"{self.underlay(number)}:51820" if self.platform == "wireguard" else self.underlay(number)
