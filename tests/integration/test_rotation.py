# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rotation of a live group on simulated key servers, in each of the four ways in which they may behave."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import typing as t
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
from integration.rotating import NEW, OLD, Killed, Stage, specs, stage

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation import Policy

WORLDS = [(rekey, strict) for rekey in ("in_band", "out_of_band") for strict in (False, True)]
thorough = pytest.mark.thorough
worlds = pytest.mark.parametrize(
    ("rekey", "strict"),
    [WORLDS[2], *(pytest.param(*one, marks=thorough) for one in (WORLDS[0], WORLDS[1], WORLDS[3]))],
)
"""One of them in each run of the tests; what is decided in each is in tests/unit/key_servers."""
Play = Callable[[Stage], Coroutine[t.Any, t.Any, None]]


PLAN = [
    "Generate an exportable key of 2048 bits under GETVPN-2 on one key server.",
    "Copy it to all key servers, and save: ks1, ks2, ks3 lack it.",
    (
        "Change the label to GETVPN-2 on ks2, ks3, one after the other, and save; after each, check for up to 60 "
        "seconds that all key servers receive each other's COOP messages, and restore the old label if not."
    ),
    "Change the label on the primary, ks1, and save. After this, it cannot be rolled back.",
    "Send a rekey of EUROPE from ks1.",
    "Wait until all 6 members have learned the new key; 6 of 6 may have to register again, within 3600 seconds.",
    "Send one more rekey, which every member must accept.",
    "Keep GETVPN-1 for 5400 more seconds, then remove it by its label on every key server, and save.",
]


def play(folder: Path, act: Play, *, servers: int = 3, members: int = 2, **switches: t.Any) -> None:
    async def whole() -> None:
        async with stage(folder, specs(servers, members, **switches)) as one:
            await act(one)

    asyncio.run(whole())


def changes(one: Stage, after: int = 0) -> list[str]:
    """The commands that change something, from the one of that number on."""
    return [line for _device, line in one.lines[after:] if line.startswith(("configure", "write", "crypto"))]


def world(rekey: str, strict: bool) -> dict[str, t.Any]:
    return {"rekey_new_key": rekey, "coop_needs_key": strict}


