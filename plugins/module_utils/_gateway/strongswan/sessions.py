# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IKE_SAs when a key changes: the new one is made before the old one goes. PRIVATE to the collection.

Loading a key touches no IKE_SA that stands, and re-authentication would use the old key again. So a new IKE_SA is
initiated, and only where it stands are those before it terminated.
"""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from . import swanctl
from .config import BRIDGE, Connection
from .swanctl import Sa

AT_ONCE = 16
PASSIVE = "the peer has to initiate"


def of(name: str, sas: t.Iterable[Sa]) -> list[Sa]:
    """The IKE_SAs of a connection."""
    return [sa for sa in sas if sa.connection == name]


def carrying(sas: t.Iterable[Sa]) -> list[Sa]:
    return [sa for sa in sas if sa.established and sa.children]


def plain_name(name: str) -> str:
    """The administrator's connection that an IKE_SA belongs to."""
    return name[: -len(BRIDGE)] if name.endswith(BRIDGE) else name


def renew(connections: t.Sequence[Connection]) -> dict[str, str]:
    """Make new IKE_SAs where there are some, and terminate those before.

    Returns why, for the connections that keep their old one.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda item: (item.name, _renew(item)), connections))
    return {name: reason for name, reason in outcomes if reason}


def initiate(children: t.Mapping[str, t.Sequence[str]]) -> None:
    """Bring up what is down; a peer that does not answer now is handled later."""
    names = [(name, child) for name, under in children.items() for child in under]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda pair: swanctl.initiate(*pair), names))


def end(sas: t.Iterable[Sa]) -> None:
    """Terminate them all at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda sa: swanctl.terminate(sa.id), sas))


def await_up(names: t.Collection[str], seconds: float) -> set[str]:
    """Wait until each connection carries traffic; those that do."""
    deadline = time.monotonic() + seconds
    while True:
        up = {sa.connection for sa in carrying(swanctl.sas())}
        if up.issuperset(names) or time.monotonic() > deadline:
            return up
        time.sleep(0.05)


def _renew(connection: Connection) -> str:
    before = of(connection.name, swanctl.sas())
    children = sorted({child for sa in carrying(before) for child in sa.children})
    standing: set[int] = set()
    if children:
        if not connection.reachable:
            return PASSIVE
        complaint, standing = _make(connection.name, children[0])
        if not standing and not complaint:
            # The peer may have ended it at once, because it renews its own ones at this moment.
            complaint, standing = _make(connection.name, children[0])
        if not standing:
            return complaint or "the new IKE_SA did not stay"
        for child in children[1:]:
            swanctl.initiate(connection.name, child)
    end(sa for sa in before if sa.established and sa.id not in standing)
    return ""


def _make(name: str, child: str) -> tuple[str, set[int]]:
    """Initiate, and see which IKE_SA has it. Made with the same settings, that of a twin has the new key already."""
    outcome, now = swanctl.initiate(name, child), of(name, swanctl.sas())
    number = outcome.twin or (0 if outcome.complaint else _newest(child, now))
    return outcome.complaint, {sa.id for sa in carrying(now) if number in sa.children.values()}


def _newest(child: str, sas: t.Iterable[Sa]) -> int:
    return max((sa.children[child] for sa in sas if child in sa.children), default=0)
