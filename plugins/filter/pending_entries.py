# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: pending_entries
short_description: What a gateway has still to store, as gateway_peers takes it
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - Of all entries of the directory those that a gateway has not acknowledged yet.
positional: gateway
options:
  _input:
    description: Result of M(vpnops.keys.key_directory) or M(vpnops.keys.key_directory_info).
    type: dict
    required: true
  gateway:
    description: Name of the gateway.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Read the directory
  vpnops.keys.key_directory_info:
  delegate_to: localhost
  run_once: true
  register: known

- name: Store what is pending
  vpnops.keys.gateway_peers:
    gateway: "{{ inventory_hostname }}"
    peers: "{{ known | vpnops.keys.pending_entries(inventory_hostname) }}"
    revision: "{{ known.directory.revision }}"
"""

RETURN = r"""
_value:
  description: Entries of RV(vpnops.keys.key_directory_info#module:peers).
  type: list
  elements: dict
"""

import typing as t
from collections.abc import Mapping


def pending_entries(view: Mapping[str, t.Any], gateway: str) -> list[t.Any]:
    # Ansible loads all filters of a collection for one of them, also for key servers.
    from ..module_utils._pending import of_result

    learned = {name: one for name, one in view["learned"].items() if name == gateway}
    names = set(of_result(view["peers"], learned).pending_of(gateway))
    return [entry for entry in view["peers"] if entry["name"] in names]


class FilterModule:
    def filters(self) -> dict[str, t.Any]:
        return {"pending_entries": pending_entries}
