# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of a wg-quick gateway: its file, what the hooks of that load, and what the unit does. PRIVATE."""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace

from ...._errors import NOTHING_CHANGED, VpnKeysError
from ... import files
from .. import boot, services
from ..record import Backend, Found, Record, Unanalyzed
from ..sections import INTERFACE, TEXT, Block, setting
from . import config, hooks, second
from .hooks import Effects

DIRECTORY = "/etc/wireguard"


def read(path: str, interface: str) -> Record:
    """Raises VpnKeysError(not_found, unreadable) for the file of wg-quick."""
    text = files.read(path)
    if text is None:
        raise VpnKeysError("not_found", f"{path} does not exist", state=NOTHING_CHANGED, advice="set wg-quick up first")
    blocks = config.parse(text, path)
    if not any(block.kind == INTERFACE for block in blocks):
        raise VpnKeysError("unreadable", f"{path} has no [Interface]", state=NOTHING_CHANGED)
    reader = hooks.Files(boot.script, boot.unit_files)
    unit = boot.unit_files(f"wg-quick@{interface}.service")
    return _with_files(path, interface, text, blocks, hooks.effects(blocks, interface, reader, unit))


def _with_files(path: str, interface: str, text: str, blocks: list[Block], effects: Effects) -> Record:
    texts, unanalyzed = {"": text}, [*boot.of_others(interface, path, BACKEND.name), *effects.unanalyzed]
    for file in effects.files:
        try:
            texts[file], loaded = _peers_of(file)
            blocks = blocks + loaded
        except VpnKeysError as error:
            texts.pop(file, None)
            what = f"a hook of it loads peers from {file}, which cannot be analyzed: {error.what}"
            unanalyzed.append(Unanalyzed(what, "fix that file first"))
    saves = f"{effects.saver or path} says {effects.saves}" if effects.saves else ""
    return Record(BACKEND, interface, path, texts, blocks, tuple(unanalyzed), saves, effects.key)


def _peers_of(file: str) -> tuple[str, list[Block]]:
    """The text and the blocks of a file for `wg addconf`."""
    text = files.read(file)
    if text is None:
        raise VpnKeysError("not_found", "it does not exist")
    blocks = config.parse(text, file)
    if any(block.kind == INTERFACE and len(block.lines) > 1 for block in blocks):
        raise VpnKeysError("unreadable", "it has entries of an [Interface]")
    return text, [replace(one, file=file, kind=TEXT if one.kind == INTERFACE else one.kind) for one in blocks]


def there(interface: str) -> Found | None:
    path = os.path.join(DIRECTORY, f"{interface}.conf")
    return Found(path) if os.path.lexists(path) else None


def table(blocks: t.Sequence[Block], network: str) -> str:
    return setting(blocks, "table")


BACKEND = Backend(
    name="wg-quick",
    start="wg-quick up {interface}",
    hidden="sets the own key by a PostUp that cannot be analyzed; change it to `wg set %i private-key FILE`",
    key_line="PostUp = wg set %i private-key FILE",
    there=there,
    read=read,
    key_place=config.key_place,
    table=table,
    in_the_way=second.in_the_way,
    starts=lambda interface: services.starts_at_boot(f"wg-quick@{interface}.service"),
)
