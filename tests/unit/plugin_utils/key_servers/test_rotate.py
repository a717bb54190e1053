# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rotations of groups with a key server that lies: it harms its own group at most, and the others have their turn."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn import Survey
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_config import Group
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_coop import Coop, CoopPeer
from ansible_collections.vpnops.keys.plugins.module_utils._ios.getvpn_members import Rekeys
from ansible_collections.vpnops.keys.plugins.module_utils._ios.key_listings import KeyRing, RsaKey
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation import CoopFact, Facts, Policy, Rotation
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation_steps import Prepare, Switch
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers import execute, rotate, rotations
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.live_group import LiveGroup, live_groups
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.rotate import NO_EFFECT, Clock, Rotator, Wanted
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.rotation_store import RotationStore
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.rotations import Found

ADDRESSES = {"ks1": ("192.0.2.1",), "ks2": ("192.0.2.2",), "ks9": ("192.0.2.9",)}
LOOKS = 60
"""Nothing that a test does here takes more of them."""


def key(label: str) -> RsaKey:
    return RsaKey(label, "general", 2048, True, "private-config", True, False, "", label.encode())


def survey(host: str, label: str, *peers: str, name: str = "G", saved: bool = True) -> Survey:
    others = tuple(ADDRESSES[peer][0] for peer in peers)
    own = ADDRESSES[host][0]
    group = Group(name, "gdoi", "7", label, 100, others, own, redundancy=bool(peers), local_server=True)
    role: Any = "Secondary" if host == "ks2" else "Primary"
    theirs: Any = "Primary" if host == "ks2" else "Secondary"
    sessions = tuple(CoopPeer(other, 90, theirs, "Alive", heard=1) for other in others)
    coop = {name: Coop(True, own, 100, role, "Alive", sessions)} if peers else {}
    startup = (group if saved else dataclasses.replace(group, label="ELSE"),)
    return Survey(KeyRing((key("OLD"), key("NEW"))), (group,), coop, (), (), {name: Rekeys(1)}, "15.7", startup)


class World:
    """Key servers that show what they like. Steps have no effect but that they are noted, and waiting takes no time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, show: Callable[[str, int], Any]) -> None:
        self.show, self.looks, self.passed = show, 0, 0.0
        self.slow: dict[str, asyncio.Event] = {}
        """Key servers that answer when that happens."""
        self.steps: list[Any] = []
        self.store = RotationStore(str(folder))
        monkeypatch.setattr(rotate, "observe", self._look)
        monkeypatch.setattr(Rotator, "OPERATIONS", dict.fromkeys(Rotator.OPERATIONS, self._note))
        monkeypatch.setattr(execute, "LOCKS", str(folder / "locks"))

    async def _look(self, targets: list[Any], *_more: Any) -> dict[str, Any]:
        self.looks += 1
        assert self.looks < LOOKS, "it does not come to an end"
        for target in targets:
            if target.name in self.slow:
                await self.slow[target.name].wait()
        return {target.name: self.show(target.name, self.looks) for target in targets}

    async def _note(self, _rotator: Rotator, step: Any) -> None:
        self.steps.append(step)

    async def _sleep(self, seconds: float) -> None:
        self.passed += seconds

    def group(self, live: LiveGroup, record: Rotation, **wanted_: Any) -> Found:
        @dataclasses.dataclass
        class Target:
            name: str

        class Pool:
            async def close(self, _hosts: Any) -> None:
                pass

        targets: Any = {host: Target(host) for host in live.hosts}
        pool: Any = Pool()
        clock, wanted = Clock(lambda: self.passed, self._sleep), Wanted(**{"policy": Policy(emergency=True), **wanted_})
        rotator = Rotator(live, targets, ADDRESSES, record, self.store, pool, wanted, clock, lambda _text: None)
        return Found(live, record, rotator)


async def _awaited(work: Awaitable[None]) -> None:
    await work


PAIR = LiveGroup("G", "7", {"ks1": "G", "ks2": "G"})
LONE = LiveGroup("H", "8", {"ks9": "H"})


def flapping(host: str, look: int) -> Survey:
    """ks2 names one label after the other, and says that it saves neither."""
    if host == "ks9":
        return survey("ks9", "NEW", name="H")
    if host == "ks1":
        return survey("ks1", "NEW", "ks2")
    return survey("ks2", "OLD" if look % 2 else "NEW", "ks1", saved=False)


def test_a_key_server_that_undoes_each_step_comes_to_an_end_and_stops_no_other_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, tmp_path, flapping)
    liar = world.group(PAIR, Rotation("G", "OLD", "NEW", "primary"))
    other = world.group(LONE, Rotation("H", "OLD", "NEW", "retired"))
    asyncio.run(rotations.run([liar, other], {}, 1000))
    assert (liar.outcome, other.outcome) == ("failed", "done")
    assert "lasting effect" in str(liar.error)
    assert max(world.steps.count(step) for step in world.steps) == NO_EFFECT


def test_a_slow_key_server_delays_its_own_group_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In an emergency nobody has the half hour that it can take."""
    world = World(monkeypatch, tmp_path, lambda host, _look: survey(host, "NEW", name="H" if host == "ks9" else "G"))
    slow = world.group(LiveGroup("G", "7", {"ks1": "G"}), Rotation("G", "OLD", "NEW", "retired"))
    other = world.group(LONE, Rotation("H", "OLD", "NEW", "retired"))

    async def both() -> None:
        world.slow["ks1"] = asyncio.Event()
        work = asyncio.ensure_future(rotations.run([slow, other], {}, 1000))
        while other.outcome != "done":
            await asyncio.sleep(0)
        assert slow.outcome == "blocked"
        world.slow["ks1"].set()
        await work

    asyncio.run(asyncio.wait_for(both(), 10))
    assert (slow.outcome, other.outcome) == ("done", "done")


