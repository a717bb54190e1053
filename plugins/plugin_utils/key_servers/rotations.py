# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several groups on their way at once: one goes on while another waits for its members."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...module_utils._errors import NOTHING_CHANGED, NOTHING_IS_CHANGED, VpnKeysError, rendered, stated
from ...module_utils._ios.labels import Label
from ...module_utils._key_servers.rotation import Decision, Rotation
from ...module_utils._key_servers.rotation_outline import numbered
from ..internal import internal_error
from . import execute, live_group
from .live_group import LiveGroup
from .rotate import Rotator
from .rotation_store import Claim, RotationStore
from .survey import Seen

Outcome = t.Literal["done", "reached", "waiting", "blocked", "failed", "interrupted", "planned"]
KEPT_OPEN = 30.0
"""Seconds of waiting over which sessions stay open: they take lines of the devices."""
GOOD: tuple[Outcome, ...] = ("done", "reached", "planned")


RUN_AGAIN = "Run the same command again; it continues from there."
INTERRUPTED = f"the run was interrupted. {RUN_AGAIN}"


@dataclass
class Found:
    """What became of one group. `rotator` is None where there is nothing to go on with."""

    live: LiveGroup
    record: Rotation | None
    rotator: Rotator | None = None
    outcome: Outcome = "blocked"
    why: str = ""
    decision: Decision | None = None
    before: Mapping[str, str | None] = field(default_factory=dict)
    """The label that each key server named at first."""
    plan: tuple[str, ...] = ()
    error: VpnKeysError | None = field(default=None, repr=False)


def record_for(
    live: LiveGroup, seen: Mapping[str, Seen], new: str, old: str | None, store: RotationStore
) -> Rotation | None:
    """The rotation of a group to the label `new`: the one that is under way, or another one from its beginning. None
    where all key servers name that label already, and nobody knows what came before. Raises blocked."""
    kept = store.rotation(live)
    labels = live_group.labels_of(live, seen)
    if kept and _under_way(kept, labels):
        if (kept.new, kept.old) == (new, old or kept.old):
            return kept
        raise VpnKeysError(
            "blocked",
            f"{live.title} has an open rotation from {kept.old} to {kept.new} (state {kept.state})",
            state=NOTHING_CHANGED,
            advice=f"set O(label) to {kept.new} to continue, or to roll back with O(abort)",
        )
    if kept and kept.new == new and set(labels.values()) == {new}:
        return kept
    return _first(live, labels, new, old)


def told_apart(groups: Sequence[LiveGroup], seen: Mapping[str, Seen], store: RotationStore) -> list[LiveGroup]:
    """A record is of one group: of those that claim it, of that with most of its key servers, once all of these could
    be read, or no other can have as many. The others are blocked: a key server that adds a group of its own could go on
    with the rotation of the others."""
    claimed = [(live, _claim(live, store)) for live in groups]
    return [live if live.blocked else _told_apart(live, one, claimed, seen) for live, one in claimed]


def _told_apart(
    live: LiveGroup,
    claim: Claim | None,
    claimed: Sequence[tuple[LiveGroup, Claim | None]],
    seen: Mapping[str, Seen],
) -> LiveGroup:
    if claim is None:
        return live
    rivals = [
        f"{other.title} ({', '.join(other.hosts)})"
        for other, one in claimed
        if other is not live and one and one.name == claim.name and one.rank >= claim.rank
    ]
    # Where it has more than half of them, who was thrown out of the group cannot stop it by being silent.
    rest = sorted(claim.key_servers - set(live.names)) if 2 * claim.rank[0] <= len(claim.key_servers) else []
    away = [host for host in rest if isinstance(seen.get(host), VpnKeysError)]
    if not rivals and not away:
        return live
    why = f"is also that of {', '.join(rivals)}" if rivals else f"is also of {', '.join(away)}, which cannot be read"
    blocked = stated(
        f"the record of a rotation that {', '.join(live.hosts)} would continue for {live.title} {why}",
        NOTHING_IS_CHANGED,
        "find out which of them belong to the group, and name only those in O(hosts)",
    )
    return dataclasses.replace(live, blocked=blocked)


def _claim(live: LiveGroup, store: RotationStore) -> Claim | None:
    """What is wrong with a record is said where it is used."""
    with contextlib.suppress(VpnKeysError):
        return store.claim(live)
    return None


