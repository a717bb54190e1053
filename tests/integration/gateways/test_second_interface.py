# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The strategy second_interface: nothing is lost, nothing is left, and whatever breaks, the tunnels work."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from integration.gateways.conftest import Make
from integration.gateways.site import Data, Site, until

from lab.gateways import Traffic
from lab.gateways.traffic import Result

STALLED = 0.1
"""Seconds. A sender that sends nothing for so long, instead of 5 ms, was given no time by the machine."""
AFTERMATH = 1.5
"""Seconds around a stall in which packets that waited meanwhile may overflow a queue."""
SHAPE = """ip rule; ip route show table all; ip -6 rule; ip -6 route show table all; ip -o address | sed 's/^[0-9]*//'
ls /run/wireguard /etc/wireguard; pgrep -c wireguard-go"""
MODULE = "vpnops.keys.gateway_bridge"


def shape(site: Site) -> dict[str, str]:
    """Interfaces, addresses, routes and daemons of every gateway."""
    return {name: site.mesh.run(name, SHAPE) for name in site.names}


def bridged(site: Site, name: str) -> set[str]:
    """To whom a gateway sends by the second interface."""
    found = set()
    for other in site.names:
        if other != name and "dev wg0b" in site.mesh.run(name, f"ip route get {site.mesh.address(other)}", check=False):
            found.add(other)
    return found


def gone(site: Site) -> bool:
    return not any("wg0b" in text for text in shape(site).values())


def rotate(site: Site, *names: str, **options: t.Any) -> None:
    done = site.rotate(*names, strategy="second_interface", **options)
    assert done.code == 0, done.output


def cut(site: Site, where: str, *names: str) -> None:
    env = {"KILL_AT": where, "ANSIBLE_CALLBACKS_ENABLED": "record,kill"}
    done = site.rotate(*names, strategy="second_interface", env=env)
    assert done.code == -9, f"{where} was never reached:\n{done.output}"


def assert_nothing_lost(result: Result) -> None:
    """But for packets that a machine standing still has lost, as the senders' own clocks tell: the tunnel has no
    part in those."""
    for stream in result.raw:
        sent, received = stream["sent"], {number for number, dummy in stream["received"]}
        stalls = [when for before, when in pairwise(sent) if when - before > STALLED]
        lost = [when for number, when in enumerate(sent) if number not in received]
        unexplained = [when for when in lost if all(abs(when - stall) > AFTERMATH for stall in stalls)]
        assert not unexplained, (result.summary(), [round(when - sent[0], 2) for when in unexplained], stalls)


@pytest.mark.parametrize("names", [("gw1",), ("gw1", "gw2", "gw3")], ids=["one", "all"])
def test_nothing_is_lost_and_nothing_is_left(names: tuple[str, ...], site: Site) -> None:
    before = shape(site)
    old = {name: site.own(name) for name in names}
    with Traffic(site.mesh, "gw2", "gw1") as one, Traffic(site.mesh, "gw1", "gw3") as other:
        rotate(site, *names)
        results = one.stop(), other.stop()
    for result in results:
        assert result.there.sent > 200
        assert_nothing_lost(result)
    assert shape(site) == before
    assert all(site.own(name) != key for name, key in old.items())
    site.assert_whole()


def test_an_unreachable_peer_is_left_for_later(site: Site) -> None:
    site.mesh.stop("gw3")
    with Traffic(site.mesh, "gw2", "gw1") as traffic:
        rotate(site, "gw1", minimum_share=0)
        assert_nothing_lost(traffic.stop())
    site.mesh.start("gw3")
    assert site.play("converge_gateways").code == 0
    site.assert_whole()
    assert gone(site)


@contextmanager
def rp_filter(site: Site, **values: int) -> Iterator[None]:
    """Settings of gw2; they would outlive its reboot, as the network does."""
    before = site.mesh.run("gw2", "sysctl net.ipv4.conf.all.rp_filter").replace(" ", "")
    for place, value in values.items():
        site.mesh.run("gw2", f"sysctl -qw net.ipv4.conf.{place}.rp_filter={value}")
    try:
        yield
    finally:
        site.mesh.run("gw2", f"sysctl -qw {before}")


def test_strict_rp_filter_is_refused(site: Site) -> None:
    with rp_filter(site, all=0, wg0=1):
        before = site.fingerprints()
        done = site.rotate("gw1", strategy="second_interface", unreachable="fail")
    assert done.code != 0
    assert "rp_filter is strict (1) on wg0" in " ".join(done.output.split())
    assert site.fingerprints() == before
    assert site.rotation("gw1") is None


OBSTACLES = {
    "UDP port 51821 is in use": "setsid nc -u -l -p 51821 </dev/null >/dev/null 2>&1 & sleep 0.3",
    "sets Table or FwMark": "sed -i 's/^.Interface.$/&\\nTable = 100/' /etc/wireguard/wg0.conf",
    "sets up a packet filter": "sed -i 's/^.Interface.$/&\\nPostUp = nft -f x/' /etc/wireguard/wg0.conf",
    "an interface wg0b already": "ip link add wg0b type veth peer name other",
    "a default route in its AllowedIPs": "wg set wg0 peer $(wg show wg0 peers | head -1) allowed-ips 0.0.0.0/0",
}


def test_what_is_in_the_way_is_said(site: Site) -> None:
    assert obstacles(site) == []
    for script in OBSTACLES.values():
        site.mesh.run("gw2", script)
    with rp_filter(site, all=1, wg0=0):
        found = obstacles(site)
    site.mesh.run("gw2", "ip link del wg0b")
    expected = [*OBSTACLES, "rp_filter is strict (1) on wg0"]
    assert [part for part in expected if not any(part in sentence for sentence in found)] == []
    assert len(found) == len(expected)


