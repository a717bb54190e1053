# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be concluded from what charon tells, and how its messages are read."""

from __future__ import annotations

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils import _public_key
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.strongswan.runtime import accepted
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.strongswan.site import same_id
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.strongswan.swanctl import pretty

A, B, C = (_public_key.from_der(_public_key.ED25519_PREFIX + bytes([number]) * 32) for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("stored", "listed", "count", "fresh", "result"),
    [
        # Nothing was written since our own last load: the files are what is loaded, whatever was loaded before.
        ([A], [B, A], 1, True, (A,)),
        ([A, B], [B, A, C], 2, True, (A, B)),
        # Only these were ever loaded.
        ([A], [A], 1, False, (A,)),
        ([A, B], [B, A], 2, False, (A, B)),
        # A key that was never loaded cannot be accepted.
        ([B], [A], 1, False, (A,)),
        ([A, B], [A], 1, False, (A,)),
        # One of two, nobody knows which.
        ([A], [A, B], 1, False, ()),
        ([], [], 0, False, ()),
    ],
)
def test_accepted(
    stored: list[_public_key.PublicKey],
    listed: list[_public_key.PublicKey],
    count: int,
    fresh: bool,
    result: tuple[_public_key.PublicKey, ...],
) -> None:
    assert accepted(stored, listed, count, fresh) == result


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("gw1", "gw1", True),
        ("@gw1", "gw1", True),
        ("gw1", "gw2", False),
        ("", "", False),
        ("@#6777", "#6777", False),
        ("@@a@b", "@a@b", False),
    ],
)
def test_same_id(one: str, other: str, same: bool) -> None:
    assert same_id(one, other) is same


def test_messages_of_swanctl() -> None:
    output = """\
list-sa event {
  gw2 {
    uniqueid = 7
    local-id = C=DE, CN=a b = c
    child-sas {
      net-2 {
        local-ts = [
          10.0.0.0/24
          10.1.0.0/24
        ]
        remote-ts = [
        ]
      }
    }
  }
}
list-sas reply {
}
"""
    child = {"local-ts": ["10.0.0.0/24", "10.1.0.0/24"], "remote-ts": []}
    sa = {"uniqueid": "7", "local-id": "C=DE, CN=a b = c", "child-sas": {"net-2": child}}
    assert pretty(output) == [("list-sa event", {"gw2": sa}), ("list-sas reply", {})]
