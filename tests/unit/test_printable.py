# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What devices said never steers a terminal, and nothing of it is hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._printable import printable


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
