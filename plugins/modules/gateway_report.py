#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_report
short_description: Judge and report what directory and gateways say together
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - Puts what the directory knows and what the gateways show side by side, as a table and as data.
  - Contacts no gateway and no directory.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.fleet
attributes:
  check_mode:
    support: full
    details: O(path) is not written.
  diff_mode:
    support: none
  idempotent:
    support: full
  action:
    support: full
requirements:
  - rich (on the control node)
options:
  what:
    description:
      - >-
        V(targets) finds only who is meant, and why these could not be changed. It shows nothing.
      - V(plan) says what a change of the keys of O(targets) would do, and fails with every reason not to begin.
      - >-
        V(proof) judges, from the looks before and after a change, whether the new keys carry the tunnels that were
        up before.
      - V(dropped) says who still accepts a key that was revoked, from the results of M(vpnops.keys.gateway_peers).
      - V(converged) says who was owed what and stores it now, from the same results.
      - V(outcome) reports a change; it fails where the proof did.
      - >-
        V(status) compares the directory, the gateways themselves, and what every peer stores in its file and in its
        daemon.
    type: str
    choices: [targets, plan, dropped, proof, outcome, converged, status]
    default: status
  directory:
    description: Result of M(vpnops.keys.key_directory) or M(vpnops.keys.key_directory_info).
    type: dict
    required: true
  looks:
    description:
      - Results of M(vpnops.keys.gateway_info), by host. A host that could not be reached has the failed result.
      - A host of the inventory that was not in the play has an empty one.
    type: dict
    default: {}
  before:
    description: The looks before the change, for O(what=proof).
    type: dict
    default: {}
  targets:
    description: Names of the gateways whose keys are changed. V(all) means all of the directory.
    type: list
    elements: str
    default: []
  confirm:
    description: The same names, typed again. Fails unless they are the same.
    type: list
    elements: str
  mode:
    description:
      - The mode of the change.
      - >-
        With O(what=dropped) and V(emergency) a peer that failed to drop the key is no failure yet, as the change goes
        on; with O(what=outcome) it is.
    type: str
    choices: [planned, emergency, abort]
    default: planned
  strategy:
    description: How WireGuard gateways change their key.
    type: str
    choices: [in_place, second_interface]
    default: in_place
  unreachable:
    description: Whether peers out of reach are left for their next contact, or are a reason not to begin.
    type: str
    choices: [defer, fail]
    default: defer
  minimum_share:
    description: Percentage of the peers that must be in reach.
    type: int
    default: 50
  approved:
    description:
      - Digests of plans that were approved, as RV(plan) has them.
      - Fails for any other plan. Without it, no approval is asked for.
    type: list
    elements: str
  plan:
    description: RV(plan) of the task that planned, for O(what=outcome) and O(what=dropped).
    type: dict
  proof:
    description: RV(proof) of the task that judged, for O(what=outcome).
    type: dict
    default: {}
  require:
    description: With V(in_line), O(what=status) fails if there is any difference.
    type: str
    choices: [nothing, in_line]
    default: nothing
  path:
    description: File on the control node that gets the status or the outcome as JSON. Only its owner may read it.
    type: path
notes:
  - >-
    The table is printed, unless the output is machine-readable (a stdout callback with C(json) in its name).
    It is in RV(lines) anyway, unless the module fails.
seealso:
  - module: vpnops.keys.gateway_info
  - module: vpnops.keys.key_directory_info
"""

EXAMPLES = r"""
- name: Know what the directory knows
  vpnops.keys.key_directory_info:
  delegate_to: localhost
  run_once: true
  register: known

- name: Look at the gateways
  vpnops.keys.gateway_info:
  register: look

- name: Compare
  vpnops.keys.gateway_report:
    directory: "{{ known }}"
    looks: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'look'))) }}"
    require: in_line
  run_once: true
"""

RETURN = r"""
lines:
  description: The table, as it is printed.
  returned: success, unless O(what=proof) or O(what=targets)
  type: list
  elements: str
plan:
  description:
    - Who will change (C(targets)), which peers can be told now (C(peers)), and which not (C(unreachable), C(refused)).
    - C(names) are the names of the targets.
    - C(refusals) are the reasons not to begin, in sentences.
    - >-
      C(digest) stands for who changes, from which key, how, and who has to store it; not for who is in reach, nor for
      how far an interrupted rotation has come.
  returned: if O(what=plan), O(what=targets) or O(what=dropped)
  type: dict
proof:
  description:
    - By target, whether its change is proved (C(verified)), or why not (C(problem)).
    - Beside it the peers with a proved tunnel (C(proven)), without one (C(unproven)), and out of reach (C(away)).
  returned: if O(what=proof)
  type: dict
outcome:
  description: One entry per target, and whether all are done.
  returned: if O(what=outcome)
  type: dict
converged:
  description: Who was owed what, and whether it is stored now.
  returned: if O(what=converged)
  type: dict
status:
  description: One entry per gateway, all differences and notes as sentences, and whether there are differences.
  returned: if O(what=status)
  type: dict
path:
  description: O(path).
  returned: if O(path) is given
  type: str
code:
  description: What went wrong, as a word for programs. C(msg) is the same as a sentence for people.
  returned: failure
  type: str
  sample: refused
"""

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = dict(
    what=dict(
        type="str",
        choices=["targets", "plan", "dropped", "proof", "outcome", "converged", "status"],
        default="status",
    ),
    directory=dict(type="dict", required=True),
    looks=dict(type="dict", default={}),
    before=dict(type="dict", default={}),
    targets=dict(type="list", elements="str", default=[]),
    confirm=dict(type="list", elements="str"),
    mode=dict(type="str", choices=["planned", "emergency", "abort"], default="planned"),
    strategy=dict(type="str", choices=["in_place", "second_interface"], default="in_place"),
    unreachable=dict(type="str", choices=["defer", "fail"], default="defer"),
    minimum_share=dict(type="int", default=50),
    approved=dict(type="list", elements="str"),
    plan=dict(type="dict"),
    proof=dict(type="dict", default={}),
    require=dict(type="str", choices=["nothing", "in_line"], default="nothing"),
    path=dict(type="path"),
)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="This module runs on the control node; its action plugin was not found.")


if __name__ == "__main__":
    main()