def under_way(groups: Sequence[LiveGroup], new: str, store: RotationStore) -> list[LiveGroup]:
    """The groups of which a rotation to this label was begun and is not over, by the records alone."""
    claims = [(live, _claim(live, store)) for live in groups]
    begun = [(live, one) for live, one in claims if one and one.rotation.new == new and _is_open(one.rotation)]
    most: dict[str, tuple[int, bool]] = {}
    for _live, one in begun:
        most[one.name] = max(one.rank, most.get(one.name, one.rank))
    return [live for live, one in begun if one.rank == most[one.name]]


def _is_open(rotation: Rotation) -> bool:
    return rotation.state not in ("surveyed", "retired")


def _under_way(kept: Rotation, labels: Mapping[str, str | None]) -> bool:
    return kept.state != "retired" and (kept.state != "surveyed" or kept.new in labels.values())


def _first(live: LiveGroup, labels: Mapping[str, str | None], new: str, old: str | None) -> Rotation | None:
    unnamed = [host for host, label in labels.items() if label is None]
    others = sorted({label for label in labels.values() if label is not None and label != new})
    if unnamed or len(others) > 1:
        told = f"{', '.join(unnamed)} uses none" if unnamed else f"they use {', '.join(others)}"
        raise VpnKeysError(
            "blocked",
            f"the key servers of {live.title} do not use one RSA key: {told}",
            state=NOTHING_CHANGED,
            advice="fix that first",
        )
    before = others[0] if others else old
    if before and old and before != old:
        raise VpnKeysError(
            "blocked", f"the key servers of {live.title} use {before}, not {old}", state=NOTHING_CHANGED,
            advice=f"set O(old_label) to {before}, or leave it out",
        )
    # What a key server names may be no label that can be used.
    return Rotation(live.title, str(Label.parse(before)), new) if before else None


async def plan(found: Found, seen: Mapping[str, Seen]) -> None:
    """What is left to be done for a group."""
    if found.rotator:
        with _on_its_own(found):
            found.plan = await found.rotator.outline(seen)
            found.outcome = "planned"


async def observe(found: Found, seen: Mapping[str, Seen]) -> None:
    """How a group stands before anything is done."""
    if found.rotator:
        with _on_its_own(found):
            await found.rotator.observe(seen)


@contextlib.contextmanager
def _on_its_own(found: Found) -> Iterator[None]:
    """What goes wrong with one group is told of it, and must not end the work on the others."""
    try:
        yield
    except VpnKeysError as error:
        asked = error.code == "interrupted"
        found.outcome = "interrupted" if asked else "failed"
        found.error = VpnKeysError(error.code, f"{error.what} {RUN_AGAIN}") if asked else error
    except Exception as error:  # noqa: BLE001 - a mistake of ours is told as one
        found.outcome, found.error = "failed", internal_error(found.live.title, error)


