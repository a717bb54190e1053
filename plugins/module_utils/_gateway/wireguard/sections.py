# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of sections that give a WireGuard interface its peers: text in, text out. PRIVATE to the collection.

A file is a list of blocks, whose lines in a row are the file, byte for byte; an edit replaces, inserts or removes a
block, so nothing else can change. The comments and blank lines between two sections are blocks of their own. How the
sections are written is a Syntax, one for each backend.

What this collection adds to a file can be told by its comments, and be taken away again without a trace:

    # vpnops.keys: next key of NAME             above a staged [Peer]
    #vpnops.keys withdrawn NAME# [Peer]         before every line of a withdrawn one
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, field, replace

from ... import _public_key
from ..._errors import NOTHING_CHANGED, VpnKeysError

TEXT, INTERFACE, PEER, STAGED, WITHDRAWN, OTHER = "text", "interface", "peer", "staged", "withdrawn", "other"

_NEXT_KEY = re.compile(r"\s*# vpnops\.keys: next key of (.*?)\s*$")
_WITHDRAWN = re.compile(r"#vpnops\.keys withdrawn ([^#]*)#(?: (.*))?$", re.DOTALL)
_CONTINUED = re.compile(r"(?:[^\\]|\\.)*\\\r?\Z")
_COPIED = ("presharedkey", "presharedkeyfile", "presharedkeyflags", "endpoint")
_LENGTH = re.compile(r"\A[^/]*(?:/[0-9]+)?\Z")


@dataclass(frozen=True)
class Syntax:
    """How a program writes its sections. `interface`, `peer`: their names, as they are written.

    `header`: a line that begins a section, with its name. `entry`: what is before a value with the keyword in it, the
    value, and what is behind it. `nothing`: a line without a meaning. `keyword`: a name of a section or an entry in
    lower case, as it is looked for here. `between`: what is between two networks. `continued`: a line goes on behind a
    backslash. `others`: other sections may be there. `allowed`: the values that are not ignored, by keyword.

    `named`: as `entry`, for the first line of a peer's section whose name has the key in it. `written`: the lines of a
    new section with settings in the words of wg-quick, `own_key`: the line of the own key; None, "": as wg-quick has
    them, but for the names of the sections.
    """

    interface: str
    peer: str
    header: re.Pattern[str]
    entry: re.Pattern[str]
    nothing: re.Pattern[str]
    keyword: t.Callable[[str], str]
    between: re.Pattern[str]
    continued: bool = False
    others: bool = False
    allowed: t.Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    named: re.Pattern[str] | None = None
    written: t.Callable[[t.Mapping[str, str]], list[str]] | None = None
    own_key: str = "PrivateKey = {}"

    def setting(self, line: str) -> re.Match[str] | None:
        """The parts of a line that gives something a value, as `entry` has them."""
        return (self.named and self.named.match(line)) or self.entry.match(line)

    def section(self, settings: t.Mapping[str, str]) -> list[str]:
        """The lines of a new section of a peer."""
        if self.written:
            return self.written(settings)
        return [f"[{self.peer}]", *(f"{keyword} = {text}" for keyword, text in settings.items())]

    def lines(self, text: str) -> list[str]:
        """The lines of a text. One that goes on is one line, with what is within it."""
        if not self.continued:
            return text.split("\n")
        found: list[str] = []
        going_on = False
        for line in text.split("\n"):
            comment = self.nothing.match(line) is not None and line.strip() != ""
            if going_on:
                found[-1] += "\n" + line
            else:
                found.append(line)
            if not (going_on and comment):
                going_on = not comment and _CONTINUED.match(line) is not None
        return found

    def value(self, text: str) -> str:
        """A value as the program takes it."""
        if "\n" not in text and not (self.continued and _CONTINUED.match(text)):
            return text
        first, *more = text.split("\n")
        parts = [first, *(line.lstrip() for line in more if not self.nothing.match(line))]
        return "".join(re.sub(r"\\\r?\Z", " ", part) for part in parts).strip()


