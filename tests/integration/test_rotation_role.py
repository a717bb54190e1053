# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rotation of a live group by Ansible: the role and its consent, and the module for one key server."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.control_node import ControlNode, Data, Run
from integration.devices import assert_spared, group_of, key, unchanged, writes
from integration.processes import PATIENCE, interrupt, started
from integration.rounds import at_each_line

from lab import Fleet, KeySpec
from lab.device import LogEntry

OLD, NEW = "OLD-KEY", "NEW-KEY"
ROTATE = "vpnops.keys.rotate_group_key"
StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]
PAIR = (("ks1", "ios15", (KeySpec(OLD, 1),)), ("ks2", "xe17", (KeySpec(OLD, 1),)))


def set_label(**more: Any) -> list[Data]:
    options = {"group": "GETVPN", "label": NEW, **more}
    return [{"name": "set", "vpnops.keys.ios_getvpn_group_key": options}]


def labels(fleet: Fleet) -> set[str]:
    return {device.config.groups["GETVPN"].label for device in fleet}


def saved_labels(fleet: Fleet) -> set[str]:
    return {device.nvram.config.groups["GETVPN"].label for device in fleet if device.nvram.config}


def test_one_key_server_names_another_key(start_fleet: StartFleet, control_node: MakeNode) -> None:
    keys = (KeySpec(OLD, 1), KeySpec(NEW, 2))
    fleet = start_fleet(*group_of(("ks1", "ios15", keys), ("ks2", "xe17", keys), label=OLD))
    node = control_node(fleet)
    with unchanged(fleet):
        predicted = node.run(set_label(), "--check", "--diff")
    assert predicted.changed("set", "ks1")
    assert labels(fleet) == {OLD}
    assert not any(writes(device) for device in fleet)

    done = node.run(set_label(), "--diff")
    assert labels(fleet) == saved_labels(fleet) == {NEW}
    for host in ("ks1", "ks2"):
        result = done.result("set", host)
        assert (result["previous_label"], result["fingerprint"]) == (OLD, key(2).fingerprint)
        assert result["diff"] == predicted.result("set", host)["diff"]
        assert result["diff"]["after"] == f"label: {NEW}\n"
    again = node.run(set_label())
    assert not again.changed("set", "ks1")
    assert not again.changed("set", "ks2")

    unsaved = node.run(set_label(label=OLD, save=False))
    assert unsaved.changed("set", "ks1")
    assert (labels(fleet), saved_labels(fleet)) == ({OLD}, {NEW})
    assert node.run(set_label(label=OLD)).changed("set", "ks2"), "a reload would bring the other label back"
    assert saved_labels(fleet) == {OLD}


def test_a_group_never_names_a_label_without_a_key(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*group_of(*PAIR, label=OLD))
    node = control_node(fleet)
    run = node.run([*set_label(), {**set_label(group="OTHER", label=OLD)[0], "name": "other"}], "--check")
    missing = node.run(set_label())
    other = node.run([{**set_label(group="OTHER", label=OLD)[0], "name": "other"}])
    assert run.error("set", "ks1")[0] == missing.error("set", "ks1")[0] == "not_found"
    assert missing.error("set", "ks1")[1] == "ks1: there is no RSA key NEW-KEY. Nothing was changed."
    assert other.error("other", "ks2")[1] == "ks2: it is not a key server of the group OTHER. Nothing was changed."
    assert labels(fleet) == {OLD}


def words(node: ControlNode, **values: Any) -> list[str]:
    given = {"label": NEW, "state_directory": str(node.path / "records"), **values}
    return ["-e", json.dumps({f"key_server_rotate_{name}": value for name, value in given.items()})]


def group_result(run: Run, what: str = "Rotate the key") -> Data:
    (group,) = run.result(what)["groups"]
    return dict(group)


def test_plan_consent_phases_and_abort(tmp_path: Path) -> None:
    with Fleet(group_of(*PAIR, label=OLD), speed=20) as fleet:
        node = ControlNode(tmp_path, fleet.inventory())
        with unchanged(fleet):
            plan = node.run(ROTATE, *words(node, mode="plan"))
            nobody = node.run(ROTATE, *words(node))
            check = node.run(ROTATE, *words(node, consent="always"), "--check")
            unknown = node.run(ROTATE, *words(node, lable="x"))
        assert plan.code == check.code == 0, plan.output
        assert "Generate an exportable key of 2048 bits under NEW-KEY" in plan.output
        assert "The behavior of these releases during a label change is not known yet" in plan.output
        assert "set key_server_rotate_canary to find out with this one" in " ".join(plan.output.split())
        assert nobody.code == 2
        assert "There is no consent to this plan." in nobody.output
        assert unknown.code == 2
        assert not (tmp_path / "records").exists()

        prepared = node.run(ROTATE, *words(node, consent="always", until="prepared"))
        assert prepared.code == 0, prepared.output
        # Nothing stood in the way of its time, and the next step is to be consented to.
        assert (group_result(prepared)["state"], labels(fleet)) == ("timed", {OLD})
        assert len({device.keys[NEW].fingerprint for device in fleet}) == 1

        given = {"consent": "always", "until": "secondaries", "canary": True, "allow_split": True}
        denied = node.run(ROTATE, *words(node, **given, approved=["0" * 64]))
        assert denied.code == 2
        assert "has changed since the plan was approved" in denied.output
        some = node.run(ROTATE, *words(node, **given))
        assert some.code == 0, some.output
        assert [one.config.groups["GETVPN"].label for one in fleet] == [OLD, NEW]
        assert [one.nvram.config.groups["GETVPN"].label for one in fleet if one.nvram.config] == [OLD, NEW]

        back = node.run(ROTATE, *words(node, consent="always", abort=True))
        assert back.code == 0, back.output
        assert labels(fleet) == saved_labels(fleet) == {OLD}
        assert not any(NEW in device.keys for device in fleet)
        for device in fleet:
            assert_spared(device)


