# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WireGuard platform on real gateways: traffic, cuts, reboots, full disks, drift."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from unit.gateway.wireguard.samples import raw_key

from lab.gateways import Mesh, Traffic, available
from lab.gateways.backends import BACKENDS

ROOT = Path(__file__).parents[3]
CODE = "/tmp/code"
CONF = "/etc/wireguard/wg0.conf"
STATE = "/var/lib/vpnops.keys/wireguard-wg0"
REKEY_TIMEOUT = 5
"""Seconds within which WireGuard begins no second handshake with a peer."""
LATE_MS = 500
"""More silence than a change may cost on a machine that does other things as well."""

pytestmark = pytest.mark.skipif(bool(available()), reason=available())


class Refused(Exception):
    """The platform's sentence."""


class Gateways:
    """A mesh in which all gateways have one backend, and the platform in each of them."""

    def __init__(self, mesh: Mesh, backend: str = "wg-quick") -> None:
        self.mesh = mesh
        self.everybody = mesh.names
        self.backend = BACKENDS[backend]
        for name in mesh.names:
            self.install(name)
            self.backend.move(mesh, name, mesh.path(name, CONF).read_text())
        if self.backend.files != (CONF,):
            mesh.wait()
            time.sleep(REKEY_TIMEOUT)

    def install(self, name: str) -> None:
        """Copy the code; it does not outlive a reboot."""
        target = self.mesh.path(name, f"{CODE}/ansible_collections/vpnops/keys/plugins/module_utils")
        shutil.copytree(ROOT / "plugins/module_utils", target, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(Path(__file__).parent / "wireguard_inside.py", self.mesh.path(name, CODE))

    def reboot(self, name: str) -> None:
        self.mesh.reboot(name, wait=True)
        self.install(name)

    def do(self, name: str, what: str, /, **options: Any) -> Any:
        request = shlex.quote(json.dumps({"what": what, **options}))
        answer = self.mesh.run(name, f"PYTHONPATH={CODE} python3 -B {CODE}/wireguard_inside.py {request}")
        result = json.loads(answer)
        if "error" in result:
            raise Refused(result["error"])
        return result["result"]

    def observe(self, name: str) -> Any:
        return self.do(name, "look")

    def text(self, name: str, path: str = "") -> str:
        """By default of all files that have keys."""
        return "".join(self.mesh.path(name, one).read_text() for one in ([path] if path else self.backend.files))

    @property
    def files(self) -> str:
        """For a shell."""
        return " ".join(self.backend.files)

    def peers(self, name: str) -> list[str]:
        return [other for other in self.everybody if other != name]

    def store(self, at: str, write: bool = True, follow: float = 60, **peer: Any) -> Any:
        (change,) = self.do(at, "store", peers=[{"name": "gw1", **peer}], follow=follow, write=write)
        return dict(zip(("name", "neighbor", "changed", "before", "after", "refused"), change, strict=True))

    def stage(self, name: str) -> tuple[str, str]:
        """A new key, which the peers accept beside the old one."""
        old = self.observe(name)["file"]
        new = self.do(name, "stage")
        for peer in self.peers(name):
            self.store(peer, name=name, current=old, staged=new)
        return old, new

    def swap(self, name: str, confirm_timeout: float = 30) -> None:
        self.do(name, "begin", confirm_timeout=confirm_timeout)
        self.until(lambda: self.observe(name)["step"] != "activating")

    def finish(self, name: str, old: str, new: str) -> None:
        """Everything that comes after the swap."""
        self.do(name, "confirm")
        for peer in self.peers(name):
            self.store(peer, name=name, current=new, known=[old])
        self.do(name, "discard_previous")

    def until(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.1)

    def kill(self, name: str, work: str) -> bool:
        """Kill detached work; whether there was some."""
        return bool(self.do(name, "kill", name=work))  # pylint: disable=kwarg-superseded-by-positional-arg

    def follows(self, name: str) -> bool:
        return bool(self.do(name, "running", name="follow-wg0"))  # pylint: disable=kwarg-superseded-by-positional-arg

    def carries(self, at: str, new: str, old: str) -> bool:
        """Whether a peer sends by the new key and not by the old one."""
        shown = self.mesh.run(at, "wg show wg0 allowed-ips")
        nets = dict(line.split("\t") for line in shown.splitlines())
        return nets.get(new, "(none)") != "(none)" and nets.get(old, "(none)") == "(none)"

    def check_rotated(self, name: str, old: str, new: str) -> None:
        """Nothing of the old key is left, and everything works."""
        seen = self.observe(name)
        assert (seen["file"], seen["runtime"], seen["pending"], seen["previous"]) == (new, new, None, None)
        for peer in self.peers(name):
            stored = self.observe(peer)["stored"]
            assert stored[new] == ["current", "current"]
            assert old not in stored
            assert self.mesh.run(peer, "wg show wg0 peers").count(new) == 1
        assert self.mesh.unreachable(3) == []


@contextmanager
def mesh(directory: Path, count: int = 3, backend: str = "wg-quick", **options: Any) -> Iterator[Gateways]:
    with Mesh(count, directory=directory, users=False, **options) as up:
        yield Gateways(up, backend)


@pytest.fixture(params=BACKENDS)
def gateways(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Gateways]:
    """Each test that has it runs on every backend."""
    with mesh(tmp_path, backend=request.param) as up:
        yield up


only_wg_quick = pytest.mark.parametrize("gateways", ["wg-quick"], indirect=True)
"""What is about its file."""
WORD = "(?:PrivateKey|PresharedKey|private-key|preshared-key)"
SECRET = re.compile(rf"(?m)^(?:{WORD}\s*=\s*)?([A-Za-z0-9+/]{{43}}=)(?:\s.*)?$")


def private_keys(text: str) -> list[str]:
    """Also one that is alone on its line, in a file of its own."""
    return SECRET.findall(text)


# ---- a rotation


@only_wg_quick
def test_a_key_changes_under_traffic_in_both_directions(gateways: Gateways) -> None:
    lab = gateways.mesh
    lab.run("gw1", f"chown 12:34 {CONF}; chmod 640 {CONF}")
    files = {name: gateways.text(name) for name in lab.names}
    old, new = gateways.stage("gw1")
    with Traffic(lab, "gw1", "gw2") as first, Traffic(lab, "gw1", "gw3") as second:
        time.sleep(1)
        gateways.swap("gw1")
        gateways.until(lambda: all(gateways.carries(peer, new, old) for peer in ("gw2", "gw3")))
        assert gateways.text("gw1") == files["gw1"]
        gateways.finish("gw1", old, new)
        time.sleep(0.5)
        results = [first.stop(), second.stop()]
    print([result.summary() for result in results])
    assert max(result.silence_ms for result in results) < LATE_MS
    assert max(result.lost for result in results) < 0.2 * 200 * LATE_MS / 1000
    gateways.check_rotated("gw1", old, new)
    (secret, *dummy) = private_keys(files["gw1"])
    (fresh, *dummy) = private_keys(gateways.text("gw1"))
    assert gateways.text("gw1") == files["gw1"].replace(secret, fresh)
    for peer in ("gw2", "gw3"):
        assert gateways.text(peer) == files[peer].replace(old, new)
    status = lab.path("gw1", CONF).stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12, 34, 0o640)
    assert not lab.path("gw1", STATE).joinpath("pending.key").exists()


