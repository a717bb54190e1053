# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an interrupted run has done and what it has left, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...module_utils._ios.labels import Label
from ...module_utils._key_servers.steps import STEPS, Step

HALF_DONE = {word: left for step in STEPS for word, left in step.HALF_DONE.items()}
"""What a key server is left with when it is stopped on the way to what the word says."""

Words = Mapping[str, Sequence[str]]
"""By key server, what was done there, as results have it."""


def left(steps: Sequence[Step], done: Words) -> dict[str, list[str]]:
    """By key server, the words of the plan that are still to come true; empty where it is through."""
    found: dict[str, list[str]] = {}
    for step in steps:
        for host, word in step.words:
            words = done.get(host, ())
            there = words[-1:] == ["saved"] if word == "saved" else word in words
            found.setdefault(host, []).extend([] if there else [word])
    return found


def by_state(steps: Sequence[Step], done: Words, doing: Mapping[str, str]) -> dict[str, str]:
    """Each key server that the plan changes, and how it stands."""
    states = {}
    for host, words in left(steps, done).items():
        if host in doing:
            states[host] = "Half done"
        elif not words:
            states[host] = "Done"
        elif "replaced" in words and "staged" in done.get(host, ()):
            states[host] = "Prepared, not replaced yet"
        else:
            states[host] = "Not completed" if done.get(host) else "Not started"
    return states


def how_far(label: Label, steps: Sequence[Step], done: Words, doing: Mapping[str, str]) -> str:
    """How far one unit came. `doing`: what is stopped in the middle, the word that was to come true by key server."""
    states = by_state(steps, done, doing)
    half = {host: HALF_DONE[word].format(label=label, scratch=label.scratch) for host, word in doing.items()}
    named = {host: f"{host} ({half[host]})" if host in half else host for host in states}
    parts = []
    for state in ("Half done", "Done", "Prepared, not replaced yet", "Not completed", "Not started"):
        hosts = [named[host] for host, one in states.items() if one == state]
        parts += [f"{state}: {', '.join(hosts)}."] if hosts else []
    return " ".join(parts)
