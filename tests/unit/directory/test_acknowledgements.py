# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What peers say that they have stored: what becomes a row, what becomes a mark, and what is not believed."""

from __future__ import annotations

import typing as t

import pytest
from unit.directory.samples import NOW, Data, Records, acknowledgements, gateway, key_of, names, pending_now

from ansible_collections.vpnops.keys.plugins.module_utils._directory import acknowledgements as module
from ansible_collections.vpnops.keys.plugins.module_utils._directory import view

LATER = "2026-11-22T03:20:00Z"
FLEET = ("gw1", "gw2", "gw3", "gw4", "gw5")


@pytest.fixture
def records() -> Records:
    """Revisions 1 to 5, and swan, which has no key, 6."""
    found = Records()
    found.do(gateways=[gateway(name, key_of(name)) for name in FLEET])
    found.do(gateways=[{"name": "swan", "platform": "strongswan"}])
    return found


def said(peer: str, *gateways: str, role: str = "current") -> list[Data]:
    return [one for name in gateways for one in acknowledgements(name, peer, role=role)]


def rows(records: Records) -> dict[tuple[str, str], tuple[str, int, int]]:
    return {
        pair: (row["role"], row["serial"], row["revision"]) for pair, row in records.snapshot.acknowledgements.items()
    }


def marks(records: Records) -> dict[str, int]:
    return {peer: row["revision"] for peer, row in records.snapshot.marks.items()}


def rotate(records: Records, name: str = "gw1") -> None:
    records.do("prepared", gateways=names(name))
    records.do("staged", keys=[{"gateway": name, "public_key": key_of(name, 2)}])


# -- rows and marks


def test_the_record_of_an_acknowledgement_and_one_event_for_each_gateway(records: Records) -> None:
    given = [*acknowledgements("gw1", "gw3", "gw2"), *acknowledgements("gw2", "gw1")]
    events = records.do(acknowledgements=given)
    shared = {"serial": 1, "role": "current", "at": NOW}
    assert records.snapshot.acknowledgements == {
        ("gw3", "gw1"): {"peer": "gw3", "gateway": "gw1", "revision": 1, **shared},
        ("gw2", "gw1"): {"peer": "gw2", "gateway": "gw1", "revision": 1, **shared},
        ("gw1", "gw2"): {"peer": "gw1", "gateway": "gw2", "revision": 2, **shared},
    }
    assert [(one["what"], one["gateway"], one["peer"], one["outcome"], one["details"]) for one in events] == [
        ("acknowledged", "gw1", None, "current", {"serial": 1, "peers": ["gw2", "gw3"]}),
        ("acknowledged", "gw2", None, "current", {"serial": 1, "peers": ["gw1"]}),
    ]
    assert records.ignored == []


def test_only_what_is_new_is_acknowledged(records: Records) -> None:
    records.do(acknowledgements=acknowledgements("gw1", "gw2"))
    (event,) = records.do(acknowledgements=acknowledgements("gw1", "gw2", "gw3"))
    assert event["details"] == {"serial": 1, "peers": ["gw3"]}
    (event,) = records.do(acknowledgements=acknowledgements("gw1", "gw2", role="withdrawn"))
    assert (event["outcome"], event["details"]) == ("withdrawn", {"serial": 1, "peers": ["gw2"]})
    assert rows(records) == {("gw3", "gw1"): ("current", 1, 1)}
    assert records.do(acknowledgements=acknowledgements("gw1", "gw2", role="withdrawn")) == []


def test_the_last_word_about_a_gateway_counts(records: Records) -> None:
    """A peer that stores the current and the staged key says both, one after the other."""
    rotate(records)
    given = [*acknowledgements("gw1", "gw2", serial=1), *acknowledgements("gw1", "gw2", role="staged", serial=2)]
    (event,) = records.do(acknowledgements=given)
    assert (event["outcome"], event["details"]) == ("staged", {"serial": 2, "peers": ["gw2"]})
    assert records.do(acknowledgements=given) == []


def test_who_has_everything_has_a_mark_and_no_row(records: Records) -> None:
    records.do(acknowledgements=said("gw1", "gw2", "gw3"))
    assert (set(rows(records)), marks(records)) == ({("gw1", "gw2"), ("gw1", "gw3")}, {})
    records.do(acknowledgements=said("gw1", "gw4", "gw5"), who={"now": LATER})
    assert rows(records) == {}
    assert records.snapshot.marks == {"gw1": {"peer": "gw1", "revision": 6, "at": LATER}}
    assert records.do(acknowledgements=said("gw1", "gw4", "gw5")) == []
    assert records.snapshot.marks["gw1"]["at"] == LATER


