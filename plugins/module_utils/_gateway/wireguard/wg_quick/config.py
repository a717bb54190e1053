# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration file of wg-quick: how it is written, and where it says the own key is. PRIVATE."""

from __future__ import annotations

import os.path
import re
import shlex
import typing as t

from ..record import HIDDEN, IN_CONFIG, IN_FILE, NOWHERE, Place
from ..sections import INTERFACE, Block, Syntax, private_key, values
from ..sections import parse as parse_sections

SYNTAX = Syntax(
    interface="Interface",
    peer="Peer",
    header=re.compile(r"\s*\[([^]#]*)\]\s*(?:#.*)?$", re.DOTALL),
    entry=re.compile(r"(\s*([^#=]*?)\s*=\s*)([^#]*?)(\s*(?:#.*)?)$", re.DOTALL),
    nothing=re.compile(r"\s*(?:#.*)?$", re.DOTALL),
    keyword=lambda text: "".join(text.split()).lower(),
    between=re.compile(","),
)
_SEPARATORS = frozenset((";", "&&", "||", "&"))
SHELL = re.compile(r"[$`*?~<>(){}\[\]!\\|]")


def parse(text: str, path: str) -> list[Block]:
    """The blocks of a file, as `sections.parse` has them."""
    return parse_sections(text, path, SYNTAX)


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
