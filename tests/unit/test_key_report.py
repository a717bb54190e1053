# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report finds, and what it says of what it does not know."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest
from unit import key_report_samples as samples
from unit.key_report_samples import A, B, book, compared, entry, fp, inputs, listed, look, mesh, server, unit

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_report import build, findings, page, store, text

Data = dict[str, t.Any]


def report(**given: t.Any) -> Data:
    usable, failures = build.usable(inputs(**given))
    return build.build(usable, build.mesh_of(usable), failures)


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
    assert told["weak key server", "ks1"] == "The key REKEY has 1024 bits; at least 2048 are wanted."
    assert set(told) == {("weak key server", "ks1"), ("weak key server", "ks2")}


def test_unreadable_ones_are_named_once() -> None:
    told = report(key_servers=compared(unit("unknown", server("ks1"), server("ks2", None, problem="ks2: no answer."))))
    assert [(one["kind"], one["hosts"], one["what"]) for one in told["findings"]] == [
        ("unreadable", ["ks2"], "ks2: no answer.")
    ]


def test_the_oldest_copy_tells_the_age() -> None:
    copies = {"ks1": listed(generated="06:51:40 UTC Aug 30 2024"), "ks2": listed(generated="06:51:40 UTC Aug 30 2026")}
    told = report(key_servers=compared(unit("in_sync", server("ks1"), server("ks2"))), rsa_keys=copies)
    (key,) = told["keys"]
    assert (key["made"], key["age_days"], key["old"]) == ("2024-08-30T06:51:40Z", 814, True)
    assert [one["kind"] for one in told["findings"]] == ["old key server"]


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


# -- gateways


def test_who_holds_a_former_key_and_owes_nothing_drifts() -> None:
    directory = book(entry("gw1", 2), entry("gw2"))
    looks = {"gw1": look("gw1", {"gw2": 1}, own=2), "gw2": look("gw2", {"gw1": 1})}
    told = found(directory=directory, gateways=looks)
    assert told == {("drifted gateway", "gw2"): "It holds serial 1 of gw1, where serial 2 is current."}
    told = found(directory=directory | {"owed": {"gw2": ["gw1"]}}, gateways=looks)
    assert told == {("pending", "gw2"): "It has still to store the keys of gw1."}
    lost = book(entry("gw1") | {"revoked": True}, entry("gw2")) | {"owed": {"gw2": ["gw1"]}}
    told = found(directory=lost, gateways={})
    assert told["not dropped", "gw2"] == "It may still accept what is revoked: gw1."


def test_file_and_daemon() -> None:
    directory, looks = mesh(2)
    looks["gw2"]["gateway"]["stored"][0]["runtime"] = None
    told = found(directory=directory, gateways=looks)
    assert told["drifted gateway", "gw2"] == "It holds serial 1 of gw1 in its file only, where serial 1 is current."


def test_one_sided() -> None:
    directory, looks = mesh(2)
    looks["gw2"] = look("gw2", {})
    assert found(directory=directory, gateways=looks) == {
        ("drifted gateway", "gw2"): "It holds no key of gw1, which holds one of it."
    }


def test_another_own_key() -> None:
    directory, looks = mesh(2)
    looks["gw2"]["gateway"]["own"]["runtime"]["fingerprint"] = fp("gw2", 9)
    assert "gw2 has the key" in found(directory=directory, gateways=looks)["drifted gateway", "gw2"]


def test_one_key_on_two_gateways() -> None:
    directory, looks = mesh(3)
    looks["gw2"]["gateway"]["own"] = looks["gw1"]["gateway"]["own"]
    told = found(directory=directory, gateways=looks)
    assert {("duplicate", "gw1"), ("duplicate", "gw2"), ("drifted gateway", "gw2")} == set(told)


def test_a_revoked_gateway() -> None:
    directory, looks = mesh(3)
    directory["directory"]["gateways"]["gw3"] |= {"revoked": True, "serial": None, "fingerprint": None}
    told = found(directory=directory, gateways=looks)
    sentence = "It holds serial 1 of gw3, which is revoked."
    assert told == {("drifted gateway", "gw1"): sentence, ("drifted gateway", "gw2"): sentence}


def test_a_rotation_is_no_drift() -> None:
    directory, looks = mesh(3)
    directory["directory"]["gateways"]["gw1"]["rotation"] = samples.open_rotation("gw1")
    extra = {"peer": "", "fingerprint": fp("gw1", 2), "file": "staged", "runtime": "staged"}
    looks["gw2"]["gateway"]["stored"].append(extra)
    directory["all_keys"].append({**directory["all_keys"][0], "serial": 2, "fingerprint": fp("gw1", 2)})
    told = report(directory=directory, gateways=looks)
    assert [(one["kind"], one["hosts"]) for one in told["findings"]] == [("unfinished", ["gw1"])]
    (cell,) = told["mesh"]["cells"]
    assert (cell["holder"], cell["state"], cell["serials"]) == ("gw2", "changing", ["1", "2"])


