#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: key_directory
short_description: Manage the directory of the gateways' public keys
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    The directory records the public key of each gateway. It also records the earlier keys, which peers have stored
    them, and the state of each rotation.
  - >-
    One task does one step for any number of gateways, in one transaction. Two control nodes can write at the same
    time.
  - >-
    Every record is signed with the directory's own Ed25519 key, and a checkpoint signs all of them together. A
    record that was manipulated, removed or restored is in RV(directory.tampered). It is not sent to gateways, and no
    step is possible for its gateway. If the gateway cannot be determined, no step is possible at all.
  - The directory never contains a private key of a gateway.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.directory
  - vpnops.keys._directory
  - vpnops.keys._directory.only
attributes:
  check_mode:
    support: full
    details: >-
      The step is done in a transaction that is rolled back. A key that does not exist yet may be left out of
      O(keys[].public_key) then, and is shown as C((new)), with the serial that it will get.
  diff_mode:
    support: full
    details: Shows fingerprints, never the keys themselves.
  idempotent:
    support: partial
    details: With O(state=rekeyed) every run makes a new key, and O(events) are added by every run.
  action:
    support: partial
    details: >-
      The action plugin sets the user of the task (O(by), O(lock_owner)), accepts a plain list of names in O(gateways),
      and makes sure that no option is written to a file.
