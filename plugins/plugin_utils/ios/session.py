# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SSH to IOS devices: runs the dialogues of module_utils/_ios over asyncssh, one device or many in one event loop."""

from __future__ import annotations

import asyncio
import typing as t
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from ...module_utils._errors import NOTHING_SENT, VpnKeysError
from ...module_utils._ios.dialogue import MAY_HAVE_HAPPENED, Dialogue, Terminal
from ..internal import internal_error
from ..progress import pipe
from . import ssh
from .options import Target
from .ssh import NotReached
from .unsaved import UnsavedMark

try:
    import asyncssh
except ImportError:  # control_action names the missing library
    pass

T = t.TypeVar("T")
Operation: t.TypeAlias = "Callable[[Terminal], Dialogue[T]]"

SESSION_LIMIT = 1800.0
"""Seconds that one session may take, whatever the device does."""
PARALLEL = 64


class Session:
    """One logged-in device. `do` runs one operation after the other on the same terminal."""

    def __init__(self, target: Target, process: asyncssh.SSHClientProcess[str]) -> None:
        self.target = target
        self._process = process
        self._terminal = Terminal(target.name, timeout=target.command_timeout)
        mark = UnsavedMark(target)
        self._terminal.saved = False if mark.stands else None
        self._terminal.on_saved = mark.note
        self.expired = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def lost(self) -> bool:
        """Whether nothing can be said on it any more."""
        return self._process.is_closing()

    def allow(self, seconds: float | None) -> None:
        """From now on the session may take that long, whatever the device does; None: no limit any more."""
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire) if seconds else None

    def _expire(self) -> None:
        self.expired = True
        self._process.channel.get_connection().abort()

    async def log_in(self) -> None:
        await self._drive(self._terminal.login(self.target.become_password, self.target.become))

    async def do(self, operation: Operation[T]) -> T:
        """One operation. It may take SESSION_LIMIT, or what `allow` has set; the time between two does not count."""
        self._terminal.note = None
        if self._timer is None:
            self.allow(SESSION_LIMIT)
        try:
            return await self._drive(operation(self._terminal))
        except VpnKeysError as error:
            error.changed = self._terminal.wrote
            raise
        finally:
            self.allow(None)

    async def _drive(self, steps: Dialogue[T]) -> T:
        stdin, stdout = self._process.stdin, self._process.stdout
        try:
            exchange = next(steps)
            while True:
                if exchange.send:
                    stdin.write(exchange.send)
                try:
                    text = await asyncio.wait_for(stdout.read(65536), exchange.wait)
                except asyncio.TimeoutError:
                    exchange = steps.send(None)
                    continue
                if not text:
                    raise self._lost()
                # A device that does not stop talking must not keep this loop from the others, and their limits.
                await asyncio.sleep(0)
                exchange = steps.send(text)
        except StopIteration as stop:
            return t.cast(T, stop.value)
        except (OSError, asyncssh.Error):
            raise self._lost() from None

    def _lost(self) -> VpnKeysError:
        host = self.target.name
        if self.expired:
            what, advice = "the session exceeded its time limit", "run it again; it first reads what the device has now"
            return VpnKeysError("timeout", what, host=host, state=MAY_HAVE_HAPPENED, advice=advice)
        return VpnKeysError(
            "session_lost",
            "the device closed the session unexpectedly",
            host=host,
            state=MAY_HAVE_HAPPENED,
            advice="run it again; it first reads what the device has now",
        )