@dataclass(frozen=True)
class Block:
    """Some lines in a row. `name`: the peer's, of a staged or withdrawn one; of a section of another kind its own. The
    lines may hold secrets.

    `file`: "" for the main file, else the path of another one from which peers are loaded. `psk`: the preshared key out
    of a file that the section names.
    """

    kind: str
    lines: tuple[str, ...] = field(repr=False)
    syntax: Syntax = field(repr=False, compare=False)
    name: str = ""
    file: str = ""
    psk: str = field(default="", repr=False)


def parse(text: str, path: str, syntax: Syntax) -> list[Block]:
    """The blocks of a file. Raises VpnKeysError(unreadable) with the number of the line that is not understood."""
    blocks: list[Block] = []
    loose: list[str] = []  # comments and blank lines: of the open section only when an entry of it follows
    number = 1
    for line in syntax.lines(text):
        withdrawn, header, entry = _WITHDRAWN.match(line), syntax.header.match(line), syntax.entry.match(line)
        last = blocks[-1] if blocks and not loose else None
        if withdrawn:
            first = syntax.header.match(_restored(line))
            if last and last.kind == WITHDRAWN and last.name == withdrawn.group(1) and not first:
                blocks[-1] = replace(last, lines=(*last.lines, line))
            else:
                blocks += _text(loose, syntax)
                blocks.append(Block(WITHDRAWN, (line,), syntax, withdrawn.group(1)))
            loose = []
        elif syntax.nothing.match(line):
            loose.append(line)
        elif header:
            named = syntax.named and syntax.named.match(line)
            name = syntax.peer if named else header.group(1)
            blocks += _opened(loose, line, name, syntax, _Place(path, number))
            loose = []
        elif entry and blocks and blocks[-1].kind in (INTERFACE, PEER, STAGED, OTHER):
            if blocks[-1].kind != OTHER:
                _check_entry(entry, syntax, _Place(path, number))
            blocks[-1] = replace(blocks[-1], lines=(*blocks[-1].lines, *loose, line))
            loose = []
        else:
            raise _Place(path, number).unreadable("is neither a section nor an entry of one")
        number += 1 + line.count("\n")
    blocks += _text(loose, syntax)
    _check_peers(blocks, path)
    return blocks


class _Place(t.NamedTuple):
    path: str
    number: int

    def unreadable(self, what: str) -> VpnKeysError:
        return VpnKeysError(
            "unreadable",
            f"{self.path}: line {self.number} {what}",
            state=NOTHING_CHANGED,
            advice="fix the file first",
        )


def _opened(loose: list[str], line: str, header: str, syntax: Syntax, place: _Place) -> list[Block]:
    """The blocks that a section's first line brings: what stood above it, and itself."""
    kinds = {syntax.keyword(syntax.interface): INTERFACE, syntax.keyword(syntax.peer): PEER}
    section = kinds.get(syntax.keyword(header), OTHER)
    if section == OTHER and not syntax.others:
        raise place.unreadable(f"begins neither [{syntax.interface}] nor [{syntax.peer}]")
    marker = _NEXT_KEY.match(loose[-1]) if loose and section == PEER else None
    if not marker:
        return [*_text(loose, syntax), Block(section, (line,), syntax, header if section == OTHER else "")]
    own = 2 if len(loose) > 1 and not loose[-2].strip() else 1
    return [*_text(loose[:-own], syntax), Block(STAGED, (*loose[-own:], line), syntax, marker.group(1))]


def _text(lines: t.Sequence[str], syntax: Syntax) -> list[Block]:
    return [Block(TEXT, tuple(lines), syntax)] if lines else []


def _check_entry(entry: re.Match[str], syntax: Syntax, place: _Place) -> None:
    allowed = syntax.allowed.get(syntax.keyword(entry.group(2)))
    if allowed and not allowed.fullmatch(syntax.value(entry.group(3))):
        raise place.unreadable(f"gives {entry.group(2)} a value that cannot be analyzed")


