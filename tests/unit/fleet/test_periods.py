# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a key is due, who says so, and which gateways a run rotates for it."""

from __future__ import annotations

import typing as t
from datetime import datetime

import pytest
import yaml
from unit.fleet.samples import entry, mesh, refused, result, retired, revoked, rotating, unreachable

from ansible_collections.vpnops.keys.plugins.doc_fragments import _periods
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._fleet import periods
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.due import Selection, Window, select
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.findings import failing
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import Observation
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.periods import DEFAULTS, Calendar, Period
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import status

Data = dict[str, t.Any]
MADE = "2026-06-01T00:00:00Z"
"""Of every key of the samples."""
BEFORE, DUE, OVER = "2027-05-01T23:59:59Z", "2027-05-02T00:00:00Z", "2027-06-01T00:00:00Z"
"""Around the last 30 of 365 days since then."""


def fleet(number: int) -> tuple[Directory, dict[str, Observation]]:
    directory, observations = mesh(number)
    return Directory.from_result(directory), observations


def at(moment: str, **changed: Period) -> Calendar:
    return Calendar({**DEFAULTS, **changed}, moment)


# -- one key


@pytest.mark.parametrize(
    ("moment", "state"),
    [(MADE, "in time"), (BEFORE, "in time"), (DUE, "due"), ("2027-05-31T23:59:59Z", "due"), (OVER, "overdue")],
)
def test_a_key_is_due_in_the_last_days_of_its_period_and_overdue_from_its_end(moment: str, state: str) -> None:
    term = at(moment).term("gateway", MADE)
    assert (term.ends, term.state) == (OVER, state)


@pytest.mark.parametrize("since", [None, "", "yesterday", "2026-13-01T00:00:00Z", "9999-01-01T00:00:00Z"])
def test_nothing_is_said_of_a_key_that_nobody_knows_the_age_of(since: str | None) -> None:
    term = at(OVER).term("gateway", since)
    assert (term.ends, term.state) == (None, None)


@pytest.mark.parametrize(("days", "due_days"), [(0, 0), (-1, 0), (36_501, 1), (10, 11), (10, -1)])
def test_a_period_that_makes_no_sense_is_refused(days: int, due_days: int) -> None:
    with pytest.raises(VpnKeysError, match="periods has"):
        Period(days, due_days, "")


def test_the_documentation_has_the_defaults_of_the_code() -> None:
    documented = yaml.safe_load(_periods.ModuleDocFragment.DOCUMENTATION)["options"]["periods"]["suboptions"]
    defaults = {
        kind: {name: option["default"] for name, option in one["suboptions"].items()}
        for kind, one in documented.items()
    }
    assert defaults == {kind: vars(one) for kind, one in DEFAULTS.items()}
    assert Calendar.of(defaults, OVER) == at(OVER)
    assert periods.SPEC["options"].keys() == DEFAULTS.keys()


# -- the status


def kinds(directory: Data, calendar: Calendar | None, observations: Data | None = None) -> set[tuple[str, str]]:
    found = status(Directory.from_result(directory), observations or {}, calendar)
    return {(one.kind, one.host) for one in found.findings if "due" in one.kind}


def test_status_names_the_keys_that_are_due_and_only_those_in_use() -> None:
    fresh = entry("gw2", created_at="2027-04-01T00:00:00Z")
    directory = result(entry("gw1"), fresh, revoked("gw3"), retired("gw4"))
    assert kinds(directory, at(BEFORE)) == set()
    assert kinds(directory, at(DUE)) == {("due gateway", "gw1")}
    assert kinds(directory, at(OVER)) == {("overdue gateway", "gw1")}
    assert kinds(directory, None) == set()


def test_a_period_of_ones_own_counts() -> None:
    assert kinds(result(entry("gw1")), at(BEFORE, gateway=Period(30, 1, "policy"))) == {("overdue gateway", "gw1")}


def test_the_signing_key_has_a_period_and_those_before_it_have_none() -> None:
    directory = result(entry("gw1"))
    directory["directory"]["signing_keys"] = [
        {"fingerprint": "b" * 64, "since": "2026-06-01T00:00:00Z", "retired_at": None},
        {"fingerprint": "a" * 64, "since": "2010-01-01T00:00:00Z", "retired_at": "2026-06-01T00:00:00Z"},
    ]
    fresh = Period(36_500, 0, "")
    assert kinds(directory, at(OVER, gateway=fresh)) == set()
    assert kinds(directory, at("2029-05-31T00:00:00Z", gateway=fresh)) == {("overdue signing key", "directory")}