options:
  state:
    description:
      - V(present) creates or upgrades the directory and enrolls O(gateways).
      - V(prepared) starts a rotation of the keys of O(gateways), or resumes the open one.
      - >-
        V(staged) records new O(keys). With O(gateways) it also brings the rotations of those gateways from V(prepared)
        to V(staged), if enough peers have stored the new key (O(minimum_share)).
      - >-
        V(active) makes the new keys of O(gateways) the current ones. Peers must accept the old ones until V(retired).
      - V(verified) records that the tunnels of O(gateways) use the new keys.
      - V(retired) ends the rotations of O(gateways); peers must drop the old keys.
      - >-
        V(rolled_back) ends the rotations of O(gateways) without retiring the old keys, which are current again. The new
        keys are revoked and never used again.
      - >-
        V(revoked) revokes the keys of O(gateways), except the new one of an open rotation. Peers must drop them at
        once.
      - >-
        V(gateway_retired) retires O(gateways) that are not needed any more. Peers must drop their keys; their history
        stays.
      - >-
        V(renamed) gives O(gateways) their O(gateways[].new_name). Keys, serials and history stay. A gateway without an
        identity keeps its old name as its identity. Rename it in the inventory as well.
      - >-
        V(purged) deletes the records of gateways that were retired O(older_than_days) ago and that every peer has
        dropped: of O(gateways), or of all if they are not set. The events about them stay.
      - >-
        V(rekeyed) replaces the directory's own key and signs all records again. With O(signing_key_url) by the newest
        version of that key, so rotate it in the transit engine first.
      - >-
        V(moved) moves the directory to the empty database O(to_url), with its number, serials, history and signatures,
        and verifies that they are the same. The former database is no longer a directory. The signing key and the
        witness file stay where they are, so set O(signing_key_path) from then on if it was not set.
      - >-
        V(backed_up) copies the directory to the file O(path), an SQLite database. The signing key is not in it: keep
        that in another place.
      - >-
        V(restored) copies such a file to an empty database. A backup that is older than what this control node has seen
        (O(witness_path)) is refused unless O(confirm) accepts it. The directory then assumes that the peers have stored
        nothing, so everything is sent to them again.
      - >-
        A rotation goes through the states in this order and never back. Setting the state that it already has
        changes nothing. With O(mode=emergency) V(staged) and V(verified) can be left out.
    type: str
    choices:
      - present
      - prepared
      - staged
      - active
      - verified
      - retired
      - rolled_back
      - revoked
      - gateway_retired
      - renamed
      - purged
      - rekeyed
      - moved
      - backed_up
      - restored
    default: present
  gateways:
    description:
      - The gateways that the step is for.
      - For all but O(state=present) the name is enough, and a plain list of names is taken as well.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the gateway in the inventory.
        type: str
        required: true
      platform:
        description: >-
          What runs its tunnels. Needed when it is enrolled. Gateways whose platforms have the same protocol are peers.
        type: str
        choices: [wireguard, strongswan]
      algorithm:
        description: >-
          Algorithm of its next key. The default is that of O(gateways[].public_key), or V(x25519) for WireGuard and
          V(ed25519) for strongSwan.
        type: str
        choices: [x25519, ed25519, rsa]
      identity:
        description: Its IKE identity.
        type: str
      endpoint:
        description: Its address for peers, as C(host:port) for WireGuard.
        type: str
      networks:
        description: The networks behind it.
        type: list
        elements: str
      public_key:
        description:
          - >-
            The key that it has now: WireGuard's base64, or PEM, or base64 of the DER SubjectPublicKeyInfo. It becomes
            serial 1.
          - If the directory has another one, the task fails unless O(adopt) is set.
        type: str
      new_name:
        description: The name that it is given with O(state=renamed).
        type: str
  keys:
    description: New public keys, for O(state=staged).
    type: list
    elements: dict
    suboptions:
      gateway:
        description: Name of the gateway.
        type: str
        required: true
      public_key:
        description: Its new key. It can be left out in check mode only.
        type: str
  acknowledgements:
    description:
      - >-
        What peers have stored. Possible with every state but V(rekeyed), V(moved), V(backed_up) and V(restored); so are
        O(learned) and O(events).
      - >-
        What cannot be trusted is ignored and reported in RV(ignored). An acknowledgement is used for its peer only,
        and does not change the state of a rotation.
    type: list
    elements: dict
    suboptions:
      peer:
        description: Name of the gateway that stores the key.
        type: str
        required: true
      gateway:
        description: Name of the gateway whose key it is.
        type: str
        required: true
      role:
        description:
          - V(current) if it is the only key that the peer accepts.
          - V(staged) if the one before or after is accepted as well.
          - V(withdrawn) if no key of the gateway is accepted any more.
        type: str
        choices: [current, staged, withdrawn]
        required: true
      public_key:
        description: The key.
        type: str
      serial:
        description: Its serial, instead of the key. Without either it is the newest key.
        type: int
  answers:
    description:
      - Results of M(vpnops.keys.gateway_peers) by host, as P(vpnops.keys.by_host#filter) collects them.
      - >-
        They are read strictly on the control node, as O(acknowledgements) and O(learned). Who acknowledges is the host
        that answered, whatever its result says.
    type: dict
  enrolled:
    description:
      - Results of M(vpnops.keys.gateway_key) by host. Each host that answered is enrolled with the key that it shows.
      - All else about it comes from O(inventory). Implies O(skip_refused=true).
    type: dict
  inventory:
    description: By host, the O(gateways[].platform), O(gateways[].endpoint) and so on of O(enrolled) gateways.
    type: dict
  staged:
    description: >-
      Results of M(vpnops.keys.gateway_key) by host, which are read strictly as O(keys). Implies O(skip_refused=true).
    type: dict
  skip_refused:
    description:
      - >-
        Exclude and name in RV(refused) the gateways of O(gateways) (with O(state=present) and O(state=staged)) and
        O(keys) that cannot be recorded as asked, and record the others. By default one that is refused ends the task,
        and nothing is changed.
      - Of gateways that show the same key none is recorded.
    type: bool
    default: false
  learned:
    description:
      - >-
        Peers that have stored all of RV(peers) as it was returned at a revision of the directory
        (RV(directory.revision)). This stands for one of O(acknowledgements) for each gateway.
    type: list
    elements: dict
    suboptions:
      peer:
        description: Name of the gateway that stores them.
        type: str
        required: true
      revision:
        description: The revision.
        type: int
        required: true
  events:
    description: Events to record beside those of the step itself.
    type: list
    elements: dict
    suboptions:
      what:
        description: What was done.
        type: str
        required: true
      gateway:
        description: Name of the gateway that it is about.
        type: str
      peer:
        description: Name of the gateway where it was done.
        type: str
      outcome:
        description: How it ended.
        type: str
      why:
        description: Why, if not for O(why).
        type: str
      details:
        description: Anything else. Nothing secret.
        type: dict
  adopt:
    description: If a gateway reports another key than the directory has, record the reported key.
    type: bool
    default: false
  repair:
    description:
      - >-
        Sign new records for gateways that were tampered with, from O(gateways) only.
        O(gateways[].public_key) is needed; what was tampered with is revoked.
      - Read the key from the gateway itself, not from a peer or the directory.
      - >-
        If the directory as a whole cannot be trusted, the task fails, and says what would be accepted as it is and
        which O(confirm) accepts it. It then assumes that the peers have stored nothing, so everything is sent to them
        again.
    type: bool
    default: false
  confirm:
    description: >-
      With O(repair), accept the directory as a whole as it is now. The value is the one that O(repair) without it says;
      it is another one as soon as anything changes. With O(state=restored), accept that backup.
    type: str
  lost:
    description: With O(state=revoked), revoke the gateways themselves. No key of them is ever accepted again.
    type: bool
    default: false
  mode:
    description:
      - Whether a rotation lets the peers learn the new key first, or drop the old one first.
      - An open planned rotation becomes an emergency when it is prepared again with V(emergency).
    type: str
    choices: [planned, emergency]
    default: planned
  strategy:
    description: How the gateway changes its key. Recorded with the rotation.
    type: str
    choices: [in_place, second_interface]
    default: in_place
  minimum_share:
    description: Percentage of its peers that must have stored the new key of a gateway before its rotation is staged.
    type: int
    default: 100
  fetching:
    description:
      - >-
        Peers that fetch the new keys by themselves (M(vpnops.keys.gateway_fetch)) and have had the time to do it. With
        O(state=staged) they count in O(minimum_share) as if they had acknowledged the new key.
      - >-
        Nothing is recorded as stored by them: they stay in RV(learned) as they are, and an event says that they were
        counted.
    type: list
    elements: str
  take_over:
    description: Take over a rotation that another run has locked. Only if that run is known to have ended.
    type: bool
    default: false
  lease:
    description: >-
      Seconds after the last step of a run during which no other run may continue its rotation, unless its process has
      ended.
    type: int
    default: 120
  by:
    description: Who does it. The default is the user that started the job in AWX, or else the user of the control node.
    type: str
  why:
    description: Why.
    type: str
  lock_owner:
    description: The run that owns the lock of the rotation. Filled in by the action plugin.
    type: dict
  older_than_days:
    description: With O(state=purged), for how many days a gateway must have been retired.
    type: int
    default: 365
  to_url:
    description: With O(state=moved), the empty database that the directory moves to. As O(url).
    type: str
  path:
    description: With O(state=backed_up) and O(state=restored), the file of the backup.
    type: path
  new_signing_key:
    description: The next key of the directory, for O(state=rekeyed), as O(signing_key).
    type: str
  new_signing_key_url:
    description:
      - >-
        The next key of the directory, for O(state=rekeyed), as O(signing_key_url). It moves the signing key into a
        transit engine: set O(signing_key_url) from then on, and destroy the file of the former key.
    type: str
seealso:
  - module: vpnops.keys.key_directory_info
"""

EXAMPLES = r"""
- name: Enroll two gateways with the keys that they have
  vpnops.keys.key_directory:
    gateways:
      - name: gw1
        platform: wireguard
        endpoint: 192.0.2.1:51820
        networks: [10.79.1.0/24]
        public_key: YxSsUI72vaTJ/f04CB9vpGa3kXpyTsuuLLbnvzfVobE=
      - name: gw2
        platform: wireguard
        endpoint: 192.0.2.2:51820
        networks: [10.79.2.0/24]
        public_key: d3sy+HcCZ3AH8Fdw4y0CoKTii86HWK8NoRbHHsgLJvM=
  delegate_to: localhost
  run_once: true

- name: Rotate the key of one of them
  module_defaults:
    group/vpnops.keys.directory:
      url: sqlite:////var/lib/vpnops/directory.db
  delegate_to: localhost
  run_once: true
  block:
    - name: Start the rotation
      vpnops.keys.key_directory:
        state: prepared
        gateways:
          - name: gw1
        why: yearly rotation

    - name: Record its new key
      vpnops.keys.key_directory:
        state: staged
        keys:
          - gateway: gw1
            public_key: q+qf3kodUukUGWU9nHYVaYACBGKZEe9Yxf7CzLCUCyI=
      register: staged

    - name: Record that the peer accepts it
      vpnops.keys.key_directory:
        state: staged
        gateways:
          - name: gw1
        acknowledgements:
          - peer: gw2
            gateway: gw1
            serial: 2
            role: staged

    - name: Record that gw1 uses it
      vpnops.keys.key_directory:
        state: active
        gateways:
          - name: gw1

- name: Revoke a gateway that was stolen
  vpnops.keys.key_directory:
    state: revoked
    lost: true
    gateways:
      - name: gw3
    why: stolen
  delegate_to: localhost
  run_once: true

- name: Retire a gateway that is not needed any more
  vpnops.keys.key_directory:
    state: gateway_retired
    gateways:
      - name: gw2
    why: site closed
  delegate_to: localhost
  run_once: true

- name: Rename a gateway
  vpnops.keys.key_directory:
    state: renamed
    gateways:
      - name: gw1
        new_name: berlin1
  delegate_to: localhost
  run_once: true

- name: Move the directory to PostgreSQL
  vpnops.keys.key_directory:
    state: moved
    url: sqlite:////var/lib/vpnops/directory.db
    signing_key_path: /var/lib/vpnops/directory.db.key
    to_url: postgresql://vpnops:{{ password }}@db.example.net/vpnops
  delegate_to: localhost
  run_once: true

- name: Keep a backup
  vpnops.keys.key_directory:
    state: backed_up
    path: /var/backups/vpnops/directory.{{ now().date() }}.db
  delegate_to: localhost
  run_once: true

- name: Replace the directory's own key
  vpnops.keys.key_directory:
    state: rekeyed
  delegate_to: localhost
  run_once: true

- name: Let a transit engine sign, so that the key is in no file
  vpnops.keys.key_directory:
    state: rekeyed
    new_signing_key_url: vault://transit/keys/vpn-directory
  delegate_to: localhost
  run_once: true
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
refused:
  description: Gateways that were excluded with O(skip_refused=true).
  returned: success
  type: list
  elements: dict
  contains:
    gateway:
      description: Its name.
      type: str
    code:
      description: Error code, for programs.
      type: str
      sample: duplicate_key
    why:
      description: The same as a sentence for people.
      type: str
ignored:
  description: Acknowledgements that could not be trusted. They were not recorded.
  returned: success
  type: list
  elements: dict
  contains:
    peer:
      description: The gateway that is reported to have stored it.
      type: str
      sample: gw2
    gateway:
      description: The gateway whose key it is reported to be; null if it is not about one.
      type: str
      sample: gw9
    why:
      description: Why it is not trusted.
      type: str
      sample: The directory has no gateway gw9.
events:
  description: The events that were recorded.
  returned: success
  type: list
  elements: dict
  contains:
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
path:
  description: The file of the backup.
  returned: with O(state=backed_up)
  type: str
  sample: /var/backups/vpnops/directory.2026-11-22.db
diff:
  description: Gateways, keys and acknowledgements before and after, keys by fingerprint.
  returned: in diff mode
  type: dict
  sample:
    before: |
      gw1: wireguard, 192.0.2.1:51820, 10.79.1.0/24
        serial 1 current: 3985dd38ef07936a78b51b47b7ff7f9c6d2aec600c35a3a4f61b3d1be504a80a
    after: |
      gw1: wireguard, 192.0.2.1:51820, 10.79.1.0/24, rotation prepared (planned)
        serial 1 current: 3985dd38ef07936a78b51b47b7ff7f9c6d2aec600c35a3a4f61b3d1be504a80a
code:
  description:
    - Error code, for programs. C(msg) is the same as a sentence.
    - The connection guide explains all of them.
  returned: failure, if it was found by this collection
  type: str
  sample: held
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vpnops.keys.plugins.module_utils._directory.options import (
    DIRECTORY_LIBRARIES,
    DIRECTORY_MUTUALLY_EXCLUSIVE,
    DIRECTORY_SPEC,
    finish,
)

from ..module_utils._backends import BACKENDS
from ..module_utils._directory import transfer

ARGUMENT_SPEC = dict(
    state=dict(
        type="str",
        choices=[
            "present",
            "prepared",
            "staged",
            "active",
            "verified",
            "retired",
            "rolled_back",
            "revoked",
            "gateway_retired",
            "renamed",
            "purged",
            "rekeyed",
            "moved",
            "backed_up",
            "restored",
        ],
        default="present",
    ),
    gateways=dict(
        type="list",
        elements="dict",
        options=dict(
            name=dict(type="str", required=True),
            platform=dict(type="str", choices=list(BACKENDS)),
            algorithm=dict(type="str", choices=["x25519", "ed25519", "rsa"]),
            identity=dict(type="str"),
            endpoint=dict(type="str"),
            networks=dict(type="list", elements="str"),
            public_key=dict(type="str", no_log=False),
            new_name=dict(type="str"),
        ),
    ),
    keys=dict(
        type="list",
        elements="dict",
        no_log=False,
        options=dict(
            gateway=dict(type="str", required=True),
            public_key=dict(type="str", no_log=False),
        ),
    ),
    acknowledgements=dict(
        type="list",
        elements="dict",
        options=dict(
            peer=dict(type="str", required=True),
            gateway=dict(type="str", required=True),
            role=dict(type="str", choices=["current", "staged", "withdrawn"], required=True),
            public_key=dict(type="str", no_log=False),
            serial=dict(type="int"),
        ),
    ),
    learned=dict(
        type="list",
        elements="dict",
        options=dict(
            peer=dict(type="str", required=True),
            revision=dict(type="int", required=True),
        ),
    ),
    events=dict(
        type="list",
        elements="dict",
        options=dict(
            what=dict(type="str", required=True),
            gateway=dict(type="str"),
            peer=dict(type="str"),
            outcome=dict(type="str"),
            why=dict(type="str"),
            details=dict(type="dict"),
        ),
    ),
    adopt=dict(type="bool", default=False),
    repair=dict(type="bool", default=False),
    confirm=dict(type="str"),
    lost=dict(type="bool", default=False),
    mode=dict(type="str", choices=["planned", "emergency"], default="planned"),
    strategy=dict(type="str", choices=["in_place", "second_interface"], default="in_place"),
    minimum_share=dict(type="int", default=100),
    fetching=dict(type="list", elements="str"),
    skip_refused=dict(type="bool", default=False),
    answers=dict(type="dict"),
    enrolled=dict(type="dict"),
    inventory=dict(type="dict"),
    staged=dict(type="dict"),
    take_over=dict(type="bool", default=False),
    lease=dict(type="int", default=120),
    by=dict(type="str"),
    why=dict(type="str"),
    lock_owner=dict(type="dict"),
    older_than_days=dict(type="int", default=365),
    to_url=dict(type="str", no_log=True),
    path=dict(type="path"),
    new_signing_key=dict(type="str", no_log=True),
    new_signing_key_url=dict(type="str", no_log=False),
    **DIRECTORY_SPEC,
)
LIBRARIES = DIRECTORY_LIBRARIES
MUTUALLY_EXCLUSIVE = DIRECTORY_MUTUALLY_EXCLUSIVE


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC, mutually_exclusive=MUTUALLY_EXCLUSIVE, supports_check_mode=True
    )
    finish(module, LIBRARIES, lambda: transfer.write(module.params, module.check_mode, module._diff))


if __name__ == "__main__":
    main()
