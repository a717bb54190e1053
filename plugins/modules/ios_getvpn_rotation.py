#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ios_getvpn_rotation
short_description: Move a live GET VPN group to another RSA key
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Copies a new key to all key servers of a group under its own label, makes the group use it, waits until every
    member has learned it, verifies that by a rekey, and removes the old key.
  - >-
    The label changes on one secondary after the other and on the primary last. Until then everything is rolled back if
    the key servers no longer receive COOP messages from each other, and can be rolled back with O(abort). After that
    there is no rollback, because members may have the new key already; start a rotation to the old key instead.
  - >-
    Cisco has not documented how members learn the new key, nor whether key servers receive COOP messages from each
    other while their labels differ. So the module finds this out with the first group of each release, and records it.
    See the guide.
  - >-
    If a run was interrupted or killed, run the same task again to continue. The state is in O(state_directory) and on
    the key servers.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.ios
  - vpnops.keys._attributes.action_group
  - vpnops.keys._attributes.fleet
  - vpnops.keys._ios
  - vpnops.keys._ios.label
attributes:
  check_mode:
    support: full
    details: All key servers are read, and RV(groups[].plan) says what would be done. No record is written.
  diff_mode:
    support: full
    details: Shows the label that each key server uses.
  idempotent:
    support: full
    details: When the state of O(until) is reached, nothing is changed any more.
options:
  hosts:
    description:
      - All key servers. The module finds out which of them serve a group.
      - An element may be an Ansible host pattern.
    type: list
    elements: str
    required: true
  only_groups:
    description:
      - The GET VPN groups to rotate, by name or by pattern, with the syntax of host patterns.
      - Required if the key servers serve more than one group.
    type: list
    elements: str
  allowed_hosts:
    description: Only groups with one of these key servers, and only if all of its key servers are among them.
    type: list
    elements: str
  label:
    description: Label of the new key. If no key server has it, the key is generated.
    type: str
    required: true
  old_label:
    description: >-
      Label of the key in use. Needed only to continue if the record was lost and all key servers already use the new
      label.
    type: str
  until:
    description:
      - The rotation stops in this state, and a later run continues from there.
      - The guide lists all states that a run can print.
      - V(prepared) - every key server has the new key, and no group uses it.
      - V(secondaries) - all secondaries use it. This is the last state that O(abort) can roll back.
      - V(verified) - the primary uses it, and every member has learned it and accepted a rekey that is signed with it.
      - V(retired) - the old key is removed. For that, one more KEK and TEK lifetime must have passed.
    type: str
    choices: [prepared, secondaries, verified, retired]
    default: verified
  abort:
    description:
      - Roll back. Every key server uses the old label again, and the new key is removed.
      - Refused once the primary uses the new key.
    type: bool
    default: false
  canary:
    description: >-
      Use this group to find out how its releases behave. Without it, a group with a release whose behavior is
      not known is not changed.
    type: bool
    default: false
  allow_split:
    description:
      - Continue although it is not known whether the key servers receive COOP messages from each other while
        their labels differ, or although it is known that they do not.
      - >-
        A secondary that receives no COOP messages from the primary becomes primary after about 60 seconds. The module
        restores the old label, or changes the label on all others, before that; the group splits only if the run is
        killed meanwhile and not started again within a minute.
    type: bool
    default: false
  max_window:
    description: >-
      Seconds that members may need to learn the key. The remaining lifetime of their keys is read from the primary.
    type: int
    default: 14400
  max_rate:
    description: Highest number of registrations per second that the key servers can handle.
    type: float
    default: 10
  leave:
    description: Addresses of members that are not waited for, because they do not exist any more.
    type: list
    elements: str
    default: []
  emergency:
    description: >-
      The old key is stolen. O(max_window), O(max_rate) and O(canary) do not stop the rotation; O(allow_split) is still
      needed.
    type: bool
    default: false
  replace_now:
    description: >-
      In an emergency, members drop the keys in use at once. The group loses traffic until all of them have new ones.
    type: bool
    default: false
  approved:
    description:
      - Digests of plans that were approved, as RV(groups[].digest) of a run in check mode has them.
      - A plan that has changed since then is not run.
    type: list
    elements: str
  size:
    description: Bits of a new key.
    type: int
    default: 2048
  wait_timeout:
    description:
      - Seconds that this task waits for members, in total. Then it fails and names the members that it waited for.
      - Run the same task again to wait longer.
    type: int
    default: 14400
  state_directory:
    description:
      - Directory on the control node for the records, one signed file per group, and for the observed behavior of
        releases. Only its owner may read it.
      - In AWX it must be on a volume that outlives the job.
    type: path
    default: ~/.ansible/vpnops.keys/rotations
  generation_timeout:
    description: Seconds that generating a key may take.
    type: int
    default: 600
  parallel:
    description: Key servers that are read at the same time.
    type: int
    default: 64
  timeout:
    description: Seconds for reading one key server.
    type: int
    default: 120
  show:
    description: Whether to print the plan, or what was done.
    type: bool
    default: true
