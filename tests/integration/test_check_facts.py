# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host whose facts would be variables of the collection is left out, wherever it has them from."""

from __future__ import annotations

import json
import sys
import typing as t
from importlib import import_module
from pathlib import Path

import pytest
from integration.control_node import ControlNode, Run
from unit.plugin_utils.test_claimed_variables import MAGIC

from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.action import IosAction
from lab.contract import ANSIBLES

HOSTS = ("h1", "h2")
PLUGINS = Path(__file__).parents[2] / "plugins"
CHECK = {"vpnops.keys.check_facts": None}
AFTERWARDS = {"ansible.builtin.debug": {"msg": "{{ gateway_keys_mode | default('as it was') }}"}}
LIAR = """
import json
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec=dict(facts=dict(type="dict")))
module.exit_json(ansible_facts=module.params["facts"])
"""


@pytest.fixture
def node(tmp_path: Path) -> ControlNode:
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"hosts": {"hosts": {name: {} for name in HOSTS}, "vars": variables}}
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "liar.py").write_text(LIAR)
    return ControlNode(tmp_path, inventory, group="hosts")


def lie(who: str = "h1", /, **facts: object) -> dict[str, t.Any]:
    return {"liar": {"facts": facts}, "when": f"inventory_hostname == '{who}'"}


def assert_left_out(done: Run, *names: str) -> None:
    """h1, with a sentence that names the facts; h2 goes on, by what holds for it."""
    code, sentence = done.error("check_facts", "h1")
    assert code == "refused"
    assert sentence.startswith("h1: its facts hold ")
    assert all(name in sentence for name in names)
    assert sentence in " ".join(done.output.split()) or "--flush-cache" in done.output
    assert done.code == 2
    assert done.status("check_facts", "h2") == "ok"
    assert done.result("debug", "h2")["msg"] == "as it was"
    assert not [one for one in done.results if one["host"] == "h1" and one["action"].endswith("debug")]


def test_a_module_that_returns_facts(node: ControlNode) -> None:
    done = node.run(
        [lie(gateway_keys_mode="emergency", ansible_gateway_keys_directory_host="h1", eth7="up"), CHECK, AFTERWARDS]
    )
    assert_left_out(done, "gateway_keys_mode", "gateway_keys_directory_host")
    assert "eth7" not in done.error("check_facts", "h1")[1]


def test_in_check_mode(node: ControlNode) -> None:
    lying = {**lie(gateway_keys_mode="emergency"), "check_mode": False}
    assert_left_out(node.run([lying, CHECK, AFTERWARDS], "--check"), "gateway_keys_mode")


def test_facts_that_were_set_to_last(node: ControlNode) -> None:
    told = {
        "ansible.builtin.set_fact": {"gateway_keys_mode": "emergency", "cacheable": True},
        "when": "inventory_hostname == 'h1'",
    }
    assert_left_out(node.run([told, CHECK, AFTERWARDS]), "gateway_keys_mode")


def test_a_cache_of_facts(node: ControlNode) -> None:
    """Of an earlier run; and what the advice says helps."""
    cache = node.path / "facts"
    env = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache)}
    assert node.run([lie(gateway_keys_mode="emergency")], env=env).code == 0
    assert any("gateway_keys_mode" in json.dumps(json.loads(path.read_text())) for path in cache.iterdir())
    assert_left_out(node.run([CHECK, AFTERWARDS], env=env), "gateway_keys_mode")
    assert node.run([CHECK, AFTERWARDS], "--flush-cache", env=env).code == 0


def test_what_ansible_itself_lets_facts_set(node: ControlNode) -> None:
    """What the files read of Ansible's own is above facts, or no fact may have its name."""
    names = sorted(MAGIC - {"item", "role_path"})  # they are there in a loop and in a role, and only read there
    shown = {"ansible.builtin.debug": {"msg": [f"{{{{ {name} | string }}}}" for name in names]}}
    done = node.run([lie(**dict.fromkeys(names, "poison")), shown])
    said = done.result("debug", "h1")["msg"]
    assert len(said) == len(names)
    assert "poison" not in said


@pytest.mark.parametrize("name", ANSIBLES)
def test_who_claims_to_be_another_one(name: str, node: ControlNode) -> None:
    done = node.run([lie(**{name: "h2"}), CHECK, AFTERWARDS])
    code, sentence = done.error("check_facts", "h1")
    assert (code, done.status("check_facts", "h2")) == ("refused", "ok")
    assert f'facts hold "{name}"' in sentence
    assert not sentence.startswith("h2")
    assert not [one for one in done.results if one["host"] == "h1" and one["action"].endswith("debug")]


def test_names_with_escapes(node: ControlNode) -> None:
    done = node.run([lie(**{"gateway_\x1b[2J": "1", "\x1b[2J": "2"}), CHECK, AFTERWARDS])
    assert "\x1b" not in done.error("check_facts", "h1")[1]
    assert "\x1b" not in done.output.rpartition("TASK [vpnops.keys.check_facts]")[2]


