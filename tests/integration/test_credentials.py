# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials and connection variables of many hosts in one task: whose they are, and what a mistake in them does."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.control_node import ControlNode
from integration.devices import LABEL, spec

from lab import Fleet, KeySpec

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]
HELD = KeySpec(LABEL, 1)
INFO: dict[str, Any] = {"name": "info", "vpnops.keys.ios_rsa_key_info": {"label": LABEL}}
COMPARE: dict[str, Any] = {
    "name": "compare",
    "vpnops.keys.ios_rsa_key_compare": {"hosts": "{{ groups.key_servers }}", "label": LABEL},
    "run_once": True,
}


def ssh_key(file: Path, passphrase: str = "", *form: str) -> str:
    """A new key pair in a file; the public line."""
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", passphrase, *form, "-f", file], check=True)
    return file.with_suffix(".pub").read_text().strip()


def looked_at(device: Any) -> bool:
    """Whether anybody saw its keys."""
    return "show crypto key mypubkey rsa" in device.commands()


def assert_one_sentence(message: str, name: str, expected: str) -> None:
    assert message.startswith(f"{name}: "), message
    assert re.search(expected, message), message
    assert "Nothing was " in message
    assert "\n" not in message
    assert len(message) < 350
    for secret in ("lab-login", "lab-enable"):
        assert secret not in message


def without(path: Path, library: str) -> str:
    """A PYTHONPATH with which this library cannot be imported."""
    place = path / f"without-{library}"
    place.mkdir()
    (place / f"{library}.py").write_text(f"raise ImportError('No module named {library}')\n")
    return f"{place}:{os.environ.get('PYTHONPATH', '')}"


def test_mistakes_in_the_inventory(start_fleet: StartFleet, control_node: MakeNode) -> None:
    """Nobody is asked anything by the task for all as long as one host has variables that make no sense."""
    mistakes = {
        "port": ("ansible_port", 65536, "ansible_port is 65536, which is not a valid port"),
        "sudo": ("ansible_become_method", "sudo", "become_method is sudo, but IOS knows only enable"),
        "wait": ("ansible_connect_timeout", "long", "connect_timeout is 'long'; it must be a number"),
    }
    fleet = start_fleet(spec("good", "ios15", HELD), *(spec(name, "ios15", HELD) for name in mistakes))
    node = control_node(fleet)
    for name, mistake in mistakes.items():
        node.hosts[name][mistake[0]] = mistake[1]
    run = node.run([INFO, COMPARE])
    assert run.status("info", "good") == "ok"
    for name, mistake in mistakes.items():
        assert run.error("info", name)[0] == "bad_input"
        assert_one_sentence(run.error("info", name)[1], name, mistake[2])
        assert fleet[name].sessions == 0
    assert run.error("compare")[0] == "bad_input"
    assert_one_sentence(run.error("compare")[1], "port", mistakes["port"][2])
    assert fleet["good"].sessions == 1


@pytest.mark.parametrize("library", ["asyncssh"])
def test_missing_library(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path, library: str) -> None:
    fleet = start_fleet(spec("ks1", "ios15", HELD))
    tasks = [INFO | {"ignore_errors": True}, COMPARE]
    run = control_node(fleet).run(tasks, env={"PYTHONPATH": without(tmp_path, library)})
    for task in ("info", "compare"):
        code, message = run.error(task)
        assert code == "missing_library"
        assert message == (
            f"The Python library {library} is missing on the control node. Nothing was done; install it for the Python "
            f"that runs Ansible (pip install {library})."
        )
    assert "Traceback" not in run.output
    assert "[WARNING]" not in run.output
    assert fleet["ks1"].sessions == 0


