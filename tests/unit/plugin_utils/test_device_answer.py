# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a gateway answers counts as far as it is of its kind, about itself, and to what was asked."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import typing as t

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._fleet import observed
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import parse
from ansible_collections.vpnops.keys.plugins.plugin_utils import device_answer, reasons
from ansible_collections.vpnops.keys.plugins.plugin_utils.device_answer import Asked

Data = dict[str, t.Any]


def key(seed: str) -> str:
    return base64.b64encode(hashlib.sha256(seed.encode()).digest()).decode()


def mark(seed: str) -> str:
    return parse(key(seed)).fingerprint


def shown(seed: str) -> Data:
    return {"public_key": key(seed), "fingerprint": mark(seed), "algorithm": "x25519", "bits": 256}


INFO: Data = {
    "changed": False,
    "gateway": {
        "platform": "wireguard",
        "backend": "wg-quick",
        "own": {"file": shown("own"), "runtime": shown("own")},
        "pending": None,
        "previous": shown("old"),
        "change": {"step": "active", "key": mark("own"), "at": 2.0, "deadline": 3.0, "error": "", "began": 1.0},
        "stored": [
            {"peer": "", "public_key": key("gw2"), "fingerprint": mark("gw2"), "file": "current", "runtime": None}
        ],
        "tunnels": [
            {
                "peer": "",
                "with_own": mark("own"),
                "with_peer": mark("gw2"),
                "age": 1.5,
                "proof": "handshake 1 s ago",
                "by": 7.0,
            }
        ],
        "blocked": [{"peer": "", "fingerprint": mark("gw2"), "why": "A hook sets it."}],
        "at_restart": ["A hook sets it."],
        "fetched": {
            "number": 7,
            "root": mark("root"),
            "directory": mark("directory"),
            "revision": 41,
            "stored": True,
            "code": "tampered",
            "msg": "The server has publication 6, but publication 7 was published before.",
            "expires": 9.0,
            "at": 8.0,
            "succeeded_at": 7.0,
        },
    },
    "obstacles": [],
}
KEY: Data = {"changed": True, "public_key": key("own"), "fingerprint": mark("own"), "algorithm": "x25519", "diff": {}}
PEERS: Data = {
    "changed": True,
    "stored": [
        {"gateway": "gw2", "public_key": key("gw2"), "role": "current"},
        {"gateway": "gw2", "public_key": key("gw2 next"), "role": "staged"},
        {"gateway": "gw3", "public_key": None, "role": "withdrawn"},
    ],
    "neighbors": ["gw2", "gw3"],
    "refused": [],
    "diff": {"before_header": "a", "after_header": "b", "before": "", "after": "gw2: current 12\n"},
}
TO_STORE: Data = {
    "peers": [
        {"name": "gw1", "platform": "wireguard", "current": key("own")},
        {"name": "gw2", "platform": "wireguard", "current": key("gw2"), "staged": key("gw2 next")},
        {"name": "gw3", "platform": "wireguard", "withdrawn": True},
    ]
}


def arrived(module: str, answer: Data, check: bool = False, **options: t.Any) -> Data:
    return device_answer.arrived("gw1", Asked(module, options, check), json.dumps(answer))


def with_(answer: Data, path: str, value: t.Any) -> Data:
    changed = copy.deepcopy(answer)
    *way, last = (int(step) if step.isdigit() else step for step in path.split("."))
    place: t.Any = changed
    for step in way:
        place = place[step]
    place[last] = value
    return changed


# ------------------------------------------------------------------ where it arrives


@pytest.mark.parametrize(("module", "answer"), [("gateway_info", INFO), ("gateway_key", KEY)])
def test_an_honest_answer_arrives_whole(module: str, answer: Data) -> None:
    ansible = {"invocation": {"module_args": {}}, "warnings": ["x"], "deprecations": []}
    assert arrived(module, answer | ansible) == answer | {"findings": []}


