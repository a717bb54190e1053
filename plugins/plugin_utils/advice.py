# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the reader of a message can set: in a task of a role its variables, anywhere else the options of the module."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

ROLES: dict[str, dict[str, str]] = {
    "gateway_keys": {
        "path": "gateway_keys_report_path",
        "url": "gateway_keys_directory_url",
        "wait_timeout": "gateway_keys_settle_timeout",
    },
    "key_server_sync": {"path": "key_server_sync_report_path"},
}
"""The roles of this collection, and the options that a variable with another name than ROLE_OPTION gives."""


@dataclass(frozen=True)
class Names(Mapping[str, str]):
    """Option to variable, for any option of a task in that role; an empty mapping outside of our roles."""

    role: str

    def __getitem__(self, option: str) -> str:
        return ROLES[self.role].get(option, f"{self.role}_{option}")

    def __iter__(self) -> Iterator[str]:
        return iter(ROLES.get(self.role, ()))

    def __len__(self) -> int:
        return len(ROLES.get(self.role, ()))


def names(role: t.Any) -> Names:
    """`role`: of the task (as Ansible has it), or None."""
    return Names(role.get_name(include_role_fqcn=False) if role else "")
