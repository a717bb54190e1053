# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an execution environment gets is what the collection needs: ansible-builder reads it, and it is enough."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible
import pytest
import yaml
from integration.control_node import CHECKOUT, ControlNode
from integration.devices import LABEL, group_of, held, key
from packaging.requirements import Requirement

from lab import Fleet, KeySpec


def builder(*arguments: str) -> str:
    done = subprocess.run(["ansible-builder", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def introspected(tmp_path: Path) -> dict[str, Any]:
    """What ansible-builder finds in the collection, once it is installed."""
    place = tmp_path / "collections/ansible_collections/vpnops"
    place.mkdir(parents=True)
    (place / "keys").symlink_to(CHECKOUT)
    found: dict[str, Any] = yaml.safe_load(builder("introspect", "--sanitize", str(tmp_path / "collections")))
    return found


def listed(file: str) -> list[str]:
    lines = (CHECKOUT / file).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_introspect(introspected: dict[str, Any]) -> None:
    found = {str(Requirement(line.partition("#")[0])).lower() for line in introspected["python"]}
    assert found == {str(Requirement(line)).lower() for line in listed("requirements.txt")}
    assert {line.partition("#")[0].strip() for line in introspected["system"]} == set(listed("bindep.txt"))


def test_create(tmp_path: Path) -> None:
    named = ("--context", str(tmp_path / "context"), "--output-filename", "Containerfile")
    builder("create", "--file", "execution-environment.yml", *named)
    containerfile = (tmp_path / "context/Containerfile").read_text()
    described = yaml.safe_load((CHECKOUT / "execution-environment.yml").read_text())
    assert described["images"]["base_image"]["name"] in containerfile
    assert described["dependencies"]["ansible_core"]["package_pip"] in containerfile
    built = {path.name: path.read_text() for path in (tmp_path / "context/_build").iterdir() if path.is_file()}
    assert yaml.safe_load(built["requirements.yml"]) == described["dependencies"]["galaxy"]
    assert built["requirements.txt"].split() == described["dependencies"]["python"]


@pytest.mark.thorough
def test_nothing_else_is_needed(
    introspected: dict[str, Any],
    start_fleet: Callable[..., Fleet],
    control_node: Callable[[Fleet], ControlNode],
    tmp_path: Path,
) -> None:
    """The sync in a virtual environment that has ansible-core and exactly that."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    needed = tmp_path / "needed.txt"
    needed.write_text("\n".join([f"ansible-core=={ansible.__version__}", *introspected["python"]]))
    pip = [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(needed)], check=True)
    fleet = start_fleet(*group_of(("ks1", "ios15", (KeySpec(LABEL, 1),)), ("ks2", "xe17", ())))
    node = control_node(fleet)
    command = [str(venv / "bin/python"), *node.command("vpnops.keys.sync_key_servers")[1:]]
    env = node.env({"PYTHONPATH": "", "PATH": f"{venv}/bin:/usr/bin:/bin"})
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {held(device)[LABEL] for device in fleet} == {(key(1).fingerprint, True, True)}
