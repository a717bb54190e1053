# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rounds of a sync without Ansible, in one event loop with the devices, and what must be true of the devices then.

A round is what the action ios_rsa_key_sync does: look at all, plan, carry out. It takes some 20 ms,
so that it can be cut short at every line that a device receives.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import traceback
import typing as t
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from integration import cable

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.plan import Plan
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios import session as ios_session
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios.options import Target
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers import execute, survey
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.execute import ExecutionOptions, Progress
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.survey import Planned
from ansible_collections.vpnops.keys.plugins.plugin_utils.progress.pipe import Count
from lab import DeviceSpec, GroupSpec, KeySpec
from lab.device import Device, LogEntry, StoredKey
from lab.fleet import Lab

LABEL = "REKEY"
SCRATCH = "REKEY.vpnops-new"
OPTIONS: Mapping[str, t.Any] = {
    "overwrite": False,
    "size": 2048,
    "minimum_size": 2048,
    "allow_weak_source": False,
    "exportable": True,
    "save": True,
    "compromised": [],
    "allow_absent_compromised": True,
    "only_groups": None,
    "allowed_hosts": None,
    "allow_partial_inventory": True,
    "primary": [],
}
CONNECT_WITHIN = 10.0
"""Seconds for SSH and login."""
Keys = Mapping[str, StoredKey]


def key_server(
    number: int, personality: str, *keys: KeySpec, of: int = 3, overrides: Mapping[str, t.Any] | None = None
) -> DeviceSpec:
    """Key server ks`number` of `of`; ks1 is the primary."""
    addresses = [f"10.0.0.{one}" for one in range(1, of + 1)]
    mine = addresses[number - 1]
    peers = [address for address in addresses if address != mine]
    return DeviceSpec(
        f"ks{number}",
        personality,
        mine,
        keys=keys,
        groups=[GroupSpec("GETVPN", 1, LABEL, 100 - number, peers, members=2)],
        overrides=overrides or {},
        reload_seconds=0.03,
    )


def key(pool: int, *, exportable: bool = True, label: str = LABEL, saved: bool = True) -> KeySpec:
    return KeySpec(label, pool, exportable=exportable, saved=saved)


@asynccontextmanager
async def running(specs: Sequence[DeviceSpec], *, ssh: bool = False) -> AsyncIterator[dict[str, Device]]:
    """The devices, in this very event loop. A crash of the simulator fails the test."""
    lab = Lab(specs)
    await lab.start()
    try:
        with contextlib.nullcontext() if ssh else cable.plugged_in(lab.devices):
            yield lab.devices
    finally:
        await lab.stop()
        crashes = [crash for device in lab.devices.values() for crash in device.crashes]
    assert not crashes, "\n".join("".join(traceback.format_exception(crash)) for crash in crashes if crash)


def target(device: Device, *, patience: float = 30.0) -> Target:
    """How to reach a device. `patience`: seconds of silence that are borne."""
    return Target(
        device.name,
        device.host,
        port=device.port,
        user=device.spec.username,
        password=device.spec.password,
        become=True,
        become_password=device.spec.enable,
        host_key_checking=False,
        connect_timeout=CONNECT_WITHIN,
        command_timeout=patience,
    )


@dataclass
class Outcome:
    """What one round came to, as the action would report it."""

    planned: list[Planned]
    done: dict[str, list[str]] = field(default_factory=dict)
    error: VpnKeysError | None = None

    @property
    def plan(self) -> Plan:
        (one,) = self.planned
        return one.plan

    @property
    def told(self) -> str:
        """The sentence with which the round ended; empty when all went well."""
        return str(self.error or self.plan.blocked or "")


async def observe(
    devices: Mapping[str, Device],
    *,
    patience: float = 30.0,
    reader: ios_session.Reader | None = None,
    **options: t.Any,
) -> Outcome:
    """Read all key servers and plan."""
    targets = {name: target(device, patience=patience) for name, device in devices.items()}
    seen = await survey.observe(list(targets.values()), 64, 60.0, reader or ios_session.read)
    addresses = {name: (device.spec.address,) for name, device in devices.items()}
    return Outcome(survey.plan_all(seen, {**OPTIONS, **options}, addresses).planned)


async def carry(
    outcome: Outcome,
    devices: Mapping[str, Device],
    pool: ios_session.SessionPool,
    *,
    patience: float = 30.0,
    save: bool = True,
) -> None:
    """Carry out what was planned, and note what came of it."""
    targets = {name: target(device, patience=patience) for name, device in devices.items()}

    def tell(*dummy: object) -> None:
        return None

    operations = sum(one.plan.operations for one in outcome.planned)
    progress = Progress(tell, Count(operations, "operations"))
    await pool.only({host for one in outcome.planned for host in one.plan.needs})
    try:
        for one in outcome.planned:
            if one.plan.steps:
                await execute.run_plan(one.plan, targets, ExecutionOptions(save, 20.0), progress, pool)
    except VpnKeysError as error:
        outcome.error = error


