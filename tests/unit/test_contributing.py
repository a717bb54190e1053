# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of files in CONTRIBUTING.md lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PART = TEXT.partition("## Eleven changes")[2].partition("## What a change")[0]
CHANGES = dict(re.findall(r"^### (.+?)\n(.*?)(?=^### |\Z)", PART, re.M | re.S))
CODE = (".py", ".yml", ".md", ".j2")
each_change = pytest.mark.parametrize("change", CHANGES)


def bullets(change: str) -> list[tuple[list[Path], list[str]]]:
    """Of each line of a list, the files and what is said to be in them."""
    found = []
    for text in re.findall(r"^- (.*?)(?=^- |\Z)", CHANGES[change], re.M | re.S):
        files, _colon, rest = text.partition("`: ") if "`: " in text else (text, "", "")
        names = re.findall(r"`([^`]+)`", f"{files}`")
        found.append(([ROOT / name for name in names], re.findall(r"`([^`]+)`", rest)))
    return found


def test_there_are_eleven() -> None:
    assert len(CHANGES) == 11
    assert all(len(bullets(change)) >= 5 for change in CHANGES)


@each_change
def test_the_files_are_there(change: str) -> None:
    for files, _names in bullets(change):
        assert files, change
        assert [str(file) for file in files if not file.exists()] == []
    assert any(file.is_relative_to(ROOT / "tests") for files, _names in bullets(change) for file in files)


@each_change
def test_what_is_named_is_in_the_file(change: str) -> None:
    """In the file itself, or in any of several."""
    for files, names in bullets(change):
        text = "".join(file.read_text(encoding="utf-8") for file in files if file.is_file())
        assert [name for name in names if name not in text] == [], files


SAMPLES = {
    "A prompt or question of IOS": "REPLACE_QUESTION",
    "A field of the survey of key servers": "rekey_lifetime",
    "A finding": "unknown keys",
    "An option of the synchronization": "allow_weak_source",
}
"""What there is of a kind already, and is used for nothing else."""


@pytest.mark.parametrize("change", SAMPLES)
def test_a_list_has_every_file_that_names_one_that_there_is(change: str) -> None:
    """Whoever adds another one of the kind finds in the list each file of the collection that has to know it."""
    listed = {file for files, _names in bullets(change) for file in files}
    code = [file for place in ("plugins", "roles", "awx") for file in (ROOT / place).rglob("*") if file.suffix in CODE]
    word = re.compile(rf"\b(?:\w+_sync_)?{SAMPLES[change]}\b")
    named = {file for file in code if word.search(file.read_text("utf-8"))}
    assert len(named) >= 2
    assert named - listed == set()


def test_a_platform_is_named_nowhere_else() -> None:
    """Whoever adds one has to touch each file of the collection that names those that there are."""
    listed = {file for files, _names in bullets("A gateway platform") for file in files}
    code = [*(ROOT / "plugins").rglob("*.py"), *ROOT.glob("roles/*/meta/*.yml"), *ROOT.glob("awx/*.yml")]
    named = {file for file in code if {"wireguard", "strongswan"} <= set(re.findall(r"\w+", file.read_text("utf-8")))}
    assert named - listed == set()
