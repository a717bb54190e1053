# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: play_hosts
short_description: The hosts of a play, so that there always are some
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    If the group of a play is empty or missing, or C(--limit) leaves none of its hosts, Ansible does nothing and
    succeeds. This filter returns hosts for the play anyway, so that one of its own tasks can fail.
  - The groups themselves, if one of them has a host within the limit.
  - Otherwise all hosts within the limit, or C(localhost) without one. The playbooks of this collection fail there.
positional: group, limit
options:
  _input:
    description: The groups of the inventory, which is C(groups).
    type: dict
    required: true
  group:
    description: Name of a group, or a list of them.
    type: list
    elements: str
    required: true
  limit:
    description: The pattern of C(--limit), which is C(ansible_limit); empty without one.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Show the gateways
  hosts: "{{ groups | vpnops.keys.play_hosts('gateways', ansible_limit | default('')) }}"
  gather_facts: false
  tasks:
    - name: Check that the limit left a gateway
      ansible.builtin.assert:
        that: "'gateways' in group_names"
      run_once: true

    - name: Show their names
      ansible.builtin.debug:
        var: inventory_hostname
"""

RETURN = r"""
_value:
  description: A host pattern.
  type: str
"""

import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ..plugin_utils import host_patterns


def play_hosts(groups: Mapping[str, Iterable[str]], group: str | Sequence[str], limit: str = "") -> str:
    there = [one for one in ([group] if isinstance(group, str) else group) if groups.get(one)]
    members = {host for one in there for host in groups[one]}
    if not limit:
        return ":".join(there) or "localhost"
    # With localhost, as somebody may limit a run to it, and Ansible has it without an inventory.
    return ":".join(there) if members.intersection(host_patterns.hosts(groups, limit)) else "all:localhost"


class FilterModule:
    def filters(self) -> dict[str, t.Any]:
        return {"play_hosts": play_hosts}
