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

from .._printable import printable
from .fields import LONGEST_TEXT, at_most, maybe_name, name, number, text
from .screen import expect_no_refusal, strip_noise, unreadable

GroupKind = Literal["gdoi", "gkm"]

MOST_GROUPS = 1_000
MOST_PEERS = 100
"""Peers of one key server in one group: IOS takes 7."""
MOST_TEKS = 1_000
MOST_MEMBERS = 10_000
"""Of one device. The largest key servers have some thousands."""

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
    "priority": re.compile(r"local priority (\S+)"),
    "address": re.compile(r"address ipv[46] (\S+)"),
    "seconds": re.compile(r"rekey lifetime seconds (\S+)"),
    "days": re.compile(r"rekey lifetime days (\S+)"),
    "rekey_algorithm": re.compile(r"rekey algorithm (\S.*)"),
    "rekey_transport": re.compile(r"rekey transport (\S+)"),
}
_GROUP_PEER = re.compile(r"peer address ipv[46] (\S+)")
_GROUP_PROFILE = re.compile(r"profile (\S+)")
_SA_LIFETIME = re.compile(r"set security-association lifetime seconds (\S+)")


def read_groups(running_config: str) -> tuple[Group, ...]:
    """The GET VPN groups in a running configuration, or in its section `crypto g`."""
    blocks = _config_blocks(strip_noise(running_config))
    lifetimes: dict[str, int] = {}
    for head, lines in blocks:
        if profile := _IPSEC_PROFILE.fullmatch(head):
            for line in lines:
                if (found := _SA_LIFETIME.match(line)) and (seconds := number(found[1])) is not None:
                    lifetimes[profile[1]] = seconds
    heads = [(_GROUP.fullmatch(head), lines) for head, lines in blocks]
    groups = tuple(_group(head, lines, lifetimes) for head, lines in heads if head)
    if not groups:
        expect_no_refusal(running_config, "its GET VPN groups")
    return at_most(MOST_GROUPS, groups, "GET VPN groups")


def _config_blocks(config: str) -> list[tuple[str, list[str]]]:
    """Top-level lines of a configuration with the lines indented under them."""
    blocks: list[tuple[str, list[str]]] = []
    for line in config.split("\n"):
        if not line[:1].isspace():
            if line:
                blocks.append((line, []))
        elif blocks:
            blocks[-1][1].append(line.strip())
    return blocks


def _group(head: re.Match[str], lines: list[str], lifetimes: dict[str, int]) -> Group:
    values: dict[str, str] = {}
    for line in lines:
        for option, pattern in _GROUP_LINES.items():
            if found := pattern.match(line):
                values[option] = found[1]
    profiles = [found[1] for line in lines if (found := _GROUP_PROFILE.fullmatch(line))]
    days = number(values.get("days"))
    return Group(
        name=name(head[2]),
        kind="gkm" if head[1] == "gkm" else "gdoi",
        identity=maybe_name(values.get("identity")),
        label=maybe_name(values.get("label")),
        priority=number(values.get("priority")),
        peers=at_most(MOST_PEERS, [name(found[1]) for line in lines if (found := _GROUP_PEER.match(line))], "peers"),
        address=maybe_name(values.get("address")),
        redundancy="redundancy" in lines,
        rekey_lifetime=number(values.get("seconds")) if days is None else days * 86400,
        rekey_algorithm=text(values.get("rekey_algorithm")),
        rekey_transport=text(values.get("rekey_transport")),
        sa_lifetimes=at_most(
            MOST_PEERS, [lifetimes[profile] for profile in profiles if profile in lifetimes], "IPsec profiles"
        ),
        local_server="server local" in lines,
    )


# -- GET VPN: state ------------------------------------------------------------------------------------------

# One or more "name : value" on a line, parted by " , " or by two spaces.
# A run of spaces is looked at from its beginning only: from each of its places it would cost the square of its length.
_FIELD_BREAK = re.compile(r"(?<![ \t])(?:[ \t]{1,40},(?:[ \t]|$)|(?:[ \t]{2}|\t)[ \t]*(?=[A-Za-z]))")
_LONGEST_LINE = 1000


def _fields(line: str) -> Iterator[tuple[str, str]]:
    if ":" not in line or len(line) > _LONGEST_LINE:
        return
    line = line.strip()
    # Most lines hold one field, and a fleet's listings have many lines.
    several = "  " in line or "\t" in line or " ," in line
    for part in _FIELD_BREAK.split(line) if several else (line,):
        field, colon, value = part.partition(":")
        if colon:
            yield " ".join(field.split()).lower(), value.strip()


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


