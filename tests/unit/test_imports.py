# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run for key servers loads. Ansible compiles each file of a collection anew in every run, so what it loads and
does not use is paid for each time."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
READS = {"ansible", "asyncssh", "cryptography"}
LIBRARIES = {
    "check_facts": {"ansible"},
    "check_variables": {"ansible"},
    "getvpn_info": READS,
    "ios_rsa_key_compare": READS,
    "ios_rsa_key_sync": READS,
    "key_server_report": {"ansible", "rich"},
}
"""By action, the libraries that are there when it is loaded."""
OTHER_ROOMS = ("_directory", "_fleet", "_gateway", "_publishing", "_fetch", "gateways", "key_report")
NOT_NEEDED = {
    "check_facts": ("_ios", "_key_servers", "key_servers", "tables"),
    "check_variables": ("_ios", "_key_servers", "key_servers", "tables"),
    "getvpn_info": ("tables",),
    "ios_rsa_key_compare": ("tables", "execute", "replacement", "manual", "rotate", "group_key", "key_files"),
    "ios_rsa_key_sync": ("manual", "rotate", "rotations", "live_group", "rotation_store", "group_key"),
    "key_server_report": ("_ios", "plan", "grouping", "rotation", "ios", "execute", "key_files"),
}
"""By action, folders and files that have nothing to do with it."""


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """What runs when a file is loaded: not what is in functions, or for mypy alone."""
    for one in body:
        if isinstance(one, ast.If) and ast.unparse(one.test) == "t.TYPE_CHECKING":
            continue
        yield one
        for name in ("body", "orelse", "handlers", "finalbody"):
            if not isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield from statements(getattr(one, name, []))


def imports(path: Path) -> Iterator[str | Path]:
    """Libraries by name, files of the collection by path."""
    for one in statements(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(one, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in one.names)
        elif isinstance(one, ast.ImportFrom) and not one.level:
            yield str(one.module).partition(".")[0]
        elif isinstance(one, ast.ImportFrom):
            place = path.parents[one.level - 1].joinpath(*(one.module or "").split("."))
            files = [place.with_suffix(".py")] if place.with_suffix(".py").exists() else []
            yield from files or [place / f"{alias.name}.py" for alias in one.names]


def loaded(path: Path) -> tuple[set[str], set[Path]]:
    """The libraries and files that are loaded with a file."""
    libraries, files, left = set[str](), {path}, [path]
    while left:
        for found in imports(left.pop()):
            if isinstance(found, str):
                libraries.add(found)
            elif found not in files:
                files.add(found)
                left.append(found)
    return libraries - sys.stdlib_module_names, files


@pytest.mark.parametrize("action", LIBRARIES)
def test_an_action_loads_what_it_uses(action: str) -> None:
    libraries, files = loaded(PLUGINS / "action" / f"{action}.py")
    assert len(files) > 3
    assert libraries == LIBRARIES[action]
    parts = {part.removesuffix(".py") for file in files for part in file.relative_to(PLUGINS).parts}
    assert not parts & {*OTHER_ROOMS, *NOT_NEEDED[action]}


@pytest.mark.parametrize("path", sorted(PLUGINS.glob("filter/*.py")), ids=lambda path: path.stem)
def test_a_filter_loads_nothing_of_gateways(path: Path) -> None:
    """Ansible loads all filters of a collection for one of them."""
    parts = {part.removesuffix(".py") for file in loaded(path)[1] for part in file.relative_to(PLUGINS).parts}
    assert not parts & {*OTHER_ROOMS, "device_answer", "_pending", "_ios", "_key_servers"}
