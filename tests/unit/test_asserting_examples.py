# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an example asserts fails where it must, above all where there is nothing to look at."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLUGINS = {path.stem: kind for kind in ("modules", "filter") for path in sorted((ROOT / "plugins" / kind).glob("*.py"))}
KEY, OTHER = {"fingerprint": "aa"}, {"fingerprint": "bb"}
Data = dict[str, Any]


def own(file: Data | None, runtime: Data | None) -> Data:
    return {"look": {"gateway": {"own": {"file": file, "runtime": runtime}}}}


CASES: dict[str, tuple[list[Data], list[Data]]] = {
    "gateway_info": ([own(KEY, KEY)], [own(KEY, OTHER), own(KEY, None), own(None, None)]),
    "getvpn_info": (
        [{"getvpn": {"groups": [{"acks_missed": 0}, {"acks_missed": None}]}}],
        [{"getvpn": {"groups": []}}, {"getvpn": {"groups": [{"acks_missed": 0}, {"acks_missed": 2}]}}],
    ),
    "ios_rsa_key_compare": ([{"found": {"in_sync": True}}], [{"found": {"in_sync": False}}]),
    "ios_rsa_key_info": (
        [{"rekey": {"rsa_keys": [{"saved": True}]}}, {"rekey": {"rsa_keys": [{"saved": None}]}}],
        [{"rekey": {"rsa_keys": []}}, {"rekey": {"rsa_keys": [{"saved": False}]}}],
    ),
    "play_hosts": ([{"group_names": ["gateways", "site1"]}], [{"group_names": ["site1"]}, {"group_names": []}]),
}
"""Where it holds, and where it must not. That nothing is in sync is the business of the module."""


def conditions(name: str) -> Iterator[str]:
    text = importlib.import_module(f"ansible_collections.vpnops.keys.plugins.{PLUGINS[name]}.{name}").EXAMPLES
    for entry in yaml.safe_load(text):
        for task in entry.get("tasks", entry.get("block", [entry])):
            that = task.get("ansible.builtin.assert", {}).get("that", [])
            yield from [that] if isinstance(that, str) else that


def holds(name: str, variables: Data) -> bool:
    as_ansible = jinja2.Environment()
    as_ansible.filters["length"] = lambda values: len(list(values))  # Ansible makes lists of generators
    return all(as_ansible.compile_expression(one)(**variables) for one in conditions(name))


def test_every_example_that_asserts_is_tried() -> None:
    assert sorted(name for name in PLUGINS if list(conditions(name))) == sorted(CASES)


@pytest.mark.parametrize("name", CASES)
def test_it_holds_and_fails_where_it_must(name: str) -> None:
    good, bad = CASES[name]
    assert [holds(name, variables) for variables in good] == [True] * len(good)
    assert [holds(name, variables) for variables in bad] == [False] * len(bad)
