# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs and the workflow for key servers, run as AWX runs them."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from integration.devices import LABEL, PASSPHRASE, group_of, held, key, unchanged
from integration.runner.jobs import CHECKOUT, Controller, Data, custom, machine, part
from integration.test_credentials import ssh_key
from integration.test_secrets import ENABLE, LOGIN, assert_clean, secrets

from lab import DeviceSpec, Fleet, KeySpec

StartFleet = Callable[..., Fleet]
COMPARE, PLAN, APPLY = "Key servers: compare", "Key servers: plan", "Key servers: apply the approved plan"
STOLEN = "Key servers: a key was stolen"
PLAN_ROTATION, APPLY_ROTATION = "Key servers: plan a rotation", "Key servers: apply the approved plan of a rotation"
K1, K2 = KeySpec(LABEL, 1), KeySpec(LABEL, 2)


def four(*keys: KeySpec | None) -> list[DeviceSpec]:
    releases = ("ios15", "xe17", "xe16", "xe17")
    return group_of(*((f"ks{i + 1}", releases[i], (one,) if one else ()) for i, one in enumerate(keys)))


def four_with(*keys: KeySpec | None, **more: t.Any) -> list[DeviceSpec]:
    return [replace(one, **more) for one in four(*keys)]


def inventory(fleet: Fleet) -> Data:
    """Without passwords: these come from a credential."""
    found = fleet.inventory()
    rows = [found["key_servers"]["vars"], *found["key_servers"]["hosts"].values()]
    for row in rows:
        row.pop("ansible_password", None)
        row.pop("ansible_become_password", None)
    return found


def test_the_workflow(start_fleet: StartFleet, tmp_path: Path) -> None:
    """Plan, approval, apply, verify; by password; with the answers as text, and a backup of what is replaced."""
    fleet = start_fleet(*four_with(K1, K2, None, K1, password=LOGIN, enable=ENABLE, login_privilege=1))
    (tmp_path / "backup").mkdir()
    backup = custom("VPN key backup", tmp_path, directory=str(tmp_path / "backup"), passphrase=PASSPHRASE)
    controller = Controller(tmp_path, inventory(fleet), [machine(LOGIN, ENABLE), backup])
    answers = {
        "key_server_sync_overwrite": "always",
        "key_server_sync_size": "3072",
        "key_server_sync_exportable": "true",
    }

    with unchanged(fleet):
        plan = controller.launch(PLAN, answers)
        alone = controller.launch(APPLY, answers)
        other = controller.launch(APPLY, answers, {"key_server_sync_plan_digests": ["f" * 64]})
        assert controller.launch(COMPARE, answers).code == 2
    assert plan.code == 0, plan.output
    (digest,) = plan.artifacts["key_server_sync_plan_digests"]
    assert set(plan.artifacts) == {"key_server_sync_plan_digests"}
    for job in (alone, other):
        assert job.code == 2
        assert "have changed since the plan was approved. Nothing was changed" in job.output

    done = controller.launch(APPLY, answers, plan.artifacts)
    assert done.code == 0, done.output
    assert {held(device)[LABEL] for device in fleet} == {(key(1).fingerprint, True, True)}
    verified = controller.launch(COMPARE, answers, plan.artifacts)
    assert verified.code == 0, verified.output
    assert not verified.changed
    assert len(list((tmp_path / "backup").iterdir())) == 1

    hidden = secrets(fleet, (1, 2)) | {"passphrase of the backup": PASSPHRASE.encode()}
    kept = controller.kept()
    assert sum("job_events" in name for name in kept) > 50
    assert digest.encode() in b"".join(kept.values())
    assert_clean(kept, hidden)


