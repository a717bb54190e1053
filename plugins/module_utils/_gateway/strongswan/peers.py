# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files have to hold what, so that the keys of the peers are the wanted ones. Pure but for reading. PRIVATE."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ... import _public_key
from ..._errors import LEFT_OUT, NOTHING_CHANGED, VpnKeysError
from ..._public_key import PublicKey
from ..platform import CURRENT, STAGED, WITHDRAWN, Blocked, PeerChange, WantedPeer
from . import auth, sessions
from . import site as swan_site
from .config import Connection
from .runtime import View, Withdrawn
from .site import Site


@dataclass(frozen=True)
class Entry:
    """What is stored for one peer before anything changes: its connections, and the file of its key, which they share.

    `accepted`: all keys that the files hold for it.
    """

    connections: tuple[Connection, ...]
    file: str
    path: str
    key: PublicKey | None
    accepted: tuple[PublicKey, ...]
    withdrawn: Withdrawn | None


@dataclass(frozen=True)
class Found:
    """A peer and its entry here, None where it has none, or (`why`, in sentences) it cannot be handled."""

    peer: WantedPeer
    entry: Entry | None
    why: str = ""


USABLE = ("ed25519", "rsa")


def find(view: View, wanted: WantedPeer) -> Entry | None:
    """The peer's entry, None where there is no connection to it. Raises VpnKeysError(conflict, blocked)."""
    site = view.site
    own = {item.local.identity for item in site.connections}
    if wanted.current and any(swan_site.same_id(wanted.identity, identity) for identity in own):
        return None
    mine = [item for item in site.connections if swan_site.same_id(item.remote.identity, wanted.identity)]
    if not mine:
        keys = {*wanted.known, *(key for key in (wanted.current, wanted.staged) if key)}
        mine = [item for item in site.connections if keys & set(view.keys(item))]
    if not mine:
        return None
    for key in (wanted.current, wanted.staged):
        if key is not None and key.algorithm not in USABLE:
            raise VpnKeysError(
                "blocked",
                f"The key of {wanted.name} is {key.algorithm}, which strongSwan does not support",
                state=NOTHING_CHANGED,
            )
    plain = [site.plain[item.name] for item in mine]
    reason = _why_not_stored(site, plain)
    if reason:
        raise VpnKeysError("blocked", reason, state=NOTHING_CHANGED)
    file = plain[0].remote.keys[0]
    path = site.key_file(file)
    key = swan_site.key_in(path)
    entry = view.withdrawn.get(path)
    withdrawn = entry if entry and key and entry.placeholder == key.text else None
    reason = _why_not_accepted(plain, wanted, _public_key.parse(withdrawn.key) if withdrawn else key)
    if reason:
        raise VpnKeysError("blocked", reason, state=NOTHING_CHANGED)
    return Entry(tuple(mine), file, path, key, tuple(view.keys(mine[0])), withdrawn)


def _why_not_accepted(plain: t.Sequence[Connection], wanted: WantedPeer, now: PublicKey | None) -> str:
    """Why a key that is wanted would be stored in vain, or ""."""
    keys = [key for key in (wanted.current, wanted.staged) if key]
    reasons = (
        auth.why_not_accepted(item.name, item.remote.auth, key.algorithm, key.bits, now)
        for item in plain
        for key in keys
    )
    return next((reason for reason in reasons if reason), "")


def _why_not_stored(site: Site, plain: t.Sequence[Connection]) -> str:
    """Why a key cannot be stored for the peer of these connections, as the administrator wrote them, or ""."""
    return next((reason for reason in map(_why_not, plain) if reason), "") or _why_shared(site, plain)


def blocked(view: View) -> list[Blocked]:
    """The peers whose keys cannot be stored, whatever they are."""
    site = view.site
    peers: dict[str, list[Connection]] = {}
    for item in site.connections:
        identity = swan_site.plain_id(item.remote.identity)
        peers.setdefault(identity or f"connection {item.name}", []).append(item)
    found = []
    for mine in peers.values():
        reason = _why_not_stored(site, [site.plain[item.name] for item in mine])
        if reason:
            identity = swan_site.plain_id(mine[0].remote.identity)
            keys = dict.fromkeys(key for item in mine for key in view.keys(item))
            found += [Blocked(identity, key, reason) for key in keys or (None,)]
    return found


def find_all(view: View, wanted: t.Iterable[WantedPeer]) -> list[Found]:
    """The entries of all these peers, as far as they can be handled."""
    found = []
    for peer in wanted:
        try:
            found.append(Found(peer, find(view, peer)))
        except VpnKeysError as error:
            found.append(_refused(peer, error))
    return _unshared(found)


def _refused(peer: WantedPeer, error: VpnKeysError) -> Found:
    return Found(peer, None, str(error.about(f"Peer {peer.name}", state=LEFT_OUT)))


def _unshared(found: list[Found]) -> list[Found]:
    """The same without live peers whose entry another one claims, too. A withdrawal counts."""
    claims: dict[str, list[str]] = {}
    for one in found:
        if one.entry:
            claims.setdefault(one.entry.path, []).append(one.peer.name)
    result = []
    for one in found:
        others = [name for name in claims.get(one.entry.path, ()) if name != one.peer.name] if one.entry else []
        if others and one.peer.current:
            what = f"its connection is also that of {others[0]}"
            one = _refused(one.peer, VpnKeysError("conflict", what, advice="give each an identity of its own"))
        result.append(one)
    return result


def change(view: View, found: Found) -> PeerChange:
    """What storing means for that peer."""
    wanted, entry = found.peer, found.entry
    if entry is None:
        return PeerChange(wanted.name, False, (), (), found.why)
    before = [line for item in entry.connections for line in _described(view, item)]
    if wanted.current is None:
        key = _public_key.parse(entry.withdrawn.key) if entry.withdrawn else entry.key
        before += [f"IKE_SA {sa.id}" for item in entry.connections for sa in sessions.of(item.name, view.sas)]
        roles = [(WITHDRAWN, key.fingerprint)] if key else []
    else:
        roles = [(CURRENT, wanted.current.fingerprint)]
        if wanted.staged and wanted.staged != wanted.current:
            roles.append((STAGED, wanted.staged.fingerprint))
    after = [f"{place}{role} {key}" for place in ("", "loaded ") for role, key in roles]
    return PeerChange(wanted.name, True, tuple(dict.fromkeys(before)), tuple(after))


def _described(view: View, connection: Connection) -> t.Iterator[str]:
    stored = view.keys(connection)
    for place, keys in (("", stored), ("loaded ", view.accepted(connection, stored))):
        for key, role in view.roles(connection, keys).items():
            yield f"{place}{role} {key.fingerprint}"


def _why_not(connection: Connection) -> str:
    remote, name = connection.remote, connection.name
    other = auth.why_not_public_key(name, "the peer", remote)
    if other:
        return other
    if len(remote.keys) != 1:
        found = ", ".join(remote.keys) or "none"
        return f"Connection {name} must name one file in remote.pubkeys, and names {found}."
    return ""


def _why_shared(site: Site, mine: t.Sequence[Connection]) -> str:
    used = sorted({item.remote.keys[0] for item in mine})
    if len(used) > 1:
        files = ", ".join(used)
        return f"The connections to {mine[0].remote.identity} use several key files ({files}); keep one of them."
    names = {item.name for item in mine}
    for item in (*site.connections, *site.others):
        if used[0] in item.local.keys or (item.name not in names and used[0] in item.remote.keys):
            return f"The key file {used[0]} is used by connection {item.name}, too; give every peer a file of its own."
    return ""
