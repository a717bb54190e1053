#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ios_rsa_key_sync
short_description: Synchronize the RSA keys of GET VPN key servers
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Reads all key servers and plans, exactly as M(vpnops.keys.ios_rsa_key_compare) does, and runs the plans:
    generates, imports, replaces, saves, and reads every key server again after its last change.
  - >-
    Units are independent. A unit that is blocked, needs consent or fails does not stop the others. A key server that
    belongs to several units is changed for one of them at a time.
  - >-
    Before the first write of a unit, the sessions to all key servers that its plan touches are open, and each of
    them is read again. If anything differs from the plan, or one of them is unreachable, nothing is changed.
  - >-
    A new key is stored and checked under the scratch label of every key server where it replaces another one, before
    the first old key is removed.
  - >-
    A unit that is blocked or needs consent is not an error of this module. M(vpnops.keys.key_server_report)
    evaluates the result, and P(vpnops.keys.key_server_sync#role) does all of it: compare, ask for consent, sync,
    compare again, report. It logs in once, unless it has to ask.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.ios
  - vpnops.keys._attributes.fleet
  - vpnops.keys._attributes.action_group
  - vpnops.keys._ios
  - vpnops.keys._ios.label
  - vpnops.keys._ios.exportable
  - vpnops.keys._ios.save
  - vpnops.keys._ios.replace
  - vpnops.keys._fleet
attributes:
  check_mode:
    support: full
    details: >-
      All key servers are read and the plans are made, as in a real run. No key is generated or exported.
  diff_mode:
    support: full
    details: >-
      One diff per unit that has to be changed, with fingerprints by key server. A key that is not generated yet is
      C((new)).
  idempotent:
    support: full
options:
  approved:
    description:
      - Digests of the plans that may be run, from RV(units[].digest).
      - >-
        A unit with another digest is not changed and has RV(units[].error): the keys of its key servers have changed
        since. Where consent was needed, the digest of that time approves the plan with
        O(overwrite=true).
      - Without this option the plans of this run are run.
    type: list
    elements: str
  backup_directory:
    description:
      - >-
        Directory on the control node that keeps the keys which are replaced, as
        V(HOST-LABEL-FINGERPRINT.pem), with the first 12 digits of the fingerprint, encrypted under
        O(backup_passphrase). Only its owner may read the files.
      - The directory must exist.
      - A key that is not exportable cannot be backed up. It is replaced anyway.
      - Requires O(backup_passphrase).
    type: path
  backup_passphrase:
    description: Passphrase for the files in O(backup_directory), at least 8 characters. It is never sent to a device.
    type: str
  generation_timeout:
    description: Seconds that generating a key may take. A session never lasts longer than 1800 seconds.
    type: int
    default: 600
  hold_for_consent:
    description:
      - >-
        Change nothing at all if a unit needs consent (RV(units[].needs_consent)), so that a play can ask first. Then
        RV(held) is V(true), and the sessions are closed. A second task with O(approved) and, after a yes, with
        O(overwrite=true) does the work; it reads all key servers again.
      - Has no effect in check mode.
    type: bool
    default: false
  verify:
    description:
      - >-
        Also return what M(vpnops.keys.ios_rsa_key_compare) would return before and after (RV(found), RV(proof)), as
        M(vpnops.keys.key_server_report) takes it.
      - >-
        If a plan was run, all key servers are read again for this at the end, in the same sessions. A key server
        that has closed its session gets a new one, once.
    type: bool
    default: false
notes:
  - >-
    Ctrl-C, and SIGTERM for the process of C(ansible-playbook), first finish the key servers that are being changed
    and start no other one. Then the module fails with RV(interrupted), and says which key servers are done, which are
    not, and what to run. A second one stops at once and says what is half done.
  - >-
    The module opens one SSH session, and so uses one vty line, per key server, and reads, changes and verifies in it.
    The sessions that are not needed any more are closed after reading; with O(verify) all are open to the end. An
    operation takes 1800 seconds at most.
  - >-
    With more key servers than O(parallel), sessions are closed after reading. Those of a unit are opened again to
    change it, and all of them to verify.
  - >-
    Two runs from one control node cannot change the same label on the same key servers at the same time: a
    lock in C(~/.ansible/vpnops.keys) makes the second one fail. Runs from different control nodes are detected if a
    key server has changed since it was read.
  - >-
    Group members verify rekeys with the public key that they received when they registered. Those that registered
    with a key server whose key is replaced have to register again.
seealso:
  - module: vpnops.keys.ios_rsa_key_compare
  - module: vpnops.keys.key_server_report
"""

EXAMPLES = r"""
- name: Import the key to all key servers that lack it
  vpnops.keys.ios_rsa_key_sync:
    hosts: "{{ groups['key_servers'] }}"
  run_once: true
  register: done

- name: Replace keys that differ, too, and keep the old ones
  vpnops.keys.ios_rsa_key_sync:
    hosts: "{{ groups['key_servers'] }}"
    overwrite: true
    backup_directory: "{{ playbook_dir }}/old-keys"
    backup_passphrase: "{{ vault_key_passphrase }}"
  run_once: true

- name: Synchronize, verify and report, with one login per key server
  block:
    - name: Read, change and read again
      vpnops.keys.ios_rsa_key_sync:
        hosts: "{{ groups['key_servers'] }}"
        verify: true
      run_once: true
      register: done
      failed_when: "'proof' not in done"

    - name: Report
      vpnops.keys.key_server_report:
        found: "{{ done.found }}"
        done: "{{ done }}"
        proof: "{{ done.proof | default(omit, true) }}"
      run_once: true

- name: Set what several tasks have in common
  module_defaults:
    group/vpnops.keys.ios:
      hosts: "{{ groups['key_servers'] }}"
      label: GETVPN-REKEY
      overwrite: true
  block:
    - name: Plan
      vpnops.keys.ios_rsa_key_compare:
      run_once: true
      register: found

    - name: Run exactly this plan
      vpnops.keys.ios_rsa_key_sync:
        approved: "{{ found.units | map(attribute='digest') | list }}"
      run_once: true
"""

RETURN = r"""
units:
  description:
    - Every unit with the plan as it was before the first write, and with what was done.
    - >-
      If a unit failed, only RV(units[].label), RV(units[].groups), RV(units[].done), RV(units[].left),
      RV(units[].error) and the names of the key servers, as Ansible prints the whole result of a task that failed.
  returned: success, or if a unit failed
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
    done:
      description:
        - >-
          What was done on each key server that was changed, in the order in which it happened. Empty in check
          mode.
        - >-
          The words are C(generated), C(imported), C(staged) (the new key was checked under the scratch label),
          C(unstaged), C(replaced), C(backed up), C(finished) (an interrupted replacement), C(cleaned) (a leftover
          scratch key is deleted) and C(saved).
      type: dict
      sample:
        ks2: [imported, saved]
    left:
      description: If it failed, the key servers on which something of the plan is still to be done.
      type: list
      elements: str
      sample: []
    error:
      description: Why the plan failed, and the state now; null if it did not fail.
      type: str
      sample: null
    interrupted:
      description: Whether it ended because the run was interrupted. Then RV(units[].error) says how far it came.
      type: bool
      sample: false
held:
  description: Whether nothing was changed because a unit needs consent, with O(hold_for_consent=true).
  returned: success or failure, once the key servers were read
  type: bool
  sample: false
found:
  description: >-
    What was found before the first change, as M(vpnops.keys.ios_rsa_key_compare) returns it. Also if a unit failed.
  returned: once the key servers were read, with O(verify=true)
  type: dict
  sample:
    in_sync: false
    units: []
    claims: []
    findings: []
    compromised: []
    problems: {}
    tampered: []
    ungrouped: [ks9]
proof:
  description:
    - What was found after the last change, in the same way.
    - >-
      Null in check mode, if RV(held), and if all was in sync before. The same as RV(found) if no plan could be run.
  returned: as RV(found), unless reading the key servers again failed as a whole
  type: dict
  sample: null
interrupted:
  description: >-
    Whether the run was interrupted while the plans were run. The key servers that were being changed were finished,
    and no other one was started.
  returned: success or failure, once the key servers were read
  type: bool
  sample: false
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
diff:
  description: Fingerprints by key server, before and after, for every unit with something to do.
  returned: success
  type: list
  elements: dict
  sample:
    - before_header: GETVPN-REKEY
      after_header: GETVPN-REKEY
      before: |
        ks1: bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f
        ks2: (none)
      after: |
        ks1: bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f
        ks2: bb1e7fbef3b186bca557cc63cd4e8ba8a7add01653f9ddaa9a14c287166c453f
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
    approved=dict(type="list", elements="str"),
    backup_directory=dict(type="path"),
    backup_passphrase=dict(type="str", no_log=True),
    generation_timeout=dict(type="int", default=600),
    hold_for_consent=dict(type="bool", default=False),
    verify=dict(type="bool", default=False),
)

REQUIRED_BY = dict(backup_directory=["backup_passphrase"])


def main() -> None:
    fail_without_action(ARGUMENT_SPEC, mutually_exclusive=FLEET_MUTUALLY_EXCLUSIVE, required_by=REQUIRED_BY)


if __name__ == "__main__":
    main()
