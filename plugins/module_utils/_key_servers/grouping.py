# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sorts key servers into units: those that must hold the same key under one label and are planned together.

Pure and total; the order of the input does not matter. Two groups are the same one on two hosts if they have the
same identity (number or address: that is what the devices exchange, the name is local), or, where one of them has
no identity, the same name; and if their hosts name each other as peers. Where no host of the inventory owns a
peer's address, the identity alone decides: else many customers' groups of the same number would be one.
Groups that name the same label on the same host share its key, so all their hosts form one unit. The same label on
hosts that share no group is another key, and another unit.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from .._addresses import spelled


@dataclass(frozen=True)
class GroupOnHost:
    """A GET VPN group as one key server has it.

    `identity`: identity number or address as text; None if none is configured.
    `label`: of the RSA key that signs rekeys; None if none is named.
    `addresses`: of this key server in the group. `peers`: addresses of its cooperative (COOP) peers.
    """

    name: str
    identity: str | None
    label: str | None
    addresses: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Host:
    """A key server of the inventory.

    `addresses`: all that are known, such as the one it is reached at.
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


@dataclass(frozen=True)
class Unit:
    """Key servers that must hold the same key. `label` is None only if `blocked` says why it is not known.

    `hosts` includes key servers that could not be read and may belong here, so that the plan refuses.
    `strangers`: those of the findings that are about peers outside the inventory.
    """

    label: str | None
    groups: tuple[str, ...]
    hosts: tuple[str, ...]
    blocked: str | None
    findings: tuple[str, ...]
    strangers: tuple[str, ...]


@dataclass(frozen=True)
class Grouping:
    """`ungrouped`: hosts that are in no unit."""

    units: tuple[Unit, ...]
    ungrouped: tuple[str, ...]


_Tie = tuple[str, str, str]


@dataclass(frozen=True)
class _Member:
    """One group on one host: what the units are made of.

    `label` is that of the group; where the host names none, the one that all others in the group name.
    """

    host: str
    group: GroupOnHost
    label: str | None


def under_one_label(hosts: Sequence[Host], label: str) -> Grouping:
    """The label is given for all: all hosts are one unit."""
    members = _members(hosts)
    groups = _names(member for member in members if member.group.label == label)
    names = _sorted(host.name for host in hosts)
    strangers = _strangers(members, _owned(hosts))
    unit = Unit(label, groups, names, None, strangers, strangers)
    return Grouping((unit,) if names else (), ())


def as_given(hosts: Sequence[Host], groups: Sequence[GivenGroup]) -> Grouping:
    """The groups are given; what is configured counts for nothing. A given host need not be in `hosts`."""
    names = {host.name for host in hosts} | {name for group in groups for name in group.hosts}
    described = [
        Host(
            name,
            tuple(GroupOnHost(given.name, None, given.label) for given in groups if name in given.hosts),
        )
        for name in sorted(names)
    ]
    return as_configured(described)


def as_configured(hosts: Sequence[Host]) -> Grouping:
    """The groups are what the hosts say."""
    members = _members(hosts)
    owned = _owned(hosts)
    addresses = {host.name: _addresses(host) for host in hosts}
    placed = _place_unreadable(_components(members, addresses, owned), hosts, owned)
    units = [_unit(component, unreadable, owned) for component, unreadable in placed]
    grouped = {name for unit in units for name in unit.hosts}
    return Grouping(
        tuple(sorted(units, key=lambda unit: (unit.groups, unit.label or "", unit.hosts))),
        _sorted(host.name for host in hosts if host.name not in grouped),
    )


def _members(hosts: Sequence[Host]) -> list[_Member]:
    members = {_Member(host.name, group, group.label) for host in hosts if host.readable for group in host.groups}
    return sorted(members, key=repr)


def _components(
    members: Sequence[_Member], addresses: Mapping[str, set[str]], owned: set[str]
) -> list[list[_Member]]:
    """What must hold the same key. A label that is filled in may tie more together, until no more is."""
    while True:
        components = _joined(members, addresses, owned)
        filled = [member for component in components for member in _with_label(component)]
        if set(filled) == set(members):
            return components
        members = sorted(filled, key=repr)


def _with_label(component: Sequence[_Member]) -> list[_Member]:
    labels = {member.label for member in component} - {None}
    if len(labels) != 1:
        return list(component)
    (label,) = labels
    return [replace(member, label=label) for member in component]


def _joined(
    members: Sequence[_Member], addresses: Mapping[str, set[str]], owned: set[str]
) -> list[list[_Member]]:
    """Members that a chain of shared `_ties` joins."""
    unidentified = {member.group.name for member in members if member.group.identity is None}
    tied: dict[_Tie, list[_Member]] = {}
    for member in members:
        for tie in _ties(member, unidentified, addresses[member.host], owned):
            tied.setdefault(tie, []).append(member)
    components: list[list[_Member]] = []
    done: set[_Member] = set()
    for start in members:
        component: list[_Member] = []
        waiting = [start]
        while waiting:
            member = waiting.pop()
            if member in done:
                continue
            done.add(member)
            component.append(member)
            for tie in _ties(member, unidentified, addresses[member.host], owned):
                waiting += tied.pop(tie, [])
        if component:
            components.append(component)
    return components


def _ties(
    member: _Member, unidentified: Container[str], own: set[str], owned: set[str]
) -> Iterator[_Tie]:
    group = member.group
    if member.label is not None:
        yield ("label on host", member.label, member.host)
    peers = _normal(group.peers)
    identities = [("identity", group.identity)] if group.identity is not None else []
    if group.name in unidentified:
        identities.append(("name", group.name))
    for kind, identity in identities:
        for address in own | peers:
            yield (f"{kind} at address", identity, address)
        if not peers & owned:
            yield (kind, identity, "")


def _place_unreadable(
    components: Sequence[list[_Member]], hosts: Sequence[Host], owned: set[str]
) -> list[tuple[list[_Member], tuple[str, ...]]]:
    """With every component the unreadable hosts that belong to it, or that may.

    A host belongs where one of its addresses is named as a peer. It may be behind any peer address that
    nobody owns, as a key server has more addresses than the one that is known. Where no peers are named at
    all, it may belong too, unless it is named elsewhere.
    """
    unreadable = {host.name: _normal(host.addresses) for host in hosts if not host.readable}
    named = {peer for component in components for peer in _peers(component)}

    def may_belong(addresses: set[str], peers: set[str]) -> bool:
        if peers:
            return bool(addresses & peers or peers - owned)
        return not addresses & named

    return [
        (
            component,
            _sorted(name for name, addresses in unreadable.items() if may_belong(addresses, _peers(component))),
        )
        for component in components
    ]


def _unit(component: Sequence[_Member], unreadable: Sequence[str], owned: set[str]) -> Unit:
    labels = _sorted(member.group.label for member in component if member.group.label is not None)
    groups = _names(component)
    unnamed = [member for member in component if member.group.label is None]
    without = _sorted(member.host for member in unnamed)
    strangers = _strangers(component, owned)
    findings = list(strangers)
    blocked = None
    if not labels:
        blocked = f"No key server names an RSA key for the rekeys of {_list(groups)}: {_list(without)}."
    elif len(labels) > 1:
        blocked = f"The key servers of {_list(groups)} name different RSA keys: {_who_names_what(component)}."
    if labels and without:
        findings.append(f"No RSA key is named for the rekeys of {_list(_names(unnamed))} on {_list(without)}.")
    members = _sorted([*(member.host for member in component), *unreadable])
    return Unit(labels[0] if len(labels) == 1 else None, groups, members, blocked, tuple(findings), strangers)


def _who_names_what(component: Sequence[_Member]) -> str:
    hosts: dict[str, set[str]] = {}
    for member in component:
        hosts.setdefault(member.group.label or "none", set()).add(member.host)
    return "; ".join(f"{label} on {_list(sorted(names))}" for label, names in sorted(hosts.items()))


def _strangers(component: Sequence[_Member], owned: set[str]) -> tuple[str, ...]:
    """A sentence for every peer address that no host of the inventory owns."""
    namers: dict[str, set[str]] = {}
    for member in component:
        for peer in _normal(member.group.peers) - owned:
            namers.setdefault(peer, set()).add(member.host)
    return tuple(
        f"{peer}, a peer of {_list(sorted(names))}, is the address of no key server of the inventory."
        for peer, names in sorted(namers.items())
    )


def _owned(hosts: Sequence[Host]) -> set[str]:
    return {address for host in hosts for address in _addresses(host)}


def _addresses(host: Host) -> set[str]:
    """All of a host's own ones, in one spelling."""
    of_groups = (group.addresses for group in host.groups if host.readable)
    return {address for addresses in (host.addresses, *of_groups) for address in _normal(addresses)}


def _peers(component: Sequence[_Member]) -> set[str]:
    return {peer for member in component for peer in _normal(member.group.peers)}


def _normal(addresses: Iterable[str]) -> set[str]:
    """Addresses in one spelling; what is no address stays as it is."""
    return {spelled(address) for address in addresses}


def _names(members: Iterable[_Member]) -> tuple[str, ...]:
    return _sorted(member.group.name for member in members)


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
