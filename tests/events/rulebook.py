# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running ansible-rulebook, its certificate, and how gateways without a way out of the lab reach it."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError

import yaml
from integration.gateways.site import until

from lab.gateways.net import inside

CHECKOUT = Path(__file__).parents[2]
EXECUTABLE = CHECKOUT / ".venv-eda/bin/ansible-rulebook"
LIMITED = re.compile(r"PLAY RECAP \*+\n((?:\w+ +: .*\n)*)")


@dataclass
class Rulebook:
    """The rulebook of the collection, as a user starts it."""

    path: Path
    port: int

    @property
    def certificate(self) -> Path:
        return self.path / "eda.pem"

    @property
    def callers(self) -> Path:
        return self.path / "callers"

    @property
    def log(self) -> Path:
        return self.path / "rulebook.log"

    @contextmanager
    def running(self, inventory: Path, env: Mapping[str, str]) -> Iterator[None]:
        settings = self.path / "settings.yml"
        values = {"callers": self.callers, "certfile": self.certificate, "keyfile": self.path / "eda.key"}
        texts = {name: str(value) for name, value in values.items()}
        variables = {"host": "127.0.0.1", "port": self.port, **texts}
        settings.write_text(yaml.safe_dump({f"gateway_calls_{name}": value for name, value in variables.items()}))
        files = ["--inventory", str(inventory), "--vars", str(settings)]
        with self.log.open("w") as log:
            process = subprocess.Popen(
                [EXECUTABLE, "--rulebook", "vpnops.keys.gateway_calls", *files, "--verbose"],
                env={**env, "PATH": f"{EXECUTABLE.parent}:{os.environ['PATH']}"},
                cwd=self.path,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                until(self._listens, 120, self.log.read_text)
                yield
            finally:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(30)

    def _listens(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def call(self, token: str, body: str = "") -> int:
        """The status that a caller gets."""
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}/", body.encode(), method="POST")
        request.add_header("Authorization", f"Bearer {token}")
        try:
            context = ssl.create_default_context(cafile=str(self.certificate))
            with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code

    def runs(self) -> list[set[str]]:
        """The hosts of each playbook run that has ended."""
        return [set(re.findall(r"^(\w+) +:", recap, re.MULTILINE)) for recap in LIMITED.findall(self.log.read_text())]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def way_out(namespace: str, port: int) -> Iterator[None]:
    """Lets a gateway reach a port of this machine at the same port of its own 127.0.0.1."""
    with inside(namespace):
        listener = socket.create_server(("127.0.0.1", port))
    with listener:
        threading.Thread(target=_serve, args=(listener, port), daemon=True).start()
        yield
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, port: int) -> None:
    while True:
        try:
            caller = listener.accept()[0]
        except OSError:
            return
        threading.Thread(target=_join, args=(caller, port), daemon=True).start()


def _join(caller: socket.socket, port: int) -> None:
    with ExitStack() as stack:
        stack.enter_context(caller)
        server = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        back = threading.Thread(target=_copy, args=(server, caller), daemon=True)
        back.start()
        _copy(caller, server)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
