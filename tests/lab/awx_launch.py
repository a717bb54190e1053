# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether AWX 24.6 would accept a launch, a call or a schedule, and which nodes of a workflow run. No job starts."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from . import awx_rules as rules

Data = dict[str, t.Any]
# Each prompt of a launch, and what the template needs for it to count. What does not count is ignored, and said.
PROMPTS = {
    "inventory": "ask_inventory_on_launch", "limit": "ask_limit_on_launch", "job_type": "ask_job_type_on_launch",
    "job_tags": "ask_tags_on_launch", "skip_tags": "ask_skip_tags_on_launch", "diff_mode": "ask_diff_mode_on_launch",
    "verbosity": "ask_verbosity_on_launch", "credentials": "ask_credential_on_launch", "forks": "ask_forks_on_launch",
    "scm_branch": "ask_scm_branch_on_launch", "job_slice_count": "ask_job_slice_count_on_launch",
    "timeout": "ask_timeout_on_launch", "labels": "ask_labels_on_launch",
    "execution_environment": "ask_execution_environment_on_launch",
    "instance_groups": "ask_instance_groups_on_launch",
}  # fmt: skip
ASK = (*PROMPTS.values(), "ask_variables_on_launch")


def given(body: Data) -> Data | str:
    """The variables of a request: a mapping, or JSON or YAML as text; or the complaint."""
    found = body.get("extra_vars", {})
    return found if isinstance(found, dict) else rules.variables(found)


def sort_out(template: Data, questions: t.Sequence[Data], extra_vars: Data) -> tuple[Data, Data]:
    """The variables that count, and those that are ignored."""
    asked = {one["variable"] for one in questions} if template["survey_enabled"] else set()
    counts = {k: v for k, v in extra_vars.items() if k in asked or template["ask_variables_on_launch"]}
    return counts, {k: v for k, v in extra_vars.items() if k not in counts}


def launch(template: Data, questions: t.Sequence[Data], body: Data) -> tuple[Data, Data]:
    """The variables of the job, and what of the request was ignored. Raises ValueError with what the API answers."""
    extra_vars = given(body)
    if isinstance(extra_vars, str):
        raise ValueError({"extra_vars": [extra_vars]})
    gone = [name for name in ("inventory", "project") if "playbook" in template and template[name] is None]
    if gone:
        raise ValueError({"resources_needed_to_start": [f"Job Template {gone[0]} is missing or undefined."]})
    counts, ignored = sort_out(template, questions, extra_vars)
    used = questions if template["survey_enabled"] else []
    wrong = rules.answers(used, counts)
    if wrong:
        raise ValueError({"variables_needed_to_start": wrong})
    known = {name: ask for name, ask in PROMPTS.items() if name in body and body[name] not in (None, "", [], {})}
    left: Data = {name: body[name] for name, ask in known.items() if not template.get(ask)}
    if ignored:
        left["extra_vars"] = ignored
    defaults = {one["variable"]: one["default"] for one in used if one.get("default", "") != ""}
    fixed = rules.variables(template["extra_vars"])
    assert isinstance(fixed, dict)
    return fixed | defaults | counts, left


def starts_by_itself(template: Data, questions: t.Sequence[Data]) -> bool:
    """Whether nobody has to be asked, as for a provisioning callback."""
    needed = rules.answers(questions, {}) if template["survey_enabled"] else []
    return not needed and not any(template.get(ask) for ask in ASK)


def kept_for_later(template: Data, questions: t.Sequence[Data], one: Data, started: bool) -> Data:
    """What the API says against prompts and variables that a schedule (`started`) or a node keeps for its launch. The
    template's own value is no prompt."""
    extra_data = one.get("extra_data") or {}
    _counts, ignored = sort_out(template, questions, extra_data)
    if ignored:
        names = ", ".join(sorted(ignored))
        where = "Check the Prompt on Launch setting on the Job Template to include Extra Variables."
        return {"extra_data": [f"Variables {names} are not allowed on launch. {where}"]}
    used = questions if template["survey_enabled"] else []
    wrong = rules.answers(used, extra_data, started)
    if wrong:
        return {"variables_needed_to_start": wrong}
    refused = [name for name, ask in PROMPTS.items()
               if one.get(name) not in (None, "", template.get(name)) and not template.get(ask)]  # fmt: skip
    return {name: ["Field is not configured to prompt on launch."] for name in refused}


# ------------------------------------------------------------------ workflows

AFTER = {"successful": ("success_nodes", "always_nodes"), "failed": ("failure_nodes", "always_nodes")}
LINKS = ("success_nodes", "failure_nodes", "always_nodes")
Links = Mapping[str, t.Collection[tuple[str, str]]]
"""Per kind of link: pairs of parent and child."""


def has_cycle(links: t.Iterable[tuple[object, object]]) -> bool:
    left = set(links)
    while left:
        ends = {child for _parent, child in left} - {parent for parent, _child in left}
        kept = {pair for pair in left if pair[1] not in ends}
        if kept == left:
            return True
        left = kept
    return False


def walk(nodes: Mapping[str, bool], links: Links, outcome: Mapping[str, str]) -> set[str]:
    """Which nodes run. `nodes`: whether all parents must converge. `outcome`: successful (where it is not said) or
    failed, as a denied approval is. A node runs when all nodes before it have ended or will never run."""
    parents = {name: [(kind, one) for kind in LINKS for one, child in links[kind] if child == name] for name in nodes}
    decided: dict[str, bool] = {}
    while len(decided) < len(nodes):
        ready = [name for name in nodes if name not in decided and all(one in decided for _kind, one in parents[name])]
        assert ready, "a cycle"
        for name in ready:
            met = [decided[one] and kind in AFTER[outcome.get(one, "successful")] for kind, one in parents[name]]
            decided[name] = not met or (all(met) if nodes[name] else any(met))
    return {name for name, runs in decided.items() if runs}