UNREAD = "its answer cannot be read"
ATTACKS = {
    "ansible_facts": {"gateway_keys_directory_host": "gw1"},
    "ansible_stats": {"data": {"gateway_keys_approved": [""]}},
    "_ansible_delegated_vars": {"ansible_host": "gw1"},
    "add_host": {"host_name": "x", "groups": ["gateways"]},
    "unreachable": True,
    "skipped": True,
    "results": [],
    "exception": "\x1b[2J",
    "stdout": "x",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_whatever_else_it_says_is_dropped_and_named(name: str) -> None:
    result = arrived("gateway_info", INFO | {name: ATTACKS[name]})
    assert result == INFO | {
        "findings": [f'Its answer has unexpected parts, which were ignored: "{name}".']
    }


@pytest.mark.parametrize(
    ("module", "answer", "why"),
    [
        ("gateway_info", with_(INFO, "gateway.own.file.fingerprint", mark("other")), "contradicts the key itself"),
        ("gateway_info", with_(INFO, "gateway.own.file.algorithm", "rsa"), "contradicts the key itself"),
        ("gateway_info", with_(INFO, "gateway.own.file.public_key", "AAAA"), "is not a public key"),
        ("gateway_info", with_(INFO, "gateway.stored.0.fingerprint", mark("gw2")[:-1]), "is not a valid fingerprint"),
        ("gateway_info", with_(INFO, "gateway.stored.0.file", "trusted"), "is none of current, staged, withdrawn"),
        ("gateway_info", with_(INFO, "gateway.tunnels.0.age", "1"), "is not a number"),
        ("gateway_info", with_(INFO, "gateway.tunnels.0.by", -7), "is not between"),
        ("gateway_info", with_(INFO, "gateway.stored", {}), "is not a list"),
        ("gateway_info", {"changed": False}, "has no gateway"),
        ("gateway_info", {**INFO, "changed": "yes"}, "neither true nor false"),
        ("gateway_key", {**KEY, "public_key": None}, "names no key"),
        ("gateway_key", {**KEY, "public_key": 7}, "is not a public key"),
        ("gateway_peers", {**PEERS, "stored": "all"}, "is not a list"),
    ],
)
def test_what_cannot_be_read_is_refused(module: str, answer: Data, why: str) -> None:
    result = arrived(module, answer)
    assert (result["failed"], result["code"], result["changed"]) == (True, "unreadable", False)
    assert result["msg"].startswith("refused: its answer cannot be read: ")
    assert why in result["msg"]
    assert result["msg"].endswith(" It was excluded; find out what runs there before it is used again.")


def test_a_long_answer_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_answer, "MOST_BYTES", 1 << 20)
    result = device_answer.arrived("gw1", Asked("gateway_info"), "{" * ((1 << 20) + 1))
    assert "it is longer than 1 MiB" in result["msg"]


def of_peers(count: int, stored: int, tunnels: int, blocked: int, why: str = "It is busy.") -> Data:
    """An answer with so many of each for every peer."""
    gateway = INFO["gateway"]
    lists = {"stored": stored, "tunnels": tunnels}
    many = {name: each * count * gateway[name][:1] for name, each in lists.items()}
    reasons = [{"peer": "gw2", "fingerprint": None, "why": why}] * (blocked * count)
    return {**INFO, "gateway": {**gateway, **many, "blocked": reasons}}


@pytest.mark.parametrize(
    ("answer", "gateways", "believed"),
    [
        (of_peers(4, 2, 3, 1), 4, True),
        (of_peers(10_000, 2, 3, 1), 10_000, True),
        (of_peers(9_000, 1, 1, 0), 4, True),
        (of_peers(20_000, 1, 1, 1), 4, False),
        (of_peers(20_000, 1, 1, 1), None, True),
        (of_peers(1_500, 0, 0, 1, "\U000e0001" * 500), 4, False),
        (of_peers(4_000, 0, 0, 1, "x" * 300), 4, True),
    ],
)
def test_how_long_an_answer_may_be_goes_by_the_fleet(answer: Data, gateways: int | None, believed: bool) -> None:
    """Else one gateway has the time of all others: what it says goes through Ansible again and again."""
    asked = Asked("gateway_info", gateways=gateways)
    result = device_answer.arrived("gw1", asked, json.dumps(answer))
    assert result.get("failed", False) is not believed
    assert believed or "far longer than what a gateway of this fleet has to say" in result["msg"]


def test_a_failure_is_one_printable_sentence_in_quotation_marks() -> None:
    result = arrived("gateway_info", {"failed": True, "msg": "\x1b[31mno\n", "code": "refused", "ansible_facts": {}})
    assert (result["failed"], result["msg"], result["code"]) == (True, r'It says "\x1b[31mno\n"', "refused")
    assert result["findings"] == [
        'Its answer has unexpected parts, which were ignored: "ansible_facts".'
    ]


