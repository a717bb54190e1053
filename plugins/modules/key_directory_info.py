#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: key_directory_info
short_description: Read the directory of the gateways' public keys
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - Returns every gateway with its key, what its peers have to store of it, and which peers have not stored it yet.
  - >-
    A record that is not as the directory signed it last, or is missing, is named in RV(directory.tampered). Nothing is
    returned of what it says, and its gateway is in none of the other lists.
  - >-
    An old copy of the whole database is detected if O(witness_path) has a newer
    one.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.info_module
  - vpnops.keys._attributes.directory
  - vpnops.keys._directory
  - vpnops.keys._directory.only
attributes:
  action:
    support: partial
    details: The action plugin only makes sure that no option is written to a file.
options:
  events_limit:
    description: How many events are returned, the newest ones.
    type: int
    default: 100
  fail_on_tampered:
    description: >-
      Fail if the directory as a whole cannot be trusted. Set it before keys are sent to gateways.
    type: bool
    default: false
seealso:
  - module: vpnops.keys.key_directory
"""

EXAMPLES = r"""
- name: Read the directory
  vpnops.keys.key_directory_info:
  delegate_to: localhost
  run_once: true
  register: found

- name: Read one gateway, without the signing key
  vpnops.keys.key_directory_info:
    url: sqlite:////var/lib/vpnops/directory.db
    verify_key: 5f0c3c0a4d3a4d6e2d1a83e27fd1f1d0c2fb5b6bd0f36e17c8f2dd0a5b8cf0a1
    only: [gw1]
  delegate_to: localhost
  run_once: true
  register: gw1

- name: Show what each gateway has stored
  ansible.builtin.debug:
    var: found.learned
"""

RETURN = r"""
# directory, of docs/returned
where:
  description: Where the directory is, without a password.
  returned: success
  type: str
  sample: /home/alice/.ansible/vpnops.keys/directory.db
signing_key_path:
  description: The file of its signing key; null if the key is somewhere else.
  returned: success
  type: str
  sample: /home/alice/.ansible/vpnops.keys/directory.db.key
signing_key_url:
  description: The signing key in a transit engine; null if it is somewhere else.
  returned: success
  type: str
  sample: vault://transit/keys/vpn-directory
