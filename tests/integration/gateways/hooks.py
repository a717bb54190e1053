# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The forms in which people let wg-quick load peers, on a gateway of the lab."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass

from lab.gateways import Mesh

CONF = "/etc/wireguard/wg0.conf"
PEERS = "/etc/wireguard/peers.conf"
SCRIPT = "/etc/wireguard/peers.sh"
UNIT = "/etc/systemd/system/peers.service"
PROGRAM = "/etc/wireguard/peers.py"
INNER = "/etc/wireguard/inner.sh"
RESTART = "systemctl reset-failed wg-quick@wg0; systemctl restart wg-quick@wg0"
"""So often in so short a time that systemd would call it a failure."""
Files = dict[str, str]


@dataclass(frozen=True)
class Form:
    """`files`: from the text of wg0.conf as it is in the lab. `followed`: what is stored holds after a restart.
    `reason`: what the gateway says where it does not."""

    files: Callable[[str], Files]
    followed: bool
    reason: str = ""


def set_up(mesh: Mesh, name: str, form: Form) -> None:
    """Give a gateway that form, and start its interface by it."""
    for path, text in form.files(mesh.path(name, CONF).read_text()).items():
        mesh.path(name, path).write_text(text)
        mesh.path(name, path).chmod(0o700)
    mesh.run(name, RESTART)


def _with(conf: str, *lines: str) -> str:
    return conf.replace("[Interface]\n", "\n".join(["[Interface]", *lines, ""]))


def _split(conf: str) -> tuple[str, str]:
    """The [Interface] and the peers."""
    start = conf.index("\n#", conf.index("[Interface]")) + 1
    return conf[:start], conf[start:]


def _loaded(line: str) -> Callable[[str], Files]:
    def files(conf: str) -> Files:
        own, peers = _split(conf)
        return {CONF: _with(own, line), PEERS: peers}

    return files


def _replaced(line: str) -> Callable[[str], Files]:
    """All peers are in the file, and what a hook loads replaces them."""

    def files(conf: str) -> Files:
        port = next(row for row in conf.splitlines() if row.startswith("ListenPort"))
        key = next(row for row in conf.splitlines() if row.startswith("PrivateKey"))
        return {CONF: _with(conf, line), PEERS: "\n".join(["[Interface]", key, port, _split(conf)[1]])}

    return files


def _script(text: str, line: str = f"PostUp = {SCRIPT} %i") -> Callable[[str], Files]:
    def files(conf: str) -> Files:
        return {**_loaded(line)(conf), SCRIPT: f"#!/bin/sh\n{text}\n"}

    return files


def _script_of_a_script(conf: str) -> Files:
    return {**_script(f'test -x {INNER} && {INNER} "$1"')(conf), INNER: f'#!/bin/sh\nwg addconf "$1" {PEERS}\n'}


def _unit(conf: str) -> Files:
    service = f"[Service]\nType=oneshot\nExecStart=/usr/bin/wg addconf wg0 {PEERS}\n"
    return {**_loaded("PostUp = systemctl daemon-reload; systemctl start peers")(conf), UNIT: service}


def _python(conf: str) -> Files:
    program = f'#!/usr/bin/python3\nimport subprocess\nsubprocess.run(["w" + "g", "add" + "conf", "wg0", "{PEERS}"])\n'
    return {**_loaded(f"PostUp = {PROGRAM}")(conf), PROGRAM: program}


def _set_peers_by_a_path(conf: str) -> Files:
    return {path: text.replace("= wg set", "= $(command -v wg) set") for path, text in _set_peers(conf).items()}


def _set_peers(conf: str) -> Files:
    lines = []
    for section in _split(conf)[1].split("[Peer]")[1:]:
        said = dict(t.cast("tuple[str, str]", row.split(" = ", 1)) for row in section.splitlines() if " = " in row)
        networks, endpoint = (said[word].split("#")[0].strip() for word in ("AllowedIPs", "Endpoint"))
        lines.append(f"PostUp = wg set %i peer {said['PublicKey'].strip()} allowed-ips {networks} endpoint {endpoint}")
    return {CONF: _with(conf.replace("PresharedKey", "#PresharedKey"), *lines)}


FORMS: dict[str, Form] = {
    "sections alone": Form(lambda conf: {CONF: conf}, True),
    "addconf": Form(_loaded(f"PostUp = wg addconf %i {PEERS}"), True),
    "addconf after something else": Form(_loaded(f"PostUp = ip link set %i up; wg addconf %i '{PEERS}' || true"), True),
    "addconf by a shell": Form(_loaded(f"PostUp = bash -c 'wg addconf %i {PEERS}'"), False, "line 3, PostUp"),
    "addconf of an expression": Form(_loaded(f"PostUp = wg addconf %i <(cat {PEERS})"), False, "cannot be analyzed"),
    "setconf": Form(_replaced(f"PostUp = wg setconf %i {PEERS}"), False, "PostUp = wg setconf wg0"),
    "syncconf": Form(_replaced(f"PostUp = wg syncconf %i {PEERS}"), False, "PostUp = wg syncconf wg0"),
    "set peer": Form(_set_peers, False, "PostUp = wg set wg0 peer"),
    "a script": Form(_script(f"wg addconf $1 {PEERS}"), False, f"runs {SCRIPT}, whose line 2"),
    "a script by a shell": Form(
        _script(f"wg addconf wg0 {PEERS}", f"PostUp = sh {SCRIPT}"), False, f"runs {SCRIPT}, whose line 2"
    ),
    "a script of a script": Form(_script_of_a_script, False, f"runs {SCRIPT}, whose line 2"),
    "a script by a directory": Form(
        _script(f'wg addconf "$1" {PEERS}', "PostUp = cd /etc/wireguard && ./peers.sh %i"),
        False,
        f"runs {SCRIPT}, whose line 2",
    ),
    "a script by a computed path": Form(
        _script(f'wg addconf "$1" {PEERS}', "PostUp = dir=$(echo /etc/wireguard); $dir/peers.sh %i"),
        False,
        "in a way that cannot be analyzed",
    ),
    "a unit of systemd": Form(_unit, False, f"runs {UNIT}, whose line 3 changes peers"),
    "a program": Form(_python, False, f"runs {PROGRAM}, which is not a shell script"),
    "set peer by a path": Form(_set_peers_by_a_path, False, "PostUp changes peers"),
    "SaveConfig": Form(lambda conf: {CONF: _with(conf, "SaveConfig = true")}, True),
    "saved by a hook": Form(lambda conf: {CONF: _with(conf, "PreDown = wg-quick save %i")}, True),
}
SAVING = ("SaveConfig", "saved by a hook")
