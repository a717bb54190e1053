# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateways and their keys in the directory, acknowledgements, and what is pending."""

from __future__ import annotations

import sqlite3

import pytest
from unit.directory.samples import (
    Data,
    Directory,
    acknowledgements,
    gateway,
    mesh,
    names,
    new_key,
    pending,
    run_by,
    stage,
)

ED25519 = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
LOW_ORDER = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def test_enrolled(directory: Directory) -> None:
    key = new_key()
    result = directory.write(gateways=[gateway("gw1", key, networks=["10.79.1.1/24"])], by="alice", why="new site")
    shown = result["directory"]["gateways"]["gw1"]
    assert (shown["serial"], shown["public_key"], shown["created_by"], shown["networks"]) == (
        1,
        key,
        "alice",
        ["10.79.1.0/24"],
    )
    assert [(one["what"], one["by"], one["why"]) for one in result["events"]] == [
        ("enrolled", "alice", "new site"),
        ("key enrolled", "alice", "new site"),
    ]
    again = directory.write(gateways=[gateway("gw1", key, networks=["10.79.1.0/24"])])
    assert (again["changed"], again["events"], again["directory"]) == (False, [], result["directory"])


def test_what_is_not_given_stays(directory: Directory) -> None:
    key = new_key()
    directory.write(gateways=[gateway("gw1", key, identity="one.example.net", networks=["10.79.1.0/24"])])
    result = directory.write(gateways=[{"name": "gw1", "endpoint": "192.0.2.1:51820"}])
    shown = result["directory"]["gateways"]["gw1"]
    assert (shown["identity"], shown["endpoint"], shown["public_key"]) == ("one.example.net", "192.0.2.1:51820", key)
    assert [one["what"] for one in result["events"]] == ["updated"]
    assert result["events"][0]["details"] == {"before": {"endpoint": "gw1.example.net:51820"}}


def test_another_key_is_adopted_only_if_asked_for(directory: Directory) -> None:
    old, new = new_key(), new_key()
    directory.write(gateways=[gateway("gw1", old)])
    assert "set adopt" in directory.refused("conflict", gateways=[gateway("gw1", new)])
    result = directory.write(gateways=[gateway("gw1", new)], adopt=True)
    assert result["directory"]["gateways"]["gw1"]["keys"][0]["public_key"] == new
    assert directory.states("gw1") == {1: "retired", 2: "current"}
    assert "serial 1, retired" in directory.refused("duplicate_key", gateways=[gateway("gw1", old)], adopt=True)


def test_during_a_rotation_the_gateway_may_show_either_key(directory: Directory) -> None:
    old = mesh(directory)[0]
    new = stage(directory)
    for _twice in range(2):
        for key in (old, new):
            assert not directory.write(gateways=[gateway("gw1", key)], adopt=True)["changed"]
        directory.write("active", gateways=names("gw1"))
    assert "neither the old nor the new" in directory.refused(
        "conflict", gateways=[gateway("gw1", new_key())], adopt=True
    )


def test_no_key_twice(directory: Directory) -> None:
    key = mesh(directory)[0]
    sentence = directory.refused("duplicate_key", gateways=[gateway("gw9", key)])
    assert "already belongs to gw1 (serial 1, current)" in sentence
    twice = new_key()
    directory.refused("duplicate_key", gateways=[gateway("gw8", twice), gateway("gw9", twice)])
    directory.write("prepared", gateways=names("gw2"))
    directory.refused("duplicate_key", "staged", keys=[{"gateway": "gw2", "public_key": key}])
    assert set(directory.read()["directory"]["gateways"]) == {"gw1", "gw2", "gw3"}


@pytest.mark.parametrize(
    ("code", "wrong", "word"),
    [
        ("bad_public_key", gateway("gw1", "not a key"), "gw1"),
        ("bad_public_key", gateway("gw1", LOW_ORDER), "low order"),
        ("bad_public_key", gateway("gw1", ED25519, algorithm="x25519"), "ed25519"),
        ("bad_input", gateway("gw1", ED25519), "ed25519"),
        ("bad_input", gateway("gw 1"), "rename it in the inventory"),
        ("bad_input", {"name": "gw1"}, "platform is missing"),
        ("bad_input", gateway("gw1", algorithm="rsa"), "only x25519"),
        ("bad_input", gateway("gw1", networks=["10.79.1.300/24"]), "networks"),
    ],
)
def test_bad_input(directory: Directory, code: str, wrong: Data, word: str) -> None:
    sentence = directory.refused(code, gateways=[gateway("gw0", new_key()), wrong])
    assert word in sentence
    assert "Nothing was changed" in sentence
    assert not directory.exists()


