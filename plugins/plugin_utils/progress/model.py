# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts what a playbook does: which host stands where in which step, and what became of it.

Pure: events in, counts out.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from ...module_utils._fleet.findings import Open
from .found import Found, merged

Outcome = t.Literal["failed", "unreachable", "deferred", "ignored", "changed", "ok", "skipped"]
OUTCOMES: tuple[Outcome, ...] = t.get_args(Outcome)
"""What became of a host in one step, the worst first."""
LOST: tuple[Outcome, ...] = ("failed", "unreachable")
"""After these a host takes no further part, unless a rescue brings it back."""
PROBLEMS: tuple[Outcome, ...] = (*LOST, "ignored")
Section = t.Literal["block", "rescue", "always", "handler"]
Verdict = t.Literal["failed", "unreachable", "not finished", "unknown", "deferred", "changed", "ok", "not run"]
VERDICTS: tuple[Verdict, ...] = t.get_args(Verdict)
"""What became of a host, the worst first."""


@dataclass(frozen=True)
class Problem:
    """Something that a host did not do, in one sentence."""

    host: str
    step: str
    outcome: Outcome
    sentence: str
    for_all: bool = False
    """It ran once, for all hosts."""


@dataclass
class Devices:
    """Where one task stands that works on many devices by itself: with looking at them, or with its moves on them."""

    total: int
    done: int = 0
    failed: int = 0
    begun: float = 0.0


@dataclass
class Step:
    """One task, on all hosts of a play or of a batch of it."""

    name: str
    play: str
    begun: float
    expected: frozenset[str] = frozenset()
    section: Section = "block"
    once: bool = False
    open_ended: bool = False
    """Hosts may still come that nobody knows of: by a further include, a failure or a notification."""
    hidden: bool = False
    started: set[str] = field(default_factory=set)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    devices: Devices | None = None
    operations: Devices | None = None
    ended: float | None = None

    @property
    def done(self) -> int:
        return len(self.outcomes)

    @property
    def counts(self) -> dict[str, int]:
        """How many hosts ended how; only what there is."""
        found = Counter(self.outcomes.values())
        return {outcome: found[outcome] for outcome in OUTCOMES if found[outcome]}

    @property
    def worth_a_line(self) -> bool:
        """Not what was skipped everywhere, nor what only includes other tasks."""
        counts = self.counts
        return set(counts) - {"skipped"} != set() and (not self.hidden or any(one in counts for one in LOST))

    def seconds(self, now: float) -> float:
        return (self.ended if self.ended is not None else now) - self.begun


@dataclass
class Play:
    """A play; one with `serial` has its hosts in batches."""

    name: str
    batch: frozenset[str]
    hosts: frozenset[str]
    begun: float
    finished: int = 0
    """Hosts of batches that are over."""

    @property
    def in_batches(self) -> bool:
        return len(self.batch) < len(self.hosts)


