# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which live groups there are, and how one of them stands: where what IOS shows meets the decision on a rotation.

Pure. Nothing is guessed: what a key server does not show and the decision needs is a problem of that key server.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...module_utils._addresses import spelled
from ...module_utils._errors import NOTHING_CHANGED, NOTHING_IS_CHANGED, VpnKeysError, clause, stated
from ...module_utils._ios.getvpn import Survey
from ...module_utils._ios.getvpn_config import Group
from ...module_utils._ios.getvpn_coop import Coop
from ...module_utils._ios.getvpn_members import Member, Rekeys
from ...module_utils._ios.getvpn_policy import Policy
from ...module_utils._ios.labels import Label
from ...module_utils._key_servers import grouping, rotation
from ...module_utils._key_servers.grouping import GroupOnHost, Host
from ...module_utils._key_servers.plan import KeyServer
from .survey import Seen, observed_copies

Addresses = Mapping[str, Sequence[str]]
ACKNOWLEDGES = frozenset(("cisco", "interoperable", "any"))
"""Words of IOS for kinds of acknowledgement."""


@dataclass(frozen=True)
class LiveGroup:
    """A GET VPN group on its key servers. `names`: what each key server calls it, by host, None where the key server
    could not be read. `blocked`: why nobody knows which key servers it has."""

    title: str
    identity: str | None
    names: Mapping[str, str | None]
    blocked: str | None = None

    @property
    def known_as(self) -> frozenset[str]:
        return frozenset(name for name in self.names.values() if name)

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(sorted(self.names))


def live_groups(seen: Mapping[str, Seen], addresses: Addresses) -> list[LiveGroup]:
    """All groups that the key servers confirm each other, whatever labels they name. `addresses`: by the inventory."""
    hosts = [_host(name, one, tuple(addresses.get(name, ()))) for name, one in seen.items()]
    owner = grouping.owners(hosts)
    return [group for unit in grouping.as_configured(hosts).units for group in _of_unit(unit, seen, owner)]


def _host(name: str, found: Seen, addresses: tuple[str, ...]) -> Host:
    if isinstance(found, VpnKeysError):
        return Host(name, (), addresses, readable=False)
    groups = tuple(
        # A group is the same whatever its label.
        GroupOnHost(group.name, group.identity, "any", _own(found, group), group.peers)
        for group in found.groups
    )
    return Host(name, groups, addresses)


def _own(found: Survey, group: Group) -> tuple[str, ...]:
    coop = found.coop.get(group.name)
    return tuple(address for address in (group.address, coop.address if coop else None) if address)


def _of_unit(unit: grouping.Unit, seen: Mapping[str, Seen], owner: Mapping[str, str]) -> list[LiveGroup]:
    unread = {host for host in unit.hosts if isinstance(seen[host], VpnKeysError)}
    return [
        LiveGroup(
            min(name for _host, name in part),
            _identity(part, seen),
            {**dict.fromkeys(sorted(unread & _named(part, seen, owner))), **dict(part)},
            _blocked(unit),
        )
        for part in unit.served
    ]


def _named(part: Sequence[tuple[str, str]], seen: Mapping[str, Seen], owner: Mapping[str, str]) -> set[str]:
    """The key servers that those of a group name as peers."""
    groups = (_group(seen[host], name) for host, name in part)
    return {owner.get(spelled(peer), "") for group in groups if group for peer in group.peers}


def _blocked(unit: grouping.Unit) -> str | None:
    """Also by a peer that is not in the inventory: it would keep the old key, and the group would fall apart."""
    if unit.blocked or not unit.unknown_peers:
        return unit.blocked
    what = " ".join(unit.unknown_peers)
    advice = "add the missing key servers to the inventory, or set key_server_addresses of those that are in it"
    return stated(clause(what), NOTHING_CHANGED, advice)


def _identity(part: Sequence[tuple[str, str]], seen: Mapping[str, Seen]) -> str | None:
    groups = (_group(seen[host], name) for host, name in part)
    return next((group.identity for group in groups if group and group.identity), None)


def _group(found: Seen, name: str | None) -> Group | None:
    groups = () if isinstance(found, VpnKeysError) else found.groups
    return next((group for group in groups if group.name == name), None)


def told_apart(groups: Sequence[LiveGroup]) -> list[LiveGroup]:
    """Of groups with one title and identity at most one can be meant: that which several key servers confirm each
    other. One alone may only say so. The others are blocked, and whatever they say stops nobody else."""
    same: dict[tuple[str, str | None], list[LiveGroup]] = {}
    for one in groups:
        same.setdefault((one.title, one.identity), []).append(one)
    return [_told_apart(one, same[one.title, one.identity]) for one in groups]


