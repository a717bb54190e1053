# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of a gateway with systemd-networkd: a `.netdev` file with its drop-ins. PRIVATE to the collection.

At each of its own starts, systemd-networkd makes the interface what its files say, with no peer beside them. Nothing
has to be reloaded: the running interface is changed as with any other backend, and `networkctl reload` does not look
at the peers of an interface that is there, or drops them, as the version of systemd has it.
"""

from __future__ import annotations

import glob
import grp
import os
import pwd
import typing as t
from dataclasses import replace

from ...._errors import NOTHING_CHANGED, VpnKeysError
from ... import files
from .. import boot, services
from ..record import IN_FILE, NOWHERE, Backend, Found, Record, Unanalyzed
from ..sections import INTERFACE, PEER, STAGED, WITHDRAWN, Block, public_key
from ..wg_quick import hooks
from . import config

ETC = "/etc/systemd/network"
DIRECTORIES = (ETC, "/run/systemd/network", "/usr/local/lib/systemd/network", "/usr/lib/systemd/network")
"""The first of them that has a file of a name counts."""
DISPATCHED = "/etc/networkd-dispatcher/*.d/*"
UNIT = "systemd-networkd.service"
USER = "systemd-network"
PROTECTED = ("/root/", "/home/", "/run/user/")
"""Empty for the service, whatever is there: ProtectHome of its unit."""
_READABLE = f"put it into {ETC}, let it belong to root:{USER}, with mode 0640"


# ---- which files


def there(interface: str) -> Found | None:
    """The first file that sets up the interface, None where none does."""
    return next(_all_for(interface), None)


def _all_for(interface: str) -> t.Iterator[Found]:
    for path in _listed("", ".netdev"):
        said = config.sets_up(_texts(path))
        if said.name == interface:
            yield Found(path, said.line, said.file)


def _listed(directory: str, suffix: str) -> list[str]:
    """The files in a directory below those of systemd-networkd, in its order. One that is empty hides the others."""
    found: dict[str, str] = {}
    for where in reversed(DIRECTORIES):
        for path in glob.glob(os.path.join(where, glob.escape(directory), f"*{suffix}")):
            found[os.path.basename(path)] = path
    return [found[name] for name in sorted(found) if os.path.isfile(found[name]) and os.path.getsize(found[name])]


def _texts(path: str) -> dict[str, str]:
    """The texts of a file, as "", and of its drop-ins."""
    drop_ins = _listed(f"{os.path.basename(path)}.d", ".conf")
    return {"" if file == path else file: files.read(file) or "" for file in (path, *drop_ins)}


# ---- what they say


def read(path: str, interface: str) -> Record:
    """Raises VpnKeysError(unreadable)."""
    texts = _texts(path)
    blocks: list[Block] = []
    for file, text in texts.items():
        blocks += [replace(block, file=file) for block in config.parse(text, file or path)]
    if not any(block.kind == INTERFACE for block in blocks):
        raise VpnKeysError("unreadable", f"{path} has no [WireGuard]", state=NOTHING_CHANGED)
    blocks, without_psk = _with_psk(blocks)
    effects = hooks.effects((), interface, hooks.Files(boot.script, boot.unit_files), boot.unit_files(UNIT), UNIT)
    place = config.key_place(blocks, interface)
    written = [*(file or path for file in texts), *([place.path] if place.how == IN_FILE else ())]
    fixed = {file: why for file in written if (why := services.why_fixed(os.path.realpath(file)))}
    record = Record(BACKEND, interface, path, texts, blocks, fixed=fixed, key=effects.key)
    unanalyzed = [
        *_of_places(record),
        *_of_lines(record),
        *_of_service(path, interface),
        *without_psk,
        *boot.of_others(interface, path, BACKEND.name),
        *services.beside(UNIT, effects, config.SYNTAX),
        *services.dispatched(interface, [DISPATCHED], config.SYNTAX),
    ]
    return replace(record, unanalyzed=tuple(unanalyzed))


def _of_places(record: Record) -> t.Iterator[Unanalyzed]:
    """Of files that cannot be changed, or not be read by systemd-networkd."""
    for file in record.texts:
        path = file or record.path
        if path in record.fixed:
            advice = services.instead(path, record.interface, ETC, "a .netdev file")
            yield Unanalyzed(f"which {record.fixed[path]}", advice, file=path)
        elif not _readable(path):
            yield Unanalyzed("which systemd-networkd cannot read", _READABLE, file=path)
    place = record.place
    if place.how == IN_FILE:
        why, advice = _why_no_key(place.path, record.secret())
        if why:
            what = f"which holds the private key of {record.interface} and which {why}"
            yield Unanalyzed(what, advice, file=place.path)
    if place.how == NOWHERE:
        what = "which gives no private key, so systemd-networkd ignores all of it"
        yield Unanalyzed(what, f"write `{BACKEND.key_line}` into it")


def _why_no_key(path: str, text: str) -> tuple[str, str]:
    """Why a file with a secret does not serve systemd-networkd after the next boot, a clause, and what to do; empty
    where it does."""
    if fixed := services.why_fixed(os.path.realpath(path)):
        return fixed, f"move it to {ETC}"
    if not _readable(path):
        return "systemd-networkd cannot read", _READABLE
    return ("", "") if config.is_key(text) else ("systemd-networkd does not take for a key", "write one key into it")


def _of_lines(record: Record) -> t.Iterator[Unanalyzed]:
    for file in record.texts:
        number = config.conditions(record.blocks, file)
        if number:
            what = f"line {number} has a condition for the file, which cannot be analyzed"
            yield Unanalyzed(what, "take [Match] out", file=file)
    for key, why in config.repeated(record.blocks).items():
        yield Unanalyzed(why, "leave one of them there", (key,))


def _of_service(path: str, interface: str) -> t.Iterator[Unanalyzed]:
    for other in _all_for(interface):
        if other.path != path:
            yield Unanalyzed(f"which sets up {interface}, too", f"leave one of {path} and that file", file=other.path)
    yield from services.not_started(UNIT)


def _with_psk(blocks: t.Iterable[Block]) -> tuple[list[Block], list[Unanalyzed]]:
    """The blocks with the preshared keys out of the files that they name. Without its file, a peer is ignored."""
    found, unanalyzed = [], []
    for block in blocks:
        path = config.psk_file(block) if block.kind in (PEER, STAGED, WITHDRAWN) else ""
        if path:
            block = replace(block, psk=(files.read(path) or "").strip())
            why, advice = ("", "") if block.kind == WITHDRAWN else _why_no_key(path, block.psk)
            if why:
                what = f"which holds a preshared key and which {why}"
                unanalyzed.append(Unanalyzed(what, advice, (public_key(block).text,), path))
        found.append(block)
    return found, unanalyzed


def _readable(path: str) -> bool:
    """Whether there is such a file, and systemd-networkd can pass all directories above it, and read it."""
    real, user = os.path.realpath(path), _user()
    try:
        file = os.stat(real)
        above = [os.stat(place) for one in (path, real) for place in _above(one)]
    except OSError:
        return False
    if real.startswith(PROTECTED):
        return False
    if user is None:
        return True  # it runs as root there
    groups = {user.pw_gid, *(group.gr_gid for group in grp.getgrall() if USER in group.gr_mem)}
    return _may(file, 4, user, groups) and all(_may(one, 1, user, groups) for one in above)


def _above(path: str) -> t.Iterator[str]:
    """The directories that it lies in."""
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        yield path


def _may(status: os.stat_result, bit: int, user: pwd.struct_passwd, groups: t.Container[int]) -> bool:
    """`bit`: 4 to read, 1 to pass."""
    shift = 6 if status.st_uid == user.pw_uid else 3 if status.st_gid in groups else 0
    return bool(status.st_mode >> shift & bit)


def _user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        return None


# ---- a second interface


def in_the_way(record: Record, bridge: str) -> list[str]:
    """As Backend.in_the_way has it."""
    found = []
    if config.sets_table(record.blocks):
        found.append(
            f"{record.path} sets RouteTable or FirewallMark, so its routes are not in the main table; use the strategy "
            f"in_place."
        )
    for path in _listed("", ".network"):
        number = config.matches(files.read(path) or "", bridge)
        if number:
            found.append(
                f"{path}, line {number} is for {bridge}, too, so systemd-networkd would set up the second interface; "
                f"let it name {record.interface} only, or use the strategy in_place."
            )
    return found


BACKEND = Backend(
    name="systemd-networkd",
    start="systemctl restart systemd-networkd",
    hidden="takes the own key from where it cannot be analyzed; change it to `PrivateKeyFile=FILE`",
    key_line="PrivateKeyFile=FILE",
    there=there,
    read=read,
    key_place=config.key_place,
    table=config.table,
    in_the_way=in_the_way,
    starts=lambda interface: services.starts_at_boot(UNIT),
    group=USER,
)
