# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at all key servers at once and plans every unit of them: where what IOS shows meets the pure decision."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible.errors import AnsibleError

from ...module_utils._addresses import rank, spelled
from ...module_utils._errors import NOTHING_CHANGED, NOTHING_DONE, NOTHING_IS_CHANGED, VpnKeysError, rendered, stated
from ...module_utils._fingerprint import short
from ...module_utils._ios import getvpn, rsa_keys
from ...module_utils._ios.getvpn import Survey
from ...module_utils._ios.getvpn_config import Group
from ...module_utils._ios.getvpn_members import Member
from ...module_utils._ios.key_listings import KeyRing
from ...module_utils._ios.labels import SCRATCH_SUFFIX, Label
from ...module_utils._key_servers import grouping
from ...module_utils._key_servers import plan as planning
from ...module_utils._key_servers.grouping import Claim, GivenGroup, Grouping, GroupOnHost, Host, Unit
from ...module_utils._key_servers.plan import Copy, KeyServer, Plan, Policy
from .. import host_patterns
from ..ios import session as ios_session
from ..ios.options import Target

Seen: t.TypeAlias = "Survey | VpnKeysError"
ADDRESSES = "key_server_addresses"
"""Variable of the inventory: the addresses that a key server has as one, beside the one it is reached at."""
MOST_GROUPS = 256
"""Of one key server."""
MOST_PEERS = 64
"""Of one group. IOS takes eight key servers."""
_FINGERPRINT = re.compile("[0-9A-Fa-f]{12,64}")


@dataclass(frozen=True)
class Planned:
    """One unit and its plan, with what people want to know before they consent."""

    unit: Unit
    plan: Plan
    servers: tuple[KeyServer, ...]
    members: tuple[Member, ...]
    """Registered group members, each once per group. They verify rekeys with the public key that they got from the
    key server where they registered."""

    @property
    def digest(self) -> str:
        return planning.digest(self.plan)


async def observe(
    targets: Sequence[Target],
    parallel: int,
    limit: float,
    reader: ios_session.Reader | None = None,
    policies: bool = False,
    whole: bool = False,
) -> dict[str, Seen]:
    """Every key server's survey, or why it could not be had."""
    read = reader or ios_session.read

    async def one(target: Target) -> Survey:
        return await read(target, lambda tty: getvpn.survey(tty, policies=policies, whole=whole), limit)

    seen = await ios_session.on_all(targets, one, parallel)
    return {name: believable(name, found) for name, found in seen.items()}


@dataclass(frozen=True)
class Compromised:
    """A key that nobody shall hold any more. `fingerprint`: as it was given; `held`: host and label."""

    fingerprint: str
    held: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Plans:
    """One plan per unit; the hosts that are in none; what is claimed and confirmed by nobody; what else to know; who
    holds a compromised key, if anybody; who could not be read, as an error by host. All but `compromised` and
    `findings` is of what was chosen."""

    planned: list[Planned]
    ungrouped: tuple[str, ...]
    claims: tuple[Claim, ...]
    findings: tuple[str, ...]
    compromised: tuple[Compromised, ...]
    problems: Mapping[str, VpnKeysError]


def own_addresses(targets: Mapping[str, Target], hostvars: Mapping[str, t.Any]) -> dict[str, tuple[str, ...]]:
    """The addresses that the inventory gives each key server. Raises bad_input."""
    given = {name: _given_addresses(name, hostvars[name]) for name in targets}
    owners: dict[str, list[str]] = {}
    for name, addresses in given.items():
        for address in dict.fromkeys(map(spelled, addresses)):
            owners.setdefault(address, []).append(name)
    for address, names in owners.items():
        if len(names) > 1:
            raise VpnKeysError(
                "bad_input",
                f"{ADDRESSES} gives {address} to {', '.join(names)}",
                state=NOTHING_DONE,
                advice="give each address to one key server",
            )
    return {name: (target.host, *given[name]) for name, target in targets.items()}


