# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateways come into the directory: with the key they have, or with a new one."""

from __future__ import annotations

import pytest
from integration.gateways.conftest import Make
from integration.gateways.site import Site

pytestmark = pytest.mark.timeout(1800)


def test_keys_are_kept(make_site: Make) -> None:
    """What is there is taken over, and nothing is written to any gateway."""
    site = make_site(enrolled=False)
    before = {name: (site.own(name), site.configuration(name)) for name in site.names}
    done = site.play("enroll_gateways")
    assert done.code == 0, done.output
    assert {name: (site.own(name), site.configuration(name)) for name in site.names} == before
    assert {name: site.recorded(name) for name in site.names} == {name: own for name, (own, dummy) in before.items()}
    site.assert_whole()
    said = " ".join(done.output.split())
    assert f"The directory is {site.database}." in said
    assert f"Its signing key is {site.database}.key." in said
    rows = done.result("gateway_report")["enrolled"]["gateways"]
    assert [(row["gateway"], row["pending"]["count"]) for row in rows] == [(name, 0) for name in site.names]
    again = site.play("enroll_gateways")
    assert again.code == 0, again.output
    assert not any(one["result"].get("changed") for one in again.results), again.output


def test_a_directory_that_cannot_be_opened(make_site: Make) -> None:
    """It is found before any gateway is contacted."""
    site = make_site(enrolled=False)
    done = site.play("enroll_gateways", env={"VPNOPS_KEYS_DIRECTORY_URL": "postgresql://keys:wrong@127.0.0.1:9/keys"})
    assert done.code != 0
    assert done.status("Open or create the directory") == "failed"
    assert not [one for one in done.results if one["action"].endswith("gateway_key")]


NEW_GATEWAY = """
wg-quick down wg0 >/dev/null 2>&1
printf '[Interface]\\nAddress = 10.78.0.1/24\\nListenPort = 51820\\nMTU = 1420\\n' >/etc/wireguard/wg0.conf
systemctl restart wg-quick@wg0
"""


def forget(site: Site, name: str, other: str) -> None:
    """Take a peer out of a gateway, from file and daemon."""
    key = site.own(other)
    path = site.mesh.path(name, "/etc/wireguard/wg0.conf")
    path.write_text("\n\n".join(block for block in path.read_text().split("\n\n") if key not in block))
    site.mesh.run(name, f"wg set wg0 peer {key} remove")
    assert key not in site.stored(name)


def test_a_new_gateway(make_site: Make) -> None:
    """It has no key and knows nobody, and nobody knows it."""
    site = make_site(enrolled=False)
    forget(site, "gw2", "gw1")
    forget(site, "gw3", "gw1")
    site.mesh.run("gw1", NEW_GATEWAY)
    assert site.own("gw1") == "(none)"
    done = site.play("enroll_gateways")
    assert done.code == 0, done.output
    assert site.own("gw1") == site.recorded("gw1")
    site.assert_whole()


def test_one_key_on_two_gateways(make_site: Make) -> None:
    """A cloned machine: both are named, and nothing is entered."""
    site = make_site(enrolled=False)
    site.node.hosts.pop("gw3")
    key = site.private_key("gw1")
    site.mesh.path("gw2", "/root/key").write_text(key + "\n")
    site.mesh.run("gw2", "wg set wg0 private-key /root/key")
    site.mesh.run("gw2", f"sed -i 's#^PrivateKey = .*#PrivateKey = {key}#' /etc/wireguard/wg0.conf")
    before = site.fingerprints()
    done = site.play("enroll_gateways")
    assert done.code != 0
    sentence = done.error("Report gateways that were not enrolled")[1]
    assert sentence.startswith("Not enrolled: gw1, gw2. gw1, gw2 report the same key"), sentence
    assert not site.view()["directory"]["gateways"]
    assert site.fingerprints() == before


def test_a_key_that_the_directory_does_not_know(site: Site) -> None:
    """Somebody has changed it by hand: it is not recorded, unless the gateway is to be believed."""
    old = site.own("gw1")
    site.mesh.run(
        "gw1",
        "umask 077; wg genkey >/root/k; wg set wg0 private-key /root/k; "
        'sed -i "s#^PrivateKey = .*#PrivateKey = $(cat /root/k)#" /etc/wireguard/wg0.conf; rm /root/k',
    )
    new = site.own("gw1")
    done = site.play("enroll_gateways")
    assert done.code != 0
    sentence = done.error("Report gateways that were not enrolled")[1]
    assert "If the gateway is right, set gateway_keys_adopt_reported_key." in sentence, sentence
    assert site.recorded("gw1") == old
    done = site.play("enroll_gateways", adopt_reported_key="true")
    assert done.code == 0, done.output
    assert site.recorded("gw1") == new
    site.assert_whole()


def test_why_gateways_could_not_be_reached_or_used(make_site: Make) -> None:
    """With what to check, and what is the same of several once."""
    site = make_site(enrolled=False)
    for name in ("gw1", "gw2"):
        site.node.hosts[name]["ansible_become_password"] = "not-the-password"
    site.mesh.no_ssh("gw3")
    done = site.play("enroll_gateways")
    sentence = done.error("Report gateways that were not enrolled")[1]
    password = 'gw1, gw2: Ansible says "Incorrect sudo password". Check ansible_become_password or -K.'
    assert password in sentence, sentence
    assert 'gw3: unreachable: "Connection ' in sentence, sentence
    assert '". Check ansible_host, ansible_port and the network. Run it again' in sentence


def test_a_name_that_no_gateway_can_have(make_site: Make) -> None:
    """As people have them in inventories: it is named with what to do, and the others are enrolled and rotated."""
    site, name = make_site(enrolled=False), "10.0.0.3 (Zürich)"
    site.node.hosts[name] = site.node.hosts.pop("gw3")
    site.names.remove("gw3")
    done = site.play("enroll_gateways")
    sentence = done.error("Report gateways that were not enrolled")[1]
    assert sentence.startswith(f"Not enrolled: {name}. All others are. "), sentence
    assert "Rename it in the inventory" in sentence
    assert site.known() == {"gw1", "gw2"}
    assert site.rotate("gw1").code == 0
    said = site.play("gateway_status")
    assert said.code == 0, said.output
    assert f"{name}: It is in the inventory, but not in the directory." in " ".join(said.output.split())
