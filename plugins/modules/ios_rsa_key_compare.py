#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ios_rsa_key_compare
short_description: Compare the RSA keys of GET VPN key servers and plan how to make them equal
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Reads all key servers in parallel, reports which key each of them has, and plans how to make them equal. Changes
    nothing.
  - >-
    Key servers are sorted into units. A unit is all key servers that must have the same key under one label,
    because they serve the same GET VPN group, or because they serve groups that share a label on some key
    server. Every unit is planned on its own.
  - >-
    A group is the same on two key servers if it has the same identity there (where it has none, the same
    name) and the COOP peers that are configured connect them. Where a peer's address belongs to no key server
    of the inventory, the identity alone decides.
  - Keys are compared by their public keys. No private key is exported.
  - If all key servers hold the same key, nothing is planned, except to save it where an earlier run from this
    control node did not.
  - If no key server has the key, it is generated on the primary, exportable, and imported to the others.
  - >-
    If some lack it and all copies are equal, it is imported to those that lack it: from the primary if that
    has an exportable copy, else from any exportable copy. If no copy is exportable, a new key is needed, which needs
    O(overwrite=true).
  - >-
    If the copies differ, nothing is planned without O(overwrite=true). With it the primary's key wins; if the primary
    has none, that of the key server with the highest priority that has one. If no copy of the winning key is
    exportable, a new key is generated on the primary.
  - If a key server of a unit is unreachable, refuses the login or cannot be read, nothing is planned for that unit.
  - An interrupted replacement is finished or cleaned up first, if no key is lost by that.
  - >-
    The primary is the key server whose COOP role is Primary; before COOP runs, the one with the highest
    configured priority, and among equal priorities the one with the highest address.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.info_module
  - vpnops.keys._attributes.ios
  - vpnops.keys._attributes.fleet
  - vpnops.keys._attributes.action_group
  - vpnops.keys._ios
  - vpnops.keys._ios.label
  - vpnops.keys._ios.exportable
  - vpnops.keys._fleet
options:
  details:
    description:
      - Also return all RSA keys and all groups of every device (RV(devices)), from the same session.
    type: bool
    default: false
  render:
    description: Return the plan as IOS commands for manual use, as RV(manual).
    type: bool
    default: false
notes:
  - >-
    The module opens one SSH session, and so takes one vty line, per key server, at most O(parallel) at the
    same time.
  - >-
    A key server that cannot be read is not an error of this module. See RV(problems), and
    M(vpnops.keys.key_server_report).
seealso:
  - module: vpnops.keys.ios_rsa_key_sync
  - module: vpnops.keys.key_server_report
  - module: vpnops.keys.getvpn_info
"""

EXAMPLES = r"""
- name: Compare all key servers, each group by itself
  vpnops.keys.ios_rsa_key_compare:
    hosts: "{{ groups['key_servers'] }}"
  run_once: true
  register: found

- name: Fail unless all are in sync
  ansible.builtin.assert:
    that: found.in_sync
    fail_msg: "{{ found.problems.values() | list + found.units | map(attribute='blocked') | select('string') | list }}"
  run_once: true

- name: Compare one label, whatever the groups are configured with
  vpnops.keys.ios_rsa_key_compare:
    hosts: "{{ groups['key_servers'] }}"
    label: GETVPN-REKEY
  run_once: true
  register: found

- name: Plan what overwrite would do, as commands for manual use
  vpnops.keys.ios_rsa_key_compare:
    groups:
      - name: EUROPE
        label: EUROPE-REKEY
        hosts: [ks1, ks2]
      - name: ASIA
        label: ASIA-REKEY
        hosts: [ks3, ks4]
    overwrite: true
    render: true
  run_once: true
  register: found
"""

RETURN = r"""
in_sync:
  description: Whether every unit is in sync, every key server could be read, and there are no claims.
  returned: success
  type: bool
  sample: false
