# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role without Ansible: every task of it as one call, from what a module prints to what the directory keeps.

What a gateway prints goes through the strict reader, is registered by host, and is read again by what the role hands it
to, as in a play. Only the honest gateways are played: they do what they are asked.
"""

from __future__ import annotations

import json
import random
import typing as t
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from unit.directory.samples import Records, names
from unit.fleet import fleets
from unit.fleet.fleets import Fleet, fp, key, metadata
from unit.fleet.samples import Data
from unit.plugin_utils.honest import acknowledgeable

from ansible_collections.vpnops.keys.plugins.filter.by_host import by_host
from ansible_collections.vpnops.keys.plugins.filter.own_keys import own_keys
from ansible_collections.vpnops.keys.plugins.filter.pending_entries import pending_entries
from ansible_collections.vpnops.keys.plugins.module_utils._fleet import outcome, plan, verify
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import (
    ABSENT,
    READY,
    UNREACHABLE,
    Observation,
    Tunnel,
)
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import parse
from ansible_collections.vpnops.keys.plugins.plugin_utils import claims, device_answer
from ansible_collections.vpnops.keys.plugins.plugin_utils.device_answer import Asked
from lab.tampering import Mutation

SECRETS: Data = {"url": "sqlite:////srv/secret.db", "signing_key": "-----BEGIN SECRET", "signing_key_path": "/srv/key"}
"""What only tasks on the directory get."""
WISH = plan.PlanOptions(minimum_share=0)
NEW = 3
"""Serial of the key that every honest gateway makes next."""


@dataclass(frozen=True)
class Lie:
    """What a tampered gateway prints, whatever it is asked: the truth, or at times a claim that is well formed, with a
    mutation of it."""

    seed: int
    mutation: Mutation

    def printed(self, asked: Asked, honest: Data, fleet: Fleet, liar: str) -> str:
        rng = random.Random(f"{self.seed} {asked.module}")
        base = CLAIMS[asked.module](rng, liar, fleet) if rng.random() < 0.5 else honest
        return b"".join(self.mutation.printed(base)).decode("utf-8", "surrogateescape")


def _claimed_key(rng: random.Random, liar: str, fleet: Fleet) -> Data:
    """A key that everybody can know, or one of its own."""
    every = [row["public_key"] for row in fleet.records.snapshot.keys.values()]
    return _shown(rng.choice([*every, key(liar, NEW), key(liar, 9), key("nobody")]))


def _claimed_state(rng: random.Random, liar: str, fleet: Fleet) -> Data:
    return fleets.said(fleets.lie(rng, liar, fleet.names), fleet.names)


def _claimed_to_be_stored(rng: random.Random, liar: str, fleet: Fleet) -> Data:
    every = [*fleet.names, "nobody"]
    entries = [
        {
            "gateway": rng.choice(every),
            "public_key": rng.choice([None, *(key(name, serial) for name in every for serial in fleets.SERIALS)]),
            "role": rng.choice(("current", "staged", "withdrawn")),
        }
        for dummy in range(rng.randint(0, 8))
    ]
    refused = [{"gateway": rng.choice(every), "why": "no resolver"} for dummy in range(rng.randint(0, 3))]
    return {"changed": True, "stored": entries, "neighbors": every, "refused": refused, "diff": {}}


def _claimed_to_be_carried(rng: random.Random, liar: str, fleet: Fleet) -> Data:
    carried, left = (rng.choices([*fleet.names, "nobody"], k=4) for dummy in range(2))
    return {"changed": True, "interface": "eth0", "carried": carried, "left": left, "diff": {}}


CLAIMS: Mapping[str, Callable[[random.Random, str, Fleet], Data]] = {
    "gateway_key": _claimed_key,
    "gateway_info": _claimed_state,
    "gateway_peers": _claimed_to_be_stored,
    "gateway_bridge": _claimed_to_be_carried,
}


@dataclass
class Run:
    """A run of the role. `lie`: what `liar` prints; without it, `liar` is not in the play. `sent`: to whom, for which
    module, which options; `arrived`: every result that Ansible saw of the liar, with what was asked; `told`: what is
    said of the others meanwhile; `last`: how the gateways were observed in the end."""

    fleet: Fleet
    liar: str
    lie: Lie | None
    sent: list[tuple[str, str, Data]] = field(default_factory=list)
    arrived: list[tuple[Asked, Data]] = field(default_factory=list)
    told: list[Data] = field(default_factory=list)
    last: dict[str, Observation] = field(default_factory=dict)
    records: Records = field(init=False)
    events: list[Data] = field(init=False)

    def __post_init__(self) -> None:
        self.records = Records()
        self.records.snapshot, self.records.forged = self.fleet.records.snapshot, self.fleet.records.forged
        self.events = []

    # -- tasks

    @property
    def view(self) -> Data:
        return fleets.result(self.records, [*self.fleet.events, *self.events])

    def record(self, state: str, **options: t.Any) -> None:
        """A task with key_directory."""
        given = claims.read({**SECRETS, **options})
        assert SECRETS.items() <= given.items()
        self.events += self.records.do(state, **{name: one for name, one in given.items() if name not in SECRETS})
        self.told += [one for one in self.records.snapshot.refused if one["gateway"] != self.liar]

    def ask(self, module: str, questions: Mapping[str, Data], own: int = 0) -> Data:
        """A task on gateways: its results by host. `own`: the serial of the key that whoever is asked uses by now."""
        results = {host: self._result(host, Asked(module, options), own) for host, options in questions.items()}
        variables = {host: {"registered": one, "ansible_facts": {}} for host, one in results.items()}
        return by_host(questions, variables, "registered")

    def _result(self, host: str, asked: Asked, own: int) -> Data:
        if host == self.liar and self.lie is None:
            return {}
        self.sent.append((host, asked.module, dict(asked.options)))
        observation = self.fleet.observations.get(host) or Observation(host, READY, seen=True, own_runtime=fp(host, 1))
        if host != self.liar and observation.state in (ABSENT, UNREACHABLE):
            return {} if observation.state == ABSENT else {"unreachable": True, "msg": "no route to host"}
        honest = _honest(asked, host, observation, self.fleet, own)
        printed = self.lie.printed(asked, honest, self.fleet, host) if self.lie and host == self.liar else None
        text = json.dumps(honest) if printed is None else printed
        found: Data = json.loads(json.dumps(device_answer.arrived(host, asked, text)))
        if host == self.liar:
            self.arrived.append((asked, found))
        return found

    def observe(self, hosts: Iterable[str] = (), own: int = 0) -> dict[str, Observation]:
        questions: dict[str, Data] = {host: {} for host in hosts or self.in_use}
        return device_answer.observations(self.ask("gateway_info", questions, own))

    @property
    def in_use(self) -> list[str]:
        return [name for name, row in self.records.snapshot.gateways.items() if not row["revoked"]]

    def _store(self, hosts: Iterable[str], about: Iterable[str] | None = None) -> Data:
        """gateway_peers, of all gateways or of some."""
        view = self.view
        wanted = None if about is None else set(about)
        entries = [one for one in view["peers"] if wanted is None or one["name"] in wanted]
        revision = {"revision": view["directory"]["revision"]} if about is None else {}
        return self.ask("gateway_peers", {host: {"gateway": host, "peers": entries, **revision} for host in hosts})

    def _own_key(self, state: str, hosts: Iterable[str], view: Data) -> Data:
        """gateway_key for the new key of an open rotation."""
        rotations = {host: view["directory"]["gateways"][host]["rotation"] or {} for host in hosts}
        questions = {
            host: {"state": state, "public_key": (one.get("new") or {}).get("public_key")}
            for host, one in rotations.items()
        }
        return self.ask("gateway_key", questions)

    # -- entry points

    def enroll(self, target: str) -> None:
        """Everybody, with a gateway that is new."""
        hosts = [*(name for name in self.in_use if name in self.view["directory"]["gateways"]), "gw8"]
        keys = self.ask("gateway_key", {host: {"state": "present"} for host in hosts})
        inventory = {host: metadata(host) for host in hosts}
        self.record("present", enrolled=keys, inventory=inventory, adopt=len(hosts) % 2 == 0)
        enrolled = list(own_keys(keys, self.view, "current"))
        self.told.append({"enrolled": [host for host in enrolled if host != self.liar]})
        self.record("present", answers=self._store(enrolled))

    def converge(self, target: str) -> None:
        before = self.view
        entries = {host: pending_entries(before, host) for host in self.in_use}
        revision = before["directory"]["revision"]
        questions = {
            host: {"gateway": host, "peers": some, "revision": revision} for host, some in entries.items() if some
        }
        answers = self.ask("gateway_peers", questions)
        self.record("present", answers=answers)

    def revoke(self, target: str) -> None:
        self.record("revoked", gateways=names(target), lost=True)
        self.record("present", answers=self._store(self.in_use, [target]))

    def rotate(self, target: str) -> None:
        before = self.observe()
        made = plan.plan(Directory.from_result(self.view), before, [target], WISH)
        self.told.append({"refusals": list(made.refusals)})
        if made.refusals:
            return
        self.record("prepared", gateways=names(target))
        self.record("staged", staged=self._own_key("staged", [target], self.view))
        staged = [target] if (self.records.snapshot.rotations[target]["new_serial"]) else []
        answers = self._store([*made.peers, target], staged)
        self.record("staged", gateways=names(*staged), answers=answers, minimum_share=0)
        self._carry(staged)
        used = self._own_key("active", staged, self.view)
        serial = self.records.snapshot.rotations[target]["new_serial"]
        proofs = verify.verify(
            Directory.from_result(self.view), before, self.observe([target], serial), list(own_keys(used)), 0
        )
        (row,) = outcome.outcome(Directory.from_result(self.view), made, proofs).to_result()["gateways"]
        others = {
            name: [peer for peer in row[name] if peer != self.liar] for name in ("pending", "no_tunnel")
        }
        self.told.append({**row, **others})
        self._end([name for name, one in proofs.items() if one.verified])

    def _carry(self, staged: list[str]) -> None:
        """The strategy second_interface."""
        entries = [one for one in self.view["peers"] if one["name"] in staged]
        up = {"state": "up", "changing": staged, "peers": entries}
        self.ask("gateway_bridge", {host: {**up, "gateway": host} for host in self.in_use})
        self.ask("gateway_bridge", {host: {"state": "carrying"} for host in self.in_use})

    def emergency(self, target: str) -> None:
        """Of an honest gateway and of the liar at once."""
        targets = list(dict.fromkeys((target, self.liar)))
        self.record("prepared", gateways=names(*targets), mode="emergency")
        self.record("revoked", gateways=names(*targets))
        self.record("present", answers=self._store(self.in_use, targets))
        made = self._own_key("staged", targets, self.view)
        self.record("staged", staged=made)
        staged = list(own_keys(made, self.view, "staged"))
        active = list(own_keys(self._own_key("active", staged, self.view)))
        if active:
            self.record("active", gateways=names(*active))
            self.record("present", answers=self._store(self.in_use, active))
            self._end(active)

    def _end(self, done: list[str]) -> None:
        if not done:
            return
        self.record("verified", gateways=names(*done))
        answers = self._store(self.in_use, done)
        retired = own_keys(self._own_key("retired", done, self.view))
        if retired:
            self.record("retired", gateways=names(*retired), answers=answers)


ACTS = (Run.enroll, Run.converge, Run.revoke, Run.rotate, Run.emergency)


# -- honest gateways


def _honest(asked: Asked, host: str, observation: Observation, fleet: Fleet, own: int) -> Data:
    if asked.module == "gateway_info":
        return fleets.said(_by_now(observation, own) if own else observation, [*fleet.names, "gw8"])
    if asked.module == "gateway_key":
        made = fleets.current(fleet.records, host) if asked.options["state"] == "present" else key(host, NEW)
        return _shown(asked.options.get("public_key") or made)
    if asked.module == "gateway_bridge":
        return {"changed": True, "interface": "wg0b", "carried": fleet.names, "left": [], "diff": {}}
    stored = list(acknowledgeable(host, dict(asked.options)))
    private = {"before_header": "a", "after_header": "b", "before": "", "after": f"seen by {host}"}
    return {"changed": True, "stored": stored, "neighbors": fleet.names, "refused": [], "diff": private}


def _by_now(one: Observation, serial: int) -> Observation:
    """With the key in use that was made last, and every tunnel by it."""
    own = fp(one.host, serial)
    tunnels = tuple(Tunnel(tunnel.peer, own, tunnel.with_peer, 0.5, 50.0) for tunnel in one.tunnels)
    return replace(one, own_file=own, own_runtime=own, tunnels=tunnels)


def _shown(text: str) -> Data:
    found = parse(text)
    return {
        "changed": True, "public_key": found.text, "fingerprint": found.fingerprint, "algorithm": found.algorithm,
        "diff": {},
    }  # fmt: skip
