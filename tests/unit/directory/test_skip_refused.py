# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway whose claim is refused is left out and named; of the others all is recorded as if it had said nothing."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.directory.samples import Data, Records, acknowledgements, gateway, key_of, names

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError

HONEST = ("gw1", "gw2", "gw4")
LIAR = "gw3"


def fleet(*enrolled: str) -> Records:
    records = Records()
    records.do(gateways=[gateway(name, key_of(name)) for name in enrolled])
    return records


def about_others(records: Records, liar: str = LIAR) -> t.Any:
    """All that is recorded but of the liar. Of revisions only the order counts: they number all changes together."""
    snapshot = records.snapshot

    def plain(rows: t.Iterable[Data]) -> list[Data]:
        return [{**row, "revision": None} for row in rows if liar not in (row.get("name"), row.get("gateway"))]

    order = sorted((row["revision"], name) for name, row in snapshot.gateways.items() if name != liar)
    return (
        plain(snapshot.gateways.values()),
        plain(snapshot.keys.values()),
        [{**row, "id": None} for row in plain(snapshot.rotations.values())],
        [name for dummy, name in order],
    )


def enrolling(*claims: Data, before: tuple[str, ...] = (), **options: t.Any) -> tuple[Records, list[Data]]:
    records = fleet(*before)
    events = records.do(gateways=list(claims), skip_refused=True, **options)
    return records, events


CLAIMS: dict[str, tuple[Data, str, str]] = {
    "a key of another one": (
        gateway(LIAR, key_of("gw1")),
        "duplicate_key",
        "gw3: the key dd9d23ab0064 already belongs to gw1 (serial 1, current), and a key is never used twice.",
    ),
    "no key at all": (
        gateway(LIAR, "AAAA"),
        "bad_public_key",
        "gw3: This is not a public key that a gateway can have: it is neither an X25519, an Ed25519 nor an RSA key.",
    ),
    "networks that are none": (
        gateway(LIAR, key_of(LIAR), networks=["all of them"]),
        "bad_input",
        "gw3: one of its networks is not a network such as 10.79.1.0/24.",
    ),
}


@pytest.mark.parametrize("what", CLAIMS)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_refused_enrollment_stops_nobody(what: str, place: int) -> None:
    claim, code, why = CLAIMS[what]
    claims = [gateway(name, key_of(name)) for name in HONEST[1:]]
    absent, events_absent = enrolling(*claims, before=("gw1",))
    claims.insert(place, claim)
    lying, events = enrolling(*claims, before=("gw1",))
    assert about_others(lying) == about_others(absent)
    assert (LIAR in lying.snapshot.gateways, events) == (False, events_absent)
    assert lying.snapshot.refused[0]["gateway"] == LIAR
    assert lying.snapshot.refused[0]["code"] == code
    assert why in lying.snapshot.refused[0]["why"]


def test_a_name_that_no_gateway_can_have_stops_nobody() -> None:
    """It is its name in the inventory; so the sentence says what to do about that."""
    claim = gateway("10.0.0.3 (Zürich)", key_of("x"))
    records, _events = enrolling(gateway("gw1", key_of("gw1")), claim, gateway("gw2", key_of("gw2")))
    assert list(records.snapshot.gateways) == ["gw1", "gw2"]
    assert records.snapshot.refused == [
        {
            "gateway": "10.0.0.3 (Zürich)",
            "code": "bad_input",
            "why": "'10.0.0.3 (Zürich)' is not a valid name of a gateway. Rename it in the inventory (letters, digits "
            "and _.:@- only), and set its address in ansible_host.",
        }
    ]


def test_it_still_ends_the_task_where_nobody_said_otherwise() -> None:
    with pytest.raises(VpnKeysError) as raised:
        fleet("gw1").do(gateways=[gateway(LIAR, key_of("gw1")), gateway("gw2", key_of("gw2"))])
    assert raised.value.code == "duplicate_key"


def test_of_two_that_show_one_key_neither_is_recorded() -> None:
    records, events = enrolling(
        gateway("gw1", key_of("gw1")), gateway(LIAR, key_of("gw1")), gateway("gw2", key_of("gw2"))
    )
    assert list(records.snapshot.gateways) == ["gw2"]
    assert {one["gateway"] for one in events} == {"gw2"}
    assert [one["gateway"] for one in records.snapshot.refused] == ["gw1", LIAR]
    assert records.snapshot.refused[0]["why"] == (
        "gw1, gw3 report the same key, and only one of them can have generated it; none was recorded. Find out which, "
        "and generate a new key on the others."
    )


def test_whose_key_is_known_is_not_doubted() -> None:
    records = fleet(*HONEST)
    records.do(
        gateways=[gateway(LIAR, key_of("gw1")), gateway("gw1", key_of("gw1"), endpoint="new.example.net:1")],
        skip_refused=True,
    )
    assert records.snapshot.gateways["gw1"]["endpoint"] == "new.example.net:1"
    assert [one["gateway"] for one in records.snapshot.refused] == [LIAR]


def test_another_key_than_the_directory_has_is_refused_and_changes_nothing() -> None:
    records = fleet(*HONEST, LIAR)
    before = copy.deepcopy(records.snapshot)
    events = records.do(gateways=[gateway(LIAR, key_of(LIAR, 2), endpoint="elsewhere:1")], skip_refused=True)
    assert (events, records.snapshot.gateways, records.snapshot.keys) == ([], before.gateways, before.keys)
    assert [one["code"] for one in records.snapshot.refused] == ["conflict"]