def test_the_rotation_of_a_group(tmp_path: Path) -> None:
    """Its plan reaches the node that carries it out; alone, this node changes nothing, and a slice is refused. With the
    defaults of the survey, as text; the record is on a path that outlives the jobs."""
    pair = (("ks1", "ios15", (K1,)), ("ks2", "xe17", (K1,)))
    answers: dict[str, str | int] = {
        "key_server_rotate_label": "GETVPN-2027",
        "key_server_rotate_only_groups": "all",
        "key_server_rotate_until": "prepared",
        "key_server_rotate_canary": "false",
        "key_server_rotate_allow_split": "false",
        "key_server_rotate_abort": "false",
        "key_server_rotate_state_directory": str(tmp_path / "records"),
    }
    with Fleet(group_of(*pair), speed=20) as fleet:
        controller = Controller(tmp_path, fleet.inventory(), [])
        told = {"workflow_job_name": PLAN_ROTATION, "workflow_job_id": "7"}
        with unchanged(fleet):
            plan = controller.launch(PLAN_ROTATION, answers)
            alone = controller.launch(APPLY_ROTATION, answers)
            sliced = controller.launch(PLAN_ROTATION, answers, told=told)
        assert plan.code == 0, plan.output
        assert set(plan.artifacts) == {"key_server_rotate_plan_digests"}
        assert alone.code == 2
        assert "has changed since the plan was approved. Nothing was changed" in alone.output, alone.output
        assert sliced.code == 2
        assert "This job is a slice of Key servers: plan a rotation." in sliced.output, sliced.output
        done = controller.launch(APPLY_ROTATION, answers, plan.artifacts)
        assert done.code == 0, done.output
        assert len({device.keys["GETVPN-2027"].fingerprint for device in fleet}) == 1
        assert {device.config.groups["GETVPN"].label for device in fleet} == {LABEL}
        assert (tmp_path / "records").is_dir()


