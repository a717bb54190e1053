# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A planned rotation of one gateway, several, all: known everywhere, nothing else touched, the old key refused."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone

import pytest
from integration.control_node import Run
from integration.gateways import thief
from integration.gateways.conftest import Make
from integration.gateways.site import Site

pytestmark = pytest.mark.timeout(1800)

KEY_LINE = re.compile(r"^(PrivateKey|PublicKey) = \S+$", re.MULTILINE)
PEM_BODY = re.compile("(?<=KEY-----\n).+?(?=\n-----END)", re.DOTALL)


def without_keys(text: str) -> str:
    return PEM_BODY.sub("", KEY_LINE.sub(r"\1", text))


@pytest.mark.parametrize("platform", ["wireguard", "strongswan"])
def test_one(platform: str, make_site: Make) -> None:
    site = make_site(platform)
    old, stolen = site.own("gw1"), thief.steal(site.mesh)
    before = {name: site.configuration(name) for name in site.names}
    assert thief.gets_in(site.mesh, "gw4", "gw3", stolen), "the thief is no good"
    done = site.rotate("gw1")
    assert done.code == 0, done.output
    assert done.output.count("Outcome\n") == 1, "the outcome is said once, with the tunnels that were verified"
    assert site.keys("gw1") == [site.own("gw1"), old]
    assert [site.serial(name) for name in site.names] == [2, 1, 1]
    site.assert_whole()
    for name in site.names:
        after = site.configuration(name)
        assert after.keys() == before[name].keys()
        for path, (rights, text) in after.items():
            assert rights == before[name][path][0], path
            assert without_keys(text) == without_keys(before[name][path][1]), path
        changed = [path for path in after if after[path][1] != before[name][path][1]]
        assert len(changed) <= 2, changed
    assert not thief.gets_in(site.mesh, "gw4", "gw3", stolen)
    assert thief.gets_in(site.mesh, "gw4", "gw3", thief.steal(site.mesh)), "the thief is no good any more"


def test_several_and_all(make_site: Make) -> None:
    """Two at once, then all of three, where each is a peer of each other one; and a run again is another rotation."""
    site = make_site()
    done = site.rotate("gw1", "gw3")
    assert done.code == 0, done.output
    assert [site.serial(name) for name in site.names] == [2, 1, 2]
    site.assert_whole()
    done = site.rotate("all")
    assert done.code == 0, done.output
    assert [site.serial(name) for name in site.names] == [3, 2, 3]
    site.assert_whole()


def test_all_strongswan(make_site: Make) -> None:
    site = make_site("strongswan", 2)
    done = site.rotate("all")
    assert done.code == 0, done.output
    assert [site.serial(name) for name in site.names] == [2, 2]
    site.assert_whole()


def due(site: Site, *arguments: str, **more: object) -> Run:
    """rotate_due, with a period in which every key is due from its first day."""
    extra = {f"gateway_keys_{name}": value for name, value in more.items()}
    extra |= {"gateway_keys_periods": {"gateway": {"days": 1, "due_days": 1}}, "gateway_keys_settle_timeout": 20}
    return site.play("rotate_due", *arguments, "-e", json.dumps(extra))


def test_what_is_due(make_site: Make) -> None:
    """No more than asked for, none that is unreachable, none outside of the window or named, and the rest at the next
    run; the directory says why."""
    site = make_site(gateways=4)
    hour = datetime.now(timezone.utc).hour
    closed = due(site, window=[f"{(hour + 2) % 24:02}:00-{(hour + 3) % 24:02}:00"])
    assert closed.code == 0, closed.output
    assert "the maintenance window is closed: gw1, gw2, gw3, gw4" in " ".join(closed.output.split())
    assert "is due" in site.play("rotate_due").output
    named = due(site, targets=["gw1"], confirm=["gw1"])
    assert named.code == 2
    assert "This run chooses the gateways itself. Nothing was changed" in " ".join(named.output.split())
    assert [site.serial(name) for name in site.names] == [1, 1, 1, 1]
    site.mesh.no_ssh("gw1")
    done = due(site, max_gateways="2")
    assert done.code == 0, done.output
    said = " ".join(done.output.split())
    assert "Skipped, although their keys are due: gw1 (unreachable" in said
    assert "because the maximum number of gateways in one run is reached: gw4." in said
    assert [site.serial(name) for name in site.names] == [1, 2, 2, 1]
    reasons = [one["why"] for one in site.view()["events"] if one["what"] == "prepared"]
    assert reasons == ["The period of the key ends."] * 2


STEPS = {
    "before:Record the next keys in the directory": "prepared",
    "before:Activate the new key": "staged",
    "before:Confirm the new key": "staged",
    "before:Destroy the old key": "verified",
}


@pytest.mark.parametrize("where", STEPS)
def test_abort(where: str, make_site: Make) -> None:
    """From every state the old key comes back everywhere, and the new one is never used again."""
    site = make_site(gateways=2)
    old = site.own("gw1")
    env = {"KILL_AT": where, "ANSIBLE_CALLBACKS_ENABLED": "record,kill"}
    killed = site.rotate("gw1", env=env)
    assert site.state("gw1") == STEPS[where], killed.output
    new = (site.rotation("gw1") or {})["new"]
    done = site.abort("gw1")
    assert done.code == 0, done.output
    assert site.recorded("gw1") == old
    site.assert_whole()
    if STEPS[where] == "verified":
        done = site.rotate("gw1")
        assert done.code == 0, done.output
        assert site.keys("gw1") == [site.own("gw1"), new["public_key"], old]
        site.assert_whole()


def test_abort_strongswan(make_site: Make) -> None:
    site = make_site("strongswan", 2)
    old = site.own("gw1")
    env = {"KILL_AT": "before:Destroy the old key", "ANSIBLE_CALLBACKS_ENABLED": "record,kill"}
    site.rotate("gw1", env=env)
    assert site.own("gw1") != old
    done = site.abort("gw1")
    assert done.code == 0, done.output
    assert site.recorded("gw1") == old
    site.assert_whole()


def test_too_late_to_abort(make_site: Make) -> None:
    """The old key is destroyed already: no peer is told to accept it again."""
    site = make_site(gateways=2)
    env = {"KILL_AT": "before:Record the end of the rotation", "ANSIBLE_CALLBACKS_ENABLED": "record,kill"}
    site.rotate("gw1", env=env)
    before = site.fingerprints()
    done = site.abort("gw1")
    assert done.code != 0
    assert done.error("gateway_plan")[1].startswith("The old key of gw1 is destroyed and cannot come back;")
    assert site.fingerprints() == before


def test_nothing_to_abort(site: Site) -> None:
    before = site.fingerprints()
    done = site.abort("gw1")
    assert done.code != 0
    sentence = "No rotation of gw1 is open, so there is none to abort. Nothing was changed."
    assert done.error("gateway_plan") == ("refused", sentence)
    assert site.fingerprints() == before