@pytest.mark.parametrize("state", ["prepared", "active", "verified", "retired", "rolled_back", "revoked"])
def test_steps_need_gateways(directory: Directory, state: str) -> None:
    mesh(directory)
    assert f"state={state} needs gateways" in directory.refused("bad_input", state)
    assert "no gateway gw9" in directory.refused("not_found", state, gateways=names("gw9"))


def test_strongswan_and_wireguard_gateways_are_no_peers(directory: Directory) -> None:
    directory.write(gateways=[gateway("gw1", new_key()), {"name": "gw2", "platform": "strongswan"}])
    result = directory.write(gateways=[{"name": "gw2", "public_key": ED25519}])
    assert result["directory"]["gateways"]["gw2"]["algorithm"] == "ed25519"
    assert pending(result) == {}


# -- acknowledgements


def test_pending_until_acknowledged(directory: Directory) -> None:
    keys = [new_key() for _number in range(3)]
    enrolled = [gateway(f"gw{number}", key) for number, key in enumerate(keys, 1)]
    found = pending(directory.write(gateways=enrolled))
    assert found == {"gw1": ["gw2", "gw3"], "gw2": ["gw1", "gw3"], "gw3": ["gw1", "gw2"]}
    by_key = [{"peer": "gw1", "gateway": "gw2", "role": "current", "public_key": keys[1], "serial": None}]
    result = directory.write(acknowledgements=[*by_key, *acknowledgements("gw2", "gw3", serial=1)])
    assert pending(result) == {"gw1": ["gw3"], "gw2": ["gw1", "gw3"], "gw3": ["gw1"]}
    (event,) = result["events"]
    assert (event["what"], event["gateway"], event["details"]["peers"]) == ("acknowledged", "gw2", ["gw1", "gw3"])
    assert not directory.write(acknowledgements=by_key)["changed"]


def test_with_the_enrollment_itself(directory: Directory) -> None:
    given = [gateway("gw1", new_key()), gateway("gw2", new_key())]
    result = directory.write(
        gateways=given, acknowledgements=[*acknowledgements("gw1", "gw2"), *acknowledgements("gw2", "gw1")]
    )
    assert pending(result) == {}


def test_what_peers_must_store_anew_is_pending_again(directory: Directory) -> None:
    mesh(directory)
    result = directory.write(gateways=[gateway("gw1", endpoint="192.0.2.9:51820")])
    assert pending(result) == {"gw2": ["gw1"], "gw3": ["gw1"]}
    assert pending(directory.acknowledge("gw1", "gw2", "gw3")) == {}


def test_what_cannot_be_believed_is_named_and_the_rest_is_recorded(directory: Directory) -> None:
    mesh(directory)
    directory.write(gateways=[gateway("gw1", endpoint="192.0.2.9:51820")])
    nonsense = [
        *acknowledgements("gw1", "gw9"),
        *acknowledgements("gw9", "gw1"),
        *acknowledgements("gw1", "gw3", serial=7),
    ]
    result = directory.write(acknowledgements=[*nonsense, *acknowledgements("gw1", "gw2")])
    assert pending(result) == {"gw3": ["gw1"]}
    assert result["ignored"] == [
        {"peer": "gw9", "gateway": "gw1", "why": "The directory has no gateway gw9."},
        {"peer": "gw1", "gateway": "gw9", "why": "The directory has no gateway gw9."},
        {"peer": "gw3", "gateway": "gw1", "why": "gw3 acknowledges a key of gw1 that is not in the directory."},
    ]


