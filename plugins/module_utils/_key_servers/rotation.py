# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision: what comes next when a live GET VPN group is moved from the key of one label to that of another.

Pure and total: every observation gives a `Decision`, nothing is raised, nothing is read or written. The caller stores
`Decision.rotation` and `Decision.facts`, then carries out the step, then observes and asks again. A run that was killed
between any two of these is continued by observing and asking again: what a key server shows counts, and the record
holds only what no key server shows.

Nobody has written down what releases do in two places, so it is found out and never assumed:

- A rekey after the change may be signed with the old key and carry the new one (`in_band`: every member acknowledges
  it), or be signed with the new one (`out_of_band`: members miss it, and register again before their keys end).
- Key servers whose labels differ may hear each other (`hears`) or not (`splits`: after the dead time a secondary makes
  itself primary).

What was found out is kept per release as `Facts`. A group with releases of which they say nothing waits for a smaller
group, the canary.

The order: the new key on every key server; then the label on one secondary after the other, the primary last; then a
rekey, and every member learns the new key; then one more rekey, which every member must accept; and after one more
life of all keys the old key is removed. Up to the primary each change is taken back if the key servers stop hearing
each other. From then on members may hold the new key, and going back would cost as much as going on: it is a rotation
of its own, in the other direction, that somebody starts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .._errors import NOTHING_IS_CHANGED, sentence, stated
from .plan import Copy
from .rotation_steps import Prepare, Rekey, Remove, Save, Step, Switch

State = Literal[
    "surveyed", "prepared", "timed", "canary", "secondaries", "primary", "learning", "verified", "retired"
]
RekeyBehavior = Literal["in_band", "out_of_band"]
CoopBehavior = Literal["hears", "splits"]

HELLO = 20
"""Seconds between two announcements of a primary."""
PROBE = HELLO + 3
"""Seconds after which a secondary that accepts announcements has had one."""
SETTLE = 3 * HELLO
"""Seconds after which a change on a secondary that does harm has shown it."""
ACKNOWLEDGED = 60
"""Seconds after which all retransmissions of a rekey are sent and answered."""
MOST_NAMES = 10
"""Of members in one sentence."""


# What is observed


@dataclass(frozen=True)
class Peer:
    """A COOP session of a key server. `heard` grows with every announcement that it accepts from this peer."""

    name: str
    alive: bool
    heard: int