def _check_peers(blocks: t.Iterable[Block], path: str) -> None:
    number = 1
    for block in blocks:
        if block.kind in (PEER, STAGED, WITHDRAWN):
            place, keys = _Place(path, number), values(block, "publickey")
            try:
                usable = len(keys) == 1 and _public_key.parse(keys[0]).algorithm == "x25519"
            except VpnKeysError:
                usable = False
            if not usable:
                raise place.unreadable("begins a peer that has not exactly one usable PublicKey")
            try:
                networks(block)
            except VpnKeysError as error:
                raise place.unreadable(f"begins a peer of whose AllowedIPs {error.what}") from None
        number += sum(1 + line.count("\n") for line in block.lines)


def render(blocks: t.Iterable[Block], file: str = "") -> str:
    """The text of a file: what `parse` has been given."""
    return "\n".join(line for block in blocks if block.file == file for line in block.lines)


def entries(block: Block) -> t.Iterator[tuple[str, str]]:
    """The keywords of a section, in lower case, with their values, as the program would take them."""
    for line in _restored_lines(block) if block.kind == WITHDRAWN else block.lines:
        entry = block.syntax.setting(line)
        if entry:
            yield block.syntax.keyword(entry.group(2)), block.syntax.value(entry.group(3))


def values(block: Block, keyword: str) -> list[str]:
    """All values that a section gives to a keyword, written in lower case."""
    return [text for name, text in entries(block) if name == keyword]


def value(block: Block, keyword: str) -> str:
    """The value that counts, which is the last, "" where there is none."""
    return (values(block, keyword) or [""])[-1]


def public_key(block: Block) -> _public_key.PublicKey:
    """The key of a peer."""
    return _public_key.parse(value(block, "publickey"))


def networks(block: Block) -> tuple[str, ...]:
    """The AllowedIPs of a peer, as the running daemon shows them."""
    parts = (part for text in values(block, "allowedips") for part in block.syntax.between.split(text))
    return tuple(network(part) for part in parts if part.strip())


def owners(blocks: t.Iterable[Block]) -> dict[str, str]:
    """Which key each network belongs to: the last peer in the file that claims it, as in the daemon."""
    live = [block for block in blocks if block.kind == PEER]
    return {net: public_key(block).text for block in live for net in networks(block)}


def network(text: str) -> str:
    """One network in the form in which `wg` shows it. Raises VpnKeysError(bad_input)."""
    try:
        if not _LENGTH.search("".join(text.split())):
            raise ValueError
        return str(ipaddress.ip_interface("".join(text.split())).network)
    except ValueError:
        raise VpnKeysError("bad_input", f"{text.strip()!r} is not a network", state=NOTHING_CHANGED) from None


def keepalive(block: Block) -> int | None:
    """The PersistentKeepalive of a peer in seconds, None where the file does not say."""
    text = "".join(value(block, "persistentkeepalive").split())
    if not text:
        return None
    return int(text) if text.isdigit() else 0


def preshared_key(block: Block) -> str:
    """A secret."""
    return block.psk or "".join(value(block, "presharedkey").split())


def with_value(block: Block, keyword: str, new: str) -> Block:
    """The same section with another value on the line of a keyword; spaces, case and comment of the line stay."""
    lines = list(block.lines)
    for index, line in enumerate(lines):
        entry = _entry(block, line, keyword)
        if entry:
            lines[index] = entry.group(1) + _exchanged(entry.group(3), block.syntax, new) + entry.group(4)
    return replace(block, lines=tuple(lines))


def _exchanged(text: str, syntax: Syntax, new: str) -> str:
    """A value with another one in its place, also where that is on a line of its own."""
    old = syntax.value(text)
    return text.replace(old, new) if old and text.count(old) == 1 else new


# ---- peers


