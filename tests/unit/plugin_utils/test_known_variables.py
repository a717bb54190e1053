# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.plugin_utils import known_variables
from ansible_collections.vpnops.keys.plugins.plugin_utils.claimed_variables import claimed

ROOT = Path(__file__).parents[3]
READERS = [
    path
    for place in ("playbooks", "awx", "examples", "docs/docsite/rst", "roles", "extensions/eda")
    for path in sorted((ROOT / place).rglob("*"))
    if path.suffix in (".yml", ".md", ".rst")
]
PREFIXES = "gateway_keys|key_directory|key_report|key_server_rotate|key_server_sync|vpnops_keys"
NAME = re.compile(rf"(?<![\w./-])(?:{PREFIXES})_\w+\b(?!\.)")
OTHERS = {"key_directory_info", "key_directory_publish", "vpnops_keys_progress"}
"""Modules, and a section of ansible.cfg."""


def refused(here: dict[str, Any], role: str | None = None, **by_host: dict[str, Any]) -> str:
    with pytest.raises(VpnKeysError) as caught:
        known_variables.check(here, by_host, role)
    return str(caught.value)


@pytest.mark.parametrize("role", [*known_variables.OF_ROLE, None])
def test_a_variable_of_the_connection_may_be_misspelled_too(role: str | None) -> None:
    assert "did you mean vpnops_keys_ssh_legacy?" in refused({"vpnops_keys_ssh_legcy": True}, role)
    known_variables.check({"vpnops_keys_ssh_legacy": True}, {}, role)


def test_every_variable_that_is_read_or_documented_is_known() -> None:
    named = {name for path in READERS for name in NAME.findall(path.read_text(encoding="utf-8"))}
    assert named - known_variables.known() - OTHERS == set()


def test_what_only_playbooks_read_is_read_by_one() -> None:
    read = "".join(path.read_text(encoding="utf-8") for path in READERS)
    assert not [name for name in known_variables.OF_PLAYBOOKS if name not in read]


def test_every_role_checks_its_own_variables_only() -> None:
    """What is wrong with the other fleet's variables must not stop an emergency of this one."""
    with_variables = {path.parents[1].name for path in ROOT.glob("roles/*/meta/argument_specs.yml")}
    assert set(known_variables.OF_ROLE) == with_variables
    known_variables.check({"gateway_keys_lsot": 1}, {}, "key_server_sync")
    assert "gateway_keys_lsot" in refused({"gateway_keys_lsot": 1}, "gateway_keys")
    assert "gateway_keys_lsot" in refused({"gateway_keys_lsot": 1})


def test_the_sentence_names_the_host_and_the_nearest_variable() -> None:
    assert refused({}, None, gw2={"gateway_keys_platfrom": 1}) == (
        "vpnops.keys has no variable gateway_keys_platfrom (of gw2). Nothing was done; did you mean"
        " gateway_keys_platform?"
    )
    many = {f"key_report_{number}": 1 for number in range(9)}
    assert "key_report_4 and 4 more" in refused(many)


def test_a_fact_of_a_device_stops_nobody() -> None:
    facts = {"gateway_keys_nonsense": 1}
    assert claimed(facts)
    known_variables.check({**facts, "ansible_facts": facts}, {"gw1": {**facts, "ansible_facts": facts}}, None)


def test_a_value_that_was_cut_is_not_shown() -> None:
    said = refused({"_raw_params": "horse battery"}, "gateway_keys")
    assert "horse" not in said
    assert said.startswith("A value given with -e was cut at a space. Nothing was done; write values with spaces as")
