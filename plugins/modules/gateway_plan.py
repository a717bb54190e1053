#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_plan
short_description: Plan a rotation of gateways' keys
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - Shows which gateways change their keys, which peers can be updated now, and all reasons not to start.
  - >-
    Fails with these reasons. They come only from the directory and from the gateways whose keys change. A peer that
    refuses, or whose answer cannot be read, is updated later, like one that is unreachable.
  - >-
    With several targets, one that is unreachable, refuses, or does not use the key of the directory is excluded, see
    RV(plan.excluded), and the others continue. M(vpnops.keys.gateway_report) fails for it in the end.
  - In an emergency, the gateway whose key changes cannot prevent it, because an attacker may control it.
  - This module contacts no gateway and no database.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.fleet
  - vpnops.keys._evaluation
  - vpnops.keys._evaluation.observations
  - vpnops.keys._evaluation.table
options:
  observations:
    default: {}
  targets:
    description: Names of the gateways whose keys change. V(all) means all gateways of the directory that are not
      revoked.
    type: list
    elements: str
    default: []
  confirm:
    description: The same names, typed again. Fails if they differ.
    type: list
    elements: str
  mode:
    description:
      - >-
        V(planned) and V(emergency) are the modes of a rotation. V(abort) rolls back a planned rotation. V(revoke) is
        for a lost gateway, and V(retire) for one that is not needed any more; they change no key.
      - >-
        V(abort), V(revoke) and V(retire) can be repeated, to update peers that an interrupted run did not update.
    type: str
    choices: [planned, emergency, abort, revoke, retire]
    default: planned
  strategy:
    description: How WireGuard gateways change their key.
    type: str
    choices: [in_place, second_interface]
    default: in_place
  unreachable:
    description: >-
      What to do if peers cannot be updated now, because they are unreachable or refuse, or if a target cannot change.
      V(defer) leaves such peers for a later C(converge_gateways), and excludes such targets; V(fail) does not start.
      Only for O(mode=planned).
    type: str
    choices: [defer, fail]
    default: defer
  minimum_share:
    description: Percentage of the peers that must be reachable or fetch by themselves. Only for O(mode=planned).
    type: int
    default: 50
  confirm_timeout:
    description: >-
      Seconds after which a single gateway rolls back to the old key if the new one is not confirmed. With several
      gateways it is longer, see RV(plan.confirm_timeout).
    type: float
    default: 60
  settle_timeout:
    description: Seconds that each gateway waits for its tunnels with the new key.
    type: float
    default: 15
  timeout:
    description: Seconds that a gateway has for each answer.
    type: float
    default: 120
  fetching:
    description:
      - >-
        Gateways that fetch what they have to store by themselves, see M(vpnops.keys.gateway_fetch). They need no
        observation and count as peers that can be updated, in RV(plan.fetching). Only for O(mode=planned).
      - A target is never one of them.
    type: list
    elements: str
    default: []
  approved:
    description:
      - Digests of plans that were approved, as RV(plan) has them.
      - The module fails for any other plan. By default no approval is needed.
    type: list
    elements: str
  show:
    description: Whether to show the plan as a table.
    type: bool
    default: true
seealso:
  - module: vpnops.keys.gateway_info
  - module: vpnops.keys.gateway_verify
  - module: vpnops.keys.key_directory_info
"""

EXAMPLES = r"""
- name: Read the directory
  vpnops.keys.key_directory_info:
  delegate_to: localhost
  run_once: true
  register: known

- name: Gather gateway state
  vpnops.keys.gateway_info:
    preflight: true
  register: observed

- name: Plan a rotation of gw1
  vpnops.keys.gateway_plan:
    directory: "{{ known }}"
    observations: "{{ ansible_play_hosts | vpnops.keys.by_host(hostvars, 'observed') }}"
    targets: [gw1]
  run_once: true
  register: planned
"""

RETURN = r"""
lines:
  description: The table, as it is printed.
  returned: success, with O(show=true)
  type: list
  elements: str
plan:
  description: The plan, as M(vpnops.keys.gateway_report) takes it.
  returned: success
  type: dict
  contains:
    names:
      description: Names of the targets that change.
      type: list
      elements: str
      sample: [gw1]
    targets:
      description: >-
        For each of them C(gateway), C(platform), C(serial) and C(fingerprint) of the key that is replaced, C(resumes)
        (the state of the rotation that is open, or null), C(expected_outage), and C(note).
      type: list
      elements: dict
    excluded:
      description: >-
        Targets that cannot change by what they answer, or because they do not, each with C(gateway) and C(why). The
        approval of a plan covers them: they change as well if they can when it is run.
        Always empty for O(mode=emergency), O(mode=revoke) and O(mode=retire).
      type: list
      elements: dict
    peers:
      description: Peers that can be updated now.
      type: list
      elements: str
      sample: [gw2, gw3]
    fetching:
      description: Peers that fetch the new keys by themselves, of O(fetching).
      type: list
      elements: str
      sample: [gw4]
    unreachable:
      description: Unreachable peers, each with C(gateway) and C(why).
      type: list
      elements: dict
    refused:
      description: Peers that are reachable but cannot be updated, each with C(gateway) and C(why).
      type: list
      elements: dict
    refusals:
      description: Reasons not to start. Always empty, because the module fails otherwise.
      type: list
      elements: str
    digest:
      description: >-
        A hash over the targets, their old keys, the strategy, and the peers that have to store the new keys. It
        does not depend on which of them are reachable, or on the state of an interrupted rotation.
      type: str
    confirm_timeout:
      description: >-
        Seconds after which each target rolls back to its old key if the new one is not confirmed:
        O(confirm_timeout), plus 1 second per 5 gateways in the directory. With several targets it includes the
        time that the others may take, and more if there are more targets than forks of Ansible.
      type: float
      sample: 60.0
    begin_timeout:
      description: >-
        Seconds from the first change after which no further target is started, because the others would roll back
        meanwhile.
      type: float
      sample: 60.0
    change_timeout:
      description: Seconds that a target has for all its answers until it is confirmed, O(timeout) but at most 40.
      type: float
      sample: 40.0
code:
  description: Error code, for programs. C(msg) is the same as a sentence.
  returned: failure
  type: str
  sample: refused
"""

from ..module_utils._action_module import fail_without_action
from ..module_utils._backends import IN_PLACE, SECOND_INTERFACE

ARGUMENT_SPEC = dict(
    directory=dict(type="dict", required=True),
    observations=dict(type="dict", default={}),
    targets=dict(type="list", elements="str", default=[]),
    confirm=dict(type="list", elements="str"),
    mode=dict(type="str", choices=["planned", "emergency", "abort", "revoke", "retire"], default="planned"),
    strategy=dict(type="str", choices=[IN_PLACE, SECOND_INTERFACE], default=IN_PLACE),
    unreachable=dict(type="str", choices=["defer", "fail"], default="defer"),
    minimum_share=dict(type="int", default=50),
    confirm_timeout=dict(type="float", default=60),
    settle_timeout=dict(type="float", default=15),
    timeout=dict(type="float", default=120),
    fetching=dict(type="list", elements="str", default=[]),
    approved=dict(type="list", elements="str"),
    show=dict(type="bool", default=True),
)


def main() -> None:
    fail_without_action(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
