# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a Target to an SSH connection: what of ~/.ssh/config counts, through which hosts, and whose host keys.

asyncssh reads the configuration, once. What came out of it is checked before anything is started, and is what is used.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import logging
import os
import re
import socket
import typing as t
from contextlib import AsyncExitStack, suppress

from ...module_utils._errors import NOTHING_CHANGED, NOTHING_DONE, NOTHING_SENT, VpnKeysError
from .known_hosts import GLOBAL_FILES, USER_FILES, HostKeys, KnownHosts, Place, Unusable, revocations
from .names import check_command, check_host, check_user, fill
from .options import Target

try:
    import asyncssh
    from asyncssh.config import SSHClientConfig, SSHConfig
except ImportError:  # control_action names the missing library
    pass
else:
    # asyncssh skips options that it does not know. These two say whose host key is not believed, and for which hosts.
    for _option in ("KnownHostsCommand", "RevokedHostKeys"):
        SSHClientConfig._handlers.setdefault(_option.lower(), (_option, SSHConfig._set_string_list))
    # Its messages would land on stderr, where Ansible takes them for a plugin's mistake.
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)

LEGACY = {
    "kex_algs": "+diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1,diffie-hellman-group1-sha1",
    "server_host_key_algs": "+ssh-rsa",
    "signature_algs": "+ssh-rsa",
    "encryption_algs": "+aes256-cbc,aes192-cbc,aes128-cbc,3des-cbc",
    "mac_algs": "+hmac-sha1",
}
"""What IOS 15 offers and today's SSH clients have switched off (seen: a device with only these)."""

ALWAYS: dict[str, t.Any] = {
    "agent_forwarding": False,  # ForwardAgent
    "x11_forwarding": False,  # ForwardX11Trusted
    "command": None,  # RemoteCommand
    "subsystem": None,
    "env": None,  # SetEnv
    "send_env": None,  # SendEnv
    "request_pty": True,  # RequestTTY
    "gss_delegate_creds": False,  # GSSAPIDelegateCredentials
    "client_host_keysign": False,  # EnableSSHKeySign
    "compression_algs": None,  # Compression: what a device sends must not grow here
    "canonicalize_hostname": False,  # the names of known_hosts are those that were checked
}
"""Options of asyncssh that no configuration changes, for devices and for jump hosts. It has none of LocalCommand,
LocalForward, RemoteForward, DynamicForward and Tunnel."""

MOST_JUMPS = 8


class NotReached(VpnKeysError):
    """There was no session to do anything in: what Ansible calls unreachable, unless it is a question of rights."""


class Way:
    """The connections to one device, and to the jump hosts before it; `close` closes them in reverse order."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._stack = AsyncExitStack()

    async def open(self) -> asyncssh.SSHClientConnection:
        """The connection to the device. Raises VpnKeysError with the reason in one sentence."""
        return await self._open(self.target, None, 0)

    async def close(self) -> None:
        await self._stack.aclose()

    async def _open(
        self, target: Target, tunnel: asyncssh.SSHClientConnection | None, jumps: int
    ) -> asyncssh.SSHClientConnection:
        keys = None
        try:
            options = await asyncio.get_running_loop().run_in_executor(None, functools.partial(_resolved, target))
            proxy = _checked(target, options)
            revoked = _revoked(target, options)
            keys = HostKeys(_known_hosts(target, options, revoked), target.host_key_auto_add, revoked)
            if tunnel is None and isinstance(options.tunnel, str):
                tunnel = await self._jump(options.tunnel, jumps)
            connection = await asyncssh.connect(
                options.host,
                options.port,
                tunnel=tunnel,
                family=options.family,
                local_addr=options.local_addr,
                config=None,
                options=options,
                reload=False,
                final=False,
                proxy_command=proxy,
                **keys.options,
            )
        except VpnKeysError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a library raises ends in one sentence
            raise not_connected(target, error, keys) from None
        self._stack.push_async_callback(_close, connection)
        return connection

    async def _jump(self, hosts: str, jumps: int) -> asyncssh.SSHClientConnection:
        """Through the hosts of a ProxyJump, each by what the configuration says about it."""
        through: asyncssh.SSHClientConnection | None = None
        for host in [_jump_host(self.target, text) for text in hosts.split(",")]:
            jumps += 1
            if jumps > MOST_JUMPS:
                what = f"ProxyJump leads through more than {MOST_JUMPS} hosts, or in a circle"
                raise _bad(self.target, what, "check ProxyJump in ~/.ssh/config")
            through = await self._open(host, through, jumps)
        if through is None:
            raise RuntimeError("ProxyJump names no host")
        return through


async def _close(connection: asyncssh.SSHClientConnection) -> None:
    connection.close()
    with suppress(Exception):
        await asyncio.wait_for(connection.wait_closed(), 2.0)


_JUMP = re.compile(r"(?:ssh://)?(?:(?P<user>.*)@)?(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>[0-9]{1,5}))?/?", re.DOTALL)


def _jump_host(target: Target, text: str) -> Target:
    """[user@]host[:port] or an ssh:// URI. Of the device's own settings nothing counts for a jump host."""
    found = _JUMP.fullmatch(text.strip())
    if not found:
        raise _bad(target, "ProxyJump cannot be read", "use [user@]host[:port]")
    host = found["host"].removeprefix("[").removesuffix("]")
    check_host(target.name, "jump host", host)
    if found["user"] is not None:
        check_user(target.name, "user of the jump host", found["user"])
    return Target(
        target.name,
        host,
        port=int(found["port"]) if found["port"] else None,
        user=found["user"],
        config_file=target.config_file,
        connect_timeout=target.connect_timeout,
        jump=True,
    )


