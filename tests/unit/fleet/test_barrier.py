# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which peers that fetch count as having the next key of a gateway."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.effort import examples

from ansible_collections.vpnops.keys.plugins.filter.fetch_barrier import fetch_barrier
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.barrier import SEVERAL, Barrier, barrier
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import ABSENT, READY, REFUSED, UNREACHABLE

NAMES = ["gw1", "gw2", "gw3", "gw4"]
HAS, LACKS, SILENT, UNASKED = READY, REFUSED, UNREACHABLE, ABSENT
TABLE: dict[str, tuple[dict[str, str], Barrier]] = {
    "nobody is asked": ({}, Barrier([], [], NAMES)),
    "nobody answers": (dict.fromkeys(NAMES, SILENT), Barrier([], [], NAMES)),
    "all have it": (dict.fromkeys(NAMES, HAS), Barrier(NAMES, [], [])),
    "some have it": ({"gw1": HAS, "gw3": SILENT, "gw4": UNASKED}, Barrier(["gw1"], [], ["gw2", "gw3", "gw4"])),
    "one lacks it": ({"gw2": LACKS}, Barrier([], ["gw2"], ["gw1", "gw3", "gw4"])),
    "nothing arrives": ({"gw1": LACKS, "gw2": LACKS, "gw3": SILENT}, Barrier([], ["gw1", "gw2"], [])),
    "it arrives at few": ({"gw1": HAS, "gw2": LACKS, "gw3": LACKS}, Barrier(["gw1"], ["gw2", "gw3"], [])),
    "it arrives at some": ({"gw1": HAS, "gw2": LACKS}, Barrier(["gw1"], ["gw2"], ["gw3", "gw4"])),
    "a stranger": ({"gw9": LACKS, "gw8": LACKS}, Barrier([], [], NAMES)),
}


@pytest.mark.parametrize("case", TABLE)
def test_who_counts(case: str) -> None:
    states, wanted = TABLE[case]
    assert barrier(NAMES, states) == wanted


ANSWERS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([HAS, LACKS, SILENT, UNASKED]))


@settings(max_examples=examples(400), deadline=None)
@given(ANSWERS, st.sampled_from(NAMES), st.sampled_from([HAS, LACKS, SILENT]))
def test_what_one_says_is_about_itself(states: Mapping[str, str], liar: str, lie: str) -> None:
    """Where the others agree more or less, one alone takes none of them out and brings none in."""
    found = barrier(NAMES, states)
    assert (found.holding, found.lacking) == tuple([one for one in NAMES if states.get(one) == s] for s in (HAS, LACKS))
    assert found.counted in ([], [one for one in NAMES if states.get(one, UNASKED) in (SILENT, UNASKED)])
    others = [state for name, state in states.items() if name != liar]
    have, lack = others.count(HAS), others.count(LACKS)
    if lack == 0 or have > lack or (lack >= SEVERAL and have + 1 < lack):
        after = barrier(NAMES, {**states, liar: lie})
        assert set(after.counted) - {liar} == set(found.counted) - {liar}


OK: dict[str, t.Any] = {"changed": False, "stored": [], "learned": None, "neighbors": [], "refused": []}
STORED = {"gateway": "gw7", "serial": 2, "role": "staged", "public_key": None}
LATE = {**OK, "refused": [{"gateway": "gw9", "why": "It has not fetched the key in time."}]}
RESULTS: dict[str, tuple[dict[str, t.Any], str]] = {
    "stored": ({**OK, "stored": [STORED]}, "holding"),
    "one of two": ({**LATE, "stored": [STORED]}, "holding"),
    "neither": (OK, "counted"),
    "late": (LATE, "lacking"),
    "does not fetch": ({"failed": True, "msg": "It does not fetch by itself."}, "lacking"),
    "nonsense": ({**OK, "stored": "all"}, "lacking"),
    "unreachable": ({"unreachable": True, "msg": "no"}, "counted"),
    "skipped": ({"skipped": True}, "counted"),
    "nothing": ({}, "counted"),
}


@pytest.mark.parametrize("case", RESULTS)
def test_answers_are_read_strictly(case: str) -> None:
    result, wanted = RESULTS[case]
    assert fetch_barrier(["gw1"], {"gw1": result})[wanted] == ["gw1"]
