# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that somebody else wrote, made fit for a terminal, a log or a page. PRIVATE to the collection.

The one function that does it. Nothing is dropped silently: what is not printable is shown as an escape, what is too
long is cut and says so.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 400
"""Characters of one text of a device that anybody still reads."""


def printable(text: str, longest: int = LONGEST) -> str:
    r"""One line of printable characters: an escape character becomes ``\x1b``, a line break ``\n``, a sign that turns
    the direction of text ``\u202e``. At most `longest` characters of the text are left, and the rest is counted."""
    kept = text[:longest]
    if not kept.isprintable():
        kept = "".join(char if char.isprintable() else _escape(char) for char in kept)
    cut = len(text) - longest
    return f"{kept} [{cut} more characters]" if cut > 0 else kept


def quoted(text: str, longest: int = LONGEST) -> str:
    r"""The same between quotation marks, out of which nothing of it gets: what could be taken for the closing mark, for
    the border of a table, or for other text that is beside it, is shown as an escape. What is said of the length stands
    behind the mark; at most `longest` characters are between them."""
    left = min(len(text), longest)
    while len(inside := _NOT_PLAIN.sub(_inside, text[:left])) > longest:
        left = min(left - 1, left * longest // len(inside))
    cut = len(text) - left
    return f'"{inside}" [{cut} more characters]' if cut > 0 else f'"{inside}"'


_NOT_PLAIN = re.compile(r'(\\*)("|\Z)|\\+|[^ -~]')


def _inside(found: re.Match[str]) -> str:
    if found[2] is not None:
        # Backslashes count only where they stand before a quotation mark.
        return f"{2 * found[1]}\\\"" if found[2] else 2 * found[1]
    return found[0] if found[0][0] == "\\" or _is_plain(found[0]) else _escape(found[0])


def _is_plain(char: str) -> bool:
    """Letters from left to right and digits; the letters that only modify look like quotation marks."""
    category = unicodedata.category(char)
    return category[0] in "LN" and category != "Lm" and unicodedata.bidirectional(char) in ("L", "EN")


def said(text: str, longest: int = LONGEST) -> str:
    """What a device says as a clause of a sentence of ours about it; empty where it says nothing."""
    return f"it says {quoted(text, longest)}" if text else ""


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