def test_a_key_is_the_one_that_was_asked_for() -> None:
    assert "another key" in arrived("gateway_key", KEY, public_key=key("gw2"))["msg"]
    assert arrived("gateway_key", KEY, public_key=key("own"))["public_key"] == key("own")


def test_the_fingerprint_is_that_of_the_key() -> None:
    lie = {**KEY, "fingerprint": mark("gw2"), "algorithm": "rsa"}
    assert arrived("gateway_key", lie) == KEY | {"findings": []}


def test_in_check_mode_a_key_may_still_be_to_be_made() -> None:
    answer = {**KEY, "public_key": None, "fingerprint": None, "algorithm": None}
    assert arrived("gateway_key", answer, check=True)["public_key"] is None


# ------------------------------------------------------------------ who acknowledges


def test_an_honest_acknowledgement_arrives() -> None:
    result = arrived("gateway_peers", PEERS, **TO_STORE)
    assert result == {**PEERS, "learned": None, "findings": []}


@pytest.mark.parametrize(
    "claim",
    [
        {"gateway": "gw9", "public_key": None, "role": "withdrawn"},
        {"gateway": "gw2", "public_key": None, "role": "withdrawn"},
        {"gateway": "gw2", "public_key": key("evil"), "role": "current"},
        {"gateway": "gw2", "public_key": key("gw2 next"), "role": "current"},
        {"gateway": "gw1", "public_key": key("own"), "role": "current"},
    ],
)
def test_nothing_is_acknowledged_that_was_not_asked(claim: Data) -> None:
    result = arrived("gateway_peers", {**PEERS, "stored": [*PEERS["stored"], claim]}, **TO_STORE)
    assert result["stored"] == PEERS["stored"]
    assert f"{claim['gateway']} as {claim['role']}" in result["findings"][0]


def test_who_acknowledges_is_who_answered() -> None:
    forged = {**PEERS, "stored": [{**one, "peer": "gw2"} for one in PEERS["stored"]], "acknowledgements": []}
    result = arrived("gateway_peers", forged, **TO_STORE)
    held, learned = device_answer.acknowledgements({"gw1": result})
    assert held == [{"peer": "gw1", **one} for one in PEERS["stored"]]
    assert not learned


def test_all_of_it_is_one_number() -> None:
    result = arrived("gateway_peers", PEERS, revision=41, **TO_STORE)
    assert (result["stored"], result["learned"]) == ([], 41)
    assert device_answer.acknowledgements({"gw1": result}) == ([], [{"peer": "gw1", "revision": 41}])


def test_who_leaves_a_peer_out_says_why() -> None:
    lacking = {**PEERS, "stored": PEERS["stored"][1:], "refused": [{"gateway": "gw2", "why": "no\x1bresolver"}]}
    lacking["refused"].append({"gateway": "gw9", "why": "never asked"})
    result = arrived("gateway_peers", lacking, revision=41, **TO_STORE)
    assert (result["refused"], result["learned"]) == ([{"gateway": "gw2", "why": r"no\x1bresolver"}], None)
    found = device_answer.answer("gw1", "gateway_peers", result)
    assert (found.state, found.left_out) == (observed.READY, (r'It did not store gw2: it says "no\x1bresolver".',))


def test_a_key_that_is_none_is_acknowledged_by_nobody() -> None:
    options: Data = {"peers": [{"name": "gw2", "platform": "wireguard", "current": "AAAA"}], "revision": 3}
    assert arrived("gateway_peers", {**PEERS, "stored": []}, **options)["learned"] is None


def test_less_than_all_is_no_number() -> None:
    part = {**PEERS, "stored": PEERS["stored"][1:]}
    result = arrived("gateway_peers", part, revision=41, **TO_STORE)
    assert (result["stored"], result["learned"]) == (part["stored"], None)


def test_a_key_that_is_still_to_be_made_is_not_acknowledged() -> None:
    options = {"peers": [{"name": "gw2", "platform": "wireguard", "current": key("gw2"), "staged": "(new)"}]}
    result = arrived("gateway_peers", {**PEERS, "stored": PEERS["stored"][:1]}, check=True, revision=3, **options)
    assert result["learned"] == 3


# ------------------------------------------------------------------ where it is used


