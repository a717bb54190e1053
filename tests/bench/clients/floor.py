# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: asyncssh and nothing else, all devices in one event loop."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

import asyncssh

from . import job

T = TypeVar("T")
_PROMPT = r"[\w.-]+(?:\(config\))?[>#]\s*\Z"


class Terminal:
    """One shell of one device."""

    def __init__(self, process: asyncssh.SSHClientProcess[str]) -> None:
        self._process = process

    async def until(self, pattern: str, least: str = "") -> str:
        """Everything up to a text that ends in `pattern`, and holds `least` (the echo)."""
        wanted, text = re.compile(pattern), ""
        while least not in text or not wanted.search(text[-300:]):
            piece = await self._process.stdout.read(65536)
            if not piece:
                raise ConnectionError("closed")
            text += piece
        return text

    async def ask(self, line: str, pattern: str = _PROMPT) -> str:
        """One line, and what the device says to it."""
        self._process.stdin.write(line + "\r")
        return await self.until(pattern, line[-20:])

    def type(self, lines: Sequence[str]) -> None:
        """Lines without waiting."""
        self._process.stdin.write("".join(line + "\r" for line in lines))


@asynccontextmanager
async def session(device: job.Device) -> AsyncIterator[Terminal]:
    """A logged-in, privileged terminal without paging."""
    async with asyncssh.connect(
        device.host,
        device.port,
        username=device.username,
        password=device.password,
        known_hosts=None,
        client_keys=None,
        config=None,
    ) as connection:
        terminal = Terminal(await connection.create_process(term_type="vt100"))
        if (await terminal.until(_PROMPT)).rstrip().endswith(">"):
            await terminal.ask("enable", "Password: ")
            terminal.type([device.enable])
            await terminal.until(_PROMPT)
        terminal.type(["terminal length 0"])
        await terminal.ask("terminal width 0")
        yield terminal


async def on_all(devices: Sequence[job.Device], work: Callable[[job.Device], Awaitable[T]]) -> list[T]:
    """`work` for each device, AT_ONCE at the same time."""
    gate = asyncio.Semaphore(job.AT_ONCE)

    async def one(device: job.Device) -> T:
        async with gate:
            return await work(device)

    return list(await asyncio.gather(*map(one, devices)))


async def compare(devices: Sequence[job.Device]) -> bool:
    """The four shows of everybody."""

    async def one(device: job.Device) -> job.Seen:
        async with session(device) as terminal:
            return job.read([await terminal.ask(line) for line in job.SHOWS])

    return job.in_sync(await on_all(devices, one))


async def sync(devices: Sequence[job.Device]) -> bool:
    """Look, generate on the first, export there, import on the others, look, save, look."""
    async with AsyncExitStack() as stack:
        terminals = await asyncio.gather(*(stack.enter_async_context(session(device)) for device in devices))

        async def listings() -> list[dict[str, str]]:
            return [job.keys(text) for text in await asyncio.gather(*(each.ask(job.SHOWS[0]) for each in terminals))]

        if any(job.LABEL in held for held in await listings()):
            return False
        first, others = terminals[0], terminals[1:]
        await first.ask("configure terminal")
        await first.ask(job.GENERATE)
        public, private = job.pem_blocks(await first.ask(job.EXPORT))
        await first.ask("end")

        async def bring(terminal: Terminal) -> bool:
            await terminal.ask("configure terminal")
            await terminal.ask(job.IMPORT, job.PASTE_PUBLIC)
            terminal.type([*public, ""])
            await terminal.until(job.PASTE_PRIVATE)
            terminal.type(private)
            done = "import succeeded" in await terminal.ask("quit")
            await terminal.ask("end")
            return done

        if not all(await asyncio.gather(*map(bring, others))):
            return False
        proof = await listings()
        saved = await asyncio.gather(*(terminal.ask("write memory") for terminal in terminals))
        proof += await listings()
        return all("[OK]" in text for text in saved) and len({held.get(job.LABEL) for held in proof} - {None}) == 1


async def wait(devices: Sequence[job.Device]) -> bool:
    """Generate on everybody."""

    async def one(device: job.Device) -> bool:
        async with session(device) as terminal:
            await terminal.ask("configure terminal")
            await terminal.ask(job.GENERATE)
            await terminal.ask("end")
            return job.LABEL in job.keys(await terminal.ask(job.SHOWS[0]))

    return all(await on_all(devices, one))


if __name__ == "__main__":
    job.end(asyncio.run({"compare": compare, "sync": sync, "wait": wait}[sys.argv[1]](job.devices(sys.argv[2]))))
