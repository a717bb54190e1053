# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was given to the gateways is what holds after their services restart, after every kind of run."""

from __future__ import annotations

import pytest
from integration.gateways.conftest import Make
from integration.gateways.hooks import FORMS, RESTART, SAVING, set_up
from integration.gateways.site import Site, until

pytestmark = [pytest.mark.timeout(1800), pytest.mark.thorough]
RESTARTS = {"wireguard": RESTART, "strongswan": "systemctl reset-failed strongswan; systemctl restart strongswan"}
LASTING = [name for name, form in FORMS.items() if form.followed and name not in SAVING]
OTHERS = [name for name, form in FORMS.items() if not form.followed]


def restart(site: Site) -> None:
    for name in site.names:
        site.mesh.run(name, RESTARTS[site.mesh.plan.platform])


def runs(site: Site, at: str) -> set[str]:
    return site.stored_in_runtime(at)


def told(output: str) -> str:
    """What a run printed, on one line."""
    return " ".join(output.split())


@pytest.mark.parametrize("name", LASTING)
def test_a_form_that_is_followed(name: str, site: Site) -> None:
    """A rotation, an emergency and a revocation, and a restart of all after each."""
    set_up(site.mesh, "gw2", FORMS[name])
    old = site.own("gw1")
    for mode in ("planned", "emergency"):
        done = site.rotate("gw1", mode=mode)
        assert done.code == 0, done.output
        assert not site.all_pending()
        restart(site)
        assert site.own("gw1") == site.recorded("gw1") != old
        assert site.recorded("gw1") in runs(site, "gw2")
        assert old not in runs(site, "gw2") | runs(site, "gw3")
        site.assert_tunnels()
        old = site.own("gw1")
    assert site.revoke("gw3").code == 0
    restart(site)
    assert site.keys("gw3")[0] not in runs(site, "gw1") | runs(site, "gw2")
    assert site.play("gateway_status", fail_on="drift").code == 0


@pytest.mark.parametrize("name", OTHERS)
def test_a_form_that_cannot_be_followed(name: str, site: Site) -> None:
    """It is named when the rotation is planned, is not counted, and remains a finding until it is changed."""
    form = FORMS[name]
    original = site.mesh.path("gw2", "/etc/wireguard/wg0.conf").read_text()
    set_up(site.mesh, "gw2", form)
    old = site.own("gw1")
    if name != "set peer":  # that is about single peers, so its own key may change
        refused = site.rotate("gw2", plan_only="true")
        assert form.reason in told(refused.error("gateway_plan")[1])
    planned = site.rotate("gw1", plan_only="true", minimum_share=0)
    assert planned.code == 0
    assert form.reason in told(planned.output)
    strict = site.rotate("gw1", unreachable="fail")
    assert form.reason in told(strict.error("gateway_plan")[1])
    assert site.own("gw1") == old
    lost = site.revoke("gw1")
    assert form.reason in told(lost.error("Report which peers may still accept the revoked keys")[1])
    assert old not in runs(site, "gw2"), "the running interface"
    assert site.pending("gw2") == ["gw1"]
    restart(site)
    assert old in runs(site, "gw2"), "this form could have been followed"
    said = site.play("gateway_status", fail_on="drift")
    assert form.reason in told(said.output)
    assert "gw2: It still accepts serial 1 of gw1" in told(said.output)
    site.mesh.path("gw2", "/etc/wireguard/wg0.conf").write_text(original)
    site.mesh.run("gw2", RESTART)
    assert site.play("converge_gateways").code == 0
    restart(site)
    assert old not in runs(site, "gw2")
    assert not site.all_pending()


@pytest.mark.parametrize("name", SAVING)
def test_a_file_that_is_saved_by_a_stop(name: str, site: Site) -> None:
    """A rotation refuses to begin; a revocation and an emergency hold after a stop, and after a cut of the power."""
    set_up(site.mesh, "gw2", FORMS[name])
    refused = told(site.rotate("gw2").error("gateway_plan")[1])
    assert "would be overwritten; remove that line." in refused
    old = site.own("gw1")
    assert site.rotate("gw1", mode="emergency").code == 0
    restart(site)
    assert site.recorded("gw1") in runs(site, "gw2")
    assert old not in runs(site, "gw2")
    site.assert_tunnels()
    assert site.revoke("gw3").code == 0
    site.mesh.reboot("gw2")
    until(lambda: bool(runs(site, "gw2")), 30, lambda: "wg0 did not come up")
    assert site.keys("gw3")[0] not in runs(site, "gw2")


def test_strongswan(make_site: Make) -> None:
    """A rotation, an emergency and a revocation, and a restart of all after each."""
    site = make_site("strongswan")
    for mode in ("planned", "emergency"):
        done = site.rotate("gw1", mode=mode)
        assert done.code == 0, done.output
        assert not site.all_pending()
        restart(site)
        for name in site.names:
            for peer in site.names:
                script = f"swanctl --initiate --ike {peer} --child {peer} --timeout 8"
                site.mesh.run(name, script, check=False)
        site.assert_whole()
    assert site.revoke("gw3").code == 0
    restart(site)
    seen = site.play("gateway_status", fail_on="drift")
    assert seen.code == 0, seen.output


@pytest.mark.parametrize("platform", sorted(RESTARTS))
def test_a_gateway_that_was_retired(platform: str, make_site: Make) -> None:
    """A restart of its peers brings its key back to none of them."""
    site = make_site(platform)
    gone = set(site.keys("gw3"))
    done = site.retire("gw3")
    assert done.code == 0, done.output
    for name in ("gw1", "gw2"):
        assert not gone & site.stored(name)
        site.mesh.run(name, RESTARTS[platform])
        assert not gone & site.stored(name)
        assert site.accepted(name, "gw1" if name == "gw2" else "gw2")


def test_a_gateway_that_was_renamed(site: Site) -> None:
    """Its peers know it by another name, and a restart leaves the new key of a rotation under that name."""
    old = site.own("gw1")
    renamed = {"state": "renamed", "gateways": [{"name": "gw1", "new_name": "berlin1"}]}
    task = {"url": f"sqlite:///{site.database}", **renamed}
    done = site.node.run([{"vpnops.keys.key_directory": task, "delegate_to": "localhost", "become": False,
                           "run_once": True}])  # fmt: skip
    assert done.code == 0, done.output
    site.node.hosts["berlin1"] = site.node.hosts.pop("gw1")
    done = site.rotate("berlin1")
    assert done.code == 0, done.output
    assert not site.all_pending()
    restart(site)
    new = site.recorded("berlin1")
    assert new == site.own("gw1") != old
    for name in ("gw2", "gw3"):
        assert new in runs(site, name)
        assert old not in site.stored(name)
    site.assert_tunnels()
