# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of a gateway in the directory: renamed, retired in peace, purged."""

from __future__ import annotations

import typing as t

import pytest
from unit.directory.samples import Data, Directory, gateway, key_of, mesh, names, new_key, pending, stage

OLD_AND_NEW: list[Data] = [{"name": "gw1", "new_name": "berlin"}]


def rotated(directory: Directory) -> None:
    """gw1 has its third key, after two whole rotations."""
    mesh(directory)
    for _number in range(2):
        stage(directory)
        for state in ("active", "verified", "retired"):
            directory.write(state, gateways=names("gw1"))
        directory.acknowledge("gw1", "gw2", "gw3")


def about(found: Data, name: str) -> Data:
    """All that is known of a gateway, without its name."""
    keys = [{**row, "gateway": ""} for row in found["all_keys"] if row["gateway"] == name]
    rotations = [{**row, "gateway": ""} for row in found["rotations"] if row["gateway"] == name]
    return {"keys": keys, "rotations": rotations}


# -- another name


def test_a_renamed_gateway_keeps_key_serials_and_history(directory: Directory) -> None:
    rotated(directory)
    before = directory.read()
    events = directory.read(only=["gw1"])["events"]
    assert len(about(before, "gw1")["rotations"]) == 2
    result = directory.write("renamed", gateways=OLD_AND_NEW)
    assert result["changed"]
    after = directory.read()
    assert after["directory"]["tampered"] == []
    assert about(after, "berlin") == about(before, "gw1")
    assert about(after, "gw1") == {"keys": [], "rotations": []}
    assert "gw1" not in after["directory"]["gateways"]
    was, now = before["directory"]["gateways"]["gw1"], after["directory"]["gateways"]["berlin"]
    changed = {name for name, value in now.items() if value != was[name]}
    assert changed == {"name", "identity", "revision"}
    assert now["identity"] == "gw1"
    # What was done to it under the old name is still told.
    assert directory.read(only=["berlin"])["events"][1:] == events
    assert not directory.write("renamed", gateways=OLD_AND_NEW)["changed"]


def test_who_holds_a_key_of_it_is_told_the_new_name_and_nothing_else(directory: Directory) -> None:
    mesh(directory)
    keys = directory.entry("gw1")["known"]
    directory.write("renamed", gateways=OLD_AND_NEW)
    assert pending(directory.read()) == {"gw2": ["berlin"], "gw3": ["berlin"]}
    entry = directory.entry("berlin")
    assert (entry["known"], entry["identity"], entry["withdrawn"]) == (keys, "gw1", False)
    directory.acknowledge("berlin", "gw2", "gw3")
    assert pending(directory.read()) == {}


def test_an_own_identity_stays(directory: Directory) -> None:
    directory.write(gateways=[gateway("gw1", new_key(), identity="vpn.example.net")])
    found = directory.write("renamed", gateways=OLD_AND_NEW)
    assert found["directory"]["gateways"]["berlin"]["identity"] == "vpn.example.net"


def test_it_can_be_rotated_revoked_and_renamed_again_under_its_new_name(directory: Directory) -> None:
    rotated(directory)
    directory.write("renamed", gateways=OLD_AND_NEW)
    stage(directory, "berlin")
    directory.write("rolled_back", gateways=names("berlin"))
    directory.write("renamed", gateways=[{"name": "berlin", "new_name": "gw1"}])
    assert directory.states("gw1") == {1: "retired", 2: "retired", 3: "current", 4: "revoked"}
    directory.write("renamed", gateways=OLD_AND_NEW)
    directory.write("revoked", gateways=names("berlin"), lost=True)
    assert directory.read()["directory"]["tampered"] == []


REFUSED_NAMES = {
    "a name that another one has": ("gw2", "gw2 is another gateway of the directory"),
    "no name": (None, "its new name is missing"),
    "what is no name": ("a b", "'a b' is not a valid name of a gateway"),
}


