# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what an inventory for `network_cli` says to how a device is reached. `OPTIONS` is the one table of it."""

from __future__ import annotations

import argparse
import os
import shlex
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...module_utils._errors import NOTHING_DONE, VpnKeysError
from .names import check_host, check_user


@dataclass(frozen=True)
class Option:
    """One thing that can be set: by the first of `variables` that is set, or by `ssh_option`, or by `fallback`."""

    name: str
    variables: tuple[str, ...]
    ssh_option: str = ""
    fallback: str = ""
    about: str = ""


OPTIONS = (
    Option(
        "host",
        ("ansible_host", "ansible_ssh_host"),
        "HostName",
        "inventory name",
        "address or name of the device",
    ),
    Option("port", ("ansible_port", "ansible_ssh_port"), "Port", "22, or ~/.ssh/config", "SSH port"),
    Option("user", ("ansible_user", "ansible_ssh_user"), "User", "-u, or ~/.ssh/config", "login name"),
    Option(
        "password",
        ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password"),
        "",
        "-k",
        "login password",
    ),
    Option(
        "key_file",
        ("ansible_ssh_private_key_file", "ansible_private_key_file"),
        "IdentityFile",
        "--private-key, else the SSH agent and the default key files",
        "private key for the login",
    ),
    Option(
        "key_passphrase",
        ("ansible_private_key_passphrase", "ansible_ssh_private_key_passphrase"),
        "",
        "none",
        "passphrase of that private key",
    ),
    Option(
        "become",
        ("ansible_become",),
        "",
        "become of the play or task, -b",
        "enter privileged mode with enable",
    ),
    Option("become_method", ("ansible_become_method",), "", "become_method of the play or task", "must be enable"),
    Option(
        "become_password",
        ("ansible_become_password", "ansible_become_pass", "ansible_enable_password"),
        "",
        "-K",
        "enable password",
    ),
    Option(
        "host_key_checking",
        (
            "ansible_host_key_checking",
            "ansible_ssh_host_key_checking",
            "ansible_libssh_host_key_checking",
            "ansible_paramiko_host_key_checking",
        ),
        "StrictHostKeyChecking",
        "host_key_checking of ansible.cfg",
        "refuse a host key that is unknown or has changed",
    ),
    Option(
        "host_key_auto_add",
        (
            "ansible_host_key_auto_add",
            "ansible_libssh_host_key_auto_add",
            "ansible_paramiko_host_key_auto_add",
        ),
        "",
        "false",
        "add an unknown host key (a changed one is still refused)",
    ),
    Option("known_hosts", (), "UserKnownHostsFile", "~/.ssh/known_hosts", "file with known host keys"),
    Option(
        "global_known_hosts",
        (),
        "GlobalKnownHostsFile",
        "/etc/ssh/ssh_known_hosts",
        "file with known host keys of all users",
    ),
    Option("host_key_alias", (), "HostKeyAlias", "~/.ssh/config", "name of the device in known_hosts"),
    Option(
        "proxy_command",
        ("ansible_libssh_proxy_command", "ansible_paramiko_proxy_command", "ansible_netconf_proxy_command"),
        "ProxyCommand",
        "~/.ssh/config",
        "command that connects to the device (%h, %p and %r are filled in)",
    ),
    Option("proxy_jump", (), "ProxyJump", "~/.ssh/config", "jump host"),
    Option(
        "kex",
        ("ansible_libssh_key_exchange_algorithms",),
        "KexAlgorithms",
        "asyncssh",
        "key exchange algorithms",
    ),
    Option(
        "host_key_algorithms",
        ("ansible_libssh_hostkeys",),
        "HostKeyAlgorithms",
        "asyncssh",
        "host key algorithms",
    ),
    Option(
        "public_key_algorithms",
        ("ansible_libssh_publickey_algorithms",),
        "PubkeyAcceptedAlgorithms",
        "asyncssh",
        "signature algorithms for the login key",
    ),
    Option("ciphers", ("ansible_libssh_ciphers",), "Ciphers", "asyncssh", "ciphers"),
    Option("macs", ("ansible_libssh_hmac",), "MACs", "asyncssh", "message authentication codes"),
    Option(
        "legacy",
        ("vpnops_keys_ssh_legacy",),
        "",
        "false",
        "also offer what IOS 15 needs: group14-sha1, ssh-rsa, CBC ciphers, hmac-sha1",
    ),
    Option(
        "connect_timeout",
        ("ansible_connect_timeout", "ansible_ssh_timeout"),
        "ConnectTimeout",
        "30",
        "seconds for connecting and logging in",
    ),
    Option(
        "command_timeout",
        ("ansible_command_timeout",),
        "",
        "30",
        "seconds without output after which a command fails",
    ),
)
SSH_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
"""Variables with OpenSSH arguments. -o NAME=VALUE, -J, -i, -l, -p and -F are understood; the rest is not ours."""

VARIABLES = frozenset(name for option in OPTIONS for name in option.variables) | frozenset(SSH_ARGUMENTS)


