# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything known about swanctl.conf: text in, connections out; and the one file that is written. PRIVATE.

What the administrator wrote is only ever read. While a connection has to differ from it, a file of our own that is
included after all others says so: sections of one name are merged, and the last value of a key counts.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ..._errors import NOTHING_CHANGED, VpnKeysError

OVERLAY = "zz-vpnops.keys.conf"
BRIDGE = "-vpnops-keys"

_DEPTH = 20
# Were the settings of a bridge those of its connection, charon would let the connection use the bridge's IKE_SA.
_UNLIKE = "601s"
_BLANK = re.compile(r"(?:\s|#[^\n]*)*")
_INCLUDE = re.compile(r'include[ \t]+(?:"([^"\n]+)"|([^\s"#={}][^\s"#{}]*))')
_NAME = re.compile(r'[^\s#{}:,="]+')
_VALUE_PART = re.compile(r'"((?:[^"\\]|\\.)*)"|([^#}"\s]+)', re.DOTALL)
_SPACE = re.compile(r"[ \t\r]*")
_SEVERAL = re.compile(r"%any|.*/|[\da-fA-F]+[.:][\da-fA-F.:]*-[\da-fA-F.:]+$")
_ESCAPE = re.compile(r"\\(\r?\n|.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\n": "", "\r\n": ""}

# Gives the (path, text) of every file that an include pattern in the named file stands for, sorted by path.
if t.TYPE_CHECKING:
    Include = t.Callable[[str, str], t.Iterable[tuple[str, str]]]


@dataclass
class Section:
    """A section as it stands after all files were read; `parents`: the sections that it refers to."""

    values: dict[str, str] = field(default_factory=dict)
    sections: dict[str, Section] = field(default_factory=dict)
    parents: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Child:
    """A CHILD_SA of a connection; `starts`: charon initiates it by itself when the connection is loaded."""

    name: str
    starts: bool


@dataclass(frozen=True)
class End:
    """One end of a connection: `section` is the name of its section, `keys` the files of its raw public keys."""

    section: str
    auth: str
    identity: str
    keys: tuple[str, ...]
    rounds: int


@dataclass(frozen=True)
class Connection:
    """What a connection says about keys. `reachable`: it names an address, so that it can be initiated from here."""

    name: str
    local: End
    remote: End
    reachable: bool
    children: tuple[Child, ...]

    @property
    def starts(self) -> bool:
        return any(child.starts for child in self.children)


def parse(path: str, text: str, include: Include) -> Section:
    """Read a configuration file and what it includes. Raises VpnKeysError(unreadable) naming the file and line."""
    root = Section()
    _read(path, text, include, root, 0)
    return root


def connections(root: Section) -> list[Connection]:
    """All connections of the administrator, with what they inherit from templates."""
    group = _flat(root, root, ()).sections.get("connections", Section())
    return [_connection(name, section) for name, section in group.sections.items() if not name.endswith(BRIDGE)]


@dataclass(frozen=True)
class Bridge:
    """A connection beside another one, which carries the traffic while loading the other one interrupts it."""

    section: str
    keys: tuple[str, ...]
    children: tuple[str, ...]


def overlay(accepted: t.Mapping[str, tuple[str, tuple[str, ...]]], bridges: t.Mapping[str, Bridge]) -> str:
    """Our own file, "" where nothing has to differ from what the administrator wrote.

    `accepted`: connection -> (its remote section, the files of the keys it accepts meanwhile).
    """
    if not accepted and not bridges:
        return ""
    lines = ["# Written by vpnops.keys while a key is being changed, and removed by it afterwards.", "connections {"]
    for name, (section, keys) in sorted(accepted.items()):
        lines += [f"  {name} {{", f"    {section} {{", f"      pubkeys = {_quoted(keys)}", "    }", "  }"]
    for name, bridge in sorted(bridges.items()):
        lines += [f"  {name}{BRIDGE} : connections.{name} {{", f"    over_time = {_UNLIKE}"]
        lines += [f"    {bridge.section} {{", f"      pubkeys = {_quoted(bridge.keys)}", "    }", "    children {"]
        for child in bridge.children:
            lines += [f"      {child} {{", "        start_action = none", "      }"]
        lines += ["    }", "  }"]
    return "\n".join([*lines, "}", ""])


