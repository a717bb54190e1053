# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateways with kernels of their own, enrolled, and a table of what each change of a key cost them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from integration.control_node import Run
from integration.gateways.conftest import Meshes
from integration.gateways.site import Site

from lab.gateways import GatewayLabError, Mesh, Traffic
from lab.gateways.traffic import Result
from lab.kernel import Machines, available

SUITES = ("bookworm", "trixie", "bookworm")
CALM = 1.5
"""Seconds of traffic before and after."""
RATE = 200
ROW = "{0:<34} {1:>7} {2:>7} {3:>10} {4:>7} {5:>6}"
TABLE = pytest.StashKey[list[str]]()


class Cost:
    """Traffic while something is done, and what became of it."""

    def __init__(self, table: list[str]) -> None:
        self._table = table

    def of(self, title: str, site: Site, do: Callable[[], Run], source: str = "gw3", target: str = "gw1") -> Result:
        """Packets between the networks behind two gateways meanwhile."""
        with Traffic(site.mesh, source, target, RATE) as traffic:
            time.sleep(CALM)
            began = time.monotonic()
            done = do()
            took = time.monotonic() - began
            time.sleep(CALM)
            result = traffic.stop()
        lost = f"{result.there.lost}/{result.back.lost}"
        cost = (lost, result.there.sent, f"{result.silence_ms:.0f} ms", f"{took:.0f} s", f"{os.getloadavg()[0]:.1f}")
        self._table.append(ROW.format(title, *cost))
        print(self._table[-1])
        assert done.code == 0, done.output
        return result


class Kernels(Meshes):
    """As Meshes, one platform at a time: a machine takes half a gigabyte."""

    last: Site | None = None

    def fresh(self, platform: str) -> Mesh:
        for other in set(self.up) - {platform}:
            self.up.pop(other).down()
        return super().fresh(platform)

    def make(self, platform: str) -> Mesh:
        return Machines(SUITES, platform=platform, directory=self.place / platform)  # type: ignore[arg-type]

    def site(self, platform: str, path: Path) -> Site:
        """One that is enrolled: the one of the last test, where that is whole, since a start takes a minute."""
        if not (self.last and self.last.mesh.plan.platform == platform and is_whole(self.last)):
            mesh = self.fresh(platform)
            self.last = Site(mesh, mesh.names, path)
            self.enroll(self.last)
        return self.last


def is_whole(site: Site) -> bool:
    """Whether everybody is on and has what the directory says."""
    try:
        site.assert_whole()
    except (AssertionError, GatewayLabError):
        return False
    return True


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = [ROW.format("", "lost", "of", "silence", "took", "load")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("kernel")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table = config.stash[TABLE]
    if len(table) > 1:
        terminalreporter.section("packets there/back, and the longest silence")
        terminalreporter.write_line("\n".join(table))


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernels]:
    if reason := available():
        pytest.skip(reason)
    made = Kernels(tmp_path_factory.mktemp("kernels"))
    try:
        yield made
    finally:
        for mesh in made.up.values():
            mesh.down()


@pytest.fixture(scope="session")
def cost(pytestconfig: pytest.Config) -> Cost:
    return Cost(pytestconfig.stash[TABLE])


@pytest.fixture
def site(kernels: Kernels, tmp_path: Path) -> Site:
    """Three WireGuard gateways."""
    return kernels.site("wireguard", tmp_path)


@pytest.fixture
def strongswan(kernels: Kernels, tmp_path: Path) -> Site:
    """Three strongSwan gateways."""
    return kernels.site("strongswan", tmp_path)
