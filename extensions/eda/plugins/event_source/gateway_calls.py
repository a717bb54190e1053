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
import re
import ssl
from pathlib import Path
from typing import Any

from aiohttp import web

DOCUMENTATION = r"""
short_description: Gateways that call in
description:
  - Waits for POST requests over TLS that have C(Authorization: Bearer TOKEN) in their header.
  - The token says which gateway it is. The event has that name as C(gateway), and as C(meta.hosts), so that a playbook
    is limited to this gateway. Nothing else of the request gets into the event.
options:
  callers:
    description:
      - A file with a line for every gateway, the SHA-256 of its token in hexadecimal digits and its name in the
        inventory.
      - It is read again at every call.
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


def read_callers(text: str) -> dict[str, str]:
    """Name by SHA-256 of the token."""
    callers: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = LINE.fullmatch(line.strip())
        if not found or found[2] in EVERYBODY or found[1] in callers:
            raise ValueError(f"Line {number} of the callers is no new SHA-256 with the name of one gateway.")
        callers[found[1]] = found[2]
    return callers


def who(authorization: str, callers: dict[str, str]) -> str | None:
    """The gateway that has this credential."""
    scheme, dummy, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return None
    return callers.get(hashlib.sha256(token.strip().encode()).hexdigest())


def tls(args: dict[str, Any]) -> ssl.SSLContext | None:
    if "certfile" not in args:
        if args.get("host") not in LOOPBACK:
            raise ValueError("Without certfile and keyfile the tokens would be sent in clear. Set both.")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(args["certfile"], args.get("keyfile"))
    return context


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    path = Path(args["callers"])
    read_callers(path.read_text(encoding="utf-8"))

    async def call(request: web.Request) -> web.Response:
        gateway = who(request.headers.get("Authorization", ""), read_callers(path.read_text(encoding="utf-8")))
        if gateway is None:
            raise web.HTTPUnauthorized
        await queue.put({"gateway": gateway, "meta": {"hosts": gateway}})
        return web.Response(status=202)

    application = web.Application()
    application.router.add_post("/", call)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, args.get("host", "0.0.0.0"), int(args["port"]), ssl_context=tls(args)).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
