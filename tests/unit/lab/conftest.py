# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A console without a network (fast, byte for byte), and a client over real SSH."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import asyncssh
import pytest

from lab.device import Device
from lab.fleet import Lab
from lab.shell import Shell
from lab.spec import DeviceSpec


class Console:
    """One session on a device of a lab that does not listen. `type` feeds keys and returns what the device wrote."""

    def __init__(self, specs: Sequence[DeviceSpec], name: str, privilege: int = 15) -> None:
        self.loop = asyncio.new_event_loop()
        self.lab = Lab(specs)
        self.lab.coop.elect()
        self.device: Device = self.lab.devices[name]
        self._out: list[str] = []
        self.ended = ""
        self.device.on_reload = lambda seconds: self._end("reload")
        self.shell = Shell(
            self.device,
            "admin",
            "192.0.2.1",
            self._out.append,
            lambda: self._end("dropped"),
            lambda: self._end(self.ended or "closed"),
            privilege,
        )
        self.device.shells[1] = self.shell
        self.task = self.loop.create_task(self.shell.run())
        self.greeting = self.type("")

    def _end(self, how: str) -> None:
        self.ended = how

    def type(self, text: str, limit: float = 5) -> str:
        """Feed `text`, wait until the device waits for more (or the session ended), return the output since."""
        self.shell.term.feed(text)
        self.loop.run_until_complete(self._settle(limit))
        out = "".join(self._out)
        self._out.clear()
        return out

    def run(self, command: str) -> str:
        """Type a command; what comes between its echo and the next prompt, with plain line feeds."""
        raw = self.type(command + "\r")
        text = raw.replace("\r\n", "\n")
        assert text.startswith(command + "\n"), text
        return re.sub(r"[\w.-]+(\([\w-]+\))?[>#]\Z", "", text[len(command) + 1 :])

    def lines(self, *commands: str) -> str:
        """Run several commands; the output of the last."""
        return [self.run(command) for command in commands][-1]

    async def _settle(self, limit: float) -> None:
        end = time.monotonic() + limit
        while time.monotonic() < end and not self.task.done() and not self.ended:
            await asyncio.sleep(0)
            if self.shell.term.idle:
                return
            await asyncio.sleep(0.001)

    def close(self) -> None:
        """End it."""
        self.task.cancel()
        self.loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))
        self.loop.close()


@pytest.fixture
def console() -> Iterator[Callable[..., Console]]:
    """Makes consoles: console(DeviceSpec(...), ...) on the first device, console(..., name="ks2") on another."""
    made: list[Console] = []

    def make(*specs: DeviceSpec, name: str = "", privilege: int = 15) -> Console:
        given = specs or (DeviceSpec("R1"),)
        made.append(Console(given, name or given[0].name, privilege))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Client:
    """A client over real SSH, driven step by step."""

    def __init__(self, device: Device, **options: Any) -> None:
        self.device, self.options = device, {"username": "admin", "password": "lab-login", **options}

    def talk(self, *steps: str, pause: str = r"[>#] ?\Z|: \Z|\? \Z|\]\Z|itself\.\r\n\Z", limit: float = 5) -> str:
        """Send each step after the device paused; everything it said. Ends early when the session does."""
        return asyncio.run(self._talk(steps, re.compile(pause), limit))

    async def _talk(self, steps: Sequence[str], pause: re.Pattern[str], limit: float) -> str:
        said = ""
        async with self.connect() as connection:
            process = await connection.create_process(term_type="vt100", encoding="latin-1")
            for step in [*steps, None]:
                fresh = ""
                while not pause.search(fresh[-200:]):
                    try:
                        data = await asyncio.wait_for(process.stdout.read(65536), limit)
                    except (asyncio.TimeoutError, asyncssh.Error):
                        return said + fresh
                    if not data:
                        return said + fresh
                    fresh += data
                said += fresh
                if step is not None:
                    process.stdin.write(step)
        return said

    def connect(self) -> Any:
        """An asyncssh connection (async context manager)."""
        base = {"known_hosts": None, "config": None, "agent_path": None, "client_keys": None}
        return asyncssh.connect(self.device.host, self.device.port, **{**base, **self.options})


@pytest.fixture
def client() -> type[Client]:
    """Client(device, **asyncssh options)."""
    return Client
