# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only reader of the COOP state that IOS shows: how key servers work together. PRIVATE to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .fields import at_most, maybe_name, name, text
from .getvpn_fields import (
    MOST_GROUPS,
    MOST_PEERS,
    NO_VALUE,
    expect_all,
    expect_whole,
    fields_of,
    not_before_the_first,
    number_in,
    put,
)
from .screen import quote, strip_noise, unreadable


@dataclass(frozen=True)
class CoopPeer:
    """`heard`: the number of the last announcement of this peer that was accepted; `announcements`: how many came."""

    address: str
    priority: int | None = None
    role: Literal["Primary", "Secondary"] | None = None
    status: str | None = None
    ike: str | None = None
    version: str | None = None
    coop_version: str | None = None
    heard: int | None = None
    announcements: int | None = None


@dataclass(frozen=True)
class Coop:
    """How one key server sees the cooperation for one group. Without redundancy there is nothing but that."""

    redundancy: bool = True
    address: str | None = None
    priority: int | None = None
    role: Literal["Primary", "Secondary"] | None = None
    status: str | None = None
    peers: tuple[CoopPeer, ...] = ()
    version: str | None = None
    coop_version: str | None = None


_NO_REDUNDANCY = re.compile(r"\*NO\* +redundancy configured\b.*", re.IGNORECASE)
_COOP_GROUP = re.compile(r"crypto (?:gdoi|gkm) group name")
_SESSION = re.compile(r"session ([0-9]{1,4})")
_COOP = "The COOP state"
_COOP_OWN = ("local address", "local priority", "local ks role", "local ks status")
_COOP_PEER = ("peer address", "peer priority", "peer ks role", "peer ks status", "ike status")
# Read as well; older releases do not show them, and the last two stand outside of sessions, too.
_OWN_READ = (*_COOP_OWN, "local ks version", "local coop version")
_PEER_READ = (*_COOP_PEER, "peer version", "peer coop version", "antireplay sequence number", "ann msgs recv")
_COOP_OTHERS = frozenset(
    (
        "group handle", "local key server handle", "group handle: , local key server handle", "primary timers",
        "secondary timers", "primary refresh policy time", "primary periodic time", "sec primary periodic time",
        "remaining time", "per-user timer remaining time", "antireplay sequence number", "retries", "peer sessions",
        "server handle", "coop protocol", "counters", "ann msgs sent", "ann msgs sent with reply request",
        "ann msgs recv", "ann msgs recv with reply request", "packet sent drops", "packet recv drops",
        "total bytes sent", "total bytes recv",
    )
)  # fmt: skip


@dataclass
class _CoopGroup:
    """The fields of one group: its own, and those of each session."""

    own: dict[str, str]
    peers: list[dict[str, str]]

    def add(self, field: str, value: str) -> None:
        if field.startswith("session ") and (session := _SESSION.fullmatch(field)):
            self.peers.append({})
            if int(session[1]) != len(self.peers):
                unreadable(f"{_COOP} shows session {session[1]} where session {len(self.peers)} is expected.")
        elif field in _COOP_PEER and not self.peers:
            unreadable(f"{_COOP} shows '{field}' outside of a session.")
        elif field in _OWN_READ or not self.peers:
            put(self.own, field, value, _OWN_READ, _COOP)
        else:
            put(self.peers[-1], field, value, _PEER_READ, _COOP)


def read_coop(listing: str) -> dict[str, Coop]:
    """`show crypto gdoi ks coop` and its gkm and detail forms: cooperation by group name."""
    groups: dict[str, _CoopGroup] = {}
    group: _CoopGroup | None = None
    for line in strip_noise(listing).split("\n"):
        for field, value in fields_of(line):
            if field.startswith("crypto ") and _COOP_GROUP.fullmatch(field):
                if not value:
                    unreadable(f"{_COOP} shows a group without a name.")
                if name(value) in groups:
                    unreadable(f"{_COOP} shows group {name(value)} twice.")
                group = groups[name(value)] = _CoopGroup({}, [])
            elif group and field.startswith("*") and _NO_REDUNDANCY.fullmatch(field):
                if group.peers or group.own.keys() & _COOP_OWN:
                    unreadable(f"{_COOP} shows a group with and without redundancy.")
                group.own["alone"] = value
            elif group:
                group.add(field, value)
            else:
                not_before_the_first(listing, field, "its COOP state")
    return {
        title: _coop(title, found) for title, found in at_most(MOST_GROUPS, [*groups.items()], "groups")
    }


def _coop(group: str, found: _CoopGroup) -> Coop:
    own, what = found.own, f"{_COOP} of group '{group}'"
    alone = "alone" in own
    if not alone:
        expect_whole(own, _OWN_READ, _COOP_OTHERS, what)
    expect_all(own, () if alone else ("local address", "local ks role", "local ks status"), what)
    for peer in at_most(MOST_PEERS, found.peers, "peers"):
        expect_whole(peer, _PEER_READ, _COOP_OTHERS, what)
        expect_all(peer, ("peer address", "peer ks role", "peer ks status"), what)
    return Coop(
        redundancy=not alone,
        address=maybe_name(own.get("local address")),
        priority=number_in(own.get("local priority"), what),
        role=_role(own.get("local ks role"), what),
        status=text(own.get("local ks status")),
        version=text(own.get("local ks version")),
        coop_version=text(own.get("local coop version")),
        peers=tuple(
            CoopPeer(
                address=name(peer["peer address"]),
                priority=number_in(peer.get("peer priority"), what),
                role=_role(peer.get("peer ks role"), what),
                status=text(peer.get("peer ks status")),
                ike=text(peer.get("ike status")),
                version=text(peer.get("peer version")),
                coop_version=text(peer.get("peer coop version")),
                heard=number_in(peer.get("antireplay sequence number") or None, what),
                announcements=number_in(peer.get("ann msgs recv") or None, what),
            )
            for peer in found.peers
        ),
    )


def _role(word: str | None, what: str) -> Literal["Primary", "Secondary"] | None:
    """No role where the device does not know one."""
    if word in ("Primary", "Secondary"):
        return "Primary" if word == "Primary" else "Secondary"
    if word is not None and word.lower() not in NO_VALUE:
        unreadable(f'{what} shows a role that no key server has: "{quote(word)}".')
    return None
