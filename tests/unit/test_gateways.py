# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan, proof, status and outcome: what the directory and the looks at the gateways say together."""

from __future__ import annotations

import base64
import hashlib
import typing as t
from collections.abc import Sequence

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import parse
from ansible_collections.vpnops.keys.plugins.plugin_utils import gateway_tables, gateways

Data = dict[str, t.Any]
OPTIONS: Data = {"mode": "planned", "strategy": "in_place", "unreachable": "defer", "minimum_share": 50}


def key(name: str, serial: int = 1) -> str:
    return base64.b64encode(hashlib.sha256(f"{name} {serial}".encode()).digest()).decode()


def fp(name: str, serial: int = 1) -> str:
    return parse(key(name, serial)).fingerprint


def entry(name: str, serial: int = 1, **more: t.Any) -> Data:
    return {
        "name": name, "platform": "wireguard", "algorithm": "x25519", "identity": None, "revoked": False,
        "serial": serial, "public_key": key(name, serial), "fingerprint": fp(name, serial),
        "known_keys": [key(name, number) for number in range(serial, 0, -1)], "created_at": "2026-01-01T00:00:00Z",
        "rotation": None, **more,
    }  # fmt: skip


def rotation(name: str, state: str = "staged", mode: str = "planned") -> Data:
    return {
        "state": state, "mode": mode, "begun_by": "alice", "begun_at": "03:12",
        "old": {"serial": 1, "fingerprint": fp(name)}, "new": {"serial": 2, "fingerprint": fp(name, 2)},
    }  # fmt: skip


def book(*entries: Data, owed: Data | None = None, tampered: Sequence[Data] = ()) -> Data:
    by_name = {one["name"]: one for one in entries}
    return {"directory": {"gateways": by_name, "tampered": list(tampered)}, "owed": owed or {}, "peers": []}


MESH = book(*(entry(f"gw{number}") for number in range(1, 5)))
NAMES = list(MESH["directory"]["gateways"])


def look(name: str, serials: Data | None = None, own: int = 1, runtime: int | None = None, **more: t.Any) -> Data:
    """A gateway that stores, in file and daemon, the given serial of everybody else, and has tunnels by them."""
    others = {other: 1 for other in NAMES if other != name} | (serials or {})
    stored = [
        {"peer": "", "public_key": key(peer, serial), "fingerprint": fp(peer, serial), "file": "current",
         "runtime": "current"}
        for peer, serial in others.items()
    ]  # fmt: skip
    tunnels = [
        {"peer": "", "with_own": fp(name, own), "with_peer": fp(peer, serial), "age": 1.0, "proof": "handshake"}
        for peer, serial in others.items()
    ]
    keys = {"file": {"fingerprint": fp(name, own)}, "runtime": {"fingerprint": fp(name, runtime or own)}}
    gateway = {"own": keys, "stored": stored, "tunnels": tunnels, "change": None, "pending": None,
               "previous": None}  # fmt: skip
    return {"gateway": gateway | more, "obstacles": []}


ALL = {name: look(name) for name in NAMES}
UNREACHABLE = {"unreachable": True, "msg": "no route"}
REFUSED = {"failed": True, "msg": "Incorrect sudo password"}


# -- who is meant


def test_names_have_to_be_typed_twice_and_be_known() -> None:
    assert gateways.check_names(["gw2", "gw1"], ["gw2", "gw1"], NAMES) == ["gw2", "gw1"]
    assert gateways.check_names(["all"], ["all"], NAMES) == NAMES
    for names, confirm, words in [
        (["gw1"], ["gw2"], "The confirmation gw2 is not gw1."),
        (["gw1"], [], "The confirmation \\(none\\) is not gw1."),
        ([], [], "Name the gateway"),
        (["gw9"], ["gw9"], "does not know gw9; it knows gw1, gw2, gw3, gw4"),
    ]:
        with pytest.raises(VpnKeysError, match=words) as caught:
            gateways.check_names(names, confirm, NAMES)
        assert str(caught.value).count("Nothing was changed") == 1


# -- the plan


def plan(looks: Data, view: Data | None = None, targets: Sequence[str] = ("gw1",), **options: t.Any) -> Data:
    return gateways.plan(view or MESH, looks, list(targets), OPTIONS | options)


def test_everybody_in_reach() -> None:
    planned = plan(ALL)
    assert planned["peers"] == ["gw2", "gw3", "gw4"]
    assert not planned["refusals"]
    assert not planned["unreachable"]


