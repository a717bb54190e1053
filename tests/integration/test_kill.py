# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sync that is cut short at any line that it sends: nobody is worse off, no key is lost, the next run completes."""

from __future__ import annotations

import asyncio
import functools
import itertools
import subprocess
import typing as t
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from integration import rounds
from integration.control_node import ControlNode
from integration.processes import SYNC, interrupt_twice, kill, started, wait_for_cut
from integration.rounds import LABEL, SCRATCH, Before, Point, Stood, key, key_server

from lab import DeviceSpec, Fleet
from lab.device import Device

Nvram = t.Literal["on_save", "at_once"]


@dataclass(frozen=True)
class Start:
    """What the key servers hold before the sync, and what the sync is allowed to do."""

    specs: Callable[[Mapping[str, t.Any]], list[DeviceSpec]]
    overwrite: bool = False
    exportable: bool = True

    @property
    def options(self) -> dict[str, t.Any]:
        return {"overwrite": self.overwrite, "exportable": self.exportable}


STARTS: dict[str, Start] = {
    "absent": Start(
        lambda switches: [
            key_server(1, "xe16", overrides=switches),
            key_server(2, "ios15", overrides=switches),
            key_server(3, "xe17", overrides=switches),
        ],
    ),
    "absent_private": Start(
        lambda switches: [
            key_server(1, "ios15", overrides=switches),
            key_server(2, "xe17", overrides=switches),
            key_server(3, "xe16", overrides=switches),
        ],
        exportable=False,
    ),
    "missing": Start(
        lambda switches: [
            key_server(1, "xe17", overrides=switches),
            key_server(2, "ios15", key(0), overrides=switches),
            key_server(3, "xe16", key(0, exportable=False), overrides=switches),
        ],
    ),
    "conflict": Start(
        lambda switches: [
            key_server(1, "ios15", key(0), overrides=switches),
            key_server(2, "xe16", key(1), overrides=switches),
            key_server(3, "xe17", key(2, exportable=False), overrides=switches),
        ],
        overwrite=True,
    ),
    "none_exportable": Start(
        lambda switches: [
            key_server(1, "xe17", key(0, exportable=False), overrides=switches),
            key_server(2, "ios15", key(0, exportable=False), overrides=switches),
            key_server(3, "xe16", overrides=switches),
        ],
        overwrite=True,
    ),
    "leftovers": Start(
        lambda switches: [
            key_server(1, "ios15", key(5, label=SCRATCH), overrides=switches),
            key_server(2, "xe17", key(1), key(5, label=SCRATCH), overrides=switches),
            key_server(3, "xe16", key(5), overrides=switches),
        ],
        overwrite=True,
    ),
    "window": Start(
        lambda switches: [
            key_server(1, "xe16", key(5), key(5, label=SCRATCH), overrides=switches),
            key_server(2, "ios15", key(5, label=SCRATCH), overrides=switches),
            key_server(3, "xe17", key(5, exportable=False), overrides=switches),
        ],
    ),
}


@dataclass(frozen=True)
class Cut:
    """How a sync is cut short at a line; `of`: at which lines. Without a fault the controller itself is stopped."""

    of: Callable[[Point], bool]
    fault: Mapping[str, t.Any] | None = None
    nvram: Nvram = "on_save"
    shown: str = "on_save"
    """When the device shows that a key is saved."""
    never_first: bool = False
    """Whether the next run has no consent, which it must not need for closing the window."""

    @property
    def switches(self) -> dict[str, str]:
        return {"zeroize_nvram": self.nvram, "show_saved": self.shown}


def of_the_work(point: Point) -> bool:
    """Not what only shows something or sets up the terminal."""
    return not point.looking and not point.text.startswith("show")


def with_output(point: Point) -> bool:
    return of_the_work(point) and point.kind == "command" and point.text != "end"


