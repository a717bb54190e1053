# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one device says about the GET VPN groups that it serves. Reads only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .._errors import VpnKeysError
from .._printable import printable
from . import commands, rsa_keys
from .dialogue import Dialogue, Terminal
from .fields import LONGEST_TEXT
from .getvpn_config import Group, read_groups
from .getvpn_coop import Coop, read_coop
from .getvpn_members import Member, Rekeys, read_members, read_rekeys
from .getvpn_policy import Policy, read_policy
from .key_listings import KeyRing
from .screen import strip_noise

_RELEASE_XE = re.compile(r"^Cisco IOS XE Software, Version (\S{1,40})", re.MULTILINE)
_RELEASE = re.compile(
    r"^Cisco (?:IOS|Internetwork Operating System)\b[^\n]{0,200}?, Version ([^\s,]{1,40})", re.MULTILINE
)
_NO_STARTUP = re.compile(r"^\s*startup-config is not present", re.MULTILINE)


@dataclass(frozen=True)
class Survey:
    """One key server: its RSA keys, the groups it serves as key server, and their state by group name."""

    ring: KeyRing
    groups: tuple[Group, ...]
    coop: dict[str, Coop]
    members: tuple[Member, ...]
    policies: tuple[Policy, ...] = ()
    rekeys: Mapping[str, Rekeys] = field(default_factory=dict)
    release: str | None = None
    startup: tuple[Group, ...] | None = None
    unsaved: bool = False
    """`rekeys` by group; `startup`: the groups of the startup configuration, None where it is not shown; `unsaved`:
    something was changed from this control node and not saved since."""

    def startup_label(self, group: str) -> str | None:
        """The label that a reload brings; None if that is not known."""
        return next((one.label for one in self.startup or () if one.name == group), None)


def survey(tty: Terminal, *, policies: bool = False, whole: bool = False) -> Dialogue[Survey]:
    """Keys, groups, COOP state and registered members, in one session. Raises what looking at keys raises.

    `policies`: with what is handed out; `whole`: with that, the release, and the groups of the startup configuration.
    """
    ring = yield from rsa_keys.observe(tty)
    groups = tuple(group for group in (yield from groups_of(tty)) if group.local_server)
    coop: dict[str, Coop] = {}
    members: list[Member] = []
    rekeys: dict[str, Rekeys] = {}
    found: list[Policy] = []
    for kind in sorted({group.kind for group in groups}):
        coop |= read_coop((yield from _if_allowed(tty, commands.show_coop(kind))))
        # gdoi and gkm are two words for the same on IOS XE: each may list the groups of both.
        names = {group.name for group in groups if group.kind == kind}
        listing = yield from _if_allowed(tty, commands.show_members(kind))
        members += [member for member in read_members(listing) if member.group in names]
        rekeys |= {group: counts for group, counts in read_rekeys(listing).items() if group in names}
        if policies or whole:
            found += read_policy((yield from _if_allowed(tty, commands.show_policy(kind))))
    seen = Survey(ring, groups, coop, tuple(members), tuple(found), rekeys, unsaved=tty.saved is False)
    return (yield from _with_release(tty, seen)) if whole else seen


def _with_release(tty: Terminal, seen: Survey) -> Dialogue[Survey]:
    release = read_release((yield from _if_allowed(tty, commands.show_version())))
    startup = read_startup((yield from _if_allowed(tty, commands.show_startup_groups()))) if seen.groups else ()
    return replace(seen, release=release, startup=startup)


def _if_allowed(tty: Terminal, line: str) -> Dialogue[str]:
    """Keys and configuration are enough for a decision; what else a device refuses to show is left out."""
    try:
        return (yield from rsa_keys.show(tty, line))
    except VpnKeysError as error:
        if error.code != "refused":
            raise
        return ""


def read_release(text: str) -> str | None:
    """The release in `show version`, as IOS XE counts, or else IOS; None where it is not shown."""
    shown = strip_noise(text)
    found = _RELEASE_XE.search(shown) or _RELEASE.search(shown)
    return printable(found[1], LONGEST_TEXT) if found else None


def read_startup(text: str) -> tuple[Group, ...] | None:
    """The groups of `show startup-config`, whole or its section; None where it was not shown."""
    if not text.strip():
        return None
    if _NO_STARTUP.search(strip_noise(text)):
        return ()
    return read_groups(text)


def groups_of(tty: Terminal) -> Dialogue[tuple[Group, ...]]:
    try:
        text = yield from rsa_keys.show(tty, commands.show_groups())
    except VpnKeysError as error:
        if error.code != "refused":
            raise
        text = yield from rsa_keys.show(tty, commands.show_groups_unfiltered())
    return read_groups(text)
