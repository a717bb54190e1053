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
import logging
import re
import ssl
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web

DOCUMENTATION = r"""
short_description: Gateways that call in
description:
  - Waits for POST requests over TLS that have C(Authorization: Bearer TOKEN) in their header.
  - The token says which gateway it is. The event has that name as C(gateway), and as C(meta.hosts), so that a playbook
    is limited to this gateway. Nothing else of the request gets into the event.
  - However often a gateway calls, it makes one event at once and one at the end of each O(quiet_seconds), so that it
    does not keep the others waiting. Requests are bounded in size and time, and connections in number for each address.
options:
  callers:
    description:
      - A file with a line for every gateway, the SHA-256 of its token in hexadecimal digits and its name in the
        inventory.
      - It is read again when it has changed.
      - A line that is something else is left out, and its number is logged. So are all lines with a SHA-256 that
        stands for more than one gateway.
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
    description: The least time between two events of one gateway.
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
MOST_CONNECTIONS = 1000
MOST_OF_ONE = 20
"""Connections at a time from one address other than this machine's own, where a proxy may be."""

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
                    "%s: lines that name no gateway, or one of several with a token, left out: %s", self.path, numbers
                )
        return self.known


class Events:
    """What calls come to: at most one event of a gateway at a time and in `quiet` seconds, and none is lost."""

    def __init__(self, queue: asyncio.Queue[Any], quiet: float) -> None:
        self.queue = queue
        self.quiet = quiet
        self.last: dict[str, float] = {}
        self.waiting: dict[str, asyncio.Task[None]] = {}

    def call(self, gateway: str) -> None:
        if gateway not in self.waiting:
            self.waiting[gateway] = asyncio.create_task(self._tell(gateway))

    async def _tell(self, gateway: str) -> None:
        try:
            now = time.monotonic()
            await asyncio.sleep(max(0.0, self.last.get(gateway, now - self.quiet) + self.quiet - now))
            await self.queue.put({"gateway": gateway, "meta": {"hosts": gateway}})
            self.last[gateway] = time.monotonic()
        finally:
            del self.waiting[gateway]


class Guard(asyncio.Protocol):
    """A connection that ends in time, whatever its other end does, and that is one of a few from there."""

    open: ClassVar[Counter[str]] = Counter()

    def __init__(self, inner: asyncio.Protocol) -> None:
        self.inner = inner
        self.address = ""
        self.taken = False
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        most = MOST_CONNECTIONS if self.address in LOOPBACK else MOST_OF_ONE
        if self.open[self.address] >= most or sum(self.open.values()) >= MOST_CONNECTIONS:
            self.data_received = lambda data: None  # type: ignore[method-assign]
            transport.abort()
            return
        self.taken = True
        self.open[self.address] += 1
        self.over = asyncio.get_running_loop().call_later(SECONDS, transport.abort)
        self.inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.taken:
            self.over.cancel()
            self.open[self.address] -= 1
            self.inner.connection_lost(exc)


def tls(args: dict[str, Any]) -> ssl.SSLContext | None:
    if "certfile" not in args:
        if args.get("host") not in LOOPBACK:
            raise ValueError("Without certfile and keyfile the tokens would be sent in clear. Set both.")
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
    )
    await runner.setup()
    inner = runner.server
    assert inner is not None
    try:
        server = await asyncio.get_running_loop().create_server(
            lambda: Guard(inner()),
            args.get("host", "0.0.0.0"),
            int(args["port"]),
            ssl=context,
            ssl_handshake_timeout=SECONDS if context else None,
        )
        async with server:
            await server.serve_forever()
    finally:
        await runner.cleanup()
