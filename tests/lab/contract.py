# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an attacker who has read the collection knows: the names of its variables, and of the fields that it reads.

They are taken from the text of its files, so that attacks follow every change of a name.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
READER = ROOT / "plugins/plugin_utils/device_answer.py"
PLACES = ("roles/gateway_keys", "playbooks", "extensions/eda")
VARIABLE = re.compile(r"(?<![.\w])(?:__)?(?:gateway_keys|key_report|key_directory|call_in)_[a-z0-9_]+")
REGISTERED = re.compile(r"\bregister: ([a-z0-9_]+)")
PLAYBOOK = ("gateway", "confirm", "group")
"""Variables of the playbooks, which have no prefix."""
ANSIBLES = ("group_names", "inventory_hostname", "inventory_hostname_short", "omit")
"""Ansible's own that facts outrank."""


def _texts() -> Iterator[str]:
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*.yml")):
            yield path.read_text(encoding="utf-8")


@functools.cache
def registered() -> frozenset[str]:
    """Variables that hold a result of a task."""
    return frozenset(name for text in _texts() for name in REGISTERED.findall(text) if VARIABLE.fullmatch(name))


@functools.cache
def variables() -> tuple[str, ...]:
    """All that roles and playbooks for gateways read or set, and that a fact can set."""
    return (*PLAYBOOK, *ANSIBLES, *sorted({name for text in _texts() for name in VARIABLE.findall(text)}))


@functools.cache
def fields() -> tuple[str, ...]:
    """Every name of a field in the strict reader of what gateways answer, in its tables and where it looks one up."""
    found: set[object] = set()
    for node in ast.walk(ast.parse(READER.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Dict):
            found |= {key.value for key in node.keys if isinstance(key, ast.Constant)}
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            found.add(node.slice.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            found |= {one.value for one in node.args[:1] if isinstance(one, ast.Constant)}
    return tuple(sorted(name for name in found if isinstance(name, str)))
