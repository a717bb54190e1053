# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out the plan for one label: one session per device that the plan touches, all of them open and looked at
again before the first write."""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import functools
import hashlib
import os
import typing as t
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from ...module_utils._errors import NOTHING_CHANGED, VpnKeysError, together
from ...module_utils._fingerprint import short
from ...module_utils._ios import replacement, rsa_keys
from ...module_utils._ios.dialogue import Dialogue, Terminal
from ...module_utils._ios.labels import Label
from ...module_utils._ios.pem import Usage
from ...module_utils._ios.rsa_keys import Sealed
from ...module_utils._key_servers.plan import Copy, Plan
from ...module_utils._key_servers.steps import Clean, Distribute, Finish, Generate, Save, Step
from ..ios import key_files
from ..ios import session as ios_session
from ..ios.options import Target
from ..progress import pipe
from . import account
from .survey import observed_copies

T = t.TypeVar("T")

SOMEBODY_ELSE = ("conflict", "in_use")
"""Codes that mean that another control node may be changing keys there. It may have emptied a label at this moment, and
then the key under the scratch label, though staged by us, is all that the device has."""
LOCKS = "~/.ansible/vpnops.keys"


@dataclass(frozen=True)
class ExecutionOptions:
    """What the user wants beside the plan itself."""

    save: bool
    generation_timeout: float
    backup_directory: str | None = None
    backup_passphrase: str | None = field(default=None, repr=False)


@dataclass
class Progress:
    """What was done on each host so far, in words; filled as it happens, so that a failure still tells it."""

    tell: Callable[[str], None]
    count: pipe.Count
    done: dict[str, list[str]] = field(default_factory=dict)
    doing: dict[str, str] = field(default_factory=dict)
    """By host, the word that what is under way there is to make true."""
    asked: Callable[[], int] = lambda: 0
    """How often the user asked to end. Once: the devices in hand are finished, and no other one is begun."""

    def did(self, host: str, what: str, more: str = "") -> None:
        """`what`: one word for the table; `more`: for who watches."""
        self.done.setdefault(host, []).append(what)
        self.tell(f"{host}: {what} {more}".rstrip())


async def run_plan(
    plan: Plan,
    targets: Mapping[str, Target],
    execution: ExecutionOptions,
    progress: Progress,
    pool: ios_session.SessionPool,
) -> None:
    """All steps of the plan. Raises VpnKeysError, also when it ends before the last step because the user asked for
    that (interrupted); what was done until then is in `progress`."""
    worker = Worker(Label.parse(plan.label), plan, targets, execution, progress, pool)
    if not progress.asked():
        await worker.unchanged_since(plan)
    for step in plan.steps:
        # What was changed is saved.
        if isinstance(step, Save) or not progress.asked():
            await worker.take(step)
    if progress.asked() and any(account.left(plan.steps, progress.done).values()):
        text = account.how_far(worker.label, plan.steps, progress.done, {})
        raise VpnKeysError("interrupted", f"interrupted. {text}")


@dataclass
class Worker:
    label: Label
    plan: Plan
    targets: Mapping[str, Target]
    execution: ExecutionOptions
    progress: Progress
    pool: ios_session.SessionPool
    saved: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        seen = self.plan.observed
        # What stands on each device, by what was seen and done: only that is removed, only that is saved.
        self.held = {one.name: one.copy.fingerprint for one in seen if one.copy}
        self.staged = {one.name: one.staged.fingerprint for one in seen if one.staged}

    async def unchanged_since(self, plan: Plan) -> None:
        """All devices can be talked to, and what the plan was made for still stands. Raises conflict."""
        seen = {one.name: _stood(one.copy, one.staged) for one in plan.observed}
        rings = await self._everywhere(plan.needs, rsa_keys.observe)
        changed = {
            host: _difference(seen[host], found)
            for host, found in ((host, _stood(*observed_copies(ring, self.label))) for host, ring in rings.items())
            if found != seen[host]
        }
        if changed:
            raise VpnKeysError(
                "conflict",
                f"key {self.label} has changed since the plan was made ({'; '.join(changed.values())})",
                host=", ".join(changed),
                state=f"{NOTHING_CHANGED} by this run",
                advice="another run may be changing keys there; compare again",
            )

    async def take(self, step: Step) -> None:
        await self.OPERATIONS[type(step)](self, step)

    async def _finish(self, step: Finish) -> None:
        save, staged = self.execution.save, self.staged[step.host]
        await self._do(
            step.host,
            lambda tty: replacement.finish(tty, self.label, staged, exportable=step.exportable, save=save),
            "finished",
        )
        self.held[step.host] = self.staged.pop(step.host)
        self._done(step.host, "finished", "an interrupted replacement")

    async def _generate(self, step: Generate) -> None:
        label = self.label.scratch if step.scratch else self.label

        def work(tty: Terminal) -> Dialogue[str]:
            timeout, usage = self.execution.generation_timeout, t.cast(Usage, step.usage)
            keys = yield from rsa_keys.generate(tty, label, step.bits, usage=usage, exportable=True, timeout=timeout)
            if self.execution.save:
                yield from rsa_keys.save(tty)
            return str(rsa_keys.identity(keys))

        made = await self._do(step.host, work, "generated")
        (self.staged if step.scratch else self.held)[step.host] = made
        self._done(step.host, "generated", f"{step.bits} bits under {label}")

    async def _distribute(self, step: Distribute) -> None:
        source_label = self.label.scratch if step.from_scratch else self.label
        sealed = await self._do(step.source, lambda tty: rsa_keys.export(tty, source_label))
        planned = step.fingerprint or (self.staged if step.from_scratch else self.held)[step.source]
        if planned != sealed.fingerprint:
            raise VpnKeysError(
                "conflict",
                f"{source_label} is the key {short(sealed.fingerprint)}, not the key {short(planned)} that was planned",
                host=step.source,
                state="Nothing was replaced",
                advice="another run may be changing keys there; compare again",
            )
        options = {"exportable": step.exportable, "save": self.execution.save}

        async def import_key(host: str) -> None:
            await self._do(host, lambda tty: replacement.import_key(tty, self.label, sealed, **options), "imported")
            self._now_holds(host, sealed)
            self._done(host, "imported", f"from {step.source}")

        await self._all(step.missing, import_key)
        if step.replace and not self.progress.asked():
            await self._replace(step, sealed)

    async def _replace(self, step: Distribute, sealed: Sealed) -> None:
        """Staged everywhere before the first old key goes; then one key server after the other."""
        save = self.execution.save
        old: dict[str, Sealed | None] = {}
        # Left by a run that was cut short, or put there by another control node, which may need it at this moment.
        found_there: set[str] = set()

        async def stage(host: str) -> None:
            old[host] = await self._do(host, lambda tty: replacement.export_old(tty, self.label, self.held[host]))
            self._back_up(host, old[host])
            there = self.staged.get(host)
            put = functools.partial(replacement.stage, label=self.label, sealed=sealed, leftover=there, save=save)
            if not await self._do(host, put, "staged"):
                found_there.add(host)
            self.staged[host] = sealed.fingerprint
            self.progress.did(host, "staged", "the new key, and checked it under the scratch label")
            self.progress.count.one()

        async def unstage(host: str) -> None:
            surely, key = self.staged.get(host) == sealed.fingerprint, sealed.fingerprint
            take_back = functools.partial(replacement.unstage, label=self.label, staged=key, surely=surely, save=save)
            if await self._do(host, take_back, "unstaged"):
                self.staged.pop(host, None)
                self.progress.did(host, "unstaged", "because not every key server could be prepared")

        async def swap(host: str) -> None:
            exportable, planned = step.exportable or host == step.source, self.held[host]
            await self._do(
                host,
                lambda tty: replacement.swap(
                    tty, self.label, sealed, planned, old[host], exportable=exportable, save=save
                ),
                "replaced",
            )
            self._now_holds(host, sealed)
            self._done(host, "replaced", f"by the key of {step.source}")

        try:
            await self._all(step.replace, stage)
        except VpnKeysError as error:
            if error.code in SOMEBODY_ELSE:
                left = f"The key under {self.label.scratch} is left there; the next run uses or removes it"
                raise rsa_keys.followed_by(error, left) from None
            kept = found_there | ({step.source} if step.from_scratch else set())
            try:
                await self._all([host for host in old if host not in kept], unstage)
            except VpnKeysError as another:
                raise rsa_keys.followed_by(error, str(another)) from None
            raise
        for place, host in enumerate(step.replace):
            if self.progress.asked():
                return
            try:
                await swap(host)
            except VpnKeysError as error:
                waiting = step.replace[place + 1 :]
                if not waiting:
                    raise
                left = f"Prepared, but not replaced yet: {', '.join(waiting)}; the next run continues"
                raise rsa_keys.followed_by(error, left) from None

    async def _clean(self, step: Clean) -> None:
        for host in step.hosts:
            if self.progress.asked():
                return
            staged = self.staged.pop(host)
            drop = functools.partial(replacement.drop_scratch, label=self.label, staged=staged)
            await self._do(host, drop, "cleaned")
            self.saved.discard(host)
            self.progress.did(host, "cleaned", "up: the leftover scratch key is deleted")
            self.progress.count.one()

    async def _save(self, step: Save) -> None:
        async def save(host: str) -> None:
            if host in self.saved:
                self.progress.count.one()
                return
            if self.progress.asked() and self.progress.done.get(host, [])[-1:] != ["cleaned"]:
                return
            held = self.held[host]
            await self._do(host, lambda tty: replacement.save_key(tty, self.label, held), "saved")
            self._done(host)

        await self._all(step.hosts, save)

    OPERATIONS: t.ClassVar[Mapping[type[Step], Callable[[Worker, t.Any], Awaitable[None]]]] = {
        Finish: _finish,
        Generate: _generate,
        Distribute: _distribute,
        Clean: _clean,
        Save: _save,
    }

    def _now_holds(self, host: str, sealed: Sealed) -> None:
        """Under the label; what was under the scratch label, if it is the same key, has been removed."""
        self.held[host] = sealed.fingerprint
        if self.staged.get(host) == sealed.fingerprint:
            del self.staged[host]

    def _done(self, host: str, what: str = "", more: str = "") -> None:
        """A write of its own is complete on a host, saved if that is wanted."""
        self.progress.count.one()
        if what:
            self.progress.did(host, what, more)
        if self.execution.save:
            self.saved.add(host)
            self.progress.did(host, "saved")

    def _back_up(self, host: str, old: Sealed | None) -> None:
        if old is None or not self.execution.backup_directory or not self.execution.backup_passphrase:
            return
        path = os.path.join(self.execution.backup_directory, f"{host}-{self.label}-{short(old.fingerprint)}.pem")
        key_files.keep(old, path, self.execution.backup_passphrase, "pkcs8")
        self.progress.did(host, "backed up", f"the old key to {path}")

    async def _do(self, host: str, operation: Callable[[Terminal], Dialogue[T]], to_be: str = "") -> T:
        """One operation on one host. `to_be`: what it makes true, where it changes something."""
        # A device ends sessions that were idle for too long; then the next operation gets a new one.
        async with self.pool.session(self.targets[host]) as session:
            try:
                if to_be:
                    self.progress.doing[host] = to_be
                return await session.do(operation)
            except VpnKeysError as error:
                if error.changed:
                    self.progress.did(host, "cut short")
                raise
            finally:
                self.progress.doing.pop(host, None)

    async def _everywhere(self, hosts: t.Iterable[str], operation: Callable[[Terminal], Dialogue[T]]) -> dict[str, T]:
        """What only reads."""
        hosts = list(hosts)
        reading = (self.pool.read(self.targets[host], operation) for host in hosts)
        results = await asyncio.gather(*reading, return_exceptions=True)
        _raise_first(results)
        return dict(zip(hosts, t.cast("list[T]", results), strict=True))

    async def _all(self, hosts: Sequence[str], work: Callable[[str], Awaitable[None]]) -> None:
        """Every host is let finish, also when another one fails: none is left in the middle because of a neighbor."""
        _raise_first(await asyncio.gather(*map(work, hosts), return_exceptions=True))


def _stood(*copies: Copy | None) -> tuple[Copy | None, ...]:
    """What stands there, apart from whether it is saved: another key's work on the same device may have saved it."""
    return tuple(copy and dataclasses.replace(copy, saved=None) for copy in copies)


