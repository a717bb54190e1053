# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from integration.control_node import ControlNode, Data
from integration.devices import LABEL, NAMES, group_of, key, one_time_passphrases, spec, unchanged, writes

from lab import DeviceSpec, Fleet, KeySpec

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]
ALL = "{{ groups.key_servers }}"
K1, K2 = KeySpec(LABEL, 1), KeySpec(LABEL, 2)


def task(name: str = "compare", **options: Any) -> Data:
    return {"name": name, "vpnops.keys.ios_rsa_key_compare": {"hosts": ALL, **options}, "run_once": True}


def rows() -> list[DeviceSpec]:
    """One group per row of the plan; the label is the name of the group."""

    def group(identity: int, name: str, *keys: KeySpec | None) -> list[DeviceSpec]:
        copies = [(dataclasses.replace(one, label=name),) if one else () for one in keys]
        devices = [(f"{name}{number}", NAMES[number % 3], one) for number, one in enumerate(copies)]
        return group_of(*devices, name=name.upper(), identity=identity, label=name)

    return [
        *group(1, "equal", K1, K1, K1),
        *group(2, "absent", None, None),
        *group(3, "missing", None, K1, K1),
        *group(4, "kept", dataclasses.replace(K1, exportable=False), None),
        *group(5, "conflict", K1, K2, None),
        *group(6, "weak", KeySpec("", 0, bits=1024), None),
        *group(7, "usage", KeySpec("", 4, usage="signature"), None),
        *group(8, "unsaved", K1, dataclasses.replace(K1, saved=False)),
        *group(9, "closed", K1, None),
    ]


def test_every_row_of_the_plan(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*rows(), spec("lonely", "xe17", KeySpec("X"), address="10.9.9.9"))
    fleet["closed1"].set_fault(closed=True)
    with unchanged(fleet):
        run = control_node(fleet).run(
            [task(), task("overwrite", overwrite=True), task("weak", allow_weak_source=True), task("check")], "--diff"
        )
    assert run.code == 0, run.output
    assert not run.changed("compare")
    assert not run.result("compare")["in_sync"]
    units = {unit["label"]: unit for unit in run.result("compare")["units"]}
    with_consent = {unit["label"]: unit for unit in run.result("overwrite")["units"]}
    with_weak = {unit["label"]: unit for unit in run.result("weak")["units"]}
    shown = {
        name: (unit["verdict"], bool(unit["blocked"]), unit["needs_consent"], [step["kind"] for step in unit["steps"]])
        for name, unit in units.items()
    }
    assert {name: verdict for name, (verdict, *dummy) in shown.items()} == {
        "equal": "in_sync",
        "absent": "absent",
        "missing": "missing",
        "kept": "missing",
        "conflict": "conflict",
        "weak": "missing",
        "usage": "missing",
        "unsaved": "in_sync",
        "closed": "unknown",
    }
    assert shown["equal"] == ("in_sync", False, False, [])
    assert shown["absent"][1:] == (False, False, ["generate", "save", "distribute", "save"])
    assert shown["missing"][1:] == (False, False, ["distribute", "save"])
    assert shown["unsaved"][3] == []
    for name in ("kept", "conflict", "weak", "usage"):
        assert shown[name][1:] == (True, True, []), name
        assert units[name]["would"] == with_consent[name]["steps"] != []
        assert units[name]["digest"] == with_consent[name]["digest"]
    assert shown["closed"][1:] == (True, False, [])
    assert units["missing"]["source"] == "missing1"
    assert units["missing"]["primary"] == "missing0"
    assert units["conflict"]["replaces"] == ["conflict1"]
    assert units["conflict"]["fingerprint"] == key(1).fingerprint
    assert with_weak["weak"]["steps"][0]["source"] == "weak0"
    assert "1024 bits" in units["weak"]["blocked"]
    assert "signature" in units["usage"]["blocked"]
    assert units["missing"]["registered_members"] == {"MISSING": 6}
    problems = run.result("compare")["problems"]
    assert list(problems) == ["closed1"]
    assert problems["closed1"].startswith("closed1: 127.0.0.1 port ")
    assert problems["closed1"] in str(units["closed"])
    assert run.result("compare")["ungrouped"] == ["lonely"]
    seen = {server["host"]: server for unit in units.values() for server in unit["key_servers"]}
    assert seen["equal0"]["role"] == "Primary"
    assert seen["equal1"]["role"] == "Secondary"
    assert (seen["unsaved0"]["saved"], seen["unsaved1"]["saved"]) == (True, None)
    assert seen["kept0"]["exportable"] is False
    assert seen["equal0"]["fingerprint"] == key(1).fingerprint
    for device in fleet:
        assert not writes(device)
        assert device.sessions == (0 if device.name == "closed1" else 4)
    assert not one_time_passphrases(fleet)


