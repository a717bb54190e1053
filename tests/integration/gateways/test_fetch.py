# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway that was away learns a new key without any playbook: it fetches it."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator

import pytest
import yaml
from integration.control_node import Run
from integration.gateways import thief
from integration.gateways.conftest import Make
from integration.gateways.hooks import RESTART
from integration.gateways.site import Site, until
from unit.fetch.server import Server

from lab.gateways.net import inside

pytestmark = pytest.mark.timeout(1800)

OUTSIDE = "gw4"
"""It is none of the collection's; a web server is there."""


PLATFORMS = ("wireguard", "strongswan")


@pytest.fixture
def platform() -> str:
    return "wireguard"


@pytest.fixture
def site(platform: str, make_site: Make) -> Site:
    """Three gateways."""
    return make_site(platform)


@pytest.fixture
def server(site: Site) -> Iterator[Server]:
    """A web server that the gateways reach outside of their tunnels."""
    (site.path / "www").mkdir()
    with inside(site.mesh.namespace(OUTSIDE)):
        server = Server(site.path / "www", site.path, site.mesh.underlay(OUTSIDE))
    yield server
    server.stop()


def play(site: Site, *tasks: t.Any, arguments: t.Sequence[str] = ()) -> Run:
    path = site.path / "fetch.yml"
    path.write_text(yaml.safe_dump([{"hosts": "gateways", "gather_facts": False, "tasks": list(tasks)}]))
    return site.node.run(str(path), *arguments)


def publish(site: Site) -> dict[str, t.Any]:
    return {
        "vpnops.keys.key_directory_publish": {"path": str(site.path / "www")},
        "delegate_to": "localhost", "become": False, "run_once": True, "register": "published",
    }  # fmt: skip


def install(server: Server, **more: t.Any) -> dict[str, t.Any]:
    options = {
        "url": server.url, "ca": str(server.ca), "verify_key": "{{ published.verify_key }}", "interval": 10,
        "number": "{{ published.publication.number }}", "gateway": "{{ inventory_hostname }}",
        "platform": "{{ gateway_platform | default('wireguard') }}", "identity": "{{ gateway_id | default(omit) }}",
    }  # fmt: skip
    return {"vpnops.keys.gateway_fetch": {**options, **more}, "become": True}


def seen(site: Site, name: str) -> dict[str, t.Any]:
    path = site.mesh.path(name, "/var/lib/vpnops.keys/fetch/seen.json")
    return t.cast("dict[str, t.Any]", json.loads(path.read_text()) if path.exists() else {})


def fetched(site: Site, name: str, number: int) -> bool:
    found = seen(site, name)
    return bool(found.get("stored")) and found["number"] >= number


def installed(site: Site, server: Server) -> None:
    """All gateways fetch, and have fetched what the directory says."""
    made = play(site, publish(site), install(server))
    assert made.code == 0, made.output
    number = site.view()["directory"]["checkpoint"]["number"]
    for name in site.names:
        until(lambda name=name: fetched(site, name, number), 60, lambda name=name: str(seen(site, name)))  # type: ignore[misc]


def rotated(site: Site, *fetching: str, **more: t.Any) -> Run:
    """The key of gw1, with the playbook that publishes and tells these peers nothing."""
    return site.rotate("gw1", fetch_timeout=60, **publishing(site, *fetching), **more)


def publishing(site: Site, *fetching: str) -> dict[str, t.Any]:
    """Variables of a playbook that publishes."""
    return {"publish_path": str(site.path / "www"), "fetching_hosts": ",".join(fetching)}


def said(run: Run) -> str:
    """What it printed, however it was wrapped."""
    return " ".join(run.output.split())


def events(site: Site, what: str) -> list[dict[str, t.Any]]:
    return [one for one in site.view()["events"] if one["what"] == what]


def assert_no_secret(site: Site) -> None:
    told = b"".join(path.read_bytes() for path in (site.path / "www").rglob("*") if path.is_file())
    for name in site.names:
        assert site.private_key(name).encode() not in told
    assert site.path.joinpath("directory.db.key").read_text().split("\n")[1].encode() not in told


