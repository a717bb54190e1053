# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision: which key server does what so that all of them hold the same RSA key under one label.

Pure and total: every input gives a `Plan`, nothing is raised, nothing is read or written, and the order of
the input does not matter. The same state and policy always give the same plan, so a run that was killed
anywhere is continued by comparing again and planning again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .._addresses import rank as address_rank
from .._errors import NOTHING_IS_CHANGED, sentence, stated, together
from .._fingerprint import short
from .steps import Clean, Distribute, Finish, Generate, Hosts, Save, Step

Verdict = Literal["in_sync", "absent", "missing", "conflict", "split", "unknown"]
ChosenBy = Literal["choice", "role", "priority", "address", "name"]

_GENERATED = "generated"  # stands for the fingerprint of a key that does not exist yet


@dataclass(frozen=True)
class Copy:
    """One RSA key on one key server.

    `usage` is general, signature, encryption or usage-keys; `saved` is None where the device does not tell.
    """

    fingerprint: str
    bits: int
    usage: str
    exportable: bool
    saved: bool | None


@dataclass(frozen=True)
class KeyServer:
    """What was seen on one key server.

    `staged` is a key under the scratch label: left by an interrupted replacement, complete and proved.
    `role` is the COOP role, Primary, Secondary or None; `primary_of` are the groups of which it says that it is the
    primary, more than one where groups share the key. `problem` is the sentence that says why the key server could
    not be read; then `copy` and `staged` are None and mean nothing.
    """

    name: str
    copy: Copy | None
    staged: Copy | None
    priority: int | None
    address: str | None
    role: str | None
    problem: str | None
    primary_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """What the operator allows and wants.

    `overwrite`: existing keys may be replaced.
    `bits`: of a new key. `minimum_bits`: a key with fewer is weak.
    `usage`: of a new key. `allow_weak_source`: a weak key, or one of another usage, may be copied to others.
    `exportable`: of imported copies; a generated key is always exportable. `save`: plan the saving too.
    `compromised`: beginnings of fingerprints of keys that no key server shall hold any more.
    `primary`: names of key servers that are the primary of theirs, whatever the key servers say; those that are not
    planned here do not matter. A split group is not touched without one.
    """

    overwrite: bool = False
    bits: int = 2048
    minimum_bits: int = 2048
    allow_weak_source: bool = False
    exportable: bool = True
    usage: str = "general"
    save: bool = True
    compromised: tuple[str, ...] = ()
    primary: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observed:
    """What the plan was made for, per key server; part of the digest."""

    name: str
    copy: Copy | None
    staged: Copy | None


@dataclass(frozen=True)
class Plan:
    """The decision for one label.

    `verdict` is in_sync only if every key server was seen with the same key under the label. It is about the
    labels as they are once interrupted replacements are finished, except that something to finish is missing.
    It is split, whatever they hold, where two say that they are the primary of one group and the policy names none.
    `blocked` is one sentence: why the key servers are not made equal and what would allow it. Even then
    `steps` may finish an interrupted replacement or clean up, where that takes no key from anybody and the group is
    not split. `needs_consent`: making them equal would replace keys, or change a split group, which
    `Policy.overwrite` does not allow; `would` is then what the plan with `overwrite` does from the same state, in full.
    `primary_by`: why the primary is taken for it: choice of the operator, its role, or else its rank.
    Options are marked in sentences as in errors.
    `source`: who gives the key away if the key servers are made equal, with consent where that is needed.
    `fingerprint`: the key that all shall hold; None if it is unknown or still to be generated.
    """

    label: str
    verdict: Verdict
    blocked: str | None
    needs_consent: bool
    steps: tuple[Step, ...]
    would: tuple[Step, ...]
    primary: str | None
    source: str | None
    findings: tuple[str, ...]
    fingerprint: str | None
    observed: tuple[Observed, ...]
    primary_by: ChosenBy | None = None

    @property
    def changes(self) -> Hosts:
        """The key servers that the steps change, each once, in the order of the steps."""
        return tuple(dict.fromkeys(host for step in self.steps for host in step.changes))

    @property
    def needs(self) -> Hosts:
        """Those, and the ones that a key is only taken from."""
        return tuple(dict.fromkeys(host for step in self.steps for host in step.needs))

    @property
    def operations(self) -> int:
        """How many moves on key servers the steps are."""
        return sum(step.operations for step in self.steps)


