# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What devices said never steers a terminal, and nothing of it is hidden."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._printable import printable, quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é", "plain é"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("two\nlines\r", r"two\nlines\r"),
        ("\u202eright", r"\u202eright"),
        ("\ud800", r"\ud800"),
        ("\x9b31m", r"\x9b31m"),
        ("\u2028", r"\u2028"),
    ],
)
def test_what_is_not_printable_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_what_is_cut_is_counted() -> None:
    assert printable("a" * 12, longest=10) == "aaaaaaaaaa [2 more characters]"


@given(st.text(), st.integers(1, 50))
def test_it_is_always_one_printable_line_that_tells_texts_apart(text: str, longest: int) -> None:
    shown = printable(text, longest)
    assert shown.isprintable()
    assert len(text) > longest or len(shown) >= len(text)
    assert (shown == text) == (text.isprintable() and len(text) <= longest)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", '"plain"'),
        ("M\u00fcller \u65e5\u672c", '"M\u00fcller \u65e5\u672c"'),
        ('a" and b', r'"a\" and b"'),
        ("ends in \\", r'"ends in \\"'),
        (r"C:\x \" y", r'"C:\x \\\" y"'),
        ("\u201d \u2502 \u202e", r'"\u201d \u2502 \u202e"'),
        ("", '""'),
    ],
)
def test_nothing_gets_out_of_quotation_marks(text: str, shown: str) -> None:
    assert quoted(text) == shown


def test_what_is_cut_of_a_quotation_is_counted_behind_it() -> None:
    assert quoted("a" * 12, longest=10) == '"aaaaaaaaaa" [2 more characters]'
    assert quoted("\x1b" * 12, longest=10) == r'"\x1b\x1b" [10 more characters]'


def test_any_text_is_quoted_in_linear_time() -> None:
    """A machine that does much else as well gets seconds for what takes none."""
    for text in ('"', "\\", '\\"', "\U0001f600", "\\" * 99 + "a"):
        begun = time.process_time()
        quoted(text * (200_000 // len(text)), 200_000)
        assert time.process_time() - begun < 2, text
