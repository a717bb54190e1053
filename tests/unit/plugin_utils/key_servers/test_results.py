# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused as an option, and what would be a mistake of ours."""

from __future__ import annotations

import asyncio
import copy
import typing as t
from collections.abc import Iterator

import pytest
from unit.plugin_utils.tables.test_key_servers import CLAIM, CONFLICT, EQUAL, MISSING, synced

from ansible_collections.vpnops.keys.plugins.action import key_server_report
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.steps import (
    Clean,
    Finish,
    Generate,
    Save,
    Step,
)
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers import results
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import key_servers

Path = tuple[t.Union[str, int], ...]
PLANNED: tuple[Step, ...] = (
    Finish("ks1", True), Generate("ks1", True, 2048, "general"), Clean(("ks1",)), Save(("ks1",)),
)  # fmt: skip
STEPS = [step.to_result() for step in PLANNED]
FOUND = copy.deepcopy(CONFLICT) | {"claims": [CLAIM], "findings": ["It is late."], "ungrouped": ["ks9"]}
FOUND["units"][0] |= {"steps": STEPS}
FAILED = {"failed": True, "msg": "It is down."}
SAMPLES = [(FOUND, None, None), (MISSING, synced(ks2=["imported"]), EQUAL), (MISSING, FAILED, None)]
OTHER: tuple[t.Any, ...] = (None, True, 7, "text", [], {}, [[]], [{}], {"x": 1}, [1])


def places(value: t.Any, at: Path = ()) -> Iterator[Path]:
    yield at
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*at, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from places(one, (*at, number))


def changed(value: t.Any, at: Path, to: t.Any) -> t.Any:
    if not at:
        return to
    made = copy.copy(value)
    made[at[0]] = changed(value[at[0]], at[1:], to)
    return made


def without(value: t.Any, at: Path) -> t.Any:
    made = copy.copy(value)
    if len(at) == 1:
        del made[at[0]]
    else:
        made[at[0]] = without(value[at[0]], at[1:])
    return made


def tell(given: t.Sequence[t.Any]) -> None:
    merged = key_servers.merge(*given)
    key_servers.render(merged, 80)
    key_servers.complaint(merged, "drift")


def variants(sample: t.Sequence[t.Any]) -> Iterator[list[t.Any]]:
    for number, one in enumerate(sample):
        for at in places(one):
            mutants = [changed(one, at, to) for to in OTHER] + ([without(one, at)] if at else [])
            yield from ([*sample[:number], mutant, *sample[number + 1 :]] for mutant in mutants)


@pytest.mark.parametrize("sample", SAMPLES, ids=["plan", "proof", "failure"])
def test_what_is_not_refused_can_be_told(sample: t.Sequence[t.Any]) -> None:
    """Any field of any result is of another kind or missing: that is bad input, or all goes well."""
    results.check(*sample)
    tell(sample)
    refused = 0
    for given in variants(sample):
        try:
            results.check(*given)
        except VpnKeysError as error:
            assert error.code == "bad_input"  # noqa: PT017 - most variants are refused
            refused += 1
        else:
            tell(given)
    assert refused > 40


@pytest.mark.parametrize("mistake", [KeyError, TypeError, AttributeError])
def test_a_mistake_of_ours_is_told_as_one(mistake: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*dummy: object) -> t.NoReturn:
        raise mistake("ours")

    monkeypatch.setattr(key_servers, "merge", wrong)
    action = object.__new__(key_server_report.ActionModule)
    with pytest.raises(mistake, match="ours"):
        asyncio.run(action.operate({"found": EQUAL, "done": None, "proof": None}))
