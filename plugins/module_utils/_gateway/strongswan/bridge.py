# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No silence where loading ends IKE_SAs. PRIVATE to the collection.

When the keys of a connection with `start_action = start` change, charon ends its IKE_SAs as it loads it, and initiates
it again. So a second connection beside it, with the new keys, carries the traffic meanwhile.
"""

from __future__ import annotations

import typing as t

from .. import files
from . import sessions, swanctl
from . import site as swan_site
from .config import BRIDGE, Bridge, Connection, overlay
from .site import Site

PATIENCE = 8.0


def needed(connections: t.Iterable[Connection]) -> list[Connection]:
    """Those that loading would interrupt."""
    return [item for item in connections if item.starts and item.reachable]


def build(site: Site, bridges: t.Mapping[str, Bridge]) -> None:
    """Bring up the bridges of the connections that carry traffic. The key files they name must be there."""
    carrying = sessions.carrying(swanctl.sas())
    up = {name: bridge for name, bridge in bridges.items() if sessions.of(name, carrying)}
    if not up:
        return
    write_overlay(site.directory, overlay(accepted(site), up))
    swanctl.load()
    children = {name: {child for sa in sessions.of(name, carrying) for child in sa.children} for name in up}
    sessions.initiate({name + BRIDGE: sorted(under) for name, under in children.items()})


def leave() -> None:
    """End the bridges whose connections are up again."""
    sas = swanctl.sas()
    bridges = [sa for sa in sas if sa.connection.endswith(BRIDGE)]
    if not bridges:
        return
    up = sessions.await_up({sessions.plain_name(sa.connection) for sa in bridges}, PATIENCE)
    sessions.end(sa for sa in bridges if sessions.plain_name(sa.connection) in up)


def accepted(site: Site) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Which connections accept more than the administrator wrote: their remote section, and the files of the keys."""
    return {
        item.name: (item.remote.section, item.remote.keys)
        for item in (*site.connections, *site.others)
        if item.remote.keys != site.plain[item.name].remote.keys
    }


def write_overlay(directory: str, text: str) -> None:
    """Write our own file, or remove it where it says nothing."""
    path = swan_site.overlay_path(directory)
    if not text:
        files.remove(path)
    elif files.read(path) != text:
        files.write(path, text, 0o644)
