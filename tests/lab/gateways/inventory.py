# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible needs to reach the gateways: real ssh, through a process that enters the namespace of the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .machine import NETNS
from .plan import Plan

SSH = (
    '-F none -o ProxyCommand="nsenter --net={netns} nc {address} 22" -o StrictHostKeyChecking=no '
    "-o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes"
)
# {0}: the number of the gateway.
IDENTITY = {
    "wireguard": {"gateway_interface": "wg0"},
    "strongswan": {"gateway_id": "gw{0}"},
}


def host(plan: Plan, number: int) -> dict[str, Any]:
    """The variables of one gateway. Its name resolves nowhere, so that a wrong setting reaches nobody."""
    namespace, address = plan.management(number)
    return {
        "ansible_host": f"gw{number}.{plan.lab}.invalid",
        "ansible_ssh_extra_args": SSH.format(netns=NETNS / namespace, address=address),
        **{name: value.format(number) for name, value in IDENTITY[plan.platform].items()},
        "gateway_endpoint": plan.endpoint(number),
        "gateway_networks": [plan.network(number)],
    }


def inventory(plan: Plan, directory: Path, password: str) -> dict[str, Any]:
    """Group `gateways`."""
    shared: dict[str, Any] = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(directory / "id"),
        "ansible_python_interpreter": "/usr/bin/python3",
        "gateway_platform": plan.platform,
        "gateway_algorithm": plan.algorithm,
    }
    if plan.users:
        shared.update(ansible_user="admin", ansible_become=True, ansible_become_password=password)
    return {"gateways": {"hosts": {f"gw{n}": host(plan, n) for n in plan.numbers}, "vars": shared}}
