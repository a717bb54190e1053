#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_key
short_description: Generate, activate and retire the own key of a VPN gateway
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    Rotates a gateway's own key, step by step. The private key is generated on the gateway and never leaves it;
    results have the public key.
  - >-
    With O(state=present) and O(state=staged) the gateway must prove that it has the private key of the public key
    that it reports; otherwise the task fails for it. This needs the library C(cryptography) on the control
    node.
  - >-
    Every step can be repeated after an interruption. A staged key is used again, and no other one is generated.
  - >-
    The playbook C(vpnops.keys.regenerate_gateway) runs these steps and the steps of the peers in the right order.
    Used alone, O(state=active) breaks the tunnel to every peer that does not store the new key yet.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.gateway
  - vpnops.keys._gateway
attributes:
  check_mode:
    support: full
    details: The new key is not known yet; RV(public_key) is null then.
  diff_mode:
    support: full
    details: Shows fingerprints.
  idempotent:
    support: full
options:
  state:
    description:
      - V(present) makes sure that the gateway has a key, and generates one if it has none.
      - V(staged) generates the next key, in addition to the one in use.
      - >-
        V(active) activates the next key. This runs detached from the session, because the session may go through the
        tunnel that changes. If V(confirmed) does not follow in time, the gateway rolls back to the old key
        automatically.
      - V(confirmed) makes the change final. It fails if the gateway has rolled back to the old key.
      - V(retired) destroys the old key. This cannot be undone.
      - V(rolled_back) rolls back to the old key, from any step before V(retired), and destroys the new one.
    type: str
    choices: [present, staged, active, confirmed, retired, rolled_back]
    default: present
  public_key:
    description:
      - The new key. For O(state=rolled_back) the old key.
      - A step that is already done with this key is not done again. Any other key is refused.
      - For O(state=staged), a key that was lost is replaced; the result has the staged key.
    type: str
  algorithm:
    description:
      - Algorithm of a new key. By default that of the key in use, or V(x25519) for WireGuard and V(ed25519) for
        strongSwan.
    type: str
    choices: [x25519, ed25519, rsa]
  bits:
    description: Size of a new RSA key.
    type: int
    default: 3072
  challenge:
    description:
      - Set by the collection itself, for O(state=present) and O(state=staged).
      - >-
        A challenge that only a gateway with the private key can answer. The task fails for a gateway that reports a
        key and does not answer: the key may belong to another gateway, whose tunnels it tries to take over.
    type: str
  confirm_timeout:
    description:
      - Seconds from O(state=active) after which the gateway rolls back to the old key if the change is not confirmed.
      - >-
        With V(0) the change is final at once: the gateway does not roll back, and does not wait for its peers.
    type: float
    default: 60
  begin_before:
    description:
      - Unix time, by the clock of the control node. After that the task fails without contacting the gateway.
      - >-
        If several gateways change their keys one after the other, the first ones are confirmed only when the last
        one has changed.
    type: float
seealso:
  - module: vpnops.keys.gateway_info
  - module: vpnops.keys.gateway_peers
"""

EXAMPLES = r"""
- name: Make sure that the gateway has a key
  vpnops.keys.gateway_key:
    platform: strongswan
    algorithm: ed25519
  register: own

- name: Generate the next key
  vpnops.keys.gateway_key:
    state: staged
  register: next_key

- name: Activate it, once the peers store it
  vpnops.keys.gateway_key:
    state: active
    public_key: "{{ next_key.public_key }}"
    confirm_timeout: 120

- name: Confirm it
  vpnops.keys.gateway_key:
    state: confirmed
    public_key: "{{ next_key.public_key }}"

- name: Destroy the old one
  vpnops.keys.gateway_key:
    state: retired
    public_key: "{{ next_key.public_key }}"
"""

RETURN = r"""
public_key:
  description: The key of this step, as one line of text. Null in check mode if it does not exist yet.
  returned: success
  type: str