def staged(main: Block, key: str, name: str) -> Block:
    """The section that makes the daemon accept a peer's next key without sending anything by it."""
    found = (_entry(main, line, *_COPIED) for line in main.lines)
    copied = [_on_one_line(entry, main.syntax) for entry in found if entry]
    lines = ["", f"# vpnops.keys: next key of {name}", *main.syntax.section({"PublicKey": key}), *copied]
    return replace(main, kind=STAGED, lines=_ended(lines, main), name=name)


def _on_one_line(entry: re.Match[str], syntax: Syntax) -> str:
    whole, text = entry.group(0).rstrip(), syntax.value(entry.group(3))
    return whole if text == entry.group(3) else f"{entry.group(2)} = {text}"


def withdrawn(main: Block, name: str) -> Block:
    """A section that counts no more; `brought_back` is the inverse."""
    lines = tuple(f"#vpnops.keys withdrawn {name}# {line}" for line in "\n".join(main.lines).split("\n"))
    return replace(main, kind=WITHDRAWN, lines=lines, name=name)


def brought_back(block: Block) -> Block:
    """The section that was withdrawn."""
    return replace(block, kind=PEER, lines=_restored_lines(block), name="")


def append(blocks: list[Block], name: str, settings: t.Mapping[str, str]) -> list[Block]:
    """The blocks with one more peer at the end of the main file; settings without a value are left out."""
    syntax = blocks[0].syntax
    lines = syntax.section({keyword: text for keyword, text in settings.items() if text})
    comment = _ended(["", f"# {name}"], blocks[0])
    new = [Block(TEXT, comment, syntax), Block(PEER, _ended(lines, blocks[0]), syntax)]
    main = [block for block in blocks if not block.file]
    others, end = blocks[len(main) :], main[-1]
    if end.kind == TEXT and end.lines[-1] == "":
        return [*main[:-1], *_text(end.lines[:-1], syntax), *new, Block(TEXT, ("",), syntax), *others]
    return [*main, *new, *others]


# ---- the own key


def private_key(blocks: t.Iterable[Block]) -> str:
    """The PrivateKey of the file, a secret, "" where there is none."""
    return "".join(setting(blocks, "privatekey").split())


def with_private_key(blocks: t.Iterable[Block], secret: str) -> list[Block]:
    """The file with this PrivateKey, in the place of the one it has or as the first entry of its section."""
    new = list(blocks)
    own = [index for index, block in enumerate(new) if block.kind == INTERFACE]
    having = [index for index in own if values(new[index], "privatekey")]
    for index in having:
        new[index] = with_value(new[index], "privatekey", secret)
    if not having:
        block = new[own[0]]
        line = _ended([block.syntax.own_key.format(secret)], block)
        new[own[0]] = replace(block, lines=(block.lines[0], *line, *block.lines[1:]))
    return new


def setting(blocks: t.Iterable[Block], keyword: str) -> str:
    """The value of the interface's section that counts: the last of all such sections, "" where there is none."""
    found = [text for block in blocks if block.kind == INTERFACE for text in values(block, keyword)]
    return found[-1] if found else ""


# ---- lines


def _restored(line: str) -> str:
    """A line as it was before its section was withdrawn; no line of another section is changed."""
    return _WITHDRAWN.sub(r"\2", line)


def _restored_lines(block: Block) -> tuple[str, ...]:
    return tuple(block.syntax.lines("\n".join(_restored(line) for line in block.lines)))


def _entry(block: Block, line: str, *keywords: str) -> re.Match[str] | None:
    """The parts of a line that gives one of these keywords, written in lower case, a value."""
    entry = block.syntax.setting(line)
    return entry if entry and block.syntax.keyword(entry.group(2)) in keywords else None


def _ended(lines: t.Iterable[str], model: Block) -> tuple[str, ...]:
    """The lines with the ends that the file's own have."""
    end = "\r" if model.lines[0].endswith("\r") else ""
    return tuple(line + end for line in lines)
