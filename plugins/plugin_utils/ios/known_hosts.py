# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose host key is believed: what the known_hosts files of the user and of the machine say, as OpenSSH reads them."""

from __future__ import annotations

import functools
import getpass
import hashlib
import os
import re
import socket
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

try:
    import asyncssh
except ImportError:  # control_action names the missing library
    pass

USER_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
GLOBAL_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
"""Where OpenSSH looks if UserKnownHostsFile and GlobalKnownHostsFile say nothing."""

# The names of a line, behind its marker. Hashed ones are made of names in lower case already.
_NAMES = re.compile(r"^([ \t]*(?:@\S+[ \t]+)?)([^\s|#@]\S*)", re.MULTILINE)
# What known_hosts would take for a pattern, a list, a hash, a marker or a comment.
_NO_NAME = re.compile(r"[^!-~]|[*?!,|#@]")
_TOKEN = re.compile(r"%(.)")
_ENVIRONMENT = re.compile(r"\$\{([^}]*)\}")


KRL = "SSHKRL\n\0"
"""How a key revocation list of ssh-keygen begins."""


class Unusable(ValueError):
    """A known_hosts file that cannot be read or named. The text is a sentence about it."""


class NoRevocations(Unusable):
    """The same of a file of RevokedHostKeys: then nobody is believed, as with OpenSSH."""


@dataclass(frozen=True)
class Place:
    """What the tokens in the names of known_hosts files stand for."""

    original: str
    host: str
    port: int
    user: str
    alias: str

    def expanded(self, file: str) -> str:
        """The path of a file: `~`, `${VARIABLE}` and the tokens of UserKnownHostsFile. Raises Unusable."""
        try:
            file = _ENVIRONMENT.sub(lambda found: os.environ[found[1]], file)
            file = _TOKEN.sub(lambda found: self._tokens[found[1]], file)
        except KeyError as error:
            raise Unusable(f"the name of the known_hosts file {file} has {error}, which is not defined") from None
        return os.path.expanduser(file)

    @functools.cached_property
    def _tokens(self) -> Mapping[str, str]:
        machine = socket.gethostname()
        port = str(self.port)
        connection = hashlib.sha1(f"{machine}{self.host}{port}{self.user}".encode(), usedforsecurity=False)
        return {
            "%": "%",
            "C": connection.hexdigest(),
            "d": os.path.expanduser("~"),
            "h": self.host,
            "i": str(os.getuid()),
            "k": self.alias or self.host,
            "L": machine.partition(".")[0],
            "l": machine,
            "n": self.original,
            "p": port,
            "r": self.user,
            "u": getpass.getuser(),
        }


class KnownHosts:
    """The files of one host. `name` is what it is looked up by: its HostKeyAlias, or the name it is reached by."""

    def __init__(
        self, place: Place, user_files: Sequence[str], global_files: Sequence[str], revoked: str = ""
    ) -> None:
        self.revoked = revoked
        self.name = (place.alias or place.host).lower()
        self._alias = place.alias
        user = [place.expanded(file) for file in user_files]
        self.first = user[0] if user else None
        """Where a new key is remembered."""
        self._texts = {file: _text(file) for file in (*user, *map(os.path.expanduser, global_files))}

    @property
    def all(self) -> asyncssh.SSHKnownHosts:
        """What every file says, with names in lower case, and which keys are revoked for all hosts."""
        return _parsed("\n".join((*self._texts.values(), self.revoked)))

    def recorded_in(self, address: str, port: int) -> str | None:
        """The first file that records another key for the host, or who certifies its keys."""
        # OpenSSH hashes an alias as it is written.
        names = {self.name, self._alias or self.name}
        for file, text in self._texts.items():
            if any(_is_recorded(_parsed(text), name, address, port) for name in names):
                return file
        return None

    def entry(self, port: int) -> str:
        """The name to remember a key under. Raises Unusable."""
        if _NO_NAME.search(self.name):
            raise Unusable(f"{self.name!r} cannot be a name in known_hosts")
        return self.name if self._alias or port == 22 else f"[{self.name}]:{port}"


def _matching(known: asyncssh.SSHKnownHosts, name: str, address: str, port: int) -> tuple[t.Any, ...]:
    """Keys, authorities, then what is revoked and X.509: as asyncssh sorts it."""
    return asyncssh.match_known_hosts(known, name, address, None if port == 22 else port)


def _is_recorded(known: asyncssh.SSHKnownHosts, name: str, address: str, port: int) -> bool:
    keys, authorities, _revoked, certificates, _revoked_certificates, subjects, *dummy = _matching(
        known, name, address, port
    )
    return bool(keys or authorities or certificates or subjects)


@functools.lru_cache(maxsize=32)
def _parsed(text: str) -> asyncssh.SSHKnownHosts:
    """All hosts of a fleet ask the same files."""
    return asyncssh.import_known_hosts(text)


