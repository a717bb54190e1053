# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client needs to reach a lab: an Ansible inventory, an OpenSSH configuration, known host keys."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import asyncssh
import yaml

from .spec import DeviceSpec

Reach = tuple[DeviceSpec, str, int]
_COMMON = {
    "ansible_connection": "ansible.netcommon.network_cli",
    "ansible_network_os": "cisco.ios.ios",
    "ansible_become_method": "enable",
    "ansible_host_key_checking": False,
}


def _host_vars(spec: DeviceSpec, host: str, port: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        "ansible_host": host,
        "ansible_port": port,
        "ansible_user": spec.username,
        "ansible_password": spec.password,
        "ansible_become": True,
    }
    if spec.groups:
        values["key_server_addresses"] = [spec.address]
    if spec.enable is not None:
        values["ansible_become_password"] = spec.enable
    return values


def inventory(devices: Iterable[Reach]) -> dict[str, Any]:
    """The inventory: group `key_servers`. What all hosts have in common stands in the vars of the group."""
    hosts = {spec.name: _host_vars(spec, host, port) for spec, host, port in devices}
    rows = list(hosts.values())
    shared = {k: v for k, v in (rows[0] if rows else {}).items() if all(row.get(k) == v for row in rows)}
    shared.pop("ansible_port", None)
    shared.pop("ansible_host", None)
    shared.pop("key_server_addresses", None)
    trimmed = {name: {k: v for k, v in row.items() if k not in shared} for name, row in hosts.items()}
    return {"key_servers": {"hosts": trimmed, "vars": {**_COMMON, **shared}}}


def write(path: Path | str, content: dict[str, Any]) -> Path:
    """Write an inventory file."""
    target = Path(path)
    target.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return target


def known_hosts(devices: Iterable[Reach], host_key: asyncssh.SSHKey) -> str:
    """known_hosts lines."""
    lines = []
    for spec, host, port in devices:
        key = asyncssh.import_private_key(spec.host_key) if spec.host_key else host_key
        kind, data = key.export_public_key().decode().split()[:2]
        lines.append(f"[{host}]:{port} {kind} {data}\n")
    return "".join(lines)


def ssh_config(devices: Iterable[Reach], directory: Path) -> str:
    """For `ssh -F DIR/ssh_config NAME`."""
    lines = []
    for spec, host, port in devices:
        lines += [f"Host {spec.name}", f"    HostName {host}", f"    Port {port}", f"    User {spec.username}"]
        lines += [
            f"    UserKnownHostsFile {directory / 'known_hosts'}",
            "    PubkeyAuthentication no" if not spec.authorized_keys else "",
        ]
        if spec.legacy:
            lines += ["    KexAlgorithms +diffie-hellman-group14-sha1", "    HostKeyAlgorithms +ssh-rsa"]
            lines += ["    Ciphers +aes128-cbc", "    MACs +hmac-sha1"]
    return "\n".join(line for line in lines if line) + "\n"
