# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hooks of a wg-quick file do to the peers of its interface. Text in, facts out. PRIVATE to the collection.

wg-quick sets up the peers of its file, and then runs the PostUp lines in a shell; systemd runs further ExecStart lines
of the unit, its ExecStartPost lines, and the units that it starts, after that. Where one of these sets up peers, the
file alone does not say what a start brings up. `wg addconf %i FILE` is as good as the file: FILE is read and edited
like it. Anything else that touches peers is named with its line, so that nothing is promised which the next start
undoes; and so is what cannot be read, unless the administrator says in a comment that it sets no peers.
"""

from __future__ import annotations

import os.path
import re
import typing as t
from dataclasses import dataclass, field, replace

from ...._printable import printable
from ..record import Unanalyzed
from ..sections import INTERFACE, Block, setting, values
from . import config, programs, shell, units
from .shell import Run, Shell

UP = "postup"
_OF_FILE = ("PostUp", "PreDown", "PostDown")
_OF_UNIT = (*units.STARTING, *units.STOPPING, *units.PULLING)
_WRITTEN = {word.lower(): word for word in (*_OF_FILE, *_OF_UNIT)}
_STARTS = frozenset((UP, *map(str.lower, (*units.STARTING, *units.PULLING))))
_COMMENT = re.compile(r"(?:^|\s)#.*")
_LONGEST = 160
_MOST_SCRIPTS = 20
PROGRAM, DATA = "\0program", "\0"
"""What a reader gives for a file that is not text, or is too long: one that can be executed, or not."""
_OF_SHELL = re.compile(rf"(?!#!)|#!.*\b(?:{'|'.join(programs.SHELLS)})\b")
_OF_A_TOOL = re.compile(rf"#!\s*(?:\S*/env\s+(?:-S\s+)?)?(?:\S*/)?(?:{'|'.join(sorted(programs.BUILT))})(?!\S)")
_TRUSTED = re.compile(r"#\s*vpnops\.keys: sets no peers\s*\Z")
_SAVES = re.compile(r"(?<![\w.-])wg-quick\s+save(?![\w.-])")
_SHOWS = re.compile(r"(?<![\w.-])showconf(?![\w.-])")
_KEY = re.compile(r"[A-Za-z0-9+/]{43}=")
_SECRET = re.compile(r"(?<!peer )[A-Za-z0-9+/]{43}=")


@dataclass(frozen=True)
class Hook:
    """A line of the file of wg-quick, or of the `file` of a unit. `keyword` in lower case; `text` with the name of the
    interface for %i may hold secrets. `trusted`: its administrator says that it sets no peers."""

    number: int
    keyword: str
    text: str
    file: str = ""
    trusted: bool = False

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
class Effects:
    """What the hooks do. `files`: what they load peers from and can be followed; `saves`: what says that the running
    interface is written into the file when it stops, "" where nothing does; `saver`: the file that says so, "" for that
    of wg-quick; `key`: the line that sets the own key in a place where it is not looked for, "" where none does."""

    files: tuple[str, ...] = ()
    unanalyzed: tuple[Unanalyzed, ...] = ()
    saves: str = ""
    saver: str = ""
    key: str = ""


Reader = t.Callable[[str], t.Optional[str]]  # noqa: UP045, a value on Python 3.8
"""The path or name of a script to its text: None if it does not exist; PROGRAM or DATA."""
Units = t.Callable[[str], t.Mapping[str, str]]
"""The texts of the files of a unit, by their paths."""


@dataclass(frozen=True)
class Files:
    """Where the text of what a hook runs comes from."""

    read: Reader
    units: Units = lambda unit: {}


def effects(
    blocks: t.Sequence[Block],
    interface: str,
    read: Files,
    unit: t.Mapping[str, str] | None = None,
    unit_name: str = "wg-quick@{interface}.service",
) -> Effects:
    """What a start and a stop of the interface do beside what the sections of its file say. `unit`: the texts of the
    files of its own unit, by their paths."""
    loaded: dict[str, None] = {}
    found: list[Unanalyzed] = []
    key = ""
    saves, saver = ("SaveConfig = true" if setting(blocks, "saveconfig").lower() == "true" else ""), ""
    for hook in (*hooks(blocks, interface), *of_units(unit or {}, unit_name.format(interface=interface))):
        if not saves and _is_saved(hook, interface, read):
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
            if block.kind == INTERFACE and not block.file:
                for keyword in map(str.lower, _OF_FILE):
                    for text in values(replace(block, lines=(line,)), keyword):
                        trusted = _TRUSTED.search(line) is not None
                        yield Hook(number, keyword, text.replace("%i", interface), trusted=trusted)


def of_units(texts: t.Mapping[str, str], unit: str) -> t.Iterator[Hook]:
    """The lines that systemd runs for the interface. There may be several `ExecStart`: wg-quick's is one of them."""
    found = [(file, line) for file, text in texts.items() for line in units.of_unit(text, unit)]
    before = {name for _file, line in found if line.keyword == "After" for name in line.text.split()}
    for file, line in found:
        text = line.text
        if line.keyword in units.PULLING:
            names = [name for name in text.split() if name not in before]
            text = "systemctl start " + " ".join(names) if names else ""
        if text and line.keyword in _OF_UNIT:
            above = texts[file].split("\n")[line.number - 2] if line.number > 1 else ""
            yield Hook(line.number, line.keyword.lower(), text, file, _TRUSTED.search(above) is not None)