@pytest.mark.parametrize(
    ("stored", "folded"),
    [(("gw2",), False), (("gw2", "gw3"), False), (("gw2", "gw3", "gw4"), True), (("gw3", "gw4", "gw5"), True)],
)
def test_what_is_lacking_has_the_row_if_that_is_less(records: Records, stored: tuple[str, ...], folded: bool) -> None:
    records.do(acknowledgements=said("gw1", *stored))
    lacking = sorted({"gw2", "gw3", "gw4", "gw5"} - set(stored))
    expected = {("gw1", name): ("none", 0, 0) for name in lacking}
    if not folded:
        expected = {("gw1", name): ("current", 1, FLEET.index(name) + 1) for name in stored}
    assert (rows(records), marks(records)) == (expected, {"gw1": 6} if folded else {})
    assert pending_now(records)["gw1"] == lacking
    records.do(acknowledgements=said("gw1", *lacking))
    assert (rows(records), marks(records)) == ({}, {"gw1": 6})


def test_whoever_says_that_it_has_something_else_has_it_pending_again(records: Records) -> None:
    records.do(learned=[{"peer": "gw1", "revision": 6}])
    (event,) = records.do(acknowledgements=said("gw1", "gw3", role="withdrawn"))
    assert event["outcome"] == "withdrawn"
    assert rows(records) == {("gw1", "gw3"): ("withdrawn", 1, 3)}
    assert pending_now(records)["gw1"] == ["gw3"]
    assert view.build(records.snapshot, {}, None)["learned"]["gw1"] == {"upto": 6, "also": [], "missing": ["gw3"]}
    records.do(acknowledgements=said("gw1", "gw3"))
    assert (rows(records), "gw1" in pending_now(records)) == ({}, False)


def test_a_change_makes_a_row_needless(records: Records) -> None:
    records.do(acknowledgements=said("gw1", "gw3"))
    records.do(gateways=[gateway("gw3", endpoint="192.0.2.1:1")])
    assert rows(records) == {}


def test_a_new_platform_begins_from_nothing(records: Records) -> None:
    records.do(learned=[{"peer": name, "revision": 6} for name in ("gw1", "gw2")])
    records.do(acknowledgements=said("gw3", "gw2"))
    for name in ("gw4", "gw1", "gw3"):
        records.do(gateways=[{"name": name, "platform": "strongswan", "algorithm": "ed25519"}])
    assert (rows(records), marks(records)) == ({}, {"gw2": 6})
    assert {peer: pending_now(records).get(peer) for peer in ("gw1", "gw2")} == {"gw1": ["gw3", "gw4"], "gw2": None}


def test_a_mark_that_was_never_given_is_not_believed(records: Records) -> None:
    records.do(learned=[{"peer": "gw1", "revision": 6}])
    records.snapshot.marks["gw1"]["revision"] = 7
    assert pending_now(records)["gw1"] == ["gw2", "gw3", "gw4", "gw5"]


def test_of_many_gateways_at_once_a_peer_has_one_event() -> None:
    records = Records()
    fleet = [f"gw{number}" for number in range(module.BULK + 2)]
    records.do(gateways=[gateway(name, key_of(name)) for name in fleet])
    events = records.do(acknowledgements=said("gw0", *fleet[2:]))
    assert len(events) == module.BULK
    records.do(gateways=[gateway(name, endpoint="192.0.2.1:1") for name in fleet])
    (event,) = records.do(acknowledgements=said("gw0", *fleet))
    assert (event["what"], event["gateway"], event["peer"], event["outcome"]) == ("acknowledged", None, "gw0", "done")
    assert event["details"] == {"gateways": module.BULK + 1, "revision": 2 * len(fleet)}


