# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hooks of a wg-quick file do to the peers of its interface. Text in, facts out. PRIVATE to the collection.

wg-quick sets up the peers of its file, and then runs the PostUp lines in a shell; systemd runs the ExecStartPost lines
of the unit after that. Where one of these sets up peers, too, the file alone does not tell what a start brings up.
`wg addconf %i FILE` is as good as the file: FILE is read and edited like it. Anything else that touches peers is named
with its line, so that nothing is promised which the next start undoes.
"""

from __future__ import annotations

import os.path
import re
import typing as t
from dataclasses import dataclass

from ...._printable import printable
from . import config
from .config import Block

UP = "postup"
UNIT = "execstartpost"
_WRITTEN = {UP: "PostUp", "predown": "PreDown", "postdown": "PostDown"}
_OF_UNIT = re.compile(r"\s*ExecStartPost\s*=\s*[-+!@:|]*\s*(.+)")
_LONGEST = 160
_TOOLS = ("wg", "awg")
_SHELLS = frozenset("sh bash dash ash zsh ksh python python3 perl env sudo . source".split())
# As a word of its own, whatever directory it is in; `wg0` and `/etc/wg/x` are not it.
_LOADS = re.compile(r"(?<![\w.-])(?:setconf|addconf|syncconf)(?![\w.-])")
_SETS_PEER = re.compile(
    r"""(?<![\w.-])(?:a?wg|\$\{?\w+\}?)["'\s,]+set["'\s,][^;&|\n]*(?<![\w.-])peer(?![\w.-])"""
)
_SAVES = re.compile(r"(?<![\w.-])(?:wg-quick\s+save|showconf\s[^;&|\n]*>)(?![\w.-])")
_KEY = re.compile(r"[A-Za-z0-9+/]{43}=")
_SECRET = re.compile(r"(?<!peer )[A-Za-z0-9+/]{43}=")


@dataclass(frozen=True)
class Hook:
    """A line of the file of wg-quick, or of the `file` of a unit. `keyword` in lower case; `text` with the name of the
    interface for %i may hold secrets."""

    number: int
    keyword: str
    text: str
    file: str = ""

    @property
    def place(self) -> str:
        return f"line {self.number}, {_WRITTEN.get(self.keyword, 'ExecStartPost')}"


@dataclass(frozen=True)
class Unfollowed:
    """Something that a start does to peers and this collection cannot follow. `what`: a clause that begins with the
    place of the line; `advice`: what to do. `keys`: the peers that it is about, none: any. `file`: where the line is,
    "" for the file of wg-quick."""

    what: str
    advice: str
    keys: tuple[str, ...] = ()
    file: str = ""

    def about(self, keys: t.Container[str]) -> bool:
        """Whether it may be about a peer with these keys."""
        return not self.keys or any(key in keys for key in self.keys)


@dataclass(frozen=True)
class Effects:
    """What the hooks do. `files`: what they load peers from and can be followed; `saves`: what says that the running
    interface is written into the file when it stops, "" where nothing does."""

    files: tuple[str, ...] = ()
    unfollowed: tuple[Unfollowed, ...] = ()
    saves: str = ""


Reader = t.Callable[[str], t.Optional[str]]  # noqa: UP045, a value on Python 3.8
"""The text of a script, None where there is none or it is a program."""


def effects(
    blocks: t.Sequence[Block], interface: str, read: Reader, units: t.Mapping[str, str] | None = None
) -> Effects:
    """What a start and a stop of the interface do beside what the sections of its file say. `units`: the texts of the
    files in which its unit is changed, by their paths."""
    loaded: dict[str, None] = {}
    found: list[Unfollowed] = []
    saves = "SaveConfig = true" if config.setting(blocks, "saveconfig").lower() == "true" else ""
    for hook in (*hooks(blocks, interface), *of_units(units or {}, interface)):
        saving, starts = _SAVES.search(hook.text), hook.keyword in (UP, UNIT)
        if saving and (saving[0].startswith("wg-quick") or not starts):
            saves = saves or f"in {hook.place}, to save what runs"
        for command in (config.commands(hook.text) or [[hook.text]]) if starts else ():
            path = peer_file(command, interface)
            if path:
                loaded[path] = None
            else:
                found += _judged(hook, command, interface, read)
    return Effects(tuple(loaded), tuple(found), saves)


