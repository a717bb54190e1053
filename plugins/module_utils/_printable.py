# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that somebody else wrote, made fit for a terminal, a log or a page. PRIVATE to the collection.

The one function that does it. Nothing is dropped silently: what is not printable is shown as an escape, what is too
long is cut and says so.
"""

from __future__ import annotations

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


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
