# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory is published, and every gateway of it fetches from one nginx: what that costs where.

The requests are those of a real fetch, which is recorded. Ten thousand connections then repeat them; what is answered
must have the length of the files.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import typing as t
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unit.fetch.server import certificate

from ansible_collections.vpnops.keys.plugins.module_utils._fetch import source
from ansible_collections.vpnops.keys.plugins.module_utils._fetch.config import Config
from ansible_collections.vpnops.keys.plugins.module_utils._fetch.fetch import Fetch
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.managed import Managed

from . import report
from .cases import HERE
from .directory import Options, filled, gateway, run_task
from .run import BenchError, cpu_of, machine

RESULTS = HERE / "results" / "fetching.json"
BEGIN, END = ".. BEGIN of the figures of fetching", ".. END of the figures of fetching"
SIZES, FEW = (10, 100, 1_000, 10_000), (10, 100)
AT_ONCE = 64
"""Connections. More do not make two cores faster."""
NGINX = """
daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; {temporary}
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {chain}; ssl_certificate_key {chain}; root {folder}/www; }}
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Recorded:
    """The published folder, and the names of the files that were asked for."""

    def __init__(self, path: Path) -> None:
        self.folder = source.Folder(str(path))
        self.asked: list[str] = []

    def get(self, name: str, longest: int, etag: str = "") -> source.Answer:
        self.asked.append(name)
        return self.folder.get(name, longest, etag)

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Request:
    """`etag`: of the file that a gateway has; then the answer is that nothing is new."""

    name: str
    size: int
    etag: str = ""


def measure(quick: bool, output: Path | None) -> None:
    """Print the figures, and write them down."""
    if not shutil.which("nginx"):
        raise BenchError("nginx is not installed (Debian: nginx-light)")
    where, runs = machine(), list[Options]()
    shown = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    where["versions"]["nginx"] = shown.strip().partition("/")[2]
    for count in FEW if quick else SIZES:
        with tempfile.TemporaryDirectory(prefix="bench") as made:
            runs += _runs(Path(made), count, count if quick else SIZES[-1])
            print("\n".join(_line(run) for run in runs if run["gateways"] == count), flush=True)
    if target := output or (None if quick else RESULTS):
        target.write_text(json.dumps({"machine": where, "runs": runs}, indent=1) + "\n", encoding="utf-8")
    if not quick and not output:
        report.put(_rst(where, runs), BEGIN, END)


def _runs(folder: Path, count: int, served: int) -> Iterator[Options]:
    """Of one size: a publication after one change; and, with the largest, all gateways that fetch it."""
    place = {"url": f"sqlite:///{folder}/directory.db", "signing_key_path": f"{folder}/directory.key"}
    options = {"path": str(folder / "www")}
    filled(place, [f"gw{number}" for number in range(1, count + 1)])
    first = run_task(place, "key_directory_publish", **options)
    _recorded(folder, first["verify_key"], "before")
    written = run_task(place, "key_directory", gateways=[gateway("gw2", endpoint="192.0.2.2:51820")])
    done = run_task(place, "key_directory_publish", **options)
    cost = {"cpu_s": round(written["cpu_s"] + done["cpu_s"], 2), "bytes": done["bytes_written"]}
    yield {"what": "publish one change", "gateways": count, **cost}
    if count != served:
        return
    with _nginx(folder) as server:
        works = (
            ("nothing is new", [Request("checkpoint", 0, asyncio.run(server.etag("checkpoint")))], count),
            ("one change", _recorded(folder, first["verify_key"], "before"), count),
            ("the first fetch", _recorded(folder, first["verify_key"], "nothing"), count // 100),
        )
        for what, requests, fetches in works:
            yield {"what": what, "gateways": count, **server.measured(requests, fetches)}


def _recorded(folder: Path, verify_key: str, kept: str) -> list[Request]:
    """What a gateway asks for that has kept the files of this folder; it has all of them afterwards."""
    name, _hash, key = verify_key.split("+", 2)
    config = Config("file://", name, base64.b64decode(key)[1:], "gw1", 0, 300, "", {})
    asked = Recorded(folder / "www")
    (folder / kept).mkdir(exist_ok=True)
    Fetch(config, asked, t.cast(Managed, None), str(folder / kept)).download()
    return [Request(name, (folder / "www" / name).stat().st_size) for name in asked.asked]


@dataclass
class Nginx:
    """One that serves a folder on this machine."""

    process: subprocess.Popen[bytes]
    port: int
    context: ssl.SSLContext

    async def etag(self, name: str) -> str:
        return (await self._connection([Request(name, -1)]))[0]

    def measured(self, requests: Sequence[Request], count: int) -> Options:
        """So many gateways, each with a connection of its own."""
        before, begun = self._cpu(), time.monotonic()
        asyncio.run(self._all(requests, count))
        sent = sum(one.size for one in requests)
        return {
            "fetches": count,
            "requests": len(requests),
            "cpu_s": round(self._cpu() - before, 2),
            "wall_s": round(time.monotonic() - begun, 1),
            "bytes": sent,
        }

    def _cpu(self) -> float:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="utf-8")
        return sum(map(cpu_of, [self.process.pid, *map(int, children.split())]))

    async def _all(self, requests: Sequence[Request], count: int) -> None:
        numbers = iter(range(count))

        async def some() -> None:
            for _number in numbers:
                await self._connection(requests)

        await asyncio.gather(*(some() for _one in range(AT_ONCE)))

    async def _connection(self, requests: Sequence[Request]) -> list[str]:
        """The ETags of all answers. Raises BenchError for one that is not what was asked for."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context)
        etags = []
        for one in requests:
            condition = f"If-None-Match: {one.etag}\r\n" if one.etag else ""
            writer.write(f"GET /{one.name} HTTP/1.1\r\nHost: 127.0.0.1\r\n{condition}\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
            fields = {name.lower(): value for name, _colon, value in (line.partition(": ") for line in head[1:])}
            size = int(fields.get("content-length", 0)) if not one.etag else 0
            await reader.readexactly(size)
            wanted = "304" if one.etag else "200"
            if head[0].split()[1] != wanted or one.size not in (size, -1):
                raise BenchError(f"nginx answered {head[0]} with {size} bytes to the request for {one.name}")
            etags.append(fields.get("etag", ""))
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
        return etags


@contextlib.contextmanager
def _nginx(folder: Path) -> Iterator[Nginx]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    chain, ca = folder / "chain.pem", folder / "ca.pem"
    certificate(ca, chain, "127.0.0.1")
    # Its workers are another user.
    folder.chmod(0o755)
    temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, temporary=temporary, port=port, chain=chain), encoding="utf-8")
    process = subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        for _turn in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        else:
            raise BenchError("nginx does not start")
        yield Nginx(process, port, ssl.create_default_context(cafile=str(ca)))
    finally:
        process.terminate()
        process.wait(10)


def _line(run: Options) -> str:
    return "  ".join(_cells(run))


def _cells(run: Options) -> tuple[str, ...]:
    fetches = run.get("fetches")
    return (
        run["what"],
        f"{run['gateways']:,}",
        f"{fetches:,}" if fetches else "-",
        str(run.get("requests", "-")),
        f"{run['cpu_s']:.2f}",
        f"{1000 * run['cpu_s'] / fetches:.2f}" if fetches else "-",
        f"{run['bytes'] / 1000:,.1f}",
    )


def _rst(where: Options, runs: Sequence[Options]) -> str:
    head = ("what", "gateways", "fetches", "requests each", "CPU s", "CPU ms per fetch", "kB each")
    table = report.list_table(head, [_cells(run) for run in runs], (28, 10, 10, 12, 10, 14, 12))
    return f"{report.measured_on(where)}\n{table}"
