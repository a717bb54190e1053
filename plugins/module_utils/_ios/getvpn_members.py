# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only reader of the group members that IOS shows. PRIVATE to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .fields import at_most, name, text
from .getvpn_fields import MOST_GROUPS, expect_whole, fields_of, not_before_the_first, number_in, put
from .screen import strip_noise, unreadable

MOST_MEMBERS = 10_000
"""Of one device. The largest key servers have some thousands."""


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


@dataclass(frozen=True)
class Rekeys:
    """How a key server has sent rekeys of one group since it started: `retransmits` and `milliseconds` of the last."""

    sent: int | None = None
    retransmits: int | None = None
    milliseconds: int | None = None


_MEMBERS = "The list of group members"
_MEMBER_READ = (
    "group member id", "group name", "gm state", "key server id", "gm version", "rekeys sent", "rekeys retries",
    "rekey acks rcvd", "rekey acks missed",
)  # fmt: skip
_MEMBER_OTHERS = frozenset(("group id", "group type", "sent seq num", "rcvd seq num"))
_OF_GROUP = re.compile(
    r"(?:number of (?:rekeys sent|retransmits during the last rekey)|duration of the last rekey) for group .*"
)
_REKEYS = {
    "sent": re.compile(r"Number of rekeys sent for group (\S+) : (\S+)"),
    "retransmits": re.compile(r"Number of retransmits during the last rekey for group (\S+) : (\S+)"),
    "milliseconds": re.compile(r"Duration of the last rekey for group (\S+) : (\S+) msec"),
}


def read_rekeys(listing: str) -> dict[str, Rekeys]:
    """What `show crypto gdoi ks members` says above the members, by group."""
    found: dict[str, dict[str, int | None]] = {}
    for line in map(str.strip, strip_noise(listing).split("\n")):
        for field, pattern in _REKEYS.items():
            if said := pattern.fullmatch(line):
                counts = found.setdefault(name(said[1]), {})
                if field in counts:
                    unreadable(f"{_MEMBERS} counts the rekeys of group '{name(said[1])}' twice.")
                counts[field] = number_in(said[2], _MEMBERS)
    return {group: Rekeys(**counts) for group, counts in at_most(MOST_GROUPS, [*found.items()], "groups")}


def read_members(listing: str) -> tuple[Member, ...]:
    """`show crypto gdoi ks members` and its gkm form."""
    found: list[dict[str, str]] = []
    for line in strip_noise(listing).split("\n"):
        for field, value in fields_of(line):
            if field == "group member id":
                found.append({})
            if _OF_GROUP.fullmatch(field):
                continue
            if found:
                put(found[-1], field, value, _MEMBER_READ, _MEMBERS)
            else:
                not_before_the_first(listing, field, "its group members")
    return tuple(_member(fields) for fields in at_most(MOST_MEMBERS, found, "group members"))


def _member(fields: dict[str, str]) -> Member:
    address, group = fields["group member id"], fields.get("group name")
    if not address or not group:
        unreadable(f"{_MEMBERS} shows one without an address or without a group.")
    what = f"{_MEMBERS}, {name(address)},"
    expect_whole(fields, _MEMBER_READ, _MEMBER_OTHERS, what)
    return Member(
        address=name(address),
        group=name(group),
        state=text(fields.get("gm state")),
        key_server=text(fields.get("key server id")),
        version=text(fields.get("gm version")),
        rekeys_sent=number_in(fields.get("rekeys sent"), what),
        rekey_retries=number_in(fields.get("rekeys retries"), what),
        acks_received=number_in(fields.get("rekey acks rcvd"), what),
        acks_missed=number_in(fields.get("rekey acks missed"), what),
    )
