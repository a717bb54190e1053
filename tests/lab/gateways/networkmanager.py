# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway whose wg0 NetworkManager sets up, or what stands for it.

The real one needs WireGuard in the kernel. The stand-in is a service of that name, and `nmcli`. It does what version
1.42 was seen to do: it keeps the profile that it has read until `nmcli connection load` lets it read the file again;
`nmcli device reapply` adds to the interface what is new, and ends every session if a peer is gone. It knows no other
command, one profile only, and never resolves the name of an endpoint a second time.
"""

from __future__ import annotations

import re

from .mesh import Mesh
from .networkd import of_conf

DIRECTORY = "/etc/NetworkManager/system-connections"
MAIN = f"{DIRECTORY}/wg0.nmconnection"
CONF = "/etc/wireguard/wg0.conf"
STARTED = "/etc/systemd/system/multi-user.target.wants"
UNIT = "NetworkManager.service"
PROGRAMS = "/etc/nm-standin"
KEPT, APPLIED = "/run/nm-standin.read", "/run/nm-standin.applied"
SERVICE = f"""[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=/usr/bin/mount --bind {PROGRAMS} /usr/local/sbin
# vpnops.keys: sets no peers
ExecStart=/usr/bin/python3 {PROGRAMS}/nmcli service start
"""
STAND_IN = f"""#!/usr/bin/python3
import os, re, stat, subprocess, sys
PATH, KEPT, APPLIED = "{MAIN}", "{KEPT}", "{APPLIED}"
WORDS = {{"preshared-key": "PresharedKey", "endpoint": "Endpoint", "persistent-keepalive": "PersistentKeepalive"}}

def read(path):
    return open(path).read() if os.path.exists(path) else ""

def wg(*words, **more):
    subprocess.run(["wg", *words], check=True, text=True, **more)

def parsed(text):
    found, section = {{}}, None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            assert line.endswith("]"), line
            section = found.setdefault(line[1:-1], {{}})
        elif line and not line.startswith("#"):
            word, equals, value = line.partition("=")
            assert equals and section is not None, line
            section[word.strip()] = value.strip()
    return found

def peers(found):
    for name, said in found.items():
        if name.startswith("wireguard-peer."):
            if said.get("preshared-key-flags", "4") != "0":
                said.pop("preshared-key", None)
            lines = ["[Peer]", "PublicKey = " + name.partition(".")[2]]
            lines += [f"{{WORDS[word]}} = {{value}}" for word, value in said.items() if word in WORDS]
            networks = [one for one in said.get("allowed-ips", "").split(";") if one]
            lines += ["AllowedIPs = " + ", ".join(networks)] if networks else []
            yield name, networks, "\\n".join([*lines, ""])

def load():
    status = os.stat(PATH)
    try:
        assert status.st_uid == 0 and not stat.S_IMODE(status.st_mode) & 0o077
        parsed(read(PATH))
    except AssertionError:
        print(f"Could not load file '{{PATH}}'", file=sys.stderr)
        return
    open(KEPT, "w").write(read(PATH))

def give(gone):
    found = parsed(read(KEPT))
    for name in gone:
        wg("set", "wg0", "pe" + "er", name.partition(".")[2], "remove")
    wg("add" + "conf", "wg0", "/dev/stdin", input="".join(text for _name, _networks, text in peers(found)))
    for name, networks, _text in peers(found):
        if not networks:
            wg("set", "wg0", "pe" + "er", name.partition(".")[2], "allowed-ips", "")
        for one in networks:
            subprocess.run(["ip", "route", "replace", one, "dev", "wg0", "proto", "static", "metric", "50"], check=True)
    open(APPLIED, "w").write("".join(f"[{{name}}]\\n" for name, *_rest in peers(found)))

def start():
    load()
    found = parsed(read(KEPT))
    subprocess.run(["wireguard-go", "wg0"], check=True)
    own = found["wireguard"]
    wg("set", "wg0", "private-key", "/dev/stdin", "listen-port", own["listen-port"], input=own["private-key"])
    subprocess.run(["ip", "address", "add", found["ipv4"]["address1"], "dev", "wg0"], check=True)
    subprocess.run(["ip", "link", "set", "wg0", "mtu", "1420", "up"], check=True)
    give([])

def stop():
    subprocess.run(["ip", "link", "del", "wg0"], check=True)

def reapply():
    before, now = ({{name for name, *_rest in peers(parsed(read(path)))}} for path in (APPLIED, KEPT))
    give(before if before - now else [])

words = sys.argv[1:]
if words[:2] == ["service", "start"]:
    start()
elif words[:2] == ["connection", "up"]:
    stop()
    start()
elif words == ["connection", "load", PATH]:
    load()
elif words == ["device", "reapply", "wg0"]:
    reapply()
else:
    sys.exit("nmcli of the lab does not know " + " ".join(words))
"""
HOSTS = "/etc/hosts"


def move(mesh: Mesh, name: str, conf: str) -> None:
    """Let a gateway that has a wg0.conf be one of NetworkManager, whose peers have names as endpoints."""
    mesh.run(name, f"systemctl stop wg-quick@wg0; rm -f {CONF} {STARTED}/wg-quick@wg0.service; mkdir -p {PROGRAMS}")
    mesh.run(name, f"mkdir -p {DIRECTORY}; chmod 700 {DIRECTORY}")
    key, peers, port = of_conf(conf)
    named = {mesh.underlay(other): f"{other}.example" for other in mesh.names}
    files = {
        MAIN: profile(mesh.address(name), key, [_named(peer, named) for peer in peers], port),
        HOSTS: "127.0.0.1 localhost\n" + "".join(f"{address} {host}\n" for address, host in named.items()),
        f"{PROGRAMS}/nmcli": STAND_IN,
        f"/etc/systemd/system/{UNIT}": SERVICE,
    }
    for path, text in files.items():
        mesh.path(name, path).write_text(text)
    mesh.run(
        name,
        f"chown root:root {MAIN}; chmod 600 {MAIN}; chmod 755 {PROGRAMS}/nmcli; "
        f"ln -sf ../{UNIT} {STARTED}/; systemctl daemon-reload; systemctl start {UNIT}",
    )


def _named(peer: str, names: dict[str, str]) -> str:
    return re.sub(r"(?<=Endpoint = )[0-9.]+", lambda found: names[found.group()], peer)


def profile(address: str, key: str, peers: list[str], port: str) -> str:
    """As a program writes it and an administrator has annotated it. `peers`: sections of systemd-networkd."""
    connection = "[connection]\nid=office\nuuid=6a3c1e6e-9a25-4c5e-8ec0-0d7e1a6b4a11\ntype=wireguard\n"
    parts = [f"# the network team's\n{connection}interface-name=wg0\n"]
    parts.append(f"[wireguard]\nlisten-port={port}\nprivate-key={key}\n")
    parts += [_section(dict(re.findall(r"(?m)^(\w+) = (\S+)$", peer))) for peer in peers]
    parts += [f"[ipv4]\nmethod=manual\naddress1={address}/24\n", "[ipv6]\nmethod=disabled\n# the end\n"]
    return "\n".join(parts)


def _section(said: dict[str, str]) -> str:
    lines = [f"[wireguard-peer.{said['PublicKey']}]", f"endpoint={said['Endpoint']}"]
    if "PresharedKey" in said:
        lines += [f"preshared-key={said['PresharedKey']}", "# by the door", "preshared-key-flags=0"]
    if "PersistentKeepalive" in said:
        lines.append(f"persistent-keepalive={said['PersistentKeepalive']}")
    return "\n".join([*lines, f"allowed-ips={said['AllowedIPs']};", ""])
