# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The VPN daemon of this gateway, by its options. PRIVATE to the collection; standard library only."""

from __future__ import annotations

import re
import typing as t

from .._errors import NOTHING_CHANGED, VpnKeysError
from .._printable import printable
from .platform import Platform
from .state import State
from .strongswan.platform import StrongSwan
from .wireguard.platform import WireGuard

if t.TYPE_CHECKING:
    Data = t.Mapping[str, t.Any]

_INTERFACE = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_=+.][A-Za-z0-9_=+.-]{0,14}")
"""As wg-quick has it: it becomes part of paths and of command lines."""


class Managed(Platform, t.Protocol):
    """A platform with the place where its state is kept."""

    name: str

    @property
    def state(self) -> State: ...


def open_platform(options: Data) -> Managed:
    """The daemon that the options of GATEWAY_SPEC mean."""
    if options["platform"] == "strongswan":
        return StrongSwan(identity=options["identity"])
    interface = options["interface"]
    if not _INTERFACE.fullmatch(interface):
        what = f'"{printable(interface, 80)}", O(interface), is not the name of a network interface'
        raise VpnKeysError("bad_input", what, state=NOTHING_CHANGED)
    return WireGuard(interface=interface, backend=options["backend"])
