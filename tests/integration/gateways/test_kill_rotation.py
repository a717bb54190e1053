# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rotation that is cut short at any step: the tunnels work, no key is lost, the next run uses the same key."""

from __future__ import annotations

import signal
import typing as t
from collections.abc import Callable

import pytest
from integration.control_node import Run
from integration.gateways.conftest import Make
from integration.gateways.site import Site, until

pytestmark = pytest.mark.timeout(1800)

KILLED = -signal.SIGKILL
PENDING = "wg pubkey < /var/lib/vpnops.keys/wireguard-wg0/pending.key"

# Where the controller dies, and what the directory says then about the rotation. Each run goes on where the one before
# died, so every step is both the last one of a run and the first one of the next.
CUTS = {
    "until the swap": {
        "within:Generate the next key (or reuse the staged one)": "prepared",
        "before:Record the next keys in the directory": "prepared",
        "within:Accept the new keys beside the old ones": "prepared",
        "before:Record which peers accept the new keys": "prepared",
        "before:Activate the new key": "staged",
    },
    "about the swap": {
        "within:Activate the new key": "staged",
        "before:Verify that tunnels use the new keys": "staged",
        "before:Confirm the new key": "staged",
        "before:Record that the new keys are in use and verified": "staged",
    },
    "after the swap": {
        "before:Accept only the new keys": "verified",
        "within:Accept only the new keys": "verified",
        "before:Destroy the old key": "verified",
        "before:Record the end of the rotation": "verified",
    },
}


def cut(site: Site, where: str, **options: t.Any) -> None:
    """Run a rotation that is killed there."""
    env = {"KILL_AT": where, "ANSIBLE_CALLBACKS_ENABLED": "record,kill"}
    killed = site.rotate("gw1", env=env, **options)
    assert killed.code == KILLED, f"{where} was never reached:\n{killed.output}"


def finish(site: Site, **options: t.Any) -> None:
    finished = site.rotate("gw1", **options)
    assert finished.code == 0, finished.output


@pytest.mark.parametrize("part", CUTS)
def test_killed_at_every_step(part: str, site: Site) -> None:
    old, made = site.own("gw1"), set()
    for where, state in CUTS[part].items():
        cut(site, where)
        assert site.state("gw1") == state, where
        site.assert_tunnels(within=3)
        made |= set(site.mesh.run("gw1", PENDING, check=False).split())
    finish(site)
    new = site.own("gw1")
    assert site.keys("gw1") == [new, old], "more than one new key was made"
    assert made <= {new}
    site.assert_whole()


def test_killed_strongswan(make_site: Make) -> None:
    site = make_site("strongswan", 2)
    old = site.own("gw1")
    steps = ("Accept the new keys beside the old ones", "Activate the new key")
    for where in (*(f"within:{step}" for step in steps), "before:Destroy the old key"):
        cut(site, where)
        site.assert_tunnels(within=3)
    finish(site)
    assert site.keys("gw1") == [site.own("gw1"), old]
    site.assert_whole()


@pytest.mark.parametrize("platform", ["wireguard", "strongswan"])
def test_the_gateway_goes_back_by_itself(platform: str, make_site: Make) -> None:
    """Nobody confirms the change: the old key comes back, and the next run uses the same new one."""
    site = make_site(platform, 2)
    old = site.own("gw1")
    cut(site, "before:Gather which keys the tunnels use", confirm_timeout=6)
    new = site.rotation("gw1")["new"]["public_key"]  # type: ignore[index]
    until(lambda: site.own("gw1") == old, 15, lambda: "the old key never came back")
    site.assert_tunnels()
    finish(site)
    assert site.own("gw1") == new
    site.assert_whole()


@pytest.mark.parametrize("where", ["before:Activate the new key", "before:Gather which keys the tunnels use"])
def test_the_gateway_reboots(where: str, make_site: Make) -> None:
    site = make_site(gateways=2)
    old = site.own("gw1")
    cut(site, where)
    site.mesh.reboot("gw1")
    assert site.own("gw1") == old, "a key that was not confirmed survived a restart"
    site.assert_tunnels()
    finish(site)
    assert site.keys("gw1") == [site.own("gw1"), old]
    site.assert_whole()


def test_ssh_is_cut_during_the_swap(make_site: Make) -> None:
    """The way to the gateway is gone from the swap on: it goes back, and the next run finishes."""
    site = make_site(gateways=2)
    old = site.own("gw1")
    env = {"RUN_BEFORE": "Gather which keys the tunnels use", "RUN": _no_ssh(site, "gw1")}
    env["ANSIBLE_CALLBACKS_ENABLED"] = "record,meanwhile"
    done = site.rotate("gw1", env=env, confirm_timeout=8)
    assert done.code != 0
    assert "gw1 could not be observed after the change (unreachable" in done.output, done.output
    until(lambda: site.own("gw1") == old, 15, lambda: "the old key never came back")
    site.assert_tunnels()
    site.mesh.ssh_back("gw1")
    finish(site)
    assert site.keys("gw1") == [site.own("gw1"), old]
    site.assert_whole()


def _no_ssh(site: Site, name: str) -> str:
    return " ".join([*site.mesh.enter(name), "sh -c 'systemctl stop ssh; pkill -x sshd; true'"])


def test_an_emergency_is_killed(make_site: Make) -> None:
    site = make_site(gateways=2)
    old = site.own("gw1")
    cut(site, "before:Activate the new key and destroy the old one", mode="emergency")
    assert not site.accepted("gw2", "gw1")
    finish(site, mode="emergency")
    assert site.keys("gw1") == [site.own("gw1"), old]
    site.assert_whole()


STEPS_OF_A_REVOCATION = (
    "Drop the revoked keys", "Record which peers have dropped them",
    "Report which peers may still accept the revoked keys",
)  # fmt: skip
STEPS_OF_AN_ABORT = (
    "Record that the rotation was rolled back", "Accept only the old keys", "Record which gateways store the old keys",
)  # fmt: skip


def killed(run: Callable[..., Run], where: str) -> None:
    """That run, which is killed before that task."""
    done = run("gw1", env={"KILL_AT": f"before:{where}", "ANSIBLE_CALLBACKS_ENABLED": "record,kill"})
    assert done.code == KILLED, f"{where} was never reached:\n{done.output}"


def test_a_revocation_is_killed_at_every_step(site: Site) -> None:
    """The same command again finishes it, and says that it was begun before."""
    old = site.own("gw1")
    for step in STEPS_OF_A_REVOCATION:
        killed(site.revoke, step)
    done = site.revoke("gw1")
    assert done.code == 0, done.output
    told = " ".join(done.output.split())
    assert "gw1: It was revoked before" in told
    assert "No peer accepts the old key any more." in told
    others = [name for name in site.names if name != "gw1"]
    assert not [name for name in others if old in site.stored(name)]
    assert not [name for name in others if site.pending(name)]


def test_an_abort_is_killed_at_every_step(make_site: Make) -> None:
    """The same command again finishes it, and says that it was begun before."""
    site = make_site()
    old = site.own("gw1")
    cut(site, "before:Activate the new key")
    new = (site.accepted("gw2", "gw1") - {old}).pop()
    for step in STEPS_OF_AN_ABORT:
        killed(site.abort, step)
    done = site.abort("gw1")
    assert done.code == 0, done.output
    assert "gw1: Its rotation was rolled back before" in " ".join(done.output.split())
    assert site.own("gw1") == site.own_file("gw1") == site.recorded("gw1") == old
    assert not [name for name in site.names if name != "gw1" and new in site.stored(name)]
    assert not [name for name in site.names if site.pending(name)]
