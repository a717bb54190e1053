# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway whose wg0 systemd-networkd sets up, or what stands for it.

The real one needs WireGuard in the kernel. The stand-in is the service of that name: at a start, it makes wg0 by
wireguard-go as its files say it, and nothing else. It knows no line that goes on, no drop-ins but those in /etc,
and no privileges to be dropped; `networkctl` does not reach it.
"""

from __future__ import annotations

import re

from .mesh import Mesh

DIRECTORY = "/etc/systemd/network"
MAIN = f"{DIRECTORY}/10-wg0.netdev"
DROP_IN = f"{MAIN}.d/20-peers.conf"
KEY = f"{DIRECTORY}/wg0.key"
NETWORK = f"{DIRECTORY}/10-wg0.network"
CONF = "/etc/wireguard/wg0.conf"
STARTED = "/etc/systemd/system/multi-user.target.wants"
UNIT = "systemd-networkd.service"
PROGRAM = "/etc/networkd-standin"
SERVICE = f"""[Service]
Type=oneshot
RemainAfterExit=yes
# vpnops.keys: sets no peers
ExecStart=/usr/bin/python3 {PROGRAM}
"""
STAND_IN = f"""
import glob, subprocess
own, peers, section = [], [], ""
for path in ["{MAIN}", *sorted(glob.glob("{MAIN}.d/*.conf"))]:
    for line in map(str.strip, open(path)):
        word, _equals, value = (part.strip() for part in line.partition("="))
        if line.startswith("["):
            section = line
            peers += ["[Peer]"] if line == "[WireGuardPeer]" else []
        elif line and line[0] not in "#;" and section == "[WireGuard]":
            own.append("PrivateKey = " + open(value).read().strip() if word == "PrivateKeyFile" else line)
        elif line and line[0] not in "#;" and section == "[WireGuardPeer]":
            peers.append(line)
subprocess.run(["wireguard-go", "wg0"], check=True)
config = "\\n".join(["[Interface]", *own, *peers, ""])
subprocess.run(["wg", "set" + "conf", "wg0", "/dev/stdin"], input=config, text=True, check=True)
address = open("{NETWORK}").read().split("Address=")[1].split()[0]
subprocess.run(["ip", "address", "add", address, "dev", "wg0"], check=True)
subprocess.run(["ip", "link", "set", "wg0", "mtu", "1420", "up"], check=True)
"""


def move(mesh: Mesh, name: str, conf: str) -> None:
    """Let a gateway that has a wg0.conf be one of systemd-networkd. Its last peer is in a drop-in."""
    mesh.run(name, f"systemctl stop wg-quick@wg0; rm -f {CONF} {STARTED}/wg-quick@wg0.service; mkdir -p {MAIN}.d")
    key, peers, port = of_conf(conf)
    own = f"[WireGuard]\nPrivateKeyFile={KEY}\nListenPort={port}\n"
    main = f"# the network team's\n[NetDev]\nName=wg0\nKind=wireguard\n\n{own}"
    network = f"[Match]\nName=wg0\n\n[Network]\nAddress={mesh.address(name)}/24\n"
    files = {MAIN: "\n".join([main, *peers[:-1]]), DROP_IN: peers[-1], KEY: f"{key}\n", NETWORK: network}
    for path, text in files.items():
        mesh.path(name, path).write_text(text)
    mesh.path(name, PROGRAM).write_text(STAND_IN)
    mesh.path(name, f"/etc/systemd/system/{UNIT}").write_text(SERVICE)
    mesh.run(
        name,
        f"chown root:systemd-network {' '.join(files)}; chmod 640 {' '.join(files)}; "
        f"ln -sf ../{UNIT} {STARTED}/; systemctl daemon-reload; systemctl start {UNIT}",
    )


def of_conf(conf: str) -> tuple[str, list[str], str]:
    """The private key, the sections of the peers, and the port of a wg0.conf of the lab."""
    bare = re.sub(r"[ \t]*#.*", "", conf)
    own, *peers = bare.split("[Peer]\n")
    said = dict(re.findall(r"(?m)^(\w+)\s*=\s*(\S+)", own))
    return said["PrivateKey"], [f"[WireGuardPeer]\n{text.strip()}\n" for text in peers], said["ListenPort"]
