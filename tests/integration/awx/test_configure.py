# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook that applies awx/ with the modules of awx.awx, against the stand-in of the API."""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from integration.awx.one_process import overlay
from integration.control_node import CHECKOUT, ControlNode, Data, Run
from integration.once import once
from integration.runner.jobs import Controller, Credential, shipped
from integration.test_secrets import assert_clean

from lab.awx import BEHIND_GATEWAY, CALLER, NODES, REFERENCES, TOKEN, Awx, RefusedError

pytestmark = pytest.mark.timeout(1800)
CONFIGURE = "vpnops.keys.configure_awx"
HOST_CONFIG_KEY = "whoever-knows-this-starts-jobs"
GATEWAY_TOKEN = "t0ken-of-the-platform-gateway"
BEHIND = {"CONTROLLER_OPTIONAL_API_URLPATTERN_PREFIX": "/api/controller/"}
ROTATE, SYNCHRONIZE = "Gateways: rotate with approval", "Key servers: synchronize with approval"
PLAN, APPLY = "Gateways: plan a rotation", "Gateways: apply the approved plan"
ROTATE_GROUP = "Key servers: rotate the key of a group with approval"
PLAN_ROTATION = "Key servers: plan a rotation"
APPLY_ROTATION = "Key servers: apply the approved plan of a rotation"
NIGHTLY = "Gateways: audit, every night"
SITE = {
    "controller_gateway_credentials": ["administrator of the gateways"],
    "controller_host_config_key": HOST_CONFIG_KEY,
    "controller_launching_team": "network",
    "controller_approving_team": "security",
    "controller_duty_team": "on duty",
    "controller_schedules_excluded": [],
}


def ready(made: Awx) -> Awx:
    """With what an administrator has made there: organization, project, inventories, a credential, teams."""
    organization = made.add("organizations", name="Default")["id"]
    playbooks = [f"playbooks/{one.name}" for one in sorted((CHECKOUT / "playbooks").glob("*.yml"))]
    made.add("projects", name="vpnops.keys", organization=organization, playbook_files=playbooks)
    made.add("inventories", name="VPN gateways", organization=organization, host_addresses={"gw1": CALLER})
    made.add("inventories", name="GET VPN key servers", organization=organization)
    machine = made.add("credential_types", name="Machine", kind="ssh", managed=True)["id"]
    for name in ("administrator of the gateways", "another administrator"):
        made.add("credentials", name=name, organization=organization, credential_type=machine)
    for name in ("network", "security", "on duty"):
        made.add("teams", name=name, organization=organization)
    return made


@pytest.fixture
def awx() -> Iterator[Awx]:
    with ready(Awx()) as made:
        yield made


FORETELLS = {
    "Predict the nodes of new workflows (check mode)": "Create or update the nodes of workflows",
    "Predict the links between new nodes (check mode)": "Link the nodes of workflows",
    "Predict new schedules (check mode)": "Create or update the schedules",
    "Predict the roles of the teams (check mode)": "Grant the roles of the teams",
}
"""Tasks of check mode, and those that do it."""


class Administrator:
    """Who runs the playbook; the modules run in one process, which costs a third."""

    def __init__(self, awx: Awx, path: Path, **environment: str) -> None:
        where = {"CONTROLLER_HOST": awx.url, "CONTROLLER_OAUTH_TOKEN": awx.token, "ANSIBLE_PIPELINING": "true"}
        # Each request reads all authorities of this machine, which is most of what it costs.
        where["SSL_CERT_FILE"] = "/dev/null"
        self.awx = awx
        path.mkdir(exist_ok=True)
        where |= self.collections(path)
        self.node = ControlNode(path, {"all": {"hosts": {}}}, where | environment, finished_within=900)

    def collections(self, path: Path) -> dict[str, str]:
        return {"ANSIBLE_COLLECTIONS_PATH": f"{overlay(path)}:{CHECKOUT / '.build'}"}

    def run(self, values: Data, *arguments: str) -> Run:
        return self.node.run(CONFIGURE, "-e", json.dumps(values), *arguments)

    def changed(self, values: Data, *arguments: str) -> set[tuple[str, int]]:
        """The tasks that changed something, with the number of the item, of a run that succeeds."""
        done = self.run(values, *arguments)
        assert done.code == 0, done.output
        return {
            (FORETELLS.get(str(one["task"]), str(one["task"])), number)
            for one in done.results
            for number, item in enumerate(one["result"].get("results", []))
            if item.get("changed")
        }


