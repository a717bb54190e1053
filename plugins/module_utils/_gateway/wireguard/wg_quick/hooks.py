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
from dataclasses import dataclass, field, replace

from ...._printable import printable
from . import config, shell
from .config import Block
from .shell import Run, Shell

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
_SYSTEM = ("/bin/", "/sbin/", "/lib/", "/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/libexec/", "/usr/share/")
"""What comes with the system loads peers only where it is told to, in words that are seen."""
_OWN = ("/usr/local/sbin", "/usr/local/bin")
_OF_SHELL = re.compile(rf"(?!#!)|#!.*\b(?:{'|'.join(shell.SHELLS)})\b")
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
        commands_ = _commands(hook.text) if hook.starts else []
        loaded.update(dict.fromkeys(filter(None, (peer_file(command, interface) for command in commands_))))
        seen = [one for command in commands_ for one in _judged(hook, command, interface)]
        found += seen
        if hook.starts and all(one.keys for one in seen):
            found += _of_scripts(hook, interface, read)
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


def _judged(hook: Hook, command: t.Sequence[str], interface: str) -> t.Iterator[Unfollowed]:
    text = " ".join(command)
    if not peer_file(command, interface) and not _is_elsewhere(command, interface) and _touches_peers(text):
        yield _of_command(hook, command, text)


def _of_scripts(hook: Hook, interface: str, read: Reader) -> t.Iterator[Unfollowed]:
    """What the scripts do that a hook runs. Somebody may load peers where nobody can look: that counts like peers."""
    search = _Search(read, lambda text: _changes_peers(text, interface), strict=True)
    for run, told in search.of_hook(hook):
        shown = f"{hook.place} runs {_shown(run.path or run.unknown)}"
        if run.unknown:
            yield Unfollowed(f"{shown} in a way that cannot be followed", _NAME_IT, file=hook.file)
        elif told.unknown:
            what = f"{shown}, whose line {told.number} runs {_shown(told.unknown)} in a way that cannot be followed"
            yield Unfollowed(what, _NAME_IT, file=hook.file)
        else:
            what = f"{shown}, whose line {told.number} changes peers"
            yield Unfollowed(what, _MOVE_THEM, file=hook.file)


_MOVE_THEM = "move these peers into [Peer] sections, or into a file that `wg addconf %i FILE` loads"
_NAME_IT = "let it name the script by its whole path, or load the peers by `wg addconf %i FILE`"


def _shown(text: str) -> str:
    return printable(_SECRET.sub("(hidden)", text), _LONGEST)


def _is_elsewhere(command: t.Sequence[str], interface: str) -> bool:
    """Whether it is plainly about another interface."""
    tool = os.path.basename(command[0]) in _TOOLS and len(command) > 2
    return tool and command[2] != interface and re.fullmatch(r"[A-Za-z0-9_=+.-]+", command[2]) is not None


def _of_command(hook: Hook, command: t.Sequence[str], text: str) -> Unfollowed:
    tool = os.path.basename(command[0]) in _TOOLS
    action = command[1] if tool and len(command) > 1 else ""
    shown = f"{hook.place} = {_shown(text)}" if tool else hook.place
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

    return saves(hook.text) or any(_Search(read, saves).of_hook(hook))


def _hidden_key(hook: Hook, interface: str, read: Reader) -> str:
    """The place where a start sets the own key, but for a PostUp of its own, which `wg_config.key_place` knows."""
    for command in _commands(hook.text) if hook.starts else ():
        if _is_elsewhere(command, interface):
            continue
        if hook.keyword != UP and _SETS_KEY.search(" ".join(command)):
            return hook.where
    search = _Search(read, lambda text: bool(_SETS_KEY.search(text)))
    found = search.of_hook(hook) if hook.starts else ()
    return next((f"{_shown(run.path)}, line {told.number}" for run, told in found), "")


# ---- scripts


class _Told(t.NamedTuple):
    """The first line of a script that concerns us or runs another script with such a line, 0 where there is none;
    `unknown`: what is run there in a way that cannot be followed."""

    number: int = 0
    unknown: str = ""


@dataclass
class _Search:
    """For lines that concern us in the scripts of one hook. `strict`: what cannot be followed concerns us, too."""

    read: Reader
    concerns: t.Callable[[str], bool]
    strict: bool = False
    seen: set[str] = field(default_factory=set)

    def of_hook(self, hook: Hook) -> t.Iterator[tuple[Run, _Told]]:
        """The scripts that the hook runs and that concern us."""
        around = Shell()
        for run in shell.runs(hook.text, around):
            told = self._of(run, around, self.strict)
            if told.number or told.unknown:
                yield run, told

    def _of(self, run: Run, around: Shell, strict: bool) -> _Told:
        if run.unknown:
            return _Told(unknown=run.unknown if strict else "")
        path = self._located(run.path)
        if path in self.seen or os.path.basename(path) in ("wg-quick", "awg-quick"):
            return _Told()
        text = self.read(path)
        if not text:
            return _Told()
        if len(self.seen) >= _MOST_SCRIPTS:
            return _Told(1, f"more than {_MOST_SCRIPTS} scripts") if strict else _Told()
        self.seen.add(path)
        inside = replace(around, script=around.script or path) if run.sourced else replace(around, script=path)
        inside.variables = around.variables if run.sourced else dict(around.variables)
        strict = strict and path.startswith("/") and not path.startswith(_SYSTEM) and bool(_OF_SHELL.match(text))
        return self._first(text, inside, strict)

    def _first(self, text: str, inside: Shell, strict: bool) -> _Told:
        listing = [(number, _COMMENT.sub("", line)) for number, line in lines(text)]
        first = next((number for number, line in listing if self.concerns(line)), 0)
        for number, command in shell.commands(listing):
            if first and number >= first:
                break
            for run in shell.runs(command, inside):
                told = self._of(run, inside, strict)
                if told.number or told.unknown:
                    return _Told(number, told.unknown)
        return _Told(first)

    def _located(self, path: str) -> str:
        """A name that stands for a script of the administrator, by its path."""
        places = () if "/" in path else (f"{where}/{path}" for where in _OWN)
        return next((place for place in places if self.read(place)), path)
