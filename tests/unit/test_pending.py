# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who still has to store what of whom."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils import _pending
from ansible_collections.vpnops.keys.plugins.module_utils._pending import Entry, Learned, Pending

Data = dict[str, t.Any]
PLATFORMS = {"gw1": "wireguard", "gw2": "wireguard", "gw3": "wireguard", "lost": "wireguard", "swan": "strongswan"}
ENTRIES = [
    Entry("lost", "wireguard", 9),
    Entry("gw2", "wireguard", 4),
    Entry("gw1", "wireguard", 4),
    Entry("gw3", "wireguard", 2),
    Entry("swan", "strongswan", 5),
]


def asked(**learned: Learned) -> Pending:
    return Pending(ENTRIES, PLATFORMS, learned)


@pytest.mark.parametrize(
    ("peer", "has", "names"),
    [
        ("gw1", Learned(), ["gw3", "gw2", "lost"]),
        ("gw2", Learned(), ["gw3", "gw1", "lost"]),
        ("gw1", Learned(2), ["gw2", "lost"]),
        ("gw1", Learned(3), ["gw2", "lost"]),
        ("gw1", Learned(4), ["lost"]),
        ("gw1", Learned(9), []),
        ("gw1", Learned(99), []),
        ("gw1", Learned(2, frozenset({"gw2"})), ["lost"]),
        ("gw1", Learned(2, frozenset({"gw3", "gw1", "swan", "nobody"})), ["gw2", "lost"]),
        ("gw1", Learned(9, frozenset(), frozenset({"lost", "gw3"})), ["gw3", "lost"]),
        ("gw1", Learned(9, frozenset(), frozenset({"gw1", "swan", "nobody"})), []),
        ("gw1", Learned(2, frozenset(), frozenset({"lost"})), ["gw2", "lost"]),
        ("swan", Learned(), []),
    ],
)
def test_what_is_pending(peer: str, has: Learned, names: list[str]) -> None:
    """Oldest change first; of no other platform, and not of itself."""
    found = asked(**{peer: has})
    assert found.pending_of(peer) == names
    assert found.count_of(peer) == len(names)
    assert [name for name in [*PLATFORMS, "nobody"] if found.is_pending(peer, name)] == sorted(names)
    for most in range(4):
        assert found.pending_of(peer, most) == names[:most]


def test_whoever_is_revoked_or_unknown_has_nothing_to_store() -> None:
    found = asked(gw1=Learned())
    for peer in ("lost", "nobody"):
        assert (found.pending_of(peer), found.count_of(peer), found.is_pending(peer, "gw1")) == ([], 0, False)


def test_which_peers_are_pending() -> None:
    found = asked(gw3=Learned(), gw2=Learned(2), gw1=Learned(9, frozenset(), frozenset({"gw3"})), swan=Learned())
    assert found.peers_pending("lost") == ["gw2", "gw3"]
    assert found.peers_pending("gw3") == ["gw1"]
    assert found.peers_pending("gw1") == ["gw2", "gw3"]
    assert found.peers_pending("swan") == found.peers_pending("nobody") == []


def entry(name: str, **more: t.Any) -> Data:
    return {
        "name": name,
        "platform": "wireguard",
        "revision": 1,
        "current": "key",
        "withdrawn": False,
        "known": ["key"],
        **more,
    }


@pytest.mark.parametrize(
    ("more", "stored"),
    [
        ({}, True),
        ({"current": None, "withdrawn": True}, True),
        ({"current": None, "withdrawn": True, "known": []}, False),
        ({"current": None, "known": []}, False),
        ({"current": None}, False),
        ({"withdrawn": True, "known": []}, True),
    ],
)
def test_what_is_anything_to_store(more: Data, stored: bool) -> None:
    assert _pending.is_stored(entry("gw1", **more)) is stored
    found = _pending.of_result([entry("gw1", **more), entry("gw2")], {"gw2": {"upto": 0, "also": [], "missing": []}})
    assert found.pending_of("gw2") == (["gw1"] if stored else [])


def test_what_the_modules_return_is_read() -> None:
    peers = [entry("gw1", revision=3), entry("gw2", revision=2), entry("gw3", revision=4), entry("gw4", revision=5)]
    found = _pending.of_result(peers, {"gw1": {"upto": 3, "also": ["gw4"], "missing": ["gw2"]}})
    assert found.pending_of("gw1") == ["gw2", "gw3"]
