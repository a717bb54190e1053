# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hooks of a wg-quick file do to the peers of its interface. Text in, facts out. PRIVATE to the collection.

wg-quick sets up the peers of its file, and then runs the PostUp lines in a shell; systemd runs further ExecStart lines
of the unit, and its ExecStartPost lines, after that. Where one of these sets up peers, the file alone does not say what
a start brings up. `wg addconf %i FILE` is as good as the file: FILE is read and edited like it. Anything else that
touches peers is named with its line, so that nothing is promised which the next start undoes.
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
_OF_FILE = ("PostUp", "PreDown", "PostDown")
_OF_UNIT = ("ExecStart", "ExecStartPost", "ExecStop", "ExecStopPost")
_WRITTEN = {word.lower(): word for word in (*_OF_FILE, *_OF_UNIT)}
_STARTS = frozenset((UP, "execstart", "execstartpost"))
_UNIT_LINE = re.compile(rf"[ \t]*({'|'.join(_OF_UNIT)})[ \t]*=[ \t]*[-+!@:|]*[ \t]*(\S.*)", re.DOTALL)
_LINE_END = re.compile(r"(?<!\\)\n")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_LONGEST = 160
_MOST_SCRIPTS = 20
_TOOLS = ("wg", "awg")
_SHELLS = frozenset(
    [*"sh bash dash ash zsh ksh python python3 perl env sudo nohup nice time".split(), ".", "source", "exec"]
    + "if then else while do ! {".split()
)
# As a word of its own, whatever directory it is in; `wg0` and `/etc/wg/x` are not it.
_LOADS = re.compile(r"(?<![\w.-])(?:setconf|addconf|syncconf)(?![\w.-])")
# Also `$(which wg) set`, `${WG:-wg} set` and `["wg", "set", ...]`.
_SETS = r"""(?<![\w.-])(?:a?wg|\$\w+|\$\{\w+[^}\n]*\})[]"'\s,)}`]+set["'\s,][^;&|\n]*(?<![\w.-])"""
_SETS_PEER = re.compile(rf"{_SETS}peer(?![\w.-])")
_SETS_KEY = re.compile(rf"{_SETS}private-key(?![\w.-])")
_SAVES = re.compile(r"(?<![\w.-])wg-quick\s+save(?![\w.-])")
_SHOWS = re.compile(r"(?<![\w.-])showconf(?![\w.-])")
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
        return f"line {self.number}, {_WRITTEN[self.keyword]}"

    @property
    def where(self) -> str:
        return f"{self.file}, {self.place}" if self.file else self.place

    @property
    def starts(self) -> bool:
        """Whether it runs when the interface starts, else when it stops."""
        return self.keyword in _STARTS


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
    interface is written into the file when it stops, "" where nothing does; `saver`: the file that says so, "" for that
    of wg-quick; `key`: the line that sets the own key in a place where it is not looked for, "" where none does."""

    files: tuple[str, ...] = ()
    unfollowed: tuple[Unfollowed, ...] = ()
    saves: str = ""
    saver: str = ""
    key: str = ""


Reader = t.Callable[[str], t.Optional[str]]  # noqa: UP045, a value on Python 3.8
"""The text of a script, None where there is none or it is a program."""


def effects(
    blocks: t.Sequence[Block], interface: str, read: Reader, units: t.Mapping[str, str] | None = None
) -> Effects:
    """What a start and a stop of the interface do beside what the sections of its file say. `units`: the texts of the
    files in which its unit is changed, by their paths."""
    loaded: dict[str, None] = {}
    found: list[Unfollowed] = []
    key = ""
    saves, saver = ("SaveConfig = true" if config.setting(blocks, "saveconfig").lower() == "true" else ""), ""
    for hook in (*hooks(blocks, interface), *of_units(units or {}, interface)):
        if not saves and _is_saved(hook, read):
            saves, saver = f"in {hook.place}, to save what runs", hook.file
        key = key or _hidden_key(hook, interface, read)
        for command in _commands(hook.text) if hook.starts else ():
            path = peer_file(command, interface)
            if path:
                loaded[path] = None
            else:
                found += _judged(hook, command, interface, read)
    return Effects(tuple(loaded), tuple(found), saves, saver, key)


def _commands(text: str) -> list[list[str]]:
    return config.commands(text) or [[text]]


def hooks(blocks: t.Iterable[Block], interface: str) -> t.Iterator[Hook]:
    """The lines that wg-quick runs, in the order of the file."""
    number = 0
    for block in blocks:
        for line in block.lines:
            number += 1
            if block.kind == config.INTERFACE and not block.file:
                for keyword in map(str.lower, _OF_FILE):
                    for text in config.values(Block(block.kind, (line,)), keyword):
                        yield Hook(number, keyword, text.replace("%i", interface))


def of_units(units: t.Mapping[str, str], interface: str) -> t.Iterator[Hook]:
    """The lines that systemd runs for the interface. There may be several `ExecStart`: wg-quick's is one of them."""
    for file, text in units.items():
        for number, line in lines(text):
            found = _UNIT_LINE.match(line)
            if found:
                yield Hook(number, found[1].lower(), re.sub("%[iI]", interface, found[2]), file)


