# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An event for every gateway that calls in, bound to the credential it called with.

The webhook source of ansible-rulebook has one credential for everybody: a caller would be whoever it says it is. Here
each gateway has its own; what it sends beside that is not even read.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import math
import re
import resource
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

DOCUMENTATION = r"""
short_description: Gateways that call in
description:
  - Waits for POST requests over TLS that have C(Authorization: Bearer TOKEN) in their header.
  - The token says which gateway it is. The event has that name as C(gateway), and as C(meta.hosts), so that a playbook
    is limited to this gateway. Nothing else of the request gets into the event.
  - The first call of a gateway makes an event at once. If it continues to call, the next event comes after
    O(quiet_seconds), and each further one after twice that time, up to 15 minutes, so that one gateway does not keep
    the others waiting. The size and the time of requests are limited, and the number of connections, in total and for
    each address (with IPv6, for each /64).
options:
  callers:
    description:
      - A file with a line for every gateway, the SHA-256 of its token in hexadecimal digits and its name in the
        inventory.
      - It is read again when it has changed.
      - Any other line is ignored, and its number is logged. So are all lines with a SHA-256 that belongs to more than
        one gateway.
    type: path
    required: true
  port:
    description: Where to listen.
    type: int
    required: true
  host:
    description: The address to listen on.
    type: str
    default: 0.0.0.0
  certfile:
    description:
      - Certificate of this server, with those of intermediate authorities, in PEM.
      - May be left out only behind a proxy on the same machine, with O(host=127.0.0.1).
    type: path
  keyfile:
    description: The key of that certificate.
    type: path
  quiet_seconds:
    description:
      - The minimum time between two events of one gateway.
    type: float
    default: 60
"""

EXAMPLES = r"""
- vpnops.keys.gateway_calls:
    callers: /etc/vpnops.keys/callers
    port: 8443
    certfile: /etc/vpnops.keys/eda.pem
    keyfile: /etc/vpnops.keys/eda.key
"""

# A name, and nothing that Ansible would take for a pattern.
LINE = re.compile(r"([0-9a-f]{64})\s+([A-Za-z0-9][A-Za-z0-9._-]*)")
EVERYBODY = ("all", "ungrouped")
LOOPBACK = ("127.0.0.1", "::1")

LARGEST_BODY = 16 * 1024
LARGEST_LINE = 4096
"""Bytes of a line of the header."""
SECONDS = 15.0
"""The whole life of a connection."""
HANDSHAKE_SECONDS = 5.0
"""Its time for TLS."""
MOST_CONNECTIONS = 1000
MOST_OF_ONE = 20
"""Connections at a time from one address other than this machine's own, where a proxy may be."""
BACKLOG = 1024
LONGEST_QUIET = 900.0
"""Seconds between two events of a gateway that calls all the time. What they set off goes one after the other, and each
may take minutes: two such gateways would be enough to let all others wait for ever."""

log = logging.getLogger(__name__)


def read_callers(text: str) -> tuple[dict[str, str], list[int]]:
    """Name by SHA-256 of the token, and the numbers of the lines that are not believed."""
    found: dict[str, list[tuple[int, str]]] = {}
    bad: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parsed = LINE.fullmatch(line.strip())
        if parsed and parsed[2] not in EVERYBODY:
            found.setdefault(parsed[1], []).append((number, parsed[2]))
        else:
            bad.append(number)
    bad += [number for lines in found.values() if _several(lines) for number, dummy in lines]
    return {sha256: lines[0][1] for sha256, lines in found.items() if not _several(lines)}, sorted(bad)


def _several(lines: list[tuple[int, str]]) -> bool:
    return len({name for dummy, name in lines}) > 1


def who(authorization: str, callers: Mapping[str, str]) -> str | None:
    """The gateway that has this credential."""
    scheme, dummy, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return None
    return callers.get(hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest())


class Callers:
    """The file of callers, read when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: tuple[int, int, int] | None = None
        self.known: dict[str, str] = {}

    def current(self) -> dict[str, str]:
        """Raises OSError, ValueError where the file cannot be read."""
        about = self.path.stat()
        seen = (about.st_mtime_ns, about.st_size, about.st_ino)
        if seen != self.seen:
            self.known, bad = read_callers(self.path.read_text(encoding="utf-8"))
            self.seen = seen
            if bad:
                numbers = ", ".join(map(str, bad[:20]))
                log.warning(
                    "%s: ignored lines, which are invalid or have the token of several gateways: %s", self.path, numbers
                )
        return self.known


class Events:
    """What calls come to: at most one event of a gateway at a time and in `quiet` seconds, fewer and fewer of one that
    goes on calling, and none is lost."""

    def __init__(self, queue: asyncio.Queue[Any], quiet: float) -> None:
        self.queue = queue
        self.quiet = quiet
        self.last: dict[str, float] = {}
        self.pauses: dict[str, float] = {}
        self.waiting: dict[str, asyncio.Task[None]] = {}

    def call(self, gateway: str) -> None:
        if gateway not in self.waiting:
            self.waiting[gateway] = asyncio.create_task(self._tell(gateway))

    async def _tell(self, gateway: str) -> None:
        try:
            pause = self._pause(gateway)
            await asyncio.sleep(max(0.0, self.last.get(gateway, -math.inf) + pause - time.monotonic()))
            self.pauses[gateway] = min(2 * pause, max(self.quiet, LONGEST_QUIET)) or self.quiet
            await self.queue.put({"gateway": gateway, "meta": {"hosts": gateway}})
            self.last[gateway] = time.monotonic()
        finally:
            del self.waiting[gateway]

    def _pause(self, gateway: str) -> float:
        """Seconds from its last event to the next one; none where it was calm for longer than it had to be."""
        pause = self.pauses.get(gateway, 0.0)
        is_calm = time.monotonic() - self.last.get(gateway, -math.inf) > 2 * pause
        return 0.0 if is_calm else pause


def origin(address: str) -> str:
    """What counts as one caller: an IPv4 address, or the /64 in which an IPv6 host takes the addresses it likes."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    if ip.version == 4 or ip.is_loopback:
        return str(ip)
    return str(ipaddress.ip_network((int(ip), 64), strict=False))


