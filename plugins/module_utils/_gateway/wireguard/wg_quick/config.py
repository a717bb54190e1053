# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration file of wg-quick: text in, text out. PRIVATE to the collection.

A file is a list of blocks, whose lines in a row are the file, byte for byte; an edit replaces, inserts or removes a
block, so nothing else can change. The comments and blank lines between two sections are blocks of their own.

What this collection adds to a file can be told by its comments, and be taken away again without a trace:

    # vpnops.keys: next key of NAME             above a staged [Peer]
    #vpnops.keys withdrawn NAME# [Peer]         before every line of a withdrawn one
"""

from __future__ import annotations

import ipaddress
import os.path
import re
import shlex
import typing as t
from dataclasses import dataclass, field, replace

from .... import _public_key
from ...._errors import NOTHING_CHANGED, VpnKeysError

TEXT, INTERFACE, PEER, STAGED, WITHDRAWN = "text", "interface", "peer", "staged", "withdrawn"

_HEADER = re.compile(r"\s*\[([^]#]*)\]\s*(?:#.*)?$", re.DOTALL)
_ENTRY = re.compile(r"(\s*([^#=]*?)\s*=\s*)([^#]*?)(\s*(?:#.*)?)$", re.DOTALL)
_NOTHING = re.compile(r"\s*(?:#.*)?$", re.DOTALL)
_NEXT_KEY = re.compile(r"\s*# vpnops\.keys: next key of (.*?)\s*$")
_WITHDRAWN = re.compile(r"#vpnops\.keys withdrawn ([^#]*)#(?: (.*))?$", re.DOTALL)
_SEPARATORS = frozenset((";", "&&", "||", "&"))
SHELL = re.compile(r"[$`*?~<>(){}\[\]!\\|]")


@dataclass(frozen=True)
class Block:
    """Some lines in a row. `name`: the peer's, of a staged or withdrawn one. The lines may hold secrets.

    `file`: "" for the file of wg-quick itself, else the path of another one from which it loads peers.
    """

    kind: str
    lines: tuple[str, ...] = field(repr=False)
    name: str = ""
    file: str = ""


@dataclass(frozen=True)
class Place:
    """Where the own private key comes from at a start: a line of the file, another file, or (`how` says it) neither."""

    how: str
    path: str = ""


IN_CONFIG, IN_FILE, NOWHERE, HIDDEN = "in the configuration", "in a file", "nowhere", "hidden"


def parse(text: str, path: str) -> list[Block]:
    """The blocks of a file. Raises VpnKeysError(unreadable) with the number of the line that is not understood."""
    blocks: list[Block] = []
    loose: list[str] = []  # comments and blank lines: of the open section only when an entry of it follows
    for number, line in enumerate(text.split("\n"), 1):
        withdrawn, header, entry = _WITHDRAWN.match(line), _HEADER.match(line), _ENTRY.match(line)
        last = blocks[-1] if blocks and not loose else None
        if withdrawn:
            first = _HEADER.match(_restored(line))
            if last and last.kind == WITHDRAWN and last.name == withdrawn.group(1) and not first:
                blocks[-1] = replace(last, lines=(*last.lines, line))
                continue
            blocks += _text(loose)
            blocks.append(Block(WITHDRAWN, (line,), withdrawn.group(1)))
        elif _NOTHING.match(line):
            loose.append(line)
            continue
        elif header:
            blocks += _opened(loose, line, _bare(header.group(1)), path, number)
        elif entry and blocks and blocks[-1].kind in (INTERFACE, PEER, STAGED):
            blocks[-1] = replace(blocks[-1], lines=(*blocks[-1].lines, *loose, line))
        else:
            raise _unreadable(path, number, "is neither a section nor an entry of one")
        loose = []
    blocks += _text(loose)
    _check_peers(blocks, path)
    return blocks


def _opened(loose: list[str], line: str, section: str, path: str, number: int) -> list[Block]:
    """The blocks that a section's first line brings: what stood above it, and itself."""
    if section not in (INTERFACE, PEER):
        raise _unreadable(path, number, "begins neither [Interface] nor [Peer]")
    marker = _NEXT_KEY.match(loose[-1]) if loose and section == PEER else None
    if not marker:
        return [*_text(loose), Block(section, (line,))]
    own = 2 if len(loose) > 1 and not loose[-2].strip() else 1
    return [*_text(loose[:-own]), Block(STAGED, (*loose[-own:], line), marker.group(1))]


