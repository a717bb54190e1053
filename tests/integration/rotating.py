# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rotations of a live group without Ansible, in one event loop with the devices, and with a clock that tests move.

A run is what the action ios_getvpn_rotation does. It can be killed at any command that a device receives. After each of
them, and all few seconds of waiting, the invariants must hold: see `Stage.check`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import traceback
import typing as t
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from integration import cable
from integration.rounds import target

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation import Facts, Policy, State
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios import session as ios_session
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers import live_group, rotate, rotations
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.rotate import Clock, Rotator, Wanted
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.rotation_store import RotationStore
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.rotations import Found
from lab import DeviceSpec, GroupSpec, KeySpec
from lab.device import Device
from lab.fleet import Lab
from lab.rekeying import Group

OLD, NEW = "GETVPN-1", "GETVPN-2"
START = 1_800_000_000.0
PER_COMMAND = 0.2
"""Seconds that pass with each command."""
GRAIN = 5.0
CONSENT = Policy(canary=True, allow_split=True)
GOING_BACK = re.compile(rf"rekey authentication mypubkey rsa {OLD}")


class Killed(Exception):
    """The run ended here."""


def specs(
    servers: int = 3, members: int = 2, personality: str = "ios15", **switches: t.Any
) -> list[DeviceSpec]:
    """Key servers of one group, ks1 the primary; each with `members` of its own at first."""
    addresses = [f"10.0.0.{number + 1}" for number in range(servers)]
    return [
        DeviceSpec(
            f"ks{number + 1}",
            personality,
            address,
            keys=[KeySpec(OLD, 1)],
            groups=[GroupSpec("EUROPE", 7, OLD, 100 - number, [a for a in addresses if a != address], members)],
            overrides=switches,
            reload_seconds=0.03,
        )
        for number, address in enumerate(addresses)
    ]


@dataclass
class Stage:
    """The devices, and where the run keeps its record."""

    devices: Mapping[str, Device]
    folder: Path
    policy: Policy = CONSENT
    kill_at: int | None = None
    kill_on: str = ""
    """A command at which the run is killed as well."""
    commands: int = 0
    allowed_splits: int = 0
    told: list[str] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    """Every command so far, with its device."""
    passed: float = 0.0

    def __post_init__(self) -> None:
        for device in self.devices.values():
            device.received = self._noting(device)  # type: ignore[assignment,method-assign]
        self.running: asyncio.Task[Found] | None = None

    @property
    def group(self) -> Group:
        running = next(iter(self.devices.values())).coop.running
        assert running
        return running.groups[7]

    def _noting(self, device: Device) -> Callable[[int, str, str, str], None]:
        before = device.received

        def received(session: int, mode: str, kind: str, text: str) -> None:
            before(session, mode, kind, text)
            if kind == "command":
                self._command(device, text)

        return received

    def _command(self, device: Device, text: str) -> None:
        self.commands += 1
        self.lines.append((device.name, text))
        self.pass_time(PER_COMMAND)
        if (self.commands == self.kill_at or text == (self.kill_on or None)) and self.running:
            self.running.cancel()

    def pass_time(self, seconds: float) -> None:
        """Let time pass for the group, and look all few seconds whether the invariants hold."""
        coop = next(iter(self.devices.values())).coop
        left = seconds
        while left > 0 and coop.running:
            coop.running.move(min(left, GRAIN))
            self.check()
            left -= GRAIN
        self.passed += seconds

    def check(self) -> None:
        """The invariants."""
        group = self.group
        assert group.splits <= self.allowed_splits, "two primaries that we caused"
        for device in self.devices.values():
            for one in device.config.groups.values():
                assert one.label in device.keys, f"{device.name} names a key that is not there"
        assert not group.without_key(), "members without a key"
        learned = any(member.key not in ("", self.old_key) for member in group.members.values())
        assert not (learned and GOING_BACK.search(self.lines[-1][1] if self.lines else "")), "went back from learning"
        sent = any("replace-now" in line for _device, line in self.lines)
        assert not sent or (self.policy.emergency and self.policy.replace_now), "traffic was lost without consent"

    @property
    def old_key(self) -> str:
        return next((device.keys[OLD].fingerprint for device in self.devices.values() if OLD in device.keys), "gone")

    async def _sleep(self, seconds: float) -> None:
        self.pass_time(seconds)
        await asyncio.sleep(0)

    @property
    def store(self) -> RotationStore:
        return RotationStore(str(self.folder))

    @property
    def facts(self) -> Facts:
        return self.store.facts()

    async def run(self, *, until: State = "retired", seconds: float = 200_000, check: bool = False) -> Found:
        """One run. Raises Killed where it was."""
        work = self.running = asyncio.ensure_future(self._run(until, seconds, check))
        try:
            return await work
        except asyncio.CancelledError:
            self.kill_at, self.kill_on = None, ""
            raise Killed from None
        finally:
            self.running = None

    async def _run(self, until: State, seconds: float, check: bool) -> Found:
        targets = {name: target(device) for name, device in self.devices.items()}
        addresses = {name: (device.spec.address,) for name, device in self.devices.items()}
        clock = Clock(lambda: START + self.passed, self._sleep)
        async with ios_session.SessionPool() as pool:
            seen = await rotate.observe(list(targets.values()), 64, 60.0, pool)
            (live,) = live_group.live_groups(seen, addresses)
            record = rotations.record_for(live, seen, NEW, OLD, self.store)
            assert record
            wanted = Wanted(self.policy, until, poll=300)
            rotator = Rotator(live, targets, addresses, record, self.store, pool, wanted, clock, self.told.append)
            found = Found(live, record, rotator)
            if check:
                await rotations.plan(found, seen)
            else:
                await rotations.run([found], seen, clock.now() + seconds)
        if found.error:
            raise found.error
        return found

    def end(self) -> tuple[t.Any, ...]:
        """What must be the same however often a run was killed."""
        kept = [
            (name, device.config.groups["EUROPE"].label, sorted(device.keys), sorted(device.nvram.keys), _saved(device))
            for name, device in sorted(self.devices.items())
        ]
        keys = {key.fingerprint for device in self.devices.values() for key in device.keys.values()}
        held = {member.key for member in self.group.members.values() if member.up}
        return kept, len(keys), held == keys

    @property
    def ended_well(self) -> bool:
        """Everything is new, equal and saved, every member has it, and the old key is gone."""
        kept, keys, held = self.end()
        return all(one[1:] == (NEW, [NEW], [NEW], NEW) for one in kept) and keys == 1 and held


def _saved(device: Device) -> str:
    return device.nvram.config.groups["EUROPE"].label if device.nvram.config else ""


@contextlib.asynccontextmanager
async def stage(folder: Path, devices: Sequence[DeviceSpec], **more: t.Any) -> AsyncIterator[Stage]:
    """The devices, whose groups run by a clock that stands still until it is moved."""
    lab = Lab(devices, speed=0)
    for device in lab.devices.values():
        for config in filter(None, (device.config, device.nvram.config)):
            config.groups["EUROPE"].rekey_lifetime = 1800
    await lab.start()
    try:
        with cable.plugged_in(lab.devices):
            one = Stage(lab.devices, folder, **more)
            one.pass_time(600)
            yield one
    finally:
        await lab.stop()
        crashes = [crash for device in lab.devices.values() for crash in device.crashes]
    assert not crashes, "\n".join("".join(traceback.format_exception(crash)) for crash in crashes if crash)
