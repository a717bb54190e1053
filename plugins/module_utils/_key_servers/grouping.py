# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sorts key servers into units: those that must hold the same key under one label and are planned together.

Pure and total; the order of the input does not matter. What a key server says is a claim about itself, and a unit is
given a private key. So the rule is:

1. An address is that of the key server to which the inventory gives it, and of nobody else. Who says that an address
   is their own has not proved it: what the inventory does not know is nobody's, what it gives to two is neither's.
2. A key server *names* another one in a group if it configures one of its addresses as a peer there.
3. Two key servers are tied in a group if each names the other in it. It is the same group if both have the same
   identity (number or address: that is what devices exchange, the name is local), or, where one has none, the same
   name. Nothing else ties two key servers: no identity, name, label or address that they have in common. Where groups
   without an identity would join groups of two, they are tied to nobody: which of the two is meant, nobody knows.
4. Those whom a chain of such ties joins are together. So a key server gets in only where one inside names it.
5. Groups of one label on one key server share its key. Those whose key servers are the same, or have two of them in
   common, are one unit. Where a single one says that two groups share its key, they are one unit as well, but nothing
   is changed while their keys differ: one could bring the keys of two customers together.
6. A peer that does not name who names it is a *claim*: it is reported, and a key server that nobody names back, or a
   set of them that names as many others as it has members, is not planned. Whom it names goes on without it.
7. A key server that could not be read is waited for by those who name it, and by nobody else.

So a key server that lies can keep from its key those who name it, and can do nothing to all others. What the operator
says (`as_given`, `under_one_label`) counts in place of all this.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from .._addresses import spelled
from .._errors import NOTHING_IS_CHANGED, stated

T = TypeVar("T", bound=Hashable)

MOST_CLAIMS = 10
"""Of one key server; more are counted. Nobody reads more, and a key server that lies may make thousands."""
MOST_NAMES = 10
"""Of key servers or addresses in one sentence."""


@dataclass(frozen=True)
class GroupOnHost:
    """A GET VPN group as one key server has it.

    `identity`: identity number or address as text; None if none is configured.
    `label`: of the RSA key that signs rekeys; None if none is named.
    `addresses`: that this key server says are its own in the group. `peers`: addresses of its cooperative (COOP) peers.
    """

    name: str
    identity: str | None
    label: str | None
    addresses: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Host:
    """A key server of the inventory.

    `addresses`: those that the inventory gives it, such as the one it is reached at.
    `readable` is False if its configuration could not be read; `groups` then means nothing.
    """

    name: str
    groups: tuple[GroupOnHost, ...]
    addresses: tuple[str, ...] = ()
    readable: bool = True


@dataclass(frozen=True)
class GivenGroup:
    """A group that the operator describes instead of the devices."""

    name: str
    label: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, order=True)
class Claim:
    """What `host` says of itself in `group`, and nobody confirms: `names` are the key servers that it says it of.

    `why`: one sentence; options are marked in it as in errors.
    """

    host: str
    group: str
    names: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Unit:
    """Key servers that must hold the same key. `label` is None only if `blocked` says why it is not known.

    `hosts` includes key servers that could not be read and belong here, so that the plan refuses.
    `served`: for each of its groups, by which name each key server has it: pairs of host and name. Empty where the
    operator says what belongs together, as the groups may have other names there.
    `barrier`: why nothing may be changed while the keys differ; None if it may.
    `unknown_peers`: those of the findings that are about peers outside the inventory.
    """

    label: str | None
    groups: tuple[str, ...]
    hosts: tuple[str, ...]
    blocked: str | None
    findings: tuple[str, ...]
    unknown_peers: tuple[str, ...]
    served: tuple[tuple[tuple[str, str], ...], ...] = ()
    barrier: str | None = None


@dataclass(frozen=True)
class Grouping:
    """`ungrouped`: hosts that are in no unit. `findings`: what is about none of the units."""

    units: tuple[Unit, ...]
    ungrouped: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Member:
    """One group on one host: what the units are made of."""

    host: str
    group: GroupOnHost

    @functools.cached_property
    def peers(self) -> list[str]:
        return sorted(_normal(self.group.peers))


_Component = tuple[_Member, ...]


