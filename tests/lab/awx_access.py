# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the user of a token may do in AWX 24.6, by the roles that its documentation describes, and what the API tells
about it: the actions of OPTIONS, `user_capabilities`, the filter `role_level`."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

Data = dict[str, t.Any]
Objects = Mapping[str, Mapping[int, Data]]
NODES = "workflow_job_template_nodes"

# The role of an organization that has Admin of all its objects of a kind.
ADMINISTERS = {
    "job_templates": "job_template_admin", "workflow_job_templates": "workflow_admin", "projects": "project_admin",
    "inventories": "inventory_admin", "credentials": "credential_admin",
}  # fmt: skip
# An organization's Admin has all its other roles; an object's Admin has all of the object.
STARTED = ("job_templates", "workflow_job_templates", "projects")
# By a job template's administrator without Use of project and inventory.
NOT_SENSITIVE = {
    "name", "description", "forks", "limit", "verbosity", "extra_vars", "job_tags", "force_handlers", "skip_tags",
    "ask_variables_on_launch", "ask_tags_on_launch", "ask_job_type_on_launch", "ask_skip_tags_on_launch",
    "ask_inventory_on_launch", "ask_credential_on_launch", "survey_enabled", "diff_mode", "timeout", "job_slice_count",
}  # fmt: skip


@dataclass
class User:
    """Whose token it is. `roles`: by kind and number of the object, `use` say; of an organization, `workflow_admin`."""

    superuser: bool = True
    scope: str = "write"
    roles: dict[tuple[str, int], set[str]] = field(default_factory=dict)

    def writes(self) -> bool:
        return self.scope == "write"

    def has(self, objects: Objects, role: str, kind: str, number: int | None) -> bool:
        """Also by another role, or by one of the organization; of what is not there, too."""
        if self.superuser or number is None or number not in objects[kind]:
            return True
        own = self.roles.get((kind, number), set())
        above = self.roles.get(("organizations", objects[kind][number].get("organization", 0)), set())
        if {role, "admin"} & own or {"admin", ADMINISTERS.get(kind, "admin")} & above:
            return True
        if role == "read":
            return bool(own) or "auditor" in above
        return role == "execute" and kind in STARTED and "execute" in above


def started(objects: Objects, number: int | None) -> tuple[str, int | None]:
    """Kind and number of what a node or a schedule starts."""
    return next((kind for kind in STARTED if number in objects[kind]), STARTED[0]), number


def workflow_of(objects: Objects, approval: int) -> int | None:
    nodes = objects[NODES].values()
    return next((one["workflow_job_template"] for one in nodes if one["unified_job_template"] == approval), None)


def sees(user: User, objects: Objects, kind: str, one: Data) -> bool:
    """What the others have is not in lists, and not found."""
    if kind == NODES:
        return user.has(objects, "read", "workflow_job_templates", one["workflow_job_template"])
    if kind == "schedules":
        return user.has(objects, "read", *started(objects, one["unified_job_template"]))
    if kind == "workflow_approval_templates":
        return user.has(objects, "read", "workflow_job_templates", workflow_of(objects, one["id"]))
    if kind == "execution_environments" and one["organization"] is None:
        return True
    return kind == "credential_types" or user.has(objects, "read", kind, one["id"])


def adds(user: User, objects: Objects, kind: str, one: Data) -> bool:
    if user.superuser or not user.writes():
        return user.writes()
    if kind == "job_templates":
        used = {"projects": one["project"], "inventories": one["inventory"]}
        return all(user.has(objects, "use", kind, number) for kind, number in used.items())
    if kind == "workflow_job_templates":
        number = one["organization"]
        return number is not None and user.has(objects, "workflow_admin", "organizations", number)
    if kind == NODES:
        administers = user.has(objects, "admin", "workflow_job_templates", one["workflow_job_template"])
        return administers and user.has(objects, "execute", *started(objects, one["unified_job_template"]))
    return kind == "schedules" and user.has(objects, "execute", *started(objects, one["unified_job_template"]))


def changes(user: User, objects: Objects, kind: str, before: Data, after: Data) -> bool:
    if user.superuser or not user.writes():
        return user.writes()
    if kind == "job_templates":
        sensitive = {name for name, value in after.items() if before.get(name) != value} - NOT_SENSITIVE
        own = user.has(objects, "admin", kind, before["id"])
        return own and (not sensitive or adds(user, objects, kind, after))
    if kind == "workflow_job_templates":
        return user.has(objects, "admin", kind, before["id"])
    if kind == NODES:
        administers = user.has(objects, "admin", "workflow_job_templates", before["workflow_job_template"])
        return administers and user.has(objects, "execute", *started(objects, after["unified_job_template"]))
    if kind == "workflow_approval_templates":
        return user.has(objects, "admin", "workflow_job_templates", workflow_of(objects, before["id"]))
    return kind == "schedules" and user.has(objects, "admin", *started(objects, before["unified_job_template"]))


def deletes(user: User, objects: Objects, kind: str, one: Data) -> bool:
    if kind == NODES:
        return user.writes() and user.has(objects, "admin", "workflow_job_templates", one["workflow_job_template"])
    return changes(user, objects, kind, one, one)


def actions(user: User, objects: Objects, kind: str, one: Data | None) -> Data:
    """Of OPTIONS for a list, or for one object."""
    if one is None:
        return {"GET": {}, **({"POST": {}} if _adds_any(user, objects, kind) else {})}
    # Of a node it says so to whoever sees it.
    may = user.writes() if kind == NODES else changes(user, objects, kind, one, one)
    return {"GET": {}, **({"PUT": {}} if may else {})}


def _adds_any(user: User, objects: Objects, kind: str) -> bool:
    """As AWX, which asks without data: for a template Use of any project, for a workflow of any organization."""
    of = {"job_templates": ("use", "projects"), "workflow_job_templates": ("workflow_admin", "organizations")}
    if user.superuser or not user.writes():
        return user.writes()
    if kind in of:
        role, there = of[kind]
        return any(user.has(objects, role, there, number) for number in objects[there])
    return kind in (NODES, "schedules")


CAPABILITIES = {
    "job_templates": {"edit": "admin", "delete": "admin", "start": "execute", "schedule": "execute"},
    "workflow_job_templates": {"edit": "admin", "delete": "admin", "start": "execute", "schedule": "execute"},
    "credentials": {"edit": "admin", "delete": "admin", "use": "use"},
    "projects": {"edit": "admin", "delete": "admin"},
    "inventories": {"edit": "admin", "delete": "admin"},
}


def capabilities(user: User, objects: Objects, kind: str, one: Data) -> dict[str, bool]:
    """Nothing is said there of the scope of the token."""
    if kind == "schedules":
        may = user.has(objects, "admin", *started(objects, one["unified_job_template"]))
        return {"edit": may, "delete": may}
    return {name: user.has(objects, role, kind, one["id"]) for name, role in CAPABILITIES.get(kind, {}).items()}
