# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WireGuard in the kernel: what a new key costs, and what becomes of it when machines go off and on."""

from __future__ import annotations

import pytest
from integration.gateways.site import Site

from .conftest import Cost
from .steps import PATIENCE, PATIENT, cut, finish, machines, restart_all

pytestmark = pytest.mark.timeout(3600)
# Where the rotating gateway loses its power, and whether it comes back with the new key.
CUTS = {
    "within:Generate the next key (or reuse the staged one)": False,
    "before:Activate the new key": False,
    "within:Activate the new key": False,
    "before:Confirm the new key": False,
    "before:Accept only the new keys": True,
    "before:Destroy the old key": True,
}
MOST_LOST = {"in place": 100, "second interface": 20}
"""Packets of 200 a second in each direction, beyond what is lost while nothing is done. Without what WireGuard in the
kernel answers by netlink, a rotation in place lost up to 457."""


def test_what_a_new_key_costs(site: Site, cost: Cost) -> None:
    lost = {}
    for way, do in {
        "nothing": lambda: site.play("gateway_status"),
        "in place": lambda: site.rotate("gw1", **PATIENT),
        "second interface": lambda: site.rotate("gw1", strategy="second_interface", **PATIENT),
        "emergency": lambda: site.rotate("gw1", mode="emergency", **PATIENT),
    }.items():
        lost[way] = cost.of(f"WireGuard, {way}", site, do).lost
        site.assert_whole()
    assert {way: lost[way] for way, most in MOST_LOST.items() if lost[way] > lost["nothing"] + most} == {}


def test_everybody_reboots(site: Site) -> None:
    """What was given to the gateways is what they start with."""
    finish(site, "gw1", "gw2", "gw3")
    restart_all(site)
    site.assert_tunnels(within=PATIENCE)
    site.assert_whole()
    assert site.play("gateway_status", fail_on="drift").code == 0


@pytest.mark.parametrize("where", CUTS)
def test_the_power_of_the_rotating_gateway_fails(where: str, site: Site) -> None:
    """It comes back with a key that its peers accept, and the next run uses the same new one."""
    old, known = site.own("gw1"), set(site.keys("gw1"))
    cut(where, site.rotate, "gw1", **PATIENT)
    machines(site).reboot("gw1")
    assert (site.own("gw1") != old) == CUTS[where]
    site.assert_tunnels(within=PATIENCE)
    finish(site, "gw1")
    assert set(site.keys("gw1")) - known == {site.own("gw1")}, "more than one new key was made"


def test_the_power_fails_while_a_gateway_learns_what_it_missed(site: Site) -> None:
    machines(site).stop("gw3")
    done = site.rotate("gw1", minimum_share=0, **PATIENT)
    assert done.code == 0, done.output
    machines(site).start("gw3")
    cut("within:Store what is pending", site.play, "converge_gateways")
    machines(site).reboot("gw3")
    done = site.play("converge_gateways")
    assert done.code == 0, done.output
    site.assert_tunnels(within=PATIENCE)
    site.assert_whole()


def test_an_abort_holds_after_a_reboot(site: Site) -> None:
    old = site.own("gw1")
    cut("before:Confirm the new key", site.rotate, "gw1", **PATIENT)
    done = site.abort("gw1")
    assert done.code == 0, done.output
    restart_all(site)
    assert site.own("gw1") == old
    site.assert_tunnels(within=PATIENCE)
    site.assert_whole()


def test_a_revoked_key_stays_away_after_a_reboot(site: Site) -> None:
    """Last, since gw3 has no tunnels any more."""
    old = site.own("gw3")
    done = site.revoke("gw3")
    assert done.code == 0, done.output
    restart_all(site)
    for name in ("gw1", "gw2"):
        assert old not in site.stored(name)
    site.assert_tunnels("gw3", within=PATIENCE)
    assert {("gw1", "gw3"), ("gw2", "gw3")} <= set(site.broken())