class User(Administrator):
    """With a process for each module."""

    def collections(self, path: Path) -> dict[str, str]:
        return {}


def of_one_workflow() -> Data:
    """A part of the data: every object costs a process. A variable of a command line is a template, hence no `{{` of
    AWX."""
    templates = [one for one in shipped("job_templates")["controller_templates"] if one["name"] in (PLAN, APPLY)]
    backup = shipped("credential_types")["controller_credential_types"][1]
    fixed = {APPLY: {"gateway_keys_approved": "what the plan said"}}
    (workflow,) = (one for one in shipped("workflows")["controller_workflows"] if one["name"] == ROTATE)
    nodes = [one | {"success_nodes": [name for name in one["success_nodes"] if name != "verify"]}
             for one in workflow["simplified_workflow_nodes"] if one["identifier"] != "verify"]  # fmt: skip
    return {
        "controller_gateway_credentials": ["administrator of the gateways"],
        "controller_credential_types": [backup | {"injectors": {"env": {"BACKUP": "there"}}}],
        "controller_templates": [one | {"extra_vars": fixed.get(one["name"], one["extra_vars"])} for one in templates],
        "controller_workflows": [workflow | {"simplified_workflow_nodes": nodes}],
        "__schedules": [one | {"unified_job_template": PLAN} for one in shipped("schedules")["__schedules"]
                        if one["name"] == NIGHTLY],
        "controller_schedules_excluded": [],
    }  # fmt: skip


def the_schedule() -> Data:
    """Of that part nothing but the schedule."""
    lists = ("controller_credential_types", "controller_templates", "controller_workflows")
    return of_one_workflow() | {name: [] for name in lists}


def linked(awx: Awx, workflow: str, kind: str = "success_nodes") -> dict[str, list[str]]:
    """The nodes of a workflow, each with those that follow it."""
    number = awx.named("workflow_job_templates", workflow)["id"]
    nodes = {key: one for key, one in awx.objects[NODES].items() if one["workflow_job_template"] == number}
    return {
        one["identifier"]: [nodes[after]["identifier"] for after in awx.associated.get((NODES, key, kind), [])]
        for key, one in nodes.items()
    }


def extra_vars(awx: Awx, template: str) -> Data:
    found: Data = json.loads(awx.named("job_templates", template)["extra_vars"])
    return found


# ------------------------------------------------------------------ all of it


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """On an empty AWX as it is in Ansible Automation Platform: behind the platform gateway, with its token and its
    path, and a certificate of a private authority, which SSL_CERT_FILE names."""

    def make() -> Data:
        path = tmp_path_factory.mktemp("applied")
        authority, own = certificates(path)
        with ready(Awx(BEHIND_GATEWAY, GATEWAY_TOKEN, own)) as awx:
            Administrator(awx, path, SSL_CERT_FILE=str(authority), **BEHIND).changed(SITE)
            return awx.state()

    return once(tmp_path_factory, "applied", make)


@pytest.fixture
def full(awx: Awx, applied: Data) -> Awx:
    awx.load(applied)
    return awx


@pytest.mark.thorough
def test_all_of_it_is_foretold(awx: Awx, applied: Data, tmp_path: Path) -> None:
    """With a process for each module, as users run it: there is nothing else in AWX than after one process."""
    administrator = User(awx, tmp_path)
    predicted = administrator.changed(SITE, "--check")
    assert not awx.written
    assert administrator.changed(SITE) == predicted
    assert awx.state() == applied


def test_what_was_applied(full: Awx) -> None:
    assert full.names("credential_types") == {"Machine", "VPN key directory", "VPN key backup"}
    assert full.names("schedules") == {one["name"] for one in shipped("schedules")["__schedules"]}
    for one in shipped("workflows")["controller_workflows"]:
        nodes = one["simplified_workflow_nodes"]
        assert linked(full, one["name"]) == {node["identifier"]: node["success_nodes"] for node in nodes}
    assert extra_vars(full, APPLY) == {"gateway_keys_approved": "{{ gateway_keys_plan_digest | default('') }}"}
    injected = full.named("credential_types", "VPN key directory")["injectors"]
    assert injected["env"] == {"VPNOPS_KEYS_DIRECTORY_URL": "{{ url }}"}
    survey = full.survey("workflow_job_templates", ROTATE)
    assert [one["variable"] for one in survey["spec"] if one["required"]] == ["gateway", "confirm"]
    number = full.named("job_templates", "Gateways: enroll")["id"]
    administrators = full.named("credentials", "administrator of the gateways")["id"]
    assert full.associated["job_templates", number, "credentials"] == [administrators]
    again = extra_vars(full, "AWX: apply these templates again")
    assert {name: again[name] for name in SITE if name in again} == {
        name: value for name, value in SITE.items() if name != "controller_host_config_key"
    }
    assert again["controller_converge_every"] == 15
    assert "controller_execution_environment" not in again


