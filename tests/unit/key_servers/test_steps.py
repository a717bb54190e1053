# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every step says of itself, and what is read back from results."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.steps import (
    STEPS,
    Clean,
    Distribute,
    Finish,
    Generate,
    Save,
    Step,
    from_result,
)

SAMPLES: tuple[Step, ...] = (
    Finish("ks7", exportable=True),
    Generate("ks1", scratch=False, bits=2048, usage="general"),
    Generate("ks1", scratch=True, bits=2048, usage="general"),
    Distribute("ks1", False, ("ks2",), ("ks3", "ks4"), None, exportable=True),
    Distribute("ks1", True, (), ("ks3", "ks1"), "ab" * 32, exportable=False),
    Clean(("ks6",)),
    Save(("ks1", "ks2")),
)
each_step = pytest.mark.parametrize("step", SAMPLES, ids=lambda step: step.kind)
OTHERS: tuple[Any, ...] = (None, True, 7, "text", b"text", [], [1], ["a", None], ("a",), {}, 1.5)


def test_there_is_a_sample_of_each() -> None:
    assert {type(step) for step in SAMPLES} == set(STEPS) == set(Step.__subclasses__())


@each_step
def test_what_it_says_of_itself_agrees(step: Step) -> None:
    assert [host for host, _word in step.words] == list(step.changes)
    assert {word for _host, word in step.words} <= set(step.HALF_DONE)
    assert set(step.replaces) <= set(step.fills) <= set(step.changes) <= set(step.needs)
    assert step.operations >= len(step.changes)
    assert all(host in step.describe() for host in step.needs)


@each_step
def test_it_comes_back_from_a_result(step: Step) -> None:
    assert from_result(json.loads(json.dumps(step.to_result()))) == step
    assert from_result({**step.to_result(), "more": "than it knows"}) == step


@each_step
def test_another_thing_is_no_step(step: Step) -> None:
    """Each field is of another kind or missing: that is refused, or it is one that may be in it."""
    result = step.to_result()
    for name, value in result.items():
        for other in OTHERS:
            changed = {**result, name: other}
            try:
                found = from_result(changed)
            except ValueError:
                continue
            assert found.to_result() == changed
            assert type(other) is type(value) or name == "fingerprint"
        if value is not None:
            with pytest.raises(ValueError, match="no "):
                from_result({one: result[one] for one in result if one != name})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_what_is_no_record_is_no_step(value: object) -> None:
    for one in (value, {"kind": value}):
        with pytest.raises(ValueError, match="no "):
            from_result(one)


def test_in_words() -> None:
    assert [step.describe() for step in SAMPLES] == [
        "finish the interrupted replacement on ks7",
        "generate 2048 bits on ks1",
        "generate 2048 bits on ks1 under the scratch label",
        "take the key of ks1; import to ks2; replace on ks3, ks4",
        "take the key of ks1; replace on ks3, ks1",
        "remove leftover scratch keys on ks6",
        "save on ks1, ks2",
    ]


def test_which_key_servers_a_step_is_about() -> None:
    told = [(step.needs, step.fills, step.replaces, step.operations) for step in SAMPLES]
    assert told == [
        (("ks7",), ("ks7",), (), 1),
        (("ks1",), ("ks1",), (), 1),
        (("ks1",), (), (), 1),
        (("ks1", "ks2", "ks3", "ks4"), ("ks2", "ks3", "ks4"), ("ks3", "ks4"), 5),
        (("ks1", "ks3", "ks1"), ("ks3", "ks1"), ("ks3", "ks1"), 4),
        (("ks6",), (), (), 1),
        (("ks1", "ks2"), (), (), 2),
    ]


class Noted:
    """What is typed, in short: with a prime, about the scratch label."""

    def generate(self, host: str, *, scratch: bool, bits: int, usage: str) -> list[str]:
        return [f"{host} generates{_prime(scratch)} {bits} {usage}"]

    def export_key(self, host: str, *, scratch: bool) -> list[str]:
        return [f"{host} exports{_prime(scratch)}"]

    def import_key(self, host: str, *, scratch: bool, exportable: bool) -> list[str]:
        return [f"{host} imports{_prime(scratch)}{' exportable' if exportable else ''}"]

    def remove(self, host: str, *, scratch: bool) -> list[str]:
        return [f"{host} removes{_prime(scratch)}"]

    def save(self, host: str) -> list[str]:
        return [f"{host} saves"]


def _prime(scratch: bool) -> str:
    return "'" if scratch else ""


def test_by_hand() -> None:
    assert [step.by_hand(Noted()) for step in SAMPLES] == [
        ["ks7 exports'", "ks7 imports exportable", "ks7 removes'"],
        ["ks1 generates 2048 general"],
        ["ks1 generates' 2048 general"],
        [
            *("ks1 exports", "ks2 imports exportable"),
            *("ks3 imports' exportable", "ks3 saves", "ks3 removes", "ks3 imports exportable", "ks3 removes'"),
            *("ks4 imports' exportable", "ks4 saves", "ks4 removes", "ks4 imports exportable", "ks4 removes'"),
        ],
        [
            *("ks1 exports'", "ks3 imports' exportable", "ks3 saves", "ks3 removes", "ks3 imports", "ks3 removes'"),
            *("ks1 saves", "ks1 removes", "ks1 imports exportable", "ks1 removes'"),
        ],
        ["ks6 removes'"],
        ["ks1 saves", "ks2 saves"],
    ]
