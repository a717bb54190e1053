# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who will change their key, who can be updated now, and every reason not to begin. Pure. PRIVATE to the collection.

Of the peers it matters only whether they can be told. Nobody but the directory can give a reason not to begin with
others; a gateway can give one for itself, and in an emergency not even that.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from .. import _errors
from .._backends import BACKENDS, IN_PLACE
from .._errors import NOTHING_CHANGED, NOTHING_REPORTED, VpnKeysError, clause, sentence
from .._fingerprint import short
from .findings import SHOWN, listed
from .model import EMERGENCY, Directory, Gateway
from .observed import ABSENT, READY, REFUSED, UNREACHABLE, Observation, Observations, absent
from .verify import peers_with_tunnels

PLANNED, ABORT, REVOKE, RETIRE = "planned", "abort", "revoke", "retire"

CHANGE_SECONDS = 40.0
"""So long a gateway may take for its change, twice what its module waits for the new key to be in use, whatever longer
time it has for other answers: all that change their keys in a run wait for each of them."""
ANSWERED_SECONDS = 10.0
"""So long the changes of gateways that answer may take on average."""
SILENT_TARGETS = 5
"""So many targets of one run may not answer without costing another one its turn."""
SLACK_SECONDS = 5.0
"""What Ansible itself may take between two of them."""
EMERGENCY_OUTAGE = "every tunnel of the gateway is down for some seconds, until its peers have the new key"


@dataclass(frozen=True)
class PlanOptions:
    """How it shall be done. `minimum_share`: per cent of the peers that must be reachable. `confirm_timeout`: seconds
    after which a gateway that changes its key alone rolls back; `settle_timeout`: for which each waits for its tunnels;
    `timeout`: that each has for an answer. `forks`: so many Ansible asks at a time. `fetching`: the gateways that fetch
    what they have to store: in a planned rotation no playbook stores it there, unless they change their own key."""

    mode: str = PLANNED
    strategy: str = IN_PLACE
    unreachable: str = "defer"
    minimum_share: int = 50
    confirm_timeout: float = 60.0
    settle_timeout: float = 15.0
    timeout: float = 120.0
    forks: int = 5
    fetching: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Target:
    """A gateway that changes its key: `serial` and `fingerprint` of the one that is replaced. `resumes`: the state of
    the rotation that is open. `note`: what is odd about it and yet no reason not to begin. `idle`: by its own word no
    tunnel is up, so that none can be verified afterwards."""

    gateway: str
    platform: str | None
    serial: int | None
    fingerprint: str | None
    resumes: str | None
    expected_outage: str
    note: str = ""
    idle: bool = False


@dataclass(frozen=True)
class DeferredPeer:
    """A peer that cannot be told, and why."""

    gateway: str
    why: str

    def __str__(self) -> str:
        return f"{self.gateway} ({clause(self.why)})"


def grouped(deferred: Iterable[DeferredPeer], *, every: bool = False) -> str:
    """Those with the same reason at once: `gw1, gw2 (unreachable)`. `every`: all of them, however many."""
    names: dict[str, list[str]] = {}
    for one in deferred:
        names.setdefault(clause(one.why), []).append(one.gateway)
    parts = [f"{', '.join(some) if every else listed(some)} ({why})" for why, some in names.items()]
    if every or len(parts) <= SHOWN:
        return ", ".join(parts)
    return f"{', '.join(parts[:SHOWN])} and {sum(map(len, list(names.values())[SHOWN:]))} more"


def reasons_of(stopped: Mapping[str, str]) -> list[str]:
    """Of sentences by gateway, most of which begin with its name: what is said of several is said once."""
    found = _errors.together(stopped.items())
    return [text if text == stopped[hosts[0]] else f"{listed(hosts)}: {text}" for text, hosts in found.items()]


