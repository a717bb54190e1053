# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A device speaks for itself alone: from what its modules print to what the others are told and people see."""

from __future__ import annotations

import functools
import json
import random
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.effort import examples, promised
from unit.fleet import fleets, invariants
from unit.fleet.chain import ACTS, SECRETS, Lie, Run
from unit.fleet.samples import Data
from unit.plugin_utils.honest import assert_harmless

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import status
from lab.tampering_strategies import mutations

SEEDS = st.integers(min_value=0, max_value=2**48)
NAMES = ("gw1", "gw2", "gw3", "sw2", "sw3", "gw8")
SHARED = 24
"""So many situations are played with many lies each: what they are like without the liar is found out once."""


@functools.cache
def situation(number: int) -> tuple[fleets.Fleet, str, str]:
    """A fleet, a liar in it, and an honest gateway of which the run is, if there is one."""
    for seed in range(number * 1000, number * 1000 + 1000):
        made = fleets.fleet(seed)
        sound = [name for name in made.result["directory"]["gateways"] if name in made.directory.in_use]
        if len(sound) > 1:
            target, liar = random.Random(seed).sample(sound, 2)
            return made, liar, target
    raise AssertionError(number)


@functools.cache
def without_the_liar(number: int, act: int) -> tuple[Run, Data]:
    """The run, and all about the others in it."""
    run = play(number, act, None)
    return run, invariants.of_run(run)


def play(number: int, act: int, lie: Lie | None) -> Run:
    """A run, and the status after it."""
    made, liar, target = situation(number)
    run = Run(made, liar, lie)
    ACTS[act](run, target)
    run.last = run.observe()
    return run


SHOWN: dict[tuple[t.Any, ...], Data] = {}
"""By situation, act, what is recorded of the liar, and how it was observed: nothing else differs after two runs."""
RENDERED = 4
"""Of so many lies one is followed to the cells of terminal and page; test_one_answer has shown that those are these
data."""


def shown(view: t.Callable[..., Data], number: int, act: int, after: Run, seen: Run) -> Data:
    """What is planned and shown by the directory after one run, and by how the gateways were seen in another one."""
    key = view.__name__, number, act, invariants.own_records(after), repr(seen.last[seen.liar])
    if key not in SHOWN:
        SHOWN[key] = view(after.view, seen.last, seen.liar)
    return SHOWN[key]


@pytest.mark.timeout(1800)
@settings(max_examples=promised(2000), deadline=None)
@given(st.integers(0, SHARED - 1), st.sampled_from(range(len(ACTS))), st.builds(Lie, SEEDS, mutations(NAMES)))
def test_whatever_one_gateway_prints_the_others_are_as_if_it_were_absent(number: int, act: int, lie: Lie) -> None:
    """What is recorded of them, planned for them, sent to them and shown of them. See invariants for what that is.

    What is recorded of the liar itself, such as its key, is its own word. So both plans and both views are of the
    directory after the lie, of which it has been shown that all about the others is as with the liar absent.
    """
    absent, expected = without_the_liar(number, act)
    run = play(number, act, lie)
    assert invariants.of_run(run) == expected
    for view in (invariants.of_others, invariants.of_views)[: 1 if lie.seed % RENDERED else 2]:
        assert shown(view, number, act, run, run) == shown(view, number, act, run, absent)
    assert_nothing_leaks(run)
    for asked, result in run.arrived:
        assert_harmless(run.liar, asked, result)


def assert_nothing_leaks(run: Run) -> None:
    """No address or key of the directory, and nothing that another gateway alone said, is sent to the liar."""
    received = json.dumps([options for host, dummy, options in run.sent if host == run.liar])
    kept = [*SECRETS.values(), *(f"seen by {name}" for name in run.fleet.names if name != run.liar)]
    assert [one for one in kept if one in received] == []


@settings(max_examples=examples(300), deadline=None)
@given(SEEDS, SEEDS)
def test_a_host_that_the_directory_does_not_know_changes_nothing(fleet: int, lies: int) -> None:
    made = fleets.fleet(fleet)
    lied = made.observations | {"gw50": fleets.lie(random.Random(lies), "gw50", made.names)}
    found, expected = (
        invariants.of_status(status(made.directory, observations), "gw50")
        for observations in (lied, made.observations)
    )
    assert found == expected
