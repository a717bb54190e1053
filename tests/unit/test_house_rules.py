# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that hold for all plugins and that no linter knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
    for place in ("plugins", "extensions")
    for path in sorted((ROOT / place).rglob("*.py"))
}
Function = (ast.FunctionDef, ast.AsyncFunctionDef)
LONGEST = 60
"""Lines of a function without its docstring."""
ERRORS = "plugins/module_utils/_errors.py"
"""Where errors are composed."""
STATE = re.compile(r"\bNothing (?:is|was) (?:changed|done|read|reported|sent|written)\b")
OF_MISTAKES = {"KeyError", "TypeError", "AttributeError"}
"""What a mistake of ours raises as well as a bad value."""
READERS = {
    ("plugins/plugin_utils/ios/options.py", "_number"),
    ("plugins/plugin_utils/ios/known_hosts.py", "expanded"),
    ("plugins/plugin_utils/key_servers/rotation_store.py", "_parsed"),
    ("plugins/plugin_utils/gateways/possession.py", "_by_request"),
    ("plugins/plugin_utils/gateways/action.py", "_number"),
    ("plugins/module_utils/_directory/lock_owner.py", "_user"),
    ("plugins/module_utils/_gateway/files.py", "_number"),
    ("plugins/module_utils/_gateway/wireguard/networkd/record.py", "_user"),
    ("plugins/module_utils/_directory/seal.py", "root"),
    ("plugins/module_utils/_directory/witness.py", "read"),
    ("plugins/module_utils/_fleet/model.py", "from_result"),
    ("plugins/module_utils/_fleet/plan.py", "from_result"),
    ("plugins/module_utils/_fleet/verify.py", "from_result"),
}
"""Functions that may take such an exception for a bad value: they parse, and decide nothing."""


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def documentation(tree: ast.AST) -> set[int]:
    """The strings that no program uses: docstrings, texts below attributes, and the documentation of plugins."""
    found = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    names = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id in names for to in node.targets):
            found.add(id(node.value))
    return found


def own_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    without = 0
    if ast.get_docstring(function) is not None:
        without = (first.end_lineno or first.lineno) - first.lineno + 1
    return (function.end_lineno or function.lineno) - function.lineno + 1 - without


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{file}: {function.name}": lines
        for file, tree in FILES.items()
        for function in functions(tree)
        if (lines := own_lines(function)) > LONGEST
    }
    assert not long


def test_no_sentence_is_taken_apart() -> None:
    """Who knows the fields of an error needs neither its first words nor its full stop."""
    found = [
        f"{file}:{node.lineno}: {ast.unparse(node)}"
        for file, tree in FILES.items()
        if file != ERRORS
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("removeprefix", "removesuffix", "startswith", "endswith", "strip", "rstrip", "lstrip")
        and any(_of_a_sentence(one) for one in node.args)
    ]
    assert not found


def _of_a_sentence(argument: ast.expr) -> bool:
    """A full stop, or a name with a colon."""
    if isinstance(argument, ast.Constant):
        return argument.value == "."
    last = argument.values[-1] if isinstance(argument, ast.JoinedStr) and argument.values else None
    return isinstance(last, ast.Constant) and str(last.value).endswith(": ")


def test_states_are_told_by_their_constants() -> None:
    found = []
    for file, tree in FILES.items():
        told = documentation(tree)
        found += [
            f"{file}:{node.lineno}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in told
            and STATE.search(node.value)
            and file != ERRORS
        ]
    assert not found


def test_a_mistake_of_ours_is_not_taken_for_bad_input() -> None:
    """Options are parsed first; what decides stands outside of such a try."""
    found = set()
    for file, tree in FILES.items():
        for function in functions(tree):
            caught = [node.type for node in ast.walk(function) if isinstance(node, ast.ExceptHandler) and node.type]
            names = {node.id for one in caught for node in ast.walk(one) if isinstance(node, ast.Name)}
            if names & OF_MISTAKES:
                found.add((file, function.name))
    assert found == READERS


@pytest.mark.parametrize(
    ("text", "bad"),
    [('text.rstrip(".")', True), ('text.removeprefix(f"{host}: ")', True), ('text.startswith("! ")', False)],
)
def test_what_counts_as_taking_apart(text: str, bad: bool) -> None:
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    assert any(map(_of_a_sentence, call.args)) == bad


@pytest.mark.parametrize("role", ["key_server_sync", "key_server_rotate"])
def test_a_role_for_key_servers_does_all_for_one_host(role: str) -> None:
    """The facts of that one are checked; a task for every host, or its condition, would be one by facts of others."""
    tasks = yaml.safe_load((ROOT / "roles" / role / "tasks" / "main.yml").read_text(encoding="utf-8"))
    todo, seen = list(tasks), 0
    while todo:
        one = todo.pop()
        if "block" in one:
            todo += one["block"]
            continue
        assert one.get("run_once"), one["name"]
        seen += 1
    assert seen > 2


def test_every_role_checks_facts_first() -> None:
    """By a dependency: it is there before Ansible validates the arguments of the role, which prints what facts say."""
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        meta = yaml.safe_load((path.parent / "main.yml").read_text(encoding="utf-8"))
        (one,) = meta["dependencies"]
        assert one["role"] == "vpnops.keys.check_facts"
    assert yaml.safe_load((ROOT / "roles/check_facts/meta/main.yml").read_text("utf-8"))["allow_duplicates"]


# -- where tests are