def test_an_idle_tunnel_changes_at_once_and_keeps_its_keepalive(gateways: Gateways) -> None:
    """gw3 sends keepalives to gw1 every 25 seconds, which alone would let the change wait as long."""
    before = gateways.mesh.run("gw3", "wg show wg0 persistent-keepalive")
    assert "\t25" in before
    assert "\toff" in before
    old, new = gateways.stage("gw3")
    start = time.time()
    gateways.do("gw3", "activate")
    assert time.time() - start < 3
    tunnels = gateways.observe("gw3")["tunnels"]
    assert [own for own, peer, age in tunnels if age < 4] == [new, new]
    gateways.until(lambda: all(gateways.carries(peer, new, old) for peer in ("gw1", "gw2")), 2)
    assert sorted(gateways.mesh.run("gw3", "wg show wg0 persistent-keepalive").split()) == sorted(before.split())


def test_what_a_tunnel_proves(gateways: Gateways) -> None:
    """A handshake from before the change is none with the new key."""
    old = gateways.observe("gw1")["file"]
    assert {own for own, peer, age in gateways.observe("gw1")["tunnels"]} == {old}
    gateways.do("gw1", "stage")
    for name in ("gw2", "gw3"):
        gateways.mesh.cut(name)
    gateways.do("gw1", "activate")
    seen = gateways.observe("gw1")
    assert len(seen["tunnels"]) == 2
    assert {own for own, peer, age in seen["tunnels"]} == {None}


