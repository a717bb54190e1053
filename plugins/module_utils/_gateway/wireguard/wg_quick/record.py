# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a start of a WireGuard interface brings up, as its files say it, and where that is not what runs. PRIVATE.

The record is the file of wg-quick with the files from which its hooks load peers. What is stored is acknowledged only
as far as the record and the running interface both have it: then it holds after the next start.
"""

from __future__ import annotations

import glob
import os
import shutil
import typing as t
from dataclasses import dataclass, field, replace

from ...._errors import NOTHING_CHANGED, VpnKeysError
from ... import commands, files
from ..runtime import Runtime
from . import config, hooks, others, units
from .config import INTERFACE, PEER, STAGED, TEXT, Block
from .hooks import Effects, Unanalyzed

UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
_SCRIPT_BYTES = 1 << 18
MOST = 12
"""So many sentences of a kind are told."""


@dataclass(frozen=True)
class Record:
    """`blocks`: of the file of wg-quick, then of the others. `texts`: of each file, by the `file` of its blocks; they
    hold secrets. `unanalyzed`: why a start may bring up other peers than the blocks say."""

    path: str
    texts: t.Mapping[str, str] = field(repr=False)
    blocks: list[Block]
    unanalyzed: tuple[Unanalyzed, ...]
    saves: str
    """The clause that begins with the file that says so, "" where nothing is saved."""
    key: str = ""
    """What sets the own key at a start, where that cannot be followed."""

    @property
    def main(self) -> list[Block]:
        """The blocks of the file of wg-quick."""
        return [block for block in self.blocks if not block.file]

    @property
    def paths(self) -> list[str]:
        return [file or self.path for file in self.texts]

    def write(self, blocks: t.Sequence[Block], before: t.Mapping[str, str]) -> dict[str, str]:
        """Write the files that have to change from what they were `before`. Returns what they hold now."""
        now = {file: config.render(blocks, file) for file in self.texts}
        for file, text in now.items():
            if text != before[file]:
                files.write(file or self.path, text)
        return now

    def why_not_lasting(self, keys: t.Container[str]) -> Unanalyzed | None:
        """What may undo at the next start what is stored of a peer with these keys."""
        return next((one for one in self.unanalyzed if one.about(keys)), None)

    def sentences(self) -> list[str]:
        """What a start does to any peer, whatever the record says."""
        return _few([self.sentence(one) for one in self.unanalyzed if not one.keys])

    def sentence(self, one: Unanalyzed) -> str:
        ends = "so what is stored here would not hold after the next start"
        return f"{one.file or self.path}, {one.what}, {ends}; {one.advice}."


def read(path: str, interface: str) -> Record:
    """Raises VpnKeysError(not_found, unreadable) for the file of wg-quick."""
    text = files.read(path)
    if text is None:
        raise VpnKeysError("not_found", f"{path} does not exist", state=NOTHING_CHANGED, advice="set wg-quick up first")
    blocks = config.parse(text, path)
    if not any(block.kind == INTERFACE for block in blocks):
        raise VpnKeysError("unreadable", f"{path} has no [Interface]", state=NOTHING_CHANGED)
    reader = hooks.Files(script, unit_files)
    unit = unit_files(f"wg-quick@{interface}.service")
    return _with_files(path, interface, text, blocks, hooks.effects(blocks, interface, reader, unit))


def _with_files(path: str, interface: str, text: str, blocks: list[Block], effects: Effects) -> Record:
    texts, unanalyzed = {"": text}, [*of_others(interface, path), *effects.unanalyzed]
    for file in effects.files:
        try:
            texts[file], loaded = _peers_of(file)
            blocks = blocks + loaded
        except VpnKeysError as error:
            texts.pop(file, None)
            what = f"a hook of it loads peers from {file}, which cannot be analyzed: {error.what}"
            unanalyzed.append(Unanalyzed(what, "fix that file first"))
    saves = f"{effects.saver or path} says {effects.saves}" if effects.saves else ""
    return Record(path, texts, blocks, tuple(unanalyzed), saves, effects.key)


def _peers_of(file: str) -> tuple[str, list[Block]]:
    """The text and the blocks of a file for `wg addconf`."""
    text = files.read(file)
    if text is None:
        raise VpnKeysError("not_found", "it does not exist")
    blocks = config.parse(text, file)
    if any(block.kind == INTERFACE and len(block.lines) > 1 for block in blocks):
        raise VpnKeysError("unreadable", "it has entries of an [Interface]")
    return text, [replace(one, file=file, kind=TEXT if one.kind == INTERFACE else one.kind) for one in blocks]


def of_others(interface: str, path: str) -> t.Iterator[Unanalyzed]:
    """What else gives the interface peers at a boot."""
    for program in others.PROGRAMS:
        for file, text in _texts(program.files):
            number = others.sets_up(program, text, interface)
            if number:
                what = f"line {number} lets {program.name} set up {interface} with peers of its own"
                yield Unanalyzed(what, f"remove that file, so that wg-quick alone sets up {interface}", file=file)
    for file, text in _texts(others.INTERFACES):
        number = others.in_interfaces(text, interface, path)
        if number:
            what = f"line {number} changes the peers of {interface}"
            yield Unanalyzed(what, "remove that line, and load the peers by wg-quick", file=file)


def _texts(patterns: t.Iterable[str]) -> t.Iterator[tuple[str, str]]:
    for file in (file for pattern in patterns for file in sorted(glob.glob(pattern))):
        text = script(file)
        if text and not text.startswith(hooks.DATA):
            yield file, text


def unit_files(unit: str) -> dict[str, str]:
    """The files of a unit, by their paths: itself, and where an administrator has changed it; also, as lines, what is
    linked to start with it."""
    names = [f"{where}/{name}" for where in UNITS for name in units.templates(unit)]
    changes = (path for name in names for path in sorted([name, *glob.glob(f"{glob.escape(name)}.d/*.conf")]))
    found = {path: text for path in changes if (text := script(path)) and not text.startswith(hooks.DATA)}
    for name in names:
        for path in sorted(glob.glob(f"{glob.escape(name)}.wants/*") + glob.glob(f"{glob.escape(name)}.requires/*")):
            found[path] = f"Wants={os.path.basename(path)}"
    return found


def script(name: str) -> str | None:
    """The text of something that a hook runs, None if it does not exist; hooks.PROGRAM or DATA if it is not text."""
    path = name if "/" in name else shutil.which(name, path=commands.PATH)
    if not path or not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            content = file.read(_SCRIPT_BYTES + 1)
    except OSError:
        return hooks.DATA
    if b"\0" in content or len(content) > _SCRIPT_BYTES:
        return hooks.PROGRAM if os.access(path, os.X_OK) else hooks.DATA
    return content.decode("utf-8", "replace")


# ---- beside what runs


def differences(record: Record, runtime: Runtime | None, interface: str) -> list[str]:
    """What the next start would change for peers that are in the record and run, in sentences. Without any secret."""
    found = [record.sentence(one) for one in record.unanalyzed]
    if runtime:
        staging = any(block.kind == STAGED for block in record.blocks)
        owners = config.owners(record.blocks)
        for block in record.blocks:
            key = config.public_key(block).text if block.kind == PEER else ""
            peer = runtime.peers.get(key)
            if peer and peer.psk != config.preshared_key(block):
                found.append(
                    f"The peer {key} runs with another preshared key than {block.file or record.path} gives it; "
                    f"after its next start, {interface} uses the one in the file."
                )
            expected = {net for net in config.networks(block) if owners.get(net) == key} if peer else set()
            if peer and not staging and set(peer.networks) != expected:
                found.append(
                    f"The peer {key} runs with other networks than {block.file or record.path} gives it; "
                    f"after its next start, {interface} uses those in the file."
                )
    return _few(found)


def _few(sentences: t.Sequence[str]) -> list[str]:
    more = [f"And {len(sentences) - MOST} more."] if len(sentences) > MOST else []
    return [*sentences[:MOST], *more]
