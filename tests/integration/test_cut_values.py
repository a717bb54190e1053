# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible splits `-e NAME="two words"` at the blank: the roles stop before they contact anything or record half."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from integration.control_node import ControlNode

CUT = "A value given with -e was cut at a space. Nothing was done;"


@pytest.fixture
def node(tmp_path: Path) -> ControlNode:
    hosts = {"hosts": {"a1": {}, "a2": {}}, "vars": {"ansible_python_interpreter": sys.executable}}
    return ControlNode(tmp_path, {"gateways": hosts, "key_servers": hosts})


@pytest.mark.parametrize(
    ("playbook", "cut"),
    [
        ("vpnops.keys.regenerate_gateway", "gateway_keys_why=laptop sold"),
        ("vpnops.keys.sync_key_servers", "key_server_sync_backup_passphrase=correct horse battery"),
        ("vpnops.keys.audit_keys", "key_report_title=Keys zebra"),
        ("vpnops.keys.configure_awx", "controller_password=correct horse battery"),
    ],
)
def test_a_value_that_was_cut_is_refused_and_its_rest_is_not_shown(
    node: ControlNode, playbook: str, cut: str
) -> None:
    done = node.run(playbook, "-e", "gateway=a1", "-e", "confirm=a1", "-e", cut)
    assert done.code == 2, done.output
    assert CUT in " ".join(done.output.split()), done.output
    assert cut.partition(" ")[2] not in done.output
    called = {one["action"].rpartition(".")[2] for one in done.results}
    assert called <= {"check_facts", "validate_argument_spec", "check_variables", "assert"}


def test_a_value_with_blanks_in_json_is_none(node: ControlNode) -> None:
    """The role goes on, here to the directory, which is not there."""
    done = node.run(
        "vpnops.keys.revoke_gateway", "-e", "gateway=a1", "-e", "confirm=a1", "-e", '{"gateway_keys_why": "two words"}'
    )
    assert "There is no directory" in " ".join(done.output.split()), done.output
    assert CUT not in " ".join(done.output.split())