def _text(lines: t.Sequence[str]) -> list[Block]:
    return [Block(TEXT, tuple(lines))] if lines else []


def _check_peers(blocks: t.Iterable[Block], path: str) -> None:
    number = 1
    for block in blocks:
        if block.kind in (PEER, STAGED, WITHDRAWN):
            keys = values(block, "publickey")
            try:
                usable = len(keys) == 1 and _public_key.parse(keys[0]).algorithm == "x25519"
            except VpnKeysError:
                usable = False
            if not usable:
                raise _unreadable(path, number, "begins a peer that has not exactly one usable PublicKey")
        number += len(block.lines)


def render(blocks: t.Iterable[Block], file: str = "") -> str:
    """The text of a file: what `parse` has been given."""
    return "\n".join(line for block in blocks if block.file == file for line in block.lines)


def values(block: Block, keyword: str) -> list[str]:
    """All values that a section gives to a keyword, written in lower case, as `wg` would take them."""
    found = []
    for line in block.lines:
        entry = _entry(_restored(line), keyword)
        if entry:
            found.append(entry.group(3))
    return found


def value(block: Block, keyword: str) -> str:
    """The value that counts, which is the last, "" where there is none."""
    return (values(block, keyword) or [""])[-1]


def public_key(block: Block) -> _public_key.PublicKey:
    """The key of a peer."""
    return _public_key.parse(value(block, "publickey"))


def networks(block: Block) -> tuple[str, ...]:
    """The AllowedIPs of a peer, as the running daemon shows them."""
    parts = ",".join(values(block, "allowedips")).split(",")
    return tuple(network(part) for part in parts if part.strip())


def owners(blocks: t.Iterable[Block]) -> dict[str, str]:
    """Which key each network belongs to: the last peer in the file that claims it, as in the daemon."""
    live = [block for block in blocks if block.kind == PEER]
    return {net: public_key(block).text for block in live for net in networks(block)}


def network(text: str) -> str:
    """One network in the form in which `wg` shows it. Raises VpnKeysError(bad_input)."""
    try:
        return str(ipaddress.ip_interface("".join(text.split())).network)
    except ValueError:
        raise VpnKeysError("bad_input", f"{text.strip()!r} is not a network", state=NOTHING_CHANGED) from None


def keepalive(block: Block) -> int | None:
    """The PersistentKeepalive of a peer in seconds, None where the file does not say."""
    text = value(block, "persistentkeepalive")
    if not text:
        return None
    return int(text) if text.isdigit() else 0


def preshared_key(block: Block) -> str:
    """A secret."""
    return "".join(value(block, "presharedkey").split())


def with_value(block: Block, keyword: str, new: str) -> Block:
    """The same section with another value on the line of a keyword; spaces, case and comment of the line stay."""
    lines = list(block.lines)
    for index, line in enumerate(lines):
        entry = _entry(line, keyword)
        if entry:
            lines[index] = entry.group(1) + new + entry.group(4)
    return replace(block, lines=tuple(lines))


# ---- peers


def staged(main: Block, key: str, name: str) -> Block:
    """The section that makes the daemon accept a peer's next key without sending anything by it."""
    copied = [line.rstrip() for line in main.lines if _entry(line, "presharedkey", "endpoint")]
    lines = ["", f"# vpnops.keys: next key of {name}", "[Peer]", f"PublicKey = {key}", *copied]
    return Block(STAGED, _ended(lines, main), name, main.file)


def withdrawn(main: Block, name: str) -> Block:
    """A section that counts no more; `brought_back` is the inverse."""
    lines = tuple(f"#vpnops.keys withdrawn {name}# {line}" for line in main.lines)
    return Block(WITHDRAWN, lines, name, main.file)


def brought_back(block: Block) -> Block:
    """The section that was withdrawn."""
    return Block(PEER, tuple(_restored(line) for line in block.lines), "", block.file)


