# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that the modules return about a directory, and the text of a diff."""

from __future__ import annotations

import pytest
from unit.directory.samples import (
    NOW,
    Data,
    Records,
    acknowledgements,
    gateway,
    key_of,
    names,
    pending,
    pending_now,
    run_by,
)

from ansible_collections.vpnops.keys.plugins.module_utils import _public_key
from ansible_collections.vpnops.keys.plugins.module_utils._directory import view


def fp(name: str, serial: int = 1) -> str:
    return _public_key.parse(key_of(name, serial)).fingerprint


@pytest.fixture
def rotating() -> Records:
    """Of four gateways, one has another platform; gw1 is being rotated, and its peers are ready."""
    records = Records()
    first = gateway("gw1", key_of("gw1"), identity="one.example.net", networks=["10.79.1.0/24"])
    others = [gateway(name, key_of(name)) for name in ("gw4", "gw3", "gw2")]
    records.do(gateways=[*others, first, {"name": "swan", "platform": "strongswan"}], who={"by": "bob"})
    records.do("prepared", gateways=names("gw1"), who={"why": "yearly"})
    new = [{"gateway": "gw1", "public_key": key_of("gw1", 2)}]
    given = acknowledgements("gw1", "gw2", "gw3", role="staged")
    records.do("staged", keys=new, acknowledgements=given, minimum_share=60, gateways=names("gw1"))
    return records


def key_shown(name: str, serial: int, state: str) -> Data:
    return {
        "serial": serial,
        "public_key": key_of(name, serial),
        "fingerprint": fp(name, serial),
        "algorithm": "x25519",
        "state": state,
        "created_at": NOW,
        "revoked_at": None,
    }


def peer_of(name: str, **more: object) -> Data:
    return {
        "name": name,
        "platform": "wireguard",
        "identity": None,
        "endpoint": f"{name}.example.net:51820",
        "networks": [],
        "current": key_of(name),
        "revision": 1,
        "staged": None,
        "previous": None,
        "withdrawn": False,
        "known": [key_of(name)],
        "serial": 1,
        "staged_serial": None,
        **more,
    }


def test_all_that_is_returned_of_a_gateway_under_rotation(rotating: Records) -> None:
    rotating.do("active", gateways=names("gw1"))
    rotating.do(acknowledgements=acknowledgements("gw1", "gw3"))
    shown = view.build(rotating.snapshot, {"id": "directory"}, ["gw1"])
    about_gw1 = {
        "platform": "wireguard",
        "identity": "one.example.net",
        "endpoint": "gw1.example.net:51820",
        "networks": ["10.79.1.0/24"],
        "serial": 2,
        "revision": 7,
    }
    rotation = {
        "id": 1,
        "mode": "planned",
        "strategy": "in_place",
        "state": "active",
        "old": {"serial": 1, "public_key": key_of("gw1"), "fingerprint": fp("gw1")},
        "new": {"serial": 2, "public_key": key_of("gw1", 2), "fingerprint": fp("gw1", 2)},
        "begun_by": "alice",
        "begun_at": NOW,
        "lock_owner": run_by("alice"),
        "why": "yearly",
        "acknowledged": ["gw2", "gw3"],
    }
    entry = {
        "name": "gw1",
        "algorithm": "x25519",
        "revoked": False,
        "revoked_at": None,
        "retired_at": None,
        "public_key": key_of("gw1", 2),
        "fingerprint": fp("gw1", 2),
        "created_at": NOW,
        "created_by": "alice",
        "keys": [key_shown("gw1", 2, "current"), key_shown("gw1", 1, "retired")],
        "rotation": rotation,
        **about_gw1,
    }
    assert shown["directory"] == {
        "id": "directory",
        "revision": 7,
        "gateways": {"gw1": entry},
        "tampered": [],
    }
    known = [key_of("gw1", 2), key_of("gw1")]
    nothing: Data = {"endpoint": None, "current": None, "known": [], "serial": None}
    assert shown["peers"] == [
        peer_of("gw1", current=key_of("gw1", 2), previous=key_of("gw1"), known=known, **about_gw1),
        *(peer_of(name, revision=revision) for revision, name in enumerate(("gw2", "gw3", "gw4"), 2)),
        peer_of("swan", **nothing | {"platform": "strongswan"}, revision=5),
    ]
    assert shown["learned"] == {
        **{name: {"upto": 0, "also": [], "missing": []} for name in ("gw1", "gw2", "gw4", "swan")},
        "gw3": {"upto": 0, "also": ["gw1"], "missing": []},
    }


