# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the guides are drawn from their text, and the text says what the tree is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from unit import scripts

from ansible_collections.vpnops.keys.plugins.module_utils._directory import rotation

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "roles/gateway_keys/tasks"
OURS = "ansible_collections.vpnops.keys."
Data = dict[str, Any]


PICTURES = scripts.load("pictures")


def source(name: str) -> Data:
    found: Data = yaml.safe_load((ROOT / f"docs/pictures/{name}.yml").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(("file", "text"), [pytest.param(*one, id=one[0].stem) for one in PICTURES.drawn()])
def test_images_are_what_the_script_draws(file: Path, text: str) -> None:
    assert file.read_text(encoding="utf-8") == text, "Run .venv/bin/python scripts/pictures."
    assert ElementTree.fromstring(text).tag.endswith("svg")


def test_every_image_has_a_text_and_a_place() -> None:
    images = {path.stem for path in PICTURES.IMAGES.iterdir()}
    assert images == {path.stem for path in PICTURES.SOURCES.iterdir()}
    guides = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs/docsite/rst").glob("*.rst"))
    assert [name for name in images if f".. image:: images/{name}.svg" not in guides] == []


# -- the rooms

ROWS: list[Data] = source("rooms")["rows"]
LEVEL: dict[str, int] = {
    room["path"]: number for number, row in enumerate(ROWS) for room in row["rooms"] if "path" in room
}


def test_rooms_are_the_folders() -> None:
    """Every folder in which code or data of the collection is; of plugins, two levels of them."""
    folders = [*(ROOT / "plugins").glob("*"), *(ROOT / "plugins").glob("*_utils/*"), *(ROOT / "roles").glob("*")]
    found = {str(path.relative_to(ROOT)) for path in folders if path.is_dir() and path.name != "__pycache__"}
    assert set(LEVEL) == {*found, "playbooks", "awx", "extensions/eda"}
    assert [path for path in LEVEL if not (ROOT / path).is_dir()] == []


def test_imports_go_downwards_only() -> None:
    """From a room to one below it, or within it."""
    upwards = {
        f"{room} imports {other}"
        for file in (ROOT / "plugins").rglob("*.py")
        for room in [room_of(file)]
        for target in imports(file)
        for other in [room_of(target)]
        if other != room and LEVEL[other] <= LEVEL[room]
    }
    assert upwards == set()


def room_of(file: Path) -> str:
    return max((path for path in LEVEL if file.is_relative_to(ROOT / path)), key=len)


def imports(file: Path) -> Iterator[Path]:
    """The files and folders of this collection that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.level or (node.module or "").startswith(OURS)):
            continue
        module = node.module or ""
        place = file.parents[node.level - 1] if node.level else ROOT
        place = place.joinpath(*(module if node.level else module[len(OURS) :]).split("."))
        for alias in node.names:
            inside = place / alias.name
            yield inside if inside.is_dir() or inside.with_suffix(".py").exists() else place


def test_imports_are_seen() -> None:
    """The test above would say nothing if it saw none."""
    found = {room_of(path) for path in imports(ROOT / "plugins/action/gateway_plan.py")}
    assert {"plugins/modules", "plugins/plugin_utils", "plugins/module_utils/_fleet"} <= found


def test_texts_fit_into_their_boxes() -> None:
    for row in ROWS:
        width = (PICTURES.INSIDE - PICTURES.APART * (len(row["rooms"]) - 1)) / len(row["rooms"])
        for room in row["rooms"]:
            assert len(PICTURES.wrapped(room["text"], width - 10)) <= 2, room


# -- a rotation


def test_no_text_is_on_a_note() -> None:
    """The plates behind texts end above the box, or begin below it."""
    drawn = ElementTree.parse(PICTURES.IMAGES / "rotation.svg").getroot()
    spans = [
        (one.get("fill"), float(one.get("y", 0)), float(one.get("y", 0)) + float(one.get("height", 0)))
        for one in drawn.iterfind("{*}rect[@x]")
    ]
    ((top, bottom),) = [span for color, *span in spans if color == PICTURES.WARN]
    plates = [span for color, *span in spans if color == PICTURES.PAPER]
    assert len(plates) > 10
    assert [span for span in plates if span[0] < bottom and top < span[1]] == []


def test_states_are_those_of_the_directory() -> None:
    picture = source("states")
    assert tuple(one["name"] for one in picture["row"]) == rotation.STATES
    assert {("emergency", one, other) for one, other in picture["emergency"]} == rotation.SKIPS
    assert {picture["below"]["name"], picture["row"][-1]["name"]} == set(rotation.CLOSED)
    still_open = {state for state in rotation.STATES if rotation.is_open({"state": state})}
    assert set(picture["rolled_back_from"]) == still_open


def tasks(file: Path) -> Iterator[Data]:
    """The tasks of a planned rotation in their order, with those of the files that they include."""
    for task in yaml.safe_load(file.read_text(encoding="utf-8")):
        yield from (one for inner in task.get("block", ()) for one in expanded(inner))
        if "block" not in task:
            yield from expanded(task)


def expanded(task: Data) -> Iterator[Data]:
    yield task
    included = task.get("ansible.builtin.include_tasks") or task.get("ansible.builtin.import_tasks") or ""
    if included and "emergency" not in included:
        yield from tasks(ROLE / included.replace("{{ gateway_keys_mode }}", "planned"))


def test_steps_are_the_tasks_of_the_role_in_their_order() -> None:
    steps = [step for step in source("rotation")["steps"] if "task" in step]
    run = iter(tasks(ROLE / "regenerate.yml"))
    for step in steps:
        task = next((one for one in run if one["name"] == step["task"]), None)
        assert task, f"{step['task']} is no task, or comes earlier"
        assert step.get("state", "") in str(task.get("vpnops.keys.key_directory", {}).get("state", "")), step