async def sync(devices: Mapping[str, Device], *, patience: float = 30.0, **options: t.Any) -> Outcome:
    """One whole round."""
    async with ios_session.SessionPool() as pool:
        outcome = await observe(devices, patience=patience, reader=pool.read, **options)
        await carry(outcome, devices, pool, patience=patience, save=options.get("save", True))
    return outcome


# What must be true


@dataclass(frozen=True)
class Stood:
    """Fingerprints under the label and under the scratch label."""

    label: str | None
    scratch: str | None


@dataclass(frozen=True)
class Before:
    """What stood on each device at the start, and in its NVRAM."""

    running: Mapping[str, Stood]
    saved: Mapping[str, Stood]
    target: str | None
    """The key that all shall hold in the end; None if it is still to be made: then it is the one that nobody had."""

    def new(self, present: set[str]) -> set[str]:
        if self.target:
            return {self.target}
        all_ = (*self.running.values(), *self.saved.values())
        return present - {key for one in all_ for key in (one.label, one.scratch) if key}


def fingerprint(keys: Keys, label: str = LABEL) -> str | None:
    return keys[label].fingerprint if label in keys else None


def stood(keys: Keys) -> Stood:
    return Stood(fingerprint(keys), fingerprint(keys, SCRATCH))


def before(devices: Mapping[str, Device], *, target: str | None) -> Before:
    return Before(
        {name: stood(device.keys) for name, device in devices.items()},
        {name: stood(device.nvram.keys) for name, device in devices.items()},
        target,
    )


def violations(was: Before, devices: Mapping[str, Device], reloaded: Iterable[str] = ()) -> list[str]:
    """What is wrong with the keys that the devices hold, whatever a sync was just doing to them.

    `reloaded`: the devices of which only that counts which is in their NVRAM."""
    reloaded = set(reloaded)
    keys = {name: device.nvram.keys if name in reloaded else device.keys for name, device in devices.items()}
    now = {name: stood(held) for name, held in keys.items()}
    new = was.new({key for one in now.values() for key in (one.label, one.scratch) if key})
    wrong = []
    windows = []
    for name, one in now.items():
        old = (was.saved if name in reloaded else was.running)[name]
        # An interrupted replacement is finished first, with the key that lies there.
        olds = {was.running[name].label, was.saved[name].label, was.running[name].scratch}
        if one.label is not None:
            if one.label not in olds | new:
                wrong.append(f"{name}: a key that is neither the old nor the new one stands under the label")
        elif old.label is not None:
            if one.scratch in new and keys[name][SCRATCH].exportable:
                windows.append(name)
            else:
                wrong.append(f"{name}: the old key is gone, and the new one is not there")
        elif old.scratch is not None and one.scratch is None:
            wrong.append(f"{name}: the staged key is gone, and nothing stands under the label")
    if len(windows) > 1 and not reloaded:
        wrong.append(f"{', '.join(windows)}: more than one key server is without the key under its label")
    exportable = {key.fingerprint for held in keys.values() for key in held.values() if key.exportable}
    relied_on = {one.label for name, one in now.items() if one.label in new and one.label != was.saved[name].label}
    if was.target and was.target in {key for one in was.saved.values() for key in (one.label, one.scratch)}:
        relied_on.add(was.target)
    for key in relied_on:
        if key not in exportable:
            wrong.append(f"key {key} cannot be given to anybody any more")
    return [f"{one} (after a reload of {', '.join(sorted(reloaded)) or 'none'})" for one in wrong]


def mishaps(was: Before, devices: Mapping[str, Device]) -> list[str]:
    """`violations` as things are, and if any of the devices, or several, lost their power now."""
    names = list(devices)
    some = itertools.chain.from_iterable(itertools.combinations(names, count) for count in range(len(names) + 1))
    return [one for reloaded in some for one in violations(was, devices, reloaded)]


def unfinished(devices: Mapping[str, Device], *, saved: bool = True) -> list[str]:
    """What is left to do: keys that differ, are not saved, or lie under the scratch label."""
    left = []
    held = {name: fingerprint(device.keys) for name, device in devices.items()}
    if len(set(held.values())) != 1 or None in held.values():
        shown = {name: (one or "-")[:8] for name, one in held.items()}
        left.append(f"not the same key everywhere: {shown}")
    for name, device in devices.items():
        if SCRATCH in device.keys:
            left.append(f"{name}: a scratch key is left")
        if saved and fingerprint(device.nvram.keys) != held[name]:
            left.append(f"{name}: the key is not saved")
        if saved and SCRATCH in device.nvram.keys:
            left.append(f"{name}: a scratch key comes back with a reload")
    if not any(LABEL in device.keys and device.keys[LABEL].exportable for device in devices.values()):
        left.append("nobody can give the key away any more")
    return left


