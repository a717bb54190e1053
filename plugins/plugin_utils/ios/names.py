# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names of hosts and users an SSH client takes. They end up in command lines, in shells and in known_hosts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from ...module_utils._errors import NOTHING_DONE, VpnKeysError
from ...module_utils._printable import printable

# As valid_hostname() and valid_ruser() of OpenSSH's ssh.c. Besides, nothing in a host name may be a pattern or a marker
# in known_hosts.
_NO_HOST = re.compile(r"""-|.*?['`"$\\;&<>|(){}\s*?!,#@]""", re.DOTALL)
_NO_USER = re.compile(r"""-|.*?['`";&<>|(){}]|.*?\s-|.*?\\\Z""", re.DOTALL)
_NO_USER_IN_SHELL = re.compile(r".*?[$\\]", re.DOTALL)
_TOKEN = re.compile(r"%([hpr%])")

_HOST_RULE = "it must not begin with '-' or have spaces or any of ' ` \" $ \\ ; & < > | ( ) { } * ? ! , # @"
_USER_RULE = "it must not begin with '-', end with '\\', or have any of ' ` \" ; & < > | ( ) { }, or '-' after a space"


def check_host(name: str, what: str, host: str) -> None:
    """`name`: the host of the inventory; `what`: where the host name comes from. Raises VpnKeysError bad_input."""
    if not host or not host.isprintable() or _NO_HOST.match(host):
        raise _refused(name, what, host, "is not a valid host name", _HOST_RULE)


def check_user(name: str, what: str, user: str) -> None:
    """As check_host, for the user of a login."""
    if not user or not user.isprintable() or _NO_USER.match(user):
        raise _refused(name, what, user, "is not a valid user name", _USER_RULE)


def check_command(name: str, user: str, command: str) -> None:
    """A user name that a shell could still read something else in must not be part of a command."""
    if _NO_USER_IN_SHELL.match(user) and user in command:
        raise _refused(name, "user", user, "cannot be part of a ProxyCommand", "leave %r out of it")


def fill(command: str, values: Mapping[str, str]) -> str:
    """A ProxyCommand with its tokens h, p and r filled in, each as one word of a shell."""
    return _TOKEN.sub(lambda found: "%" if found[1] == "%" else shlex.quote(values[found[1]]), command)


def _refused(name: str, what: str, said: str, fault: str, advice: str) -> VpnKeysError:
    return VpnKeysError(
        "bad_input", f'{what} "{printable(said, 80)}" {fault}', host=name, state=NOTHING_DONE, advice=advice
    )