@pytest.mark.parametrize(
    ("given", "serial"),
    [
        ({"role": "current"}, 2),
        ({"role": "staged", "serial": 1}, 1),
        ({"role": "withdrawn", "serial": 2}, 2),
        ({"role": "current", "public_key": key_of("gw1", 1)}, 1),
        ({"role": "current", "public_key": key_of("gw1", 1), "serial": 2}, 1),
        ({"role": "withdrawn"}, None),
        ({"role": "withdrawn", "serial": 1}, None),
    ],
)
def test_which_key_is_acknowledged(records: Records, given: Data, serial: int | None) -> None:
    """In an emergency the old key is to be withdrawn, which gw2 has said already: that is no news."""
    records.do("prepared", gateways=names("gw1"), mode="emergency")
    records.do("revoked", gateways=names("gw1"), acknowledgements=said("gw2", "gw1", role="withdrawn"))
    records.do("staged", keys=[{"gateway": "gw1", "public_key": key_of("gw1", 2)}])
    events = records.do(acknowledgements=[{"peer": "gw2", "gateway": "gw1", **given}])
    assert [(one["outcome"], one["details"]["serial"]) for one in events] == (
        [(given["role"], serial)] if serial else []
    )


def test_what_is_acknowledged_together_with_a_change_is_meant_of_what_is_then_there(records: Records) -> None:
    records.do(acknowledgements=[*said("gw3", "gw1"), *said("gw3", "gw2")])
    given = [*said("gw2", "gw1"), *said("gw1", "gw2")]
    records.do(gateways=[gateway("gw1", endpoint="192.0.2.1:1")], acknowledgements=given)
    assert {pair: row[2] for pair, row in rows(records).items()} == {
        ("gw3", "gw2"): 2,
        ("gw2", "gw1"): 7,
        ("gw1", "gw2"): 2,
    }


# -- all that was handed out


def test_all_that_was_handed_out(records: Records) -> None:
    records.do(gateways=[gateway("gw2", endpoint="192.0.2.1:1")])
    (event,) = records.do(learned=[{"peer": "gw1", "revision": 6}], who={"now": LATER, "why": "converge"})
    assert {name: event[name] for name in ("what", "gateway", "peer", "outcome", "details", "why")} == {
        "what": "acknowledged",
        "gateway": None,
        "peer": "gw1",
        "outcome": "done",
        "details": {"gateways": 3, "revision": 6},
        "why": "converge",
    }
    assert records.snapshot.marks == {"gw1": {"peer": "gw1", "revision": 6, "at": LATER}}
    assert pending_now(records)["gw1"] == ["gw2"]
    (event,) = records.do(learned=[{"peer": "gw1", "revision": 7}])
    assert event["details"] == {"gateways": 1, "revision": 7}
    assert records.do(learned=[{"peer": "gw1", "revision": revision} for revision in (7, 6, 0)]) == []
    assert marks(records) == {"gw1": 7}


def test_an_older_revision_says_nothing_about_what_is_newer(records: Records) -> None:
    records.do(acknowledgements=said("gw1", "gw2", "gw4"))
    records.do(learned=[{"peer": "gw1", "revision": 2}])
    assert records.do(learned=[{"peer": "gw1", "revision": 2}]) == []
    assert rows(records) == {("gw1", "gw2"): ("current", 1, 2), ("gw1", "gw4"): ("current", 1, 4)}
    records.do(learned=[{"peer": "gw1", "revision": 3}])
    assert (rows(records), marks(records)) == ({("gw1", "gw4"): ("current", 1, 4)}, {"gw1": 3})
    assert pending_now(records)["gw1"] == ["gw5"]


def test_what_was_lacking_is_no_more(records: Records) -> None:
    records.do(acknowledgements=said("gw1", "gw3", "gw4", "gw5"))
    assert rows(records) == {("gw1", "gw2"): ("none", 0, 0)}
    (event,) = records.do(learned=[{"peer": "gw1", "revision": 2}])
    assert event["details"] == {"gateways": 1, "revision": 2}
    assert (rows(records), marks(records)) == ({}, {"gw1": 6})


# -- rotations


def acknowledged(records: Records, name: str = "gw1") -> list[str]:
    rotation = view.build(records.snapshot, {}, None)["directory"]["gateways"][name]["rotation"]
    return t.cast("list[str]", rotation["acknowledged"])