def test_unreachable_peers_are_deferred_or_a_reason_not_to_begin() -> None:
    looks = ALL | {"gw4": UNREACHABLE}
    assert plan(looks)["unreachable"] == [{"gateway": "gw4", "why": "unreachable"}]
    assert not plan(looks)["refusals"]
    assert "gw4" in plan(looks, unreachable="fail")["refusals"][0]


@pytest.mark.parametrize(("share", "refused"), [(33, False), (34, True), (0, False), (100, True)])
def test_minimum_share(share: int, refused: bool) -> None:
    """One of three peers can be reached."""
    looks = {"gw1": look("gw1"), "gw2": look("gw2"), "gw3": UNREACHABLE}
    assert bool(plan(looks, minimum_share=share)["refusals"]) is refused


OTHER_PLANS: dict[str, Data] = {
    "another gateway": {"targets": ("gw2",)},
    "one gateway more": {"targets": ("gw1", "gw2")},
    "changed meanwhile": {"view": book(entry("gw1", 2), *(entry(f"gw{number}") for number in range(2, 5)))},
    "a peer more": {"view": book(*(entry(f"gw{number}") for number in range(1, 6)))},
    "another mode": {"mode": "emergency"},
    "another strategy": {"strategy": "second_interface"},
}


@pytest.mark.parametrize("what", OTHER_PLANS)
def test_another_plan_is_not_the_approved_one(what: str) -> None:
    approved = plan(ALL)
    (refusal,) = gateways.not_approved(plan(ALL, **OTHER_PLANS[what]), [approved["digest"]])
    assert "has changed since it was approved" in refusal
    assert approved["digest"] in refusal


SAME_PLANS: dict[str, Data] = {
    "the same": {"looks": ALL},
    "a peer is away": {"looks": ALL | {"gw3": UNREACHABLE}},
    "begun and interrupted": {
        "looks": ALL,
        "view": book(
            entry("gw1", 2, rotation=rotation("gw1", "swapped")), *(entry(f"gw{number}") for number in range(2, 5))
        ),
    },
}


@pytest.mark.parametrize("what", SAME_PLANS)
def test_the_approved_plan(what: str) -> None:
    assert gateways.not_approved(plan(**SAME_PLANS[what]), [plan(ALL)["digest"], "another"]) == []


@pytest.mark.parametrize("nothing", [[], [""]], ids=["empty", "empty text"])
def test_an_empty_approval_approves_nothing(nothing: list[str]) -> None:
    assert gateways.not_approved(plan(ALL), nothing) == ["The plan for gw1 is not approved."]
    assert gateways.not_approved(plan(ALL), None) == []


def test_a_peer_without_power_stops_a_plan_but_no_emergency() -> None:
    looks = ALL | {"gw3": REFUSED}
    assert plan(looks)["refusals"] == ["gw3: Incorrect sudo password."]
    emergency = plan(looks, mode="emergency")
    assert not emergency["refusals"]
    assert emergency["refused"] == [{"gateway": "gw3", "why": "Incorrect sudo password"}]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (UNREACHABLE, "gw1: unreachable."),
        ({}, "gw1: not in this play."),
        (REFUSED, "gw1: Incorrect sudo password."),
        (look("gw1") | {"obstacles": ["/etc cannot be written."]}, "gw1: /etc cannot be written."),
        (look("gw1", own=7), "gw1 uses the key"),
    ],
)
def test_a_target_must_be_ready_and_the_one_the_directory_knows(state: Data, words: str) -> None:
    (refusal,) = plan(ALL | {"gw1": state})["refusals"]
    assert refusal.startswith(words)


def test_an_emergency_does_not_need_the_gateway_itself() -> None:
    assert not plan(ALL | {"gw1": UNREACHABLE}, mode="emergency")["refusals"]
    assert plan(ALL | {"gw1": REFUSED}, mode="emergency")["refusals"]


def test_tampered_and_revoked() -> None:
    view = book(*MESH["directory"]["gateways"].values(), tampered=[{"gateway": "gw2", "what": "key 1 is forged"}])
    assert plan(ALL, view)["refusals"] == ["gw2: key 1 is forged."]
    revoked = book(entry("gw1", revoked=True), entry("gw2"))
    assert "revoked" in plan(ALL, revoked)["refusals"][0]


def test_all_of_a_mesh_are_targets_and_peers() -> None:
    planned = plan(ALL, targets=NAMES)
    assert planned["names"] == NAMES == planned["peers"]


def test_other_platforms_are_no_peers() -> None:
    view = book(entry("gw1"), entry("gw2"), entry("gw3", platform="strongswan"))
    assert plan(ALL, view)["peers"] == ["gw2"]


