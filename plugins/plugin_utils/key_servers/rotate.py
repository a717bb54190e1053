# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out the rotation of one live group: observe, decide, keep the record, act, and again.

The record is on the disk before a step is begun, and each step is harmless when it is done twice: a run that was
killed anywhere is continued by another one.
"""

from __future__ import annotations

import asyncio
import functools
import time
import typing as t
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from ...module_utils._errors import VpnKeysError
from ...module_utils._ios import group_key, rsa_keys
from ...module_utils._ios.dialogue import Dialogue, Terminal
from ...module_utils._ios.getvpn import Survey
from ...module_utils._ios.labels import Label
from ...module_utils._key_servers import plan as planning
from ...module_utils._key_servers import rotation as deciding
from ...module_utils._key_servers.rotation import Decision, Facts, Observation, Policy, Rotation, State
from ...module_utils._key_servers.rotation_outline import outline, reached
from ...module_utils._key_servers.rotation_steps import Prepare, Rekey, Remove, Save, Step, Switch
from ..ios import session as ios_session
from ..ios.options import Target
from ..progress import pipe
from . import execute, live_group, survey
from .live_group import Addresses, LiveGroup
from .rotation_store import RotationStore
from .survey import Seen

T = t.TypeVar("T")

NO_EFFECT = 3
"""How often the same step is tried in one turn, whatever the key servers show."""
PAUSE = 5.0
"""Seconds before it is tried again."""
SOON = 1.0
"""Seconds between two looks, at least."""
IDLE = 10
"""So many times as long it is waited where nothing happens but that the old key grows old."""


@dataclass(frozen=True)
class Wanted:
    """What the operator wants. `until`: the rotation stops when it is in that state. `bits`: of a new key. `poll`:
    seconds between two looks at most."""

    policy: Policy
    until: State = "retired"
    bits: int = 2048
    poll: float = 60
    parallel: int = 64
    timeout: float = 120
    generation_timeout: float = 600


@dataclass
class Clock:
    """The time in seconds since 1970, and how it passes."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass
