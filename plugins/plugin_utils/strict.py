# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readers for data that somebody else wrote: typed, bounded, cleaned. Pure.

A reader takes a value and gives what may be believed to be of its kind, or raises Unreadable. Fields that a record
does not know are dropped, and their names are kept in the `Reading`.
"""

from __future__ import annotations

import json
import math
import re
import typing as t
from collections.abc import Callable
from dataclasses import dataclass, field

from ..module_utils import _printable
from ..module_utils._errors import VpnKeysError
from ..module_utils._printable import printable, quoted
from ..module_utils._public_key import parse

NAMED = 8
"""So many dropped fields are named; the rest is counted."""


class Unreadable(ValueError):
    """Why something cannot be read: our own words, in which nothing of the value is quoted."""


@dataclass
class Reading:
    """What was met while something was read. `entries` of lists and `characters` of texts: so many more may come, in
    all; characters as they are kept, which may be ten for one that was read."""

    dropped: dict[str, None] = field(default_factory=dict)
    more: int = 0
    entries: float = math.inf
    characters: float = math.inf

    def count(self, entries: int, characters: int) -> None:
        """Raises Unreadable."""
        self.entries -= entries
        self.characters -= characters
        if min(self.entries, self.characters) < 0:
            raise Unreadable("it is far longer than what a gateway of this fleet has to say")

    def drop(self, name: str) -> None:
        if len(self.dropped) < NAMED:
            self.dropped[quoted(name, 60)] = None
        elif name not in self.dropped:
            self.more += 1


Reader = Callable[[t.Any, Reading, str], t.Any]
"""(value, reading, where it stands) -> what it is."""


def text(longest: int) -> Reader:
    """Any text, as one printable line."""

    def read(value: t.Any, reading: Reading, at: str) -> str:
        if not isinstance(value, str):
            raise Unreadable(f"{at} is not text")
        return _counted(printable(value, longest), reading)

    return read


def said(longest: int) -> Reader:
    """Any text, as the clause that quotes it: from here on it may be part of sentences of ours. Empty where it is."""

    def read(value: t.Any, reading: Reading, at: str) -> str:
        if not isinstance(value, str):
            raise Unreadable(f"{at} is not text")
        return _counted(_printable.said(value, longest), reading)

    return read


def _counted(found: str, reading: Reading) -> str:
    reading.count(0, len(found))
    return found


def word(pattern: str, what: str) -> Reader:
    """A text that matches as a whole."""
    compiled = re.compile(pattern)

    def read(value: t.Any, reading: Reading, at: str) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise Unreadable(f"{at} is not a valid {what}")
        return value[:]

    return read


FINGERPRINT = word("[0-9a-f]{64}", "fingerprint")
CODE = word("[a-z_]{1,40}", "code")


def public_key(value: t.Any, reading: Reading, at: str) -> str:
    """The text of a usable public key, in its one form."""
    if not isinstance(value, str) or len(value) > 4096:
        raise Unreadable(f"{at} is not a public key")
    try:
        return _counted(parse(value).text, reading)
    except VpnKeysError:
        raise Unreadable(f"{at} is not a public key") from None


def flag(value: t.Any, reading: Reading, at: str) -> bool:
    if not isinstance(value, bool):
        raise Unreadable(f"{at} is neither true nor false")
    return value


def number(low: float, high: float) -> Reader:
    def read(value: t.Any, reading: Reading, at: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Unreadable(f"{at} is not a number")
        # A comparison with a number that is none is false.
        if not low <= value <= high:
            raise Unreadable(f"{at} is not between {low:g} and {high:g}")
        return value

    return read


def choice(*words: str) -> Reader:
    def read(value: t.Any, reading: Reading, at: str) -> str:
        if not isinstance(value, str) or value not in words:
            raise Unreadable(f"{at} is none of {', '.join(words)}")
        return words[words.index(value)]

    return read


def nullable(reader: Reader) -> Reader:
    return lambda value, reading, at: None if value is None else reader(value, reading, at)


def many(reader: Reader, most: int) -> Reader:
    """A list with so many entries at most."""

    def read(value: t.Any, reading: Reading, at: str) -> list[t.Any]:
        if not isinstance(value, list):
            raise Unreadable(f"{at} is not a list")
        if len(value) > most:
            raise Unreadable(f"{at} has more than {most} entries")
        reading.count(len(value), 0)
        return [reader(one, reading, f"{at}[{place}]") for place, one in enumerate(value)]

    return read


def record(fields: dict[str, Reader], optional: dict[str, Reader] | None = None) -> Reader:
    """A dictionary that has all of `fields`, perhaps some of `optional`, and nothing else that counts."""
    known = {**fields, **(optional or {})}

    def read(value: t.Any, reading: Reading, at: str) -> dict[str, t.Any]:
        if not isinstance(value, dict):
            raise Unreadable(f"{at} is not a dictionary")
        for name in value:
            if name not in known:
                reading.drop(str(name))
        missing = next((name for name in fields if name not in value), None)
        if missing is not None:
            raise Unreadable(f"{at} has no {missing}")
        return {name: known[name](value[name], reading, f"{at}.{name}") for name in known if name in value}

    return read


# ------------------------------------------------------------------ JSON

LONGEST_NUMBER = 32
"""Characters. Longer ones cost quadratic time, and nobody counts so far."""


def parse_json(text: str) -> dict[str, t.Any]:
    """The one JSON object in an output. Lines around it, such as a login script prints, are skipped. Raises
    Unreadable; it takes time in proportion to the length."""
    lines = [line for line in text.splitlines() if line.lstrip().startswith("{")]
    if not lines:
        raise Unreadable("it has no JSON object")
    if len(lines) > 1:
        raise Unreadable("it has more than one JSON object")
    try:
        found = json.loads(
            lines[0],
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except Unreadable:
        raise
    except ValueError:
        raise Unreadable("its JSON is broken") from None
    if not isinstance(found, dict):
        raise Unreadable("it has no JSON object")
    return found


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise Unreadable("it has a number that is too long")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits) if len(digits) <= LONGEST_NUMBER else math.inf
    if not math.isfinite(value):
        raise Unreadable("it has a number that is too long")
    return value


def _constant(name: str) -> t.NoReturn:
    raise Unreadable("it has an invalid number")


def _object(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("it has a field twice")
    return found
