# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`?` and Tab."""

from __future__ import annotations

from .grammar import Node, Wrong, complete
from .terminal import Terminal


def text(root: Node, typed: str, level: int, column: int) -> str:
    """What `?` prints: the possible words after a space, or the words that start like the last one."""
    found = complete(root, typed, level)
    if isinstance(found, Wrong):
        if found.why == "ambiguous":
            return f'% Ambiguous command:  "{typed}"\n'
        return " " * (column + found.at) + "^\n% Invalid input detected at '^' marker.\n\n"
    if not found:
        return "% Unrecognized command\n"
    if typed and typed[-1] != " " and not found[0][0].isupper() and found[0][0][0] not in "<":
        return "".join(f"{word}  " for word, dummy in found) + "\n\n"
    width = max(len(word) for word, dummy in found)
    return "".join(f"  {word:<{width}}  {what}".rstrip() + "\n" for word, what in found) + "\n"


def completed(root: Node, typed: str, level: int, term: Terminal) -> str:
    """What stands on the line after Tab: completed if there is one way only. The prompt comes again either way."""
    found = complete(root, typed, level) if typed and typed[-1] != " " else []
    term.write_raw("\r\n")
    if isinstance(found, Wrong) or len(found) != 1 or not found[0][0][0].islower():
        term.write_raw("\a")
        return typed
    head = typed[: len(typed) - len(typed.split()[-1])]
    return head + found[0][0] + " "