def test_what_is_no_fact_is_left_alone(node: ControlNode) -> None:
    """Variables of the inventory, of the command line, and facts that everybody has."""
    node.hosts["h1"]["gateway_keys_mode"] = "planned"
    usual = {"ansible.builtin.setup": {"gather_subset": ["!all", "min", "network"]}}
    own = {"ansible.builtin.set_fact": {"gateway_keys_targets": ["h1"]}}
    done = node.run([usual, own, CHECK], "-e", "gateway=h1")
    assert done.code == 0, done.output


def by_variables() -> list[str]:
    """Actions whose options may be variables of the host: not those that work on one key server, which has no facts of
    ours but those of its connection."""
    names = []
    for path in sorted(PLUGINS.glob("action/*.py")):
        action = import_module(f"ansible_collections.vpnops.keys.plugins.action.{path.stem}").ActionModule
        if not (issubclass(action, IosAction) and action.PER_HOST) and path.stem != "check_facts":
            names.append(path.stem)
    return names


def test_whoever_ignores_the_check_has_nothing_done_by_facts(node: ControlNode) -> None:
    """By no action, whatever its options are: a file that is named by a fact would be read here and sent there."""
    names = by_variables()
    assert {"ios_rsa_key_sync", "ios_getvpn_rotation", "key_directory", "gateway_plan", "key_report"} <= set(names)
    assert {"gateway_call_in", "gateway_fetch", "gateway_key", "gateway_info"} <= set(names)
    tasks = [{f"vpnops.keys.{name}": {}, "ignore_errors": True} for name in names]
    done = node.run([lie(gateway_keys_mode="emergency"), {**CHECK, "ignore_errors": True}, *tasks])
    for name in names:
        code, sentence = done.error(name, "h1")
        assert (name, code) == (name, "refused")
        assert sentence.startswith("h1: its facts hold ")


ROLES = {
    "gateway_keys": ("status", "gateway_keys_fail_on"),
    "key_server_sync": ("main", "key_server_sync_mode"),
    "key_server_rotate": ("main", "key_server_rotate_mode"),
}


@pytest.mark.parametrize(
    ("liar", "arguments"), [("h1", ()), ("h1", ("--tags", "other")), ("h2", ())], ids=["first", "tags", "second"]
)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_looks_before_ansible_validates_its_arguments(
    role: str, liar: str, arguments: tuple[str, ...], node: ControlNode
) -> None:
    """Ansible prints a wrong value as it is: a fact would reach the terminal with its escape sequences."""
    tasks_from, variable = ROLES[role]
    imported = {"ansible.builtin.import_role": {"name": f"vpnops.keys.{role}", "tasks_from": tasks_from}}
    lying = {**lie(liar, **{variable: "\x1b[2Jnonsense"}), "tags": "always"}
    done = node.run([lying, imported], *arguments)
    assert done.error("check_facts", liar)[0] == "refused"
    assert "\x1b" not in done.output.rpartition("TASK [vpnops.keys.check_facts : ")[2], done.output
    validated = [one for one in done.results if one["action"].endswith("validate_argument_spec")]
    assert liar not in [one["host"] for one in validated]


@pytest.mark.parametrize("role", ROLES)
def test_nobody_is_checked_for_all_because_a_fact_says_so(role: str, node: ControlNode) -> None:
    """What runs once, and fails, ends the run of all hosts."""
    imported = {"ansible.builtin.import_role": {"name": f"vpnops.keys.{role}", "tasks_from": ROLES[role][0]}}
    done = node.run([lie("h2", __check_facts_once="yes"), imported])
    assert done.error("check_facts", "h2")[0] == "refused"
    assert done.status("check_facts", "h1") == "ok"
    assert [one for one in done.results if one["host"] == "h1" and one["action"].endswith("validate_argument_spec")]


def test_nothing_can_be_set(node: ControlNode) -> None:
    done = node.run([{"vpnops.keys.check_facts": {"ignore": "gateway_keys_"}}])
    assert done.code == 2
    assert done.status("check_facts", "h2") == "failed"


@pytest.mark.parametrize("playbook", ["compare_key_servers", "sync_key_servers", "rotate_group_key"])
def test_a_playbook_for_key_servers_looks_once(playbook: str, node: ControlNode) -> None:
    """A task for each of 512 hosts costs more than all the rest."""
    node.hosts["h2"]["gateway_keys_mode"] = "no fact"
    group = {"rotate_group_key": "key_server_rotate_inventory_group"}.get(playbook, "key_server_sync_inventory_group")
    closed = {"ansible_host": "127.0.0.1", "ansible_port": 1, group: "hosts"}
    done = node.run(f"vpnops.keys.{playbook}", "-e", json.dumps(closed))
    looked = [one["host"] for one in done.results if one["action"].endswith("check_facts")]
    assert looked == ["h1"], done.output
