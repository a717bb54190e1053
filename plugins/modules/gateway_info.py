#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_info
short_description: Show the keys in the files and in the running daemon of a VPN gateway
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Returns the gateway's own public key, the keys that it stores for its peers, and which of them the tunnels use.
    No private key is ever returned.
  - Files and the running daemon are read separately, so that a difference between them is found.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.info_module
  - vpnops.keys._attributes.gateway
  - vpnops.keys._gateway
options:
  preflight:
    description:
      - Also return what would prevent a rotation, as RV(obstacles).
      - Checks that the file systems are writable, with a file that is deleted at once.
    type: bool
    default: false
  second_port:
    description:
      - With O(preflight=true), also check what would prevent M(vpnops.keys.gateway_bridge) with this UDP port.
      - Ignored with O(platform=strongswan).
    type: int
  only:
    description:
      - Public keys to which RV(gateway.stored) and RV(gateway.tunnels) are limited.
      - In a large mesh a rotation needs only a few keys. By default all are returned.
    type: list
    elements: str
  expect:
    description:
      - >-
        Peers that change their key, as RV(vpnops.keys.key_directory_info#module:peers) has them. C(current) is the
        key in use, C(staged) the new key.
      - >-
        The module waits until each tunnel that is up with one of them is up with the new one, and until a change of
        the gateway's own key is finished, but not longer than O(wait_timeout).
    type: list
    elements: dict
    default: []
  wait_timeout:
    description: Seconds to wait for O(expect). A timeout is not an error; the result shows the state at that time.
    type: float
    default: 15
seealso:
  - module: vpnops.keys.gateway_key
  - module: vpnops.keys.gateway_peers
"""

EXAMPLES = r"""
- name: Read the keys of a WireGuard gateway
  vpnops.keys.gateway_info:
    platform: wireguard
    interface: wg0
  register: look

- name: The file and the running daemon have a key, the same
  ansible.builtin.assert:
    that:
      - look.gateway.own.file is mapping
      - look.gateway.own.file == look.gateway.own.runtime
"""

RETURN = r"""
gateway:
  description: What the gateway reports about its keys.
  returned: success
  type: dict
  contains:
    platform:
      description: As O(platform).
      type: str
      sample: wireguard
    backend:
      description: What sets up the WireGuard interface, as O(backend). Empty for O(platform=strongswan).
      type: str
      sample: wg-quick
    own:
      description: The gateway's own public key.
      type: dict
      contains:
        file: &key
          description: The key, null where there is none or it is not known.
          type: dict
          contains:
            public_key:
              description: One line, as WireGuard writes it, or base64 of the DER SubjectPublicKeyInfo.
              type: str
            fingerprint:
              description: SHA-256 over the DER SubjectPublicKeyInfo.
              type: str
            algorithm:
              description: V(x25519), V(ed25519) or V(rsa).
              type: str
            bits:
              description: Size of the key.
              type: int
        runtime: *key
    pending: *key
    previous: *key
    change:
      description: The last change of the own key that has not been finished, null if there is none.
      type: dict
      contains:
        step:
          description: V(activating), V(active), V(confirmed), V(rolled_back) or V(failed).
          type: str
        key:
          description: Fingerprint of the new key.
          type: str
        at:
          description: When the step was reached, in Unix seconds.
          type: float
        deadline:
          description: When the gateway rolls back to the old key unless the change is confirmed, in Unix seconds.
          type: float
        error:
          description: Why it failed, in one sentence; empty otherwise.
          type: str
        began:
          description: When V(activating) was reached, in Unix seconds.
          type: float
    stored:
      description: The keys stored for peers.
      type: list
      elements: dict
      contains:
        peer:
          description: The identity that the configuration gives to the peer, empty where it gives none.
          type: str
        public_key:
          description: The key.
          type: str
        fingerprint:
          description: SHA-256 over the DER SubjectPublicKeyInfo.
          type: str
        file:
          description: Its role in the file, V(current), V(staged), V(withdrawn) or null.
          type: str
        runtime:
          description: Its role in the running daemon.
          type: str
    tunnels:
      description: Live tunnels.
      type: list
      elements: dict
      contains:
        peer:
          description: As in RV(gateway.stored).
          type: str
        with_own:
          description: Fingerprint of the own key that provably authenticated it, null where that is not known.
          type: str
        with_peer:
          description: Fingerprint of the peer's key that provably authenticated it, null where that is not known.
          type: str
        age:
          description: Seconds since then.
          type: float
        proof:
          description: What shows it.
          type: str
          sample: handshake 12 s ago
        by:
          description: >-
            The latest time at which that can have happened, in Unix seconds by the clock of the gateway. Some daemons
            report whole seconds only.
          type: float
    blocked:
      description: >-
        Peers whose keys would be lost at the next start of the daemon. A change of their keys does not count on this
        gateway.
      type: list
      elements: dict
      contains:
        peer:
          description: As in RV(gateway.stored).
          type: str
        fingerprint:
          description: SHA-256 of a key by which the peer is known, null where there is none.
          type: str
        why:
          description: The reason, in sentences, with the file and the line.
          type: str
    at_restart:
      description: >-
        What the next start of the daemon would change for the peers that it has, in sentences. This includes
        differences between the files and the running daemon, and lines that cannot be interpreted.
      type: list
      elements: str
    fetched:
      description: What this gateway has fetched, see M(vpnops.keys.gateway_fetch). Null where it does not fetch.
      type: dict
      contains:
        number:
          description: Number of the newest publication that it has seen.
          type: int
        root:
          description: Its root (hex).
          type: str
        directory:
          description: Root (hex) of the directory's checkpoint of that number.
          type: str
        revision:
          description: Revision of the directory that was published.
          type: int
        stored:
          description: Whether all of it is stored.
          type: bool
        code:
          description: Error code of the last fetch, for programs. Empty if it succeeded.
          type: str
        msg:
          description: How the last fetch ended, in sentences.
          type: str
          sample: "Nothing new: number 41 is stored."
        expires:
          description: Until when the publication is valid, in Unix seconds.
          type: int
        at:
          description: When the last fetch was, in Unix seconds.
          type: int
        succeeded_at:
          description: When the last successful fetch was, in Unix seconds; 0 if there was none.
          type: int
checkpoint:
  description: The newest checkpoint of the directory that the gateway was given; empty without one.
  returned: success
  type: str
obstacles:
  description: What prevents a rotation, in sentences. Empty if nothing does.
  returned: if O(preflight=true)
  type: list
  elements: str
findings:
  description: >-
    What is wrong with the answer itself, in sentences, for example fields that no module of this collection returns.
    Normally empty. If it is not empty, the gateway may have been tampered with.
  returned: always
  type: list
  elements: str
spent:
  description: Seconds that the gateway took for its answer, without the time that the module itself had to wait.
  returned: always
  type: float
  sample: 1.4
code:
  description: Error code, for programs. C(msg) is the same as a sentence.
  returned: failure
  type: str
  sample: unreadable
"""

import os
import time
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import VpnKeysError
from ..module_utils._fetch import memory
from ..module_utils._gateway import detached, entry, peer_store, seen
from ..module_utils._gateway.managed import Managed
from ..module_utils._gateway.platform import Observation
from ..module_utils._gateway.state import ACTIVATING
from ..module_utils._gateway.wireguard import bridge as wg_bridge
from ..module_utils._gateway.wireguard.platform import WireGuard
from ..module_utils._printable import printable
from ..module_utils._public_key import parse

ARGUMENT_SPEC = dict(
    **entry.GATEWAY_SPEC,
    preflight=dict(type="bool", default=False),
    second_port=dict(type="int"),
    only=dict(type="list", elements="str"),
    expect=dict(type="list", elements="dict", default=[]),
    wait_timeout=dict(type="float", default=15),
)
FETCHED = ("number", "root", "directory", "revision", "stored", "code", "msg", "expires", "at", "succeeded_at")
POLL = 0.2
LONGEST = 450
"""Characters of a sentence about a line that an administrator wrote."""


def arrived(observed: Observation, expected: list[tuple[str, str]]) -> bool:
    """Whether every tunnel that is up by a key of a pair is up by the new one. Pairs are fingerprints, old and new.

    Where both are the same, the tunnel has to come up if the key is stored here at all.
    """
    proven = {tunnel.with_peer.fingerprint for tunnel in observed.tunnels if tunnel.with_peer}
    stored = {one.key.fingerprint for one in observed.stored if one.runtime}
    return all(new in proven or old not in (stored if old == new else proven) for old, new in expected)


def wait(gateway: Managed, expected: list[tuple[str, str]], within: float) -> Observation:
    """Look until what is expected is there, or the time is over."""
    end = time.monotonic() + within
    while True:
        journal = gateway.state.journal()
        observed = gateway.observe()
        changing = journal is not None and journal.step == ACTIVATING and detached.running(f"change-{gateway.name}")
        if (not changing and arrived(observed, expected)) or time.monotonic() > end:
            return observed
        time.sleep(POLL)


def operate(module: AnsibleModule, gateway: Managed) -> entry.Data:
    options = module.params
    expected = [
        (parse(peer["current"]).fingerprint, parse(peer.get("staged") or peer["current"]).fingerprint)
        for peer in options["expect"]
        if peer.get("current")
    ]
    observed = wait(gateway, expected, options["wait_timeout"]) if options["expect"] else gateway.observe()
    shown = to_result(options["platform"], gateway, observed, options["only"])
    result: entry.Data = {"changed": False, "gateway": shown, "checkpoint": seen.kept(gateway.state)}
    if options["preflight"]:
        result["obstacles"] = [printable(text, LONGEST) for text in gateway.obstacles(writing=True)]
        if options["second_port"] and isinstance(gateway, WireGuard):
            result["obstacles"] += wg_bridge.obstacles(gateway, options["second_port"])
    return result


def to_result(platform: str, gateway: Managed, observed: Observation, only: list[str] | None) -> entry.Data:
    wanted = None if only is None else {parse(text).fingerprint for text in only}
    journal = gateway.state.journal()
    tunnels = [
        {
            "peer": tunnel.peer,
            "with_own": tunnel.with_own and tunnel.with_own.fingerprint,
            "with_peer": tunnel.with_peer and tunnel.with_peer.fingerprint,
            "age": round(tunnel.age, 3),
            "proof": tunnel.proof,
            "by": round(tunnel.by, 3),
        }
        for tunnel in observed.tunnels
    ]
    return {
        "platform": platform,
        "backend": observed.backend,
        "own": {"file": entry.to_result(observed.own.file), "runtime": entry.to_result(observed.own.runtime)},
        "pending": entry.to_result(observed.pending),
        "previous": entry.to_result(observed.previous),
        "change": journal and asdict(journal),
        "stored": [
            {
                "peer": one.peer,
                "public_key": one.key.text,
                "fingerprint": one.key.fingerprint,
                "file": one.file,
                "runtime": one.runtime,
            }
            for one in observed.stored
            if wanted is None or one.key.fingerprint in wanted
        ],
        "tunnels": [one for one in tunnels if wanted is None or one["with_peer"] in wanted or one["with_peer"] is None],
        "blocked": [
            {"peer": one.peer, "fingerprint": one.key and one.key.fingerprint, "why": printable(one.why, LONGEST)}
            for one in observed.blocked
        ],
        "at_restart": [printable(text, LONGEST) for text in observed.at_restart],
        "fetched": fetched(),
    }


def fetched() -> entry.Data | None:
    """What it knows of publications, None where it does not fetch."""
    try:
        seen = memory.read() if os.path.exists(peer_store.CONFIG) else None
    except VpnKeysError as error:
        seen = memory.Seen(code=error.code, msg=str(error))
    return seen and {name: value for name, value in seen._asdict().items() if name in FETCHED}


def main() -> None:
    entry.run(ARGUMENT_SPEC, operate)


if __name__ == "__main__":
    main()
