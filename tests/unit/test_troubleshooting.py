# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages that the guide explains are messages of the code, word for word."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/docsite/rst/guide_troubleshooting.rst").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^   \* - ``(.+)``$", GUIDE, re.M)
ANY = "\0"
"""In place of what a message fills in."""


def texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(one.value if isinstance(one, ast.Constant) else ANY for one in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@functools.cache
def printed() -> str:
    """All that the code can say, one text a line."""
    said = [text for path in (ROOT / "plugins").rglob("*.py") for text in texts(ast.parse(path.read_text("utf-8")))]
    tasks = [path.read_text("utf-8") for path in ROOT.glob("roles/*/tasks/**/*.yml")]
    said += [re.sub(r"\{\{.*?\}\}", ANY, text, flags=re.S) for text in tasks]
    return "\n".join(" ".join(text.split()) for text in said)


def test_there_are_messages() -> None:
    assert len(MESSAGES) > 30
    assert GUIDE.count("\n   * - ``") == len(MESSAGES)


@pytest.mark.parametrize("message", MESSAGES)
def test_the_code_says_it(message: str) -> None:
    """`...` is at least one thing that was filled in, and nothing else is between the parts."""
    parts = [re.escape(part.strip()) for part in message.split("...")]
    filled = rf"[^\n]*{ANY}[^\n]*?"
    pattern = filled.join(part for part in parts if part)
    assert re.search(pattern, printed()), message


def test_a_message_that_nobody_says_is_found() -> None:
    assert not re.search(re.escape("the key fell off the table"), printed())
