#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_report
short_description: Report the status of gateways, or the outcome of a rotation
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - Compares the directory with the answers of the gateways, as a table and as data.
  - >-
    A row shows what this gateway reports about itself. A finding is based on the answer, or the missing
    acknowledgement, of the host that it names. The answer of one gateway does not change what is reported about
    another one.
  - Revoked keys that a gateway may still accept are shown first.
  - This module contacts no gateway and no database.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.fleet
  - vpnops.keys._evaluation
  - vpnops.keys._evaluation.observations
  - vpnops.keys._evaluation.table
  - vpnops.keys._periods
attributes:
  check_mode:
    details: O(path) is not written.
options:
  what:
    description:
      - >-
        V(dropped) shows which gateways still accept a revoked key, from the directory and from the results of
        M(vpnops.keys.gateway_peers) in O(answers).
      - V(converged) shows the pending changes of each gateway, and whether they are acknowledged now.
      - V(enrolled) lists the gateways of the directory, and the paths of the directory and its signing key.
      - V(outcome) shows the outcome of a rotation.
      - V(status) compares the directory with the answers of the gateways.
    type: str
    choices: [dropped, outcome, converged, enrolled, status]
    default: status
  before:
    description: >-
      The directory as it was before, for O(what=converged); without it, what was pending then is taken from
      O(directory).
    type: dict
  observations:
    default: {}
  answers:
    description: >-
      Results of M(vpnops.keys.gateway_peers), by host. With O(what=enrolled) results of M(vpnops.keys.gateway_key), to
      say why a gateway could not be enrolled.
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
        With O(what=dropped) and V(emergency), a peer that failed to drop the key is not a failure yet, because the
        rotation continues; with O(what=outcome) it is.
      - With O(what=dropped) and V(retire) the texts are those of a gateway that is not needed any more.
    type: str
    choices: [planned, emergency, abort, retire]
    default: planned
  fail_on:
    description:
      - What makes O(what=status) and O(what=converged) fail.
      - >-
        V(problems) means revoked keys that may still be accepted, forged answers, records that were tampered with,
        wrong keys, and reachable gateways that did not store what they had to.
      - >-
        V(drift) means these, and everything else that keeps a gateway from matching the directory: it could not be
        observed, it refused, it has not stored a key yet (pending), its rotation is open, it is not enrolled, or it
        differs in any other way. So it fails if RV(status.summary) is not C(all match the directory).
      - V(overdue) means these, and keys whose period is over. With V(nothing) it never fails.
      - With anything but V(nothing), O(what=status) also fails if no gateway could be read.
      - >-
        Gateways that were not asked, because of C(--limit) or because a job slice lacks them, are shown as not asked,
        and this alone never makes it fail.
      - >-
        O(what=converged) knows only what is left to store, open rotations, and forged answers. So pending peers and
        open rotations make it fail with V(drift), and not with V(problems).
    type: str
    choices: [nothing, problems, drift, overdue]
    default: problems
  path:
    description: File on the control node for the status or the outcome as JSON. Only its owner can read it.
    type: path
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
  description: >-
    One entry per target, with the state C(excluded) for those that could not change, and whether all are done. C(idle)
    means that no tunnel was up before, so that none was verified to use the new key.
  returned: success, if O(what=outcome)
  type: dict
converged:
  description: >-
    The pending changes of each gateway and whether they are acknowledged now (C(gateways)), the gateways with an
    open rotation (C(interrupted)), and C(findings) as in RV(status).
  returned: success, if O(what=converged)
  type: dict
by_gateway:
  description:
    - What was found, in brief; with O(path) all of it is in that file.
  returned: if O(what=outcome), O(what=converged) or O(what=status) failed
  type: list
  elements: dict
  contains:
    gateways:
      description: The gateways and other hosts for which it is the same.
      type: list
      elements: str
      sample: [gw1, gw2]
    result:
      description: What was found there.
      type: str
      choices: [failed, differs, ok]
      sample: differs
    message:
      description: Why, as a sentence.
      returned: if RV(ignore:msg) does not say it
      type: str
      sample: It has not yet stored the keys of gw3.
    in_msg:
      description: Where in RV(ignore:msg) it stands, as the positions of its beginning and its end.
      returned: if RV(ignore:msg) says it
      type: list
      elements: int
      sample: [5, 43]
pending:
  description: Who has pending changes.
  returned: if O(what=outcome), O(what=converged) or O(what=status) failed
  type: list
  elements: dict
  contains:
    gateways:
      description: The gateways.
      type: list
      elements: str
      sample: [gw1]
    missing:
      description: What they have not stored yet.
      type: str
      sample: missing keys of gw3
enrolled:
  description: >-
    Each gateway with its key and the number of gateways whose key it has not stored yet (C(gateways)); the paths of
    the directory (C(where)) and its signing key (C(signing_key_path), C(signing_key_url)), null if they are not known;
    in check mode the gateways that would generate their first key (C(without_key)); and sentences on gateways that were
    unreachable or refused (C(reasons)).
  returned: if O(what=enrolled)
  type: dict
status:
  description: The state of the fleet.
  returned: success, if O(what=status)
  type: dict
  contains:
    gateways:
      description:
        - One entry per gateway.
        - >-
          From its own answer: whether its C(own) key is the recorded one (C(as recorded), C(differs), or C(next key)
          if it runs the next key of an open rotation), of how many peers it C(holds) any key and the right key, and
          how many C(tunnels) are up. C(holds) and C(tunnels) are null if it was not read.
        - >-
          C(next_key) is null, or the C(fingerprint) of the next key that it runs, whether that is C(confirmed), and
          when it rolls back by its own clock (C(rolls_back_at), null if that is not known or it does not).
        - >-
          From the directory: C(pending), the number of gateways whose latest change it has not stored yet, and some
          of their names; C(ends), when the period of its key ends, and C(period), which is C(in time), C(due) or
          C(overdue).
      type: list
      elements: dict
    findings:
      description: Everything that is wrong or unusual. The most important findings come first.
      type: list
      elements: dict
      contains:
        host:
          description: The host whose answer, or missing acknowledgement, it is based on.
          type: str
          sample: gw2
        kind:
          description: The kind of the finding, a fixed string.
          type: str
          sample: still accepted
        severity:
          description: The severity.
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
    in_sync:
      description: Whether all gateways were asked and match the directory.
      type: bool
      sample: false
    summary:
      description: How many gateways match the directory, and why the others do not.
      type: str
      sample: "3 of 4 match the directory; gw4: not observed"
path:
  description: O(path).
  returned: if O(path) is given
  type: str
code:
  description: Error code, for programs. C(msg) is the same as a sentence.
  returned: failure
  type: str
  sample: drift
"""

from ..module_utils._action_module import fail_without_action
from ..module_utils._fleet.periods import SPEC

ARGUMENT_SPEC = dict(
    what=dict(type="str", choices=["dropped", "outcome", "converged", "enrolled", "status"], default="status"),
    directory=dict(type="dict", required=True),
    before=dict(type="dict"),
    observations=dict(type="dict", default={}),
    answers=dict(type="dict", default={}),
    plan=dict(type="dict"),
    proof=dict(type="dict", default={}),
    mode=dict(type="str", choices=["planned", "emergency", "abort", "retire"], default="planned"),
    fail_on=dict(type="str", choices=["nothing", "problems", "drift", "overdue"], default="problems"),
    path=dict(type="path"),
    periods=SPEC,
    at=dict(type="str"),
)


def main() -> None:
    fail_without_action(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
