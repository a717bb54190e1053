# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The COOP election among the key servers of a lab that name each other as peers.

Highest priority wins, ties go to the highest address; who is primary stays it while it lives (no preemption).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .config import Group

if TYPE_CHECKING:
    from .device import Device
    from .running import Running


@dataclass
class Coop:
    """What the key servers of a lab know about each other."""

    devices: dict[str, Device] = field(default_factory=dict)  # by GET VPN address
    primaries: dict[int | str, str] = field(default_factory=dict)  # group identity -> address
    running: Running | None = None  # then elections are held there

    def add(self, device: Device) -> None:
        """A key server of this lab (in this process or another)."""
        self.devices[device.spec.address] = device

    def peer(self, device: Device, group: Group, address: str) -> Group | None:
        """The group on the peer at `address`, if it lives and both hear each other."""
        other = self.devices.get(address)
        if other is None or not other.alive:
            return None
        for theirs in other.config.groups.values():
            if (
                theirs.identity == group.identity
                and theirs.local
                and theirs.redundancy
                and group.address in theirs.peers
            ):
                if device.personality.coop_needs_key and not _same_key(device, group, other, theirs):
                    return None
                return theirs
        return None

    def primary(self, device: Device, group: Group) -> str:
        """The address of the primary, as this key server sees it."""
        view = {group.address: group.priority}
        for address in group.peers:
            theirs = self.peer(device, group, address)
            if theirs is not None:
                view[address] = theirs.priority
        known = self.primaries.get(group.identity)
        if known in view:
            return known
        best = max(view, key=lambda address: (view[address], int(ipaddress.ip_address(address or "0.0.0.0"))))
        if known is None or not self._serves(known, group.identity):
            self.primaries[group.identity] = best
            if known is not None and best in self.devices:
                self.devices[best].say_log("log_to_primary", address=best, group=group.name, previous=known)
        return best

    def elect(self) -> None:
        """Hold the elections that are due: at the start, and whenever a key server leaves or comes."""
        if self.running:
            return self.running.catch_up()
        for device in self.devices.values():
            if device.alive:
                for group in device.config.groups.values():
                    if group.local and group.redundancy:
                        self.primary(device, group)
        return None

    def _serves(self, address: str, identity: int | str) -> bool:
        device = self.devices.get(address)
        return bool(
            device
            and device.alive
            and any(g.identity == identity and g.local and g.redundancy for g in device.config.groups.values())
        )


def _same_key(device: Device, group: Group, other: Device, theirs: Group) -> bool:
    ours, their_key = device.key_of(group), other.key_of(theirs)
    return ours is not None and their_key is not None and ours.fingerprint == their_key.fingerprint