def test_without_confirmation_the_old_key_comes_back_and_the_peers_follow(gateways: Gateways) -> None:
    old, new = gateways.stage("gw1")
    with Traffic(gateways.mesh, "gw1", "gw2") as traffic:
        gateways.swap("gw1", confirm_timeout=3)
        gateways.until(lambda: gateways.carries("gw2", new, old))
        gateways.until(lambda: gateways.observe("gw1")["step"] == "rolled_back")
        gateways.until(lambda: gateways.carries("gw2", old, new))
        result = traffic.stop()
    print(result.summary())
    assert result.silence_ms < LATE_MS
    seen = gateways.observe("gw1")
    assert (seen["file"], seen["runtime"], seen["pending"]) == (old, old, new)
    with pytest.raises(Refused, match="not in use"):
        gateways.do("gw1", "confirm")
    assert gateways.do("gw1", "stage") == new
    gateways.swap("gw1")
    gateways.finish("gw1", old, new)
    gateways.check_rotated("gw1", old, new)


@pytest.mark.parametrize("when", ["staged", "activated", "persisted"])
def test_an_abort_brings_the_old_key_back(gateways: Gateways, when: str) -> None:
    text = gateways.text("gw1")
    old, dummy = gateways.stage("gw1")
    for step in {"staged": [], "activated": ["activate"], "persisted": ["activate", "persist"]}[when]:
        gateways.do("gw1", step)
    gateways.do("gw1", "restore")
    gateways.do("gw1", "restore")
    seen = gateways.observe("gw1")
    assert (seen["file"], seen["runtime"], seen["pending"], seen["previous"]) == (old, old, None, None)
    assert gateways.text("gw1") == text
    gateways.until(lambda: gateways.mesh.unreachable(1) == [])


@only_wg_quick
def test_the_peers_before_the_gateway_cost_five_seconds(gateways: Gateways) -> None:
    """With plain `wg`, first the peer and then the gateway, which has nothing to say by itself: the peer's handshake is
    refused, and tried again five seconds after."""
    lab = gateways.mesh
    old, new = gateways.observe("gw1")["file"], gateways.do("gw1", "stage")
    shared = re.search(rf"^{re.escape(old)}\t(\S+)$", lab.run("gw2", "wg show wg0 preshared-keys"), re.MULTILINE)
    assert shared
    lab.path("gw2", "/tmp/psk").write_text(shared.group(1).replace("(none)", ""))
    lab.run("gw1", "ip route add blackhole 10.78.0.2/32")
    lab.run("gw2", "ping -q -i .02 -c 400 -W 1 10.78.0.1 >/dev/null 2>&1 &")
    move = f"preshared-key /tmp/psk endpoint 10.77.0.1:51820 allowed-ips 10.78.0.1/32 peer {old} remove"
    lab.run("gw2", f"wg set wg0 peer {new} {move}")
    start = time.monotonic()
    time.sleep(0.3)
    lab.run("gw1", f"wg set wg0 private-key {STATE}/pending.key")
    gateways.until(lambda: f"{new}\t0\n" not in lab.run("gw2", "wg show wg0 latest-handshakes"))
    assert 4 < time.monotonic() - start < 7


def test_a_gateway_that_has_nothing_to_say_makes_its_peers_follow_at_once(gateways: Gateways) -> None:
    gateways.mesh.run("gw1", "ip route add blackhole 10.78.0.2/32")
    old, new = gateways.stage("gw1")
    start = time.monotonic()
    gateways.do("gw1", "begin", confirm_timeout=30)
    gateways.until(lambda: gateways.carries("gw2", new, old))
    assert time.monotonic() - start < 2


# ---- a key in a file of its own


def test_a_key_file_named_by_a_hook_is_right_after_a_change_and_a_reboot(tmp_path: Path) -> None:
    with mesh(tmp_path, private_key_file=True) as gateways:
        text, key_file = gateways.text("gw1"), "/etc/wireguard/wg0.key"
        assert "PrivateKey" not in text
        assert gateways.do("gw1", "obstacles", writing=True) == []
        old, new = gateways.stage("gw1")
        gateways.swap("gw1")
        gateways.finish("gw1", old, new)
        gateways.check_rotated("gw1", old, new)
        assert gateways.text("gw1") == text
        assert gateways.mesh.run("gw1", f"wg pubkey <{key_file}").strip() == new
        gateways.reboot("gw1")
        gateways.check_rotated("gw1", old, new)
        # What this code therefore never does: the file has no key, and syncconf takes that for a wish.
        gateways.mesh.run("gw1", "wg-quick strip wg0 >/tmp/stripped; wg syncconf wg0 /tmp/stripped")
        assert gateways.observe("gw1")["runtime"] is None


