# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input, and two administrators at once: one clear sentence, and nothing is changed."""

from __future__ import annotations

import base64
import sqlite3
import typing as t

import pytest
from integration.gateways.site import Site
from integration.processes import started

pytestmark = pytest.mark.timeout(1800)

PASSWORD = "p4ssw0rd-of-the-Database"
LOW_ORDER = base64.b64encode(bytes(32)).decode()


def stopped(site: Site, done: t.Any, *words: str) -> None:
    said = " ".join(done.output.split())
    assert done.code != 0, said
    for word in words:
        assert word in said, said


def test_names(site: Site) -> None:
    """Nobody, somebody unknown, and a confirmation that does not match."""
    before, view = site.fingerprints(), site.view()
    stopped(site, site.rotate("gw1", confirm="gw2"), "The confirmation gw2 is not gw1. Nothing was changed;")
    stopped(site, site.rotate("gw9"), "The directory has no gateway gw9; it has gw1, gw2, gw3. Nothing was changed.")
    stopped(site, site.rotate(""), "Name the gateway (gateway=gw1), several of them, or all. Nothing was changed.")
    emergency = site.rotate("gw9", mode="emergency")
    stopped(site, emergency, "The directory has no gateway gw9")
    aborted = site.abort("gw1", confirm="gw2")
    stopped(site, aborted, "The confirmation gw2 is not gw1.")
    for done in (emergency, aborted, site.rotate("gw9")):
        assert not [one for one in done.results if one["action"].endswith("gateway_info")], "a gateway was contacted"
    assert site.fingerprints() == before
    assert site.view() == view


def test_directory(site: Site) -> None:
    """Out of reach, made by a newer version, not there."""
    before = site.fingerprints()
    closed = {"VPNOPS_KEYS_DIRECTORY_URL": f"postgresql://keys:{PASSWORD}@127.0.0.1:9/keys"}
    done = site.rotate("gw1", env=closed, arguments=["-vvvv"])
    stopped(site, done, "127.0.0.1")
    assert PASSWORD not in done.output
    database = sqlite3.connect(site.database)
    tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
    version = next(name for name in tables if "version" in name)
    with database:
        database.execute(f"update {version} set version_num = '9999'")
    database.close()
    stopped(site, site.rotate("gw1"), "newer")
    none = {"VPNOPS_KEYS_DIRECTORY_URL": f"sqlite:///{site.path}/none.db"}
    missing = site.rotate("gw1", env=none)
    stopped(site, missing, "There is no directory")
    for one in (done, missing):
        assert not [task for task in one.results if task["action"].endswith("gateway_info")], "a gateway was contacted"
    assert site.fingerprints() == before


KEYS = {
    "malformed": ("bad_public_key", "not base64 at all"),
    "low order": ("bad_public_key", LOW_ORDER),
}


@pytest.mark.parametrize("what", KEYS)
def test_public_key(what: str, site: Site) -> None:
    code, key = KEYS[what]
    peer = {"name": "gw1", "platform": "wireguard", "current": key, "known": [site.own("gw1")]}
    before = site.fingerprints()
    module = {"interface": "wg0", "gateway": "{{ inventory_hostname }}", "peers": [peer]}
    done = site.node.run([{"vpnops.keys.gateway_peers": module, "become": True}], "--limit", "gw2")
    result = done.result("gateway_peers", "gw2")
    assert not result["changed"]
    assert [entry["gateway"] for entry in result["refused"]] == ["gw1"]
    assert result["refused"][0]["why"].startswith("Peer gw1: This is not a public key")
    assert result["refused"][0]["why"].endswith("It was excluded.")
    enter = {"vpnops.keys.key_directory": {"gateways": [{"name": "gw8", "platform": "wireguard", "public_key": key}]}}
    done = site.node.run([{**enter, "delegate_to": "localhost", "become": False}], "--limit", "gw2")
    assert done.error("key_directory")[0] == code
    assert site.fingerprints() == before


def test_a_key_used_twice(site: Site) -> None:
    """A peer must not get the key of the gateway itself, nor two gateways the same."""
    before = site.fingerprints()
    key = site.own("gw2")
    peer = {"name": "gw1", "platform": "wireguard", "current": key, "known": [site.own("gw1")]}
    module = {"gateway": "{{ inventory_hostname }}", "peers": [peer]}
    done = site.node.run([{"vpnops.keys.gateway_peers": module, "become": True}], "--limit", "gw2,gw3")
    for host in ("gw2", "gw3"):
        refused = done.result("gateway_peers", host)["refused"]
        assert [entry["gateway"] for entry in refused] == ["gw1"]
        assert "It was excluded" in refused[0]["why"], refused
    assert site.fingerprints() == before


def test_two_administrators(site: Site) -> None:
    """The second is told who the first is, as long as that one's process lives; then, or on demand, it goes on."""
    env = {"RUN_BEFORE": "Activate the new key", "RUN": f"touch {site.path}/there; exec sleep 800",
           "ANSIBLE_CALLBACKS_ENABLED": "meanwhile"}  # fmt: skip
    site.node.environment.update(env)
    with started(site.node, "vpnops.keys.regenerate_gateway", "-e", "gateway=gw1", "-e", "confirm=gw1") as first:
        while not (site.path / "there").exists():
            assert first.poll() is None, first.stdout and first.stdout.read()
        for name in env:
            del site.node.environment[name]
        before = site.fingerprints()
        second = site.rotate("gw1")
        code, sentence = second.error("Start or resume the rotation")
        assert code == "held"
        assert "gw1 is being rotated by root on" in sentence
        assert "Nothing was changed" in sentence, sentence
        assert site.fingerprints() == before
        taken = site.rotate("gw1", take_over="true")
        assert taken.code == 0, taken.output
    assert len(site.keys("gw1")) == 2
    site.assert_whole()