fingerprint:
  description: SHA-256 over its DER SubjectPublicKeyInfo.
  returned: success
  type: str
algorithm:
  description: V(x25519), V(ed25519) or V(rsa).
  returned: success
  type: str
checkpoint:
  description: The newest checkpoint of the directory that the gateway was given; empty without one.
  returned: success
  type: str
diff:
  description: The keys before and after, by fingerprint.
  returned: success
  type: dict
  sample:
    before_header: own key
    after_header: own key
    before: |
      own: 2f8c2a5b4cf5
      next: none
    after: |
      own: 2f8c2a5b4cf5
      next: (new)
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
  sample: refused
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backends import BACKENDS
from ..module_utils._errors import NOTHING_CHANGED, VpnKeysError
from ..module_utils._fingerprint import short
from ..module_utils._gateway import change, detached, entry, seen
from ..module_utils._gateway.managed import Managed
from ..module_utils._gateway.platform import Observation
from ..module_utils._public_key import PublicKey

ARGUMENT_SPEC = dict(
    **entry.GATEWAY_SPEC,
    state=dict(
        type="str",
        choices=["present", "staged", "active", "confirmed", "retired", "rolled_back"],
        default="present",
    ),
    public_key=dict(type="str", no_log=False),
    algorithm=dict(type="str", choices=["x25519", "ed25519", "rsa"]),
    bits=dict(type="int", default=3072),
    challenge=dict(type="str"),
    confirm_timeout=dict(type="float", default=60),
    begin_before=dict(type="float"),
)


class Step(t.NamedTuple):
    """What a state asks for: whether it is there already, the keys it leads to, and how to get there."""

    done: bool
    own: PublicKey | None
    next: PublicKey | str | None
    act: t.Callable[[], PublicKey | None]


def in_use(observed: Observation) -> PublicKey | None:
    return observed.own.runtime or observed.own.file


def present(gateway: Managed, observed: Observation, options: entry.Data, wanted: PublicKey | None) -> Step:
    own = in_use(observed)
    return Step(own is not None, own, observed.pending, lambda: gateway.generate(*kind(observed, options)))


def staged(gateway: Managed, observed: Observation, options: entry.Data, wanted: PublicKey | None) -> Step:
    own = in_use(observed)
    if own is None:
        what = "This gateway has no key yet, so there is none to change"
        raise VpnKeysError("not_found", what, state=NOTHING_CHANGED, advice="enroll it first")
    if wanted is not None and wanted in (observed.own.file, observed.own.runtime):
        return Step(True, own, observed.pending, lambda: wanted)
    waiting = observed.pending
    return Step(waiting is not None, own, waiting or "(new)", lambda: gateway.stage(*kind(observed, options)))


def active(gateway: Managed, observed: Observation, options: entry.Data, wanted: PublicKey | None) -> Step:
    new = meant(observed, wanted)
    used = observed.own.runtime == new
    final = observed.own.file == new and observed.pending is None
    waiting = detached.running(f"change-{gateway.name}")

    def begin() -> PublicKey:
        change.begin(gateway.name, gateway, gateway.state, options["confirm_timeout"])
        change.await_swap(gateway.name, gateway.state)
        return new

    return Step(used and (final or waiting), new, None if final else observed.pending, begin)


def confirmed(gateway: Managed, observed: Observation, options: entry.Data, wanted: PublicKey | None) -> Step:
    new = meant(observed, wanted)

    def confirm() -> PublicKey:
        change.confirm(gateway.name, gateway, gateway.state)
        return new

    return Step(observed.own.file == new and observed.pending is None, new, None, confirm)


