#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_report
short_description: Report the state of the gateways, or what a change of their keys came to
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - Puts what the directory knows and what the gateways say side by side, as a table and as data.
  - >-
    A row says what that gateway itself says, and a finding is the word, or the missing acknowledgement, of the host
    that it names: whatever one gateway answers, nothing else is said of another one.
  - A revoked key that any gateway may still accept comes first.
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
        V(dropped) says who still accepts a key that was revoked, from the directory and from the results of
        M(vpnops.keys.gateway_peers) in O(answers).
      - V(converged) says who had to store what, and whether that is acknowledged now, from the same.
      - V(enrolled) lists the gateways of the directory, and says where it and its signing key are.
      - V(outcome) reports a change.
      - V(status) compares the directory with what the gateways say of themselves.
    type: str
    choices: [dropped, outcome, converged, enrolled, status]
    default: status
  directory:
    description: Result of M(vpnops.keys.key_directory) or M(vpnops.keys.key_directory_info).
    type: dict
    required: true
  before:
    description: >-
      The directory as it was before, for O(what=converged); without it, what was pending then is taken from
      O(directory).
    type: dict
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
  answers:
    description: Results of M(vpnops.keys.gateway_peers), by host.
    type: dict
    default: {}
  plan:
    description: RV(vpnops.keys.gateway_plan#module:plan), for O(what=outcome) and O(what=dropped).
    type: dict
  proof:
    description: RV(vpnops.keys.gateway_verify#module:proof), for O(what=outcome).
    type: dict
    default: {}
  mode:
    description:
      - The mode of the change.
      - >-
        With O(what=dropped) and V(emergency) a peer that failed to drop the key is no failure yet, as the change goes
        on; with O(what=outcome) it is.
      - With O(what=dropped) and V(retire) the words are those of a gateway that is not needed any more.
    type: str
    choices: [planned, emergency, abort, retire]
    default: planned
  fail_on:
    description:
      - What makes O(what=status) and O(what=converged) fail.
      - >-
        V(problems) are keys that are accepted and must not be, answers that were forged, records that were tampered
        with, and gateways that were reached and did not store what they had to. V(drift) is that, and any other
        difference between the directory and the gateways. V(nothing) never fails.
      - With V(problems) and V(drift) a status fails if no gateway could be observed, too.
      - What is only pending, and a rotation that is open, never make it fail.
    type: str
    choices: [nothing, problems, drift]
    default: problems
  path:
    description: File on the control node that gets the status or the outcome as JSON. Only its owner may read it.
    type: path
notes:
  - >-
    The table is printed, unless the output is machine-readable (a stdout callback with C(json) in its name).
    It is in RV(lines) anyway, unless the module fails.
seealso:
  - module: vpnops.keys.gateway_info
  - module: vpnops.keys.gateway_plan
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
  register: observed

- name: Compare
  vpnops.keys.gateway_report:
    directory: "{{ known }}"
    observations: "{{ ansible_play_hosts | vpnops.keys.by_host(hostvars, 'observed') }}"
    fail_on: drift
  run_once: true
"""

RETURN = r"""
lines:
  description: The table, as it is printed.
  returned: success
  type: list
  elements: str
plan:
  description: O(plan), with the peers that really dropped the key (C(peers)), and those that did not.
  returned: if O(what=dropped)
  type: dict
outcome:
  description: One entry per target, and whether all are done.
  returned: if O(what=outcome)
  type: dict
converged:
  description: >-
    Who had to store what and whether it is acknowledged now (C(gateways)), the gateways with an open rotation
    (C(interrupted)), and what is left as C(findings), as in RV(status).
  returned: if O(what=converged)
  type: dict
enrolled:
  description: >-
    Each gateway with its key and of how many others it has still to store the key (C(gateways)), and where the
    directory (C(where)) and its signing key (C(signing_key_path)) are, null where that is not known.
  returned: if O(what=enrolled)
  type: dict
status:
  description: The state of the fleet.
  returned: if O(what=status)
  type: dict
  contains:
    gateways:
      description:
        - One entry per gateway.
        - >-
          What it says itself is whether its C(own) key is the recorded one, of how many peers it C(holds) any key and
          the right one, and how many C(tunnels) it sees; both are null where it was not observed.
        - >-
          C(pending) is of how many gateways it has still to store the present state, as the directory knows, and some
          of their names.
      type: list
      elements: dict
    findings:
      description: Everything that is not as it should be. What matters most comes first.
      type: list
      elements: dict
      contains:
        host:
          description: Whose word, or missing acknowledgement, it is.
          type: str
          sample: gw2
        kind:
          description: What it is, in a word or two that do not change.
          type: str
          sample: still accepted
        severity:
          description: How much it matters.
          type: str
          choices: [problem, warning, note]
          sample: problem
        what:
          description: A sentence about the host.
          type: str
          sample: "It may still accept gw3 (revoked since 2026-11-28T01:02:03Z): it is unreachable."
        since:
          description: Since when, in UTC, where that is known.
          type: str
          sample: "2026-11-28T01:02:03Z"
        next:
          description: What to do.
          type: str
          sample: Make gw2 reachable, then run vpnops.keys.converge_gateways.
    in_line:
      description: Whether there is no difference between the directory and the gateways.
      type: bool
      sample: false
path:
  description: O(path).
  returned: if O(path) is given
  type: str
code:
  description: What went wrong, as a word for programs. C(msg) is the same as a sentence for people.
  returned: failure
  type: str
  sample: drift
"""

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC = dict(
    what=dict(type="str", choices=["dropped", "outcome", "converged", "enrolled", "status"], default="status"),
    directory=dict(type="dict", required=True),
    before=dict(type="dict"),
    observations=dict(type="dict", default={}),
    answers=dict(type="dict", default={}),
    plan=dict(type="dict"),
    proof=dict(type="dict", default={}),
    mode=dict(type="str", choices=["planned", "emergency", "abort", "retire"], default="planned"),
    fail_on=dict(type="str", choices=["nothing", "problems", "drift"], default="problems"),
    path=dict(type="path"),
)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="This module runs on the control node; its action plugin was not found.")


if __name__ == "__main__":
    main()