@asynccontextmanager
async def session(target: Target, limit: float = SESSION_LIMIT) -> AsyncIterator[Session]:
    """A logged-in session; closed at the end, whatever happens. Raises VpnKeysError with the reason in one sentence."""
    # For every old device cryptography would say on stderr that its algorithms are deprecated. Not at import time:
    # Ansible takes back what a plugin sets while it is loaded.
    warnings.filterwarnings("ignore", module=r"asyncssh\.")
    if target.refused:
        raise NotReached(
            "bad_input",
            f"its facts set {target.refused}, which only the inventory, the play or the command line may set",
            host=target.name,
            state=NOTHING_SENT,
            advice="find out what returned that fact, clear the facts of the host (meta: clear_facts) and set "
            "gather_facts: false",
        )
    way = ssh.Way(target)
    try:
        try:
            connection = await asyncio.wait_for(way.open(), target.connect_timeout)
            process = await asyncio.wait_for(
                # Bytes that are no UTF-8 stay what they are, so that two names with such bytes never become one.
                connection.create_process(
                    term_type="vt100", term_size=(511, 24), encoding="utf-8", errors="surrogateescape"
                ),
                target.connect_timeout,
            )
        except VpnKeysError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a library raises ends in one sentence
            raise ssh.not_connected(target, error, None) from None
        here = Session(target, process)
        here.allow(limit)
        try:
            try:
                await here.log_in()
            except VpnKeysError as error:
                raise NotReached(
                    error.code, error.what, host=error.host, state=error.state, advice=error.advice
                ) from None
            yield here
        finally:
            here.allow(None)
    finally:
        await way.close()


async def read(target: Target, operation: Operation[T], limit: float = SESSION_LIMIT) -> T:
    """One operation in a session of its own."""
    async with session(target, limit) as here:
        return await here.do(operation)


class Reader(t.Protocol):
    """`read`, or that of a `SessionPool`."""

    def __call__(self, target: Target, operation: Operation[T], limit: float = ...) -> Awaitable[T]: ...


class SessionPool:
    """Opens sessions as `session` does, and keeps them for the next use: one login per device and task."""

    def __init__(self) -> None:
        self._sessions: dict[str, tuple[Session, AsyncExitStack]] = {}

    async def __aenter__(self) -> SessionPool:
        return self

    async def __aexit__(self, *dummy: object) -> None:
        await self.only(())

    async def only(self, names: Collection[str]) -> None:
        """Close all sessions but those with these devices."""
        await self.close([name for name in self._sessions if name not in names])

    async def close(self, names: Iterable[str]) -> None:
        """Close the sessions with these devices that are open."""
        await asyncio.gather(*(self._close(name) for name in names if name in self._sessions))

    @asynccontextmanager
    async def session(self, target: Target, limit: float = SESSION_LIMIT) -> AsyncIterator[Session]:
        """The session with a device: the kept one, or a new one. One on which something failed is not kept."""
        name = target.name
        if name in self._sessions and self._sessions[name][0].lost:
            await self._close(name)
        if name not in self._sessions:
            stack = AsyncExitStack()
            self._sessions[name] = (await stack.enter_async_context(session(target, limit)), stack)
        here = self._sessions[name][0]
        here.allow(limit)
        try:
            yield here
        except BaseException:
            await self._close(name)
            raise

    async def read(self, target: Target, operation: Operation[T], limit: float = SESSION_LIMIT) -> T:
        """One operation that changes nothing, so it may be repeated: if a device has ended the kept session, which may
        show only when something is sent, it is done in a new one, once."""
        kept = self._sessions.get(target.name)
        is_old = kept is not None and not kept[0].lost
        try:
            return await self._do(target, operation, limit)
        except VpnKeysError as error:
            if error.code != "session_lost" or not is_old:
                raise
        return await self._do(target, operation, limit)

    async def _do(self, target: Target, operation: Operation[T], limit: float) -> T:
        async with self.session(target, limit) as here:
            return await here.do(operation)

    async def _close(self, name: str) -> None:
        await self._sessions.pop(name)[1].aclose()


async def on_all(
    targets: Iterable[Target], work: Callable[[Target], Awaitable[T]], parallel: int = PARALLEL
) -> dict[str, T | VpnKeysError]:
    """Run `work` for every target, at most `parallel` at once; a failing device is data, not the end of the others."""
    gate = asyncio.Semaphore(parallel)
    targets = list(targets)
    count = pipe.Count(len(targets))

    async def tried(target: Target) -> T | VpnKeysError:
        try:
            return await work(target)
        except VpnKeysError as error:
            return error
        except Exception as error:  # noqa: BLE001 - one device must not end the work on the others
            return internal_error(target.name, error)

    async def one(target: Target) -> T | VpnKeysError:
        async with gate:
            result = await tried(target)
        count.one(failed=isinstance(result, VpnKeysError))
        return result

    return dict(zip((target.name for target in targets), await asyncio.gather(*map(one, targets)), strict=True))
