# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the files of each backend are written, for tests of what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hypothesis import strategies as st
from unit.gateway.wireguard import samples
from unit.gateway.wireguard.networkd import test_config as of_networkd

from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.networkd import config as networkd
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.sections import Block
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.wg_quick import config as wg_quick


class Written(NamedTuple):
    """`typical`: a file with the peers A, B and the key "secret". `files`: such files as hypothesis writes them.
    `networks`: those of the peers of `files`, with the number of the peer for {}. `pieces`: what a text may be made of
    to come near a file."""

    parse: Callable[[str, str], list[Block]]
    typical: str
    files: st.SearchStrategy[str]
    networks: tuple[str, ...]
    pieces: str

    def texts(self) -> st.SearchStrategy[str]:
        """Any text, and what looks a little like a file."""
        return st.text(st.sampled_from(self.pieces + "[]=\n\r#;\\/ @\0\ud800")) | st.text()


SYNTAXES = {
    "wg-quick": Written(wg_quick.parse, samples.TYPICAL, samples.files(), ("10.0.0.{}/32",), "InterfacePeer"),
    "systemd-networkd": Written(
        networkd.parse,
        of_networkd.TYPICAL,
        of_networkd.files(),
        ("10.0.0.{}/32", "10.{}.0.0/16"),
        "WireGuardPeer",
    ),
}
