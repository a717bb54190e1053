# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of a gateway with NetworkManager: a profile. PRIVATE to the collection.

NetworkManager keeps what it has read: until it is told to read the file again, it would start the interface with, and
save over the file, what that said before. What runs it leaves alone, but for one thing: when the name of an endpoint
gets another address, it gives the interface all peers that it has started it with, also those that were removed.
"""

from __future__ import annotations

import glob
import os
import re
import typing as t
from dataclasses import replace

from ...._errors import NOTHING_CHANGED, VpnKeysError
from ... import commands, files
from .. import boot, services
from ..record import NOWHERE, Backend, Found, Record, Unanalyzed
from ..sections import INTERFACE
from ..wg_quick import hooks
from . import config

NAME = "NetworkManager"
RUN, ETC, LIB = (f"{where}/{NAME}/system-connections" for where in ("/run", "/etc", "/usr/lib"))
DIRECTORIES = (RUN, ETC, LIB)
"""Of several profiles with a UUID, the one in the first of them counts."""
CONFIGURATION = tuple(
    f"{where}/{NAME}/{names}"
    for where, names in (("/usr/lib", "conf.d/*.conf"), ("/etc", "NetworkManager.conf"), ("/run", "conf.d/*.conf"),
                         ("/etc", "conf.d/*.conf"))
)  # fmt: skip
DISPATCHED = tuple(f"{where}/{NAME}/dispatcher.d/{names}" for where in ("/etc", "/usr/lib") for names in ("*", "*.d/*"))
UNIT = f"{NAME}.service"
_SUFFIX = ".nmconnection"
_IGNORED = re.compile(r"\.|.*(?:~|\.pem|\.nmmeta|\.[A-Za-z0-9]{6})\Z")
"""Names of files beside the profiles. In /etc, a profile may have any other one."""
_NOT_RUNNING = 8
OWNER = 0
"""To whom a profile has to belong."""


class Candidate(t.NamedTuple):
    """A profile for the interface."""

    path: str
    profile: config.Profile
    read: bool

    @property
    def identity(self) -> str:
        return self.profile.uuid or self.path


# ---- which files


def there(interface: str) -> Found | None:
    """The profile that sets up the interface, None where none does."""
    found = _candidates(interface)
    return Found(found[0].path, found[0].profile.line) if found else None


def starts(interface: str) -> bool:
    """As Backend.starts has it."""
    return services.starts_at_boot(UNIT) and any(one.profile.autoconnect for one in _candidates(interface))


def _candidates(interface: str) -> list[Candidate]:
    """The profiles for an interface, first those that count more."""
    found: list[tuple[tuple[float, ...], Candidate]] = []
    for place, directory in enumerate(DIRECTORIES):
        for path in sorted(glob.glob(os.path.join(glob.escape(directory), "*"))):
            if _is_profile(path) and (profile := config.profile(files.read(path) or "")).interface == interface:
                one = Candidate(path, profile, _is_read(path))
                rank = (not one.read, not profile.autoconnect, place, -os.stat(path).st_mtime)
                found.append((rank, one))
    return [one for _rank, one in sorted(found, key=lambda ranked: ranked[0])]


def _is_profile(path: str) -> bool:
    name = os.path.basename(path)
    named = name.endswith(_SUFFIX) or os.path.dirname(path) == ETC
    return named and not _IGNORED.match(name) and os.path.isfile(path)


def _is_read(path: str) -> bool:
    """Whether NetworkManager does not refuse a file because of who may read it."""
    status = os.stat(path)
    return status.st_uid == OWNER and not status.st_mode & 0o077


# ---- what they say


def read(path: str, interface: str) -> Record:
    """Raises VpnKeysError(unreadable)."""
    text = files.read(path) or ""
    blocks = config.parse(text, path)
    if not any(block.kind == INTERFACE for block in blocks):
        raise VpnKeysError("unreadable", f"{path} has no [wireguard]", state=NOTHING_CHANGED)
    why = services.why_fixed(os.path.realpath(path))
    effects = hooks.effects((), interface, hooks.Files(boot.script, boot.unit_files), boot.unit_files(UNIT), UNIT)
    record = Record(BACKEND, interface, path, {"": text}, blocks, fixed={path: why} if why else {}, key=effects.key)
    unanalyzed = [
        *_of_place(record),
        *_of_lines(record),
        *_of_others(record),
        *_of_configuration(interface),
        *services.not_started(UNIT),
        *boot.of_others(interface, path, BACKEND.name),
        *services.beside(UNIT, effects, config.SYNTAX),
        *services.dispatched(interface, DISPATCHED, config.SYNTAX),
    ]
    return replace(record, unanalyzed=tuple(unanalyzed))


def _of_place(record: Record) -> t.Iterator[Unanalyzed]:
    path = record.path
    if path in record.fixed:
        yield Unanalyzed(f"which {record.fixed[path]}", services.instead(path, record.interface, ETC, "a profile"))
    elif not _is_read(path):
        yield Unanalyzed("which NetworkManager does not read", "let it belong to root, with mode 0600")
    for directory in DIRECTORIES:
        hiding = os.path.join(directory, f"{config.profile(record.texts['']).uuid}.nmmeta")
        if os.path.realpath(hiding) == os.devnull:
            yield Unanalyzed(f"which NetworkManager does not read because of {hiding}", f"remove {hiding}")


def _of_lines(record: Record) -> t.Iterator[Unanalyzed]:
    for doubt in config.doubts(record.blocks):
        yield Unanalyzed(doubt.what, doubt.advice, (doubt.key,) if doubt.key else ())
    number = config.first(record.blocks, "match")
    if number:
        yield Unanalyzed(f"line {number} has a condition for the file, which cannot be analyzed", "take [match] out")
    number = config.first(record.blocks, "connection", "permissions")
    if number:
        what = f"line {number} lets it start only when a user has logged in"
        yield Unanalyzed(what, "take that line out")
    if record.place.how == NOWHERE:
        what = f"which gives no private key, so NetworkManager does not start {record.interface}"
        yield Unanalyzed(what, f"write `{BACKEND.key_line}` into it")


def _of_others(record: Record) -> t.Iterator[Unanalyzed]:
    """Of further profiles for the interface."""
    mine, *others = _candidates(record.interface)
    for other in others:
        if other.identity != mine.identity or os.path.dirname(other.path) == os.path.dirname(mine.path):
            what = f"line {other.profile.line} sets up {record.interface}, too"
            yield Unanalyzed(what, f"leave one of {record.path} and that file", file=other.path)


def _of_configuration(interface: str) -> t.Iterator[Unanalyzed]:
    for file, text in boot.texts(CONFIGURATION):
        for number, what in config.in_the_way(text, interface, ETC):
            yield Unanalyzed(f"line {number} {what}", "take that out", file=file)


# ---- the service


def load(path: str) -> str:
    """Let NetworkManager read the file again. What runs stays as it is. Returns why it does not, a clause."""
    try:
        done = commands.attempt("nmcli", "connection", "load", path)
    except VpnKeysError as error:
        return f"NetworkManager has not read {path} again: {error.what}"
    if done.code == _NOT_RUNNING or not (done.code or done.complaint):  # it ends with 0 where the file was refused
        return ""
    return f"NetworkManager has not read {path} again: {done.complaint or f'nmcli ended with {done.code}'}"


def forget(interface: str) -> None:
    """Let NetworkManager start over with the peers of the file. What it does not have any more, it does not add again;
    but if it had more, all sessions end. Raises VpnKeysError(refused)."""
    done = commands.attempt("nmcli", "device", "reapply", interface)
    if done.code not in (0, _NOT_RUNNING):
        what = f"NetworkManager may add removed peers to {interface} again: nmcli device reapply failed"
        raise VpnKeysError("refused", f"{what}: {done.complaint}.", advice="run `nmcli connection up ID`")


# ---- a second interface


def in_the_way(record: Record, bridge: str) -> list[str]:
    """As Backend.in_the_way has it."""
    found = []
    if config.sets_table(record.blocks):
        found.append(
            f"{record.path} sets route-table or fwmark, so its routes are not in the main table; use the strategy "
            f"in_place."
        )
    zone = config.first(record.blocks, "connection", "zone")
    if zone:
        found.append(
            f"{record.path}, line {zone} puts {record.interface} into a zone of firewalld, in which the second "
            f"interface would not be; use the strategy in_place."
        )
    other = there(bridge)
    if other:
        found.append(
            f"{other.path}, line {other.line} is for {bridge}, so NetworkManager would set up the second interface; "
            f"remove it, or use the strategy in_place."
        )
    return found


BACKEND = Backend(
    name=NAME,
    start="nmcli connection up ID",
    hidden="lets an agent keep the own key; change it to `private-key=KEY` and `private-key-flags=0`",
    key_line="private-key=KEY",
    there=there,
    read=read,
    key_place=config.key_place,
    table=config.table,
    in_the_way=in_the_way,
    starts=starts,
    load=load,
    remembers=config.names_an_endpoint,
    forget=forget,
)
