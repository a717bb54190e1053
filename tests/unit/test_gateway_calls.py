# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source for gateways that call in: who calls is what the credential says, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import runpy
import socket
import ssl
import time
import zlib
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from events.certificate import write_certificate

ROOT = Path(__file__).parents[2]
# As ansible-rulebook loads it.
SOURCE = runpy.run_path(str(ROOT / "extensions/eda/plugins/event_source/gateway_calls.py"))
ONE, TWO = "1" * 64, "2" * 64


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def test_callers() -> None:
    text = f"# who may call\n\n{sha256(ONE)} gw1\n{sha256(TWO)}   gw2.example.com\n"
    assert SOURCE["read_callers"](text) == ({sha256(ONE): "gw1", sha256(TWO): "gw2.example.com"}, [])


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
        f"{ONE} -gw1",
        f"{ONE[1:]} gw1",
        f"{'X' + ONE[1:]} gw1",
        f"{ONE} gw1 gw2",
        "\x1b[2J",
    ],
)
def test_a_bad_line_does_not_stop_the_others(line: str) -> None:
    """A caller is one gateway; a line that says something else is left out, by its number."""
    text = f"{sha256(ONE)} gw1\n{line}\n{sha256(TWO)} gw2\n"
    assert SOURCE["read_callers"](text) == ({sha256(ONE): "gw1", sha256(TWO): "gw2"}, [2])


def test_of_two_gateways_with_one_token_neither_is_believed() -> None:
    text = f"{ONE} gw1\n{TWO} gw2\n{ONE} gw3\n"
    assert SOURCE["read_callers"](text) == ({TWO: "gw2"}, [1, 3])
    assert SOURCE["read_callers"](f"{ONE} gw1\n{ONE} gw1\n{TWO} gw1\n") == ({ONE: "gw1", TWO: "gw1"}, [])


def test_lines_left_out_are_logged_once_by_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "callers"
    path.write_text(f"\x1b[2J\n{ONE} gw1\n")
    callers = SOURCE["Callers"](path)
    assert [callers.current() for dummy in range(3)] == [{ONE: "gw1"}] * 3
    (record,) = caplog.records
    assert record.getMessage().endswith("of several gateways: 1")
    assert "\x1b" not in record.getMessage()


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
    """A file that is not there is told at once, not to each caller."""
    with pytest.raises(FileNotFoundError):
        asyncio.run(SOURCE["main"](asyncio.Queue(), {"callers": tmp_path / "callers", "port": free_port()}))


# -- how much one caller can do


def test_many_calls_of_one_gateway_are_few_events() -> None:
    """One at once and one at the end, and another gateway does not wait for that."""

    async def storm() -> list[str]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        events = SOURCE["Events"](queue, 0.3)
        for dummy in range(1000):
            events.call("gw1")
            await asyncio.sleep(0)
        events.call("gw2")
        await asyncio.sleep(0.05)
        early = queue.qsize()
        await asyncio.sleep(0.5)
        assert (early, queue.qsize()) == (2, 3)
        return [queue.get_nowait()["gateway"] for dummy in range(3)]

    assert asyncio.run(storm()) == ["gw1", "gw2", "gw1"]


def test_who_calls_all_the_time_has_fewer_and_fewer_events() -> None:
    """What each sets off may take longer than the time between two. After a calm it is heard at once."""

    async def storm() -> tuple[int, float]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        events = SOURCE["Events"](queue, 0.02)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            events.call("gw1")
            await asyncio.sleep(0.002)
        await asyncio.gather(*events.waiting.values())
        many = queue.qsize()
        events.last["gw1"] -= 1000
        began = time.monotonic()
        events.call("gw1")
        await asyncio.gather(*events.waiting.values())
        return many, time.monotonic() - began

    many, seconds = asyncio.run(storm())
    assert 4 <= many <= 8  # at 0, 0.02, 0.06, 0.14, 0.3, 0.62, 1.26 s and once more
    assert seconds < 0.5