def test_abort_needs_an_open_planned_rotation() -> None:
    def refusals(one: Data | None) -> list[str]:
        return t.cast("list[str]", plan(ALL, book(entry("gw1", rotation=one), entry("gw2")), mode="abort")["refusals"])

    assert refusals(rotation("gw1")) == []
    assert "none to abort" in refusals(None)[0]
    assert "cannot come back" in refusals(rotation("gw1", mode="emergency"))[0]


def test_abort_needs_the_old_key() -> None:
    view = book(entry("gw1", 2, rotation=rotation("gw1", "verified")), entry("gw2"))
    kept = look("gw1", own=2, previous={"fingerprint": fp("gw1")})
    assert plan(ALL | {"gw1": kept}, view, mode="abort")["refusals"] == []
    (refusal,) = plan(ALL | {"gw1": look("gw1", own=2)}, view, mode="abort")["refusals"]
    assert refusal.startswith("The old key of gw1 is destroyed and cannot come back")


# -- the proof


ROTATING = book(entry("gw1", rotation=rotation("gw1")), entry("gw2"), entry("gw3"), entry("gw4"))


def proof(before: Data, after: Data) -> Data:
    return gateways.prove(ROTATING, before, after, ["gw1"])["gw1"]


def changed(**more: Data) -> Data:
    """All peers have tunnels by the new key, and gw1 uses it."""
    looks = {name: look(name, {"gw1": 2}) for name in NAMES if name != "gw1"}
    return {"gw1": look("gw1", own=1, runtime=2)} | looks | more


def test_proved_by_the_peers() -> None:
    found = proof(ALL, changed())
    assert found["verified"]
    assert found["proven"] == ["gw2", "gw3", "gw4"]


def test_a_tunnel_that_was_up_and_is_not() -> None:
    lost = look("gw3", {"gw1": 2})
    lost["gateway"]["tunnels"] = []
    found = proof(ALL, changed(gw3=lost))
    assert not found["verified"]
    assert found["unproven"] == ["gw3"]
    assert "gw3" in found["problem"]


def test_a_tunnel_that_was_down_before_is_not_waited_for() -> None:
    before = {name: look(name) for name in NAMES}
    silent = look("gw3", {"gw1": 2})
    ours = (fp("gw1"), fp("gw1", 2), fp("gw3"))
    for one in (before["gw3"], before["gw1"], silent):
        tunnels = one["gateway"]["tunnels"]
        one["gateway"]["tunnels"] = [tunnel for tunnel in tunnels if tunnel["with_peer"] not in ours]
    found = proof(before, changed(gw3=silent))
    assert found["verified"]
    assert found["proven"] == ["gw2", "gw4"]


def test_a_peer_that_went_away_is_no_proof_and_no_failure() -> None:
    found = proof(ALL, changed(gw4=UNREACHABLE))
    assert found["verified"]
    assert found["away"] == ["gw4"]


def test_the_old_key_came_back() -> None:
    found = proof(ALL, changed(gw1=look("gw1", own=1, change={"error": "No handshake came."})))
    assert not found["verified"]
    assert "No handshake came." in found["problem"]


def test_proved_by_the_gateway_where_peers_cannot_tell() -> None:
    """strongSwan: a peer accepts two keys and does not say by which the SA came up."""
    names = {"gw1": entry("gw1", platform="strongswan", identity="one.example", rotation=rotation("gw1"))}
    names["gw2"] = entry("gw2", platform="strongswan", identity="two.example")
    view = book(*names.values())

    def tunnel(peer: str, own: str | None) -> list[Data]:
        return [{"peer": peer, "with_own": own, "with_peer": None, "age": 1.0, "proof": "IKE_SA 7"}]

    before = {"gw1": look("gw1", tunnels=tunnel("two.example", fp("gw1")))}
    before["gw2"] = look("gw2", tunnels=tunnel("one.example", None))
    after = {"gw1": look("gw1", own=2, tunnels=tunnel("two.example", fp("gw1", 2))), "gw2": before["gw2"]}
    assert gateways.prove(view, before, after, ["gw1"])["gw1"]["proven"] == ["gw2"]
    stale = {"gw1": look("gw1", own=2, tunnels=tunnel("two.example", fp("gw1"))), "gw2": before["gw2"]}
    assert gateways.prove(view, before, stale, ["gw1"])["gw1"]["unproven"] == ["gw2"]


# -- status