def test_roles(full: Awx) -> None:
    """Who launches and who approves reads the plan and what came of it; nobody may execute the template of the third
    node, or edit anything."""
    granted: dict[str, set[tuple[str, str]]] = {}
    for kind in ("job_templates", "workflow_job_templates"):
        for one in full.objects[kind].values():
            shown = full.answer("GET", f"{full.root}{kind}/{one['id']}/", {}, {})[1] or {}
            for role, about in shown["summary_fields"]["object_roles"].items():
                for team in full.roles.get(str(about["id"]), []):
                    granted.setdefault(full.objects["teams"][team]["name"], set()).add((one["name"], role))
    applies = {(name, "read_role") for name in (APPLY, "Key servers: apply the approved plan", APPLY_ROTATION)}
    plans = {(name, "read_role") for name in (PLAN, "Key servers: plan", PLAN_ROTATION)}
    workflows = {(name, "approval_role") for name in (ROTATE, SYNCHRONIZE, ROTATE_GROUP)}
    assert granted["security"] == workflows | plans | applies
    assert granted["network"] > applies
    assert {name for name, role in granted["network"] if role == "execute_role"} >= {ROTATE, SYNCHRONIZE, PLAN}
    assert granted["on duty"] == {(name, "execute_role") for name in ("Gateways: a key was stolen",
                                                                      "Key servers: a key was stolen")}  # fmt: skip
    every = {one for ones in granted.values() for one in ones}
    assert {one for one in every if "approved plan" in one[0]} == applies
    assert not [name for name, role in every if role == "admin_role"]


@pytest.mark.thorough
def test_a_second_run_changes_nothing(full: Awx, tmp_path: Path) -> None:
    before = full.state()
    administrator = Administrator(full, tmp_path)
    assert administrator.changed(SITE, "--check") == administrator.changed(SITE) == set()
    assert full.state() == before
    assert not full.written


ANSWERS = {"gateway": "gw1", "confirm": "gw1"}
ROTATION = {"key_server_rotate_label": "GETVPN-2027"}
LAUNCHES: dict[str, Data] = {
    "Key servers: plan": {},
    "Key servers: a key was stolen": {"key_server_sync_compromised": "0123456789ab"},
    PLAN: ANSWERS | {"gateway_keys_minimum_share": 50, "gateway_keys_take_over": "false"},
    "Gateways: a key was stolen": ANSWERS,
    "Gateways: roll back to the old key": ANSWERS,
    "Gateways: revoke a lost one": ANSWERS,
    "Gateways: retire one that is not needed any more": ANSWERS,
    PLAN_ROTATION: ROTATION,
    ROTATE_GROUP: ROTATION | {"key_server_rotate_until": "secondaries"},
    ROTATE: ANSWERS | {"gateway_keys_why": "yearly", "gateway_keys_strategy": "in_place"},
    SYNCHRONIZE: {"key_server_sync_overwrite": "always", "key_server_sync_size": "3072"},
}
"""What is answered; all others ask nothing."""


def launched(awx: Awx, name: str, body: Data) -> Data:
    kind = "job_templates" if name in awx.names("job_templates") else "workflow_job_templates"
    _status, said = awx.answer("POST", f"{awx.root}{kind}/{awx.named(kind, name)['id']}/launch/", {}, body)
    assert said is not None
    return said


def test_every_launch_is_accepted(full: Awx) -> None:
    for name in full.names("job_templates") | full.names("workflow_job_templates"):
        answers = LAUNCHES.get(name, {})
        said = launched(full, name, {"extra_vars": answers})
        assert said["ignored_fields"] == {}, name
        assert answers.items() <= json.loads(said["extra_vars"]).items()
    called = launched(full, "Gateways: converge those that call", {"limit": "gw1,gw3"})
    assert (called["limit"], called["ignored_fields"]) == ("gw1,gw3", {})


