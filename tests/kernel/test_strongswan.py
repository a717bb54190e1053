# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""strongSwan 5.9 and 6 with ESP in the kernel: what a new key costs."""

from __future__ import annotations

import pytest
from integration.gateways.site import Site

from .conftest import Cost
from .steps import PATIENT

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
