# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a strongSwan gateway acknowledges holds after charon restarts, and what others gave to charon is left alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from integration.gateways.test_strongswan_platform import Gateways

from ansible_collections.vpnops.keys.plugins.module_utils._gateway.strongswan import auth as swan_auth
from lab.gateways import Mesh, available

pytestmark = pytest.mark.skipif(bool(available()), reason=available() or "gateways can run here")
RESTART = "systemctl reset-failed strongswan; systemctl restart strongswan"
FOREIGN = """
connections {{
  by-hand {{
    remote_addrs = {address}
    local {{
      auth = pubkey
      id = gw2
      pubkeys = gw2.pub
    }}
    remote {{
      auth = pubkey
      id = gw3
      pubkeys = gw3.pub
    }}
    children {{
      tool {{
        local_ts = 192.0.2.2/32
        remote_ts = 192.0.2.3/32
      }}
    }}
  }}
}}
"""


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    directory = tmp_path_factory.mktemp("restart")
    with Mesh(3, platform="strongswan", directory=directory, users=False) as mesh:
        yield Gateways(mesh)


@pytest.fixture(autouse=True)
def as_before(gateways: Gateways) -> Iterator[None]:
    yield
    gateways.mesh.reset()
    gateways.install()


def gets_in(gateways: Gateways, at: str) -> bool:
    """Whether gw1 can make a new IKE_SA with a peer by the key that it has."""
    gateways.mesh.run("gw1", f"swanctl --terminate --ike {at} --force --timeout 2", check=False)
    return "completed successfully" in gateways.mesh.run(
        "gw1", f"swanctl --initiate --ike {at} --child {at} --timeout 8 2>&1", check=False
    )


@pytest.mark.thorough
@pytest.mark.parametrize("start_action", ["none", "start"])
def test_a_withdrawal_and_a_new_key_hold_after_a_restart(gateways: Gateways, start_action: str) -> None:
    """Of every peer, after each of the two."""
    mesh = gateways.mesh
    for name in mesh.names:
        mesh.run(name, f"sed -i 's/start_action = .*/start_action = {start_action}/' /etc/swanctl/conf.d/mesh.conf")
        mesh.run(name, "swanctl --load-conns")
    old, new = gateways.stage()
    gateways.do("gw1", "activate")
    gateways.do("gw1", "persist")
    gateways.narrow(new, old)
    gateways.do("gw1", "discard_previous")
    for name in mesh.names:
        mesh.run(name, RESTART)
    for peer in ("gw2", "gw3"):
        assert gets_in(gateways, peer)
        assert {(key, file, loaded) for who, key, file, loaded in gateways.observe(peer)["stored"] if who == "gw1"} == {
            (new, "current", "current")
        }
    for peer in ("gw2", "gw3"):
        assert gateways.store(peer, "gw1", None, known=[old, new])[-1] == ""
        assert not gets_in(gateways, peer)
        mesh.run(peer, RESTART)
        assert not gets_in(gateways, peer), "it is back"
    assert gateways.store("gw2", "gw1", new, known=[old])[-1] == ""
    mesh.run("gw2", RESTART)
    assert gets_in(gateways, "gw2")
    assert not gets_in(gateways, "gw3")


@pytest.mark.thorough
def test_auth_means_what_charon_makes_of_it(gateways: Gateways) -> None:
    """Of an Ed25519 key: whether a connection is loaded, and whether the key gets in."""
    mesh = gateways.mesh
    conf = mesh.path("gw2", "/etc/swanctl/conf.d/mesh.conf")
    head, end, tail = conf.read_text().partition("    remote {")
    for auth in (
        "pubkey", "rsa-3072", "ecdsa", "pubkey-ed25519", "ike:ed25519", "pubkey-identity", "ike:pubkey-sha256-identity",
        "pubkey-sha512", "ike:pubkey-sha256", "ed25519", "ed25519-256", "ed448", "PUBKEY", "any",
    ):  # fmt: skip
        conf.write_text(head + end + tail.replace("auth = pubkey", f"auth = {auth}", 1))
        complaint = mesh.run("gw2", "swanctl --load-conns 2>&1", check=False)
        assert swan_auth.is_public_key(auth) is ("connections, 1 failed to load" not in complaint), auth
        if swan_auth.is_public_key(auth):
            assert swan_auth.accepts(auth, "ed25519", 256, None) is gets_in(gateways, "gw2"), auth


def test_a_connection_that_is_only_in_charon_survives_everything(gateways: Gateways) -> None:
    """A repair, a new key of a peer, and a withdrawal, which counts all the same."""
    mesh = gateways.mesh
    path = "/etc/swanctl/conf.d/tool.conf"
    mesh.path("gw2", path).write_text(FOREIGN.format(address=mesh.underlay("gw3")))
    mesh.run("gw2", f"swanctl --load-conns; rm {path}")
    seen = gateways.observe("gw1")["file"]

    def there() -> bool:
        return "by-hand" in mesh.run("gw2", "swanctl --list-conns")

    assert there()
    sentence = "charon has connections that are not in swanctl.conf (by-hand); loading would remove them."
    assert sentence in gateways.do("gw2", "obstacles", writing=True)
    assert gateways.store("gw2", "gw1", seen)[-1] == "", "nothing has to be loaded"
    other = gateways.do("gw1", "stage", algorithm="ed25519", bits=256)
    for staged in (other, None):
        refused = gateways.store("gw2", "gw1", seen if staged else other, staged, known=[seen])
        assert refused[-1] == f"Peer gw1: {sentence} It was excluded."
        assert there()
    gateways.do("gw2", "stage", algorithm="ed25519", bits=256)
    with pytest.raises(Exception, match="by-hand"):
        gateways.do("gw2", "activate")
    assert gets_in(gateways, "gw2")
    for dummy in range(2):
        assert gateways.store("gw2", "gw1", None, known=[seen])[-1] == ""
        assert there()
        assert not gets_in(gateways, "gw2")
    assert gateways.sa("gw2", "gw3"), "the tunnel with another peer"
    other = gateways.observe("gw3")["file"]
    assert "(by-hand) and may still accept its key" in gateways.store("gw2", "gw3", None, known=[other])[-1]
    mesh.run("gw2", RESTART)
    assert not gets_in(gateways, "gw2"), "it is back"
    assert gateways.store("gw2", "gw3", None, known=[other])[-1] == "", "it is only in the files now"
    assert gateways.store("gw2", "gw1", seen)[-1] == ""
    assert gets_in(gateways, "gw2")


@pytest.mark.thorough
def test_a_private_key_of_another_kind_stands_in_nobody_s_way(gateways: Gateways) -> None:
    """ECDSA and RSA keys for something else, beside the Ed25519 pair."""
    mesh = gateways.mesh
    script = "cd /etc/swanctl; mkdir -p ecdsa rsa; pki --gen --type ecdsa --outform pem >ecdsa/other.key"
    mesh.run("gw1", f"{script}; cp ecdsa/other.key private/a-other.key; pki --gen --size 2048 >rsa/other.key")
    mesh.run("gw1", "swanctl --load-all")
    assert gateways.do("gw1", "obstacles", writing=True) == []
    old, new = gateways.stage()
    gateways.do("gw1", "activate")
    gateways.do("gw1", "persist")
    gateways.narrow(new, old)
    assert gets_in(gateways, "gw2")
    assert gateways.observe("gw1")["file"] == new