@dataclass(frozen=True)
class Plan:
    """`names` change, `excluded` would have, but cannot now. `peers` can be updated now, `fetching` fetch what they
    need, `unreachable` and `refused` are left for later.
    `digest`: what an approval is bound to. Seconds: `confirm_timeout`, after which a target that is not confirmed rolls
    back by itself; `begin_timeout`, after which no further one begins its change; and `change_timeout`, which each has
    for all answers until then."""

    names: Sequence[str]
    targets: Sequence[Target]
    excluded: Sequence[DeferredPeer]
    peers: Sequence[str]
    fetching: Sequence[str]
    unreachable: Sequence[DeferredPeer]
    refused: Sequence[DeferredPeer]
    refusals: Sequence[str]
    digest: str
    confirm_timeout: float
    begin_timeout: float
    change_timeout: float

    def to_result(self) -> dict[str, t.Any]:
        return asdict(self)

    @classmethod
    def from_result(cls, result: t.Any) -> Plan:
        """Raises VpnKeysError(bad_input) for any other value."""
        try:
            parts: dict[str, t.Any] = {
                name: [DeferredPeer(**one) for one in result[name]] for name in ("excluded", "unreachable", "refused")
            }
            parts["targets"] = [Target(**one) for one in result["targets"]]
            return cls(**{**result, **parts})
        except (KeyError, TypeError):
            raise VpnKeysError(
                "bad_input", "O(plan) must be the plan of gateway_plan or gateway_report", state=NOTHING_REPORTED
            ) from None

    @property
    def deferred(self) -> list[DeferredPeer]:
        return [*self.unreachable, *self.refused]


def plan(directory: Directory, observations: Observations, asked: Sequence[str], options: PlanOptions) -> Plan:
    """A target that cannot change by its own answer is left out, and the others go on, unless there are none or
    `unreachable` says otherwise. What the directory says against any of them stops all."""
    seen = {name: observations.get(name) or absent(name) for name in (*peers_of(directory, asked), *asked)}
    refusals = [text for name in asked for text in against(directory, name, options)]
    reasons = {} if refusals else {name: unable(directory, name, seen[name], options) for name in asked}
    stopped = {name: why for name, why in reasons.items() if why}
    targets = [name for name in asked if name not in stopped]
    if not targets or (stopped and options.mode == PLANNED and options.unreachable == "fail"):
        targets, stopped, refusals = list(asked), {}, [*refusals, *reasons_of(stopped)]
    peers = peers_of(directory, targets)
    by_themselves = options.fetching.difference(asked) if options.mode == PLANNED else frozenset()
    told = [name for name in peers if name not in by_themselves]
    seen_as_peers = {name: _as_peer(directory, seen[name], set(targets)) for name in told}
    made = Plan(
        names=targets,
        targets=[_target(directory, directory.gateways.get(name), seen[name], options) for name in targets],
        excluded=[DeferredPeer(name, why) for name, why in stopped.items()],
        refusals=refusals,
        digest=_digest(directory, asked, options),
        fetching=[name for name in peers if name in by_themselves],
        confirm_timeout=window(options, len(targets), len(directory.gateways)),
        begin_timeout=begin_timeout(options, len(targets), len(directory.gateways)),
        change_timeout=change_timeout(options),
        **_by_reachability(told, seen_as_peers),
    )
    return replace(made, refusals=[*refusals, *_too_few(made, options)]) if options.mode == PLANNED else made


def change_timeout(options: PlanOptions) -> float:
    """Seconds that a target has for all its answers between its change and its confirmation."""
    return min(options.timeout, CHANGE_SECONDS)


def window(options: PlanOptions, targets: int, gateways: int) -> float:
    """Seconds after which a target rolls back by itself unless it is confirmed.

    The targets change one after the other, and the first one is not confirmed before the last one has changed. What the
    others do must not undo its change: each uses up its time once at most, and none begins when that of all is up; and
    as long as those that Ansible asks at a time wait for their tunnels, it may keep others from being asked. What the
    control node itself does takes a second for some gateways of the directory.
    """
    if targets < 2:
        return options.confirm_timeout + _own_seconds(gateways)
    rounds = _rounds(min(targets, SILENT_TARGETS + 1), max(options.forks, 1))
    last = change_timeout(options) + rounds * (options.settle_timeout + SLACK_SECONDS) + 2 * _answered(options)
    return max(options.confirm_timeout, last) + _turns(options, targets) + _own_seconds(gateways)