@pytest.mark.parametrize("what", REFUSED_NAMES)
def test_names_that_are_refused(directory: Directory, what: str) -> None:
    mesh(directory)
    name, why = REFUSED_NAMES[what]
    code = "bad_input" if "is not a valid name" in why else "refused"
    assert why in directory.refused(code, "renamed", gateways=[{"name": "gw1", "new_name": name}])


def test_not_while_its_key_changes(directory: Directory) -> None:
    mesh(directory)
    stage(directory)
    assert "finish or abort it" in directory.refused("refused", "renamed", gateways=OLD_AND_NEW)


def test_a_former_name_is_not_that_of_another_gateway(directory: Directory) -> None:
    """Else the history of two would be under one name, and an inventory that still has the old name would enroll it."""
    mesh(directory)
    directory.write("renamed", gateways=OLD_AND_NEW)
    said = directory.refused("refused", gateways=[gateway("gw1", new_key())])
    assert "gw1 is the former name of the gateway berlin" in said
    taken = [{"name": "gw2", "new_name": "gw1"}]
    assert "gw1 is the former name of the gateway berlin" in directory.refused("refused", "renamed", gateways=taken)


# -- out of use


def test_peers_drop_the_key_of_a_retired_gateway_and_its_history_stays(directory: Directory) -> None:
    rotated(directory)
    before = directory.read()
    result = directory.write("gateway_retired", gateways=names("gw1"), why="site closed")
    assert [(one["what"], one["gateway"], one["why"]) for one in result["events"]] == [
        ("gateway retired", "gw1", "site closed")
    ]
    found = directory.read()
    one = found["directory"]["gateways"]["gw1"]
    assert one["retired_at"] == result["events"][0]["at"]
    assert (one["revoked"], one["serial"]) == (False, None)
    assert directory.states("gw1") == {1: "retired", 2: "retired", 3: "retired"}
    assert found["rotations"] == before["rotations"]
    entry = directory.entry("gw1")
    assert (entry["withdrawn"], entry["current"], entry["staged"], entry["previous"]) == (True, None, None, None)
    assert pending(found) == {"gw2": ["gw1"], "gw3": ["gw1"]}
    directory.acknowledge("gw1", "gw2", "gw3", role="withdrawn")
    assert pending(directory.read()) == {}
    assert directory.read()["directory"]["tampered"] == []
    assert not directory.write("gateway_retired", gateways=names("gw1"))["changed"]


def test_a_rotation_ends_with_its_gateway(directory: Directory) -> None:
    mesh(directory)
    stage(directory)
    directory.write("gateway_retired", gateways=names("gw1"))
    found = directory.read()
    assert found["rotations"][0]["state"] == "rolled_back"
    assert found["directory"]["gateways"]["gw1"]["rotation"] is None
    assert set(directory.states("gw1").values()) <= {"retired", "revoked"}


@pytest.mark.parametrize("state", ["prepared", "active", "rolled_back"])
def test_nothing_is_done_with_a_retired_gateway(directory: Directory, state: str) -> None:
    mesh(directory)
    directory.write("gateway_retired", gateways=names("gw1"))
    assert "gw1 was retired at" in directory.refused("refused", state, gateways=names("gw1"))
    assert "gw1 was retired at" in directory.refused("refused", gateways=[gateway("gw1", new_key())])
    ignored = directory.acknowledge("gw2", "gw1")["ignored"]
    assert [one["why"] for one in ignored] == ["gw1 is retired."]


def test_a_retired_gateway_can_still_be_lost(directory: Directory) -> None:
    mesh(directory)
    directory.write("gateway_retired", gateways=names("gw1"))
    directory.write("revoked", gateways=names("gw1"), lost=True)
    assert directory.read()["directory"]["gateways"]["gw1"]["revoked"]
    assert directory.states("gw1") == {1: "revoked"}
    assert "revoked as lost" in directory.refused("refused", "gateway_retired", gateways=names("gw1"))


