# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a device knows of its groups at run time. In most labs groups stand still: a rekey is counted, and that is all.

A lab with a `speed` has running groups (rekeying.py): each second is `speed` seconds for them. With speed 0 their clock
stands still until somebody moves it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from typing import TYPE_CHECKING

from .rekeying import KEK_MARGIN, TEK_MARGIN, Entry, Group, Member, Server

if TYPE_CHECKING:
    from . import config
    from .coop import Coop
    from .device import Device

SA_LIFETIME = 3600
GM_VERSION = {False: "1.0.4", True: "1.0.27"}


class Running:
    """The running groups of a lab, by identity, in step with what is configured on its devices."""

    def __init__(self, coop: Coop, speed: float) -> None:
        self.coop, self.speed = coop, speed
        self.groups: dict[int | str, Group] = {}
        self._began, self._moved = time.monotonic(), 0.0
        self._lock = threading.Lock()

    def move(self, seconds: float) -> None:
        """Move the clock of all groups."""
        with self._lock:
            self._moved += seconds
        self.catch_up()

    def catch_up(self) -> None:
        """Run the events that are due, then take over what was configured: it has its effect from now on."""
        with self._lock:
            now = self._moved + self.speed * (time.monotonic() - self._began)
            configured = self._configured()
            for identity, served in configured.items():
                if identity not in self.groups:
                    self.groups[identity] = _start(served, now)
            for identity, group in self.groups.items():
                group.advance(max(now - group.now, 0))
                for address, server in group.servers.items():
                    _follow(group, server, configured.get(identity, {}).get(address))

    def _configured(self) -> dict[int | str, dict[str, tuple[Device, config.Group]]]:
        found: dict[int | str, dict[str, tuple[Device, config.Group]]] = {}
        for device in self.coop.devices.values():
            for group in device.config.groups.values():
                if group.local and group.address:
                    found.setdefault(group.identity, {})[group.address] = (device, group)
        return found

    def of(self, group: config.Group) -> tuple[Group, Server] | None:
        """The group as it runs, and the key server as which a device takes part."""
        self.catch_up()
        running = self.groups.get(group.identity)
        server = running and running.servers.get(group.address)
        return (running, server) if running and server else None


def _start(served: dict[str, tuple[Device, config.Group]], now: float) -> Group:
    servers, members = [], []
    for address, (device, group) in served.items():
        servers.append(Server(address, group.priority, device.personality, group.label, _keys(device)))
        version = GM_VERSION[device.personality.xe_getvpn]
        members += [Member(one, version) for one in _still_members(device, group)]
    life = next(group.rekey_lifetime for _device, group in served.values())
    return Group(servers, members, kek_life=life, tek_life=SA_LIFETIME, now=now)


def _keys(device: Device) -> dict[str, str]:
    return {label: stored.fingerprint for label, stored in device.keys.items()}


def _follow(group: Group, server: Server, given: tuple[Device, config.Group] | None) -> None:
    """Take over the state of a device."""
    up = given is not None and given[0].alive
    if server.up and not up:
        group.down(server.address)
    if given is None:
        return
    device, configured = given
    server.keys = _keys(device)
    if server.label != configured.label:
        group.set_label(server.address, configured.label)
    if up and not server.up:
        group.boot(server.address)


# -- what is shown, of a running group or of one that stands still


def running(device: Device, group: config.Group) -> tuple[Group, Server] | None:
    """The group as it runs, in a lab where it does."""
    return device.coop.running.of(group) if device.coop.running else None


def _left(device: Device, lifetime: int) -> int:
    return lifetime - int(device.uptime()) % lifetime


def kek_left(device: Device, group: config.Group) -> int:
    """Seconds until the KEK ends."""
    found = running(device, group)
    if found and found[1].policy:
        return max(int(found[1].policy.kek.ends - found[0].now), 0)
    return _left(device, group.rekey_lifetime)


def tek_left(device: Device, group: config.Group, age: int = 0) -> int:
    """Seconds until a TEK ends; `age` 0 is the newest."""
    found = running(device, group)
    if found and found[1].policy:
        return max(int(found[1].policy.teks[-1 - age].ends - found[0].now), 0)
    return 0 if age else _left(device, SA_LIFETIME)


def kek_margin(device: Device, group: config.Group) -> int:
    """How long before its end a KEK is replaced."""
    return KEK_MARGIN if running(device, group) else 300


def tek_margin(device: Device, group: config.Group) -> int:
    """The same of a TEK."""
    return TEK_MARGIN if running(device, group) else 60


def teks(device: Device, group: config.Group) -> int:
    """How many TEKs there are for each SA. After a rekey the old one lives on for a while."""
    found = running(device, group)
    if found and found[1].policy:
        return 1 + sum(tek.ends > found[0].now for tek in found[1].policy.teks[:-1])
    return 2 if device.rekeys.get(group.name, 0) else 1


def rekeys(device: Device, group: config.Group) -> int:
    """How many rekeys it has sent."""
    found = running(device, group)
    return found[1].rekeys if found else device.rekeys.get(group.name, 0)


def spi(device: Device, group: config.Group, size: int, age: int | None = None) -> str:
    """The SPI of the KEK, or that of a TEK."""
    found = running(device, group)
    if found and found[1].policy:
        policy = found[1].policy
        seed = f"{group.identity}/{policy.kek.spi}" if age is None else f"{group.identity}/{policy.teks[-1 - age].spi}"
    else:
        seed = f"{group.identity}/{device.rekeys.get(group.name, 0) - (age or 0)}"
    return "0x" + hashlib.sha256(seed.encode()).hexdigest()[: size * 2].upper()


def _still_members(device: Device, group: config.Group) -> list[str]:
    first = int(ipaddress.IPv4Address("172.16.0.0")) + device.index % 1024 * 1024
    return [str(ipaddress.IPv4Address(first + n + 1)) for n in range(device.members(group.name))]


def members(device: Device, group: config.Group) -> list[Entry]:
    """The members that are registered with this very key server."""
    found = running(device, group)
    if found:
        mine = [entry for entry in found[1].entries.values() if entry.server == group.address]
        return sorted(mine, key=lambda entry: int(ipaddress.IPv4Address(entry.address)))
    sent, missed = device.rekeys.get(group.name, 0), device.missed.get(group.name, 0)
    version = GM_VERSION[device.personality.xe_getvpn]
    return [
        Entry(address, version, group.address, sent, sent - missed, missed, missed * 2)
        for address in _still_members(device, group)
    ]