def read_coop(listing: str) -> dict[str, Coop]:
    """`show crypto gdoi ks coop` and its gkm and detail forms: cooperation by group name."""
    groups: dict[str, tuple[dict[str, str], list[dict[str, str]]]] = {}
    own: dict[str, str] = {}
    peers: list[dict[str, str]] = []
    for line in strip_noise(listing).split("\n"):
        if _NO_REDUNDANCY.search(line):
            own["alone"] = line
        for field, value in _fields(line):
            if _COOP_GROUP.fullmatch(field):
                if not value:
                    unreadable("The COOP state shows a group without a name.")
                own, peers = {}, []
                groups[name(value)] = (own, peers)
            elif field == "peer address" and value:
                peers.append({field: value})
            elif field.startswith("local "):
                own[field] = value
            elif peers:
                peers[-1].setdefault(field, value)
    if not groups:
        expect_no_refusal(listing, "its COOP state")
    return {group: _coop(own, peers) for group, (own, peers) in at_most(MOST_GROUPS, [*groups.items()], "groups")}


def _coop(own: dict[str, str], peers: list[dict[str, str]]) -> Coop:
    return Coop(
        redundancy="alone" not in own,
        address=maybe_name(own.get("local address")),
        priority=number(own.get("local priority")),
        role=_role(own.get("local ks role")),
        status=text(own.get("local ks status")),
        peers=tuple(
            CoopPeer(
                address=name(peer["peer address"]),
                priority=number(peer.get("peer priority")),
                role=_role(peer.get("peer ks role")),
                status=text(peer.get("peer ks status")),
                ike=text(peer.get("ike status")),
            )
            for peer in at_most(MOST_PEERS, peers, "peers")
        ),
    )


def _role(word: str | None) -> Literal["Primary", "Secondary"] | None:
    """Any other word ("Unknown", "N/A") is no role."""
    return "Primary" if word == "Primary" else "Secondary" if word == "Secondary" else None


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


def read_policy(listing: str) -> tuple[Policy, ...]:
    """`show crypto gdoi ks policy` and its gkm form."""
    policies: list[tuple[str, str | None, list[dict[str, str]]]] = []
    parts: list[dict[str, str]] = []
    head, part = dict[str, str](), dict[str, str]()
    for line in map(str.strip, strip_noise(listing).split("\n")):
        if found := _POLICY_GROUP.match(line):
            parts, head, part = [], {}, {}
            policies.append((found[1], found[2], parts))
        elif found := _KEK.match(line):
            head, part = {"kind": "kek", "transport": found[1] or ""}, {}
        elif line.startswith("TEK POLICY"):
            head, part = {"kind": "tek"}, {}
        else:
            for field, value in _fields(line):
                if field == "spi" and head and value:
                    part = dict(head)
                    parts.append(part)
                part.setdefault(field, value)
    if not policies:
        expect_no_refusal(listing, "its GET VPN policy")
    return tuple(_policy(*policy) for policy in at_most(MOST_GROUPS, policies, "policies"))


def _policy(group: str, server: str | None, parts: list[dict[str, str]]) -> Policy:
    keks = [part for part in parts if part["kind"] == "kek"]
    return Policy(
        group=name(group),
        server=text(server),
        kek=_kek(keks[0]) if keks else None,
        teks=at_most(MOST_TEKS, [_tek(part) for part in parts if part["kind"] == "tek"], "TEKs"),
    )


def _kek(part: dict[str, str]) -> Kek:
    return Kek(
        spi=printable(part["spi"], LONGEST_TEXT),
        transport=text(part["transport"]),
        algorithm=text(part.get("encrypt alg")),
        lifetime=number(part.get("orig life(sec)")),
        remaining=number(part.get("remaining life(sec)")),
        time_to_rekey=number(part.get("time to rekey (sec)")),
        sig_hash=text(part.get("sig hash algorithm")),
        sig_key_label=text(part.get("sig key name")),
        sig_key_bytes=number(part.get("sig key length")),
        sig_bytes=number(part.get("sig size")),
        acknowledgement=text(part.get("acknowledgement")),
    )


def _tek(part: dict[str, str]) -> Tek:
    return Tek(
        spi=printable(part["spi"], LONGEST_TEXT),
        access_list=text(part.get("access-list")),
        transform=text(part.get("transform")),
        lifetime=number(part.get("tek life(sec)") or part.get("orig life(sec)")),
        remaining=number(part.get("remaining life(sec)")),
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


def read_members(listing: str) -> tuple[Member, ...]:
    """`show crypto gdoi ks members` and its gkm form."""
    found: list[dict[str, str]] = []
    for line in strip_noise(listing).split("\n"):
        for field, value in _fields(line):
            if field == "group member id":
                found.append({field: value})
            elif found:
                found[-1].setdefault(field, value)
    if not found:
        expect_no_refusal(listing, "its group members")
    return tuple(_member(fields) for fields in at_most(MOST_MEMBERS, found, "group members"))


def _member(fields: dict[str, str]) -> Member:
    address, group = fields["group member id"], fields.get("group name")
    if not address or not group:
        unreadable("The list of group members shows one without an address or without a group.")
    return Member(
        address=name(address),
        group=name(group),
        state=text(fields.get("gm state")),
        key_server=text(fields.get("key server id")),
        version=text(fields.get("gm version")),
        rekeys_sent=number(fields.get("rekeys sent")),
        rekey_retries=number(fields.get("rekeys retries")),
        acks_received=number(fields.get("rekey acks rcvd")),
        acks_missed=number(fields.get("rekey acks missed")),
    )
