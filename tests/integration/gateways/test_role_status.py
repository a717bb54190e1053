# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Next contact, and what differs: convergence and the status."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest
from integration.control_node import Run
from integration.gateways.conftest import Make
from integration.gateways.site import Site, until

pytestmark = pytest.mark.timeout(1800)

REACHING = ("gateway_peers", "gateway_key", "gateway_info")
STRANGER = "c3RyYW5nZXIgc3RyYW5nZXIgc3RyYW5nZXIgc3RyYW4="


def contacted(done: Run) -> set[str]:
    """The gateways on which something was run."""
    ours = [one for one in done.results if one["action"].endswith(REACHING)]
    return {one["host"] for one in ours if one["status"] != "skipped"}


def differences(site: Site) -> list[str]:
    """All findings as sentences, each with its host."""
    report = site.path / "status.json"
    done = site.play("gateway_status", report_path=report, fail_on="nothing")
    assert done.code == 0, done.output
    found = json.loads(report.read_text())["findings"]
    return [f"{one['host']}: {one['what']}" for one in found]


def assert_told(told: list[str], *parts: str) -> None:
    assert any(all(part in sentence for part in parts) for sentence in told), (parts, told)


def test_next_contact(site: Site) -> None:
    """Off at the rotation, back later. Where nothing is pending nobody is contacted."""
    site.mesh.stop("gw3")
    done = site.rotate("gw1")
    assert done.code == 0, done.output
    site.mesh.start("gw3")
    assert site.accepted("gw3", "gw1") == {site.keys("gw1")[1]}
    assert_told(differences(site), "gw3: It has not yet stored the keys of gw1.")
    done = site.play("converge_gateways")
    assert done.code == 0, done.output
    assert contacted(done) == {"gw3"}
    site.assert_whole()
    site.mesh.no_ssh("gw2")  # whom nobody asks
    done = site.play("converge_gateways")
    assert done.code == 0, done.output
    assert contacted(done) == set()
    assert "Nothing is pending" in done.output
    site.mesh.ssh_back("gw2")


def drift(site: Site) -> dict[str, str]:
    """The stored keys of gw1 go wrong: at gw2 in the running daemon, at gw3 in the file."""
    key = site.own("gw1")
    site.mesh.run("gw2", f"wg set wg0 peer {key} remove")
    site.mesh.run("gw3", f"sed -i 's#{key}#{STRANGER}#' /etc/wireguard/wg0.conf")
    return {"gw1": key}


def test_drift_of_peers(site: Site) -> None:
    """Each is named, in one sentence, and put right by converge with full."""
    assert not [one for one in differences(site) if "unknown to the directory" not in one]
    drift(site)
    told = differences(site)
    assert_told(told, "gw2: It stores no current key of gw1 in its running daemon.")
    assert_told(told, "gw3: It stores no current key of gw1 in its file.")
    done = site.play("converge_gateways", converge_all="true")
    assert done.code == 0, done.output
    assert site.own("gw1") in set(site.stored_in_runtime("gw2")) & set(site.stored_in_file("gw3"))
    site.assert_whole()
    assert not [one for one in differences(site) if "unknown to the directory" not in one]


def test_drift_of_the_gateway_and_the_directory(site: Site) -> None:
    """Own file, own daemon, an open rotation, a stranger, a record that somebody has changed."""
    site.mesh.run("gw1", "wg genkey >/root/k; wg set wg0 private-key /root/k; rm /root/k")
    site.mesh.run("gw2", "key=$(wg genkey); sed -i \"s#^PrivateKey = .*#PrivateKey = $key#\" /etc/wireguard/wg0.conf")
    site.mesh.run("gw3", f"wg set wg0 peer {STRANGER} allowed-ips 10.99.0.1/32")
    told = differences(site)
    assert_told(told, "gw1: It has the key", "in its running daemon, but the directory says")
    assert_told(told, "gw2: It has the key", "in its file, but the directory says")
    assert_told(told, "gw3: It accepts", "unknown to the directory")
    refused = site.rotate("gw1")
    assert refused.code != 0
    done = site.play("gateway_status", fail_on="drift")
    assert done.code != 0
    assert done.error("gateway_report")[0] == "drift"
    database = sqlite3.connect(site.database)
    with database:
        database.execute("update keys set fingerprint = ? where gateway = 'gw3'", ("0" * 64,))
    database.close()
    assert_told(differences(site), "gw3", "key")
    assert site.play("converge_gateways", converge_all="true").code == 0
    refused = site.rotate("gw3")
    assert refused.code != 0
    assert "gw3: Its key 1 is not as the directory signed it." in refused.error("gateway_plan")[1]


