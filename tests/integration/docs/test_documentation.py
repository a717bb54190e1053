# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every command of the documentation is run as it stands there, and every snippet is what it says it is."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.control_node import CHECKOUT, ControlNode, Run
from integration.devices import LABEL, group_of, held, one_time_passphrases
from integration.docs.blocks import DOCUMENTS, LANGUAGES, Block, blocks, commands
from integration.docs.commands import GATEWAYS, INSTALLATION, KEY_SERVERS, NOT_RUN, Step

from lab import Fleet, KeySpec
from lab.gateways import Mesh, available

Passwords = tuple[tuple[str, str], ...]


def run(node: ControlNode, step: Step, answers: Passwords = ()) -> Run:
    """A command by bash, in the directory with inventory.yml."""
    node.write_inventory()
    words = ["bash", "-c", commands()[step.command]]
    env = {**step.env, "ANSIBLE_CALLBACKS_ENABLED": "record,kill", "COLUMNS": "100"}
    asked = [*answers, *step.answers]
    done = node.run_words_on_terminal(words, asked, env) if asked else node.run_words(words, env)
    assert done.code == step.code, f"{step.command} ended with {done.code}:\n{done.output}"
    assert " ".join(step.says.split()) in " ".join(done.output.split()), f"{step.command}:\n{done.output}"
    return done


# -- all of them


def test_every_command_has_a_place() -> None:
    """A new one belongs into commands.py."""
    run_here = {step.command for step in (*KEY_SERVERS, *GATEWAYS, *INSTALLATION)}
    assert not run_here & NOT_RUN.keys()
    assert run_here | NOT_RUN.keys() == commands().keys()


def test_no_command_hides() -> None:
    for block in blocks():
        assert block.language in LANGUAGES, f"{block}: {block.language}"
        if block.language != "shell":
            assert not re.search(r"^\s*(make |python3? |pip3? |ansible[a-z-]* )", block.text, re.M), block
    for document in DOCUMENTS:
        if document.suffix == ".rst":
            assert not re.search(r"^(?! *\.\. ).*::$", document.read_text(), re.M), (
                f"{document}: a block without a name"
            )


def test_values_with_blanks_are_json() -> None:
    """Ansible cuts any other value of -e at the first blank."""
    for command in commands().values():
        words = shlex.split(command, comments=True)
        for option, value in pairwise(words):
            assert option != "-e" or " " not in value or json.loads(value), command


def test_make_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (CHECKOUT / "Makefile").read_text(), re.M))
    for block in blocks("shell"):
        for name in re.findall(r"^make ([a-z-]+)", block.text, re.M):
            assert name in targets, f"{block}: make {name}"


# -- run


def test_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / ".ansible/collections/ansible_collections/vpnops"
    place.mkdir(parents=True)
    (place / "keys").symlink_to(CHECKOUT)
    node = ControlNode(tmp_path, {}, {"PIP_NO_INDEX": "1"})
    for step in INSTALLATION:
        run(node, step)


def test_key_servers(start_fleet: Callable[..., Fleet], tmp_path: Path) -> None:
    first, second = (KeySpec(LABEL, 1),), (KeySpec(LABEL, 2),)
    fleet = start_fleet(
        *group_of(("ks1", "xe17", first), ("ks2", "ios15", ()), ("ks3", "xe16", second), ("ks4", "ios15", first))
    )
    old = held(fleet["ks1"])[LABEL][0]
    node = ControlNode(tmp_path, fleet.inventory())
    for step in KEY_SERVERS:
        run(node, step)
    new = {held(device)[LABEL] for device in fleet}
    assert len(new) == 1, new
    assert new.pop()[0] != old
    assert "<PASSPHRASE>" in (tmp_path / "commands.txt").read_text()
    assert not any(text in (tmp_path / "commands.txt").read_text() for text in one_time_passphrases(fleet))


@pytest.fixture
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    if reason := available():
        pytest.skip(reason)
    with Mesh(3, directory=tmp_path_factory.mktemp("mesh")) as up:
        yield up


