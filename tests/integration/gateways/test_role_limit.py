# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is not in the play, not there, or in the way: nobody is ever removed from anybody because of that."""

from __future__ import annotations

import typing as t

import pytest
from integration.gateways.conftest import Make
from integration.gateways.site import Site, until

pytestmark = pytest.mark.timeout(1800)

PLAN = "gateway_plan"


def assert_stored_by_all(site: Site) -> None:
    """Every gateway still has a key of every other one of the mesh."""
    for name in site.names:
        found = len(site.stored_in_runtime(name) if site.wireguard else site.stored_in_file(name))
        assert found >= len(site.mesh.names) - 1, name


def refused(site: Site, *sentences: str, **options: t.Any) -> str:
    """A rotation of gw1 that is refused with these words and changes nothing; all that it said."""
    before, view = site.fingerprints(), site.view()
    done = site.rotate("gw1", **options)
    assert done.code != 0, done.output
    code, sentence = done.error(PLAN)
    assert code == "refused"
    for words in (*sentences, "Nothing was changed."):
        assert words in sentence, sentence
    assert site.fingerprints() == before
    assert site.view() == view
    return sentence


def test_limit(make_site: Make) -> None:
    """Two of four in the play: the others keep what they have, and learn the key when they are converged."""
    site = make_site(gateways=4)
    old = site.own("gw1")
    before = site.fingerprints("gw3", "gw4")
    done = site.rotate("gw1", arguments=["--limit", "gw1,gw2"], minimum_share=30)
    assert done.code == 0, done.output
    assert site.fingerprints("gw3", "gw4") == before
    assert site.all_pending() == {"gw3": ["gw1"], "gw4": ["gw1"]}
    assert site.accepted("gw2", "gw1") == {site.own("gw1")} != {old}
    assert_stored_by_all(site)
    done = site.play("converge_gateways", "--limit", "gw3")
    assert done.code == 0, done.output
    assert site.all_pending() == {"gw4": ["gw1"]}
    assert site.play("converge_gateways").code == 0
    site.assert_whole()


def test_half_of_the_gateways_are_unreachable(make_site: Make) -> None:
    """Three peers, of which one is there: enough or not, as the administrator says."""
    site = make_site(gateways=4)
    site.mesh.no_ssh("gw3")
    site.mesh.no_ssh("gw4")
    few = "Only 1 of 3 peers can be updated now, but gateway_keys_minimum_share requires 34 %."
    refused(site, few, minimum_share=34)
    away = 'gw3, gw4 (unreachable: "Connection closed")'
    every = f"{away} cannot be updated now, but gateway_keys_unreachable=fail requires all peers."
    refused(site, every, unreachable="fail", minimum_share=10)
    done = site.rotate("gw1", minimum_share=33)
    assert done.code == 0, done.output
    assert away in " ".join(done.output.split())
    assert site.all_pending() == {"gw3": ["gw1"], "gw4": ["gw1"]}
    assert_stored_by_all(site)
    site.mesh.ssh_back("gw3")
    site.mesh.ssh_back("gw4")
    assert site.play("converge_gateways").code == 0
    site.assert_whole()


def test_a_peer_that_cannot_write(site: Site) -> None:
    """It is named before anything is changed. It stops the others only where all peers are wanted."""
    all_peers = "cannot be updated now, but gateway_keys_unreachable=fail requires all peers."
    site.mesh.read_only_etc("gw3")
    said = 'gw3 (it says "/etc/wireguard cannot be written: Read-only file system; fix that first.") '
    refused(site, said + all_peers, unreachable="fail")
    site.mesh.writable_etc("gw3")
    site.mesh.fill_disk("gw3")
    refused(site, "gw3 (", "No space left on device", all_peers, unreachable="fail")
    site.mesh.empty_disk("gw3")
    site.node.hosts["gw3"]["ansible_user"] = "observer"
    refused(site, "gw3 (", all_peers, unreachable="fail")
    done = site.rotate("gw1")
    assert done.code == 0, done.output
    assert site.all_pending() == {"gw3": ["gw1"]}
    del site.node.hosts["gw3"]["ansible_user"]
    assert site.play("converge_gateways").code == 0
    site.assert_whole()


def test_a_target_that_cannot_write(site: Site) -> None:
    site.mesh.read_only_etc("gw1")
    refused(site, 'gw1: it says "/etc/wireguard cannot be written: Read-only file system')
    site.mesh.writable_etc("gw1")
    site.mesh.fill_disk("gw1")
    refused(site, "gw1: ", "No space left on device")
    site.mesh.empty_disk("gw1")
    assert site.rotate("gw1").code == 0
    site.assert_whole()


def break_in_the_middle(site: Site, task: str, script: str, name: str) -> dict[str, str]:
    command = " ".join([*site.mesh.enter(name), "sh", "-c", f"'{script}'"])
    return {"RUN_BEFORE": task, "RUN": command, "ANSIBLE_CALLBACKS_ENABLED": "record,meanwhile"}


def test_a_peer_breaks_in_the_middle(site: Site) -> None:
    """After the check, before it is told the new key: the others go on, and it is told later."""
    env = break_in_the_middle(site, "Accept the new keys beside the old ones", "mount -o remount,ro /etc", "gw3")
    old = site.own("gw1")
    done = site.rotate("gw1", env=env, minimum_share=50)
    code, sentence = done.error("Accept the new keys beside the old ones", "gw3")
    assert code == "save_failed"
    assert "/etc/wireguard/wg0.conf cannot be written" in sentence
    assert site.accepted("gw3", "gw1") == {old}
    assert_stored_by_all(site)
    site.mesh.writable_etc("gw3")
    assert site.rotate("gw1").code == 0 if site.rotation("gw1") else site.play("converge_gateways").code == 0
    assert len(site.keys("gw1")) == 2
    site.assert_whole()


def test_the_target_breaks_in_the_middle(site: Site) -> None:
    """When the new key is in use and shall be kept, /etc is read-only: the old one comes back in time."""
    env = break_in_the_middle(site, "Confirm the new key", "mount -o remount,ro /etc", "gw1")
    old = site.own("gw1")
    done = site.rotate("gw1", env=env, confirm_timeout=8)
    assert done.code != 0, done.output
    assert "/etc/wireguard/wg0.conf cannot be written" in done.error("Confirm the new key", "gw1")[1]
    until(lambda: site.own("gw1") == old, 15, lambda: "the old key never came back")
    site.assert_tunnels()
    site.mesh.writable_etc("gw1")
    assert site.rotate("gw1").code == 0
    assert len(site.keys("gw1")) == 2
    site.assert_whole()


def test_wrong_password(site: Site) -> None:
    site.node.hosts["gw1"]["ansible_become_password"] = "wrong"
    sentence = refused(site, "gw1: ")
    assert "password" in sentence, sentence


def test_no_power(site: Site) -> None:
    site.node.hosts["gw1"]["ansible_user"] = "observer"
    refused(site, "gw1: ")