def test_all_are_looked_at_whoever_is_in_the_play(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*group_of(("ks1", "ios15", (K1,)), ("ks2", "xe17", (K1,)), ("ks3", "xe16", (K1,))))
    run = control_node(fleet).run([task()], "--limit", "ks2")
    assert run.result("compare")["in_sync"] is True
    assert [device.sessions for device in fleet] == [1, 1, 1]
    assert len(run.results) == 1


def test_label_and_groups_can_be_given(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(
        spec("a", "ios15", K1), spec("b", "xe17", K1), spec("c", "xe16", K2), spec("d", "xe16", KeySpec("OTHER", 2))
    )
    groups = [
        {"name": "ONE", "label": LABEL, "hosts": ["a", "b"]},
        {"name": "TWO", "label": "OTHER", "hosts": ["c", "d"]},
    ]
    run = control_node(fleet).run(
        [
            task("groups", groups=groups),
            task("label", label=LABEL, hosts=["a", "b", "c"]),
            task("nothing"),
        ]
    )
    assert {unit["label"]: unit["verdict"] for unit in run.result("groups")["units"]} == {
        "OTHER": "missing",
        "REKEY": "in_sync",
    }
    assert [unit["verdict"] for unit in run.result("label")["units"]] == ["conflict"]
    assert run.result("nothing")["units"] == []
    assert run.result("nothing")["ungrouped"] == ["a", "b", "c", "d"]


def test_commands_for_doing_it_by_hand(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*group_of(("ks1", "ios15", (K1,)), ("ks2", "xe17", (K2,)), ("ks3", "xe16", ())))
    run = control_node(fleet).run([task(render=True)])
    lines = run.result("compare")["manual"].splitlines()
    assert "crypto key zeroize rsa REKEY" in lines
    assert "crypto key zeroize rsa" not in lines
    assert "crypto key import rsa REKEY exportable pem terminal <PASSPHRASE>" in lines
    assert "crypto key export rsa REKEY pem terminal 3des <PASSPHRASE>" in lines
    assert "BEGIN" not in run.result("compare")["manual"]


def test_options_that_cannot_be(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*group_of(("ks1", "ios15", (K1,)), ("ks2", "xe17", (K1,))))
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "stranger": ({"hosts": ["ks1", "ks9"]}, "Not in the inventory: ks9. Nothing was done."),
        "nobody": ({"hosts": []}, "There is no key server to read: set hosts. Nothing was done."),
        "parallel": ({"parallel": 0}, "parallel must be at least 1, not 0. Nothing was done."),
        "timeout": ({"timeout": 0}, "timeout must be at least 1, not 0. Nothing was done."),
        "size": ({"size": 1}, "size must be at least 360, not 1. Nothing was done."),
        "both": ({"label": LABEL, "groups": [{"name": "A", "label": LABEL, "hosts": ["ks1"]}]}, "mutually exclusive"),
    }
    tasks = [{**task(name, **options), "ignore_errors": True} for name, (options, dummy) in cases.items()]
    run = control_node(fleet).run(tasks)
    for name, (dummy, sentence) in cases.items():
        assert sentence in run.error(name)[1], name
    assert not any(device.sessions for device in fleet)


def test_each_device_has_its_own_time(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*group_of(("ks1", "ios15", (K1,)), ("ks2", "xe17", (K1,))))
    fleet["ks2"].set_fault(cut={"at": "mypubkey", "do": "hang"})
    run = control_node(fleet).run([task(timeout=3)])
    assert run.code == 0
    assert list(run.result("compare")["problems"]) == ["ks2"]
    assert fleet["ks1"].sessions == 1
