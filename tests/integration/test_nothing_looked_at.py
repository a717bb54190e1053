# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A playbook that ends without having looked at what it was asked for fails, and says why; so does one with a variable
that nobody reads. No host is contacted for that."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from integration.control_node import CHECKOUT, ControlNode, Run

PLAYBOOKS = sorted(path.stem for path in (CHECKOUT / "playbooks").glob("*.yml"))
GROUP = {
    **dict.fromkeys(PLAYBOOKS, "gateway_keys_inventory_group"),
    **dict.fromkeys(("compare_key_servers", "sync_key_servers"), "key_server_sync_inventory_group"),
    "rotate_group_key": "key_server_rotate_inventory_group",
}
CHECKS = {"check_facts", "check_variables", "validate_argument_spec", "assert", "include_tasks"}
NAMED = ("-e", "gateway=a1", "-e", "confirm=a1", "-e", "key_server_rotate_label=K")


@pytest.fixture
def node(tmp_path: Path) -> ControlNode:
    """A host in both groups, and one in another."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    mine, other = {"hosts": {"a1": {}}, "vars": local}, {"hosts": {"b1": {}}, "vars": local}
    return ControlNode(tmp_path, {"gateways": mine, "key_servers": mine, "others": other})


def assert_refused(run: Run, *words: str) -> None:
    said = " ".join(run.output.split())
    assert run.code != 0, run.output
    for word in words:
        assert word in said, run.output
    others = [one for one in run.results if one["action"].rpartition(".")[2] not in CHECKS]
    assert not [one for one in others if one["result"].get("code") != "bad_input"], run.output


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_limit_that_leaves_nobody(playbook: str, node: ControlNode) -> None:
    assert_refused(node.run(f"vpnops.keys.{playbook}", "--limit", "others", *NAMED), "Nothing was")


@pytest.mark.parametrize("playbook", [name for name in PLAYBOOKS if name != "configure_awx"])
def test_a_group_that_is_misspelled(playbook: str, node: ControlNode) -> None:
    """Also with a limit that has hosts of the right one."""
    wrong = ("-e", f"{GROUP[playbook]}=key_sevrers", *NAMED)
    assert_refused(node.run(f"vpnops.keys.{playbook}", *wrong), "key_sevrers", "Nothing was")
    assert_refused(node.run(f"vpnops.keys.{playbook}", *wrong, "--limit", "a1"), "key_sevrers", "Nothing was")


def test_a_group_of_the_inventory_with_a_limit(node: ControlNode) -> None:
    """group_vars are unknown where the hosts of a play are chosen. The role has them, and goes on to the devices."""
    node.inventory["others"]["vars"]["key_server_sync_inventory_group"] = "others"
    del node.inventory["key_servers"]
    run = node.run("vpnops.keys.compare_key_servers", "--limit", "b1")
    assert run.code == 2
    assert list(run.result("ios_rsa_key_compare")["problems"]) == ["b1"], run.output


def test_a_group_of_gateways_of_the_inventory_with_a_limit(node: ControlNode) -> None:
    """The same of gateways: the role knows the group and goes on to the directory, which is not there."""
    node.inventory["others"]["vars"]["gateway_keys_inventory_group"] = "others"
    del node.inventory["gateways"]
    node.environment["VPNOPS_KEYS_DIRECTORY_URL"] = f"sqlite:///{node.path}/none.db"
    run = node.run("vpnops.keys.gateway_status", "--limit", "b1")
    assert run.code == 2
    assert "There is no directory" in run.error("key_directory_info")[1], run.output


@pytest.mark.parametrize("variable", ["key_server_sync_inventory_group", "gateway_keys_inventory_group"])
@pytest.mark.parametrize("limit", [(), ("--limit", "all"), ("--limit", "b1"), ("--limit", "@some.retry")])
def test_an_audit_of_a_group_that_only_the_inventory_names(
    variable: str, limit: tuple[str, ...], node: ControlNode
) -> None:
    """Ansible chooses the hosts of a play before it reads variables of hosts, and would leave that group out."""
    node.inventory["all"] = {"vars": {variable: "others"}}
    (node.path / "some.retry").write_text("a1\nb1\n", encoding="utf-8")
    run = node.run("vpnops.keys.audit_keys", *limit)
    said = " ".join(run.output.split())
    assert run.code == 2
    assert "b1 were not read, as only the inventory says in which group they are. Nothing was reported;" in said
    assert f"set {variable} with -e" in said
    assert not [one for one in run.results if one["action"].endswith("key_report")]


@pytest.mark.parametrize(
    ("playbook", "wrong", "right"),
    [
        ("sync_key_servers", "key_server_sync_overwite", "key_server_sync_overwrite"),
        ("gateway_status", "gateway_keys_failon", "gateway_keys_fail_on"),
        ("gateway_status", "key_directory_uri", "key_directory_url"),
        ("audit_keys", "key_report_pth", "key_report_path"),
    ],
)
def test_a_variable_that_is_misspelled(playbook: str, wrong: str, right: str, node: ControlNode) -> None:
    assert_refused(
        node.run(f"vpnops.keys.{playbook}", "-e", f"{wrong}=always"),
        f"vpnops.keys has no variable {wrong}. Nothing was done; did you mean {right}?",
    )


def test_a_variable_of_one_host_that_is_misspelled(node: ControlNode) -> None:
    node.inventory["gateways"]["hosts"]["a2"] = {"gateway_keys_platfrom": "strongswan"}
    assert_refused(
        node.run("vpnops.keys.gateway_status"), "no variable gateway_keys_platfrom (of a2)", "gateway_keys_platform?"
    )
