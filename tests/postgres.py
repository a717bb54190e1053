# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private PostgreSQL server for tests: on loopback, in a directory of its own, gone afterwards."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import typing as t
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

CHECKOUT = Path(__file__).parent.parent
USER = "vpnops"
STARTED_WITHIN = 60.0


@dataclass
class Server:
    port: int
    password: str
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str, password: str | None = None) -> str:
        return f"postgresql://{USER}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty one."""
        name = f"directory{next(self.numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


@contextmanager
def server() -> Iterator[Server]:
    """Debian's PostgreSQL, installed if need be. It refuses to run as root, so then it runs as its own user."""
    programs = _programs()
    other: dict[str, t.Any] = {"user": "postgres", "group": "postgres", "extra_groups": ()} if _is_root() else {}
    place = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # its sockets need a short path
    if other:
        shutil.chown(place, "postgres", "postgres")
    password = secrets.token_urlsafe(24)
    (place / "password").write_text(password)
    (place / "password").chmod(0o644 if other else 0o600)
    port = _free_port()
    arguments = ["--pgdata", f"{place}/data", "--username", USER, "--pwfile", f"{place}/password", "--no-sync"]
    arguments += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]
    settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": place, "fsync": "off"}
    process: subprocess.Popen[t.Any] | None = None
    try:
        subprocess.run([programs / "initdb", *arguments], cwd=place, check=True, capture_output=True, **other)
        (place / "password").unlink()
        with open(place / "log", "wb") as log:
            process = subprocess.Popen(
                # A test run that is killed does not leave it behind.
                ["setpriv", "--pdeathsig", "INT", str(programs / "postgres"), "-D", f"{place}/data"]
                + [part for name, value in settings.items() for part in ("-c", f"{name}={value}")],
                cwd=place,
                stdout=log,
                stderr=log,
                **other,
            )
        started = Server(port, password)
        _wait_for(started, process, place / "log")
        yield started
    finally:
        if process:
            process.send_signal(signal.SIGINT)  # a fast shutdown
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)
        shutil.rmtree(place)


def _is_root() -> bool:
    return os.geteuid() == 0


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        subprocess.run([CHECKOUT / "scripts/system-package", "postgresql"], check=True)
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent


def _free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(started: Server, process: subprocess.Popen[t.Any], log: Path) -> None:
    end = time.monotonic() + STARTED_WITHIN
    while True:
        try:
            psycopg.connect(started.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < end, "PostgreSQL did not start"
            time.sleep(0.1)
        else:
            return
