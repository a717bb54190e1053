# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SSH to IOS devices: runs the dialogues of module_utils/_ios over asyncssh, one device or many in one event loop."""

from __future__ import annotations

import asyncio
import functools
import importlib
import logging
import os
import re
import typing as t
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress

from ..module_utils._errors import NOTHING_CHANGED, NOTHING_SENT, VpnKeysError
from ..module_utils._ios.dialogue import MAY_HAVE_HAPPENED, Talk, Terminal
from . import progress_fleet
from .internal import internal_error
from .ios_options import Target

try:
    import asyncssh
except ImportError:  # control_action names the missing library
    pass
else:
    # Its messages would land on stderr, where Ansible takes them for a plugin's mistake.
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)

T = t.TypeVar("T")

LEGACY = {
    "kex_algs": "+diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1,diffie-hellman-group1-sha1",
    "server_host_key_algs": "+ssh-rsa",
    "signature_algs": "+ssh-rsa",
    "encryption_algs": "+aes256-cbc,aes192-cbc,aes128-cbc,3des-cbc",
    "mac_algs": "+hmac-sha1",
}
"""What IOS 15 offers and today's SSH clients have switched off (seen: a device with only these)."""

SESSION_LIMIT = 1800.0
"""Seconds that one session may take, whatever the device does."""
PARALLEL = 64


class NotReached(VpnKeysError):
    """There was no session to do anything in: what Ansible calls unreachable, unless it is a question of rights."""


class Session:
    """One logged-in device. `do` runs one operation after the other on the same terminal."""

    def __init__(self, target: Target, process: asyncssh.SSHClientProcess[str]) -> None:
        self.target = target
        self._process = process
        self._terminal = Terminal(target.name, timeout=target.command_timeout)
        self.expired = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def lost(self) -> bool:
        """Whether nothing can be said on it any more."""
        return self._process.is_closing()

    def allow(self, seconds: float | None) -> None:
        """From now on the session may take that long, whatever the device does; None: no limit any more."""
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire) if seconds else None

    def _expire(self) -> None:
        self.expired = True
        self._process.channel.get_connection().abort()

    async def log_in(self) -> None:
        await self._drive(self._terminal.login(self.target.become_password, self.target.become))

    async def do(self, operation: Callable[[Terminal], Talk[T]]) -> T:
        """One operation. It may take SESSION_LIMIT, or what `allow` has set; the time between two does not count."""
        self._terminal.note = None
        if self._timer is None:
            self.allow(SESSION_LIMIT)
        try:
            return await self._drive(operation(self._terminal))
        except VpnKeysError as error:
            error.changed = self._terminal.wrote
            raise
        finally:
            self.allow(None)

    async def _drive(self, talk: Talk[T]) -> T:
        stdin, stdout = self._process.stdin, self._process.stdout
        try:
            wire = next(talk)
            while True:
                if wire.send:
                    stdin.write(wire.send)
                try:
                    text = await asyncio.wait_for(stdout.read(65536), wire.wait)
                except asyncio.TimeoutError:
                    wire = talk.send(None)
                    continue
                if not text:
                    raise self._lost()
                wire = talk.send(text)
        except StopIteration as stop:
            return t.cast(T, stop.value)
        except (OSError, asyncssh.Error):
            raise self._lost() from None

    def _lost(self) -> VpnKeysError:
        host = self.target.name
        if self.expired:
            what, advice = "the session took longer than it may", "Run again; it looks first"
            return VpnKeysError("timeout", what, host=host, advice=advice)
        return VpnKeysError(
            "session_lost",
            "the device closed the session in the middle",
            host=host,
            state=MAY_HAVE_HAPPENED,
            advice="run again, it starts by looking",
        )


