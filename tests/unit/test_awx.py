# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects for AWX fit together, and to the roles: no name leads nowhere, no answer is one that a role refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from integration.runner.jobs import CHECKOUT, Data, shipped

TEMPLATES = {one["name"]: one for one in shipped("job_templates")["controller_templates"]}
WORKFLOWS = {one["name"]: one for one in shipped("workflows")["controller_workflows"]}
QUESTIONS = [one for part in shipped("surveys").values() if isinstance(part, list) for one in part]
NEEDED = {"gateway", "confirm", "key_server_sync_compromised"}


def options() -> Data:
    """Every option of every entry point."""
    found: Data = {}
    for path in CHECKOUT.glob("roles/*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            found |= entry["options"]
    return found


def tasks(entries: list[Data]) -> Iterator[Data]:
    for one in entries:
        yield from tasks(one["block"]) if "block" in one else [one]


def test_names_lead_somewhere() -> None:
    for one in TEMPLATES.values():
        assert (CHECKOUT / "playbooks" / one["playbook"].rpartition("/")[2]).exists()
    for one in WORKFLOWS.values():
        nodes = {node["identifier"]: node for node in one["simplified_workflow_nodes"]}
        for node in nodes.values():
            assert ("approval_node" in node) != (node.get("unified_job_template") in TEMPLATES)
            assert set(node["success_nodes"]) <= set(nodes)
    for one in shipped("schedules")["controller_schedules"]:
        assert one["unified_job_template"] in TEMPLATES


def test_every_field_is_applied() -> None:
    """Nothing stands in the data that the playbook does not pass on."""
    (play,) = yaml.safe_load((CHECKOUT / "playbooks/configure_awx.yml").read_text())
    text = {one["name"]: str(one["args"]) for one in tasks(play["tasks"])}
    nodes = [node for one in WORKFLOWS.values() for node in one["simplified_workflow_nodes"]]
    kinds = {
        "Credential types": shipped("credential_types")["controller_credential_types"],
        "Job templates": TEMPLATES.values(),
        "Workflows": [{k: v for k, v in one.items() if k != "simplified_workflow_nodes"} for one in WORKFLOWS.values()],
        "Schedules": shipped("schedules")["controller_schedules"],
    }
    for kind, entries in kinds.items():
        for one in entries:
            assert [name for name in one if f"item.{name}" not in text[kind]] == [], one["name"]
    both = text["Nodes of workflows"] + text["Links between nodes"]
    assert {name for node in nodes for name in node if f"item.1.{name}" not in both} == set()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["variable"])
def test_answers_are_accepted(question: Data) -> None:
    """Every choice, and the default, is a value of the role's option, as text."""
    name = question["variable"]
    if name in NEEDED:
        assert question["required"]
        return
    assert not question["required"]
    validator = ArgumentSpecValidator({name: {k: v for k, v in options()[name].items() if k in ("type", "choices")}})
    for answer in [*question.get("choices", ()), *([question["default"]] if "default" in question else [])]:
        assert validator.validate({name: str(answer)}).error_messages == []
        assert isinstance(answer, str) or question["type"] == "integer"


@pytest.mark.parametrize("name", TEMPLATES)
def test_fixed_variables_are_options(name: str) -> None:
    playbook = CHECKOUT / "playbooks" / TEMPLATES[name]["playbook"].rpartition("/")[2]
    used = set(re.findall(r"key_report_\w+", playbook.read_text()))
    assert set(TEMPLATES[name].get("extra_vars", {})) <= set(options()) | used


def test_what_changes_on_approval_does_nothing_alone() -> None:
    for name, one in TEMPLATES.items():
        if "approved" in name:
            (approved,) = [text for key, text in one["extra_vars"].items() if key.endswith("_approved")]
            assert "default(" in approved
    assert all("fact_cache" not in str(one) for one in TEMPLATES.values())
