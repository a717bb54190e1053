# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway with files of systemd-networkd among others with wg-quick. `lab.gateways.networkd` is what reads them."""

from __future__ import annotations

import stat
from collections.abc import Iterator

import pytest
from integration.gateways.test_wireguard_platform import Gateways, mesh

from lab.gateways import available, networkd

pytestmark = pytest.mark.skipif(bool(available()), reason=available())
FILES = (networkd.MAIN, networkd.DROP_IN)


@pytest.fixture
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    """gw2 has systemd-networkd, the others have wg-quick."""
    with mesh(tmp_path_factory.mktemp("networkd")) as up:
        networkd.move(up.mesh, "gw2", up.text("gw2"))
        up.mesh.wait()
        yield up


def texts(gateways: Gateways) -> list[str]:
    return [gateways.text("gw2", path) for path in FILES]


def test_keys_change_at_it_and_at_its_peers_and_hold_after_a_reboot(gateways: Gateways) -> None:
    """Every byte but the keys stays in its files, staged sections come and go, and a start brings up what ran."""
    seen = gateways.observe("gw2")
    assert (seen["file"] == seen["runtime"], seen["at_restart"], seen["blocked"]) == (True, [], [])
    assert gateways.do("gw2", "obstacles", writing=True) == []
    before = texts(gateways)
    for name in ("gw1", "gw3", "gw2"):
        old, new = gateways.stage(name)
        assert name == "gw2" or "".join(texts(gateways)).count(f"# vpnops.keys: next key of {name}\n") == 1
        gateways.swap(name)
        gateways.until(lambda old=old, new=new, name=name: all(  # type: ignore[misc]
            gateways.carries(peer, new, old) for peer in gateways.peers(name)
        ))  # fmt: skip
        gateways.finish(name, old, new)
        gateways.check_rotated(name, old, new)
        before = [text.replace(old, new) for text in before]
        assert texts(gateways) == before
    status = gateways.mesh.path("gw2", networkd.KEY).stat()
    assert (stat.S_IMODE(status.st_mode), status.st_gid != 0) == (0o640, True)
    seen = gateways.observe("gw2")
    gateways.mesh.run("gw2", f"systemctl restart {networkd.UNIT}")
    gateways.mesh.wait()
    assert gateways.observe("gw2")["stored"] == seen["stored"]
    gateways.reboot("gw2")
    gateways.mesh.wait()
    again = gateways.observe("gw2")
    assert (again["file"], again["runtime"], again["stored"]) == (seen["file"], seen["file"], seen["stored"])