def _given_addresses(name: str, variables: Mapping[str, t.Any]) -> tuple[str, ...]:
    # Facts outrank the inventory, and they are what a device says.
    if ADDRESSES not in variables or ADDRESSES in (variables.get("ansible_facts") or {}):
        return ()
    value = variables[ADDRESSES]
    addresses = [value] if isinstance(value, str) else value
    if not isinstance(addresses, Sequence) or not all(isinstance(one, str) and rank(one) > (0, 0) for one in addresses):
        raise VpnKeysError(
            "bad_input", f"{ADDRESSES} must be an IP address or a list of them", host=name, state=NOTHING_DONE
        )
    return tuple(addresses)


def plan_all(seen: Mapping[str, Seen], options: Mapping[str, t.Any], addresses: Mapping[str, Sequence[str]]) -> Plans:
    """What is to be done. `options`: as the modules take them. `addresses`: by key server, what the inventory says."""
    policy = Policy(
        overwrite=options["overwrite"],
        bits=options["size"],
        minimum_bits=options["minimum_size"],
        allow_weak_source=options["allow_weak_source"],
        exportable=options["exportable"],
        save=options["save"],
        compromised=tuple(_fingerprint(text) for text in options["compromised"]),
        primary=tuple(options["primary"]),
    )
    grouped = _group(seen, options, addresses)
    unreadable = {name: found for name, found in seen.items() if isinstance(found, VpnKeysError)}
    units = _chosen(grouped.units, options, unreadable)
    compromised = _compromised(seen, policy.compromised, options["allow_absent_compromised"])
    planned = [_plan(unit, seen, policy) for unit in units]
    if not options["allow_partial_inventory"]:
        lacking = _lacking(planned)
        planned = [_plan(_blocked(one.unit), seen, policy) if one in lacking else one for one in planned]
    # Whom the reader asked for: with a choice, the key servers of the groups, and those of the limit.
    wide = not options["only_groups"]
    allowed = options["allowed_hosts"] if wide else ()
    about = {host for unit in units for host in unit.hosts}.union(seen if allowed is None else allowed)
    return Plans(
        planned,
        tuple(name for name in grouped.ungrouped if name in about),
        tuple(claim for claim in grouped.claims if about.intersection((claim.host, *claim.names))),
        (*grouped.findings, *_left_out(grouped.units, units), *_under_other_labels(compromised, grouped.units)),
        compromised,
        {name: error for name, error in unreadable.items() if name in about},
    )


def _chosen(
    units: Sequence[Unit], options: Mapping[str, t.Any], unreadable: Collection[str]
) -> Sequence[Unit]:
    """The units that are meant. Raises bad_input where there are some, and none is."""
    patterns, allowed = options["only_groups"], options["allowed_hosts"]
    named = [unit for unit in units if unit.groups]
    try:
        of_named = [unit.groups for unit in named]
        meant = host_patterns.meant(of_named, patterns, "O(only_groups)") if patterns else [True] * len(named)
    except VpnKeysError as error:
        # The group may be one of theirs.
        away = f"; {_names(unreadable)} could not be read" if unreadable else ""
        raise VpnKeysError(error.code, error.what + away, state=error.state, advice=error.advice) from None
    left_out = [unit for unit, is_meant in zip(named, meant, strict=True) if not is_meant]
    of_groups = [unit for unit in units if unit not in left_out]
    found = [unit for unit in of_groups if allowed is None or set(allowed).intersection(unit.hosts)]
    if of_groups and not found and not set(allowed).intersection(unreadable):
        raise VpnKeysError(
            "bad_input",
            "O(allowed_hosts) excludes all key servers of "
            f"{_names(name for unit in of_groups for name in unit.groups)}",
            state=NOTHING_DONE,
            advice="name a key server of that group",
        )
    return found


def _lacking(planned: Sequence[Planned]) -> list[Planned]:
    """Those with key servers that name peers that the inventory lacks. Raises bad_input where all are such. One stops
    no other one: a key server could name anything."""
    acting = [one for one in planned if one.plan.verdict != "unknown"]
    lacking = [one for one in acting or planned if one.unit.unknown_peers]
    if lacking and len(lacking) == len(acting or planned):
        peers = dict.fromkeys(peer for one in lacking for peer in one.unit.unknown_peers)
        raise VpnKeysError(
            "bad_input", f"{' '.join(peers)} {LOOKS_LIKE_A_SLICE}", state=NOTHING_CHANGED, advice=MAKE_IT_WHOLE
        )
    return lacking


