# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One running GET VPN group, with a clock of its own: KEK, TEKs, rekeys, members, and the COOP of its key servers.

Nothing here waits: `advance` moves the clock, and what is due happens, in its order, the same way each time. Keys are
named by the fingerprint of their public half: a member *verifies* a rekey if it holds the fingerprint that signed it.

What nobody knows of real devices is a switch of the personality: `rekey_new_key`, `coop_needs_key`,
`label_change_rekeys`. Times of COOP: an announcement each 20 s; a secondary that heard no primary for 30 s asks each
10 s, and makes itself primary after 60 s.
"""

from __future__ import annotations

import heapq
import ipaddress
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from .personality import Personality

HELLO = 20
ASK_AFTER = 30
DEAD = 60
TICK = 10
RETRANSMIT = 10
ATTEMPTS = 3
"""The rekey itself and its retransmissions."""
KEK_MARGIN = 200
TEK_MARGIN = 90
REGISTER_MARGIN = 60
"""A member registers again that long before its keys end, some a little earlier than others."""

Role = Literal["Primary", "Secondary"]


@dataclass(frozen=True)
class Kek:
    """`signer`: the public key that members were given with it."""

    spi: int
    signer: str
    born: float
    ends: float


@dataclass(frozen=True)
class Tek:
    """A key that protects traffic."""

    spi: int
    born: float
    ends: float


@dataclass(frozen=True)
class Policy:
    """What a key server hands out; the newest TEK is the last."""

    kek: Kek
    teks: tuple[Tek, ...]


@dataclass
class Entry:
    """What key servers know of a member since it registered."""

    address: str
    version: str
    server: str
    sent: int = 0
    acked: int = 0
    missed: int = 0
    retries: int = 0


@dataclass
class Server:
    """A key server. `keys`: fingerprints by label. `startup`: label and keys that come back after a reload."""

    address: str
    priority: int
    personality: Personality
    label: str
    keys: dict[str, str]
    role: Role = "Secondary"
    up: bool = True
    startup: tuple[str, dict[str, str]] = ("", {})
    policy: Policy | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    last_heard: dict[str, float] = field(default_factory=dict)
    primary_heard: float = 0
    rekeys: int = 0

    @property
    def key(self) -> str | None:
        """The key that it signs with."""
        return self.keys.get(self.label)

    @property
    def rank(self) -> tuple[int, int]:
        """Who wins an election."""
        return self.priority, int(ipaddress.ip_address(self.address))

    def save(self) -> None:
        """Write the startup configuration."""
        self.startup = (self.label, dict(self.keys))

    @property
    def saved(self) -> bool:
        """Whether a reload changes nothing."""
        return self.startup == (self.label, self.keys)


@dataclass
class Member:
    """A group member. `learns`: it takes a new public key from a rekey; some ignore it.

    `registrations` and `rejected` rekeys are counted.
    """

    address: str
    version: str = "1.0.4"
    learns: bool = True
    up: bool = True
    key: str = ""
    kek: Kek | None = None
    teks: tuple[Tek, ...] = ()
    registrations: int = 0
    rejected: int = 0
    due: int = 0
    """Number of the event at which it registers again; earlier ones are forgotten."""


class Group:
    """The group. Read anything; change it with the methods, and `advance` its clock."""

    def __init__(
        self,
        servers: Sequence[Server],
        members: Sequence[Member],
        *,
        kek_life: int = 86400,
        tek_life: int = 3600,
        now: float = 0,
    ) -> None:
        self.now = now
        self.kek_life, self.tek_life = kek_life, tek_life
        self.servers = {server.address: server for server in servers}
        self.members = {member.address: member for member in members}
        self.parted: set[frozenset[str]] = set()
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.count = itertools.count(1)
        self.splits = 0
        """How often a key server made itself primary although another one was."""
        for server in servers:
            server.save()
            others = [other.address for other in servers if other is not server]
            server.heard = dict.fromkeys(others, 0)
            server.last_heard = dict.fromkeys(others, now)
            server.primary_heard = now
        first = max(servers, key=lambda server: server.rank)
        first.role = "Primary"
        self._new_policy(first, kek=True)
        for server in servers:
            server.policy = first.policy
        for member in members:
            self._register(member)
        self._ticks = 0
        self.at(TICK, self._tick)

    # The clock

    def at(self, delay: float, event: Callable[[], None]) -> int:
        """Have something happen later; its number."""
        number = next(self.count)
        heapq.heappush(self.events, (self.now + delay, number, event))
        return number

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.events and self.events[0][0] <= end:
            self.now, _number, event = heapq.heappop(self.events)
            event()
        self.now = end

    # Keys

    def _new_policy(self, server: Server, *, kek: bool, cut: bool = False, drop: bool = False) -> None:
        """A new TEK, and a new KEK; `cut`: the old TEKs end soon, `drop`: at once."""
        old, spi = server.policy, next(self.count)
        kept: tuple[Tek, ...] = ()
        if old and not drop:
            limit = self.now + max(90, min(self.tek_life * 0.05, 3600))
            ends = (min(tek.ends, limit) if cut else tek.ends for tek in old.teks)
            kept = tuple(replace(tek, ends=end) for tek, end in zip(old.teks, ends, strict=True) if end > self.now)
        tek = Tek(spi, self.now, self.now + self.tek_life)
        new_kek = Kek(spi, server.key or "", self.now, self.now + self.kek_life) if kek or old is None else old.kek
        server.policy = Policy(new_kek, (*kept, tek))
        self.at(self.tek_life - TEK_MARGIN, lambda: self._due(server, tek.spi))
        if new_kek.spi == spi:
            self.at(self.kek_life - KEK_MARGIN, lambda: self._due(server, spi, kek=True))

    def _due(self, server: Server, spi: int, *, kek: bool = False) -> None:
        """The rekey that goes out before a key ends, unless that key is no longer the newest. A new primary has it."""
        primary = server if server.up and server.role == "Primary" else self.primary()
        if primary and primary.policy and (primary.policy.kek.spi if kek else primary.policy.teks[-1].spi) == spi:
            self._rekey(primary, kek=kek)

    def primary(self) -> Server | None:
        """The best key server that says it is the primary."""
        claims = [server for server in self.servers.values() if server.up and server.role == "Primary"]
        return max(claims, key=lambda server: server.rank, default=None)

    def rekey(self, address: str, *, replace_now: bool = False) -> bool:
        """`crypto gdoi ks rekey`: nothing happens on a secondary, or without a key."""
        server = self.servers[address]
        if not server.up or server.role != "Primary" or server.key is None:
            return False
        self._rekey(server, kek=True, cut=True, drop=replace_now)
        return True

    def _rekey(self, server: Server, *, kek: bool, cut: bool = False, drop: bool = False) -> None:
        old = server.policy
        if old is None or server.key is None:
            return
        in_band = server.personality.rekey_new_key == "in_band"
        changed = old.kek.signer != server.key
        self._new_policy(server, kek=kek or changed, cut=cut, drop=drop)
        server.rekeys += 1
        signer = old.kek.signer if in_band else server.key
        carried = server.key if in_band and changed else ""
        self._send(server, old.kek, signer, carried, list(server.entries.values()), 1)
        self._synchronize(server)

    def _send(self, server: Server, kek: Kek, signer: str, carried: str, to: Iterable[Entry], attempt: int) -> None:
        """To those who have not acknowledged it yet."""
        left = []
        for entry in to:
            if server.entries.get(entry.address) is not entry:
                continue  # it has registered again meanwhile
            entry.sent += attempt == 1
            entry.retries += attempt > 1
            member = self.members[entry.address]
            if member.up and self._accepts(member, server, kek, signer, carried):
                entry.acked += 1
            else:
                left.append(entry)
        if attempt < ATTEMPTS:
            self.at(RETRANSMIT, lambda: self._send(server, kek, signer, carried, left, attempt + 1))
        else:
            self.at(RETRANSMIT, lambda: self._missed(server, left))

    def _missed(self, server: Server, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if server.entries.get(entry.address) is entry:
                entry.missed += 1

    def _accepts(self, member: Member, server: Server, kek: Kek, signer: str, carried: str) -> bool:
        """A rekey is encrypted with the KEK that members hold, and signed."""
        if server.policy is None or member.kek is None or member.kek.spi != kek.spi or member.key != signer:
            member.rejected += 1
            return False
        if carried and member.learns:
            member.key = carried
        self._install(member, server.policy)
        return True

    # Members

    def _install(self, member: Member, policy: Policy) -> None:
        member.kek, member.teks = policy.kek, policy.teks
        ends = min(policy.kek.ends, policy.teks[-1].ends) - self.now
        early = int(ipaddress.ip_address(member.address)) % 16 * REGISTER_MARGIN / 32
        member.due = 0
        number = self.at(max(ends - REGISTER_MARGIN + early, 1), lambda: self._register_if_due(member, number))
        member.due = number

    def _register_if_due(self, member: Member, number: int) -> None:
        if member.due == number and member.up:
            self._register(member)

    def _register(self, member: Member) -> None:
        """With the first key server that answers; each member has another one at the top of its list."""
        addresses = sorted(self.servers)
        start = int(ipaddress.ip_address(member.address)) % len(addresses)
        for address in (*addresses[start:], *addresses[:start]):
            server = self.servers[address]
            if server.up and server.key is not None and server.policy is not None:
                return self._registered(member, server)
        number = self.at(TICK, lambda: self._register_if_due(member, number))
        member.due = number
        return None

    def _registered(self, member: Member, server: Server) -> None:
        policy = server.policy
        if policy is None:
            return
        member.registrations += 1
        # In band, a key that no rekey has announced yet is not used yet.
        in_band = server.personality.rekey_new_key == "in_band"
        member.key = policy.kek.signer if in_band else server.key or ""
        entry = Entry(member.address, member.version, server.address)
        for other in self.servers.values():
            if other.up and (other is server or self._hears(server, other)):
                other.entries[member.address] = entry
        self._install(member, policy)

    def stop(self, address: str) -> None:
        """A member goes away."""
        self.members[address].up = False

    def start(self, address: str) -> None:
        """And comes back: it has to register."""
        member = self.members[address]
        member.up = True
        self._register(member)

    def without_key(self) -> list[str]:
        """Members that are up and hold no TEK that lives."""
        up = (member for member in self.members.values() if member.up)
        return [member.address for member in up if all(tek.ends <= self.now for tek in member.teks)]

    # COOP

    def _hears(self, sender: Server, receiver: Server) -> bool:
        """Whether a message arrives and is believed."""
        if not (sender.up and receiver.up) or frozenset((sender.address, receiver.address)) in self.parted:
            return False
        same = sender.key is not None and sender.key == receiver.key
        return same or not receiver.personality.coop_needs_key

    def _tick(self) -> None:
        self.at(TICK, self._tick)
        self._ticks += 1
        for server in list(self.servers.values()):
            if server.up and self._ticks * TICK % HELLO == 0:
                self._announce(server)
        for server in list(self.servers.values()):
            if server.up and server.role == "Secondary":
                self._miss_primary(server)

    def _announce(self, server: Server) -> None:
        for other in self.servers.values():
            if other is not server and self._hears(server, other):
                other.heard[server.address] += 1
                other.last_heard[server.address] = self.now
                if server.role == "Primary":
                    self._follow(other, server)

    def _follow(self, server: Server, primary: Server) -> None:
        """An announcement of a primary: of two, the lower one yields."""
        if server.role == "Primary" and server.rank > primary.rank:
            return
        server.role, server.primary_heard = "Secondary", self.now
        server.policy = primary.policy
        server.entries = {**server.entries, **primary.entries}

    def _synchronize(self, primary: Server) -> None:
        for other in self.servers.values():
            if other is not primary and self._hears(primary, other):
                self._follow(other, primary)

    def _silence(self, server: Server) -> float:
        return self.now - server.primary_heard

    def _miss_primary(self, server: Server) -> None:
        silence = self._silence(server)
        if silence >= ASK_AFTER:
            for other in list(self.servers.values()):
                if other.role == "Primary" and self._hears(server, other) and self._hears(other, server):
                    self._announce(other)
                    return
        if silence >= DEAD and not self._better(server):
            self.splits += any(other.up and other.role == "Primary" for other in self.servers.values())
            server.role = "Primary"
            if server.policy is None and server.key is not None:
                self._new_policy(server, kek=True)
            self._synchronize(server)

    def _better(self, server: Server) -> bool:
        """Whether a key server that it hears would win, and misses the primary as well."""
        others = (o for o in self.servers.values() if o is not server and self._hears(o, server) and o.up)
        return any(other.rank > server.rank and self._silence(other) >= DEAD for other in others)

    def alive(self, server: Server, peer: str) -> bool:
        """What it says of a peer."""
        return self.now - server.last_heard[peer] < DEAD

    # What an operator does

    def set_label(self, address: str, label: str) -> None:
        """`rekey authentication mypubkey rsa LABEL`."""
        server = self.servers[address]
        before, server.label = server.label, label
        if server.personality.label_change_rekeys and before != label and server.role == "Primary":
            self._rekey(server, kek=True)

    def reload(self, address: str, seconds: float = 90) -> None:
        """What was not saved is gone; its counters begin again, and it takes part as a secondary."""
        server = self.servers[address]
        self.down(address)
        server.label, server.keys = server.startup[0], dict(server.startup[1])
        self.at(seconds, lambda: self.boot(address))

    def down(self, address: str) -> None:
        """A key server goes away, and forgets what it knew of the group at run time."""
        server = self.servers[address]
        server.up, server.role, server.rekeys = False, "Secondary", 0
        server.entries, server.policy = {}, None

    def boot(self, address: str) -> None:
        """And comes back."""
        server = self.servers[address]
        server.up, server.primary_heard = True, self.now
        server.last_heard = dict.fromkeys(server.last_heard, self.now)

    def clear(self, address: str) -> None:
        """`clear crypto gdoi`: it starts again with a new policy, and without the members that it knows of."""
        server = self.servers[address]
        known, server.entries, server.rekeys = list(server.entries), {}, 0
        if server.key is not None:
            self._new_policy(server, kek=True, drop=True)
        self._synchronize(server)
        for member in known:
            if self.members[member].up:
                self._register(self.members[member])
