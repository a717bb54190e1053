# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of a device, and how IOS writes it down."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

from .spec import DeviceSpec


@dataclass
class IpsecSa:
    """`sa ipsec N` of a group."""

    profile: str = ""
    acl: str = ""
    replay: str = ""
    antireplay: bool = True


@dataclass
class Group:
    """`crypto gdoi group` or `crypto gkm group`."""

    name: str
    kind: str = "gdoi"
    identity: int | str = ""
    local: bool = False
    label: str = ""
    rekey_lifetime: int = 86400
    algorithm: str = ""
    transport: str = ""
    retransmit: str = ""
    address: str = ""
    sas: dict[int, IpsecSa] = field(default_factory=dict)
    redundancy: bool = False
    priority: int = 1
    peers: list[str] = field(default_factory=list)

    @property
    def key_length(self) -> int:
        """Bytes of the KEK."""
        return {"aes": 16, "aes 128": 16, "aes 192": 24, "aes 256": 32, "des": 8}.get(self.algorithm, 24)


@dataclass
class Config:
    """What `show running-config` shows. `sections` are stanzas kept word for word: heading -> indented lines."""

    hostname: str
    domain: str = ""
    lines: list[str] = field(default_factory=list)
    sections: dict[str, list[str]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    motd: str = ""
    enable: str | None = None
    users: dict[str, tuple[str, int]] = field(default_factory=dict)  # name -> password, privilege level

    def copy(self) -> Config:
        """An independent copy: what `write memory` stores."""
        return copy.deepcopy(self)


def from_spec(spec: DeviceSpec) -> Config:
    """The configuration a device starts with."""
    users = {spec.username: (spec.password, spec.login_privilege)}
    config = Config(spec.name, spec.domain, motd=spec.motd, enable=spec.enable, users=users)
    config.sections["interface GigabitEthernet0/0"] = [f"ip address {spec.address} 255.255.255.0"]
    if spec.groups:
        config.sections["crypto ipsec transform-set GETVPN esp-aes 256 esp-sha-hmac"] = ["mode tunnel"]
        config.sections["crypto ipsec profile GETVPN"] = ["set transform-set GETVPN"]
        config.sections["ip access-list extended GETVPN"] = ["permit ip 10.0.0.0 0.255.255.255 10.0.0.0 0.255.255.255"]
    for given in spec.groups:
        config.groups[given.name] = Group(
            given.name,
            given.kind,
            given.identity,
            True,
            given.label,
            algorithm="aes 256",
            transport="unicast",
            address=spec.address,
            sas={1: IpsecSa("GETVPN", "GETVPN", "time window-size 5")},
            redundancy=bool(given.peers),
            priority=given.priority,
            peers=list(given.peers),
        )
    return config


def render(config: Config, version: str) -> str:
    """The lines of a configuration file, `!` to `end`, as IOS orders them."""
    out = ["!", f"version {version}", "service timestamps debug datetime msec", "service timestamps log datetime msec"]
    out += ["!", f"hostname {config.hostname}", "!"]
    if config.enable is not None:
        out += ["enable secret 5 $1$lab$0000000000000000000000", "!"]
    out += ["no aaa new-model", "!"]
    if config.domain:
        out.append(f"ip domain name {config.domain}")
    out += config.lines + ["!"]
    out += [
        f"username {name} privilege {level} secret 5 $1$lab$1111111111111111111111"
        for name, (dummy, level) in config.users.items()
    ]
    crypto = [heading for heading in config.sections if heading.startswith("crypto")]
    for heading in crypto:
        out += ["!", heading, *_indented(config.sections[heading])]
    for group in config.groups.values():
        out += ["!", *_group(group)]
    for heading, body in config.sections.items():
        if heading not in crypto:
            out += ["!", heading, *_indented(body)]
    if config.motd:
        out += ["!", f"banner motd ^C{config.motd}^C"]
    out += ["!", "line con 0", "line vty 0 4", " login local", " transport input ssh", "!", "end", ""]
    return "\n".join(out)


def _indented(lines: list[str]) -> list[str]:
    return [" " + line for line in lines]


def _group(group: Group) -> Iterator[str]:
    yield f"crypto {group.kind} group {group.name}"
    if group.identity != "":
        yield f" identity {'number' if isinstance(group.identity, int) else 'address ipv4'} {group.identity}"
    if not group.local:
        return
    yield " server local"
    if group.algorithm:
        yield f"  rekey algorithm {group.algorithm}"
    if group.rekey_lifetime != 86400:
        yield f"  rekey lifetime seconds {group.rekey_lifetime}"
    if group.retransmit:
        yield f"  rekey retransmit {group.retransmit}"
    if group.label:
        yield f"  rekey authentication mypubkey rsa {group.label}"
    if group.transport:
        yield f"  rekey transport {group.transport}"
    for number, sa in group.sas.items():
        yield f"  sa ipsec {number}"
        if sa.profile:
            yield f"   profile {sa.profile}"
        if sa.acl:
            yield f"   match address ipv4 {sa.acl}"
        if sa.replay:
            yield f"   replay {sa.replay}"
    if group.address:
        yield f"  address ipv4 {group.address}"
    if group.redundancy:
        yield "  redundancy"
        yield f"   local priority {group.priority}"
        yield from (f"   peer address ipv4 {peer}" for peer in group.peers)
