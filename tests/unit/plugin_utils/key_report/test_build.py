# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report finds, and what it says of what it does not know."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest
from unit.fleet.samples import (
    all_seen,
    entry,
    fp,
    mesh,
    names,
    refused,
    result,
    revoked,
    rotating,
    seen,
    stored,
    unreachable,
    with_stored,
    without,
)
from unit.plugin_utils.key_report import samples
from unit.plugin_utils.key_report.samples import A, B, compared, inputs, listed, server, unit

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.findings import SEVERITIES
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_report import build, findings, page, store, text

Data = dict[str, t.Any]


def report(**given: t.Any) -> Data:
    usable, failures = build.usable(inputs(**given))
    return build.build(usable, build.fleet_of(usable), failures)


def found(**given: t.Any) -> dict[tuple[str, str], str]:
    """Kind and host: the sentence."""
    return {(one["kind"], host): one["what"] for one in report(**given)["findings"] for host in one["hosts"]}


def of_servers(*servers: Data, verdict: str = "in_sync", **more: t.Any) -> dict[tuple[str, str], str]:
    return found(key_servers=compared(unit(verdict, *servers, **more)))


# -- key servers


def test_nothing_is_wrong() -> None:
    directory, looks = mesh(4)
    assert found(
        key_servers=compared(unit("in_sync", server("ks1"), server("ks2"))),
        rsa_keys={"ks1": listed(), "ks2": listed()},
        directory=directory,
        gateways=looks,
    ) == {}  # fmt: skip


def test_which_key_servers_differ() -> None:
    told = of_servers(server("ks1"), server("ks2", B), server("ks3", None), verdict="conflict")
    sentence = "REKEY (EUROPE): the keys differ: key A on ks1; key B on ks2; none on ks3."
    assert told == {("drifted key servers", "ks2"): sentence, ("drifted key servers", "ks3"): sentence}


def test_the_primary_decides_where_the_plan_does_not() -> None:
    told = of_servers(server("ks1", exportable=False), server("ks2", B), verdict="conflict", fingerprint=None)
    assert set(told) == {("drifted key servers", "ks2"), ("not exportable", "ks1")}


@pytest.mark.parametrize(
    ("copies", "dead_end"),
    [((True, False), False), ((False, False), True), ((False,), True), ((True,), False)],
)
def test_one_exportable_copy_is_enough(copies: tuple[bool, ...], dead_end: bool) -> None:
    told = of_servers(*(server(f"ks{number}", exportable=one) for number, one in enumerate(copies)))
    assert {kind for kind, dummy in told} == ({"not exportable"} if dead_end else set())


def test_not_saved_and_not_known_whether_saved() -> None:
    told = of_servers(server("ks1", saved=False), server("ks2", saved=None))
    assert set(told) == {("not saved", "ks1")}


def test_weak_keys() -> None:
    told = of_servers(server("ks1", size=1024), server("ks2", size=1024))
    assert told["weak key server", "ks1"] == "The key REKEY has 1024 bits; at least 2048 are required."
    assert set(told) == {("weak key server", "ks1"), ("weak key server", "ks2")}


def test_unreadable_ones_are_named_once() -> None:
    told = report(key_servers=compared(unit("unknown", server("ks1"), server("ks2", None, problem="ks2: no answer."))))
    assert [(one["kind"], one["hosts"], one["what"]) for one in told["findings"]] == [
        ("unreadable", ["ks2"], "no answer.")
    ]


def test_the_oldest_copy_tells_the_age() -> None:
    copies = {"ks1": listed(generated="06:51:40 UTC Aug 30 2024"), "ks2": listed(generated="06:51:40 UTC Aug 30 2026")}
    told = report(key_servers=compared(unit("in_sync", server("ks1"), server("ks2"))), rsa_keys=copies)
    (key,) = told["keys"]
    assert (key["made"], key["age_days"], key["period"]) == ("2024-08-30T06:51:40Z", 814, "overdue")
    assert [one["kind"] for one in told["findings"]] == ["overdue key server"]


def test_a_clock_that_is_ahead() -> None:
    told = found(rsa_keys={"ks1": listed(generated="06:51:40 UTC Aug 30 2030")})
    assert set(told) == {("not judged", "ks1")}