def lines(text: str) -> t.Iterator[tuple[int, str]]:
    """The lines of a unit or of a script with their numbers; one that goes on behind a backslash is one line."""
    number = 1
    for line in _LINE_END.split(text.replace("\r\n", "\n")):
        yield number, line.replace("\\\n", " ")
        number += 1 + line.count("\n")


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
        line = _first_line(path, read, lambda text: _changes_peers(text, interface))
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


def _changes_peers(line: str, interface: str) -> bool:
    """Whether a line of a script changes peers, but for one that is plainly about another interface."""
    if not _touches_peers(line):
        return False
    found = [command for command in config.commands(line) if _touches_peers(" ".join(command))]
    return not found or not all(_is_elsewhere(command, interface) for command in found)


def _is_saved(hook: Hook, read: Reader) -> bool:
    """Whether the hook writes what runs into a file: with a word that says so, or when the interface stops."""

    def saves(text: str) -> bool:
        return bool(_SAVES.search(text) or (not hook.starts and _SHOWS.search(text)))

    scripts = (path for command in _commands(hook.text) for path in _scripts(command))
    return saves(hook.text) or any(_first_line(path, read, saves) for path in scripts)


def _hidden_key(hook: Hook, interface: str, read: Reader) -> str:
    """The place where a start sets the own key, but for a PostUp of its own, which `wg_config.key_place` knows."""
    for command in _commands(hook.text) if hook.starts else ():
        if _is_elsewhere(command, interface):
            continue
        if hook.keyword != UP and _SETS_KEY.search(" ".join(command)):
            return hook.where
        for path in _scripts(command):
            if line := _first_line(path, read, lambda text: bool(_SETS_KEY.search(text))):
                return f"{printable(path, _LONGEST)}, line {line}"
    return ""


# ---- scripts


def _scripts(command: t.Sequence[str]) -> list[str]:
    """The files that a command may run: itself, and what a shell is told to run."""
    found = [command[0]]
    if os.path.basename(command[0]) in _SHELLS:
        found += [word for word in command[1:] if not word.startswith("-") and "=" not in word]
    return [word for word in found if not config.SHELL.search(word) and " " not in word]


def _first_line(
    path: str, read: Reader, concerns: t.Callable[[str], bool], seen: set[str] | None = None
) -> int:
    """The number of the first line of a script that concerns us, or that runs another script with such a line; 0 for
    none. Programs, and what wg-quick does itself, have none."""
    seen = set() if seen is None else seen
    if path in seen or len(seen) >= _MOST_SCRIPTS or os.path.basename(path) in ("wg-quick", "awg-quick"):
        return 0
    seen.add(path)
    for number, line in lines(read(path) or ""):
        line = _COMMENT.sub("", line)
        runs = (script for command in config.commands(line) for script in _scripts(command)) if "/" in line else ()
        if concerns(line) or any(script[0] == "/" and _first_line(script, read, concerns, seen) for script in runs):
            return number
    return 0