@asynccontextmanager
async def session(target: Target, limit: float = SESSION_LIMIT) -> AsyncIterator[Session]:
    """A logged-in session; closed at the end, whatever happens. Raises VpnKeysError with the reason in one sentence."""
    # For every old device cryptography would say on stderr that its algorithms are deprecated. Not at import time:
    # Ansible takes back what a plugin sets while it is loaded.
    warnings.filterwarnings("ignore", module=r"asyncssh\.")
    keeper = _HostKeys(target)
    connection = None
    try:
        try:
            connection = await asyncio.wait_for(
                asyncssh.connect(target.host, client_factory=keeper.client, **_connect_options(target)),
                target.connect_timeout,
            )
            process = await asyncio.wait_for(
                connection.create_process(term_type="vt100", term_size=(511, 24), encoding="utf-8", errors="replace"),
                target.connect_timeout,
            )
        except Exception as error:  # noqa: BLE001 - whatever a library raises ends in one sentence
            raise _not_connected(target, error, keeper) from None
        here = Session(target, process)
        here.allow(limit)
        try:
            try:
                await here.log_in()
            except VpnKeysError as error:
                raise NotReached(
                    error.code, error.what, host=error.host, state=error.state, advice=error.advice
                ) from None
            yield here
        finally:
            here.allow(None)
    finally:
        if connection is not None:
            connection.close()
            with suppress(Exception):
                await asyncio.wait_for(connection.wait_closed(), 2.0)


class Kept:
    """Opens sessions as `session` does, and keeps them for the next use: one login per device and task."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Session, AsyncExitStack]] = {}

    async def __aenter__(self) -> Kept:
        return self

    async def __aexit__(self, *dummy: object) -> None:
        await self.only(())

    async def only(self, names: Collection[str]) -> None:
        """Close all sessions but those with these devices."""
        await asyncio.gather(*(self._close(name) for name in list(self._kept) if name not in names))

    @asynccontextmanager
    async def session(self, target: Target, limit: float = SESSION_LIMIT) -> AsyncIterator[Session]:
        """The session with a device: the kept one, or a new one. One on which something failed is not kept."""
        name = target.name
        if name in self._kept and self._kept[name][0].lost:
            await self._close(name)
        if name not in self._kept:
            stack = AsyncExitStack()
            self._kept[name] = (await stack.enter_async_context(session(target, limit)), stack)
        here = self._kept[name][0]
        here.allow(limit)
        try:
            yield here
        except BaseException:
            await self._close(name)
            raise

    async def _close(self, name: str) -> None:
        await self._kept.pop(name)[1].aclose()


Opener = Callable[..., AbstractAsyncContextManager[Session]]
"""`session`, or that of a `Kept`."""


async def on_all(
    targets: Iterable[Target], work: Callable[[Target], Awaitable[T]], parallel: int = PARALLEL
) -> dict[str, T | VpnKeysError]:
    """Run `work` for every target, at most `parallel` at once; a failing device is data, not the end of the others."""
    gate = asyncio.Semaphore(parallel)
    targets = list(targets)
    count = progress_fleet.Count(len(targets))

    async def tried(target: Target) -> T | VpnKeysError:
        try:
            return await work(target)
        except VpnKeysError as error:
            return error
        except Exception as error:  # noqa: BLE001 - one device must not end the work on the others
            return internal_error(target.name, error)

    async def one(target: Target) -> T | VpnKeysError:
        async with gate:
            result = await tried(target)
        count.one(failed=isinstance(result, VpnKeysError))
        return result

    return dict(zip((target.name for target in targets), await asyncio.gather(*map(one, targets)), strict=True))


def _connect_options(target: Target) -> dict[str, t.Any]:
    """Only what is set: the rest comes from ~/.ssh/config and asyncssh's own defaults."""
    options: dict[str, t.Any] = dict(LEGACY) if target.legacy else {}
    options |= {
        key: value
        for key, value in {
            "port": target.port,
            "username": target.user,
            "password": target.password,
            "tunnel": target.proxy_jump,
            "config": target.config_file,
            "kex_algs": target.kex,
            "server_host_key_algs": target.host_key_algorithms,
            "signature_algs": target.public_key_algorithms,
            "encryption_algs": target.ciphers,
            "mac_algs": target.macs,
        }.items()
        if value is not None
    }
    if target.key_file:
        options |= _login_key(target.key_file, target.key_passphrase)
    elif target.password:
        # As network_cli does: a password means that no agent keys use up the device's few login attempts.
        options["client_keys"] = None
    if target.proxy_command:
        tokens = {"h": target.host, "p": str(target.port or 22), "r": target.user or "", "%": "%"}
        filled = re.sub(r"%([hpr%])", lambda found: tokens[found[1]], target.proxy_command)
        options["proxy_command"] = ["/bin/sh", "-c", f"exec {filled}"]
    if not target.host_key_checking:
        options["known_hosts"] = None
    elif target.known_hosts:
        options["known_hosts"] = [file for file in _known_hosts_files(target) if os.path.exists(file)] or (
            [],
            [],
            [],
        )
    return options | {
        "connect_timeout": target.connect_timeout,
        "login_timeout": target.connect_timeout,
        "keepalive_interval": 15,
    }


