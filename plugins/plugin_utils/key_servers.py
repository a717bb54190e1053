# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at all key servers at once and plans every unit of them: where what IOS shows meets the pure decision."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import typing as t
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ..module_utils._errors import VpnKeysError
from ..module_utils._ios import getvpn
from ..module_utils._ios.getvpn import Survey
from ..module_utils._ios.getvpn_listings import Group, Member
from ..module_utils._ios.key_listings import KeyRing
from ..module_utils._ios.labels import Label
from ..module_utils._key_servers import grouping
from ..module_utils._key_servers import plan as planning
from ..module_utils._key_servers.grouping import GivenGroup, Grouping, GroupOnHost, Host, Unit
from ..module_utils._key_servers.plan import Copy, KeyServer, Plan, Policy
from . import ios_session
from .ios_options import Target

Seen: t.TypeAlias = "Survey | VpnKeysError"
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


async def look(
    targets: Sequence[Target],
    parallel: int,
    limit: float,
    opener: ios_session.Opener | None = None,
    policies: bool = False,
) -> dict[str, Seen]:
    """Every key server's survey, or why it could not be had."""
    opened = opener or ios_session.session

    async def one(target: Target) -> Survey:
        async with opened(target, limit) as session:
            return await session.do(lambda tty: getvpn.survey(tty, policies=policies))

    return await ios_session.on_all(targets, one, parallel)


def plan_all(
    seen: Mapping[str, Seen], targets: Mapping[str, Target], options: Mapping[str, t.Any]
) -> tuple[list[Planned], tuple[str, ...]]:
    """One plan per unit, and the hosts that serve no group. `options`: as the modules take them."""
    policy = Policy(
        overwrite=options["overwrite"],
        bits=options["size"],
        minimum_bits=options["minimum_size"],
        allow_weak_source=options["allow_weak_source"],
        exportable=options["exportable"],
        save=options["save"],
        compromised=tuple(_fingerprint(text) for text in options["compromised"]),
    )
    sorted_ = _group(seen, targets, options)
    return [_plan(unit, seen, policy) for unit in sorted_.units], sorted_.ungrouped


def _fingerprint(text: str) -> str:
    """A fingerprint or the beginning of one; a shorter beginning could mean a key that nobody meant."""
    if not _FINGERPRINT.fullmatch(text):
        raise VpnKeysError(
            "bad_input",
            f"{text[:80]!r} is not a fingerprint of a compromised key. Nothing was changed; give 12 to 64 hexadecimal "
            "digits, as the reports show them.",
        )
    return text.lower()


def _group(seen: Mapping[str, Seen], targets: Mapping[str, Target], options: Mapping[str, t.Any]) -> Grouping:
    hosts = [_host(name, found, targets[name]) for name, found in seen.items()]
    if options.get("label"):
        return grouping.under_one_label(hosts, str(Label.parse(options["label"])))
    if options.get("groups"):
        given = [
            GivenGroup(one["name"], str(Label.parse(one["label"])), tuple(one["hosts"])) for one in options["groups"]
        ]
        return grouping.as_given(hosts, given)
    return grouping.as_configured(hosts)


def _host(name: str, found: Seen, target: Target) -> Host:
    if isinstance(found, VpnKeysError):
        return Host(name, (), (target.host,), readable=False)
    groups = tuple(
        GroupOnHost(group.name, group.identity, group.label, _addresses(found, group), group.peers)
        for group in found.groups
    )
    return Host(name, groups, (target.host,))


def _addresses(found: Survey, group: Group) -> tuple[str, ...]:
    """Of this key server in a group: as configured, and as COOP shows it."""
    coop = found.coop.get(group.name)
    return tuple(address for address in (group.address, coop.address if coop else None) if address)


def _plan(unit: Unit, seen: Mapping[str, Seen], policy: Policy) -> Planned:
    servers = tuple(_key_server(name, unit, seen[name]) for name in unit.hosts)
    if unit.label is None or unit.blocked:
        reasons = tuple(
            dataclasses.replace(one, copy=None, staged=None, problem=one.problem or unit.blocked) for one in servers
        )
        decided = planning.plan(unit.label or "", reasons, policy)
        decided = dataclasses.replace(decided, blocked=unit.blocked)
    elif policy.compromised and not planning.holds_compromised(servers, policy):
        decided = _spared(planning.plan(unit.label, servers, dataclasses.replace(policy, overwrite=False)))
    else:
        decided = planning.plan(unit.label, servers, policy)
    return Planned(unit, decided, servers, _registered(unit, seen))


