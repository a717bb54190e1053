# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role and its two playbooks, as people run them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.control_node import ControlNode, Run
from integration.devices import LABEL, PASSPHRASE, after_reload, group_of, held, key, spec, unchanged, writes

from lab import DeviceSpec, Fleet, KeySpec

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]
SYNC, COMPARE = "vpnops.keys.sync_key_servers", "vpnops.keys.compare_key_servers"
LABEL_GROUP = "GETVPN"
K1, K2 = KeySpec(LABEL, 1), KeySpec(LABEL, 2)


def four(*keys: KeySpec | None) -> list[DeviceSpec]:
    releases = ("ios15", "xe17", "xe16", "xe17")
    return group_of(*((f"ks{i + 1}", releases[i], (one,) if one else ()) for i, one in enumerate(keys)))


def options(**values: Any) -> list[str]:
    return ["-e", json.dumps({f"key_server_sync_{name}": value for name, value in values.items()})]


def did_something(run: Run) -> list[str]:
    """The modules that talked to devices."""
    names = [one["action"].rsplit(".", 1)[-1] for one in run.results if one["status"] != "skipped"]
    return [name for name in names if name in ("ios_rsa_key_compare", "ios_rsa_key_sync")]


def test_compared_planned_rendered_applied_and_in_sync(
    start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path
) -> None:
    fleet = start_fleet(*four(None, K1, None, K1))
    node = control_node(fleet)
    with unchanged(fleet):
        compared = node.run(COMPARE, *options(report_path=str(tmp_path / "found.json")))
        planned = node.run(SYNC, *options(mode="plan"))
        checked = node.run(SYNC, "--check", "--diff")
        rendered = node.run(SYNC, *options(mode="render", render_path=str(tmp_path / "manual.txt")))
    assert not any(writes(device) for device in fleet)
    assert (compared.code, planned.code, checked.code, rendered.code) == (2, 0, 0, 0), compared.output + planned.output
    assert "the key is missing on some" in compared.output
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["in_sync"] is False
    assert [server["host"] for server in found["units"][0]["key_servers"]] == ["ks1", "ks2", "ks3", "ks4"]
    assert "take the key of ks2; import to ks1, ks3" in re.sub(r"\s+", " ", planned.output)
    manual = (tmp_path / "manual.txt").read_text()
    assert manual.count("crypto key import rsa REKEY exportable pem terminal <PASSPHRASE>") == 2
    assert "base64 len" in manual, "what IOS XE prints before a key must not be pasted with it"
    assert (tmp_path / "manual.txt").stat().st_mode & 0o777 == 0o600

    before = [device.sessions for device in fleet]
    applied = node.run(SYNC, "--diff", *options(report_path=str(tmp_path / "report.json")))
    assert applied.code == 0, applied.output
    assert applied.result("ios_rsa_key_sync")["diff"] == checked.result("ios_rsa_key_sync")["diff"]
    assert did_something(applied) == ["ios_rsa_key_sync"]
    assert [device.sessions for device in fleet] == [count + 1 for count in before], "looked, worked and proved in one"
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["in_sync"] is True
    by_host = {server["host"]: server for server in report["units"][0]["key_servers"]}
    assert {name: one["found"] for name, one in by_host.items()} == {
        "ks1": None,
        "ks2": key(1).fingerprint,
        "ks3": None,
        "ks4": key(1).fingerprint,
    }
    assert {one["fingerprint"] for one in by_host.values()} == {key(1).fingerprint}
    assert by_host["ks1"]["done"]
    assert not by_host["ks4"]["done"]
    for device in fleet:
        assert held(device) == {LABEL: (key(1).fingerprint, True, True)}
        assert after_reload(device) == {LABEL: key(1).fingerprint}

    before = [device.sessions for device in fleet]
    with unchanged(fleet):
        again = node.run(SYNC)
    assert again.code == 0
    assert did_something(again) == ["ios_rsa_key_sync"]
    assert [device.sessions for device in fleet] == [count + 1 for count in before]
    assert re.search(r"changed=0 ", again.output)
    assert not re.search(r"changed=[1-9]", again.output)
    assert node.run(COMPARE).code == 0


