# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab of real gateways itself: what can happen to a gateway, and that nothing is left of any."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.gateways import GatewayLabError, Mesh, Traffic, available, strongswan
from lab.gateways.machine import cgroups
from lab.gateways.plan import Files, Plan

TESTS = Path(__file__).parents[2]
CONF = "/etc/wireguard/wg0.conf"
PATIENCE = 20.0
LATE = "[Service]\nExecStartPost=\nExecStartPost=/bin/sleep 3\nExecStartPost=/usr/sbin/swanctl --load-all --noprompt\n"

pytestmark = pytest.mark.skipif(bool(available()), reason=available())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with Mesh(3, directory=tmp_path_factory.mktemp("mesh")) as mesh:
        yield mesh


@pytest.fixture
def mesh(shared: Mesh) -> Iterator[Mesh]:
    yield shared
    shared.reset()


@pytest.fixture(scope="module")
def swan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with Mesh(3, platform="strongswan", directory=tmp_path_factory.mktemp("swan")) as mesh:
        yield mesh


def _traces(lab: str) -> list[str]:
    """Namespaces, cgroups, mounts and processes that carry the id of a lab."""
    place = cgroups()
    assert place is not None
    found = [str(path) for path in [*Path("/run/netns").glob(f"{lab}-*"), *place.glob(lab)]]
    found += [line for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines() if f"{lab}-" in line]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        found += [words] if f"{lab}-" in words or f"{lab}/" in words else []
    return found