LOOKS_LIKE_A_SLICE = "This is also the case in a job slice. The key servers of a group must be read together"
MAKE_IT_WHOLE = (
    "add them to the inventory and set the slice count of the job template to 1, or set O(allow_partial_inventory)"
)


def _blocked(unit: Unit) -> Unit:
    why = f"{' '.join(unit.unknown_peers)} {LOOKS_LIKE_A_SLICE}; {MAKE_IT_WHOLE}."
    return dataclasses.replace(unit, blocked=why)


def _left_out(units: Sequence[Unit], chosen: Collection[Unit]) -> list[str]:
    names = [name for unit in units if unit not in chosen for name in unit.groups or unit.hosts]
    return [f"Excluded, because not selected: {_names(names)}."] if names else []


def _compromised(seen: Mapping[str, Seen], fingerprints: Sequence[str], absent: bool) -> tuple[Compromised, ...]:
    """Who holds which. Raises not_found for one that nobody holds, unless that is allowed: a digit may be wrong."""
    held = tuple(
        Compromised(one, tuple((name, label) for name, label, key in _all_keys(seen) if key.startswith(one)))
        for one in fingerprints
    )
    lost = [short(one.fingerprint) for one in held if not one.held]
    if lost and not absent:
        unread = [name for name, found in seen.items() if isinstance(found, VpnKeysError)]
        raise VpnKeysError(
            "not_found",
            f"No key server has the compromised key {', '.join(lost)}"
            f"{', as far as they could be read' if unread else ''}",
            state=NOTHING_CHANGED,
            advice="compare each digit with the reports; if an earlier run has replaced it, set "
            "O(allow_absent_compromised)",
        )
    return held


def _all_keys(seen: Mapping[str, Seen]) -> list[tuple[str, str, str]]:
    """Host, label and fingerprint of all that could be read."""
    return [
        (name, label, t.cast(str, rsa_keys.identity([key for key in found.ring.keys if key.label == label])))
        for name, found in seen.items()
        if isinstance(found, Survey)
        for label in found.ring.labels
    ]


def _under_other_labels(compromised: Sequence[Compromised], units: Sequence[Unit]) -> list[str]:
    """What no plan can replace."""
    used = {
        (host, label) for unit in units if unit.label for host in unit.hosts for label in _both(unit.label)
    }
    return [
        f"{host} has the compromised key {short(one.fingerprint)} under {label}, which no GET VPN group uses."
        for one in compromised
        for host, label in one.held
        if (host, label) not in used
    ]


def _both(label: str) -> tuple[str, str]:
    """A label and its scratch label."""
    return label, label + SCRATCH_SUFFIX


def _names(names: Iterable[str]) -> str:
    listed = sorted(set(names))
    more = len(listed) - host_patterns.SHOWN
    return ", ".join(listed[: host_patterns.SHOWN]) + (f" and {more} more" if more > 0 else "")


def _fingerprint(text: str) -> str:
    """A fingerprint or the beginning of one; a shorter beginning could mean a key that nobody meant."""
    if not _FINGERPRINT.fullmatch(text):
        raise VpnKeysError(
            "bad_input",
            f"{text[:80]!r} is not a fingerprint of a compromised key",
            state=NOTHING_CHANGED,
            advice="give 12 to 64 hexadecimal digits, as the reports show them, in O(compromised)",
        )
    return text.lower()


def _group(seen: Mapping[str, Seen], options: Mapping[str, t.Any], addresses: Mapping[str, Sequence[str]]) -> Grouping:
    hosts = [_host(name, found, tuple(addresses.get(name, ()))) for name, found in seen.items()]
    if options.get("label"):
        return grouping.under_one_label(hosts, str(Label.parse(options["label"])))
    if options.get("groups"):
        given = [
            GivenGroup(one["name"], str(Label.parse(one["label"])), tuple(one["hosts"])) for one in options["groups"]
        ]
        return grouping.as_given(hosts, given)
    return grouping.as_configured(hosts)


