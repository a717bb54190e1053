# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the reader of a message can set: in a task of a role its variables, anywhere else the options of the module."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

ROLES: dict[str, dict[str, str]] = {
    "gateway_keys": {
        "adopt": "gateway_keys_adopt_reported_key",
        "path": "gateway_keys_report_path",
        "timezone": "gateway_keys_window_timezone",
        "url": "gateway_keys_directory_url",
        "verify_key": "key_report_verify_key",
        "wait_timeout": "gateway_keys_settle_timeout",
    },
    "key_server_rotate": {"allowed_hosts": "--limit"},
    "key_server_sync": {"path": "key_server_sync_report_path", "allowed_hosts": "--limit"},
}
"""The roles of this collection, and the options that something with another name than ROLE_OPTION gives."""


PLAYBOOK = {
    "gateway_call_in": "call_in",
    "gateway_info": "gateway_keys",
    "ios_rsa_key_compare": "key_server_sync",
    "key_directory": "gateway_keys",
    "key_directory_info": "gateway_keys",
    "key_report": "key_report",
}
"""How the variables begin that the playbooks of this collection give to a module, outside of any role."""
IN_PLAYBOOK = "/ansible_collections/vpnops/keys/"
"""In the path of whatever comes with this collection."""


@dataclass(frozen=True)
class Names(Mapping[str, str]):
    """Option to variable, for any option of a task in that role; an empty mapping outside of our roles."""

    role: str

    def __getitem__(self, option: str) -> str:
        if self.role not in ROLES and self.role not in PLAYBOOK.values():
            raise KeyError(option)
        return ROLES.get(self.role, {}).get(option, f"{self.role}_{option}")

    def __iter__(self) -> Iterator[str]:
        return iter(ROLES.get(self.role, ()))

    def __len__(self) -> int:
        return len(ROLES.get(self.role, ()))


def names(role: t.Any) -> Names:
    """`role`: of the task (as Ansible has it), or None."""
    return Names(role.get_name(include_role_fqcn=False) if role else "")


def of_task(task: t.Any) -> Names:
    """For a task as Ansible has it: in a role, in a playbook of this collection, or anywhere else."""
    if task._role or IN_PLAYBOOK not in os.path.abspath(str(task.get_path())):
        return names(task._role)
    return Names(PLAYBOOK.get(str(task.action).rpartition(".")[2], ""))