def test_one_key_for_two_groups() -> None:
    other = unit("in_sync", server("ks3"), label="ASIA-REKEY", groups=["ASIA"])
    told = found(key_servers=compared(unit("in_sync", server("ks1"), server("ks2")), other))
    assert {kind for kind, dummy in told} == {"duplicate"}
    assert "ASIA-REKEY (ASIA) on ks3, REKEY (EUROPE) on ks1, ks2" in next(iter(told.values()))


def test_the_same_key_under_the_scratch_label_is_no_second_use() -> None:
    scratch = listed(label="REKEY.vpnops-new")
    told = found(
        key_servers=compared(unit("missing", server("ks1"), server("ks2", None, staged=A))),
        rsa_keys={"ks1": listed(), "ks2": scratch},
    )
    assert {kind for kind, dummy in told} == {"drifted key servers", "left over"}


def test_missed_rekeys() -> None:
    answer = {"groups": [{"name": "EUROPE", "acks_missed": 3}, {"name": "OTHER", "acks_missed": 9}]}
    told = found(key_servers=compared(unit("in_sync", server("ks1"))), groups={"ks1": answer})
    assert "3 rekeys" in told["missed rekeys", "ks1"]


# -- gateways: what the status of the fleet finds is tested there


def test_what_the_status_finds_is_found_here() -> None:
    directory = result(entry("gw1", 2), entry("gw2"))
    observations = {"gw1": seen("gw1", {"gw2": 1}, own=2), "gw2": seen("gw2", {"gw1": 1})}
    told = found(directory=directory, gateways=observations)
    sentence = "It stores serial 1 of gw1 in its file and in its running daemon, where serial 2 is current."
    assert told == {("wrong key", "gw2"): sentence}
    pending = result(entry("gw1", 2), entry("gw2"), pending={"gw2": ["gw1"]})
    told = found(directory=pending, gateways=observations)
    assert told == {("pending", "gw2"): "It has not yet stored the keys of gw1."}


def test_a_revoked_key_that_may_still_be_accepted_is_the_first_problem_and_its_key_is_shown() -> None:
    directory = result(revoked("gw1"), entry("gw2"), entry("gw3"), pending={"gw2": ["gw1"]})
    given = inputs(
        key_servers=compared(unit("conflict", server("ks1", saved=False), server("ks2", B))),
        directory=directory,
        gateways={"gw2": unreachable("gw2"), "gw3": seen("gw3", {"gw2": 1})},
    )
    told = build.build(given, build.fleet_of(given))
    first = told["findings"][0]
    assert (first["kind"], first["severity"], first["hosts"]) == ("still accepted", "problem", ["gw2"])
    assert first["what"] == "It may still accept gw1 (revoked since 2026-11-22T11:00:00Z): it is unreachable."
    assert first["since"] == "2026-11-22T11:00:00Z"
    assert text.complaint(told, "problems")
    (key,) = [one for one in told["keys"] if one["accepted_by"]["count"]]
    assert (key["owner"], key["name"], key["state"], key["fingerprint"]) == ("gw1", "1", "revoked", fp("gw1"))
    html = page.render(told, build.fleet_of(given))
    assert "still accepted</span> by gw2" in html
    assert fp("gw1") in html


def test_a_gateway_that_shows_the_key_of_a_group_is_named_alone() -> None:
    directory, observations = mesh(2)
    observations["gw2"] = replace(observations["gw2"], own_runtime=A)
    told = found(
        key_servers=compared(unit("in_sync", server("ks1"))), directory=directory, gateways=observations
    )
    assert set(told) == {("duplicate", "gw2"), ("wrong key", "gw2")}
    sentence = "The key aaaaaaaaaaaa, which it reports as its own, is that of REKEY (EUROPE)."
    assert told["duplicate", "gw2"] == sentence


def test_who_claims_the_key_of_another_one_speaks_of_itself() -> None:
    directory, observations = mesh(3)
    observations["gw2"] = replace(observations["gw2"], own_file=fp("gw1"), own_runtime=fp("gw1"))
    assert set(found(directory=directory, gateways=observations)) == {("wrong key", "gw2")}


def test_a_rotation_is_no_drift() -> None:
    every = names(3)
    directory = result(rotating("gw1"), *map(entry, every[1:]))
    observations = all_seen(every)
    observations["gw2"] = with_stored(observations["gw2"], stored("gw1", 2, "staged", "staged"))
    told = report(directory=directory, gateways=observations)
    assert [(one["kind"], one["hosts"]) for one in told["findings"]] == [("unfinished", ["gw1"])]
    (cell,) = told["mesh"]["cells"]
    assert (cell["holder"], cell["state"], cell["serials"]) == ("gw2", "changing", ["1", "2"])