def test_no_call_is_lost_while_nobody_takes_events() -> None:
    """A queue that is full holds one event of each gateway back, whoever calls how often."""

    async def full() -> list[str]:
        queue: asyncio.Queue[Any] = asyncio.Queue(1)
        events = SOURCE["Events"](queue, 0.0)
        for name in ["gw1"] * 500 + ["gw2", "gw3"] + ["gw1"] * 500:
            events.call(name)
            await asyncio.sleep(0)
        assert len(events.waiting) == 3
        return [(await queue.get())["gateway"] for dummy in range(4)]

    assert sorted(asyncio.run(full())) == ["gw1", "gw1", "gw2", "gw3"]


async def exchange(port: int, data: bytes, *, end: bool = True, **more: Any) -> bytes:
    """What comes back until the other end closes."""
    for dummy in range(100):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, **more)
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
        except ConnectionError:
            return b""
    try:
        writer.write(data)
        if end:
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def serve(
    tmp_path: Path, conversation_: Any, tls: Path | None = None, **globals_: Any
) -> tuple[Any, asyncio.Queue[Any]]:
    """The outcome of a conversation with a server, and the events that it made."""
    source = runpy.run_path(str(ROOT / "extensions/eda/plugins/event_source/gateway_calls.py"))
    source["main"].__globals__.update(globals_)
    (tmp_path / "callers").write_text(f"{sha256(ONE)} gw1\n")

    async def run() -> tuple[Any, asyncio.Queue[Any]]:
        events: asyncio.Queue[Any] = asyncio.Queue()
        port = free_port()
        arguments = {"callers": str(tmp_path / "callers"), "host": "127.0.0.1", "port": port}
        if tls:
            arguments |= {"certfile": str(tls), "keyfile": f"{tls}.key"}
        server = asyncio.create_task(source["main"](events, arguments))
        try:
            return await conversation_(port), events
        finally:
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)

    return asyncio.run(run())


def request(body: bytes = b"", *more: str) -> bytes:
    lines = ["POST / HTTP/1.1", "Host: x", f"Authorization: Bearer {ONE}", *more, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(b"{}"), b" 202 "),
        # What would unpack to a thousand times as much, or to nothing, is not unpacked.
        (request(zlib.compress(bytes(10_000_000), 9), "Content-Encoding: deflate"), b" 202 "),
        (request(b"no such thing", "Content-Encoding: gzip"), b" 202 "),
        (request(b"x" * 100_000), b" 413 "),
        (request().replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n", b" 413 "),
        (request(b"", f"X: {'x' * 10_000}"), b" 400 "),
        (b"\x16\x03\x01 nonsense\r\n\r\n", b" 400 "),
    ],
)
def test_requests_are_bounded(data: bytes, status: bytes, tmp_path: Path) -> None:
    answer, events = serve(tmp_path, lambda port: exchange(port, data))
    assert status in answer.partition(b"\r\n")[0]
    assert events.qsize() == (status == b" 202 ")


def test_a_connection_ends_in_time(tmp_path: Path) -> None:
    """Whoever sends half a header, or a byte now and then, is cut off."""

    async def slow(port: int) -> float:
        began = time.monotonic()
        await exchange(port, request()[:40], end=False)
        return time.monotonic() - began

    seconds, events = serve(tmp_path, slow, SECONDS=0.5)
    assert 0.3 < seconds < 3
    assert events.qsize() == 0


def test_one_address_has_a_few_connections(tmp_path: Path) -> None:
    """And more of them do not keep another caller out once they are over."""

    async def crowd(port: int) -> list[bytes]:
        await exchange(port, request())
        idle = [asyncio.create_task(exchange(port, b"POST", end=False)) for dummy in range(3)]
        await asyncio.sleep(0.2)
        refused = await exchange(port, request())
        await asyncio.gather(*idle)
        return [refused, await exchange(port, request())]

    (refused, served), dummy = serve(tmp_path, crowd, SECONDS=0.6, MOST_CONNECTIONS=3)
    assert refused == b""
    assert b" 202 " in served


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "cert.pem"
    write_certificate(path, Path(f"{path}.key"))
    return path


