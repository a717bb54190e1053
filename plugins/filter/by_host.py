# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: by_host
short_description: What a task registered on several hosts, by host
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Collects a registered variable of many hosts into one dictionary, as M(vpnops.keys.gateway_plan),
    M(vpnops.keys.gateway_report), M(vpnops.keys.key_directory) and M(vpnops.keys.key_report) take it.
  - A host that has no such variable has an empty result.
  - A host whose facts hold a variable of this collection, or this one, has a failure instead, with a finding. See
    M(vpnops.keys.check_facts). It has C(claimed=true).
positional: hostvars, variable
options:
  _input:
    description: Names of the hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts, which is C(hostvars).
    type: dict
    required: true
  variable:
    description: Name of the registered variable.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Gather gateway state
  vpnops.keys.gateway_info:
  register: observed

- name: Show it by host
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts | vpnops.keys.by_host(hostvars, 'observed') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The result of each host, by its name.
  type: dict
"""

import typing as t
from collections.abc import Iterable, Mapping

from ..plugin_utils import claimed_variables


def by_host(
    hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, t.Any]], variable: str
) -> dict[str, t.Any]:
    return {host: _registered(hostvars[host], variable) if host in hostvars else {} for host in hosts}


def _registered(variables: Mapping[str, t.Any], variable: str) -> t.Any:
    # Facts are variables, too: what is among them came from the host, and no task of ours has read it.
    facts = variables.get("ansible_facts") or {}
    claimed = claimed_variables.claimed(facts) or [variable] * (variable in facts)
    return claimed_variables.result(claimed) if claimed else variables.get(variable, {})


class FilterModule:
    def filters(self) -> dict[str, t.Any]:
        return {"by_host": by_host}