def test_launches_that_change_something_need_their_answers(full: Awx) -> None:
    """Whoever launches, a program too, types the name twice; nothing that is not asked gets into the job."""
    for name in ("Gateways: a key was stolen", "Gateways: revoke a lost one", ROTATE, "Key servers: a key was stolen"):
        with pytest.raises(Exception, match="value missing"):
            launched(full, name, {})
    more = ANSWERS | {"gateway_keys_approved": "f" * 64, "gateway_keys_plan_digest": "f" * 64}
    for name in (ROTATE, APPLY):
        said = launched(full, name, {"extra_vars": more, "limit": "gw1"})
        assert set(said["ignored_fields"]["extra_vars"]) == {"gateway_keys_approved", "gateway_keys_plan_digest"}
        assert said["ignored_fields"]["limit"] == "gw1"
    with pytest.raises(Exception, match="expected to be an integer"):
        launched(full, PLAN, {"extra_vars": ANSWERS | {"gateway_keys_minimum_share": "50"}})


def test_launches_of_the_guide(full: Awx) -> None:
    guide = (CHECKOUT / "docs/docsite/rst/guide_awx.rst").read_text()
    pattern = r"-d '(\{.*?\})' \\?\s*\S*?/(workflow_job_templates|job_templates)/(\S+)/(launch|callback)/"
    found = re.findall(pattern, guide)
    assert {one[3] for one in found} == {"launch", "callback"}
    for body, kind, name, what in found:
        number = full.named(kind, {"$ROTATE": ROTATE, "$CONVERGE": "Gateways: converge"}[name])["id"]
        given = json.loads(body.replace("the key", HOST_CONFIG_KEY))
        status, said = full.answer("POST", f"{full.root}{kind}/{number}/{what}/", {}, given)
        assert status == 201
        assert not (said or {}).get("ignored_fields")


def test_a_gateway_that_calls_is_told(full: Awx) -> None:
    """For itself alone; no other template can be called."""
    for one in full.objects["job_templates"].values():
        path = f"{full.root}job_templates/{one['id']}/callback/"
        if one["name"] == "Gateways: converge":
            assert full.answer("POST", path, {}, {"host_config_key": HOST_CONFIG_KEY})[0] == 201
        else:
            with pytest.raises(Exception, match="permission"):
                full.answer("POST", path, {}, {"host_config_key": HOST_CONFIG_KEY})
    assert full.launched == [{"template": "Gateways: converge", "extra_vars": {}, "limit": "gw1"}]


# ------------------------------------------------------------------ a part of it


class Part(t.NamedTuple):
    wrote: int
    """Changes of AWX that check mode has made."""
    predicted: set[tuple[str, int]]
    changed: set[tuple[str, int]]
    state: Data


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Part:
    """One workflow and its templates on an empty AWX: in check mode, and in earnest, without an interruption."""

    def make() -> Part:
        with ready(Awx()) as awx:
            administrator = Administrator(awx, tmp_path_factory.mktemp("part"))
            predicted = administrator.changed(of_one_workflow(), "--check")
            wrote = len(awx.written)
            return Part(wrote, predicted, administrator.changed(of_one_workflow()), awx.state())

    return once(tmp_path_factory, "part", make)


@pytest.fixture
def part(first: Part) -> Data:
    return first.state


def test_an_empty_awx_is_foretold(first: Part) -> None:
    assert first.wrote == 0
    assert first.predicted == first.changed


def link(awx: Awx, parent: str, child: str, kind: str) -> None:
    nodes = {one["identifier"]: number for number, one in awx.objects[NODES].items()}
    awx.answer("POST", f"{awx.root}{NODES}/{nodes[parent]}/{kind}/", {}, {"id": nodes[child]})


def unlink(awx: Awx, parent: str, child: str, kind: str) -> None:
    nodes = {one["identifier"]: number for number, one in awx.objects[NODES].items()}
    body = {"id": nodes[child], "disassociate": True}
    awx.answer("POST", f"{awx.root}{NODES}/{nodes[parent]}/{kind}/", {}, body)


def rehearse_only(awx: Awx) -> None:
    one = awx.named("job_templates", APPLY)
    one.update(job_type="check", limit="gw9", skip_tags="all", become_enabled=True, ask_credential_on_launch=True)
    one.update(extra_vars='{"gateway_keys_approved": "anything"}', job_slice_count=7, host_config_key="mine")
    other = awx.named("credentials", "another administrator")["id"]
    awx.associated["job_templates", one["id"], "credentials"] = [other]


def other_variables(awx: Awx) -> None:
    awx.named("workflow_job_templates", ROTATE).update(ask_variables_on_launch=True, extra_vars='{"a": 1}')
    awx.survey("workflow_job_templates", ROTATE)["spec"][0]["required"] = False
    awx.named("credential_types", "VPN key backup")["injectors"] = {"env": {"A": "b"}}


