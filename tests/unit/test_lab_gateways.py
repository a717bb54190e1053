# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab of real gateways works out without a gateway: plans, configurations, inventories, figures."""

from __future__ import annotations

import base64
import re
import socket
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from lab.__main__ import main
from lab.gateways import GatewayLabError, Mesh, inventory, machine, relay, strongswan, tunnels, wireguard
from lab.gateways.plan import Plan
from lab.gateways.traffic import measure


def _conf(plan: Plan, number: int) -> str:
    return wireguard.configure(plan)[number]["etc/wireguard/wg0.conf"][1]


def _values(conf: str, name: str) -> list[str]:
    return re.findall(rf"^{name} *= *([^ #\n]+)", conf, re.MULTILINE)


# -- plan


@pytest.mark.parametrize(
    ("link", "peers"),
    [("full", {1: [2, 3], 2: [1, 3], 3: [1, 2]}), ("hub", {1: [2, 3], 2: [1], 3: [1]}), ("none", {1: []})],
)
def test_who_has_a_tunnel_with_whom(link: str, peers: dict[int, list[int]]) -> None:
    plan = Plan("vk", 3, link=link)  # type: ignore[arg-type]
    for number, expected in peers.items():
        assert plan.peers(number) == expected


def test_pings_come_from_the_gateway_that_just_started() -> None:
    plan = Plan("vk", 3)
    assert tunnels.pairs(plan, plan.names) == [("gw1", "gw2"), ("gw1", "gw3"), ("gw2", "gw3")]
    assert tunnels.pairs(plan, plan.names, ["gw2"]) == [("gw2", "gw1"), ("gw1", "gw3"), ("gw2", "gw3")]
    assert tunnels.pairs(Plan("vk", 3, link="none"), plan.names) == []


def test_spokes_have_no_tunnel_of_their_own() -> None:
    plan = Plan("vk", 3, link="hub")
    assert tunnels.direct(plan, tunnels.pairs(plan, plan.names)) == [("gw1", "gw2"), ("gw1", "gw3")]


# -- WireGuard


def test_every_wireguard_file_knows_the_key_of_every_peer() -> None:
    plan = Plan("vk", 5)
    confs = {number: files["etc/wireguard/wg0.conf"][1] for number, files in wireguard.configure(plan).items()}
    public = {}
    for number, conf in confs.items():
        key = X25519PrivateKey.from_private_bytes(base64.b64decode(_values(conf, "PrivateKey")[0]))
        public[number] = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    for number, conf in confs.items():
        assert set(_values(conf, "PublicKey")) == {public[peer] for peer in plan.peers(number)}
        assert set(_values(conf, "AllowedIPs")) == {f"10.78.0.{peer}/32" for peer in plan.peers(number)}


def test_both_ends_have_the_same_preshared_key_and_one_end_a_keepalive() -> None:
    plan = Plan("vk", 6)
    confs = {number: files["etc/wireguard/wg0.conf"][1] for number, files in wireguard.configure(plan).items()}
    shared = 0
    for one, two in combinations(plan.numbers, 2):
        ends = ((one, two), (two, one))
        sections = [next(s for s in confs[a].split("\n# gw") if s.startswith(f"{b}\n")) for a, b in ends]
        keys = [_values(section, "PresharedKey") for section in sections]
        assert keys[0] == keys[1]
        shared += len(keys[0])
        assert sum("PersistentKeepalive" in section for section in sections) <= 1
    assert 0 < shared < 15


def test_no_peer_stands_below_one_with_a_keepalive() -> None:
    """wireguard-go calls such a peer as it starts, and not all start at once."""
    for number in range(1, 9):
        sections = _conf(Plan("vk", 8), number).split("[Peer]")[1:]
        kept = ["PersistentKeepalive" in section for section in sections]
        assert kept == sorted(kept)


def test_a_private_key_can_stand_in_a_file_of_its_own() -> None:
    files = wireguard.configure(Plan("vk", 2, private_key_file=True))
    assert not _values(files[1]["etc/wireguard/wg0.conf"][1], "PrivateKey")
    assert "PostUp = wg set %i private-key /etc/wireguard/wg0.key" in files[1]["etc/wireguard/wg0.conf"][1]
    assert len(base64.b64decode(files[1]["etc/wireguard/wg0.key"][1])) == 32
    assert _values(files[2]["etc/wireguard/wg0.conf"][1], "PrivateKey")


def test_a_spoke_sends_everything_to_the_hub() -> None:
    plan = Plan("vk", 3, link="hub")
    assert _values(_conf(plan, 2), "AllowedIPs") == ["10.78.0.0/24"]
    assert sorted(_values(_conf(plan, 1), "AllowedIPs")) == ["10.78.0.2/32", "10.78.0.3/32"]


# -- strongSwan


@pytest.mark.parametrize("algorithm", ["ed25519", "rsa"])
def test_every_swanctl_file_knows_the_key_of_every_peer(algorithm: str) -> None:
    files = strongswan.configure(Plan("vk", 2, "strongswan", algorithm=algorithm))
    for own, peer in ((1, 2), (2, 1)):
        private = load_pem_private_key(files[own][f"etc/swanctl/private/gw{own}.key"][1].encode(), None)
        stored = load_pem_public_key(files[peer][f"etc/swanctl/pubkey/gw{own}.pub"][1].encode())
        form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        assert private.public_key().public_bytes(*form) == stored.public_bytes(*form)
        assert f"id = gw{peer}" in files[own]["etc/swanctl/conf.d/mesh.conf"][1]


