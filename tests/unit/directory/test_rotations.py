# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rotations in the directory: what becomes of the keys, and what peers have to store."""

from __future__ import annotations

import os

import pytest
from unit.directory.samples import Data, Directory, acknowledgements, mesh, names, new_key, pending, run_by, stage

from ansible_collections.vpnops.keys.plugins.module_utils._directory import lock_owner


def test_a_planned_rotation(directory: Directory) -> None:
    old = mesh(directory)[0]
    directory.write("prepared", gateways=names("gw1"), why="yearly")
    assert pending(directory.read()) == {}

    new = new_key()
    result = directory.write("staged", keys=[{"gateway": "gw1", "public_key": new}])
    assert result["directory"]["gateways"]["gw1"]["rotation"]["state"] == "prepared"
    entry = directory.entry("gw1")
    assert (entry["current"], entry["staged"], entry["previous"]) == (old, new, None)
    assert pending(result) == {"gw2": ["gw1"], "gw3": ["gw1"]}

    given = acknowledgements("gw1", "gw2", role="staged")
    sentence = directory.refused("too_few", "staged", gateways=names("gw1"), acknowledgements=given)
    assert "1 of 2 peers, not yet gw3" in sentence
    result = directory.acknowledge("gw1", "gw2", role="staged", state="staged", minimum_share=50, gateways=names("gw1"))
    rotation = result["directory"]["gateways"]["gw1"]["rotation"]
    assert (rotation["state"], rotation["acknowledged"], rotation["why"]) == ("staged", ["gw2"], "yearly")
    assert (rotation["old"]["serial"], rotation["new"]["serial"]) == (1, 2)

    result = directory.write("active", gateways=names("gw1"))
    assert directory.states("gw1") == {1: "retired", 2: "current"}
    entry = directory.entry("gw1")
    assert (entry["current"], entry["staged"], entry["previous"], entry["known"]) == (new, None, old, [new, old])
    assert pending(result) == {"gw2": ["gw1"], "gw3": ["gw1"]}

    directory.write("verified", gateways=names("gw1"))
    directory.acknowledge("gw1", "gw2", "gw3")
    assert pending(directory.read()) == {}
    result = directory.write("retired", gateways=names("gw1"))
    assert pending(result) == {}  # whoever stores the new key as the current one has dropped the old one
    assert directory.entry("gw1")["previous"] is None
    assert directory.states("gw1") == {1: "retired", 2: "current"}


def test_every_step_again_changes_nothing(directory: Directory) -> None:
    mesh(directory)
    key = stage(directory)
    again: list[tuple[str, Data]] = [
        ("staged", {"keys": [{"gateway": "gw1", "public_key": key}]}),
        ("staged", {"gateways": names("gw1")}),
    ]
    again += [(state, {"gateways": names("gw1")}) for state in ("active", "verified", "retired")]
    for number, (state, options) in enumerate(again):
        result = directory.write(state, **options)
        assert result["changed"] is (number > 1)
        result = directory.write(state, **options)
        assert (result["changed"], result["events"]) == (False, []), state


def test_prepared_again_goes_on(directory: Directory) -> None:
    mesh(directory)
    assert directory.write("prepared", gateways=names("gw1", "gw2"))["changed"]
    assert not directory.write("prepared", gateways=names("gw1", "gw2"))["changed"]
    assert directory.write("prepared", gateways=names("gw1"), strategy="second_interface")["changed"]
    assert directory.write("prepared", gateways=names("gw1"), strategy="second_interface", mode="emergency")["changed"]
    rotations = directory.read()["rotations"]
    assert [(one["gateway"], one["mode"]) for one in rotations] == [("gw2", "planned"), ("gw1", "emergency")]
    assert not directory.write("prepared", gateways=names("gw1"), strategy="second_interface")["changed"]


def test_the_strategy_is_settled_once_it_is_used(directory: Directory) -> None:
    mesh(directory)
    stage(directory)
    assert "in_place" in directory.refused(
        "wrong_state", "prepared", gateways=names("gw1"), strategy="second_interface"
    )


