# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.vpnops.keys.plugins.module_utils._errors import rendered
from ansible_collections.vpnops.keys.plugins.plugin_utils import advice

ROLES = Path(__file__).parents[3] / "roles"


class Role:
    """As Ansible hands it to a task."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_name(self, include_role_fqcn: bool = True) -> str:
        return f"vpnops.keys.{self.name}" if include_role_fqcn else self.name


@pytest.mark.parametrize(
    ("role", "said"),
    [
        (None, "set path or take_over"),
        (Role("somebody_elses"), "set path or take_over"),
        (Role("gateway_keys"), "set gateway_keys_report_path or gateway_keys_take_over"),
        (Role("key_server_sync"), "set key_server_sync_report_path or key_server_sync_take_over"),
    ],
)
def test_advice_names_what_the_reader_can_set(role: Role | None, said: str) -> None:
    assert rendered("set O(path) or O(take_over)", advice.names(role)) == said


@pytest.mark.parametrize("role", advice.ROLES)
def test_every_exception_is_a_variable_of_the_role(role: str) -> None:
    spec = yaml.safe_load((ROLES / role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    variables = {name for entry in spec.values() for name in entry["options"]}
    assert set(advice.ROLES[role].values()) <= variables


def test_every_role_is_known() -> None:
    assert set(advice.ROLES) == {one.name for one in ROLES.iterdir() if one.is_dir()}