def test_private_keys_are_for_root_only() -> None:
    for files in (wireguard.configure(Plan("vk", 2)), strongswan.configure(Plan("vk", 2, "strongswan"))):
        for path, (mode, content) in files[1].items():
            if "PRIVATE KEY" in content or "PrivateKey" in content:
                assert mode == 0o600, path


# -- inventory


def test_a_gateway_is_reached_through_its_namespace_only(tmp_path: Path) -> None:
    group = inventory.inventory(Plan("vk7", 2), tmp_path, "x")["gateways"]
    host = group["hosts"]["gw2"]
    assert "nsenter --net=/run/netns/vk7-gw2 nc 127.0.0.1 22" in host["ansible_ssh_extra_args"]
    assert host["ansible_host"] == "gw2.vk7.invalid"
    assert host["gateway_endpoint"] == "10.77.0.2:51820"
    assert host["gateway_networks"] == ["10.78.0.2/32"]
    assert group["vars"]["ansible_user"] == "admin"
    assert group["vars"]["ansible_become_password"] == "x"


def test_without_users_ansible_logs_in_as_root(tmp_path: Path) -> None:
    group = inventory.inventory(Plan("vk7", 1, "strongswan", users=False), tmp_path, "x")["gateways"]
    assert group["vars"]["ansible_user"] == "root"
    assert "ansible_become_password" not in group["vars"]
    assert group["hosts"]["gw1"]["gateway_id"] == "gw1"


def test_an_inventory_keeps_its_other_groups(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yml"
    path.write_text("key_servers: {hosts: {ks1: {}}}\ngateways: {hosts: {old: {}}}\n", encoding="utf-8")
    Mesh(1, directory=tmp_path).write_inventory(path)
    content = path.read_text(encoding="utf-8")
    assert "ks1" in content
    assert "gw1" in content
    assert "old" not in content
    assert path.stat().st_mode & 0o777 == 0o600


# -- figures


def test_figures_of_one_way() -> None:
    sent = [number / 100 for number in range(100)]
    received = [(number, when + 0.02) for number, when in enumerate(sent) if not 40 <= number < 60]
    found = measure(sent, received)
    assert (found.sent, found.lost, found.delay_ms) == (100, 20, 20.0)
    assert found.silence_ms == pytest.approx(210)


@pytest.mark.parametrize("kept", [range(50), range(50, 100)])
def test_a_loss_at_either_end_is_silence(kept: range) -> None:
    sent = [number / 100 for number in range(100)]
    assert measure(sent, [(number, sent[number] + 0.02) for number in kept]).silence_ms == pytest.approx(500)


def test_a_doubled_packet_counts_once_and_delay_is_no_silence() -> None:
    sent = [0.0, 0.01, 0.02]
    found = measure(sent, [(0, 1.0), (0, 1.001), (1, 1.01), (2, 1.02)])
    assert (found.lost, found.delay_ms) == (0, 1000.0)
    assert found.silence_ms == pytest.approx(10)


def test_total_loss_and_no_traffic_at_all() -> None:
    assert measure([0.0, 1.0, 2.0], []).silence_ms == 2000
    assert measure([0.0, 1.0, 2.0], []).lost == 3
    assert measure([], []).sent == 0


def test_the_relay_delivers_late_and_to_the_right_link() -> None:
    """Over datagram pairs in place of packet sockets: whole frames, too."""
    near, far = zip(*(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for dummy in range(3)), strict=True)
    macs = [bytes([2, 0, 0, 0, 0, number]) for number in range(3)]
    process = subprocess.Popen(
        [sys.executable, "-I", str(machine.HERE / "relay.py"), "30", *(str(sock.fileno()) for sock in far)],
        pass_fds=[sock.fileno() for sock in far],
    )
    try:

        def frame(target: bytes, source: bytes) -> bytes:
            return bytes(relay.VNET_HEADER) + target + source + b"\x08\x00payload"

        for sock in near:
            sock.settimeout(5)
        hello = frame(b"\xff" * 6, macs[0])
        near[0].send(hello)
        assert [sock.recv(99) for sock in near[1:]] == [hello, hello]
        sent = time.monotonic()
        near[1].send(frame(macs[0], macs[1]))
        assert near[0].recv(99) == frame(macs[0], macs[1])
        assert 0.03 <= time.monotonic() - sent < 1
        near[2].settimeout(0.1)
        with pytest.raises(TimeoutError):
            near[2].recv(99)
    finally:
        process.kill()
        process.wait()


# -- what a user reads


def test_the_line_that_installs_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "missing_packages", lambda: ["wireguard-go", "sudo"])
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert machine.available().endswith("apt-get install -y --no-install-recommends wireguard-go sudo.")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert machine.available().startswith("Real gateways need root")
    assert "wireguard-go sudo" in machine.available()
    monkeypatch.setattr(machine, "missing_packages", list)
    assert "install" not in machine.available()


def test_the_packages_are_listed_with_a_proof_each() -> None:
    assert "wireguard-go" in machine.packages()
    assert all(proof.is_absolute() for proof in machine.packages().values())


def test_a_lab_may_have_no_gateways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`make lab GATEWAYS=0` wants key servers alone."""
    assert main(["gateways", "up", "0", "--dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "no gateways, as asked\n"
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_order_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(GatewayLabError, match="the platforms are wireguard and strongswan"):
        Mesh(1, platform="ipsec", directory=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(GatewayLabError, match="from 1 to 99"):
        Mesh(0, directory=tmp_path)
    with pytest.raises(GatewayLabError, match="there is no gw9"):
        Mesh(2, directory=tmp_path).address("gw9")
    assert main(["gateways", "exec", "--dir", str(tmp_path), "gw1", "true"]) == 1
    assert f"no gateways are up in {tmp_path}" in capsys.readouterr().err
