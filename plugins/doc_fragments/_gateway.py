# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the gateway modules. PRIVATE to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  platform:
    description:
      - The VPN daemon of the gateway.
      - V(wireguard) is an interface that C(wg-quick), C(systemd-networkd) or C(NetworkManager) sets up, see O(backend).
      - V(strongswan) is C(charon) with C(swanctl) and raw public keys, Ed25519 or RSA.
    type: str
    choices: [wireguard, strongswan]
    default: wireguard
  interface:
    description: The WireGuard interface.
    type: str
    default: wg0
  backend:
    description:
      - What sets up the WireGuard interface, so that its keys are stored in the files that the next start reads.
      - >-
        With V(detect), the files of the gateway show it: C(/etc/wireguard/INTERFACE.conf) of V(wg-quick); if that does
        not exist, the C(.netdev) file of V(systemd-networkd) that names the interface; if there is none, the profile
        (C(.nmconnection)) of V(NetworkManager) that names it. If there are files of several, changes are not
        acknowledged.
      - >-
        With another value, the files of that one are used, and those of the others are ignored unless they are used at
        a boot. If it does not set up the interface, the gateway is refused.
    type: str
    choices: [detect, wg-quick, systemd-networkd, NetworkManager]
    default: detect
  identity:
    description:
      - The IKE identity of the gateway, for O(platform=strongswan).
      - Connections with another local identity are ignored. By default all connections are managed.
    type: str
    default: ""
  timeout:
    description:
      - >-
        Seconds that a gateway has for its whole answer, in addition to the time that the module itself has to wait.
        After that it counts as unreachable, so that the other gateways do not wait for it.
      - If the task has the keyword C(timeout), that one is used instead, and the task fails.
    type: float
    default: 120
  earlier:
    description:
      - The RV(code) that earlier tasks of the same run returned for this gateway.
      - >-
        If V(timeout) is among them, the gateway is not contacted again and counts as unreachable. So a gateway that
        never answers delays the others only once, and not in every task.
    type: list
    elements: str
    default: []
  fleet_size:
    description:
      - How many gateways there are.
      - >-
        An answer that is far longer than that of a gateway with so many peers is refused, because reading it would
        delay the run for all others. Without it only the absolute limits hold, 16 MiB among them.
    type: int
requirements:
  - Python 3.8 or later on the gateway
  - C(wg) of wireguard-tools, or C(swanctl) and C(pki) of strongSwan, on the gateway
"""