def test_next_contact_without_a_controller(site: Site, server: Server) -> None:
    """gw3 is off while gw1 changes its key. Back again, and closed to all playbooks, it fetches the new one."""
    predicted = play(site, publish(site), install(server), arguments=["--check", "--diff"])
    # Nothing is published yet, so the number and the key of what would be are predicted, too.
    assert predicted.code == 0, predicted.output
    assert not (site.path / "www/checkpoint").exists()
    made = play(site, publish(site), install(server), arguments=["--diff"])
    assert made.code == 0, made.output
    again = play(site, publish(site), install(server))
    assert again.code == 0, again.output
    assert not [name for name in site.names if again.changed("gateway_fetch", name)]
    first = site.view()["directory"]["checkpoint"]["number"]
    for name in site.names:
        until(lambda name=name: fetched(site, name, first), 60, lambda name=name: str(seen(site, name)))  # type: ignore[misc]
    old = site.own("gw1")
    site.mesh.stop("gw3")
    done = site.rotate("gw1")
    assert done.code == 0, done.output
    new = site.own("gw1")
    assert play(site, publish(site), arguments=["--limit", "gw2"]).code == 0
    site.mesh.start("gw3")
    site.mesh.no_ssh("gw3")
    until(lambda: site.accepted("gw3", "gw1") == {new} != {old}, 90, lambda: f"{seen(site, 'gw3')}")
    site.assert_tunnels()
    site.mesh.run("gw3", RESTART)
    assert site.accepted("gw3", "gw1") == {new}, "what was fetched does not hold after a restart"
    # WireGuard starts a new session 15 s after what it sent into the old one was not answered.
    site.assert_tunnels(within=20)
    assert_no_secret(site)
    number = site.view()["directory"]["checkpoint"]["number"]
    assert fetched(site, "gw3", number)
    # Whoever has the web server, and nothing else, takes nothing away.
    (site.path / "www/checkpoint").write_text("nonsense")
    until(lambda: seen(site, "gw3")["code"] == "tampered", 60, lambda: str(seen(site, "gw3")))
    assert site.accepted("gw3", "gw1") == {new}
    site.assert_tunnels()


def test_a_rotation_while_one_peer_is_told_and_another_one_fetches(site: Site, server: Server) -> None:
    installed(site, server)
    first = site.own("gw1")
    # Nobody can ask gw3: it has the time to fetch, and then its tunnel proves that it has the key.
    site.mesh.no_ssh("gw3")
    done = rotated(site, "gw3")
    assert done.code == 0, done.output
    assert "Fetch by themselves: gw3." in said(done)
    second = site.own("gw1")
    assert second == site.recorded("gw1") != first
    assert site.accepted("gw2", "gw1") == {second}
    site.assert_tunnels()
    until(lambda: site.accepted("gw3", "gw1") == {second}, 60, lambda: str(seen(site, "gw3")))
    assert site.all_pending() == {"gw3": ["gw1"]}, "somebody else acknowledged for gw3"
    [event] = events(site, "counted as fetched")
    assert event["details"] == {"peers": ["gw3"], "count": 1}
    # It can be asked again: it fetches at once and says so, and nobody waits for the deadline.
    site.mesh.ssh_back("gw3")
    done = rotated(site, "gw3")
    assert done.code == 0, done.output
    third = site.own("gw1")
    assert third != second
    assert len(events(site, "counted as fetched")) == 1
    site.assert_whole()
    # What is published does not arrive, and gw3 says so: gw1 changes nothing.
    server.folder = site.path / "nothing"
    done = rotated(site, "gw3", minimum_share=100)
    assert done.code == 2, done.output
    assert "gw3 may not accept it yet" in said(done)
    assert (site.own("gw1"), site.state("gw1")) == (third, "prepared")
    assert site.accepted("gw3", "gw1") == {third}
    site.assert_tunnels()
    server.folder = site.path / "www"
    done = rotated(site, "gw3", minimum_share=100)
    assert done.code == 0, done.output
    assert site.own("gw1") != third
    site.assert_whole()
    assert_no_secret(site)


