# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only reader of the GET VPN configuration and state that IOS shows. PRIVATE to the collection.

Each reader takes any text and either returns what is listed there or raises VpnKeysError("unreadable"). Echo,
prompts, CRLF, paging remnants and log messages in the middle of the output do no harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .screen import expect_no_refusal, strip_noise, unreadable

GroupKind = Literal["gdoi", "gkm"]

# -- GET VPN: configuration ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """A GET VPN group as configured: seconds, addresses as written. A group member's is no `local_server`."""

    name: str
    kind: GroupKind
    identity: str | None = None
    label: str | None = None
    priority: int | None = None
    peers: tuple[str, ...] = ()
    address: str | None = None
    redundancy: bool = False
    rekey_lifetime: int | None = None
    rekey_algorithm: str | None = None
    rekey_transport: str | None = None
    sa_lifetimes: tuple[int, ...] = ()
    """Of the IPsec profiles that its SAs name, as far as the text shows those profiles."""
    local_server: bool = False


_GROUP = re.compile(r"crypto (gdoi|gkm) group (?:ipv6 )?(\S+)\s*")
_IPSEC_PROFILE = re.compile(r"crypto ipsec profile (\S+)\s*")
_GROUP_LINES = {
    "identity": re.compile(r"identity (?:number|address ipv[46]) (\S+)"),
    "label": re.compile(r"rekey authentication mypubkey rsa (\S+)"),
    "priority": re.compile(r"local priority (\d{1,9})"),
    "address": re.compile(r"address ipv[46] (\S+)"),
    "seconds": re.compile(r"rekey lifetime seconds (\d{1,9})"),
    "days": re.compile(r"rekey lifetime days (\d{1,9})"),
    "rekey_algorithm": re.compile(r"rekey algorithm (\S.*)"),
    "rekey_transport": re.compile(r"rekey transport (\S+)"),
}
_GROUP_PEER = re.compile(r"peer address ipv[46] (\S+)")
_GROUP_PROFILE = re.compile(r"profile (\S+)")
_SA_LIFETIME = re.compile(r"set security-association lifetime seconds (\d{1,9})")


def read_groups(running_config: str) -> tuple[Group, ...]:
    """The GET VPN groups in a running configuration, or in its section `crypto g`."""
    blocks = _config_blocks(strip_noise(running_config))
    lifetimes: dict[str, int] = {}
    for head, lines in blocks:
        if profile := _IPSEC_PROFILE.fullmatch(head):
            for line in lines:
                if found := _SA_LIFETIME.match(line):
                    lifetimes[profile[1]] = int(found[1])
    heads = [(_GROUP.fullmatch(head), lines) for head, lines in blocks]
    groups = tuple(_group(head, lines, lifetimes) for head, lines in heads if head)
    if not groups:
        expect_no_refusal(running_config, "its GET VPN groups")
    return groups


def _config_blocks(text: str) -> list[tuple[str, list[str]]]:
    """Top-level lines of a configuration with the lines indented under them."""
    blocks: list[tuple[str, list[str]]] = []
    for line in text.split("\n"):
        if not line[:1].isspace():
            if line:
                blocks.append((line, []))
        elif blocks:
            blocks[-1][1].append(line.strip())
    return blocks


def _group(head: re.Match[str], lines: list[str], lifetimes: dict[str, int]) -> Group:
    values: dict[str, str] = {}
    for line in lines:
        for name, pattern in _GROUP_LINES.items():
            if found := pattern.match(line):
                values[name] = found[1]
    profiles = [found[1] for line in lines if (found := _GROUP_PROFILE.fullmatch(line))]
    rekey_lifetime = int(values["days"]) * 86400 if "days" in values else _number(values.get("seconds"))
    return Group(
        name=head[2],
        kind="gkm" if head[1] == "gkm" else "gdoi",
        identity=values.get("identity"),
        label=values.get("label"),
        priority=_number(values.get("priority")),
        peers=tuple(found[1] for line in lines if (found := _GROUP_PEER.match(line))),
        address=values.get("address"),
        redundancy="redundancy" in lines,
        rekey_lifetime=rekey_lifetime,
        rekey_algorithm=values.get("rekey_algorithm"),
        rekey_transport=values.get("rekey_transport"),
        sa_lifetimes=tuple(lifetimes[profile] for profile in profiles if profile in lifetimes),
        local_server="server local" in lines,
    )