@only_wg_quick
@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        ("s/^PrivateKey.*/PostUp = wg set %i private-key <(cat key)/", "PostUp that cannot be analyzed"),
        ("s/^PrivateKey.*//", "holds no private key"),
        ("s/^ListenPort/SaveConfig = true\\nListenPort/", "SaveConfig"),
        ("s/^AllowedIPs/Allowed/; s/^PublicKey.*//", "PublicKey"),
        ("s/^Address.*/Address/", "line 3"),
        ("/Interface/,$d", r"no \[Interface\]"),
    ],
)
def test_what_stands_in_the_way(gateways: Gateways, edit: str, sentence: str) -> None:
    assert gateways.do("gw1", "obstacles", writing=True) == []
    gateways.mesh.run("gw1", f"sed -i {shlex.quote(edit)} {CONF}")
    (found,) = gateways.do("gw1", "obstacles", writing=True)
    assert re.search(sentence, found)


@only_wg_quick
def test_an_interface_that_is_down_or_missing(gateways: Gateways) -> None:
    gateways.mesh.run("gw1", "systemctl stop wg-quick@wg0")
    (found,) = gateways.do("gw1", "obstacles", writing=False)
    assert "wg-quick up wg0" in found
    assert gateways.observe("gw1")["runtime"] is None
    gateways.do("gw1", "stage")
    with pytest.raises(Refused, match=r"is down\. Nothing was changed"):
        gateways.do("gw1", "activate")
    gateways.mesh.run("gw1", f"mv {CONF} /tmp")
    with pytest.raises(Refused, match="No file of wg-quick, systemd-networkd or NetworkManager sets up wg0"):
        gateways.observe("gw1")


@only_wg_quick
def test_the_first_key_of_a_gateway(gateways: Gateways) -> None:
    gateways.mesh.run("gw1", f"sed -i /^PrivateKey/d {CONF}; wg set wg0 private-key /dev/null")
    text = gateways.text("gw1")
    assert gateways.do("gw1", "obstacles", writing=True) == []
    new = gateways.do("gw1", "generate")
    assert gateways.do("gw1", "generate") == new
    seen = gateways.observe("gw1")
    assert (seen["file"], seen["runtime"]) == (new, new)
    (secret, *dummy) = private_keys(gateways.text("gw1"))
    assert gateways.text("gw1") == text.replace("[Interface]\n", f"[Interface]\nPrivateKey = {secret}\n")


@only_wg_quick
def test_an_unusable_peer_stops_neither_a_new_one_nor_a_withdrawal(gateways: Gateways) -> None:
    """What is wrong with a peer shows only when `wg` and the resolver are asked, and then in one call for all."""
    old = gateways.observe("gw1")["file"]
    first, second = (gateways.do("gw3", "stage"), gateways.observe("gw3")["file"])
    before = gateways.text("gw2")
    new = {"endpoint": "10.77.0.9:1", "networks": ["10.9.0.0/24"]}
    peers = [
        {"name": "gw8", "current": first, **new, "endpoint": "nowhere.invalid:1", "networks": ["10.8.0.0/24"]},
        {"name": "gw1", "known": [old], "endpoint": "nowhere.invalid:1"},
        {"name": "gw9", "current": raw_key("gw9"), **new},
    ]
    changes = {change[0]: change for change in gateways.do("gw2", "store", peers=peers, follow=0, write=True)}
    running = gateways.mesh.run("gw2", "wg show wg0 peers").split()
    assert changes["gw8"][-1] == (
        "The name in nowhere.invalid:1, the endpoint of gw8, cannot be resolved. It was excluded."
    )
    assert [changes[name][-1] for name in ("gw1", "gw9")] == ["", ""]
    assert (old in running, raw_key("gw9") in running, first in running) == (False, True, False)
    text = gateways.text("gw2")
    assert "#vpnops.keys withdrawn gw1# [Peer]" in text
    assert "invalid" not in text
    assert raw_key("gw9") in text
    assert second in running
    assert text != before


@only_wg_quick
def test_an_own_key_that_a_peer_has(gateways: Gateways) -> None:
    """WireGuard would silently delete that peer."""
    lab = gateways.mesh
    (other, *dummy) = private_keys(gateways.text("gw2"))
    public = gateways.observe("gw2")["file"]
    gateways.do("gw1", "stage")
    lab.path("gw1", f"{STATE}/pending.key").write_text(other + "\n")
    with pytest.raises(Refused, match=r"that of a peer\. Nothing was changed"):
        gateways.do("gw1", "activate")
    assert public in lab.run("gw1", "wg show wg0 peers")
    assert gateways.do("gw1", "stage") != public
    own = gateways.observe("gw1")["file"]
    before = gateways.text("gw1")
    refused = gateways.store("gw1", name="me", current=own, endpoint="10.77.0.9:1", networks=["10.9.0.0/24"])["refused"]
    assert refused == "Peer me: The key of me is that of this gateway itself. It was excluded."
    assert gateways.text("gw1") == before
    lab.run("gw1", f"printf '\\n[Peer]\\nPublicKey = {own}\\n' >>{CONF}")
    (found,) = gateways.do("gw1", "obstacles", writing=True)
    assert "one of its peers" in found


