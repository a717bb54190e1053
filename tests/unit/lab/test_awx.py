# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in for AWX refuses what AWX refuses, by its documented behavior, and nothing else."""

from __future__ import annotations

import copy
import json
import typing as t
from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import awx_rules as rules
from lab.awx import FIELDS, ROOT, Awx, RefusedError
from lab.awx_launch import has_cycle

Data = dict[str, t.Any]
QUESTION = {"question_name": "Which", "variable": "which", "type": "text", "required": True}
CHOICE = QUESTION | {"type": "multiplechoice"}


def spec(*questions: t.Any) -> Data:
    return {"name": "", "description": "", "spec": list(questions)}


SURVEYS: dict[str, tuple[t.Any, str]] = {
    "as it should be": (spec(QUESTION), ""),
    "a list": ([], "not a json object"),
    "no name": ({"description": "", "spec": [QUESTION]}, "Field 'name' is missing"),
    "nothing asked": (spec(), "doesn't contain any items"),
    "a text for a question": (spec("which"), "is not a json object"),
    "no variable": (spec({"question_name": "", "type": "text", "required": True}), "'variable' missing"),
    "required as text": (spec(QUESTION | {"required": "yes"}), "expected to be boolean"),
    "twice": (spec(QUESTION, QUESTION), "duplicated"),
    "no such type": (spec(QUESTION | {"type": "date"}), "allowed question types"),
    "a limit as text": (spec(QUESTION | {"min": "1"}), "expected to be integer"),
    "a number as text": (spec(QUESTION | {"type": "integer", "default": "50"}), "expected to be integer"),
    "a truth value for a text": (spec(QUESTION | {"default": True}), "expected to be string"),
    "a number": (spec(QUESTION | {"type": "integer", "default": 50, "min": 1, "max": 100}), ""),
    "no choices": (spec(CHOICE), "must specify choices"),
    "choices in lines": (spec(CHOICE | {"choices": "a\nb", "default": "b"}), ""),
    "a default that is no choice": (spec(CHOICE | {"choices": ["a"], "default": "b"}), "from the choices listed"),
    "two defaults": (spec(CHOICE | {"choices": ["a", "b"], "default": "a\nb"}), "only have one default"),
}


@pytest.mark.parametrize("name", SURVEYS)
def test_surveys(name: str) -> None:
    made, wrong = SURVEYS[name]
    assert wrong in rules.survey(made)
    assert bool(wrong) == bool(rules.survey(made))


START = "DTSTART:20260101T000000Z "
RULES = {
    START + "RRULE:FREQ=DAILY;INTERVAL=1": "",
    "DTSTART;TZID=Europe/Berlin:20260101T020000 RRULE:FREQ=DAILY;INTERVAL=1": "",
    "DTSTART:20260101T000000Z\nRRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,FR": "",
    START + "RRULE:FREQ=DAILY;INTERVAL=1;UNTIL=20270101T000000Z": "",
    "RRULE:FREQ=DAILY;INTERVAL=1": "DTSTART required",
    START: "rule required",
    "DTSTART:20260101T000000 RRULE:FREQ=DAILY;INTERVAL=1": "naive",
    "DTSTART:20261341T000000Z RRULE:FREQ=DAILY;INTERVAL=1": "parsing failed",
    START + "RRULE:FREQ=DAILY": "INTERVAL required",
    START + "RRULE:FREQ=SECONDLY;INTERVAL=1": "SECONDLY",
    START + "RRULE:FREQ=OFTEN;INTERVAL=1": "parsing failed",
    START + "RRULE:FREQ=MONTHLY;INTERVAL=1;BYDAY=1MO": "numeric prefix",
    START + "RRULE:FREQ=YEARLY;INTERVAL=1;BYWEEKNO=2": "BYWEEKNO",
    START + "RRULE:FREQ=DAILY;INTERVAL=1;COUNT=2;UNTIL=20270101T000000Z": "both COUNT and UNTIL",
    START + "RRULE:FREQ=DAILY;INTERVAL=1;COUNT=1000": "COUNT > 999",
    START + START + "RRULE:FREQ=DAILY;INTERVAL=1": "Multiple DTSTART",
}


