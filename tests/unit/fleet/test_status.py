# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of a fleet: what each gateway says of itself, and everything that is not as it should be."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.effort import examples
from unit.fleet import fleets, samples
from unit.fleet.samples import all_seen, change, entry, fp, names, refused, revoked, seen, snapshot, stored, unreachable

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._fleet import findings
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import (
    Change,
    Observation,
    absent,
    none_observed,
    none_reached,
)
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import FleetStatus, status
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.verdict import verdict
from ansible_collections.vpnops.keys.plugins.module_utils._tampered import WHOLE
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import gateways as tables
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables.gateways import STATUS

NAMES = names(4)
MESH = snapshot(*map(entry, NAMES))
ALL = all_seen(NAMES)
Told = set[tuple[str, str, str]]


def told(found: FleetStatus) -> Told:
    return {(one.host, one.kind, one.what) for one in found.findings}


def of(directory: Directory, observations: Mapping[str, Observation]) -> Told:
    return told(status(directory, observations))


def test_all_as_recorded() -> None:
    found = status(MESH, ALL)
    assert told(found) == set()
    assert found.to_result()["in_sync"]
    assert {(row.right, row.any, row.tunnels, row.own) for row in found.rows} == {(3, 3, 3, "as recorded")}


def test_a_row_is_what_that_gateway_says() -> None:
    """Seen before: the tunnels of gw2 were counted by what gw1 said of them."""
    rows = {row.gateway.name: row.to_result() for row in status(MESH, ALL | {"gw2": unreachable("gw2")}).rows}
    assert (rows["gw1"]["tunnels"], rows["gw1"]["holds"]) == (3, {"right": 3, "any": 3})
    assert (rows["gw2"]["tunnels"], rows["gw2"]["holds"]) == (None, None)
    assert (rows["gw2"]["reachability"], rows["gw2"]["own"]) == ("unreachable", "-")


def test_a_key_that_nobody_asked_for_is_not_called_absent() -> None:
    """As in a slice of an audit: a gateway that is not in the play may well have its key."""
    some = {name: one for name, one in ALL.items() if name != "gw2"} | {"gw3": unreachable("gw3")}
    shown = {row.gateway.name: STATUS["own key"](row.to_result()) for row in status(MESH, some).rows}
    assert (shown["gw1"], shown["gw2"], shown["gw3"]) == ("as recorded", "not asked", "unreachable")


def short(name: str, serial: int = 1) -> str:
    return fp(name, serial)[:12]


BY_ONE: dict[str, tuple[Observation, str, str]] = {
    "own key in the file": (
        seen("gw1", NAMES, own=3, runtime=1),
        "wrong key",
        f"It has the key {short('gw1', 3)} in its file, but the directory says {short('gw1')}.",
    ),
    "own key in the daemon": (
        seen("gw1", NAMES, own=1, runtime=3),
        "wrong key",
        f"It has the key {short('gw1', 3)} in its running daemon, but the directory says {short('gw1')}.",
    ),
    "the key of another one as its own": (
        replace(ALL["gw1"], own_file=fp("gw2"), own_runtime=fp("gw2")),
        "wrong key",
        (
            f"It has the key {short('gw2')}, which is one of gw2 in its file and in its running daemon, but the "
            f"directory says {short('gw1')}."
        ),
    ),
    "a key that the directory has never had": (
        seen("gw1", NAMES, own=3),
        "unknown own key",
        (
            f"It has the key {short('gw1', 3)} in its file and in its running daemon, "
            f"but the directory says {short('gw1')}."
        ),
    ),
    "no own key": (replace(ALL["gw1"], own_file=None), "drifted gateway", "It has no key in its file."),
    "an unknown key": (
        samples.with_stored(samples.without(ALL["gw1"], "gw2"), replace(stored("nobody"), peer="gw2")),
        "wrong key",
        (
            f"It stores the unknown key {short('nobody')} of gw2 in its file and in its running daemon, where serial 1 "
            "is current."
        ),
    ),
    "not in the daemon": (
        samples.with_stored(ALL["gw1"], stored("gw2", runtime=None)),
        "drifted gateway",
        "It stores no current key of gw2 in its running daemon.",
    ),
    "not in the file": (
        samples.with_stored(ALL["gw1"], stored("gw2", file=None)),
        "drifted gateway",
        "It stores no current key of gw2 in its file.",
    ),
    "of nobody": (
        samples.with_stored(ALL["gw1"], stored("road warrior")),
        "unknown keys",
        f"It accepts 1 key unknown to the directory: {short('road warrior')}.",
    ),
    "refused": (refused("gw1"), "refused", "Incorrect sudo password"),
    "an obstacle": (
        replace(ALL["gw1"], state="refused", why="/etc cannot be written."),
        "refused",
        "/etc cannot be written.",
    ),
    "unreachable": (unreachable("gw1"), "not observed", "It was not observed (unreachable)."),
    "a forged answer": (
        replace(ALL["gw1"], findings=("Its answer held ansible_facts.",)),
        "forged or unreadable answer",
        "Its answer held ansible_facts.",
    ),
}


