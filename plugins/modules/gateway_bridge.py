#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_bridge
short_description: Move the traffic of a WireGuard gateway to a second interface during a rotation
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - >-
    On one WireGuard interface, a change of the key causes a short outage. With a second interface, on which both
    ends already have the new keys, no traffic is lost. The second interface is removed afterwards and is never
    written to a file.
  - >-
    Existing routes are not changed. The networks of the peers are routed over the second interface with a separate
    routing table, which a rule selects before the main table.
  - >-
    A process on the gateway moves a peer's traffic back to the first interface if the peer does not answer on the
    second one. It removes the second interface after O(guard_timeout), even if the control node does not.
  - >-
    Firewall rules must allow the second interface, C(INTERFACEb), and its UDP port, O(port).
    O(vpnops.keys.gateway_info#module:second_port) checks this.
extends_documentation_fragment:
  - vpnops.keys._attributes
  - vpnops.keys._attributes.gateway
  - vpnops.keys._gateway
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the networks that go over the second interface.
  idempotent:
    support: full
options:
  state:
    description:
      - V(up) creates the second interface. It receives, but does not send yet.
      - >-
        V(carrying) waits a few seconds for the peers, and routes traffic over the second interface to those that
        answer. The others are in RV(left).
      - V(idle) routes traffic over the first interface again, while the second one still receives.
      - V(absent) removes the second interface.
      - All gateways must have finished one step before any gateway starts the next one.
      - With O(platform=strongswan) nothing is done.
    type: str
    choices: [up, carrying, idle, absent]
    required: true
  gateway:
    description: Name of this gateway. Needed with O(state=up).
    type: str
  changing:
    description:
      - Names of the gateways whose keys change. Needed with O(state=up).
      - On these gateways the second interface has all peers. On other gateways it has only these gateways.
    type: list
    elements: str
    default: []
  peers:
    description: >-
      The gateways that change, as RV(vpnops.keys.key_directory_info#module:peers) has them; on a gateway that changes
      itself, all peers. The traffic to a peer with an invalid value stays on the first interface.
    type: list
    elements: dict
    default: []
  port:
    description: The UDP port of the second interfaces, the same on all gateways, which firewalls must let through.
    type: int
    default: 51821
  guard_timeout:
    description: Seconds after O(state=up) when the second interface is removed automatically.
    type: float
    default: 180
seealso:
  - module: vpnops.keys.gateway_key
  - module: vpnops.keys.gateway_peers
"""

EXAMPLES = r"""
- name: Add a second interface, once all peers accept the new key of gw1
  vpnops.keys.gateway_bridge:
    state: up
    gateway: "{{ inventory_hostname }}"
    changing: [gw1]
    peers: "{{ known.peers }}"

- name: Send over it
  vpnops.keys.gateway_bridge:
    state: carrying

- name: Activate the new key while the second interface carries the traffic
  vpnops.keys.gateway_key:
    state: active
    confirm_timeout: 0
  when: inventory_hostname == 'gw1'

- name: Route traffic over the first interface
  vpnops.keys.gateway_bridge:
    state: idle

- name: Remove it
  vpnops.keys.gateway_bridge:
    state: absent
"""

RETURN = r"""
interface:
  description: The second interface.
  returned: success
  type: str
  sample: wg0b
carried:
  description: Names of the peers whose traffic uses the second interface. If the name is not known, the public key.
  returned: success
  type: list
  elements: str
left:
  description: >-
    Names of the peers whose traffic uses the first interface, although they are on the second one, too. With
    O(state=carrying) they did not answer in time, so they have a short outage when the key changes.
  returned: success
  type: list
  elements: str
diff:
  description: The networks that go over the second interface before and after.
  returned: success
  type: dict
  sample:
    before_header: networks over wg0b
    after_header: networks over wg0b
    before: ""
    after: |
      10.78.0.2/32
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
  sample: refused
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._gateway import entry, wanted
from ..module_utils._gateway.managed import Managed
from ..module_utils._gateway.wireguard import bridge as wg_bridge
from ..module_utils._gateway.wireguard import bridge_plan
from ..module_utils._gateway.wireguard.platform import WireGuard

ARGUMENT_SPEC = dict(
    **entry.GATEWAY_SPEC,
    state=dict(type="str", choices=["up", "carrying", "idle", "absent"], required=True),
    gateway=dict(type="str"),
    changing=dict(type="list", elements="str", default=[]),
    peers=dict(type="list", elements="dict", default=[]),
    port=dict(type="int", default=51821),
    guard_timeout=dict(type="float", default=180),
)


class Step(t.NamedTuple):
    """What a state asks for: whether it is there already, how to get there, and what is carried then if all goes well.

    `then` None: as before.
    """

    done: bool
    act: t.Callable[[], object]
    then: list[str] | None = None


def up(gateway: WireGuard, options: entry.Data) -> Step:
    entries = (peer for peer in options["peers"] if peer["name"] != options["gateway"] and usable(peer))
    peers, dummy = wanted.sort_out(entries, lambda peer: entry.key_option(peer.get("staged")))
    want = bridge_plan.wanted(gateway, options["gateway"], peers, options["changing"], options["port"])
    done = wg_bridge.is_up(gateway.interface, want)
    return Step(done, lambda: wg_bridge.up(gateway.interface, want, options["guard_timeout"]), None if done else [])


def carrying(gateway: WireGuard, options: entry.Data) -> Step:
    done = not wg_bridge.carried(gateway.interface).left
    return Step(done, lambda: wg_bridge.carry(gateway.interface), wg_bridge.planned(gateway.interface))


def idle(gateway: WireGuard, options: entry.Data) -> Step:
    done = not wg_bridge.carried(gateway.interface).there
    return Step(done, lambda: wg_bridge.idle(gateway.interface), [])


def absent(gateway: WireGuard, options: entry.Data) -> Step:
    return Step(wg_bridge.is_gone(gateway.interface), lambda: wg_bridge.down(gateway.interface), [])


STATES = {"up": up, "carrying": carrying, "idle": idle, "absent": absent}


def usable(peer: entry.Data) -> bool:
    return bool(peer.get("platform") == "wireguard" and peer.get("current") and not peer.get("withdrawn"))


def operate(module: AnsibleModule, gateway: Managed) -> entry.Data:
    options = module.params
    if not isinstance(gateway, WireGuard):
        return {"changed": False, "interface": "", "carried": [], "left": [], "diff": []}
    interface, state = gateway.interface, options["state"]
    before = wg_bridge.networks(interface)
    step = STATES[state](gateway, options)
    # Of what is done already, up has still to be given more time.
    if not module.check_mode and (not step.done or state == "up"):
        step.act()
    predicted = before if step.done or step.then is None else step.then
    result = wg_bridge.carried(interface)
    bridge = bridge_plan.name_of(interface)
    after = predicted if module.check_mode else wg_bridge.networks(interface)
    return {
        "changed": before != after if state in ("carrying", "idle") else not step.done,
        "interface": bridge,
        "carried": list(result.there),
        "left": list(result.left),
        "diff": {
            "before_header": f"networks over {bridge}",
            "after_header": f"networks over {bridge}",
            "before": lines(before),
            "after": lines(after),
        },
    }


def lines(networks: t.Iterable[str]) -> str:
    return "".join(f"{network}\n" for network in sorted(networks))


def main() -> None:
    entry.run(ARGUMENT_SPEC, operate, required_if=[("state", "up", ["gateway", "changing"])])


if __name__ == "__main__":
    main()