def test_by_key(start_fleet: StartFleet, tmp_path: Path) -> None:
    """The key is in an agent that lives as long as the job."""
    public = ssh_key(tmp_path / "id")
    fleet = start_fleet(*four_with(K1, K1, K1, K1, authorized_keys=(public,), password="unknown to anybody"))
    enable = next(iter(fleet)).spec.enable
    private = (tmp_path / "id").read_text()
    controller = Controller(tmp_path, inventory(fleet), [machine(become_password=enable or "", ssh_key=private)])
    done = controller.launch(COMPARE)
    assert done.code == 0, done.output
    lines = private.splitlines()
    assert_clean(controller.kept(), {"the key for SSH": lines[len(lines) // 2].encode()})


# Every number and truth value of the role, as the survey gives it. The first ones are not what is used by default.
TEXTS: dict[str, tuple[str, str]] = {
    "key_server_sync_size": ("3072", "2048"),
    "key_server_sync_minimum_size": ("1024", "2048"),
    "key_server_sync_allow_weak_source": ("true", "false"),
    "key_server_sync_allow_absent_compromised": ("true", "false"),
    "key_server_sync_exportable": ("false", "true"),
    "key_server_sync_save": ("false", "true"),
    "key_server_sync_allow_partial_inventory": ("true", "false"),
    "key_server_sync_parallel": ("1", "64"),
    "key_server_sync_timeout": ("60", "120"),
    "key_server_sync_generation_timeout": ("300", "600"),
}


def test_every_variable_is_known_here() -> None:
    specs = yaml.safe_load((CHECKOUT / "roles/key_server_sync/meta/argument_specs.yml").read_text())
    options = specs["argument_specs"]["main"]["options"]
    assert {name for name, one in options.items() if one["type"] in ("int", "bool", "float")} == set(TEXTS)


@pytest.mark.parametrize("which", [0, 1], ids=["other", "default"])
def test_answers_are_text(which: int, start_fleet: StartFleet, tmp_path: Path) -> None:
    """A key is made, so that each of them counts."""
    fleet = start_fleet(*four(None, None))
    controller = Controller(tmp_path, fleet.inventory(), [])
    answers = {name: texts[which] for name, texts in TEXTS.items()} | {"key_server_sync_overwrite": "never"}
    plan = controller.launch(PLAN, answers)
    done = controller.launch(APPLY, answers, plan.artifacts)
    assert done.code == 0, done.output
    found = [device.keys[LABEL] for device in fleet]
    assert {one.bits for one in found} == {(3072, 2048)[which]}
    assert [one.exportable for one in found] == [True, bool(which)]
    assert {bool(device.saves) for device in fleet} == {bool(which)}
    verified = controller.launch(COMPARE, answers)
    assert verified.code == 0, verified.output


def test_who_cannot_be_asked_is_told_the_variable(start_fleet: StartFleet, tmp_path: Path) -> None:
    """ansible-runner, and so ansible-navigator, has a terminal on which nobody can type: it must not wait there."""
    fleet = start_fleet(*four(K1, K2))
    controller = Controller(tmp_path, fleet.inventory(), [])
    with unchanged(fleet):
        job = controller.run("sync_key_servers.yml", {"key_server_sync_overwrite": "ask"})
    assert job.code == 2
    assert "Nothing was replaced; key_server_sync_overwrite: always allows it." in job.output
    assert "Type yes" not in job.output


SLICES: dict[str, tuple[dict[str, str], str]] = {
    "by what AWX says": (
        {"workflow_job_name": PLAN, "workflow_job_id": "7"},
        "This job is a slice of Key servers: plan. The key servers of a group must be read together.",
    ),
    "by what the key servers say": ({}, "a peer of ks1, is an address that the inventory gives to no key server."),
}


@pytest.mark.parametrize("how", SLICES)
def test_no_verdict_in_a_slice(how: str, start_fleet: StartFleet, tmp_path: Path) -> None:
    told, sentence = SLICES[how]
    fleet = start_fleet(*four(K1, K2))
    controller = Controller(tmp_path, fleet.inventory(), [])
    names = ["ks1", "ks2"] if told else ["ks1"]
    with unchanged(fleet):
        job = controller.launch(PLAN, inventory=part(controller.inventory, "key_servers", names), told=told)
    assert job.code == 2
    assert sentence in job.output, job.output
    assert "set the slice count of the job template to 1" in job.output
    assert "Nothing was changed; " in job.output
    assert not job.artifacts


def test_a_list_that_the_slice_lacks(start_fleet: StartFleet, tmp_path: Path) -> None:
    fleet = start_fleet(*four(K1, None))
    controller = Controller(tmp_path, fleet.inventory(), [])
    names: t.Any = {"key_server_sync_hosts": "ks1,ks2"}
    job = controller.launch(COMPARE, names, inventory=part(controller.inventory, "key_servers", ["ks2"]))
    assert job.code == 2
    assert "Not in the inventory: ks1. Nothing was done." in job.output


def test_a_key_was_stolen(start_fleet: StartFleet, tmp_path: Path) -> None:
    """Everybody gets a new key; the same job again says that nobody holds the stolen one, unless that is what is
    expected, and what is no fingerprint is refused."""
    fleet = start_fleet(*four(K1, K1))
    controller = Controller(tmp_path, fleet.inventory(), [])
    stolen = {"key_server_sync_compromised": next(iter(fleet)).keys[LABEL].fingerprint[:12]}
    done = controller.launch(STOLEN, stolen)
    assert done.code == 0, done.output
    found = {device.keys[LABEL].fingerprint for device in fleet}
    assert len(found) == 1
    assert not found.pop().startswith(stolen["key_server_sync_compromised"])
    again = controller.launch(STOLEN, stolen)
    assert again.code == 2
    assert "No key server has the compromised key" in again.output, again.output
    expected = controller.launch(STOLEN, stolen | {"key_server_sync_allow_absent_compromised": "true"})
    assert (expected.code, expected.changed) == (0, 0), expected.output
    wrong = controller.launch(STOLEN, {"key_server_sync_compromised": "fdcb"})
    assert wrong.code == 2
    assert "'fdcb' is not a fingerprint of a compromised key. Nothing was changed" in wrong.output