@dataclass(frozen=True)
class Target:
    """How one device is reached. Passwords are kept out of its repr."""

    name: str
    host: str
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    key_file: str | None = None
    key_passphrase: str | None = field(default=None, repr=False)
    become: bool = False
    become_password: str | None = field(default=None, repr=False)
    host_key_checking: bool = True
    host_key_auto_add: bool = False
    known_hosts: str | None = None
    global_known_hosts: str | None = None
    host_key_alias: str | None = None
    proxy_command: str | None = None
    proxy_jump: str | None = None
    config_file: str | None = None
    kex: str | None = None
    host_key_algorithms: str | None = None
    public_key_algorithms: str | None = None
    ciphers: str | None = None
    macs: str | None = None
    legacy: bool = False
    connect_timeout: float = 30.0
    command_timeout: float = 30.0
    refused: str = ""
    """The variable because of which there must be no session: the device itself set it, as a fact."""
    jump: bool = False
    """Whether it is a jump host before the device `name`."""


def read_target(name: str, variables: Mapping[str, t.Any], given: Mapping[str, t.Any]) -> Target:
    """`variables`: of the host, templated. `given`: what the command line, the play and ansible.cfg say (same names as
    in OPTIONS; also ssh_args). Raises VpnKeysError bad_input."""
    arguments = _ssh_arguments(name, [variables.get(key) for key in SSH_ARGUMENTS] + list(given.get("ssh_args", ())))
    values: dict[str, t.Any] = {}
    for option in OPTIONS:
        found = [variables[key] for key in option.variables if variables.get(key) not in (None, "")]
        from_ssh = arguments.get(option.ssh_option.lower()) if option.ssh_option else None
        value = found[0] if found else from_ssh if from_ssh is not None else given.get(option.name)
        if value not in (None, ""):
            values[option.name] = value
    become = _boolean(name, "ansible_become", values.pop("become", False))
    method = str(values.pop("become_method", "enable"))
    if become and method.rsplit(".", 1)[-1] != "enable":
        raise VpnKeysError(
            "bad_input",
            f"become_method is {method}, but IOS knows only enable",
            host=name,
            state=NOTHING_DONE,
            advice="set ansible_become_method: enable for this host",
        )
    for flag in ("host_key_auto_add", "legacy"):
        values[flag] = _boolean(name, flag, values.get(flag, False))
    checking = str(values.get("host_key_checking", True)).lower()
    values["host_key_auto_add"] = values["host_key_auto_add"] or checking == "accept-new"
    values["host_key_checking"] = checking in ("ask", "accept-new") or _boolean(name, "host_key_checking", checking)
    for number in ("connect_timeout", "command_timeout"):
        if number in values:
            values[number] = _number(name, number, values[number])
    if "port" in values:
        port = _number(name, "ansible_port", values["port"])
        if not 0 < port < 65536 or port != int(port):
            raise _bad(name, f"ansible_port is {port:g}, which is not a valid port")
        values["port"] = int(port)
    if key_file := values.get("key_file"):
        values["key_file"] = os.path.expanduser(str(key_file))
    values = {key: value if key in NOT_STRINGS else str(value) for key, value in values.items()}
    values.setdefault("host", name)
    check_host(name, "ansible_host" if values["host"] != name else "inventory name", values["host"])
    if "user" in values:
        check_user(name, "ansible_user", values["user"])
    return Target(name=name, become=become, config_file=arguments.get("configfile"), **values)


NOT_STRINGS = frozenset(
    ("port", "host_key_checking", "host_key_auto_add", "legacy", "connect_timeout", "command_timeout")
)


def _ssh_arguments(name: str, texts: list[t.Any]) -> dict[str, str]:
    """The ssh options in OpenSSH command-line arguments, by lower-case name; the first one wins, as in OpenSSH."""
    if not any(texts):
        return {}
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("-o", action="append", default=[])
    for flag, option in (
        ("-J", "proxyjump"),
        ("-i", "identityfile"),
        ("-l", "user"),
        ("-p", "port"),
        ("-F", "configfile"),
    ):
        parser.add_argument(flag, dest=option)
    options: dict[str, str] = {}
    for text in texts:
        if not text:
            continue
        try:
            known = parser.parse_known_args(shlex.split(str(text)))[0]
        except (ValueError, argparse.ArgumentError):
            raise _bad(name, "the SSH arguments cannot be read (is a quote not closed?)") from None
        found = {key: value for key, value in vars(known).items() if key != "o" and value is not None}
        for assignment in known.o:
            key, *value = assignment.strip().replace("=", " ", 1).split(" ", 1)
            found.setdefault(key.lower(), "".join(value).strip().strip('"'))
        for key, value in found.items():
            options.setdefault(key, value)
    return options


def _boolean(name: str, what: str, value: t.Any) -> bool:
    word = str(value).strip().lower()
    if word in ("true", "yes", "on", "1", "y", "t"):
        return True
    if word in ("false", "no", "off", "0", "n", "f", "", "none"):
        return False
    raise _bad(name, f"{what} is {value!r}; it must be true or false")


def _number(name: str, what: str, value: t.Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise _bad(name, f"{what} is {value!r}; it must be a number") from None


def _bad(name: str, what: str, advice: str = "") -> VpnKeysError:
    return VpnKeysError("bad_input", what, host=name, state=NOTHING_DONE, advice=advice)
