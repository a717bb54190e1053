# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a tampered gateway prints: what arrives is small, typed, printable, about itself, and to what was asked."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from unit.effort import examples
from unit.plugin_utils.honest import HONEST, assert_harmless
from unit.plugin_utils.test_device_answer import INFO, Data, key

from ansible_collections.vpnops.keys.plugins.plugin_utils import device_answer
from ansible_collections.vpnops.keys.plugins.plugin_utils.device_answer import Asked
from lab.tampering import FORMS, LARGE, Mutation
from lab.tampering_catalogue import catalogue
from lab.tampering_strategies import mutations


def asked(module: str) -> Asked:
    return Asked(module, HONEST[module][1])


def play(module: str, mutation: Mutation) -> Data:
    printed = b"".join(mutation.printed(HONEST[module][0]))
    return device_answer.arrived("gw1", asked(module), printed.decode("utf-8", "surrogateescape"))


@settings(max_examples=examples(300))
@given(mutations(["gw1", "gw2", "gw3"]))
def test_any_mutation_is_harmless(mutation: Mutation) -> None:
    """Of the module that no run of the role asks. For the others, see tests/unit/fleet/test_trust.py."""
    assert_harmless("gw1", asked("gateway_call_in"), play("gateway_call_in", mutation))


ATTACKS = catalogue("gw1", "gw2", "gw3", key("evil"))


@pytest.mark.parametrize("module", HONEST)
@pytest.mark.parametrize("name", ATTACKS)
def test_any_known_attack_is_harmless(module: str, name: str) -> None:
    assert_harmless("gw1", asked(module), play(module, ATTACKS[name]))


@pytest.mark.parametrize("form", sorted(set(FORMS) - set(LARGE)))
def test_an_honest_answer_in_any_guise_is_read_or_refused(form: str) -> None:
    result = play("gateway_info", Mutation("drawn", (), form))
    assert_harmless("gw1", asked("gateway_info"), result)
    if not result.get("failed"):
        assert {name: result[name] for name in INFO} == INFO


@pytest.mark.parametrize("form", LARGE)
def test_what_is_too_large_is_refused_by_its_length(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real length is tried on real gateways; here a part of it is enough."""
    monkeypatch.setattr(device_answer, "MOST_BYTES", 1 << 20)
    printed = bytearray()
    for chunk in FORMS[form](json.dumps(INFO)):
        printed += chunk
        if len(printed) > 1 << 21:
            break
    result = device_answer.arrived("gw1", Asked("gateway_info"), printed.decode("utf-8", "surrogateescape"))
    assert result["msg"].startswith("refused: its answer cannot be read: it is longer than")