def _soon(true: Callable[[], Any]) -> bool:
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _ansible(mesh: Mesh, tmp_path: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    inventory = mesh.write_inventory(tmp_path / "inventory.yml")
    extra = [f"--extra-vars={name}={value}" for name, value in variables.items()]
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    # The path of a socket has at most 107 characters, and that of a test's directory may be longer.
    environment["ANSIBLE_SSH_CONTROL_PATH"] = f"/run/{mesh.plan.lab}-%%C"
    return subprocess.run(
        [Path(sys.executable).with_name("ansible"), "-i", inventory, *words, *extra],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _lab(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *words],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


# -- a gateway is a whole host


def test_systemd_runs_and_nothing_failed(mesh: Mesh) -> None:
    for name in mesh.names:
        assert mesh.run(name, "systemctl is-system-running --wait").strip() == "running"
        assert mesh.run(name, "hostname; cat /proc/1/comm").split() == [name, "systemd"]
        assert "inactive" not in mesh.run(name, "systemctl is-active ssh wg-quick@wg0")


def test_a_gateway_sees_nothing_of_the_machine_but_its_system(mesh: Mesh) -> None:
    expected = "bin dev etc home lib lib64 mnt proc root run sbin srv sys tmp usr var".split()
    assert set(mesh.run("gw1", "ls /").split()) <= set(expected)
    assert not mesh.run("gw1", "ls -A /mnt; find /root /home -type f")
    assert not mesh.run("gw1", f"ls {mesh.directory} 2>/dev/null; true")
    assert not mesh.run("gw1", "touch /usr/here 2>/dev/null && echo written; true")
    mesh.run("gw1", "touch /etc/here /var/here")
    assert not Path("/etc/here").exists()
    assert not mesh.path("gw2", "/etc/here").exists()


def test_ansible_arrives_by_ssh_and_sudo_wants_the_password(mesh: Mesh, tmp_path: Path) -> None:
    done = _ansible(mesh, tmp_path, "gateways", "-m", "command", "-a", "id -un")
    assert done.stdout.count("root") == 3, done.stdout + done.stderr
    done = _ansible(mesh, tmp_path, "gateways", "-m", "command", "-a", "id -un", ansible_become="false")
    assert done.stdout.count("admin") == 3, done.stdout + done.stderr
    wrong = _ansible(mesh, tmp_path, "gw1", "-m", "command", "-a", "id -un", ansible_become_password="wrong")
    assert wrong.returncode
    assert "assword" in wrong.stdout
    no_power = _ansible(mesh, tmp_path, "gw1", "-m", "command", "-a", "id -un", ansible_user="observer")
    assert no_power.returncode
    assert "root" not in no_power.stdout.splitlines()


def test_a_command_that_fails_says_where_and_why(mesh: Mesh) -> None:
    with pytest.raises(GatewayLabError, match=r"gw2: 'ls /nowhere' ended with 2: .*No such file"):
        mesh.run("gw2", "ls /nowhere")
    assert mesh.run("gw2", "echo out; false", check=False) == "out\n"


# -- what can happen to it


def test_a_cut_gateway_is_off_for_its_peers_and_not_for_ssh(mesh: Mesh, tmp_path: Path) -> None:
    mesh.cut("gw1")
    assert set(mesh.unreachable()) == {("gw1", "gw2"), ("gw1", "gw3")}
    assert _ansible(mesh, tmp_path, "gw1", "-m", "ping").returncode == 0
    mesh.wait(5)
    mesh.reconnect("gw1")
    mesh.wait()
    assert not mesh.unreachable()


def test_a_stopped_gateway_answers_nobody_and_keeps_its_disk(mesh: Mesh, tmp_path: Path) -> None:
    mesh.run("gw2", "echo kept >/etc/kept; mkdir -p /run/vpnops.keys /var/lib/vpnops.keys/x")
    mesh.stop("gw2")
    assert not mesh.is_on("gw2")
    assert ("gw1", "gw3") not in mesh.unreachable()
    with pytest.raises(GatewayLabError, match="gw2 is off"):
        mesh.run("gw2", "true")
    done = _ansible(mesh, tmp_path, "gw2", "-m", "ping")
    assert "UNREACHABLE" in done.stdout
    mesh.start("gw2", wait=True)
    assert mesh.run("gw2", "cat /etc/kept; ls /var/lib/vpnops.keys").split() == ["kept", "x"]
    assert not mesh.path("gw2", "/run/vpnops.keys").exists()


def test_a_gateway_whose_peers_know_another_key_starts_nevertheless(mesh: Mesh) -> None:
    mesh.run("gw1", f"key=$(wg genkey) && sed -i \"s|^PrivateKey.*|PrivateKey = $key|\" {CONF}")
    mesh.reboot("gw1")
    assert {pair for pair in mesh.unreachable() if "gw1" in pair} == {("gw1", "gw2"), ("gw1", "gw3")}


def test_ssh_can_be_refused_while_the_tunnels_go_on(mesh: Mesh, tmp_path: Path) -> None:
    assert _ansible(mesh, tmp_path, "gw1", "-m", "ping").returncode == 0
    mesh.no_ssh("gw1")
    assert "UNREACHABLE" in _ansible(mesh, tmp_path, "gw1", "-m", "ping").stdout
    assert not mesh.unreachable()
    mesh.ssh_back("gw1")
    assert _ansible(mesh, tmp_path, "gw1", "-m", "ping").returncode == 0


def test_a_full_disk_and_a_read_only_etc(mesh: Mesh) -> None:
    mesh.fill_disk("gw1")
    for place in ("/etc", "/var/lib"):
        with pytest.raises(GatewayLabError, match="No space left"):
            mesh.run("gw1", f"head -c 5000 /dev/zero >{place}/new")
    mesh.run("gw1", "echo room >/tmp/new && echo room >/run/new")
    mesh.empty_disk("gw1")
    mesh.run("gw1", "head -c 5000 /dev/zero >/etc/new")
    mesh.read_only_etc("gw1")
    with pytest.raises(GatewayLabError, match="Read-only"):
        mesh.run("gw1", f"echo >>{CONF}")
    mesh.run("gw1", "echo >/var/lib/new")
    mesh.writable_etc("gw1")
    mesh.run("gw1", f"echo >>{CONF}")


def test_reset_brings_everything_back(shared: Mesh) -> None:
    before = {name: shared.path(name, CONF).read_text() for name in shared.names}
    keys = {name: shared.run(name, "wg show wg0 public-key") for name in shared.names}
    shared.run("gw1", f"echo '# changed' >>{CONF}; mkdir -p /var/lib/vpnops.keys/x /run/vpnops.keys/x")
    shared.run("gw2", "wg genkey >/tmp/key; wg set wg0 private-key /tmp/key; ip link set wg0 down")
    shared.run("gw2", "systemd-run --unit=vpnops-late sleep 600")
    shared.fill_disk("gw2")
    shared.read_only_etc("gw1")
    shared.no_ssh("gw1")
    shared.cut("gw1")
    shared.stop("gw3")
    shared.reset()
    assert {name: shared.path(name, CONF).read_text() for name in shared.names} == before
    assert {name: shared.run(name, "wg show wg0 public-key") for name in shared.names} == keys
    assert not any(shared.path("gw1", f"/{place}/vpnops.keys/x").exists() for place in ("var/lib", "run"))
    assert shared.run("gw2", "systemctl is-active vpnops-late", check=False).strip() == "inactive"
    shared.run("gw2", "head -c 5000 /dev/zero >/etc/new")
    assert not shared.unreachable()


# -- traffic


def test_traffic_loses_nothing_when_nothing_happens_and_much_when_cut(mesh: Mesh, tmp_path: Path) -> None:
    traffic = Traffic(mesh, "gw2", "gw1", rate=200).start()
    time.sleep(1)
    calm = traffic.stop()
    assert calm.lost == 0
    assert calm.there.sent == calm.back.sent > 150
    traffic = Traffic(mesh, "gw2", "gw1", rate=200).start()
    time.sleep(0.5)
    mesh.cut("gw1")
    time.sleep(0.5)
    mesh.reconnect("gw1")
    time.sleep(0.5)
    cut = traffic.stop()
    # gw1 itself keeps some of what it could not send, for later.
    assert cut.there.lost > 50
    assert min(cut.there.silence_ms, cut.back.silence_ms) > 400
    cut.save(tmp_path / "raw.json")
    kept = json.loads((tmp_path / "raw.json").read_text())
    assert [len(stream["sent"]) for stream in kept["raw"]] == [cut.there.sent, cut.back.sent]


@pytest.mark.parametrize("platform", ["wireguard", "strongswan"])
def test_a_delay_is_the_round_trip_at_2000_packets_a_second_as_well(platform: Any, tmp_path: Path) -> None:
    with Mesh(2, platform=platform, directory=tmp_path, delay_ms=40) as mesh:
        traffic = Traffic(mesh, "gw1", "gw2", rate=1000).start()
        time.sleep(2)
        result = traffic.stop()
    assert 40 <= result.rtt_ms < 80
    assert result.lost <= result.there.sent // 100


# -- strongSwan, and other shapes


def test_strongswan_has_every_tunnel_also_after_a_reboot_and_a_reset(swan: Mesh) -> None:
    assert not swan.unreachable()
    swan.reboot("gw2", wait=True)
    assert swan.run("gw2", "swanctl --list-sas --raw").count("state=ESTABLISHED") == 2
    swan.run("gw1", "rm /etc/swanctl/private/gw1.key && systemctl restart strongswan")
    swan.reset()
    assert not swan.unreachable()
    assert "pubkeys = gw2.pub" in swan.path("gw1", "/etc/swanctl/conf.d/mesh.conf").read_text()


def test_strongswan_that_loads_late_has_its_tunnels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure = strongswan.configure

    def late(plan: Plan) -> dict[int, Files]:
        files = configure(plan)
        files[3]["etc/systemd/system/strongswan.service.d/late.conf"] = (0o644, LATE)
        return files

    monkeypatch.setattr(strongswan, "configure", late)
    with Mesh(3, platform="strongswan", directory=tmp_path) as mesh:
        assert mesh.unreachable() == []


def test_strongswan_proves_its_keys(swan: Mesh) -> None:
    said = swan.run("gw1", "journalctl -u strongswan")
    assert "authentication of 'gw2' with ED25519 successful" in said


def test_rsa_keys(tmp_path: Path) -> None:
    with Mesh(2, platform="strongswan", algorithm="rsa", directory=tmp_path) as mesh:
        assert "authentication of 'gw2' with RSA" in mesh.run("gw1", "journalctl -u strongswan")


@pytest.mark.parametrize("platform", ["wireguard", "strongswan"])
def test_a_hub_joins_its_spokes(platform: Any, tmp_path: Path) -> None:
    with Mesh(3, platform=platform, link="hub", directory=tmp_path) as mesh:
        assert not mesh.unreachable()
        mesh.cut("gw1")
        assert ("gw2", "gw3") in mesh.unreachable()


@pytest.mark.parametrize("platform", ["wireguard", "strongswan"])
def test_a_mesh_without_links_is_up_without_peers(platform: Any, tmp_path: Path) -> None:
    with Mesh(2, platform=platform, link="none", directory=tmp_path) as mesh:
        assert not mesh.run("gw1", "wg show wg0 peers 2>/dev/null; swanctl --list-conns 2>/dev/null; true")


def test_a_private_key_in_a_file_of_its_own_works(tmp_path: Path) -> None:
    with Mesh(2, private_key_file=True, directory=tmp_path) as mesh:
        assert "PrivateKey" not in mesh.path("gw1", CONF).read_text()
        assert not mesh.unreachable()


# -- nothing is left


@pytest.mark.parametrize("platform", ["wireguard", "strongswan"])
def test_nothing_is_left(platform: Any, tmp_path: Path) -> None:
    with Mesh(2, platform=platform, directory=tmp_path, delay_ms=5) as mesh:
        lab = mesh.plan.lab
        assert len(_traces(lab)) > 4
        Traffic(mesh, "gw1", "gw2").start()
    assert _traces(lab) == []
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_the_start_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = Mesh(2, directory=tmp_path)
    monkeypatch.setattr("lab.gateways.hosts.boot", lambda *dummy: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        mesh.up()
    assert mesh.plan.lab
    assert _traces(mesh.plan.lab) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lost", [False, True])
def test_a_lab_ends_with_the_process_that_was_killed(lost: bool, tmp_path: Path) -> None:
    """Also when somebody removed its directory before."""
    script = (
        "import sys, time; from lab.gateways import Mesh; mesh = Mesh(2, directory=sys.argv[1]).up(); "
        "print(mesh.plan.lab, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lab = process.stdout.readline().strip()
    assert _traces(lab)
    if lost:
        shutil.rmtree(tmp_path / "gateways")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert _soon(lambda: not _traces(lab)), _traces(lab)
    assert _soon(lambda: not list(tmp_path.iterdir()))


def test_two_labs_at_once_do_not_meet(shared: Mesh, tmp_path: Path) -> None:
    with Mesh(2, directory=tmp_path) as other:
        assert other.plan.lab != shared.plan.lab
        assert other.run("gw1", "wg show wg0 public-key") != shared.run("gw1", "wg show wg0 public-key")
        assert not other.unreachable()
    assert not shared.unreachable()


def test_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "inventory.yml").write_text("key_servers: {hosts: {ks1: {}}}\n", encoding="utf-8")
    place = ("--dir", str(tmp_path))
    try:
        done = _lab("gateways", "up", "2", *place)
        assert done.stdout.startswith("2 gateways are up"), done.stderr
        inventory = yaml.safe_load((tmp_path / "inventory.yml").read_text())
        assert set(inventory) == {"key_servers", "gateways", "all"}
        assert inventory["all"]["vars"]["key_directory_url"] == f"sqlite:///{tmp_path}/gateways/directory.db"
        lab = Mesh.attach(tmp_path).plan.lab
        assert "take them down first" in _lab("gateways", "up", "2", *place).stderr
        assert _lab("gateways", "exec", *place, "gw2", "hostname").stdout == "gw2\n"
        assert _lab("gateways", "exec", *place, "gw2", "sh", "-c", "exit 7").returncode == 7
        traffic = _lab("gateways", "traffic", *place, "gw1", "gw2", "--seconds", "0.5")
        assert json.loads(traffic.stdout)["there"]["lost"] == 0
        assert _lab("gateways", "stop", *place, "gw1").returncode == 0
        assert _lab("gateways", "exec", *place, "gw1", "true").stderr == "lab: gw1 is off\n"
        assert _lab("gateways", "start", *place, "gw1").returncode == 0
        Mesh.attach(tmp_path).wait()
        assert _lab("down", *place).stdout == "stopped the gateways\n"
    finally:
        _lab("gateways", "down", *place)
    assert _traces(lab) == []
    assert _lab("gateways", "down", *place).stdout == "no gateways were up\n"
