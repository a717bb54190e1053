# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH in front of a device: asyncssh, with what IOS accepts and refuses."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Coroutine, Sequence

import asyncssh

from .device import Device
from .shell import Shell

MODERN: dict[str, Sequence[str]] = {
    "kex_algs": ("curve25519-sha256", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "diffie-hellman-group14-sha256"),
    "encryption_algs": ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr"),
    "mac_algs": ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512"),
    "host_key_algs": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"),
    "signature_algs": (
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "rsa-sha2-512",
        "rsa-sha2-256",
        "ssh-rsa",
    ),
}
LEGACY: dict[str, Sequence[str]] = {
    "kex_algs": ("diffie-hellman-group14-sha1",),
    "encryption_algs": ("aes128-cbc",),
    "mac_algs": ("hmac-sha1",),
    "host_key_algs": ("ssh-rsa",),
    "signature_algs": ("ssh-rsa",),
}
_LINGER = 1.0
RETRIES = 3  # ip ssh authentication-retries


class _Login(asyncssh.SSHServer):
    """One SSH connection: who it is, and the vty line it occupies."""

    def __init__(self, server: DeviceServer) -> None:
        self.server, self.device = server, server.device
        self.user, self.peer = "", ""
        self._failures = 0
        self._has_session = False
        self.connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn
        self.peer = str(conn.get_extra_info("peername")[0])
        self.server.logins.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.logins.discard(self)

    def begin_auth(self, username: str) -> bool:
        self.user = username
        if self.device.spec.banner and self.connection is not None:
            self.connection.send_auth_banner(self.device.spec.banner.rstrip("\n") + "\n")
        return True

    def password_auth_supported(self) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return bool(self.device.spec.authorized_keys)

    def kbdint_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        known = self.device.config.users.get(username)
        return self._verdict(known is not None and known[0] == password)

    def get_kbdint_challenge(
        self, username: str, lang: str, submethods: str
    ) -> tuple[str, str, str, list[tuple[str, bool]]]:
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool:
        return len(responses) == 1 and self.validate_password(username, responses[0])

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        known = username in self.device.config.users and key.public_data in self.server.authorized_keys
        return known and not self.server.refuses_login()

    def _verdict(self, right: bool) -> bool:
        if right and not self.server.refuses_login(count=True):
            return True
        self._failures += 1
        if self._failures >= RETRIES and self.connection is not None:
            connection = self.connection
            asyncio.get_running_loop().call_later(0.02, connection.close)
        return False

    def session_requested(self) -> asyncssh.SSHServerSession[bytes] | bool:
        """IOS serves one session per connection."""
        if self._has_session:
            return False
        self._has_session = True
        return _Session(self)


class _Session(asyncssh.SSHServerSession[bytes]):
    """One shell (or exec request) on a connection."""

    def __init__(self, login: _Login) -> None:
        self._login, self._device = login, login.device
        self._command: str | None = None
        self._size: tuple[int, int] | None = None
        self._task: asyncio.Task[None] | None = None
        self._shell: Shell | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._chan = chan

    def pty_requested(self, term_type: str, term_size: tuple[int, int, int, int], term_modes: object) -> bool:
        self._size = term_size[:2]
        return True

    def shell_requested(self) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        self._command = command
        return True

    def session_started(self) -> None:
        device, login = self._device, self._login
        level = device.faults.low_privilege or device.config.users.get(login.user, ("", 1))[1]
        shell = Shell(device, login.user, login.peer, self._transmit, self._drop, self._bye, level)
        self._shell = shell
        if self._size and device.personality.pty_size == "honor":
            shell.term.width, shell.term.length = self._size
        device.sessions += 1
        shell.number = device.sessions
        shell.line = next(n for n in range(1000) if n not in {other.line for other in device.shells.values()})
        device.shells[shell.number] = shell
        self._task = asyncio.create_task(shell.run(self._command))
        login.server.running.add(self._task)
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._login.server.running.discard(task)
        if self._shell is not None:
            self._device.shells.pop(self._shell.number, None)
        if not task.cancelled() and task.exception() is not None:
            self._device.crashes.append(task.exception())
            self._drop()

    def data_received(self, data: bytes, datatype: object) -> None:
        if self._shell is not None:
            self._shell.term.feed(data.decode("latin-1"))

    def eof_received(self) -> bool:
        if self._shell is not None:
            self._shell.term.eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if self._shell is not None:
            self._shell.gone()
        if self._login.connection is not None:
            self._login.connection.close()

    def break_received(self, msec: int) -> bool:
        return True

    def _transmit(self, text: str) -> None:
        with contextlib.suppress(BrokenPipeError, OSError):
            self._chan.write(text.encode("latin-1", "replace"))

    def _drop(self) -> None:
        if self._login.connection is not None:
            self._login.connection.abort()

    def _bye(self) -> None:
        """End the session, and with it the connection: once the client has closed its side, or soon anyway."""
        connection = self._login.connection
        with contextlib.suppress(OSError):
            self._chan.exit(0)
        if connection is not None:
            asyncio.get_running_loop().call_later(_LINGER, connection.close)