def test_all_that_is_returned_of_a_gateway_without_a_key(rotating: Records) -> None:
    assert view.build(rotating.snapshot, {}, ["swan"])["directory"]["gateways"] == {
        "swan": {
            "name": "swan",
            "platform": "strongswan",
            "algorithm": "ed25519",
            "identity": None,
            "endpoint": None,
            "networks": [],
            "revoked": False,
            "revoked_at": None,
            "retired_at": None,
            "revision": 5,
            "serial": None,
            "public_key": None,
            "fingerprint": None,
            "created_at": None,
            "created_by": None,
            "keys": [],
            "rotation": None,
        }
    }


def accepted(records: Records, name: str) -> list[str | None]:
    """The current, staged and previous key that peers store of this gateway."""
    (entry,) = [one for one in view.build(records.snapshot, {}, None)["peers"] if one["name"] == name]
    return [entry[role] for role in ("current", "staged", "previous")]


def test_which_keys_peers_accept_step_by_step(rotating: Records) -> None:
    old, new = key_of("gw1"), key_of("gw1", 2)
    assert accepted(rotating, "gw1") == [old, new, None]
    for state, keys in [
        ("active", [new, None, old]),
        ("verified", [new, None, old]),
        ("retired", [new, None, None]),
    ]:
        rotating.do(state, gateways=names("gw1"))
        assert accepted(rotating, "gw1") == keys, state


def test_a_stolen_key_is_accepted_at_no_step(rotating: Records) -> None:
    rotating.do("prepared", gateways=names("gw1"), mode="emergency")
    rotating.do("revoked", gateways=names("gw1"))
    assert accepted(rotating, "gw1") == [None, None, None]
    for state in ("active", "verified"):
        rotating.do(state, gateways=names("gw1"))
        assert accepted(rotating, "gw1") == [key_of("gw1", 2), None, None]


def test_check_mode_foretells_a_key_without_a_mark(rotating: Records) -> None:
    rotating.do("prepared", gateways=names("gw2"))
    rotating.do("staged", keys=[{"gateway": "gw2", "public_key": None}], who={"check": True})
    rotation = view.build(rotating.snapshot, {}, None)["directory"]["gateways"]["gw2"]["rotation"]
    assert rotation["new"] == {"serial": 2, "public_key": "(new)", "fingerprint": "(new)"}


@pytest.mark.parametrize(
    ("role", "serial", "has_it"),
    [("staged", 2, True), ("current", 2, True), ("withdrawn", 2, False), ("current", 1, False)],
)
def test_who_holds_the_new_key(rotating: Records, role: str, serial: int, has_it: bool) -> None:
    rotating.do(acknowledgements=acknowledgements("gw1", "gw4", role=role, serial=serial))
    rotation = view.build(rotating.snapshot, {}, None)["directory"]["gateways"]["gw1"]["rotation"]
    assert rotation["acknowledged"] == ["gw2", "gw3", *(["gw4"] if has_it else [])]


def test_who_has_no_key_at_all_holds_no_new_one() -> None:
    """Before there is a new key, an acknowledgement cannot be one of it."""
    records = Records()
    records.do(gateways=[gateway(name, key_of(name)) for name in ("gw1", "gw2")])
    records.do("prepared", gateways=names("gw1"), acknowledgements=acknowledgements("gw1", "gw2"))
    rotation = view.build(records.snapshot, {}, None)["directory"]["gateways"]["gw1"]["rotation"]
    assert (rotation["new"], rotation["acknowledged"]) == (None, [])


@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        (acknowledgements("gw1", "gw4", role="staged"), []),
        (acknowledgements("gw1", "gw4", role="current"), ["gw4"]),
        (acknowledgements("gw1", "gw4", role="staged", serial=1), ["gw4"]),
        ([], ["gw4"]),
    ],
)
def test_what_is_pending_is_the_key_and_the_role(rotating: Records, given: list[Data], lacking: list[str]) -> None:
    rotating.do(acknowledgements=given)
    assert [name for name, gateways in pending_now(rotating).items() if "gw1" in gateways] == lacking


def test_a_lost_gateway_stores_nothing_more_and_is_withdrawn_by_its_peers(rotating: Records) -> None:
    rotating.do("revoked", gateways=names("gw4"), lost=True)
    shown = view.build(rotating.snapshot, {}, None)
    assert "gw4" not in shown["learned"]
    assert {name for name, of in pending(shown).items() if "gw4" in of} == {"gw1", "gw2", "gw3"}
    lost = shown["directory"]["gateways"]["gw4"]
    assert (lost["rotation"], lost["revoked_at"], lost["keys"][0]["revoked_at"]) == (None, NOW, NOW)
    (entry,) = [one for one in shown["peers"] if one["name"] == "gw4"]
    assert entry == peer_of("gw4", current=None, serial=None, withdrawn=True, revision=7)
    rotating.do(acknowledgements=acknowledgements("gw4", "gw1", "gw2", "gw3", role="withdrawn"))
    assert [name for name, of in pending_now(rotating).items() if "gw4" in of] == []


