# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tampered gateway of the lab really lies to Ansible, does what it was asked, and keeps what it was given."""

from __future__ import annotations

import typing as t

import pytest
from integration.gateways.site import Site

from lab.tampering import Edit, Mutation
from lab.tampering_catalogue import facts, fields

pytestmark = pytest.mark.timeout(600)

ASK: list[dict[str, t.Any]] = [
    {"ansible.builtin.stat": {"path": "/etc/hostname"}, "become": True, "ignore_errors": True},
    {"ansible.builtin.command": {"cmd": "cat /etc/hostname"}, "changed_when": False, "ignore_errors": True},
]
MORE: list[dict[str, t.Any]] = [{"ansible.builtin.debug": {"msg": "{{ steered | default('never steered') }}"}}]


@pytest.mark.parametrize("pipelining", [True, False])
def test_what_arrives_is_the_mutation(pipelining: bool, site: Site) -> None:
    """That of the module that is meant, as root and as a user, by standard input and as a file; healed, the truth."""
    site.node.shared["ansible_ssh_pipelining"] = pipelining
    site.mesh.tamper("gw2", fields(stdout="lies"), "command")
    site.mesh.tamper("gw2", facts(steered="steered by gw2"), "stat")
    done = site.node.run([*ASK, *MORE])
    assert done.code == 0, done.output
    assert [done.result("command", name)["stdout"] for name in site.names] == ["gw1", "lies", "gw3"]
    assert "ansible_facts" not in done.result("stat", "gw1")
    assert done.result("stat", "gw2")["stat"]["exists"]
    assert done.result("debug", "gw2")["msg"] == "steered by gw2"
    assert done.result("debug", "gw1")["msg"] == "never steered"
    assert site.mesh.forged("gw2") == ["facts steered", "fields stdout"]
    assert b"cat /etc/hostname" in site.mesh.received("gw2")
    site.mesh.heal("gw2")
    healed = site.node.run(ASK)
    assert healed.result("command", "gw2")["stdout"] == "gw2"


def test_no_answer(site: Site) -> None:
    """It breaks off, says nothing for ever, or never ends its line: the others are not kept from theirs."""
    site.mesh.tamper("gw1", Mutation("closes", form="closes"))
    done = site.node.run(ASK)
    assert done.status("stat", "gw1") in ("failed", "ignored", "unreachable")
    assert done.status("stat", "gw2") == "ok"
    site.mesh.tamper("gw1", Mutation("sleeps", form="sleeps"))
    done = site.node.run([{**ASK[0], "timeout": 3}])
    assert "3" in str(done.result("stat", "gw1")["msg"])
    assert done.status("stat", "gw3") == "ok"


def test_what_is_no_result(site: Site) -> None:
    site.mesh.tamper("gw1", Mutation("empty", form="empty"), "stat")
    site.mesh.tamper("gw1", Mutation("list", (Edit("set", (), [1]),)), "command")
    done = site.node.run(ASK)
    assert done.status("stat", "gw1") == done.status("command", "gw1") == "ignored"
    assert done.status("command", "gw2") == "ok"
