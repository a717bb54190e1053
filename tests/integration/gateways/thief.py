# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody who has stolen all that a gateway knows, and tries to get in by it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lab.gateways import Mesh

WIREGUARD = """
umask 077
printf '%s' '{key}' >/root/key
printf '%s' '{shared}' >/root/shared
ip link set wg0 up
wg set wg0 private-key /root/key
for peer in $(wg show wg0 peers); do wg set wg0 peer $peer persistent-keepalive 0; done
wg set wg0 peer {victim} preshared-key /root/shared persistent-keepalive 1
"""
# From gw1 itself: its peers ask for its address as well.
STRONGSWAN = """
cd /etc/swanctl; umask 077; cp private/gw1.key /root/key; cp pubkey/gw1.pub /root/pub
printf '%s' '{key}' >private/gw1.key; pki --pub --in private/gw1.key --outform pem >pubkey/gw1.pub
swanctl --load-all >/dev/null 2>&1; swanctl --terminate --ike {victim} >/dev/null 2>&1
swanctl --initiate --child {victim} --timeout 10 2>&1
cat /root/key >private/gw1.key; cat /root/pub >pubkey/gw1.pub; rm /root/key /root/pub
swanctl --load-all >/dev/null 2>&1; swanctl --terminate --ike {victim} >/dev/null 2>&1
swanctl --initiate --child {victim} --timeout 10 >/dev/null 2>&1
"""
PATIENCE = 3.5
"""Seconds after which a handshake that was asked for every second has not come about."""


@dataclass(frozen=True)
class Loot:
    """The private key of gw1 and, with WireGuard, what it shares with each peer, by the public key of that."""

    key: str
    shared: dict[str, str]


def steal(mesh: Mesh) -> Loot:
    """All secrets of gw1 as they are now."""
    if mesh.plan.platform == "strongswan":
        return Loot(mesh.path("gw1", "/etc/swanctl/private/gw1.key").read_text(), {})
    rows = mesh.run("gw1", "wg show wg0 preshared-keys").splitlines()
    shared = {key: "" if secret == "(none)" else secret for key, secret in (row.split() for row in rows)}
    return Loot(mesh.run("gw1", "wg show wg0 private-key").strip(), shared)


def gets_in(mesh: Mesh, thief: str, victim: str, loot: Loot) -> bool:
    """Whether `victim` lets in who comes with that."""
    if mesh.plan.platform == "strongswan":
        said = mesh.run("gw1", STRONGSWAN.format(key=loot.key, victim=victim), check=False)
        assert "initiate completed successfully" in said or "AUTHENTICATION_FAILED" in said, said
        return "AUTHENTICATION_FAILED" not in said
    public = mesh.run(victim, "wg show wg0 public-key").strip()
    time.sleep(1.1)  # handshakes are told by the second: one that is newer than this is the thief's
    begin = int(time.time())
    mesh.run(thief, WIREGUARD.format(key=loot.key, shared=loot.shared[public], victim=public))
    try:
        return _handshake(mesh, thief, public, begin)
    finally:
        mesh.run(thief, "ip link set wg0 down")


def _handshake(mesh: Mesh, thief: str, public: str, begin: int) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        stamps = dict(line.split() for line in mesh.run(thief, "wg show wg0 latest-handshakes").splitlines())
        if int(stamps[public]) >= begin:
            return True
        time.sleep(0.1)
    return False