@dataclass(frozen=True)
class KeyServer:
    """One key server of the group.

    `label` is configured for rekey authentication; `saved`: the startup configuration has this label and these keys.
    `old` and `new` are the keys under the two labels. `others`: its other groups, each with the label that it names.
    `role`: who is alone needs none. `rekeys`: sent for the group since the last restart. `problem` says why it could
    not be read; then nothing else means anything.
    """

    name: str
    release: str
    label: str | None
    saved: bool
    old: Copy | None
    new: Copy | None
    role: str | None
    peers: tuple[Peer, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    rekeys: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class Timers:
    """Of the newest keys that the primary hands out. Seconds. `time_to_rekey`: to the next rekey, of whichever key.

    `acknowledged`: members acknowledge rekeys.
    """

    kek_life: int
    kek_left: int
    time_to_rekey: int
    tek_life: int
    tek_left: int
    acknowledged: bool


@dataclass(frozen=True)
class Member:
    """A group member: the key server it is registered with, and the rekeys to it since then."""

    name: str
    version: str
    server: str
    sent: int
    acked: int
    missed: int


@dataclass(frozen=True)
class Observation:
    """The group at the time `now`, in seconds. `timers` is None if no key server hands out keys."""

    now: float
    servers: tuple[KeyServer, ...]
    members: tuple[Member, ...]
    timers: Timers | None


# What is kept


@dataclass(frozen=True)
class Trial:
    """A change on one secondary whose effect is being watched.

    `heard`: how much it had heard of its primary when it was first seen with the new label, at `seen`; None before.
    """

    host: str
    heard: int | None = None
    seen: float = 0


@dataclass(frozen=True)
class Baseline:
    """Members and counted rekeys (pairs of host and number) at some time; a rekey since then was `asked` for when."""

    members: tuple[Member, ...]
    rekeys: tuple[tuple[str, int], ...]
    asked: float | None = None


@dataclass(frozen=True)
class Rotation:
    """What is kept of one rotation. `state` is the last one that was reached.

    `baseline`: from before the primary was changed, or from before the rekey that all must accept (`proving`).
    `watched`: it was the former first, so that nobody can have learned the new key unseen.
    `deadline`: when every member that did not accept it has registered again. `since`: of the state verified.
    `registered`: versions of members that had to register again.
    """

    group: str
    old: str
    new: str
    state: State = "surveyed"
    trial: Trial | None = None
    baseline: Baseline | None = None
    watched: bool = False
    proving: bool = False
    deadline: float = 0
    since: float = 0
    registered: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class CoopFact:
    """What key servers of these releases did while their labels differed. `seen_on`: the first that showed it, which
    may be a lie that other groups go by."""

    releases: tuple[str, ...]
    behavior: CoopBehavior
    seen_on: tuple[str, ...] = dataclasses.field(default=(), compare=False)


@dataclass(frozen=True, order=True)
class RekeyFact:
    """How members of this version learned the new key from key servers of this release. `seen_on`: as in CoopFact."""

    release: str
    version: str
    behavior: RekeyBehavior
    seen_on: tuple[str, ...] = dataclasses.field(default=(), compare=False)


@dataclass(frozen=True)
class Facts:
    """What releases were found to do."""

    coop: tuple[CoopFact, ...] = ()
    rekey: tuple[RekeyFact, ...] = ()

    def coop_of(self, releases: Iterable[str]) -> CoopBehavior | None:
        """What key servers of these releases do among each other. A bad example counts for all it has to do with."""
        wanted = set(releases)
        if any(fact.behavior == "splits" and wanted & set(fact.releases) for fact in self.coop):
            return "splits"
        heard = any(fact.behavior == "hears" and wanted <= set(fact.releases) for fact in self.coop)
        return "hears" if heard else None

    def split_on(self, releases: Iterable[str]) -> str:
        """On which key servers it was seen that these releases split, for a sentence; "" where that is not known."""
        facts = [fact for fact in self.coop if fact.behavior == "splits" and set(releases) & set(fact.releases)]
        names = sorted({name for fact in facts for name in fact.seen_on})
        return f" (seen on {_few(names)})" if names else ""

    def rekey_of(self, release: str, version: str) -> RekeyBehavior | None:
        """How such members learn the key."""
        known = {fact.behavior for fact in self.rekey if (fact.release, fact.version) == (release, version)}
        return "out_of_band" if "out_of_band" in known else "in_band" if known else None

    def with_coop(self, releases: Iterable[str], behavior: CoopBehavior, seen_on: Iterable[str] = ()) -> Facts:
        """And one more."""
        fact = CoopFact(tuple(sorted(set(releases))), behavior, tuple(sorted(set(seen_on))))
        return dataclasses.replace(self, coop=tuple(sorted({*self.coop, fact})))

    def with_rekey(self, found: Iterable[RekeyFact]) -> Facts:
        """And some more."""
        return dataclasses.replace(self, rekey=tuple(sorted({*self.rekey, *found})))


@dataclass(frozen=True)
class Policy:
    """What the operator wants and allows.

    `max_window`: seconds that members may need to learn the key. `max_rate`: registrations per second that the key
    servers bear. `canary`: this group may be used to find out what its releases do. `allow_split`: the labels may
    differ although the group would split if this run were killed meanwhile and not started again within a minute.
    `emergency`: the old key is stolen: time limits do not count. `replace_now`: and keys in use end at once, with a
    loss of traffic. `leave`: members that are not waited for. `abort`: take back what can be taken back.
    """

    max_window: int = 14400
    max_rate: float = 10
    canary: bool = False
    allow_split: bool = False
    emergency: bool = False
    replace_now: bool = False
    leave: tuple[str, ...] = ()
    abort: bool = False


# What is decided


Outcome = Literal["step", "wait", "blocked", "back", "done"]


@dataclass(frozen=True)
class Progress:
    """Members by how far they are. `gone` are on no key server any more: who comes back registers, and learns."""

    learned: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    overdue: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """`why`: one sentence for wait, blocked and back. `until`: when a wait is expected to end; None if unknown.

    Options are marked in sentences as in errors. A step goes with `step` and `back`, and with them only.
    """

    outcome: Outcome
    rotation: Rotation
    facts: Facts
    step: Step | None = None
    why: str = ""
    until: float | None = None
    progress: Progress = Progress()


def decide(rotation: Rotation, seen: Observation, facts: Facts, policy: Policy) -> Decision:
    """The next step of a rotation, or why there is none."""
    case = _Case(rotation, seen, facts, policy)
    found = case.unclear() or (case.rolled_back() if policy.abort else None)
    while found is None:
        found = case.next_step()
    return found


# A state is left by its function in `_NEXT`: it returns a decision, or None once it has moved the record on.


class _Case:
    """One question: what is known, and the record as it moves on. Every state is left at most once."""

    def __init__(self, rotation: Rotation, seen: Observation, facts: Facts, policy: Policy) -> None:
        self.rotation, self.seen, self.facts, self.policy = rotation, seen, facts, policy
        self.servers = sorted(seen.servers, key=lambda server: server.name)
        self.primaries = [server for server in self.servers if server.role == "Primary"]
        self.primary = self._true_primary()
        self.switched = [server for server in self.servers if server.label == rotation.new]
        self.unswitched = [server for server in self.servers if server.label != rotation.new]

    def _true_primary(self) -> KeyServer | None:
        """Where two claim it: the one that we have not changed."""
        unchanged = [server for server in self.primaries if server.label == self.rotation.old]
        alone = self.servers if len(self.servers) == 1 else []
        return next(iter(alone or unchanged or self.primaries), None)

    def next_step(self) -> Decision | None:
        return _NEXT[self.rotation.state](self)

    # Answers

    def step(self, step: Step, **changes: object) -> Decision:
        self.move(**changes)
        return Decision("step", self.rotation, self.facts, step)

    def wait(self, why: str, until: float | None = None, progress: Progress = Progress()) -> Decision:
        return Decision("wait", self.rotation, self.facts, None, sentence(why), until, progress)

    def blocked(self, what: str, advice: str) -> Decision:
        begun = self.rotation.state != "surveyed"
        state = f"The rotation stays in state {self.rotation.state}" if begun else NOTHING_IS_CHANGED
        return Decision("blocked", self.rotation, self.facts, None, stated(what, state, advice))

    def back(self, hosts: Iterable[KeyServer], why: str) -> Decision:
        self.move(trial=None)
        step = Switch(_names(hosts), self.rotation.old)
        return Decision("back", self.rotation, self.facts, step, sentence(why))

    def move(self, **changes: object) -> Decision | None:
        """Change the record. The answer is None: the decision is looked for in the state that it is in now."""
        self.rotation = dataclasses.replace(self.rotation, **changes)  # type: ignore[arg-type]
        return None

    # In any state

    def unclear(self) -> Decision | None:
        """What makes every decision impossible."""
        old, new = self.rotation.old, self.rotation.new
        unread = [server for server in self.servers if server.problem is not None]
        foreign = [server for server in self.servers if server.label not in (old, new)]
        empty = [s for s in self.servers if (s.old if s.label == old else s.new) is None and s not in foreign]
        if not self.servers or old == new:
            return self.blocked("A rotation needs a key server and two labels", "name them")
        if unread:
            what = f"{_list(_names(unread))} cannot be read"
            problems = " ".join(sentence(server.problem or "") for server in unread)
            if self.rotation.state == "surveyed":
                return self.blocked(f"{what}. {problems}", "restore access, then run again")
            return self.wait(f"{what}. {problems}")
        if foreign:
            names = "; ".join(f"{server.name} names {server.label or 'none'}" for server in foreign)
            return self.blocked(f"The rotation is from {old} to {new}, but {names}", "find out who changed that")
        if empty:
            return self.blocked(
                f"{_list(_names(empty))} has no key under the label that {self.rotation.group} names",
                self._synchronize(next(str(server.label) for server in empty)),
            )
        return self._leaderless()

    def _synchronize(self, label: str) -> str:
        """How the key servers get one key under a label; by their group where this is the label that it uses."""
        if all(server.label == label for server in self.servers):
            return "run vpnops.keys.sync_key_servers first"
        only = f"key_server_sync_label={label} and key_server_sync_hosts={','.join(_names(self.servers))}"
        return f"run vpnops.keys.sync_key_servers with {only} first"

    def _leaderless(self) -> Decision | None:
        if self.primary is None:
            return self.wait("No key server says that it is the primary")
        claims = [server for server in self.primaries if server not in self.switched]
        if len(self.primaries) > 1 and not self.unswitched:
            return self.wait(
                f"More than one key server says that it is the primary: {_list(_names(self.primaries))}. Find out why "
                "they do not receive COOP messages from each other, unless that ends by itself"
            )
        if len(claims) > 1:
            return self.blocked(
                f"More than one key server says that it is the primary: {_list(_names(claims))}",
                "find out why they do not receive COOP messages from each other",
            )
        return None

    def rolled_back(self) -> Decision | None:
        """Free as long as the primary has not changed; then no rekey has said anything of the new key."""
        if self.rotation.state == "retired":
            return None
        if self.primary in self.switched or self.rotation.state in ("primary", "learning", "verified"):
            old, new = self.rotation.old, self.rotation.new
            return self.blocked(
                f"The primary of {self.rotation.group} was changed to {new}, so members may hold it already, and "
                "rolling back costs as much as continuing",
                f"continue, or start a rotation from {new} to {old}",
            )
        if self.switched:
            return self.back(self.switched, "The rotation is rolled back")
        if unsaved := self._unsaved(self.servers):
            return unsaved
        held = [server for server in self.servers if server.new is not None]
        if held and not self._others(self.rotation.new):
            return self.step(Remove(_names(held), self.rotation.new))
        self.move(state="surveyed", trial=None, baseline=None)
        return Decision("done", self.rotation, self.facts, why="The rotation is rolled back.")

    # From surveyed to canary: nothing of the group is changed

    def prepare(self) -> Decision | None:
        if self.switched:  # the record was lost
            return self.move(state="canary")
        trouble = self._uncooperative()
        if trouble:
            return self.blocked(trouble, "fix that first")
        keys = {server.old.fingerprint for server in self.servers if server.old}
        if len(keys) > 1:
            return self.blocked(
                f"The key servers hold different keys under {self.rotation.old}", self._synchronize(self.rotation.old)
            )
        return self._lacking() or self.move(state="prepared")

    def _lacking(self) -> Decision | None:
        """The new key is everywhere, or is brought there; also later, should somebody have removed it."""
        new = self.rotation.new
        copies = [(server, server.new) for server in self.servers]
        keys = {copy.fingerprint for _server, copy in copies if copy}
        if len(keys) > 1:
            return self.blocked(f"The key servers hold different keys under {new}", self._synchronize(new))
        # A key server that does not tell whether a key is saved has been told to save, by the step that brought it.
        lacking = [server for server, copy in copies if copy is None or copy.saved is False]
        return self.step(Prepare(new, _names(lacking))) if lacking else None

    def time(self) -> Decision | None:
        timers = self.seen.timers
        if self.policy.emergency or self.switched:
            return self.move(state="timed")
        if timers is None:
            return self.wait("The primary does not show its KEK and TEKs")
        if not timers.acknowledged:
            return self.blocked(
                "Members do not acknowledge rekeys, so it cannot be known which members have learned the new key",
                "configure rekey acknowledgement",
            )
        return self._too_much(timers) or self.move(state="timed")

    def _too_much(self, timers: Timers) -> Decision | None:
        """Members that may have to register again, and the time in which all of them would."""
        members = [member for member in self.seen.members if self._behavior(member) != "in_band"]
        window = min(timers.kek_left, timers.tek_left)
        rate = len(members) / max(window, 1)
        if members and timers.tek_left > self.policy.max_window:
            return self.blocked(
                f"Members may need {timers.tek_left} seconds to learn the new key, more than "
                f"{self.policy.max_window}",
                "wait until the keys in use are older, or set O(max_window)",
            )
        if rate > self.policy.max_rate:
            return self.blocked(
                f"{len(members)} members may register again within {window} seconds",
                "wait until the keys in use are newer, or set O(max_rate)",
            )
        return None

    def _behavior(self, member: Member) -> RekeyBehavior | None:
        return self.facts.rekey_of(self.primary.release, member.version) if self.primary else None

    def find_out(self) -> Decision | None:
        unknown = [] if self.switched or self.policy.canary or self.policy.emergency else self._unknown()
        if unknown:
            return self.blocked(
                f"The behavior of these releases during a label change is not known yet: {_list(unknown)}",
                "rotate the key of a small group of these releases first, or set O(canary) to find out with this one",
            )
        return self.move(state="canary")

    def _unknown(self) -> list[str]:
        """Releases and versions of which not all is known."""
        releases = {server.release for server in self.servers}
        coop = len(self.servers) > 1 and self.facts.coop_of(releases) is None
        versions = {member.version for member in self.seen.members if self._behavior(member) is None}
        return [*(sorted(releases) if coop else ()), *(f"GET VPN {version} on members" for version in sorted(versions))]

    # Secondaries

    def _uncooperative(self, *, across: bool = False) -> str:
        """What is wrong between the key servers, or between those of different labels; or nothing."""
        new = set(_names(self.switched))
        dead = [(server.name, peer.name) for server in self.servers for peer in server.peers if not peer.alive]
        claims = [server for server in self.primaries if server is not self.primary]
        if claims:
            return f"{_list(_names(claims))} says that it is the primary, besides {self._name()}"
        return "; ".join(
            f"{a} does not receive COOP messages from {b}" for a, b in dead if not across or (a in new) != (b in new)
        )

    def _name(self) -> str:
        return self.primary.name if self.primary else ""

    def secondaries(self) -> Decision | None:
        if self.primary in self.switched:
            return self.move(state="secondaries", trial=None)
        if lacking := self._lacking():
            return lacking
        if self.switched:
            return self._watch()
        return self._unsaved(self.servers) or self._next_secondary()

    def _watch(self) -> Decision | None:
        """Some are changed: see whether the others still hear them, and go on if so."""
        trial = self.rotation.trial
        host = next((server for server in self.switched if trial and server.name == trial.host), None)
        if self._coop() == "splits":
            # Of a change that is being watched the label is restored first, as without that consent.
            if self.policy.allow_split and trial is None:
                return self._together()
            where = self.facts.split_on(self._releases())
            return self.back(self.switched, f"Key servers of these releases split while their labels differ{where}")
        if harmed := self._harmed():
            return harmed
        if host is None:
            return self._unwatched()
        return self._watched(host, trial or Trial(host.name))

    def _harmed(self) -> Decision | None:
        """Those that were changed and the others no longer hear each other."""
        trouble = self._uncooperative(across=True)
        if not trouble:
            return None
        self._learn_coop("splits", self.switched)
        return self.back(self.switched, trouble)

    def _unwatched(self) -> Decision | None:
        """No change is being watched. One that nobody has watched is: the record was lost."""
        unproved = [server for server in self.switched if self._coop_with(server) is None]
        if unproved:
            return self._watched(unproved[0], Trial(unproved[0].name))
        return self._unsaved(self.switched) or self._next_secondary()

    def _watched(self, host: KeyServer, trial: Trial) -> Decision | None:
        heard = {peer.name: peer.heard for peer in host.peers}.get(self._name(), 0)
        if trial.heard is None:
            trial = Trial(host.name, heard, self.seen.now)
            self.move(trial=trial)
        known = self._coop_with(host) == "hears"
        until = trial.seen + (SETTLE if known else PROBE)
        if self.seen.now < until and (known or heard <= (trial.heard or 0)):
            what = f"Checking whether {host.name} receives COOP messages from {self._name()} with the new label"
            return self.wait(what, until)
        if heard <= (trial.heard or 0):
            self._learn_coop("splits", [host])
            why = f"{host.name} does not receive COOP messages from {self._name()} while their labels differ"
            return self.back([host], why)
        self._learn_coop("hears", [host])
        self.move(trial=None)
        return self._unsaved([host]) or self._next_secondary()

    def _after(self, seconds: float) -> float:
        return self.seen.now + seconds

    def _learn_coop(self, behavior: CoopBehavior, hosts: Iterable[KeyServer]) -> None:
        of_primary = self.primary.release if self.primary else ""
        changed = tuple(hosts)
        releases = {of_primary, *(host.release for host in changed)}
        self.facts = self.facts.with_coop(releases, behavior, {self._name(), *_names(changed)} - {""})

    def _coop(self) -> CoopBehavior | None:
        return self.facts.coop_of(self._releases())

    def _releases(self) -> set[str]:
        return {server.release for server in self.servers}

    def _coop_with(self, host: KeyServer) -> CoopBehavior | None:
        return self.facts.coop_of({host.release, self._release()})

    def _release(self) -> str:
        return self.primary.release if self.primary else ""

    def _unsaved(self, hosts: Iterable[KeyServer]) -> Decision | None:
        unsaved = [server for server in hosts if not server.saved]
        return self.step(Save(_names(unsaved))) if unsaved else None

    def _next_secondary(self) -> Decision | None:
        pending = [server for server in self.unswitched if server is not self.primary]
        if not pending:
            return self.move(state="secondaries", trial=None)
        trouble = self._uncooperative()
        if trouble:
            return self.wait(trouble)
        if self._coop() == "splits":
            return self._together()
        host = next((server for server in pending if self._coop_with(server) is None), pending[0])
        return self._switch_one(host)

    def _switch_one(self, host: KeyServer) -> Decision:
        if self._coop_with(host) != "hears" and not self.policy.allow_split:
            return self.blocked(
                f"If {host.name} does not receive COOP messages from {self._name()} while their labels differ, and "
                "this run is killed before it restores the old label, the group splits",
                "set O(allow_split) if a split of this group does no harm",
            )
        return self.step(Switch((host.name,), self.rotation.new), trial=Trial(host.name))

    def _together(self) -> Decision:
        """Key servers that split when their labels differ are changed within the dead time."""
        if not self.policy.allow_split:
            where = self.facts.split_on(self._releases())
            return self.blocked(
                f"Key servers of these releases split while their labels differ{where}, so all must change within "
                "seconds, and the group splits if this run is killed meanwhile and not started again within a minute",
                "set O(allow_split) in a maintenance window",
            )
        if not self.switched and (early := self._untimely()):
            return early
        return self._switch_rest()

    # Primary

    def _untimely(self) -> Decision | None:
        """Neither while answers to the last rekey arrive, nor shortly before the next."""
        timers = self.seen.timers
        if timers is None or self.policy.emergency:
            return None
        margin = min(ACKNOWLEDGED, timers.kek_life // 10, timers.tek_life // 10)
        age = min(timers.kek_life - timers.kek_left, timers.tek_life - timers.tek_left)
        if age < margin:
            return self.wait("Members are still acknowledging the last rekey", self._after(margin - age))
        if timers.time_to_rekey < margin:
            return self.wait("The next rekey is due soon", self._after(timers.time_to_rekey + margin))
        return None

    def switch_primary(self) -> Decision | None:
        if lacking := self._lacking():
            return lacking
        if self.unswitched:
            unchanged = self.primary in self.unswitched
            refused = (self._harmed() or self._untimely()) if unchanged else None
            return refused or self._switch_rest()
        return self._unsaved(self.servers) or self.move(state="primary")

    def _switch_rest(self) -> Decision:
        """The primary last. What members do is counted from before, and no longer before: they know nothing yet."""
        last = [self.primary] if self.primary in self.unswitched and self.primary else []
        order = [server for server in self.unswitched if server is not self.primary]
        if last:
            self.move(baseline=self._baseline(), watched=True)
        return self.step(Switch(_names([*order, *last]), self.rotation.new), trial=None)

    def _baseline(self) -> Baseline:
        return Baseline(self.seen.members, tuple((server.name, server.rekeys) for server in self.servers))

    def rekey(self) -> Decision | None:
        """Members learn by the first rekey after the change, or not at all."""
        if stray := self._stray():
            return stray
        if not self._rekeyed():
            return self._ask()
        return self.move(state="learning", deadline=self._deadline())

    def _stray(self) -> Decision | None:
        """From here on there is no going back: a key server that has the old label again, by a reload, follows."""
        if lacking := self._lacking():
            return lacking
        if self.unswitched:
            return self.step(Switch(_names(self.unswitched), self.rotation.new))
        return self._unsaved(self.servers)

    def _counted(self) -> Mapping[str, int]:
        return dict(self.rotation.baseline.rekeys) if self.rotation.baseline else {}

    def _sent(self) -> int:
        """How many rekeys were sent since the baseline, as the key server says that counted most."""
        counted = self._counted()
        return max((server.rekeys - counted.get(server.name, 0) for server in self.servers), default=0)

    def _rekeyed(self) -> bool:
        """By any key server: a change of the label may send one by itself, and one may have been due."""
        baseline = self.rotation.baseline
        if baseline is None or self._sent() <= 0:
            return False
        if baseline.asked is None:
            self.move(baseline=dataclasses.replace(baseline, asked=self.seen.now))
        return True

    def _ask(self) -> Decision:
        baseline = self.rotation.baseline
        restarted = any(server.rekeys < self._counted().get(server.name, 0) for server in self.servers)
        if baseline is None or restarted:
            baseline = self._baseline()
            self.move(watched=False)
        replace_now = self.policy.emergency and self.policy.replace_now
        asked = dataclasses.replace(baseline, asked=self.seen.now)
        return self.step(Rekey(self._name(), replace_now), baseline=asked)

    def _deadline(self) -> float:
        """When the keys that members hold now have ended."""
        return self._after(self.seen.timers.tek_life if self.seen.timers else 0)

    # Members

    def learn(self) -> Decision | None:
        if stray := self._stray():
            return stray
        if not self._rekeyed():
            return self._ask()
        progress = self._progress()
        missing = (*progress.waiting, *progress.overdue)
        if self._young() and (missing or not self.rotation.proving):
            return self.wait("Members are still acknowledging the last rekey", self._asked() + ACKNOWLEDGED, progress)
        self._note_registrations()
        if missing:
            self.move(proving=False)
            return self.wait(self._missing(progress), self.rotation.deadline, progress)
        if not self.rotation.proving:
            self.move(proving=True, baseline=self._baseline(), deadline=self._deadline())
            return self._ask()
        return self._proved()

    def _asked(self) -> float:
        asked = self.rotation.baseline.asked if self.rotation.baseline else None
        return self.seen.now if asked is None else asked

    def _young(self) -> bool:
        """Whether answers to the last rekey may still be on their way."""
        return self.seen.now - self._asked() < ACKNOWLEDGED

    def _proved(self) -> Decision | None:
        """That nobody had to register again is known only if all of them were watched from the beginning."""
        again = set(self.rotation.registered)
        others = {member.version for member in self.seen.members} - again if self.rotation.watched else set()
        found = [RekeyFact(self._release(), version, "out_of_band", (self._name(),)) for version in again]
        self.facts = self.facts.with_rekey(
            [*found, *(RekeyFact(self._release(), version, "in_band", (self._name(),)) for version in others)]
        )
        return self.move(state="verified", since=self.seen.now, proving=False)

    def _before(self) -> dict[str, Member]:
        return {member.name: member for member in (self.rotation.baseline or Baseline((), ())).members}

    def _registered_again(self, member: Member, before: Member | None) -> bool:
        """A rekey since then is not in its count. Before all answers are there, perhaps it is only not sent yet."""
        if before is None or member.server != before.server:
            return before is not None
        return not self._young() and member.sent < before.sent + self._sent()

    def _has_learned(self, member: Member, before: Member | None) -> bool:
        """It is new, or it accepted a rekey since, or it registered since."""
        return before is None or member.acked > before.acked or self._registered_again(member, before)

    def _note_registrations(self) -> None:
        before = self._before()
        again = {one.version for one in self.seen.members if self._registered_again(one, before.get(one.name))}
        self.move(registered=tuple(sorted({*self.rotation.registered, *again})))

    def _progress(self) -> Progress:
        before = self._before()
        present = {member.name for member in self.seen.members}
        left = [m.name for m in self.seen.members if not self._has_learned(m, before.get(m.name))]
        missing = sorted(set(left) - set(self.policy.leave))
        late = self.seen.now > self.rotation.deadline
        return Progress(
            learned=tuple(sorted(present - set(left))),
            waiting=() if late else tuple(missing),
            overdue=tuple(missing) if late else (),
            gone=tuple(sorted(before.keys() - present)),
        )

    def _missing(self, progress: Progress) -> str:
        if progress.overdue:
            return (
                f"{len(progress.overdue)} members should have registered again by now: {_few(progress.overdue)}. Check "
                "whether they are up; list members that no longer exist in O(leave)"
            )
        return f"{len(progress.waiting)} members have not learned the new key yet: {_few(progress.waiting)}"

    # The old key

    def retire(self) -> Decision | None:
        if stray := self._stray():
            return stray
        timers = self.seen.timers
        until = self.rotation.since + (timers.kek_life + timers.tek_life if timers else 0)
        if self.seen.now < until:
            return self.wait(f"{self.rotation.old} is kept for one more KEK and TEK lifetime", until)
        using = self._others(self.rotation.old)
        if using:
            return self.blocked(f"{self.rotation.old} is the label of {_list(using)} as well", "rotate their keys, too")
        if held := [server for server in self.servers if server.old is not None]:
            return self.step(Remove(_names(held), self.rotation.old))
        return self.move(state="retired")

    def _others(self, label: str) -> list[str]:
        """Other groups that name a label."""
        return sorted({group for server in self.servers for group, named in server.others if named == label})

    def done(self) -> Decision:
        return Decision("done", self.rotation, self.facts)


_NEXT: Mapping[State, Callable[[_Case], Decision | None]] = {
    "surveyed": _Case.prepare,
    "prepared": _Case.time,
    "timed": _Case.find_out,
    "canary": _Case.secondaries,
    "secondaries": _Case.switch_primary,
    "primary": _Case.rekey,
    "learning": _Case.learn,
    "verified": _Case.retire,
    "retired": _Case.done,
}


def _names(servers: Iterable[KeyServer]) -> tuple[str, ...]:
    return tuple(server.name for server in servers)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _few(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return _list(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