def believable(name: str, found: Seen) -> Seen:
    """What a key server says, or that it cannot be meant: it would cost the others time."""
    if isinstance(found, VpnKeysError):
        return found
    peers = max((len(group.peers) for group in found.groups), default=0)
    for count, most, what in ((len(found.groups), MOST_GROUPS, "groups"), (peers, MOST_PEERS, "peers of one group")):
        if count > most:
            return VpnKeysError("unreadable", f"it lists {count} {what}, and no more than {most} are read", host=name)
    return found


def _host(name: str, found: Seen, addresses: tuple[str, ...]) -> Host:
    if isinstance(found, VpnKeysError):
        return Host(name, (), addresses, readable=False)
    groups = tuple(
        GroupOnHost(group.name, group.identity, group.label, _addresses(found, group), group.peers)
        for group in found.groups
    )
    return Host(name, groups, addresses)


def _addresses(found: Survey, group: Group) -> tuple[str, ...]:
    """Of this key server in a group: as configured, and as COOP shows it."""
    coop = found.coop.get(group.name)
    return tuple(address for address in (group.address, coop.address if coop else None) if address)


def _plan(unit: Unit, seen: Mapping[str, Seen], policy: Policy) -> Planned:
    label, blocked = _usable_label(unit)
    servers = tuple(_key_server(name, unit, label, seen[name]) for name in unit.hosts)
    if label is None or blocked:
        reasons = tuple(
            dataclasses.replace(one, copy=None, staged=None, problem=one.problem or blocked) for one in servers
        )
        decided = dataclasses.replace(planning.plan(unit.label or "", reasons, policy), blocked=blocked)
    elif policy.compromised and not planning.holds_compromised(servers, policy):
        decided = _spared(planning.plan(label.name, servers, dataclasses.replace(policy, overwrite=False)))
    else:
        decided = planning.plan(label.name, servers, policy)
    return Planned(unit, _within_barrier(unit, decided), servers, _registered(unit, seen))


def _usable_label(unit: Unit) -> tuple[Label | None, str | None]:
    """The label of the unit and why it is blocked. What a key server names may be no label that can be used."""
    if unit.label is None or unit.blocked:
        return None, unit.blocked
    try:
        return Label.parse(unit.label), None
    except VpnKeysError as error:
        failure = error.about(", ".join(unit.groups), state=f"{NOTHING_IS_CHANGED} on {', '.join(unit.hosts)}")
        return None, failure.marked


def _within_barrier(unit: Unit, decided: planning.Plan) -> planning.Plan:
    """Where one key server alone says that groups share a key, no key moves between them."""
    if unit.barrier is None or decided.verdict in ("in_sync", "split", "unknown"):
        return decided
    return dataclasses.replace(
        decided, blocked=unit.barrier, needs_consent=False, steps=(), would=(), source=None, fingerprint=None
    )


def _spared(decided: planning.Plan) -> planning.Plan:
    """Who names a stolen key means the key servers that hold it, and wants no key replaced elsewhere."""
    if not decided.needs_consent:
        return decided
    why = stated(decided.blocked or "", "Nothing is replaced here, because none of them has a compromised key")
    return dataclasses.replace(decided, needs_consent=False, would=(), blocked=why)


def _key_server(name: str, unit: Unit, label: Label | None, found: Seen) -> KeyServer:
    if isinstance(found, VpnKeysError):
        return KeyServer(name, None, None, None, None, None, str(found))
    served = _served(name, unit, found)
    groups = [group for group in found.groups if group.name in served]
    states = {group.name: found.coop[group.name] for group in groups if group.name in found.coop}
    roles = {state.role for state in states.values() if state.role}
    priorities = [group.priority for group in groups if group.priority is not None]
    address = next((address for group in groups for address in _addresses(found, group)), None)
    copy, staged = observed_copies(found.ring, label) if label else (None, None)
    return KeyServer(
        name,
        copy,
        staged,
        max(priorities, default=None),
        address,
        "Primary" if "Primary" in roles else next(iter(roles), None),
        None,
        tuple(sorted({served[own] for own, state in states.items() if state.role == "Primary"})),
    )