units:
  description: Every unit with its plan.
  returned: success
  type: list
  elements: dict
  contains:
    # unit, of docs/returned
    label:
      description: Label of the key; null if the key servers do not agree on one.
      type: str
      sample: GETVPN-REKEY
    groups:
      description: GET VPN groups of the unit. A change of the key touches all of them.
      type: list
      elements: str
      sample: [EUROPE]
    verdict:
      description:
        - V(in_sync), all have the same key.
        - V(absent), no key server has the key.
        - V(missing), some lack it and all copies are equal.
        - V(conflict), the copies differ.
        - >-
          V(split), more than one key server says that it is the primary of the same group, and O(primary) names none
          of them.
        - >-
          V(unknown), a key server could not be read, the label is not known, or the key servers do not have each other
          configured as peers.
      type: str
      choices: [in_sync, absent, missing, conflict, split, unknown]
      sample: missing
    in_sync:
      description: Whether the verdict is V(in_sync).
      type: bool
      sample: false
    blocked:
      description: >-
        Why the keys cannot be synchronized, and what would allow it, in one sentence; null if they can be.
      type: str
      sample: null
    needs_consent:
      description: Whether making them equal would replace keys, which O(overwrite) does not allow.
      type: bool
      sample: false
    steps:
      description: >-
        The steps of the plan, in this order. May finish or clean up an interrupted replacement even if the unit is
        blocked.
      type: list
      elements: dict
      contains:
        kind:
          description:
            - >-
              V(finish) puts the key under the scratch label of the key server under its empty label.
            - V(generate) generates a new key.
            - V(distribute) imports the key of the source to others.
            - V(clean) removes scratch keys.
            - V(save) writes the configuration.
          type: str
          choices: [finish, generate, distribute, clean, save]
          sample: distribute
        host:
          description: The key server, of V(finish) and V(generate).
          type: str
          sample: ks1
        hosts:
          description: The key servers, of V(clean) and V(save).
          type: list
          elements: str
          sample: [ks2]
        scratch:
          description: Whether V(generate) makes the key under the scratch label.
          type: bool
          sample: false
        bits:
          description: Bits of the key that V(generate) makes.
          type: int
          sample: 2048
        usage:
          description: What the key that V(generate) makes is for.
          type: str
          sample: general
        source:
          description: The key server that exports the key, of V(distribute).
          type: str
          sample: ks1
        from_scratch:
          description: Whether V(distribute) takes the key from under the scratch label of the source.
          type: bool
          sample: false
        missing:
          description: Key servers that lack the key, of V(distribute).
          type: list
          elements: str
          sample: [ks2]
        replace:
          description: Key servers whose key is replaced, of V(distribute).
          type: list
          elements: str
          sample: []
        fingerprint:
          description: The key that V(distribute) imports; null if it is not generated yet.
          type: str
          sample: bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f
        exportable:
          description: Whether V(finish) and V(distribute) make exportable copies.
          type: bool
          sample: true
    would:
      description: >-
        What O(overwrite=true) would do, if consent is needed. The same fields as in RV(units[].steps).
      type: list
      elements: dict
      sample: []
    replaces:
      description: Key servers whose key is replaced, or would be with consent.
      type: list
      elements: str
      sample: []
    primary:
      description: The primary; null if it is not known.
      type: str
      sample: ks1
    primary_by:
      description:
        - Why it is the primary; null if it is not known.
        - >-
          V(choice), O(primary) names it; V(role), it has this COOP role; V(priority), V(address) or V(name), no key
          server has this role, and it is the first by priority, address or name.
      type: str
      choices: [choice, role, priority, address, name]
      sample: role
    source:
      description: The key server that exports the key.
      type: str
      sample: ks1
    fingerprint:
      description: The key that all must have; null if it is not known or not generated yet.
      type: str
      sample: bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f
    findings:
      description: What else the operator should know, in one sentence each.
      type: list
      elements: str
      sample: ["GETVPN-REKEY is not saved on ks1: a reload would lose it or restore an older key."]
    unknown_peers:
      description: >-
        Those of RV(units[].findings) that are about addresses of COOP peers that no key server in the inventory has.
      type: list
      elements: str
      sample: []
    registered_members:
      description: >-
        Registered members by group, each counted once; groups without any are left out. Members verify rekeys with the
        public key that they received when they registered.
      type: dict
      sample:
        EUROPE: 412
    members_with_old_key:
      description: >-
        How many of them registered with a key server whose key is replaced, or would be. They have to
        register again.
      type: int
      sample: 0
    digest:
      description: >-
        A hash over this plan and the current keys of the key servers. Give it to
        O(vpnops.keys.ios_rsa_key_sync#module:approved) to allow exactly this plan.
      type: str
      sample: 9f0c4e5d1b3a79e2c6d8f7045b1e2a3c4d5e6f708192a3b4c5d6e7f8091a2b3c
    key_servers:
      description: The key servers of the unit, as they were found.
      type: list
      elements: dict
      contains:
        host:
          description: Name in the inventory.
          type: str
          sample: ks1
        address:
          description: Its address as key server; null if not known.
          type: str
          sample: 192.0.2.11
        role:
          description: COOP role; null where COOP does not run.
          type: str
          choices: [Primary, Secondary]
          sample: Primary
        priority:
          description: Configured COOP priority.
          type: int
          sample: 100
        problem:
          description: Why it could not be read; null if it could.
          type: str
          sample: null
        fingerprint:
          description:
            - Fingerprint of the key under the label; null if there is none.
            - Of a pair of usage keys, SHA-256 over both fingerprints.
          type: str
          sample: bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f
        size:
          description: Bits.
          type: int
          sample: 2048
        usage:
          description: What the key is for.
          type: str
          choices: [general, signature, encryption, usage-keys]
          sample: general
        exportable:
          description: Whether the key is exportable.
          type: bool
          sample: true
        saved:
          description: >-
            Whether the key survives a reload. Many devices do not show it: then true after the device said that it
            saved, false after a change from this control node that was not saved, and null otherwise.
          type: bool
          sample: true
        staged:
          description: >-
            Fingerprint of a key under the scratch label, left by an interrupted replacement; null if there is
            none.
          type: str
          sample: null
    # unit ends
# claims, of docs/returned
claims:
  description:
    - >-
      Claims of key servers that no other one confirms: a peer that does not have the key server configured, or an
      address that the inventory does not give to it. They have no effect.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The key server that makes the claim.
      type: str
      sample: ks9
    group:
      description: In which of its groups.
      type: str
      sample: EUROPE
    names:
      description: The key servers that it names.
      type: list
      elements: str
      sample: [ks1, ks2]
    why:
      description: The claim, and what does not fit, in one sentence.
      type: str
      sample: ks9 names ks1 and ks2 as peers of EUROPE (1234), and neither names it.
# claims ends
findings:
  description: What else the operator should know and is about no unit, in one sentence each.
  returned: success
  type: list
  elements: str
  sample: []
compromised:
  description: For each key of O(compromised), as it was given, the key servers that have it.
  returned: success
  type: list
  elements: dict
  contains:
    fingerprint:
      description: The fingerprint or its beginning.
      type: str
      sample: fdcb3bcb8304
    key_servers:
      description: The key servers, under any label.
      type: list
      elements: str
      sample: [ks1, ks2]
problems:
  description: Why a key server could not be read, one sentence per key server.
  returned: success
  type: dict
  sample:
    ks4: "ks4: no SSH login at 192.0.2.14 port 22 within 30 s. Is it reachable? Nothing was changed."
tampered:
  description: >-
    Key servers among RV(problems) whose facts hold a variable of this collection (see M(vpnops.keys.check_facts)). They
    were not asked.
  returned: success
  type: list
  elements: str
  sample: []
devices:
  description:
    - >-
      For each key server that could be read: C(rsa_keys) as RV(vpnops.keys.ios_rsa_key_info#module:rsa_keys), and
      C(groups) as RV(vpnops.keys.getvpn_info#module:groups).
  returned: if O(details=true)
  type: dict
ungrouped:
  description: Key servers that could be read and belong to no unit.
  returned: success
  type: list
  elements: str
  sample: []
manual:
  description:
    - The plans of all units as IOS commands for manual use. C(!) starts a comment.
    - Where consent is needed, these are the commands that need it.
  returned: if O(render=true)
  type: str
  sample: |
    ! The commands that vpnops.keys would send, for manual use.
    ...
    !
    ! GETVPN-REKEY (EUROPE): missing
    ! ---- on ks1
    configure terminal
    crypto key export rsa GETVPN-REKEY pem terminal 3des <PASSPHRASE>
    end
    ! ---- on ks2
    configure terminal
    crypto key import rsa GETVPN-REKEY exportable pem terminal <PASSPHRASE>
    ! paste the public key, an empty line, the private key, quit
    end
    ! ---- on ks2
    write memory
code:
  description:
    - Error code, for programs. C(msg) is the same as a sentence.
    - The connection guide explains all of them.
  returned: failure, if it was found by this collection
  type: str
  sample: bad_input
"""

from ..module_utils._action_module import fail_without_action
from ..module_utils._fleet_options import FLEET_MUTUALLY_EXCLUSIVE, FLEET_SPEC

ARGUMENT_SPEC = dict(
    FLEET_SPEC,
    details=dict(type="bool", default=False),
    render=dict(type="bool", default=False),
)


def main() -> None:
    fail_without_action(ARGUMENT_SPEC, mutually_exclusive=FLEET_MUTUALLY_EXCLUSIVE)


if __name__ == "__main__":
    main()
