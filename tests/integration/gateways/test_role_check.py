# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode changes nothing, on the gateways and in the directory, and predicts the real run."""

from __future__ import annotations

import re

import pytest
from integration.control_node import Run
from integration.gateways.conftest import Make
from integration.gateways.site import Site
from integration.gateways.test_role_enroll import NEW_GATEWAY, forget

pytestmark = pytest.mark.timeout(1800)

Told = dict[tuple[str, str], object]
BASE64 = re.compile("[A-Za-z0-9+/]{43}=")


def told(done: Run, what: str) -> Told:
    return {
        (one["host"], one["task"]): one["result"].get(what)
        for one in done.results
        if one["action"].startswith("vpnops.keys.") and one["status"] == "ok" and not one["action"].endswith("_report")
    }


def predicted(site: Site, playbook: str, *arguments: str) -> tuple[Run, Run]:
    """A run in check mode, which must change nothing, and the real one."""
    gateways, records = site.fingerprints(), site.database.read_bytes() if site.database.exists() else b""
    check = site.play(playbook, "--check", "--diff", *arguments)
    assert check.code == 0, check.output
    assert site.fingerprints() == gateways
    assert (site.database.read_bytes() if site.database.exists() else b"") == records
    real = site.play(playbook, "--diff", *arguments)
    assert real.code == 0, real.output
    here, there = told(check, "changed"), told(real, "changed")
    assert here.keys() <= there.keys()
    assert here == {task: there[task] for task in here}
    assert any(here.values())
    for done in (check, real):
        for task, diff in told(done, "diff").items():
            assert not BASE64.search(str(diff)), (task, diff)
    return check, real


TARGET = ("-e", "gateway=gw1", "-e", "confirm=gw1", "-e", "gateway_keys_settle_timeout=5")


@pytest.mark.parametrize("platform", ["wireguard", "strongswan"])
def test_rotation(platform: str, make_site: Make) -> None:
    site = make_site(platform, 2)
    predicted(site, "regenerate_gateway", *TARGET)
    site.assert_whole()


def test_emergency(site: Site) -> None:
    predicted(site, "regenerate_gateway", *TARGET, "-e", "gateway_keys_mode=emergency")
    site.assert_whole()


def test_enrollment(make_site: Make) -> None:
    """Its report shows the rows of the real one, and says nothing of files that do not exist."""
    site = make_site(enrolled=False)
    check, real = predicted(site, "enroll_gateways")
    site.assert_whole()
    rows = [done.result("gateway_report")["enrolled"]["gateways"] for done in (check, real)]
    assert rows[0] == rows[1]
    assert [row["pending"]["count"] for row in rows[0]] == [0] * len(site.names)
    assert "Would be enrolled (check mode)" in check.output
    assert not [words for words in ("The directory is", "Keep a copy") if words in check.output]
    assert "Keep a copy of both" in " ".join(real.output.split())


def test_enrollment_of_a_gateway_without_a_key(make_site: Make) -> None:
    site = make_site(enrolled=False)
    forget(site, "gw2", "gw1")
    forget(site, "gw3", "gw1")
    site.mesh.run("gw1", NEW_GATEWAY)
    done = site.play("enroll_gateways", "--check")
    assert done.code == 0, done.output
    assert "Would generate their first key, and be enrolled with it: gw1." in " ".join(done.output.split())


def test_convergence(site: Site) -> None:
    site.mesh.no_ssh("gw3")
    assert site.rotate("gw1").code == 0
    site.mesh.ssh_back("gw3")
    predicted(site, "converge_gateways")
    site.assert_whole()


def test_plan_only(site: Site) -> None:
    """Lists who would change and who is away; nothing else."""
    site.mesh.no_ssh("gw3")
    before, records = site.fingerprints(), site.database.read_bytes()
    for mode in ("planned", "emergency"):
        done = site.rotate("gw1", plan_only="true", mode=mode)
        assert done.code == 0, done.output
        assert site.fingerprints() == before
        assert site.database.read_bytes() == records
    done = site.rotate("gw1", plan_only="true")
    said = " ".join(done.output.split())
    assert 'Unreachable, updated later by converge_gateways: gw3 (unreachable: "Connection closed").' in said
    assert "1 -> 2" in done.output