def test_who_was_not_observed_is_not_judged() -> None:
    directory, observations = mesh(3)
    observations |= {"gw2": unreachable("gw2"), "gw3": refused("gw3")}
    told = report(directory=directory, gateways=observations)
    assert [(one["kind"], one["hosts"], one["what"]) for one in told["findings"]] == [
        ("refused", ["gw3"], "Incorrect sudo password"),
        ("not observed", ["gw2"], "It was not observed (unreachable)."),
    ]
    assert [row["holds"] for row in told["mesh"]["gateways"]] == [{"right": 2, "any": 2}, None, None]


def test_what_is_said_of_several_is_said_once_in_natural_order() -> None:
    entries = [entry("gw1", 2), *map(entry, names(12)[1:])]
    directory = result(*entries, pending={name: ["gw1"] for name in ("gw10", "gw9", "gw2")})
    observations = {name: seen(name, {}) for name in names(12)}
    observations["gw1"] = seen("gw1", {}, own=2)
    (one,) = report(directory=directory, gateways=observations)["findings"]
    assert one["hosts"] == ["gw2", "gw9", "gw10"]
    assert "when gw2, gw9, gw10 can be reached" in one["next"]


@pytest.mark.parametrize(
    ("number", "sentence", "value"), [(2, "gw2, gw3", "=gw2,gw3"), (findings.FEW + 1, "each of them", "=...")]
)
def test_what_to_do_is_a_sentence_however_many_there_are(number: int, sentence: str, value: str) -> None:
    """Of many the command names a place to fill in, and the sentence has no hole."""
    hosts = tuple(names(number + 1)[1:])
    drafts = [findings.Finding(kind, hosts, "What.") for kind in findings.KINDS]
    for one in findings.to_result(drafts):
        template = findings.KINDS[one["kind"]][1]
        assert one["next"].count(value) == template.count("={host}")
        assert one["next"].count(sentence) >= template.replace("={host}", "").count("{host}")
        assert "..." not in one["next"].replace("=...", "")


def test_a_pair_of_which_only_one_end_has_a_key() -> None:
    directory, observations = mesh(2)
    observations["gw2"] = without(observations["gw2"], "gw1")
    assert found(directory=directory, gateways=observations) == {
        ("drifted gateway", "gw1"): "It stores a key of gw2, but gw2 reports that it stores no key of this gateway."
    }


# -- rotations


def test_only_what_was_recorded_is_said_to_be_measured() -> None:
    details = {"rotation": 1, "seconds": 0.083, "tunnels": 3, "missing": 0}
    directory = result(
        entry("gw1"),
        rotations=[samples.rotation(2, "gw1"), samples.rotation(1, "gw1")],
        events=[samples.event(5, "interruption measured", details=details), samples.event(4, "verified")],
    )
    second, first = report(directory=directory)["rotations"]
    assert (second["interruption"], second["seconds"]) == (None, 77)
    assert first["interruption"] == {"seconds": 0.083, "tunnels": 3, "missing": 0}
    html = page.render(report(directory=directory), None)
    assert "not measured" in html
    assert "at most 0.08 s, 3 tunnels" in html


def test_the_page_says_which_state_the_directory_had() -> None:
    signed: Data = {"number": 17, "root": "7d1a" * 16, "previous": "00" * 32, "size": 9, "time": "2026-11-22T03:12:45Z",
                    "expires": "2026-12-22T03:12:45Z", "note": "..."}  # fmt: skip
    directory = result(entry("gw1"))
    directory["directory"]["checkpoint"] = signed
    built = report(directory=directory)
    assert built["checkpoint"] == {name: signed[name] for name in ("number", "root", "time", "expires")}
    html = page.render(built, None)
    assert "has checkpoint 17 since" in html
    assert signed["root"] in html
    assert report()["checkpoint"] is None


# -- the same report again


