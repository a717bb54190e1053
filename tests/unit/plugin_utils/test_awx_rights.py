# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a token may not do in AWX is known before: exactly what the API would refuse for want of a right."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.plugin_utils import awx_rights
from ansible_collections.vpnops.keys.plugins.plugin_utils.awx_rights import Changes
from lab.awx import NODES, ROOT, Awx, RefusedError

Data = dict[str, t.Any]
RULE = "DTSTART:20260101T000000Z RRULE:FREQ=HOURLY;INTERVAL=1"
TEMPLATE = {"project": "keys", "inventory": "all", "credentials": ["login"]}


class Asked:
    """The API, as the lookup asks it."""

    def __init__(self, awx: Awx) -> None:
        self.awx = awx

    def methods(self, path: str) -> Collection[str]:
        answer = self.awx.answer("OPTIONS", f"{ROOT}{path}", {}, {})[1]
        assert answer is not None
        return set(answer["actions"])

    def found(self, kind: str, **query: str) -> list[awx_rights.Data]:
        answer = self.awx.answer("GET", f"{ROOT}{kind}/", dict(query), {})[1]
        assert answer is not None
        rows: list[awx_rights.Data] = answer["results"]
        return rows


def world() -> Awx:
    """A template, a workflow with one node, and a schedule; a credential that nothing uses."""
    made = Awx()
    organization = made.add("organizations", name="Default")["id"]
    project = made.add("projects", name="keys", organization=organization, playbook_files=["site.yml"])["id"]
    inventory = made.add("inventories", name="all", organization=organization)["id"]
    machine = made.add("credential_types", name="Machine", kind="ssh", managed=True)["id"]
    made.add("credentials", name="login", organization=organization, credential_type=machine)
    made.add("teams", name="security", organization=organization)
    job = made.add("job_templates", name="old", project=project, inventory=inventory, playbook="site.yml",
                   organization=organization)["id"]  # fmt: skip
    workflow = made.add("workflow_job_templates", name="flow", organization=organization)["id"]
    made.add(NODES, identifier="a", workflow_job_template=workflow, unified_job_template=job)
    made.add("schedules", name="often", unified_job_template=job, rrule=RULE)
    return made


def number(awx: Awx, kind: str, name: str) -> int:
    found: int = awx.named(kind, name)["id"]
    return found


def send(awx: Awx, method: str, path: str, **body: t.Any) -> Data:
    return awx.answer(method, f"{ROOT}{path}/", {}, body)[1] or {}


def make_template(awx: Awx) -> None:
    project, inventory = number(awx, "projects", "keys"), number(awx, "inventories", "all")
    organization = number(awx, "organizations", "Default")
    made = send(awx, "POST", "job_templates", name="new", project=project, inventory=inventory, playbook="site.yml",
                organization=organization)  # fmt: skip
    send(awx, "POST", f"job_templates/{made['id']}/credentials", id=number(awx, "credentials", "login"))


def change_template(awx: Awx) -> None:
    job = number(awx, "job_templates", "old")
    send(awx, "PATCH", f"job_templates/{job}", job_type="check")
    send(awx, "POST", f"job_templates/{job}/credentials", id=number(awx, "credentials", "login"))


def make_workflow(awx: Awx) -> None:
    made = send(awx, "POST", "workflow_job_templates", name="new", organization=number(awx, "organizations", "Default"))
    send(awx, "POST", NODES, identifier="b", workflow_job_template=made["id"],
         unified_job_template=number(awx, "job_templates", "old"))  # fmt: skip


def change_workflow(awx: Awx) -> None:
    flow, node = number(awx, "workflow_job_templates", "flow"), number(awx, NODES, "a")
    send(awx, "PATCH", f"workflow_job_templates/{flow}", allow_simultaneous=True)
    made = send(awx, "POST", NODES, identifier="b", workflow_job_template=flow,
                unified_job_template=number(awx, "job_templates", "old"))  # fmt: skip
    send(awx, "POST", f"{NODES}/{node}/success_nodes", id=made["id"])
    send(awx, "DELETE", f"{NODES}/{node}")


def make_approval(awx: Awx) -> None:
    send(awx, "POST", f"{NODES}/{number(awx, NODES, 'a')}/create_approval_template", name="sure?")


def make_schedule(awx: Awx) -> None:
    send(awx, "POST", "schedules", name="new", unified_job_template=number(awx, "job_templates", "old"), rrule=RULE)


def change_schedule(awx: Awx) -> None:
    send(awx, "PATCH", f"schedules/{number(awx, 'schedules', 'often')}", enabled=False)


def delete_schedule(awx: Awx) -> None:
    send(awx, "DELETE", f"schedules/{number(awx, 'schedules', 'often')}")


def grant(awx: Awx) -> None:
    for kind, name in (("job_templates", "old"), ("workflow_job_templates", "flow")):
        shown = send(awx, "GET", f"{kind}/{number(awx, kind, name)}")
        role = shown["summary_fields"]["object_roles"]["execute_role"]["id"]
        send(awx, "POST", f"roles/{role}/teams", id=number(awx, "teams", "security"))