@dataclass(frozen=True)
class _Decision:
    """How to make all equal. `consent`: why that replaces keys; `blocked`: why it cannot be done at all."""

    verdict: Verdict
    fingerprint: str | None = None
    source: str | None = None
    steps: tuple[Step, ...] = ()
    consent: str | None = None
    blocked: str | None = None


def plan(label: str, servers: Sequence[KeyServer], policy: Policy) -> Plan:
    """Decide what makes all `servers` hold the same key under `label`."""
    refused = _unreadable(servers) or _chosen_twice(servers, policy)
    if refused is not None:
        return _untouched(label, servers, "unknown", refused)
    split = _split(servers)
    if not split:
        return _planned(label, servers, policy)
    if not _chosen(servers, policy):
        return dataclasses.replace(
            _untouched(label, servers, "split", _why_split(split)),
            findings=_findings(label, _order(servers, policy), policy, ()),
        )
    allowed = _planned(label, servers, dataclasses.replace(policy, overwrite=True))
    return allowed if policy.overwrite else _without_consent(allowed, split)


def _untouched(label: str, servers: Sequence[KeyServer], verdict: Verdict, blocked: str) -> Plan:
    return Plan(
        label=label,
        verdict=verdict,
        blocked=blocked,
        needs_consent=False,
        steps=(),
        would=(),
        primary=None,
        source=None,
        findings=(),
        fingerprint=None,
        observed=_observed(servers),
    )


def _without_consent(allowed: Plan, split: Mapping[str, Sequence[str]]) -> Plan:
    """In a split group nothing is changed unasked, not even what takes no key from anybody."""
    if allowed.blocked or not allowed.steps:
        return dataclasses.replace(allowed, steps=())
    source = allowed.source or allowed.primary
    if allowed.fingerprint:
        key = f"the key {short(allowed.fingerprint)} of {source}"
    else:
        key = f"a new key, generated on {source},"
    chosen = f"{allowed.primary} is chosen. With O(overwrite), {key} becomes the key of all key servers."
    blocked = f"{_say_split(split)}. {chosen}"
    return dataclasses.replace(allowed, blocked=blocked, needs_consent=True, steps=(), would=allowed.steps)


def _planned(label: str, servers: Sequence[KeyServer], policy: Policy) -> Plan:
    order = _order(servers, policy)
    finishes, finished = _finish(order, policy)
    decision = _decide(label, finished, policy)
    needs_consent = decision.blocked is None and decision.consent is not None and not policy.overwrite
    blocked = decision.blocked or (decision.consent if needs_consent else None)
    equalizing = () if blocked else decision.steps
    steps = _all_steps(order, finishes, finished, equalizing, policy, reaches_equality=blocked is None)
    would: tuple[Step, ...] = ()
    if needs_consent:
        would = _planned(label, servers, dataclasses.replace(policy, overwrite=True)).steps
    return Plan(
        label=label,
        verdict="missing" if finishes and decision.verdict == "in_sync" else decision.verdict,
        blocked=blocked,
        needs_consent=needs_consent,
        steps=steps,
        would=would,
        primary=order[0].name,
        source=decision.source,
        findings=_findings(label, order, policy, steps),
        fingerprint=decision.fingerprint,
        observed=_observed(servers),
        primary_by=_first_by(order, policy),
    )


def _all_steps(
    order: Sequence[KeyServer],
    finishes: tuple[Finish, ...],
    finished: Sequence[KeyServer],
    equalizing: tuple[Step, ...],
    policy: Policy,
    *,
    reaches_equality: bool,
) -> tuple[Step, ...]:
    """With what is to be saved and removed before, between and after."""
    given = _unsaved_sources(order, equalizing)
    steps: tuple[Step, ...] = (*finishes, *_saving(given, policy), *equalizing)
    left = _to_save(finished, steps, reaches_equality=reaches_equality)
    replaced = {host for step in equalizing for host in step.replaces}
    steps += _saving(tuple(host for host in left if host not in given or host in replaced), policy)
    cleaned = _leftovers(finished, equalizing, policy, reaches_equality=reaches_equality)
    if cleaned:
        # Only now that the copies survive a reload: a scratch key may have been what they were made from.
        steps += (Clean(cleaned), *_saving(cleaned, policy))
    return steps


