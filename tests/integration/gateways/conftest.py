# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Meshes that the tests of a worker share, and sites that are enrolled already."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from integration.gateways.site import Site

from lab.gateways import Mesh, available

Make = Callable[..., Site]
GATEWAYS = 4


class Meshes:
    """One mesh for each platform, from its first use to the end, and the directory of each enrolment."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.up: dict[str, Mesh] = {}
        self.enrolled: dict[tuple[str, ...], Path] = {}

    def fresh(self, platform: str) -> Mesh:
        """That mesh as it was just after its start."""
        if platform in self.up:
            self.up[platform].reset()
        else:
            mesh = Mesh(GATEWAYS, platform=platform, directory=self.place / platform)  # type: ignore[arg-type]
            self.up[platform] = mesh.up()
        return self.up[platform]

    def enrol(self, site: Site) -> None:
        """Give a site its directory. The keys of a mesh are the same after each reset, so once is enough."""
        key = (site.mesh.plan.platform, *site.names)
        if key not in self.enrolled:
            done = site.play("enroll_gateways")
            assert done.code == 0, done.output
            self.enrolled[key] = self.place / "-".join(key)
            self.enrolled[key].mkdir()
            for path in site.path.glob("directory.db*"):
                shutil.copy(path, self.enrolled[key])
        for path in self.enrolled[key].iterdir():
            shutil.copy(path, site.path)


@pytest.fixture(scope="session")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meshes]:
    if reason := available():
        pytest.skip(reason)
    made = Meshes(tmp_path_factory.mktemp("meshes"))
    yield made
    for mesh in made.up.values():
        mesh.down()


@pytest.fixture
def make_site(meshes: Meshes, tmp_path: Path) -> Make:
    """A site of some gateways of a fresh mesh, enrolled unless told otherwise."""

    def make(platform: str = "wireguard", gateways: int = 3, enrolled: bool = True) -> Site:
        mesh = meshes.fresh(platform)
        site = Site(mesh, mesh.names[:gateways], tmp_path)
        if enrolled:
            meshes.enrol(site)
        return site

    return make


@pytest.fixture
def site(make_site: Make) -> Site:
    """Three WireGuard gateways."""
    return make_site()
