# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a token may not do in AWX of what configure_awx would change, by what the API tells beforehand: the actions of
OPTIONS, `user_capabilities`, and the filter `role_level`."""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

Data = Mapping[str, t.Any]
ADMIN, USE = "the role Admin of it", "the role Use of it"
TEMPLATES = {"job_templates": "job template", "workflow_job_templates": "workflow"}


class Api(t.Protocol):
    def methods(self, path: str) -> Collection[str]:
        """The actions that OPTIONS names for an address below `/api/v2/`."""

    def found(self, kind: str, **query: str) -> list[Data]:
        """The objects of a list that the token may see."""


class Changes(t.NamedTuple):
    """What would be made or changed. Templates, schedules and grants are items of the data, all else are names."""

    credential_types: Iterable[str] = ()
    job_templates: Iterable[Data] = ()
    workflows: Iterable[str] = ()
    started: Iterable[str] = ()
    """Job templates that nodes to be made or changed start."""
    schedules: Iterable[Data] = ()
    granted: Iterable[Data] = ()


class Refusal(t.NamedTuple):
    """`act`: what the token may not do. `needs`: what it needs for that."""

    act: str
    needs: str


def refused(api: Api, organization: str, changes: Changes) -> list[Refusal]:
    """Each once; all of them."""
    asked = _Asked(api, organization)
    every = (
        *asked.credential_types(changes.credential_types),
        *(one for item in changes.job_templates for one in asked.job_template(item)),
        *(one for name in changes.workflows for one in asked.workflow(name)),
        *(one for name in changes.started for one in asked.start(name)),
        *(one for item in changes.schedules for one in asked.schedule(item)),
        *(one for item in changes.granted for one in asked.grants(item)),
    )
    return list(dict.fromkeys(every))


class _Asked:
    """The answers of the API, about objects of one organization."""

    def __init__(self, api: Api, organization: str) -> None:
        self._api, self._organization = api, organization
        self._there: dict[tuple[str, str], Data] = {}

    def credential_types(self, names: Iterable[str]) -> Iterator[Refusal]:
        wanted = list(names)
        if wanted and "POST" not in self._api.methods("credential_types/"):
            for name in wanted:
                yield Refusal(f"make or change the credential type {name}", "a system administrator of AWX")

    def job_template(self, item: Data) -> Iterator[Refusal]:
        there = self._named("job_templates", item["name"])
        yield from self._edit("job_templates", item["name"], "the role Use of its project and its inventory")
        inside = {"organization__name": self._organization}
        for kind, called, query in (("projects", "project", inside), ("inventories", "inventory", {})):
            if not self._api.found(kind, name=item[called], role_level="use_role", **query):
                yield Refusal(f"use the {called} {item[called]}", USE)
        attached = [one["name"] for one in there.get("summary_fields", {}).get("credentials", ())]
        for name in item.get("credentials") or ():
            if name not in attached and not self._capable("use", self._api.found("credentials", name=name)):
                yield Refusal(f"use the credential {name}", USE)

    def workflow(self, name: str) -> Iterator[Refusal]:
        needs = f"the role Workflow Admin of the organization {self._organization}"
        yield from self._edit("workflow_job_templates", name, needs)
        of = {"name": self._organization, "role_level": "workflow_admin_role"}
        if not self._named("workflow_job_templates", name) and not self._api.found("organizations", **of):
            yield Refusal(f"make the workflow {name}", needs)

    def start(self, template: str) -> Iterator[Refusal]:
        there = self._named("job_templates", template)
        # Who makes a template may start it.
        if there and not self._capable("start", [there]):
            yield Refusal(f"start the job template {template}", "the role Execute of it")

    def schedule(self, item: Data) -> Iterator[Refusal]:
        name, template = item["name"], self._named("job_templates", item["unified_job_template"])
        of = {"name": name, "unified_job_template": str(template["id"])} if template else {}
        there = self._api.found("schedules", **of) if of else []
        if there:
            if "PUT" not in self._api.methods(f"schedules/{there[0]['id']}/"):
                yield Refusal(f"change the schedule {name}", "the role Admin of its job template")
            return
        if "POST" not in self._api.methods("schedules/"):
            yield Refusal(f"make the schedule {name}", "the role Execute of its job template")
        yield from self.start(item["unified_job_template"])

    def grants(self, item: Data) -> Iterator[Refusal]:
        for field, kind in (("job_templates", "job_templates"), ("workflows", "workflow_job_templates")):
            for name in item.get(field) or ():
                there = self._named(kind, name)
                lacks = bool(there) and not self._granted(there, item)
                if lacks and "PUT" not in self._api.methods(f"{kind}/{there['id']}/"):
                    yield Refusal(f"grant roles of the {TEMPLATES[kind]} {name}", ADMIN)

    def _granted(self, there: Data, item: Data) -> bool:
        """Whether all teams of a grant have the role already."""
        role = there["summary_fields"]["object_roles"][f"{item['role']}_role"]["id"]
        having = {one["name"] for one in self._api.found(f"roles/{role}/teams", page_size="200")}
        return having.issuperset(item["teams"])

    def _edit(self, kind: str, name: str, needs: str) -> Iterator[Refusal]:
        """To make what is not there, which needs `needs`, or to change it."""
        there = self._named(kind, name)
        if there and "PUT" not in self._api.methods(f"{kind}/{there['id']}/"):
            yield Refusal(f"change the {TEMPLATES[kind]} {name}", ADMIN)
        elif not there and "POST" not in self._api.methods(f"{kind}/"):
            yield Refusal(f"make the {TEMPLATES[kind]} {name}", needs)

    def _named(self, kind: str, name: str) -> Data:
        if (kind, name) not in self._there:
            found = self._api.found(kind, name=name, organization__name=self._organization)
            self._there[kind, name] = found[0] if found else {}
        return self._there[kind, name]

    @staticmethod
    def _capable(of: str, found: Sequence[Data]) -> bool:
        return any(one["summary_fields"].get("user_capabilities", {}).get(of) for one in found)


def read(changes: Mapping[str, t.Any]) -> Changes:
    """As a playbook gives it. Raises TypeError for another name."""
    return Changes(**changes)
