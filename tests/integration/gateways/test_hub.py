# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hub and spokes: nobody speaks of tunnels between spokes, which never were."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.gateways.site import Site

from lab.gateways import Mesh, available

pytestmark = [pytest.mark.skipif(bool(available()), reason=available()), pytest.mark.timeout(900), pytest.mark.thorough]


@pytest.mark.parametrize("platform", ["wireguard", "strongswan"])
def test_an_emergency_lists_no_tunnel_that_never_was(platform: str, tmp_path: Path) -> None:
    """Of a spoke, and of the hub; and no spoke gets to know another one."""
    (tmp_path / "mesh").mkdir()
    with Mesh(4, platform=platform, link="hub", directory=tmp_path / "mesh") as mesh:  # type: ignore[arg-type]
        site = Site(mesh, mesh.names, tmp_path)
        done = site.play("enroll_gateways")
        assert done.code == 0, done.output
        before = {name: len(site.stored(name)) for name in site.names}
        for names in (["gw2"], ["gw1"]):
            done = site.rotate(*names, mode="emergency")
            assert done.code == 0, done.output
            assert "no tunnel" not in done.output, done.output
            assert {name: len(site.stored(name)) for name in site.names} == before