def peer_file(command: t.Sequence[str], interface: str) -> str:
    """FILE of `wg addconf INTERFACE FILE`, "" for anything else."""
    if len(command) != 4 or not programs.is_tool(command) or list(command[1:3]) != ["addconf", interface]:
        return ""
    path = command[3]
    plain = path.startswith("/") and not path.startswith(("/dev/", "/proc/")) and not config.SHELL.search(path)
    return path if plain else ""


# ---- what cannot be analyzed


def _judged(hook: Hook, command: t.Sequence[str], interface: str) -> t.Iterator[Unanalyzed]:
    text = " ".join(command)
    elsewhere = programs.is_elsewhere(command, interface)
    if not peer_file(command, interface) and not elsewhere and programs.touches_peers(text):
        yield _of_command(hook, command, text)


def _of_scripts(hook: Hook, interface: str, read: Files) -> t.Iterator[Unanalyzed]:
    """What the scripts do that a hook runs. Somebody may load peers where nobody can look: that counts like peers."""
    search = _Search(interface, read, lambda text: _changes_peers(text, interface), strict=not hook.trusted)
    for run, hit in search.of_hook(hook):
        shown = f"{hook.place} runs {_shown(hit.file or run.path or run.unit or run.unknown)}"
        if hit.unknown and hit.number:
            what = f"{shown}, whose line {hit.number} runs {_shown(hit.unknown)}{hit.why}"
            yield Unanalyzed(what, _NAME_IT + _say_so(hook), file=hook.file)
        elif hit.unknown:
            yield Unanalyzed(f"{shown}{hit.why}", _NAME_IT + _say_so(hook), file=hook.file)
        else:
            yield Unanalyzed(f"{shown}, whose line {hit.number} changes peers", _MOVE_THEM, file=hook.file)


VOUCHING = "; if it sets no peers,"
"""From here on, an advice says how to vouch for a hook."""
_MOVE_THEM = "move these peers into [Peer] sections, or into a file that `wg addconf %i FILE` loads"
_NAME_IT = "make it run a shell script by its full path, or load the peers by `wg addconf %i FILE`"
_NOT_ANALYZED = " in a way that cannot be analyzed"
_TOO_MANY = f", and with it there are more than {_MOST_SCRIPTS} scripts"
_NO_SHELL = ", which is not a shell script, so its effect cannot be checked"


def _say_so(hook: Hook) -> str:
    where = "write above it the line" if hook.file else "end the line with"
    return f"{VOUCHING} {where} `# vpnops.keys: sets no peers`"


