# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands between the words of the documentation: code blocks, and the commands in them."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from integration.control_node import CHECKOUT

DOCUMENTS = sorted(
    [CHECKOUT / "README.md", *CHECKOUT.glob("docs/docsite/rst/*.rst"), *CHECKOUT.glob("roles/*/README.md")]
)
MARKDOWN = re.compile(r"^(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S)
# Up to the next line that is not indented more than the directive.
RST = re.compile(
    r"^(?P<indent> *)\.\. (?:code-block|code|sourcecode):: *(?P<language>\S*)\n"
    r"(?P<text>(?:(?P=indent) +\S.*\n|\s*\n)*)",
    re.M,
)
LANGUAGES = {"shell", "yaml", "ini", "text", ""}
"""A command in a block of another name would not be found."""


@dataclass(frozen=True)
class Block:
    """A code block, and where it is."""

    document: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(CHECKOUT)}:{self.line}"


def blocks(*languages: str) -> Iterator[Block]:
    """The code blocks of all documents in these languages, or in any."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for found in (MARKDOWN if document.suffix == ".md" else RST).finditer(text):
            if not languages or found["language"] in languages:
                line = text.count("\n", 0, found.start()) + 1
                yield Block(document, line, found["language"], textwrap.dedent(found["text"]).strip() + "\n")


def commands() -> dict[str, str]:
    """All commands by how they look on one line, as they stand in the documents; also those of recorded sessions."""
    return {one_line(command): command for block in blocks() for command in split(script(block))}


def script(block: Block) -> str:
    """What of a block is typed."""
    if block.language == "shell":
        return block.text
    return "\n".join(re.findall(r"^\$ (.*)", block.text, re.M))


def split(text: str) -> Iterator[str]:
    """The commands of a script, some of which take several lines; without remarks."""
    pending = ""
    for line in text.splitlines():
        pending += line + "\n"
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # a quotation goes on in the next line
            continue
        if pending.endswith("\\\n"):
            continue
        if words:
            yield re.sub(r"\s+# .*$", "", pending.strip())
        pending = ""
    assert not pending, f"no end: {pending!r}"


def one_line(command: str) -> str:
    return " ".join(command.replace("\\\n", " ").split())
