# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one device says about the GET VPN groups that it serves. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from .._errors import VpnKeysError
from . import commands, getvpn_listings, rsa_keys
from .dialogue import Dialogue, Terminal
from .getvpn_listings import Coop, Group, Member, Policy
from .key_listings import KeyRing


@dataclass(frozen=True)
class Survey:
    """One key server: its RSA keys, the groups it serves as key server, and their state by group name."""

    ring: KeyRing
    groups: tuple[Group, ...]
    coop: dict[str, Coop]
    members: tuple[Member, ...]
    policies: tuple[Policy, ...] = ()


def survey(tty: Terminal, *, policies: bool = False) -> Dialogue[Survey]:
    """Keys, groups, COOP state and registered members, in one session. Raises what looking at keys raises."""
    ring = yield from rsa_keys.observe(tty)
    groups = tuple(group for group in (yield from _groups(tty)) if group.local_server)
    coop: dict[str, Coop] = {}
    members: list[Member] = []
    found: list[Policy] = []
    for kind in sorted({group.kind for group in groups}):
        coop |= getvpn_listings.read_coop((yield from _if_allowed(tty, commands.show_coop(kind))))
        # gdoi and gkm are two words for the same on IOS XE: each may list the groups of both.
        names = {group.name for group in groups if group.kind == kind}
        listed = getvpn_listings.read_members((yield from _if_allowed(tty, commands.show_members(kind))))
        members += [member for member in listed if member.group in names]
        if policies:
            found += getvpn_listings.read_policy((yield from _if_allowed(tty, commands.show_policy(kind))))
    return Survey(ring, groups, coop, tuple(members), tuple(found))


def _if_allowed(tty: Terminal, line: str) -> Dialogue[str]:
    """Keys and configuration are enough for a decision; what else a device refuses to show is left out."""
    try:
        return (yield from rsa_keys.show(tty, line))
    except VpnKeysError as error:
        if error.code != "refused":
            raise
        return ""


def _groups(tty: Terminal) -> Dialogue[tuple[Group, ...]]:
    try:
        text = yield from rsa_keys.show(tty, commands.show_groups())
    except VpnKeysError as error:
        if error.code != "refused":
            raise
        text = yield from rsa_keys.show(tty, commands.show_groups_unfiltered())
    return getvpn_listings.read_groups(text)