def test_time_alone_is_no_news() -> None:
    given = samples.troubled(8)
    first = build.build(given, build.fleet_of(given))
    later = replace(given, calendar=samples.calendar("2026-11-29T12:00:00Z"))
    second = build.build(later, build.fleet_of(later))
    assert first["keys"] != second["keys"]
    assert first["digest"] == second["digest"]
    old = replace(given, calendar=samples.calendar("2028-11-29T12:00:00Z"))
    assert build.build(old, build.fleet_of(old))["digest"] != first["digest"]


def test_the_report_is_json() -> None:
    given = samples.troubled(8)
    whole = build.build(given, build.fleet_of(given))
    assert json.loads(json.dumps(whole)) == whole
    assert sum(whole["counts"][f"{severity}s"] for severity in SEVERITIES) == len(whole["findings"])


def test_failed_results_are_findings() -> None:
    failed = {"failed": True, "msg": "There is no directory."}
    told = found(key_servers={"failed": True, "msg": "No hosts."}, directory=failed, gateways={})
    assert told == {("not read", "key servers"): "No hosts.", ("not read", "directory"): "There is no directory."}


UNREAD: dict[str, Data] = {
    "the directory": {"directory": {"failed": True, "msg": "It is locked."}},
    "the comparison": {"key_servers": {"failed": True, "msg": "It is locked."}},
    "every gateway": {"gateways": {name: unreachable(name) for name in names(2)}},
    "one key server": {"key_servers": compared(unit("unknown", server("ks1"), server("ks2", None, problem="Mute.")))},
    "the keys of one": {"rsa_keys": {"ks1": {"failed": True, "msg": "Mute."}}},
    "the groups of one": {"groups": {"ks1": {"unreachable": True}}},
}


@pytest.mark.parametrize("what", UNREAD)
def test_what_could_not_be_read_is_a_problem(what: str) -> None:
    """A report that has not seen what it was asked to look at does not end well."""
    given = {"directory": mesh(2)[0], "gateways": mesh(2)[1], **UNREAD[what]}
    assert text.complaint(report(**given), "problems")
    assert text.complaint(report(**given), "nothing") is None


def test_one_gateway_that_is_away_is_no_problem() -> None:
    directory, looks = mesh(2)
    for gateways in ({**looks, "gw2": unreachable("gw2")}, {}):
        assert text.complaint(report(directory=directory, gateways=gateways), "problems") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"key_servers": {"units": [{"label": "REKEY"}]}},
        {"key_servers": {"units": [1]}},
        {"key_servers": {"units": 1}},
        {"rsa_keys": {"ks1": 1}},
        {"directory": {"a": 1}},
    ],
)
def test_other_results_are_refused(wrong: Data) -> None:
    with pytest.raises(VpnKeysError, match="must be"):
        report(**wrong)


def test_complaints() -> None:
    troubled = report(key_servers=compared(unit("in_sync", server("ks1", saved=False))))
    assert text.complaint(troubled, "nothing") is None
    assert "ks1: REKEY (EUROPE): a reload would lose" in (text.complaint(troubled, "problems") or "")
    calm = report(key_servers=compared(unit("in_sync", server("ks1"))))
    assert text.complaint(calm, "warnings") is None
    assert text.counted(calm) == "no problems, no warnings, no notes"


@pytest.mark.parametrize(("given", "mode"), [("0600", 0o600), ("644", 0o644), ("0640", 0o640)])
def test_modes(given: str, mode: int) -> None:
    assert store.parse_mode(given) == mode


@pytest.mark.parametrize("given", ["384", "u=rw", "4755", ""])
def test_no_modes(given: str) -> None:
    with pytest.raises(VpnKeysError, match="three octal digits"):
        store.parse_mode(given)


def test_a_retired_gateway_is_history() -> None:
    """No row, no finding, and nothing on the page; the JSON still tells its keys."""
    gone = entry("gw3", 1, {1: "retired"}, retired_at="2026-11-22T11:00:00Z") | {
        "serial": None, "public_key": None, "fingerprint": None
    }  # fmt: skip
    directory = result(entry("gw1"), entry("gw2"), gone)
    observations = {name: without(one, "gw3") for name, one in all_seen(names(3)).items() if name != "gw3"}
    built = report(directory=directory, gateways=observations)
    assert [row["gateway"] for row in built["mesh"]["gateways"]] == ["gw1", "gw2"]
    assert built["findings"] == []
    assert {(key["owner"], key["state"]) for key in built["keys"]} >= {("gw3", "retired")}
    assert "gw3" not in page.render(built, None)