def _served(name: str, unit: Unit, found: Survey) -> dict[str, str]:
    """The groups of the unit on one key server, by their names there: what they are called across key servers."""
    if not unit.served:
        # The operator describes groups by label; the device may have them under other names.
        mine = [group for group in found.groups if group.name in unit.groups or group.label == unit.label]
        return {group.name: group.identity or group.name for group in mine}
    titles = [", ".join(sorted({own for _host, own in part})) for part in unit.served]
    numbered = [title if titles.count(title) == 1 else f"{title} ({number})" for number, title in enumerate(titles, 1)]
    return {own: title for title, part in zip(numbered, unit.served, strict=True) for host, own in part if host == name}


def observed_copies(ring: KeyRing, label: Label) -> tuple[Copy | None, Copy | None]:
    """What stands under the label and under its scratch label, as the plan sees it."""
    return _copy(ring, label), _copy(ring, label.scratch)


def _copy(ring: KeyRing, label: Label) -> Copy | None:
    keys = ring.of(label)
    if not keys:
        return None
    saved = [key.saved for key in keys]
    usage = keys[0].usage if len(keys) == 1 else t.cast(t.Any, "usage-keys")
    return Copy(
        t.cast(str, rsa_keys.identity(keys)),
        min(key.bits for key in keys),
        usage,
        all(key.exportable for key in keys),
        None if None in saved else all(saved),
    )


def _registered(unit: Unit, seen: Mapping[str, Seen]) -> tuple[Member, ...]:
    """Group members that some key server lists as registered."""
    members: dict[tuple[str, str], Member] = {}
    for name in unit.hosts:
        found = seen[name]
        if isinstance(found, Survey):
            served = _served(name, unit, found)
            for member in found.members:
                if member.group in served and member.state == "Registered":
                    members.setdefault((member.group, member.address), member)
    return tuple(members.values())


def _with_old_key(planned: Planned, replaced: Collection[str]) -> int:
    """How many members registered with a key server whose key is replaced; one that is not listed counts as such."""
    kept = {server.address for server in planned.servers if server.name not in replaced and server.copy}
    return sum(member.key_server not in kept for member in planned.members) if replaced else 0


def to_result(planned: Planned, names: Mapping[str, str]) -> dict[str, t.Any]:
    """A plan as a result: plain data, fingerprints only. `names`: what the reader can set, by option."""
    plan = planned.plan
    replaced = sorted({host for step in (*plan.steps, *plan.would) for host in step.replaces})
    return {
        "label": planned.unit.label,
        "groups": list(planned.unit.groups),
        "verdict": plan.verdict,
        "in_sync": plan.verdict == "in_sync",
        "blocked": rendered(plan.blocked, names) if plan.blocked else None,
        "needs_consent": plan.needs_consent,
        "steps": [step.to_result() for step in plan.steps],
        "would": [step.to_result() for step in plan.would],
        "replaces": replaced,
        "primary": plan.primary,
        "primary_by": plan.primary_by,
        "source": plan.source,
        "fingerprint": plan.fingerprint,
        "findings": [rendered(text, names) for text in (*planned.unit.findings, *plan.findings)],
        "unknown_peers": list(planned.unit.unknown_peers),
        "registered_members": dict(Counter(member.group for member in planned.members)),
        "members_with_old_key": _with_old_key(planned, replaced),
        "digest": planned.digest,
        "key_servers": [_server_to_result(server) for server in planned.servers],
    }


def compared(plans: Plans, targets: Mapping[str, Target], names: Mapping[str, str]) -> dict[str, t.Any]:
    """All that was found, as a result. `names`: as above."""
    problems = {name: rendered(error.marked, names) for name, error in plans.problems.items()}
    units = [to_result(one, names) for one in plans.planned]
    return {
        "in_sync": bool(units) and all(unit["in_sync"] for unit in units) and not problems and not plans.claims,
        "units": units,
        "claims": claims_to_result(plans.claims, names),
        "findings": list(plans.findings),
        "compromised": shown_compromised(plans),
        "problems": problems,
        "tampered": [name for name, target in targets.items() if target.refused],
        "ungrouped": [name for name in plans.ungrouped if name not in problems],
    }