directory:
  description: The directory.
  returned: success
  type: dict
  contains:
    id:
      description: Which directory this is.
      type: str
      sample: e7de404f-ce7e-4349-88f6-639533cbd125
    schema:
      description: The revision of its tables.
      type: str
      sample: r0003
    revision:
      description: >-
        The highest number that a change of what peers have to store has had. It counts the changes of all gateways
        together and never falls.
      type: int
      sample: 2
    key_fingerprint:
      description: Fingerprint of the key that signs its records.
      type: str
      sample: 696575a809c1aa91b00b1be1581b4111134c4dab245ab3daa6eee376215a3ba7
    signing_keys:
      description: The keys that signed its records, the present one first.
      type: list
      elements: dict
      contains:
        fingerprint:
          description: Fingerprint of the key.
          type: str
          sample: 696575a809c1aa91b00b1be1581b4111134c4dab245ab3daa6eee376215a3ba7
        since:
          description: Since when it signs, in UTC.
          type: str
          sample: "2026-06-01T08:00:00Z"
        retired_at:
          description: Until when it signed, in UTC; null for the present one.
          type: str
          sample:
    checkpoint:
      description: >-
        The signature over all current records. Each change creates the next checkpoint, in the same transaction.
      type: dict
      contains:
        number:
          description: Its number. It only increases.
          type: int
          sample: 17
        root:
          description: Root of the Merkle tree (RFC 6962, SHA-256) over all records, in hex.
          type: str
          sample: 7d1a54d4ff1e9f5ae1a2e2f3b3a52c2c0d5b0a4a1c7d1d3b1fd47f0b5f4ac1d0
        previous:
          description: The root before, in hex; zeros for the first one.
          type: str
          sample: 0c9cf3b8a1f4b8c76c1a2f0c7c0d6c2f5b7f0a0b3f1c8e9d7a6b5c4d3e2f1a0b
        size:
          description: How many leaves the tree has.
          type: int
          sample: 42
        time:
          description: When it was made, in UTC.
          type: str
          sample: "2026-11-22T03:12:45Z"
        expires:
          description: >-
            Until when it is valid for a reader who gets it from another place than the database. This collection
            does not refuse an older one.
          type: str
          sample: "2026-12-22T03:12:45Z"
        note:
          description: >-
            The whole of it as a signed note, as programs for transparency logs read it
            (U(https://c2sp.org/tlog-checkpoint)). Empty where check mode only predicts the checkpoint.
          type: str
          sample: "vpnops.keys/e7de404f-ce7e-4349-88f6-639533cbd125\n42\n..."
    gateways:
      description:
        - >-
          The gateways by name, each a dictionary of V(name), V(platform), V(algorithm), V(identity), V(endpoint),
          V(networks), V(revoked), V(revoked_at) (since when, in UTC), V(retired_at) (since when it is retired),
          V(revision) (the number of the last change of what its peers have to store), V(keys), V(rotation), and of
          its current key V(serial), V(public_key), V(fingerprint), V(created_at) and V(created_by).
        - >-
          V(keys) are all keys that it has had, newest first, each with V(serial), V(public_key), V(fingerprint),
          V(algorithm), V(state) (V(staged), V(current), V(retired) or V(revoked)), V(created_at) and V(revoked_at).
        - >-
          V(rotation) is null, or the open rotation: V(id), V(mode), V(strategy), V(state), V(old) and V(new) (each
          with V(serial), V(public_key), V(fingerprint)), V(begun_by), V(begun_at), V(lock_owner), V(why), and
          V(acknowledged), the peers that have stored the new key.
      type: dict
      sample:
        gw1:
          name: gw1
          platform: wireguard
          algorithm: x25519
          identity:
          endpoint: 192.0.2.1:51820
          networks: [10.79.1.0/24]
          revoked: false
          revoked_at:
          retired_at:
          revision: 1
          serial: 1
          public_key: YxSsUI72vaTJ/f04CB9vpGa3kXpyTsuuLLbnvzfVobE=
          fingerprint: 3985dd38ef07936a78b51b47b7ff7f9c6d2aec600c35a3a4f61b3d1be504a80a
          created_at: "2026-11-22T03:12:45Z"
          created_by: alice
          keys:
            - serial: 1
              public_key: YxSsUI72vaTJ/f04CB9vpGa3kXpyTsuuLLbnvzfVobE=
              fingerprint: 3985dd38ef07936a78b51b47b7ff7f9c6d2aec600c35a3a4f61b3d1be504a80a
              algorithm: x25519
              state: current
              created_at: "2026-11-22T03:12:45Z"
              revoked_at:
          rotation:
    tampered:
      description:
        - >-
          Records that are not as the directory signed them last: changed, removed, added, or replaced with old ones.
          Their gateways are not in the rest of the result.
        - If one of them is about the directory as a whole, no gateway is returned.
      type: list
      elements: dict
      contains:
        gateway:
          description: Name of the gateway; null where it is about the directory as a whole.
          type: str
          sample: gw4
        serial:
          description: Serial, if it is a key.
          type: int
          sample: 2
        seen_by:
          description: The gateways that show it, where it is about the directory as a whole.
          type: list
          elements: str
          sample: [gw1, gw2]
        what:
          description: Which record.
          type: str
          choices:
            - gateway
            - key
            - rotation
            - acknowledgement
            - two current keys
            - no current key
            - checkpoint
            - records
            - revision
            - signing keys
            - events
            - checkpoints
            - rolled back
            - two histories
            - another directory
          sample: key
peers:
  description:
    - >-
      For every gateway, what its peers have to store, as M(vpnops.keys.gateway_peers) takes it. A gateway that
      is in RV(directory.tampered) is not here, and the stored keys of it must not be changed.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the gateway.
      type: str
      sample: gw1
    platform:
      description: What runs its tunnels.
      type: str
      choices: [wireguard, strongswan]
      sample: wireguard
    identity:
      description: Its IKE identity.
      type: str
      sample: gw1.example.net
    endpoint:
      description: Its address for peers.
      type: str
      sample: 192.0.2.1:51820
    networks:
      description: The networks behind it.
      type: list
      elements: str
      sample: [10.79.1.0/24]
    revision:
      description: The number of its last change.
      type: int
      sample: 1
    current:
      description: Its key.
      type: str
      sample: YxSsUI72vaTJ/f04CB9vpGa3kXpyTsuuLLbnvzfVobE=
    staged:
      description: The key that it will have; null if there is none.
      type: str
      sample: q+qf3kodUukUGWU9nHYVaYACBGKZEe9Yxf7CzLCUCyI=
    previous:
      description: The key that it had, to be accepted until the rotation is retired; null if there is none.
      type: str
      sample:
    withdrawn:
      description: Whether no key of it may be accepted.
      type: bool
      sample: false
    known:
      description: All keys that it ever had, newest first. All of them that are not named above must be dropped.
      type: list
      elements: str
      sample: [q+qf3kodUukUGWU9nHYVaYACBGKZEe9Yxf7CzLCUCyI=, YxSsUI72vaTJ/f04CB9vpGa3kXpyTsuuLLbnvzfVobE=]
    serial:
      description: Serial of RV(peers[].current).
      type: int
      sample: 1
    staged_serial:
      description: Serial of RV(peers[].staged).
      type: int
      sample: 2
claimed:
  description: What gateways report about the directory and cannot prove, or what was reported too late.
  returned: success
  type: list
  elements: dict
  contains:
    gateway:
      description: Name of the gateway.
      type: str
      sample: gw4
    why:
      description: What it says, in a sentence.
      type: str
      sample: It keeps something that is not a checkpoint of a directory.
learned:
  description:
    - >-
      For every gateway that is neither revoked nor retired what it has acknowledged: all that it has to store
      of gateways of its platform whose V(revision) is V(upto) or lower, but for those in V(missing), and of
      those in V(also) what is newer.
    - All the rest is pending. A gateway without a key is nothing to store.
  returned: success
  type: dict
  sample:
    gw1: {upto: 2, also: [], missing: []}
    gw2: {upto: 2, also: [], missing: [gw1]}
# directory ends
all_keys:
  description: All keys that the gateways have ever had, newest first for each of them.
  returned: success
  type: list
  elements: dict
  contains:
    gateway:
      description: Name of the gateway.
      type: str
      sample: gw1
    serial:
      description: Number of the key. It only increases.
      type: int
      sample: 2
    algorithm:
      description: Algorithm of the key.
      type: str
      choices: [x25519, ed25519, rsa]
      sample: x25519
    public_key:
      description: The key, as in RV(directory.gateways).
      type: str
      sample: q+qf3kodUukUGWU9nHYVaYACBGKZEe9Yxf7CzLCUCyI=
    fingerprint:
      description: SHA-256 over the public key (DER SubjectPublicKeyInfo), in lower-case hex.
      type: str
      sample: 603c0457cad589efdd0df3e763e9fb4a4e44ee3b5dc9fa7432244d12ea886185
    state:
      description: Its state.
      type: str
      choices: [staged, current, retired, revoked]
      sample: current
    created_at:
      description: When it was recorded, in UTC.
      type: str
      sample: "2026-11-22T03:12:45Z"
    created_by:
      description: Who recorded it.
      type: str
      sample: alice
    reason:
      description: The reason, if one was given.
      type: str
      sample: yearly rotation
    revoked_at:
      description: Since when it is revoked, in UTC; null for a key that is not revoked.
      type: str
      sample:
rotations:
  description: All rotations, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Number of the rotation.
      type: int
      sample: 3
    gateway:
      description: Name of the gateway.
      type: str
      sample: gw1
    mode:
      description: Whether peers learned the new key before the old one was dropped.
      type: str
      choices: [planned, emergency]
      sample: planned
    strategy:
      description: How the gateway changes its key.
      type: str
      choices: [in_place, second_interface]
      sample: in_place
    state:
      description: How far it went.
      type: str
      choices: [prepared, staged, active, verified, retired, rolled_back]
      sample: retired
    old_serial:
      description: Serial of the key that is replaced.
      type: int
      sample: 1
    new_serial:
      description: Serial of the new key, once there is one.
      type: int
      sample: 2
    why:
      description: The reason, if one was given.
      type: str
      sample: yearly rotation
    begun_by:
      description: Who started it.
      type: str
      sample: alice
    begun_at:
      description: When, in UTC.
      type: str
      sample: "2026-11-22T03:12:45Z"
    lock_owner:
      description: The run that owns the lock of the rotation, or owned it last.
      type: dict
      sample: {host: ctl1, pid: 4711, run: "ctl1:4711:8812345", user: alice}
    ended_at:
      description: When it was retired or rolled back, in UTC; null while it is open.
      type: str
      sample: "2026-11-22T03:14:02Z"
events:
  description: What was done, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Number of the event. It only increases.
      type: int
      sample: 17
    # event, of docs/returned
    at:
      description: When, in UTC.
      type: str
      sample: "2026-11-22T03:12:45Z"
    by:
      description: Who.
      type: str
      sample: alice
    what:
      description: What.
      type: str
      sample: acknowledged
    gateway:
      description: The gateway that it is about.
      type: str
      sample: gw1
    peer:
      description: The gateway where it was done, if it is one.
      type: str
      sample: gw2
    outcome:
      description: How it ended.
      type: str
      sample: staged
    why:
      description: The reason, if one was given.
      type: str
      sample: yearly rotation
    details:
      description: Anything else.
      type: dict
      sample: {peers: [gw2], serial: 2}
    # event ends
code:
  description:
    - Error code, for programs. C(msg) is the same as a sentence.
    - The connection guide explains all of them.
  returned: failure, if it was found by this collection
  type: str
  sample: not_found
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vpnops.keys.plugins.module_utils._directory.options import (
    DIRECTORY_LIBRARIES,
    DIRECTORY_MUTUALLY_EXCLUSIVE,
    DIRECTORY_SPEC,
    finish,
)

from ..module_utils._directory import transaction

ARGUMENT_SPEC = dict(
    events_limit=dict(type="int", default=100), fail_on_tampered=dict(type="bool", default=False), **DIRECTORY_SPEC
)
LIBRARIES = DIRECTORY_LIBRARIES
MUTUALLY_EXCLUSIVE = DIRECTORY_MUTUALLY_EXCLUSIVE


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC, mutually_exclusive=MUTUALLY_EXCLUSIVE, supports_check_mode=True
    )
    finish(module, LIBRARIES, lambda: transaction.read(module.params))


if __name__ == "__main__":
    main()
