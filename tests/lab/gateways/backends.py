# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backends of WireGuard that gateways of the lab can have, one row each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from . import networkd, networkmanager
from .mesh import Mesh


class Backend(NamedTuple):
    """`files`: those that have keys, the one of the interface first. `unit`: the service that sets it up. `move`: gives
    it to a gateway that has wg-quick, and the text of its wg0.conf. `kept`: where its stand-in keeps what it has read.
    """

    files: tuple[str, ...]
    unit: str
    move: Callable[[Mesh, str, str], None]
    kept: tuple[str, ...] = ()


BACKENDS = {
    "wg-quick": Backend((networkd.CONF,), "wg-quick@wg0.service", lambda mesh, name, conf: None),
    "systemd-networkd": Backend((networkd.MAIN, networkd.DROP_IN, networkd.KEY), networkd.UNIT, networkd.move),
    "NetworkManager": Backend(
        (networkmanager.MAIN,), networkmanager.UNIT, networkmanager.move, (networkmanager.KEPT, networkmanager.APPLIED)
    ),
}