def title(unit: Unit) -> str:
    """What people call it."""
    return f"{unit.label or 'no label'} ({', '.join(unit.groups)})" if unit.groups else str(unit.label)


def claims_to_result(claims: Sequence[Claim], names: Mapping[str, str]) -> list[dict[str, t.Any]]:
    return [
        {"host": claim.host, "group": claim.group, "names": list(claim.names), "why": rendered(claim.why, names)}
        for claim in claims
    ]


def _server_to_result(server: KeyServer) -> dict[str, t.Any]:
    copy, staged = server.copy, server.staged
    return {
        "host": server.name,
        "address": server.address,
        "role": server.role,
        "priority": server.priority,
        "problem": server.problem,
        "fingerprint": copy.fingerprint if copy else None,
        "size": copy.bits if copy else None,
        "usage": copy.usage if copy else None,
        "exportable": copy.exportable if copy else None,
        "saved": copy.saved if copy else None,
        "staged": staged.fingerprint if staged else None,
    }


def shown_compromised(plans: Plans) -> list[dict[str, t.Any]]:
    return [
        {"fingerprint": one.fingerprint, "key_servers": sorted({host for host, _label in one.held})}
        for one in plans.compromised
    ]


def _matching(patterns: Sequence[str], groups: Mapping[str, Iterable[str]]) -> list[str]:
    """The hosts of the inventory that are named, or meant by patterns. Raises bad_input."""
    known = set(groups.get("all", ()))
    if known.issuperset(patterns):
        return list(patterns)
    try:
        hosts, unknown = host_patterns.resolved(groups, patterns)
    except AnsibleError as error:
        raise VpnKeysError("bad_input", f"O(hosts): {error.message}", state=NOTHING_DONE) from None
    if unknown:
        raise VpnKeysError("bad_input", f"Not in the inventory: {', '.join(unknown)}", state=NOTHING_DONE)
    return hosts


def check_options(options: Mapping[str, t.Any], groups: Mapping[str, Iterable[str]]) -> list[str]:
    """The hosts to look at. Raises bad_input for names that are not in the inventory, or none at all. `groups`: as the
    variable of that name."""
    hosts = list(
        dict.fromkeys(
            [
                *_matching(options["hosts"] or [], groups),
                *(host for group in options["groups"] or [] for host in group["hosts"]),
            ]
        )
    )
    for label in [options["label"], *(group["label"] for group in options["groups"] or [])]:
        if label is not None:
            Label.parse(label)
    unknown = sorted(set(hosts).difference(groups.get("all", ())))
    if unknown:
        raise VpnKeysError("bad_input", f"Not in the inventory: {', '.join(unknown)}", state=NOTHING_DONE)
    if not hosts:
        raise VpnKeysError("bad_input", "There is no key server to read: set O(hosts)", state=NOTHING_DONE)
    if options["allowed_hosts"] is not None and not set(hosts).intersection(options["allowed_hosts"]):
        raise VpnKeysError(
            "bad_input", f"O(allowed_hosts) leaves none of the key servers {_names(hosts)}", state=NOTHING_DONE
        )
    outside = [name for name in options["primary"] if name not in hosts]
    if outside:
        raise VpnKeysError(
            "bad_input",
            f"O(primary) names {', '.join(outside)}, not one of the key servers",
            state=NOTHING_DONE,
            advice="name key servers of O(hosts)",
        )
    for name, low in (("parallel", 1), ("timeout", 1), ("size", 360), ("minimum_size", 0), ("generation_timeout", 1)):
        if options.get(name, low) < low:
            raise VpnKeysError(
                "bad_input", f"O({name}) must be at least {low}, not {options[name]}", state=NOTHING_DONE
            )
    return hosts
