# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts of the benchmark of gateways: what is kept of the packets, and which goals are reached."""

from __future__ import annotations

from typing import Any

import pytest
from bench.gateways import report
from bench.gateways.interruption import packets


def test_lost_numbers_are_kept_as_ranges() -> None:
    sent = [number / 100 for number in range(10)]
    kept = packets(sent, [(number, sent[number]) for number in (0, 1, 4, 5, 7)])
    assert kept == {"lost": [[2, 3], [6, 6], [8, 9]], "silences": []}


def test_silences_are_kept_with_when_they_began() -> None:
    kept = packets([5.0, 5.01, 5.02], [(0, 5.5), (2, 5.6), (1, 5.625)])
    assert kept == {"lost": [], "silences": [[0.5, 100.0]]}


def _run(platform: str, way: str, lost: int, silence: float, delay: int = 0) -> dict[str, Any]:
    ends = {"there": {"lost": 0}, "back": {"lost": lost}}
    return {"mesh": platform, "platform": platform, "way": way, "silence_ms": silence, "delay_ms": delay, **ends}


def _grown(gateways: int, what: str, tasks: int, cpu: float) -> dict[str, Any]:
    return {"gateways": gateways, "what": what, "tasks_most": tasks, "cpu_s": cpu}


def _reached(interruption: list[dict[str, Any]], growth: list[dict[str, Any]]) -> list[bool]:
    return [goal[3] for goal in report._goals({"interruption": interruption, "growth": growth})]


@pytest.mark.parametrize(
    ("platform", "way", "lost", "silences", "reached"),
    [
        ("strongswan", "in_place", 1, [900, 900, 900], [True]),
        ("strongswan", "in_place", 2, [1, 1, 1], [False]),
        ("wireguard", "in_place", 9, [50, 100, 400], [True]),
        ("wireguard", "in_place", 0, [50, 101, 400], [False]),
        ("wireguard", "second_interface", 0, [900, 900, 900], [True]),
        ("wireguard", "second_interface", 1, [1, 1, 1], [False]),
        ("wireguard", "playbook", 900, [5000, 5000, 5000], []),
    ],
)
def test_goals_of_interruption(
    platform: str, way: str, lost: int, silences: list[float], reached: list[bool]
) -> None:
    assert _reached([_run(platform, way, lost, silence) for silence in silences], []) == reached


def test_silence_of_wireguard_in_place_has_a_goal_on_a_lan_only() -> None:
    assert _reached([_run("wireguard", "in_place", 0, 500, delay=40)], []) == []


def test_goals_of_growth() -> None:
    grown = [_grown(8, "one", 9, 10), _grown(8, "all", 9, 20), _grown(16, "one", 9, 10), _grown(16, "all", 9, 160)]
    assert _reached([], grown) == [True, True, False]
    grown[3]["tasks_most"] = 10
    assert _reached([], grown)[0] is False