def _shown(text: str) -> str:
    return printable(_SECRET.sub("(hidden)", text), _LONGEST)


def _of_command(hook: Hook, command: t.Sequence[str], text: str) -> Unanalyzed:
    tool = programs.is_tool(command)
    action = command[1] if tool and len(command) > 1 else ""
    shown = f"{hook.place} = {_shown(text)}" if tool else hook.place
    if action == "set":
        peers = tuple(command[position + 1] for position, word in enumerate(command[:-1]) if word == "peer")
        known = peers if peers and all(_KEY.fullmatch(key) for key in peers) else ()
        return Unanalyzed(
            f"{shown} sets peers after their [Peer] sections",
            "write what it sets (PresharedKey, AllowedIPs) into the [Peer] section and remove that line",
            known,
            hook.file,
        )
    if action in ("setconf", "syncconf"):
        return Unanalyzed(
            f"{shown} replaces the peers of the [Peer] sections",
            "move the peers that it loads into [Peer] sections and remove that line, or load them by "
            "`wg addconf %i FILE`",
            file=hook.file,
        )
    return Unanalyzed(
        f"{shown} changes peers in a way that cannot be analyzed",
        "change it to `wg addconf %i FILE` with the full path of the file, or move these peers into [Peer] sections",
        file=hook.file,
    )


def _changes_peers(line: str, interface: str) -> bool:
    """Whether a line of a script changes peers, but for one that is plainly about another interface."""
    if not programs.touches_peers(line):
        return False
    found = [command for command in config.commands(line) if programs.touches_peers(" ".join(command))]
    return not found or not all(programs.is_elsewhere(command, interface) for command in found)


def _is_saved(hook: Hook, interface: str, read: Files) -> bool:
    """Whether the hook writes what runs into a file: with a word that says so, or when the interface stops."""

    def saves(text: str) -> bool:
        return bool(_SAVES.search(text) or (not hook.starts and _SHOWS.search(text)))

    return saves(hook.text) or any(_Search(interface, read, saves).of_hook(hook))


def _hidden_key(hook: Hook, interface: str, read: Files) -> str:
    """The place where a start sets the own key, but for a PostUp of its own, which `wg_config.key_place` knows."""
    for command in _commands(hook.text) if hook.starts else ():
        if programs.is_elsewhere(command, interface):
            continue
        if hook.keyword != UP and programs.SETS_KEY.search(" ".join(command)):
            return hook.where
    search = _Search(interface, read, lambda text: bool(programs.SETS_KEY.search(text)))
    found = search.of_hook(hook) if hook.starts else ()
    return next((f"{_shown(hit.file or run.path)}, line {hit.number}" for run, hit in found), "")


# ---- scripts


class _Hit(t.NamedTuple):
    """The first line of a script that concerns us or runs another script with such a line, 0 where there is none;
    `unknown`: what is run there in a way that cannot be analyzed, and `why`; `file`: where the line is, "" for the
    script itself."""

    number: int = 0
    unknown: str = ""
    why: str = _NOT_ANALYZED
    file: str = ""