seealso:
  - module: vpnops.keys.ios_getvpn_group_key
  - module: vpnops.keys.getvpn_info
  - ref: ansible_collections.vpnops.keys.docsite.guide_rotation
    description: How the key of a live group is rotated, and what is not known.
"""

EXAMPLES = r"""
- name: Copy a new key to the key servers of a group
  vpnops.keys.ios_getvpn_rotation:
    hosts: "{{ groups['key_servers'] }}"
    only_groups: [EUROPE]
    label: GETVPN-2027
    until: prepared
  run_once: true

- name: Move the group to it
  vpnops.keys.ios_getvpn_rotation:
    hosts: "{{ groups['key_servers'] }}"
    only_groups: [EUROPE]
    label: GETVPN-2027
  run_once: true
"""

RETURN = r"""
groups:
  description: The selected groups, also if the task failed.
  returned: success or failure, if the key servers were read
  type: list
  elements: dict
  contains:
    name:
      description: Name of the group.
      type: str
      sample: EUROPE
    identity:
      description: Its identity number or address.
      type: str
      sample: "1234"
    hosts:
      description: Names of its key servers in the inventory.
      type: list
      elements: str
      sample: [ks1, ks2]
    old_label:
      description: Label of the key that is replaced; null if there is nothing to replace.
      type: str
      sample: GETVPN-2026
    label:
      description: Label of the new key; null if there is nothing to replace.
      type: str
      sample: GETVPN-2027
    state:
      description:
        - The last state that the rotation has reached. RV(groups[].why) says what prevents the next one.
        - V(surveyed) - the key servers were read. Nothing is changed, or everything was rolled back.
        - V(prepared) - every key server has the new key, and no group uses it.
        - V(timed) - the duration and the rate of registrations are within O(max_window) and O(max_rate).
        - V(canary) - the behavior of the releases is known, or O(canary) allows this group to find it out.
        - V(secondaries) - all secondaries use the new label.
        - V(primary) - the primary uses it, too. There is no rollback any more.
        - V(learning) - a rekey was sent, and members are learning the new key.
        - V(verified) - every member has learned it and has accepted one more rekey that is signed with it.
        - V(retired) - the old key is removed.
      type: str
      choices: [surveyed, prepared, timed, canary, secondaries, primary, learning, verified, retired]
      sample: learning
    outcome:
      description:
        - How it ended.
        - V(reached) - the state of O(until) is there.
        - V(done) - there is nothing left to do.
        - V(planned) - in check mode.
        - V(waiting), V(blocked), V(failed), V(interrupted) - RV(groups[].why) says why it went no further.
      type: str
      choices: [done, reached, waiting, blocked, failed, interrupted, planned]
      sample: reached
    why:
      description: Why it went no further, as a sentence; empty if it went as far as it should.
      type: str
      sample: "3 members have not learned the new key yet: 198.51.100.1, 198.51.100.2, 198.51.100.7."
    digest:
      description: Digest of the plan, for O(approved). It changes when labels, keys or options change.
      type: str
      sample: 1b5f7c0e7e9d4d7f0c0a5b3e6b1d2c4f8a9e0d1c2b3a4f5e6d7c8b9a0f1e2d3c
    expected_end:
      description: When the waiting is expected to end, in seconds since 1970.
      type: float
      sample: 1800003600.0
    plan:
      description: In check mode, what would be done, and what prevents it at the moment.
      type: list
      elements: str
      sample: ["Send a rekey of EUROPE from ks1."]
    done:
      description: What was done, in sentences.
      type: list
      elements: str
      sample: ["The label is changed to GETVPN-2027 on ks2."]
    members:
      description: Addresses of the members, by how far they are.
      type: dict
      contains:
        learned:
          description: They have the new key.
          type: list
          elements: str
          sample: [198.51.100.3]
        waiting:
          description: They register again before RV(groups[].expected_end).
          type: list
          elements: str
          sample: [198.51.100.1]
        overdue:
          description: They should have registered again by now.
          type: list
          elements: str
          sample: []
        gone:
          description: No key server lists them any more. They receive the key when they register again.
          type: list
          elements: str
          sample: []
    key_servers:
      description: The key servers, as they were read last; empty if there is nothing to replace.
      type: list
      elements: dict
      contains:
        host:
          description: Name in the inventory.
          type: str
          sample: ks1
        release:
          description: Its release.
          type: str
          sample: 17.09.04a
        role:
          description: Its COOP role.
          type: str
          sample: Primary
        label:
          description: The label that it uses for the group.
          type: str
          sample: GETVPN-2026
        saved:
          description: Whether a reload would not change the label and the key.
          type: bool
          sample: true
        old_fingerprint:
          description: Fingerprint of the key under the old label.
          type: str
          sample: bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f
        fingerprint:
          description: Fingerprint of the key under the new label.
          type: str
          sample: 0d1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c4e21
        rekeys_sent:
          description: Rekeys of the group that it has sent since it started.
          type: int
          sample: 12
        problem:
          description: Why it could not be read, or what it does not show.
          type: str
          sample: null