def _bad(target: Target, what: str, advice: str = "") -> VpnKeysError:
    return VpnKeysError("bad_input", what, host=target.name, state=NOTHING_DONE, advice=advice)


# -- what the configuration says -----------------------------------------------------------------------------


def _resolved(target: Target) -> asyncssh.SSHClientConnectionOptions:
    """All options, with what ~/.ssh/config says for this host. No file of it is read again after this."""
    options = asyncssh.SSHClientConnectionOptions(host=target.host, **{"config": ()} | _options(target))
    if options.config.has_match_final():
        options.update(host=target.host, reload=True, final=True)
    return options


def _options(target: Target) -> dict[str, t.Any]:
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
            "host_key_alias": target.host_key_alias,
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
    if target.proxy_command or (target.proxy_jump or "").lower() == "none":
        options["tunnel"] = None
    return (
        options
        | ALWAYS
        | {"connect_timeout": target.connect_timeout, "login_timeout": target.connect_timeout, "keepalive_interval": 15}
    )


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


def _checked(target: Target, options: asyncssh.SSHClientConnectionOptions) -> list[str] | None:
    """The command to connect by, if any. Nothing goes on with a name that OpenSSH would not take."""
    jump = "jump host" if target.jump else "host name"
    check_host(target.name, jump, options.host)
    check_user(target.name, f"user of the {jump}" if target.jump else "user", options.username)
    if options.config.get("CanonicalizeHostname") and options.config.get("CanonicalDomains"):
        what = "CanonicalizeHostname of ~/.ssh/config is not supported"
        raise _bad(target, what, "set HostName, or ansible_host to the full name")
    if options.config.get("KnownHostsCommand"):
        what = "KnownHostsCommand of ~/.ssh/config is not supported, as no local command is run for host keys"
        raise _bad(target, what, "set it to none for this host, and write its key into known_hosts")
    if options.tunnel or (target.proxy_command or "").lower() == "none":
        return None
    command = list(options.proxy_command or ())
    if target.proxy_command:
        values = {"h": options.host, "p": str(options.port), "r": options.username}
        command = ["/bin/sh", "-c", f"exec {fill(target.proxy_command, values)}"]
    check_command(target.name, options.username, " ".join(command))
    return command or None


def _place(target: Target, options: asyncssh.SSHClientConnectionOptions) -> Place:
    return Place(target.host, options.host, options.port, options.username, options.host_key_alias or "")


