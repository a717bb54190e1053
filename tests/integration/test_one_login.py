# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often a sync logs in, by the count of the devices, without a process of Ansible for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest
from integration import rounds
from integration.control_node import ControlNode, Data
from integration.devices import LABEL, group_of, held, key, writes

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._ios import rsa_keys
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios import session
from lab import DeviceSpec, Fleet, KeySpec
from lab.device import Device

STARTS = {
    "missing": [
        rounds.key_server(1, "ios15", rounds.key(1)),
        rounds.key_server(2, "xe17"),
        rounds.key_server(3, "xe16"),
    ],
    "conflict": [
        rounds.key_server(number, release, rounds.key(number))
        for number, release in ((1, "xe17"), (2, "ios15"), (3, "xe16"))
    ],
}
SHOW = "show crypto key mypubkey rsa"


def hang_up(device: Device) -> None:
    """As a device does with sessions that were idle for too long: the client hears of it."""
    for shell in list(device.shells.values()):
        shell.gone()


def hang_up_when_asked(device: Device) -> None:
    """The client hears of it only when it says something."""
    device.set_fault(cut={"at": SHOW, "unit": "line"})


def sessions(devices: Mapping[str, Device]) -> list[int]:
    return [device.sessions for device in devices.values()]


@pytest.mark.parametrize("start", STARTS)
def test_looked_worked_and_proved_in_one_session(start: str) -> None:
    async def run() -> None:
        async with rounds.running(STARTS[start]) as devices, session.SessionPool() as pool:
            outcome = await rounds.observe(devices, reader=pool.read, overwrite=True)
            await rounds.carry(outcome, devices, pool)
            lines = {name: len(device.log) for name, device in devices.items()}
            proof = await rounds.observe(devices, reader=pool.read, overwrite=True)
            assert (outcome.told, proof.plan.verdict) == ("", "in_sync")
            assert sessions(devices) == [1, 1, 1]
            for name, device in devices.items():
                said = [entry.text for entry in list(device.log)[lines[name] :]]
                assert SHOW in said, "the proof is what the device says now"
                assert "show running-config | section crypto g" in said

    asyncio.run(run())


@pytest.mark.parametrize("lose", [hang_up, hang_up_when_asked])
@pytest.mark.parametrize("when", ["before the work", "before the proof"])
def test_a_device_that_ended_its_session_is_logged_in_to_once_more(
    when: str, lose: Callable[[Device], None]
) -> None:
    async def run() -> None:
        async with rounds.running(STARTS["conflict"]) as devices, session.SessionPool() as pool:
            outcome = await rounds.observe(devices, reader=pool.read, overwrite=True)
            if when == "before the work":
                lose(devices["ks2"])
            await rounds.carry(outcome, devices, pool)
            if when == "before the proof":
                lose(devices["ks2"])
            proof = await rounds.observe(devices, reader=pool.read, overwrite=True)
            assert (outcome.told, proof.plan.verdict) == ("", "in_sync")
            assert sessions(devices) == [1, 2, 1]

    asyncio.run(run())


def test_a_device_that_ends_each_session_is_not_logged_in_to_for_ever() -> None:
    async def run() -> None:
        async with rounds.running(STARTS["missing"]) as devices, session.SessionPool() as pool:
            device = devices["ks1"]
            target = rounds.target(device)
            await pool.read(target, rsa_keys.observe)
            rounds.at_each_line(device, lambda entry: hang_up(device) if entry.text == SHOW else None)
            with pytest.raises(VpnKeysError) as caught:
                await pool.read(target, rsa_keys.observe)
            assert caught.value.code == "session_lost"
            assert device.sessions == 2
            with pytest.raises(VpnKeysError):
                await pool.read(target, rsa_keys.observe)
            assert device.sessions == 3, "a session that is new is not repeated"

    asyncio.run(run())


def task(**options: object) -> Data:
    module = {"hosts": "{{ groups.key_servers }}", "verify": True, **options}
    return {"name": "sync", "vpnops.keys.ios_rsa_key_sync": module, "run_once": True}


def fleet_of(*keys: int | None) -> Sequence[DeviceSpec]:
    return group_of(*((f"ks{n}", "xe17", (KeySpec(LABEL, one),) if one else ()) for n, one in enumerate(keys, 1)))


def test_one_login_per_key_server(
    start_fleet: Callable[..., Fleet], control_node: Callable[[Fleet], ControlNode]
) -> None:
    """With and without work, held for consent, and in check mode; the proof is of what stands there afterwards."""
    fleet = start_fleet(*fleet_of(1, 2, None))
    node = control_node(fleet)
    held_back = node.run([task(hold_for_consent=True)]).result("sync")
    checked = node.run([task(overwrite=True)], "--check").result("sync")
    assert not any(writes(device) for device in fleet)
    assert [(one["held"], one["proof"]) for one in (held_back, checked)] == [(True, None), (False, None)]
    assert held_back["found"]["units"][0]["needs_consent"]
    assert (held_back["changed"], checked["changed"]) == (False, True)

    done = node.run([task(overwrite=True, hold_for_consent=True)]).result("sync")
    assert [one["verdict"] for one in done["found"]["units"]] == ["conflict"]
    assert done["proof"]["in_sync"]
    assert {one["fingerprint"] for one in done["proof"]["units"][0]["key_servers"]} == {key(1).fingerprint}
    assert {held(device)[LABEL][0] for device in fleet} == {key(1).fingerprint}
    again = node.run([task()]).result("sync")
    assert (again["changed"], again["found"]["in_sync"], again["proof"]) == (False, True, None)
    assert [device.sessions for device in fleet] == [4, 4, 4]


def test_what_fails_is_told_with_a_proof(
    start_fleet: Callable[..., Fleet], control_node: Callable[[Fleet], ControlNode]
) -> None:
    """The one that lost its session in the work is looked at in a new one. With more key servers than sessions at once,
    those for the work are opened after the look, and all again for the proof."""
    fleet = start_fleet(*fleet_of(1, None, None))
    fleet["ks3"].set_fault(cut={"at": "Proc-Type", "unit": "line"})
    node = control_node(fleet)
    run = node.run([task()])
    assert run.status("sync") == "failed", run.output
    failed = run.result("sync")
    assert [unit["left"] for unit in failed["units"]] == [["ks3"]]
    found = {one["host"]: one["fingerprint"] for one in failed["proof"]["units"][0]["key_servers"]}
    assert found == {"ks1": key(1).fingerprint, "ks2": key(1).fingerprint, "ks3": None}
    assert [device.sessions for device in fleet] == [1, 1, 2]
    few = node.run([task(parallel=2)]).result("sync")
    assert (few["units"][0]["done"], few["proof"]["in_sync"]) == ({"ks3": ["imported", "saved"]}, True)
    assert [device.sessions for device in fleet] == [1 + 3, 1 + 2, 2 + 3]
