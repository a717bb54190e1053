# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""strongSwan 5.9 and 6 with ESP in the kernel: what a new key costs, and what becomes of it after a reboot."""

from __future__ import annotations

import pytest
from integration.gateways.site import Site

from .conftest import Cost
from .steps import PATIENCE, PATIENT, cut, finish, machines, restart_all

pytestmark = pytest.mark.timeout(3600)


def test_what_a_new_key_costs(strongswan: Site, cost: Cost) -> None:
    site = strongswan
    for title, do in {
        "strongSwan, nothing": lambda: site.play("gateway_status"),
        "strongSwan, in place": lambda: site.rotate("gw1", **PATIENT),
        "strongSwan, emergency": lambda: site.rotate("gw1", mode="emergency", **PATIENT),
    }.items():
        cost.of(title, site, do)
        site.assert_whole()


def test_the_kernel_encrypts(strongswan: Site) -> None:
    for name in strongswan.names:
        assert strongswan.mesh.run(name, "ip xfrm state").count("proto esp") >= 2


@pytest.mark.parametrize("where", ["before:Activate the new key", "before:Confirm the new key"])
def test_the_power_of_the_rotating_gateway_fails(where: str, strongswan: Site) -> None:
    site = strongswan
    known = set(site.keys("gw1"))
    cut(where, site.rotate, "gw1", **PATIENT)
    machines(site).reboot("gw1")
    site.assert_tunnels(within=PATIENCE)
    finish(site, "gw1")
    assert set(site.keys("gw1")) - known == {site.own("gw1")}, "more than one new key was made"


def test_everybody_reboots(strongswan: Site) -> None:
    finish(strongswan, "gw1", "gw2", "gw3")
    restart_all(strongswan)
    strongswan.assert_tunnels(within=PATIENCE)
    strongswan.assert_whole()