def _told_apart(one: LiveGroup, same: Sequence[LiveGroup]) -> LiveGroup:
    confirmed = [other for other in same if len([name for name in other.names.values() if name]) > 1]
    if len(same) == 1 or one.blocked or confirmed == [one]:
        return one
    others = "; ".join(", ".join(other.hosts) for other in same if other is not one)
    which = f"{one.title} ({one.identity})" if one.identity else one.title
    why = stated(
        f"{', '.join(one.hosts)} and {others} say that they serve {which}, and are not peers of each other",
        NOTHING_IS_CHANGED,
        "find out which of them belong to the group, and name only those in O(hosts)",
    )
    return dataclasses.replace(one, blocked=why)


def apart(live: LiveGroup, seen: Mapping[str, Seen], addresses: Addresses) -> str:
    """That its key servers are no longer peers of each other, as a sentence; "" where they are, as far as they can be
    read. A key goes only to those whom the others confirm at that time: a run may last for days."""
    names = {(host, name) for host, name in live.names.items() if name and not isinstance(seen[host], VpnKeysError)}
    if len(names) < len(live.names):
        return ""
    now = live_groups({host: seen[host] for host in live.hosts}, addresses)
    if any(names <= set(one.names.items()) for one in now):
        return ""
    return f"{', '.join(live.hosts)} do not name each other as peers of {live.title} any more"


def labels_of(live: LiveGroup, seen: Mapping[str, Seen]) -> dict[str, str | None]:
    """The label that each key server names for the group, as far as they could be read."""
    groups = {host: _group(seen[host], name) for host, name in live.names.items()}
    return {host: group.label for host, group in groups.items() if group}


def observation(
    live: LiveGroup, seen: Mapping[str, Seen], addresses: Addresses, old: str, new: str, now: float
) -> rotation.Observation:
    """How the group stands at `now`, in seconds."""
    owner = _owners(live, seen, addresses)
    servers = tuple(_server(host, live.names[host], seen[host], owner, old, new) for host in live.hosts)
    primary = next((one.name for one in servers if one.role == "Primary"), live.hosts[0] if len(servers) == 1 else None)
    members, problems = _members(live, seen, primary, owner)
    servers = tuple(
        dataclasses.replace(one, problem=problems[one.name]) if one.name in problems and not one.problem else one
        for one in servers
    )
    return rotation.Observation(now, servers, members, _timers(live, seen, primary))


def _owners(live: LiveGroup, seen: Mapping[str, Seen], addresses: Addresses) -> dict[str, str]:
    """Whose address each one is, of the key servers of the group. By the inventory; their own word counts only for
    what the inventory does not know, and what two of them say counts for neither."""
    said: dict[str, set[str]] = {}
    for host, name in live.names.items():
        group = _group(seen[host], name)
        for address in _own(t.cast(Survey, seen[host]), group) if group else ():
            said.setdefault(spelled(address), set()).add(host)
    known = {spelled(address) for own in addresses.values() for address in own}
    owners = {address: min(hosts) for address, hosts in said.items() if len(hosts) == 1 and address not in known}
    return {**owners, **grouping.owners([Host(host, (), tuple(own)) for host, own in addresses.items()])}


def _server(
    host: str, name: str | None, found: Seen, owner: Mapping[str, str], old: str, new: str
) -> rotation.KeyServer:
    group = _group(found, name)
    if isinstance(found, VpnKeysError) or group is None:
        why = str(found) if isinstance(found, VpnKeysError) else f"{host}: it is no longer a key server of the group."
        return rotation.KeyServer(host, "", None, False, None, None, None, problem=why)
    coop, rekeys = found.coop.get(group.name), found.rekeys.get(group.name, Rekeys())
    return rotation.KeyServer(
        name=host,
        release=found.release or "",
        label=group.label,
        saved=_saved(found, group),
        old=observed_copies(found.ring, Label.parse(old))[0],
        new=observed_copies(found.ring, Label.parse(new))[0],
        role=coop.role if coop else None,
        peers=_peers(group, coop, owner) if group.redundancy else (),
        others=tuple((one.name, one.label) for one in found.groups if one.name != group.name and one.label),
        rekeys=rekeys.sent or 0,
        problem=_not_shown(host, found, coop, rekeys, group),
    )


def _saved(found: Survey, group: Group) -> bool:
    """The startup configuration has this label, as far as it is shown, and nothing was changed from here without being
    saved since: that a key was removed shows nowhere else."""
    same = found.startup is None or found.startup_label(group.name) == group.label
    keys = (key for key in found.ring.keys if key.label == group.label)
    return same and not found.unsaved and all(key.saved is not False for key in keys)