async def run(all_found: Sequence[Found], seen: Mapping[str, Seen], deadline: float) -> None:
    """All groups as far as they go until the deadline, in seconds as their clock has it. Only those with a key server
    in common wait for each other: two must not change one configuration at once."""
    running = [(one, one.rotator) for one in all_found if one.rotator and not one.error]
    if not running:
        return
    turns = {host: asyncio.Lock() for one, _rotator in running for host in one.live.hosts}
    largest = max(len(one.live.hosts) for one, _rotator in running)
    wanted = running[0][1].wanted
    # What is found out with one group must be known before the next one is changed.
    tries = wanted.policy.canary or wanted.policy.allow_split
    gate = asyncio.Semaphore(1 if tries else max(wanted.parallel // largest, 1))
    work = (_to_its_end(one, rotator, seen, deadline, turns, gate) for one, rotator in running)
    # All of them have ended before anything that ended one of them is told.
    for ended in await asyncio.gather(*work, return_exceptions=True):
        if ended:
            raise ended


async def _to_its_end(
    found: Found,
    rotator: Rotator,
    seen: Mapping[str, Seen],
    deadline: float,
    turns: Mapping[str, asyncio.Lock],
    gate: asyncio.Semaphore,
) -> None:
    clock = rotator.clock
    while True:
        pause = 0.0
        async with contextlib.AsyncExitStack() as turn:
            waited = gate.locked() or any(turns[host].locked() for host in found.live.hosts)
            for host in found.live.hosts:  # sorted, against deadlocks
                await turn.enter_async_context(turns[host])
            await turn.enter_async_context(gate)
            await _advance(found, deadline, {} if waited else seen)
            seen = {}
            if found.outcome == "waiting" and found.decision:
                pause = rotator.pause(found.decision)
                if pause > KEPT_OPEN:
                    with _on_its_own(found):
                        await rotator.pool.close(found.live.hosts)
        if found.outcome != "waiting" or clock.now() >= deadline:
            return
        await clock.sleep(max(min(pause, deadline - clock.now()), 0.1))


async def _advance(found: Found, deadline: float, seen: Mapping[str, Seen]) -> None:
    rotator = t.cast(Rotator, found.rotator)
    own = {host: seen[host] for host in found.live.hosts} if seen else None
    with _on_its_own(found):
        with execute.locked(f"rotation of {found.live.identity or found.live.title}", found.live.hosts):
            found.decision = await rotator.advance(deadline, own)
        found.outcome = _outcome(rotator, found.decision)
        found.why = found.decision.why or (INTERRUPTED if found.outcome == "interrupted" else "")


def _outcome(rotator: Rotator, decision: Decision) -> Outcome:
    if rotator.reached:
        return "reached"
    if decision.outcome == "wait":
        return "interrupted" if rotator.asked() else "waiting"
    return "interrupted" if decision.step else t.cast(Outcome, decision.outcome)


def has_changed(found: Found) -> bool:
    """Whether something was written to a device."""
    rotator, error = found.rotator, found.error
    return bool(rotator and (rotator.done or rotator.changed)) or bool(error and error.changed)


def digest(found: Found) -> str:
    """Of what a plan was made for: labels, keys, and what was asked for. Approved plans are told apart by it."""
    rotator = found.rotator
    observed = rotator.observed if rotator else None
    servers = [(one.name, one.label, one.role, one.old, one.new) for one in (observed.servers if observed else ())]
    wanted = (rotator.wanted.until, rotator.wanted.policy) if rotator else ()
    record = (rotator.record.old, rotator.record.new, rotator.record.state) if rotator else ()
    return hashlib.sha256(repr((found.live.title, found.live.identity, record, wanted, servers)).encode()).hexdigest()


def lines(groups: Sequence[Mapping[str, t.Any]]) -> list[str]:
    """What people read of it: the plan, or what was done, and how it ended."""
    found = []
    for group in groups:
        way = f" from {group['old_label']} to {group['label']}" if group["label"] else ""
        state = f" (state {group['state']})" if group["state"] else ""
        found.append(f"{group['name']}{way}{state}: {group['outcome']}")
        found += [f"  {text}" for text in numbered(group["plan"] or group["done"])]
        found += [f"  {group['why']}"] if group["why"] else []
    return found


def to_result(found: Found, names: Mapping[str, str]) -> dict[str, t.Any]:
    """One group as plain data. `names`: what the reader can set, by option."""
    record = found.rotator.record if found.rotator else found.record
    decision, error = found.decision, found.error
    progress = dataclasses.asdict(decision.progress) if decision else {}
    why = error.marked if error else found.why
    return {
        "name": found.live.title,
        "identity": found.live.identity,
        "hosts": list(found.live.hosts),
        "old_label": record.old if record else None,
        "label": record.new if record else None,
        "state": record.state if record else None,
        "outcome": found.outcome,
        "why": rendered(why, names),
        "digest": digest(found),
        "expected_end": decision.until if decision else None,
        "plan": [rendered(text, names) for text in found.plan],
        "done": list(found.rotator.done) if found.rotator else [],
        "members": {name: list(progress.get(name, ())) for name in ("learned", "waiting", "overdue", "gone")},
        "key_servers": _servers(found),
    }


def _servers(found: Found) -> list[dict[str, t.Any]]:
    observed = found.rotator.observed if found.rotator else None
    return [
        {
            "host": server.name,
            "release": server.release or None,
            "role": server.role,
            "label": server.label,
            "saved": server.saved,
            "old_fingerprint": server.old.fingerprint if server.old else None,
            "fingerprint": server.new.fingerprint if server.new else None,
            "rekeys_sent": server.rekeys,
            "problem": server.problem,
        }
        for server in (observed.servers if observed else ())
    ]