@pytest.mark.parametrize(
    ("hosts", "policy", "at_once"),
    [
        (("ks9", "ks9"), Policy(emergency=True), 1),
        (("ks1", "ks9"), Policy(emergency=True), 2),
        (("ks1", "ks9"), Policy(canary=True), 1),
        (("ks1", "ks9"), Policy(allow_split=True), 1),
    ],
    ids=["shared", "apart", "canary", "split"],
)
def test_groups_that_share_a_key_server_or_try_something_out_take_turns(
    hosts: tuple[str, str], policy: Policy, at_once: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What one finds out must be known before the next one is changed."""
    world = World(monkeypatch, tmp_path, lambda host, _look: survey(host, "NEW", name="H"))
    both = [
        world.group(LiveGroup(name, identity, {host: "H"}), Rotation(name, "OLD", "NEW", "retired"), policy=policy)
        for host, (name, identity) in zip(hosts, (("G", "7"), ("H", "8")), strict=True)
    ]
    at_work = most = 0

    async def counted(self: Rotator, *more: Any) -> Any:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0)
        found = await advance(self, *more)
        at_work -= 1
        return found

    advance = Rotator.advance
    monkeypatch.setattr(Rotator, "advance", counted)
    asyncio.run(rotations.run(both, {}, 1000))
    assert [one.outcome for one in both] == ["done", "done"]
    assert most == at_once


def test_key_servers_that_split_are_not_left_with_two_labels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where it is to stop at the secondaries: what a killed run left is finished."""
    world = World(monkeypatch, tmp_path, lambda host, _look: survey(host, "OLD" if host == "ks1" else "NEW",
                                                                    "ks2" if host == "ks1" else "ks1"))  # fmt: skip
    world.store.keep_facts(Facts((CoopFact(("15.7",), "splits"),)))
    left = world.group(
        PAIR, Rotation("G", "OLD", "NEW", "canary"), policy=Policy(canary=True, allow_split=True), until="secondaries"
    )
    asyncio.run(rotations.run([left], {}, 1000))
    assert left.outcome != "reached"
    assert Switch(("ks1",), "NEW") in world.steps or Switch(("ks2", "ks1"), "NEW") in world.steps


def test_what_goes_wrong_with_one_group_is_told_of_it_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its record names a label that no key can have: neither the plan nor the work on others ends."""
    world = World(monkeypatch, tmp_path, lambda host, _look: survey(host, "NEW", name="H"))
    seen = {"ks9": survey("ks9", "NEW", name="H")}
    for act in (rotations.plan, rotations.observe):
        broken = world.group(LONE, Rotation("H", "OD D", "NEW"))
        asyncio.run(act(broken, seen))
        assert (broken.outcome, broken.error and broken.error.code) == ("failed", "bad_input")
        asyncio.run(rotations.run([broken], {}, 1000))
        assert not world.looks


def test_a_label_that_no_key_can_have_is_refused_for_its_group(tmp_path: Path) -> None:
    seen = {"ks9": survey("ks9", "ODD!", name="H")}
    with pytest.raises(VpnKeysError, match="The label 'ODD!' has characters other than"):
        rotations.record_for(LONE, seen, "NEW", None, RotationStore(str(tmp_path)))


def test_no_key_is_brought_to_whom_the_others_no_longer_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prepare = Rotator.OPERATIONS[Prepare]
    world = World(monkeypatch, tmp_path, flapping)
    found = world.group(PAIR, Rotation("G", "OLD", "NEW"))
    rotator = found.rotator
    assert rotator
    rotator.seen = {"ks1": survey("ks1", "OLD"), "ks2": survey("ks2", "OLD", "ks1")}
    with pytest.raises(VpnKeysError) as caught:
        asyncio.run(_awaited(prepare(rotator, Prepare("NEW", ("ks2",)))))
    assert str(caught.value) == (
        "ks1, ks2 do not name each other as peers of G any more. No key is imported to any of them. The rotation is in "
        "state surveyed; find out who changed their peers, then run again."
    )


def test_the_pair_of_these_tests_is_one_group() -> None:
    seen = {"ks1": survey("ks1", "OLD", "ks2"), "ks2": survey("ks2", "OLD", "ks1")}
    assert live_groups(seen, ADDRESSES) == [PAIR]
