# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which scripts a line of shell runs, as far as a reader can tell. Text in, facts out. PRIVATE to the collection.

Paths are followed from the directory that `cd` names, and with the variables that the text itself sets to plain words.
What is left over is named: somebody who relies on the answer must know that there is more.
"""

from __future__ import annotations

import os.path
import re
import shlex
import typing as t
from dataclasses import dataclass, field, replace

from . import programs, units

_BEGINS = frozenset("if then elif else while until do ! { time".split())
_SETS = frozenset("export local readonly declare typeset".split())
_MARKS = {"ip": ("exec",), "find": ("-exec", "-execdir", "-ok", "-okdir")}
"""Behind which words their commands are."""
_VALUED = frozenset(("-u", "-g", "-n", "-s", "-k"))
"""Options of theirs that have a value, but for some of them."""
_NUMBER = re.compile(r"[\d.]+[a-z]?")
_ALL_ARGUMENTS = frozenset(("$@", "$*", "${@}", "${*}"))
"""They stand where this is called."""

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_COMPUTED = re.compile(r"[$`*?\[{]")
_PATHS = re.compile(r"(?<![\w./~$}-])/[\w.@+-]+(?:/[\w.@+-]+)+")
_WORD = re.compile(r"[();<>|&]+|[^\s();<>|&\"']+")
"""Of a text whose quotes do not match as far as can be seen here."""
_PUNCTUATION = re.compile(r"[();<>|&]+")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::?[-=]([^}]*))?\})")
_FOUND = re.compile(r"(?:\$\(|`)\s*(?:which|command\s+-v|type\s+-[pP])\s+([\w./-]+)[^)`]*[)`]")
_ITSELF = r'"?\$\{?(?:0|BASH_SOURCE(?:\[0\])?)\}?"?'
_REAL = rf'(?:{_ITSELF}|"?\$\((?:readlink -f|realpath)(?: --)? {_ITSELF}\)"?)'
_BESIDE = re.compile(
    rf"\$\(\s*dirname\s+(?:--\s+)?{_REAL}\s*\)|`\s*dirname\s+{_REAL}\s*`|\$\{{(?:0|BASH_SOURCE(?:\[0\])?)%/\*\}}"
)
_QUIET = r"(?:>\s*/dev/null\s*(?:2>&1\s*)?)?"
_STANDS = re.compile(rf'\$\(\s*cd\s+(?:-P\s+|--\s+)?"?(/[\w./-]*)"?\s*{_QUIET}&&\s*pwd(?: -P)?\s*\)')


@dataclass(frozen=True)
class Run:
    """Something that is run: a script or program by its `path` (a name alone: it is looked up), a `unit` of systemd, or
    `unknown`, the words that say what is run in a way that cannot be analyzed. `sourced`: in the same shell. `foreign`:
    by something other than a shell. `maybe`: it is named by a command that runs it if it is a script."""

    path: str = ""
    unknown: str = ""
    sourced: bool = False
    unit: str = ""
    foreign: bool = False
    maybe: bool = False


@dataclass
class Shell:
    """Where the text runs. `directory` is "" where that is not known; `script`: the path of the text itself."""

    directory: str = ""
    script: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    places: tuple[str, ...] = programs.OWN
    """Where names are looked up before the directories of the system."""

    def resolved(self, word: str) -> str:
        """The whole path of a script, "" where that cannot be told."""
        if not word or word[0] == "~" or _COMPUTED.search(word):
            return ""
        return os.path.normpath(os.path.join(self.directory, word)) if word[0] == "/" or self.directory else ""

    def located(self, text: str) -> str:
        """With the paths that it asks for."""
        if self.script:
            text = _BESIDE.sub(lambda _found: os.path.dirname(self.script), text)
        return _FOUND.sub(r"\1", _STANDS.sub(r"\1", text))

    def expanded(self, word: str) -> list[str]:
        """With the variables as they are by now: no word, one or several."""
        text = _VARIABLE.sub(self._value, word)
        return [word] if text == word else text.split()

    def _value(self, found: re.Match[str]) -> str:
        value = self.variables.get(found[1] or found[2], found[3])
        return found[0] if value is None or _COMPUTED.search(value) else value.strip("\"'")

    def assign(self, word: str) -> bool:
        """Whether the word is an assignment, which is done."""
        found = _ASSIGNMENT.fullmatch(word)
        if found:
            self.variables.pop(found[1], None)
            if found[1] == "PATH":
                self.places += tuple(one for one in found[2].split(":") if one[:1] == "/" and not _COMPUTED.search(one))
            elif found[2][:1] != "~" and not _COMPUTED.search(found[2]):
                self.variables[found[1]] = found[2]
        return found is not None


def runs(text: str, shell: Shell) -> list[Run]:
    """What a text of complete commands runs. It also does what the text says about directory and variables."""
    text = shell.located(text)
    words = lexed(text)
    found: list[Run] = []
    inside: list[str] = []
    piped = ""
    for part, end in _parts(_WORD.findall(text) if words is None else words):
        found += [run for word in part for inner in _quoted(word) for run in runs(inner, replace(shell))]
        written, part = part, [one for word in part for one in shell.expanded(word)]
        if part != written and programs.touches_peers(" ".join(part)):
            found.append(Run(unknown=" ".join(part)))
        is_pattern = end.startswith(")") and not inside
        if not is_pattern:
            found += _command(part, shell, "|" if end.startswith("<(") else piped)
        piped = "|" if end[:1] == "|" and end[:2] != "||" else ""
        inside += [shell.directory] * end.count("(")
        for _one in range(min(end.count(")"), len(inside))):
            # What a subshell does to its directory ends with it.
            shell.directory = inside.pop()
    return found


def _quoted(word: str) -> list[str]:
    """The commands in a word whose output is a part of it."""
    return [text.split(")")[0] for text in word.split("$(")[1:]]


def lexed(text: str) -> list[str] | None:
    """The words of a text, None where its quotes do not match."""
    lexer = shlex.shlex(re.sub("`([^`]*)`", r"$(\1)", text), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return None


def _parts(words: t.Iterable[str]) -> t.Iterator[tuple[list[str], str]]:
    """Simple commands with their redirections, and what stands behind each."""
    part: list[str] = []
    for word in words:
        if _PUNCTUATION.fullmatch(word) and (not set(word) <= set("<>&") or word in ("&", "&&")):
            yield part, word
            part = []
        else:
            part.append(word)
    yield part, ""


def _command(words: t.Sequence[str], shell: Shell, piped: str = "") -> t.Iterator[Run]:
    """`piped`: not empty where it is told on its input what to do."""
    words, given = _without_redirections(words)
    while words and (words[0] in _BEGINS or _ASSIGNMENT.fullmatch(words[0])):
        if all(map(_ASSIGNMENT.fullmatch, words)):
            shell.assign(words[0])
        words = words[1:]
    if not words or words[0] in _ALL_ARGUMENTS:
        return
    name = os.path.basename(words[0])
    if name in _SETS:
        for word in words[1:]:
            shell.assign(word if "=" in word else f"{word}=$")
    elif name in ("cd", "pushd"):
        shell.directory = shell.resolved(words[1] if len(words) == 2 else "")
    elif name in (".", "source"):
        yield replace(_script("".join(words[1:2]) or "$", shell), sourced=True)
    elif name == "eval":
        yield from _nested(" ".join(words[1:]), shell)
    elif name == "function":
        yield from _command(words[2:], shell)
    elif name == "run-parts" or programs.starts_elsewhere(words):
        yield Run(unknown=" ".join(words))
    elif name in programs.SHELLS:
        yield from _of_shell(words, given or piped, shell)
    elif programs.INTERPRETER.fullmatch(name):
        yield _of_interpreter(words, given, shell)
    elif name in programs.WRAPPERS:
        yield from _wrapped(name, words, shell, given or piped)
    else:
        yield from _of_program(name, words, shell)


def _of_program(name: str, words: t.Sequence[str], shell: Shell) -> t.Iterator[Run]:
    """What a command runs that is not built into the shell, the command itself included."""
    if name in ("systemctl", "service", "invoke-rc.d") or words[0].startswith("/etc/init.d/"):
        named = ["service", name, *words[1:]] if words[0].startswith("/etc/init.d/") else words
        yield from (Run(unknown=unit) if _COMPUTED.search(unit) else Run(unit=unit) for unit in units.started(named))
        return
    if re.search(r"[$`{/]", words[0]):
        yield _script(words[0], shell)
    elif not _COMPUTED.search(words[0]):
        yield Run(words[0])
    if (programs.is_tool(words) and programs.may_touch_peers(words)) or (
        name in programs.AWK and programs.runs_in_awk(words)
    ):
        yield Run(unknown=" ".join(words))
    elif name not in programs.NAMING:
        yield from (Run(path, maybe=True) for word in words[1:] for path in _PATHS.findall(word))


def _of_interpreter(words: t.Sequence[str], given: str, shell: Shell) -> Run:
    """What an interpreter other than a shell runs."""
    word = next((word for word in words[1:] if word[:1] != "-" or word[1:2] in ("c", "e", "m", "r", "E", "")), given)
    path = shell.resolved(word)
    return Run(path, foreign=True) if path and word[:1] != "-" else Run(unknown=" ".join([words[0], *words[1:2]]))


def _without_redirections(words: t.Sequence[str]) -> tuple[list[str], str]:
    """The words, and what the command gets as its input: a path, or "|" for a text."""
    kept: list[str] = []
    given, sign = "", ""
    for word in words:
        if sign:
            given = given if sign[0] != "<" else word if sign == "<" else "|"
            sign = ""
        elif _PUNCTUATION.fullmatch(word):
            sign = word
            if kept and kept[-1].isdigit():
                kept.pop()
        else:
            kept.append(word)
    return kept, given


def _script(word: str, shell: Shell) -> Run:
    path = shell.resolved(word)
    return Run(path) if path else Run(unknown="$(...)" if word == "$" else word)


def _nested(text: str, shell: Shell) -> list[Run]:
    """What a text runs that is a word of a command."""
    return [Run(unknown=text)] if lexed(text) is None else runs(text, shell)


def _of_shell(words: t.Sequence[str], given: str, shell: Shell) -> t.Iterator[Run]:
    for position, word in enumerate(words[1:], 1):
        if re.fullmatch(r"-\w*c", word):
            yield from _nested("".join(words[position + 1 : position + 2]), replace(shell))
            return
        if word[:1] not in ("-", "+"):
            yield _script(word, shell)
            return
    if given:
        yield Run(unknown=f"what {words[0]} reads") if given == "|" else _script(given, shell)


def _wrapped(name: str, words: t.Sequence[str], shell: Shell, given: str) -> t.Iterator[Run]:
    """What a command runs that is told another one."""
    begin = 1
    if name in _MARKS:
        begin = next((position for position, word in enumerate(words, 1) if word in _MARKS[name]), len(words))
    value = name == "ip"  # the name of the namespace
    for position, word in enumerate(words[begin:], begin):
        if word in _VALUED or (value and "/" not in word and word not in programs.SHELLS):
            value = word in _VALUED
        elif " " in word:
            yield from _nested(word, shell)
        elif not word.startswith("-") and not _ASSIGNMENT.fullmatch(word) and not _NUMBER.fullmatch(word):
            found = _command(words[position:], shell, given or ("|" if name in programs.BY_INPUT else ""))
            if name not in programs.LATER:
                yield from found
                return
            # Any of the words may be the command.
            yield from (replace(run, maybe=not run.foreign) if run.path == word else run for run in found)


# ---- scripts

_HEREDOC = re.compile(r"(?<!<)<<-?\s*[\"']?([A-Za-z_]\w*)")
_MOST_LINES = 60
"""Of a command whose quotes go over several lines."""


_GOES_ON = re.compile(r"(?:\||&&)\s*\Z")


def commands(lines: t.Sequence[tuple[int, str]]) -> t.Iterator[tuple[int, str]]:
    """The complete commands of a script with the numbers of their first lines, from its lines without comments. What
    is the input of a command, and no shell, is left out."""
    position = 0
    while position < len(lines):
        number, (text, end) = lines[position][0], _complete(lines, position)
        yield number, text
        position = _behind_input(text, lines, end)


def _complete(lines: t.Sequence[tuple[int, str]], begin: int) -> tuple[str, int]:
    """The command that begins there, and where the next one does. A line whose quotes never match is one for itself."""
    for end in range(begin + 1, min(begin + _MOST_LINES, len(lines)) + 1):
        text = "".join(line if _GOES_ON.search(line) else f"{line} ; " for _number, line in lines[begin:end])
        if lexed(text) is not None and not _GOES_ON.search(text):
            return text, end
    return lines[begin][1], begin + 1


def _behind_input(text: str, lines: t.Sequence[tuple[int, str]], begin: int) -> int:
    """Where the next command begins behind one that is given some lines as its input."""
    here = _HEREDOC.search(text)
    if not here or any(re.search(rf"(?<![\w.-]){name}(?![\w.-])", text) for name in programs.SHELLS):
        return begin
    ends = (end for end, (_number, line) in enumerate(lines[begin:], begin + 1) if line.strip() == here[1])
    return next(ends, begin)
