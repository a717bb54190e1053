# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tampered gateway answers: mutations of the result that a module prints.

A mutation is data, so that a test can hand it to a gateway as JSON: edits of the result, and a form of the text that
is printed in its place. Nothing but the standard library is used here: this file itself runs on tampered gateways.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Result = dict[str, Any]
MARK = "tampered-was-here"
"""Attacks that would run a command make a file of this name, or of a name that begins with it."""
JINJA = "{{ lookup('ansible.builtin.pipe', 'touch " + MARK + "') }}"
ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\r\x08"
FLOOD = 100 * 1024 * 1024
ENTRIES = 1_000_000
DEEP = 100_000
DIGITS = 5_000


@dataclass(frozen=True)
class Edit:
    """One change of a result.

    `op` is a key of OPS. `at` leads to the field: names of fields, which `set` makes where they are missing, and
    numbers, which mean the child of that number, counted around, of whatever is there. So a path of numbers leads to
    some field of any result.
    """

    op: str
    at: tuple[str | int, ...] = ()
    value: Any = None


@dataclass(frozen=True)
class Mutation:
    """Edits, one after the other, and how the outcome is printed. `about`: the module whose result has the fields that
    are edited, "" where any result will do."""

    name: str
    edits: tuple[Edit, ...] = ()
    form: str = "plain"
    about: str = ""

    def result(self, result: Result) -> Any:
        """The result instead. It need not be a dict any more."""
        changed: Any = copy.deepcopy(result)
        for edit in self.edits:
            # A value of its own for each edit: one that is put into itself has no end.
            changed = OPS[edit.op](changed, copy.deepcopy(edit))
        return changed

    def printed(self, result: Result) -> Iterator[bytes]:
        """All that is printed in its place, in parts: it may be long."""
        yield from FORMS[self.form](json.dumps(self.result(result)))

    def to_json(self) -> Result:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Mutation:
        edits = tuple(Edit(edit["op"], tuple(edit["at"]), edit["value"]) for edit in data["edits"])
        return cls(data["name"], edits, data["form"], data["about"])


# -- edits


def _set(result: Any, edit: Edit) -> Any:
    """Put a value into a field; the root is replaced as a whole."""
    if not edit.at:
        return edit.value
    place, key = _place(result, edit.at, make=True)
    if isinstance(place, dict) or (isinstance(place, list) and isinstance(key, int) and key < len(place)):
        place[key] = edit.value
    return result


def _drop(result: Any, edit: Edit) -> Any:
    place, key = _place(result, edit.at)
    if _has(place, key):
        del place[key]
    return result


def _double(result: Any, edit: Edit) -> Any:
    """The field once more: in a list beside itself, in a dict under another name."""
    place, key = _place(result, edit.at)
    if _has(place, key):
        again = copy.deepcopy(place[key])
        place.insert(key, again) if isinstance(place, list) else place.update({f"{key}_again": again})
    return result


def _wrap(result: Any, edit: Edit) -> Any:
    """A list around the field."""
    place, key = _place(result, edit.at)
    if _has(place, key):
        place[key] = [place[key]]
    return result


def _text(result: Any, edit: Edit) -> Any:
    """The field as text."""
    place, key = _place(result, edit.at)
    if _has(place, key):
        place[key] = json.dumps(place[key])
    return result


def _extend_text(result: Any, edit: Edit) -> Any:
    """More text behind the text of a field; another field is left alone."""
    place, key = _place(result, edit.at)
    if _has(place, key) and isinstance(place[key], str):
        place[key] += edit.value
    return result


def _rename(result: Any, edit: Edit) -> Any:
    """Everywhere the one word for the other one, as names of fields, too. `value`: both."""
    old, new = edit.value
    if isinstance(result, str):
        return result.replace(old, new)
    if isinstance(result, list):
        return [_rename(one, edit) for one in result]
    if isinstance(result, dict):
        return {_rename(name, edit): _rename(one, edit) for name, one in result.items()}
    return result


