# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of two keys a peer's traffic follows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.follow import Pair, choose, move
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.runtime import Setting

KEYS = ("old", "new")


@pytest.mark.parametrize(
    ("carrier", "before", "now", "chosen"),
    [
        ("old", (5, 0), (5, 0), "old"),  # nothing has happened
        ("new", (5, 9), (5, 9), "new"),
        ("old", (5, 0), (5, 7), "new"),  # the peer changes over
        ("new", (5, 7), (8, 7), "old"),  # and goes back
        ("old", (5, 0), (8, 0), "old"),  # it goes on as it did
        ("old", (5, 0), (8, 8), "new"),  # both in one second: the change
        ("new", (5, 7), (8, 8), "old"),
        ("old", (5, 0), (5.9, 5.8), "old"),  # both, and it can be told which was last
        ("old", (9, 0), (9, 8), "new"),  # a clock set back
        ("old", (5, 5), (0, 0), "old"),  # the interface has been started anew
    ],
)
def test_the_key_of_the_last_handshake(
    carrier: str, before: tuple[float, float], now: tuple[float, float], chosen: str
) -> None:
    assert choose(KEYS, carrier, dict(zip(KEYS, before, strict=True)), dict(zip(KEYS, now, strict=True))) == chosen


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.integers(1, 3)), max_size=20), st.integers(1, 5))
def test_whatever_a_peer_does_its_last_key_is_followed(handshakes: list[tuple[str, int]], every: int) -> None:
    """However seldom one looks, where stamps are exact."""
    seen = {"old": 0.0, "new": 0.0}
    stamps, carrier, last, clock = dict(seen), "old", "old", 0.0
    for number, (key, wait) in enumerate(handshakes, 1):
        clock += wait
        stamps[key], last = clock, key
        if number % every == 0 or number == len(handshakes):
            carrier = choose(KEYS, carrier, seen, stamps)
            seen = dict(stamps)
    assert carrier == last


@pytest.mark.parametrize(("key", "other"), [KEYS, KEYS[::-1]])
def test_a_move_gives_before_it_takes(key: str, other: str) -> None:
    pair = Pair("old", "new", ("10.0.0.1/32",), 25)
    assert move(pair, key) == [Setting(key, networks=("10.0.0.1/32",), keepalive=25), Setting(other, keepalive=0)]