@pytest.mark.parametrize("text", RULES)
def test_rules(text: str) -> None:
    found = rules.rule(text)
    assert RULES[text] in " ".join(found)
    assert bool(found) == bool(RULES[text])


FIELD = {"id": "url", "label": "URL"}
INPUTS: dict[str, tuple[Data, str]] = {
    "as it should be": ({"fields": [FIELD | {"secret": True}], "required": ["url"]}, ""),
    "no label": ({"fields": [{"id": "url"}]}, "'label' is a required"),
    "an unknown key": ({"fields": [FIELD | {"hint": ""}]}, "Additional properties"),
    "another unknown key": ({"field": []}, "Additional properties"),
    "an id with a dash": ({"fields": [FIELD | {"id": "the-url"}]}, "does not match"),
    "a reserved id": ({"fields": [FIELD | {"id": "tower"}]}, "reserved"),
    "twice": ({"fields": [FIELD, FIELD]}, "unique"),
    "required and no field": ({"fields": [FIELD], "required": ["key"]}, "no field"),
    "a secret truth value": ({"fields": [FIELD | {"type": "boolean", "secret": True}]}, "not allowed for boolean"),
}
INJECTORS: dict[str, tuple[Data, str]] = {
    "as it should be": ({"env": {"URL": "{{ url }}"}, "extra_vars": {"url": "{{ url }}"}}, ""),
    "a filter": ({"env": {"URL": "{{ url | upper }}"}}, ""),
    "nested": ({"extra_vars": {"at": {"url": ["{{ url }}", 5, True]}}}, ""),
    "nested and undefined": ({"extra_vars": {"at": {"url": "{{ key }}"}}}, "undefined field"),
    "one file": ({"file": {"template": "{{ url }}"}, "env": {"AT": "{{ tower.filename }}"}}, ""),
    "two files": ({"file": {"template.a": "", "template.b": ""}, "env": {"AT": "{{ tower.filename.b }}"}}, ""),
    "a file that is not there": ({"env": {"AT": "{{ tower.filename }}"}}, "undefined field"),
    "named and unnamed files": ({"file": {"template": "", "template.a": ""}}, "multi-file syntax"),
    "an oddly named file": ({"file": {"key": ""}}, "does not match"),
    "another kind": ({"environment": {}}, "Additional properties"),
    "the path": ({"env": {"PATH": "/tmp"}}, "not allowed to be used"),
    "of Ansible": ({"env": {"ANSIBLE_CONFIG": "/tmp"}}, "Ansible configuration"),
    "broken": ({"env": {"URL": "{{ url "}}, "Syntax error"),
    "unsafe": ({"env": {"URL": "{{ url.__class__.__mro__ }}"}}, "unsafe"),
    "a list in the environment": ({"env": {"URL": []}}, "not of type 'string'"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_inputs(name: str) -> None:
    found = rules.inputs(INPUTS[name][0])
    assert INPUTS[name][1] in found
    assert bool(found) == bool(INPUTS[name][1])


@pytest.mark.parametrize("name", INJECTORS)
def test_injectors(name: str) -> None:
    found = rules.injectors(INJECTORS[name][0], ["url"])
    assert INJECTORS[name][1] in found
    assert bool(found) == bool(INJECTORS[name][1])


@pytest.fixture
def awx() -> Awx:
    return small()


def small() -> Awx:
    """With a template, a workflow of three nodes, and two machine credentials."""
    made = Awx()
    organization = made.add("organizations", name="Default")["id"]
    project = made.add("projects", name="keys", organization=organization, playbook_files=["site.yml"])["id"]
    inventory = made.add("inventories", name="all", host_addresses={"gw1": "192.0.2.1"})["id"]
    made.add("job_templates", name="run", project=project, inventory=inventory, playbook="site.yml",
             organization=organization)  # fmt: skip
    workflow = made.add("workflow_job_templates", name="flow", organization=organization)["id"]
    for identifier in ("a", "b", "c"):
        made.add("workflow_job_template_nodes", identifier=identifier, workflow_job_template=workflow)
    machine = made.add("credential_types", name="Machine", kind="ssh", managed=True)["id"]
    for name in ("one", "two"):
        made.add("credentials", name=name, credential_type=machine)
    return made


def number(awx: Awx, kind: str, name: str) -> int:
    found: int = awx.named(kind, name)["id"]
    return found


def post(awx: Awx, path: str, **body: t.Any) -> t.Any:
    return awx.answer("POST", f"{ROOT}{path}/", {}, body)[1]


def refused(awx: Awx, path: str, method: str = "POST", **body: t.Any) -> str:
    """What it says."""
    before = awx.state()
    with pytest.raises(RefusedError) as found:
        awx.answer(method, f"{ROOT}{path}/", {}, body)
    assert awx.state() == before
    return json.dumps(found.value.body)


TEMPLATES: dict[str, tuple[Data, str]] = {
    "no text": ({"limit": ["gw1"]}, "Not a valid string."),
    "no number": ({"forks": "many"}, "A valid integer is required."),
    "no truth value": ({"diff_mode": "perhaps"}, "Must be a valid boolean."),
    "no project": ({"project": None}, "This field is required."),
    "a playbook that the project lacks": ({"playbook": "other.yml"}, "Playbook not found for project."),
    "slices": ({"job_slice_count": -1}, "greater than or equal to 0"),
    "a long name": ({"name": "x" * 513}, "no more than 512"),
    "variables that are a list": ({"extra_vars": "[1]"}, "not a dictionary"),
    "variables that are nothing": ({"extra_vars": "{"}, "Cannot parse as JSON"),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates(name: str, awx: Awx) -> None:
    fields, wrong = TEMPLATES[name]
    assert wrong in refused(awx, f"job_templates/{number(awx, 'job_templates', 'run')}", "PATCH", **fields)


def test_variables_as_yaml(awx: Awx) -> None:
    path = f"{ROOT}job_templates/{number(awx, 'job_templates', 'run')}/"
    for text in ("---\nkey: value\n", '{"key": "value"}', "", "---"):
        assert awx.answer("PATCH", path, {}, {"extra_vars": text})[0] == 200


def test_links(awx: Awx) -> None:
    """One kind between two nodes, no circles; what is there already may be said again."""
    a, b, c = (number(awx, "workflow_job_template_nodes", name) for name in "abc")
    at = "workflow_job_template_nodes"
    for parent, child in ((a, b), (b, c), (a, b)):
        post(awx, f"{at}/{parent}/success_nodes", id=child)
    assert "Relationship not allowed." in refused(awx, f"{at}/{a}/always_nodes", id=b)
    assert "Cycle detected." in refused(awx, f"{at}/{c}/failure_nodes", id=a)
    assert "Cycle detected." in refused(awx, f"{at}/{c}/always_nodes", id=c)
    assert "required" in refused(awx, f"{at}/{c}/create_approval_template", timeout=1)


def test_two_machine_credentials(awx: Awx) -> None:
    at = f"job_templates/{number(awx, 'job_templates', 'run')}/credentials"
    post(awx, at, id=number(awx, "credentials", "one"))
    assert "Cannot assign multiple Machine credentials." in refused(awx, at, id=number(awx, "credentials", "two"))


def test_a_credential_type_that_is_in_use(awx: Awx) -> None:
    fields = {"fields": [FIELD]}
    made = awx.add("credential_types", name="Directory", kind="cloud", inputs=fields)["id"]
    awx.add("credentials", name="of it", credential_type=made)
    awx.answer("PATCH", f"{ROOT}credential_types/{made}/", {}, {"description": "more", "inputs": fields})
    assert "not allowed" in refused(awx, f"credential_types/{made}", "PATCH", inputs={"fields": []})
    assert "Must be" in refused(awx, "credential_types", name="other", kind="ssh")


def test_schedules(awx: Awx) -> None:
    job: Data = {"name": "often", "unified_job_template": number(awx, "job_templates", "run")}
    rule = START + "RRULE:FREQ=HOURLY;INTERVAL=1"
    wrongs: list[tuple[Data, str]] = [
        ({"rrule": START + "RRULE:FREQ=MINUTELY;INTERVAL=0"}, "Time-out"),
        ({"rrule": rule, "extra_data": {"key": "value"}}, "not allowed on launch"),
        ({"rrule": rule, "limit": "gw1"}, "not configured to prompt"),
        ({"rrule": "soon"}, "DTSTART required"),
    ]
    for more, wrong in wrongs:
        assert wrong in refused(awx, "schedules", **(job | more))
    made = post(awx, "schedules", **job, rrule=rule, job_type="run")
    assert made["enabled"]
    awx.objects["schedules"][made["id"]]["limit"] = "gw1"
    assert "not configured to prompt" in refused(awx, f"schedules/{made['id']}", "PATCH", enabled=False, extra_data={})


def test_pages(awx: Awx) -> None:
    """The address of the next page asks the same question; a page has 25 objects, or as many as asked for up to 200."""
    for one in range(230):
        awx.add("teams", name=f"team {one}", description="many")
    awx.add("teams", name="another")
    for size, pages in (("", [25] * 9 + [5]), ("100", [100, 100, 30]), ("1000", [200, 30])):
        path, query, found = f"{ROOT}teams/", {"description": "many", **({"page_size": size} if size else {})}, []
        while path:
            listed = awx.answer("GET", path, dict(query), {})[1]
            assert listed is not None
            found.append(len(listed["results"]))
            path, _mark, following = (listed["next"] or "").partition("?")
            query = dict(parse_qsl(following))
        assert found == pages


def test_roles(awx: Awx) -> None:
    """A workflow can be approved, a job template can not; a role is given to a team once, and taken away."""
    team = awx.add("teams", name="security")["id"]
    template, workflow = (awx.answer("GET", f"{ROOT}{kind}/{number(awx, kind, name)}/", {}, {})[1]
                          for kind, name in (("job_templates", "run"), ("workflow_job_templates", "flow")))  # fmt: skip
    assert template is not None
    assert workflow is not None
    assert "approval_role" not in template["summary_fields"]["object_roles"]
    at = f"roles/{workflow['summary_fields']['object_roles']['approval_role']['id']}/teams"
    for body in ({"id": team}, {"id": team}):
        post(awx, at, **body)
    listed = awx.answer("GET", f"{ROOT}{at}/", {}, {})[1]
    assert listed is not None
    assert [one["name"] for one in listed["results"]] == ["security"]
    post(awx, at, id=team, disassociate=True)
    assert awx.state()["roles"] == {}


def test_launches(awx: Awx) -> None:
    """What is not asked is ignored and said so; answers have the type of the question."""
    job = number(awx, "job_templates", "run")
    found = post(awx, f"job_templates/{job}/launch", extra_vars={"key": 1}, limit="gw1")
    assert found["ignored_fields"] == {"limit": "gw1", "extra_vars": {"key": 1}}
    share = {"question_name": "Share", "variable": "share", "type": "integer", "required": False, "max": 100}
    post(awx, f"job_templates/{job}/survey_spec", **spec(QUESTION, share))
    awx.answer("PATCH", f"{ROOT}job_templates/{job}/", {}, {"survey_enabled": True, "ask_limit_on_launch": True})
    launch = f"job_templates/{job}/launch"
    assert "'which' value missing" in refused(awx, launch)
    assert "expected to be an integer" in refused(awx, launch, extra_vars={"which": "a", "share": "50"})
    assert "too large" in refused(awx, launch, extra_vars={"which": "a", "share": 101})
    found = post(awx, launch, extra_vars="which: a\nshare: 50\n", limit="gw1")
    assert (found["limit"], json.loads(found["extra_vars"])) == ("gw1", {"which": "a", "share": 50})
    assert len(awx.launched) == 2


def test_callbacks(awx: Awx) -> None:
    """For the caller alone, who knows the key, and of a template that asks nothing."""
    job = number(awx, "job_templates", "run")
    at = f"job_templates/{job}/callback"
    assert "permission" in refused(awx, at, host_config_key="")
    awx.objects["job_templates"][job]["host_config_key"] = "key"
    assert "permission" in refused(awx, at, host_config_key="other")
    assert post(awx, at, host_config_key="key") is None
    assert [one["limit"] for one in awx.launched] == ["gw1"]
    assert "already pending" in refused(awx, at, host_config_key="key")
    awx.launched.clear()
    awx.objects["job_templates"][job]["ask_limit_on_launch"] = True
    assert "Cannot start automatically, user input required!" in refused(awx, at, host_config_key="key")
    awx.objects["inventories"][awx.named("inventories", "all")["id"]]["host_addresses"] = {}
    assert "No matching host" in refused(awx, at, host_config_key="key")


def test_a_node_keeps_what_its_template_no_longer_asks(awx: Awx) -> None:
    """AWX looks at prompts only where a request gives one: the node can be mended without taking it away."""
    node = awx.named("workflow_job_template_nodes", "b")
    node.update(unified_job_template=number(awx, "job_templates", "run"), limit="gw9")
    at = f"workflow_job_template_nodes/{node['id']}"
    assert awx.answer("PATCH", f"{ROOT}{at}/", {}, {"all_parents_must_converge": True})[0] == 200
    assert "not configured to prompt" in refused(awx, at, "PATCH", extra_data={})


def test_what_is_deleted_takes_along_what_belongs_to_it(awx: Awx) -> None:
    """A template its schedules and its survey, a node its approval; a node only loses its template."""
    job, (a, b, _c) = number(awx, "job_templates", "run"), list(awx.objects["workflow_job_template_nodes"].values())
    awx.add("schedules", name="often", unified_job_template=job, rrule=START + "RRULE:FREQ=HOURLY;INTERVAL=1")
    post(awx, f"job_templates/{job}/survey_spec", **spec(QUESTION))
    a["unified_job_template"] = job
    awx.answer("DELETE", f"{ROOT}job_templates/{job}/", {}, {})
    assert (awx.objects["schedules"], awx.surveys, a["unified_job_template"]) == ({}, {}, None)
    for node in (a, b):
        post(awx, f"workflow_job_template_nodes/{node['id']}/create_approval_template", name="sure?")
    awx.answer("DELETE", f"{ROOT}workflow_job_template_nodes/{a['id']}/", {}, {})
    assert list(awx.objects["workflow_approval_templates"]) == [b["unified_job_template"]]
    awx.answer("PATCH", f"{ROOT}workflow_job_template_nodes/{b['id']}/", {}, {"unified_job_template": None})
    assert awx.objects["workflow_approval_templates"] == {}


def test_types_of_credentials_are_for_system_administrators(awx: Awx) -> None:
    assert awx.answer("GET", f"{ROOT}me/", {}, {})[1] == {
        "count": 1, "results": [{"username": "admin", "is_superuser": True}],
    }  # fmt: skip
    awx.user.superuser = False
    assert "permission" in refused(awx, "credential_types", name="Directory", kind="cloud")


TEXT = st.sampled_from(["", "a", "1", "{{", "[1]", "true", "2026-02-31"])
SCALAR = st.none() | st.booleans() | st.integers(-2, 40) | st.floats() | TEXT
JSON = st.recursive(
    SCALAR | st.text(max_size=5),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.sampled_from(["id", "name", "a"]), one, max_size=3),
    max_leaves=5,
)
SCHEDULE = {"name": "often", "unified_job_template": 4, "rrule": START + "RRULE:FREQ=HOURLY;INTERVAL=1"}
CHOSEN = CHOICE | {"variable": "b", "choices": ["a"], "default": "a", "max": 5}
BODIES: dict[str, Data] = {
    "job_templates/4/survey_spec": spec(QUESTION, CHOSEN),
    "job_templates/4/launch": {"extra_vars": {"which": "a", "b": "a"}, "limit": "gw1", "credentials": [9]},
    "job_templates/4/callback": {"host_config_key": "key"},
    "job_templates/4/credentials": {"id": 10, "disassociate": False},
    "job_templates": {"name": "new", "project": 2, "inventory": 3, "playbook": "site.yml", "extra_vars": "{}"},
    "workflow_job_template_nodes": {"identifier": "d", "workflow_job_template": 5, "extra_data": {"which": "a"}},
    "workflow_job_template_nodes/6/success_nodes": {"id": 7},
    "workflow_job_template_nodes/6/create_approval_template": {"name": "sure?", "timeout": 5},
    "credential_types": {
        "name": "Directory", "kind": "cloud", "inputs": INPUTS["as it should be"][0],
        "injectors": INJECTORS["nested"][0] | INJECTORS["one file"][0],
    },
    "schedules": SCHEDULE | {"extra_data": {"which": "a"}, "diff_mode": False, "enabled": True},
    "roles/53/teams": {"id": 12},
}  # fmt: skip


def places(one: t.Any, way: tuple[t.Any, ...] = ()) -> Iterator[tuple[t.Any, ...]]:
    """The ways to all values in it."""
    if way:
        yield way
    for key, value in one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ():
        yield from places(value, (*way, key))


def spoiled(body: Data, way: tuple[t.Any, ...], value: t.Any) -> Data:
    """A request with another value there."""
    made = at = copy.deepcopy(body)
    for key in way[:-1]:
        at = at[key]
    at[way[-1]] = value
    return made


def status(awx: Awx, method: str, path: str, query: Data, body: Data) -> int:
    """Of whatever it answers; an answer is JSON."""
    try:
        code, said = awx.answer(method, f"{ROOT}{path}/", query, body)
        json.dumps(said)
        return code
    except RefusedError as found:
        return found.status


@pytest.mark.parametrize("path", BODIES)
@given(st.data())
def test_no_request_makes_it_stumble(path: str, data: st.DataObject) -> None:
    """It answers, or refuses and has changed nothing; whatever stands in the place of any value."""
    awx = small()
    awx.add("teams", name="security")
    awx.objects["job_templates"][4] |= {"host_config_key": "key", "survey_enabled": "callback" not in path}
    post(awx, "job_templates/4/survey_spec", **BODIES["job_templates/4/survey_spec"])
    assert status(awx, "POST", path, {}, copy.deepcopy(BODIES[path])) in (200, 201, 204)
    before = awx.state()
    whole = FIELDS.get(path, {}) | BODIES[path]
    body = spoiled(whole, data.draw(st.sampled_from(list(places(whole)))), data.draw(JSON))
    method = data.draw(st.sampled_from(["POST", "PATCH", "DELETE"]))
    at = path if method == "POST" or path not in FIELDS else f"{path}/{max(awx.objects[path])}"
    code = status(awx, method, at, {}, body)
    assert code in (200, 201, 204) or (400 <= code <= 504 and awx.state() == before)


QUERIES = [{"page": "x"}, {"page_size": "-1"}, {"or__nothing": "1"}, {"name__icontains": "a"},
           {"organization__name__more": "a"}, {"nothing": "1"}]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_no_query_makes_it_stumble(query: dict[str, str], awx: Awx) -> None:
    assert status(awx, "GET", "job_templates", dict(query), {}) in (200, 400)


def test_circles() -> None:
    assert not has_cycle([("a", "b"), ("a", "c"), ("b", "c")])
    assert has_cycle([("a", "b"), ("b", "c"), ("c", "b")])
