# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WireGuard as an administrator sets it up: one wg0.conf for wg-quick, each a little different from the next."""

from __future__ import annotations

import base64
import os
from functools import partial
from itertools import combinations

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from . import net
from .plan import Files, Plan

INTERFACE = "wg0"
DIRECTORY = "etc/wireguard"
UNIT = "wg-quick@wg0.service"
SETTLE = 0.1
"""wireguard-go binds its port anew shortly after the interface came up; a handshake lost then costs five seconds."""
KEY_FILE = "/etc/wireguard/wg0.key"


def is_ready(namespace: str) -> bool:
    """Whether the interface is up."""
    return net.is_up(namespace, INTERFACE)


def configure(plan: Plan) -> dict[int, Files]:
    """The files of every gateway, with fresh keys."""
    keys = {number: X25519PrivateKey.generate() for number in plan.numbers}
    private = {number: _text(key.private_bytes_raw()) for number, key in keys.items()}
    public = {number: _text(key.public_key().public_bytes_raw()) for number, key in keys.items()}
    shared = {pair: _text(os.urandom(32)) for pair in combinations(plan.numbers, 2) if sum(pair) % 3 == 0}
    result = {}
    for number in plan.numbers:
        from_file = plan.private_key_file and number == 1
        sections = [_interface(plan, number, "" if from_file else private[number])]
        # Those with a keepalive last: wireguard-go also calls every peer after such a one, once, as it starts. A peer
        # that does not run yet misses that call, and the next one comes only after five seconds.
        for peer in sorted(plan.peers(number), key=partial(_keeps_alive, number)):
            secret = shared.get((min(number, peer), max(number, peer)), "")
            sections.append(_peer(plan, number, peer, public[peer], secret))
        result[number] = {f"{DIRECTORY}/{INTERFACE}.conf": (0o600, "\n".join(sections))}
        if from_file:
            result[number][KEY_FILE.lstrip("/")] = (0o600, private[number] + "\n")
    return result


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _interface(plan: Plan, number: int, private: str) -> str:
    key = f"PrivateKey = {private}" if private else f"PostUp = wg set %i private-key {KEY_FILE}"
    # Without an MTU wg-quick runs `ip route get` for every peer.
    rows = [f"Address = {plan.inner(number)}/24", "ListenPort = 51820", key, "MTU = 1420"]
    if number % 2 == 0:
        rows = [key, "", "MTU=1420", f"Address={plan.inner(number)}/24  # inner address", "ListenPort=51820"]
    return "\n".join([f"# gw{number}: to be changed by the network team only", "[Interface]", *rows, ""])


def _keeps_alive(number: int, peer: int) -> bool:
    """Some pairs, and one end of each: two handshakes that cross cost five seconds."""
    return (number + peer) % 4 == 0 and number > peer


def _peer(plan: Plan, number: int, peer: int, public: str, secret: str) -> str:
    behind = "10.78.0.0/24" if plan.link == "hub" and peer == 1 else plan.network(peer)
    rows = [f"PublicKey = {public}", f"AllowedIPs = {behind}", f"Endpoint = {plan.endpoint(peer)}"]
    if peer % 2 == 0:
        rows.reverse()
    if secret:
        rows.insert(1, f"PresharedKey = {secret}")
    if _keeps_alive(number, peer):
        rows.append("PersistentKeepalive = 25 # behind NAT")
    return "\n".join([f"# gw{peer}", "[Peer]", *rows, ""])
