# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._addresses import rank, spelled


@pytest.mark.parametrize(
    ("address", "usual"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:db8::192.0.2.1", "2001:db8::c000:201"),
        ("::", "::"),
    ],
)
def test_an_address_has_one_spelling(address: str, usual: str) -> None:
    assert spelled(address) == usual
    assert rank(address) > (0, 0)
    assert rank(address) == rank(usual)


@pytest.mark.parametrize(
    "text",
    ["", "ks1", "192.0.2", "1", "192.0.2.01", "192.0.2.1/32", "192.0.2.1 ", "fe80::1%eth0", "0x7f000001", "1" * 10_000],
)
def test_what_is_no_address_stays_as_it_is_and_is_below_all(text: str) -> None:
    """Also what is one on one machine only."""
    assert spelled(text) == text
    assert rank(text) == (0, 0)


def test_the_highest_is_found() -> None:
    found = ["::1", "10.0.0.1", "2001:db8::", "192.0.2.255", None, "9.0.0.1"]
    assert sorted(found, key=rank) == [None, "9.0.0.1", "10.0.0.1", "192.0.2.255", "::1", "2001:db8::"]
