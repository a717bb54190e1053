# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd runs for a unit, as its files say it, and which units a command starts. Text in, facts out. PRIVATE."""

from __future__ import annotations

import re
import typing as t

STARTING = ("ExecStart", "ExecStartPost")
STOPPING = ("ExecStop", "ExecStopPost")
_ALL = (*STARTING, *STOPPING, "ExecCondition", "ExecStartPre", "ExecReload")
PULLING = ("Wants", "Requires", "BindsTo", "Upholds", "OnSuccess")
"""They start other units. Those that come before it are named by After=."""
_LINE = re.compile(rf"[ \t]*({'|'.join((*_ALL, *PULLING, 'Unit', 'After'))})[ \t]*=[ \t]*(\S.*)", re.DOTALL)
_PREFIX = re.compile(r"[-+!@:|]*[ \t]*")
_LINE_END = re.compile(r"(?<!\\)\n")
_SUFFIX = re.compile(r"\.(?:service|socket|target|timer|path|mount|automount|swap|slice|scope|device)\Z")
_SPECIFIER = re.compile(r"%(.)")
_STARTS = frozenset(
    "start restart reload try-restart condrestart reload-or-restart try-reload-or-restart force-reload isolate".split()
)


class Line(t.NamedTuple):
    """A line of a unit: `number` from 1; `text`: a command, or the names of units that are started."""

    number: int
    keyword: str
    text: str


def lines(text: str) -> t.Iterator[tuple[int, str]]:
    """The lines of a unit or of a script with their numbers; one that goes on behind a backslash is one line."""
    number = 1
    for line in _LINE_END.split(text.replace("\r\n", "\n")):
        yield number, line.replace("\\\n", " ")
        number += 1 + line.count("\n")


def of_unit(text: str, unit: str) -> t.Iterator[Line]:
    """The lines of a file of a unit that run or start something."""
    for number, line in lines(text):
        found = _LINE.match(line)
        if found:
            command = _PREFIX.sub("", found[2], count=1) if found[1] in _ALL else found[2]
            yield Line(number, found[1], _specified(command, unit))


def _specified(text: str, unit: str) -> str:
    """With what is known for the specifiers of systemd; the others are left as what a shell would compute."""
    name = _SUFFIX.sub("", unit)
    prefix, _at, instance = name.partition("@")
    known = {"%": "%", "i": instance, "I": instance, "n": unit, "N": name, "p": prefix, "h": "/root", "t": "/run"}
    return _SPECIFIER.sub(lambda found: known.get(found[1], f"${found[1]}"), text)


def named(word: str) -> str:
    """The whole name of a unit."""
    return word if _SUFFIX.search(word) else f"{word}.service"


def templates(unit: str) -> list[str]:
    """The names under which the files of a unit may be."""
    prefix, at, instance = unit.partition("@")
    suffix = _SUFFIX.search(instance)
    return [unit, f"{prefix}@{suffix[0]}"] if at and suffix else [unit]


def started(words: t.Sequence[str]) -> list[str]:
    """The units that a command of systemctl, or of one of its kind, starts."""
    if words[0].endswith("systemctl"):
        plain = [word for word in words[1:] if not word.startswith("-")]
        starts = plain[:1] and (plain[0] in _STARTS or ("--now" in words and plain[0] in ("enable", "reenable")))
        return [named(word) for word in plain[1:]] if starts else []
    service, action = "".join(words[1:2]), "".join(words[2:3])
    return [named(service)] if service and action in _STARTS else []
