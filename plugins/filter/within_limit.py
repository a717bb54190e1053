# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: within_limit
short_description: The hosts of the inventory that C(--limit) leaves
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - Unlike C(ansible_play_hosts_all), it does not depend on the hosts of the play.
  - Unlike the lookup C(ansible.builtin.inventory_hostnames), it reads C(@FILE).
positional: limit
options:
  _input:
    description: The groups of the inventory, which is C(groups).
    type: dict
    required: true
  limit:
    description: The pattern of C(--limit), which is C(ansible_limit); empty without one.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Show which gateways this run does not change
  ansible.builtin.debug:
    msg: "{{ groups['gateways'] | difference(groups | vpnops.keys.within_limit(ansible_limit | default(''))) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: Their names, in the order of the inventory.
  type: list
  elements: str
"""

import typing as t
from collections.abc import Iterable, Mapping

from ..plugin_utils import host_patterns


def within_limit(groups: Mapping[str, Iterable[str]], limit: str = "") -> list[str]:
    return host_patterns.hosts(groups, limit or "all")


class FilterModule:
    def filters(self) -> dict[str, t.Any]:
        return {"within_limit": within_limit}
