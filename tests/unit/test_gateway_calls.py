# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source for gateways that call in: who calls is what the credential says, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import runpy
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ROOT = Path(__file__).parents[2]
# As ansible-rulebook loads it.
SOURCE = runpy.run_path(str(ROOT / "extensions/eda/plugins/event_source/gateway_calls.py"))
ONE, TWO = "1" * 64, "2" * 64


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def test_callers() -> None:
    text = f"# who may call\n\n{sha256(ONE)} gw1\n{sha256(TWO)}   gw2.example.com\n"
    assert SOURCE["read_callers"](text) == {sha256(ONE): "gw1", sha256(TWO): "gw2.example.com"}


@pytest.mark.parametrize(
    "line",
    [
        "gw1",
        f"{ONE} all",
        f"{ONE} ungrouped",
        f"{ONE} gw1:gw2",
        f"{ONE} gw1,gw2",
        f"{ONE} gw*",
        f"{ONE} !gw1",
        f"{ONE} ~gw",
        f"{ONE} gw1[0]",
        f"{ONE[1:]} gw1",
        f"{'X' + ONE[1:]} gw1",
        f"{ONE} gw1 gw2",
        f"{ONE} gw1\n{ONE} gw2",
    ],
)
def test_a_caller_is_one_gateway(line: str) -> None:
    with pytest.raises(ValueError, match=r"Line \d of the callers is no new SHA-256 with the name of one gateway\."):
        SOURCE["read_callers"](f"{line}\n")


@pytest.mark.parametrize(
    ("authorization", "name"),
    [
        (f"Bearer {ONE}", "gw1"),
        (f"bearer {TWO}", "gw2"),
        ("Bearer 3", None),
        (f"Basic {ONE}", None),
        (ONE, None),
        (f"Bearer {sha256(ONE)}", None),
        ("Bearer", None),
        ("", None),
    ],
)
def test_who(authorization: str, name: str | None) -> None:
    assert SOURCE["who"](authorization, {sha256(ONE): "gw1", sha256(TWO): "gw2"}) == name


@pytest.mark.parametrize("args", [{}, {"host": "0.0.0.0"}, {"host": "192.0.2.1"}])
def test_no_token_is_sent_in_clear(args: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Without certfile and keyfile the tokens would be sent in clear"):
        SOURCE["tls"](args)
    assert SOURCE["tls"]({**args, "host": "127.0.0.1"}) is None


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def conversation(callers: Path) -> tuple[list[int], list[Any]]:
    """The answers to some calls, and the events that they made."""
    port = free_port()
    events: asyncio.Queue[Any] = asyncio.Queue()
    arguments = {"callers": str(callers), "host": "127.0.0.1", "port": str(port)}
    server = asyncio.create_task(SOURCE["main"](events, arguments))
    url = f"http://127.0.0.1:{port}/"
    answers = []
    try:
        async with aiohttp.ClientSession() as session:
            for dummy in range(100):
                try:
                    await session.get(url)
                    break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.05)

            async def call(token: str, **more: Any) -> None:
                headers = {"Authorization": f"Bearer {token}"}
                async with session.post(url, headers=headers, **more) as answer:
                    answers.append(answer.status)

            await call(ONE, json={"gateway": "gw2", "meta": {"hosts": "gw2"}})
            await call(TWO, data=b"no JSON")
            callers.write_text(f"{sha256(TWO)} gw2\n")
            await call(ONE)
            await call(TWO)
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
    return answers, [events.get_nowait() for dummy in range(events.qsize())]


def test_calls(tmp_path: Path) -> None:
    """The second caller is only known after the first calls; the first no longer."""
    callers = tmp_path / "callers"
    callers.write_text(f"{sha256(ONE)} gw1\n")
    answers, events = asyncio.run(conversation(callers))
    assert answers == [202, 401, 401, 202]
    assert events == [{"gateway": name, "meta": {"hosts": name}} for name in ("gw1", "gw2")]


def test_callers_are_read_before_the_first_call(tmp_path: Path) -> None:
    (tmp_path / "callers").write_text("nonsense\n")
    with pytest.raises(ValueError, match="Line 1"):
        asyncio.run(SOURCE["main"](asyncio.Queue(), {"callers": tmp_path / "callers", "port": free_port()}))
