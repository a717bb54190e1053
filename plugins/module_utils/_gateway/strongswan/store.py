# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out what swan_peers has decided: the keys of the peers, in the files and in charon. PRIVATE.

Whatever instant a reboot comes at, the files are complete and accept at least the right key.
"""

from __future__ import annotations

import typing as t

from ... import _public_key
from ..._errors import NOTHING_CHANGED, VpnKeysError
from .. import files
from ..platform import WantedPeer
from ..state import State
from . import bridge as swan_bridge
from . import runtime, sessions, swanctl
from . import site as swan_site
from .config import Bridge, Connection, overlay
from .peers import Entry
from .runtime import View, Withdrawn
from .site import NEXT, Site

PUBLIC = 0o644

if t.TYPE_CHECKING:
    Pending = tuple[WantedPeer, Entry]


def apply(
    state: State, view: View, pending: t.Sequence[Pending], load: t.Callable[[], None], read: t.Callable[[], Site]
) -> None:
    """Bring the files and charon to what is wanted; all peers by one load."""
    records = _with_new_withdrawals(state, view, pending)
    before: dict[str, str | None] = {}
    try:
        for peer, entry in pending:
            _write_next(peer, entry, before)
        swan_bridge.build(view.site, _bridges(view, pending))
        for peer, entry in pending:
            _write_current(peer, entry, records, before)
        _write_overlay(view, pending, before)
        _check(read(), pending)
        load()
    except VpnKeysError:
        _undo(before, load)
        raise
    for peer, entry in pending:
        if not _staged(peer):
            files.remove(entry.path + NEXT)
    _follow_up(state, view, pending)


def _with_new_withdrawals(state: State, view: View, pending: t.Sequence[Pending]) -> dict[str, Withdrawn]:
    """Remember what is withdrawn before it goes: the key, and what was up."""
    records = runtime.withdrawn(state)
    for peer, entry in pending:
        if peer.current is None and entry.key and not entry.withdrawn:
            private = swanctl.generate(entry.key.algorithm, entry.key.bits)
            up = {item.name: _children(view, item.name) for item in entry.connections}
            placeholder = swanctl.public_of_text(private)
            records[entry.path] = Withdrawn(placeholder.text, entry.key.text, up)
    runtime.remember_withdrawn(state, records)
    return records


def _children(view: View, name: str) -> list[str]:
    return sorted({child for sa in sessions.of(name, view.sas) for child in sa.children})


def _staged(peer: WantedPeer) -> bool:
    return peer.current is not None and peer.staged is not None and peer.staged != peer.current


def _bridges(view: View, pending: t.Sequence[Pending]) -> dict[str, Bridge]:
    """A bridge accepts what its connection is going to accept."""
    result = {}
    for peer, entry in pending:
        keys = (entry.file, entry.file + NEXT) if _staged(peer) else (entry.file + NEXT,)
        for item in swan_bridge.needed(entry.connections) if peer.current else ():
            result[item.name] = Bridge(item.remote.section, keys, tuple(child.name for child in item.children))
    return result


def _write_next(peer: WantedPeer, entry: Entry, before: dict[str, str | None]) -> None:
    """The staged key, or the one that a bridge needs before it comes into use."""
    key = peer.staged if _staged(peer) else peer.current if swan_bridge.needed(entry.connections) else None
    if key is not None:
        _write(entry.path + NEXT, _public_key.pem(key), before)


def _write_current(
    peer: WantedPeer, entry: Entry, records: t.Mapping[str, Withdrawn], before: dict[str, str | None]
) -> None:
    key = peer.current
    if key is None and entry.path in records:
        key = _public_key.parse(records[entry.path].placeholder)
    if key is not None and key != entry.key:
        _write(entry.path, _public_key.pem(key), before)


def _write_overlay(view: View, pending: t.Sequence[Pending], before: dict[str, str | None]) -> None:
    """What the connections accept beside what the administrator wrote."""
    accepted = swan_bridge.accepted(view.site)
    for peer, entry in pending:
        for item in entry.connections:
            accepted.pop(item.name, None)
            if _staged(peer):
                accepted[item.name] = (item.remote.section, (entry.file, entry.file + NEXT))
    path = swan_site.overlay_path(view.site.directory)
    before.setdefault(path, files.read(path))
    swan_bridge.write_overlay(view.site.directory, overlay(accepted, {}))


def _check(site: Site, pending: t.Sequence[Pending]) -> None:
    """What the files say now, all read again, must be what is wanted."""
    now = {item.name: item.remote.keys for item in site.connections}
    for peer, entry in pending:
        wanted = (entry.file, entry.file + NEXT) if _staged(peer) else (entry.file,)
        for item in entry.connections:
            if now.get(item.name) != wanted:
                path = swan_site.overlay_path(site.directory)
                raise VpnKeysError(
                    "blocked",
                    f"{path} cannot set what connection {item.name} accepts, because a file or a line that is read "
                    "after it overrides it",
                    state=NOTHING_CHANGED,
                    advice="let swanctl.conf include it last",
                )


def _write(path: str, text: str, before: dict[str, str | None]) -> None:
    now = files.read(path)
    if now != text:
        before.setdefault(path, now)
        files.write(path, text, PUBLIC)


def _undo(before: t.Mapping[str, str | None], load: t.Callable[[], None]) -> None:
    """Best effort: the error that led here is the one that is reported."""
    try:
        for path, text in reversed(list(before.items())):
            if text is None:
                files.remove(path)
            else:
                files.write(path, text, PUBLIC)
        if before:
            load()
    except VpnKeysError:
        pass


def _follow_up(state: State, view: View, pending: t.Sequence[Pending]) -> None:
    """End what a withdrawn key has made, bring back what it had cost, renew what runs by a key accepted no more."""
    records = runtime.withdrawn(state)
    now = swanctl.sas()
    doomed = [item.name for peer, entry in pending if peer.current is None for item in entry.connections]
    sessions.end(sa for sa in now if sessions.plain_name(sa.connection) in doomed)
    swan_bridge.leave()
    revived = {entry.path: entry.withdrawn for peer, entry in pending if peer.current is not None and entry.withdrawn}
    for withdrawn in revived.values():
        sessions.initiate(withdrawn.children)
    stale = [
        item
        for peer, entry in pending
        if peer.current is not None and not _staged(peer)
        for item in entry.connections
        if peer.current not in entry.accepted or _outlived(view, item)
    ]
    kept = sessions.renew(stale)
    memory = runtime.recall(state)
    for peer, entry in pending:
        for item in entry.connections:
            if peer.current is not None and item in stale and item.name not in kept:
                memory.settled[item.name] = peer.current.text
    runtime.remember(state, memory)
    runtime.remember_withdrawn(state, {path: entry for path, entry in records.items() if path not in revived})


def _outlived(view: View, connection: Connection) -> bool:
    """Whether an IKE_SA of before the next key was accepted still stands: the peer itself did not renew it."""
    old = view.memory.over.get(connection.name, [])
    return any(sa.id in old for sa in sessions.of(connection.name, view.sas))