@dataclass
class _Search:
    """For lines that concern us in the scripts of one hook. `strict`: what cannot be analyzed concerns us, too."""

    interface: str
    files: Files
    concerns: t.Callable[[str], bool]
    strict: bool = False
    seen: set[str] = field(default_factory=set)

    def of_hook(self, hook: Hook) -> t.Iterator[tuple[Run, _Hit]]:
        """The scripts that the hook runs and that concern us."""
        around = Shell()
        for run in shell.runs(hook.text, around):
            hit = self._of(run, around, self.strict)
            if hit.number or hit.unknown:
                yield run, hit

    def _of(self, run: Run, around: Shell, strict: bool) -> _Hit:
        if run.unit:
            return self._of_unit(run.unit, strict)
        if run.unknown:
            elsewhere = programs.is_elsewhere(run.unknown.split(), self.interface)
            return _Hit(unknown=run.unknown if strict and not elsewhere else "")
        path = self._located(run.path, around)
        if path in self.seen or os.path.basename(path) in ("wg-quick", "awg-quick"):
            return _Hit()
        text = self.files.read(path) or ""
        if run.maybe and not text.startswith(("#!", PROGRAM)):
            return _Hit()
        strict = strict and path.startswith("/") and not path.startswith(programs.SYSTEM)
        why = _why(run, path, text) if strict else ""
        hit = _Hit()
        if why or (text and not text.startswith(DATA)):
            self.seen.add(path)
            if len(self.seen) > _MOST_SCRIPTS:
                return _Hit(unknown=path, why=_TOO_MANY) if strict else _Hit()
            hit = self._of_text(text, run, path, around, strict and not why)
        return hit if hit.number or not why else _Hit(unknown=path, why=why)

    def _of_text(self, text: str, run: Run, path: str, around: Shell, strict: bool) -> _Hit:
        inside = replace(around, script=around.script or path) if run.sourced else replace(around, script=path)
        inside.variables = around.variables if run.sourced else dict(around.variables)
        return self._first(text, inside, strict)

    def _of_unit(self, unit: str, strict: bool) -> _Hit:
        """The first line of the files of a unit that concerns us."""
        texts = {} if unit in self.seen else self.files.units(unit)
        script = f"/etc/init.d/{os.path.splitext(unit)[0]}"
        if not texts and self.files.read(script):
            return self._of(Run(script), Shell(), strict)._replace(file=script)
        self.seen.add(unit)
        for file, text in texts.items():
            for line in units.of_unit(text, unit):
                hit = self._of_line(line, strict and not file.startswith(programs.SYSTEM))
                if hit.number or hit.unknown:
                    return _Hit(line.number, hit.unknown, hit.why, file)
        return _Hit()

    def _of_line(self, line: units.Line, strict: bool) -> _Hit:
        around = Shell(directory="/")
        if line.keyword in (*units.PULLING, "Unit"):
            found: t.Iterable[Run] = [Run(unit=units.named(name)) for name in line.text.split()] if strict else ()
        elif line.keyword == "After":
            found = ()
        elif self.concerns(line.text):
            return _Hit(line.number)
        else:
            found = shell.runs(line.text, around)
        hits = (self._of(run, around, strict) for run in found)
        return next((hit for hit in hits if hit.number or hit.unknown), _Hit())

    def _first(self, text: str, inside: Shell, strict: bool) -> _Hit:
        listing = list(units.lines(text))
        first = next((number for number, line in listing if self.concerns(_uncommented(line))), 0)
        for number, command in shell.commands([(number, _COMMENT.sub("", line)) for number, line in listing]):
            if first and number >= first:
                break
            for run in shell.runs(command, inside):
                hit = self._of(run, inside, strict)
                if hit.number or hit.unknown:
                    return _Hit(number, hit.unknown, hit.why)
        return _Hit(first)

    def _located(self, path: str, around: Shell) -> str:
        """A name that stands for a script of the administrator, by its path."""
        places = () if "/" in path else (f"{where}/{path}" for where in around.places)
        return next((place for place in places if self.files.read(place)), path)


def _why(run: Run, path: str, text: str) -> str:
    """Why it cannot be seen what something of the administrator's does, "" where it can: a clause."""
    if path.startswith(programs.VOLATILE):
        return ", which may be missing or different at the next start"
    if text.startswith(DATA):
        readable = os.path.basename(path) in programs.BUILT or path.startswith(programs.STORES)
    else:
        readable = bool(_OF_SHELL.match(text) or _OF_A_TOOL.match(text))
    return "" if readable and not run.foreign else _NO_SHELL


def _uncommented(line: str) -> str:
    """A line without its comment, and with what may be none."""
    found = _COMMENT.search(line)
    quotes = found and any(part.count(quote) % 2 for part in (line[: found.start()], found[0]) for quote in "'\"")
    return line if quotes else _COMMENT.sub("", line)
