# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What auditors ask: the dates and periods of all keys, in the JSON, on the page and as CSV."""

from __future__ import annotations

import csv
import io
import re
import typing as t

import pytest
from unit.fleet.samples import entry, result, retired, revoked

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.periods import DEFAULTS, Calendar, Period
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_report import build, page, sheet

from .samples import AT, A, compared, event, inputs, listed, rotation, server, unit

Data = dict[str, t.Any]
SIGNING_KEYS = [
    {"fingerprint": "b" * 64, "since": "2026-01-01T00:00:00Z", "retired_at": None},
    {"fingerprint": "a" * 64, "since": "2022-01-01T00:00:00Z", "retired_at": "2026-01-01T00:00:00Z"},
]


def directory(*entries: Data, **more: t.Any) -> Data:
    found = result(*entries, **more)
    found["directory"]["signing_keys"] = SIGNING_KEYS
    return found


def told(**given: t.Any) -> tuple[Data, str]:
    made = inputs(**given)
    fleet = build.fleet_of(made)
    report = build.build(made, fleet)
    return report, page.render(report, fleet)


def rows(report: Data, *names: str) -> dict[tuple[str, str], tuple[t.Any, ...]]:
    return {(one["owner"], one["name"]): tuple(one[name] for name in names) for one in report["sheet"]["keys"]}


@pytest.mark.parametrize("what", ["active", "swapped"])
def test_every_key_has_its_dates(what: str) -> None:
    """Activation as the event says, the record otherwise; deactivation for each way in which a key goes."""
    replaced = rotation(5, "gw1", ended_at="2026-06-01T00:01:17Z")
    report, _html = told(
        directory=directory(
            entry("gw1", 2), revoked("gw2"), retired("gw3"),
            rotations=[replaced], events=[event(9, what, at="2026-06-01T00:00:42Z", details={"rotation": 5})],
        )
    )  # fmt: skip
    made, end = "2026-06-01T00:00:00Z", "2027-06-01T00:00:00Z"
    assert rows(report, "state", "activated", "ends", "ended", "period") == {
        ("gw1", "2"): ("current", "2026-06-01T00:00:42Z", end, None, "in time"),
        ("gw1", "1"): ("retired", made, end, "2026-06-01T00:01:17Z", None),
        ("gw2", "1"): ("revoked", made, end, "2026-11-22T11:00:00Z", None),
        ("gw3", "1"): ("retired", made, end, "2026-11-22T11:00:00Z", None),
        ("directory", "2"): ("current", "2026-01-01T00:00:00Z", "2028-12-31T00:00:00Z", None, "in time"),
        ("directory", "1"): (
            "retired", "2022-01-01T00:00:00Z", "2024-12-31T00:00:00Z", "2026-01-01T00:00:00Z", None,
        ),
    }  # fmt: skip


def test_an_aborted_rotation_ends_no_key() -> None:
    back = rotation(5, "gw1", state="rolled_back")
    report, _html = told(directory=directory(entry("gw1"), rotations=[back]))
    assert rows(report, "ended")["gw1", "1"] == (None,)


def test_periods_are_counted_by_class_with_reason_and_custodian() -> None:
    own = {**DEFAULTS, "gateway": Period(100, 10, "Policy 7", "Alice")}
    report, html = told(
        directory=directory(entry("gw1")),
        key_servers=compared(unit("in_sync", server("ks1"), server("ks2"))),
        rsa_keys={"ks1": listed(A, generated="06:51:40 UTC Dec 10 2025")},
        calendar=Calendar(own, AT),
    )
    counted = {one["class"]: (one["keys"], one["due"], one["overdue"]) for one in report["sheet"]["periods"]}
    assert counted == {"gateway": (1, 0, 1), "key_server": (1, 1, 0), "signing_key": (1, 0, 0)}
    assert rows(report, "custodian")["gw1", "1"] == ("Alice",)
    assert {one["kind"] for one in report["findings"]} >= {"overdue gateway", "due key server"}
    assert "Policy 7" in html
    assert "Alice" in html


def test_questions_are_answered_from_the_report() -> None:
    report, html = told(
        directory=directory(entry("gw1", 2), revoked("gw2"), rotations=[rotation(5, "gw1")], events=[event(1, "x")])
    )
    answers = [one["answer"] for one in report["sheet"]["answers"]]
    assert len(answers) == len(sheet.ASKED)
    assert answers[0].startswith("Keys in use: 2")
    assert answers[0].endswith(". The table of dates has all of them.")
    assert "Finished rotations of gateways: 1, the last one at 2026-06-01T00:01:17Z." in answers
    assert any(one.startswith("Revoked keys: 1.") for one in answers)
    shown = re.sub("<[^>]*>", "", html)
    assert all(question in shown for _source, question, _answer in sheet.ASKED)


def test_csv_has_a_line_for_each_key_and_no_formula() -> None:
    """Names come from devices; a spreadsheet must not calculate them."""
    report, _html = told(
        directory=directory(entry("@SUM(A1)"), entry("gw2")),
        key_servers=compared(unit("in_sync", server("ks1"), label='=cmd|"x"!A1')),
    )
    lines = list(csv.DictReader(io.StringIO(sheet.to_csv(report["sheet"]))))
    assert len(lines) == len(report["sheet"]["keys"]) == 5
    assert all(not value.startswith(sheet.FORMULA) for line in lines for value in line.values())
    assert {line["owner"] for line in lines} >= {"'@SUM(A1)", "gw2", "directory"}
    assert sheet.to_csv(report["sheet"]).splitlines()[0] == ",".join(sheet.COLUMNS)