async def silent(port: int, address: str) -> bool:
    """Connects and says nothing. Whether the other end still listens half a second later."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    except ConnectionError:
        return False
    try:
        await asyncio.wait_for(reader.read(), 0.5)
    except asyncio.TimeoutError:
        return True
    except ConnectionError:
        pass
    finally:
        writer.close()
    return False


@pytest.mark.parametrize("secure", [True, False])
def test_silent_connections_of_one_address_keep_nobody_out(secure: bool, tmp_path: Path, certificate: Path) -> None:
    """A thousand at a time that do not even begin with TLS: a few of them are held, and others are served."""

    async def flood(port: int) -> tuple[int, list[bytes]]:
        trust = ssl.create_default_context(cafile=certificate) if secure else None
        await exchange(port, request(), ssl=trust)
        held, answers = 0, []
        for dummy in range(3):
            many = [asyncio.create_task(silent(port, "127.0.0.2")) for dummy in range(1000)]
            await asyncio.sleep(0.2)
            answers.append(await exchange(port, request(), local_addr=("127.0.0.3", 0), ssl=trust))
            held = max(held, sum(await asyncio.gather(*many)))
        return held, answers

    most = {"MOST_OF_ONE": 7}
    (held, answers), dummy = serve(tmp_path, flood, certificate if secure else None, **most)
    assert 0 < held <= 7
    assert all(b" 202 " in answer for answer in answers), answers


def test_silent_connections_of_many_addresses_are_over_in_time(tmp_path: Path, certificate: Path) -> None:
    """All places are taken, then the time for TLS is over."""

    async def crowd(port: int) -> tuple[bytes, int, bytes]:
        trust = ssl.create_default_context(cafile=certificate)
        await exchange(port, request(), ssl=trust)
        many = [asyncio.create_task(silent(port, f"127.0.1.{number}")) for number in range(1, 31)]
        await asyncio.sleep(0.3)
        refused = await exchange(port, request(), ssl=trust)
        held = sum(await asyncio.gather(*many))
        await asyncio.sleep(1.5)
        return refused, held, await exchange(port, request(), ssl=trust)

    limits = {"MOST_CONNECTIONS": 20, "MOST_OF_ONE": 5, "HANDSHAKE_SECONDS": 1.5}
    (refused, held, served), dummy = serve(tmp_path, crowd, certificate, **limits)
    assert refused == b""
    assert held == 20
    assert b" 202 " in served


def test_a_secure_connection_ends_in_time(tmp_path: Path, certificate: Path) -> None:
    """Also one that has said all of TLS and nothing more."""

    async def slow(port: int) -> float:
        began = time.monotonic()
        await exchange(port, b"", end=False, ssl=ssl.create_default_context(cafile=certificate))
        return time.monotonic() - began

    seconds, dummy = serve(tmp_path, slow, certificate, SECONDS=0.5, HANDSHAKE_SECONDS=0.4)
    assert 0.3 < seconds < 3


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::2", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_counts_as_one_address(address: str, origin: str) -> None:
    assert SOURCE["origin"](address) == origin


def test_nothing_is_kept_of_connections_that_are_over() -> None:
    """However many addresses somebody comes from."""

    async def come_and_go() -> int:
        ours = SOURCE["Connections"](asyncio.Protocol, None)
        for number in range(50):
            near, far = socket.socketpair()
            ours.open[str(number)] += 1
            far.close()
            near.setblocking(False)
            await ours._serve(near, str(number))
        return len(ours.open)

    assert asyncio.run(come_and_go()) == 0


@pytest.mark.parametrize(("files", "most"), [(1024, 512), (64, 32), (100_000, 1000), (resource.RLIM_INFINITY, 1000)])
def test_files_are_left_for_the_rest(files: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (files, files))
    assert SOURCE["most_connections"]() == most
