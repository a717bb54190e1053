# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules as playbooks use them: who runs them, what is shown and what is not."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import postgres
import pytest
from integration.control_node import ControlNode, Data
from unit.directory.samples import new_key, pending

from ansible_collections.vpnops.keys.plugins.module_utils._directory import signing

WRITE, READ = "vpnops.keys.key_directory", "vpnops.keys.key_directory_info"


@pytest.fixture
def node(tmp_path: Path) -> ControlNode:
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return ControlNode(tmp_path, {"key_servers": {"hosts": {"localhost": here}, "vars": {}}})


def enrolled(*names: str) -> Data:
    return {
        WRITE: {"gateways": [{"name": name, "platform": "wireguard", "public_key": new_key()} for name in names]},
    }


def step(state: str, *gateways: str, **more: t.Any) -> Data:
    return {WRITE: {"state": state, "gateways": list(gateways), **more}}


def test_the_default_directory(node: ControlNode) -> None:
    enroll = enrolled("gw1", "gw2")
    predicted = node.run([enroll], "--check", "--diff")
    assert predicted.changed("key_directory")
    home = node.path / ".ansible/vpnops.keys"
    assert not home.exists()
    done = node.run([enroll, {READ: {}}], "--diff")
    assert done.result("key_directory")["diff"] == predicted.result("key_directory")["diff"]
    files = [f"directory.db{end}" for end in ("", ".key", ".key.witness")]
    assert sorted(path.name for path in home.iterdir()) == files
    found = done.result("key_directory_info")
    assert set(found["directory"]["gateways"]) == {"gw1", "gw2"}
    assert pending(found) == {"gw1": ["gw2"], "gw2": ["gw1"]}
    assert not node.run([enroll]).changed("key_directory")


def test_names_are_enough_for_a_step_and_the_next_run_goes_on(node: ControlNode) -> None:
    node.run([enrolled("gw1", "gw2")])
    both = step("prepared", "gw1", "gw2")
    run = node.run([both, {**both, "name": "again"}, {READ: {}}])
    assert not run.changed("again")  # the same run holds it
    rotation = run.result("key_directory_info")["directory"]["gateways"]["gw1"]["rotation"]
    assert rotation["lock_owner"]["pid"] > 1
    assert rotation["lock_owner"]["user"] == rotation["begun_by"]
    # The process that began it has ended, so nobody has to wait for its lease.
    run = node.run([both])
    assert {event["outcome"] for event in run.result("key_directory")["events"]} == {"its process has ended"}


def test_awx_says_who_it_is(node: ControlNode) -> None:
    node.shared["awx_user_name"] = "carol"
    events = node.run([enrolled("gw1")]).result("key_directory")["events"]
    assert {event["by"] for event in events} == {"carol"}


def test_another_run_at_the_same_time(node: ControlNode) -> None:
    elsewhere = {"user": "bob", "host": "ctl2", "pid": 4711, "run": "ctl2:4711:1"}
    mine = {**step("rolled_back", "gw1"), "name": "mine"}
    tasks = [enrolled("gw1"), step("prepared", "gw1", lock_owner=elsewhere), mine]
    code, sentence = node.run(tasks).error("mine")
    assert code == "held"
    assert sentence.startswith("gw1 is being rotated by bob on ctl2 (pid 4711) since ")


def test_no_directory(node: ControlNode) -> None:
    code, sentence = node.run([{READ: {}}]).error("key_directory_info")
    assert code == "not_found"
    assert "There is no directory /" in sentence


@pytest.mark.parametrize("how", [("-vvvvv", "--diff"), ("--check", "-vvv")])
def test_secrets_are_shown_nowhere(server: postgres.Server, node: ControlNode, how: tuple[str, ...]) -> None:
    pem = signing.to_pem(signing.new_private_key())
    node.environment["VPNOPS_KEYS_DIRECTORY_URL"] = server.new_database()
    key = {"signing_key": pem}
    enroll = {WRITE: {**enrolled("gw1", "gw2")[WRITE], **key}}
    other = {"signing_key": pem, "new_signing_key": signing.to_pem(signing.new_private_key())}
    wrong = {WRITE: {"url": server.url("nowhere"), **key}, "ignore_errors": True, "name": "wrong"}
    assert node.run([enroll]).code == 0
    rekey = {WRITE: {"state": "rekeyed", **other}}
    run = node.run([enroll, step("prepared", "gw1", **key), {READ: key}, rekey, wrong], *how)
    assert run.code == 0, run.output
    assert run.error("wrong")[0] == "unreachable"
    for secret in (server.password, *(text.splitlines()[1] for text in (pem, other["new_signing_key"]))):
        assert secret not in run.output
        assert secret not in (node.path / "results.jsonl").read_text()
