# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook that audits: simulated key servers, a directory in SQLite, and the page that comes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from integration.control_node import ControlNode, Data, Run
from integration.devices import LABEL, group_of, unchanged, writes
from integration.report.browser import WIDTHS, Browser
from unit.directory.samples import Directory, gateway, new_key

from lab import Fleet, KeySpec

AUDIT = "vpnops.keys.audit_keys"
EVIL = "<script>document.title = 'taken over'</script>"
StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]


def audit(node: ControlNode, *arguments: str, **variables: object) -> Run:
    return node.run(AUDIT, *arguments, "-e", json.dumps({f"key_report_{name}": one for name, one in variables.items()}))


def findings(run: Run) -> set[tuple[str, str]]:
    """Kind and host."""
    found = run.result("key_report")["summary"]["findings"]
    return {(one["kind"], host) for one in found for host in one["hosts"]}


@pytest.fixture
def fleet(start_fleet: StartFleet) -> Fleet:
    """Three key servers, entered by enable. One has another key; those of the others cannot be exported."""
    keys = [KeySpec(LABEL, 1, exportable=False)] * 2 + [KeySpec(LABEL, 2, saved=False)]
    specs = group_of(*((f"ks{number}", "xe17", (one,)) for number, one in enumerate(keys, 1)))
    return start_fleet(*(replace(one, banner=EVIL, motd=EVIL, login_privilege=1) for one in specs))


@pytest.fixture
def node(fleet: Fleet, control_node: MakeNode, tmp_path: Path) -> ControlNode:
    """With two gateways that cannot be reached, of which one has to store the new key of the other."""
    directory = Directory(f"sqlite:///{tmp_path}/directory.db", tmp_path / "directory.db.key")
    directory.write("present", gateways=[gateway("gw1", new_key()), gateway("gw2", new_key())], by=EVIL)
    directory.write("prepared", gateways=[{"name": "gw1"}], why=EVIL)
    made = control_node(fleet)
    nowhere = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_retries": 0}
    made.inventory["gateways"] = {"hosts": {"gw1": nowhere, "gw2": nowhere}}
    made.environment["VPNOPS_KEYS_DIRECTORY_URL"] = directory.url
    made.environment["ANSIBLE_LOCALHOST_WARNING"] = "false"
    return made


def test_audit(fleet: Fleet, node: ControlNode, browser: Browser, tmp_path: Path) -> None:
    paths = {"path": str(tmp_path / "report.html"), "json_path": str(tmp_path / "report.json"), "mode": "0644"}
    paths["fail_on"] = "nothing"
    with unchanged(fleet):
        checked = audit(node, "--check", **paths)
        assert checked.code == 0, checked.output
        assert checked.changed("key_report")
        assert not (tmp_path / "report.html").exists()
        done = audit(node, "--diff", title=EVIL, return_content=True, **paths)
    assert done.code == 0, done.output
    assert not any(writes(device) for device in fleet)
    assert {
        ("drifted key servers", "ks3"),
        ("not exportable", "ks1"),
        ("not exportable", "ks2"),
        ("unfinished", "gw1"),
        ("pending", "gw1"),
        ("pending", "gw2"),
        ("not observed", "gw1"),
        ("not observed", "gw2"),
        ("not read", "gateways"),
    } == findings(done)
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o644
    report = json.loads((tmp_path / "report.json").read_text())
    summary: Data = done.result("key_report")["summary"]
    assert summary == {name: report[name] for name in ("at", "counts", "findings", "digest")}
    kept = done.result("set_stats")["ansible_stats"]["data"]
    assert kept == {"key_report": summary, "key_report_html": (tmp_path / "report.html").read_text()}

    for width in WIDTHS:
        view = browser.open(tmp_path / "report.html", width)
        view.assert_quiet()
        view.assert_fits()
        view.assert_accessible()
        assert EVIL in view.page.title()
        assert any(EVIL in cell for row in view.rows("trail") for cell in row)
        rotation = view.rows("rotations")[0]
        assert [rotation[number] for number in (0, 2, 4, 7)] == ["gw1", "planned", "open, prepared", "not measured"]
        view.page.close()