def test_forged_records_of_one_gateway_stop_nobody() -> None:
    records = fleet(*HONEST, LIAR)
    records.forged.append(("key", LIAR, 1))
    records.do(
        gateways=[gateway(LIAR, key_of(LIAR)), gateway("gw5", key_of("gw5"))],
        skip_refused=True,
    )
    assert "gw5" in records.snapshot.gateways
    assert [(one["gateway"], one["code"]) for one in records.snapshot.refused] == [(LIAR, "tampered")]


def rotating(*claims: Data) -> Records:
    records = fleet(*HONEST, LIAR)
    records.do("prepared", gateways=names("gw1", LIAR))
    records.do("staged", keys=list(claims), skip_refused=True)
    return records


@pytest.mark.parametrize("key", [None, "AAAA", key_of("gw2"), key_of("gw1", 2), key_of(LIAR)])
@pytest.mark.parametrize("first", [True, False])
def test_a_refused_next_key_stops_no_other_rotation(key: str | None, first: bool) -> None:
    honest: Data = {"gateway": "gw1", "public_key": key_of("gw1", 3)}
    lie: Data = {"gateway": LIAR, "public_key": key}
    lying, absent = rotating(*([lie, honest] if first else [honest, lie])), rotating(honest)
    assert about_others(lying) == about_others(absent)
    if key != key_of("gw1", 2):  # a key that nobody has is its own to show
        assert lying.snapshot.rotations[LIAR]["new_serial"] is None
        assert [one["gateway"] for one in lying.snapshot.refused] == [LIAR]


def test_nobody_answered() -> None:
    assert rotating().snapshot.rotations["gw1"]["state"] == "prepared"


KEYS = st.sampled_from([None, "AAAA", *(key_of(name, number) for name in (*HONEST, LIAR) for number in (2, 3, 9))])


@given(st.lists(st.tuples(st.sampled_from([*HONEST, LIAR, "gw5"]), KEYS), max_size=6), st.booleans())
def test_what_one_shows_changes_nothing_of_the_others(claims: list[tuple[str, str | None]], adopt: bool) -> None:
    """Unless it is their very key that it shows, in the same run: then nobody can tell whose it is."""
    mine = [gateway(LIAR, key) for name, key in claims if name == LIAR]
    others = [gateway(name, key) for name, key in claims if name != LIAR]
    if {one["public_key"] for one in mine} & {one["public_key"] for one in others}:
        return
    lying, absent = fleet(*HONEST), fleet(*HONEST)
    lying.do(gateways=mine + others, skip_refused=True, adopt=adopt)
    absent.do(gateways=others, skip_refused=True, adopt=adopt)
    assert about_others(lying) == about_others(absent)


# -- too few peers accept the next key of one


def staging(*lacking: tuple[str, str], targets: tuple[str, ...] = ("gw1", "gw2", LIAR), **options: t.Any) -> Records:
    """All peers accept the next keys of these, but for the pairs (peer, target)."""
    records = fleet(*HONEST, LIAR)
    records.do("prepared", gateways=names(*targets))
    records.do("staged", keys=[{"gateway": name, "public_key": key_of(name, 2)} for name in targets])
    held = [
        one
        for name in targets
        for one in acknowledgements(name, *({*HONEST, LIAR} - {name}), role="staged")
        if (one["peer"], name) not in lacking
    ]
    records.do("staged", gateways=names(*targets), acknowledgements=held, skip_refused=True, **options)
    return records


def states(records: Records) -> dict[str, str]:
    return {name: row["state"] for name, row in records.snapshot.rotations.items()}


def test_a_peer_that_does_not_accept_one_key_stops_no_other_rotation() -> None:
    records = staging((LIAR, "gw1"))
    assert states(records) == {"gw1": "prepared", "gw2": "staged", LIAR: "staged"}
    (left_out,) = records.snapshot.refused
    assert (left_out["gateway"], left_out["code"]) == ("gw1", "too_few")
    assert left_out["why"] == (
        "Fewer than 100 percent of the peers hold the new key (gw1: 2 of 3 peers, not yet gw3). Make those peers "
        "reachable, or allow a smaller O(minimum_share)."
    )


@pytest.mark.parametrize("then", ["finish", "abort"])
def test_who_was_left_out_can_go_on_or_back(then: str) -> None:
    records = staging((LIAR, "gw1"))
    if then == "abort":
        records.do("rolled_back", gateways=names("gw1"))
        assert records.states("gw1") == {1: "current", 2: "revoked"}
        return
    late = acknowledgements("gw1", LIAR, role="staged")
    records.do("staged", gateways=names("gw1", "gw2"), acknowledgements=late, skip_refused=True)
    assert (states(records)["gw1"], records.snapshot.refused) == ("staged", [])


def test_without_skip_refused_none_is_staged() -> None:
    records = staging((LIAR, "gw1"))
    assert records.refused("staged", gateways=names("gw1", "gw2"))[0] == "too_few"


@given(
    st.sets(st.tuples(st.just(LIAR), st.sampled_from(["gw1", "gw2", "gw4"]))),
    st.integers(0, 100),
)
def test_what_one_does_not_accept_stops_only_that(lacking: set[tuple[str, str]], minimum_share: int) -> None:
    """Whatever one peer refuses, a rotation comes to where it comes if it is alone in the run."""
    targets = ("gw1", "gw2", "gw4")
    together = staging(*lacking, targets=targets, minimum_share=minimum_share)
    for name in targets:
        alone = staging(*lacking, targets=(name,), minimum_share=minimum_share)
        assert states(together)[name] == states(alone)[name]
    assert {one["gateway"] for one in together.snapshot.refused} == {
        name for name in targets if states(together)[name] == "prepared"
    }
