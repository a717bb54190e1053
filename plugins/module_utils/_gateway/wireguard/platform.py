# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WireGuard, whatever sets its interface up. PRIVATE to the collection.

A change of the own key touches the file last: a restart before `persist` brings the old key back, and the peers, which
accept both, follow.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import time
import typing as t
from dataclasses import replace

from ... import _possession, _public_key
from ..._errors import LEFT_OUT, NOTHING_CHANGED, VpnKeysError
from ..._fingerprint import short
from ..._public_key import PublicKey
from .. import detached, files, state
from ..platform import (
    CURRENT,
    STAGED,
    WITHDRAWN,
    Blocked,
    Observation,
    OwnKey,
    PeerChange,
    StoredKey,
    Tunnel,
    WantedPeer,
)
from . import backends, sections
from . import follow as wg_follow
from . import record as wg_record
from . import runtime as wg_runtime
from . import store as wg_store
from .record import HIDDEN, NOWHERE, Record
from .runtime import Runtime, Setting

LIVE = 180.0  # WireGuard refuses to use a session that is older
_ANSWER = 5.0  # it tries a handshake again after this time
_STRAGGLERS = 1.0
_POLL = 0.02


class WireGuard:
    """One interface and the files of what sets it up."""

    def __init__(
        self, interface: str = "wg0", state_root: str = state.ROOT, backend: str = backends.DETECT
    ) -> None:
        self.interface = interface
        self.backend = backend
        self.name = f"wireguard-{interface}"
        self.state = state.State(self.name, state_root)

    def record(self) -> Record:
        """What a start of the interface brings up."""
        return backends.read(self.interface, self.backend)

    # ---- looking

    def observe(self) -> Observation:
        """What the platform protocol says."""
        record, runtime = self.record(), self._runtime()
        own = OwnKey(_key(wg_runtime.public_of(record.secret())), _key(runtime.own if runtime else None))
        return Observation(
            own=own,
            pending=self._public_key_in(self.state.pending),
            previous=self._public_key_in(self.state.previous),
            stored=tuple(_stored(record.blocks, runtime)),
            tunnels=tuple(self._tunnels(runtime)) if runtime else (),
            blocked=tuple(
                Blocked("", _key_or_none(key), record.sentence(one)) for one in record.unanalyzed for key in one.keys
            ),
            at_restart=tuple(wg_record.differences(record, runtime)),
            backend=record.backend.name,
        )

    def _tunnels(self, runtime: Runtime) -> t.Iterator[Tunnel]:
        record, stamps, now = self._record(), wg_runtime.handshakes(self.interface), time.time()
        for key in runtime.peers:
            stamp = stamps.get(key, 0)
            age = max(now - stamp, 0.0)
            if age < LIVE:
                proved = not record or (record["key"] == runtime.own and stamp > record["before"].get(key, 0))
                own = _key(runtime.own) if proved else None
                latest = stamp if stamp % 1 else stamp + 1
                yield Tunnel("", own, _public_key.parse(key), age, f"handshake {age:.0f} s ago", latest)

    def obstacles(self, writing: bool) -> list[str]:
        """What the platform protocol says."""
        try:
            record, runtime = self.record(), self._runtime()
            backend, place = record.backend, record.place
            own = {wg_runtime.public_of(record.secret()), runtime.own if runtime else None} - {"", None}
        except VpnKeysError as error:
            return [str(error)]
        checks = {
            f"The interface {self.interface} is down; start it with "
            f"`{backend.start.format(interface=self.interface)}`.":
                runtime is None or not wg_runtime.is_up(self.interface),
            f"{record.saves}, so {record.path} would be overwritten; remove that line.":
                bool(record.saves),
            f"{record.path} {backend.hidden}.": place.how == HIDDEN,
            f"{record.key} sets the own key of {self.interface}, which cannot be analyzed; remove that line, and let "
            f"{record.path} say `{backend.key_line}`.": bool(record.key),
            f"{record.path} holds no private key although {self.interface} has one; let it say `{backend.key_line}`.":
                place.how == NOWHERE and bool(own),
            f"The own key of {self.interface} is also that of one of its peers; remove that peer.":
                bool(own & _peer_keys(record.blocks, runtime)),
        }  # fmt: skip
        found = [*(sentence for sentence, applies in checks.items() if applies), *record.sentences()]
        return found + (self._not_writable([*record.paths, place.path]) if writing else [])

    def _not_writable(self, written: t.Iterable[str]) -> list[str]:
        paths = [os.path.dirname(os.path.realpath(path)) for path in written if path]
        reasons = [files.why_not_writable(path) for path in dict.fromkeys([*paths, self.state.path])]
        return [f"{reason}; fix that first." for reason in reasons if reason]

    # ---- the own key

    def prove(self, key: PublicKey, challenge: str) -> str:
        """What the platform protocol says."""
        for secret in self._secrets(key):
            if wg_runtime.public_of(secret) == key.text:
                return _possession.prove(base64.b64decode(secret), base64.b64decode(key.text), challenge)
        raise VpnKeysError("not_found", f"The private key of {short(key.fingerprint)} is not on this gateway")

    def _secrets(self, key: PublicKey) -> t.Iterator[str]:
        """The private keys that there are, the likely ones first."""
        yield self._read(self.state.pending)
        yield self.record().secret()
        runtime = self._runtime()
        if runtime and runtime.own == key.text:
            yield wg_runtime.running_key(self.interface)

    def generate(self, algorithm: str, bits: int) -> PublicKey:
        """What the platform protocol says."""
        record, runtime = self.record(), self._runtime()
        secret = record.secret()
        if record.place.how == HIDDEN or (runtime and runtime.own and not secret):
            raise VpnKeysError("refused", f"{self.interface} has a key already, which {record.path} does not hold.")
        if not secret:
            secret = wg_runtime.new_key()
            record.write_secret(secret)
        public = wg_runtime.public_of(secret)
        if runtime and runtime.own != public:
            if runtime.own:
                raise VpnKeysError("refused", f"{self.interface} runs with a key already", state=NOTHING_CHANGED)
            self._use(secret, runtime)
        return _public_key.parse(public)

    def stage(self, algorithm: str, bits: int) -> PublicKey:
        """What the platform protocol says."""
        record, runtime = self.record(), self._runtime()
        pending = self._public_key_in(self.state.pending)
        used = {wg_runtime.public_of(record.secret()), *_peer_keys(record.blocks, runtime)}
        if pending and pending.text not in used:
            return pending
        secret = wg_runtime.new_key()
        self.state.write(self.state.pending, secret + "\n")
        return _public_key.parse(wg_runtime.public_of(secret))

    def activate(self, awaited: bool = True) -> None:
        """What the platform protocol says."""
        record, runtime = self.record(), self._running()
        secret, pending = record.secret(), self._public_key_in(self.state.pending)
        public = wg_runtime.public_of(secret)
        if not pending:
            if runtime.own == public:
                return
            raise VpnKeysError("not_found", f"No key is pending on {self.interface}", state=NOTHING_CHANGED)
        if not public or runtime.own not in (public, pending.text):
            raise VpnKeysError(
                "refused",
                f"{self.interface} runs with another key than the one in {record.path}",
                state=NOTHING_CHANGED,
                advice="restart the interface, or write its key into that file, first",
            )
        if pending.text in _peer_keys(record.blocks, runtime):
            raise VpnKeysError("conflict", f"The next key of {self.interface} is that of a peer", state=NOTHING_CHANGED)
        if public != pending.text:
            self._keep(secret)
        if runtime.own != pending.text:
            self._use(self._read(self.state.pending), runtime, awaited)
        else:
            self._calm(pending.text)

    def deactivate(self) -> None:
        """What the platform protocol says."""
        self._back(self._old_secret(), self._running())

    def persist(self) -> None:
        """What the platform protocol says."""
        record, runtime = self.record(), self._running()
        secret, pending = record.secret(), self._public_key_in(self.state.pending)
        public = wg_runtime.public_of(secret)
        if pending and pending.text != runtime.own:
            raise VpnKeysError("refused", f"The pending key of {self.interface} is not in use", state=NOTHING_CHANGED)
        if pending and pending.text != public:
            self._keep(secret)
            record.write_secret(self._read(self.state.pending))
        elif runtime.own and runtime.own != public:
            record.write_secret(wg_runtime.running_key(self.interface))
        elif pending:
            record.tell()  # it may have refused when the key was written
        files.remove(self.state.pending)

    def discard_previous(self) -> None:
        """What the platform protocol says."""
        files.remove(self.state.previous)

    def restore(self) -> None:
        """What the platform protocol says."""
        runtime = self._runtime()
        self._back(self._old_secret(), runtime)
        files.remove(self.state.pending)
        files.remove(self.state.previous)

    def _old_secret(self) -> str:
        """The key that the pending one, or the one that was pending, replaces."""
        secret, pending = self.record().secret(), self._public_key_in(self.state.pending)
        if pending and pending.text != wg_runtime.public_of(secret):
            return secret
        previous = self._read(self.state.previous)
        return previous if wg_runtime.public_of(previous) else secret

    def _back(self, secret: str, runtime: Runtime | None) -> None:
        public = wg_runtime.public_of(secret)
        if not public:
            raise VpnKeysError("not_found", f"{self.interface} has no old key to restore", state=NOTHING_CHANGED)
        record = self.record()
        if wg_runtime.public_of(record.secret()) != public:
            record.write_secret(secret)
        if runtime and runtime.own != public:
            self._use(secret, runtime)
        elif runtime:
            self._calm(public)

    def _use(self, secret: str, runtime: Runtime, awaited: bool = True) -> None:
        """Change the running key and wake every peer, so that none of them waits for traffic to notice."""
        public = wg_runtime.public_of(secret)
        with wg_follow.locked(self.interface):
            before = wg_runtime.handshakes(self.interface)
            kicked = {key: runtime.peers[key].keepalive for key in before if key in runtime.peers}
            kicked = {key: keepalive for key, keepalive in kicked.items() if runtime.peers[key].endpoint}
            self._note({"key": public, "before": before, "keepalive": kicked})
            wg_runtime.set_key(self.interface, secret, kicked)
        now = time.time()
        carrying = {key for key in kicked if awaited and runtime.peers[key].networks}
        self._await(before, {key for key in carrying if now - before[key] < LIVE}, now + _ANSWER)
        self._await(before, carrying, min(now + _ANSWER, time.time() + _STRAGGLERS))
        self._calm(public)

    def _await(self, before: t.Mapping[str, float], peers: t.Collection[str], until: float) -> None:
        while time.time() < until:
            stamps = wg_runtime.handshakes(self.interface)
            if all(stamps.get(key, 0) > before.get(key, 0) for key in peers):
                return
            time.sleep(_POLL)

    def _calm(self, own: str) -> None:
        """Give the peers that were woken their keepalive intervals back, unless they have got others meanwhile."""
        record = self._record()
        if record and record["key"] != own:  # killed before the key was set, and not taken up again
            record = {**record, "key": own, "before": wg_runtime.handshakes(self.interface)}
        if not record or (record == self._record() and not record["keepalive"]):
            return
        with wg_follow.locked(self.interface):
            now = wg_runtime.read(self.interface)
            settings = [
                Setting(key, keepalive=keepalive)
                for key, keepalive in record["keepalive"].items()
                if now and key in now.peers and now.peers[key].keepalive == wg_runtime.KICK != keepalive
            ]
            wg_runtime.apply(self.interface, [settings])
        self._note({**record, "keepalive": {}})

    # ---- the keys of the peers

    def store(self, wanted: t.Sequence[WantedPeer], follow: float, write: bool) -> list[PeerChange]:
        """What the platform protocol says."""
        with wg_follow.locked(self.interface):
            record, runtime = self.record(), self._runtime()
            pending, previous = self._public_key_in(self.state.pending), self._public_key_in(self.state.previous)
            own = {wg_runtime.public_of(record.secret()), (runtime.own or "") if runtime else ""}
            own |= {key.text for key in (pending, previous) if key}
            make = functools.partial(wg_store.plan, record.blocks, runtime, wanted, own)
            left = wg_store.unsaved(record, wanted)
            plan = make(left)
            addresses = wg_runtime.resolve(plan.endpoints())
            more = {**plan.unresolved(addresses), **plan.without_routes(self._taken(record, plan))}
            if more:
                left.update(more)
                plan = make(left)
            if write:
                plan = self._carry_out(record, plan, make, left, addresses, follow)
            changes = wg_store.lasting(plan, record, wanted, runtime is not None)
            return self._in_effect(changes, wanted, own) if write and runtime else changes

    def _taken(self, record: Record, plan: wg_store.Plan) -> dict[str, str]:
        found: dict[str, str] = {}
        for table, networks in _by_table(record, plan).items():
            found.update(wg_runtime.taken_routes(self.interface, networks, table))
        return found

    def _carry_out(
        self,
        record: Record,
        plan: wg_store.Plan,
        make: t.Callable[[t.Mapping[str, str]], wg_store.Plan],
        left: t.Mapping[str, str],
        addresses: t.Mapping[str, str],
        follow: float,
    ) -> wg_store.Plan:
        """The files first. Returns the plan as far as it was carried out."""
        if plan.removes() and record.backend.remembers(record.blocks):
            self._write(self._owed_path(), "")  # until it is done, whatever happens
        now = record.write(plan.blocks, record.texts)
        try:
            plan.unread = record.backend.load(record.path)
            wg_follow.arm(self.interface, plan.pairs if follow else [], follow, plan.forget)
            failed = wg_runtime.apply_each(self.interface, plan.resolved(addresses))
            if failed:
                # In the file, its entry might keep the interface from starting.
                why = {plan.names[position]: f"{reason} {LEFT_OUT}." for position, reason in failed.items()}
                plan = make({**left, **why})
                now = record.write(plan.blocks, now)
                plan.unread = record.backend.load(record.path)
            if not plan.unread:  # or it would start over with the peers of the old file
                self._forget(record)
            for table, networks in _by_table(record, plan).items():
                wg_runtime.add_routes(self.interface, networks, table)
        except VpnKeysError as error:
            error.changed = now != record.texts
            raise
        return plan

    def _forget(self, record: Record) -> None:
        """Keep the service from adding removed peers again, and wake those whose sessions that ends."""
        if not os.path.exists(self._owed_path()):
            return
        before = self._runtime()
        if before:  # without an interface, there is nothing that it remembers
            secret = wg_runtime.running_key(self.interface)
            record.backend.forget(self.interface)
            after = self._running()
            if after.own != before.own:
                wg_runtime.set_key(self.interface, secret, {})
            wg_runtime.apply(self.interface, wg_store.again(before, after))
        files.remove(self._owed_path())

    def _in_effect(
        self, changes: list[PeerChange], wanted: t.Sequence[WantedPeer], own: t.Container[str]
    ) -> list[PeerChange]:
        """The changes, where those are refused of which the running interface says something else."""
        runtime = self._runtime()
        still = wg_store.not_in_effect(wanted, runtime, own) if runtime else set()
        why = f"{self.interface} still accepts a key that was to be removed."
        return [
            replace(change, refused=f"Peer {change.name}: {why}")
            if change.name in still and not change.refused
            else change
            for change in changes
        ]

    # ---- files

    def _keep(self, secret: str) -> None:
        """Keep the key that is about to be replaced."""
        if self._read(self.state.previous) != secret:
            self.state.write(self.state.previous, secret + "\n")

    def _public_key_in(self, path: str) -> PublicKey | None:
        return _key(wg_runtime.public_of(self._read(path)))

    def _read(self, path: str) -> str:
        return (files.read(path) or "").strip()

    # ---- the running interface

    def _runtime(self) -> Runtime | None:
        """What runs, with the keepalive intervals that peers will have again, not those that wake them."""
        runtime, record = wg_runtime.read(self.interface), self._record()
        return wg_runtime.calmed(runtime, record["keepalive"]) if runtime and record else runtime

    def _running(self) -> Runtime:
        runtime = self._runtime()
        if runtime is None or not wg_runtime.is_up(self.interface):
            raise VpnKeysError(
                "refused", f"{self.interface} is down", state=NOTHING_CHANGED, advice="start the interface first"
            )
        return runtime

    def _record(self) -> dict[str, t.Any] | None:
        """The last change of the running key; gone after a reboot, as is what it tells about."""
        text = files.read(self._record_path())
        record: dict[str, t.Any] | None = json.loads(text) if text else None
        return record

    def _note(self, record: dict[str, t.Any]) -> None:
        self._write(self._record_path(), json.dumps(record) + "\n")

    def _write(self, path: str, text: str) -> None:
        files.private_directory(detached.RUNTIME)
        files.write(path, text)

    def _owed_path(self) -> str:
        """It is there as long as the service has to forget peers. Neither of them outlives a reboot."""
        return os.path.join(detached.RUNTIME, f"forget-{self.interface}")

    def _record_path(self) -> str:
        return os.path.join(detached.RUNTIME, f"swap-{self.interface}.json")


