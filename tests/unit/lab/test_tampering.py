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
from unit.plugin_utils.honest import HONEST

from lab import contract, tampering
from lab.gateways import tampered
from lab.tampering import Edit, Mutation, Result
from lab.tampering_catalogue import PATTERNS, catalogue, steered
from lab.tampering_strategies import STEERING, mutations

NAMES = ["gw1", "gw2", "gw3"]
KEY = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I="
RESULT: Result = {
    "changed": False,
    "stored": [{"gateway": "gw1", "public_key": KEY, "role": "current"}],
    "gateway": {"own": {"file": {"public_key": KEY, "bits": 253}}, "stored": [{"peer": "gw1"}], "tunnels": []},
    "public_key": KEY,
    "invocation": {"module_args": {}},
}
ALL = catalogue("gw1", "gw2", "gw3", f"X{KEY[1:]}")


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
        (Edit("extend_text", ("public_key",), "\n"), ("public_key",), f"{KEY}\n"),
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
    for op in ("drop", "double", "wrap", "text", "extend_text"):
        assert Mutation("nowhere", (Edit(op, ("public_key", "no", "such"), "x"),)).result(RESULT) == RESULT


@pytest.mark.parametrize("name", ALL)
def test_every_attack_travels_to_the_gateway_as_json(name: str) -> None:
    travelled = Mutation.from_json(json.loads(json.dumps(ALL[name].to_json())))
    assert (travelled.name, travelled.about) == (name, ALL[name].about)
    if ALL[name].form not in tampering.LARGE:
        assert printed(travelled) == printed(ALL[name])


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
    only = ALL["only gw2 acknowledges gw1"].result(RESULT)["stored"]
    assert [(one["peer"], one["gateway"], one["role"]) for one in only] == [("gw2", "gw1", "withdrawn")]
    more = ALL["gw2 acknowledges gw3"].result(RESULT)["stored"]
    assert more[0] == RESULT["stored"][0]
    assert len(more) == 2
    assert ALL["stored.role is -1"].result(RESULT)["stored"][-1]["role"] == -1


# -- nothing in the table is stale


def is_there(answer: Any, path: tuple[str | int, ...]) -> bool:
    for step in path:
        if not isinstance(answer, dict) or step not in answer:
            return False
        answer = answer[step]
    return True


AIMED = [name for name, one in ALL.items() if one.about]


@pytest.mark.parametrize("name", AIMED)
def test_every_attack_on_a_field_finds_it_in_the_honest_result(name: str) -> None:
    """Otherwise it plays against a result that nobody sends any more."""
    answer = HONEST[ALL[name].about][0]
    assert ALL[name].result(answer) != answer
    assert [edit.at for edit in ALL[name].edits if not is_there(answer, edit.at)] == []


@pytest.mark.parametrize("name", sorted(set(ALL) - set(AIMED)))
def test_every_attack_on_no_field_changes_every_honest_result(name: str) -> None:
    """Such an attack says which result it is for as soon as it edits a field that is there."""
    assert not any(edit.at for edit in ALL[name].edits)
    if ALL[name].form not in tampering.LARGE:
        for answer, dummy in HONEST.values():
            assert printed(ALL[name], answer) != json.dumps(answer).encode()


def test_every_module_is_attacked_by_its_fields() -> None:
    assert {ALL[name].about for name in AIMED} == set(HONEST)


def test_every_field_that_the_control_node_reads_is_known_to_the_strategies() -> None:
    """Down to the fields of lists in honest results, and those of the answers that modules do not give today."""

    def names(value: Any) -> set[str]:
        if isinstance(value, list):
            return {name for one in value for name in names(one)}
        if isinstance(value, dict):
            return set(value) | {name for one in value.values() for name in names(one)}
        return set()

    honest = {name for answer, dummy in HONEST.values() for name in names(answer)}
    assert honest <= set(contract.fields())
    assert honest | {"learned", "findings", "msg", "code", "failed"} <= set(STEERING)


def test_facts_have_the_names_that_the_role_has_today() -> None:
    found = steered("gw3", "gw1", KEY)
    assert [kind for kind in PATTERNS if not found[kind]] == []
    names = {name for values in found.values() for name in values}
    assert names == set(contract.variables()) >= contract.registered()
    assert {"gateway_keys_directory_host", "__gateway_keys_view", "__gateway_keys_stored", "call_in_ca"} <= names
    texts = "".join(path.read_text() for path in (contract.ROOT / "playbooks").glob("*.yml"))
    assert [name for name in contract.PLAYBOOK if f"{{{{ {name} " not in texts and f" {name}:" not in texts] == []


@given(mutations(NAMES))
def test_any_mutation_can_be_handed_over_and_printed(mutation: Mutation) -> None:
    travelled = Mutation.from_json(json.loads(json.dumps(mutation.to_json())))
    assert printed(travelled) == printed(mutation)


@given(mutations(NAMES, forms=False))
def test_without_guises_the_result_is_what_json_gives_back(mutation: Mutation) -> None:
    assert mutation.form == "plain"
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