@pytest.mark.thorough
@pytest.mark.timeout(1200)
def test_gateways(mesh: Mesh, tmp_path: Path) -> None:
    """The password of the administrator is typed where the command says -K, and in the inventory elsewhere."""
    node = ControlNode(tmp_path, mesh.inventory(), group="gateways", finished_within=600)
    node.environment["ANSIBLE_PIPELINING"] = "true"
    node.environment["ANSIBLE_SSH_CONTROL_PATH"] = f"/run/{mesh.plan.lab}-%%C"
    password = node.shared.pop("ansible_become_password")
    keys = [mesh.run("gw1", "wg show wg0 public-key")]
    for step in GATEWAYS:
        if step.before:
            step.before(mesh)
        if " -K " in step.command:
            node.shared.pop("ansible_become_password", None)
            run(node, step, answers=(("BECOME password: ", password),))
        else:
            node.shared["ansible_become_password"] = password
            run(node, step)
        keys.append(mesh.run("gw1", "wg show wg0 public-key"))
    assert "gw3" in (tmp_path / "keys.html").read_text()
    assert len(set(keys)) == 5, "two rotations to the end, two new machines, and none of the others"
    cut_off = {frozenset(pair) for pair in mesh.unreachable()}
    assert cut_off == {frozenset(("gw1", "gw2")), frozenset(("gw2", "gw3"))}, "only gw2 is revoked"


# -- snippets


def each(language: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", [pytest.param(block, id=str(block)) for block in blocks(language)])


@each("ini")
def test_ini(block: Block, tmp_path: Path) -> None:
    """It is an ansible.cfg, whose settings Ansible knows."""
    (tmp_path / "ansible.cfg").write_text(block.text)
    settings = configparser.ConfigParser()
    settings.read_string(block.text)
    node = ControlNode(tmp_path, {})
    done = node.run_words(
        ["ansible-config", "dump", "--only-changed", "--format", "json"], {"ANSIBLE_CONFIG": "ansible.cfg"}
    )
    assert done.code == 0, done.output
    read = {one["value"] for one in json.loads(done.output) if "ansible.cfg" in str(one.get("origin"))}
    assert {value for section in settings.sections() for value in settings[section].values()} <= read


@each("yaml")
def test_yaml(block: Block, tmp_path: Path) -> None:
    """A playbook passes ansible-playbook --syntax-check, an inventory ansible-inventory; the rest are variables of
    which those with a prefix of ours exist."""
    content = yaml.safe_load(block.text)
    path = tmp_path / "snippet.yml"
    path.write_text(block.text)
    groups: dict[str, object] = {"key_servers": {"hosts": {"ks1": {}}}, "gateways": {"hosts": {"gw1": {}}}}
    node = ControlNode(tmp_path, groups)
    node.write_inventory()
    if isinstance(content, list):
        words = ["ansible-playbook", "--syntax-check", "-i", "inventory.yml", str(path)]
    elif any("hosts" in (one or {}) or "children" in (one or {}) for one in values(content)):
        words = ["ansible-inventory", "-i", str(path), "--list"]
    else:
        assert unknown(content) == [], block
        return
    done = node.run_words(words)
    assert done.code == 0, done.output
    assert "WARNING" not in done.output, done.output


def values(content: Any) -> Sequence[dict[str, Any]]:
    return [one for one in content.values() if isinstance(one, dict)]


def unknown(variables: dict[str, Any]) -> list[str]:
    """Names that begin like variables of the roles and are none."""
    specs = [yaml.safe_load(path.read_text()) for path in CHECKOUT.glob("roles/*/meta/argument_specs.yml")]
    known = {name for spec in specs for entry in spec["argument_specs"].values() for name in entry["options"]}
    return [name for name in variables if name.startswith(("key_server_sync_", "gateway_keys_")) and name not in known]


NAMED = re.compile(r"\bvpnops\.keys\.([a-z][a-z0-9_]+)")
PLACES = (
    "plugins/modules/{}.py",
    "plugins/callback/{}.py",
    "roles/{}",
    "playbooks/{}.yml",
    "extensions/eda/rulebooks/{}.yml",
)


def test_everything_named_is_there() -> None:
    """Modules, roles and playbooks, by their full names, in commands or in text."""
    missing = {
        f"{document.relative_to(CHECKOUT)}: {name}"
        for document in DOCUMENTS
        for name in NAMED.findall(re.sub(r"ansible_collections\.vpnops\.keys\.\S+", "", document.read_text()))
        if not any((CHECKOUT / place.format(name)).exists() for place in PLACES)
    }
    assert not missing