def test_nothing_new_is_no_change(node: ControlNode, tmp_path: Path) -> None:
    paths = {"path": str(tmp_path / "report.html"), "json_path": str(tmp_path / "report.json"), "refresh": False}
    paths |= {"fail_on": "nothing", "csv_path": str(tmp_path / "keys.csv")}
    files = [tmp_path / name for name in ("report.html", "report.json", "keys.csv")]
    assert audit(node, at="2027-01-01T00:00:00Z", **paths).changed("key_report")
    before = [path.read_text() for path in files]
    assert {line.partition(",")[0] for line in before[2].splitlines()[1:]} == {"gateway", "key_server", "signing_key"}
    again = audit(node, at="2027-02-01T00:00:00Z", **paths)
    assert not again.changed("key_report")
    # No host has facts, so they are checked for the first one alone.
    assert [one["host"] for one in again.results if one["action"].endswith("check_facts")] == ["ks1"]
    assert before == [path.read_text() for path in files]
    opened = audit(node, "--diff", at="2027-02-01T00:00:00Z", mode="0640", **paths)
    assert opened.changed("key_report")
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o640
    assert before[0] == (tmp_path / "report.html").read_text()
    older = audit(node, at="2029-02-01T00:00:00Z", **paths)  # by then the keys are old
    assert older.changed("key_report")
    assert {("overdue gateway", "gw1"), ("overdue gateway", "gw2")} <= findings(older)


def test_one_half_only(node: ControlNode, tmp_path: Path) -> None:
    """A slice of a job, a limit, a fleet of one kind: what is there is reported, and the run does not end well where
    something could not be read."""
    limited = audit(node, "--limit", "ks1")
    assert limited.code == 2
    assert "not exportable" in str(findings(limited))
    assert "dead key server" in limited.output
    del node.inventory["key_servers"]
    node.inventory = {"gateways": node.inventory["gateways"]}
    gateways = audit(node)
    assert gateways.code == 2, gateways.output
    assert gateways.error("Fail on findings")[1] == "gateways: No gateway could be observed."
    assert gateways.result("key_report")["summary"]["counts"]["key_servers"] == 0
    node.environment["VPNOPS_KEYS_DIRECTORY_URL"] = f"sqlite:///{tmp_path}/nowhere.db"
    lost = audit(node)
    assert lost.code == 2, lost.output
    assert findings(lost) == {("not read", "directory"), ("not read", "gateways")}
    assert "There is no directory" in lost.error("Fail on findings")[1]
    assert audit(node, fail_on="nothing").code == 0
    node.inventory = {"others": {"hosts": {"h1": None}}}
    nobody = audit(node)
    assert nobody.code == 2
    assert "There are no hosts in the inventory groups key_servers and gateways." in nobody.output


NO_SSH = "127.0.0.1 port 1 refuses the connection"


def longest(output: str) -> int:
    return max(map(len, output.splitlines()))


@pytest.fixture
def unreachable(start_fleet: StartFleet, control_node: MakeNode) -> ControlNode:
    """Three key servers that are not where the inventory says."""
    node = control_node(start_fleet(*group_of(*((f"ks{number}", "xe17", ()) for number in (1, 2, 3)))))
    for one in node.hosts.values():
        one |= {"ansible_host": "127.0.0.1", "ansible_port": 1}
    return node


def test_a_failing_audit_says_why_once(unreachable: ControlNode) -> None:
    """ansible-core from 2.19 on prints the message of a failed task twice."""
    done = audit(unreachable)
    assert done.code == 2, done.output
    assert done.error("Fail on findings")[1].startswith(f"ks1, ks2, ks3: {NO_SSH}.")
    assert 1 <= " ".join(done.output.split()).count(NO_SSH) <= 2, done.output
    assert longest(done.output) < 1500
    assert [one["task"] for one in done.results if one["status"] in ("failed", "ignored")] == ["Fail on findings"]
    summary = done.result("set_stats")["ansible_stats"]["data"]["key_report"]
    assert [one["hosts"] for one in summary["findings"]] == [["ks1", "ks2", "ks3"]]
    wrong = audit(unreachable, fail_on="never")
    assert wrong.code == 2, wrong.output
    assert "value of fail_on must be one of" in wrong.output