def _merge(result: Any, edit: Edit) -> Any:
    """Further fields at the top; the others stay."""
    return {**result, **edit.value} if isinstance(result, dict) else result


def _append(result: Any, edit: Edit) -> Any:
    """One more entry of a list, which is made where it is missing."""
    place, key = _place(result, edit.at, make=True)
    if isinstance(place, dict):
        there = place.get(key)
        place[key] = [*there, edit.value] if isinstance(there, list) else [edit.value]
    return result


OPS: dict[str, Callable[[Any, Edit], Any]] = {
    "set": _set,
    "drop": _drop,
    "double": _double,
    "wrap": _wrap,
    "text": _text,
    "extend_text": _extend_text,
    "rename": _rename,
    "merge": _merge,
    "append": _append,
}


def _place(result: Any, path: Sequence[str | int], *, make: bool = False) -> tuple[Any, Any]:
    """The container of a field, and the key of the field there; (None, None) where the path leads nowhere."""
    here: Any = result
    container: Any = None
    key: Any = None
    for number, step in enumerate(path):
        keys = list(here) if isinstance(here, dict) else list(range(len(here))) if isinstance(here, list) else []
        if isinstance(step, str) and isinstance(here, dict):
            container, key = here, step
            if make and step not in here and number + 1 < len(path):
                here[step] = {}
            here = here.get(step)
        elif isinstance(step, int) and keys:
            container, key = here, keys[step % len(keys)]
            here = here[key]
        elif isinstance(step, int):
            break
        else:
            return None, None
    return container, key


def _has(place: Any, key: Any) -> bool:
    return (isinstance(place, dict) and key in place) or (isinstance(place, list) and key < len(place))


# -- forms


def _plain(text: str) -> Iterator[bytes]:
    yield text.encode("utf-8", "surrogateescape")


def _truncated(text: str) -> Iterator[bytes]:
    yield text[: len(text) // 2].encode()


def _two_documents(text: str) -> Iterator[bytes]:
    yield f"{text}\n{text}".encode()


def _flood(text: str) -> Iterator[bytes]:
    yield b'{"flood": "'
    for dummy in range(FLOOD // 65536):
        yield b"x" * 65536
    yield f'", {text[1:]}'.encode()


def _endless_digits(text: str) -> Iterator[bytes]:
    yield f'{{"size": {"9" * DIGITS}, {text[1:]}'.encode()


def _deep(text: str) -> Iterator[bytes]:
    yield f'{{"deep": {"[" * DEEP}{"]" * DEEP}, {text[1:]}'.encode()


def _many(text: str) -> Iterator[bytes]:
    yield b'{"many": [""'
    for dummy in range(ENTRIES // 1000):
        yield b',"x"' * 1000
    yield f"], {text[1:]}".encode()


def _doubled_keys(text: str) -> Iterator[bytes]:
    yield f"{text[:-1]}, {text[1:]}".encode()


def _binary(dummy: str) -> Iterator[bytes]:
    yield bytes(range(256)) * 8


def _empty(dummy: str) -> Iterator[bytes]:
    yield b""


def _raw_surrogates(text: str) -> Iterator[bytes]:
    """Bytes that are not UTF-8."""
    yield b'{"name": "\xed\xa0\x80\xff", ' + text[1:].encode()


def _escapes_around(text: str) -> Iterator[bytes]:
    noise = ESCAPES.encode()
    yield noise + b"\n" + text.encode() + b"\n" + noise + b"\n"


FORMS: dict[str, Callable[[str], Iterator[bytes]]] = {
    "plain": _plain,
    "truncated": _truncated,
    "two_documents": _two_documents,
    "flood": _flood,
    "endless_digits": _endless_digits,
    "deep": _deep,
    "many": _many,
    "doubled_keys": _doubled_keys,
    "binary": _binary,
    "empty": _empty,
    "raw_surrogates": _raw_surrogates,
    "escapes_around": _escapes_around,
}
LARGE = ("flood", "many")
"""Forms that take a second or more each."""