@functools.cache
def _login_key(file: str, passphrase: str | None) -> dict[str, t.Any]:
    """That key alone: a device allows few attempts. One that cannot be opened here is left to the agent."""
    try:
        return {"client_keys": [asyncssh.read_private_key(file, passphrase)], "agent_path": None}
    except asyncssh.KeyEncryptionError:
        # The one reason that is not a passphrase: OpenSSH's own format needs a library that asyncssh does not ask for.
        importlib.import_module("bcrypt")
        raise
    except asyncssh.KeyImportError as error:
        if passphrase is not None or "passphrase" not in str(error).lower():
            raise
        if os.environ.get("SSH_AUTH_SOCK"):
            return {}
        raise asyncssh.KeyEncryptionError(str(error)) from None


def _known_hosts_files(target: Target) -> list[str]:
    return [os.path.expanduser(file) for file in (target.known_hosts or "~/.ssh/known_hosts").split()]


class _HostKeys:
    """Decides about a host key that known_hosts does not vouch for, and remembers why it was refused."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.refused: str | None = None
        self.offered = ""
        self.connection: asyncssh.SSHClientConnection | None = None

    @property
    def negotiating(self) -> bool:
        """Whether the device had greeted, and it was not yet agreed how to encrypt."""
        known = self.connection and self.connection.get_extra_info
        return bool(known and known("server_version") and not known("send_cipher"))

    def client(self) -> asyncssh.SSHClient:
        judge, keeper = self.judge, self

        class Client(asyncssh.SSHClient):
            def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
                keeper.connection = conn

            def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
                return judge(host, addr, port, key)

        return Client()

    def judge(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.offered = key.get_fingerprint()
        if self._has_other_key(host, addr, port):
            self.refused = "host_key_changed"
        elif self.target.host_key_auto_add:
            _remember(_known_hosts_files(self.target)[0], host, port, key)
        else:
            self.refused = "host_key_unknown"
        return self.refused is None

    def reason(self, target: Target) -> NotReached | None:
        """Why the host key was refused, if it was."""
        if self.refused is None:
            return None
        if self.refused == "host_key_changed":
            what = f"the SSH host key has changed; the device now offers {self.offered}"
            advice = (
                f"if the device was replaced, remove the old key (ssh-keygen -R {target.host}); "
                "if not, this may be a man-in-the-middle attack"
            )
        else:
            what = f"the SSH host key {self.offered} is not known"
            advice = (
                "compare it with the device (show ip ssh) and add it to known_hosts "
                f"(ssh-keyscan -p {target.port or 22} {target.host}), or set ansible_host_key_auto_add: true"
            )
        return NotReached(self.refused, what, host=target.name, state=NOTHING_SENT, advice=advice)

    def _has_other_key(self, host: str, addr: str, port: int) -> bool:
        files = [file for file in _known_hosts_files(self.target) if os.path.exists(file)]
        if not files:
            return False
        trusted = asyncssh.match_known_hosts(asyncssh.read_known_hosts(files), host, addr, port)[0]
        return bool(trusted)


def _remember(file: str, host: str, port: int, key: asyncssh.SSHKey) -> None:
    os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
    name = host if port == 22 else f"[{host}]:{port}"
    line = f"{name} {key.export_public_key().decode().strip()}\n"
    # One write in append mode: several workers may learn at the same time.
    with open(file, "a", encoding="ascii") as out:
        out.write(line)


Reason = tuple[type[Exception], str, str, str]
"""Kind of exception, code, what happened, what to do."""


def _not_connected(target: Target, error: Exception, keeper: _HostKeys) -> NotReached:
    """One sentence for everything that can go wrong before there is a terminal."""
    if isinstance(error, NotReached):
        return error
    where = f"{target.host} port {target.port or 22}"
    refused = keeper.reason(target)
    if refused:
        return refused
    # A device that finds no common algorithm may hang up before it is read what it offers.
    if isinstance(error, (asyncssh.ConnectionLost, ConnectionResetError)) and keeper.negotiating:
        error = asyncssh.KeyExchangeFailed("")
    elif isinstance(error, ConnectionResetError):
        error = asyncssh.ConnectionLost("")
    known = isinstance(error, OSError) and error.errno and error.errno > 0
    reason = os.strerror(error.errno) if known else type(error).__name__  # type: ignore[attr-defined]
    other: Reason = (Exception, "unreachable", f"{where} cannot be reached ({reason})", "")
    rows = (*_reasons(target, where, error), other)
    code, what, advice = next(row[1:] for row in rows if isinstance(error, row[0]))
    return NotReached(code, what, host=target.name, state=NOTHING_CHANGED, advice=advice)


def _reasons(target: Target, where: str, error: Exception) -> tuple[Reason, ...]:
    """The first one that fits counts."""
    ended = f"{where} ended the connection before the login. Are all its vty lines in use?"
    passphrase = "ansible_private_key_passphrase"
    return (
        (
            asyncssh.PermissionDenied,
            "auth_failed",
            f"the login was refused for user {target.user or 'of this account'}",
            "check ansible_user and ansible_password (or the key)",
        ),
        (
            asyncssh.KeyExchangeFailed,
            "unreachable",
            "the device offers only SSH algorithms that are switched off by default",
            "for an old IOS set vpnops_keys_ssh_legacy: true",
        ),
        (
            asyncssh.KeyEncryptionError,
            "bad_input",
            "the private key for the login is encrypted",
            f"set {passphrase}",
        ),
        (
            asyncssh.KeyImportError,
            "bad_input",
            "the private key for the login cannot be read",
            f"check its path, format and {passphrase}",
        ),
        (
            ImportError,
            "missing_library",
            "the private key for the login needs the Python library bcrypt on the control node",
            "install it (pip install bcrypt)",
        ),
        (
            asyncssh.ConfigParseError,
            "bad_input",
            "the SSH client configuration cannot be read",
            "check ~/.ssh/config",
        ),
        (
            asyncio.TimeoutError,
            "timeout",
            f"no SSH login at {where} within {target.connect_timeout:g} s. Is it up?",
            "",
        ),
        (TimeoutError, "timeout", f"{where} does not answer. Is it up?", ""),
        (
            FileNotFoundError,
            "bad_input",
            f"the login needs {getattr(error, 'filename', None)}, which does not exist",
            "",
        ),
        (
            ConnectionRefusedError,
            "unreachable",
            f"{where} refuses the connection. Is SSH on there, and the port right?",
            "",
        ),
        (ConnectionError, "unreachable", ended, ""),
        (asyncssh.Error, "unreachable", ended, ""),
    )
