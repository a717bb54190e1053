# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.vpnops.keys.plugins.module_utils._errors import rendered
from ansible_collections.vpnops.keys.plugins.plugin_utils import advice, known_variables

ROLES = Path(__file__).parents[3] / "roles"


class Role:
    """As Ansible hands it to a task."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_name(self, include_role_fqcn: bool = True) -> str:
        return f"vpnops.keys.{self.name}" if include_role_fqcn else self.name


@pytest.mark.parametrize(
    ("role", "said"),
    [
        (None, "set path or take_over"),
        (Role("somebody_elses"), "set path or take_over"),
        (Role("gateway_keys"), "set gateway_keys_report_path or gateway_keys_take_over"),
        (Role("key_server_sync"), "set key_server_sync_report_path or key_server_sync_take_over"),
    ],
)
def test_advice_names_what_the_reader_can_set(role: Role | None, said: str) -> None:
    assert rendered("set O(path) or O(take_over)", advice.names(role)) == said


class Task:
    """As Ansible hands it to an action."""

    def __init__(self, role: Role | None, path: str, action: str) -> None:
        self._role, self.path, self.action = role, path, action

    def get_path(self) -> str:
        return f"{self.path}:12"


@pytest.mark.parametrize(
    ("role", "path", "action", "said"),
    [
        (None, "playbooks/audit_keys.yml", "vpnops.keys.ios_rsa_key_compare", "key_server_sync_label"),
        (None, "playbooks/audit_keys.yml", "vpnops.keys.key_report", "key_report_label"),
        (None, "playbooks/audit_keys.yml", "ansible.builtin.debug", "label"),
        (Role("gateway_keys"), "playbooks/audit_keys.yml", "vpnops.keys.key_report", "gateway_keys_label"),
        (None, "/home/me/audit_keys.yml", "vpnops.keys.ios_rsa_key_compare", "label"),
    ],
)
def test_a_playbook_of_ours_names_its_variables(role: Role | None, path: str, action: str, said: str) -> None:
    at = path if path.startswith("/") else f"/usr/share/ansible/collections/ansible_collections/vpnops/keys/{path}"
    assert rendered("O(label)", advice.of_task(Task(role, at, action))) == said


def test_every_module_of_a_playbook_gives_variables_with_that_beginning() -> None:
    """Of each module that a playbook calls outside of a role, the options that have a variable."""
    for path in (ROLES.parent / "playbooks").glob("*.yml"):
        for play in yaml.safe_load(path.read_text(encoding="utf-8")):
            for task in play.get("tasks", ()):
                for name, options in task.items():
                    short = name.rpartition(".")[2]
                    if short in advice.PLAYBOOK and isinstance(options, dict):
                        given = advice.Names(advice.PLAYBOOK[short])
                        assert [one for one, value in options.items() if given[one] in str(value)], (path, name)


MESSAGES = {
    "gateway_keys": ("module_utils/_directory", "module_utils/_fleet", "plugin_utils/gateways"),
    "key_server_rotate": (
        "action/ios_getvpn_rotation.py", "module_utils/_key_servers/rotation.py",
        "module_utils/_key_servers/rotation_outline.py",
        *(f"plugin_utils/key_servers/{name}.py" for name in ("live_group", "rotate", "rotation_store", "rotations")),
    ),
    "key_server_sync": (
        "module_utils/_key_servers/grouping.py", "module_utils/_key_servers/plan.py",
        *(f"plugin_utils/key_servers/{name}.py" for name in ("action", "execute", "manual", "results", "survey")),
        "plugin_utils/tables/key_servers.py",
    ),
}
GIVEN_BY_THE_ROLE = {
    "gateway_keys": {
        "acknowledgements", "directory", "gateways", "keys", "new_signing_key", "new_signing_key_url",
        "older_than_days", "plan", "proof", "public_key", "to_url",
    },
    "key_server_rotate": set(),
    "key_server_sync": {"done", "found", "proof"},
}
"""What is wrong with one of these is a mistake of the role, or is said of states that it does not use."""
DOCUMENTED = re.compile(r'(?:DOCUMENTATION|EXAMPLES|RETURN) = r""".*?"""', re.DOTALL)


def marked(place: Path) -> set[str]:
    """The options that sentences name."""
    files = [place] if place.is_file() else place.rglob("*.py")
    texts = [DOCUMENTED.sub("", path.read_text(encoding="utf-8")) for path in files]
    return {name for text in texts for name in re.findall(r"\bO\((\w+)\)", text)}


@pytest.mark.parametrize("role", MESSAGES)
def test_every_option_that_a_sentence_names_is_a_variable_of_the_role(role: str) -> None:
    named = set().union(*(marked(ROLES.parent / "plugins" / place) for place in MESSAGES[role]))
    settable = {*known_variables.known(), "--limit"}
    assert {one for one in named if advice.Names(role)[one] not in settable} == GIVEN_BY_THE_ROLE[role]


@pytest.mark.parametrize("role", advice.ROLES)
def test_every_exception_is_something_to_set(role: str) -> None:
    assert set(advice.ROLES[role].values()) <= {*known_variables.known(), "--limit"}


def test_every_role_is_known() -> None:
    assert set(advice.ROLES) == {one.parents[1].name for one in ROLES.glob("*/meta/argument_specs.yml")}