def _number(text: str | None) -> int | None:
    """None for nothing and for what is no number, such as `n/a`."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None


# -- GET VPN: state ------------------------------------------------------------------------------------------

# One or more "name : value" on a line, parted by " , " or by two spaces.
_FIELD_BREAK = re.compile(r"[ \t]{1,40},(?:[ \t]|$)|(?:[ \t]{2}|\t)[ \t]*(?=[A-Za-z])")
_LONGEST_LINE = 1000


def _fields(line: str) -> Iterator[tuple[str, str]]:
    if ":" not in line or len(line) > _LONGEST_LINE:
        return
    line = line.strip()
    # Most lines hold one field, and a fleet's listings have many lines.
    several = "  " in line or "\t" in line or " ," in line
    for part in _FIELD_BREAK.split(line) if several else (line,):
        name, colon, value = part.partition(":")
        if colon:
            yield " ".join(name.split()).lower(), value.strip()


@dataclass(frozen=True)
class CoopPeer:
    address: str
    priority: int | None = None
    role: Literal["Primary", "Secondary"] | None = None
    status: str | None = None
    ike: str | None = None


@dataclass(frozen=True)
class Coop:
    """How one key server sees the cooperation for one group. Without redundancy there is nothing but that."""

    redundancy: bool = True
    address: str | None = None
    priority: int | None = None
    role: Literal["Primary", "Secondary"] | None = None
    status: str | None = None
    peers: tuple[CoopPeer, ...] = ()


_NO_REDUNDANCY = re.compile(r"\*NO\*\s+redundancy configured", re.IGNORECASE)
_COOP_GROUP = re.compile(r"crypto (?:gdoi|gkm) group name")


def read_coop(text: str) -> dict[str, Coop]:
    """`show crypto gdoi ks coop` and its gkm and detail forms: cooperation by group name."""
    groups: dict[str, tuple[dict[str, str], list[dict[str, str]]]] = {}
    own: dict[str, str] = {}
    peers: list[dict[str, str]] = []
    for line in strip_noise(text).split("\n"):
        if _NO_REDUNDANCY.search(line):
            own["alone"] = line
        for name, value in _fields(line):
            if _COOP_GROUP.fullmatch(name):
                if not value:
                    unreadable("The COOP state shows a group without a name.")
                own, peers = {}, []
                groups[value] = (own, peers)
            elif name == "peer address" and value:
                peers.append({name: value})
            elif name.startswith("local "):
                own[name] = value
            elif peers:
                peers[-1].setdefault(name, value)
    if not groups:
        expect_no_refusal(text, "its COOP state")
    return {name: _coop(own, peers) for name, (own, peers) in groups.items()}


def _coop(own: dict[str, str], peers: list[dict[str, str]]) -> Coop:
    return Coop(
        redundancy="alone" not in own,
        address=own.get("local address") or None,
        priority=_number(own.get("local priority")),
        role=_role(own.get("local ks role")),
        status=own.get("local ks status") or None,
        peers=tuple(
            CoopPeer(
                address=peer["peer address"],
                priority=_number(peer.get("peer priority")),
                role=_role(peer.get("peer ks role")),
                status=peer.get("peer ks status") or None,
                ike=peer.get("ike status") or None,
            )
            for peer in peers
        ),
    )


def _role(text: str | None) -> Literal["Primary", "Secondary"] | None:
    """Any other word ("Unknown", "N/A") is no role."""
    return "Primary" if text == "Primary" else "Secondary" if text == "Secondary" else None


@dataclass(frozen=True)
class Kek:
    """The key that protects rekeys. Seconds.

    `sig_key_bytes` is the length of the public key's DER; an old IOS 15 showed the bits of the modulus.
    """

    spi: str
    transport: str | None = None
    algorithm: str | None = None
    lifetime: int | None = None
    remaining: int | None = None
    time_to_rekey: int | None = None
    sig_hash: str | None = None
    sig_key_label: str | None = None
    sig_key_bytes: int | None = None
    sig_bytes: int | None = None
    acknowledgement: str | None = None


@dataclass(frozen=True)
class Tek:
    """A key that protects traffic. Seconds."""

    spi: str
    access_list: str | None = None
    transform: str | None = None
    lifetime: int | None = None
    remaining: int | None = None


@dataclass(frozen=True)
class Policy:
    """What a key server hands out for a group. Before the first key there is no KEK."""

    group: str
    server: str | None = None
    kek: Kek | None = None
    teks: tuple[Tek, ...] = ()


_POLICY_GROUP = re.compile(r"For group (\S+?):?(?!\S)(?: \([^)\n]{0,60}\))?(?: server (\S+?):?(?!\S))?")
_KEK = re.compile(r"KEK POLICY(?: \(transport type *: *(\w+) *\))?")


def read_policy(text: str) -> tuple[Policy, ...]:
    """`show crypto gdoi ks policy` and its gkm form."""
    policies: list[tuple[str, str | None, list[dict[str, str]]]] = []
    parts: list[dict[str, str]] = []
    head, part = dict[str, str](), dict[str, str]()
    for line in map(str.strip, strip_noise(text).split("\n")):
        if found := _POLICY_GROUP.match(line):
            parts, head, part = [], {}, {}
            policies.append((found[1], found[2], parts))
        elif found := _KEK.match(line):
            head, part = {"kind": "kek", "transport": found[1] or ""}, {}
        elif line.startswith("TEK POLICY"):
            head, part = {"kind": "tek"}, {}
        else:
            for name, value in _fields(line):
                if name == "spi" and head and value:
                    part = dict(head)
                    parts.append(part)
                part.setdefault(name, value)
    if not policies:
        expect_no_refusal(text, "its GET VPN policy")
    return tuple(_policy(*policy) for policy in policies)


def _policy(group: str, server: str | None, parts: list[dict[str, str]]) -> Policy:
    keks = [part for part in parts if part["kind"] == "kek"]
    return Policy(
        group=group,
        server=server,
        kek=_kek(keks[0]) if keks else None,
        teks=tuple(_tek(part) for part in parts if part["kind"] == "tek"),
    )


def _kek(part: dict[str, str]) -> Kek:
    return Kek(
        spi=part["spi"],
        transport=part["transport"] or None,
        algorithm=part.get("encrypt alg") or None,
        lifetime=_number(part.get("orig life(sec)")),
        remaining=_number(part.get("remaining life(sec)")),
        time_to_rekey=_number(part.get("time to rekey (sec)")),
        sig_hash=part.get("sig hash algorithm") or None,
        sig_key_label=part.get("sig key name") or None,
        sig_key_bytes=_number(part.get("sig key length")),
        sig_bytes=_number(part.get("sig size")),
        acknowledgement=part.get("acknowledgement") or None,
    )


def _tek(part: dict[str, str]) -> Tek:
    return Tek(
        spi=part["spi"],
        access_list=part.get("access-list") or None,
        transform=part.get("transform") or None,
        lifetime=_number(part.get("tek life(sec)") or part.get("orig life(sec)")),
        remaining=_number(part.get("remaining life(sec)")),
    )


@dataclass(frozen=True)
class Member:
    """A group member as its key server knows it."""

    address: str
    group: str
    state: str | None = None
    key_server: str | None = None
    version: str | None = None
    rekeys_sent: int | None = None
    rekey_retries: int | None = None
    acks_received: int | None = None
    acks_missed: int | None = None


def read_members(text: str) -> tuple[Member, ...]:
    """`show crypto gdoi ks members` and its gkm form."""
    found: list[dict[str, str]] = []
    for line in strip_noise(text).split("\n"):
        for name, value in _fields(line):
            if name == "group member id":
                found.append({name: value})
            elif found:
                found[-1].setdefault(name, value)
    if not found:
        expect_no_refusal(text, "its group members")
    return tuple(_member(fields) for fields in found)


def _member(fields: dict[str, str]) -> Member:
    address, group = fields["group member id"], fields.get("group name")
    if not address or not group:
        unreadable("The list of group members shows one without an address or without a group.")
    return Member(
        address=address,
        group=group,
        state=fields.get("gm state") or None,
        key_server=fields.get("key server id") or None,
        version=fields.get("gm version") or None,
        rekeys_sent=_number(fields.get("rekeys sent")),
        rekey_retries=_number(fields.get("rekeys retries")),
        acks_received=_number(fields.get("rekey acks rcvd")),
        acks_missed=_number(fields.get("rekey acks missed")),
    )
