# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the listings of GET VPN have in common: lines of `name : value`, and how many of a kind there may be. PRIVATE.

Each reader takes any text and either returns what is listed there or raises VpnKeysError("unreadable"). Echo,
prompts, CRLF, paging remnants and log messages in the middle of the output do no harm. An answer is never shorter than
what is there: what may stand in the place of something that is missing is unreadable.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping, Sequence

from .fields import number
from .screen import expect_no_refusal, is_echo, quote, refusal, unreadable

MOST_GROUPS = 1_000
MOST_PEERS = 100
"""Peers of one key server in one group: IOS takes 7."""

# One or more "name : value" on a line, parted by " , " or by two spaces.
# A run of spaces is looked at from its beginning only: from each of its places it would cost the square of its length.
_FIELD_BREAK = re.compile(r"(?<![ \t])(?:[ \t]{1,40},(?:[ \t]|$)|(?:[ \t]{2}|\t)[ \t]*(?=[A-Za-z]))")
_LONGEST_LINE = 1000


_SHORT = 160


def fields_of(line: str) -> tuple[tuple[str, str], ...]:
    """What a line says, field by field. A line that says nothing is a field of its own, without a value."""
    return _remembered(line) if len(line) <= _SHORT else _fields_of(line)


def _fields_of(line: str) -> tuple[tuple[str, str], ...]:
    line = line.strip()
    if not line or is_echo(line):
        return ()
    if ":" not in line or len(line) > _LONGEST_LINE:
        return ((line[:_LONGEST_LINE], ""),)
    # Most lines hold one field, and a fleet's listings have many lines.
    several = "  " in line or "\t" in line or " ," in line
    parts = _FIELD_BREAK.split(line) if several else [line]
    found = []
    for place, part in enumerate(parts, 1):
        field, colon, value = part.partition(":")
        if not value.strip() and colon and place < len(parts) and ":" not in parts[place]:
            value, parts[place] = parts[place], ""  # more blanks than one before a value
        if field := " ".join(field.split()).lower():
            found.append((field, value.strip()))
    return tuple(found)


_remembered = functools.lru_cache(maxsize=4096)(_fields_of)
"""The key servers of a fleet show the same lines again and again."""


def put(found: dict[str, str], field: str, value: str, read: Collection[str], what: str) -> None:
    """What is read stands once in its place: twice means that the line between is missing."""
    if field in read and (field in found or not value):
        unreadable(f"{what} shows '{quote(field)}' {'twice in one place' if field in found else 'without a value'}.")
    found.setdefault(field, value)


def expect_whole(found: Mapping[str, str], read: Collection[str], others: Collection[str], what: str) -> None:
    """A field that is not known may be the one that is missing. Where none is missing, it is a field of its own."""
    missing = [field for field in read if field not in found]
    if missing and (unknown := [field for field in found if field not in read and field not in others]):
        unreadable(f"{what} does not show '{missing[0]}', and shows something else: \"{quote(unknown[0])}\".")


NO_VALUE = frozenset(("-", "n/a", "na", "none", "not applicable", "not available", "undefined", "unknown"))


def number_in(value: str | None, what: str) -> int | None:
    if value is not None and value.lower() not in NO_VALUE and not value.isdigit():
        unreadable(f'{what} shows "{quote(value)}" where a number is expected.')
    return number(value)


def expect_all(found: Mapping[str, str], fields: Sequence[str], what: str) -> None:
    for field in fields:
        if not found.get(field):
            unreadable(f"{what} does not show '{field}'.")


_HEADINGS = frozenset(("key server policy", "group member information", "^"))


def not_before_the_first(listing: str, field: str, what: str) -> None:
    """Nothing is listed before the first head; where no group is, the device says so."""
    if field in _HEADINGS or field.lower().startswith(("group member not found", "number of ", "duration of ")):
        return
    expect_no_refusal(listing, what)
    found = refusal(listing)
    if not found or found.code != "not_found":
        unreadable(f'The device did not show {what} but: "{quote(field)}".')
