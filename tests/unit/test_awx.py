# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects for AWX fit together, and to the roles: no name leads nowhere, no answer is one that a role refuses."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import given
from hypothesis import strategies as st
from integration.runner.jobs import CHECKOUT, Data, handed_over, shipped

from lab import awx_rules as rules
from lab.awx import FIELDS
from lab.awx_launch import LINKS, has_cycle, walk

TEMPLATES = {one["name"]: one for one in shipped("job_templates")["controller_templates"]}
WORKFLOWS = {one["name"]: one for one in shipped("workflows")["controller_workflows"]}
QUESTIONS = [one for part in shipped("surveys").values() if isinstance(part, list) for one in part]
NEEDED = {"gateway", "confirm", "key_server_rotate_label", "key_server_sync_compromised"}


def options() -> Data:
    """Every option of every entry point."""
    found: Data = {}
    for path in CHECKOUT.glob("roles/*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            found |= entry["options"]
    return found


def tasks(entries: list[Data]) -> Iterator[Data]:
    """With those of files that are included."""
    for one in entries:
        included = one.get("ansible.builtin.include_tasks")
        if included:
            file = included if isinstance(included, str) else included["file"]
            yield from tasks(yaml.safe_load((CHECKOUT / "playbooks" / file).read_text()))
        else:
            yield one


def test_names_lead_somewhere() -> None:
    for one in TEMPLATES.values():
        assert (CHECKOUT / "playbooks" / one["playbook"].rpartition("/")[2]).exists()
    for one in WORKFLOWS.values():
        nodes = {node["identifier"]: node for node in one["simplified_workflow_nodes"]}
        for node in nodes.values():
            assert ("approval_node" in node) != (node.get("unified_job_template") in TEMPLATES)
            assert set(node["success_nodes"]) <= set(nodes)
    for one in shipped("schedules")["__schedules"]:
        assert one["unified_job_template"] in TEMPLATES


def test_every_playbook_is_a_template() -> None:
    used = {one["playbook"].rpartition("/")[2] for one in TEMPLATES.values()}
    assert used == {one.name for one in (CHECKOUT / "playbooks").glob("*.yml")}


def test_every_field_is_applied(play: Data) -> None:
    """Nothing stands in the data that the playbook does not pass on, and the other way round."""
    passed = {one["name"]: one["args"] for one in tasks(play["tasks"]) if "args" in one}
    nodes = [node for one in WORKFLOWS.values() for node in one["simplified_workflow_nodes"]]
    workflows = [{k: v for k, v in one.items() if k != "simplified_workflow_nodes"} for one in WORKFLOWS.values()]
    kinds = {
        "Create or update the credential types": shipped("credential_types")["controller_credential_types"],
        "Create or update the job templates": TEMPLATES.values(),
        "Create or update the workflows": workflows,
        "Create or update the schedules": shipped("schedules")["__schedules"],
    }
    for kind, entries in kinds.items():
        assert {name for one in entries for name in one} == set(passed[kind])
    links = passed["Remove links that do not belong to a workflow"]
    found = {name for node in nodes for name in node}
    assert found <= {*passed["Create or update the nodes of workflows"], *links}


# What a job does is changed by these fields of a job template of AWX 24.6, by its API's documentation. Left alone are
# forks, verbosity, labels, instance groups, notifications and webhooks.
ASKS = {
    "credential", "diff_mode", "execution_environment", "forks", "instance_groups", "inventory", "job_slice_count",
    "job_type", "labels", "limit", "scm_branch", "skip_tags", "tags", "timeout", "variables", "verbosity",
}  # fmt: skip
CHANGES_A_JOB = {
    "job_type", "inventory", "project", "playbook", "scm_branch", "limit", "extra_vars", "job_tags", "force_handlers",
    "skip_tags", "start_at_task", "timeout", "use_fact_cache", "host_config_key", "survey_enabled", "become_enabled",
    "diff_mode", "allow_simultaneous", "job_slice_count", *(f"ask_{one}_on_launch" for one in ASKS),
}  # fmt: skip


@pytest.fixture(scope="module")
def play() -> Data:
    (found,) = yaml.safe_load((CHECKOUT / "playbooks/configure_awx.yml").read_text())
    return t.cast(Data, found)


def test_every_field_of_awx_is_passed_or_named_as_left_alone(play: Data) -> None:
    """What a node keeps for its start counts for nothing, and of a schedule it is looked at."""
    one = {each["name"]: each for each in tasks(play["tasks"])}
    guide = (CHECKOUT / "docs/docsite/rst/guide_awx.rst").read_text()
    left = " ".join(guide.partition("The run does not change")[2].partition("\n\n")[0].split())
    for kind, what in (("job_templates", "job templates"), ("workflow_job_templates", "workflows")):
        for field in FIELDS[kind].keys() - one[f"Create or update the {what}"]["args"].keys():
            assert field in left, field
    prompts = set(one["Remove schedules with a value that the template does not ask for"]["vars"]["__prompts"])
    assert FIELDS["schedules"].keys() - one["Create or update the schedules"]["args"].keys() == prompts
    passed = {name for task, each in one.items() if "odes" in task for name in each.get("args", ())}
    assert FIELDS["workflow_job_template_nodes"].keys() - passed == prompts | {"extra_data"}


def test_every_setting_is_checked_before_the_first_call(play: Data) -> None:
    settings = shipped("settings")
    known = re.findall(r"\w+", settings["__settings"].partition("^controller_(")[2].partition(")$")[0].replace("'", ""))
    names = {f"controller_{name}" for name in known}
    assert {name for name in settings if name.startswith("controller_")} - {"controller_site"} <= names
    (check,) = (one for one in play["tasks"] if one["name"] == "Check the values")
    checked = str(check["loop"]) + str(play["vars"]["__credential_lists"]) + play["vars"]["__excluded"]
    assert [name for name in names | {"controller_host_config_key"} if not re.search(rf"\b{name}\b", checked)] == []


def test_no_list_is_cut(play: Data) -> None:
    """The lookup gives 25 objects where nobody asks for all, and refuses more than 1000 where nobody says how many."""
    queries = re.findall(r"query\(__api.*?\)", str(play))
    whole = [one for one in queries if "return_all" in one]
    assert len(whole) >= 6
    assert [one for one in whole if "return_all=true, max_objects=__most" not in one or "query_params" not in one] == []
    assert play["vars"]["__most"] >= 10**6
    few = re.compile("__wanted|__of_project|playbooks|'me'")
    assert [one for one in queries if one not in whole and not few.search(one)] == []


@pytest.mark.parametrize("name", ["job_templates", "workflows", "schedules"])
def test_no_key_is_given_twice(name: str) -> None:
    """Ansible warns of it, also where a key of an anchor is given again."""
    top = yaml.compose((CHECKOUT / f"awx/{name}.yml").read_text(), yaml.SafeLoader)
    assert isinstance(top, yaml.MappingNode)
    for _key, part in top.value:
        for one in part.value if isinstance(part, yaml.SequenceNode) else [part]:
            if isinstance(one, yaml.MappingNode):
                keys = list(keys_of(one))
                assert len(keys) == len(set(keys)), sorted(key for key in keys if keys.count(key) > 1)


def keys_of(node: yaml.MappingNode) -> Iterator[str]:
    for key, value in node.value:
        if key.value != "<<":
            yield key.value
            continue
        for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            yield from keys_of(merged)


def test_every_field_that_changes_a_job_is_brought_back() -> None:
    for name, one in TEMPLATES.items():
        assert one.keys() >= CHANGES_A_JOB, name
        assert one["survey_enabled"] == bool(one["survey_spec"])
    for one in WORKFLOWS.values():
        assert one["survey_enabled"]
        assert one["extra_vars"] == {}
        assert not any(value for name, value in one.items() if name.startswith("ask_"))


def test_only_one_template_asks_for_more_than_its_survey() -> None:
    """A prompt refuses provisioning callbacks, and the event source needs one: two templates."""
    asking = [name for name, one in TEMPLATES.items() if any(one[f"ask_{ask}_on_launch"] for ask in ASKS)]
    assert asking == ["Gateways: converge those that call"]
    called = [name for name, one in TEMPLATES.items() if one["host_config_key"]]
    assert called == ["Gateways: converge"]


FILES = ["settings", "surveys", "credential_types", "job_templates", "workflows", "schedules", "roles"]


@pytest.mark.parametrize("name", FILES)
def test_other_collections_can_apply_the_data(name: str) -> None:
    """Variables and fields are those that infra.aap_configuration documents: nothing of our own in an item.

    Its roles are not run here: it is on Ansible Galaxy, and in no package that pip or apt can fetch. The fields
    below were written down by hand from memory of the README files of its roles controller_credential_types,
    controller_job_templates, controller_workflow_job_templates, controller_schedules and controller_roles, which
    hand them to the modules of awx.awx; tests/integration/awx gives the same fields to these modules. A change of
    that schema is not noticed."""
    kinds = {
        "controller_credential_types": CREDENTIAL_TYPE,
        "controller_templates": CHANGES_A_JOB | {"name", "description", "organization", "credentials",
                                                 "execution_environment", "survey_spec"},
        "controller_workflows": WORKFLOW,
        "__schedules": SCHEDULE,
        "__grants": {"teams", "role", "job_templates", "workflows"},
    }  # fmt: skip
    assert set(shipped(name)) & {*kinds, "controller_surveys", "controller_organization"}
    for variable, fields in kinds.items():
        for one in shipped(name).get(variable, []):
            assert set(one) <= fields, one
    for one in shipped(name).get("controller_workflows", []):
        for node in one["simplified_workflow_nodes"]:
            assert set(node) <= NODE


CREDENTIAL_TYPE = {"name", "description", "kind", "inputs", "injectors"}
WORKFLOW = {"name", "description", "organization", "extra_vars", "allow_simultaneous", "survey_enabled", "survey_spec",
            "simplified_workflow_nodes", "ask_inventory_on_launch", "ask_labels_on_launch", "ask_limit_on_launch",
            "ask_scm_branch_on_launch", "ask_skip_tags_on_launch", "ask_tags_on_launch",
            "ask_variables_on_launch"}  # fmt: skip
NODE = {"identifier", "unified_job_template", "approval_node", "all_parents_must_converge", "success_nodes",
        "failure_nodes", "always_nodes"}  # fmt: skip
SCHEDULE = {"name", "description", "organization", "unified_job_template", "rrule", "enabled", "extra_data"}


def test_the_guide_names_what_is_there() -> None:
    guide = (CHECKOUT / "docs/docsite/rst/guide_awx.rst").read_text()
    types = {one["name"] for one in shipped("credential_types")["controller_credential_types"]}
    known = {*TEMPLATES, *WORKFLOWS, *types}
    named = re.findall(r"(?<!\*)\*((?:Gateways|Key servers|All keys|AWX|VPN)\b[^*]+)\*", guide)
    assert named
    assert set(WORKFLOWS) <= set(named)
    for path in CHECKOUT.glob("docs/docsite/rst/*.rst"):
        named = re.findall(r"(?<!\*)\*((?:Gateways|Key servers|All keys|AWX)\b: [^*]+|VPN key \w+)\*", path.read_text())
        assert {" ".join(name.split()) for name in named} <= known, path.name
    (excluded,) = re.findall(r"controller_schedules_excluded: (\[.*\])", guide)
    assert set(yaml.safe_load(excluded)) < {one["name"] for one in shipped("schedules")["__schedules"]}
    settings = (CHECKOUT / "awx/settings.yml").read_text() + str(sorted(known_variables()))
    for name in set(re.findall(r"``(controller_\w+)", guide)):
        assert name in settings, name


def listed(guide: str) -> dict[str, str]:
    """Each template in the table of the guide, with what it asks. A row names several: `Gateways: audit; converge`."""
    table = guide.partition("     - Survey\n")[2].partition("\nAnswers are")[0]
    rows = [row.partition("\n     - ") for row in table.split("   * - ")[1:]]
    found: dict[str, str] = {}
    for names, _dash, asked in rows:
        group, _colon, rest = names.partition(": ")
        found |= {f"{group}: {one}": " ".join(asked.split()) for one in rest.split("; ")}
    return found


def test_the_guide_lists_every_template_and_whether_it_asks() -> None:
    rows = listed((CHECKOUT / "docs/docsite/rst/guide_awx.rst").read_text())
    assert set(rows) == set(TEMPLATES)
    assert {name for name, asked in rows.items() if not asked.startswith("none")} == {
        name for name, one in TEMPLATES.items() if one["survey_enabled"]
    }


def known_variables() -> set[str]:
    return {name for one in FILES for name in shipped(one)}


# ------------------------------------------------------------------ the approval


def edges(nodes: list[Data]) -> dict[str, set[tuple[str, str]]]:
    return {kind: {(node["identifier"], after) for node in nodes for after in node[kind]} for kind in LINKS}


HARMLESS = set(shipped("roles")["__harmless"])
"""Templates that whoever launches may start without an approval."""


def converging(nodes: list[Data]) -> dict[str, bool]:
    return {node["identifier"]: bool(node.get("all_parents_must_converge")) for node in nodes}


def behind(nodes: list[Data], approval: str) -> set[str]:
    """What must not run where this approval is denied, a later approval too."""
    after = {node["identifier"]: set(node["success_nodes"]) for node in nodes}
    found, new = set[str](), after[approval]
    while new - found:
        found |= new
        new = set[str]().union(*(after[one] for one in found))
    return found - {node["identifier"] for node in nodes if node.get("unified_job_template") in HARMLESS}


@pytest.mark.parametrize("name", WORKFLOWS)
@given(st.data())
def test_nothing_is_applied_after_a_denied_approval(name: str, data: st.DataObject) -> None:
    """Whichever of the approvals, whatever links somebody adds, and a node of theirs; AWX accepts no circles and one
    link between two nodes."""
    nodes = WORKFLOWS[name]["simplified_workflow_nodes"]
    denied = data.draw(st.sampled_from([node["identifier"] for node in nodes if "approval_node" in node]))
    assert behind(nodes, denied)
    any_of = st.sampled_from([*converging(nodes), "x"])
    outcome = data.draw(st.dictionaries(any_of, st.sampled_from(["successful", "failed"])))
    links = edges(nodes)
    for kind, parent, child in data.draw(st.lists(st.tuples(st.sampled_from(LINKS), any_of, any_of))):
        every = set[tuple[str, str]]().union(*links.values())
        if (parent, child) not in every and not has_cycle({*every, (parent, child)}):
            links[kind].add((parent, child))
    runs = walk(converging(nodes) | {"x": False}, links, outcome | {denied: "failed"})
    assert not runs & behind(nodes, denied)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_workflow_runs_to_its_end(name: str) -> None:
    """And not beyond its first nodes, where these fail."""
    nodes = WORKFLOWS[name]["simplified_workflow_nodes"]
    converge = converging(nodes)
    assert walk(converge, edges(nodes), {}) == set(converge)
    first = set(converge) - {after for node in nodes for after in node["success_nodes"]}
    assert walk(converge, edges(nodes), dict.fromkeys(first, "failed")) == first


@pytest.mark.parametrize("one", shipped("schedules")["__schedules"], ids=lambda one: one["name"])
def test_rules_are_understood(one: Data) -> None:
    assert rules.rule(one["rrule"].replace("{{ controller_converge_every }}", "15")) == []


def test_nobody_is_granted_the_third_node() -> None:
    """Who may execute its template could put it into a workflow without an approval; to read it is harmless."""
    found = shipped("roles")
    named = {name for key, names in found.items() if key.startswith("__") and key != "__grants" for name in names}
    assert named <= set(TEMPLATES) | set(WORKFLOWS)
    assert [name for name in TEMPLATES if "approved plan" in name] == found["__applies"]
    assert {one["role"] for one in found["__grants"] if "__applies" in str(one)} == {"read"}
    assert {one["role"] for one in found["__grants"]} == {"execute", "approval", "read"}
    assert not [key for key, names in found.items() if key not in ("__applies", "__grants")
                and set(names) & set(found["__applies"])]  # fmt: skip


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_workflow_answers_all_that_its_nodes_ask(name: str) -> None:
    """The answers of a workflow outrank those that somebody has entered in a node, which configure_awx does not
    see, and reach every node that plans or changes something. The reason is for the audit trail only."""
    questions = spec(WORKFLOWS[name])
    always = {one["variable"] for one in questions if one["required"] or one.get("default")}
    nodes = WORKFLOWS[name]["simplified_workflow_nodes"]
    for job in {node["unified_job_template"] for node in nodes if "approval_node" not in node}:
        asked = {one["variable"] for one in spec(TEMPLATES[job])}
        assert asked - always <= {"gateway_keys_why"}
        assert asked == (set() if job in HARMLESS else {one["variable"] for one in questions})


def spec(template: Data) -> list[Data]:
    """The questions of its survey; awx/surveys.yml puts them together by templates of Ansible."""
    surveys = shipped("surveys")
    names = re.findall(r"controller_surveys[.](\w+)", str(template.get("survey_spec", "")))
    lists = [part for name in names for part in re.findall(r"__\w+", surveys["controller_surveys"][name]["spec"])]
    return [one for part in lists if part != "__optional" for one in surveys[part]]


# ------------------------------------------------------------------ the questions


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
    extra_vars = TEMPLATES[name]["extra_vars"]
    if extra_vars != "{{ controller_site }}":
        assert set(extra_vars) <= set(options()) | used


def test_only_what_a_template_says_itself_is_a_template() -> None:
    """AWX hands over what somebody has typed, and what replaces a variable of the template, so that Ansible does not
    evaluate it."""
    given = {"own": "{{ a }}", "replaced": "{{ b }}", "typed": ["{{ c }}", {"d": 1}], "number": 5}
    text = handed_over(given, {"own": "{{ a }}", "replaced": "other", "number": 5, "absent": ""})
    assert yaml.safe_load(text.replace("!unsafe ", "")) == given
    lines = [line for line in text.splitlines() if "{{" in line]
    assert [("!unsafe" in line, line.count("{{")) for line in lines] == [(False, 1), (True, 1), (True, 1)]


def test_what_changes_on_approval_does_nothing_alone() -> None:
    for name, one in TEMPLATES.items():
        if "approved" in name:
            (approved,) = [text for key, text in one["extra_vars"].items() if key.endswith("_approved")]
            assert "default(" in approved
    assert not any(one["use_fact_cache"] for one in TEMPLATES.values())