def _peers(group: Group, coop: Coop | None, owner: Mapping[str, str]) -> tuple[rotation.Peer, ...]:
    """A peer that is configured and not shown is not heard."""
    shown = {spelled(peer.address): peer for peer in (coop.peers if coop else ())}
    addresses = dict.fromkeys([*shown, *map(spelled, group.peers)])
    return tuple(
        rotation.Peer(
            owner.get(address, address),
            address in shown and shown[address].status == "Alive",
            (shown[address].heard if address in shown else None) or 0,
        )
        for address in addresses
    )


def _not_shown(host: str, found: Survey, coop: Coop | None, rekeys: Rekeys, group: Group) -> str | None:
    missing = [
        what
        for what, there in (
            ("its release", found.release),
            ("how many rekeys it has sent", rekeys.sent is not None),
            ("its COOP state", coop is not None or not group.redundancy),
            ("which announcements of its peers it accepts", _all_heard(coop)),
        )
        if not there
    ]
    return f"{host}: it does not show {missing[0]}." if missing else None


def _all_heard(coop: Coop | None) -> bool:
    return all(peer.heard is not None for peer in coop.peers if peer.status == "Alive") if coop else True


def _members(
    live: LiveGroup, seen: Mapping[str, Seen], primary: str | None, owner: Mapping[str, str]
) -> tuple[tuple[rotation.Member, ...], dict[str, str]]:
    """Registered members, each once: as the primary lists it, or else whoever counts the fewest acknowledgements. With
    the problems of key servers that do not show what they count."""
    found: dict[str, tuple[tuple[bool, int], rotation.Member]] = {}
    problems: dict[str, str] = {}
    for host, name in live.names.items():
        for member in _listed(seen[host], name):
            counted = _counted(member, owner)
            if counted is None:
                problems[host] = f"{host}: it does not show the rekeys of member {member.address}."
                continue
            rank = (host != primary, counted.acked)
            if member.address not in found or rank < found[member.address][0]:
                found[member.address] = rank, counted
    return tuple(member for _rank, member in (found[address] for address in sorted(found))), problems


def _listed(found: Seen, name: str | None) -> list[Member]:
    members = () if isinstance(found, VpnKeysError) else found.members
    return [member for member in members if member.group == name and member.state == "Registered"]


def _counted(member: Member, owner: Mapping[str, str]) -> rotation.Member | None:
    sent, acked, missed = member.rekeys_sent, member.acks_received, member.acks_missed
    if sent is None or acked is None or missed is None or not member.key_server:
        return None
    server = owner.get(spelled(member.key_server), member.key_server)
    return rotation.Member(member.address, member.version or "unknown", server, sent, acked, missed)


def _timers(live: LiveGroup, seen: Mapping[str, Seen], primary: str | None) -> rotation.Timers | None:
    """None unless the primary shows all of them."""
    found = seen[primary] if primary else None
    if found is None or isinstance(found, VpnKeysError):
        return None
    policy = next((one for one in found.policies if one.group == live.names[t.cast(str, primary)]), None)
    return _timers_of(policy) if policy else None


def _timers_of(policy: Policy) -> rotation.Timers | None:
    kek = policy.kek
    newest = max(policy.teks, key=lambda tek: tek.remaining or 0, default=None)
    if kek is None or newest is None:
        return None
    numbers = (kek.lifetime, kek.remaining, kek.time_to_rekey, newest.lifetime, newest.remaining)
    if None in numbers:
        return None
    life, left, to_rekey, tek_life, tek_left = t.cast("tuple[int, int, int, int, int]", numbers)
    soonest = min([to_rekey, *(tek.time_to_rekey for tek in policy.teks if tek.time_to_rekey is not None)])
    known = (kek.acknowledgement or "").lower() in ACKNOWLEDGES
    return rotation.Timers(life, left, soonest, tek_life, tek_left, acknowledged=known)


def for_the_key(live: LiveGroup, seen: Mapping[str, Seen], label: Label) -> tuple[KeyServer, ...]:
    """The key servers as the plan for a key of the group sees them."""
    return tuple(_for_the_key(host, live.names[host], seen[host], label) for host in live.hosts)


def _for_the_key(host: str, name: str | None, found: Seen, label: Label) -> KeyServer:
    group = _group(found, name)
    if isinstance(found, VpnKeysError) or group is None:
        return KeyServer(host, None, None, None, None, None, str(found))
    coop = found.coop.get(group.name)
    role = coop.role if coop else None
    title = (group.identity or group.name,) if role == "Primary" else ()
    copy, staged = observed_copies(found.ring, label)
    return KeyServer(host, copy, staged, group.priority, group.address, role, None, title)