@pytest.mark.parametrize("what", BY_ONE)
def test_what_one_gateway_says_is_said_of_that_one_alone(what: str) -> None:
    observation, kind, sentence = BY_ONE[what]
    assert of(MESH, ALL | {"gw1": observation}) == {("gw1", kind, sentence)}


def test_what_its_next_start_would_change_is_a_difference() -> None:
    """Also where it refuses a change for it."""
    lasting = 'it says "wg0.conf, line 4, PostUp = wg setconf wg0 FILE replaces the peers of the [Peer] sections."'
    for one in (seen("gw2", NAMES, at_restart=(lasting,)), seen("gw2", NAMES, at_restart=(lasting,), state="refused")):
        found = status(MESH, ALL | {"gw2": one})
        assert ("gw2", "not lasting", f"It{lasting[2:]}") in told(found)
        assert not found.to_result()["in_sync"]
    assert not any(kind == "not lasting" for _host, kind, _what in of(MESH, ALL))


def test_a_gateway_that_cannot_fetch_is_a_difference() -> None:
    """It goes on with what it has, so nobody else would notice."""
    why = "The checkpoint has expired. Nothing was changed; publish again."
    found = status(MESH, ALL | {"gw2": seen("gw2", NAMES, fetch=why)})
    assert ("gw2", "not fetching", f"Its last fetch failed: {why}") in told(found)
    assert not found.to_result()["in_sync"]


def test_a_former_key_is_named_by_its_serial_of_the_directory() -> None:
    """Serials come from the records: after one was deleted, counting gives other ones."""
    third = entry("gw1", 3)
    del third["keys"][1]
    directory = snapshot(third, *map(entry, NAMES[1:]))
    three = {"gw1": 3}
    observations = {name: seen(name, {n: 1 for n in NAMES if n != name} | three) for name in NAMES[1:]}
    sentence = "It stores serial 1 of gw1 in its file and in its running daemon, where serial 3 is current."
    observations |= {"gw1": seen("gw1", NAMES, own=3), "gw2": seen("gw2", NAMES)}
    assert of(directory, observations) == {("gw2", "wrong key", sentence)}


def test_a_pending_peer_is_pending_and_nothing_else() -> None:
    directory = snapshot(entry("gw1", 2), *map(entry, NAMES[1:]), pending={"gw2": ["gw1"]})
    newer = {name: seen(name, {n: 1 for n in NAMES if n != name} | {"gw1": 2}) for name in NAMES[2:]}
    found = status(directory, {"gw1": seen("gw1", NAMES, own=2), "gw2": seen("gw2", NAMES), **newer})
    assert told(found) == {("gw2", "pending", "It has not yet stored the keys of gw1.")}
    assert found.verdict.text == "3 of 4 match the directory; gw2: pending keys"
    assert [row.to_result()["pending"]["count"] for row in found.rows] == [0, 1, 0, 0]


def test_replaced_hardware_has_a_next_step_that_believes_this_gateway_alone() -> None:
    found = status(MESH, ALL | {"gw1": seen("gw1", NAMES, own=3)})
    (step,) = [one["next"] for one in found.to_result()["findings"]]
    assert "enroll_gateways with --limit gw1 and gateway_keys_adopt_reported_key=true" in step