def test_all_or_none_are_prepared(directory: Directory) -> None:
    mesh(directory)
    assert "no gateway gw9" in directory.refused("not_found", "prepared", gateways=names("gw1", "gw9"))
    directory.write("revoked", gateways=names("gw3"), lost=True)
    assert "gw3 is revoked" in directory.refused("refused", "prepared", gateways=names("gw1", "gw3"))
    assert directory.read()["rotations"] == []


def test_a_gateway_without_a_key_has_nothing_to_rotate(directory: Directory) -> None:
    directory.write(gateways=[{"name": "gw1", "platform": "strongswan"}])
    assert "gw1 has no key" in directory.refused("wrong_state", "prepared", gateways=names("gw1"))


@pytest.mark.parametrize("steps", [(), ("active",), ("active", "verified")])
def test_an_aborted_rotation_leaves_the_old_key(directory: Directory, steps: tuple[str, ...]) -> None:
    old = mesh(directory)[0]
    new = stage(directory)
    for step in steps:
        directory.write(step, gateways=names("gw1"))
    result = directory.write("rolled_back", gateways=names("gw1"))
    assert directory.states("gw1") == {1: "current", 2: "revoked"}
    entry = directory.entry("gw1")
    assert (entry["current"], entry["staged"], entry["previous"], entry["serial"]) == (old, None, None, 1)
    assert new in entry["known"]
    assert pending(result) == {"gw2": ["gw1"], "gw3": ["gw1"]}
    assert not directory.write("rolled_back", gateways=names("gw1"))["changed"]
    directory.write("prepared", gateways=names("gw1"))
    assert "serial 2, revoked" in directory.refused(
        "duplicate_key", "staged", keys=[{"gateway": "gw1", "public_key": new}]
    )


def test_another_new_key_takes_the_place_of_one_that_was_staged(directory: Directory) -> None:
    mesh(directory)
    stage(directory)
    new = new_key()
    result = directory.write("staged", keys=[{"gateway": "gw1", "public_key": new}])
    assert [event["what"] for event in result["events"]] == ["replaced before use", "key staged"]
    assert directory.states("gw1") == {1: "current", 2: "retired", 3: "staged"}
    assert directory.entry("gw1")["staged"] == new
    assert "0 of 2" in directory.refused("too_few", "staged", gateways=names("gw1"))


def test_no_other_key_after_the_swap(directory: Directory) -> None:
    mesh(directory)
    stage(directory)
    directory.write("active", gateways=names("gw1"))
    directory.refused("wrong_state", "staged", keys=[{"gateway": "gw1", "public_key": new_key()}])


def test_an_emergency(directory: Directory) -> None:
    old = mesh(directory)[0]
    directory.write("prepared", gateways=names("gw1"), mode="emergency")
    result = directory.write("revoked", gateways=names("gw1"), why="stolen")
    entry = directory.entry("gw1")
    assert (entry["withdrawn"], entry["current"], entry["previous"], entry["known"]) == (True, None, None, [old])
    assert pending(result) == {"gw2": ["gw1"], "gw3": ["gw1"]}
    assert pending(directory.acknowledge("gw1", "gw2", "gw3", role="withdrawn")) == {}

    assert "no new key" in directory.refused("wrong_state", "active", gateways=names("gw1"))
    new = new_key()
    result = directory.write("staged", keys=[{"gateway": "gw1", "public_key": new}])
    assert not directory.write("revoked", gateways=names("gw1"))["changed"]  # the new key is spared
    entry = directory.entry("gw1")
    assert (entry["withdrawn"], entry["staged"], entry["known"]) == (True, None, [new, old])
    assert pending(result) == {}  # the new key is not theirs before it is in use
    assert not directory.acknowledge("gw1", "gw2", "gw3", role="withdrawn")["changed"]
    assert pending(directory.write("active", gateways=names("gw1"))) == {"gw2": ["gw1"], "gw3": ["gw1"]}
    entry = directory.entry("gw1")
    assert (entry["withdrawn"], entry["current"], entry["previous"]) == (False, new, None)
    assert directory.states("gw1") == {1: "revoked", 2: "current"}


