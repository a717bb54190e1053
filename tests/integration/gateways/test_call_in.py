# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The call-in is installed on real gateways, one of which has been tampered with."""

from __future__ import annotations

import hashlib
import json
import typing as t
from pathlib import Path

import pytest
from integration.control_node import CHECKOUT, Run
from integration.gateways.conftest import Make
from integration.gateways.site import Site

from lab.tampering import ESCAPES, Mutation
from lab.tampering_catalogue import facts, fields

pytestmark = pytest.mark.timeout(900)

INSTALL = str(CHECKOUT / "extensions/eda/call_in/install.yml")
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
HEADER = "/etc/vpnops.keys/call-in.header"


@pytest.fixture
def site(make_site: Make) -> Site:
    return make_site(enrolled=False)


def install(site: Site, *arguments: str) -> Run:
    (site.path / "ca.pem").write_text(PEM)
    paths = {"call_in_ca": str(site.path / "ca.pem"), "call_in_callers": str(site.path / "callers")}
    return site.node.run(INSTALL, *arguments, "-e", json.dumps({"call_in_url": "https://192.0.2.1:8443/", **paths}))


def callers(site: Site) -> dict[str, str]:
    """SHA-256 by name."""
    path = site.path / "callers"
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: sha256 for sha256, name in map(str.split, lines)}


def token(site: Site, name: str) -> str:
    return site.mesh.path(name, HEADER).read_text().split()[-1]


def shown(site: Site, name: str) -> str:
    return hashlib.sha256(token(site, name).encode()).hexdigest()


def test_all_of_it(site: Site) -> None:
    """Predicted, made, and made no second time; the tokens are the gateways' own."""
    predicted = install(site, "--check", "--diff")
    assert predicted.code == 0, predicted.output
    assert all(predicted.changed("gateway_call_in", name) for name in site.names)
    assert not (site.path / "callers").exists()
    assert not site.mesh.path("gw1", "/etc/vpnops.keys").exists()
    made = install(site, "--diff")
    assert made.code == 0, made.output
    assert callers(site) == {name: shown(site, name) for name in site.names}
    assert (site.path / "callers").stat().st_mode & 0o777 == 0o600
    told = made.output + json.dumps(made.results)
    assert not [name for name in site.names if token(site, name) in told]
    for name in site.names:
        assert site.mesh.run(name, f"stat -c '%a %U' {HEADER}").split() == ["600", "root"]
        assert site.mesh.run(name, "systemctl is-enabled vpnops-keys-call-in.service").strip() == "enabled"
    again = install(site)
    assert not any(again.changed("gateway_call_in", name) for name in site.names)


LIES: dict[str, t.Callable[[Path], Mutation]] = {
    "the token of another": lambda path: fields(token_sha256=(path / "callers").read_text().split()[0]),
    "no SHA-256": lambda path: fields(token_sha256=f"{'0' * 63}\n"),
    "a second line": lambda path: fields(token_sha256=f"{'0' * 64} gw1\n{'1' * 64}"),
    "text": lambda path: fields(token_sha256=ESCAPES),
    "a list": lambda path: fields(token_sha256=[["x"]], failed="no", warnings=[ESCAPES]),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_liar_is_refused_and_the_others_are_installed(lie: str, site: Site) -> None:
    assert install(site, "--limit", "gw1").code == 0
    first = callers(site)
    site.mesh.tamper("gw3", LIES[lie](site.path))
    done = install(site)
    assert done.code != 0
    assert callers(site) == {**first, "gw2": shown(site, "gw2")}
    assert "gw3" in done.error("gateway_call_in", "gw3")[1] or done.status("gateway_call_in", "gw3") == "failed"
    assert not [char for char in done.output if not char.isprintable() and char not in "\n\t"]


@pytest.mark.parametrize("liar", ["gw1", "gw3"])
def test_facts_choose_no_file(liar: str, site: Site) -> None:
    site.mesh.tamper(liar, facts(call_in_callers=str(site.path / "elsewhere"), call_in_ca="/etc/shadow"))
    done = install(site)
    assert done.code == 0, done.output
    assert callers(site) == {name: shown(site, name) for name in site.names}
    assert not (site.path / "elsewhere").exists()
    assert str(site.path).encode() not in site.mesh.received(liar)


def test_a_name_that_is_a_pattern(site: Site) -> None:
    site.node.hosts["gw1!x"] = site.node.hosts.pop("gw1")
    done = install(site)
    assert done.error("gateway_call_in", "gw1!x")[0] == "bad_input"
    assert set(callers(site)) == {"gw2", "gw3"}