def test_all_in_line() -> None:
    found = gateways.status(MESH, ALL)
    assert found["in_line"]
    assert not found["notes"]
    assert {(row["stored_by"], row["neighbours"], row["tunnels"]) for row in found["gateways"]} == {(3, 3, 3)}


NEWER = book(entry("gw1", 2), *(entry(name) for name in NAMES[1:]), owed={"gw2": ["gw1"]})


def without(one: Data, place: str, peer: str) -> Data:
    for stored in one["gateway"]["stored"]:
        if stored["fingerprint"] == fp(peer):
            stored[place] = None
    return one


@pytest.mark.parametrize(
    ("looks", "sentence"),
    [
        ({"gw1": look("gw1", own=3, runtime=1)}, "gw1 has the key {gw1.3} in its file, the directory says {gw1.1}."),
        ({"gw1": look("gw1", own=1, runtime=3)}, "gw1 has the key {gw1.3} in its running daemon, the directory says"),
        ({"gw2": look("gw2", {"gw1": 5})}, "gw2 stores no key of gw1, which stores one of gw2."),
        ({"gw2": without(look("gw2"), "runtime", "gw1")}, "gw2 stores no key of gw1 in its running daemon."),
        ({"gw2": without(look("gw2"), "file", "gw1")}, "gw2 stores no key of gw1 in its file."),
        ({"gw2": REFUSED}, "gw2: Incorrect sudo password."),
    ],
)
def test_every_difference_is_a_sentence(looks: Data, sentence: str) -> None:
    found = gateways.status(MESH, ALL | looks)
    wanted = sentence.replace("{gw1.1}", fp("gw1")[:12]).replace("{gw1.3}", fp("gw1", 3)[:12])
    assert not found["in_line"]
    assert found["differences"][0].startswith(wanted)


def test_an_old_key_is_named_by_its_serial_and_place() -> None:
    found = gateways.status(NEWER, ALL | {"gw1": look("gw1", own=2)})
    assert (
        "gw2 stores serial 1 of gw1 in its file and in its running daemon; serial 2 is current. Converge it."
        in (found["differences"])
    )
    assert "gw1: its key is still to reach gw2, which may accept an older one." in found["notes"]


def test_who_has_still_to_drop_a_revoked_gateway_is_a_difference() -> None:
    view = book(entry("gw1") | {"revoked": True}, *(entry(name) for name in NAMES[1:]), owed={"gw2": ["gw1"]})
    found = gateways.status(view, {name: look(name, {"gw1": None}) for name in ("gw3", "gw4")})
    assert found["differences"][0] == "gw1 is revoked, and gw2 may still accept it. Converge."
    assert not found["in_line"]


def test_with_nobody_enrolled_nothing_is_in_line() -> None:
    found = gateways.status(book(), {"gw1": REFUSED, "gw2": look("gw2")})
    assert found["differences"] == ["No gateway is in the directory."]
    assert found["notes"][1:] == [
        "gw1 is in the inventory but not in the directory; enroll it.",
        "gw1: Incorrect sudo password.",
        "gw2 is in the inventory but not in the directory; enroll it.",
    ]


def test_a_key_that_an_emergency_revoked_is_named() -> None:
    revoked = entry("gw1") | {"fingerprint": None, "public_key": None, "serial": None}
    revoked["rotation"] = rotation("gw1", "prepared", "emergency") | {"new": None}
    view = book(revoked, *(entry(name) for name in NAMES[1:]))
    found = gateways.status(view, ALL | {"gw1": look("gw1", own=3)})
    differences = [f"gw{n} stores serial 1 of gw1 in its file and in its running daemon; that is revoked. Converge it."
                   for n in (2, 3, 4)]  # fmt: skip
    assert found["differences"][0].endswith("in its running daemon, the directory says that it has none.")
    assert found["differences"][1:] == differences


def test_a_key_of_nobody_is_noted_and_left_alone() -> None:
    found = gateways.status(MESH, ALL | {"gw2": look("gw2", {"road warrior": 1})})
    assert found["in_line"]
    assert found["notes"] == [
        f"gw2 stores 1 key of nobody in the directory: {fp('road warrior')[:12]}. They are left alone."
    ]


def test_what_is_open_away_or_not_enrolled_is_noted() -> None:
    found = gateways.status(ROTATING, ALL | {"gw4": UNREACHABLE, "gw9": look("gw9")})
    notes = " ".join(found["notes"])
    assert "a rotation (planned) begun by alice" in notes
    assert "Not looked at: gw4." in notes
    assert "gw9 is in the inventory but not in the directory" in notes


# -- outcome and tables