def test_an_observation_is_what_was_said() -> None:
    (found,) = device_answer.observations({"gw1": arrived("gateway_info", INFO)}).values()
    assert found == observed.Observation(
        "gw1",
        observed.READY,
        seen=True,
        own_file=mark("own"),
        own_runtime=mark("own"),
        previous=mark("old"),
        change=observed.Change("active", mark("own"), 1.0, 3.0, ""),
        stored=(observed.StoredKey("", mark("gw2"), "current", None),),
        tunnels=(observed.Tunnel("", mark("own"), mark("gw2"), 1.5, 7.0),),
        blocked=(observed.Blocked("", mark("gw2"), 'it says "A hook sets it."'),),
        at_restart=('it says "A hook sets it."',),
        fetch='it says "The server has publication 6, but publication 7 was published before."',
    )


@pytest.mark.parametrize(
    ("result", "state", "why"),
    [
        ({}, observed.ABSENT, "not in this play"),
        ({"skipped": True, "changed": False}, observed.ABSENT, "not in this play"),
        ({"unreachable": True, "msg": "no route"}, observed.UNREACHABLE, 'unreachable: "no route"'),
        ({"unreachable": True, "msg": "x", "reason": 'no". gw2'}, observed.UNREACHABLE, r'unreachable: "no\". gw2"'),
        ({"unreachable": True, "msg": "\n"}, observed.UNREACHABLE, r'unreachable: "\n"'),
        ({"unreachable": True}, observed.UNREACHABLE, "unreachable"),
        ({"unreachable": True, "code": "timeout", "msg": "x"}, observed.UNREACHABLE, "no answer in time"),
        ({"failed": True, "msg": "no sudo"}, observed.REFUSED, "no sudo"),
        (INFO | {"obstacles": ["It is full.", "no"]}, observed.REFUSED, 'it says "It is full." and it says "no"'),
        (INFO | {"obstacles": [""]}, observed.REFUSED, "it does not say why"),
        ({"failed": True, "msg": ""}, observed.REFUSED, "it does not say why"),
        ({"failed": True, "msg": 'It says "no"'}, observed.REFUSED, 'it says "no"'),
        ({"gateway": 7}, observed.REFUSED, f"refused: {UNREAD}: the result has no changed"),
        ([7], observed.REFUSED, f"refused: {UNREAD}: the result is not a dictionary"),
        ("{{ x }}", observed.REFUSED, f"refused: {UNREAD}: the result is not a dictionary"),
        ({"failed": 7}, observed.REFUSED, f"refused: {UNREAD}: the result.failed is neither true nor false"),
    ],
)
def test_how_far_a_host_was_reached(result: t.Any, state: str, why: str) -> None:
    found = device_answer.answer("gw1", "gateway_info", result)
    seen = device_answer.observation(found)
    assert (seen.state, seen.why) == (state, why)


ADVICE: dict[str, tuple[Data, str]] = {
    "no such name": ({"unreachable": True, "reason": "Could not resolve hostname gw4: x"}, "Check ansible_host."),
    "refused": ({"unreachable": True, "reason": "Connection refused"}, reasons.NETWORK),
    "anything": ({"unreachable": True, "msg": "x"}, reasons.NETWORK),
    "hangs": ({"unreachable": True, "code": "timeout", "msg": "x"}, reasons.TIMEOUT),
    "sudo": ({"failed": True, "msg": 'Ansible says "Incorrect sudo password"'}, reasons.BECOME),
    "no sudo": ({"failed": True, "msg": 'Ansible says "Missing sudo password"'}, reasons.BECOME),
    "another failure": ({"failed": True, "msg": 'It says "/etc cannot be written."'}, ""),
    "nothing": (INFO, ""),
}


@pytest.mark.parametrize("what", ADVICE)
def test_what_to_check(what: str) -> None:
    result, advice = ADVICE[what]
    assert device_answer.observation(device_answer.answer("gw1", "gateway_info", result)).advice == advice


def test_a_variable_that_came_another_way_is_read_as_strictly() -> None:
    claim = {"gateway": "gw2", "public_key": "x", "role": "current"}
    forged = {"changed": False, "stored": [claim], "learned": None, "refused": []}
    assert device_answer.acknowledgements({"gw1": forged}) == ([], [])


def test_own_keys_are_those_of_whom_it_succeeded() -> None:
    results = {"gw1": arrived("gateway_key", KEY), "gw2": {"failed": True, "msg": "no"}, "gw3": {}}
    assert device_answer.own_keys(results) == {"gw1": key("own")}