def retired(gateway: Managed, observed: Observation, options: entry.Data, wanted: PublicKey | None) -> Step:
    new = meant(observed, wanted)
    if observed.pending is not None or new not in (observed.own.file, observed.own.runtime):
        raise VpnKeysError(
            "refused", "The new key is not confirmed yet, so the old one is kept", state=NOTHING_CHANGED
        )

    def destroy() -> PublicKey:
        gateway.discard_previous()
        change.end(gateway.state)
        return new

    return Step(observed.previous is None and gateway.state.journal() is None, new, None, destroy)


def rolled_back(gateway: Managed, observed: Observation, options: entry.Data, wanted: PublicKey | None) -> Step:
    old = observed.previous or in_use(observed)
    if wanted is not None and old != wanted:
        raise VpnKeysError(
            "refused",
            f"The old key {short(wanted.fingerprint)} is not on this gateway any more, so it cannot roll back to it",
            state=NOTHING_CHANGED,
        )

    def restore() -> PublicKey | None:
        change.stop(gateway.name, gateway.state)
        gateway.restore()
        change.end(gateway.state)
        return old

    done = observed.pending is None and observed.previous is None and gateway.state.journal() is None
    return Step(done, old, None, restore)


STATES = {
    "present": present,
    "staged": staged,
    "active": active,
    "confirmed": confirmed,
    "retired": retired,
    "rolled_back": rolled_back,
}


def meant(observed: Observation, wanted: PublicKey | None) -> PublicKey:
    """The key that is being put into use: the one that waits, or the one that came into use already."""
    here = observed.pending or in_use(observed)
    if wanted is not None and wanted not in (observed.pending, observed.own.file, observed.own.runtime):
        raise VpnKeysError(
            "refused",
            f"The key {short(wanted.fingerprint)} is neither staged nor in use on this gateway; "
            f"{short(here.fingerprint) if here else 'no key'} is",
            state=NOTHING_CHANGED,
            advice="run the rotation again",
        )
    new = wanted or here
    if new is None:
        what = "This gateway has no key that could be used"
        raise VpnKeysError("not_found", what, state=NOTHING_CHANGED, advice="enroll it first")
    return new


def kind(observed: Observation, options: entry.Data) -> tuple[str, int]:
    """Algorithm and size of a key that is to be made."""
    own = in_use(observed)
    possible = BACKENDS[options["platform"]].algorithms
    algorithm = options["algorithm"] or (own.algorithm if own else possible[0])
    if algorithm not in possible:
        what, advice = f"{options['platform']} has no {algorithm} keys", f"set O(algorithm) to {' or '.join(possible)}"
        raise VpnKeysError("bad_input", what, state=NOTHING_CHANGED, advice=advice)
    return algorithm, options["bits"]


def operate(module: AnsibleModule, gateway: Managed) -> entry.Data:
    options = module.params
    observed = gateway.observe()
    step = STATES[options["state"]](gateway, observed, options, entry.key_option(options["public_key"]))
    known = step.next if isinstance(step.next, PublicKey) and options["state"] == "staged" else step.own
    key = None if isinstance(step.next, str) or known is None else known
    if not step.done and not module.check_mode:
        key = step.act()
    asked = options["challenge"]
    before = lines(in_use(observed), observed.pending)
    return {
        "changed": not step.done,
        "proof": gateway.prove(key, asked) if key and asked else "",
        "public_key": key and key.text,
        "fingerprint": key and key.fingerprint,
        "algorithm": key and key.algorithm,
        "checkpoint": seen.kept(gateway.state),
        "diff": {
            "before_header": "own key",
            "after_header": "own key",
            "before": before,
            "after": before if step.done else lines(step.own or "(new)", step.next),
        },
    }


def lines(own: PublicKey | str | None, next_key: PublicKey | str | None) -> str:
    def word(key: PublicKey | str | None) -> str:
        return key if isinstance(key, str) else short(key.fingerprint) if key else "none"

    return f"own: {word(own)}\nnext: {word(next_key)}\n"


def main() -> None:
    entry.run(ARGUMENT_SPEC, operate)


if __name__ == "__main__":
    main()
