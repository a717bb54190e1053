# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole playbooks on a mesh in which every gateway has another backend. `lab.gateways.backends` is what they have."""

from __future__ import annotations

import pytest
from integration.gateways.conftest import Make
from integration.gateways.site import Site

from lab.gateways.backends import BACKENDS

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def site(make_site: Make) -> Site:
    """One gateway for each backend, enrolled."""
    site = make_site(gateways=len(BACKENDS), enrolled=False)
    conf = {name: site.mesh.path(name, "/etc/wireguard/wg0.conf").read_text() for name in site.names}
    for name, backend in zip(site.names, BACKENDS.values(), strict=True):
        backend.move(site.mesh, name, conf[name])
    site.mesh.wait()
    done = site.play("enroll_gateways")
    assert done.code == 0, done.output
    return site


def texts(site: Site) -> dict[str, str]:
    """What the files of all gateways say, but for private keys."""
    return {
        name: "".join(
            line
            for path in backend.files
            if not path.endswith(".key")
            for line in site.mesh.path(name, path).read_text().splitlines(keepends=True)
            if not line.startswith(("PrivateKey", "private-key="))
        )
        for name, backend in zip(site.names, BACKENDS.values(), strict=True)
    }


def test_all_keys_change_and_hold_after_a_reboot(site: Site) -> None:
    """Not a byte but the keys changes in the files."""
    before, old = texts(site), {name: site.own(name) for name in site.names}
    done = site.rotate("all")
    assert done.code == 0, done.output
    site.assert_whole()
    for name, text in before.items():
        for other in site.names:
            text = text.replace(old[other], site.recorded(other))
        assert texts(site)[name] == text, name
    for name in site.names:
        site.mesh.reboot(name)
    site.assert_tunnels(within=60)
    site.assert_whole()
    status = site.play("gateway_status", fail_on="drift")
    assert status.code == 0, status.output


def test_a_compromised_key_is_dropped_by_all_of_them(site: Site) -> None:
    done = site.rotate("gw1", mode="emergency")
    assert done.code == 0, done.output
    site.assert_whole()
    done = site.revoke("gw1")
    assert done.code == 0, done.output
    for name in site.names[1:]:
        site.mesh.reboot(name)
    site.assert_tunnels("gw1", within=60)
    for name in site.names[1:]:
        assert not site.accepted(name, "gw1"), name


def test_a_backend_that_is_demanded_and_not_there_is_refused_in_one_sentence(site: Site) -> None:
    site.node.inventory["gateways"]["hosts"]["gw3"]["gateway_backend"] = "NetworkManager"
    site.node.inventory["gateways"]["hosts"]["gw2"]["gateway_backend"] = "NetworkManager"
    done = site.play("gateway_status")
    said = " ".join(done.output.split())
    what = "backend is NetworkManager, but wg0 is set up by /etc/systemd/network/10-wg0.netdev of systemd-networkd."
    assert f"{what} Nothing was changed; set backend to detect." in said
    assert "gw3: backend" not in said
