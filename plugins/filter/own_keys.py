# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: own_keys
short_description: The gateways that did what gateway_key asked, and the key it was about
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - Reads results of M(vpnops.keys.gateway_key), and excludes hosts that failed or did not answer.
positional: view, role
options:
  _input:
    description: Results by host, as P(vpnops.keys.by_host#filter) collects them.
    type: dict
    required: true
  view:
    description:
      - Result of M(vpnops.keys.key_directory) or M(vpnops.keys.key_directory_info).
      - If it is given, hosts whose key the directory does not have in that O(role) are excluded, too.
    type: dict
  role:
    description: V(current), or V(staged) for the new key of an open rotation.
    type: str
    choices: [current, staged]
"""

EXAMPLES = r"""
- name: Make sure that every gateway has a key
  vpnops.keys.gateway_key:
  register: own

- name: Show the keys
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts | vpnops.keys.by_host(hostvars, 'own') | vpnops.keys.own_keys }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The public key by the name of its host; null in check mode if it is still to be made.
  type: dict
"""

import typing as t
from collections.abc import Mapping


def own_keys(
    results: Mapping[str, t.Any], view: Mapping[str, t.Any] | None = None, role: str = "current"
) -> dict[str, str | None]:
    # Ansible loads all filters of a collection for one of them, also for key servers.
    from ..plugin_utils import device_answer

    found = device_answer.own_keys(results)
    if view is None:
        return found
    recorded = {name: _recorded(one, role) for name, one in view["directory"]["gateways"].items()}
    return {host: key for host, key in found.items() if recorded.get(host) == (key or device_answer.NEW)}


def _recorded(gateway: Mapping[str, t.Any], role: str) -> t.Any:
    holder = gateway if role == "current" else (gateway["rotation"] or {}).get("new")
    return (holder or {}).get("public_key")


class FilterModule:
    def filters(self) -> dict[str, t.Any]:
        return {"own_keys": own_keys}