def _rounds(targets: int, forks: int) -> float:
    """How often the longest of them can be waited for, one behind the other, when so many are asked at a time and the
    next one is as soon as any of them has answered."""
    return 1 if targets <= forks else (targets + forks - 1) / forks


def begin_timeout(options: PlanOptions, targets: int, gateways: int) -> float:
    """Seconds from the first change after which no further target begins with its own."""
    if targets < 2:
        return window(options, targets, gateways)
    return _turns(options, targets) + SLACK_SECONDS + _own_seconds(gateways)


def _turns(options: PlanOptions, targets: int) -> float:
    """So long the others may take: some of them all their time. Not all of many, as a gateway that its change cut off
    would wait for hours."""
    silent = min(targets - 1, SILENT_TARGETS)
    return change_timeout(options) * silent + _answered(options) * (targets - 1 - silent)


def _answered(options: PlanOptions) -> float:
    return min(options.timeout, ANSWERED_SECONDS)


def _own_seconds(gateways: int) -> int:
    return gateways // 5


def _as_peer(directory: Directory, observation: Observation, targets: t.AbstractSet[str]) -> Observation:
    """The observation of a peer, as one that refuses where it cannot store a key of these targets."""
    blocked = (one.why for one in observation.blocked if directory.owner(one.peer, one.fingerprint) in targets)
    why = next(blocked, "")
    return replace(observation, state=REFUSED, why=why) if why and observation.state == READY else observation


def peers_of(directory: Directory, targets: Iterable[str]) -> list[str]:
    """Who stores a key of any of these, by name."""
    wanted: dict[str, set[str]] = {}
    for name in targets:
        if name in directory.gateways:
            wanted.setdefault(directory.gateways[name].protocol, set()).add(name)
    return sorted(
        peer
        for protocol, names in wanted.items()
        for peer in directory.by_protocol.get(protocol, ())
        if names != {peer}
    )


def _by_reachability(peers: Sequence[str], seen: Observations) -> dict[str, t.Any]:
    def those(*wanted: str) -> list[DeferredPeer]:
        return [DeferredPeer(name, seen[name].why) for name in peers if seen[name].state in wanted]

    return {
        "peers": [name for name in peers if seen[name].state == READY],
        "unreachable": those(UNREACHABLE, ABSENT),
        "refused": those(REFUSED),
    }


def _too_few(made: Plan, options: PlanOptions) -> list[str]:
    """Peers that refuse are as good as unreachable: one that was tampered with must not stop the others."""
    refusals = []
    able = len(made.peers) + len(made.fetching)
    number = able + len(made.deferred)
    if made.deferred and options.unreachable == "fail":
        refusals.append(f"{grouped(made.deferred)} cannot be updated now, but O(unreachable)=fail requires all peers.")
    if number and 100 * able < options.minimum_share * number:
        refusals.append(
            f"Only {able} of {number} peers can be updated now, but O(minimum_share) requires "
            f"{options.minimum_share} %. Not now: {grouped(made.deferred)}."
        )
    return refusals


def _target(
    directory: Directory, one: Gateway | None, observation: Observation, options: PlanOptions
) -> Target:
    if one is None:
        return Target(observation.host, None, None, None, None, "")
    outage = EMERGENCY_OUTAGE if options.mode == EMERGENCY else _outage(one.platform, options.strategy)
    serial, fingerprint = _replaced(one)
    resumes = one.rotation.state if one.rotation else None
    note, idle = _note(one, options), _is_idle(directory, one, observation, options)
    return Target(one.name, one.platform, serial, fingerprint, resumes, outage, note, idle)


def _is_idle(directory: Directory, one: Gateway, observation: Observation, options: PlanOptions) -> bool:
    """An emergency does not wait for what was up before: the old key is revoked first."""
    told = options.mode == PLANNED and observation.state == READY and observation.seen
    return told and not peers_with_tunnels(directory, one, observation.tunnels)


