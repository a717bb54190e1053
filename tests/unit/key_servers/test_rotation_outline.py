# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rotation says that it will do is what is left, in every state, and names what is in the way."""

from __future__ import annotations

import dataclasses

import pytest
from unit.key_servers.test_rotation import KNOWN, NEW, OLD, TIMERS, key, seen, server

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation import (
    CoopFact,
    Facts,
    Observation,
    Policy,
    Rotation,
)
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.rotation_outline import (
    NOT_NOW,
    ORDER,
    numbered,
    outline,
)

ALLOWED = Policy(canary=True, allow_split=True)


def plan(observed: Observation, facts: Facts = KNOWN, policy: Policy = ALLOWED, **record: object) -> tuple[str, ...]:
    return outline(Rotation("G", OLD, NEW, **record), observed, facts, policy, 3072)  # type: ignore[arg-type]


def without_the_key() -> Observation:
    return seen(*(server(name, new=None) for name in ("ks1", "ks2", "ks3")))


def test_from_the_beginning() -> None:
    first, second, *_others, last = plan(without_the_key())
    assert first == "Generate an exportable key of 3072 bits under GETVPN-2 on one key server."
    assert second == "Copy it to all key servers, and save: ks1, ks2, ks3 lack it."
    assert last == (
        "Keep GETVPN for 90000 more seconds, then remove it by its label on every key server, and save."
    )


def test_what_is_done_is_not_said_again() -> None:
    steps = plan(seen(server("ks2", label=NEW)), state="canary")
    assert steps[0].startswith("Change the label to GETVPN-2 on ks3, one after the other")
    steps = plan(seen(*(server(name, label=NEW) for name in ("ks1", "ks2", "ks3"))), state="verified", since=1000.0)
    assert steps[0].startswith("Keep GETVPN for")


def test_key_servers_that_split_are_changed_together() -> None:
    facts = dataclasses.replace(KNOWN, coop=(CoopFact(("15.7",), "splits"),))
    assert plan(seen(), facts)[0] == (
        "Change the label to GETVPN-2 on ks2, ks3, ks1 within seconds, as these releases do not receive COOP messages "
        "from each other while their labels differ."
    )


def test_who_has_to_register_again_is_counted() -> None:
    assert any("all of them do so by the rekey" in step for step in plan(seen()))
    assert any("2 of 2 may have to register again, within 3600 seconds" in step for step in plan(seen(), Facts()))


@pytest.mark.parametrize("now", [True, False])
def test_a_loss_of_traffic_is_said_beforehand(now: bool) -> None:
    policy = dataclasses.replace(ALLOWED, emergency=True, replace_now=now)
    assert any("traffic is lost" in step for step in plan(seen(), policy=policy)) is now


def test_all_that_is_in_the_way_is_said_at_once() -> None:
    """Also what only shows once the key is everywhere, and once it may be found out what releases do."""
    steps = plan(without_the_key(), Facts(), Policy())
    told = [step for step in steps if step.startswith(NOT_NOW)]
    assert len(told) == 2
    assert "set O(canary)" in told[0]
    assert "set O(allow_split)" in told[1]
    part = seen(server("ks1", new=key("bb")), server("ks2", new=None), server("ks3", new=None))
    assert [step for step in plan(part, Facts(), Policy()) if step.startswith(NOT_NOW)] == told


def test_what_is_in_the_way_is_no_step() -> None:
    lines = numbered(plan(seen(), Facts(), Policy()))
    steps = [line for line in lines if not line.startswith(NOT_NOW)]
    assert [line.partition(". ")[0] for line in steps] == [str(number) for number in range(1, len(steps) + 1)]
    assert len(lines) > len(steps) == lines.index(next(line for line in lines if line.startswith(NOT_NOW)))


def test_a_window_that_is_too_long_is_said_before_the_key_is_made() -> None:
    late = dataclasses.replace(without_the_key(), timers=dataclasses.replace(TIMERS, tek_left=20000))
    assert any("more than 14400" in step for step in plan(late, Facts(), Policy()))


def test_an_abort_says_what_goes_back() -> None:
    assert plan(seen(), policy=dataclasses.replace(ALLOWED, abort=True)) == (
        "Change the label back to GETVPN on every secondary that names GETVPN-2, save, and remove the key GETVPN-2.",
    )


@pytest.mark.parametrize("state", ORDER)
def test_there_is_an_outline_in_every_state(state: str) -> None:
    steps = plan(seen(*(server(name, label=NEW) for name in ("ks1", "ks2", "ks3"))), state=state)
    assert all(step.endswith(".") for step in steps)
    assert bool(steps) is (state != "retired")