def under_one_label(hosts: Sequence[Host], label: str) -> Grouping:
    """The label is given for all: all hosts are one unit."""
    members = tuple(member for member in _members(hosts) if member.group.label == label)
    names = _sorted(host.name for host in hosts)
    known = {address for host in hosts for address in _normal(host.addresses)} | _said(hosts).keys()
    unknown_peers = _unknown_peers(_members(hosts), known)
    unit = Unit(label, _names(members), names, None, unknown_peers, unknown_peers)
    return Grouping((unit,) if names else (), ())


def as_given(hosts: Sequence[Host], groups: Sequence[GivenGroup]) -> Grouping:
    """The groups are given; what is configured counts for nothing. A given host need not be in `hosts`."""
    pairs = [(given, host) for given in groups for host in given.hosts]
    joined = _joined(groups, ((given, (given.label, host)) for given, host in pairs))
    units = [
        Unit(
            together[0].label,
            _sorted(given.name for given in together),
            _sorted(host for given in together for host in given.hosts),
            None,
            (),
            (),
        )
        for together in joined
        if any(given.hosts for given in together)
    ]
    return _grouping(units, {host.name for host in hosts})


def as_configured(hosts: Sequence[Host]) -> Grouping:
    """The groups are what the hosts say and each other confirm."""
    return _Configured(hosts).grouping()


