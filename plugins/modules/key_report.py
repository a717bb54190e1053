#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: key_report
short_description: Write an audit report on all keys
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Combines the results of other modules in one self-contained HTML file, and in JSON: findings and what to do about
    them, the key servers of each group, the keys that each gateway stores of its peers, age and strength of every
    key, all rotations, the audit trail, and what auditors ask about the periods of keys.
  - >-
    Finds revoked keys that may still be accepted, and keys that are weak, due, overdue, without an exportable copy, not
    saved, on two devices, different, pending, or not in the directory; records that the directory did not sign; and
    devices that could not be read.
  - This module contacts no device and no database. The report contains only public keys.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.fleet
  - vpnops.keys._periods
attributes:
  check_mode:
    support: full
    details: No file is written.
  diff_mode:
    support: full
  idempotent:
    support: full
    details: >-
      A file with the same content is not written again, and so keeps its time. With
      O(refresh=true) it is written as soon as its time or an age in days has changed.
requirements:
  - jinja2 (on the control node, where ansible-core needs it too)
options:
  key_servers:
    description: >-
      Result of M(vpnops.keys.ios_rsa_key_compare). With its option C(details) it has O(rsa_keys) and O(groups) in it.
    type: dict
  rsa_keys:
    description: >-
      Results of M(vpnops.keys.ios_rsa_key_info) by host. Without them there is no age of the key servers' keys, and
      only the keys of groups are in the report.
    type: dict
  groups:
    description: Results of M(vpnops.keys.getvpn_info) by host. Without them the report has no missed rekeys.
    type: dict
  directory:
    description: >-
      Result of M(vpnops.keys.key_directory_info). Its option C(events_limit) says how long the audit trail is.
    type: dict
  gateways:
    description:
      - Results of M(vpnops.keys.gateway_info) by host. An unreachable host has the failed result.
      - A host of the inventory that was not in the play has an empty one.
      - They are ignored without O(directory).
      - The answer of a gateway is used for this gateway only.
    type: dict
    default: {}
  title:
    description: Heading of the report.
    type: str
    default: Key report
  minimum_size:
    description: RSA keys with fewer bits are findings.
    type: int
    default: 2048
  path:
    description: File on the control node that gets the report as HTML. Its directory must exist.
    type: path
  json_path:
    description: File on the control node that gets the report as JSON, with all details. Its directory must exist.
    type: path
  csv_path:
    description: >-
      File on the control node that gets all keys as CSV, one per line: class, owner, algorithm, strength, protocol,
      custodian, and the dates of activation, of the end of the period, and of deactivation. Its directory must exist.
    type: path
  mode:
    description: >-
      Mode of the files, in octal digits. With C(0644) all users of the control node can read them. Quote it.
    type: str
    default: "0600"
  refresh:
    description: Write the files also if nothing has changed but the time and the ages.
    type: bool
    default: false
  return_content:
    description: Also return the HTML, for jobs that cannot keep a file.
    type: bool
    default: false
  fail_on:
    description:
      - What makes the module fail, after it has written the files.
      - With V(nothing) it never fails, with V(problems) for any problem, with V(warnings) for any problem or warning.
    type: str
    choices: [nothing, problems, warnings]
    default: problems
notes:
  - >-
    The findings are printed, unless the output is machine-readable (a stdout callback with C(json) in its name). They
    are in RV(lines) anyway.
seealso:
  - module: vpnops.keys.ios_rsa_key_compare
  - module: vpnops.keys.ios_rsa_key_info
  - module: vpnops.keys.getvpn_info
  - module: vpnops.keys.key_directory_info
  - module: vpnops.keys.gateway_info
"""

EXAMPLES = r"""
- name: Compare the key servers
  vpnops.keys.ios_rsa_key_compare:
    hosts: "{{ groups['key_servers'] }}"
  run_once: true
  register: found