def obstacles(site: Site) -> list[str]:
    observed = {"vpnops.keys.gateway_info": {"preflight": True, "second_port": 51821}, "become": True}
    return list(site.node.run([observed], "--limit", "gw2").result("gateway_info", "gw2")["obstacles"])


def test_a_peer_reboots_meanwhile(site: Site) -> None:
    """It costs seconds: the others take the traffic to it back, and only that."""
    old = site.own("gw1")
    cut(site, "before:Activate the new key", "gw1")
    assert bridged(site, "gw1") == {"gw2", "gw3"}
    site.mesh.reboot("gw2")
    until(lambda: bridged(site, "gw1") == {"gw3"}, 20, lambda: f"{bridged(site, 'gw1')} are sent to by wg0b")
    site.assert_tunnels()
    rotate(site, "gw1")
    assert site.keys("gw1") == [site.own("gw1"), old]
    site.assert_whole()
    assert gone(site)


@pytest.mark.parametrize(
    "where", ["within:Add a second interface", "before:Confirm the new key", "before:Destroy the old key"]
)
def test_killed_and_run_again(where: str, site: Site) -> None:
    old, before = site.own("gw1"), shape(site)
    cut(site, where, "gw1")
    assert not site.broken()
    rotate(site, "gw1")
    assert site.keys("gw1") == [site.own("gw1"), old]
    assert shape(site) == before
    site.assert_whole()


def test_killed_and_aborted(site: Site) -> None:
    old, before = site.own("gw1"), shape(site)
    cut(site, "before:Confirm the new key", "gw1")
    assert bridged(site, "gw1") == {"gw2", "gw3"}
    with Traffic(site.mesh, "gw2", "gw1") as traffic:
        done = site.abort("gw1")
        assert done.code == 0, done.output
        assert_nothing_lost(traffic.stop())
    assert site.own("gw1") == old
    assert shape(site) == before
    site.assert_whole()


# ---- the module by itself


def bridge(site: Site, *arguments: str, **options: t.Any) -> dict[str, Data]:
    """The module on all gateways; its results."""
    if options["state"] == "up":
        options |= {"gateway": "{{ inventory_hostname }}", "changing": ["gw1"], "peers": site.view()["peers"]}
    done = site.node.run([{MODULE: options, "become": True}], *arguments)
    assert done.code == 0, done.output
    return {name: done.result("gateway_bridge", name) for name in site.names}


def changed(results: dict[str, Data]) -> set[bool]:
    return {one["changed"] for one in results.values()}


def test_every_step_is_foretold_and_done_once(site: Site) -> None:
    before = shape(site)
    for state in ("up", "carrying", "idle", "absent"):
        was = shape(site)
        predicted = bridge(site, "--check", "--diff", state=state)
        assert shape(site) == was, state
        real = bridge(site, "--diff", state=state)
        assert changed(predicted) == changed(real) == {True}, state
        assert [predicted[name]["diff"] for name in site.names] == [real[name]["diff"] for name in site.names]
        assert changed(bridge(site, state=state)) == {False}, state
    assert shape(site) == before


def test_the_guard_removes_it_when_nobody_else_does(site: Site) -> None:
    before = shape(site)
    with Traffic(site.mesh, "gw2", "gw1") as traffic:
        bridge(site, state="up", guard_timeout=30)
        results = bridge(site, state="carrying")
        assert {name: one["carried"] for name, one in results.items()} == {
            "gw1": ["gw2", "gw3"],
            "gw2": ["gw1"],
            "gw3": ["gw1"],
        }
        until(lambda: gone(site), 90, lambda: "it is still there")
        assert_nothing_lost(traffic.stop())
    assert shape(site) == before
    assert site.mesh.run("gw1", "ls /run/vpnops.keys | grep json", check=False) == ""


def test_without_a_guard_absent_still_leaves_nothing(site: Site) -> None:
    before = shape(site)
    bridge(site, state="up")
    bridge(site, state="carrying")
    for name in site.names:
        site.mesh.run(name, "for f in /proc/[0-9]*/fd/*; do [ \"$(readlink $f)\" = /run/vpnops.keys/bridge-wg0.lock ] "
                            "&& p=${f#/proc/} && kill -9 ${p%%/*}; done; true")  # fmt: skip
    bridge(site, state="absent")
    assert shape(site) == before
    site.assert_tunnels()


def test_a_peer_without_one_stays_where_it_is(site: Site) -> None:
    """It is named, and nothing is sent to it into the void."""
    peers = site.view()["peers"]
    up = {"state": "up", "gateway": "{{ inventory_hostname }}", "changing": ["gw1"], "peers": peers}
    steps = [{MODULE: options, "become": True} for options in (up, {"state": "carrying"})]
    done = site.node.run(steps, "--limit", "gw1,gw2")
    result = done.result("gateway_bridge", "gw1")
    assert (result["carried"], result["left"]) == (["gw2"], ["gw3"])
    assert '"gw3" did not answer on wg0b' in " ".join(done.output.split())
    assert bridged(site, "gw1") == {"gw2"}
    assert not site.broken()


def test_strongswan_has_nothing_to_do(make_site: Make) -> None:
    site = make_site("strongswan", 2, enrolled=False)
    task = {MODULE: {"platform": "strongswan", "state": "absent"}, "become": True}
    done = site.node.run([task])
    assert done.code == 0, done.output
    assert not done.changed("gateway_bridge", "gw1")