def another_approval(awx: Awx) -> None:
    (one,) = awx.objects["workflow_approval_templates"].values()
    one.update(name="Yes?", timeout=5)


def a_limit_that_nobody_asks_for(awx: Awx) -> None:
    """It was entered while its template asked for it. AWX refuses what configure_awx changes of such a schedule."""
    schedule = awx.named("schedules", NIGHTLY)
    schedule.update(limit="gw9", diff_mode=False, enabled=False)
    with pytest.raises(RefusedError, match="not configured to prompt"):
        awx.answer("PATCH", f"{awx.root}schedules/{schedule['id']}/", {}, {"enabled": True, "extra_data": {}})


def off(awx: Awx) -> None:
    awx.named("schedules", NIGHTLY)["enabled"] = False


def around_the_approval(awx: Awx) -> None:
    link(awx, "plan", "apply", "always_nodes")
    awx.named(NODES, "apply")["all_parents_must_converge"] = False


def always(awx: Awx) -> None:
    unlink(awx, "approve", "apply", "success_nodes")
    link(awx, "approve", "apply", "always_nodes")


def the_other_way_round(awx: Awx) -> None:
    unlink(awx, "plan", "approve", "success_nodes")
    unlink(awx, "approve", "apply", "success_nodes")
    link(awx, "apply", "approve", "failure_nodes")


def a_node_of_their_own(awx: Awx) -> None:
    workflow = awx.named("workflow_job_templates", ROTATE)["id"]
    awx.add(NODES, identifier="mine", workflow_job_template=workflow,
            unified_job_template=awx.named("job_templates", APPLY)["id"])  # fmt: skip
    link(awx, "plan", "mine", "always_nodes")


def another_job(awx: Awx) -> None:
    """The plan's node carries out at once."""
    awx.named(NODES, "plan")["unified_job_template"] = awx.named("job_templates", APPLY)["id"]


def deleted(awx: Awx) -> None:
    """The template of the plan, and with it its schedule; the type of credentials."""
    for kind, name in (("job_templates", PLAN), ("credential_types", "VPN key backup")):
        awx.answer("DELETE", f"{awx.root}{kind}/{awx.named(kind, name)['id']}/", {}, {})
    assert awx.names("schedules") == set()


def a_job_for_the_approval(awx: Awx) -> None:
    """As AWX's own editor does: the identifier of the node stays, the approval is deleted."""
    awx.named(NODES, "approve")["unified_job_template"] = awx.named("job_templates", PLAN)["id"]
    awx.objects["workflow_approval_templates"].clear()


EDITS: dict[str, Sequence[Callable[[Awx], None]]] = {
    "fields, and a link past the approval": (
        rehearse_only, other_variables, another_approval, a_limit_that_nobody_asks_for, around_the_approval,
    ),
    "a job in the place of the approval": (a_job_for_the_approval,),
    "links of another kind, another job, and a schedule that is off": (always, another_job, off),
    "deleted": (deleted,),
    "links that would close a circle, and a node": (the_other_way_round, a_node_of_their_own),
}  # fmt: skip


def first_of(names: Iterable[object]) -> list[t.Any]:
    """Each applies the whole data again, which takes long: all but one are thorough."""
    return [pytest.param(name, marks=[pytest.mark.thorough] if number else []) for number, name in enumerate(names)]


def by_names(state: Data) -> Data:
    """The same for two whose objects have other numbers."""
    every = [one for rows in state["objects"].values() for one in rows.values()]
    names = {one["id"]: one.get("identifier") or one["name"] for one in every}

    def named(one: Data) -> Data:
        return one | {key: names.get(one[key], one[key]) for key in ("id", *REFERENCES) if key in one}

    objects = {kind: sorted(map(named, rows.values()), key=str) for kind, rows in state["objects"].items()}
    return state | {
        "objects": objects,
        "surveys": {(kind, names[key]): found for (kind, key), found in state["surveys"].items()},
        "associated": {(kind, names.get(key, key), name): [names.get(one, one) for one in ids]
                       for (kind, key, name), ids in state["associated"].items()},
    }  # fmt: skip