def test_a_failing_status_says_why_once(node: ControlNode, tmp_path: Path) -> None:
    """Of gateways that are unreachable, after Ansible's own lines on each of them."""
    directory = Directory(node.environment["VPNOPS_KEYS_DIRECTORY_URL"], tmp_path / "directory.db.key")
    directory.write("present", gateways=[gateway("gw3", new_key())], by="alice")
    hosts = node.inventory["gateways"]["hosts"]
    node.inventory = {"gateways": {"hosts": {**hosts, "gw3": hosts["gw1"]}}}
    node.environment["VPNOPS_KEYS_PROGRESS_JSON"] = str(tmp_path / "run.json")
    status = "vpnops.keys.gateway_status"
    done = node.run(status, "-e", "gateway_keys_fail_on=drift")
    assert done.code == 2, done.output
    reported = done.output.partition("Report the status]")[2]
    assert longest(reported) < 1500, longest(reported)
    code, msg = done.error("gateway_report")
    assert code == "drift"
    for reason in ("No gateway could be observed.", "It was not observed", "gw2: It has not yet stored the keys of"):
        assert reason in msg
        assert " ".join(reported.split()).count(reason) <= 2, done.output
    assert "status" not in done.result("gateway_report")
    node.environment["ANSIBLE_STDOUT_CALLBACK"] = "vpnops.keys.progress"
    assert node.run(status, "-e", "gateway_keys_fail_on=drift").code == 2
    data = json.loads((tmp_path / "run.json").read_text())
    assert {one["host"]: one["result"] for one in data["results"]} == dict.fromkeys(("gw1", "gw2", "gw3"), "differs")
    assert all(one["message"] for one in data["results"])


def test_a_revoked_gateway_that_may_still_be_accepted_comes_first(
    node: ControlNode, browser: Browser, tmp_path: Path
) -> None:
    """Nobody could be reached, so its peer may still accept its key: the first problem in words, exit code and page."""
    directory = Directory(node.environment["VPNOPS_KEYS_DIRECTORY_URL"], tmp_path / "directory.db.key")
    directory.write("revoked", gateways=[{"name": "gw1"}], lost=True)
    node.inventory = {"gateways": node.inventory["gateways"]}
    done = audit(node, path=str(tmp_path / "report.html"))
    assert done.code == 2
    first = done.result("key_report")["summary"]["findings"][0]
    assert (first["kind"], first["severity"], first["hosts"]) == ("still accepted", "problem", ["gw2"])
    assert first["what"] == f"It may still accept gw1 (revoked since {first['since']}): it is unreachable."
    assert done.error("Fail on findings")[1].startswith("gw2: It may still accept gw1")
    view = browser.open(tmp_path / "report.html", WIDTHS[1])
    view.assert_quiet()
    assert "still accepted by gw2" in view.rows("keys")[0][1]
    view.page.close()


def test_a_comparison_that_is_a_fact_is_not_believed(node: ControlNode, tmp_path: Path) -> None:
    """Of a host outside of the limit, too: what the key servers were found to hold is reported."""
    node.environment |= {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "facts")}
    nothing = {"units": [], "problems": {}, "ungrouped": [], "in_sync": True}
    claim = {"ansible.builtin.set_fact": {"key_report_compared": nothing, "cacheable": True}}
    assert node.run([{**claim, "when": "inventory_hostname == 'ks1'"}]).code == 0
    for arguments in ([], ["--limit", "!ks1"]):
        done = audit(node, *arguments, path=str(tmp_path / "report.html"))
        assert ("drifted key servers", "ks3") in findings(done), done.output
        assert arguments or done.error("check_facts", "ks1")[0] == "refused"


@pytest.mark.parametrize("liar", ["ks1", "ks2"])
def test_hosts_whose_facts_claim_variables_are_named_as_tampered(
    liar: str, fleet: Fleet, node: ControlNode, tmp_path: Path
) -> None:
    """Whatever a cache of facts holds of them, the page names them, and says of the others what is true of them."""
    node.environment |= {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "facts")}
    forged = {"failed": False, "in_sync": True, "units": [], "problems": {}, "claims": [], "findings": []}
    lies: dict[str, Data] = {liar: {"key_report_compared": forged}, "gw1": {"gateway_keys_mode": "emergency"}}
    lying = [
        {"ansible.builtin.set_fact": {**facts, "cacheable": True}, "delegate_to": host, "delegate_facts": True}
        for host, facts in lies.items()
    ]
    assert node.run(lying).code == 0
    done = audit(node, path=str(tmp_path / "report.html"), fail_on="nothing")
    named = "forged or unreadable answer"
    asked = [one for one in done.results if one["action"].endswith("gateway_info") and one["status"] != "skipped"]
    assert [one["host"] for one in asked] == ["gw2"]
    assert {host for kind, host in findings(done) if kind == named} == {liar, "gw1"}, done.output
    assert {("drifted key servers", "ks3"), ("not observed", "gw2")} <= findings(done)
    assert fleet[liar].sessions == 0
    assert "key_report_compared" in (tmp_path / "report.html").read_text()
