# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from integration.control_node import ControlNode, Data
from integration.devices import LABEL, NAMES, group_of, key, spec, unchanged, writes

from lab import DeviceSpec, Fleet, GroupSpec, KeySpec

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]
LOOK: list[Data] = [{"name": "look", "vpnops.keys.getvpn_info": {}}]
K1 = KeySpec(LABEL, 1)


def test_one_group_on_every_release(start_fleet: StartFleet, control_node: MakeNode) -> None:
    releases = dict(zip(("ks1", "ks2", "ks3"), NAMES, strict=True))
    fleet = start_fleet(
        *group_of(*((name, release, () if name == "ks3" else (K1,)) for name, release in releases.items())),
        spec("lonely", "xe17", KeySpec("X"), address="10.7.7.7"),
    )
    with unchanged(fleet):
        run = control_node(fleet).run(LOOK)
    assert run.code == 0, run.output
    assert run.result("look", "lonely")["groups"] == []
    for number, name in enumerate(releases):
        assert not run.changed("look", name)
        (group,) = run.result("look", name)["groups"]
        expected: dict[str, Any] = {
            "name": "GETVPN",
            "identity": "1",
            "label": LABEL,
            "priority": 100 - number,
            "address": f"10.0.1.{number + 1}",
            "role": "Primary" if number == 0 else "Secondary",
            "fingerprint": None if name == "ks3" else key(1).fingerprint,
            "registered": 2,
            "acks_missed": 0,
        }
        assert {field: group[field] for field in expected} == expected
        assert sorted(group["peers"]) == [f"10.0.1.{i + 1}" for i in range(3) if i != number]
        assert {peer["role"] for peer in group["coop"]["peers"]} <= {"Primary", "Secondary"}
        if name != "ks3":
            assert group["policy"]["kek"]["sig_key_label"] == LABEL
            assert len(group["policy"]["teks"]) == 1
        assert [member["state"] for member in group["members"]] == ["Registered"] * 2
    assert all(device.sessions == 1 and not writes(device) for device in fleet)


def test_several_groups_old_and_new_syntax(start_fleet: StartFleet, control_node: MakeNode) -> None:
    keys = [KeySpec("A", 1), KeySpec("B", 2)]
    groups = [
        GroupSpec("OLD", 10, "A", 50, ["10.0.0.2"], members=1),
        GroupSpec("NEW", 20, "B", 60, ["10.0.0.2"], members=3, kind="gkm"),
        GroupSpec("SHARED", 30, "A", 70, ["10.0.0.2"]),
    ]
    switches: dict[str, dict[str, Any]] = {
        "ks1": {},
        "ks2": {"sig_key_length": "bits"},
        "ks3": {"coop_needs_key": True},
    }
    devices = [
        DeviceSpec(name, "xe16", f"10.0.0.{number}", keys=keys, groups=groups if number < 3 else [], overrides=switch)
        for number, (name, switch) in enumerate(switches.items(), 1)
    ]
    fleet = start_fleet(*devices)
    run = control_node(fleet).run(LOOK)
    assert run.code == 0, run.output
    assert run.result("look", "ks3")["groups"] == []
    found = {group["name"]: group for group in run.result("look", "ks1")["groups"]}
    assert {name: (group["kind"], group["label"], group["registered"]) for name, group in found.items()} == {
        "OLD": ("gdoi", "A", 1),
        "NEW": ("gkm", "B", 3),
        "SHARED": ("gdoi", "A", 0),
    }
    assert found["NEW"]["fingerprint"] == key(2).fingerprint


def test_errors(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(
        spec("low", "ios15", login_privilege=7, enable=None),
        spec("drops", "xe16", faults={"cut": "running-config"}),
        spec("closed", faults={"closed": True}),
    )
    run = control_node(fleet).run(LOOK)
    codes = {"low": "no_privilege", "drops": "session_lost", "closed": "unreachable"}
    for name, code in codes.items():
        assert run.error("look", name)[0] == code
        assert run.error("look", name)[1].startswith(f"{name}: ")