- name: Read the directory
  vpnops.keys.key_directory_info:
    events_limit: 10000
  delegate_to: localhost
  run_once: true
  register: known

- name: Gather gateway state
  vpnops.keys.gateway_info:
  register: observed

- name: Write the report
  vpnops.keys.key_report:
    key_servers: "{{ found }}"
    directory: "{{ known }}"
    gateways: "{{ ansible_play_hosts | vpnops.keys.by_host(hostvars, 'observed') }}"
    periods:
      gateway:
        days: 180
        reason: Policy 4.2 of the network department
        custodian: network on-call
    path: /srv/reports/keys.html
    json_path: /srv/reports/keys.json
    csv_path: /srv/reports/keys.csv
    mode: "0644"
  run_once: true
"""

RETURN = r"""
summary:
  description: What a later job or a dashboard needs.
  returned: always, unless the options or results that were given cannot be used
  type: dict
  contains:
    at:
      description: O(at), in UTC.
      type: str
      sample: "2026-11-22T12:00:00Z"
    counts:
      description: >-
        How many V(problems), V(warnings), V(notes), V(key_servers), V(gateways), V(keys) in use and V(rotations) there
        are, and how many keys are not stored yet (V(pending)).
      type: dict
      sample:
        problems: 1
        warnings: 0
        notes: 0
        key_servers: 4
        gateways: 0
        keys: 1
        rotations: 0
        pending: 0
    findings:
      description: What was found. The most important findings come first.
      type: list
      elements: dict
      contains:
        kind:
          description: The kind of the finding, a fixed string.
          type: str
          sample: not saved
        severity:
          description: The severity.
          type: str
          choices: [problem, warning, note]
          sample: problem
        hosts:
          description: The hosts that it is about.
          type: list
          elements: str
          sample: [ks2]
        what:
          description: One sentence.
          type: str
          sample: "GETVPN-REKEY (EUROPE): a reload would lose the key or restore an older one."
        since:
          description: Since when, in UTC, where that is known.
          type: str
          sample:
        next:
          description: What to do.
          type: str
          sample: "Save the configuration: run vpnops.keys.sync_key_servers, or type write memory on ks2."
    digest:
      description: Equal for two reports that say the same at different times.
      type: str
      sample: 9f0c4e5d1b3a79e2c6d8f7045b1e2a3c4d5e6f708192a3b4c5d6e7f8091a2b3c
lines:
  description: Counts and findings as text.
  returned: success
  type: list
  elements: str
path:
  description: O(path).
  returned: if O(path) is given
  type: str
  sample: /srv/reports/keys.html
json_path:
  description: O(json_path).
  returned: if O(json_path) is given
  type: str
  sample: /srv/reports/keys.json
csv_path:
  description: O(csv_path).
  returned: if O(csv_path) is given
  type: str
  sample: /srv/reports/keys.csv
content:
  description: The report as HTML.
  returned: if O(return_content=true)
  type: str
code:
  description: Error code, for programs. C(msg) is the same as a sentence.
  returned: failure
  type: str
  sample: bad_input
"""

from ..module_utils._action_module import fail_without_action
from ..module_utils._fleet.periods import SPEC

ARGUMENT_SPEC = dict(
    key_servers=dict(type="dict", no_log=False),
    rsa_keys=dict(type="dict", no_log=False),
    groups=dict(type="dict"),
    directory=dict(type="dict"),
    gateways=dict(type="dict", default={}),
    title=dict(type="str", default="Key report"),
    at=dict(type="str"),
    minimum_size=dict(type="int", default=2048),
    path=dict(type="path"),
    json_path=dict(type="path"),
    csv_path=dict(type="path"),
    periods=SPEC,
    mode=dict(type="str", default="0600"),
    refresh=dict(type="bool", default=False),
    return_content=dict(type="bool", default=False),
    fail_on=dict(type="str", choices=["nothing", "problems", "warnings"], default="problems"),
)


def main() -> None:
    fail_without_action(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