def _revoked(target: Target, options: asyncssh.SSHClientConnectionOptions) -> str:
    """The keys that no host may have, as lines of known_hosts."""
    place = _place(target, options)
    try:
        return revocations([place.expanded(file) for file in _files(None, options.config.get("RevokedHostKeys", []))])
    except Unusable as error:
        advice = "give RevokedHostKeys in ~/.ssh/config a text file with a public key on each line"
        raise _bad(target, str(error), advice) from None


def _known_hosts(
    target: Target, options: asyncssh.SSHClientConnectionOptions, revoked: str
) -> KnownHosts | None:
    """None where any key is taken."""
    if not target.host_key_checking:
        return None
    config = options.config
    user = _files(target.known_hosts, config.get("UserKnownHostsFile", USER_FILES))
    of_machine = _files(target.global_known_hosts, config.get("GlobalKnownHostsFile", GLOBAL_FILES))
    try:
        return KnownHosts(_place(target, options), user, of_machine, revoked)
    except Unusable as error:
        raise _bad(target, str(error), "check UserKnownHostsFile and GlobalKnownHostsFile") from None


def _files(said: str | None, configured: t.Any) -> tuple[str, ...]:
    files = said.split() if said else configured
    return () if [one.lower() for one in files] == ["none"] else tuple(files)


# -- why not -------------------------------------------------------------------------------------------------

Reason = tuple[type[Exception], str, str, str]
"""Kind of exception, code, what happened, what to do."""


def not_connected(target: Target, error: Exception, keys: HostKeys | None) -> NotReached:
    """One sentence for everything that can go wrong before there is a terminal."""
    where = f"{'jump host ' if target.jump else ''}{target.host} port {target.port or 22}"
    if keys and keys.refused:
        what, advice = keys.reason(target.host, target.port or 22)
        what = f"{where}: {what}" if target.jump else what
        return NotReached(keys.refused, what, host=target.name, state=NOTHING_SENT, advice=advice)
    if isinstance(error, asyncssh.KeyExchangeFailed) and "host key" in str(error) and keys and keys.by_authority:
        error = asyncssh.HostKeyNotVerifiable("")
    # A device that finds no common algorithm may hang up before it is read what it offers.
    if isinstance(error, (asyncssh.ConnectionLost, ConnectionResetError)) and keys and keys.negotiating:
        error = asyncssh.KeyExchangeFailed("")
    elif isinstance(error, ConnectionResetError):
        error = asyncssh.ConnectionLost("")
    known = isinstance(error, OSError) and error.errno and error.errno > 0
    reason = os.strerror(error.errno) if known else type(error).__name__  # type: ignore[attr-defined]
    other: Reason = (Exception, "unreachable", f"{where} is unreachable ({reason})", "")
    rows = (*_of_login(target, where, error), *_of_network(target, where, error), other)
    code, what, advice = next(row[1:] for row in rows if isinstance(error, row[0]))
    return NotReached(code, what, host=target.name, state=NOTHING_CHANGED, advice=advice)


def _of_login(target: Target, where: str, error: Exception) -> tuple[Reason, ...]:
    """The first one that fits counts."""
    passphrase = "ansible_private_key_passphrase"
    return (
        (
            asyncssh.PermissionDenied,
            "auth_failed",
            f"the login was refused for user {target.user or 'of this account'}",
            "check ansible_user and ansible_password (or the key)",
        ),
        (
            asyncssh.HostKeyNotVerifiable,
            "host_key_unknown" if "not trusted" in str(error) else "host_key_changed",
            f"the SSH host key of {where} is revoked, or not certified by the authority in known_hosts",
            "this may be a man-in-the-middle attack; check known_hosts and RevokedHostKeys",
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
    )


def _of_network(target: Target, where: str, error: Exception) -> tuple[Reason, ...]:
    """The first one that fits counts, behind those of the login."""
    ended = f"{where} ended the connection before the login. Are all its vty lines in use?"
    return (
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
            socket.gaierror,
            "unreachable",
            f"the name {target.host} cannot be resolved",
            "check ansible_host and the name servers",
        ),
        (
            ConnectionRefusedError,
            "unreachable",
            f"{where} refuses the connection. Is SSH enabled, and is the port correct?",
            "",
        ),
        (ConnectionError, "unreachable", ended, ""),
        (asyncssh.Error, "unreachable", ended, ""),
    )