def test_the_records_of_a_retired_gateway_are_signed(directory: Directory) -> None:
    """Whoever has the database cannot bring it back."""
    import sqlite3

    mesh(directory)
    directory.write("gateway_retired", gateways=names("gw1"))
    path = directory.url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE gateways SET retired_at = NULL")
    found = directory.read()["directory"]["tampered"]
    assert {"gateway": "gw1", "serial": None, "what": "gateway"} in found


# -- the end of its records


def retired(directory: Directory, *dropped: str) -> None:
    rotated(directory)
    directory.write("gateway_retired", gateways=names("gw1"))
    directory.acknowledge("gw1", *dropped, role="withdrawn")


def test_records_end_when_nobody_accepts_its_keys_any_more(directory: Directory) -> None:
    retired(directory, "gw2", "gw3")
    events = directory.read()["events"]
    keys = [{"serial": row["serial"], "fingerprint": row["fingerprint"]} for row in directory.read()["all_keys"]]
    result = directory.write("purged", gateways=names("gw1"), older_than_days=0)
    found = directory.read()
    assert result["changed"]
    assert found["directory"]["tampered"] == []
    assert "gw1" not in found["directory"]["gateways"]
    assert about(found, "gw1") == {"keys": [], "rotations": []}
    # The audit trail stays, and says which keys those were.
    assert found["events"][1:] == events
    assert found["events"][0]["what"] == "purged"
    assert all(one in keys for one in found["events"][0]["details"]["keys"])
    assert len(found["events"][0]["details"]["keys"]) == 3
    directory.write(gateways=[gateway("gw1", new_key())])
    assert directory.states("gw1") == {1: "current"}


PURGES: dict[str, tuple[tuple[str, ...], str, Data, str]] = {
    "a peer may still accept it": (("gw2",), "refused", {"older_than_days": 0}, "gw3 may still accept its key"),
    "it is too early": (("gw2", "gw3"), "wrong_state", {"older_than_days": 1}, "less than 1 days ago"),
}


@pytest.mark.parametrize("what", PURGES)
def test_records_that_are_still_needed(directory: Directory, what: str) -> None:
    dropped, code, given, why = PURGES[what]
    retired(directory, *dropped)
    assert why in directory.refused(code, "purged", gateways=names("gw1"), **given)
    result = directory.write("purged", **given)
    assert not result["changed"]
    assert [one["gateway"] for one in result["refused"]] == (["gw1"] if code == "refused" else [])


@pytest.mark.parametrize("lost", [False, True])
def test_only_retired_gateways_are_purged(directory: Directory, lost: bool) -> None:
    mesh(directory)
    if lost:
        directory.write("revoked", gateways=names("gw1"), lost=True)
    why = "never deleted" if lost else "is in use"
    assert why in directory.refused("refused", "purged", gateways=names("gw1"), older_than_days=0)
    assert not directory.write("purged", older_than_days=0)["changed"]


STEPS: dict[str, tuple[str, dict[str, t.Any]]] = {
    "renamed": ("renamed", {"gateways": OLD_AND_NEW}),
    "retired": ("gateway_retired", {"gateways": names("gw1")}),
    "purged": ("purged", {"gateways": names("gw1"), "older_than_days": 0}),
}


@pytest.mark.parametrize("what", STEPS)
def test_check_mode_foretells_and_changes_nothing(directory: Directory, what: str) -> None:
    if what == "purged":
        retired(directory, "gw2", "gw3")
    else:
        directory.write(gateways=[gateway("gw1", key_of("gw1"))])
    before = directory.read()
    state, given = STEPS[what]
    predicted = directory.write(state, check=True, **given)
    assert predicted["changed"]
    assert directory.read() == before
    done = directory.write(state, **given)
    assert done["peers"] == predicted["peers"]