def test_consent(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*four(K1, K2, None, K1))
    node = control_node(fleet)
    with unchanged(fleet):
        without_terminal = node.run(SYNC)
        never = node.run(SYNC, *options(overwrite="never"))
        declined = node.run_on_terminal(SYNC, answers=[("Type yes", "no")])
        empty = node.run_on_terminal(SYNC, answers=[("Type yes", "")])
        short = node.run_on_terminal(SYNC, answers=[("Type yes", "y"), ("type the whole word yes", "y")])
        # Of ansible-runner: a terminal on which nobody can type.
        nobody = node.run_words_on_terminal(node.command(SYNC), env={"AWX_ISOLATED_DATA_DIR": "/runner"})
    for run in (without_terminal, never, declined, empty, short, nobody):
        assert run.code == 2, run.output
        message = run.error("key_server_report")[1]
        assert "REKEY (GETVPN): " in message
        assert "key_server_sync_overwrite: always" in message
        assert "registered group members have the old public key" in re.sub(r"\s+", " ", run.output)
    assert "Type yes" not in nobody.output
    before = [device.sessions for device in fleet]
    accepted = node.run_on_terminal(SYNC, answers=[("Type yes", "y"), ("type the whole word yes", "yes")])
    assert accepted.code == 0, accepted.output
    assert did_something(accepted) == ["ios_rsa_key_sync", "ios_rsa_key_sync"]
    assert [device.sessions for device in fleet] == [count + 2 for count in before], "none is open while it is asked"
    assert accepted.output.index("registered group members") < accepted.output.index("Type yes")
    assert {held(device)[LABEL] for device in fleet} == {(key(1).fingerprint, True, True)}