releases:
  description: Observed behavior of releases, from all rotations whose records are in O(state_directory).
  returned: success or failure, if the key servers were read
  type: dict
  contains:
    coop:
      description: What key servers of these releases do while their labels differ.
      type: list
      elements: dict
      contains:
        releases:
          description: The releases.
          type: list
          elements: str
          sample: [17.09.04a]
        behavior:
          description:
            - V(hears) - they receive COOP messages from each other.
            - V(splits) - they do not, and the group splits.
          type: str
          choices: [hears, splits]
          sample: hears
        seen_on:
          description: >-
            The first key servers that showed it. Other groups rely on it; delete the file if one of them was tampered
            with.
          type: list
          elements: str
          sample: [ks1, ks2]
    rekey:
      description: How members learn the new key.
      type: list
      elements: dict
      contains:
        release:
          description: Release of the primary.
          type: str
          sample: 17.09.04a
        version:
          description: Version of GET VPN on the members.
          type: str
          sample: 1.0.25
        behavior:
          description: V(in_band) - by a rekey. V(out_of_band) - they register again.
          type: str
          choices: [in_band, out_of_band]
          sample: out_of_band
        seen_on:
          description: The primary that showed it first.
          type: list
          elements: str
          sample: [ks1]
lines:
  description: The plan, or what was done, as lines for people.
  returned: success or failure, if the key servers were read
  type: list
  elements: str
  sample: ["EUROPE from GETVPN-2026 to GETVPN-2027 (state verified): reached"]
code:
  description:
    - Error code, for programs. C(msg) is the same as a sentence.
    - The connection guide explains all of them.
  returned: failure
  type: str
  sample: blocked
"""

from ..module_utils._action_module import fail_without_action

ARGUMENT_SPEC: dict[str, object] = dict(
    hosts=dict(type="list", elements="str", required=True),
    only_groups=dict(type="list", elements="str"),
    allowed_hosts=dict(type="list", elements="str"),
    label=dict(type="str", required=True, no_log=False),
    old_label=dict(type="str", no_log=False),
    until=dict(type="str", choices=["prepared", "secondaries", "verified", "retired"], default="verified"),
    abort=dict(type="bool", default=False),
    canary=dict(type="bool", default=False),
    allow_split=dict(type="bool", default=False),
    max_window=dict(type="int", default=14400),
    max_rate=dict(type="float", default=10),
    leave=dict(type="list", elements="str", default=[]),
    emergency=dict(type="bool", default=False),
    replace_now=dict(type="bool", default=False),
    approved=dict(type="list", elements="str"),
    size=dict(type="int", default=2048),
    wait_timeout=dict(type="int", default=14400),
    state_directory=dict(type="path", default="~/.ansible/vpnops.keys/rotations"),
    generation_timeout=dict(type="int", default=600),
    parallel=dict(type="int", default=64),
    timeout=dict(type="int", default=120),
    show=dict(type="bool", default=True),
)


def main() -> None:
    fail_without_action(ARGUMENT_SPEC)


if __name__ == "__main__":
    main()