def test_a_gateway_without_a_key_is_nothing_to_store_and_nothing_to_withdraw() -> None:
    records = Records()
    records.do(gateways=[gateway("gw1"), gateway("gw2")])
    assert pending_now(records) == {}
    records.do("revoked", gateways=names("gw1"), lost=True)
    shown = view.build(records.snapshot, {}, None)
    assert [(one["name"], one["withdrawn"]) for one in shown["peers"]] == [("gw1", True), ("gw2", False)]
    assert pending(shown) == {}


def test_nobody_is_left_to_withdraw_the_last_gateway() -> None:
    records = Records()
    records.do(gateways=[gateway("gw1", key_of("gw1"))])
    records.do("revoked", gateways=names("gw1"), lost=True)
    assert pending_now(records) == {}


def test_a_gateway_that_was_tampered_with_is_nowhere_but_named(rotating: Records) -> None:
    rotating.forged.append(("gateway", "gw2", None))
    shown = view.build(rotating.snapshot, {}, None)
    assert shown["directory"]["tampered"] == [{"gateway": "gw2", "serial": None, "what": "gateway"}]
    assert list(shown["directory"]["gateways"]) == ["gw1", "gw3", "gw4", "swan"]
    assert [one["name"] for one in shown["peers"]] == ["gw1", "gw3", "gw4", "swan"]
    assert list(shown["learned"]) == ["gw1", "gw3", "gw4", "swan"]
    assert pending(shown) == {"gw1": ["gw3", "gw4"], "gw3": ["gw4"], "gw4": ["gw1", "gw3"]}


def test_a_name_that_somebody_else_wrote_is_printable(rotating: Records) -> None:
    name = "gw\x1b[2J"
    rotating.snapshot.gateways[name] = {**rotating.snapshot.gateways["gw2"], "name": name}
    rotating.forged.append(("gateway", name, None))
    found = view.build(rotating.snapshot, {}, None)["directory"]["tampered"]
    assert [one["gateway"] for one in found] == ["gw\\x1b[2J"]


def test_whoever_has_all_and_whoever_lacks_some(rotating: Records) -> None:
    rotating.do(learned=[{"peer": "gw2", "revision": 6}])
    given = [one for name in ("gw3", "gw4") for one in acknowledgements(name, "gw1")]
    rotating.do(acknowledgements=given)
    shown = view.build(rotating.snapshot, {}, None)["learned"]
    assert shown["gw2"] == {"upto": 6, "also": [], "missing": []}
    assert shown["gw1"] == {"upto": 6, "also": [], "missing": ["gw2"]}


# -- the diff


def test_the_whole_diff(rotating: Records) -> None:
    rotating.do("prepared", gateways=names("gw3"), mode="emergency")
    rotating.do("staged", keys=[{"gateway": "gw3", "public_key": None}], who={"check": True})
    rotating.do("revoked", gateways=names("gw4"), lost=True)
    assert view.outline(rotating.snapshot) == (
        "gw1: wireguard, one.example.net, gw1.example.net:51820, 10.79.1.0/24, rotation staged (planned)\n"
        f"  serial 1 current: {fp('gw1')}\n"
        f"  serial 2 staged: {fp('gw1', 2)}\n"
        "gw2: wireguard, gw2.example.net:51820\n"
        f"  serial 1 current: {fp('gw2')}\n"
        "gw3: wireguard, gw3.example.net:51820, rotation prepared (emergency)\n"
        f"  serial 1 current: {fp('gw3')}\n"
        "  serial 2 staged: (new)\n"
        "gw4: wireguard, gw4.example.net:51820, revoked\n"
        f"  serial 1 revoked: {fp('gw4')}\n"
        "swan: strongswan\n"
        "gw2 has serial 2 of gw1 as staged\n"
        "gw3 has serial 2 of gw1 as staged\n"
    )


def test_marks_in_the_diff() -> None:
    records = Records()
    records.do(gateways=[gateway(name, key_of(name)) for name in ("gw1", "gw2", "gw3", "gw4")])
    given = [one for name in ("gw2", "gw3") for one in acknowledgements(name, "gw1")]
    records.do(acknowledgements=[*given, *acknowledgements("gw1", "gw2")])
    assert view.outline(records.snapshot).splitlines()[8:] == [
        "gw1 has all up to revision 4",
        "gw1 has not stored gw4",
        "gw2 has serial 1 of gw1 as current",
    ]
