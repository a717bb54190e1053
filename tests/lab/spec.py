# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab consists of: devices, their keys, their groups. From Python, or from a lab file (YAML)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import yaml

from .faults import Faults
from .personality import personality

Usage = Literal["general", "signature", "encryption", "usage"]


@dataclass(frozen=True)
class KeySpec:
    """A key that is there at the start: number `pool` of the pool of that size. Equal numbers are equal keys."""

    label: str
    pool: int = 0
    bits: int = 2048
    exportable: bool = True
    saved: bool = True
    usage: Usage = "general"


@dataclass(frozen=True)
class GroupSpec:
    """A GET VPN group the device serves. `members` group members are registered with this very key server."""

    name: str
    identity: int
    label: str
    priority: int = 1
    peers: Sequence[str] = ()
    members: int = 0
    kind: Literal["gdoi", "gkm"] = "gdoi"


@dataclass(frozen=True)
class DeviceSpec:
    """One simulated router. `address` is the one it has in GET VPN; it listens where the fleet says, or on `listen`.

    `enable=None`: no enable secret. `authorized_keys`: OpenSSH public key lines. `port` 0: any free one. `host_key`: a
    private key of its own (PEM or OpenSSH text) in place of the lab's. `ssh`: other algorithms, by asyncssh's names
    (kex_algs, encryption_algs, mac_algs, signature_algs, host_key_algs); `legacy` is what IOS 12.4 and 15 offered.
    """

    name: str
    personality: str = "ios15"
    address: str = "10.0.0.1"
    username: str = "admin"
    password: str = "lab-login"
    enable: str | None = "lab-enable"
    login_privilege: int = 15
    keys: Sequence[KeySpec] = ()
    groups: Sequence[GroupSpec] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[str, Any] = field(default_factory=dict)
    legacy: bool = False
    banner: str = ""
    motd: str = ""
    authorized_keys: Sequence[str] = ()
    domain: str = "lab.example"
    listen: str | None = None
    port: int = 0
    ssh: Mapping[str, Sequence[str]] = field(default_factory=dict)
    host_key: str = ""
    reload_seconds: float = 2.0
    saved_config: bool = True


@dataclass(frozen=True)
class LabSpec:
    """A whole lab file. `speed`: of running groups, see running.py; None: groups stand still."""

    devices: tuple[DeviceSpec, ...]
    host: str = "127.0.0.1"
    speed: float | None = None


def load(path: Path | str) -> LabSpec:
    """Read a lab file. ValueError, in one sentence, for anything it should not contain."""
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    return parse(data)


def parse(data: Any) -> LabSpec:
    """The lab of a loaded lab file.

    It holds `devices` (a list), `defaults` (merged into each device), `host`, `base_port`, `speed`.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("devices"), list):
        raise ValueError("a lab file is a mapping with a list of devices")
    unknown = set(data) - {"devices", "defaults", "host", "base_port", "speed"}
    if unknown:
        raise ValueError(f"unknown in a lab file: {', '.join(sorted(map(str, unknown)))}")
    defaults, base = dict(data.get("defaults") or {}), int(data.get("base_port") or 0)
    devices = []
    for index, entry in enumerate(data["devices"]):
        merged: dict[str, Any] = {**defaults, **entry}
        for mapping in ("overrides", "faults"):
            merged[mapping] = {**(defaults.get(mapping) or {}), **(entry.get(mapping) or {})}
        if base and not merged.get("port"):
            merged["port"] = base + index
        merged["keys"] = tuple(_build(KeySpec, key) for key in merged.get("keys") or ())
        merged["groups"] = tuple(_build(GroupSpec, group) for group in merged.get("groups") or ())
        devices.append(_build(DeviceSpec, merged))
    check(devices)
    speed = data.get("speed")
    return LabSpec(tuple(devices), str(data.get("host") or "127.0.0.1"), None if speed is None else float(speed))


def check(devices: Sequence[DeviceSpec]) -> None:
    """ValueError when two devices share a name or an address, or for an invalid address."""
    for what, values in (("name", [d.name for d in devices]), ("address", [d.address for d in devices])):
        twice = {v for v in values if values.count(v) > 1} if len(set(values)) < len(values) else set()
        if twice and (what == "name" or any(d.groups for d in devices if d.address in twice)):
            raise ValueError(f"two devices have the {what} {sorted(twice)[0]}")
    for device in devices:
        ipaddress.ip_address(device.address)
        personality(device.personality, device.overrides)
        Faults().changed(device.faults)


def _build(kind: type[Any], values: Mapping[str, Any]) -> Any:
    known = {f.name for f in fields(kind)}
    unknown = set(values) - known
    if unknown:
        raise ValueError(f"unknown in a {kind.__name__}: {', '.join(sorted(unknown))}")
    return kind(**values)
