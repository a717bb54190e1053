# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Meshes that the tests of a worker share, and sites that are enrolled already."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from integration.gateways.site import Site

from lab.gateways import Mesh, available
from lab.gateways.backends import BACKENDS

Make = Callable[..., Site]
HERE = Path(__file__).parent
GATEWAYS = 4
BRIEF = {
    "test_awx_jobs.py": ("test_every_variable_is_known_here",),
    "test_call_in.py": ("test_a_liar_is_refused_and_the_others_are_installed[the token of another]",),
    "test_fetch.py": (),
    "test_interrupted.py": (),
    "test_kill_rotation.py": (),  # that a gateway goes back by itself is in test_wireguard_platform.py, too
    "test_lab.py": (
        "test_systemd_runs_and_nothing_failed",
        "test_a_gateway_sees_nothing_of_the_machine_but_its_system",
        "test_a_command_that_fails_says_where_and_why",
        "test_a_cut_gateway_is_off_for_its_peers_and_not_for_ssh",
        "test_reset_brings_everything_back",
        "test_strongswan_proves_its_keys",
        "test_nothing_is_left_when_the_start_fails",
    ),
    "test_lab_tampered.py": ("test_what_arrives_is_the_mutation[True]",),
    "test_mixed_backends.py": ("test_a_backend_that_is_demanded_and_not_there_is_refused_in_one_sentence",),
    "test_role_check.py": (),  # each task's prediction is in test_wireguard_platform.py and in tests/unit/fleet
    "test_role_emergency.py": ("test_peers_drop_the_key_first[wireguard]",),
    "test_role_enroll.py": (),  # every site is enrolled, and molecule enrolls one
    "test_role_input.py": ("test_public_key[low order]", "test_a_key_used_twice"),
    "test_role_limit.py": ("test_wrong_password",),
    "test_role_rotation.py": ("test_one[strongswan]",),
    "test_role_status.py": ("test_next_contact",),
    "test_tampered.py": (
        "test_another_gateways_key_is_not_entered",
        "test_a_key_without_its_private_half_is_not_enrolled[gw4-wireguard]",
        "test_nonsense_is_the_liars_own_problem[malformed gateway-status]",
        "test_a_play_that_gathers_facts[gw1-status]",
    ),
    "test_witnesses.py": (),  # tests/unit/directory/test_trust.py goes back in every way
    "test_second_interface.py": ("test_strict_rp_filter_is_refused",),
    "test_secrets_gateways.py": ("test_nothing_is_told_by_failures",),
}
"""What `make test` runs of the files that take long. The rest of them is thorough."""
OTHERS = tuple(BACKENDS)[1:]
"""What differs between backends is in tests/unit/gateway/wireguard, and in test_backends_platform.py."""
LONG = re.compile("kill|reboot|cost|silence|at_once|same_time|start_action|2000_packets|traffic|command_line")
"""So are those of the other files that kill and reboot, or measure what a machine with other work cannot keep."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE not in item.path.parents:  # pytest hands over those of other directories, too
            continue
        brief = BRIEF.get(item.path.name)
        name = item.name.partition("[")[0]
        if item.path.name == "test_wireguard_platform.py" and any(f"[{backend}" in item.name for backend in OTHERS):
            item.add_marker("thorough")
        if LONG.search(name) if brief is None else not {item.name, name} & set(brief):
            item.add_marker("thorough")


class Meshes:
    """One mesh for each platform, from its first use to the end, and the directory of each enrollment."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.up: dict[str, Mesh] = {}
        self.enrolled: dict[tuple[str, ...], Path] = {}

    def fresh(self, platform: str) -> Mesh:
        """That mesh as it was just after its start."""
        if platform in self.up:
            self.up[platform].reset()
        else:
            self.up[platform] = self.make(platform).up()
        return self.up[platform]

    def make(self, platform: str) -> Mesh:
        return Mesh(GATEWAYS, platform=platform, directory=self.place / platform)  # type: ignore[arg-type]

    def enroll(self, site: Site) -> None:
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
            meshes.enroll(site)
        return site

    return make


@pytest.fixture
def site(make_site: Make) -> Site:
    """Three WireGuard gateways."""
    return make_site()