def test_y_is_not_yes_and_is_told_so(tmp_path: Path) -> None:
    with Fleet(group_of(*PAIR, label=OLD), speed=20) as fleet:
        node = ControlNode(tmp_path, fleet.inventory())
        with unchanged(fleet):
            answers = [("Type yes", "y"), ("type the whole word yes", "n")]
            refused = node.run_on_terminal(ROTATE, *words(node), answers=answers)
        assert refused.code == 2
        assert "There is no consent to this plan" in refused.output
        answers = [("Type yes", "y"), ("type the whole word yes", "yes")]
        done = node.run_on_terminal(ROTATE, *words(node, until="prepared"), answers=answers)
        assert done.code == 0, done.output


def test_a_rotation_that_fails_is_short_and_says_what_it_has_done(tmp_path: Path) -> None:
    with Fleet(group_of(*PAIR, label=OLD), speed=20) as fleet:
        node = ControlNode(tmp_path, fleet.inventory())
        failed = node.run(ROTATE, *words(node, consent="always"))
    assert failed.code == 2
    assert "Generate an exportable key" in failed.output
    said = " ".join(failed.output.split())
    assert "The rotation stays in state timed" in said
    assert "Nothing is changed" not in said.rpartition("TASK [Rotate the key]")[2]
    assert "GETVPN: The behavior of these releases during a label change is not known yet" in said
    assert "failed_when_result" not in said
    assert not [line for line in failed.output.splitlines() if len(line) > 1000]


def test_no_key_server_can_be_read(tmp_path: Path) -> None:
    with Fleet(group_of(*PAIR, label=OLD), speed=20) as fleet:
        node = ControlNode(tmp_path, fleet.inventory())
        node.shared["ansible_password"] = "wrong"
        _code, sentence = node.run(ROTATE, *words(node)).error("Check that every group can be rotated")
    assert sentence.startswith("No key server serves a group. ks1, ks2: the login was refused")
    assert "Nothing was done; restore access to them" in sentence


def test_one_key_server_that_cannot_be_read_stops_a_rotation_that_has_not_begun(tmp_path: Path) -> None:
    """At once: nobody waits for hours for what may never answer."""
    with Fleet(group_of(*PAIR, label=OLD), speed=20) as fleet:
        node = ControlNode(tmp_path, fleet.inventory(), finished_within=60)
        node.hosts["ks2"]["ansible_password"] = "wrong"
        with unchanged(fleet):
            done = node.run(ROTATE, *words(node, consent="always"))
    said = " ".join(done.output.split())
    assert done.code == 2
    assert "ks2 cannot be read" in said
    assert "Nothing is changed; restore access, then run again" in said


def test_an_interrupted_rotation_finishes_its_step_and_is_continued(tmp_path: Path) -> None:
    with Fleet(group_of(*PAIR, label=OLD), speed=20) as fleet:
        node = ControlNode(tmp_path, fleet.inventory())
        running: list[subprocess.Popen[str]] = []

        def check(entry: LogEntry) -> None:
            if running and re.search("key generate rsa", entry.text):
                interrupt(running.pop())

        for device in fleet:
            device.set_fault(latency_ms=40)
            at_each_line(device, check)
        asked = words(node, consent="always", canary=True, allow_split=True)
        with started(node, ROTATE, *asked) as process:
            running.append(process)
            output, _none = process.communicate(timeout=PATIENCE)
        said = " ".join(output.split())
        assert process.returncode == 2, output
        assert "interrupted: the step in hand is finished, and no other one is started" in said, output
        assert re.search(r"interrupted\. Done: ks[12]\. Not started: ks[12]\. Run the same command again;", said)
        assert re.search(r"ks[12]: generated, saved\.", said)
        assert "changed: [ks1]" in said.rpartition("Rotate the key]")[2]
        for device in fleet:
            device.clear_faults()
        assert labels(fleet) == {OLD}
        again = node.run(ROTATE, *words(node, consent="always", until="prepared"))
        assert again.code == 0, again.output
        assert len({device.keys[NEW].fingerprint for device in fleet}) == 1


@pytest.mark.thorough
def test_to_the_end_and_an_approved_plan(tmp_path: Path) -> None:
    """The clock of the control node cannot be moved: this takes more than a minute."""
    with Fleet(group_of(*PAIR, label=OLD), speed=20) as fleet:
        for device in fleet:
            device.personality = device.personality.__class__(
                **{**vars(device.personality), "rekey_new_key": "in_band"}
            )
        node = ControlNode(tmp_path, fleet.inventory(), finished_within=400)
        given = {"consent": "always", "canary": True, "allow_split": True}
        plan = node.run(ROTATE, *words(node, **given, mode="plan"))
        digest = group_result(plan, "Read all key servers and plan the rotation")["digest"]
        done = node.run(ROTATE, *words(node, **given, approved=[digest]))
        assert done.code == 0, done.output
        group = group_result(done)
        assert (group["state"], group["outcome"], labels(fleet)) == ("verified", "reached", {NEW})
        assert "members have not learned" in done.output or "Members are still acknowledging" in done.output
        late = node.run(ROTATE, *words(node, **given, until="retired", wait_timeout=1))
        assert late.code == 2
        assert "OLD-KEY is kept for one more KEK and TEK lifetime" in late.output
        for device in fleet:
            assert OLD in device.keys
            assert_spared(device)
