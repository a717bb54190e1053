#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_peers
short_description: Store the public keys of peers on a VPN gateway
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - Stores the given keys of the given peers on a gateway, in its files and in the running daemon.
  - >-
    Only the given peers are changed. A peer that is not in O(peers) keeps its key. A key is dropped only for a peer
    with O(peers[].withdrawn=true).
  - >-
    Files keep their comments, order, owner and mode; only the keys change. The daemon is never restarted, and the
    tunnels to other peers stay up. Other routes are not replaced, and connections that are only in charon are not
    unloaded.
  - >-
    A peer with an invalid value, such as an endpoint with a line break in it, does not stop the others. It is
    skipped, and RV(refused) says why.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.gateway
  - vpnops.keys._gateway
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows fingerprints.
  idempotent:
    support: full
options:
  gateway:
    description: Name of this gateway in O(peers).
    type: str
    required: true
  peers:
    description: Peers and their keys, as RV(vpnops.keys.key_directory_info#module:peers) has them.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the peer.
        type: str
        required: true
      platform:
        description: The peer's platform. A gateway whose platform has another protocol than O(platform) is not a peer.
        type: str
        required: true
      identity:
        description: IKE identity of the peer. By default its name.
        type: str
      current:
        description: The key in use.
        type: str
      staged:
        description:
          - The next key, which is accepted in addition.
          - In check mode V((new)) means a key that does not exist yet.
        type: str
      withdrawn:
        description: No key of the peer is accepted any more.
        type: bool
        default: false
      previous:
        description: The key that was used before. It is stored only with O(accept_previous=true).
        type: str
      serial:
        description: Serial of O(peers[].current). It is not stored.
        type: int
      staged_serial:
        description: Serial of O(peers[].staged). It is not stored.
        type: int
      revision:
        description: Revision of the directory at which this entry changed last. It is not stored.
        type: int
      known:
        description: All keys that the peer ever had. Its entries are found by them.
        type: list
        elements: str
        default: []
      endpoint:
        description:
          - The endpoint of the peer.
          - Together with O(peers[].networks), an entry is added if there is none yet.
        type: str
      networks:
        description: The networks behind the peer.
        type: list
        elements: str
        default: []
  revision:
    description:
      - >-
        The revision of the directory, as RV(vpnops.keys.key_directory_info#module:directory.revision) has it, if
        O(peers) contains everything that is pending for this gateway. It then acknowledges one number, RV(learned).
      - Do not set it if O(peers) contains only a part of that.
    type: int
  accept_previous:
    description:
      - For peers without O(peers[].staged), also accept O(peers[].previous).
      - This prepares a rollback to the old key.
    type: bool
    default: false
  follow_seconds:
    description:
      - Seconds during which traffic to a peer with a staged key automatically follows the key that the peer uses.
      - In WireGuard a network belongs to one key only, so this keeps the outage short.
    type: float
    default: 0
  fetch_timeout:
    description:
      - >-
        Store nothing, but let the gateway fetch it as M(vpnops.keys.gateway_fetch) has set it up: start that at once,
        and wait at most this number of seconds until O(peers) are stored.
      - >-
        What has not arrived then is in RV(refused). So the gateway acknowledges what it has fetched, and shows that
        the publication reaches it.
      - Check mode predicts what would be stored.
    type: float
  checkpoint:
    description:
      - >-
        The signed checkpoint of the directory, RV(vpnops.keys.key_directory_info#module:directory.checkpoint), that
        O(peers) are of. The gateway keeps the newest one, so that an older state of the directory is detected later.
    type: str
  require_newest:
    description: Store nothing if the gateway has keys of a newer state, or of another directory.
    type: bool
    default: false
seealso:
  - module: vpnops.keys.gateway_key
  - module: vpnops.keys.key_directory_info
"""

EXAMPLES = r"""
- name: Read the directory
  vpnops.keys.key_directory_info:
  delegate_to: localhost
  run_once: true
  register: known

- name: Store the current keys of all other gateways
  vpnops.keys.gateway_peers:
    gateway: "{{ inventory_hostname }}"
    peers: "{{ known.peers }}"
"""

RETURN = r"""
stored:
  description:
    - >-
      Which of the given keys this gateway stores now. M(vpnops.keys.key_directory) takes the whole result, by host.
    - In check mode, what it would store. Empty if RV(learned) is set.
  returned: success
  type: list
  elements: dict
  contains:
    gateway:
      description: Name of the peer whose key it is.
      type: str
    public_key:
      description: The key, null for V(withdrawn).
      type: str
    role:
      description: V(current), V(staged) or V(withdrawn).
      type: str
learned:
  description: O(revision), if all of O(peers) is stored; null otherwise.
  returned: success
  type: int
neighbors:
  description: Names of the given peers for which this gateway has an entry. For the others nothing had to be stored.
  returned: success
  type: list
  elements: str
refused:
  description:
    - >-
      The given peers that were excluded, because what was given of them cannot be used or this gateway cannot store it,
      and those whose keys would be lost at the next start of the daemon. The latter have their keys in the running
      daemon. All others are stored. They are not in RV(stored), so they stay pending.
    - >-
      A peer with O(peers[].withdrawn=true) is withdrawn even then, as far as its keys and its identity are known; its
      endpoint and its networks do not matter.
  returned: success
  type: list
  elements: dict
  contains:
    gateway:
      description: Name of the peer.
      type: str
    why:
      description: The reason, in sentences.
      type: str
checkpoint:
  description: The checkpoint that the gateway kept before, as it was given to it; empty without one.
  returned: success
  type: str
diff:
  description: The stored keys before and after, by fingerprint.
  returned: success
  type: dict
  sample:
    before_header: keys of peers
    after_header: keys of peers
    before: |
      gw1: current 2f8c2a5b4cf5
    after: |
      gw1: current 2f8c2a5b4cf5
      gw1: staged 90ce41c5b3a1
findings:
  description: >-
    What is wrong with the answer itself, in sentences, for example fields that no module of this collection returns.
    Normally empty. If it is not empty, the gateway may have been tampered with.
  returned: always
  type: list
  elements: str
code:
  description: Error code, for programs. C(msg) is the same as a sentence.
  returned: failure
  type: str
  sample: unreadable
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backends import BACKENDS, protocol
from ..module_utils._gateway import by_fetch, entry, peer_store, seen, wanted
from ..module_utils._gateway.managed import Managed
from ..module_utils._gateway.platform import PeerChange, WantedPeer
from ..module_utils._public_key import ED25519_PREFIX, X25519_PREFIX, PublicKey, from_der

ARGUMENT_SPEC = dict(
    **entry.GATEWAY_SPEC,
    gateway=dict(type="str", required=True),
    peers=dict(
        type="list",
        elements="dict",
        required=True,
        options=dict(
            name=dict(type="str", required=True),
            platform=dict(type="str", required=True),
            identity=dict(type="str"),
            current=dict(type="str"),
            staged=dict(type="str"),
            withdrawn=dict(type="bool", default=False),
            previous=dict(type="str"),
            serial=dict(type="int"),
            staged_serial=dict(type="int"),
            revision=dict(type="int"),
            known=dict(type="list", elements="str", default=[]),
            endpoint=dict(type="str"),
            networks=dict(type="list", elements="str", default=[]),
        ),
    ),
    revision=dict(type="int"),
    accept_previous=dict(type="bool", default=False),
    follow_seconds=dict(type="float", default=0),
    fetch_timeout=dict(type="float"),
    checkpoint=dict(type="str"),
    require_newest=dict(type="bool", default=False),
)
NEW = "(new)"
# By algorithm, what stands for a key that is still to be made, in check mode. Nobody holds its private half.
NOT_YET = {
    "x25519": from_der(X25519_PREFIX + b"vpnops.keys: a key not made yet."),
    "ed25519": from_der(ED25519_PREFIX + b"vpnops.keys: a key not made yet."),
}


def beside(peer: Mapping[str, Any], options: entry.Data, check: bool) -> PublicKey | None:
    """The key that is accepted beside the current one."""
    text = peer["staged"] or (peer["previous"] if options["accept_previous"] else None)
    if text == NEW and check:
        return NOT_YET[BACKENDS[options["platform"]].algorithms[0]]
    return entry.key_option(text)


def held(peer: WantedPeer) -> list[entry.Data]:
    """What is stored of a peer now. A key that is still to be made is not."""
    keys = {"withdrawn": None} if peer.current is None else {"current": peer.current, "staged": peer.staged}
    return [
        {"gateway": peer.name, "public_key": key and key.text, "role": role}
        for role, key in keys.items()
        if role != "staged" or (key is not None and key not in NOT_YET.values())
    ]


def lines(changes: Iterable[PeerChange], which: str) -> str:
    text = "".join(f"{change.name}: {key}\n" for change in changes for key in getattr(change, which))
    for placeholder in NOT_YET.values():
        text = text.replace(placeholder.fingerprint, NEW)
    return text


def store(gateway: Managed, peers: list[WantedPeer], options: entry.Data, write: bool) -> list[PeerChange]:
    if write and options["fetch_timeout"] is not None:
        return by_fetch.wait(gateway, peers, options["fetch_timeout"])
    if not write:
        return peer_store.store(gateway, peers, options["follow_seconds"], write)
    with peer_store.locked(gateway.name):
        changes = peer_store.store(gateway, peers, options["follow_seconds"], write)
        revisions = [one.get("revision") for one in (options, *options["peers"])]
        peer_store.note(gateway, revisions, options["accept_previous"])
    return changes


def operate(module: AnsibleModule, gateway: Managed) -> entry.Data:
    options = module.params
    before = seen.kept(gateway.state)
    if options["require_newest"]:
        seen.refuse_older(gateway.state, options["checkpoint"])
    others = [peer for peer in options["peers"] if peer["name"] != options["gateway"]]
    peers, refusals = wanted.sort_out(others, lambda peer: beside(peer, options, module.check_mode))
    other_platform = {peer["name"] for peer in others if protocol(peer["platform"]) != protocol(options["platform"])}
    mine = [peer for peer in peers if peer.name not in other_platform]
    changes = store(gateway, mine, options, not module.check_mode)
    refusals += [wanted.Refusal(change.name, change.refused) for change in changes if change.refused]
    refused = {refusal.gateway for refusal in refusals}
    if not module.check_mode and options["fetch_timeout"] is None:
        seen.keep(gateway.state, options["checkpoint"])
    return {
        "checkpoint": before,
        "changed": any(change.changed for change in changes),
        "stored": [entry for peer in peers if peer.name not in refused for entry in held(peer)],
        "refused": [refusal._asdict() for refusal in refusals],
        "neighbors": [change.name for change in changes if change.neighbor],
        "diff": {
            "before_header": "keys of peers",
            "after_header": "keys of peers",
            "before": lines(changes, "before"),
            "after": lines(changes, "after"),
        },
    }


def main() -> None:
    entry.run(ARGUMENT_SPEC, operate)


if __name__ == "__main__":
    main()