@pytest.mark.parametrize("name", first_of(EDITS))
def test_what_was_edited_is_foretold_and_brought_back(name: str, awx: Awx, part: Data, tmp_path: Path) -> None:
    awx.load(part)
    for edit in EDITS[name]:
        edit(awx)
    edited = awx.state()
    assert edited != part
    awx.written.clear()
    administrator = Administrator(awx, tmp_path)
    predicted = administrator.changed(of_one_workflow(), "--check")
    assert awx.state() == edited
    assert not awx.written
    assert administrator.changed(of_one_workflow()) == predicted
    assert by_names(awx.state()) == by_names(part)
    denied = awx.walk(ROTATE, {"approve": "failed"})
    assert denied == {"plan", "approve"}


@pytest.mark.parametrize("after", first_of([11, 2, 7, 14]))
def test_what_was_interrupted_is_completed(after: int, awx: Awx, part: Data, tmp_path: Path) -> None:
    """At first where the node of the approval is there already and the approval is not."""
    administrator = Administrator(awx, tmp_path)
    awx.fails_after = after
    assert administrator.run(of_one_workflow()).code == 2
    assert awx.state() != part
    awx.fails_after = None
    administrator.changed(of_one_workflow())
    assert awx.state() == part


def test_a_schedule_that_is_excluded(awx: Awx, part: Data, tmp_path: Path) -> None:
    awx.load(part)
    values = the_schedule() | {"controller_schedules_excluded": [NIGHTLY]}
    administrator = Administrator(awx, tmp_path)
    predicted = administrator.changed(values, "--check")
    assert awx.names("schedules") == {NIGHTLY}
    assert administrator.changed(values) == predicted
    assert awx.names("schedules") == set()


# ------------------------------------------------------------------ what AWX would refuse

VALUES: dict[str, tuple[Data, str]] = {
    "no interval": ({"controller_converge_every": 0}, "controller_converge_every must be a whole number of minutes"),
    "half an hour": ({"controller_converge_every": "0.5h"}, "controller_converge_every must be a whole number of"),
    "no slice": ({"controller_gateway_slices": 0}, "controller_gateway_slices must be a whole number from 1 to 999"),
    "minus": ({"controller_approval_timeout": -1}, "controller_approval_timeout must be a whole number of seconds"),
    "long": ({"controller_project": "x" * 513}, "controller_project must be a name of 1 to 512 characters"),
    "nameless": ({"controller_organization": ""}, "controller_organization must be a name of 1 to 512 characters"),
    "unknown": ({"controller_schedules_excluded": ["x"]}, "Each name in controller_schedules_excluded must be that"),
    "text": ({"controller_gateway_credentials": "one"}, "The credentials of the templates must be a list of names"),
    "number": ({"controller_gateway_inventory": 5}, "controller_gateway_inventory must be a name of 1 to 512"),
    "empty": ({"controller_audit_inventory": ""}, "controller_audit_inventory must be a name of 1 to 512 characters"),
    "no image": ({"controller_execution_environment": ""}, "controller_execution_environment must be a name of 1 to"),
    "nothing": ({"controller_duty_team": None}, "controller_duty_team must be the name of a team, or an empty text"),
    "key": ({"controller_host_config_key": "x" * 1025}, "controller_host_config_key must be a text of up to 1024"),
}
ELSEWHERE = "of another organization"
"""An inventory of each organization, a team, a project and a credential."""
THERE: dict[str, tuple[Data, str]] = {
    "a type in use": ({}, "does not change the inputs of the credential type VPN key backup while a credential has it"),
    "playbooks": ({"controller_playbooks": "books"}, "The project vpnops.keys has no books/enroll_gateways.yml"),
    "credential": ({"controller_gateway_credentials": ["none"]}, "AWX has no credential none"),
    "two credentials of a name": (
        {"controller_gateway_credentials": [ELSEWHERE]},
        f"AWX has more than one credential {ELSEWHERE}. Their names must be unique.",
    ),
    "two credentials": (
        {"controller_gateway_credentials": ["administrator of the gateways", "another administrator"]},
        "are of one type, and a job takes one of each",
    ),
}
NAMES: dict[str, tuple[str, str]] = {
    "controller_project": (ELSEWHERE, f"AWX has no project {ELSEWHERE} in the organization Default. Nothing was"),
    "controller_duty_team": (ELSEWHERE, f"AWX has no team {ELSEWHERE} in the organization Default. Nothing was"),
    "controller_launching_team": ("nobody", "AWX has no team nobody in the organization Default. Nothing was"),
    "controller_gateway_inventory": (ELSEWHERE, f"AWX has more than one inventory {ELSEWHERE}. Their names must be"),
    "controller_key_server_inventory": ("nowhere", "AWX has no inventory nowhere. Nothing was changed."),
}