RETIRED = snapshot(samples.retired("gw4"), *map(entry, NAMES[:3]))
LEFT = {name: samples.without(ALL[name], "gw4") for name in NAMES[:3]}


def test_a_retired_gateway_has_left_the_fleet() -> None:
    found = status(RETIRED, LEFT)
    assert told(found) == set()
    assert [row.gateway.name for row in found.rows] == found.names == NAMES[:3]
    assert RETIRED.in_use == NAMES[:3]
    assert RETIRED.peers_of("gw1") == ["gw2", "gw3"]
    assert found.to_result()["in_sync"]


def test_a_retired_gateway_that_is_still_in_the_inventory_is_a_note() -> None:
    what = f"It was retired at {SINCE}, and is still in the inventory group."
    for one in (ALL["gw4"], unreachable("gw4"), refused("gw4")):
        assert of(RETIRED, LEFT | {"gw4": one}) == {("gw4", "retired", what)}
    assert status(RETIRED, LEFT | {"gw4": ALL["gw4"]}).to_result()["in_sync"]


def test_a_peer_that_has_still_to_drop_a_retired_gateway_is_pending_and_no_problem() -> None:
    """Nobody has to fear its key."""
    directory = snapshot(samples.retired("gw4"), *map(entry, NAMES[:3]), pending={"gw1": ["gw4"], "gw2": ["gw4"]})
    what = "It has not yet dropped the keys of gw4, which are retired."
    found = status(directory, {"gw1": ALL["gw1"], "gw2": unreachable("gw2"), "gw3": LEFT["gw3"]})
    assert told(found) == {
        ("gw1", "pending", what),
        ("gw2", "pending", what),
        ("gw2", "not observed", "It was not observed (unreachable)."),
    }
    assert findings.failing(found.findings, "problems") == []


def test_a_revoked_key_of_a_retired_gateway_is_still_to_be_feared() -> None:
    one = samples.retired("gw4") | {"keys": samples.keys("gw4", 2, {1: "revoked", 2: "retired"})}
    directory = snapshot(one, *map(entry, NAMES[:3]), pending={"gw1": ["gw4"]})
    kinds = {(host, kind) for host, kind, _what in of(directory, LEFT | {"gw1": unreachable("gw1")})}
    assert ("gw1", "still accepted") in kinds


def test_who_stores_a_key_of_a_retired_gateway_again_is_named() -> None:
    (host, kind, what), = of(RETIRED, LEFT | {"gw1": ALL["gw1"]})
    assert (host, kind) == ("gw1", "wrong key")
    assert "serial 1 of gw4" in what


def test_one_sided_names_both_of_whose_word_it_is() -> None:
    (found,) = status(MESH, ALL | {"gw2": samples.without(ALL["gw2"], "gw1")}).findings
    assert (found.host, found.also) == ("gw1", "gw2")
    assert found.what == "It stores a key of gw2, but gw2 reports that it stores no key of this gateway."


# -- keys that nobody may accept

LOST = snapshot(revoked("gw1"), *map(entry, NAMES[1:]), pending={name: ["gw1"] for name in NAMES[1:]})
SINCE = samples.BEGUN


def test_a_revoked_gateway_that_may_still_be_accepted_is_the_first_problem() -> None:
    others = {name: seen(name, NAMES[1:]) for name in NAMES}
    found = status(
        LOST, others | {"gw2": unreachable("gw2"), "gw3": refused("gw3"), "gw4": seen("gw4", NAMES)}
    )
    first = found.findings[:3]
    assert [(one.host, one.kind, one.severity, one.since) for one in first] == [
        (name, "still accepted", "problem", SINCE) for name in ("gw2", "gw3", "gw4")
    ]
    assert [one.what for one in first] == [
        f"It may still accept gw1 (revoked since {SINCE}): it is unreachable.",
        f"It may still accept gw1 (revoked since {SINCE}): it refused (Incorrect sudo password).",
        f"It still accepts serial 1 of gw1 (revoked since {SINCE}) in its file and in its running daemon.",
    ]
    assert "converge_gateways" in first[0].to_result()["next"]
    assert found.accepted == {fp("gw1"): ["gw2", "gw3", "gw4"]}