def test_outcome() -> None:
    planned = plan(ALL, ROTATING) | {"unreachable": [{"gateway": "gw4", "why": "unreachable"}]}
    after = book(entry("gw1", 2), *(entry(name) for name in NAMES[1:]), owed={"gw4": ["gw1"]})
    found = gateways.outcome(after, planned, {"gw1": proof(ALL, changed())})
    (row,) = found["gateways"]
    assert (row["before"], row["fingerprint"], row["state"]) == (fp("gw1"), fp("gw1", 2), "changed")
    assert row["pending"] == ["gw4"]
    text = gateway_tables.outcome(found, planned, False, 80)
    assert "At their next contact (converge_gateways): gw4 (unreachable)." in text
    first = gateway_tables.outcome(found, planned, True, 80).splitlines()[0]
    assert first.strip().startswith("STILL ACCEPT THE OLD KEY: gw4")


def test_a_rotation_that_is_stuck_is_a_problem() -> None:
    """Nothing speaks against the new key, and yet it could not be kept."""
    found = gateways.outcome(ROTATING, plan(ALL, ROTATING), {"gw1": proof(ALL, changed())})
    problem = "The rotation of gw1 is not finished, state staged. Run it again, or abort it."
    assert found["gateways"][0]["problem"] == problem
    assert not found["done"]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_tables_fit(width: int) -> None:
    found = gateways.status(NEWER, ALL | {"gw3": UNREACHABLE})
    text = gateway_tables.status(found, width)
    assert max(map(len, text.splitlines())) <= width
    assert all(name in text for name in NAMES)


def test_hundreds_of_names_stay_short() -> None:
    assert gateway_tables.names([f"gw{number}" for number in range(400)]).endswith("gw11 and 388 more")


def test_converged() -> None:
    view = book(*(entry(name) for name in NAMES), owed={"gw2": ["gw1"], "gw3": ["gw1"], "gw4": ["gw1"]})
    found = gateways.converged(view, {"gw2": {"acknowledgements": []}, "gw3": UNREACHABLE})
    assert [(row["gateway"], row["stored"], row["why"]) for row in found["gateways"]] == [
        ("gw2", True, ""),
        ("gw3", False, "unreachable"),
        ("gw4", False, "not in this play"),
    ]
    assert "Nothing is owed" in gateway_tables.converged(gateways.converged(MESH, {}), 80)


# -- what a change cost


def changed_at(began: float, by: Data) -> tuple[Data, Data]:
    """gw1 has changed its key, and sees its tunnels with it from these moments on."""
    view = book(entry("gw1", rotation=rotation("gw1") | {"id": 7}), *(entry(name) for name in NAMES[1:]))
    change = {"step": "swapped", "key": fp("gw1", 2), "at": began + 1, "deadline": 0, "error": "", "began": began}
    after = {name: look(name, {"gw1": 2}) for name in NAMES}
    after["gw1"] = look("gw1", own=2, change=change)
    after["gw1"]["gateway"]["tunnels"] = [
        {"peer": "", "with_own": fp("gw1", 2), "with_peer": fp(peer), "age": 1.0, "proof": "handshake", "by": moment}
        for peer, moment in by.items()
    ]
    return view, after


def measured(view: Data, after: Data) -> Data | None:
    return t.cast("Data | None", gateways.prove(view, ALL, after, ["gw1"])["gw1"]["measured"])


def test_the_last_tunnel_counts() -> None:
    event = measured(*changed_at(1000.0, {"gw2": 1000.05, "gw3": 1000.3, "gw4": 1000.1}))
    assert event == {
        "what": "interruption measured",
        "gateway": "gw1",
        "outcome": "done",
        "details": {"rotation": 7, "seconds": 0.3, "tunnels": 3, "missing": 0},
    }


def test_tunnels_that_only_the_peer_has_seen_are_missing() -> None:
    event = measured(*changed_at(1000.0, {"gw2": 1000.05}))
    assert event
    assert event["details"] == {"rotation": 7, "seconds": 0.05, "tunnels": 1, "missing": 2}


@pytest.mark.parametrize("by", [{}, {"gw2": 1000.1, "gw3": 999.0}, {"gw2": 1000.1, "gw3": 1121.0}])
def test_what_cannot_be_told_is_not_measured(by: Data) -> None:
    """Nothing seen, a tunnel from before the change, one that may have been renewed since."""
    assert measured(*changed_at(1000.0, by)) is None


def test_no_beginning_no_measure() -> None:
    assert measured(*changed_at(0, {"gw2": 1000.1})) is None