def most_connections() -> int:
    """At a time. Half of the files that this process may open are left for the rest of it."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return min(MOST_CONNECTIONS, files // 2) if files > 0 else MOST_CONNECTIONS


class Watched(asyncio.Protocol):
    """A connection that tells when it is over."""

    def __init__(self, inner: asyncio.Protocol, over: asyncio.Future[None]) -> None:
        self.inner = inner
        self.over = over
        self.connection_made = inner.connection_made  # type: ignore[method-assign]
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def connection_lost(self, exc: Exception | None) -> None:
        self.inner.connection_lost(exc)
        if not self.over.done():
            self.over.set_result(None)


class Connections:
    """Those that are open. Each counts from the moment it is accepted, so that a silent one counts, too."""

    def __init__(self, protocol: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None) -> None:
        self.protocol = protocol
        self.context = context
        self.most = most_connections()
        self.open: Counter[str] = Counter()
        self.tasks: set[asyncio.Task[None]] = set()

    def room(self, where: str) -> bool:
        most = self.most if where in LOOPBACK else MOST_OF_ONE
        return self.open[where] < most and len(self.tasks) < self.most

    async def accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, peer = await loop.sock_accept(listener)
            except OSError as error:
                # One that is gone already; or the machine is out of something, which an accept at once does not mend.
                await asyncio.sleep(0 if isinstance(error, ConnectionError) else 1)
                continue
            where = origin(peer[0])
            if self.room(where):
                self.open[where] += 1
                task = asyncio.create_task(self._serve(sock, where))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            else:
                sock.close()
            # A flood of connections is accepted without waiting; those that are open go on meanwhile.
            await asyncio.sleep(0)

    async def _serve(self, sock: socket.socket, where: str) -> None:
        try:
            await asyncio.wait_for(self._talk(sock), SECONDS)
        except (OSError, asyncio.TimeoutError):
            pass  # cut off, or no TLS
        finally:
            self.open[where] -= 1
            if not self.open[where]:
                del self.open[where]

    async def _talk(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        transport, dummy = await loop.connect_accepted_socket(
            lambda: Watched(self.protocol(), over),
            sock,
            ssl=self.context,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if self.context else None,
        )
        try:
            await over
        finally:
            transport.abort()

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def listen(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of a host. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((each[0], each[4]) for each in found):
            opened.append(socket.create_server(address, family=family, backlog=BACKLOG))
            opened[-1].setblocking(False)
    except OSError:
        close(opened)
        raise
    return opened


def close(listeners: list[socket.socket]) -> None:
    for listener in listeners:
        listener.close()


def tls(args: dict[str, Any]) -> ssl.SSLContext | None:
    if "certfile" not in args:
        if args.get("host") not in LOOPBACK:
            raise ValueError("Without certfile and keyfile the tokens would be sent in clear text. Set both.")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(args["certfile"], args.get("keyfile"))
    return context


def application(callers: Callers, events: Events) -> web.Application:
    async def call(request: web.Request) -> web.Response:
        if request.can_read_body and not 0 <= (request.content_length or -1) <= LARGEST_BODY:
            raise web.HTTPRequestEntityTooLarge(LARGEST_BODY, request.content_length or -1)
        # Nobody looks at it, but a caller that is cut off while it writes does not see the answer.
        await request.read()
        try:
            gateway = who(request.headers.get("Authorization", ""), callers.current())
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read: %s", callers.path, error)
            raise web.HTTPServiceUnavailable from None
        if gateway is None:
            raise web.HTTPUnauthorized
        events.call(gateway)
        return web.Response(status=202)

    async def close(dummy: web.Request, answer: web.StreamResponse) -> None:
        """One call is one connection."""
        answer.force_close()
        answer.headers["Connection"] = "close"

    made = web.Application(client_max_size=LARGEST_BODY)
    made.on_response_prepare.append(close)
    made.router.add_post("/", call)
    return made


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    callers = Callers(Path(args["callers"]))
    callers.current()
    context = tls(args)
    runner = web.AppRunner(
        application(callers, Events(queue, float(args.get("quiet_seconds", 60)))),
        access_log=None,
        keepalive_timeout=0,
        lingering_time=0,
        max_line_size=LARGEST_LINE,
        max_field_size=LARGEST_LINE,
        # Nobody reads a body, and 16 KiB may unpack to a thousand times as much, before anybody has said who calls.
        auto_decompress=False,
    )
    await runner.setup()
    inner = runner.server
    assert inner is not None
    connections = Connections(inner, context)
    listeners: list[socket.socket] = []
    try:
        listeners = listen(args.get("host", "0.0.0.0"), int(args["port"]))
        await asyncio.gather(*map(connections.accept, listeners))
    finally:
        close(listeners)
        await connections.end()
        await runner.cleanup()
