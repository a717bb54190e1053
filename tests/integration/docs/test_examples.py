# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files in examples/ are what they say they are, and the quick start shows the same inventories."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.control_node import CHECKOUT, ControlNode
from integration.devices import LABEL, group_of
from integration.docs.blocks import blocks

from lab import Fleet, KeySpec

EXAMPLES = CHECKOUT / "examples"
INVENTORIES = sorted(EXAMPLES.glob("*/inventory.yml"))
UNITS = sorted([*EXAMPLES.glob("systemd/*.service"), *EXAMPLES.glob("systemd/*.timer")])
Data = dict[str, Any]


def by_folder(path: Path) -> str:
    return path.parent.name


def content(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def variables(playbook: str) -> set[str]:
    """What may be set for a playbook: the options of its role, and of an audit what the playbook itself reads."""
    specs = [content(path) for path in CHECKOUT.glob("roles/*/meta/argument_specs.yml")]
    known = {name for spec in specs for entry in spec["argument_specs"].values() for name in entry["options"]}
    text = (CHECKOUT / f"playbooks/{playbook}.yml").read_text(encoding="utf-8")
    return known | set(re.findall(r"\bkey_report_[a-z_]+", text))


# -- inventories


@pytest.mark.parametrize("inventory", INVENTORIES, ids=by_folder)
def test_inventories_are_read_without_a_warning(inventory: Path, tmp_path: Path) -> None:
    done = ControlNode(tmp_path, {}).run_words(["ansible-inventory", "-i", str(inventory), "--list"])
    assert done.code == 0, done.output
    assert "WARNING" not in done.output, done.output
    read = json.loads(done.output)
    group = by_folder(inventory)
    assert len(read["_meta"]["hostvars"]) >= 3
    assert group in read


@pytest.mark.parametrize("inventory", INVENTORIES, ids=by_folder)
def test_the_quick_start_has_the_same_inventory(inventory: Path) -> None:
    shown = [yaml.safe_load(block.text) for block in blocks("yaml") if block.document.stem == "guide_quick_start"]
    assert content(inventory) in shown


def test_gateways_have_variables_that_the_role_reads() -> None:
    defaults = (CHECKOUT / "roles/gateway_keys/defaults/main.yml").read_text(encoding="utf-8")
    text = (EXAMPLES / "gateways/inventory.yml").read_text(encoding="utf-8")
    names = set(re.findall(r"^ +(gateway_[a-z]+):", text, re.M))
    assert {"gateway_platform", "gateway_interface", "gateway_id"} <= names
    assert [name for name in names if f"{{{{ {name} " not in defaults] == []


def test_key_servers_are_reached_by_that_inventory(start_fleet: Callable[..., Fleet], tmp_path: Path) -> None:
    """Its variables, with the addresses of simulated devices in place of those of the example."""
    key = (KeySpec(LABEL, 1),)
    specs = group_of(("ks1", "xe17", key), ("ks2", "xe16", key), ("ks3", "ios15", key))
    fleet = start_fleet(*specs)
    node = ControlNode(tmp_path, content(EXAMPLES / "key_servers/inventory.yml"))
    group = node.inventory["all"]["children"]["key_servers"]
    group["vars"]["ansible_user"] = specs[0].username
    for name, values in fleet.inventory()["key_servers"]["hosts"].items():
        place = {variable: values[variable] for variable in ("ansible_host", "ansible_port") if variable in values}
        group["hosts"][name] |= {"ansible_host": "127.0.0.1", **place}
    assert set(group["hosts"]) == {"ks1", "ks2", "ks3"}
    # As after the installation in the quick start: no ansible.netcommon, whose become method the inventory names.
    only = tmp_path / "only" / "ansible_collections" / "vpnops" / "keys"
    only.parent.mkdir(parents=True)
    only.symlink_to(CHECKOUT)
    env = {
        "KEY_SERVER_PASSWORD": specs[0].password,
        "KEY_SERVER_ENABLE": str(specs[0].enable),
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "only"),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
    }
    for playbook, says in (("compare_key_servers", f"{LABEL} (GETVPN): in sync"), ("audit_keys", "no problems")):
        done = node.run(f"vpnops.keys.{playbook}", env=env)
        assert done.code == 0, done.output
        assert says in done.output


# -- commands


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """The playbooks of the collection that are run, with the variables that are set for each."""
    for line in text.splitlines():
        for run in re.findall(r"ansible-playbook (.*)", line):
            (playbook,) = re.findall(r"vpnops\.keys\.([a-z_]+|%i)", run)
            yield playbook, re.findall(r"-e ([a-z_]+)=", run)


def test_the_job_runs_playbooks_and_variables_that_exist() -> None:
    jobs = content(EXAMPLES / "ci/gitlab-ci.yml")
    scripts = [line for job in jobs.values() if isinstance(job, dict) for line in job.get("script", ())]
    ran = list(commands("\n".join(" ".join(line.split()) for line in scripts)))
    assert {playbook for playbook, _names in ran} == {"compare_key_servers", "sync_key_servers"}
    for playbook, names in ran:
        assert (CHECKOUT / f"playbooks/{playbook}.yml").exists()
        assert set(names) <= variables(playbook)


def test_timers_start_playbooks_that_exist() -> None:
    timers = [re.fullmatch(r"vpnops-keys@([a-z_]+)\.timer", unit.name) for unit in UNITS if unit.suffix == ".timer"]
    names = {timer[1] for timer in timers if timer}
    assert names == {"converge_gateways", "audit_keys", "compare_key_servers"}
    assert [name for name in names if not (CHECKOUT / f"playbooks/{name}.yml").exists()] == []
    ((playbook, _names),) = commands((EXAMPLES / "systemd/vpnops-keys@.service").read_text(encoding="utf-8"))
    assert playbook == "%i"
    assert set(content(EXAMPLES / "systemd/settings.yml")) <= set.union(*(variables(name) for name in names))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With another program in place of ansible-playbook in /opt, which is not on this machine."""
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace("/opt/vpnops-keys/bin/ansible-playbook", "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    instances = [tmp_path / unit.name for unit in UNITS if unit.suffix == ".timer"]
    assert len(instances) == 3
    services = [path.with_suffix(".service") for path in instances]
    for service in services:
        shutil.copy(tmp_path / "vpnops-keys@.service", service)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, instances), *map(str, services)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "vpnops-keys" in line]
    assert (done.returncode, ours) == (0, []), done.stderr