@pytest.mark.parametrize("how", ["acknowledgements", "learned"])
def test_who_holds_a_new_key_is_known_until_its_rotation_ends(records: Records, how: str) -> None:
    everybody = ("gw2", "gw3", "gw4", "gw5")
    records.do(learned=[{"peer": peer, "revision": 6} for peer in everybody])
    rotate(records)
    given: Data = {"acknowledgements": [one for peer in everybody for one in said(peer, "gw1", role="staged")]}
    if how == "learned":
        given = {"learned": [{"peer": peer, "revision": 7} for peer in everybody]}
    records.do("staged", gateways=names("gw1"), **given)
    assert rows(records) == {(peer, "gw1"): ("staged", 2, 7) for peer in everybody}
    assert marks(records) == dict.fromkeys(everybody, 7)
    for state in ("active", "verified"):
        records.do(state, gateways=names("gw1"))
        assert acknowledged(records) == list(everybody)
        assert set(pending_now(records)) >= set(everybody)
    records.do(learned=[{"peer": peer, "revision": 8} for peer in everybody])
    assert acknowledged(records) == list(everybody)
    records.do("retired", gateways=names("gw1"))
    assert rows(records) == {}
    assert set(pending_now(records)) == {"gw1"}


def test_who_was_told_before_the_new_key_holds_none(records: Records) -> None:
    rotate(records)
    records.do(learned=[{"peer": "gw2", "revision": 6}])
    records.do(acknowledgements=[*said("gw3", "gw1", role="withdrawn"), *acknowledgements("gw1", "gw4", serial=1)])
    assert (rows(records), acknowledged(records)) == ({}, [])


def test_a_peer_that_was_tampered_with_stops_no_rotation(records: Records) -> None:
    rotate(records)
    records.do(acknowledgements=[one for peer in ("gw2", "gw3") for one in said(peer, "gw1", role="staged")])
    records.forged.append(("gateway", "gw3", None))
    code, sentence = records.refused("staged", gateways=names("gw1"))
    assert (code, "(gw1: 1 of 3 peers, not yet gw4, gw5)" in sentence) == ("too_few", True)
    given = [one for peer in ("gw4", "gw5") for one in said(peer, "gw1", role="staged")]
    records.do("staged", gateways=names("gw1"), acknowledgements=given)
    assert acknowledged(records) == ["gw2", "gw4", "gw5"]


# -- what is not believed

NONSENSE: dict[str, tuple[Data, str | None, str]] = {
    "an unknown peer": ({"peer": "gw9"}, "gw1", "The directory has no gateway gw9."),
    "an unknown gateway": ({"gateway": "gw9"}, "gw9", "The directory has no gateway gw9."),
    "a peer that is revoked": ({"peer": "gw5"}, "gw1", "gw5 is revoked."),
    "a peer that was tampered with": ({"peer": "gw4"}, "gw1", "The records of gw4 were tampered with."),
    "a gateway that was tampered with": ({"gateway": "gw4"}, "gw4", "The records of gw4 were tampered with."),
    "a key that nobody has": (
        {"public_key": key_of("gw9")},
        "gw1",
        "gw2 acknowledges a key of gw1 that is not in the directory.",
    ),
    "a key of another gateway": (
        {"public_key": key_of("gw3"), "serial": 1},
        "gw1",
        "gw2 acknowledges a key of gw1 that is not in the directory.",
    ),
    "a key that is none": (
        {"public_key": "AAAA"},
        "gw1",
        "gw2 acknowledges a key of gw1 that is not in the directory.",
    ),
    "a serial that is unknown": (
        {"serial": 7},
        "gw1",
        "gw2 acknowledges a key of gw1 that is not in the directory.",
    ),
    "a role that is none": ({"role": "owner"}, "gw1", "gw2 gives an unknown role for a key of gw1."),
    "no role": ({"role": None}, "gw1", "gw2 gives an unknown role for a key of gw1."),
    "a name that is no text": ({"gateway": ["gw1"]}, "['gw1']", "The directory has no gateway ['gw1']."),
    "no peer": ({"peer": None}, "gw1", "The directory has no gateway None."),
    "a name with an escape": ({"gateway": "gw\x1b1"}, "gw\\x1b1", "The directory has no gateway gw\\x1b1."),
}