def test_groups_are_independent(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    def group(identity: int, name: str, *keys: tuple[int, ...]) -> list[DeviceSpec]:
        devices = ((f"{name}{i}", "xe16", tuple(KeySpec(name, k) for k in one)) for i, one in enumerate(keys))
        return group_of(*devices, name=name.upper(), identity=identity, label=name)

    fleet = start_fleet(
        *group(1, "good", (1,), (1,)),
        *group(2, "lacks", (2,), ()),
        *group(3, "differs", (3,), (4,)),
        *group(4, "away", (5,), ()),
        *group(5, "fails", (6,), ()),
    )
    fleet["away1"].set_fault(closed=True)
    fleet["fails1"].set_fault(import_fails=True)
    apart = [device for device in fleet if device.name != "lacks1"]
    with unchanged(apart):
        run = control_node(fleet).run(SYNC, *options(overwrite="never", report_path=str(tmp_path / "report.json")))
    assert run.code == 2
    assert held(fleet["lacks1"]) == {"lacks": (key(2).fingerprint, True, True)}
    message = run.error("key_server_report")[1]
    for part in ("differs (DIFFERS): ", "away (AWAY): ", "fails (FAILS): fails1: import of fails failed"):
        assert part in message
    assert "lacks (" not in message
    assert "good (" not in message
    report = {unit["label"]: unit for unit in json.loads((tmp_path / "report.json").read_text())["units"]}
    assert {name: unit["in_sync"] for name, unit in report.items()} == {
        "good": True,
        "lacks": True,
        "differs": False,
        "away": False,
        "fails": False,
    }
    assert report["differs"]["needs_consent"]
    assert report["fails"]["error"]


def test_a_stolen_key_concerns_only_the_group_that_holds_it(start_fleet: StartFleet, control_node: MakeNode) -> None:
    """The group in sync is left alone, and the one that holds two other keys is not overwritten on the way."""
    in_sync, drifted = KeySpec("OTHER", 2), (KeySpec("THIRD", 3), KeySpec("THIRD", 4))
    others = (
        group_of(*((f"o{n}", "xe17", (in_sync,)) for n in (1, 2)), name="OTHER", identity=2, label="OTHER"),
        group_of(*((f"t{n}", "ios15", (drifted[n],)) for n in (0, 1)), name="THIRD", identity=3, label="THIRD"),
    )
    fleet = start_fleet(*four(K1, K1, None, K1), *others[0], *others[1])
    node = control_node(fleet)
    stolen = options(compromised=[key(1).fingerprint[:12]], overwrite="always")
    with unchanged([fleet[f"{one}"] for one in ("o1", "o2", "t0", "t1")]):
        done = node.run(SYNC, *stolen)
    assert done.code == 2, done.output
    new = {held(fleet[f"ks{n}"])[LABEL][0] for n in (1, 2, 3, 4)}
    assert len(new) == 1
    assert new != {key(1).fingerprint}
    said = re.sub(r"\s+", " ", done.output)
    assert "THIRD is not the same key everywhere" in said
    assert "Nothing is replaced here, because none of them has a compromised key." in said
    assert "always allows it" not in said
    assert f"the compromised key {key(1).fingerprint[:12]} was replaced in this run." in said
    with unchanged(fleet):
        again = node.run(SYNC, *stolen)
        allowed = node.run(SYNC, *stolen, *options(allow_absent_compromised=True, only_groups=[LABEL_GROUP]))
    assert again.result("ios_rsa_key_sync")["code"] == "not_found"
    why = again.error("Check that the synchronization could start")[1]
    assert "set key_server_sync_allow_absent_compromised" in why
    assert allowed.code == 0, allowed.output
    assert "THIRD is not the same" not in allowed.output
    assert "Excluded, because not selected: OTHER, THIRD." in allowed.output


def test_limit_takes_nobody_out_of_the_group(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*four(K1, None, None, K1))
    node = control_node(fleet)
    with unchanged(fleet):
        limited = node.run(SYNC, "--limit", "ks2")
    assert limited.code == 2
    assert "the plan also changes ks3" in limited.error("key_server_report")[1]
    assert all(device.sessions >= 1 for device in fleet)
    assert node.run(SYNC, "--limit", "ks2,ks3").code == 0
    assert {held(device)[LABEL][0] for device in fleet} == {key(1).fingerprint}


def test_limit_chooses_groups(start_fleet: StartFleet, control_node: MakeNode) -> None:
    """Nothing is planned, asked or failed for the others, whether they differ or cannot be read."""
    third = (KeySpec("THIRD", 3), KeySpec("THIRD", 4))
    away = KeySpec("AWAY", 5)
    fleet = start_fleet(
        *four(K1, None, None, K1),
        *group_of(*((f"t{n}", "ios15", (third[n],)) for n in (0, 1)), name="THIRD", identity=3, label="THIRD"),
        *group_of(*((f"a{n}", "ios15", (away,)) for n in (0, 1)), name="AWAY", identity=4, label="AWAY"),
    )
    fleet["a1"].set_fault(closed=True)
    done = control_node(fleet).run(SYNC, "--limit", "ks*")
    assert done.code == 0, done.output
    assert "Excluded, because not selected: AWAY, THIRD." in done.output
    assert {held(fleet[f"ks{n}"])[LABEL][0] for n in (1, 2, 3, 4)} == {key(1).fingerprint}


def test_an_approved_plan_and_no_other(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    fleet = start_fleet(*four(K1, K2, None, K1))
    node = control_node(fleet)
    report = tmp_path / "plan.json"
    assert node.run(SYNC, *options(mode="plan", report_path=str(report))).code == 0
    approved = [unit["digest"] for unit in json.loads(report.read_text())["units"]]
    with unchanged(fleet):
        other = node.run(SYNC, *options(overwrite="always", approved=["f" * 64]))
    assert other.code == 2
    assert "changed since the plan was approved" in other.error("key_server_report")[1]
    assert node.run(SYNC, *options(overwrite="always", approved=approved)).code == 0
    assert {held(device)[LABEL][0] for device in fleet} == {key(1).fingerprint}


def test_the_options_arrive(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    fleet = start_fleet(
        *(spec(name, "xe17", K2, address=f"10.5.5.{i}") for i, name in enumerate(("a", "b", "left-out"), 1)),
        spec("c", "ios15", address="10.5.5.9"),
    )
    (tmp_path / "old").mkdir()
    run = control_node(fleet).run(
        SYNC,
        *options(
            label="NEW",
            hosts=["a", "b", "c"],
            size=3072,
            exportable=False,
            save=False,
            overwrite="always",
            backup_directory=str(tmp_path / "old"),
            backup_passphrase=PASSPHRASE,
        ),
    )
    assert run.code == 0, run.output
    made = {device.name: device.keys["NEW"] for device in fleet if "NEW" in device.keys}
    assert set(made) == {"a", "b", "c"}
    assert {one.bits for one in made.values()} == {3072}
    assert sorted(one.exportable for one in made.values()) == [False, False, True]
    assert not any(device.saves for device in fleet)
    assert not fleet["left-out"].sessions


def test_nothing_to_work_on(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(spec("ks1", "ios15", K1))
    node = control_node(fleet)
    without_groups = node.run(SYNC)
    assert without_groups.code == 2
    said = without_groups.error("key_server_report")[1]
    assert "No key server serves a GET VPN group; set key_server_sync_label" in said
    assert node.run(SYNC, *options(inventory_group="nobody")).code != 0
    assert node.run(SYNC, *options(mode="whatever")).code != 0
    assert node.run(SYNC, *options(hosts=["ks9"])).code == 2
    assert not writes(fleet["ks1"])


@pytest.mark.parametrize("fault", [{"closed": True}, {"import_fails": True}])
def test_a_run_that_fails_is_short_and_tells_each_reason_once(
    fault: dict[str, Any], start_fleet: StartFleet, control_node: MakeNode
) -> None:
    """With Ansible's own output. From ansible-core 2.19 on, it prints the message of a failed task twice by itself."""
    rows = [(f"ks{number}", "xe17", (KeySpec(label, number),)) for number, label in ((1, "A"), (2, "A"), (3, "A"))]
    fleet = start_fleet(*group_of(*rows, name="A", label="A"))
    for device in list(fleet)[1:]:
        device.set_fault(**fault)
    run = control_node(fleet).run(SYNC, *options(overwrite="always", label="A"))
    assert run.code == 2
    # What names the address of each is told for each.
    reason, count = ("refuses the connection", 2) if "closed" in fault else ("Key pair import failed", 1)
    printed = 2 if "[ERROR]" in run.output else 1
    assert " ".join(run.output.split()).count(reason) == count * printed, run.output
    assert max(map(len, run.output.splitlines())) < 1000, run.output