def _key(text: str | None) -> PublicKey | None:
    return _public_key.parse(text) if text else None


def _key_or_none(text: str) -> PublicKey | None:
    try:
        return _public_key.parse(text)
    except VpnKeysError:
        return None


def _by_table(record: Record, plan: wg_store.Plan) -> dict[str, list[str]]:
    """The new networks, by the routing table in which they get their routes."""
    found: dict[str, list[str]] = {}
    for network in plan.new_networks:
        found.setdefault(record.table(network, plan.blocks), []).append(network)
    return found


def _peer_keys(blocks: t.Iterable[sections.Block], runtime: Runtime | None) -> set[str]:
    in_file = {sections.public_key(block).text for block in blocks if block.kind in (sections.PEER, sections.STAGED)}
    return in_file | set(runtime.peers if runtime else ())


def _stored(blocks: t.Iterable[sections.Block], runtime: Runtime | None) -> t.Iterator[StoredKey]:
    """Every peer's key with its roles; WireGuard knows its peers by nothing but their keys."""
    roles = {sections.PEER: CURRENT, sections.STAGED: STAGED, sections.WITHDRAWN: WITHDRAWN}
    in_file = {sections.public_key(block).text: block for block in blocks if block.kind in roles}
    running = runtime.peers if runtime else {}
    for text in dict.fromkeys([*in_file, *running]):
        block, entry = in_file.get(text), running.get(text)
        bare = block is not None and block.kind == sections.PEER and not sections.networks(block)
        role = None if entry is None else CURRENT if entry.networks or bare else STAGED
        yield StoredKey("", _public_key.parse(text), roles[block.kind] if block else None, role)