def _quoted(names: t.Iterable[str]) -> str:
    return '"' + ", ".join(names).replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Cursor:
    """A place in one file."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text, self.position = path, text, 0

    def refuse(self, what: str) -> VpnKeysError:
        line = self.text[: self.position].count("\n") + 1
        return VpnKeysError("unreadable", f"{self.path}, line {line}: {what}", state=NOTHING_CHANGED)

    def sign(self) -> str:
        """The next character that is neither blank nor comment; nothing at the end."""
        found = _BLANK.match(self.text, self.position)
        self.position = found.end() if found else self.position
        return self.text[self.position : self.position + 1]

    def included(self) -> str | None:
        """The pattern of an include that begins here."""
        found = _INCLUDE.match(self.text, self.position)
        if not found:
            return None
        self.position = found.end()
        return found.group(1) or found.group(2)

    def name(self, what: str) -> str:
        found = _NAME.match(self.text, self.position)
        if not found:
            raise self.refuse(f"{what} is missing")
        self.position = found.end()
        return found.group()

    def value(self) -> str:
        value, self.position = _value(self.text, self.position)
        return value

    def parents(self) -> t.Iterator[str]:
        """The templates that a section names, behind a colon and between commas."""
        separator = ":"
        while self.sign() == separator:
            self.position += 1
            self.sign()
            yield self.name("the name of a template")
            separator = ","


def _read(path: str, text: str, include: Include, root: Section, depth: int) -> None:
    stack, at = [root], _Cursor(path, text)
    if depth > _DEPTH:
        raise at.refuse("files include each other in a loop")
    while sign := at.sign():
        if sign == "}":
            if len(stack) == 1:
                raise at.refuse("a closing brace has no opening one")
            stack.pop()
            at.position += 1
            continue
        pattern = at.included()
        if pattern is not None:
            for other, content in include(path, pattern):
                _read(other, content, include, stack[-1], depth + 1)
            continue
        key = at.name("the name of a section or of a value")
        if at.sign() == "=":
            at.position += 1
            stack[-1].values[key] = at.value()
            continue
        section = stack[-1].sections.setdefault(key, Section())
        section.parents.extend(at.parents())
        if at.sign() != "{":
            raise at.refuse(f"neither a value nor a section follows {key}")
        at.position += 1
        stack.append(section)
    if len(stack) > 1:
        raise at.refuse("the file ends in the middle of a section")


def _value(text: str, position: int) -> tuple[str, int]:
    """The value that begins here, and where it ends: with its line, a comment or a closing brace."""
    parts: list[str] = []
    while True:
        found = _SPACE.match(text, position)
        position = found.end() if found else position
        part = _VALUE_PART.match(text, position)
        if not part:
            return " ".join(parts), position
        quoted, bare = part.groups()
        parts.append(bare if quoted is None else _ESCAPE.sub(_unescape, quoted))
        position = part.end()


def _unescape(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[1], found[1])


def _flat(root: Section, section: Section, within: tuple[Section, ...]) -> Section:
    """A section with everything that it inherits; its own values, then those of the template named first, count."""
    within = _deeper(section, within)
    result = Section(section.values, {name: _flat(root, under, within) for name, under in section.sections.items()})
    for parent in section.parents:
        for named in _named(root, parent, ()):
            result = _merged(result, _flat(root, named, within))
    return result


def _named(root: Section, path: str, within: tuple[Section, ...]) -> list[Section]:
    """What a reference names, those first that count; a section on its way may be an inherited one."""
    found = [root]
    for step in path.split("."):
        found = [one.sections[step] for on in found for one in _family(root, on, within) if step in one.sections]
    return found


def _family(root: Section, section: Section, within: tuple[Section, ...]) -> list[Section]:
    """A section and all that it inherits from."""
    within = _deeper(section, within)
    named = [one for parent in section.parents for one in _named(root, parent, within)]
    return [section, *(one for parent in named for one in _family(root, parent, within))]


def _deeper(section: Section, within: tuple[Section, ...]) -> tuple[Section, ...]:
    if any(section is one for one in within):
        raise VpnKeysError("unreadable", "The templates of swanctl.conf refer to each other in a loop.")
    return (*within, section)


def _merged(above: Section, below: Section) -> Section:
    shared = above.sections.keys() & below.sections.keys()
    both = {name: _merged(above.sections[name], below.sections[name]) for name in shared}
    return Section({**below.values, **above.values}, {**below.sections, **above.sections, **both})


def _connection(name: str, section: Section) -> Connection:
    addresses = _list(section.values.get("remote_addrs", ""))
    children = section.sections.get("children", Section()).sections
    return Connection(
        name,
        _end("local", section),
        _end("remote", section),
        any(not _SEVERAL.match(address) for address in addresses),
        tuple(Child(key, "start" in child.values.get("start_action", "")) for key, child in children.items()),
    )


def _end(kind: str, section: Section) -> End:
    rounds = [name for name in section.sections if name.lower().startswith(kind)]  # as charon tells them
    values = section.sections[rounds[0]].values if rounds else {}
    return End(
        rounds[0] if rounds else kind,
        values.get("auth") or "pubkey",
        values.get("id", ""),
        _list(values.get("pubkeys", "")),
        len(rounds),
    )


def _list(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())
