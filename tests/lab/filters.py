# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`show ... | include|exclude|begin|section|count REGEX`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .grammar import Node, Parsed, Wrong, key, line
from .grammar import parse as parse_line

FILTERS = Node(
    "",
    next=(
        key("begin", "Begin with the line that matches", line("regex", run="begin")),
        key("count", "Count number of lines which match regexp", line("regex", run="count")),
        key("exclude", "Exclude lines that match", line("regex", run="exclude")),
        key("include", "Include lines that match", line("regex", run="include")),
        key("section", "Filter a section of output", line("regex", run="section")),
    ),
)


@dataclass(frozen=True)
class Filter:
    """A parsed filter."""

    kind: str
    regex: str


def split(text: str) -> tuple[str, str | None, int]:
    """(command, what follows the first ` |`, its column); no filter: (text, None, 0)."""
    at = text.find(" |")
    if at < 0:
        return text, None, 0
    return text[: at + 1], text[at + 2 :], at + 2


def parse(text: str) -> Filter | Wrong:
    """Read what follows the pipe."""
    parsed = parse_line(FILTERS, text)
    return Filter(parsed.action, parsed.args["regex"]) if isinstance(parsed, Parsed) else parsed


def apply(chosen: Filter, text: str) -> str:
    """What is left of an output."""
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    hit = _matcher(chosen.regex)
    if chosen.kind == "count":
        return f"Number of lines which match regexp = {sum(map(hit, lines))}\n"
    if chosen.kind == "include":
        kept = [row for row in lines if hit(row)]
    elif chosen.kind == "exclude":
        kept = [row for row in lines if not hit(row)]
    elif chosen.kind == "begin":
        first = next((i for i, row in enumerate(lines) if hit(row)), len(lines))
        kept = lines[first:]
    else:
        kept = _sections(lines, chosen.regex)
    return "".join(row + "\n" for row in kept)


def _sections(lines: list[str], regex: str) -> list[str]:
    """Matching lines with everything indented deeper below them. `section include|exclude REGEX` also exist."""
    word, dummy, rest = regex.partition(" ")
    negative = bool(rest) and "exclude".startswith(word)
    if rest and ("include".startswith(word) or negative):
        regex = rest
    hit = _matcher(regex)
    kept: list[str] = []
    inside = -1
    for row in lines:
        indent = len(row) - len(row.lstrip())
        if inside >= 0 and indent <= inside:
            inside = -1
        if inside < 0 and hit(row):
            inside = indent
        if (inside >= 0) != negative:
            kept.append(row)
    return kept


def _matcher(regex: str) -> Callable[[str], bool]:
    """Whether a line matches; a regular expression that Python does not read is taken literally."""
    try:
        pattern = re.compile(regex)
    except re.error:
        return lambda row: regex in row
    return lambda row: pattern.search(row) is not None