def test_not_asked_is_no_acknowledgement() -> None:
    sentence = f"It may still accept gw1 (revoked since {SINCE}): it was not asked."
    assert {(name, "still accepted", sentence) for name in NAMES[1:]} <= of(LOST, {})


def test_its_own_word_is_evidence_though_it_acknowledged() -> None:
    directory = snapshot(revoked("gw1"), *map(entry, NAMES[1:]))
    sentence = f"It still accepts serial 1 of gw1 (revoked since {SINCE}) in its file and in its running daemon."
    assert ("gw2", "still accepted", sentence) in of(directory, {"gw2": seen("gw2", NAMES)})


def emergency(state: str = "prepared") -> samples.Data:
    one = entry("gw1", 1, {1: "revoked"}) | samples.NO_KEY
    return one | {"rotation": samples.rotation("gw1", state, "emergency") | {"new": None}}


def test_an_open_emergency() -> None:
    history = [
        {"gateway": "gw1", "mode": "emergency", "state": "prepared", "old_serial": 1, "new_serial": None,
         "begun_at": SINCE}
    ]  # fmt: skip
    directory = snapshot(
        emergency(), *map(entry, NAMES[1:]), pending={name: ["gw1"] for name in NAMES[1:]}, rotations=history
    )
    observations = {"gw2": seen("gw2", NAMES), "gw3": seen("gw3", {"gw2": 1, "gw4": 1})}
    found = {(host, kind): what for host, kind, what in of(directory, observations)}
    assert found["gw2", "still accepted"].startswith(f"It still accepts serial 1 of gw1 (revoked since {SINCE})")
    assert found["gw3", "pending"] == "It has not yet stored the keys of gw1."
    assert found["gw4", "still accepted"] == (
        f"It may still accept serial 1 of gw1 (revoked since {SINCE}): it was not asked."
    )


def test_a_key_that_was_never_used_is_not_stolen() -> None:
    """An aborted rotation leaves a key that is revoked, too."""
    history = [
        {"gateway": "gw1", "mode": "planned", "state": "rolled_back", "old_serial": 1, "new_serial": 2,
         "begun_at": SINCE}
    ]
    aborted = entry("gw1", 1, {2: "revoked"})
    directory = snapshot(aborted, *map(entry, NAMES[1:]), pending={"gw2": ["gw1"]}, rotations=history)
    assert ("gw2", "pending", "It has not yet stored the keys of gw1.") in of(directory, {})


# -- the directory


def test_tampered_records_and_hosts_that_it_does_not_know() -> None:
    directory = snapshot(*map(entry, NAMES[:2]), tampered=[{"gateway": "gw4", "serial": 2, "what": "key"}])
    observations = {name: seen(name, NAMES[:2]) for name in NAMES[:2]}
    assert of(directory, observations | {"gw3": refused("gw3"), "gw4": unreachable("gw4")}) == {
        ("gw4", "tampered", "Its key 2 is not as the directory signed it."),
        ("gw3", "not enrolled", "It is in the inventory, but not in the directory."),
        ("gw3", "refused", "Incorrect sudo password"),
    }
    assert ("directory", "empty directory", "It has no gateway.") in of(snapshot(), {"gw1": unreachable("gw1")})


@pytest.mark.parametrize("what", WHOLE)
def test_a_directory_that_cannot_be_believed_is_the_one_finding(what: str) -> None:
    """Nothing is said of the gateways: that they are not in it is no finding then."""
    directory = snapshot(tampered=[{"gateway": None, "serial": None, "what": what}])
    found = of(directory, {"gw1": seen("gw1", NAMES[:2]), "gw2": unreachable("gw2")})
    assert found == {("directory", "tampered", f"It cannot be trusted: {WHOLE[what]}.")}
    finding = findings.Finding("tampered", "directory", "")
    assert findings.failing([finding], "problems") == [finding]


