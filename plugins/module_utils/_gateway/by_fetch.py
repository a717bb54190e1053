# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway that fetches is not told what to store, only that there is something to fetch. PRIVATE to the collection;
standard library only.
"""

from __future__ import annotations

import os
import time
import typing as t
from dataclasses import replace

from .._errors import VpnKeysError
from . import commands, peer_store
from .managed import Managed
from .platform import PeerChange, WantedPeer

AGAIN = 10.0
"""Seconds until it is started again: a fetch that was going on already may have seen what was published before."""
LOOK = 1.0
"""And until it is looked again."""


def wait(gateway: Managed, peers: t.Sequence[WantedPeer], seconds: float) -> list[PeerChange]:
    """What was to be stored of each, refused where it is not stored in that time. Raises VpnKeysError where nothing is
    fetched."""
    if not os.path.exists(peer_store.CONFIG):
        raise VpnKeysError(
            "not_found",
            "It does not fetch by itself",
            state="Its stored keys were not changed",
            advice="run gateway_fetch",
        )
    end, start = time.monotonic() + seconds, time.monotonic()
    while True:
        now = time.monotonic()
        if now >= start:
            commands.attempt("systemctl", "start", "--no-block", f"{peer_store.UNIT}.service")
            start = now + AGAIN
        changes = peer_store.store(gateway, peers, 0, write=False)
        if now >= end or not any(one.changed for one in changes):
            return [_fetched(one) for one in changes]
        time.sleep(LOOK)


def _fetched(one: PeerChange) -> PeerChange:
    """Nothing was changed here."""
    why = one.refused or ("It has not fetched the key in time." if one.changed else "")
    return replace(one, after=one.before, refused=why)