def test_an_open_rotation_is_told(site: Site) -> None:
    env = {"KILL_AT": "before:Activate the new key", "ANSIBLE_CALLBACKS_ENABLED": "record,kill"}
    site.rotate("gw1", env=env)
    told = differences(site)
    assert_told(told, "gw1: A rotation (planned) begun by", "is open, state staged.")
    done = site.play("converge_gateways", converge_all="true")
    assert done.code == 0, done.output
    said = " ".join(done.output.split())
    assert_told([said], "gw1: A rotation (planned) begun by", "is open, state staged.", FINISH, ABORT)
    site.assert_tunnels()


FINISH = "run vpnops.keys.regenerate_gateway with gateway=gw1 and confirm=gw1."
ABORT = "run vpnops.keys.abort_rotation with gateway=gw1 and confirm=gw1."


def test_a_gateway_that_runs_its_next_key_after_an_interrupted_run(site: Site) -> None:
    """Until it rolls back by itself. Seen before: its key was as recorded, and all matched the directory."""
    old = site.own("gw1")
    env = {"KILL_AT": "before:Confirm the new key", "ANSIBLE_CALLBACKS_ENABLED": "record,kill"}
    site.rotate("gw1", confirm_timeout="40", env=env)
    assert site.own("gw1") != old
    done = site.play("gateway_status")
    assert done.code == 0, done.output
    said = " ".join(done.output.split())
    assert_told([said], "Gateways: 2 of 3 match the directory; gw1: open rotation", FINISH, ABORT)
    runs = "It runs its next key [0-9a-f]{12}, which is not confirmed: it rolls back at 2[0-9TZ:-]+ by its own clock."
    assert re.search(runs, said), done.output
    (row,) = [one for one in done.result("gateway_report")["status"]["gateways"] if one["gateway"] == "gw1"]
    assert (row["own"], row["next_key"]["confirmed"]) == ("next key", False)
    assert site.play("gateway_status", fail_on="drift").error("gateway_report")[0] == "drift"
    until(lambda: site.own("gw1") == old, 60, lambda: "it does not roll back")
    assert_told(differences(site), "gw1: A rotation (planned) begun by", "is open, state staged.")
    assert "next key" not in site.play("gateway_status").output


def test_what_does_not_match_is_said_and_fails_for_whoever_asks_for_it(site: Site) -> None:
    """One that is away, and what it has still to store; by default neither makes it fail."""
    site.mesh.no_ssh("gw3")
    assert site.rotate("gw1").code == 0
    done = site.play("gateway_status")
    assert done.code == 0, done.output
    assert "Gateways: 2 of 3 match the directory; gw3: pending keys, not observed" in " ".join(done.output.split())
    assert site.play("gateway_status", fail_on="drift").error("gateway_report")[0] == "drift"
    assert site.play("converge_gateways", fail_on="drift").error("gateway_report")[0] == "drift"
    others = site.play("gateway_status", "--limit", "gw1,gw2")
    assert "Gateways: 2 of 3 match the directory; gw3: pending keys, not asked" in " ".join(others.output.split())
    site.mesh.ssh_back("gw3")
    assert site.play("converge_gateways", fail_on="drift").code == 0
    done = site.play("gateway_status", fail_on="drift")
    assert done.code == 0, done.output
    assert "Gateways: all match the directory" in done.output
    alone = site.play("gateway_status", "--limit", "gw1,gw2", fail_on="drift")
    assert alone.code == 0, alone.output
    assert "Gateways: 2 of 3 match the directory; gw3: not asked" in " ".join(alone.output.split())


def test_drift_strongswan(make_site: Make) -> None:
    site = make_site("strongswan", 2)
    assert not [one for one in differences(site) if "unknown to the directory" not in one]
    site.mesh.run("gw2", "cp /etc/swanctl/pubkey/gw3.pub /etc/swanctl/pubkey/gw1.pub")
    told = differences(site)
    assert_told(told, "gw2: It stores the unknown key", "of gw1")
    done = site.play("converge_gateways", converge_all="true")
    assert done.code == 0, done.output
    site.assert_whole()
    assert not [one for one in differences(site) if "unknown to the directory" not in one]


def test_an_emergency_that_not_all_have_heard_of(site: Site) -> None:
    """Who still accepts a revoked key is named by the status, too."""
    site.mesh.no_ssh("gw2")
    env = {"KILL_AT": "before:Generate a new key (or reuse the staged one)", "ANSIBLE_CALLBACKS_ENABLED": "record,kill"}
    site.rotate("gw1", mode="emergency", env=env)
    site.mesh.ssh_back("gw2")
    told = differences(site)
    assert_told(told, "gw2: It still accepts serial 1 of gw1 (revoked since", "in its file and in its running daemon.")