def test_a_revoked_key_never_comes_back(directory: Directory) -> None:
    mesh(directory)
    directory.write("prepared", gateways=names("gw1"), mode="emergency")
    directory.write("revoked", gateways=names("gw1"))
    directory.write("staged", keys=[{"gateway": "gw1", "public_key": new_key()}])
    directory.write("active", gateways=names("gw1"))
    directory.write("rolled_back", gateways=names("gw1"))
    assert directory.states("gw1") == {1: "revoked", 2: "revoked"}
    assert directory.entry("gw1")["withdrawn"]
    stage(directory)
    directory.write("active", gateways=names("gw1"))
    assert directory.states("gw1") == {1: "revoked", 2: "revoked", 3: "current"}


def test_a_lost_gateway(directory: Directory) -> None:
    mesh(directory)
    stage(directory)
    result = directory.write("revoked", gateways=names("gw1"), lost=True)
    assert directory.entry("gw1")["withdrawn"]
    assert directory.states("gw1") == {1: "revoked", 2: "revoked"}
    assert pending(result) == {"gw2": ["gw1"], "gw3": ["gw1"]}
    assert result["directory"]["gateways"]["gw1"]["revoked"]
    assert result["directory"]["gateways"]["gw1"]["rotation"] is None
    assert not directory.write("revoked", gateways=names("gw1"), lost=True)["changed"]
    directory.acknowledge("gw1", "gw2", "gw3", role="withdrawn")
    stage(directory, "gw2", peers=("gw3",))  # the lost one is no peer any more


# -- two at once


def test_somebody_else_is_refused(directory: Directory) -> None:
    mesh(directory)
    stage(directory)
    bob = run_by("bob", 2)
    for state in ("prepared", "active", "rolled_back", "revoked"):
        sentence = directory.refused("held", state, gateways=names("gw1"), lock_owner=bob)
        assert "gw1 is being rotated by alice on ctl1 (pid 4711)" in sentence
    directory.refused("held", "staged", keys=[{"gateway": "gw1", "public_key": new_key()}], lock_owner=bob)
    directory.write("prepared", gateways=names("gw2"), lock_owner=bob)
    directory.refused("held", "prepared", gateways=names("gw3", "gw2"))


@pytest.mark.parametrize(
    ("lease", "more", "reason"),
    [(0, {}, "its lease had expired"), (120, {"take_over": True}, "take_over was asked for")],
)
def test_taken_over(directory: Directory, lease: int, more: dict[str, bool], reason: str) -> None:
    mesh(directory)
    stage(directory)
    directory.write("prepared", gateways=names("gw1"), lease=lease)
    result = directory.write("prepared", gateways=names("gw1"), lock_owner=run_by("bob", 2), **more)
    assert [(one["what"], one["outcome"]) for one in result["events"]] == [("taken over", reason)]
    assert result["changed"]
    directory.refused("held", "active", gateways=names("gw1"))


def test_a_dead_process_holds_nothing(directory: Directory) -> None:
    mesh(directory)
    dead = {**lock_owner.describe(os.getpid()), "started": 1, "run": "dead"}
    directory.write("prepared", gateways=names("gw1"), lock_owner=dead)
    result = directory.write("prepared", gateways=names("gw1"))
    assert [one["outcome"] for one in result["events"]] == ["its process has ended"]


def test_every_step_renews_the_lease(directory: Directory) -> None:
    mesh(directory)
    directory.write("prepared", gateways=names("gw1"), lease=0)
    directory.write("prepared", gateways=names("gw1"), lease=3600)
    directory.refused("held", "prepared", gateways=names("gw1"), lock_owner=run_by("bob", 2))


def test_no_key_is_left_of_a_rotation_that_is_aborted_after_a_revocation(directory: Directory) -> None:
    """All are revoked then, also one that was replaced before use, or the directory would look tampered with."""
    mesh(directory)
    directory.write("prepared", gateways=names("gw1"), mode="emergency")
    directory.write("revoked", gateways=names("gw1"))
    for key in (new_key(), new_key()):
        directory.write("staged", keys=[{"gateway": "gw1", "public_key": key}])
    assert directory.states("gw1") == {1: "revoked", 2: "revoked", 3: "staged"}
    directory.write("rolled_back", gateways=names("gw1"))
    assert directory.states("gw1") == {1: "revoked", 2: "revoked", 3: "revoked"}
    assert directory.read()["directory"]["tampered"] == []