def _outage(platform: str, strategy: str) -> str:
    backend = BACKENDS.get(platform)
    return backend.outage[backend.strategy(strategy)] if backend else ""


def _note(one: Gateway, options: PlanOptions) -> str:
    """A revocation and an abort are recorded at once, and peers may not have heard of it when the run ends: another one
    tells them."""
    if options.mode == REVOKE and one.revoked:
        return _before(f"It was revoked before{_when(one.revoked_at)}")
    if options.mode == RETIRE and one.retired:
        return _before(f"It was retired before{_when(one.retired_at)}")
    if options.mode == ABORT and not one.rotation:
        return _before(f"Its rotation was rolled back before{_when(one.rolled_back_at)}")
    return ""


def _before(what: str) -> str:
    return f"{what}; this run continues from there."


def _when(moment: str | None) -> str:
    return f" ({moment})" if moment else ""


def _digest(directory: Directory, asked: Sequence[str], options: PlanOptions) -> str:
    """SHA-256 (hex) of what an approval is bound to: who shall change, from which key, how, and who has to store it.

    Not of who is reachable, which changes by the minute and has options of its own; nor of how far a rotation has come,
    as one that was approved and interrupted is to be finished.
    """
    content = {
        "targets": [[name, *_replaced(directory.gateways.get(name))] for name in asked],
        "peers": peers_of(directory, asked),
        "mode": options.mode,
        "strategy": options.strategy,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _replaced(one: Gateway | None) -> tuple[int | None, str | None]:
    """Serial number and fingerprint of the key that is replaced."""
    if one is None:
        return None, None
    return one.rotation.old if one.rotation and one.rotation.old else (one.serial, one.fingerprint)


def not_approved(made: Plan, approved: Sequence[str] | None) -> list[str]:
    """Why a plan is not the one that was approved; without any approval, every plan is."""
    if approved is None or made.digest in approved:
        return []
    what = f"The plan for {', '.join([*made.names, *(one.gateway for one in made.excluded)])}"
    if not any(approved):
        return [f"{what} is not approved."]
    differs = f"its digest is {made.digest}, but the approved digest is {', '.join(approved)}"
    return [f"{what} has changed since it was approved: {differs}. Plan again, and have the new plan approved."]


# ------------------------------------------------------------------ reasons not to begin


def against(directory: Directory, name: str, options: PlanOptions) -> list[str]:
    """What the directory says against it, whatever the gateway answers."""
    records = [one for one in directory.tampered if one.gateway == name]
    if records:
        return [f"{name}: {sentence(one.sentence)}" for one in records]
    one = directory.gateways.get(name)
    if one is None:
        known = listed(list(directory.gateways)) or "none"
        return [f"The directory has no gateway {name}; it has {known}."]
    return AGAINST[options.mode](one)


def _lost(one: Gateway) -> list[str]:
    """Of one that is gone."""
    if not one.gone:
        return []
    how = "revoked as lost" if one.revoked else f"retired{_when(one.retired_at)}"
    return [f"{one.name} is {how}; a gateway that replaces it needs another name."]


def _against_abort(one: Gateway) -> list[str]:
    rotation = one.rotation
    if one.gone:
        return _lost(one)
    if not rotation:
        return [] if one.rolled_back_at else [f"No rotation of {one.name} is open, so there is none to abort."]
    if rotation.mode == EMERGENCY:
        return [f"The old key of {one.name} is revoked and cannot come back; run the rotation again to finish it."]
    return []


AGAINST: Mapping[str, Callable[[Gateway], list[str]]] = {
    PLANNED: _lost,
    EMERGENCY: _lost,
    ABORT: _against_abort,
    REVOKE: lambda one: [],
    RETIRE: lambda one: _lost(one) if one.revoked else [],
}


def unable(directory: Directory, name: str, observation: Observation, options: PlanOptions) -> str:
    """Why it cannot change by its own answer, which nobody needs where it may be the thief's. Empty if it can."""
    check = UNABLE.get(options.mode)
    return check(directory.gateways[name], observation) if check else ""


def _unable_to_change(one: Gateway, observation: Observation) -> str:
    if observation.state != READY:
        return f"{one.name}: {observation.reason}"
    if not observation.own:
        return f"{one.name} has no key yet; enroll it first."
    if observation.own & one.expected:
        return ""
    found = ", ".join(sorted(short(key) for key in observation.own))
    recorded = short(one.fingerprint) if one.fingerprint else "that it has none"
    advice = "enroll it with O(adopt)=true if its own key is the right one"
    return f"{one.name} uses the key {found}, but the directory says {recorded}; {advice}."


def _unable_to_go_back(one: Gateway, observation: Observation) -> str:
    if not one.rotation:
        return ""
    if observation.state != READY:
        return f"{one.name}: {observation.reason} Its old key cannot be restored now."
    if not one.rotation.old or one.rotation.old[1] not in observation.own | {observation.previous}:
        return f"The old key of {one.name} is destroyed and cannot come back; run the rotation again to finish it."
    return ""


UNABLE: Mapping[str, Callable[[Gateway, Observation], str]] = {
    PLANNED: _unable_to_change,
    ABORT: _unable_to_go_back,
}


# ------------------------------------------------------------------ who is meant


def check_names(
    names: Sequence[str], confirm: Sequence[str], known: Sequence[str], in_use: Sequence[str]
) -> list[str]:
    """The gateways that are meant, once they have been typed again; all means those that are in use. Raises
    VpnKeysError(bad_input)."""
    if not names:
        raise VpnKeysError(
            "bad_input", "Name the gateway (gateway=gw1), several of them, or all", state=NOTHING_CHANGED
        )
    if list(names) != list(confirm):
        raise VpnKeysError(
            "bad_input",
            f"The confirmation {','.join(confirm) or '(none)'} is not {','.join(names)}",
            state=NOTHING_CHANGED,
            advice=f"type the same again (confirm={','.join(names)})",
        )
    wanted = list(in_use) if list(names) == ["all"] else list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise VpnKeysError(
            "bad_input",
            f"The directory has no gateway {', '.join(unknown)}; it has {listed(in_use) or 'none in use'}",
            state=NOTHING_CHANGED,
        )
    return wanted


# ------------------------------------------------------------------ after a revocation


def dropped(directory: Directory, answers: Observations, made: Plan) -> Plan:
    """The plan with who really accepts the old keys no more: who has acknowledged that. The answers say why not."""
    seen, peers = {}, peers_of(directory, made.names)
    for peer in peers:
        found = answers.get(peer) or absent(peer)
        pending = any(directory.pending.is_pending(peer, name) for name in made.names)
        if not pending and (found.state == READY or _are_dropped(directory, made.names)):
            found = replace(found, state=READY, why="")
        elif found.state == READY:
            found = replace(found, state=REFUSED, why="it has not acknowledged that it dropped the key")
        seen[peer] = found
    return replace(made, **_by_reachability(peers, seen))


def _are_dropped(directory: Directory, names: Sequence[str]) -> bool:
    """Not so in check mode, where nothing was recorded."""
    known = (directory.gateways[name] for name in names if name in directory.gateways)
    return all(one.dropped or one.retired for one in known)


def still_accepting(made: Plan) -> list[str]:
    """Peers that were reached and yet failed to drop a key: this does not end by itself, it has to be fixed. And that
    nobody was reached at all, so that nothing is revoked anywhere."""
    nobody = made.unreachable and not made.peers and not made.refused
    all_of_them = (
        f"No peer could be reached, so all of them may still accept the old key: {grouped(made.unreachable)}. Run "
        "vpnops.keys.converge_gateways when they can be reached."
    )
    return [all_of_them] if nobody else [
        f"{one.gateway} still accepts the old key: {sentence(one.why)} Fix that, then run "
        "vpnops.keys.converge_gateways."
        for one in made.refused
    ]
