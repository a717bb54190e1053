# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two syncs of the same key servers at once: one waits its turn, or whatever they make of it together is told."""

from __future__ import annotations

import asyncio
import random
import typing as t
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from integration import rounds
from integration.control_node import ControlNode
from integration.processes import SYNC, kill, started, wait_for_cut
from integration.rounds import LABEL, Outcome, key, key_server

from ansible_collections.vpnops.keys.plugins.plugin_utils.ios import session
from lab import DeviceSpec, Fleet
from lab.device import Device, StoredKey

STARTS: dict[str, list[DeviceSpec]] = {
    "absent": [key_server(1, "ios15"), key_server(2, "xe16"), key_server(3, "xe17")],
    "missing": [key_server(1, "xe17", key(0)), key_server(2, "ios15"), key_server(3, "xe16", key(0))],
    "conflict": [key_server(1, "ios15", key(0)), key_server(2, "xe16", key(1)), key_server(3, "xe17", key(2))],
    "none_exportable": [
        key_server(1, "xe16", key(0, exportable=False)),
        key_server(2, "xe17", key(0, exportable=False)),
        key_server(3, "ios15"),
    ],
}
QUICK, PAIRS = 5, 50
THOROUGH = [pytest.param(seed, marks=pytest.mark.thorough) for seed in range(QUICK, PAIRS)]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices from which a run took the last of the keys under the label and the scratch label, although it had
    seen that it is the last. IOS removes no key on condition that another one is there, so two removals can cross; then
    the key is in the hands of the run that emptied the label, and it imports it next."""
    found: list[str] = []

    def keys(device: Device) -> Mapping[str, StoredKey]:
        return t.cast("Mapping[str, StoredKey]", vars(device)["kept"])

    def keep(device: Device, keys: Mapping[str, StoredKey]) -> None:
        both = {LABEL, rounds.SCRATCH}
        log = list(vars(device).get("log", ()))
        if both & set(vars(device).get("kept", ())) == both:
            vars(device)["alone"] = len(log)  # the place in the log at which one of them is removed, if it is
        if len(both & set(vars(device).get("kept", ()))) == 1 and not both & set(keys):
            looked = {one.session for one in log[vars(device).get("alone", 0) :] if "show crypto key" in one.text}
            found.extend([device.name] * (log[-1].session in looked))
        vars(device)["kept"] = keys

    monkeypatch.setattr(Device, "keys", property(keys, keep), raising=False)
    return found


@pytest.mark.parametrize("seed", [*range(QUICK), *THOROUGH])
@pytest.mark.parametrize("start", STARTS)
def test_two_control_nodes(start: str, seed: int, bare: list[str]) -> None:
    """Never do both say "in sync" about different keys. At the end of both no label is empty that had a key, and none
    at all unless both were told why. IOS can only empty a label and fill it again: no run does that, or removes the
    scratch key, where it sees nothing under the other of the two, from where a run that is resumed puts the key in
    place (test_kill.py cuts a run at each of its lines)."""
    wrong = asyncio.run(_together(STARTS[start], random.Random(f"{start} {seed}")))
    wrong += [f"{name} was left without both keys" for name in bare]
    assert not wrong, f"{start}, seed {seed}: " + "\n".join(wrong)


async def _together(specs: list[DeviceSpec], chance: random.Random) -> list[str]:
    async with rounds.running(specs) as devices:
        before = {name: device.keys.get(LABEL) for name, device in devices.items()}
        for device in devices.values():
            device.set_fault(latency_ms=chance.choice([0, 0, 1, 2, 4]), generation_seconds=chance.choice([0, 0.02]))
        offset = chance.choice([0, 0, chance.uniform(0, 0.05), chance.uniform(0, 0.3)])
        outcomes, proofs = zip(*await asyncio.gather(_run(devices, 0), _run(devices, offset)), strict=True)
        for device in devices.values():
            device.clear_faults()
        proof = (await rounds.observe(devices, overwrite=True)).plan
        left = rounds.unfinished(devices)
        wrong = []
        if left and proof.verdict == "in_sync" and not proof.steps:
            wrong.append(f"the proof does not tell: {left}")
        if left and not proof.steps and not any(outcome.told for outcome in outcomes):
            wrong.append(f"nobody tells: {left}")
        content = {
            one.plan.fingerprint
            for run, one in zip(outcomes, proofs, strict=True)
            if not run.told and one.plan.verdict == "in_sync"
        }
        if len(content) > 1:
            wrong.append(f"offset {offset}: both runs say in sync, one about another key: {content}")
        everybody_told = all(outcome.told for outcome in outcomes)
        wrong += [
            f"the label of {name} was left empty" for name in _without(devices) if before[name] or not everybody_told
        ]
        done = await rounds.sync(devices, overwrite=True)
        wrong += [f"the next run ended with: {done.told}"] if done.told else []
        wrong += [f"the label of {name} is empty" for name in _without(devices)]
        return wrong + rounds.unfinished(devices)


async def _run(devices: Mapping[str, Device], offset: float) -> tuple[Outcome, Outcome]:
    """A sync, and the comparison after it that proves it: what the role does."""
    await asyncio.sleep(offset)
    done = await rounds.sync(devices, patience=5, overwrite=True)
    return done, await rounds.observe(devices, patience=5, overwrite=True)


def _without(devices: Mapping[str, Device]) -> list[str]:
    return [name for name, device in devices.items() if LABEL not in device.keys]


def test_the_same_control_node(start_fleet: Callable[..., Fleet], control_node: Callable[[Fleet], ControlNode]) -> None:
    """The second run is told so and changes nothing; when the first is gone, so is the lock."""
    fleet = start_fleet(key_server(1, "ios15", key(0), of=2), key_server(2, "xe17", key(1), of=2))
    node, devices = control_node(fleet), {device.name: device for device in fleet}
    devices["ks2"].set_fault(cut={"at": "key import", "do": "hang"})
    with started(node, SYNC, "-e", "key_server_sync_overwrite=always") as first:
        wait_for_cut(devices["ks2"], first)
        was = rounds.before(devices, target=None)
        second = node.run(SYNC, "-e", "key_server_sync_overwrite=always")
        assert second.code == 2
        assert "Another run is changing key REKEY" in second.result("ios_rsa_key_sync")["msg"]
        assert rounds.before(devices, target=None) == was
        kill(first)
    devices["ks2"].clear_faults()
    third = node.run(SYNC, "-e", "key_server_sync_overwrite=always")
    assert third.code == 0, third.output
    assert not rounds.unfinished(devices)


def test_two_homes(start_fleet: Callable[..., Fleet], tmp_path: Path) -> None:
    """Two control nodes know nothing of each other: either both are content with the outcome, or one is told."""
    fleet = start_fleet(key_server(1, "ios15", key(0), of=2), key_server(2, "xe17", key(1), of=2))
    devices = {device.name: device for device in fleet}
    nodes = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        nodes.append(ControlNode(tmp_path / name, fleet.inventory()))
    arguments = (SYNC, "-e", "key_server_sync_overwrite=always")
    with started(nodes[0], *arguments) as first, started(nodes[1], *arguments) as second:
        output = [process.communicate(timeout=60)[0] for process in (first, second)]
        codes = [process.returncode for process in (first, second)]
    assert set(codes) <= {0, 2}, output
    assert 2 in codes or not rounds.unfinished(devices), output
    done = nodes[0].run(*arguments)
    assert done.code == 0, done.output
    assert not rounds.unfinished(devices)


@pytest.mark.parametrize("start", STARTS)
def test_a_plan_that_has_grown_old(start: str) -> None:
    """Somebody else was faster between the plan and the first write: nothing is changed, and the run says so."""
    asyncio.run(_too_late(STARTS[start]))


async def _too_late(specs: list[DeviceSpec]) -> None:
    async with rounds.running(specs) as devices:
        old = await rounds.observe(devices, overwrite=True)
        assert not (await rounds.sync(devices, overwrite=True)).told
        was = rounds.before(devices, target=None)
        async with session.SessionPool() as kept:
            await rounds.carry(old, devices, kept)
        assert "has changed since the plan was made" in old.told
        assert rounds.before(devices, target=None) == was
