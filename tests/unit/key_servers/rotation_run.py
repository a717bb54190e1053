# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries the decisions out on the running group of the lab, one command at a time, and can be killed at each.

Whatever happens, after each command and all few seconds of waiting the invariants must hold; see `Run.check`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers import rotation
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.plan import Copy
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation import (
    Decision,
    Facts,
    Policy,
    Rotation,
    decide,
)
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation_steps import (
    Prepare,
    Rekey,
    Remove,
    Save,
    Step,
    Switch,
)
from lab.personality import personality
from lab.rekeying import Group, Server
from lab.rekeying import Member as GroupMember

OLD, NEW = "GETVPN", "GETVPN-2"
OLD_KEY, NEW_KEY = "aa" * 32, "bb" * 32
NO_RETURN = ("learning", "verified", "retired")
CANARY = Policy(canary=True, allow_split=True)
"""What is not known yet may be found out with this group, also at the cost of a split."""
NOTHING_KNOWN = Facts()


class Killed(Exception):
    """The run ends here."""


def make_group(
    servers: int = 3, members: int = 4, *, kek: int = 1800, tek: int = 600, ignoring: int = 0, **switches: Any
) -> Group:
    """A group that uses the old label; the first `ignoring` members take no key from a rekey."""
    made = personality("ios15", switches)
    return Group(
        [Server(f"10.0.0.{n}", 100 - n, made, OLD, {OLD: OLD_KEY}) for n in range(1, servers + 1)],
        [
            GroupMember(f"172.16.{n // 250}.{n % 250 + 1}", "1.0.3" if n < ignoring else "1.0.4", n >= ignoring)
            for n in range(members)
        ],
        kek_life=kek,
        tek_life=tek,
    )


