# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A device speaks for itself alone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.fleet import fleets, invariants

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import status

SEEDS = st.integers(min_value=0, max_value=2**48)


@settings(max_examples=2000, deadline=None)
@given(fleet=SEEDS, lies=SEEDS)
def test_whatever_one_gateway_says_the_others_are_as_if_it_were_absent(fleet: int, lies: int) -> None:
    made = fleets.fleet(fleet)
    liar = made.names[lies % len(made.names)]
    lied = made.observations | {liar: fleets.lie(lies, liar, made.names)}
    absent = invariants.without_the_liar(made.observations, liar)
    assert invariants.of_others(made.directory, lied, liar) == invariants.of_others(made.directory, absent, liar)


@settings(max_examples=300, deadline=None)
@given(fleet=SEEDS, lies=SEEDS)
def test_a_host_that_the_directory_does_not_know_changes_nothing(fleet: int, lies: int) -> None:
    made = fleets.fleet(fleet)
    lied = made.observations | {"gw50": fleets.lie(lies, "gw50", made.names)}
    found, expected = (
        invariants.of_status(status(made.directory, observations), "gw50")
        for observations in (lied, made.observations)
    )
    assert found == expected
