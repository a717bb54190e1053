# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about versions is true of this one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_nothing_is_newer_than_this_version() -> None:
    """Or older than the first one, 1.0.0."""
    documented = [path for name in ("plugins", "roles") for path in (ROOT / name).rglob("*.*") if path.suffix != ".pyc"]
    added = {
        found: path.relative_to(ROOT)
        for path in documented
        for found in re.findall(r"^ *version_added: *[\"']?([\d.]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert added
    assert {
        text: path
        for text, path in added.items()
        if not version("1.0.0") <= version(text) <= version(GALAXY["version"])
    } == {}


def announced(kind: str) -> set[str]:
    """The objects of that kind in the changelog: in its releases, and in the fragments for the next one."""
    entries: list[dict[str, Any]] = []
    for fragment in (ROOT / "changelogs/fragments").glob("*.yml"):
        entries += yaml.safe_load(fragment.read_text(encoding="utf-8")).get(f"add object.{kind}", [])
    released = ROOT / "changelogs/changelog.yaml"
    if released.exists():
        for release in yaml.safe_load(released.read_text(encoding="utf-8"))["releases"].values():
            entries += release.get("objects", {}).get(kind, [])
    return {entry["name"] for entry in entries}


def test_the_changelog_has_every_playbook() -> None:
    """antsibull-changelog finds modules and plugins by itself, but no playbooks."""
    assert {path.stem for path in (ROOT / "playbooks").glob("*.yml")} - announced("playbook") == set()


def test_the_workflow_runs_what_ci_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert commands == ['sudo env CI=true "PATH=$PATH" bash .ci/run']
