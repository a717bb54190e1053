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
from integration.gateways.hooks import RESTART
from integration.gateways.site import Site, until
from unit.publishing.server import Server

from lab.gateways.net import inside

pytestmark = pytest.mark.timeout(900)

OUTSIDE = "gw4"
"""It is none of the collection's; a web server is there."""


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
    }  # fmt: skip
    return {"vpnops.keys.gateway_fetch": {**options, **more}, "become": True}


def seen(site: Site, name: str) -> dict[str, t.Any]:
    path = site.mesh.path(name, "/var/lib/vpnops.keys/fetch/seen.json")
    return t.cast("dict[str, t.Any]", json.loads(path.read_text()) if path.exists() else {})


def fetched(site: Site, name: str, number: int) -> bool:
    found = seen(site, name)
    return bool(found.get("stored")) and found["number"] >= number


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
    site.assert_tunnels()
    assert_no_secret(site)
    number = site.view()["directory"]["checkpoint"]["number"]
    assert fetched(site, "gw3", number)
    # Whoever has the web server, and nothing else, takes nothing away.
    (site.path / "www/checkpoint").write_text("nonsense")
    until(lambda: seen(site, "gw3")["code"] == "tampered", 60, lambda: str(seen(site, "gw3")))
    assert site.accepted("gw3", "gw1") == {new}
    site.assert_tunnels()


def test_no_more(site: Site, server: Server) -> None:
    """What was installed is removed without a trace in what runs."""
    assert play(site, publish(site), install(server)).code == 0
    gone = play(site, {"vpnops.keys.gateway_fetch": {"state": "absent"}, "become": True})
    assert gone.code == 0, gone.output
    for name in site.names:
        left = site.mesh.run(name, "ls /etc/vpnops.keys; systemctl list-timers --all --no-legend", check=False)
        assert "fetch" not in left
    site.assert_tunnels()