def test_strangers_tampered_and_not_enrolled() -> None:
    directory, looks = mesh(2)
    stranger = {"peer": "", "fingerprint": fp("nobody"), "file": "current", "runtime": "current"}
    looks["gw1"]["gateway"]["stored"].append(stranger)
    looks |= {"gw3": {}, "gw4": {"unreachable": True}}
    directory["directory"]["tampered"] = [{"gateway": "gw4", "serial": 2, "what": "key"}]
    assert set(found(directory=directory, gateways=looks)) == {
        ("unknown keys", "gw1"),
        ("tampered", "gw4"),
        ("not enrolled", "gw3"),
    }


def test_who_was_not_looked_at_is_not_judged() -> None:
    directory, looks = mesh(3)
    looks["gw2"] = {"unreachable": True, "msg": "no route"}
    looks["gw3"] = {"failed": True, "msg": "Incorrect sudo password"}
    told = report(directory=directory, gateways=looks)
    assert [(one["kind"], one["hosts"], one["what"]) for one in told["findings"]] == [
        ("unreadable", ["gw3"], "Incorrect sudo password"),
        ("not looked at", ["gw2"], "It was not looked at (unreachable)."),
    ]
    assert [row["holds"] for row in told["mesh"]["gateways"]] == [{"right": 2}, {"unseen": 2}, {"unseen": 2}]


def test_what_is_said_of_several_is_said_once_in_natural_order() -> None:
    directory, looks = mesh(12)
    directory["owed"] = {name: ["gw1"] for name in ("gw10", "gw9", "gw2")}
    (one,) = report(directory=directory, gateways=looks)["findings"]
    assert one["hosts"] == ["gw2", "gw9", "gw10"]
    assert "gw2,gw9,gw10" in one["next"]


# -- rotations


def test_only_what_was_recorded_is_said_to_be_measured() -> None:
    details = {"rotation": 1, "seconds": 0.083, "tunnels": 3, "missing": 0}
    directory = book(
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


# -- the same report again


def test_time_alone_is_no_news() -> None:
    given = samples.troubled(8)
    first = build.build(given, build.mesh_of(given))
    later = replace(given, at="2026-11-29T12:00:00Z")
    second = build.build(later, build.mesh_of(later))
    assert first["keys"] != second["keys"]
    assert first["digest"] == second["digest"]
    old = replace(given, at="2028-11-29T12:00:00Z")
    assert build.build(old, build.mesh_of(old))["digest"] != first["digest"]


def test_the_report_is_json() -> None:
    given = samples.troubled(8)
    whole = build.build(given, build.mesh_of(given))
    assert json.loads(json.dumps(whole)) == whole
    assert sum(whole["counts"][f"{severity}s"] for severity in findings.SEVERITIES) == len(whole["findings"])


def test_failed_results_are_findings() -> None:
    failed = {"failed": True, "msg": "There is no directory."}
    told = found(key_servers={"failed": True, "msg": "No hosts."}, directory=failed, gateways={"gw1": {}})
    assert told == {("unreadable", "key servers"): "No hosts.", ("unreadable", "directory"): "There is no directory."}


@pytest.mark.parametrize("wrong", [{"key_servers": {"a": 1}}, {"directory": {"a": 1}}, {"rsa_keys": {"ks1": 1}}])
def test_other_results_are_refused(wrong: Data) -> None:
    if "key_servers" in wrong:
        assert report(**wrong)["units"] == []
        return
    with pytest.raises((KeyError, TypeError, AttributeError)):
        report(**wrong)


def test_complaints() -> None:
    troubled = report(key_servers=compared(unit("in_sync", server("ks1", saved=False))))
    assert text.complaint(troubled, "nothing") is None
    assert "ks1: REKEY (EUROPE): a reload would lose" in (text.complaint(troubled, "no_problems") or "")
    calm = report(key_servers=compared(unit("in_sync", server("ks1"))))
    assert text.complaint(calm, "no_warnings") is None
    assert text.counted(calm) == "no problems, no warnings, no notes"


@pytest.mark.parametrize(("given", "mode"), [("0600", 0o600), ("644", 0o644), ("0640", 0o640)])
def test_modes(given: str, mode: int) -> None:
    assert store.parse_mode(given) == mode


@pytest.mark.parametrize("given", ["384", "u=rw", "4755", ""])
def test_no_modes(given: str) -> None:
    with pytest.raises(VpnKeysError, match="three octal digits"):
        store.parse_mode(given)