def append(blocks: list[Block], name: str, settings: t.Mapping[str, str]) -> list[Block]:
    """The blocks with one more peer at the end of the file of wg-quick; settings without a value are left out."""
    comment = Block(TEXT, ("", f"# {name}"))
    entries = ["[Peer]", *(f"{keyword} = {value}" for keyword, value in settings.items() if value)]
    new = [replace(comment, lines=_ended(comment.lines, blocks[0])), Block(PEER, _ended(entries, blocks[0]))]
    main = [block for block in blocks if not block.file]
    others, end = blocks[len(main) :], main[-1]
    if end.kind == TEXT and end.lines[-1] == "":
        return [*main[:-1], *_text(end.lines[:-1]), *new, Block(TEXT, ("",)), *others]
    return [*main, *new, *others]


# ---- the own key


def key_place(blocks: t.Iterable[Block], interface: str) -> Place:
    """Where the own private key comes from: a PostUp that sets one is run last, so it counts."""
    own = [block for block in blocks if block.kind == INTERFACE]
    hooks = [hook for block in own for hook in values(block, "postup") if "private-key" in hook]
    if hooks:
        path = _named_file(hooks[-1].replace("%i", interface), interface)
        return Place(IN_FILE, path) if path else Place(HIDDEN)
    return Place(IN_CONFIG) if private_key(own) else Place(NOWHERE)


def _named_file(hook: str, interface: str) -> str:
    """FILE of `wg set INTERFACE ... private-key FILE ...`, "" where it is not as plain as that."""
    command = next((command for command in commands(hook) if "private-key" in command), [])
    if command[1:3] != ["set", interface] or command[-1] == "private-key":
        return ""
    path = command[command.index("private-key") + 1]
    plain = os.path.basename(command[0]) == "wg" and not any(SHELL.search(word) for word in command)
    return path if plain and path.startswith("/") and not path.startswith(("/dev/", "/proc/")) else ""


def commands(hook: str) -> list[list[str]]:
    """The commands of a line of shell, as words; none where its quotes do not match."""
    lexer = shlex.shlex(hook, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    try:
        for word in lexer:
            if word in _SEPARATORS:
                found.append([])
            else:
                found[-1].append(word)
    except ValueError:
        return []
    return [command for command in found if command]


def private_key(blocks: t.Iterable[Block]) -> str:
    """The PrivateKey of the file, a secret, "" where there is none."""
    return "".join(setting(blocks, "privatekey").split())


def with_private_key(blocks: t.Iterable[Block], secret: str) -> list[Block]:
    """The file with this PrivateKey, in the place of the one it has or as the first entry of [Interface]."""
    new = list(blocks)
    own = [index for index, block in enumerate(new) if block.kind == INTERFACE]
    having = [index for index in own if values(new[index], "privatekey")]
    for index in having:
        new[index] = with_value(new[index], "privatekey", secret)
    if not having:
        block = new[own[0]]
        line = _ended([f"PrivateKey = {secret}"], block)
        new[own[0]] = replace(block, lines=(block.lines[0], *line, *block.lines[1:]))
    return new


def setting(blocks: t.Iterable[Block], keyword: str) -> str:
    """The value of [Interface] that counts, which is the last of all such sections, "" where there is none."""
    found = [text for block in blocks if block.kind == INTERFACE for text in values(block, keyword)]
    return found[-1] if found else ""


# ---- lines


def _restored(line: str) -> str:
    """A line as it was before its section was withdrawn; no line of another section is changed."""
    return _WITHDRAWN.sub(r"\2", line)


def _entry(line: str, *keywords: str) -> re.Match[str] | None:
    """The parts of a line that gives one of these keywords, written in lower case, a value."""
    entry = _ENTRY.match(line)
    return entry if entry and _bare(entry.group(2)) in keywords else None


def _bare(text: str) -> str:
    """As `wg` reads it: without any space, in whatever case."""
    return "".join(text.split()).lower()


def _ended(lines: t.Iterable[str], model: Block) -> tuple[str, ...]:
    """The lines with the ends that the file's own have."""
    end = "\r" if model.lines[0].endswith("\r") else ""
    return tuple(line + end for line in lines)


def _unreadable(path: str, number: int, what: str) -> VpnKeysError:
    return VpnKeysError(
        "unreadable", f"{path}: line {number} {what}", state=NOTHING_CHANGED, advice="fix the file first"
    )
