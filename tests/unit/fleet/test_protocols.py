# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways are peers by their protocol, whatever backend configures each of them."""

from __future__ import annotations

import typing as t

import pytest
from unit.directory.samples import Records, gateway, new_key, pending_now
from unit.fleet.samples import entry, snapshot

from ansible_collections.vpnops.keys.plugins.module_utils._backends import BACKENDS, Backend, protocol
from ansible_collections.vpnops.keys.plugins.module_utils._directory import acknowledgements
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.plan import peers_of


@pytest.fixture(autouse=True)
def another_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second way to configure WireGuard."""
    monkeypatch.setitem(t.cast(dict[str, Backend], BACKENDS), "networkd", BACKENDS["wireguard"])


def test_each_backend_has_a_protocol() -> None:
    assert {name: protocol(name) for name in ("wireguard", "networkd", "strongswan", "newer")} == {
        "wireguard": "wireguard", "networkd": "wireguard", "strongswan": "ipsec", "newer": "newer",
    }  # fmt: skip


def test_the_fleet_pairs_by_protocol() -> None:
    directory = snapshot(entry("gw1"), entry("gw2", platform="networkd"), entry("gw3", platform="strongswan"))
    assert peers_of(directory, ["gw1"]) == ["gw2"] == directory.peers_of("gw1")
    assert directory.are_peers("gw2", "gw1")
    assert not directory.are_peers("gw3", "gw1")
    assert directory.alike["wireguard"] == {"gw1", "gw2"}


def test_the_directory_pairs_by_protocol() -> None:
    """A gateway has to store the key of a peer with another backend, and its acknowledgement of it counts."""
    records = Records()
    records.do(gateways=[gateway("gw1", new_key()), gateway("gw2", new_key(), platform="networkd")])
    assert pending_now(records) == {"gw1": ["gw2"], "gw2": ["gw1"]}
    assert acknowledgements.ledger(records.snapshot, set()).peers("gw1", "gw2")
    stored = {"peer": "gw1", "gateway": "gw2", "serial": 1, "role": "current"}
    records.do(acknowledgements=[stored])
    assert pending_now(records) == {"gw2": ["gw1"]}
