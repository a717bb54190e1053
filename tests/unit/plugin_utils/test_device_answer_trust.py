# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a tampered gateway prints: what arrives is small, typed, printable, about itself, and to what was asked."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from unit.plugin_utils.honest import HONEST
from unit.plugin_utils.test_device_answer import INFO, PEERS, key

from ansible_collections.vpnops.keys.plugins.module_utils._fleet import observed
from ansible_collections.vpnops.keys.plugins.plugin_utils import device_answer
from ansible_collections.vpnops.keys.plugins.plugin_utils.device_answer import Asked
from lab.tampering import GUISES, LARGE, Mutation
from lab.tampering_catalogue import catalogue
from lab.tampering_strategies import mutations

FIELDS = {
    "gateway_info": {"gateway", "obstacles"},
    "gateway_key": {"public_key", "fingerprint", "algorithm", "diff"},
    "gateway_peers": {"stored", "learned", "neighbours", "refused", "diff"},
    "gateway_bridge": {"interface", "carried", "left", "diff"},
    "gateway_call_in": {"token_sha256", "diff"},
}
COMMON = {"changed", "failed", "msg", "code", "findings"}


def strings(value: t.Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from (name, *strings(one))
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def assert_harmless(module: str, result: dict[str, t.Any]) -> None:
    """What any answer whatever comes to."""
    assert set(result) <= FIELDS[module] | COMMON
    lines = [line for text in strings(result) for line in text.split("\n")]
    assert all(line.isprintable() and len(line) < 5000 for line in lines)
    assert len(json.dumps(result, allow_nan=False)) < 200_000
    assert len(result["findings"]) <= 1
    claims = {(one["gateway"], one["role"], one["public_key"]) for one in PEERS["stored"]}
    held, learned = device_answer.acknowledgements({"gw1": result} if module == "gateway_peers" else {})
    assert {one["peer"] for one in [*held, *learned]} <= {"gw1"}
    assert {(one["gateway"], one["role"], one["public_key"]) for one in held} <= claims
    assert {one["revision"] for one in learned} <= {41}
    if module == "gateway_key":
        assert set(device_answer.own_keys({"gw1": result}).items()) <= {("gw1", key("own"))}
    seen = device_answer.observations({"gw1": result})["gw1"]
    assert (seen.host, seen.seen and module != "gateway_info") == ("gw1", False)
    # Read again, as a variable, it is the same.
    again = device_answer.answer("gw1", module, json.loads(json.dumps(result)))
    assert again.state == (observed.REFUSED if result.get("failed") else observed.READY)


def play(module: str, mutation: Mutation) -> dict[str, t.Any]:
    answer, options = HONEST[module]
    printed = b"".join(mutation.printed(answer))
    return device_answer.arrived("gw1", Asked(module, options), printed.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("module", HONEST)
@settings(max_examples=600)
@given(mutation=mutations(["gw1", "gw2", "gw3"]))
def test_any_mutation_is_harmless(module: str, mutation: Mutation) -> None:
    assert_harmless(module, play(module, mutation))


ATTACKS = catalogue("gw1", "gw2", "gw3", key("evil"))


@pytest.mark.parametrize("module", HONEST)
@pytest.mark.parametrize("name", ATTACKS)
def test_any_known_attack_is_harmless(module: str, name: str) -> None:
    assert_harmless(module, play(module, ATTACKS[name]))


@pytest.mark.parametrize("guise", sorted(set(GUISES) - set(LARGE)))
def test_an_honest_answer_in_any_guise_is_read_or_refused(guise: str) -> None:
    result = play("gateway_info", Mutation("drawn", (), guise))
    assert_harmless("gateway_info", result)
    if not result.get("failed"):
        assert {name: result[name] for name in INFO} == INFO


@pytest.mark.parametrize("guise", LARGE)
def test_what_is_too_large_is_refused_by_its_length(guise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real length is tried on real gateways; here a part of it is enough."""
    monkeypatch.setattr(device_answer, "MOST_BYTES", 1 << 20)
    printed = bytearray()
    for chunk in GUISES[guise](json.dumps(INFO)):
        printed += chunk
        if len(printed) > 1 << 21:
            break
    result = device_answer.arrived("gw1", Asked("gateway_info"), printed.decode("utf-8", "surrogateescape"))
    assert result["msg"].startswith("refused: its answer cannot be read: it is longer than")