UNIT = ROOT / "tests/unit"
ELSEWHERE = {"lab": "tests of the simulated devices, which are in tests/lab and not part of the collection"}
"""Folders of tests that are of no folder of plugins, and why."""
OF_A_ROOM = {
    "directory/test_rotations.py": "what rotations do to all that is in a directory",
    "plugin_utils/progress/test_progress.py": "all files of progress together",
}
"""Tests whose names happen to be that of a file in another folder, and what they are of."""
FOLDERS = sorted({test.parent for test in UNIT.rglob("test_*.py")} - {UNIT})


def of_folder(tests: Path) -> Path:
    """The folder of plugins that a folder of tests is of. The rooms of module_utils are named without their `_`."""
    first, *rest = tests.relative_to(UNIT).parts
    own = ROOT / "plugins" / first
    return (own if own.is_dir() else ROOT / "plugins/module_utils" / f"_{first}").joinpath(*rest)


def test_every_folder_of_tests_is_of_a_folder_of_plugins() -> None:
    assert {str(one.relative_to(UNIT)) for one in FOLDERS if not of_folder(one).is_dir()} == set(ELSEWHERE)


def test_a_test_of_one_file_is_where_the_file_is() -> None:
    """The test of x/y.py is x/test_y.py: one of that name in another folder is in the wrong place, or of something
    else."""
    files = {path.stem.lstrip("_") for path in (ROOT / "plugins").rglob("*.py")}
    astray = {
        str(test.relative_to(UNIT))
        for folder in FOLDERS
        if of_folder(folder).is_dir()
        for test in folder.glob("test_*.py")
        if (name := test.stem.removeprefix("test_")) in files and not (of_folder(folder) / f"{name}.py").exists()
    }
    assert astray == set(OF_A_ROOM)


def named_tasks(tasks: list[dict[str, Any]]) -> Iterator[str]:
    """The names of tasks and blocks, also of those in blocks."""
    for one in tasks:
        if "name" in one:
            yield one["name"]
        for part in ("block", "rescue", "always"):
            yield from named_tasks(one.get(part, []))


@pytest.mark.parametrize("role", sorted(path.name for path in (ROOT / "roles").iterdir()))
def test_no_two_tasks_of_a_role_share_a_name(role: str) -> None:
    """Their output, a log and --start-at-task know a task by its name alone."""
    files = [path for part in ("tasks", "handlers") for path in sorted((ROOT / "roles" / role / part).rglob("*.yml"))]
    names: dict[str, list[str]] = {}
    for path in files:
        for name in named_tasks(yaml.safe_load(path.read_text(encoding="utf-8")) or []):
            names.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert names
    assert {name: where for name, where in names.items() if len(where) > 1} == {}


def test_names_within_blocks_are_found() -> None:
    tasks: list[dict[str, Any]] = [
        {"name": "A", "block": [{"name": "B"}, {"block": [{"name": "C"}]}], "rescue": [{"name": "D"}]},
        {"meta": "noop"},
    ]
    assert list(named_tasks(tasks)) == ["A", "B", "C", "D"]


def test_a_rotation_shows_no_task_of_the_other_mode() -> None:
    """A task "Replace compromised keys" that is skipped alarms who rotates keys at night."""
    role = ROOT / "roles/gateway_keys"
    text = (role / "tasks/regenerate.yml").read_text(encoding="utf-8")
    (block,) = yaml.safe_load(text)
    assert not [one["name"] for one in block["block"] if "gateway_keys_mode" in str(one.get("when", ""))]
    (included,) = [one for one in block["block"] if "gateway_keys_mode" in str(one)]
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    for mode in specs["regenerate"]["options"]["gateway_keys_mode"]["choices"]:
        file = included["ansible.builtin.include_tasks"].replace("{{ gateway_keys_mode }}", mode)
        assert (role / "tasks" / file).is_file(), mode


def test_nothing_is_read_of_others_while_a_new_key_is_to_be_confirmed() -> None:
    """The answer of a peer may be as long as any: the time to read it is not that of who changes its key."""
    files = (ROOT / "roles/gateway_keys/tasks").rglob("*.yml")
    tasks = [one for path in files for one in yaml.safe_load(path.read_text(encoding="utf-8"))]
    options = [one["vpnops.keys.gateway_verify"] for one in tasks if "vpnops.keys.gateway_verify" in one]
    assert len(options) == 2
    for given in options:
        for answers in [given["observations"], *filter(None, [given.get("before")])]:
            assert answers.partition(" | ")[0] == given["targets"].rpartition(" ")[0]


@pytest.mark.parametrize("name", ["regenerate/emergency", "revoke", "retire"])
def test_no_gateway_is_asked_before_its_key_is_revoked(name: str) -> None:
    """One that a thief has could answer late, and so could many."""
    folder = ROOT / "roles/gateway_keys/tasks"
    [*whole] = yaml.safe_load((folder / f"{name}.yml").read_text(encoding="utf-8"))
    tasks = [task for one in whole for task in one.get("block", [one])]
    modules = [next(key for key in task if "." in key) for task in tasks]
    here = [task.get("ansible.builtin.include_tasks") for task in tasks].index("common/revoke_on_peers.yml")
    included = [task[module] for task, module in zip(tasks[:here], modules, strict=False) if "_tasks" in module]
    assert set(modules[:here]) <= {
        "ansible.builtin.import_tasks", "ansible.builtin.include_tasks",
        "vpnops.keys.gateway_plan", "vpnops.keys.key_directory",
    }  # fmt: skip
    assert set(included) <= {
        "common/assert_gateway.yml", "common/read_directory.yml", "common/assert_full_inventory.yml",
        "common/resolve_targets.yml", "common/publish_digest.yml",
    }  # fmt: skip
