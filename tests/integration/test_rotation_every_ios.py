# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rotation of a live group on every release, on every way in which a device may behave where nobody knows, and
through a reload of every key server after each phase: what was given to them is what they have then."""

from __future__ import annotations

import asyncio
import dataclasses
import typing as t
from pathlib import Path

import pytest
from integration.devices import NAMES, NOT_FOR_KEYS, variants
from integration.rotating import NEW, OLD, Stage, specs, stage
from integration.rounds import back

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation import Policy
from lab.device import Device
from lab.personality import PERSONALITIES, choices

PHASES = ("prepared", "timed", "canary", "secondaries", "primary", "learning", "verified", "retired")
PARTS = 6
thorough = pytest.mark.thorough


def ways(personality: str) -> dict[str, dict[str, t.Any]]:
    """One for every value of every switch, also of those that nothing but a rotation can be tried with."""
    base = PERSONALITIES[personality]
    more = {
        f"{name}-{value}": {name: value}
        for name in NOT_FOR_KEYS
        for value in choices(name)
        if value != getattr(base, name)
    }
    return {personality: {}, **variants(personality), **more}


def holds(device: Device) -> tuple[t.Any, ...]:
    """The keys and labels of a device, without whether they are saved."""
    keys = {label: (key.fingerprint, key.exportable) for label, key in device.keys.items()}
    return keys, {name: group.label for name, group in device.config.groups.items()}


async def reload_all(one: Stage) -> None:
    """Every key server, one after the other; none of them may lose anything, or get anything back."""
    for name, device in one.devices.items():
        before = holds(device)
        device.reload()
        await back(one.devices)
        assert holds(device) == before, f"{name} after a reload"


def play(folder: Path, act: t.Callable[[Stage], t.Awaitable[None]], personality: str, **switches: t.Any) -> None:
    async def whole() -> None:
        async with stage(folder, specs(2, 1, personality, **switches)) as one:
            await act(one)

    asyncio.run(whole())


@pytest.mark.parametrize("personality", [NAMES[0], *(pytest.param(name, marks=thorough) for name in NAMES[1:])])
def test_what_was_given_to_the_devices_holds_after_a_reload_in_every_phase(personality: str, tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        for phase in PHASES:
            found = await one.run(until=t.cast(t.Any, phase))
            assert found.outcome in ("reached", "done"), (phase, found.why)
            await reload_all(one)
        assert one.ended_well, one.end()

    play(tmp_path, act, personality)


@pytest.mark.parametrize("personality", [NAMES[0], *(pytest.param(name, marks=thorough) for name in NAMES[1:])])
def test_after_an_abort_a_reload_brings_nothing_of_the_new_key_back(personality: str, tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        await one.run(until="secondaries")
        one.policy = dataclasses.replace(one.policy, abort=True)
        assert (await one.run()).outcome == "done"
        await reload_all(one)
        assert {tuple(sorted(device.keys)) for device in one.devices.values()} == {(OLD,)}

    play(tmp_path, act, personality)


@thorough
@pytest.mark.parametrize("personality", NAMES)
def test_what_an_emergency_changed_holds_after_a_reload(personality: str, tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        one.policy = Policy(max_window=1, emergency=True, replace_now=True, allow_split=True)
        found = await one.run(until="verified")
        assert found.outcome == "reached", found.why
        await reload_all(one)
        assert {device.config.groups["EUROPE"].label for device in one.devices.values()} == {NEW}

    play(tmp_path, act, personality)


@thorough
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("personality", NAMES)
def test_a_rotation_ends_well_on_every_device(personality: str, part: int, tmp_path: Path) -> None:
    """A whole rotation for each way to behave, and a reload of all at its end."""

    async def act(one: Stage) -> None:
        found = await one.run()
        assert (found.outcome, found.why) == ("done", "")
        assert one.ended_well, one.end()
        await reload_all(one)
        assert one.ended_well, one.end()

    for name, switches in list(ways(personality).items())[part::PARTS]:
        try:
            play(tmp_path / name, act, personality, **switches)
        except Exception as error:
            raise AssertionError(f"a device with {name}: {error}") from error


def test_every_switch_is_tried() -> None:
    tried = {switch for personality in NAMES for switches in ways(personality).values() for switch in switches}
    missing = {
        field.name for field in dataclasses.fields(PERSONALITIES[NAMES[0]]) if choices(field.name)
    } - tried
    assert not missing