def with_another_organization(awx: Awx) -> Awx:
    default, other = awx.named("organizations", "Default")["id"], awx.add("organizations", name="Other")["id"]
    for organization in (default, other):
        awx.add("inventories", name=ELSEWHERE, organization=organization)
        awx.add("credentials", name=ELSEWHERE, organization=organization)
    for kind in ("teams", "projects"):
        awx.add(kind, name=ELSEWHERE, organization=other)
    return awx


def test_values_are_checked_before_the_first_call(awx: Awx, tmp_path: Path) -> None:
    """All of them at once, in one sentence each; nothing is said of those that are right."""
    wrong: Data = {name: value for values, _said in VALUES.values() for name, value in values.items()}
    wrong |= {"controller_converge_every": 9999, "controller_launching_team": "x"}
    done = Administrator(awx, tmp_path, CONTROLLER_HOST="http://127.0.0.1:9").run(wrong)
    assert done.code == 2
    for given, said in VALUES.values():
        assert (said in done.output) == ("controller_converge_every" not in given), done.output
    assert "network error" not in done.output


def test_names_are_looked_up_as_the_modules_do(awx: Awx, tmp_path: Path) -> None:
    """All of them at once: inventories in all organizations, teams and projects in one."""
    wrong = {name: value for name, (value, _said) in NAMES.items()}
    done = Administrator(with_another_organization(awx), tmp_path).run(wrong)
    assert done.code == 2
    for _value, said in NAMES.values():
        assert said in " ".join(done.output.split()), done.output
    assert not awx.written


@pytest.mark.parametrize("name", first_of(THERE))
def test_what_awx_would_refuse_is_said_first(name: str, awx: Awx, tmp_path: Path) -> None:
    """In check mode as well."""
    values, said = THERE[name]
    if name == "a type in use":
        inputs = {"fields": [{"id": "a", "label": "A"}]}
        made = awx.add("credential_types", name="VPN key backup", kind="cloud", inputs=inputs)
        awx.add("credentials", name="where", credential_type=made["id"])
    administrator = Administrator(with_another_organization(awx), tmp_path)
    for arguments in (["--check"], []):
        done = administrator.run(values, *arguments)
        assert done.code == 2
        assert said in " ".join(done.output.split()), done.output
        assert not awx.written


# ------------------------------------------------------------------ what the token may do


def of_a_user(awx: Awx, *roles: str) -> Awx:
    """The token is one of somebody with these roles of the organization."""
    awx.user.superuser = False
    awx.user.roles["organizations", awx.named("organizations", "Default")["id"]] = set(roles)
    return awx


def test_what_the_token_may_not_do_is_said_first(awx: Awx, tmp_path: Path) -> None:
    """All of it, in check mode as well; somebody who sees everything and may do nothing."""
    administrator = Administrator(of_a_user(awx, "auditor"), tmp_path)
    for arguments in (["--check"], []):
        done = administrator.run(of_one_workflow(), *arguments)
        assert done.code == 2
        for sentence in (
            "may not make or change the credential type VPN key backup. This needs a system administrator of AWX,",
            f"may not make the job template {APPLY}. This needs the role Use of its project and its inventory, and a",
            "may not use the project vpnops.keys. This needs the role Use of it,",
            "may not use the inventory VPN gateways.",
            "may not use the credential administrator of the gateways.",
            f"may not make the workflow {ROTATE}. This needs the role Workflow Admin of the organization Default,",
        ):
            assert f"The token {sentence}" in done.output, done.output
        assert not awx.written


@pytest.mark.thorough
def test_what_is_not_changed_needs_no_right(awx: Awx, part: Data, tmp_path: Path) -> None:
    """Nor does a token that only reads; what is edited by now needs it."""
    awx.load(part)
    administrator = Administrator(of_a_user(awx, "auditor"), tmp_path)
    assert administrator.changed(of_one_workflow()) == set()
    awx.user.superuser, awx.user.scope = True, "read"
    off(awx)
    done = administrator.run(of_one_workflow())
    assert done.code == 2
    assert f"The token may not change the schedule {NIGHTLY}. This needs the role Admin of its job" in done.output
    assert not awx.written


@pytest.mark.thorough
def test_an_administrator_of_the_organization(awx: Awx, part: Data, tmp_path: Path) -> None:
    """Where the types of credentials are there: nothing else is in AWX than after a run of a system administrator."""
    awx.add("credential_types", **of_one_workflow()["controller_credential_types"][0])
    administrator = Administrator(of_a_user(awx, "admin"), tmp_path)
    predicted = administrator.changed(of_one_workflow(), "--check")
    assert not awx.written
    assert administrator.changed(of_one_workflow()) == predicted
    assert by_names(awx.state()) == by_names(part)