@pytest.mark.parametrize(
    ("moment", "fail_on", "number"),
    [(DUE, "overdue", 0), (OVER, "overdue", 1), (OVER, "drift", 0), (OVER, "problems", 0), (OVER, "nothing", 0)],
)
def test_only_who_asks_for_it_fails_for_a_key_that_is_overdue(moment: str, fail_on: str, number: int) -> None:
    directory, observations = fleet(3)
    found = status(directory, observations, at(moment))
    assert len(failing(found.findings, fail_on)) == number * 3


def test_a_row_says_when_the_period_ends() -> None:
    found = status(Directory.from_result(result(entry("gw1"), revoked("gw2"))), {}, at(DUE)).to_result()
    assert [(one["ends"], one["period"]) for one in found["gateways"]] == [(OVER, "due"), (None, None)]


# -- the choice


def chosen(directory: Directory, observations: t.Any = None, most: int = 5, is_open: bool = True) -> Selection:
    return select(directory, observations, at(OVER), most, is_open)


def test_the_key_whose_period_ends_first_comes_first_and_the_rest_waits() -> None:
    made = {"gw1": "2026-05-03T00:00:00Z", "gw2": "2026-05-01T00:00:00Z", "gw10": "2026-05-03T00:00:00Z"}
    directory = Directory.from_result(result(*(entry(name, created_at=when) for name, when in made.items())))
    found = chosen(directory, most=2)
    assert (found.names, found.waiting, found.skipped, found.closed) == (["gw2", "gw1"], ["gw10"], [], False)


def test_nothing_is_chosen_where_nothing_is_due() -> None:
    directory, observations = fleet(3)
    found = select(directory, observations, at(BEFORE), 5, True)
    assert (found.names, found.waiting, found.skipped) == ([], [], [])


def test_outside_of_the_window_all_wait() -> None:
    directory, observations = fleet(3)
    found = chosen(directory, observations, is_open=False)
    assert (found.names, found.waiting, found.closed) == ([], ["gw1", "gw2", "gw3"], True)


def test_who_cannot_be_rotated_is_skipped_and_named_and_takes_nobodys_turn() -> None:
    directory, observations = fleet(5)
    seen = {**observations, "gw1": unreachable("gw1"), "gw2": refused("gw2")}
    del seen["gw3"]
    found = chosen(directory, seen, most=2)
    assert found.names == ["gw4", "gw5"]
    assert [one.gateway for one in found.skipped] == ["gw1", "gw2", "gw3"]
    assert all(one.why for one in found.skipped)


def test_an_open_rotation_is_not_touched() -> None:
    found = chosen(Directory.from_result(result(rotating("gw1"), entry("gw2"))))
    assert found.names == ["gw2"]
    assert [str(one) for one in found.skipped] == [
        "gw1 (a rotation is open, state staged: finish or abort it first)"
    ]


# -- the window. 2026-11-28 is a Saturday.


@pytest.mark.parametrize(
    ("text", "local", "inside"),
    [
        ("22:00-04:00", "2026-11-28 22:00", True),
        ("22:00-04:00", "2026-11-28 03:59", True),
        ("22:00-04:00", "2026-11-28 04:00", False),
        ("sat 22:00-04:00", "2026-11-29 03:00", True),
        ("sat 22:00-04:00", "2026-11-28 03:00", False),
        ("fri-mon 01:00-02:00", "2026-11-30 01:30", True),
        ("fri-mon 01:00-02:00", "2026-12-01 01:30", False),
        ("sat,sun 00:00-24:00", "2026-11-29 23:59", True),
        ("sat,sun 00:00-24:00", "2026-11-30 00:00", False),
        ("Mon,Wed-Thu 08:00-09:00", "2026-12-03 08:59", True),
        ("Mon,Wed-Thu 08:00-09:00", "2026-12-01 08:59", False),
    ],
)
def test_a_window_is_open_on_its_days_and_ends_on_the_next_one(text: str, local: str, inside: bool) -> None:
    assert Window.parse(text).contains(datetime.fromisoformat(local)) is inside


@pytest.mark.parametrize(
    "text",
    [
        "", "always", "22:00", "25:00-26:00", "22:60-23:00", "22:00-22:00", "24:00-01:00",
        "fun 01:00-02:00", "mon- 01:00-02:00",
    ],
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(VpnKeysError, match="not a time window"):
        Window.parse(text)
