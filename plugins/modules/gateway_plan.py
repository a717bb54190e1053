#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_plan
short_description: Say what a change of gateways' keys would do, or why it cannot be done now
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - Finds out who changes their key, which peers can be told now, and every reason not to begin.
  - >-
    Fails with all these reasons. Only the directory, and the gateway whose key is changed, can give one: a peer that
    refuses, or that answers nonsense, is left for later like one that is unreachable.
  - In an emergency not even the gateway whose key is changed can, as it may be the thief's.
  - Contacts no gateway and no directory.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.fleet
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  action:
    support: full
requirements:
  - rich (on the control node)
options:
  directory:
    description: Result of M(vpnops.keys.key_directory) or M(vpnops.keys.key_directory_info).
    type: dict
    required: true
  observations:
    description:
      - >-
        Results of M(vpnops.keys.gateway_info), by host, as P(vpnops.keys.by_host#filter) collects them. A host that
        could not be reached has the failed result.
      - A host of the inventory that was not in the play has an empty one.
      - >-
        Whatever one gateway answers counts for that one alone. An answer that cannot be believed is a refusal of that
        gateway.
    type: dict
    default: {}
  targets:
    description: Names of the gateways whose keys are changed. V(all) means all of the directory that are not revoked.
    type: list
    elements: str
    default: []
  confirm:
    description: The same names, typed again. Fails unless they are the same.
    type: list
    elements: str
  mode:
    description:
      - >-
        The mode of the change; V(abort) goes back from a planned one, and V(revoke) and V(retire) change no key, as the
        gateway is lost, or not needed any more.
      - >-
        With V(abort), V(revoke) and V(retire) it may have been done before: that run may have ended before all peers
        had heard of it, and they are told now.
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
      Whether peers that cannot be told now, because they are unreachable or refuse, are left for their next contact, or
      are a reason not to begin. It counts with O(mode=planned) only.
    type: str
    choices: [defer, fail]
    default: defer
  minimum_share:
    description: Percentage of the peers that must be reachable. It counts with O(mode=planned) only.
    type: int
    default: 50
  confirm_timeout:
    description: >-
      Seconds after which a gateway that changes its key alone goes back to the old one unless it is confirmed. With
      more of them it is longer, see RV(plan.confirm_timeout).
    type: float
    default: 60
  settle_timeout:
    description: Seconds that each of them waits for its tunnels by the new key.
    type: float
    default: 15
  timeout:
    description: Seconds that a gateway has for each answer.
    type: float
    default: 120
  approved:
    description:
      - Digests of plans that were approved, as RV(plan) has them.
      - Fails for any other plan. Without it, no approval is asked for.
    type: list
    elements: str
  show:
    description: Whether the plan is shown as a table.
    type: bool
    default: true
notes:
  - >-
    The table is printed, unless the output is machine-readable (a stdout callback with C(json) in its name).
    It is in RV(lines) anyway, unless the module fails.
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
      description: Names of the targets.
      type: list
      elements: str
      sample: [gw1]
    targets:
      description: >-
        For each of them C(gateway), C(platform), C(serial) and C(fingerprint) of the key that is replaced, C(resumes)
        (the state of the rotation that is open, or null), C(expected_outage), and C(note).
      type: list
      elements: dict
    peers:
      description: Peers that can be told now.
      type: list
      elements: str
      sample: [gw2, gw3]
    unreachable:
      description: Those that cannot be reached, each with C(gateway) and C(why).
      type: list
      elements: dict
    refused:
      description: Those that were reached and yet cannot be told, each with C(gateway) and C(why).
      type: list
      elements: dict
    refusals:
      description: Reasons not to begin. Empty, as the module fails otherwise.
      type: list
      elements: str
    digest:
      description: >-
        Stands for who changes, from which key, how, and who has to store it; not for who is reachable, nor for how far
        an interrupted rotation has come.
      type: str
    confirm_timeout:
      description: >-
        Seconds after which each target goes back to its old key unless it is confirmed: O(confirm_timeout), and 1 for
        every 5 gateways of the directory. With several targets it is long enough for the last one, and there is as much
        more as the others may take.
      type: float
      sample: 60.0
    begin_timeout:
      description: >-
        Seconds from the first change after which no further target may begin with its own, as those before it would go
        back to their old keys meanwhile.
      type: float
      sample: 60.0
    change_timeout:
      description: Seconds that a target has for all its answers until it is confirmed, O(timeout) or 40.
      type: float
      sample: 40.0
code:
  description: What went wrong, as a word for programs. C(msg) is the same as a sentence for people.
  returned: failure
  type: str
  sample: refused
"""

from ansible.module_utils.basic import AnsibleModule

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
    approved=dict(type="list", elements="str"),
    show=dict(type="bool", default=True),
)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="This module runs on the control node; its action plugin was not found.")


if __name__ == "__main__":
    main()
