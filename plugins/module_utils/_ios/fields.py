# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values in what IOS lists, made fit to be compared, shown and kept. PRIVATE to the collection.

Every text of a device that leaves the readers of this package has gone through here, once.
"""

from __future__ import annotations

import re
import typing as t

from .._printable import printable
from .screen import unreadable

LONGEST_NAME = 255
LONGEST_TEXT = 120
LARGEST_NUMBER = 2**32 - 1
"""Seconds, bytes and counters of IOS fit in 32 bits."""

T = t.TypeVar("T")


def name(value: str) -> str:
    """What things are told apart by: groups, keys, addresses. Two names never become one: what is not printable is
    escaped, and marked with a space, which no name on IOS has."""
    if len(value) > LONGEST_NAME:
        unreadable(f"The device lists something with a name of {len(value)} characters.")
    if re.search(r"\s", value):
        unreadable(f"The device lists something with a name that has blanks: '{printable(value, LONGEST_TEXT)}'.")
    if value.isprintable():
        return value
    return printable(value.replace("\\", "\\\\"), LONGEST_NAME * 2) + " [escaped]"


def maybe_name(value: str | None) -> str | None:
    return name(value) if value else None


def text(value: str | None) -> str | None:
    """What only people read. None for nothing."""
    return printable(value, LONGEST_TEXT) if value else None


def number(value: str | None) -> int | None:
    """None for an empty text, for one that is not a number, such as `n/a`, and for a number out of range."""
    if not value or not re.fullmatch(r"[0-9]{1,10}", value) or int(value) > LARGEST_NUMBER:
        return None
    return int(value)


def at_most(most: int, found: t.Sequence[T], what: str) -> tuple[T, ...]:
    """Nothing that is listed is left out in silence: more than any device has cannot be read."""
    if len(found) > most:
        unreadable(f"The device lists {len(found)} {what}, more than the {most} that any device has.")
    return tuple(found)