# ------------------------------------------------------------------ where AWX is


@pytest.mark.thorough
def test_nobody_else_is_let_past_the_platform_gateway(tmp_path: Path) -> None:
    """Neither with another path nor with a token of the controller; `applied` was made with the right ones."""
    with ready(Awx(BEHIND_GATEWAY, GATEWAY_TOKEN)) as awx:
        for name, value in (("CONTROLLER_OPTIONAL_API_URLPATTERN_PREFIX", "/api/"), ("CONTROLLER_OAUTH_TOKEN", TOKEN)):
            done = Administrator(awx, tmp_path / name, **(BEHIND | {name: value})).run(of_one_workflow())
            assert done.code == 2
            assert "could not be found" in done.output or "Invalid authentication credentials" in done.output


def certificates(path: Path) -> tuple[Path, Path]:
    """The file of an authority, and one with a certificate of it for 127.0.0.1 and its key."""
    now = datetime.now(timezone.utc)

    def made(subject: str, key: ec.EllipticCurvePrivateKey, *extensions: tuple[x509.ExtensionType, bool],
             signer: ec.EllipticCurvePrivateKey) -> bytes:  # fmt: skip
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site")])
        about = x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number(),
                                        now - timedelta(days=1), now + timedelta(days=1))  # fmt: skip
        for extension, critical in extensions:
            about = about.add_extension(extension, critical)
        return about.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)

    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    of_authority = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    (path / "ca.pem").write_bytes(
        made("site", authority, (x509.BasicConstraints(True, None), True), (usage, True), (of_authority, False),
             signer=authority)
    )  # fmt: skip
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_authority)
    key = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (path / "awx.pem").write_bytes(made("awx", own, (address, False), (by, False), signer=authority) + key)
    return path / "ca.pem", path / "awx.pem"


def test_a_private_authority(tmp_path: Path) -> None:
    """As the guide says: SSL_CERT_FILE names the authority (as for `applied`), or CONTROLLER_VERIFY_SSL=false."""
    _authority, own = certificates(tmp_path)
    values = of_one_workflow() | {"controller_templates": [], "controller_workflows": [], "__schedules": []}
    with ready(Awx(certificate=own)) as awx:
        unknown = Administrator(awx, tmp_path / "unknown").run(values)
        assert unknown.code == 2
        assert "CERTIFICATE_VERIFY_FAILED" in unknown.output, unknown.output
        assert not awx.written
        assert User(awx, tmp_path / "any", CONTROLLER_VERIFY_SSL="false").changed(values)


def crowded(awx: Awx) -> Awx:
    """With more credentials of others than awx.awx looks at where nobody says how many. That every other list is asked
    for in the same way is tested in tests/unit/test_awx.py; here it would take long."""
    for number in range(1001):
        awx.add("credentials", name=f"{number}")
    return awx


def test_as_a_job_of_its_own(awx: Awx, tmp_path: Path) -> None:
    """AWX, which is a large one, is told by one of its jobs, whose credential is the one that AWX has for that. The key
    for callbacks is in nothing that AWX keeps."""
    where = {"CONTROLLER_HOST": crowded(awx).url, "CONTROLLER_OAUTH_TOKEN": TOKEN, "SSL_CERT_FILE": "/dev/null"}
    itself = Credential(env=where)
    controller = Controller(tmp_path, {"all": {"hosts": {}}}, [itself])
    every = shipped("job_templates")["controller_templates"]
    converge = {"controller_templates": [one for one in every if one["name"] == "Gateways: converge"]}
    others = ("controller_credential_types", "controller_workflows", "controller_schedules")
    values = converge | {name: [] for name in others} | {"controller_host_config_key": HOST_CONFIG_KEY}
    job = controller.run("configure_awx.yml", values, own=converge)
    assert job.code == 0, job.output
    assert job.changed > 0
    assert awx.named("job_templates", "Gateways: converge")["host_config_key"] == HOST_CONFIG_KEY
    kept = controller.kept()
    assert_clean(kept, {"host config key": HOST_CONFIG_KEY.encode()})
    # The command is kept with its environment; AWX hides there what a credential has put in.
    assert_clean({name: content for name, content in kept.items() if not name.endswith("/command")},
                 {"token": TOKEN.encode()})  # fmt: skip