class _Configured:
    """The hosts, and what follows from what they say of each other."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self.hosts = sorted(hosts, key=lambda host: host.name)
        self.owner = owners(hosts)
        self.unreadable = {host.name for host in hosts if not host.readable}
        self.members = _members(hosts)
        self.on_host: dict[tuple[str, str, str | None], list[_Member]] = {}
        for member in self.members:
            self.on_host.setdefault((member.host, "name", member.group.name), []).append(member)
            self.on_host.setdefault((member.host, "identity", member.group.identity), []).append(member)
        self.named_by = {member: self._named_by(member) for member in self.members}
        self.returned = {member: self._returned(member) for member in self.members}
        self.between = self._between()
        if self.between:
            self.returned = {
                member: {host: self._without_between(member, others) for host, others in returned.items()}
                for member, returned in self.returned.items()
            }

    def grouping(self) -> Grouping:
        units = [self._unit(together) for together in self._under_labels(self._tied())]
        found = _grouping(units, {host.name for host in self.hosts})
        claims = _bounded([*self._unreturned(), *self._of_addresses()])
        return Grouping(found.units, found.ungrouped, claims, self._waited_for_by_nobody(units))

    # Who names whom

    def _owner_of(self, member: _Member, peer: str) -> str | None:
        """The other key server that a peer address of a member is the address of."""
        owner = self.owner.get(peer)
        return None if owner == member.host else owner

    def _same_group(self, member: _Member, host: str) -> list[_Member]:
        """That group on another host."""
        same = self.on_host.get((host, "name", member.group.name), [])
        if member.group.identity is not None:
            same = [other for other in same if other.group.identity is None]
            same = [*same, *self.on_host.get((host, "identity", member.group.identity), [])]
        return same

    def _named_by(self, member: _Member) -> set[str]:
        owners = (self._owner_of(member, peer) for peer in member.peers)
        return {owner for owner in owners if owner is not None}

    def _returned(self, member: _Member) -> dict[str, list[_Member]]:
        """Whom a member names, and of each the groups in which it is named back."""
        return {
            host: [other for other in self._same_group(member, host) if member.host in self.named_by[other]]
            for host in sorted(self.named_by[member])
        }

    def _tied(self) -> list[_Component]:
        ties = ((member, frozenset((member, other))) for member in self.members for other in self._tied_to(member))
        return _joined(self.members, ties)

    def _between(self) -> set[_Member]:
        """Groups without an identity that would join groups of different ones."""
        return {
            member
            for component in self._tied()
            if len({member.group.identity for member in component} - {None}) > 1
            for member in component
            if member.group.identity is None
        }

    def _without_between(self, member: _Member, others: Sequence[_Member]) -> list[_Member]:
        return [] if member in self.between else [other for other in others if other not in self.between]

    def _tied_to(self, member: _Member) -> Iterator[_Member]:
        return (other for others in self.returned[member].values() for other in others)

    def _believed_by_nobody(self, member: _Member) -> list[str]:
        """Whom it names and who could be read, but does not name it back."""
        named = self.returned[member].items()
        return [host for host, others in named if not others and host not in self.unreadable]

    # What is not confirmed

    def _unreturned(self) -> Iterator[Claim]:
        for member in self.members:
            names = tuple(self._believed_by_nobody(member))
            if names:
                yield Claim(member.host, member.group.name, names, self._claims(member, names))

    def _claims(self, member: _Member, names: Sequence[str]) -> str:
        peers = "a peer" if len(names) == 1 else "peers"
        unclear = self._unclear(member, names)
        if unclear:
            return (
                f"{member.host} names {_and(names)} as {peers} of {_title(member.group)}. {_and(unclear)} "
                f"{'sets' if len(unclear) == 1 else 'set'} no identity there, and peers set different ones, so it is "
                "unclear which group is meant."
            )
        nobody = f"{names[0]} does not name it" if len(names) == 1 else _nobody(len(names))
        return f"{member.host} names {_and(names)} as {peers} of {_title(member.group)}, and {nobody}."

    def _unclear(self, member: _Member, names: Collection[str]) -> tuple[str, ...]:
        """Of it and whom it names those of whose group nobody knows which one it is."""
        same = [one for one in self.between if one.group.name == member.group.name]
        return _sorted(one.host for one in same if one == member or one.host in names)

    def _of_addresses(self) -> Iterator[Claim]:
        """Addresses that hosts say are theirs, as far as somebody could be taken in by that."""
        said = _said(self.hosts)
        namers: dict[str, list[_Member]] = {}
        for member in self.members:
            for peer in member.peers:
                namers.setdefault(peer, []).append(member)
        for address, members in sorted(said.items()):
            for member in members:
                yield from self._of_address(address, member, members, namers.get(address, []))

    def _of_address(
        self, address: str, member: _Member, sayers: Collection[_Member], namers: Collection[_Member]
    ) -> Iterator[Claim]:
        host, group = member.host, member.group
        owner = self.owner.get(address)
        says = f"{host} says that {address} is its own address in {_title(group)}"
        if owner is not None:
            if owner != host:
                why = f"{says}, but in the inventory this address belongs to {owner}."
                yield Claim(host, group.name, (owner,), why)
            return
        others = _sorted(other.host for other in namers if self._may_mean(other, member))
        if others:
            also = _sorted(other.host for other in sayers if other.host != host)
            rivals = f", and so {'does' if len(also) == 1 else 'do'} {_and(also)}" if also else ""
            why = (
                f"{says}{rivals}; {_and(others)} {'names' if len(others) == 1 else 'name'} it as a peer, and the "
                f"inventory gives it to no key server. If it is that of {host}, set key_server_addresses of {host}."
            )
            yield Claim(host, group.name, others, why)

    @staticmethod
    def _may_mean(namer: _Member, member: _Member) -> bool:
        one, two = namer.group, member.group
        same = one.identity == two.identity if None not in (one.identity, two.identity) else one.name == two.name
        return same and namer.host != member.host

    def _waited_for_by_nobody(self, units: Sequence[Unit]) -> tuple[str, ...]:
        waited = {host for unit in units for host in unit.hosts}
        if not (alone := sorted(self.unreadable - waited)):
            return ()
        them = "it as a COOP peer" if len(alone) == 1 else "them as COOP peers"
        text = f"{', '.join(alone)} could not be read. No key server has {them}, so no other group is held up."
        return (text,)

    # Units

    def _standing(self, component: _Component) -> str | None:
        """Why a component is not planned, or None."""
        hosts = {member.host for member in component}
        named = {host for member in component for host in self._believed_by_nobody(member)}
        if len(named - hosts) >= len(hosts):
            return self._not_returned(component, named - hosts)
        waits = any(self.named_by[member] & self.unreadable for member in component)
        if len(hosts) > 1 or waits:
            return None
        outside = _sorted(peer for member in component for peer in member.peers if peer not in self.owner)
        if not outside:
            return None
        (host,) = hosts
        one = len(outside) == 1
        return stated(
            f"{host} has {_and(outside)} as {'a peer' if one else 'peers'} of {_list(_names(component))}. The "
            f"inventory has no other key server with {'this address' if one else 'these addresses'}, and no key server "
            f"has {host} as a peer",
            NOTHING_IS_CHANGED,
            "set key_server_addresses of the key servers that are meant, or O(groups)",
        )

    def _not_returned(self, component: _Component, named: Collection[str]) -> str:
        believed = ((member, self._believed_by_nobody(member)) for member in component)
        claims = [(member, [host for host in hosts if host in named]) for member, hosts in believed]
        hosts = _sorted(member.host for member in component)
        unclear = _sorted(host for member, names in claims for host in self._unclear(member, names))
        it = "it as a peer" if len(hosts) == 1 else "them as peers"
        fix = f"set the identity on {_and(unclear)}" if unclear else f"make {_and(sorted(named))} name {it}"
        return stated(
            " ".join(self._claims(member, names) for member, names in claims if names),
            f"{NOTHING_IS_CHANGED} on {_and(hosts)}",
            f"if they belong together, {fix}, or set O(groups)",
        )

    def _under_labels(self, components: Sequence[_Component]) -> list[list[_Component]]:
        """Components that share a key on some host, together."""
        sharing: dict[str, list[_Component]] = {}
        apart: list[list[_Component]] = []
        for component in components:
            labels = {member.group.label for member in component} - {None}
            if len(labels) == 1 and self._standing(component) is None:
                (label,) = labels
                sharing.setdefault(str(label), []).append(component)
            else:
                apart.append([component])
        for same in sharing.values():
            on = [(component, member.host) for component in same for member in component]
            apart += [list(together) for together in _joined(same, on)]
        return apart

    def _unit(self, together: Sequence[_Component]) -> Unit:
        members = [member for component in together for member in component]
        labels = _sorted(member.group.label for member in members if member.group.label is not None)
        unnamed = [member for member in members if member.group.label is None]
        unknown_peers = _unknown_peers(members, self.owner.keys())
        findings = list(unknown_peers)
        if labels and unnamed:
            without = _sorted(member.host for member in unnamed)
            findings.append(f"No RSA key is named for the rekeys of {_list(_names(unnamed))} on {_list(without)}.")
        waits_for = {host for member in members for host in self.named_by[member] & self.unreadable}
        return Unit(
            labels[0] if len(labels) == 1 else None,
            _names(members),
            _sorted([*(member.host for member in members), *waits_for]),
            _wrong_labels(members, labels) or (self._standing(together[0]) if len(together) == 1 else None),
            tuple(findings),
            unknown_peers,
            tuple(_served(component) for component in together),
            _barrier(together),
        )


def _wrong_labels(members: Sequence[_Member], labels: Sequence[str]) -> str | None:
    groups = _list(_names(members))
    if not labels:
        hosts = _list(_sorted(member.host for member in members))
        return f"No key server names an RSA key for the rekeys of {groups}: {hosts}."
    if len(labels) > 1:
        return f"The key servers of {groups} name different RSA keys: {_who_names_what(members)}."
    return None


def _who_names_what(members: Sequence[_Member]) -> str:
    hosts: dict[str, set[str]] = {}
    for member in members:
        hosts.setdefault(member.group.label or "none", set()).add(member.host)
    return "; ".join(f"{label} on {_list(sorted(names))}" for label, names in sorted(hosts.items()))


def _barrier(together: Sequence[_Component]) -> str | None:
    """Why groups that share a label may not be made equal: only one key server says that they do."""
    clusters = [(frozenset(member.host for member in component), component) for component in together]
    sets = _confirmed([hosts for hosts, _component in clusters])
    if len(sets) == 1:
        return None
    shared = _sorted(host for number, one in enumerate(sets) for other in sets[:number] for host in one & other)
    members = [member for component in together for member in component]
    return stated(
        f"{_list(_names(members))} use the same label {_label(members)} only on {_and(shared)}; their other key "
        "servers differ",
        f"{NOTHING_IS_CHANGED} while their keys differ",
        "if all of them are to hold one key, set O(groups)",
    )


def _label(members: Sequence[_Member]) -> str:
    return next(member.group.label for member in members if member.group.label is not None)


def _confirmed(sets: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    """Sets of hosts, joined where one holds the other or two hosts are in both."""
    joined: list[frozenset[str]] = []
    for hosts in sorted(sets, key=sorted):
        grown = True
        while grown:
            grown = False
            for other in list(joined):
                if hosts <= other or other <= hosts or len(hosts & other) > 1:
                    joined.remove(other)
                    hosts, grown = hosts | other, True
                    break
        joined.append(hosts)
    return joined


def _grouping(units: Iterable[Unit], names: Collection[str]) -> Grouping:
    ordered = tuple(sorted(units, key=lambda unit: (unit.groups, unit.label or "", unit.hosts, unit.served)))
    grouped = {name for unit in ordered for name in unit.hosts}
    return Grouping(ordered, _sorted(name for name in names if name not in grouped))


def _members(hosts: Sequence[Host]) -> list[_Member]:
    members = {_Member(host.name, group) for host in hosts if host.readable for group in host.groups}
    return sorted(members, key=repr)


def owners(hosts: Sequence[Host]) -> dict[str, str]:
    """Whose address each one is, by the inventory alone; without those that it gives to two."""
    owners: dict[str, set[str]] = {}
    for host in hosts:
        for address in _normal(host.addresses):
            owners.setdefault(address, set()).add(host.name)
    return {address: min(names) for address, names in owners.items() if len(names) == 1}


def _said(hosts: Sequence[Host]) -> dict[str, list[_Member]]:
    """The addresses that hosts say are their own, and where they say so."""
    said: dict[str, list[_Member]] = {}
    for member in _members(hosts):
        for address in _normal(member.group.addresses):
            said.setdefault(address, []).append(member)
    return said


def _joined(things: Sequence[T], ties: Iterable[tuple[T, Hashable]]) -> list[tuple[T, ...]]:
    """The things that a chain of ties joins; two that have the same tie are joined. In the order of `things`."""
    root: dict[Hashable, Hashable] = {}

    def find(one: Hashable) -> Hashable:
        while root.setdefault(one, one) != one:
            root[one] = root[root[one]]
            one = root[one]
        return one

    for thing, tie in ties:
        root[find(("thing", thing))] = find(("tie", tie))
    together: dict[Hashable, list[T]] = {}
    for thing in things:
        together.setdefault(find(("thing", thing)), []).append(thing)
    return [tuple(one) for one in together.values()]


def _bounded(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Sorted, and of each host no more than anybody reads."""
    kept: list[Claim] = []
    for host, of_host in groupby(sorted(set(claims)), key=lambda claim: claim.host):
        first = list(of_host)
        kept += first[:MOST_CLAIMS]
        if more := first[MOST_CLAIMS:]:
            last = more[0]
            kept.append(Claim(host, last.group, last.names, f"{host} makes {len(more)} more claims like these."))
    return tuple(kept)


