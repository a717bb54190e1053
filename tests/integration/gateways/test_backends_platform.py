# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway with each backend among others with wg-quick: what brings its interface up follows its keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from integration.gateways.test_wireguard_platform import Gateways, mesh

from lab.gateways import available
from lab.gateways.backends import BACKENDS

pytestmark = pytest.mark.skipif(bool(available()), reason=available())


@contextmanager
def moved(directory: Path, backend: str) -> Iterator[Gateways]:
    """gw2 has the backend, the others have wg-quick."""
    with mesh(directory) as up:
        BACKENDS[backend].move(up.mesh, "gw2", up.text("gw2"))
        up.mesh.wait()
        yield up


@pytest.fixture
def gateways(tmp_path_factory: pytest.TempPathFactory, backend: str) -> Iterator[Gateways]:
    with moved(tmp_path_factory.mktemp("backend"), backend) as up:
        yield up


def texts(gateways: Gateways, backend: str) -> list[str]:
    """But for those that have nothing but the own key."""
    return [gateways.text("gw2", path) for path in BACKENDS[backend].files if not path.endswith(".key")]


@pytest.mark.parametrize("backend", BACKENDS)
def test_keys_change_at_it_and_at_its_peers_and_hold_after_a_reboot(gateways: Gateways, backend: str) -> None:
    """Every byte but the keys stays in its files, staged sections come and go, and a start brings up what ran."""
    seen = gateways.observe("gw2")
    assert (seen["backend"], seen["file"] == seen["runtime"]) == (backend, True)
    assert (seen["at_restart"], seen["blocked"]) == ([], [])
    assert gateways.do("gw2", "obstacles", writing=True) == []
    before = texts(gateways, backend)
    for name in ("gw1", "gw3"):
        old, new = gateways.stage(name)
        assert "".join(texts(gateways, backend)).count(f"# vpnops.keys: next key of {name}\n") == 1
        gateways.swap(name)
        gateways.until(lambda old=old, new=new, name=name: all(  # type: ignore[misc]
            gateways.carries(peer, new, old) for peer in gateways.peers(name)
        ))  # fmt: skip
        gateways.finish(name, old, new)
        gateways.check_rotated(name, old, new)
        before = [text.replace(old, new) for text in before]
        assert texts(gateways, backend) == before
        assert all(old not in gateways.text("gw2", path) for path in BACKENDS[backend].kept)
    old, new = gateways.stage("gw2")
    gateways.swap("gw2")
    gateways.until(lambda: all(gateways.carries(peer, new, old) for peer in ("gw1", "gw3")))
    gateways.finish("gw2", old, new)
    gateways.check_rotated("gw2", old, new)
    holding = gateways.mesh.run("gw2", f"stat -c '%a %U' {BACKENDS[backend].files[-1]}").split()
    assert holding in (["600", "root"], ["640", "root"])
    seen = gateways.observe("gw2")
    gateways.mesh.run("gw2", f"systemctl restart {BACKENDS[backend].unit}")
    gateways.mesh.wait()
    assert gateways.observe("gw2")["stored"] == seen["stored"]
    gateways.reboot("gw2")
    gateways.mesh.wait()
    again = gateways.observe("gw2")
    assert (again["file"], again["runtime"], again["stored"]) == (seen["file"], seen["file"], seen["stored"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_demanded_is_what_it_has(gateways: Gateways, backend: str) -> None:
    other = next(name for name in BACKENDS if name != backend)
    assert gateways.do("gw2", "look", backend=backend)["backend"] == backend
    with pytest.raises(Exception, match=f"backend is {other}, but wg0 is set up by .* of {backend}"):
        gateways.do("gw2", "look", backend=other)
