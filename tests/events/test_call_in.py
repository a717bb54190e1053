# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway that was off while another one got a new key calls in at its boot, and is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from events.certificate import write_certificate
from events.rulebook import CHECKOUT, Rulebook, free_port, way_out
from integration.gateways.site import Site, until

pytestmark = pytest.mark.timeout(900)

INSTALL = str(CHECKOUT / "extensions/eda/call_in/install.yml")
WITHIN = 120


@pytest.fixture
def rulebook(tmp_path: Path) -> Rulebook:
    made = Rulebook(tmp_path, free_port())
    write_certificate(made.certificate, tmp_path / "eda.key")
    return made


def token(site: Site, name: str) -> str:
    return site.mesh.path(name, "/etc/vpnops.keys/call-in.header").read_text().split()[-1]


def test_a_gateway_that_comes_back_is_told(site: Site, rulebook: Rulebook) -> None:
    port = rulebook.port
    ours = {"call_in_url": f"https://127.0.0.1:{port}/", "call_in_ca": rulebook.certificate}
    settings = [f"-e {name}={value}" for name, value in {**ours, "call_in_callers": rulebook.callers}.items()]
    installed = site.node.run(INSTALL, *settings)
    assert installed.code == 0, installed.output
    again = site.node.run(INSTALL, *settings)
    assert again.code == 0, again.output
    assert not any(one["result"].get("changed") for one in again.results)
    tokens = {name: token(site, name) for name in site.names}
    assert len(set(tokens.values())) == len(site.names)
    told = installed.output + json.dumps(installed.results) + rulebook.callers.read_text()
    assert not any(secret in told for secret in tokens.values())

    site.mesh.stop("gw3")
    rotated = site.rotate("gw1")
    assert rotated.code == 0, rotated.output
    assert site.all_pending() == {"gw3": ["gw1"]}

    with way_out(site.mesh.namespace("gw3"), port), rulebook.running(site.path / "inventory.yml", site.node.env()):
        # Whoever has no credential is nobody, and gw2 is gw2, whatever it says.
        assert rulebook.call("0" * 64) == 401
        assert rulebook.runs() == []
        assert rulebook.call(tokens["gw2"], json.dumps({"gateway": "gw3", "meta": {"hosts": "gw3"}})) == 202
        until(lambda: len(rulebook.runs()) == 1, WITHIN, rulebook.log.read_text)
        assert rulebook.runs() == [{"gw2"}]
        assert site.all_pending() == {"gw3": ["gw1"]}

        site.mesh.start("gw3")
        until(lambda: len(rulebook.runs()) == 2, WITHIN, rulebook.log.read_text)
        assert rulebook.runs() == [{"gw2"}, {"gw3"}]
        assert site.all_pending() == {}
    site.assert_whole()
    assert not any(secret in rulebook.log.read_text() for secret in tokens.values())
