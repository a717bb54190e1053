# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys of peers reach a gateway in two ways: a playbook stores them, or the gateway fetches them. What both have to do,
and what keeps the slower one from undoing the faster one. PRIVATE to the collection; standard library only.
"""

from __future__ import annotations

import json
import os
import time
import typing as t

from . import detached, files
from .managed import Managed
from .platform import PeerChange, WantedPeer
from .wireguard import bridge as wg_bridge
from .wireguard.platform import WireGuard

CONFIG = "/etc/vpnops.keys/fetch.json"
"""How the gateway fetches; it is there where it does."""
UNIT = "vpnops-keys-fetch"
"""Of systemd, a service and a timer: what fetches."""
WAY_BACK = 300.0
"""Seconds for which a peer may be rolling back to its old key, which no publication shows."""
HIGHEST = 10**15


class ByPlaybook(t.NamedTuple):
    """By playbooks: the newest revision of the directory, and until when (Unix seconds) nothing else is stored."""

    revision: int = 0
    until: float = 0


def locked(name: str) -> t.ContextManager[None]:
    """The lock for storing keys of peers of this daemon."""
    return detached.locked(f"store-{name}")


def store(gateway: Managed, peers: t.Sequence[WantedPeer], follow: float, write: bool) -> list[PeerChange]:
    """As Platform.store, with what else accepts the keys of a peer that is withdrawn. `locked` where it is to write."""
    changes = gateway.store(peers, follow, write=write)
    if isinstance(gateway, WireGuard) and write and any(peer.current is None for peer in peers):
        wg_bridge.down(gateway.interface)  # it might accept that key, too
    return changes


def read(gateway: Managed) -> ByPlaybook:
    """A damaged file counts as a missing one: the signed number still only rises."""
    try:
        found = json.loads(files.read(_path(gateway)) or "{}")
    except ValueError:
        return ByPlaybook()
    revision, until = (found.get("revision"), found.get("until")) if isinstance(found, dict) else (None, None)
    return ByPlaybook(_number(revision), _number(until))


def note(gateway: Managed, revisions: t.Iterable[t.Any], way_back: bool) -> None:
    """Remember that a playbook has stored entries of these revisions, if the gateway fetches, too."""
    if not os.path.exists(CONFIG):
        return
    before, now = read(gateway), time.time()
    newest = max([before.revision, *(one for one in revisions if isinstance(one, int) and 0 <= one < HIGHEST)])
    after = ByPlaybook(newest, now + WAY_BACK if way_back else 0)
    if after != before:
        gateway.state.write(_path(gateway), json.dumps(after._asdict()) + "\n")


def forget(gateway: Managed) -> None:
    """Another directory starts again from the beginning."""
    files.remove(_path(gateway))


def _path(gateway: Managed) -> str:
    return gateway.state.file("by_playbook.json")


def _number(value: t.Any) -> int:
    return int(value) if isinstance(value, (int, float)) and 0 <= value < HIGHEST else 0