class Rotator:
    """One group on its way from one label to another. `done` says what was carried out, in sentences."""

    live: LiveGroup
    targets: Mapping[str, Target]
    addresses: Addresses
    record: Rotation
    store: RotationStore
    pool: ios_session.SessionPool
    wanted: Wanted
    clock: Clock
    tell: Callable[[str], None]
    asked: Callable[[], int] = lambda: 0
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._taken: Counter[Step] = Counter()
        self._told = ""
        self.reached = False
        """Whether it stopped because the state that was asked for is there."""
        self.changed = False
        """Whether a device has been written to, also by a step that was not finished."""
        self.seen: Mapping[str, Seen] = {}
        self.observed: Observation | None = None

    @property
    def facts(self) -> Facts:
        return self.store.facts()

    # -- looking

    async def observe(self, seen: Mapping[str, Seen] | None = None) -> Observation:
        """How the group stands; `seen`: if its key servers have been looked at just now."""
        self.seen = seen or await observe(
            [self.targets[host] for host in self.live.hosts], self.wanted.parallel, self.wanted.timeout, self.pool
        )
        old, new = self.record.old, self.record.new
        self.observed = live_group.observation(self.live, self.seen, self.addresses, old, new, self.clock.now())
        return self.observed

    async def outline(self, seen: Mapping[str, Seen]) -> tuple[str, ...]:
        """What is left to be done."""
        observed = await self.observe(seen)
        return outline(self.record, observed, self.facts, self.wanted.policy, self.wanted.bits)

    # -- going on

    async def advance(self, deadline: float, seen: Mapping[str, Seen] | None = None) -> Decision:
        """As far as it goes without waiting for members: the decision that it stops at. After the `deadline` it waits
        for nothing any more. However a key server behaves, it comes to an end, and other groups have their turn."""
        self._taken.clear()
        while True:
            observed = await self.observe(seen)
            seen = None
            found = deciding.decide(self.record, observed, self.facts, self.wanted.policy)
            self.reached = self._far_enough(found)
            if self.reached or (self.asked() and self.record.trial is None):
                # A step that is left for another run has not begun, and the record must not say that it has.
                if found.step is None or isinstance(found.step, Remove):
                    self._keep(found)
                return found
            self._keep(found)
            if found.step is not None:
                await self._take(found.step)
                continue
            # While the labels of key servers differ, and nobody knows whether they hear each other, it is waited here.
            if found.outcome != "wait" or found.rotation.trial is None or self.clock.now() >= deadline:
                return found
            await self.clock.sleep(min(self.pause(found), PAUSE))

    def pause(self, found: Decision) -> float:
        """Seconds until another look is worth it."""
        longest = self.wanted.poll * (IDLE if found.rotation.state == "verified" else 1)
        left = (found.until or 0) - self.clock.now()
        # What is overdue is not looked at more often for that.
        return min(max(left, SOON), longest) if left > 0 else longest

    def _far_enough(self, found: Decision) -> bool:
        """Whether the state that was asked for is reached, so that the step that follows is left for another run."""
        until = self.wanted.until
        if self.wanted.policy.abort or found.outcome in ("back", "done") or isinstance(found.step, (Prepare, Save)):
            return False
        if found.rotation.trial and not found.step:
            return False
        last = isinstance(found.step, Switch) and self._has_primary(found.step) and not _beyond(until, "secondaries")
        return (last and not self._must_not_stay(found)) or reached(found.rotation, until)

    def _must_not_stay(self, found: Decision) -> bool:
        """Whether labels differ on key servers that are known to split then."""
        servers = self.observed.servers if self.observed else ()
        splits = found.facts.coop_of({server.release for server in servers}) == "splits"
        return splits and len({server.label for server in servers}) > 1

    def _has_primary(self, step: Switch) -> bool:
        roles = {server.name: server.role for server in (self.observed.servers if self.observed else ())}
        return any(roles.get(host) == "Primary" for host in step.hosts) or len(roles) == 1

    def _keep(self, found: Decision) -> None:
        self.store.keep_facts(found.facts)
        self.store.keep(found.rotation, self.live)
        self.record = found.rotation
        self._show(found)

    def _show(self, found: Decision) -> None:
        """Who watches sees how many members have learned the key, and hears each change once."""
        progress = found.progress
        total = len(progress.learned) + len(progress.waiting) + len(progress.overdue)
        pipe.tell("operations", total=total, done=len(progress.learned), failed=len(progress.overdue))
        text = found.why if found.outcome in ("wait", "back") else ""
        if text and text != self._told:
            end = f" Expected end: {_at(found.until)}." if found.until else ""
            self.tell(f"{text}{end}")
        self._told = text

    # -- steps

    async def _take(self, step: Step) -> None:
        if self._taken[step] >= NO_EFFECT:
            raise VpnKeysError(
                "not_proved",
                f"the key servers show no lasting effect of a step, tried {NO_EFFECT} times: {step.describe()}",
                state=f"The rotation is in state {self.record.state}",
                advice="check the logs of the key servers, then run again",
            )
        if self._taken[step]:
            await self.clock.sleep(PAUSE)
        self._taken[step] += 1
        await self.OPERATIONS[type(step)](self, step)
        self._did(step.describe())

    def _did(self, what: str) -> None:
        self.done.append(what)
        self.tell(what)

    async def _prepare(self, step: Prepare) -> None:
        label = Label.parse(step.label)
        if apart := live_group.apart(self.live, self.seen, self.addresses):
            raise VpnKeysError(
                "blocked",
                apart,
                state=f"No key is imported to any of them. The rotation is in state {self.record.state}",
                advice="find out who changed their peers, then run again",
            )
        servers = live_group.for_the_key(self.live, self.seen, label)
        plan = planning.plan(label.name, servers, planning.Policy(bits=self.wanted.bits))
        if plan.blocked or not plan.steps:
            raise VpnKeysError("blocked", plan.blocked or f"there is nothing to do for the key {label}")
        execution = execute.ExecutionOptions(save=True, generation_timeout=self.wanted.generation_timeout)
        progress = execute.Progress(self.tell, pipe.Count(0), asked=self.asked)
        try:
            await execute.run_plan(plan, self.targets, execution, progress, self.pool)
        except Exception:
            # A key that was generated stays, and the next run takes it.
            self.done += [f"{host}: {', '.join(words)}." for host, words in progress.done.items()]
            raise

    async def _switch(self, step: Switch) -> None:
        label = Label.parse(step.label)
        for host in step.hosts:
            await self._do(host, functools.partial(group_key.set_label, name=self._name(host), label=label))

    async def _save(self, step: Save) -> None:
        for host in step.hosts:
            await self._do(host, rsa_keys.save)

    async def _rekey(self, step: Rekey) -> None:
        name = self._name(step.host)
        await self._do(step.host, lambda tty: group_key.send_rekey(tty, name, replace_now=step.replace_now))

    async def _remove(self, step: Remove) -> None:
        label = Label.parse(step.label)
        for host in step.hosts:
            found = self.seen[host]
            held = rsa_keys.identity(t.cast(Survey, found).ring.of(label)) or ""
            await self._do(host, functools.partial(group_key.remove_key, label=label, expected=held))

    OPERATIONS: t.ClassVar[Mapping[type[Step], Callable[[Rotator, t.Any], Awaitable[None]]]] = {
        Prepare: _prepare,
        Switch: _switch,
        Save: _save,
        Rekey: _rekey,
        Remove: _remove,
    }

    def _name(self, host: str) -> str:
        """What a key server calls the group."""
        return t.cast(str, self.live.names[host])

    async def _do(self, host: str, operation: Callable[[Terminal], Dialogue[T]]) -> T:
        async with self.pool.session(self.targets[host]) as session:
            found = await session.do(operation)
        self.changed = True
        return found


async def observe(
    targets: list[Target], parallel: int, timeout: float, pool: ios_session.SessionPool
) -> dict[str, Seen]:
    """All that a rotation has to know of these key servers."""
    reader = pool.read if len(targets) <= parallel else ios_session.read
    return await survey.observe(targets, parallel, timeout, reader, whole=True)


def _beyond(until: State, state: State) -> bool:
    return reached(Rotation("", "", "", until), state) and until != state


def _at(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