class Run:
    """One rotation of one group. The record and the facts are what is left after a kill."""

    def __init__(self, group: Group, policy: Policy = CANARY, facts: Facts = NOTHING_KNOWN) -> None:
        self.group, self.policy, self.facts = group, policy, facts
        self.record = Rotation("G", OLD, NEW)
        self.commands = 0
        self.kill_at: int | None = None
        self.steps: list[Step] = []
        self.allowed_splits = 0
        self.grain = 5.0
        self.disturbances: tuple[tuple[int, str, int], ...] = ()
        """What happens besides, after which command, to whom: a member goes off or on, a key server restarts."""

    # -- observing

    def observe(self) -> rotation.Observation:
        self.pass_time(2)
        primary = self.group.primary()
        policy = primary.policy if primary else None
        now, group = self.group.now, self.group
        timers = None
        if policy:
            timers = rotation.Timers(
                group.kek_life,
                int(policy.kek.ends - now),
                max(int(min(policy.kek.ends - 200, policy.teks[-1].ends - 90) - now), 0),
                group.tek_life,
                int(policy.teks[-1].ends - now),
                acknowledged=True,
            )
        entries = primary.entries if primary else {}
        members = tuple(
            rotation.Member(entry.address, entry.version, entry.server, entry.sent, entry.acked, entry.missed)
            for entry in sorted(entries.values(), key=lambda entry: entry.address)
        )
        return rotation.Observation(now, tuple(self._seen(one) for one in group.servers.values()), members, timers)

    def _seen(self, server: Server) -> rotation.KeyServer:
        def copy(label: str) -> Copy | None:
            key = server.keys.get(label)
            return Copy(key, 2048, "general", True, server.startup[1].get(label) == key) if key else None

        return rotation.KeyServer(
            name=server.address,
            release="15.7",
            label=server.label,
            saved=server.saved,
            old=copy(OLD),
            new=copy(NEW),
            role=server.role,
            peers=tuple(
                rotation.Peer(peer, self.group.alive(server, peer), heard) for peer, heard in server.heard.items()
            ),
            rekeys=server.rekeys,
            problem=None if server.up else "no answer.",
        )

    # -- acting

    def pass_time(self, seconds: float) -> None:
        left = seconds
        while left > 0:
            self.group.advance(min(left, self.grain))
            self.check()
            left -= self.grain

    def command(self) -> None:
        """One more thing was done that a kill may follow."""
        self.commands += 1
        self._disturb()
        self.check()
        if self.commands == self.kill_at:
            raise Killed
        self.pass_time(0.5)

    def _disturb(self) -> None:
        group = self.group
        for command, what, which in self.disturbances:
            if command != self.commands:
                continue
            if what == "reload" and all(server.up for server in group.servers.values()):
                group.reload(sorted(group.servers)[which % len(group.servers)])
            elif what != "reload" and group.members:
                address = sorted(group.members)[which % len(group.members)]
                if group.members[address].up is (what == "off"):
                    (group.stop if what == "off" else group.start)(address)

    def check(self) -> None:
        """The invariants."""
        group = self.group
        assert group.splits <= self.allowed_splits, "two primaries that we caused"
        for server in group.servers.values():
            assert server.label in server.keys, "the group names a key that is not there"
        assert not group.without_key(), "members without a key"

    def once(self) -> Decision:
        """Observe, decide, keep the record, act."""
        found = decide(self.record, self.observe(), self.facts, self.policy)
        assert (found.step is not None) == (found.outcome in ("step", "back"))
        self.record, self.facts = found.rotation, found.facts
        self.command()
        if found.step is not None:
            self.steps.append(found.step)
            for _command in _CARRY_OUT[type(found.step)](self, found.step):
                self.command()
        return found

    def go(self, seconds: float = 20_000) -> Decision:
        """Until nothing is left to do, or only somebody else can."""
        end = self.group.now + seconds
        while self.group.now < end:
            found = self.step_on()
            if found.outcome in ("blocked", "done"):
                break
        return found

    def step_on(self) -> Decision:
        """One decision, and the wait that it asks for."""
        found = self.once()
        if found.outcome == "wait":
            soon = 20.0 if found.until is None else found.until - self.group.now
            self.pass_time(min(max(soon, 1), 600 if self.record.state == "verified" else 60))
        return found

    # -- steps, command by command

    def _prepare(self, step: Prepare) -> Iterator[None]:
        for host in step.hosts:
            server = self.group.servers[host]
            if step.label not in server.keys:
                server.keys[step.label] = NEW_KEY
                yield
            server.save()
            yield

    def _switch(self, step: Switch) -> Iterator[None]:
        if step.label == NEW:
            assert all(NEW in server.keys for server in self.group.servers.values())
        else:
            assert self.record.state not in NO_RETURN, "went back although members may have learned the key"
        for host in step.hosts:
            self.group.set_label(host, step.label)
            yield

    def _save(self, step: Save) -> Iterator[None]:
        for host in step.hosts:
            self.group.servers[host].save()
            yield

    def _rekey(self, step: Rekey) -> Iterator[None]:
        assert not step.replace_now or (self.policy.emergency and self.policy.replace_now)
        self.group.rekey(step.host, replace_now=step.replace_now)
        yield

    def _remove(self, step: Remove) -> Iterator[None]:
        for host in step.hosts:
            self.group.servers[host].keys.pop(step.label, None)
            yield
            self.group.servers[host].save()
            yield

    # -- where it ended

    def end(self) -> tuple[Any, ...]:
        """What must be the same however often a run was killed."""
        servers = self.group.servers.values()
        kept = [(one.address, one.label, dict(one.keys), one.saved) for one in servers]
        return self.record.state, kept, {one.key for one in self.group.members.values() if one.up}

    def allow_split(self, value: bool = True) -> None:
        """The operator gives their consent."""
        self.policy = dataclasses.replace(self.policy, allow_split=value)


_CARRY_OUT: dict[type, Callable[[Run, Any], Iterator[None]]] = {
    Prepare: Run._prepare,
    Switch: Run._switch,
    Save: Run._save,
    Rekey: Run._rekey,
    Remove: Run._remove,
}


def ended_well(run: Run) -> bool:
    """Everything is new, saved, and the old key is gone."""
    state, servers, held = run.end()
    new = all(server[1:] == (NEW, {NEW: NEW_KEY}, True) for server in servers)
    return state == "retired" and new and held <= {NEW_KEY}
