# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the files of each backend are written and where they lie, for tests of what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hypothesis import strategies as st
from unit.gateway.wireguard import samples
from unit.gateway.wireguard.networkd import test_config as of_networkd
from unit.gateway.wireguard.networkmanager import test_config as of_networkmanager

from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.networkd import config as networkd
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.networkmanager import (
    config as networkmanager,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.sections import Block, Syntax
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.wg_quick import config as wg_quick


class Written(NamedTuple):
    """`typical`: a file with the peers A, B and the key "secret". `files`: such files as hypothesis writes them, with
    any more peers. `networks`: those of their peers, with the number of the peer for {}. `pieces`: what a text may be
    made of to come near a file.

    `main`: where the file lies, with what comes from netplan in place of it; `unit`: of the service that reads it.
    """

    parse: Callable[[str, str], list[Block]]
    syntax: Syntax
    typical: str
    files: st.SearchStrategy[str]
    networks: tuple[str, ...]
    pieces: str
    main: str
    netplan: str
    unit: str

    def texts(self) -> st.SearchStrategy[str]:
        """Any text, and what looks a little like a file."""
        return st.text(st.sampled_from(self.pieces + "[]=\n\r#;\\/ @\0\ud800")) | st.text()

    def section(self, key: str, networks: str) -> str:
        """One more peer."""
        return "\n".join(["", *self.syntax.section({"PublicKey": key, "AllowedIPs": networks}), ""])


SYNTAXES = {
    "wg-quick": Written(
        wg_quick.parse,
        wg_quick.SYNTAX,
        samples.TYPICAL,
        samples.files(),
        ("10.0.0.{}/32",),
        "InterfacePeer",
        main="etc/wireguard/wg0.conf",
        netplan="",
        unit="wg-quick@wg0.service",
    ),
    "systemd-networkd": Written(
        networkd.parse,
        networkd.SYNTAX,
        of_networkd.TYPICAL,
        of_networkd.files(),
        ("10.0.0.{}/32", "10.{}.0.0/16"),
        "WireGuardPeer",
        main="etc/systemd/network/10-wg0.netdev",
        netplan="run/systemd/network/10-netplan-wg0.netdev",
        unit="systemd-networkd.service",
    ),
    "NetworkManager": Written(
        networkmanager.parse,
        networkmanager.SYNTAX,
        of_networkmanager.TYPICAL,
        of_networkmanager.files(),
        ("10.0.0.{}/32",),
        "wireguard-peer.",
        main="etc/NetworkManager/system-connections/wg0.nmconnection",
        netplan="run/NetworkManager/system-connections/netplan-wg0.nmconnection",
        unit="NetworkManager.service",
    ),
}
