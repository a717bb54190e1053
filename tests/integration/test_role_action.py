# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role of the gateways, listed under `roles`: it carries out the action that is named, or fails and names them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from integration.control_node import CHECKOUT, ControlNode, Run

SPECS = yaml.safe_load((CHECKOUT / "roles/gateway_keys/meta/argument_specs.yml").read_text())["argument_specs"]
ACTIONS = SPECS["main"]["options"]["gateway_keys_action"]["choices"]


def play(path: Path, **variables: str) -> Run:
    """On a host that is no gateway: no action gets farther than to see that."""
    node = ControlNode(path, {"others": {"hosts": {"h1": {"ansible_connection": "local"}}}}, group="others")
    playbook = path / "own.yml"
    role = {"role": "vpnops.keys.gateway_keys", **variables}
    playbook.write_text(yaml.safe_dump([{"hosts": "others", "gather_facts": False, "roles": [role]}]))
    return node.run(str(playbook))


def test_every_entry_point_is_an_action() -> None:
    assert set(ACTIONS) == set(SPECS) - {"main"}


@pytest.mark.parametrize("action", ACTIONS)
def test_the_action_that_is_named_is_carried_out(action: str, tmp_path: Path) -> None:
    done = play(tmp_path, gateway_keys_action=action)
    assert done.code != 0
    included = [line for line in done.output.splitlines() if line.startswith("included:")]
    assert [line.split()[1].rpartition("/")[2] for line in included] == [f"{action}.yml"], done.output
    assert "There is no gateway in the inventory group gateways" in " ".join(done.output.split())


@pytest.mark.parametrize("variables", [{}, {"gateway_keys_action": ""}, {"gateway_keys_action": "main"}])
def test_without_an_action_it_fails_and_names_them(variables: dict[str, str], tmp_path: Path) -> None:
    """With the emergency's variables and no action it would otherwise do nothing, and end well."""
    done = play(tmp_path, gateway_keys_mode="emergency", **variables)
    assert done.code != 0
    told = " ".join(done.output.split())
    assert not [action for action in ACTIONS if action not in told], done.output
    assert "included:" not in done.output