def _spared(decided: planning.Plan) -> planning.Plan:
    """Who names a stolen key means the key servers that hold it, and wants no key replaced elsewhere."""
    if not decided.needs_consent:
        return decided
    why = f"{decided.blocked} Nothing is replaced here, as none of them holds a compromised key."
    return dataclasses.replace(decided, needs_consent=False, would=(), blocked=why)


def _key_server(name: str, unit: Unit, found: Seen) -> KeyServer:
    if isinstance(found, VpnKeysError):
        return KeyServer(name, None, None, None, None, None, str(found))
    groups = [group for group in found.groups if group.name in unit.groups]
    states = [found.coop[group.name] for group in groups if group.name in found.coop]
    roles = {state.role for state in states if state.role}
    priorities = [group.priority for group in groups if group.priority is not None]
    address = next((address for group in groups for address in _addresses(found, group)), None)
    copy, staged = observed_copies(found.ring, Label(unit.label)) if unit.label else (None, None)
    return KeyServer(
        name,
        copy,
        staged,
        max(priorities, default=None),
        address,
        "Primary" if "Primary" in roles else next(iter(roles), None),
        None,
    )


def observed_copies(ring: KeyRing, label: Label) -> tuple[Copy | None, Copy | None]:
    """What stands under the label and under its scratch label, as the plan sees it."""
    return _copy(ring, label), _copy(ring, label.scratch)


def _copy(ring: KeyRing, label: Label) -> Copy | None:
    keys = ring.of(label)
    if not keys:
        return None
    saved = [key.saved for key in keys]
    if len(keys) == 1:
        usage, fingerprint = keys[0].usage, keys[0].fingerprint
    else:
        # A pair of usage keys is the same on two devices if both of its keys are.
        usage = t.cast(t.Any, "usage-keys")
        fingerprint = hashlib.sha256("".join(sorted(key.fingerprint for key in keys)).encode()).hexdigest()
    return Copy(
        fingerprint,
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
            for member in found.members:
                if member.group in unit.groups and member.state == "Registered":
                    members.setdefault((member.group, member.address), member)
    return tuple(members.values())


def _with_old_key(planned: Planned, replaced: Collection[str]) -> int:
    """How many members registered with a key server whose key is replaced; one that is not listed counts as such."""
    kept = {server.address for server in planned.servers if server.name not in replaced and server.copy}
    return sum(member.key_server not in kept for member in planned.members) if replaced else 0


def shown(planned: Planned) -> dict[str, t.Any]:
    """A plan as a result: plain data, fingerprints only."""
    plan = planned.plan
    replaced = sorted(
        {host for step in (*plan.steps, *plan.would) if step.kind == "distribute" for host in step.replace}
    )
    changes = [_shown_step(step) for step in plan.steps]
    would = [_shown_step(step) for step in plan.would]
    return {
        "label": planned.unit.label,
        "groups": list(planned.unit.groups),
        "verdict": plan.verdict,
        "in_sync": plan.verdict == "in_sync",
        "blocked": plan.blocked,
        "needs_consent": plan.needs_consent,
        "steps": changes,
        "would": would,
        "replaces": replaced,
        "primary": plan.primary,
        "source": plan.source,
        "fingerprint": plan.fingerprint,
        "findings": [*planned.unit.findings, *plan.findings],
        "strangers": list(planned.unit.strangers),
        "registered_members": dict(Counter(member.group for member in planned.members)),
        "members_with_old_key": _with_old_key(planned, replaced),
        "digest": planned.digest,
        "key_servers": [_shown_server(server) for server in planned.servers],
    }


def _shown_step(step: planning.Step) -> dict[str, t.Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(step).items()}


def _shown_server(server: KeyServer) -> dict[str, t.Any]:
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


def check_options(options: Mapping[str, t.Any], known: Callable[[str], bool]) -> list[str]:
    """The hosts to look at. Raises bad_input for names that are not in the inventory, or none at all."""
    hosts = list(
        dict.fromkeys(
            [
                *(options["hosts"] or []),
                *(host for group in options["groups"] or [] for host in group["hosts"]),
            ]
        )
    )
    for label in [options["label"], *(group["label"] for group in options["groups"] or [])]:
        if label is not None:
            Label.parse(label)
    unknown = [host for host in hosts if not known(host)]
    if unknown:
        raise VpnKeysError("bad_input", f"Not in the inventory: {', '.join(unknown)}. Nothing was done.")
    if not hosts:
        raise VpnKeysError("bad_input", "There is no key server to look at: set hosts. Nothing was done.")
    for name, low in (("parallel", 1), ("timeout", 1), ("size", 360), ("minimum_size", 0), ("generation_timeout", 1)):
        if options.get(name, low) < low:
            raise VpnKeysError("bad_input", f"{name} must be at least {low}, not {options[name]}. Nothing was done.")
    return hosts
