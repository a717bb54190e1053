# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IOS parser: a tree of keywords and arguments, abbreviations, and what is wrong with a line, to the column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Kind = Literal["key", "word", "num", "line"]
Args = dict[str, Any]
_TOKEN = re.compile(r"\S+")


@dataclass(frozen=True)
class Node:
    """One word of a command. `name` is where its value goes in the result; `run` the action if the line may end here.

    `options` may follow in any order, each once, and of those with the same `group` only one; then comes `next`.
    """

    word: str
    help: str = ""
    kind: Kind = "key"
    name: str = ""
    run: str = ""
    next: tuple[Node, ...] = ()
    options: tuple[Node, ...] = ()
    group: str = ""
    level: int = 1
    hidden: bool = False
    low: int = 0
    high: int = 0


def key(word: str, help: str = "", *next: Node, **more: Any) -> Node:
    """A keyword."""
    return Node(word, help, next=next, **more)


def word(name: str, help: str = "", *next: Node, **more: Any) -> Node:
    """One word of the user's choice."""
    return Node(more.pop("show", "WORD"), help, "word", name, next=next, **more)


def num(name: str, low: int, high: int, help: str = "", *next: Node, **more: Any) -> Node:
    """A decimal number in a range."""
    return Node(f"<{low}-{high}>", help, "num", name, next=next, low=low, high=high, **more)


def line(name: str, help: str = "", **more: Any) -> Node:
    """The rest of the line, spaces and all."""
    return Node("LINE", help, "line", name, **more)


@dataclass(frozen=True)
class Parsed:
    """A complete command: what to do, and the arguments. A keyword with a name sets that argument to True."""

    action: str
    args: Args


@dataclass(frozen=True)
class Wrong:
    """Not a command: `at` is the column the caret belongs under (for `invalid`)."""

    why: Literal["invalid", "incomplete", "ambiguous"]
    at: int = 0


@dataclass
class _At:
    """Where in the tree the parser stands."""

    node: Node
    loop: Node | None = None
    used: frozenset[str] = frozenset()
    args: Args = field(default_factory=dict)
    level: int = 15

    def candidates(self) -> Iterator[Node]:
        if self.node.options:
            yield from self.node.options
        elif self.loop is not None and not self.node.next:
            for option in self.loop.options:
                if option.word not in self.used and not (option.group and option.group in self.used):
                    yield option
            yield from self.loop.next
            return
        yield from (n for n in self.node.next if n.level <= self.level)

    def step(self, node: Node, value: Any) -> _At:
        loop, used, args = self.loop, self.used, self.args
        if self.node.options:
            loop, used = self.node, frozenset()
        if loop is not None and any(node is option for option in loop.options):
            used = used | {node.word} | ({node.group} if node.group else set())
        elif loop is not None and any(node is after for after in loop.next):
            loop = None
        if node.name:
            args = {**args, node.name: value}
        return replace(self, node=node, loop=loop, used=used, args=args)

    def action(self) -> str:
        if self.node.run:
            return self.node.run
        return self.loop.run if self.loop is not None and not self.node.next else ""


def parse(root: Node, text: str, level: int = 15, caret: str = "mismatch") -> Parsed | Wrong:
    """Read one line. `level` is the privilege of the session; `caret` says where in a wrong word the caret goes."""
    at = _At(root, level=level)
    for match in _TOKEN.finditer(text):
        token, column = match[0], match.start()
        choice = _choose(list(at.candidates()), token)
        if isinstance(choice, Wrong):
            return replace(choice, at=column + (choice.at if caret == "mismatch" else 0))
        if choice.kind == "line":
            done = at.step(choice, text[column:].rstrip(" "))
            return Parsed(done.action(), done.args)
        at = at.step(choice, _value(choice, token))
    action = at.action()
    return Parsed(action, at.args) if action else Wrong("incomplete")


def first_word(root: Node, text: str, level: int = 15) -> str:
    """The full first keyword of a line; empty if there is none."""
    match = _TOKEN.search(text)
    choice = _choose(list(_At(root, level=level).candidates()), match[0]) if match else None
    return choice.word if isinstance(choice, Node) else ""


def complete(root: Node, text: str, level: int = 15) -> list[tuple[str, str]] | Wrong:
    """What `?` shows after `text`: (word, help) of each possibility, `<cr>` if the line may end."""
    fresh = not text or text[-1] == " "
    tokens = list(_TOKEN.finditer(text))
    last = None if fresh or not tokens else tokens.pop()
    at = _At(root, level=level)
    for match in tokens:
        choice = _choose(list(at.candidates()), match[0])
        if isinstance(choice, Wrong):
            return replace(choice, at=match.start() + choice.at)
        if choice.kind == "line":
            return [("LINE", choice.help), ("<cr>", "")]
        at = at.step(choice, _value(choice, match[0]))
    candidates = [n for n in at.candidates() if not n.hidden]
    if last is not None:
        prefix = last[0].lower()
        candidates = [n for n in candidates if n.kind != "key" or n.word.startswith(prefix)]
        found = [(n.word, n.help) for n in candidates if n.kind == "key"]
        return sorted(found) or [(n.word, n.help) for n in candidates]
    found = sorted((n.word, n.help) for n in candidates)
    if at.action():
        found.append(("<cr>", ""))
    return found


def _choose(candidates: list[Node], token: str) -> Node | Wrong:
    lower = token.lower()
    keys = [n for n in candidates if n.kind == "key" and n.word.lower().startswith(lower)]
    exact = [n for n in keys if n.word.lower() == lower]
    if exact or len(keys) == 1:
        return (exact or keys)[0]
    if keys:
        return Wrong("ambiguous")
    for node in candidates:
        if node.kind in ("word", "line") or (node.kind == "num" and _in_range(node, token)):
            return node
    return Wrong("invalid", _mismatch(candidates, lower))


def _mismatch(candidates: list[Node], token: str) -> int:
    """How far into the word some keyword still matched."""
    best = 0
    for node in candidates:
        if node.kind == "key" and not node.hidden:
            same = 0
            for a, b in zip(node.word.lower(), token, strict=False):
                if a != b:
                    break
                same += 1
            best = max(best, same)
    return min(best, len(token) - 1)


def _in_range(node: Node, token: str) -> bool:
    return token.isascii() and token.isdigit() and len(token) < 12 and node.low <= int(token) <= node.high


def _value(node: Node, token: str) -> Any:
    if node.kind == "num":
        return int(token)
    return token if node.kind == "word" else (node.word if node.group else True)