async def forget_doubles(devices: Mapping[str, Device]) -> None:
    """No listing shows a scratch key that is gone but for NVRAM. Such a second copy of the right key does no harm.

    Should it come back with a reload, the run after that removes it."""
    doubled = [device for device in devices.values() if SCRATCH in device.nvram.keys and SCRATCH not in device.keys]
    for device in doubled:
        device.reload()
    if doubled:
        await back(devices)
        await sync(devices)


async def untouched_by(devices: Mapping[str, Device], run: Callable[[], t.Awaitable[t.Any]]) -> list[str]:
    """What a run changed that should change nothing: keys, saving, or only configuration mode."""
    was = {name: (device.keys, device.nvram.keys, device.saves, len(device.log)) for name, device in devices.items()}
    await run()
    changed = []
    for name, device in devices.items():
        keys, nvram, saves, lines = was[name]
        if device.keys != keys or device.nvram.keys != nvram or device.saves != saves:
            changed.append(f"{name}: something was changed")
        entered = [entry.text for entry in list(device.log)[lines:] if entry.text.startswith("conf")]
        if entered:
            changed.append(f"{name}: configuration mode was entered")
    return changed


# Where to cut


@dataclass(frozen=True)
class Point:
    """The `line`-th line that a device receives, counted from 1."""

    host: str
    line: int
    kind: str
    text: str
    looking: bool
    """Before the plan: whatever happens then, nothing may have been changed."""

    def __str__(self) -> str:
        what = "PEM" if self.kind == "paste" and len(self.text) > 4 else self.text[:50]
        return f"{self.host} line {self.line} ({self.kind} {what!r})"


def points(name: str, log: Iterable[LogEntry]) -> list[Point]:
    """Every line; of each PEM block the first, one in the midst, and the one that ends the question."""
    found = []
    inside = 0
    looking = True
    for number, entry in enumerate(log, 1):
        pasted = entry.kind == "paste"
        inside = inside + 1 if pasted and not entry.text.startswith("-----BEGIN") else 0
        closing = entry.text == "quit" or (not entry.text and inside > 6)
        if not pasted or closing or inside in (0, 6):
            found.append(Point(name, number, entry.kind, entry.text, looking))
        looking = looking and not entry.text.endswith("ks members")
    return found


async def record(specs: Sequence[DeviceSpec], **options: t.Any) -> list[Point]:
    """The lines of an undisturbed round. What the devices hold at every instant of it must be right, too."""
    async with running(specs) as devices:
        was = before(devices, target=(await observe(devices, **options)).plan.fingerprint)
        wrong = watch(was, devices)
        start = {name: len(device.log) for name, device in devices.items()}
        outcome = await sync(devices, **options)
        assert not outcome.told
        assert not wrong, "\n".join(wrong)
        assert not unfinished(devices)
        return [point for name, device in devices.items() for point in points(name, list(device.log)[start[name] :])]


def watch(was: Before, devices: Mapping[str, Device]) -> list[str]:
    """From now on look for mishaps whenever a device that has changed receives a line; the list grows by itself."""
    wrong: list[str] = []
    seen: dict[str, tuple[Keys, Keys]] = dict.fromkeys(devices, ({}, {}))

    def check(entry: LogEntry) -> None:
        now = {name: (device.keys, device.nvram.keys) for name, device in devices.items()}
        if any(seen[name][0] is not keys or seen[name][1] is not nvram for name, (keys, nvram) in now.items()):
            seen.update(now)
            wrong.extend(f"before {entry.text!r}: {one}" for one in mishaps(was, devices))

    for device in devices.values():
        at_each_line(device, check)
    return wrong


def at_each_line(device: Device, call: Callable[[LogEntry], None]) -> None:
    """Call at every line that the device receives, before it acts on it."""
    original = device.received

    def received(session: int, mode: str, kind: str, text: str) -> None:
        original(session, mode, kind, text)
        call(device.log[-1])

    device.received = received  # type: ignore[method-assign]


def at_line(device: Device, line: int, call: Callable[[], object]) -> None:
    """Call at the `line`-th line from now on."""
    count = itertools.count(1)

    def check(dummy: LogEntry) -> None:
        if next(count) == line:
            call()

    at_each_line(device, check)


async def back(devices: Mapping[str, Device]) -> None:
    """Wait until every device is up again."""
    await asyncio.sleep(0.005)
    while not all(device.alive for device in devices.values()):
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.005)
