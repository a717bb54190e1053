# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the roles and the options of the modules that they are for say the same, and a variable that several
entry points have is the same in each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from unit import scripts

ROOT = Path(__file__).parents[2]
Data = dict[str, Any]


ROLE_OPTIONS = scripts.load("role-options")
ROLES = tuple(sorted(path.parents[1].name for path in ROOT.glob("roles/*/meta/argument_specs.yml")))
OTHER_DEFAULT = {
    ("gateway_keys_minimum_share", "key_directory", "minimum_share"): 100,
}
"""Where a module by itself is stricter than the role, which also observes."""


def read(role: str, what: str) -> Any:
    return yaml.safe_load((ROOT / f"roles/{role}/{what}/main.yml").read_text(encoding="utf-8"))


def text(role: str) -> str:
    return (ROOT / f"roles/{role}/meta/argument_specs.yml").read_text(encoding="utf-8")


def entries(role: str) -> dict[str, Data]:
    """By entry point, the variables."""
    specs = yaml.safe_load(text(role))["argument_specs"]
    return {entry: spec["options"] for entry, spec in specs.items()}


def variables(role: str) -> Data:
    return {name: one for entry in entries(role).values() for name, one in entry.items()}


def test_all_roles_are_looked_at() -> None:
    assert set(ROLES) == set(ROLE_OPTIONS.ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_what_is_marked_is_what_the_modules_say(role: str) -> None:
    said = text(role)
    assert ROLE_OPTIONS.filled(role, said) == said, "Run .venv/bin/python scripts/role-options."
    assert said.count("        # ") == len(ROLE_OPTIONS.MARKED.findall(said)) >= 6
    before, mark, after = said.partition("        # ")
    changed = before + mark + after.replace("            ", "            Not so: ", 1)
    assert changed != said == ROLE_OPTIONS.filled(role, changed)


@pytest.mark.parametrize("role", ROLES)
def test_a_variable_is_what_the_option_is_that_it_is_passed_on_to(role: str) -> None:
    """Marked or not: its type, elements, choices and default."""
    passed, known, defaults = set(ROLE_OPTIONS.passed_on(role)), variables(role), read(role, "defaults")
    assert len({variable for variable, _module, _option in passed}) >= 15
    for variable, module, option in passed:
        mine, its = known[variable], ROLE_OPTIONS.options(module)[option]
        for key in ROLE_OPTIONS.KEPT:
            assert mine.get(key) == its.get(key), (variable, module, option, key)
        if variable in defaults and "{{" not in str(defaults[variable]):
            wanted = OTHER_DEFAULT.get((variable, module, option), defaults[variable] or None)
            assert (its.get("default") or None) == wanted, (variable, module, option)


@pytest.mark.parametrize("role", ROLES)
def test_a_variable_is_the_same_in_every_entry_point_and_has_the_default_of_the_role(role: str) -> None:
    known, defaults = variables(role), read(role, "defaults")
    for entry, options in entries(role).items():
        for name, one in options.items():
            assert one == known[name], (entry, name)
    assert set(defaults) - set(known) == set()
    plain = {name: value for name, value in defaults.items() if "{{" not in str(value)}
    assert {name: one["default"] for name, one in known.items() if "default" in one} == plain
