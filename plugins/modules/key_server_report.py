#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: key_server_report
short_description: Report the comparison and synchronization of key servers
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Puts the results of M(vpnops.keys.ios_rsa_key_compare) and M(vpnops.keys.ios_rsa_key_sync) together: one table
    per unit with every key server, its role, the key before, what was done, and the key now.
  - Fails if the result has what O(fail_on) names, with one sentence per unit.
  - Contacts no device.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.fleet
  - vpnops.keys._evaluation.table
attributes:
  check_mode:
    support: full
    details: O(path) is not written.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  found:
    description: >-
      Result of the M(vpnops.keys.ios_rsa_key_compare) task before the synchronization, or
      RV(vpnops.keys.ios_rsa_key_sync#module:found).
    type: dict
    required: true
  done:
    description: Result of the M(vpnops.keys.ios_rsa_key_sync) task, if there was one.
    type: dict
  proof:
    description:
      - >-
        Result of the M(vpnops.keys.ios_rsa_key_compare) task after the synchronization, or
        RV(vpnops.keys.ios_rsa_key_sync#module:proof), if there was one.
      - Without it, O(found) is reported and evaluated.
    type: dict
  path:
    description:
      - >-
        File on the control node that gets the whole report as JSON, with complete fingerprints. Only its
        owner may read it (C(0600)).
      - Its directory must exist. An existing file is overwritten.
    type: path
  fail_on:
    description:
      - What makes the module fail.
      - >-
        V(problems) means a key server that could not be read, a plan that failed, or no unit at all. V(drift) means
        these, a unit that is not in sync, and a key server that its peers do not have configured. With V(nothing) it
        never fails.
    type: str
    choices: [nothing, problems, drift]
    default: drift
notes:
  - Fingerprints in the table are cut to 12 digits.
seealso:
  - module: vpnops.keys.ios_rsa_key_compare
  - module: vpnops.keys.ios_rsa_key_sync
"""

EXAMPLES = r"""
- name: Compare the key servers
  vpnops.keys.ios_rsa_key_compare:
    hosts: "{{ groups['key_servers'] }}"
  run_once: true
  register: found

- name: Show the result, keep it, and fail unless all are in sync
  vpnops.keys.key_server_report:
    found: "{{ found }}"
    path: "{{ playbook_dir }}/key-servers.json"
  run_once: true
"""

RETURN = r"""
in_sync:
  description: >-
    Whether every unit is in sync, every key server could be read, and there are no claims.
  returned: success, or if O(fail_on) makes the module fail
  type: bool
  sample: true
lines:
  description: The report as text, line by line.
  returned: success
  type: list
  elements: str
  sample:
    - ""
    - "GETVPN-REKEY (EUROPE): in sync"
    - ""
    - " key server  role       found         bits  exportable  saved "
    - " ks1         Primary    bb1e7fbef3b1  2048  yes         yes   "
    - " ks2         Secondary  bb1e7fbef3b1  2048  yes         yes   "
path:
  description: The file with the JSON report.
  returned: if O(path) is set
  type: str
  sample: /srv/reports/key-servers.json
code:
  description:
    - Error code, for programs. C(msg) is the same as a sentence.
    - The connection guide explains all of them.
  returned: failure, if it was found by this collection
  type: str
  sample: bad_input
"""

from ..module_utils._action_module import fail_without_action

ARGUMENT_SPEC = dict(
    found=dict(type="dict", required=True),
    done=dict(type="dict"),
    proof=dict(type="dict"),
    path=dict(type="path"),
    fail_on=dict(type="str", choices=["nothing", "problems", "drift"], default="drift"),
)


def main() -> None:
    fail_without_action(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