def test_an_open_rotation_makes_no_key_wrong() -> None:
    directory = snapshot(samples.rotating("gw1"), *map(entry, NAMES[1:]))
    both = samples.with_stored(ALL["gw2"], stored("gw1"), stored("gw1", 2, "staged", "staged"))
    found = status(directory, ALL | {"gw2": both})
    assert told(found) == {
        ("gw1", "unfinished", f"A rotation (planned) begun by alice at {SINCE} is open, state staged.")
    }
    assert found.cell("gw2", "gw1").serials == ("1", "2")
    assert [(one.holder, one.state) for one in found.differing(9)] == [("gw2", "changing")]
    assert found.count_differing() == 1
    assert found.rows[1].right == 3


# -- a gateway that runs its next key

OLD, NEXT = short("gw1"), short("gw1", 2)
BEGUN = 1764378000.0
"""2025-11-29T01:00:00Z"""
RUNS_NEXT = {
    "not confirmed": (
        seen("gw1", NAMES, own=1, runtime=2, change=change(began=BEGUN)),
        f"next key {NEXT}, not confirmed, rolls back at 2025-11-29T01:01:00Z by its clock",
        f"It runs its next key {NEXT}, which is not confirmed: it rolls back at 2025-11-29T01:01:00Z by its own clock.",
    ),
    "it does not tell which key it uses": (
        replace(seen("gw1", NAMES, change=change(began=BEGUN)), own_runtime=None),
        f"next key {NEXT}, not confirmed, rolls back at 2025-11-29T01:01:00Z by its clock",
        f"It runs its next key {NEXT}, which is not confirmed: it rolls back at 2025-11-29T01:01:00Z by its own clock.",
    ),
    "it is just changing": (
        seen("gw1", NAMES, own=1, runtime=2, change=replace(change("activating", began=BEGUN), deadline=0.0)),
        f"next key {NEXT}, not confirmed",
        f"It runs its next key {NEXT}, which is not confirmed: it rolls back by itself.",
    ),
    "without a journal": (
        seen("gw1", NAMES, own=1, runtime=2),
        f"next key {NEXT}, not confirmed",
        f"It runs its next key {NEXT}, which is not confirmed: it rolls back by itself.",
    ),
    "confirmed": (
        seen("gw1", NAMES, own=2, change=replace(change("confirmed", began=BEGUN), deadline=0.0)),
        f"next key {NEXT}, confirmed",
        f"It runs its next key {NEXT}, which is confirmed: it does not roll back by itself.",
    ),
    "it has rolled back": (seen("gw1", NAMES, change=change("rolled_back", began=BEGUN)), "as recorded", ""),
    "it has not begun": (seen("gw1", NAMES), "as recorded", ""),
}


@pytest.mark.parametrize("what", RUNS_NEXT)
def test_a_gateway_that_runs_the_next_key_of_an_open_rotation(what: str) -> None:
    """Seen before: its key was "as recorded", and all matched the directory."""
    observation, cell, sentence = RUNS_NEXT[what]
    found = status(snapshot(samples.rotating("gw1"), *map(entry, NAMES[1:])), ALL | {"gw1": observation})
    assert STATUS["own key"](found.rows[0].to_result()) == cell
    opened = f"A rotation (planned) begun by alice at {SINCE} is open, state staged. {sentence}".rstrip()
    assert told(found) == {("gw1", "unfinished", opened)}
    assert found.verdict.text == "3 of 4 match the directory; gw1: open rotation"
    text = " ".join(tables.status(found, 200).split())
    assert "run vpnops.keys.regenerate_gateway with gateway=gw1 and confirm=gw1." in text
    assert "run vpnops.keys.abort_rotation with gateway=gw1 and confirm=gw1." in text


@pytest.mark.parametrize("deadline", [0.0, -1.0, BEGUN - 1, BEGUN + 1e8, 1e12])
def test_a_deadline_that_none_can_be_is_not_shown(deadline: float) -> None:
    """It is what the gateway says, and it may say anything."""
    one = seen("gw1", NAMES, own=1, runtime=2, change=replace(change(began=BEGUN), deadline=deadline))
    found = status(snapshot(samples.rotating("gw1"), *map(entry, NAMES[1:])), ALL | {"gw1": one})
    assert (found.rows[0].next_key or pytest.fail("it runs it")).rolls_back_at is None
    late = replace(one, change=Change("active", fp("gw1", 2), 1e12 - 60, 1e12, ""))
    assert "rolls back at" not in tables.status(status(found.directory, ALL | {"gw1": late}), 200)