CUTS: dict[str, Cut] = {
    "dropped_before": Cut(lambda point: True, {"when": "before", "do": "drop"}, never_first=True),
    "dropped_during": Cut(with_output, {"when": "during", "do": "drop", "bytes": 20}),
    "dropped_after": Cut(with_output, {"when": "after", "do": "drop"}, nvram="at_once", shown="never"),
    "reloaded": Cut(of_the_work, {"when": "before", "do": "reload"}, shown="at_boot", never_first=True),
    "reloaded_forgetful": Cut(of_the_work, {"when": "before", "do": "reload"}, nvram="at_once"),
    "killed": Cut(of_the_work, shown="never"),
}


@functools.cache
def every_point(start: str, nvram: Nvram, shown: str) -> tuple[Point, ...]:
    chosen = STARTS[start]
    switches = {"zeroize_nvram": nvram, "show_saved": shown}
    return tuple(asyncio.run(rounds.record(chosen.specs(switches), **chosen.options)))


def every_cut() -> Iterator[t.Any]:
    """All are thorough but a sixth, in which each host meets each start and each way to cut."""
    numbered = (enumerate(one) for one in (STARTS, CUTS, ("ks1", "ks2", "ks3")))
    for (first, start), (second, how), (third, host) in itertools.product(*numbered):
        thorough = (first + second + 2 * third) % len(CUTS)
        yield pytest.param(start, how, host, marks=[pytest.mark.thorough] if thorough else [])


@pytest.mark.parametrize(("start", "how", "host"), every_cut())
def test_cut_at_every_line(start: str, how: str, host: str) -> None:
    cut = CUTS[how]
    points = [point for point in every_point(start, cut.nvram, cut.shown) if point.host == host and cut.of(point)]
    failures = {str(point): asyncio.run(cut_there(STARTS[start], cut, point)) for point in points}
    told = "\n".join(f"{point}: {'; '.join(wrong[:2])}" for point, wrong in failures.items() if wrong)
    assert not told, told


async def cut_there(start: Start, cut: Cut, point: Point) -> list[str]:
    """Cut one sync at that line and go on from there; returns what is wrong."""
    async with rounds.running(start.specs(cut.switches)) as devices:
        target = (await rounds.observe(devices, **start.options)).plan.fingerprint
        was = rounds.before(devices, target=target)
        wrong = await _cut_short(devices, start, cut, point)
        await rounds.back(devices)
        wrong += rounds.mishaps(was, devices)
        if point.looking and rounds.before(devices, target=target) != was:
            wrong.append("something was changed while the key servers were only looked at")
        return wrong or await _goes_on(devices, was, point, start, cut)


async def _cut_short(devices: Mapping[str, Device], start: Start, cut: Cut, point: Point) -> list[str]:
    device = devices[point.host]
    if cut.fault:
        device.set_fault(cut={"at": point.line, "unit": "line", **cut.fault})
        outcome = await rounds.sync(devices, **start.options)
        missed = device.faults.cut is not None and device.faults.cut.times > 0
        device.clear_faults()
        if missed:
            return ["the cut was missed"]
        # A session that ended before the first line of the work is opened once more, and there is nothing to tell.
        is_done = point.text.startswith("show") and not rounds.unfinished(devices)
        return [] if outcome.told or is_done else ["the cut was not told"]
    running = asyncio.ensure_future(rounds.sync(devices, **start.options))
    rounds.at_line(device, point.line, running.cancel)
    await asyncio.wait([running])
    return [] if running.cancelled() else ["the cut was missed"]


async def _goes_on(devices: Mapping[str, Device], was: Before, point: Point, start: Start, cut: Cut) -> list[str]:
    """The runs that follow."""
    target = (await rounds.observe(devices, **start.options)).plan.fingerprint
    moved = cut.fault is not None and cut.fault["do"] == "reload" and point.host == "ks1"
    if was.target and target != was.target and not moved:  # with the primary gone, another one has taken over
        return ["the next run would choose another key"]
    was = rounds.before(devices, target=target)
    wrong = rounds.watch(was, devices)
    if cut.never_first:
        await rounds.sync(devices, exportable=start.exportable)
        wrong += [
            f"{name}: the window was not closed without consent"
            for name, device in devices.items()
            if LABEL not in device.keys and (was.running[name] != Stood(None, None))
        ]
    outcome = await rounds.sync(devices, **start.options)
    wrong += [f"the next run ended with: {outcome.told}"] if outcome.told else []
    await rounds.forget_doubles(devices)
    wrong += rounds.unfinished(devices)
    if target and {rounds.fingerprint(device.keys) for device in devices.values()} != {target}:
        wrong.append("the key servers hold another key than was planned")
    return wrong + await rounds.untouched_by(devices, lambda: rounds.sync(devices, **start.options))