def test_whoever_stores_all_that_was_handed_out_says_so_by_its_revision(directory: Directory) -> None:
    mesh(directory)
    handed_out = directory.write(gateways=[gateway(name, endpoint="192.0.2.9:1") for name in ("gw1", "gw2")])
    directory.write(gateways=[gateway("gw2", endpoint="192.0.2.8:1")])
    revision = handed_out["directory"]["revision"]
    result = directory.write(learned=[{"peer": "gw3", "revision": revision}, {"peer": "gw1", "revision": revision}])
    assert pending(result) == {"gw1": ["gw2"], "gw2": ["gw1"], "gw3": ["gw2"]}
    assert pending(directory.read()) == pending(result)
    assert not directory.write(learned=[{"peer": "gw3", "revision": revision}])["changed"]


def rows(directory: Directory, table: str) -> int:
    with sqlite3.connect(directory.url.removeprefix("sqlite:///")) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)


@pytest.mark.parametrize("how", ["acknowledgements", "learned"])
def test_there_is_no_row_for_a_pair_of_gateways(directory: Directory, how: str) -> None:
    everybody = [f"gw{number}" for number in range(1, 13)]
    last = directory.write(gateways=[gateway(name, new_key()) for name in everybody])["directory"]["revision"]
    for peer in everybody:
        if how == "learned":
            directory.write(learned=[{"peer": peer, "revision": last}])
        else:
            given = [one for name in everybody for one in acknowledgements(name, peer) if name != peer]
            directory.write(acknowledgements=given)
    assert pending(directory.read()) == {}
    assert (rows(directory, "acknowledgements"), rows(directory, "marks")) == (0, 12)


def test_events_of_others(directory: Directory) -> None:
    mesh(directory)
    said = {"what": "unreachable", "gateway": "gw1", "peer": "gw3", "outcome": "deferred", "details": {"after": 10}}
    result = directory.write(events=[said], why="night shift")
    assert result["changed"]
    newest = directory.read(events_limit=1)["events"]
    assert [{name: one[name] for name in (*said, "why", "by")} for one in newest] == [
        {**said, "why": "night shift", "by": "alice"}
    ]


def test_only_some(directory: Directory) -> None:
    mesh(directory)
    found = directory.read(only=["gw2"])
    assert list(found["directory"]["gateways"]) == ["gw2"]
    assert {row["gateway"] for row in found["all_keys"]} == {row["gateway"] for row in found["events"]} == {"gw2"}
    assert len(found["peers"]) == 3


# -- check mode and diff


def test_check_mode_foretells_and_changes_nothing(directory: Directory) -> None:
    given = [gateway("gw1", new_key()), gateway("gw2", new_key())]
    predicted = directory.write(check=True, diff=True, gateways=given)
    assert predicted["changed"]
    assert not directory.exists()
    assert not directory.key_path.exists()
    done = directory.write(diff=True, gateways=given)
    for field in ("changed", "diff", "peers", "learned"):
        assert predicted[field] == done[field]

    directory.write("prepared", gateways=names("gw1"))
    before = directory.read()
    predicted = directory.write("staged", check=True, diff=True, keys=[{"gateway": "gw1", "public_key": None}])
    assert directory.read() == before
    rotation = predicted["directory"]["gateways"]["gw1"]["rotation"]
    assert rotation["new"] == {"serial": 2, "public_key": "(new)", "fingerprint": "(new)"}
    assert "serial 2 staged: (new)" in predicted["diff"]["after"]
    (entry,) = [one for one in predicted["peers"] if one["name"] == "gw1"]
    assert (entry["staged"], entry["staged_serial"], entry["withdrawn"]) == ("(new)", 2, False)
    assert "public key is missing" in directory.refused(
        "bad_input", "staged", keys=[{"gateway": "gw1", "public_key": None}]
    )


def test_the_diff_has_fingerprints_and_no_keys(directory: Directory) -> None:
    key = new_key()
    diff = directory.write(diff=True, gateways=[gateway("gw1", key)])["diff"]
    (row,) = directory.read()["all_keys"]
    assert row["fingerprint"] in diff["after"]
    assert key not in diff["after"]
    assert diff["before"] == ""


def test_check_mode_sees_what_others_hold(directory: Directory) -> None:
    mesh(directory)
    stage(directory)
    directory.refused("held", "active", gateways=names("gw1"), lock_owner=run_by("bob", 2))
