# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for the API of AWX 24.6: as much of it as the modules of awx.awx ask for to keep job templates, workflows,
credential types and schedules. It starts no job.

Like the real one it ignores fields that it does not know, fills in the others, and refuses what cannot be: unknown
related objects, two objects of one name, a survey without questions, a credential type that names no input, a schedule
without an interval.
"""

from __future__ import annotations

import copy
import json
import re
import threading
import typing as t
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

Data = dict[str, t.Any]
TOKEN = "t0ken-of-the-API"
ROOT = "/api/v2/"
PAGE = 25
VERSION = "24.6.1"

# What can be written, and what it is if nobody says.
FIELDS: dict[str, Data] = {
    "organizations": {"name": "", "description": ""},
    "projects": {"name": "", "description": "", "organization": None},
    "inventories": {"name": "", "description": "", "organization": None},
    "credentials": {"name": "", "description": "", "organization": None, "credential_type": None, "inputs": {}},
    "execution_environments": {"name": "", "description": "", "organization": None, "image": ""},
    "credential_types": {
        "name": "", "description": "", "kind": "cloud", "managed": False, "inputs": {}, "injectors": {},
    },
    "job_templates": {
        "name": "", "description": "", "organization": None, "project": None, "inventory": None, "playbook": "",
        "execution_environment": None, "job_type": "run", "extra_vars": "", "survey_enabled": False, "limit": "",
        "job_slice_count": 1, "allow_simultaneous": False, "ask_limit_on_launch": False,
        "ask_variables_on_launch": False, "host_config_key": "", "use_fact_cache": False, "forks": 0,
    },
    "workflow_job_templates": {
        "name": "", "description": "", "organization": None, "inventory": None, "extra_vars": "",
        "survey_enabled": False, "allow_simultaneous": False, "ask_variables_on_launch": False,
    },
    "workflow_job_template_nodes": {
        "identifier": "", "workflow_job_template": None, "unified_job_template": None, "extra_data": {},
        "all_parents_must_converge": False,
    },
    "workflow_approval_templates": {"name": "", "description": "", "timeout": 0},
    "schedules": {
        "name": "", "description": "", "unified_job_template": None, "rrule": "", "enabled": True, "extra_data": {},
    },
}  # fmt: skip
UNIFIED = ("job_templates", "workflow_job_templates", "projects")
REFERENCES: dict[str, tuple[str, ...]] = {
    "organization": ("organizations",),
    "project": ("projects",),
    "inventory": ("inventories",),
    "credential_type": ("credential_types",),
    "execution_environment": ("execution_environments",),
    "workflow_job_template": ("workflow_job_templates",),
    "unified_job_template": (*UNIFIED, "workflow_approval_templates"),
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "job_templates": ("name", "project", "inventory", "playbook"),
    "credential_types": ("name", "kind"),
    "workflow_job_template_nodes": ("workflow_job_template",),
    "schedules": ("name", "unified_job_template", "rrule"),
}
UNIQUE: dict[str, tuple[str, ...]] = {
    "job_templates": ("name", "organization"),
    "workflow_job_templates": ("name", "organization"),
    "workflow_job_template_nodes": ("identifier", "workflow_job_template"),
    "schedules": ("name", "unified_job_template"),
    "credential_types": ("name", "kind"),
}
ASSOCIATIONS: dict[str, tuple[str, ...]] = {
    "job_templates": ("credentials",),
    "workflow_job_template_nodes": ("success_nodes", "failure_nodes", "always_nodes", "credentials"),
}
SURVEYS = ("job_templates", "workflow_job_templates")
QUESTIONS = ("text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect")
RULE = re.compile(r"DTSTART:\d{8}T\d{6}Z RRULE:FREQ=(MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY);INTERVAL=[1-9]\d*")


class RefusedError(Exception):
    """What the API answers with something else than 2xx."""

    def __init__(self, status: int, body: Data) -> None:
        super().__init__(body)
        self.status, self.body = status, body


class Awx:
    """The objects, and a server for them: `with Awx() as awx: awx.url`."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[int, Data]] = {kind: {} for kind in FIELDS}
        self.surveys: dict[tuple[str, int], Data] = {}
        self.associated: dict[tuple[str, int, str], list[int]] = {}
        self.written: list[tuple[str, str, Data]] = []
        """Method, path and body of every request that could change something."""
        self._last = 0
        self._lock = threading.Lock()

    # -- for tests

    def __enter__(self) -> Awx:
        handler = type("Handler", (_Handler,), {"awx": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *dummy: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def named(self, kind: str, name: str) -> Data:
        """The object with this name, or identifier."""
        (found,) = (one for one in self.objects[kind].values() if name in (one.get("name"), one.get("identifier")))
        return found

    def names(self, kind: str) -> set[str]:
        return {one["name"] for one in self.objects[kind].values()}

    def survey(self, kind: str, name: str) -> Data:
        return self.surveys[kind, self.named(kind, name)["id"]]

    def state(self) -> Data:
        """Everything there is, to be compared."""
        return copy.deepcopy({"objects": self.objects, "surveys": self.surveys, "associated": self.associated})

    # -- requests

    def answer(self, method: str, path: str, query: Data, body: Data) -> tuple[int, Data | None]:
        parts = [part for part in path.removeprefix(ROOT).split("/") if part]
        with self._lock:
            if method != "GET":
                self.written.append((method, path, body))
            if len(parts) == 1 and (parts[0] in self.objects or parts[0] == "unified_job_templates"):
                return self._listed(path, parts[0], query) if method == "GET" else self._created(parts[0], body)
            if len(parts) in (2, 3) and parts[0] in self.objects and parts[1].isdigit():
                one = self.objects[parts[0]].get(int(parts[1]))
                if one is not None:
                    rest = parts[2] if len(parts) == 3 else ""
                    return self._on_one(method, parts[0], one, rest, body)
        raise RefusedError(404, {"detail": "Not found."})

    def _listed(self, path: str, kind: str, query: Data) -> tuple[int, Data]:
        kinds = UNIFIED if kind == "unified_job_templates" else (kind,)
        rows = [self._shown(kind, one) for kind in kinds for one in self.objects[kind].values()]
        page = int(query.pop("page", 1))
        either = {name.removeprefix("or__"): query.pop(name) for name in list(query) if name.startswith("or__")}
        for name, wanted in query.items():
            if any(name not in row for row in rows):
                raise RefusedError(400, {"detail": f"Invalid field: {name}"})
            rows = [row for row in rows if str(row[name]) == wanted]
        if either:
            rows = [row for row in rows if any(str(row[name]) == wanted for name, wanted in either.items())]
        shown = rows[(page - 1) * PAGE : page * PAGE]
        following = f"{path}?page={page + 1}" if len(rows) > page * PAGE else None
        return 200, {"count": len(rows), "next": following, "previous": None, "results": shown}

    def _created(self, kind: str, body: Data) -> tuple[int, Data]:
        if kind not in FIELDS:
            raise RefusedError(405, {"detail": 'Method "POST" not allowed.'})
        return 201, self._shown(kind, self.add(kind, **body))

    def add(self, kind: str, /, **values: t.Any) -> Data:
        """A new object. Raises RefusedError."""
        missing = {name: ["This field is required."] for name in REQUIRED.get(kind, ()) if not values.get(name)}
        if missing:
            raise RefusedError(400, missing)
        one = copy.deepcopy(FIELDS[kind]) | _known(kind, values)
        self._check(kind, one)
        self._last += 1
        self.objects[kind][self._last] = one | {"id": self._last}
        return self.objects[kind][self._last]

    def _on_one(self, method: str, kind: str, one: Data, rest: str, body: Data) -> tuple[int, Data | None]:
        if rest == "survey_spec" and kind in SURVEYS:
            return self._on_survey(method, (kind, one["id"]), body)
        if rest in ASSOCIATIONS.get(kind, ()):
            return self._on_association(method, (kind, one["id"], rest), body)
        if rest == "create_approval_template" and method == "POST":
            approval = self.add("workflow_approval_templates", **body)
            one["unified_job_template"] = approval["id"]
            return 201, self._shown("workflow_approval_templates", approval)
        if rest:
            raise RefusedError(404, {"detail": "Not found."})
        if method == "PATCH":
            changed = one | _known(kind, body)
            self._check(kind, changed)
            one.update(changed)
        elif method == "DELETE":
            del self.objects[kind][one["id"]]
            return 204, None
        return 200, self._shown(kind, one)

    def _on_survey(self, method: str, key: tuple[str, int], body: Data) -> tuple[int, Data]:
        if method == "POST":
            _check_survey(body)
            self.surveys[key] = body
        elif method == "DELETE":
            self.surveys.pop(key, None)
        return 200, self.surveys.get(key, {}) if method == "GET" else {}

    def _on_association(self, method: str, key: tuple[str, int, str], body: Data) -> tuple[int, Data | None]:
        ids = self.associated.setdefault(key, [])
        kind = "credentials" if key[2] == "credentials" else key[0]
        if method == "GET":
            rows = [self._shown(kind, self.objects[kind][one]) for one in ids]
            return 200, {"count": len(rows), "next": None, "previous": None, "results": rows}
        if body["id"] not in self.objects[kind]:
            raise RefusedError(400, {"detail": f"{kind} {body['id']} does not exist."})
        if body.get("disassociate"):
            ids.remove(body["id"])
        elif body["id"] not in ids:
            ids.append(body["id"])
        return 204, None

    # -- objects

    def _shown(self, kind: str, one: Data) -> Data:
        url = f"{ROOT}{kind}/{one['id']}/"
        related = {name: f"{url}{name}/" for name in ASSOCIATIONS.get(kind, ())}
        if kind in SURVEYS:
            related["survey_spec"] = f"{url}survey_spec/"
        target = one.get("unified_job_template")
        if kind == "workflow_job_template_nodes" and target:
            where = next(kind for kind in REFERENCES["unified_job_template"] if target in self.objects[kind])
            related["unified_job_template"] = f"{ROOT}{where}/{target}/"
        return {**one, "url": url, "type": kind.removesuffix("s"), "related": related, "summary_fields": {}}

    def _check(self, kind: str, one: Data) -> None:
        for name, kinds in REFERENCES.items():
            if one.get(name) is not None and not any(one[name] in self.objects[other] for other in kinds):
                raise RefusedError(400, {name: [f'Invalid pk "{one[name]}" - object does not exist.']})
        unique = UNIQUE.get(kind, ())
        for other in self.objects[kind].values():
            if unique and other["id"] != one.get("id") and all(other[name] == one[name] for name in unique):
                raise RefusedError(400, {"__all__": [f"{kind} with this {' and '.join(unique)} already exists."]})
        if kind in CHECKS:
            CHECKS[kind](one)


def _known(kind: str, values: Data) -> Data:
    """Without the fields that are not the API's; numbers as numbers."""
    known = {name: value for name, value in values.items() if name in FIELDS[kind]}
    return {
        name: int(value) if isinstance(FIELDS[kind][name], int) and isinstance(value, str) else value
        for name, value in known.items()
    }


def _check_survey(survey: Data) -> None:
    for name in ("name", "description", "spec"):
        if name not in survey:
            raise RefusedError(400, {"error": f"'{name}' missing from survey."})
    if not survey["spec"]:
        raise RefusedError(400, {"error": "'spec' doesn't contain any items."})
    variables = set()
    for number, question in enumerate(survey["spec"]):
        for name in ("type", "question_name", "variable", "required"):
            if name not in question:
                raise RefusedError(400, {"error": f"'{name}' missing from survey question {number}."})
        if question["type"] not in QUESTIONS:
            raise RefusedError(400, {"error": f"'{question['type']}' in survey question {number} is no type."})
        if question["variable"] in variables:
            raise RefusedError(400, {"error": f"'variable' '{question['variable']}' duplicated in survey question."})
        if question["type"] == "multiplechoice" and question.get("default", "") not in ["", *question["choices"]]:
            raise RefusedError(400, {"error": "Default choice must be answered from the choices listed."})
        variables.add(question["variable"])


def _check_extra_vars(one: Data) -> None:
    if one["extra_vars"] and not isinstance(json.loads(one["extra_vars"]), dict):
        raise RefusedError(400, {"extra_vars": ["Must be a mapping."]})


def _check_credential_type(one: Data) -> None:
    inputs, injectors = one["inputs"], one["injectors"]
    ids = {field["id"] for field in inputs.get("fields", ())}
    files = {name.removeprefix("template.") for name in injectors.get("file", {})}
    known = ids | {f"tower.filename.{name}" for name in files} | {"tower.filename"}
    if set(inputs.get("required", ())) - ids:
        raise RefusedError(400, {"inputs": ["A required field is not defined."]})
    for kind, values in injectors.items():
        for name, template in values.items():
            if kind == "env" and name.startswith("ANSIBLE_"):
                raise RefusedError(400, {"injectors": [f"{name} may affect the configuration of Ansible."]})
            for used in re.findall(r"{{\s*(.+?)\s*}}", template):
                if used not in known:
                    raise RefusedError(400, {"injectors": [f"{template} uses an undefined field ({used})."]})


def _check_schedule(one: Data) -> None:
    if not RULE.fullmatch(one["rrule"]):
        raise RefusedError(400, {"rrule": [f"{one['rrule']} is no rule with DTSTART, FREQ and INTERVAL."]})


CHECKS: dict[str, Callable[[Data], None]] = {
    "job_templates": _check_extra_vars,
    "workflow_job_templates": _check_extra_vars,
    "credential_types": _check_credential_type,
    "schedules": _check_schedule,
}


class _Handler(BaseHTTPRequestHandler):
    awx: Awx

    def log_message(self, *dummy: object) -> None:
        """Nowhere."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        url = urlsplit(self.path)
        try:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise RefusedError(401, {"detail": "Authentication credentials were not provided."})
            status, said = self.awx.answer(self.command, url.path, dict(parse_qsl(url.query)), body)
        except RefusedError as refused:
            status, said = refused.status, refused.body
        content = b"" if said is None else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", VERSION)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815
