# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the running charon uses, as far as it can be known. PRIVATE to the collection.

charon tells how many keys a connection accepts, but not which; and its store of public keys never forgets one. Where
these two leave a doubt, what was remembered at our own last load decides, or it is said that nothing is known.
"""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import asdict, dataclass, field

from ... import _public_key
from ..._public_key import PublicKey
from .. import files
from ..platform import CURRENT, STAGED, WITHDRAWN, StoredKey, Tunnel
from ..state import State
from . import sessions, swanctl
from . import site as swan_site
from .config import Connection
from .site import Own, Site

NOT_YET = "it was not tried yet"


@dataclass
class Memory:
    """What was loaded last, by the charon that started at `charon`.

    `own`: the own key, once it was changed. `keeping`: connections that may have an IKE_SA made with the own key
    before, and why. `settled`: connections all of whose IKE_SAs were made while they accepted this one key only.
    `over`: the IKE_SAs that there were when a connection began to accept two.
    """

    charon: str = ""
    digest: str = ""
    own: str = ""
    keeping: dict[str, str] = field(default_factory=dict)
    settled: dict[str, str] = field(default_factory=dict)
    over: dict[str, list[int]] = field(default_factory=dict)


@dataclass
class Withdrawn:
    """A key that is accepted no more: its file holds the `placeholder`, whose private half nobody has.

    `children`: what was up at that time, by connection.
    """

    placeholder: str
    key: str
    children: dict[str, list[str]] = field(default_factory=dict)


def recall(state: State) -> Memory:
    text = files.read(state.file("loaded.json"))
    return Memory(**json.loads(text)) if text else Memory()


def remember(state: State, memory: Memory) -> None:
    state.write(state.file("loaded.json"), json.dumps(asdict(memory)) + "\n")


def withdrawn(state: State) -> dict[str, Withdrawn]:
    """By the path of the key file."""
    text = files.read(state.file("withdrawn.json"))
    return {path: Withdrawn(**entry) for path, entry in json.loads(text).items()} if text else {}


def remember_withdrawn(state: State, entries: t.Mapping[str, Withdrawn]) -> None:
    data = {path: asdict(entry) for path, entry in entries.items()}
    state.write(state.file("withdrawn.json"), json.dumps(data) + "\n")


def note_load(state: State, site: Site, own: PublicKey | None) -> None:
    """Remember what has just been loaded; `own`: the own key where that is what changed."""
    charon, memory = swanctl.started(), recall(state)
    busy: dict[str, list[int]] = {}
    for sa in swanctl.sas():
        busy.setdefault(sessions.plain_name(sa.connection), []).append(sa.id)
    if memory.charon != charon:
        memory = Memory(charon)
    if own is not None:
        memory.own = own.text
        memory.keeping = {item.name: NOT_YET for item in site.connections if item.name in busy}
    settled, over = {}, {}
    for item in site.connections:
        only = [swan_site.key_in(site.key_file(name)) for name in item.remote.keys]
        key = only[0].text if len(only) == 1 and only[0] else ""
        if key and (item.name not in busy or memory.settled.get(item.name) == key):
            settled[item.name] = key
        if len(only) > 1:
            over[item.name] = memory.over.get(item.name, busy.get(item.name, []))
    memory.settled, memory.over, memory.digest = settled, over, site.digest
    remember(state, memory)


class View:
    """One look at charon; empty where it does not run."""

    def __init__(self, site: Site, state: State) -> None:
        self.site = site
        self.withdrawn = withdrawn(state)
        running = not swanctl.answers()
        self.charon = swanctl.started() if running else ""
        self.sas = swanctl.sas() if running else []
        self.known = swanctl.known() if running else []
        self.loaded = {item.name: item for item in swanctl.loaded()} if running else {}
        memory = recall(state)
        self.memory = memory if running and memory.charon == self.charon else Memory()

    @property
    def fresh(self) -> bool:
        """Whether nothing was written since our own last load."""
        return self.memory.digest == self.site.digest

    def own(self, own: Own) -> PublicKey | None:
        """The key that charon authenticates this gateway with."""
        usable = self.usable()
        if own.key in usable and self.fresh:
            return own.key
        return usable.pop() if len(usable) == 1 else None

    def usable(self) -> set[PublicKey]:
        """The keys of this identity that charon has the private half of."""
        identity = self.site.connections[0].local.identity
        return {item.key for item in self.known if item.usable and _named(item.identity, identity)}

    def accepted(self, connection: Connection, stored: t.Sequence[PublicKey]) -> tuple[PublicKey, ...]:
        """The keys that charon accepts there, where the files hold `stored`; () where that is not known."""
        loaded = self.loaded.get(connection.name)
        if loaded is None:
            return ()
        return accepted(stored, self._listed(connection), loaded.accepted, self.fresh)

    def keys(self, connection: Connection) -> list[PublicKey]:
        """The keys that the files hold for it, in the order in which the configuration names them."""
        found = (swan_site.key_in(self.site.key_file(name)) for name in connection.remote.keys)
        return [key for key in found if key]

    def stored(self) -> t.Iterator[StoredKey]:
        seen: set[StoredKey] = set()
        for connection in self.site.connections:
            peer = swan_site.plain_id(connection.remote.identity)
            stored = self.keys(connection)
            runtime = self.roles(connection, self.accepted(connection, stored))
            file = self.roles(connection, stored)
            for key in dict.fromkeys([*file, *runtime]):
                item = StoredKey(peer, key, file.get(key), runtime.get(key))
                if item not in seen:
                    seen.add(item)
                    yield item

    def roles(self, connection: Connection, keys: t.Sequence[PublicKey]) -> dict[PublicKey, str]:
        """The first key is the current one; a placeholder stands for the key that was withdrawn."""
        result: dict[PublicKey, str] = {}
        for position, key in enumerate(keys):
            entry = self.withdrawn_as(connection, key)
            if entry:
                result[_public_key.parse(entry.key)] = WITHDRAWN
            else:
                result.setdefault(key, STAGED if position else CURRENT)
        return result

    def withdrawn_as(self, connection: Connection, key: PublicKey) -> Withdrawn | None:
        for name in connection.remote.keys:
            entry = self.withdrawn.get(self.site.key_file(name))
            if entry and entry.placeholder == key.text:
                return entry
        return None

    def tunnels(self, own: PublicKey | None) -> t.Iterator[Tunnel]:
        by_name = {item.name: item for item in self.site.connections}
        for sa in sessions.carrying(self.sas):
            connection = by_name.get(sessions.plain_name(sa.connection))
            if connection:
                reason = self.memory.keeping.get(connection.name)
                proof = f"IKE_SA {sa.id}, established {sa.age:.0f} s ago"
                yield Tunnel(
                    swan_site.plain_id(connection.remote.identity) or sa.remote,
                    self._with_own(connection, own),
                    self._with_peer(connection),
                    sa.age,
                    f"{proof}; a new one did not come up: {reason}" if reason else proof,
                    time.time() - sa.age,
                )

    def _with_own(self, connection: Connection, own: PublicKey | None) -> PublicKey | None:
        if connection.name in self.memory.keeping:
            return None
        identity = connection.local.identity
        ever = {item.key for item in self.known if _named(item.identity, identity)}
        return own if own and (self.memory.own == own.text or ever == {own}) else None

    def _with_peer(self, connection: Connection) -> PublicKey | None:
        settled = self.memory.settled.get(connection.name)
        if settled:
            return _public_key.parse(settled)
        listed = self._listed(connection)
        return listed[0] if len(listed) == 1 else None

    def _listed(self, connection: Connection) -> list[PublicKey]:
        identity = connection.remote.identity
        return list(dict.fromkeys(item.key for item in self.known if _named(item.identity, identity)))


def accepted(
    stored: t.Sequence[PublicKey], listed: t.Sequence[PublicKey], count: int, fresh: bool
) -> tuple[PublicKey, ...]:
    """Which keys are accepted: `stored` in the files, `listed` all that were ever loaded for the peer, `count` of them
    loaded now; `fresh`: the files are what was loaded."""
    if fresh:
        return tuple(stored)
    if len(listed) == count:
        known = [key for key in stored if key in listed]
        return (*known, *(key for key in listed if key not in known))
    return ()


def _named(subject: str, identity: str) -> bool:
    """Whether charon lists a key under that identity; keys that no connection names have no subject."""
    return bool(subject) and (not identity or swan_site.same_id(subject, identity))