@worlds
def test_it_comes_to_its_end_and_finds_out_how_the_devices_behave(rekey: str, strict: bool, tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        found = await one.run()
        assert (found.outcome, found.why) == ("done", "")
        assert one.ended_well, one.end()
        release = next(iter(one.devices.values())).personality.version
        assert [(fact.releases, fact.behavior) for fact in one.facts.coop] == [
            ((release,), "splits" if strict else "hears")
        ]
        assert {fact.behavior for fact in one.facts.rekey} == {rekey}
        again = await one.run()
        assert (again.outcome, again.rotator and again.rotator.done) == ("done", [])

    play(tmp_path, act, **world(rekey, strict))


@pytest.mark.parametrize("personality", ["xe16", "xe17"])
def test_on_ios_xe(personality: str, tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        await one.run()
        assert one.ended_well, one.end()

    play(tmp_path, act, servers=2, personality=personality)


def test_a_run_in_check_mode_changes_nothing_and_says_all_of_it(tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        before = one.end()
        found = await one.run(check=True)
        assert found.outcome == "planned"
        assert list(found.plan) == PLAN
        assert one.end() == before
        assert not list(tmp_path.iterdir())
        assert not changes(one)

    play(tmp_path, act)


def test_phase_by_phase(tmp_path: Path) -> None:
    """Each phase ends where somebody may want to approve the next one."""

    async def act(one: Stage) -> None:
        for until, labels in (
            ("prepared", [OLD, OLD, OLD]),
            ("secondaries", [OLD, NEW, NEW]),
            ("verified", [NEW, NEW, NEW]),
        ):
            found = await one.run(until=t.cast(t.Any, until))
            assert found.outcome == "reached", found.why
            assert [label for _name, label, *_more in one.end()[0]] == labels
            assert {keys[4] for keys in one.end()[0]} == set(labels)
            before = len(one.lines)
            assert (await one.run(until=t.cast(t.Any, until))).outcome == "reached"
            assert not changes(one, before)
        assert all(OLD in device.keys for device in one.devices.values())
        assert (await one.run()).outcome == "done"
        assert one.ended_well

    play(tmp_path, act)


def test_an_abort_before_the_primary_leaves_no_trace(tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        before = one.end()
        await one.run(until="secondaries")
        one.policy = dataclasses.replace(one.policy, abort=True)
        assert (await one.run()).outcome == "done"
        assert one.end() == before
        assert {member.registrations for member in one.group.members.values()} == {1}
        one.policy = dataclasses.replace(one.policy, abort=False)
        await one.run()
        assert one.ended_well

    play(tmp_path, act)


def test_after_the_primary_there_is_no_abort(tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        await one.run(until="verified")
        one.policy = dataclasses.replace(one.policy, abort=True)
        found = await one.run()
        assert found.outcome == "blocked"
        assert found.why == (
            "The primary of EUROPE was changed to GETVPN-2, so members may hold it already, and rolling back costs as "
            "much as continuing. The rotation stays in state verified; "
            "continue, or start a rotation from GETVPN-2 to GETVPN-1."
        )
        assert {label for _name, label, *_more in one.end()[0]} == {NEW}

    play(tmp_path, act)


def test_a_member_that_is_off_is_named_and_nothing_else_is_done(tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        (gone, *_others) = sorted(one.group.members)
        one.group.stop(gone)
        found = await one.run(until="verified", seconds=9000)
        assert found.outcome == "waiting"
        assert found.decision
        assert found.decision.progress.overdue == (gone,)
        assert any(gone in text and "should have registered again" in text for text in one.told)
        one.policy = dataclasses.replace(one.policy, leave=(gone,))
        assert (await one.run(until="verified")).outcome == "reached"

    play(tmp_path, act, servers=2)


def test_what_nobody_knows_is_not_tried_without_consent(tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        one.policy = Policy()
        found = await one.run()
        assert found.outcome == "blocked"
        assert "set O(canary) to find out with this one" in found.why
        one.policy = Policy(canary=True)
        found = await one.run()
        assert found.outcome == "blocked"
        assert "set O(allow_split) if a split of this group does no harm" in found.why
        assert {label for _name, label, *_more in one.end()[0]} == {OLD}

    play(tmp_path, act)


@pytest.mark.parametrize("consent", [True, False])
def test_in_an_emergency_traffic_is_lost_with_consent_only(consent: bool, tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        one.policy = Policy(max_window=1, emergency=True, replace_now=consent, allow_split=True)
        assert (await one.run(until="verified")).outcome == "reached"
        assert any(line.endswith("replace-now") for _device, line in one.lines) is consent

    play(tmp_path, act, servers=2, rekey_new_key="in_band")


def test_a_record_that_somebody_edited_is_refused(tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        await one.run(until="secondaries")
        (path,) = tmp_path.glob("group-*.json")
        assert path.stat().st_mode & 0o777 == 0o600
        record = json.loads(path.read_text())
        record["record"]["state"] = "verified"
        path.write_text(json.dumps(record))
        with pytest.raises(VpnKeysError, match="does not have the signature of this control node"):
            await one.run()
        path.unlink()
        await one.run()
        assert one.ended_well

    play(tmp_path, act)


@pytest.mark.parametrize("use", ["ip ssh rsa keypair-name GETVPN-1"])
def test_an_old_key_that_something_else_uses_stays(use: str, tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        one.devices["ks2"].config.lines.append(use)
        with pytest.raises(VpnKeysError, match=f'still named there: "{use}"'):
            await one.run()
        assert OLD in one.devices["ks2"].keys
        one.devices["ks2"].config.lines.remove(use)
        await one.run()
        assert one.ended_well

    play(tmp_path, act)


def killed_at(folder: Path, number: int, pause: float, switches: dict[str, t.Any]) -> tuple[t.Any, ...]:
    """The end of a rotation whose first run was killed at a command, and whose next one came after the pause."""
    ends = []

    async def act(one: Stage) -> None:
        one.kill_at = one.commands + number
        try:
            await one.run()
        except Killed:
            one.pass_time(pause)
            await one.run()
        assert one.ended_well, one.end()
        ends.append((one.end(), one.facts))

    play(folder, act, servers=2, **switches)
    return t.cast("tuple[t.Any, ...]", ends[0])


def commands_of(folder: Path, switches: dict[str, t.Any]) -> int:
    counted = []

    async def act(one: Stage) -> None:
        before = one.commands
        await one.run()
        counted.append(one.commands - before)

    play(folder, act, servers=2, **switches)
    return int(counted[0])


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4, 0.7])
def test_killed_somewhere_another_run_ends_in_the_same_place(share: float, tmp_path: Path) -> None:
    switches = world("out_of_band", False)
    number = int(commands_of(tmp_path / "whole", switches) * share)
    killed_at(tmp_path / "killed", number, 300, switches)


def test_killed_between_removing_the_old_key_and_saving(tmp_path: Path) -> None:
    """No listing shows that a reload would bring it back."""

    async def act(one: Stage) -> None:
        one.kill_on = f"crypto key zeroize rsa {OLD}"
        with pytest.raises(Killed):
            await one.run()
        await one.run()
        assert one.ended_well, one.end()

    play(tmp_path, act, servers=2)


@thorough
@pytest.mark.parametrize(("rekey", "strict"), WORLDS)
@pytest.mark.parametrize("part", range(8))
def test_killed_at_any_command_another_run_ends_in_the_same_place(
    rekey: str, strict: bool, part: int, tmp_path: Path
) -> None:
    switches = world(rekey, strict)
    for number in range(1 + part, commands_of(tmp_path / "whole", switches) + 1, 8):
        killed_at(tmp_path / str(number), number, 1 if strict else 300, switches)


@thorough
@pytest.mark.parametrize("rekey", ["in_band", "out_of_band"])
def test_eight_key_servers_and_two_thousand_members(rekey: str, tmp_path: Path) -> None:
    async def act(one: Stage) -> None:
        found = await one.run(until="verified")
        assert found.outcome == "reached", found.why
        assert len(one.group.members) == 2000
        assert {label for _name, label, *_more in one.end()[0]} == {NEW}

    play(tmp_path, act, servers=8, members=250, rekey_new_key=rekey)