def hooks(blocks: t.Iterable[Block], interface: str) -> t.Iterator[Hook]:
    """The lines that wg-quick runs, in the order of the file."""
    number = 0
    for block in blocks:
        for line in block.lines:
            number += 1
            if block.kind == config.INTERFACE and not block.file:
                for keyword in _WRITTEN:
                    for text in config.values(Block(block.kind, (line,)), keyword):
                        yield Hook(number, keyword, text.replace("%i", interface))


def of_units(units: t.Mapping[str, str], interface: str) -> t.Iterator[Hook]:
    """The lines that systemd runs once wg-quick is done."""
    for file, text in units.items():
        for number, line in enumerate(text.split("\n"), 1):
            found = _OF_UNIT.match(line)
            if found:
                yield Hook(number, UNIT, re.sub("%[iI]", interface, found[1]), file)


def peer_file(command: t.Sequence[str], interface: str) -> str:
    """FILE of `wg addconf INTERFACE FILE`, "" for anything else."""
    if len(command) != 4 or os.path.basename(command[0]) not in _TOOLS or list(command[1:3]) != ["addconf", interface]:
        return ""
    path = command[3]
    plain = path.startswith("/") and not path.startswith(("/dev/", "/proc/")) and not config.SHELL.search(path)
    return path if plain else ""


# ---- what cannot be followed


def _judged(hook: Hook, command: t.Sequence[str], interface: str, read: Reader) -> t.Iterator[Unfollowed]:
    text = " ".join(command)
    if _is_elsewhere(command, interface):
        return
    if _touches_peers(text):
        yield _of_command(hook, command, text)
        return
    for path in _scripts(command):
        line = _first_line(read(path) or "", os.path.basename(path))
        if line:
            yield Unfollowed(
                f"{hook.place} runs {printable(path, _LONGEST)}, whose line {line} changes peers",
                "move these peers into [Peer] sections, or into a file that `wg addconf %i FILE` loads",
                file=hook.file,
            )


def _is_elsewhere(command: t.Sequence[str], interface: str) -> bool:
    """Whether it is plainly about another interface."""
    tool = os.path.basename(command[0]) in _TOOLS and len(command) > 2
    return tool and command[2] != interface and re.fullmatch(r"[A-Za-z0-9_=+.-]+", command[2]) is not None


def _of_command(hook: Hook, command: t.Sequence[str], text: str) -> Unfollowed:
    tool = os.path.basename(command[0]) in _TOOLS
    action = command[1] if tool and len(command) > 1 else ""
    shown = f"{hook.place} = {printable(_SECRET.sub('(hidden)', text), _LONGEST)}" if tool else hook.place
    if action == "set":
        peers = tuple(command[position + 1] for position, word in enumerate(command[:-1]) if word == "peer")
        known = peers if peers and all(_KEY.fullmatch(key) for key in peers) else ()
        return Unfollowed(
            f"{shown} sets peers after their [Peer] sections",
            "write what it sets (PresharedKey, AllowedIPs) into the [Peer] section and take that line out",
            known,
            hook.file,
        )
    if action in ("setconf", "syncconf"):
        return Unfollowed(
            f"{shown} replaces the peers of the [Peer] sections",
            "move the peers that it loads into [Peer] sections and take that line out, or load them by "
            "`wg addconf %i FILE`",
            file=hook.file,
        )
    return Unfollowed(
        f"{shown} changes peers in a way that cannot be followed",
        "let it be `wg addconf %i FILE` with the whole path of the file, or move these peers into [Peer] sections",
        file=hook.file,
    )


def _touches_peers(text: str) -> bool:
    return bool(_LOADS.search(text) or _SETS_PEER.search(text))


def _scripts(command: t.Sequence[str]) -> list[str]:
    """The files that a command may run: itself, and what a shell is told to run."""
    found = [command[0]]
    if os.path.basename(command[0]) in _SHELLS:
        found += [word for word in command[1:] if not word.startswith("-") and "=" not in word]
    return [word for word in found if not config.SHELL.search(word) and " " not in word]


def _first_line(text: str, name: str) -> int:
    """The number of the first line of a script that changes peers, 0 for none."""
    if name in ("wg-quick", "awg-quick"):
        return 0
    number = 1
    for line in re.split(r"(?<!\\)\n", text):
        if _touches_peers(line.partition("#")[0].replace("\\\n", " ")):
            return number
        number += 1 + line.count("\n")
    return 0
