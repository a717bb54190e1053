# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readers give what is of their kind, or say in our own words why not."""

from __future__ import annotations

import time
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.plugin_utils import strict
from ansible_collections.vpnops.keys.plugins.plugin_utils.strict import Reader, Reading, Unreadable

PERSON = strict.record(
    {"name": strict.text(5), "age": strict.number(0, 150)},
    {"tags": strict.many(strict.choice("a", "b"), 2), "note": strict.nullable(strict.text(3))},
)


def read(reader: Reader, value: t.Any) -> t.Any:
    return reader(value, Reading(), "it")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"name": "ann", "age": 7}, {"name": "ann", "age": 7}),
        ({"name": "annabel", "age": 7.5}, {"name": "annab [2 more characters]", "age": 7.5}),
        ({"name": "a\x1b", "age": 0, "tags": ["a", "b"]}, {"name": "a\\x1b", "age": 0, "tags": ["a", "b"]}),
        ({"name": "", "age": 150, "note": None, "more": 1}, {"name": "", "age": 150, "note": None}),
    ],
)
def test_what_is_read(value: t.Any, found: t.Any) -> None:
    assert read(PERSON, value) == found


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "it is not a dictionary"),
        ([], "it is not a dictionary"),
        ({"name": "ann"}, "it has no age"),
        ({"name": 1, "age": 1}, "it.name is not text"),
        ({"name": "", "age": "1"}, "it.age is not a number"),
        ({"name": "", "age": True}, "it.age is not a number"),
        ({"name": "", "age": -1}, "it.age is not between 0 and 150"),
        ({"name": "", "age": float("nan")}, "it.age is not between 0 and 150"),
        ({"name": "", "age": 10**400}, "it.age is not between 0 and 150"),
        ({"name": "", "age": 1, "tags": "ab"}, "it.tags is not a list"),
        ({"name": "", "age": 1, "tags": ["a"] * 3}, "it.tags has more than 2 entries"),
        ({"name": "", "age": 1, "tags": ["a", "\x1b"]}, "it.tags[1] is none of a, b"),
    ],
)
def test_what_is_not_read(value: t.Any, why: str) -> None:
    with pytest.raises(Unreadable) as raised:
        read(PERSON, value)
    assert str(raised.value) == why


def test_dropped_fields_are_named_up_to_a_number() -> None:
    reading = Reading()
    strict.record({})({f"x{number}\x1b" if number else "x" * 99: 1 for number in range(20)}, reading, "it")
    assert list(reading.dropped)[:2] == [f'"{"x" * 60}" [39 more characters]', r'"x1\x1b"']
    assert (len(reading.dropped), reading.more) == (strict.NAMED, 12)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has no JSON object"),
        ("Welcome\n[1]", "it has no JSON object"),
        ("{}\n{}", "it has more than one JSON object"),
        ('{"a": 1', "its JSON is broken"),
        ('{"a": NaN}', "it has an invalid number"),
        ('{"a": -Infinity}', "it has an invalid number"),
        ('{"a": 1e999}', "it has a number that is too long"),
        (f'{{"a": {"1" * 33}}}', "it has a number that is too long"),
        (f'{{"a": 0.{"1" * 33}}}', "it has a number that is too long"),
        ('{"a": 1, "a": 2}', "it has a field twice"),
        ('{"a": {"b": 1, "b": 1}}', "it has a field twice"),
        ('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}", "it is nested too deeply"),
    ],
)
def test_json_that_is_not_read(text: str, why: str) -> None:
    with pytest.raises(Unreadable) as raised:
        strict.parse_json(text)
    assert str(raised.value) == why


def test_lines_of_a_login_script_are_no_matter() -> None:
    assert strict.parse_json('Welcome to gw1\n{"changed": false}\r\nBye') == {"changed": False}


def test_long_numbers_cost_no_quadratic_time() -> None:
    began = time.process_time()
    with pytest.raises(Unreadable):
        strict.parse_json('{"a": ' + "9" * 5_000_000 + "}")
    assert time.process_time() - began < 5


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = strict.parse_json(text)
    except Unreadable:
        return
    assert isinstance(found, dict)