class _Mute(asyncio.Protocol):
    """Accepts TCP and says nothing."""

    def __init__(self, server: DeviceServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._server.mute.add(transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.mute.discard(self._transport)


class _Refuse(asyncio.Protocol):
    """All vty lines are in use: the connection is closed before a word is said."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class DeviceServer:
    """Listens for one device. Belongs to one event loop."""

    def __init__(self, device: Device, host_key: asyncssh.SSHKey) -> None:
        self.device = device
        self._host_key = asyncssh.import_private_key(device.spec.host_key) if device.spec.host_key else host_key
        self.logins: set[_Login] = set()
        self.mute: set[asyncio.BaseTransport] = set()
        self.running: set[asyncio.Task[None]] = set()
        self.authorized_keys = [asyncssh.import_public_key(line).public_data for line in device.spec.authorized_keys]
        self._refused = 0
        self._listener: asyncio.Server | None = None
        self._port_holder: socket.socket | None = None
        self._returning: asyncio.Task[None] | None = None
        self._work: set[asyncio.Task[None]] = set()

    async def start(self, host: str) -> None:
        """Take a port and listen on it (unless a fault keeps it closed)."""
        device = self.device
        self._loop = asyncio.get_running_loop()
        device.host = device.spec.listen or host
        self._options = self._make_options()
        if device.spec.port:
            self._socket(device.spec.port, share=False).close()  # OSError if somebody else has it
        self._port_holder = self._socket(device.spec.port)
        device.port = self._port_holder.getsockname()[1]
        device.on_fault = lambda: self._run(self._apply_faults())
        device.on_reload = lambda seconds: self._run(self._reload(seconds))
        await self._listen()

    def _run(self, work: Coroutine[None, None, None]) -> None:
        """Run on the loop of this server, whichever thread asks; other threads wait for it."""
        try:
            inside = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            inside = False
        if inside:
            task = self._loop.create_task(work)
            self._work.add(task)
            task.add_done_callback(self._work.discard)
        else:
            asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    def _socket(self, port: int, share: bool = True) -> socket.socket:
        """A bound socket that does not listen: holds the port while the device is away."""
        family = socket.AF_INET6 if ":" in self.device.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, share)
        try:
            sock.bind((self.device.host, port))
        except OSError:
            sock.close()
            raise
        return sock

    async def _listen(self) -> None:
        if self._listener is None and self.device.alive and not self.device.faults.closed:
            sock = self._socket(self.device.port)
            self._listener = await self._loop.create_server(self._accept, sock=sock, backlog=128)

    def _accept(self) -> asyncio.BaseProtocol:
        device = self.device
        if device.faults.silent:
            return _Mute(self)
        if len(self.logins) >= device.personality.vty_lines or (
            device.personality.ssh_needs_rsa_key and not device.keys
        ):
            return _Refuse()
        return asyncssh.SSHServerConnection(self._loop, self._options)

    def refuses_login(self, count: bool = False) -> bool:
        """Whether the fault `refuse_login` refuses this attempt."""
        refuse = self.device.faults.refuse_login
        if refuse is True or not refuse:
            return bool(refuse)
        if count:
            self.device.faults = self.device.faults.changed({"refuse_login": refuse - 1 or False})
        return True

    def _make_options(self) -> asyncssh.SSHServerConnectionOptions:
        algs = {**(LEGACY if self.device.spec.legacy else MODERN), **self.device.spec.ssh}
        pair = asyncssh.load_keypairs([self._host_key])[0]
        offered = tuple(name.encode() for name in algs.pop("host_key_algs"))
        if set(offered) & set(pair.host_key_algorithms):
            pair.host_key_algorithms = offered
        return asyncssh.SSHServerConnectionOptions(
            config=None,
            server_factory=lambda: _Login(self),
            server_version="Cisco-1.25",
            server_host_keys=[pair],
            compression_algs=None,
            encoding=None,
            line_editor=False,
            allow_scp=False,
            agent_forwarding=False,
            gss_host=None,
            login_timeout=120,
            keepalive_interval=0,
            **algs,
        )

    # -- faults and reload
    async def _apply_faults(self) -> None:
        if self.device.faults.closed:
            self._stop_listening()
        else:
            await self._listen()
        if not self.device.faults.silent:
            for transport in list(self.mute):
                transport.close()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _hang_up(self) -> None:
        for shell in list(self.device.shells.values()):
            shell.gone()
        for task in [*self.device.tasks, *self.running]:
            task.cancel()
        for login in list(self.logins):
            if login.connection is not None:
                login.connection.abort()
        for transport in list(self.mute):
            transport.close()

    async def _reload(self, seconds: float) -> None:
        """Go away now, come back from NVRAM later."""
        self.device.alive = False
        self._stop_listening()
        self._hang_up()
        self.device.coop.elect()
        if self._returning is not None:
            self._returning.cancel()
        self._returning = self._loop.create_task(self._return(seconds))

    async def _return(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.device.restart()
        self.device.alive = True
        self.device.coop.elect()
        await self._listen()

    async def stop(self) -> None:
        """Close everything."""
        if self._returning is not None:
            self._returning.cancel()
        self._stop_listening()
        self._hang_up()
        if self._port_holder is not None:
            self._port_holder.close()
        await asyncio.sleep(0)