def digest(plan: Plan) -> str:
    """SHA-256 (hex) of what an approval is bound to: label, verdict, observed keys, the steps to be approved.

    The steps are `would` where consent is missing, so the digest shown before consent equals that of the plan
    made from the same state with `overwrite`.
    """
    content = {
        "label": plan.label,
        "verdict": plan.verdict,
        "steps": [step.to_result() for step in (plan.would if plan.needs_consent else plan.steps)],
        "observed": [dataclasses.asdict(seen) for seen in plan.observed],
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


# Who is who


def _unreadable(servers: Sequence[KeyServer]) -> str | None:
    if not servers:
        return "There is no key server to compare: set O(hosts)."
    names = [server.name for server in servers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        return f"Key server {_list(twice)} is listed more than once: list every key server once."
    problems = sorted((server.name, server.problem) for server in servers if server.problem is not None)
    if problems:
        unread = _list(name for name, _problem in problems)
        reasons = [f"{_list(names)}: {sentence(text)}" for text, names in together(problems).items()]
        return (
            f"{NOTHING_IS_CHANGED} until every key server of the group can be read, and {unread} cannot be read."
            f" {' '.join(reasons)}"
        )
    return None


def _observed(servers: Iterable[KeyServer]) -> tuple[Observed, ...]:
    seen = [Observed(server.name, server.copy, server.staged) for server in servers]
    return tuple(sorted(seen, key=lambda one: (one.name, repr(one))))


def _chosen(servers: Iterable[KeyServer], policy: Policy) -> list[str]:
    return sorted({server.name for server in servers} & set(policy.primary))


def _chosen_twice(servers: Iterable[KeyServer], policy: Policy) -> str | None:
    chosen = _chosen(servers, policy)
    if len(chosen) < 2:
        return None
    return f"{_list(chosen)} hold the same key, and only one can be its primary: name one of them in O(primary)."


def _split(servers: Iterable[KeyServer]) -> dict[str, list[str]]:
    """The groups that have more than one primary, and who says that they are it."""
    primaries: dict[str, list[str]] = {}
    for server in sorted(servers, key=lambda server: server.name):
        for group in server.primary_of:
            primaries.setdefault(group, []).append(server.name)
    return {group: names for group, names in sorted(primaries.items()) if len(names) > 1}


def _say_split(split: Mapping[str, Sequence[str]]) -> str:
    groups = "; ".join(f"{_list(names)} of {group}" for group, names in split.items())
    return f"More than one key server says that it is the primary: {groups}"


def _why_split(split: Mapping[str, Sequence[str]]) -> str:
    return stated(
        _say_split(split),
        NOTHING_IS_CHANGED,
        "find out why they do not receive COOP messages from each other. To make them equal anyway, name the one "
        "whose key stays in O(primary), and set O(overwrite)",
    )


def _order(servers: Sequence[KeyServer], policy: Policy) -> tuple[KeyServer, ...]:
    """The primary, then the others from the highest rank to the lowest."""
    ranked = sorted(sorted(servers, key=lambda server: server.name), key=_rank, reverse=True)
    said = next((server for server in ranked if server.role == "Primary"), ranked[0])
    primary = next((server for server in ranked if server.name in policy.primary), said)
    return (primary, *(server for server in ranked if server is not primary))


def _rank(server: KeyServer) -> tuple[bool, int, tuple[int, int]]:
    return (server.priority is not None, server.priority or 0, address_rank(server.address))


def _first_by(order: Sequence[KeyServer], policy: Policy) -> ChosenBy:
    """Why the first one is before the others."""
    first, others = order[0], order[1:]
    if first.name in policy.primary:
        return "choice"
    if first.role == "Primary":
        return "role"
    if all(_rank(first)[:2] > _rank(other)[:2] for other in others):
        return "priority"
    return "address" if all(_rank(first) > _rank(other) for other in others) else "name"


_BECAUSE: dict[ChosenBy, str] = {
    "choice": "the chosen primary",
    "role": "which says that it is the primary",
    "priority": "which has the highest priority",
    "address": "which has the highest address",
    "name": "the first by name",
}


def _because(order: Sequence[KeyServer], policy: Policy) -> str:
    return _BECAUSE[_first_by(order, policy)]


# How to make all equal


def _finish(order: Sequence[KeyServer], policy: Policy) -> tuple[tuple[Finish, ...], tuple[KeyServer, ...]]:
    """The interrupted replacements, and the key servers as they are once those are finished."""
    exportable = {server.copy.fingerprint for server in order if server.copy and server.copy.exportable}
    steps: list[Finish] = []
    finished: list[KeyServer] = []
    for server in order:
        staged = server.staged
        if server.copy is not None or staged is None or not staged.exportable or _compromised(staged, policy):
            finished.append(server)
            continue
        # Without exportable copies wanted, one still is needed: the others could not get the key otherwise.
        step = Finish(server.name, policy.exportable or staged.fingerprint not in exportable)
        if step.exportable:
            exportable.add(staged.fingerprint)
        copy = dataclasses.replace(staged, exportable=step.exportable, saved=False)
        steps.append(step)
        finished.append(dataclasses.replace(server, copy=copy, staged=None))
    return tuple(steps), tuple(finished)


def _decide(label: str, order: Sequence[KeyServer], policy: Policy) -> _Decision:
    """The table of the design, row by row; `consent` is set wherever a key would be replaced."""
    holders = [(server.name, server.copy) for server in order if server.copy is not None]
    lacking = [server.name for server in order if server.copy is None]
    kinds = {copy.fingerprint for _name, copy in holders}
    if not kinds:
        return _new_key("absent", order, policy, f"No key server holds {label}")
    good = [(name, copy) for name, copy in holders if not _compromised(copy, policy)]
    if not good:
        return _new_key("conflict", order, policy, f"{label} is a compromised key ({_who_holds_what(holders)})")
    # The primary comes first in the order: this is its key, or the highest-priority holder's if it has none.
    winner, winning = good[0][0], good[0][1].fingerprint
    if kinds == {winning} and not lacking:
        return _Decision("in_sync", fingerprint=winning)

    verdict: Verdict = "missing" if len(kinds) == 1 else "conflict"
    if verdict == "missing":
        reason = f"{label} is missing on {_list(lacking)}"
    else:
        reason = f"{label} is not the same key everywhere ({_who_holds_what(holders)})"
    source = _source(order, winning, policy)
    if source is None:
        return _new_key(verdict, order, policy, f"{reason}, and {_why_no_source(order, winning, policy)}")
    step = _distribute(order, source, winning, policy)
    consent = None
    if step.replace:
        holding = [server for server in order if server.copy and not _compromised(server.copy, policy)]
        because = _because(holding, policy) + ("" if winner == order[0].name else " of those that hold one")
        consent = (
            f"{reason}. With O(overwrite), the key of {winner} ({short(winning)}), {because}, replaces that of"
            f" {_list(step.replace)}{f', and is imported on {_list(step.missing)}' if step.missing else ''}."
        )
    return _Decision(verdict, winning, source[0], (step,), consent)


def _source(order: Sequence[KeyServer], fingerprint: str, policy: Policy) -> tuple[str, bool] | None:
    """Who can give the key away, and whether from under the scratch label; None if nobody can."""
    under_label = [(server.name, False, server.copy) for server in order]
    under_scratch = [(server.name, True, server.staged) for server in order]
    for name, scratch, copy in (*under_label, *under_scratch):
        if copy and copy.fingerprint == fingerprint and copy.exportable and _fit(copy, policy):
            return name, scratch
    return None


def holds_compromised(servers: Iterable[KeyServer], policy: Policy) -> bool:
    """Whether any of them has a compromised key, under the label or the scratch label."""
    return any(copy and _compromised(copy, policy) for server in servers for copy in (server.copy, server.staged))


def _compromised(copy: Copy, policy: Policy) -> bool:
    return copy.fingerprint.startswith(policy.compromised)


def _fit(copy: Copy, policy: Policy) -> bool:
    if _compromised(copy, policy):
        return False
    return policy.allow_weak_source or (copy.bits >= policy.minimum_bits and copy.usage == policy.usage)


def _why_no_source(order: Sequence[KeyServer], fingerprint: str, policy: Policy) -> str:
    unfit = [
        f"{server.name} ({copy.bits} bits, usage {copy.usage})"
        for server in order
        for copy in (server.copy, server.staged)
        if copy and copy.fingerprint == fingerprint and copy.exportable
    ]
    if not unfit:
        return f"no copy of key {short(fingerprint)} is exportable"
    return (
        f"key {short(fingerprint)} of {_list(unfit)} is refused as a source, as a key for {policy.usage} use"
        f" with at least {policy.minimum_bits} bits is required (O(allow_weak_source) would copy it anyway)"
    )


def _new_key(verdict: Verdict, order: Sequence[KeyServer], policy: Policy, reason: str) -> _Decision:
    """A new key from the primary for all key servers, or the one that an interrupted run already made there."""
    primary = order[0]
    others = [server.name for server in order[1:]]
    ready = primary.staged
    steps: tuple[Step, ...]
    # Where the label of the primary is empty, an exportable staged key has been finished already.
    if primary.copy and ready and ready.exportable and _fit(ready, policy) and ready.bits >= policy.bits:
        steps = (_distribute(order, (primary.name, True), ready.fingerprint, policy),)
        consent = (
            f"{reason}. With O(overwrite), the new key that {primary.name} already has under the scratch label"
            f" ({short(ready.fingerprint)}) replaces the keys of all key servers."
        )
        return _Decision(verdict, ready.fingerprint, primary.name, steps, consent)
    if policy.bits < policy.minimum_bits and not policy.allow_weak_source:
        return _Decision(
            verdict,
            blocked=f"{reason}, and a new key of {policy.bits} bits would have fewer than the minimum of"
            f" {policy.minimum_bits}: raise O(size), or set O(allow_weak_source).",
        )
    scratch = primary.copy is not None
    steps = (Generate(primary.name, scratch, policy.bits, policy.usage),)
    # Saved before anybody is given it: a primary that reloads meanwhile would be the only one without it.
    steps += _saving((primary.name,), policy)
    if scratch and primary.staged is not None:
        # Generating under a label that is taken replaces its key unasked: the useless one is removed openly.
        steps = (Clean((primary.name,)), *steps)
    if scratch or others:
        steps += (_distribute(order, (primary.name, scratch), None, policy),)
    if verdict == "absent":
        return _Decision(verdict, None, primary.name, steps)
    consent = (
        f"{reason}. With O(overwrite), a new key, generated on {primary.name}, {_because(order, policy)}, replaces the"
        " keys of all key servers."
    )
    return _Decision(verdict, None, primary.name, steps, consent)


def _distribute(
    order: Sequence[KeyServer], source: tuple[str, bool], fingerprint: str | None, policy: Policy
) -> Distribute:
    name, from_scratch = source
    missing = [server.name for server in order if server.copy is None]
    replace = [
        server.name
        for server in reversed(order)
        if server.copy is not None and (fingerprint is None or server.copy.fingerprint != fingerprint)
    ]
    if not from_scratch:
        missing = [host for host in missing if host != name]
        replace = [host for host in replace if host != name]
    elif name in replace:
        # Its scratch key goes when its own turn is over, so nobody may still be waiting for it.
        replace = [*(host for host in replace if host != name), name]
    return Distribute(name, from_scratch, tuple(missing), tuple(replace), fingerprint, policy.exportable)


# What is left to tidy up


def _labels_after(order: Sequence[KeyServer], steps: Iterable[Step]) -> dict[str, tuple[str, bool]]:
    """Per host, fingerprint and exportability of what is under the label once the steps are done."""
    copies = ((server.name, server.copy) for server in order)
    labels = {name: (copy.fingerprint, copy.exportable) for name, copy in copies if copy is not None}
    for step in steps:
        if isinstance(step, Generate) and not step.scratch:
            labels[step.host] = (_GENERATED, True)
        elif isinstance(step, Distribute):
            for host in (*step.missing, *step.replace):
                exportable = step.exportable or host == step.source
                labels[host] = (step.fingerprint or _GENERATED, exportable)
    return labels


def _leftovers(
    order: Sequence[KeyServer], steps: Sequence[Step], policy: Policy, *, reaches_equality: bool
) -> tuple[str, ...]:
    """Hosts whose scratch key is still there after the steps and may be removed.

    The last copy of a key goes only with consent; the last exportable copy of the common key only if no copy
    is wanted exportable.
    """
    labels = _labels_after(order, steps)
    exportable = {fingerprint for fingerprint, is_exportable in labels.values() if is_exportable}
    gone = {host for step in steps if isinstance(step, Distribute) for host in step.replace}
    gone |= {host for step in steps if isinstance(step, Clean) for host in step.hosts}

    def may_go(server: KeyServer, staged: Copy) -> bool:
        if server.name in labels and labels[server.name][0] == staged.fingerprint:
            lasting = not staged.exportable or staged.fingerprint in exportable
            return lasting or (reaches_equality and not policy.exportable)
        return reaches_equality and policy.overwrite

    return tuple(
        server.name
        for server in order
        if server.staged is not None and server.name not in gone and may_go(server, server.staged)
    )


def _unsaved_sources(order: Sequence[KeyServer], steps: Iterable[Step]) -> tuple[str, ...]:
    """Those that a reload might make forget the key while others get it, perhaps not exportable. Where it is not known
    whether they would, saving once more does no harm: this run changes something anyway."""
    of = {server.name: server for server in order}
    giving = [step for step in steps if isinstance(step, Distribute)]
    copies = [(step.source, of[step.source].staged if step.from_scratch else of[step.source].copy) for step in giving]
    return tuple(name for name, copy in copies if copy is not None and copy.saved is not True)


def _saving(hosts: tuple[str, ...], policy: Policy) -> tuple[Step, ...]:
    return (Save(hosts),) if hosts and policy.save else ()


def _to_save(order: Sequence[KeyServer], steps: Iterable[Step], *, reaches_equality: bool) -> tuple[str, ...]:
    """Hosts whose label the steps fill and, if all are equal in the end, those that hold the key unsaved.

    A generated key is saved at once, by a step of its own.
    """
    changed: set[str] = set()
    for step in steps:
        if isinstance(step, Finish):
            changed.add(step.host)
        elif isinstance(step, Distribute):
            changed.update(step.missing, step.replace)
    if reaches_equality:
        changed.update(server.name for server in order if server.copy and server.copy.saved is False)
    return tuple(server.name for server in order if server.name in changed)


# What the operator should know


def _findings(label: str, order: Sequence[KeyServer], policy: Policy, steps: Sequence[Step]) -> tuple[str, ...]:
    holders = sorted((server.name, server.copy) for server in order if server.copy is not None)
    claimants = sorted(server.name for server in order if server.role == "Primary" and server.name != order[0].name)
    weak = [f"{name} ({copy.bits})" for name, copy in holders if copy.bits < policy.minimum_bits]
    other = [f"{name} ({copy.usage})" for name, copy in holders if copy.usage != policy.usage]
    unsaved = [name for name, copy in holders if copy.saved is False]
    found: list[str] = []
    if claimants and order[0].name in policy.primary:
        says = "says that it is the primary" if len(claimants) == 1 else "say that they are the primary"
        found.append(f"{_list(claimants)} {says}; {order[0].name} is the chosen one.")
    elif claimants and not _split(order):
        found.append(
            f"{_list((order[0].name, *claimants))} are primaries of groups that share {label}; {order[0].name} is taken"
            " as the primary, as it has the highest priority among them."
        )
    if weak:
        found.append(f"{label} has fewer than {policy.minimum_bits} bits on {_list(weak)}.")
    if other:
        found.append(f"{label} is not a key for {policy.usage} use on {_list(other)}.")
    if unsaved:
        found.append(f"{label} is not saved on {_list(unsaved)}: a reload would lose it or restore an older key.")
    if holders and not any(copy.exportable for _name, copy in holders):
        found.append(f"No copy of {label} is exportable, so it cannot be given to another key server or be backed up.")
    for fingerprint in policy.compromised:
        where = [name for name, copy in holders if copy.fingerprint.startswith(fingerprint)]
        key = f"the compromised key {short(fingerprint)} under {label}"
        if where:
            found.append(f"{_list(where)}: {key}.")
    return (*found, *_scratch_findings(label, order, steps))


def _scratch_findings(label: str, order: Sequence[KeyServer], steps: Sequence[Step]) -> list[str]:
    hosts_of: dict[str, set[str]] = {
        "left the label empty, and its new key is put under it": {
            step.host for step in steps if isinstance(step, Finish)
        },
        "left a scratch key, which this run uses or removes": {
            host
            for step in steps
            if isinstance(step, Distribute | Clean)
            for host in (step.hosts if isinstance(step, Clean) else step.replace)
        },
    }
    staged = {server.name: server.staged for server in order if server.staged is not None}
    hosts_of["left a scratch key, which is kept for a run with O(overwrite), so that no key is lost"] = {
        host for host in staged if not any(host in hosts for hosts in hosts_of.values())
    }
    found: list[str] = []
    for what, hosts in hosts_of.items():
        where = [f"{host} ({short(staged[host].fingerprint)})" for host in sorted(hosts & staged.keys())]
        if where:
            found.append(f"An interrupted replacement of {label} {what}, on {_list(where)}.")
    return found


def _who_holds_what(holders: Sequence[tuple[str, Copy]]) -> str:
    by_key: dict[str, list[str]] = {}
    for name, copy in holders:
        by_key.setdefault(copy.fingerprint, []).append(name)
    return "; ".join(f"{short(fingerprint)} on {_list(names)}" for fingerprint, names in by_key.items())


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