@pytest.mark.parametrize("what", NONSENSE)
@pytest.mark.parametrize("state", ["present", "staged"])
def test_nonsense_is_named_and_all_else_is_recorded(records: Records, what: str, state: str) -> None:
    records.do("revoked", gateways=names("gw5"), lost=True)
    records.forged.append(("gateway", "gw4", None))
    changes, gateway_, why = NONSENSE[what]
    nonsense = {"peer": "gw2", "gateway": "gw1", "role": "current", **changes}
    sound = said("gw2", "gw3")
    before = rows(records)
    events = records.do(state, acknowledgements=[nonsense, *sound, nonsense])
    assert records.ignored == [{"peer": str(nonsense["peer"]), "gateway": gateway_, "why": why}]
    assert [one["gateway"] for one in events] == ["gw3"]
    assert rows(records) == {**before, ("gw2", "gw3"): ("current", 1, 3)}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"peer": "gw9", "revision": 1}, "The directory has no gateway gw9."),
        ({"peer": "gw5", "revision": 1}, "gw5 is revoked."),
        ({"peer": "gw4", "revision": 1}, "The records of gw4 were tampered with."),
        ({"peer": "gw2", "revision": 8}, "gw2 acknowledges a revision that the directory never had."),
        ({"peer": "gw2", "revision": -1}, "gw2 acknowledges a revision that the directory never had."),
        ({"peer": "gw2", "revision": "7"}, "gw2 acknowledges a revision that the directory never had."),
        ({"peer": "gw2"}, "gw2 acknowledges a revision that the directory never had."),
    ],
)
def test_nonsense_about_a_revision(records: Records, given: Data, why: str) -> None:
    records.do("revoked", gateways=names("gw5"), lost=True)
    records.forged.append(("gateway", "gw4", None))
    (event,) = records.do(learned=[given, {"peer": "gw1", "revision": 7}])
    assert records.ignored == [{"peer": given["peer"], "gateway": None, "why": why}]
    assert (event["peer"], marks(records)) == ("gw1", {"gw1": 7})


def test_of_much_nonsense_the_number_is_named(records: Records) -> None:
    for count, rest in ((module.BULK, []), (module.BULK + 1, ["1 more of its acknowledgements cannot be trusted."])):
        records.do(acknowledgements=said("gw2", *(f"nobody{number}" for number in range(count))))
        assert [one["gateway"] for one in records.ignored[: module.BULK]] == [
            f"nobody{number}" for number in range(module.BULK)
        ]
        assert records.ignored[module.BULK :] == [{"peer": "gw2", "gateway": None, "why": why} for why in rest]


def test_a_long_name_is_cut(records: Records) -> None:
    records.do(acknowledgements=said("p" * 100, "g" * 100))
    (one,) = records.ignored
    assert one == {
        "peer": f"{'p' * 80} [20 more characters]",
        "gateway": f"{'g' * 80} [20 more characters]",
        "why": f"The directory has no gateway {'p' * 80} [20 more characters].",
    }


def test_a_key_where_there_is_none(records: Records) -> None:
    """Whoever stores nothing of a gateway that has no key says so; that is no nonsense. A key of it would be."""
    records.do(gateways=[gateway("gw6")])
    for given in (said("gw1", "gw6", role="withdrawn"), said("gw1", "swan", role="withdrawn"), said("gw1", "gw1")):
        assert records.do(acknowledgements=given) == records.ignored == []
    records.do(acknowledgements=said("gw1", "gw6"))
    assert [one["why"] for one in records.ignored] == ["gw6 has no key to acknowledge."]


# -- what was tampered with


@pytest.mark.parametrize("how", ["acknowledgements", "learned"])
def test_what_was_tampered_with_is_pending_when_it_is_as_before_again(records: Records, how: str) -> None:
    forged = ("gateway", "gw2", None)
    records.forged.append(forged)
    given: Data = {"acknowledgements": said("gw1", "gw3", "gw4", "gw5")}
    records.do(**given if how == "acknowledgements" else {"learned": [{"peer": "gw1", "revision": 6}]})
    assert marks(records) == {"gw1": 6}
    assert "gw1" not in pending_now(records)
    records.forged.clear()
    assert pending_now(records)["gw1"] == ["gw2"]


def test_what_was_acknowledged_before_is_known_when_it_is_as_before_again(records: Records) -> None:
    records.do(acknowledgements=said("gw1", "gw2"))
    records.forged.append(("gateway", "gw2", None))
    records.do(acknowledgements=said("gw1", "gw3", "gw4", "gw5"))
    assert (rows(records), marks(records)) == ({("gw1", "gw2"): ("current", 1, 2)}, {"gw1": 6})
    records.forged.clear()
    assert "gw1" not in pending_now(records)


def test_a_row_about_who_is_gone_stays(records: Records) -> None:
    """Somebody may put the record back."""
    records.do(acknowledgements=said("gw1", "gw2"))
    gone = records.snapshot.gateways.pop("gw2")
    records.do(gateways=[gateway("gw3", endpoint="192.0.2.1:1")])
    records.snapshot.gateways["gw2"] = gone
    assert rows(records) == {("gw1", "gw2"): ("current", 1, 2)}