def test_a_recorded_new_key_is_as_recorded() -> None:
    done = snapshot(samples.rotating("gw1", "verified"), *map(entry, NAMES[1:]))
    assert status(done, ALL | {"gw1": seen("gw1", NAMES, own=2)}).rows[0].own == "as recorded"


def test_an_open_emergency_names_its_own_command() -> None:
    directory = snapshot(emergency(), *map(entry, NAMES[1:]))
    text = " ".join(tables.status(status(directory, ALL), 200).split())
    assert "with gateway=gw1 and confirm=gw1 and gateway_keys_mode=emergency." in text
    assert "abort_rotation" not in text
    assert "gw1: open emergency rotation" in text


# -- the line that says how many match

ROTATING = snapshot(samples.rotating("gw1"), *map(entry, NAMES[1:]))
BOTH_KEYS = {name: samples.with_stored(ALL[name], stored("gw1", 2, "staged", "staged")) for name in NAMES[1:]}
BEHIND = snapshot(*map(entry, NAMES), pending={"gw2": ["gw1"], "gw3": ["gw1"]})
ONE_LINE: dict[str, tuple[Directory, Mapping[str, Observation], str]] = {
    "all": (MESH, ALL, "all match the directory"),
    "one is away": (MESH, ALL | {"gw4": unreachable("gw4")}, "3 of 4 match the directory; gw4: not observed"),
    "one is not asked": (
        MESH, {name: ALL[name] for name in NAMES[:3]}, "3 of 4 match the directory; gw4: not asked"
    ),
    "a rotation is open": (ROTATING, ALL | BOTH_KEYS, "3 of 4 match the directory; gw1: open rotation"),
    "two have the same": (BEHIND, ALL, "2 of 4 match the directory; gw2, gw3: pending keys"),
    "one has several": (
        BEHIND,
        ALL | {"gw3": unreachable("gw3"), "gw4": refused("gw4")},
        "1 of 4 match the directory; gw4: refused; gw2: pending keys; gw3: pending keys, not observed",
    ),
    "one is not in the directory": (
        MESH, ALL | {"gw5": unreachable("gw5")}, "4 of 4 match the directory; gw5: not enrolled"
    ),
    "two say together that they differ": (
        MESH, ALL | {"gw2": samples.without(ALL["gw2"], "gw1")}, "2 of 4 match the directory; gw1, gw2: differs"
    ),
    "an empty directory": (
        snapshot(), {"gw1": ALL["gw1"]}, "none can be compared; directory: has no gateway; gw1: not enrolled"
    ),
    "nothing at all": (snapshot(), {}, "the directory has no gateway"),
}  # fmt: skip


@pytest.mark.parametrize("what", ONE_LINE)
def test_the_line_says_how_many_match_and_why_the_others_do_not(what: str) -> None:
    directory, observations, line = ONE_LINE[what]
    found = status(directory, observations)
    assert found.to_result()["summary"] == line
    assert f"Gateways: {line}" in tables.status(found, 200)
    assert found.to_result()["in_sync"] == (line in ("all match the directory", "the directory has no gateway"))


def test_the_line_stays_one_in_a_large_fleet() -> None:
    every = names(500)
    behind = snapshot(*map(entry, every), pending={name: ["gw1"] for name in every[1:]})
    line = status(behind, {}).verdict.text
    assert line.startswith("0 of 500 match the directory; gw2, gw3, ")
    assert line.endswith("gw13 and 487 more: pending keys, not asked; gw1: not asked")