def make_type(awx: Awx) -> None:
    send(awx, "POST", "credential_types", name="new", kind="cloud")


GRANT = {"teams": ["security"], "role": "execute"}
OFTEN = {"name": "often", "unified_job_template": "old"}
DONE: dict[str, tuple[Changes, Callable[[Awx], None]]] = {
    "a new template": (Changes(job_templates=[TEMPLATE | {"name": "new"}]), make_template),
    "a template": (Changes(job_templates=[TEMPLATE | {"name": "old"}]), change_template),
    "a new workflow": (Changes(workflows=["new"], started=["old"]), make_workflow),
    "a workflow": (Changes(workflows=["flow"], started=["old"]), change_workflow),
    "an approval": (Changes(workflows=["flow"]), make_approval),
    "a new schedule": (Changes(schedules=[OFTEN | {"name": "new"}]), make_schedule),
    "a schedule": (Changes(schedules=[OFTEN]), change_schedule),
    "a schedule that goes": (Changes(schedules=[OFTEN]), delete_schedule),
    "roles": (Changes(granted=[GRANT | {"job_templates": ["old"], "workflows": ["flow"]}]), grant),
    "a type of credentials": (Changes(credential_types=["new"]), make_type),
}
OBJECTS = {
    ("organizations", "Default"): ("admin", "execute", "project_admin", "inventory_admin", "credential_admin",
                                   "job_template_admin", "workflow_admin"),
    ("projects", "keys"): ("use", "admin"), ("inventories", "all"): ("use", "admin"),
    ("credentials", "login"): ("use", "admin"), ("job_templates", "old"): ("execute", "admin"),
    ("workflow_job_templates", "flow"): ("execute", "admin"),
}  # fmt: skip


def permitted(awx: Awx, act: Callable[[Awx], None]) -> bool:
    try:
        act(awx)
    except RefusedError as found:
        if found.status != 403:
            raise
        return False
    return True


@pytest.mark.parametrize("name", DONE)
@given(st.data())
def test_what_is_said_is_what_awx_refuses(name: str, data: st.DataObject) -> None:
    """Whatever roles the user has, and whatever the scope of the token; the user sees all of the organization."""
    changes, act = DONE[name]
    awx = world()
    awx.user.superuser = data.draw(st.booleans())
    awx.user.scope = data.draw(st.sampled_from(["write", "read"]))
    for (kind, called), roles in OBJECTS.items():
        chosen = data.draw(st.sets(st.sampled_from(roles), max_size=2))
        awx.user.roles[kind, number(awx, kind, called)] = chosen | ({"auditor"} if kind == "organizations" else set())
    before = awx.state()
    said = awx_rights.refused(Asked(awx), "Default", changes)
    assert awx.state() == before
    assert permitted(awx, act) == (not said)


def test_each_right_is_named_with_the_role_that_it_needs() -> None:
    awx = world()
    awx.user.superuser = False
    awx.user.roles["organizations", number(awx, "organizations", "Default")] = {"auditor"}
    every = Changes(
        ["Directory"], [TEMPLATE | {"name": "old"}, TEMPLATE | {"name": "new"}], ["flow", "new"], ["old", "new"],
        [OFTEN, OFTEN | {"name": "new"}], [GRANT | {"workflows": ["flow", "new"]}],
    )  # fmt: skip
    assert [f"{one.act}: {one.needs}" for one in awx_rights.refused(Asked(awx), "Default", every)] == [
        "make or change the credential type Directory: a system administrator of AWX",
        "change the job template old: the role Admin of it",
        "use the project keys: the role Use of it",
        "use the inventory all: the role Use of it",
        "use the credential login: the role Use of it",
        "make the job template new: the role Use of its project and its inventory",
        "change the workflow flow: the role Admin of it",
        "make the workflow new: the role Workflow Admin of the organization Default",
        "start the job template old: the role Execute of it",
        "change the schedule often: the role Admin of its job template",
        "grant roles of the workflow flow: the role Admin of it",
    ]


def test_what_is_granted_already_needs_no_right() -> None:
    """Of several templates in one grant."""
    awx = world()
    grant(awx)
    awx.user.superuser = False
    awx.user.roles["organizations", number(awx, "organizations", "Default")] = {"auditor"}
    every = GRANT | {"job_templates": ["old"], "workflows": ["flow"]}
    assert awx_rights.refused(Asked(awx), "Default", Changes(granted=[every])) == []
    read = every | {"role": "read", "workflows": []}
    said = [one.act for one in awx_rights.refused(Asked(awx), "Default", Changes(granted=[read]))]
    assert said == ["grant roles of the job template old"]


def test_nothing_that_would_be_changed_needs_no_right() -> None:
    awx = world()
    awx.user.superuser = False
    assert awx_rights.refused(Asked(awx), "Default", Changes()) == []