def test_without_a_tunnel_that_proves_it_the_old_key_comes_back(site: Site, server: Server) -> None:
    """Nothing arrives, and nobody can be asked: peers are counted after the deadline, and counted again by tunnels."""
    installed(site, server)
    old = site.own("gw1")
    server.folder = site.path / "nothing"
    for name in ("gw2", "gw3"):
        site.mesh.no_ssh(name)
    done = rotated(site, "gw2", "gw3", confirm_timeout=30)
    assert done.code == 2, done.output
    assert "gw1 has no tunnel with its new key to gw2, gw3" in said(done)
    until(lambda: site.own("gw1") == old, 60, lambda: "the old key does not come back")
    site.assert_tunnels()
    assert site.state("gw1") == "staged"
    # Once it arrives, the same rotation is finished.
    server.folder = site.path / "www"
    done = rotated(site, "gw2", "gw3")
    assert done.code == 0, done.output
    assert site.own("gw1") == site.recorded("gw1") != old
    site.assert_tunnels()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_emergency_reaches_a_peer_that_only_fetches(site: Site, server: Server) -> None:
    """No playbook reaches gw3: by itself it drops the stolen key, and later accepts the new one."""
    installed(site, server)
    stolen, old = thief.steal(site.mesh), site.own("gw1")
    site.mesh.no_ssh("gw3")
    done = site.rotate("gw1", mode="emergency", **publishing(site, "gw3"))
    assert done.code == 0, done.output
    assert "MAY STILL ACCEPT THE OLD KEY: gw3" in said(done)
    new = site.own("gw1")
    assert new != old
    until(lambda: site.accepted("gw3", "gw1") == {new}, 60, lambda: str(seen(site, "gw3")))
    site.assert_tunnels(within=30)
    if site.wireguard:
        assert not thief.gets_in(site.mesh, OUTSIDE, "gw3", stolen)
    assert set(site.all_pending()) == {"gw3"}, "somebody else acknowledged for gw3"
    site.mesh.ssh_back("gw3")
    assert site.play("converge_gateways", **publishing(site, "gw3")).code == 0
    site.assert_whole()
    assert_no_secret(site)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("action", ["revoke", "retire"])
def test_a_lost_gateway_is_dropped_by_a_peer_that_only_fetches(action: str, site: Site, server: Server) -> None:
    installed(site, server)
    site.mesh.no_ssh("gw3")
    done = (site.revoke if action == "revoke" else site.retire)("gw1", **publishing(site, "gw3"))
    assert done.code == 0, done.output
    until(lambda: not site.accepted("gw3", "gw1"), 60, lambda: str(seen(site, "gw3")))
    site.assert_tunnels("gw1")
    assert set(site.all_pending()) == {"gw3"}, "somebody else acknowledged for gw3"
    site.mesh.ssh_back("gw3")
    assert site.play("converge_gateways", "--limit", "gw2,gw3", **publishing(site, "gw3")).code == 0
    assert not site.all_pending()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_key_that_is_due_is_changed_where_peers_only_fetch(site: Site, server: Server) -> None:
    installed(site, server)
    old = {name: site.own(name) for name in site.names}
    site.mesh.no_ssh("gw3")
    periods = {"gateway_keys_periods": {"gateway": {"days": 1, "due_days": 1}}}
    options = {"fetch_timeout": 60, "settle_timeout": 20, **publishing(site, "gw3")}
    done = site.play("rotate_due", "-e", json.dumps(periods), max_gateways=1, **options)
    assert done.code == 0, done.output
    [changed] = [name for name in site.names if site.own(name) != old[name]]
    assert changed in ("gw1", "gw2")
    until(lambda: site.accepted("gw3", changed) == {site.own(changed)}, 60, lambda: str(seen(site, "gw3")))
    site.assert_tunnels(within=30)


def test_a_second_interface_where_a_peer_only_fetches(site: Site, server: Server) -> None:
    """That peer has no second interface: its tunnel changes in place."""
    installed(site, server)
    site.mesh.no_ssh("gw3")
    old = site.own("gw1")
    done = rotated(site, "gw3", strategy="second_interface")
    assert done.code == 0, done.output
    new = site.own("gw1")
    assert new == site.recorded("gw1") != old
    until(lambda: site.accepted("gw3", "gw1") == {new}, 60, lambda: str(seen(site, "gw3")))
    site.assert_tunnels(within=30)
    for name in ("gw1", "gw2"):
        assert site.mesh.run(name, "wg show interfaces").split() == ["wg0"], name
    assert set(site.all_pending()) == {"gw3"}, "somebody else acknowledged for gw3"


def test_no_more(site: Site, server: Server) -> None:
    """What was installed is removed without a trace in what runs."""
    assert play(site, publish(site), install(server)).code == 0
    gone = play(site, {"vpnops.keys.gateway_fetch": {"state": "absent"}, "become": True})
    assert gone.code == 0, gone.output
    for name in site.names:
        left = site.mesh.run(name, "ls /etc/vpnops.keys; systemctl list-timers --all --no-legend", check=False)
        assert "fetch" not in left
    site.assert_tunnels()