@dataclass
class Run:
    """A whole run of ansible-playbook."""

    playbook: str
    begun: float
    check: bool = False
    plays: list[Play] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    pending: dict[str, str] = field(default_factory=dict)
    """Hosts that are still to get something, as a report says, and what."""
    rotations: Mapping[str, Open] = field(default_factory=dict)
    """Gateways whose rotation is open, as the directory said last."""
    ended: float | None = None
    interrupted: bool = False
    _open: dict[str, Step] = field(default_factory=dict)
    _lost: dict[str, Problem] = field(default_factory=dict)
    _rescued: list[Problem] = field(default_factory=list)
    _out_of_reach: dict[str, str] = field(default_factory=dict)
    _included: dict[str, set[str]] = field(default_factory=dict)
    _found: dict[str, dict[str, Found]] = field(default_factory=dict)
    _took_part: set[str] = field(default_factory=set)
    _changed: set[str] = field(default_factory=set)

    # ------------------------------------------------------------------ events

    def begin_play(self, name: str, batch: Iterable[str], every: Iterable[str], now: float) -> Play:
        """A play begins, or the next batch of one."""
        # Ansible counts localhost to no batch where the inventory does not name it.
        hosts = frozenset(batch) or frozenset(every)
        whole = frozenset(every) | hosts
        last = self.plays[-1] if self.plays else None
        self._included.clear()
        if last and last.name == name and last.in_batches and last.hosts == whole and not hosts & last.batch:
            last.finished += len(last.batch)
            last.batch = hosts
        else:
            self.plays.append(Play(name, hosts, whole, now))
        return self.plays[-1]

    def include(self, key: str, hosts: Iterable[str]) -> None:
        """These hosts, and no others, run what a task includes."""
        self._included.setdefault(key, set()).update(hosts)

    def begin(
        self,
        key: str,
        name: str,
        now: float,
        section: Section = "block",
        *,
        once: bool = False,
        hidden: bool = False,
        within: Iterable[str] = (),
    ) -> Step:
        """A task begins, on its first host; `within`: what includes it."""
        if key not in self._open:
            expected = self._expected(section)
            includes = [self._included[include] for include in within if include in self._included]
            for hosts in includes:
                expected &= hosts
            play = self.plays[-1].name if self.plays else ""
            open_ended = section != "block" or bool(includes)
            step = Step(name, play, now, expected, section, once, open_ended, hidden)
            self._open[key] = step
            self.steps.append(step)
        return self._open[key]

    def start(self, key: str, host: str) -> None:
        """A host begins with a task."""
        if step := self._open.get(key):
            step.started.add(host)
            self._back(host, step)

    def finish(self, key: str, host: str, outcome: Outcome, sentence: str = "", *, elsewhere: bool = False) -> None:
        """A host is done with a task that has begun; `elsewhere`: what it changed is not on that host."""
        step = self._open[key]
        self._back(host, step)
        step.outcomes[host] = outcome
        self._took_part.add(host)
        if outcome == "changed" and not elsewhere:
            self._changed.add(host)
        if outcome == "deferred":
            self._out_of_reach[host] = sentence
        if outcome in PROBLEMS:
            for_all = step.once and outcome != "unreachable"
            self.problems.append(Problem(host, step.name, outcome, sentence, for_all))
        if outcome in LOST:
            # What fails once for all fails for all: Ansible goes on with none of them.
            for one in (step.expected | {host}) if step.once and outcome == "failed" else {host}:
                self._lost[one] = self.problems[-1]

    def find(self, found: Iterable[Found]) -> None:
        """A task that runs once has worked on these hosts, and says what it found there."""
        for one in found:
            self._took_part.add(one.host)
            of_host = self._found.setdefault(one.host, {})
            of_host[one.unit] = merged(of_host.get(one.unit), one)

    def fleet(self, key: str, devices: Devices) -> None:
        """How far a task is with looking at many devices."""
        if step := self._open.get(key):
            step.devices = devices

    def work(self, key: str, operations: Devices) -> None:
        """How far a task is with what it does to many devices, one move after the other."""
        if step := self._open.get(key):
            step.operations = replace(operations, begun=step.operations.begun if step.operations else operations.begun)

    def close(self, now: float, key: str | None = None) -> list[Step]:
        """A task, or all of them, is over: those that were open."""
        keys = list(self._open) if key is None else [key] if key in self._open else []
        closed = [self._open.pop(one) for one in keys]
        for step in closed:
            step.ended = now
        return closed

    def end(self, now: float, failed: Collection[str] | None = None, *, interrupted: bool = False) -> None:
        """The run is over; `failed`: whose failures nothing rescued, as Ansible counts."""
        self.close(now)
        self.ended, self.interrupted = now, self.interrupted or interrupted
        if failed is not None:
            for problem in list(self._lost.values()):
                if problem.outcome == "failed" and problem.host not in failed:
                    self._forgive(problem)

    def _back(self, host: str, step: Step) -> None:
        """A host that failed and yet runs a further task of a block was rescued."""
        problem = self._lost.get(host)
        if step.section == "block" and host not in step.outcomes and problem and problem.outcome == "failed":
            self._forgive(problem)

    def _forgive(self, problem: Problem) -> None:
        self._rescued.append(problem)
        self._lost = {host: one for host, one in self._lost.items() if one is not problem}

    def _expected(self, section: Section) -> frozenset[str]:
        batch = self.plays[-1].batch if self.plays else frozenset()
        failed = {host for host, problem in self._lost.items() if problem.outcome == "failed"}
        unreachable = self._lost.keys() - failed
        return {
            "block": batch - self._lost.keys(),
            "rescue": batch & failed,
            "always": batch - unreachable,
            "handler": frozenset(),
        }[section]

    # ------------------------------------------------------------------ counts

    @property
    def keys(self) -> Collection[str]:
        """The tasks that are under way."""
        return self._open.keys()

    @property
    def running(self) -> list[Step]:
        """What to show now, the oldest first."""
        return [
            step
            for step in self._open.values()
            if not step.hidden and not (step.open_ended and step.done and step.done >= self.total(step))
        ]

    def total(self, step: Step) -> int:
        """How many hosts a step is for: those that are expected and still there, and those that came."""
        if step.once:
            return 1
        coming = step.expected - self._lost.keys() if step.section == "block" else step.expected
        return len(coming | step.started | step.outcomes.keys())

    def complete(self, key: str) -> bool:
        """Whether every host is done with a task, and none can come any more."""
        step = self._open.get(key)
        return step is not None and not step.open_ended and step.done >= self.total(step)

    def verdict(self, host: str) -> Verdict:
        """What became of a host. What ran once for all and failed is no fault of the host that it ran on."""
        lost = self._lost.get(host)
        if lost and not lost.for_all:
            return "unreachable" if lost.outcome == "unreachable" else "failed"
        found = self.found(host)
        worst = min((self.weighed(one) for one in found), key=VERDICTS.index, default=None)
        if worst in ("failed", "not finished", "unknown"):
            return worst
        if host in self.deferred:
            return "deferred"
        if host not in self._took_part:
            return "not run"
        if worst is None and (self._cut_short(host) or (lost and not self._blamed)):
            return "not finished"
        return "changed" if worst == "changed" or host in self._changed else "ok"

    def found(self, host: str) -> list[Found]:
        """What tasks that work for many found on a host."""
        return list(self._found.get(host, {}).values())

    def weighed(self, found: Found) -> Verdict:
        """What differs is a failure if the run failed for it, and is still to be done if the run was interrupted."""
        if found.state != "differs":
            return found.state
        if any(one.for_all for one in self._lost.values()):
            return "failed"
        return "not finished" if self.interrupted else "ok"

    @property
    def _blamed(self) -> bool:
        """Whether what failed for all is known to be the fault of some."""
        return any(self.weighed(one) == "failed" for of_host in self._found.values() for one in of_host.values())

    def _cut_short(self, host: str) -> bool:
        return self.interrupted and bool(self.plays) and host in self.plays[-1].batch

    @property
    def hosts(self) -> list[str]:
        """All hosts of all plays, and those that a report named."""
        return sorted({host for play in self.plays for host in play.hosts} | self._took_part | self.deferred.keys())

    @property
    def verdicts(self) -> dict[Verdict, int]:
        """How many hosts came to what; only what there is, the worst first."""
        found = Counter(map(self.verdict, self.hosts))
        return {verdict: found[verdict] for verdict in VERDICTS if found[verdict]}

    @property
    def unsolved(self) -> list[Problem]:
        """What still stands in the way: failures that were neither ignored nor rescued."""
        return [one for one in self.problems if one.outcome in LOST and not self.rescued(one)]

    @property
    def unlike(self) -> list[Found]:
        """What stands in the way of single hosts, as tasks that work for many say."""
        return [
            one
            for of_host in self._found.values()
            for one in of_host.values()
            if self.weighed(one) in ("failed", "not finished", "unknown")
        ]

    def rescued(self, problem: Problem) -> bool:
        return any(one is problem for one in self._rescued)

    @property
    def deferred(self) -> dict[str, str]:
        """Hosts that were unreachable while the play went on without them, and those that have still to store
        something, as a report says."""
        return dict(sorted({**self._out_of_reach, **self.pending}.items()))


def remaining(done: int, total: int, elapsed: float) -> float | None:
    """Seconds that the rest takes if it goes on as it went; None as long as nobody can tell."""
    if not 0 < done <= total or elapsed < 1:
        return None
    return elapsed / done * (total - done)


def clock(seconds: float) -> str:
    """0:42, 12:07, 1:02:03."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
