#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_verify
short_description: Verify that the tunnels of gateways use their new keys
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Compares the tunnels that a gateway had before its key was changed with those that were authenticated with its
    new key since then.
  - >-
    Only the gateway's own answer and the directory are used. Answers of peers do not count.
  - >-
    After an emergency, the tunnels to all peers whose keys the gateway stores are checked, and a tunnel that is not
    up yet is not a failure.
  - This module contacts no gateway and no database. It does not fail if a change is not verified; the result says so.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.fleet
  - vpnops.keys._evaluation
  - vpnops.keys._evaluation.observations
options:
  before:
    description: As O(observations), but from before the change; O(observations) are those from after it.
    type: dict
    default: {}
  observations:
    default: {}
  targets:
    description: Names of the gateways whose keys are changed.
    type: list
    elements: str
    required: true
  minimum_share:
    description:
      - >-
        Percentage of the tunnels of a gateway that its new key has to carry, of those that were up before with peers
        that have the key. At least one has to be verified, if there was any.
      - >-
        Peers without a verified tunnel are in C(unproven), so that a tampered peer cannot undo the rotation
        of another gateway.
    type: int
    default: 50
  fetching:
    description:
      - >-
        Peers that have had the time to fetch the new key (M(vpnops.keys.gateway_fetch)), as
        P(vpnops.keys.fetch_barrier#filter) counts them. Their tunnels are expected to use it, although they have not
        acknowledged it.
    type: list
    elements: str
    default: []
seealso:
  - module: vpnops.keys.gateway_info
  - module: vpnops.keys.gateway_plan
  - module: vpnops.keys.gateway_report
"""

EXAMPLES = r"""
- name: Verify which tunnels use the new key
  vpnops.keys.gateway_verify:
    directory: "{{ known }}"
    before: "{{ ansible_play_hosts | vpnops.keys.by_host(hostvars, 'observed') }}"
    observations: "{{ ansible_play_hosts | vpnops.keys.by_host(hostvars, 'observed_after') }}"
    targets: [gw1]
  run_once: true
  register: result
"""

RETURN = r"""
proof:
  description:
    - By target, whether its change is verified (C(verified)), or why not (C(problem)).
    - >-
      Also the peers with a verified tunnel (C(proven)), the peers without one although they have the key
      (C(unproven)), and
      those that do not have it yet (C(not_stored)).
    - >-
      C(measured) is null, or an event for O(vpnops.keys.key_directory#module:events) that says how long the change took
      until the tunnels used the new key.
  returned: success
  type: dict
verified:
  description: Names of the targets whose change is verified.
  returned: success
  type: list
  elements: str
  sample: [gw1]
code:
  description: Error code, for programs. C(msg) is the same as a sentence.
  returned: failure
  type: str
  sample: bad_input
"""

from ..module_utils._action_module import fail_without_action

ARGUMENT_SPEC = dict(
    directory=dict(type="dict", required=True),
    before=dict(type="dict", default={}),
    observations=dict(type="dict", default={}),
    targets=dict(type="list", elements="str", required=True),
    minimum_share=dict(type="int", default=50),
    fetching=dict(type="list", elements="str", default=[]),
)


def main() -> None:
    fail_without_action(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