def _text(file: str) -> str:
    """Nothing where there is no file. Raises Unusable."""
    try:
        with open(file, encoding="utf-8") as lines:
            text = lines.read()
        text = _NAMES.sub(lambda found: found[1] + found[2].lower(), text)
        _parsed(text)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError):
        raise Unusable(f"the known_hosts file {file} cannot be read") from None
    return text


def revocations(files: Sequence[str]) -> str:
    """Files of RevokedHostKeys, with a public key on each line, as lines of known_hosts. Raises NoRevocations."""
    return "".join(f"@revoked * {key}\n" for file in files for key in _revoked_keys(file))


def _revoked_keys(file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8") as lines:
            text = lines.read()
        if text.startswith(KRL):
            raise NoRevocations(f"{file} of RevokedHostKeys is a key revocation list, which cannot be read here")
        keys = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
        return [asyncssh.import_public_key(key).export_public_key().decode().strip() for key in keys]
    except NoRevocations:
        raise
    except (OSError, ValueError):
        raise NoRevocations(f"{file} of RevokedHostKeys cannot be read") from None


class HostKeys:
    """Decides about a host key that known_hosts does not vouch for, and remembers why it was refused.

    `known` is None where any key is taken but those that are `revoked`: lines of known_hosts.
    """

    def __init__(self, known: KnownHosts | None, learn: bool, revoked: str = "") -> None:
        self.known, self._learn, self._revoked = known, learn, revoked
        self.refused: str | None = None
        self.offered = self.file = self._unusable = ""
        self.connection: asyncssh.SSHClientConnection | None = None

    @property
    def options(self) -> dict[str, t.Any]:
        """For asyncssh."""
        if self.known is None:
            # Without known hosts asyncssh would not look for revoked ones either.
            known = _parsed(self._revoked) if self._revoked else None
            return {"client_factory": self._client, "known_hosts": known}
        return {"client_factory": self._client, "known_hosts": self.known.all, "host_key_alias": self.known.name}

    @property
    def negotiating(self) -> bool:
        """Whether the device had greeted, and it was not yet agreed how to encrypt."""
        known = self.connection and self.connection.get_extra_info
        return bool(known and known("server_version") and not known("send_cipher"))

    @property
    def by_authority(self) -> bool:
        """Whether known_hosts says who certifies the keys of the host, and no key of its own."""
        if self.known is None or self.connection is None:
            return False
        address, port = (self.connection.get_extra_info("peername") or ("", 0))[:2]
        keys, authorities, *dummy = _matching(self.known.all, self.known.name, address, port)
        return bool(authorities and not keys)

    def _client(self) -> asyncssh.SSHClient:
        judge, keeper = self._judge, self

        class Client(asyncssh.SSHClient):
            def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
                keeper.connection = conn

            def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
                return judge(addr, port, key)

        return Client()

    def _judge(self, address: str, port: int, key: asyncssh.SSHKey) -> bool:
        if self.known is None:
            return True
        self.offered = key.get_fingerprint()
        file = self.known.recorded_in(address, port)
        if file:
            self.refused, self.file = "host_key_changed", file
        elif not self._learn:
            self.refused = "host_key_unknown"
        else:
            try:
                _remember(self.known, port, key)
            except (Unusable, OSError) as error:
                self.refused = "host_key_unknown"
                self._unusable = str(error) if isinstance(error, Unusable) else os.strerror(error.errno or 0)
        return self.refused is None

    def reason(self, host: str, port: int) -> tuple[str, str]:
        """Why the host key was refused, and what to do."""
        if self.refused == "host_key_changed":
            what = f"the SSH host key has changed; the device now offers {self.offered}"
            advice = (
                f"if the device was replaced, remove the old key (ssh-keygen -R {_quoted_entry(host, port)} "
                f"-f {self.file}); if not, this may be a man-in-the-middle attack"
            )
        elif self._unusable:
            what = f"the SSH host key {self.offered} cannot be remembered ({self._unusable})"
            advice = "check UserKnownHostsFile"
        else:
            what = f"the SSH host key {self.offered} is not known"
            advice = (
                f"compare it with the device (show ip ssh) and add it to known_hosts (ssh-keyscan -p {port} {host}), "
                "or set ansible_host_key_auto_add: true"
            )
        return what, advice


def _quoted_entry(host: str, port: int) -> str:
    return host if port == 22 else f"'[{host}]:{port}'"


def _remember(known: KnownHosts, port: int, key: asyncssh.SSHKey) -> None:
    """One write in append mode: several workers may learn at the same time."""
    if known.first is None:
        raise Unusable("UserKnownHostsFile is none")
    line = f"{known.entry(port)} {key.export_public_key().decode().strip()}\n"
    os.makedirs(os.path.dirname(known.first) or ".", mode=0o700, exist_ok=True)
    with open(known.first, "a+", encoding="utf-8") as out:
        out.write(f"\n{line}" if _is_open_ended(known.first) else line)


def _is_open_ended(file: str) -> bool:
    """Whether the last line has no end."""
    with open(file, "rb") as there:
        if not there.seekable() or there.seek(0, os.SEEK_END) == 0:
            return False
        there.seek(-1, os.SEEK_END)
        return there.read(1) != b"\n"
