# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strongSwan platform on real gateways: what happens to files, daemon and traffic when keys change."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._public_key import parse
from lab.gateways import Mesh, Traffic, available

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
CODE = "/opt/t"
OVERLAY = "/etc/swanctl/conf.d/zz-vpnops.keys.conf"
pytestmark = pytest.mark.skipif(bool(available()), reason=available() or "gateways can run here")


class Refused(Exception):
    """What the platform answered instead of a result."""


class Gateways:
    """A mesh with the platform's code in every gateway."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.install()

    def install(self) -> None:
        for name in self.mesh.names:
            place = self.mesh.path(name, f"{CODE}/ansible_collections/vpnops/keys/plugins")
            place.mkdir(parents=True, exist_ok=True)
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / "plugins/module_utils", place / "module_utils", dirs_exist_ok=True, ignore=ignore)
            shutil.copy(HERE / "strongswan_inside.py", self.mesh.path(name, CODE))

    def try_(self, name: str, what: str, **options: Any) -> str:
        request = shlex.quote(json.dumps({"what": what, **options}))
        script = f"printf %s {request} | PYTHONPATH={CODE} python3 {CODE}/strongswan_inside.py"
        return self.mesh.run(name, script, check=False)

    def do(self, name: str, what: str, **options: Any) -> Any:
        answer = self.try_(name, what, **options)
        if not answer:
            raise AssertionError(f"{name}: {what} {options} did not answer")
        result = json.loads(answer)
        if "error" in result:
            raise Refused(result["error"])
        return result["result"]

    def observe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.do(name, "look")
        return found

    def store(self, name: str, peer: str, current: str | None, staged: str | None = None, **options: Any) -> list[Any]:
        known = [key for key in (current, staged, *options.pop("known", ())) if key]
        wanted = {"name": peer, "current": current, "staged": staged, "known": known}
        result: list[Any] = self.do(name, "store", peers=[wanted], **options)[0]
        return result

    def stage(self, algorithm: str = "ed25519", bits: int = 256) -> tuple[str, str]:
        """A new key for gw1, which gw2 and the others accept beside the old one."""
        old = self.observe("gw1")["file"]
        new = self.do("gw1", "stage", algorithm=algorithm, bits=bits)
        for peer in self.mesh.names[1:]:
            assert self.store(peer, "gw1", old, new)[2]
        return old, new

    def narrow(self, new: str, old: str) -> None:
        for peer in self.mesh.names[1:]:
            assert self.store(peer, "gw1", new, known=[old])[2]

    def sa(self, name: str, peer: str) -> dict[int, str]:
        """Established IKE_SAs with a peer: number and whole line."""
        lines = self.mesh.run(name, "swanctl --list-sas").splitlines()
        found = [line for line in lines if line.startswith(f"{peer}: #") and "ESTABLISHED" in line]
        return {int(line.split("#")[1].split(",")[0]): line for line in found}

    def reauthenticate(self, name: str, peer: str) -> bool:
        """Whether a re-authentication with that peer leaves a working tunnel."""
        before = set(self.sa(name, peer))
        self.mesh.run(name, f"swanctl --rekey --ike {peer} --reauth")
        for dummy in range(40):
            now = set(self.sa(name, peer))
            if now and now.isdisjoint(before):
                return not self.mesh.unreachable()
            time.sleep(0.1)
        return False

    def files(self, name: str) -> dict[str, tuple[bytes, int, int]]:
        """What the administrator sees below /etc/swanctl."""
        top = self.mesh.path(name, "/etc/swanctl")
        return {
            str(path.relative_to(top)): (path.read_bytes(), path.stat().st_mode, path.stat().st_uid)
            for path in sorted(top.rglob("*"))
            if path.is_file()
        }


def _mesh(tmp_path_factory: pytest.TempPathFactory, count: int, **options: Any) -> Iterator[Gateways]:
    directory = tmp_path_factory.mktemp("strongswan")
    with Mesh(count, platform="strongswan", directory=directory, users=False, **options) as mesh:
        yield Gateways(mesh)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    yield from _mesh(tmp_path_factory, 3)


@pytest.fixture
def gateways(shared: Gateways) -> Iterator[Gateways]:
    """Three gateways as just installed, Ed25519."""
    yield shared
    shared.mesh.reset()
    shared.install()


@pytest.fixture
def rsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    yield from _mesh(tmp_path_factory, 2, algorithm="rsa")


@pytest.fixture
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    """start_action = start at both ends, and 40 ms of round-trip time."""
    yield from _mesh(tmp_path_factory, 2, start_action="start", delay_ms=40)


def rotate(gateways: Gateways, algorithm: str = "ed25519", bits: int = 256) -> tuple[str, str]:
    old, new = gateways.stage(algorithm, bits)
    gateways.do("gw1", "activate")
    gateways.narrow(new, old)
    gateways.do("gw1", "persist")
    gateways.do("gw1", "discard_previous")
    return old, new


def test_a_rotation_costs_next_to_nothing_and_leaves_no_trace(gateways: Gateways) -> None:
    before = {name: gateways.files(name) for name in gateways.mesh.names}
    old_sas = set(gateways.sa("gw1", "gw2"))
    traffic = Traffic(gateways.mesh, "gw2", "gw1", rate=200).start()
    time.sleep(1)
    old, new = rotate(gateways)
    time.sleep(1)
    result = traffic.stop()
    assert result.there.sent > 300
    assert result.lost <= 4, result.summary()
    observed = gateways.observe("gw1")
    assert (observed["file"], observed["runtime"], observed["pending"], observed["previous"]) == (new, new, None, None)
    assert new != old
    # The proof: IKE_SAs of their own, made with the new key.
    assert sorted(tunnel[:2] for tunnel in observed["tunnels"]) == [["gw2", new], ["gw3", new]]
    assert old_sas.isdisjoint(gateways.sa("gw1", "gw2"))
    # Only the keys themselves differ, in bytes, owner and mode.
    after = {name: gateways.files(name) for name in gateways.mesh.names}
    for name in gateways.mesh.names:
        own = {"private/gw1.key"} if name == "gw1" else set()
        assert before[name].keys() == after[name].keys()
        differing = {file for file in before[name] if before[name][file] != after[name][file]}
        assert differing == {"pubkey/gw1.pub", *own}
        assert {file: entry[1:] for file, entry in before[name].items()} == {
            file: entry[1:] for file, entry in after[name].items()
        }
    # A peer that knows only the new key authenticates it again, whoever begins.
    assert gateways.reauthenticate("gw1", "gw2")
    assert gateways.reauthenticate("gw3", "gw1")
    gateways.mesh.reboot("gw1")
    assert gateways.observe("gw1")["runtime"] == new


def test_rsa(rsa: Gateways) -> None:
    traffic = Traffic(rsa.mesh, "gw2", "gw1", rate=200).start()
    old, new = rotate(rsa, "rsa", 3072)
    time.sleep(0.5)
    result = traffic.stop()
    assert result.lost <= 4, result.summary()
    observed = rsa.observe("gw1")
    assert (observed["file"], observed["runtime"], parse(new).bits) == (new, new, 3072)
    assert [tunnel[1] for tunnel in observed["tunnels"]] == [new]
    assert new != old
    assert rsa.reauthenticate("gw1", "gw2")


def test_start_action_start_is_bridged(starting: Gateways) -> None:
    """Loading a changed connection that starts by itself would end its IKE_SA and cost a round of handshakes."""
    traffic = Traffic(starting.mesh, "gw2", "gw1", rate=200).start()
    time.sleep(1)
    dummy, new = rotate(starting)
    time.sleep(1)
    result = traffic.stop()
    assert result.lost <= 4, result.summary()
    observed = starting.observe("gw1")
    assert (observed["runtime"], {tunnel[1] for tunnel in observed["tunnels"]}) == (new, {new})
    for name in starting.mesh.names:
        assert "vpnops-keys" not in starting.mesh.run(name, "swanctl --list-conns; swanctl --list-sas")
        assert not [file for file in starting.files(name) if "vpnops" in file]
    # What it would have cost: the same change by hand.
    traffic = Traffic(starting.mesh, "gw2", "gw1", rate=200).start()
    time.sleep(1)
    starting.mesh.run("gw2", "sed -i 's/pubkeys = gw1.pub.*/pubkeys = gw1.pub, gw2.pub/' /etc/swanctl/conf.d/mesh.conf")
    starting.mesh.run("gw2", "swanctl --load-all")
    time.sleep(1)
    assert traffic.stop().lost > result.lost + 4


def test_the_old_key_is_refused_once_the_peers_are_narrowed(gateways: Gateways) -> None:
    """The trap: with the old private key still loaded, re-authentication uses it, and swanctl reports success."""
    mesh = gateways.mesh
    old, new = gateways.stage()
    mesh.run("gw1", "cp /etc/swanctl/private/gw1.key /etc/swanctl/private/forgotten.key")
    mesh.run("gw1", "cp /etc/swanctl/pubkey/gw1.pub /root/old.pub")
    (obstacle,) = gateways.do("gw1", "obstacles", writing=False)
    assert "forgotten.key" in obstacle
    with pytest.raises(Refused, match="another private key"):
        gateways.do("gw1", "activate")
    gateways.do("gw1", "deactivate")
    assert gateways.observe("gw1")["runtime"] == old
    # By hand: both private keys loaded, the new one named in local.pubkeys.
    pending = "/var/lib/vpnops.keys/strongswan/pending.key"
    mesh.run("gw1", f"cp {pending} /etc/swanctl/private/by-hand.key; rm /etc/swanctl/private/forgotten.key")
    mesh.run("gw1", f"pki --pub --in {pending} --outform pem >/etc/swanctl/pubkey/gw1.pub; swanctl --load-all")
    assert "successfully" in mesh.run("gw1", "swanctl --rekey --ike gw2 --reauth")
    gateways.narrow(new, old)
    assert not gateways.reauthenticate("gw1", "gw2")
    # What is there is recognized, brought into order by the ordinary path, and holds.
    mesh.run("gw1", "rm /etc/swanctl/private/by-hand.key; cp /root/old.pub /etc/swanctl/pubkey/gw1.pub")
    gateways.do("gw1", "activate")
    mesh.run("gw1", "swanctl --initiate --child gw2 --timeout 10", check=False)
    assert gateways.observe("gw1")["runtime"] == new
    assert gateways.reauthenticate("gw1", "gw2")
    # And the old key opens no door any more.
    mesh.run("gw1", "cp /var/lib/vpnops.keys/strongswan/previous.key /etc/swanctl/private/gw1.key")
    mesh.run("gw1", "cp /root/old.pub /etc/swanctl/pubkey/gw1.pub; swanctl --load-all; swanctl --terminate --ike gw2")
    assert "AUTHENTICATION_FAILED" in mesh.run("gw1", "swanctl --initiate --child gw2 --timeout 10", check=False)


def test_a_peer_that_lacks_the_new_key_keeps_its_tunnel_and_is_named(gateways: Gateways) -> None:
    old = gateways.observe("gw1")["file"]
    new = gateways.do("gw1", "stage", algorithm="ed25519", bits=256)
    gateways.store("gw2", "gw1", old, new)
    before = set(gateways.sa("gw1", "gw3"))
    gateways.do("gw1", "activate")
    tunnels = {tunnel[0]: tunnel for tunnel in gateways.observe("gw1")["tunnels"]}
    assert tunnels["gw2"][1] == new
    assert tunnels["gw3"][1] is None
    assert "AUTHENTICATION_FAILED" in tunnels["gw3"][3]
    assert set(gateways.sa("gw1", "gw3")) == before
    assert not gateways.mesh.unreachable()
    # It learns the key later, not staged: it makes the new IKE_SA itself.
    gateways.store("gw3", "gw1", new, known=[old])
    assert before.isdisjoint(gateways.sa("gw1", "gw3"))
    assert not gateways.mesh.unreachable()
    assert [tunnel[2] for tunnel in gateways.observe("gw3")["tunnels"] if tunnel[0] == "gw1"] == [new]
    # What gw1 did not know for sure it proves with the next keys that it stores.
    gateways.store("gw1", "gw3", gateways.observe("gw3")["file"])
    assert {tunnel[1] for tunnel in gateways.observe("gw1")["tunnels"]} == {new}


def test_without_confirmation_the_old_key_comes_back(gateways: Gateways) -> None:
    old, new = gateways.stage()
    files = gateways.files("gw1")
    gateways.do("gw1", "begin", confirm_timeout=4)
    gateways.do("gw1", "await_swap")
    assert gateways.observe("gw1")["runtime"] == new
    deadline = time.monotonic() + 30
    while gateways.observe("gw1")["changing"] and time.monotonic() < deadline:
        time.sleep(0.5)
    observed = gateways.observe("gw1")
    assert (observed["file"], observed["runtime"], observed["pending"]) == (old, old, new)
    assert observed["step"] == "rolled_back"
    assert {tunnel[1] for tunnel in observed["tunnels"]} == {old}
    assert gateways.files("gw1") == files
    assert not gateways.mesh.unreachable()
    assert gateways.reauthenticate("gw1", "gw2")
    with pytest.raises(Refused, match="not in use"):
        gateways.do("gw1", "confirm")
    # The second time it is confirmed, and stays.
    gateways.do("gw1", "begin", confirm_timeout=60)
    gateways.do("gw1", "await_swap")
    gateways.do("gw1", "confirm")
    observed = gateways.observe("gw1")
    found = (observed["runtime"], observed["pending"], observed["previous"], observed["step"])
    assert found == (new, None, old, "confirmed")
    gateways.do("gw1", "restore")
    observed = gateways.observe("gw1")
    assert (observed["file"], observed["runtime"], observed["pending"], observed["previous"]) == (old, old, None, None)


def test_a_withdrawn_key_is_out_at_once(gateways: Gateways) -> None:
    mesh = gateways.mesh
    old, new = gateways.stage()
    predicted = gateways.store("gw2", "gw1", None, known=[old], write=False)
    done = gateways.store("gw2", "gw1", None, known=[old])
    assert predicted == done
    assert done[2]
    assert not gateways.sa("gw2", "gw1")
    assert not gateways.sa("gw1", "gw2")
    assert "AUTHENTICATION_FAILED" in mesh.run("gw1", "swanctl --initiate --child gw2 --timeout 10", check=False)
    mesh.run("gw2", "systemctl restart strongswan")
    assert "AUTHENTICATION_FAILED" in mesh.run("gw1", "swanctl --initiate --child gw2 --timeout 10", check=False)
    assert [entry[1:] for entry in gateways.observe("gw2")["stored"] if entry[0] == "gw1"] == [
        [old, "withdrawn", "withdrawn"]
    ]
    assert not gateways.store("gw2", "gw1", None, known=[old])[2]
    # Others were not touched.
    assert gateways.sa("gw1", "gw3")
    gateways.do("gw1", "activate")
    gateways.store("gw2", "gw1", new, known=[old])
    gateways.store("gw3", "gw1", new, known=[old])
    # The tunnel that was up is up again by itself, and is proved to be the new key's.
    assert ("gw1", "gw2") not in mesh.unreachable()
    assert [tunnel[1] for tunnel in gateways.observe("gw1")["tunnels"] if tunnel[0] == "gw2"] == [new]
    assert not gateways.store("gw2", "gw1", new, known=[old])[2]
    assert OVERLAY.rsplit("/", 1)[1] not in mesh.run("gw2", "ls /etc/swanctl/conf.d")


def test_drift_in_the_daemon_is_seen_and_repaired(gateways: Gateways) -> None:
    mesh = gateways.mesh
    old, new = gateways.observe("gw1")["file"], gateways.do("gw1", "stage", algorithm="ed25519", bits=256)
    mesh.path("gw2", "/etc/swanctl/pubkey/gw1.pub").write_text(
        f"-----BEGIN PUBLIC KEY-----\n{new}\n-----END PUBLIC KEY-----\n", encoding="ascii"
    )
    assert [entry[1:] for entry in gateways.observe("gw2")["stored"] if entry[0] == "gw1"] == [
        [new, "current", None],
        [old, None, "current"],
    ]
    predicted = gateways.store("gw2", "gw1", new, known=[old], write=False)
    assert gateways.store("gw2", "gw1", new, known=[old]) == predicted
    assert predicted[2]
    assert not gateways.store("gw2", "gw1", new, known=[old])[2]
    # The file is gone.
    mesh.run("gw2", "rm /etc/swanctl/pubkey/gw1.pub")
    assert gateways.store("gw2", "gw1", old)[2]
    stored = gateways.observe("gw2")["stored"]
    assert [entry[1:] for entry in stored if entry[0] == "gw1"] == [[old, "current", "current"]]
    # Nobody's neighbor, itself, a file of two peers.
    assert not gateways.store("gw2", "gw9", new)[1]
    assert not gateways.store("gw2", "gw2", new)[1]
    mesh.run("gw2", "sed -i 's/pubkeys = gw3.pub/pubkeys = gw1.pub/' /etc/swanctl/conf.d/mesh.conf")
    files = gateways.files("gw2")
    refused = gateways.store("gw2", "gw1", new, known=[old])[-1]
    assert re.search(r"^Peer gw1: .*gw1\.pub is used by connection gw3, too.*Nothing was changed", refused)
    assert gateways.files("gw2") == files


def test_a_file_that_charon_refuses_undoes_the_change(gateways: Gateways) -> None:
    old, new = gateways.observe("gw1")["file"], gateways.do("gw1", "stage", algorithm="ed25519", bits=256)
    gateways.mesh.path("gw2", "/etc/swanctl/pubkey/gw3.pub").write_text("junk\n", encoding="ascii")
    files = gateways.files("gw2")
    with pytest.raises(Refused, match=r"gw3.*config discarded|1 failed"):
        gateways.store("gw2", "gw1", old, new)
    assert gateways.files("gw2") == files
    assert gateways.sa("gw2", "gw1")
    gateways.mesh.path("gw2", "/etc/swanctl/conf.d/mesh.conf").write_text("connections {\n gw1 {\n", encoding="ascii")
    with pytest.raises(Refused, match=r"mesh\.conf, line 3: the file ends in the middle of a section"):
        gateways.store("gw2", "gw1", old, new)
    assert gateways.do("gw2", "obstacles", writing=True)


def test_all_at_once(gateways: Gateways) -> None:
    mesh = gateways.mesh
    old = {name: gateways.observe(name)["file"] for name in mesh.names}
    new = {name: gateways.do(name, "stage", algorithm="ed25519", bits=256) for name in mesh.names}
    traffic = Traffic(mesh, "gw2", "gw1", rate=200).start()

    def store_everywhere(entries: list[dict[str, Any]]) -> None:
        for name in mesh.names:
            changes = gateways.do(name, "store", peers=entries)
            # Itself is nobody's neighbor.
            assert [change[0] for change in changes if change[1] and change[2]] == [
                other for other in mesh.names if other != name
            ]

    both = [{"name": name, "current": old[name], "staged": new[name], "known": [old[name]]} for name in mesh.names]
    store_everywhere(both)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: gateways.do(name, "activate"), mesh.names))
    store_everywhere([{"name": name, "current": new[name], "known": [old[name]]} for name in mesh.names])
    result = traffic.stop()
    assert result.lost <= 8, result.summary()
    assert not mesh.unreachable()
    for name in mesh.names:
        observed = gateways.observe(name)
        assert observed["runtime"] == new[name]
        assert {tuple(tunnel[:2]) for tunnel in observed["tunnels"]} == {
            (other, new[name]) for other in mesh.names if other != name
        }
        assert gateways.reauthenticate(name, mesh.names[0] if name != mesh.names[0] else mesh.names[1])


def test_a_gateway_that_cannot_initiate_is_met_by_its_peer(gateways: Gateways) -> None:
    mesh = gateways.mesh
    mesh.run("gw1", "sed -i 's/remote_addrs = 10.77.0.2/remote_addrs = %any/' /etc/swanctl/conf.d/mesh.conf")
    mesh.run("gw1", "swanctl --load-all; swanctl --terminate --ike gw2 || true")
    mesh.run("gw2", "swanctl --initiate --child gw1 --timeout 10")
    before = set(gateways.sa("gw2", "gw1"))
    old, new = gateways.stage()
    gateways.do("gw1", "activate")
    tunnels = {tunnel[0]: tunnel for tunnel in gateways.observe("gw1")["tunnels"]}
    assert tunnels["gw2"][1] is None
    assert "the peer has to initiate" in tunnels["gw2"][3]
    assert set(gateways.sa("gw2", "gw1")) == before
    gateways.narrow(new, old)
    assert before.isdisjoint(gateways.sa("gw2", "gw1"))
    assert not mesh.unreachable()
    assert [tunnel[2] for tunnel in gateways.observe("gw2")["tunnels"] if tunnel[0] == "gw1"] == [new]


def test_a_reboot_at_any_stage(gateways: Gateways) -> None:
    mesh = gateways.mesh
    old, new = gateways.stage()
    mesh.reboot("gw1")
    mesh.reboot("gw2")
    gateways.install()
    observed = gateways.observe("gw1")
    assert (observed["file"], observed["runtime"], observed["pending"]) == (old, old, new)
    assert gateways.do("gw1", "stage", algorithm="ed25519", bits=256) == new
    roles = [entry[1:] for entry in gateways.observe("gw2")["stored"] if entry[0] == "gw1"]
    assert roles == [[old, "current", "current"], [new, "staged", "staged"]]
    gateways.do("gw1", "activate")
    mesh.reboot("gw1")
    observed = gateways.observe("gw1")
    assert (observed["file"], observed["runtime"], observed["pending"], observed["previous"]) == (new, new, new, old)
    assert {tunnel[1] for tunnel in observed["tunnels"]} == {new}
    assert gateways.do("gw1", "stage", algorithm="ed25519", bits=256) == new
    gateways.do("gw1", "deactivate")
    mesh.reboot("gw1")
    assert gateways.observe("gw1")["runtime"] == old
    gateways.do("gw1", "activate")
    gateways.narrow(new, old)
    gateways.do("gw1", "persist")
    mesh.reboot("gw1")
    observed = gateways.observe("gw1")
    assert (observed["file"], observed["runtime"], observed["pending"], observed["previous"]) == (new, new, None, old)


@pytest.mark.timeout(900)
def test_a_kill_at_any_step_leaves_a_whole_key_and_the_next_run_finishes(gateways: Gateways) -> None:
    mesh = gateways.mesh
    old, new = gateways.stage()
    step = 0
    while True:
        step += 1
        finished = bool(gateways.try_("gw1", "activate", die=step))
        # A reboot at this instant: all that charon needs is there.
        if step % 2:
            # Not even systemd may mind how often.
            mesh.run("gw1", "swanctl --load-all --noprompt && systemctl reset-failed strongswan")
            mesh.run("gw1", "systemctl restart strongswan")
        observed = gateways.observe("gw1")
        assert observed["file"] in (old, new), step
        assert observed["pending"] == new
        gateways.do("gw1", "activate")
        observed = gateways.observe("gw1")
        assert (observed["file"], observed["runtime"], observed["previous"]) == (new, new, old), step
        assert [name for name in gateways.files("gw1") if "vpnops" in name] == [], step
        if finished:
            break
        gateways.do("gw1", "deactivate")
        observed = gateways.observe("gw1")
        assert (observed["file"], observed["runtime"], observed["pending"]) == (old, old, new), step
    assert step > 12
    mesh.run("gw2", "swanctl --initiate --child gw1 --timeout 10", check=False)
    assert not [pair for pair in mesh.unreachable() if "gw2" in pair and "gw1" in pair]


@pytest.mark.timeout(900)
def test_a_kill_while_keys_are_stored_leaves_what_a_reboot_can_load(gateways: Gateways) -> None:
    mesh = gateways.mesh
    old, new = gateways.observe("gw1")["file"], gateways.do("gw1", "stage", algorithm="ed25519", bits=256)
    start = gateways.files("gw2")
    steps = 0
    for current, staged in ((old, new), (new, None)):
        step = 0
        while True:
            step += 1
            wanted = {"name": "gw1", "current": current, "staged": staged, "known": [old, new]}
            finished = bool(gateways.try_("gw2", "store", die=step, peers=[wanted]))
            mesh.run("gw2", "swanctl --load-all --noprompt")
            gateways.store("gw2", "gw1", current, staged, known=[old, new])
            roles = [entry[1:] for entry in gateways.observe("gw2")["stored"] if entry[0] == "gw1"]
            both = [[new, "staged", "staged"]] if staged else []
            assert roles == [[current, "current", "current"], *both], step
            if finished:
                break
            gateways.store("gw2", "gw1", old, None if staged else new, known=[old, new])
        steps += step
    assert steps > 12
    end = gateways.files("gw2")
    assert {name for name in end if end[name] != start.get(name)} == {"pubkey/gw1.pub"}
    assert start.keys() == end.keys()


def test_a_full_disk_and_a_read_only_etc_change_nothing(gateways: Gateways) -> None:
    mesh = gateways.mesh
    old, new = gateways.observe("gw1")["file"], gateways.do("gw1", "stage", algorithm="ed25519", bits=256)
    files = {name: gateways.files(name) for name in ("gw1", "gw2")}
    for hurt, heal in ((mesh.fill_disk, mesh.empty_disk), (mesh.read_only_etc, mesh.writable_etc)):
        for name in ("gw1", "gw2"):
            hurt(name)
        obstacles = gateways.do("gw1", "obstacles", writing=True)
        assert any("/etc/swanctl" in sentence for sentence in obstacles), obstacles
        with pytest.raises(Refused, match="cannot be"):
            gateways.do("gw1", "activate")
        with pytest.raises(Refused, match="cannot be"):
            gateways.store("gw2", "gw1", old, new)
        for name in ("gw1", "gw2"):
            heal(name)
        assert {name: gateways.files(name) for name in files} == files
        gateways.do("gw1", "deactivate")
        observed = gateways.observe("gw1")
        assert (observed["file"], observed["runtime"], observed["pending"]) == (old, old, new)
        assert not mesh.unreachable()
    assert gateways.do("gw1", "obstacles", writing=True) == []


def test_a_gateway_without_a_key_gets_one(gateways: Gateways) -> None:
    mesh = gateways.mesh
    old = gateways.observe("gw1")["file"]
    with pytest.raises(Refused, match="already"):
        gateways.do("gw1", "generate", algorithm="ed25519", bits=256)
    # Its private half is in charon only: no file could be made for it.
    mesh.run("gw1", "mv /etc/swanctl/private/gw1.key /root/")
    with pytest.raises(Refused, match="passphrase"):
        gateways.do("gw1", "generate", algorithm="ed25519", bits=256)
    mesh.run("gw1", "rm /etc/swanctl/pubkey/gw1.pub")
    assert gateways.observe("gw1")["file"] is None
    made = gateways.do("gw1", "generate", algorithm="ed25519", bits=256)
    observed = gateways.observe("gw1")
    assert (observed["file"], observed["runtime"]) == (made, made)
    assert made != old
    # charon does not even start without the file.
    mesh.run("gw1", "cd /etc/swanctl && rm private/gw1.key pubkey/gw1.pub; systemctl restart strongswan || true")
    assert "charon does not answer" in gateways.do("gw1", "obstacles", writing=False)[0]
    assert gateways.observe("gw1")["runtime"] is None
    made = gateways.do("gw1", "generate", algorithm="ed25519", bits=256)
    mesh.run("gw1", "systemctl restart strongswan")
    observed = gateways.observe("gw1")
    assert (observed["file"], observed["runtime"]) == (made, made)


def test_what_loading_would_destroy_stands_in_the_way(gateways: Gateways) -> None:
    mesh = gateways.mesh
    assert gateways.do("gw1", "obstacles", writing=True) == []
    mesh.run("gw1", "sed 's/^    gw2 {/    by-hand {/' /etc/swanctl/conf.d/mesh.conf >/etc/swanctl/other")
    mesh.run("gw1", "swanctl --load-conns --file /etc/swanctl/other")
    assert "by-hand" in gateways.do("gw1", "obstacles", writing=False)[0]
    mesh.run("gw1", "swanctl --load-conns; sed -i s/^include.*// /etc/swanctl/swanctl.conf")
    assert "no connection" in gateways.do("gw1", "obstacles", writing=False)[0]
    mesh.run("gw1", "cp /etc/swanctl/conf.d/mesh.conf /etc/swanctl/swanctl.conf")
    assert gateways.do("gw1", "obstacles", writing=False) == [
        f"swanctl.conf does not read {OVERLAY}; give it the line 'include conf.d/*.conf'."
    ]


def test_no_private_key_shows(gateways: Gateways) -> None:
    """Not in the arguments of any process, nor in a file outside private/ and the state directory, nor in the log."""
    seen: list[bytes] = []
    ended = threading.Event()

    others = set(os.listdir("/proc"))

    def watch() -> None:
        while not ended.is_set():
            for entry in set(os.listdir("/proc")) - others:
                if entry.isdigit():
                    try:
                        seen.append(Path(f"/proc/{entry}/cmdline").read_bytes())
                    except OSError:
                        pass

    watcher = threading.Thread(target=watch)
    watcher.start()
    secrets = [gateways.mesh.path("gw1", "/etc/swanctl/private/gw1.key").read_text(encoding="ascii")]
    gateways.stage()
    pending = "/var/lib/vpnops.keys/strongswan/pending.key"
    secrets.append(gateways.mesh.path("gw1", pending).read_text(encoding="ascii"))
    steps = ("look", "activate", "look", "persist", "discard_previous", "look")
    answers = [gateways.try_("gw1", what) for what in steps]
    gateways.store("gw2", "gw1", None, known=[gateways.observe("gw1")["file"]])
    ended.set()
    watcher.join()
    assert any(b"swanctl" in words for words in seen)
    for secret in secrets:
        body = "".join(secret.splitlines()[1:-1])
        assert len(body) > 40
        assert not any(body.encode() in words for words in seen)
        assert not any(body in answer for answer in answers)
        for name in gateways.mesh.names:
            # An odd way to look for it, so that the search itself does not find it.
            pattern = shlex.quote(f"[{body[0]}]{body[1:]}".replace("+", "[+]"))
            found = gateways.mesh.run(name, f"grep -rlI {pattern} /etc /var /run /tmp /root 2>/dev/null", check=False)
            own = {"/etc/swanctl/private/gw1.key"} if name == "gw1" and secret is secrets[1] else set()
            assert set(found.split()) == own
            assert body not in gateways.mesh.run(name, "journalctl --no-pager")


def test_der_files_are_as_good_as_pem(gateways: Gateways) -> None:
    """And they come back as they were, byte for byte."""
    mesh = gateways.mesh
    mesh.run("gw1", "cd /etc/swanctl && pki --pub --in private/gw1.key --outform der >pubkey/gw1.pub")
    mesh.run("gw1", "openssl pkey -in /etc/swanctl/private/gw1.key -outform der -out /root/key")
    mesh.run("gw1", "cat /root/key >/etc/swanctl/private/gw1.key; swanctl --load-all")
    files = gateways.files("gw1")
    dummy, new = gateways.stage()
    gateways.do("gw1", "activate")
    assert gateways.observe("gw1")["runtime"] == new
    gateways.do("gw1", "deactivate")
    assert gateways.files("gw1") == files