@settings(max_examples=examples(200), deadline=None)
@given(seed=st.integers(min_value=0, max_value=2**48))
def test_drift_fails_for_all_that_the_line_says_but_who_was_not_asked(seed: int) -> None:
    """So the exit code, the line and `in_sync` never contradict each other."""
    made = fleets.fleet(seed)
    found = status(made.directory, made.observations)
    failing = findings.failing(found.findings, "drift")
    not_asked = {one.host for one in found.findings if one.kind == "not asked"}
    assert found.verdict.in_sync == (not failing and not not_asked)
    named = {name for hosts, dummy in found.verdict.reasons for name in hosts}
    assert found.verdict.matching == len(set(made.directory.in_use) - named)
    assert all(named & {one.host, one.also} for one in failing)
    assert named >= not_asked
    assert named <= {name for one in failing for name in (one.host, one.also)} | not_asked


def test_that_nobody_is_there_is_said_with_the_reasons() -> None:
    away = {name: unreachable(name) for name in ("gw1", "gw2")}
    said = "No gateway could be {}. gw1, gw2: unreachable."
    assert none_observed(away) == said.format("observed")
    assert none_reached(away) == said.format("reached")
    assert none_reached({**away, "gw3": refused("gw3")}) == none_reached({"gw3": absent("gw3")}) == ""
    many = {name: unreachable(name) for name in names(9)}
    assert none_reached(many) == "No gateway could be reached. gw1, gw2, gw3, gw4, gw5 and others: unreachable."


@pytest.mark.parametrize("liar_stores", [True, False])
def test_one_that_lies_about_all_does_not_make_all_of_them_differ(liar_stores: bool) -> None:
    """Whether it claims keys of everybody that nobody else has, or none where everybody has one."""
    found = [
        findings.Finding("drifted gateway", "gw4" if liar_stores else name, "", also=name if liar_stores else "gw4")
        for name in ("gw1", "gw2", "gw3")
    ]
    line = verdict(["gw1", "gw2", "gw3", "gw4"], found)
    assert (line.matching, line.in_sync) == (3, False)
    assert line.text == "3 of 4 match the directory; gw4: differs"


FAILING = {
    "nothing": set(),
    "problems": {"still accepted", "wrong key"},
    "drift": {"still accepted", "wrong key", "drifted gateway", "refused", "pending", "not observed"},
}


def test_what_drift_is() -> None:
    """Every problem and every warning but the age of keys, whatever comes to be found."""
    for kind, one in findings.KINDS.items():
        finding = findings.Finding(kind, "gw1", "")
        assert bool(findings.failing([finding], "problems")) == (one.severity == "problem"), kind
        assert bool(findings.failing([finding], "drift")) == (one.severity != "note" and not one.overdue), kind
        assert bool(findings.failing([finding], "overdue")) == (one.severity != "note"), kind
        assert not findings.failing([finding], "nothing")


@pytest.mark.parametrize("fail_on", FAILING)
def test_what_fails(fail_on: str) -> None:
    directory = snapshot(revoked("gw1"), *map(entry, NAMES[1:]), pending={"gw4": ["gw1", "gw3"]})
    observations = {"gw2": seen("gw2", {"gw3": 7, "gw4": 1}, own=1, runtime=9), "gw3": refused("gw3")}
    found = status(directory, observations | {"gw4": unreachable("gw4")})
    found = replace(found, findings=[*found.findings, findings.Finding("drifted gateway", "gw2", "It has no key.")])
    assert {one.kind for one in findings.failing(found.findings, fail_on)} == FAILING[fail_on]


# -- what is no directory


@pytest.mark.parametrize("wrong", [None, [], {}, {"directory": {}}, {"directory": {"gateways": [], "tampered": []}}])
def test_other_results_are_bad_input(wrong: t.Any) -> None:
    with pytest.raises(VpnKeysError, match="directory must be a result of key_directory") as caught:
        Directory.from_result(wrong)
    assert caught.value.code == "bad_input"


@pytest.mark.parametrize("name", ["platform", "revoked", "keys", "serial", "fingerprint", "rotation"])
def test_a_gateway_without_one_of_its_facts_is_bad_input(name: str) -> None:
    given = samples.result(entry("gw1"))
    del given["directory"]["gateways"]["gw1"][name]
    with pytest.raises(VpnKeysError, match="must be a result"):
        Directory.from_result(given)
