# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutations: what a tampered gateway prints is what the mutation says, however it got there."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given

from lab import tampering
from lab.gateways import tampered
from lab.tampering import Edit, Mutation, Result, catalogue
from lab.tampering_strategies import mutations

NAMES = ["gw1", "gw2", "gw3"]
KEY = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I="
RESULT: Result = {
    "changed": False,
    "acknowledgements": [{"gateway": "gw3", "peer": "gw1", "role": "current", "revision": 7}],
    "gateway": {"own": {"file": {"public_key": KEY, "bits": 253}}, "stored": [{"peer": "gw1"}], "tunnels": []},
    "public_key": KEY,
    "invocation": {"module_args": {}},
}
ALL = catalogue("gw3", "gw1", "gw2", f"X{KEY[1:]}")


def printed(mutation: Mutation, result: Result | None = None) -> bytes:
    return b"".join(mutation.printed(RESULT if result is None else result))


@pytest.mark.parametrize(
    ("edit", "field", "value"),
    [
        (Edit("set", ("gateway", "own", "file"), 7), ("gateway", "own"), {"file": 7}),
        (Edit("set", ("new", "field"), 7), ("new",), {"field": 7}),
        (Edit("drop", ("gateway", "own", "file", "bits")), ("gateway", "own", "file"), {"public_key": KEY}),
        (Edit("double", ("gateway", "stored", 0)), ("gateway", "stored"), [{"peer": "gw1"}] * 2),
        (Edit("double", ("public_key",)), ("public_key_again",), KEY),
        (Edit("wrap", ("public_key",)), ("public_key",), [KEY]),
        (Edit("text", ("gateway", "stored")), ("gateway", "stored"), '[{"peer": "gw1"}]'),
        (Edit("rename", (), ("gw1", "../gw2")), ("gateway", "stored"), [{"peer": "../gw2"}]),
        (Edit("merge", (), {"failed": True}), ("failed",), True),
        (Edit("append", ("gateway", "tunnels"), 1), ("gateway", "tunnels"), [1]),
        (Edit("append", ("warnings",), 1), ("warnings",), [1]),
    ],
)
def test_edits(edit: Edit, field: tuple[str, ...], value: Any) -> None:
    """Each does what it says to one field, and leaves the result it was given as it was."""
    before = copy.deepcopy(RESULT)
    found: Any = Mutation("one", (edit,)).result(RESULT)
    for name in field:
        found = found[name]
    assert found == value
    assert before == RESULT


@pytest.mark.parametrize("op", ["set", "drop", "double", "wrap", "text"])
def test_a_path_of_numbers_leads_to_every_field(op: str) -> None:
    """Whatever the result: numbers count around."""
    for first in range(40, 45):
        mutation = Mutation("numbers", (Edit(op, (first, 1, 0, 3), "x"),))
        assert mutation.result(RESULT) != RESULT, first


def test_a_path_that_leads_nowhere_changes_nothing() -> None:
    for op in ("drop", "double", "wrap", "text"):
        assert Mutation("nowhere", (Edit(op, ("public_key", "no", "such")),)).result(RESULT) == RESULT


@pytest.mark.parametrize("name", ALL)
def test_every_attack_changes_what_is_printed(name: str) -> None:
    """Also after the journey to the gateway, as JSON."""
    travelled = Mutation.from_json(json.loads(json.dumps(ALL[name].to_json())))
    text = printed(travelled)
    assert text != json.dumps(RESULT).encode()
    if ALL[name].guise not in tampering.LARGE:
        assert text == printed(ALL[name])


def test_sizes() -> None:
    assert len(printed(ALL["flood"])) > tampering.FLOOD - 65536
    assert len(json.loads(printed(ALL["many"]))["many"]) == tampering.ENTRIES + 1
    deep = printed(ALL["deep"])
    assert deep.count(b"[") > tampering.DEEP


def test_what_a_strict_reader_of_json_refuses() -> None:
    for name in ("truncated", "two_documents", "binary", "empty", "endless_digits"):
        with pytest.raises(ValueError):  # noqa: PT011
            json.loads(printed(ALL[name]).decode("utf-8", "surrogateescape"))
    with pytest.raises(UnicodeDecodeError):
        printed(ALL["raw_surrogates"]).decode()


def test_what_a_lax_reader_accepts() -> None:
    """NaN and doubled fields are JSON for Python."""
    assert json.loads(printed(ALL["doubled_keys"])) == RESULT
    assert b"NaN" in printed(ALL["tunnels of NaN"])


def test_who_acknowledges() -> None:
    only = ALL["only gw1 acknowledges gw3"].result(RESULT)["acknowledgements"]
    assert [(one["peer"], one["gateway"], one["role"]) for one in only] == [("gw1", "gw3", "withdrawn")]
    more = ALL["gw1 acknowledges gw2"].result(RESULT)["acknowledgements"]
    assert more[0] == RESULT["acknowledgements"][0]
    assert len(more) == 2
    assert ALL["role is -1"].result(RESULT)["acknowledgements"][-1]["role"] == -1


@given(mutations(NAMES))
def test_any_mutation_can_be_handed_over_and_printed(mutation: Mutation) -> None:
    travelled = Mutation.from_json(json.loads(json.dumps(mutation.to_json())))
    assert printed(travelled) == printed(mutation)


@given(mutations(NAMES, guises=False))
def test_without_guises_the_result_is_what_json_gives_back(mutation: Mutation) -> None:
    assert mutation.guise == "plain"
    text = printed(mutation)
    assert json.dumps(json.loads(text)) == text.decode()


# -- the ForceCommand


def test_the_module_is_known_by_its_code_or_by_its_file() -> None:
    """With pipelining the code comes by standard input, without it lies in a file."""
    plan = {"gateway_info": ALL["null"].to_json(), "*": ALL["no field"].to_json()}
    piped = tampered.Module("sudo python3")
    assert piped.mutation(plan) is None
    piped.read(b"... module_fqn = 'ansible_collections.vpnops.keys.plugins.modules.gateway_info' ...")
    found = piped.mutation(plan)
    assert found is not None
    assert found.name == "null"
    filed = tampered.Module("python3 /root/.ansible/tmp/x/AnsiballZ_gateway_key.py").mutation(plan)
    assert filed is not None
    assert filed.name == "no field"


def test_only_the_line_of_the_result_is_forged(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tampered, "HERE", tmp_path)
    plan = {"*": ALL["null"].to_json()}
    module = tampered.Module("AnsiballZ_gateway_info.py")
    assert b"".join(tampered.answer(b"BECOME-SUCCESS-x\n", module, plan)) == b"BECOME-SUCCESS-x\n"
    assert b"".join(tampered.answer(b"{not JSON}\n", module, plan)) == b"{not JSON}\n"
    assert b"".join(tampered.answer(b'{"changed": true}\n', module, plan)) == b"null\n"
    assert (tmp_path / tampered.FORGED).read_text() == "null\n"