@only_wg_quick
@pytest.mark.parametrize("rubbish", ["", "half", "A" * 43, "\0" * 45])
def test_a_pending_key_that_was_cut_short_is_made_anew(gateways: Gateways, rubbish: str) -> None:
    new = gateways.do("gw1", "stage")
    assert gateways.do("gw1", "stage") == new
    path = gateways.mesh.path("gw1", f"{STATE}/pending.key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.write_text(rubbish)
    assert gateways.observe("gw1")["pending"] is None
    assert gateways.do("gw1", "stage") not in (new, None)


# ---- the keys of peers


def test_drift_is_repaired_in_the_running_interface_and_in_the_file(gateways: Gateways) -> None:
    lab, own = gateways.mesh, gateways.observe("gw1")["file"]
    text = gateways.text("gw2")
    drifts = {
        "a network lost": f"wg set wg0 peer {own} allowed-ips ''",
        "a network too many": f"wg set wg0 peer {own} allowed-ips 10.78.0.1/32,10.99.0.0/16",
        "the peer lost": f"wg set wg0 peer {own} remove",
        "another peer's": f"wg set wg0 peer {gateways.observe('gw3')['file']} allowed-ips 10.78.0.1/32,10.78.0.3/32",
        "another key in the file": f"sed -i 's|{own}|{'B' * 42}A=|' {gateways.files}",
    }
    known = [base64.b64encode(base64.b64decode("B" * 42 + "A=")).decode()]
    for drift, script in drifts.items():
        lab.run("gw2", script)
        predicted = gateways.store("gw2", write=False, current=own, known=known)
        done = gateways.store("gw2", current=own, known=known)
        assert predicted == done, drift
        assert done["changed"], drift
        assert not gateways.store("gw2", current=own, known=known)["changed"], drift
        assert gateways.text("gw2") == text, drift
        assert gateways.observe("gw2")["stored"][own] == ["current", "current"]
        assert lab.run("gw2", "ping -c1 -W3 -q 10.78.0.1"), drift


def test_a_withdrawn_peer_is_rejected_until_it_is_back(gateways: Gateways) -> None:
    lab, text = gateways.mesh, gateways.text("gw2")
    old, new = gateways.stage("gw1")
    done = gateways.store("gw2", known=[old, new])
    assert done["changed"]
    assert gateways.observe("gw2")["stored"][old] == ["withdrawn", None]
    with pytest.raises(Exception, match="ping"):
        lab.run("gw1", "ping -c3 -W1 -i.3 -q 10.78.0.2")
    assert old not in lab.run("gw2", "wg show wg0 peers | sort")
    assert not gateways.store("gw2", known=[old, new])["changed"]
    lab.run("gw2", f"systemctl restart {gateways.backend.unit}")
    assert old not in lab.run("gw2", "wg show wg0 peers | sort")
    gateways.swap("gw1", 0)
    gateways.store("gw2", current=new)
    assert gateways.text("gw2") == text.replace(old, new)
    assert lab.run("gw2", "ping -c1 -W3 -q 10.78.0.1")


def test_check_mode_writes_nothing_and_foretells(gateways: Gateways) -> None:
    old, new = gateways.observe("gw1")["file"], gateways.do("gw1", "stage")
    steps: list[dict[str, Any]] = [
        {"current": old, "staged": new},
        {"current": new},
        {},
        {"current": old},
    ]
    listed = f"ls -l --full-time /run/vpnops.keys {gateways.files}"
    everything = f"wg show wg0 allowed-ips | sort; cat {gateways.files}; {listed}"
    for step in [{**step, "known": [old, new]} for step in steps]:
        gateways.store("gw2", write=False, **step)
        before = gateways.mesh.run("gw2", everything)
        predicted = gateways.store("gw2", write=False, **step)
        assert before == gateways.mesh.run("gw2", everything)
        assert predicted["changed"]
        assert predicted == gateways.store("gw2", **step)


@only_wg_quick
def test_a_route_of_others_is_left_alone_and_named(gateways: Gateways) -> None:
    """wg-quick would not start with such a peer in its file."""
    before = gateways.text("gw1")
    peer: dict[str, Any] = {"name": "gw9", "current": raw_key("gw9"), "endpoint": "10.77.0.9:51820"}
    networks = ["10.200.0.0/24", "fd00:200::/64"]
    routes = ("ip route add 10.200.0.0/24 via 10.77.0.3 dev eth0", "ip -6 route add fd00:200::/64 dev lo")
    for number, route in enumerate(routes):
        gateways.mesh.run("gw1", route)
        shown = gateways.mesh.run("gw1", "ip route; ip -6 route")
        for write in (False, True):
            refused = gateways.store("gw1", write=write, networks=networks, **peer)["refused"]
            assert f"There is another route to {networks[number]}, a network of gw9 (" in refused
            assert refused.endswith("and it is not replaced. It was excluded.")
        assert gateways.mesh.run("gw1", "ip route; ip -6 route") == shown
        assert gateways.text("gw1") == before
        gateways.mesh.run("gw1", route.replace(" add ", " del "))
    assert gateways.store("gw1", networks=networks, **peer)["refused"] == ""
    assert "10.200.0.0/24 dev wg0" in gateways.mesh.run("gw1", "ip route")
    gateways.mesh.run("gw1", "systemctl restart wg-quick@wg0")


@only_wg_quick
def test_a_new_peer_is_routed_as_wg_quick_would(gateways: Gateways) -> None:
    new = base64.b64encode(X25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    peer: dict[str, Any] = {"name": "gw9", "current": new, "endpoint": "10.77.0.9:51820"}
    peer["networks"] = ["10.78.0.9/32", "10.200.0.0/24"]
    assert gateways.store("gw1", **peer)["changed"]
    routes = gateways.mesh.run("gw1", "ip route show dev wg0")
    assert "10.200.0.0/24" in routes
    assert "10.78.0.9" not in routes  # the interface's own network covers it
    gateways.mesh.run("gw1", "systemctl restart wg-quick@wg0")
    assert gateways.mesh.run("gw1", "ip route show dev wg0") == routes
    assert not gateways.store("gw1", **peer)["changed"]


def test_the_follower_ends_when_there_is_nothing_left_and_comes_back_after_a_kill(gateways: Gateways) -> None:
    old, new = gateways.stage("gw1")
    assert gateways.follows("gw2")
    assert gateways.kill("gw2", "follow-wg0")
    assert not gateways.follows("gw2")
    gateways.do("gw1", "activate")
    assert not gateways.carries("gw2", new, old)
    gateways.store("gw2", current=old, staged=new)
    assert gateways.follows("gw2")
    gateways.until(lambda: gateways.carries("gw2", new, old), 3)
    gateways.store("gw2", current=new, known=[old])
    gateways.until(lambda: not gateways.follows("gw2"), 3)
    assert not gateways.mesh.path("gw2", "/run/vpnops.keys/follow-wg0.json").exists()
    gateways.store("gw3", current=old, staged=new, follow=1)
    gateways.until(lambda: not gateways.follows("gw3"), 5)


def test_two_gateways_that_change_at_the_same_time(gateways: Gateways) -> None:
    """Each is told of the other's next key before either changes."""
    olds, news = zip(*[gateways.stage(name) for name in ("gw1", "gw2")], strict=True)
    for name in ("gw1", "gw2"):
        gateways.do(name, "begin", confirm_timeout=30)
    for number, name in enumerate(("gw1", "gw2")):
        gateways.until(lambda name=name: gateways.observe(name)["step"] == "active")  # type: ignore[misc]
        gateways.until(lambda n=number, name=name: gateways.carries("gw3", news[n], olds[n]))  # type: ignore[misc]
    for number, name in enumerate(("gw1", "gw2")):
        gateways.finish(name, olds[number], news[number])
    for number, name in enumerate(("gw1", "gw2")):
        gateways.check_rotated(name, olds[number], news[number])
    keepalive = gateways.mesh.run("gw3", "wg show wg0 persistent-keepalive")
    assert f"{news[0]}\t25" in keepalive


# ---- cuts


def test_a_reboot_at_every_step_brings_a_gateway_that_works(gateways: Gateways) -> None:
    old, new = gateways.stage("gw1")

    def rebooted(own: str) -> None:
        gateways.reboot("gw1")
        seen = gateways.observe("gw1")
        assert (seen["file"], seen["runtime"]) == (own, own)
        assert gateways.mesh.unreachable(3) == []

    rebooted(old)
    assert gateways.do("gw1", "stage") == new
    gateways.swap("gw1")
    gateways.until(lambda: gateways.carries("gw2", new, old))
    rebooted(old)
    gateways.until(lambda: gateways.carries("gw2", old, new))
    assert gateways.do("gw1", "stage") == new
    gateways.swap("gw1")
    gateways.do("gw1", "confirm")
    rebooted(new)
    assert gateways.observe("gw1")["previous"] == old
    gateways.mesh.reboot("gw2")  # its file has both keys, but nobody tells it any more which one to use
    gateways.install("gw2")
    gateways.finish("gw1", old, new)
    rebooted(new)
    gateways.check_rotated("gw1", old, new)


STEPS = {
    "activate": ([], ["activate"]),
    "deactivate": (["activate"], ["deactivate"]),
    "persist": (["activate"], ["persist"]),
    "restore": (["activate", "persist"], ["restore"]),
}


@pytest.mark.parametrize("what", STEPS)
def test_a_kill_anywhere_leaves_a_whole_key_and_is_made_good_by_repeating(gateways: Gateways, what: str) -> None:
    before, dummy = STEPS[what]
    text = gateways.text("gw1")
    mended = {"activate": "new", "deactivate": "old", "persist": "new", "restore": "old"}[what]
    step, after, cuts = 1, False, 0
    while True:
        old = gateways.observe("gw1")["file"]
        new = gateways.do("gw1", "stage")
        for name in before:
            gateways.do("gw1", name)
        cut = gateways.do("gw1", "killed", work={"what": what}, step=step, after=after)
        seen = gateways.observe("gw1")
        assert seen["file"] in (old, new), (what, step, after)
        assert seen["runtime"] in (old, new), (what, step, after)
        assert old in (seen["file"], seen["runtime"], seen["previous"]) or what == "restore"
        gateways.do("gw1", what)
        seen = gateways.observe("gw1")
        assert seen["runtime"] == (new if mended == "new" else old), (what, step, after)
        assert "\t1\n" not in gateways.mesh.run("gw1", "wg show wg0 persistent-keepalive")
        if what == "persist":
            assert (seen["file"], seen["pending"], seen["previous"]) == (new, None, old)
        gateways.do("gw1", "restore")
        seen = gateways.observe("gw1")
        assert (seen["file"], seen["runtime"], seen["pending"], seen["previous"]) == (old, old, None, None)
        assert gateways.text("gw1") == text
        if not cut:
            break
        cuts += 1
        step, after = (step, True) if not after else (step + 1, False)
    assert cuts >= 3


def test_a_kill_anywhere_while_storing_is_made_good_by_repeating(gateways: Gateways) -> None:
    old, new = gateways.observe("gw1")["file"], gateways.do("gw1", "stage")
    text = gateways.text("gw2")
    wishes: list[dict[str, Any]] = [{"current": old, "staged": new}, {"current": new}, {}, {"current": old}]
    for wish in [{**wish, "known": [old, new]} for wish in wishes]:
        step, after, cuts = 1, False, 0
        keep = f"mkdir -p /tmp/start; cp -a {gateways.files} /tmp/start; wg showconf wg0 >/tmp/runtime"
        start = gateways.mesh.run("gw2", keep)
        while True:
            work = {"what": "store", "peers": [{"name": "gw1", **wish}], "follow": 30, "write": True}
            cut = gateways.do("gw2", "killed", work=work, step=step, after=after)
            stored = gateways.observe("gw2")["stored"]
            assert any("withdrawn" in roles or "current" in roles for roles in stored.values()), start
            gateways.store("gw2", follow=30, **wish)
            assert not gateways.store("gw2", follow=30, **wish)["changed"]
            if not cut:
                break
            cuts += 1
            step, after = (step, True) if not after else (step + 1, False)
            # Not with the tools under test.
            back = "; ".join(f"cp -a /tmp/start/{Path(path).name} {path}" for path in gateways.backend.files)
            gateways.mesh.run("gw2", f"{back}; wg syncconf wg0 /tmp/runtime")
        assert cuts >= 4, wish
    assert gateways.text("gw2") == text
    assert gateways.mesh.run("gw2", "ls /run/vpnops.keys | grep -c psk || true").strip() == "0"


def test_a_killed_change_is_taken_up_again(gateways: Gateways) -> None:
    old, new = gateways.stage("gw1")
    for delay in (0.0, 0.05, 0.1, 0.2, 0.4):
        gateways.do("gw1", "begin", confirm_timeout=30)
        time.sleep(delay)
        assert gateways.kill("gw1", "change-wireguard-wg0")
        seen = gateways.observe("gw1")
        assert (seen["file"], seen["pending"]) == (old, new)
        assert seen["runtime"] in (old, new)
    assert gateways.do("gw1", "stage") == new
    gateways.swap("gw1")
    gateways.finish("gw1", old, new)
    gateways.check_rotated("gw1", old, new)


@pytest.mark.parametrize("trouble", ["full disk", "read-only /etc"])
def test_where_nothing_can_be_written_nothing_changes(gateways: Gateways, trouble: str) -> None:
    lab = gateways.mesh
    old, new = gateways.stage("gw1")
    gateways.do("gw1", "activate")
    text, peer_text, running = gateways.text("gw1"), gateways.text("gw2"), lab.run("gw2", "wg show wg0 peers | sort")
    spoil, mend = {
        "full disk": (lab.fill_disk, lab.empty_disk),
        "read-only /etc": (lab.read_only_etc, lab.writable_etc),
    }[trouble]
    for name in ("gw1", "gw2"):
        spoil(name)
    assert all("cannot be written" in sentence for sentence in gateways.do("gw1", "obstacles", writing=True))
    assert gateways.do("gw1", "obstacles", writing=True)
    with pytest.raises(Refused, match=r"^[^ ]* cannot be written: .*It was not changed\.$"):
        gateways.do("gw1", "persist")
    with pytest.raises(Refused, match="cannot be written"):
        gateways.store("gw2", current=new, known=[old])
    assert gateways.text("gw1") == text
    assert gateways.text("gw2") == peer_text
    assert lab.run("gw2", "wg show wg0 peers | sort") == running
    gateways.do("gw1", "deactivate")
    assert gateways.observe("gw1")["runtime"] == old
    if trouble == "full disk":
        spoil("gw3")
        with pytest.raises(Refused, match=r"cannot be (written|made)"):
            gateways.do("gw3", "stage")
        mend("gw3")
    for name in ("gw1", "gw2"):
        mend(name)
    assert gateways.do("gw1", "obstacles", writing=True) == []
    old, new = gateways.stage("gw1")
    gateways.swap("gw1")
    gateways.finish("gw1", old, new)
    gateways.check_rotated("gw1", old, new)


# ---- secrets


@contextmanager
def watching_arguments(mesh: Mesh) -> Iterator[set[str]]:
    """The arguments of all processes of this machine, gateways included, looked at over and over."""
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for entry in os.listdir("/proc"):
                if entry.isdigit():
                    with suppress(OSError):
                        seen.add(Path(f"/proc/{entry}/cmdline").read_text(errors="replace"))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def test_no_secret_leaves_its_place(gateways: Gateways) -> None:
    lab = gateways.mesh
    secrets = {name: set(private_keys(gateways.text(name))) for name in lab.names}
    answers = []
    for name in lab.names:  # too short-lived for the watcher to see them all
        lab.run(name, "mountpoint -q /usr/local/sbin || mount -t tmpfs none /usr/local/sbin")
        for tool in ("wg", "ip"):
            wrapper = f'#!/bin/sh\necho {tool} "$@" >>/tmp/arguments\nexec /usr/bin/{tool} "$@"\n'
            lab.path(name, f"/usr/local/sbin/{tool}").write_text(wrapper)
        lab.run(name, "chmod 755 /usr/local/sbin/*")
    with watching_arguments(lab) as arguments:
        old, new = gateways.stage("gw1")
        pending = gateways.text("gw1", f"{STATE}/pending.key").strip()
        gateways.swap("gw1")
        answers += [gateways.observe(name) for name in lab.names]
        gateways.finish("gw1", old, new)
        answers += [gateways.store("gw2", known=[new]), gateways.store("gw2", current=new)]
        answers += [gateways.observe(name) for name in lab.names]
    everything = set().union(*secrets.values()) | {pending}
    assert len(everything) > 4
    arguments |= {gateways.text(name, "/tmp/arguments") for name in lab.names}
    assert any("wg set wg0 private-key /dev/stdin" in line for line in arguments)
    assert any("preshared-key /run/vpnops.keys/" in line for line in arguments)
    assert not [secret for secret in everything if any(secret in line for line in arguments)]
    assert not [secret for secret in everything if secret in json.dumps(answers)]
    (replaced,) = secrets["gw1"] - set(private_keys(gateways.text("gw1")))
    for name in lab.names:
        for secret in everything:
            places = lab.run(name, f"grep -rlsF -e {secret} /etc /var /run /tmp /root /dev/shm || true").split()
            if secret == replaced:
                assert places == [], "the old key is to be destroyed"
            assert set(places) <= {*gateways.backend.files, *gateways.backend.kept}, (name, places)
        journal = lab.run(name, "journalctl --no-pager -o cat")
        assert not [secret for secret in everything if secret in journal]
