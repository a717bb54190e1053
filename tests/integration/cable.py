# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions on simulated devices of this event loop without SSH in between, which is what takes most of the time."""

from __future__ import annotations

import asyncio
import contextlib
import typing as t
from collections.abc import AsyncIterator, Iterator, Mapping

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios import session as ios_session
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios.options import Target
from lab.device import Device
from lab.shell import Shell


class _Cable:
    """Both streams of a session: what the client takes for its SSH process."""

    def __init__(self, device: Device) -> None:
        self.stdin = self.stdout = self
        self._device = device
        self._arrived = asyncio.Event()
        self._text, self._closed = "", False
        level = device.faults.low_privilege or device.spec.login_privilege
        self._shell = Shell(device, device.spec.username, "10.9.9.9", self._receive, self._end, self._end, level)
        device.sessions += 1
        self._shell.number = device.sessions
        # A reload hangs up on every shell of the device.
        self._shell.gone = self._gone  # type: ignore[method-assign]
        device.shells[self._shell.number] = self._shell
        self._task = asyncio.ensure_future(self._shell.run())
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Future[None]) -> None:
        self._device.shells.pop(self._shell.number, None)
        if not task.cancelled() and task.exception() is not None:
            self._device.crashes.append(task.exception())
        self._end()

    def _receive(self, text: str) -> None:
        if not self._closed:
            self._text += text
            self._arrived.set()

    def _end(self) -> None:
        self._closed = True
        self._arrived.set()

    def _gone(self) -> None:
        self._end()
        self._shell.term.close()

    def write(self, text: str) -> None:
        if self._closed:
            raise BrokenPipeError
        # As with SSH, the other side reads a moment later.
        asyncio.get_running_loop().call_soon(self._shell.term.feed, text)

    def is_closing(self) -> bool:
        return self._closed

    async def read(self, dummy: int) -> str:
        """What has arrived; nothing once the session is over."""
        await self._arrived.wait()
        text, self._text = self._text, ""
        if not self._closed:
            self._arrived.clear()
        return text

    async def unplug(self, *, reloaded: bool) -> None:
        """The client is gone. A reload ends even a command that is at work; else that goes on to its end."""
        self._gone()
        if reloaded:
            self._task.cancel()
        await asyncio.sleep(0)


@contextlib.contextmanager
def plugged_in(devices: Mapping[str, Device]) -> Iterator[None]:
    """Sessions of the collection reach these devices by cable."""

    @contextlib.asynccontextmanager
    async def session(target: Target, limit: float = 60.0) -> AsyncIterator[ios_session.Session]:
        device = devices[target.name]
        await asyncio.sleep(0)
        if not device.alive:
            raise VpnKeysError("unreachable", f"{target.name}: refuses the connection. Nothing was changed.")
        cable = _Cable(device)
        here = ios_session.Session(target, t.cast(t.Any, cable))
        try:
            await asyncio.wait_for(here.log_in(), limit)
            yield here
        finally:
            await cable.unplug(reloaded=not device.alive)

    original = ios_session.session
    ios_session.session = session
    try:
        yield
    finally:
        ios_session.session = original
