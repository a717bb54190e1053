# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables and notes in terminals of any width, with names of any length: no word is broken."""

from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.fleet.samples import entry, seen, snapshot

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.plan import PlanOptions, plan
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import status
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import gateways
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables.page import Page, fitting

WORDS = st.text("abcxyz0189.-", min_size=1, max_size=100)
CELLS = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
NAMES = [f"vpn-gateway-{number}.branch-office.zuerich.example.com" for number in (1, 2, 3)]


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=4), st.integers(60, 200), st.booleans())
def test_no_word_is_broken(rows: list[tuple[str, str, str]], width: int, whole: bool) -> None:
    page = Page(width)
    data = [dict(zip("abc", row, strict=True)) for row in rows]
    page.table("Title", {name: operator.itemgetter(name) for name in "abc"}, data, "a" if whole else "")
    page.note(*(row[0] for row in rows))
    words = {word for line in page.text().splitlines() for word in line.split()}
    assert {word for row in rows for cell in row for word in cell.split()} <= words


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4), st.integers(60, 200))
def test_columns_fit_or_there_are_none(rows: list[tuple[str, str]], width: int) -> None:
    widths = fitting(rows, [True, False], width)
    assert not widths or sum(widths) + 4 <= width
    longest = max(len(row[0]) for row in rows) + max(len(word) for row in rows for word in row[1].split())
    assert bool(widths) == (longest + 4 <= width)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_names_with_a_domain_are_whole_in_every_report(width: int) -> None:
    """Seen before: `curre` and `nt` on two lines."""
    directory = snapshot(*map(entry, NAMES))
    observations = {name: seen(name, NAMES) for name in NAMES}
    planned = gateways.plan(plan(directory, observations, NAMES[:1], PlanOptions()), width)
    shown = gateways.status(status(directory, observations), width)
    for text in (planned, shown):
        assert NAMES[0] in text
    for name in NAMES:
        assert shown.count(name) == 1
    assert shown.split().count("current") == 3


def test_a_table_of_short_names_stays_one() -> None:
    names = ["gw1", "gw2"]
    text = gateways.status(status(snapshot(*map(entry, names)), {name: seen(name, names) for name in names}), 80)
    rows = [line.split() for line in text.splitlines() if line.strip().startswith("gw")]
    assert [row[0] for row in rows] == names
    assert all("current" in row for row in rows)