def _served(members: Iterable[_Member]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({(member.host, member.group.name) for member in members}))


def _unknown_peers(members: Iterable[_Member], known: Collection[str]) -> tuple[str, ...]:
    """A sentence for every peer address that the inventory gives to nobody. Whose it is may be in the inventory."""
    namers: dict[str, set[str]] = {}
    for member in members:
        for peer in member.peers:
            if peer not in known:
                namers.setdefault(peer, set()).add(member.host)
    return tuple(
        f"{peer}, a peer of {_list(sorted(names))}, is an address that the inventory gives to no key server."
        for peer, names in sorted(namers.items())
    )


def _normal(addresses: Iterable[str]) -> set[str]:
    """Addresses in one spelling; a text that is not an address is returned as it is."""
    return {spelled(address) for address in addresses}


def _names(members: Iterable[_Member]) -> tuple[str, ...]:
    return _sorted(member.group.name for member in members)


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _and(names: Sequence[str]) -> str:
    shown = list(names[:MOST_NAMES])
    if len(names) > MOST_NAMES:
        shown.append(f"{len(names) - MOST_NAMES} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def _nobody(count: int) -> str:
    return "neither names it" if count == 2 else "none of them names it"


def _title(group: GroupOnHost) -> str:
    return group.name if group.identity in (None, group.name) else f"{group.name} ({group.identity})"