# The same with real processes, at a few lines


@dataclass(frozen=True)
class Stop:
    """ansible-playbook is stopped when `host` receives the line."""

    line: str
    how: Callable[[subprocess.Popen[str]], None]
    host: str = "ks2"
    overwrite_next: str = "always"


STOPS: dict[str, Stop] = {
    "export": Stop(r"key export rsa REKEY ", kill, host="ks1"),
    "staging": Stop(r"^-----END PUBLIC KEY", interrupt_twice),
    "emptying": Stop(r"^yes$", kill),
    "in_the_window": Stop(r"key import rsa REKEY ", interrupt_twice, overwrite_next="never"),
    "saving": Stop(r"zeroize rsa REKEY.vpnops-new", kill, overwrite_next="never"),
}


def group_of_two() -> list[DeviceSpec]:
    return [key_server(1, "ios15", key(0), of=2), key_server(2, "xe17", key(1, exportable=False), of=2)]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "in_the_window" else [pytest.mark.thorough]) for name in STOPS]
)
def test_ansible_is_killed(
    name: str, start_fleet: Callable[..., Fleet], control_node: Callable[[Fleet], ControlNode]
) -> None:
    stop = STOPS[name]
    fleet = start_fleet(*group_of_two())
    node, devices = control_node(fleet), {device.name: device for device in fleet}
    was = rounds.before(devices, target=devices["ks1"].keys[LABEL].fingerprint)
    devices[stop.host].set_fault(cut={"at": stop.line, "unit": "line", "do": "hang"})
    with started(node, SYNC, "-e", "key_server_sync_overwrite=always") as process:
        wait_for_cut(devices[stop.host], process)
        stop.how(process)
        process.wait(20)
    devices[stop.host].clear_faults()
    assert not rounds.mishaps(was, devices)
    wrong = rounds.watch(was, devices)
    done = node.run(SYNC, "-e", f"key_server_sync_overwrite={stop.overwrite_next}")
    assert done.code == 0, done.output
    assert not wrong, "\n".join(wrong)
    assert not rounds.unfinished(devices)
    assert fleet["ks2"].keys[LABEL].fingerprint == was.target
    saves = [device.saves for device in fleet]
    assert node.run(SYNC).code == 0
    assert [device.saves for device in fleet] == saves


@pytest.mark.parametrize("do", ["drop", "reload"])
def test_ansible_loses_a_device(
    do: str, start_fleet: Callable[..., Fleet], control_node: Callable[[Fleet], ControlNode]
) -> None:
    """In the window: the run says what happened and what to do; the next one needs no consent."""
    fleet = start_fleet(*group_of_two())
    node, devices = control_node(fleet), {device.name: device for device in fleet}
    was = rounds.before(devices, target=devices["ks1"].keys[LABEL].fingerprint)
    devices["ks2"].set_fault(cut={"at": r"key import rsa REKEY ", "do": do})
    lost = node.run(SYNC, "-e", "key_server_sync_overwrite=always")
    assert lost.code == 2
    assert "ks2: the device closed the session unexpectedly" in " ".join(lost.output.split())
    asyncio.run(rounds.back(devices))
    assert not rounds.mishaps(was, devices)
    devices["ks2"].clear_faults()
    done = node.run(SYNC, "-e", f"key_server_sync_overwrite={'never' if do == 'drop' else 'always'}")
    assert done.code == 0, done.output
    assert not rounds.unfinished(devices)
