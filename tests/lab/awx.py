# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for the API of AWX 24.6: as much of it as the modules of awx.awx ask for to keep job templates, workflows,
credential types, schedules and roles, and whether a launch or a provisioning callback would be accepted. No job starts.

Like the real one it ignores fields that it does not know, fills in the others, and refuses what cannot be, by the rules
of awx_rules, and what the user of the token may not do, by those of awx_access. It can stand behind a platform gateway:
`Awx(root="/api/controller/v2/", token=...)`.
"""

from __future__ import annotations

import copy
import json
import re
import ssl
import threading
import typing as t
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from . import awx_access as access
from . import awx_launch as launching
from . import awx_rules as rules

Data = dict[str, t.Any]
TOKEN = "t0ken-of-the-API"
ROOT, BEHIND_GATEWAY = "/api/v2/", "/api/controller/v2/"
PAGE, LONGEST_PAGE = 25, 200
VERSION = "24.6.1"

# What a node and a schedule can keep for the launch; credentials, labels and instance groups are associations.
PROMPTED: Data = {name: None for name in launching.PROMPTS if name not in ("credentials", "labels", "instance_groups")}
# What can be written, and what it is if nobody says.
FIELDS: dict[str, Data] = {
    "organizations": {"name": "", "description": ""},
    "teams": {"name": "", "description": "", "organization": None},
    "projects": {"name": "", "description": "", "organization": None, "playbook_files": []},
    "inventories": {"name": "", "description": "", "organization": None, "host_addresses": {}},
    "credentials": {"name": "", "description": "", "organization": None, "credential_type": None, "inputs": {}},
    "execution_environments": {"name": "", "description": "", "organization": None, "image": ""},
    "credential_types": {
        "name": "", "description": "", "kind": "cloud", "managed": False, "inputs": {}, "injectors": {},
    },
    "job_templates": {
        "name": "", "description": "", "organization": None, "project": None, "inventory": None, "playbook": "",
        "execution_environment": None, "job_type": "run", "extra_vars": "", "survey_enabled": False, "limit": "",
        "job_slice_count": 1, "allow_simultaneous": False, "host_config_key": "", "use_fact_cache": False, "forks": 0,
        "job_tags": "", "skip_tags": "", "start_at_task": "", "scm_branch": "", "timeout": 0, "verbosity": 0,
        "become_enabled": False, "diff_mode": False, "force_handlers": False,
        **dict.fromkeys(launching.ASK, False),
    },
    "workflow_job_templates": {
        "name": "", "description": "", "organization": None, "inventory": None, "extra_vars": "",
        "survey_enabled": False, "allow_simultaneous": False,
        **{f"ask_{one}_on_launch": False
           for one in ("inventory", "labels", "limit", "scm_branch", "skip_tags", "tags", "variables")},
    },
    "workflow_job_template_nodes": {
        "identifier": "", "workflow_job_template": None, "unified_job_template": None, "extra_data": {},
        "all_parents_must_converge": False, **PROMPTED,
    },
    "workflow_approval_templates": {"name": "", "description": "", "timeout": 0},
    "schedules": {
        "name": "", "description": "", "unified_job_template": None, "rrule": "", "enabled": True, "extra_data": {},
        **PROMPTED,
    },
}  # fmt: skip
# What is None where nobody says, and no reference.
NONE: dict[str, type] = {
    "diff_mode": bool, "limit": str, "job_type": str, "job_tags": str, "skip_tags": str, "scm_branch": str,
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
    "workflow_approval_templates": ("name",),
    "schedules": ("name", "unified_job_template", "rrule"),
}
UNIQUE: dict[str, tuple[str, ...]] = {
    "job_templates": ("name", "organization"),
    "workflow_job_templates": ("name", "organization"),
    "workflow_job_template_nodes": ("identifier", "workflow_job_template"),
    "schedules": ("name", "unified_job_template"),
    "credential_types": ("name", "kind"),
}
GO_WITH = {"schedules": "unified_job_template", "workflow_job_template_nodes": "workflow_job_template"}
"""What is deleted with the object that it belongs to; all else loses its reference."""
ASSOCIATIONS: dict[str, tuple[str, ...]] = {
    "job_templates": ("credentials",),
    "workflow_job_template_nodes": ("success_nodes", "failure_nodes", "always_nodes", "credentials"),
}
NODES = "workflow_job_template_nodes"
LINKED = {NODES: launching.LINKS}
SURVEYS = ("job_templates", "workflow_job_templates")
CALLER = "192.0.2.1"
"""The address that provisioning callbacks come from."""
LONGEST = 512
"""Characters of a name, an identifier."""
ROLES: dict[str, tuple[str, ...]] = {
    "job_templates": ("admin_role", "execute_role", "read_role"),
    "workflow_job_templates": ("admin_role", "execute_role", "read_role", "approval_role"),
}


class RefusedError(Exception):
    """What the API answers with something else than 2xx."""

    def __init__(self, status: int, body: Data) -> None:
        super().__init__(body)
        self.status, self.body = status, body


class Awx:
    """The objects, and a server for them: `with Awx() as awx: awx.url`."""

    def __init__(self, root: str = ROOT, token: str = TOKEN, certificate: Path | None = None) -> None:
        """`certificate`: chain and key in PEM, for TLS."""
        self.root, self.token, self._certificate = root, token, certificate
        self.user = access.User()
        """Whose token it is: a system administrator's."""
        self.fails_after: int | None = None
        """After so many changes, whoever asks finds nobody: the server answers 502."""
        self.objects: dict[str, dict[int, Data]] = {kind: {} for kind in FIELDS}
        self.surveys: dict[tuple[str, int], Data] = {}
        self.associated: dict[tuple[str, int, str], list[int]] = {}
        self.written: list[tuple[str, str, Data]] = []
        """Method, path and body of every request that could change something."""
        self.roles: dict[str, list[int]] = {}
        """The teams of each role, by its number."""
        self.launched: list[Data] = []
        """The jobs that would have started: template, extra_vars, limit."""
        self._last = 0
        self._lock = threading.Lock()

    # -- for tests

    def __enter__(self) -> Awx:
        handler = type("Handler", (_Handler,), {"awx": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if self._certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if self._certificate else ''}://127.0.0.1:{self._server.server_port}"
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
        linked = {key: ids for key, ids in self.associated.items() if ids}
        granted = {key: ids for key, ids in self.roles.items() if ids}
        found = {"objects": self.objects, "surveys": self.surveys, "associated": linked, "roles": granted}
        return copy.deepcopy(found)

    def load(self, state: Data) -> None:
        """What `state` gave, of this or another one."""
        for name, found in copy.deepcopy(state).items():
            setattr(self, name, found)
        self._last = max((number for rows in self.objects.values() for number in rows), default=0)

    def walk(self, workflow: str, outcome: t.Mapping[str, str]) -> set[str]:
        """Which nodes run; `outcome`: by identifier, see awx_launch.walk."""
        number = self.named("workflow_job_templates", workflow)["id"]
        nodes = {key: one for key, one in self.objects[NODES].items() if one["workflow_job_template"] == number}
        named = {key: one["identifier"] for key, one in nodes.items()}
        links = {
            kind: [(named[a], named[b]) for a, b in self._pairs(kind) if a in named] for kind in launching.LINKS
        }
        return launching.walk(
            {one["identifier"]: one["all_parents_must_converge"] for one in nodes.values()}, links, outcome
        )

    # -- requests

    def answer(self, method: str, path: str, query: Data, body: Data) -> tuple[int, Data | None]:
        if not path.startswith(self.root):
            raise RefusedError(404, {"detail": "The requested resource could not be found."})
        parts = [part for part in path.removeprefix(self.root).split("/") if part]
        with self._lock:
            if method not in ("GET", "OPTIONS"):
                if self.fails_after is not None and len(self.written) >= self.fails_after:
                    raise RefusedError(502, {"detail": "Bad Gateway"})
                self.written.append((method, path, body))
            if parts == ["me"] and method == "GET":
                return 200, {"count": 1, "results": [{"username": "admin", "is_superuser": self.user.superuser}]}
            if len(parts) == 1 and (parts[0] in self.objects or parts[0] == "unified_job_templates"):
                return self._on_list(method, path, parts[0], query, body)
            if parts[:1] == ["roles"] and len(parts) == 3 and parts[2] == "teams" and parts[1] in self._role_numbers():
                return self._on_role(method, parts[1], body)
            if len(parts) in (2, 3) and parts[0] in self.objects and parts[1].isdigit():
                one = self.objects[parts[0]].get(int(parts[1]))
                if one is not None and access.sees(self.user, self.objects, parts[0], one):
                    rest = parts[2] if len(parts) == 3 else ""
                    return self._on_one(method, parts[0], one, rest, body)
        raise RefusedError(404, {"detail": "Not found."})

    def _on_list(self, method: str, path: str, kind: str, query: Data, body: Data) -> tuple[int, Data]:
        if method == "OPTIONS" and kind in self.objects:
            return 200, {"name": kind, "actions": access.actions(self.user, self.objects, kind, None)}
        return self._listed(path, kind, query) if method == "GET" else self._created(kind, body)

    def _listed(self, path: str, kind: str, query: Data) -> tuple[int, Data]:
        kinds = UNIFIED if kind == "unified_job_templates" else (kind,)
        said = {name: value for name, value in query.items() if name != "page"}
        role = query.pop("role_level", "read_role").removesuffix("_role")
        rows = [self._shown(kind, one) for kind in kinds for one in self.objects[kind].values()
                if access.sees(self.user, self.objects, kind, one)
                and (role == "read" or self.user.has(self.objects, role, kind, one["id"]))]  # fmt: skip
        page, size = (_counted(query.pop(name, usual), usual) for name, usual in (("page", 1), ("page_size", PAGE)))
        size = min(size, LONGEST_PAGE)
        either = {name.removeprefix("or__"): query.pop(name) for name in list(query) if name.startswith("or__")}
        for name, wanted in query.items():
            rows = [row for row in rows if str(self._followed(row, name.split("__"))) == wanted]
        if either:
            rows = [row for row in rows
                    if any(str(self._followed(row, [name])) == wanted for name, wanted in either.items())]  # fmt: skip
        shown = rows[(page - 1) * size : page * size]
        more = urlencode({"page": page + 1, **said})
        following = f"{path}?{more}" if len(rows) > page * size else None
        return 200, {"count": len(rows), "next": following, "previous": None, "results": shown}

    def _followed(self, row: Data, way: list[str]) -> object:
        """The value at the end of `organization__name`, say."""
        if way[0] not in row:
            raise RefusedError(400, {"detail": f"Invalid field: {way[0]}"})
        value = row[way[0]]
        if len(way) == 1 or value is None:
            return value
        if way[0] not in REFERENCES:
            raise RefusedError(400, {"detail": f"The stand-in does not play {'__'.join(way)}"})
        (found,) = (self.objects[kind][value] for kind in REFERENCES[way[0]] if value in self.objects[kind])
        return self._followed(found, way[1:])

    def _created(self, kind: str, body: Data) -> tuple[int, Data]:
        if kind not in FIELDS:
            raise RefusedError(405, {"detail": 'Method "POST" not allowed.'})
        self._permit(access.adds(self.user, self.objects, kind, copy.deepcopy(FIELDS[kind]) | _known(kind, body)))
        made = self.add(kind, **body)
        # Whoever makes a job template has Admin of it.
        self.user.roles.setdefault((kind, made["id"]), set()).add("admin")
        return 201, self._shown(kind, made)

    def _permit(self, may: bool) -> None:
        if not may:
            raise RefusedError(403, {"detail": "You do not have permission to perform this action."})

    def _may(self, role: str, kind: str, number: int | None) -> None:
        """To change something by this role of an object."""
        self._permit(self.user.writes() and self.user.has(self.objects, role, kind, number))

    def add(self, kind: str, /, **values: t.Any) -> Data:
        """A new object. Raises RefusedError."""
        one = copy.deepcopy(FIELDS[kind]) | _known(kind, values)
        self._check(kind, one, one)
        self._last += 1
        self.objects[kind][self._last] = one | {"id": self._last}
        return self.objects[kind][self._last]

    def _on_one(self, method: str, kind: str, one: Data, rest: str, body: Data) -> tuple[int, Data | None]:
        if method == "OPTIONS" and not rest:
            return 200, {"name": kind, "actions": access.actions(self.user, self.objects, kind, one)}
        if rest == "survey_spec" and kind in SURVEYS:
            return self._on_survey(method, (kind, one["id"]), body)
        if rest in ASSOCIATIONS.get(kind, ()):
            return self._on_association(method, (kind, one["id"], rest), body)
        if rest == "create_approval_template" and method == "POST":
            self._may("admin", "workflow_job_templates", one["workflow_job_template"])
            approval = self.add("workflow_approval_templates", **body)
            one["unified_job_template"] = approval["id"]
            return 201, self._shown("workflow_approval_templates", approval)
        if rest == "playbooks" and kind == "projects":
            return 200, one["playbook_files"]
        if rest == "launch" and method == "POST":
            self._may("execute", kind, one["id"])
        if rest in ("launch", "callback") and kind in SURVEYS and method == "POST":
            return self._launched(kind, one, body) if rest == "launch" else self._called(one, body)
        if rest:
            raise RefusedError(404, {"detail": "Not found."})
        if method == "PATCH":
            changed = one | _known(kind, body)
            self._permit(access.changes(self.user, self.objects, kind, one, changed))
            self._check(kind, changed, body)
            if kind == NODES and changed["unified_job_template"] != one["unified_job_template"]:
                self._forget_approval(one)
            one.update(changed)
        elif method == "DELETE":
            self._permit(access.deletes(self.user, self.objects, kind, one))
            self._deleted(kind, one["id"])
            return 204, None
        return 200, self._shown(kind, one)

    def _forget_approval(self, node: Data) -> None:
        """AWX deletes an approval with its node, and where the node gets something else."""
        self.objects["workflow_approval_templates"].pop(node["unified_job_template"], None)

    def _deleted(self, kind: str, number: int) -> None:
        gone = self.objects[kind].pop(number)
        self.surveys.pop((kind, number), None)
        if kind == NODES:
            self._forget_approval(gone)
        for other, one, name in self._referring(kind, number):
            if GO_WITH.get(other) == name:
                self._deleted(other, one["id"])
            else:
                one[name] = None
        for (other, key, name), ids in list(self.associated.items()):
            if (other, key) == (kind, number):
                del self.associated[other, key, name]
            elif (name == "credentials" and kind == name) or (kind == other == NODES and name != "credentials"):
                ids[:] = [one for one in ids if one != number]

    def _referring(self, kind: str, number: int) -> list[tuple[str, Data, str]]:
        """What refers to an object: kind, object and field."""
        fields = [name for name, kinds in REFERENCES.items() if kind in kinds]
        return [(other, one, name) for other, rows in self.objects.items() for one in rows.values()
                for name in fields if one.get(name) == number]  # fmt: skip

    def _on_survey(self, method: str, key: tuple[str, int], body: Data) -> tuple[int, Data]:
        if method != "GET":
            self._may("admin", *key)
        if method == "POST":
            wrong = rules.survey(body)
            if wrong:
                raise RefusedError(400, {"error": wrong})
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
        if not isinstance(body.get("id"), int) or body["id"] not in self.objects[kind]:
            raise RefusedError(400, {"detail": f"{kind} {body.get('id')} does not exist."})
        of = self.objects[key[0]][key[1]]
        self._may("admin", *(("workflow_job_templates", of["workflow_job_template"]) if key[0] == NODES else key[:2]))
        if body.get("disassociate"):
            ids[:] = [one for one in ids if one != body["id"]]
        elif body["id"] not in ids:
            if kind == "credentials":
                self._may("use", kind, body["id"])
                self._check_credential(ids, body["id"])
            else:
                self._check_link(key, body["id"])
            ids.append(body["id"])
        return 204, None

    def _on_role(self, method: str, number: str, body: Data) -> tuple[int, Data | None]:
        """A role's teams."""
        teams = self.roles.setdefault(number, [])
        if method == "GET":
            rows = [self._shown("teams", self.objects["teams"][one]) for one in teams]
            return 200, {"count": len(rows), "next": None, "previous": None, "results": rows}
        if not isinstance(body.get("id"), int) or body["id"] not in self.objects["teams"]:
            raise RefusedError(400, {"detail": f"teams {body.get('id')} does not exist."})
        self._may("admin", *self._role_numbers()[number])
        self._may("read", "teams", body["id"])
        if body.get("disassociate"):
            teams[:] = [one for one in teams if one != body["id"]]
        elif body["id"] not in teams:
            teams.append(body["id"])
        return 204, None

    # -- launches

    def _questions(self, kind: str, number: int) -> list[Data]:
        found: list[Data] = self.surveys.get((kind, number), {}).get("spec", [])
        return found

    def _launched(self, kind: str, one: Data, body: Data) -> tuple[int, Data]:
        try:
            extra_vars, ignored = launching.launch(one, self._questions(kind, one["id"]), body)
        except ValueError as refused:
            raise RefusedError(400, refused.args[0]) from None
        limit = (body.get("limit") if one["ask_limit_on_launch"] else one.get("limit")) or ""
        self.launched.append({"template": one["name"], "extra_vars": extra_vars, "limit": limit})
        job = {"job": len(self.launched), "extra_vars": json.dumps(extra_vars, default=str), "limit": limit}
        return 201, {**job, "ignored_fields": ignored}

    def _called(self, one: Data, body: Data) -> tuple[int, None]:
        """A provisioning callback, from this machine: the hosts of the inventory with its address."""
        if not one.get("host_config_key") or body.get("host_config_key") != one["host_config_key"]:
            raise RefusedError(403, {"detail": "You do not have permission to perform this action."})
        inventory = self.objects["inventories"].get(one["inventory"], {"host_addresses": {}})
        hosts = [name for name, address in inventory["host_addresses"].items() if address == CALLER]
        if len(hosts) != 1:
            many = "Multiple hosts matched the request!" if hosts else "No matching host could be found!"
            raise RefusedError(400, {"msg": many})
        questions = self._questions("job_templates", one["id"])
        if not launching.starts_by_itself(one, questions):
            raise RefusedError(400, {"msg": "Cannot start automatically, user input required!"})
        job = {"template": one["name"], "extra_vars": launching.launch(one, questions, {})[0], "limit": hosts[0]}
        if job in self.launched:
            raise RefusedError(400, {"msg": "Host callback job already pending."})
        self.launched.append(job)
        return 201, None

    # -- objects

    def _shown(self, kind: str, one: Data) -> Data:
        url = f"{self.root}{kind}/{one['id']}/"
        related = {name: f"{url}{name}/" for name in ASSOCIATIONS.get(kind, ())}
        if kind in SURVEYS:
            related["survey_spec"] = f"{url}survey_spec/"
        target = one.get("unified_job_template")
        if kind == NODES and target:
            related["unified_job_template"] = f"{self.root}{self._kind_of(target)}/{target}/"
        ids = {name: list(self.associated.get((kind, one["id"], name), [])) for name in LINKED.get(kind, ())}
        named = {name: kinds[0] for name, kinds in REFERENCES.items() if len(kinds) == 1 and one.get(name) is not None}
        summary: Data = {
            name: {"id": one[name], "name": self.objects[of][one[name]]["name"]} for name, of in named.items()
        }
        capabilities = access.capabilities(self.user, self.objects, kind, one)
        if capabilities:
            summary["user_capabilities"] = capabilities
        if kind == "job_templates":
            attached = self.associated.get((kind, one["id"], "credentials"), [])
            summary["credentials"] = [{"id": key, "name": self.objects["credentials"][key]["name"]} for key in attached]
        if kind in ROLES:
            summary["object_roles"] = {role: {"id": number} for role, number in _roles(kind, one).items()}
        hidden = {name: value for name, value in one.items() if name not in ("playbook_files", "host_addresses")}
        return {**hidden, **ids, "url": url, "type": kind.removesuffix("s"), "related": related,
                "summary_fields": summary}  # fmt: skip

    def _role_numbers(self) -> dict[str, tuple[str, int]]:
        """Kind and number of the object of each role."""
        return {str(number): (kind, one["id"]) for kind in ROLES for one in self.objects[kind].values()
                for number in _roles(kind, one).values()}  # fmt: skip

    def _kind_of(self, target: int) -> str:
        return next(kind for kind in REFERENCES["unified_job_template"] if target in self.objects[kind])

    def _pairs(self, kind: str) -> list[tuple[int, int]]:
        return [(key, one) for (_nodes, key, name), ids in self.associated.items() if name == kind for one in ids]

    # -- what is refused

    def _check_link(self, key: tuple[str, int, str], child: int) -> None:
        _kind, parent, name = key
        if any((parent, child) in self._pairs(other) for other in launching.LINKS if other != name):
            raise RefusedError(400, {"Error": "Relationship not allowed."})
        every = [pair for kind in launching.LINKS for pair in self._pairs(kind)]
        if parent == child or launching.has_cycle([*every, (parent, child)]):
            raise RefusedError(400, {"Error": "Cycle detected."})
        nodes = self.objects[NODES]
        if nodes[parent]["workflow_job_template"] != nodes[child]["workflow_job_template"]:
            raise RefusedError(400, {"Error": "Nodes of two workflows cannot be linked."})

    def _check_credential(self, ids: list[int], number: int) -> None:
        def type_of(one: int) -> int | None:
            return t.cast("int | None", self.objects["credentials"][one]["credential_type"])

        kind = type_of(number)
        if kind is not None and kind in map(type_of, ids):
            name = self.objects["credential_types"][kind]["name"]
            raise RefusedError(400, {"error": f"Cannot assign multiple {name} credentials."})

    def _check(self, kind: str, one: Data, given: Data) -> None:
        """`one`: as it would be; `given`: what the request says of it."""
        missing = {name: ["This field is required."] for name in REQUIRED.get(kind, ()) if not one.get(name)}
        if missing:
            raise RefusedError(400, missing)
        for name, kinds in REFERENCES.items():
            if one.get(name) is not None and not any(one[name] in self.objects[other] for other in kinds):
                raise RefusedError(400, {name: [f'Invalid pk "{one[name]}" - object does not exist.']})
        for name in ("name", "identifier"):
            if len(one.get(name, "")) > LONGEST:
                raise RefusedError(400, {name: [f"Ensure this field has no more than {LONGEST} characters."]})
        for name in ("job_slice_count", "forks"):
            if (one.get(name) or 0) < 0:
                raise RefusedError(400, {name: ["Ensure this value is greater than or equal to 0."]})
        unique = UNIQUE.get(kind, ())
        for other in self.objects[kind].values():
            if unique and other["id"] != one.get("id") and all(other[name] == one[name] for name in unique):
                raise RefusedError(400, {"__all__": [f"{kind} with this {' and '.join(unique)} already exists."]})
        if kind in CHECKS:
            CHECKS[kind](self, one)
        # As AWX: without a prompt in the request nothing is said against those that are kept.
        if kind in (NODES, "schedules") and given.keys() & {"extra_data", *launching.PROMPTS}:
            self._check_kept(one, started=kind == "schedules")

    def _check_variables(self, one: Data) -> None:
        wrong = rules.variables(one["extra_vars"])
        if isinstance(wrong, str):
            raise RefusedError(400, {"extra_vars": [wrong]})

    def _check_job_template(self, one: Data) -> None:
        self._check_variables(one)
        if one["playbook"] not in self.objects["projects"][one["project"]]["playbook_files"]:
            raise RefusedError(400, {"playbook": ["Playbook not found for project."]})

    def _check_credential_type(self, one: Data) -> None:
        before = self.objects["credential_types"].get(one.get("id", 0))
        in_use = [other for other in self.objects["credentials"].values() if other["credential_type"] == one.get("id")]
        if before and in_use and before["inputs"] != one["inputs"]:
            raise RefusedError(403, {"detail": "Modifications to inputs are not allowed for credential types in use"})
        if one["managed"]:
            return
        if one["kind"] not in ("cloud", "net"):
            raise RefusedError(400, {"kind": [f"Must be 'cloud' or 'net', not {one['kind']}"]})
        wrong = rules.inputs(one["inputs"])
        if wrong:
            raise RefusedError(400, {"inputs": [wrong]})
        wrong = rules.injectors(one["injectors"], [field["id"] for field in one["inputs"].get("fields", ())])
        if wrong:
            raise RefusedError(400, {"injectors": [wrong]})

    def _check_kept(self, one: Data, started: bool) -> None:
        target = one["unified_job_template"]
        kind = self._kind_of(target) if target else ""
        if kind not in SURVEYS:
            return
        template, questions = self.objects[kind][target], self._questions(kind, target)
        wrong = launching.kept_for_later(template, questions, one, started)
        if wrong:
            raise RefusedError(400, wrong)

    def _check_schedule(self, one: Data) -> None:
        if rules.hangs(one["rrule"]):
            raise RefusedError(504, {"detail": "Gateway Time-out"})
        wrong = rules.rule(one["rrule"])
        if wrong:
            raise RefusedError(400, {"rrule": wrong})


def _counted(text: str | int, usual: int) -> int:
    return int(text) if re.fullmatch("[1-9][0-9]{0,8}", str(text)) else usual


def _roles(kind: str, one: Data) -> dict[str, int]:
    return {role: one["id"] * 10 + number for number, role in enumerate(ROLES[kind])}


def _known(kind: str, values: Data) -> Data:
    """Without the fields that are not the API's, and with values of their kinds. Raises RefusedError."""
    known = {}
    for name, default in FIELDS[kind].items():
        if name in values:
            known[name] = values[name]
            if values[name] is not None or default is not None:
                known[name] = _read(name, NONE.get(name, int) if default is None else type(default), values[name])
    return known


def _read(name: str, kind: type, value: t.Any) -> t.Any:
    try:
        return rules.field(kind, value)
    except ValueError as wrong:
        raise RefusedError(400, {name: [str(wrong)]}) from None


CHECKS: dict[str, Callable[[Awx, Data], None]] = {
    "job_templates": Awx._check_job_template,
    "workflow_job_templates": Awx._check_variables,
    "credential_types": Awx._check_credential_type,
    "schedules": Awx._check_schedule,
}


def _body(content: bytes) -> Data:
    try:
        found = json.loads(content or b"{}")
    except ValueError as error:
        raise RefusedError(400, {"detail": f"JSON parse error - {error}"}) from None
    if not isinstance(found, dict):
        raise RefusedError(400, {"detail": "JSON parse error - not a JSON object"})
    return found


class _Handler(BaseHTTPRequestHandler):
    awx: Awx

    def log_message(self, *dummy: object) -> None:
        """Nowhere."""

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        try:
            if self.headers.get("Authorization") != f"Bearer {self.awx.token}":
                raise RefusedError(401, {"detail": "Authentication credentials were not provided."})
            status, said = self.awx.answer(self.command, url.path, dict(parse_qsl(url.query)), _body(content))
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

    do_GET = do_POST = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815
