# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WireGuard in the kernel: what a new key costs, and what becomes of it when machines are switched off."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from integration.gateways.site import Site

from .conftest import Cost

pytestmark = pytest.mark.timeout(3600)
Make = Callable[[str], Site]


def test_what_a_new_key_costs(make_site: Make, cost: Cost) -> None:
    site = make_site("wireguard")
    for title, do in {
        "nothing": lambda: site.play("gateway_status"),
        "in place": lambda: site.rotate("gw1"),
        "nothing again": lambda: site.play("gateway_status"),
        "in place again": lambda: site.rotate("gw1"),
    }.items():
        cost.of(title, site, do)
        site.assert_whole()
