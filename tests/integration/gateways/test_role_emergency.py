# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A key that is compromised, a gateway that is lost: from the first pass on nobody in reach accepts it."""

from __future__ import annotations

import re

import pytest
from integration.gateways import thief
from integration.gateways.conftest import Make
from integration.gateways.site import Site

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize("platform", ["wireguard", "strongswan"])
def test_peers_drop_the_key_first(platform: str, make_site: Make) -> None:
    """The run is killed right after the first pass: a thief is locked out by then, and those out of reach are known."""
    site = make_site(platform)
    stolen = thief.steal(site.mesh)
    assert thief.gets_in(site.mesh, "gw4", "gw2", stolen), "the thief is no good"
    site.mesh.no_ssh("gw3")
    env = {"KILL_AT": "before:Generate a new key (or reuse the staged one)", "ANSIBLE_CALLBACKS_ENABLED": "record,kill"}
    killed = site.rotate("gw1", mode="emergency", env=env)
    first = 'OLD KEY: gw3 (unreachable: "Connection closed"). Make them reachable, then run converge_gateways.'
    assert first in " ".join(killed.output.split()), killed.output
    assert not thief.gets_in(site.mesh, "gw4", "gw2", stolen)
    assert thief.gets_in(site.mesh, "gw4", "gw3", stolen), "the thief is no good any more"
    site.mesh.ssh_back("gw3")
    done = site.rotate("gw1", mode="emergency")
    assert done.code == 0, done.output
    assert "No peer accepts the old key any more." in done.output
    assert not thief.gets_in(site.mesh, "gw4", "gw3", stolen)
    assert len(site.keys("gw1")) == 2
    site.assert_whole()


def test_the_gateway_itself_is_out_of_reach(site: Site) -> None:
    """Its peers drop the key all the same; when it is back, running again gives it a new one."""
    old = site.own("gw1")
    site.mesh.stop("gw1")
    done = site.rotate("gw1", mode="emergency")
    sentence = "The rotation of gw1 is not finished, state prepared. Run it again."
    assert done.error("gateway_report") == ("not_proved", sentence), done.output
    assert not site.accepted("gw2", "gw1")
    assert not site.accepted("gw3", "gw1")
    site.mesh.start("gw1")
    assert site.own("gw1") == old
    assert site.abort("gw1").code != 0, "a compromised key came back"
    done = site.rotate("gw1", mode="emergency")
    assert done.code == 0, done.output
    assert site.keys("gw1") == [site.own("gw1"), old]
    site.assert_whole()


def test_a_peer_that_fails_to_drop_the_key_fails_the_run(site: Site) -> None:
    """It was reached, so nothing waits for its return: somebody has to mend it. The new key is made all the same."""
    old = site.own("gw1")
    site.node.hosts["gw2"]["ansible_become_password"] = "wrong"
    stolen = site.rotate("gw1", mode="emergency")
    assert stolen.error("gateway_report")[1].startswith("gw2 still accepts the old key: "), stolen.output
    assert site.own("gw1") != old
    assert old in site.stored_in_runtime("gw2")
    lost = site.revoke("gw3")
    code, sentence = lost.error("Report which peers may still accept the revoked keys")
    assert code == "not_proved"
    advice = r"Fix that, then run vpnops\.keys\.converge_gateways\."
    assert re.fullmatch(rf'gw2 still accepts the old key: .+\."? {advice}', sentence)
    red = site.play("gateway_status", fail_on="drift")
    told = red.error("gateway_report")[1]
    revoked = r"serial 1 of gw1 \(revoked since [^)]+\), gw3 \(revoked since [^)]+\)"
    assert re.match(f"gw2: It may still accept {revoked}: it refused", told), told
    assert site.play("gateway_status").code != 0, "a revoked key that is still accepted is a problem by itself"
    assert site.play("gateway_status", fail_on="nothing").code == 0

    del site.node.hosts["gw2"]["ansible_become_password"]
    done = site.play("converge_gateways")
    assert done.code == 0, done.output
    assert not site.accepted("gw2", "gw3")
    assert old not in site.stored_in_runtime("gw2")
    assert site.play("gateway_status", fail_on="drift").code == 0


def test_revoke(site: Site) -> None:
    """The gateway is gone for good; the others keep their tunnels."""
    stolen = thief.steal(site.mesh)
    site.mesh.no_ssh("gw3")
    refused = site.revoke("gw1", confirm="gw2")
    assert refused.code != 0
    assert site.accepted("gw2", "gw1")
    done = site.revoke("gw1")
    assert done.code == 0, done.output
    assert "MAY STILL ACCEPT THE OLD KEY: gw3 (unreachable: " in done.output
    assert not thief.gets_in(site.mesh, "gw4", "gw2", stolen)
    site.mesh.ssh_back("gw3")
    done = site.play("converge_gateways")
    assert done.code == 0, done.output
    assert not site.accepted("gw3", "gw1")
    assert not site.all_pending()
    site.assert_tunnels("gw1")
    again = site.rotate("gw1")
    assert again.code != 0
    assert "gw1" in again.error("gateway_plan")[1]
    assert "Nothing was changed." in again.error("gateway_plan")[1]


def test_retire(site: Site) -> None:
    """In peace: peers drop its key, it leaves the status, and the others keep their tunnels."""
    refused = site.retire("gw1", confirm="gw2")
    assert refused.code != 0
    assert site.accepted("gw2", "gw1")
    site.mesh.no_ssh("gw3")
    done = site.retire("gw1")
    assert done.code == 0, done.output
    assert "Pending peers: gw3 (unreachable: " in done.output
    assert not site.accepted("gw2", "gw1")
    site.mesh.ssh_back("gw3")
    red = site.play("gateway_status", fail_on="problems")
    assert red.code == 0, red.output
    assert "It has not yet dropped the keys of gw1, which are retired." in red.output
    done = site.play("converge_gateways")
    assert done.code == 0, done.output
    assert not site.accepted("gw3", "gw1")
    del site.node.hosts["gw1"]
    status = site.play("gateway_status", fail_on="drift")
    assert status.code == 0, status.output
    assert "gw1" not in status.output
    site.assert_tunnels("gw1")