@pytest.mark.parametrize("runs_for", ["with", "without", "no-enable"])
def test_secrets_of_one_host_go_to_no_other(
    start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path, runs_for: str
) -> None:
    """Every device takes the same secrets, but only one host has them: the task for all must not lend them."""
    accepted = [ssh_key(tmp_path / "id")]
    fleet = start_fleet(
        spec("with", "ios15", HELD, login_privilege=1, authorized_keys=accepted),
        spec("with-password", "xe16", HELD, login_privilege=1),
        spec("without", "xe17", HELD, login_privilege=1, authorized_keys=accepted),
        spec("no-enable", "ios15", HELD, login_privilege=1),
    )
    node = control_node(fleet)
    password, enable = node.shared.pop("ansible_password"), node.shared.pop("ansible_become_password")
    node.hosts["with"] |= {"ansible_ssh_private_key_file": str(tmp_path / "id"), "ansible_become_password": enable}
    node.hosts["with-password"] |= {"ansible_password": password, "ansible_become_password": enable}
    node.hosts["no-enable"]["ansible_password"] = password
    run = node.run([COMPARE], "--limit", runs_for)
    problems = run.result("compare")["problems"]
    assert set(problems) == {"without", "no-enable"}
    assert "the login was refused" in problems["without"]
    assert "an enable password is needed" in problems["no-enable"]
    assert fleet["without"].sessions == 0
    assert [line for line in fleet["no-enable"].log if line.kind == "password"] == []
    assert looked_at(fleet["with"])
    assert looked_at(fleet["with-password"])


def test_what_the_play_and_the_command_line_say_reaches_every_host(
    start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path
) -> None:
    fleet = start_fleet(spec("ks1", "ios15", HELD), spec("ks2", "xe17", HELD))
    node = control_node(fleet)
    password = node.shared.pop("ansible_password")
    (tmp_path / "secrets.yml").write_text(f"ansible_password: {password}\n")
    play = [
        {
            "hosts": "key_servers",
            "gather_facts": False,
            "vars_files": [str(tmp_path / "secrets.yml")],
            "tasks": [COMPARE],
        }
    ]
    (tmp_path / "with_vars.yml").write_text(yaml.safe_dump(play))
    run = node.run(str(tmp_path / "with_vars.yml"))
    assert run.result("compare")["problems"] == {}
    assert run.result("compare")["in_sync"] is True


def facts(host: str, **told: Any) -> dict[str, Any]:
    """A task whose module returns facts of one host."""
    return {"name": "facts", "facts_of_a_device": {"facts": told}, "when": f"inventory_hostname == '{host}'"}


MODULE = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec=dict(facts=dict(type="dict")))
module.exit_json(ansible_facts=module.params["facts"])
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ansible_libssh_proxy_command", "touch started; nc %h %p"),
        ("libssh_proxy_command", "touch started; nc %h %p"),
        ("vpnops_keys_ssh_legacy", True),
        ("ansible_host_key_auto_add", True),
        ("ansible_command_timeout", 1000000),
    ],
)
def test_a_device_does_not_say_how_it_is_reached(
    start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path, name: str, value: Any
) -> None:
    """A fact outranks the inventory in Ansible. The device that tells one like that is left alone, by name; the others
    are worked on."""
    fleet = start_fleet(spec("bad", "xe17", HELD), spec("good", "ios15", HELD))
    node = control_node(fleet)
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "facts_of_a_device.py").write_text(MODULE)
    local = {"connection": "local", "vars": {"ansible_connection": "local", "ansible_become": False}}
    info = INFO | {"ignore_errors": True}  # so that the task for all runs for the bad one
    run = node.run(
        [facts("bad", **{name: value}) | local, info, COMPARE], env={"ANSIBLE_LIBRARY": str(tmp_path / "library")}
    )
    assert run.status("facts", "bad") == "ok", run.output
    code, message = run.error("info", "bad")
    assert code == "bad_input"
    variable = name if name.startswith("vpnops") else f"ansible_{name.removeprefix('ansible_')}"
    assert_one_sentence(message, "bad", f"its facts set {variable}, which only the inventory")
    assert run.status("info", "good") == "ok"
    assert set(run.result("compare")["problems"]) == {"bad"}
    assert fleet["bad"].sessions == 0
    assert fleet["good"].sessions == 2
    assert not (tmp_path / "started").exists()