def _difference(planned: tuple[Copy | None, ...], found: tuple[Copy | None, ...]) -> str:
    """Between what was under the label and the scratch label, and what is there now."""
    places = zip(("under the label", "under the scratch label"), planned, found, strict=True)
    differences = []
    for place, was, now in places:
        old, new = (rsa_keys.named(copy.fingerprint if copy else None) for copy in (was, now))
        if was != now:
            differences.append(f"{place} {new}, {f'not {old}' if new != old else 'but not as it was'}")
    return ", ".join(differences)


def _raise_first(results: Sequence[t.Any]) -> None:
    failures = [result for result in results if isinstance(result, BaseException)]
    errors = [failure for failure in failures if isinstance(failure, VpnKeysError)]
    for failure in failures:
        if not isinstance(failure, VpnKeysError):
            raise failure
    if len(errors) == 1:
        raise errors[0]
    if errors:
        reasons = together((error.host, error.marked) for error in errors)
        told = [f"{', '.join(filter(None, hosts))}: {text}".removeprefix(": ") for text, hosts in reasons.items()]
        raise VpnKeysError(errors[0].code, " ".join(told))


@contextmanager
def locked(label: str, hosts: Sequence[str]) -> Iterator[None]:
    """One run at a time per label and key server on this control node. The locks end with their process."""
    folder = os.path.expanduser(LOCKS)
    with ExitStack() as locks:
        for host in sorted(hosts):
            name = hashlib.sha256(f"{label}\n{host}".encode()).hexdigest()[:24]
            try:
                os.makedirs(folder, mode=0o700, exist_ok=True)
                file = locks.enter_context(open(os.path.join(folder, f"{name}.lock"), "a+", encoding="ascii"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise VpnKeysError(
                    "blocked",
                    f"Another run is changing key {label} on {host} from this control node (process "
                    f"{file.read().strip() or 'unknown'})",
                    state=NOTHING_CHANGED,
                    advice="wait for it, then run again",
                ) from None
            except OSError as error:
                raise VpnKeysError(
                    "bad_input", f"No lock can be kept in {folder}: {error.strerror}", state=NOTHING_CHANGED
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield
