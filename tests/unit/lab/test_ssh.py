# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand, and what goes over real SSH."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from lab import DeviceSpec, Fleet, GroupSpec, KeySpec

SHOW = "show privilege\r"


# -- faults, without a network


def test_latency(console: Any) -> None:
    r1 = console(DeviceSpec("R1", faults={"latency_ms": 100}))
    started = time.monotonic()
    r1.type(SHOW)
    assert 0.1 <= time.monotonic() - started < 0.5


@pytest.mark.parametrize("when", ["before", "during", "after"])
@pytest.mark.parametrize("do", ["drop", "reload"])
def test_cut(console: Any, when: str, do: str) -> None:
    r1 = console(DeviceSpec("R1"))
    r1.device.set_fault(cut={"at": 2, "when": when, "do": do, "bytes": 5})
    r1.type(SHOW)
    out = r1.type(SHOW)
    assert r1.ended in ("dropped", "reload")
    assert (
        out.removeprefix("show privilege\r\n")
        == {
            "before": "",
            "during": "Curre",
            "after": "Current privilege level is 15\r\n",
        }[when]
    )


def test_cut_before_keeps_the_command_from_happening(console: Any) -> None:
    for when, saves in (("before", 0), ("during", 1), ("after", 1)):
        r1 = console(DeviceSpec("R1", keys=[KeySpec("L", saved=False)]))
        r1.device.set_fault(cut={"at": "^write", "when": when})
        r1.type("write memory\r")
        assert r1.ended == "dropped"
        assert r1.device.saves == saves


def test_cut_counts_lines_or_commands(console: Any) -> None:
    r1 = console(DeviceSpec("R1"), privilege=1)
    r1.device.set_fault(cut={"at": 2, "unit": "line"})
    r1.type("enable\r")
    r1.type("lab-enable\r")
    assert r1.ended == "dropped"
    again = console(DeviceSpec("R1"), privilege=1)
    again.device.set_fault(cut=2)
    again.type("enable\rlab-enable\r")
    assert again.ended == ""


def test_hang(console: Any) -> None:
    r1 = console(DeviceSpec("R1"))
    r1.device.set_fault(cut={"at": 1, "do": "hang", "when": "after"})
    assert r1.type(SHOW + SHOW, limit=0.3) == "show privilege\r\nCurrent privilege level is 15\r\n"
    assert r1.ended == ""


def test_drop_after_bytes(console: Any) -> None:
    r1 = console(DeviceSpec("R1"))
    r1.device.set_fault(drop_after_bytes=20)
    assert r1.type(SHOW) == "show privilege\r\nCurr"
    assert r1.ended == "dropped"
    assert not r1.device.faults.drop_after_bytes


def test_chunks(console: Any) -> None:
    r1 = console(DeviceSpec("R1", faults={"chunk_bytes": 7, "chunk_delay_ms": 0}))
    pieces: list[str] = []
    r1.shell._transmit = pieces.append
    r1.type(SHOW)
    assert max(map(len, pieces)) == 7
    assert "".join(pieces) == "show privilege\r\nCurrent privilege level is 15\r\nR1#"


def test_syslog_after_the_prompt(console: Any) -> None:
    r1 = console(DeviceSpec("R1", faults={"syslog": "after_prompt"}))
    assert re.fullmatch(
        r"show privilege\r\nCurrent .*\r\nR1#\r\n\*\w{3} [ \d]\d [\d:.]+: %LINEPROTO.*\r\n", r1.type(SHOW)
    )
    assert r1.type("\r").startswith("\r\nR1#\r\n*")


def test_syslog_during_output(console: Any) -> None:
    r1 = console(DeviceSpec("R1", keys=[KeySpec("L")], faults={"syslog": {"where": "during_output", "times": 1}}))
    r1.run("terminal length 0")
    out = r1.run("show crypto key mypubkey rsa L")
    rows = out.splitlines()
    at = next(i for i, row in enumerate(rows) if "%LINEPROTO" in row)
    assert 0 < at < len(rows) - 1
    assert "LINEPROTO" not in r1.run("show crypto key mypubkey rsa L")


def test_syslog_in_a_question(console: Any) -> None:
    r1 = console(DeviceSpec("R1", keys=[KeySpec("L")], faults={"syslog": "in_question"}))
    r1.run("configure terminal")
    out = r1.type("crypto key zeroize rsa L\r")
    assert re.search(r"\[yes/no\]: \r\n\*.*%LINEPROTO.*\r\n\Z", out)
    r1.type("yes\r")
    assert not r1.device.keys


def test_syslog_that_obeys_the_terminal(console: Any) -> None:
    r1 = console(DeviceSpec("R1", faults={"syslog": {"where": "after_prompt", "obey_monitor": True}}))
    assert "LINEPROTO" not in r1.type(SHOW)
    assert "LINEPROTO" in r1.type("terminal monitor\r")
    assert "LINEPROTO" not in r1.type("terminal no monitor\r")


def test_real_messages_come_with_terminal_monitor(console: Any) -> None:
    r1 = console(DeviceSpec("R1"))
    r1.device.syslog("%TEST-5-ONE: unseen")
    assert r1.type("terminal monitor\r").endswith("R1#")
    r1.device.syslog("%TEST-5-TWO: seen")
    assert re.fullmatch(r"\r\n\*.*: %TEST-5-TWO: seen\r\n", r1.type(""))
    sync = console(DeviceSpec("R1", overrides={"logging_synchronous": True}))
    sync.type("terminal monitor\r")
    sync.device.syslog("%TEST-5-TWO: seen")
    assert sync.type("").endswith("seen\r\nR1#")


def test_failures_on_demand(console: Any) -> None:
    r1 = console(DeviceSpec("R1", keys=[KeySpec("L", saved=False)]))
    r1.device.set_fault(nvram_full=True, export_fails=True, generate_fails="% No way.", import_fails=True)
    assert r1.run("write memory") == "Building configuration...\nstartup-config file open failed (Not enough space)\n"
    assert r1.device.saves == 0
    r1.run("configure terminal")
    assert r1.run("crypto key export rsa L pem terminal 3des cisco123") == "% Key pair export failed.\n"
    assert r1.run("crypto key generate rsa label X modulus 2048").endswith("...\n% No way.\n")
    r1.device.clear_faults()
    assert r1.run("do write memory").endswith("[OK]\n")


def test_slow_generation(console: Any) -> None:
    r1 = console(DeviceSpec("R1", faults={"generation_seconds": 1.05}))
    r1.run("configure terminal")
    assert "(elapsed time was 1 seconds)" in r1.run("crypto key generate rsa label X modulus 2048")


def test_low_privilege(client: Any) -> None:
    with Fleet([DeviceSpec("R1", faults={"low_privilege": 1})]) as fleet:
        out = client(fleet["R1"]).talk("enable\r", "lab-enable\r", "x\r", "y\r")
        assert "R1>" in out
        assert "% Bad secrets" in out


# -- over SSH


def test_two_devices_one_session_each(client: Any) -> None:
    with Fleet([DeviceSpec("R1"), DeviceSpec("R2", login_privilege=1, address="10.0.0.2")]) as fleet:
        assert client(fleet["R1"]).talk(SHOW, "exit\r").endswith("R1#exit\r\n")
        out = client(fleet["R2"]).talk("enable\r", "lab-enable\r", SHOW)
        assert "level is 15" in out
        assert fleet["R1"].sessions == fleet["R2"].sessions == 1
        assert fleet["R1"].commands() == ["show privilege", "exit"]
        assert len(fleet) == 2


def test_exec_request(client: Any) -> None:
    async def run(fleet: Fleet) -> str:
        async with client(fleet["R1"]).connect() as connection:
            return str((await connection.run("show version")).stdout)

    with Fleet([DeviceSpec("R1")]) as fleet:
        out = asyncio.run(run(fleet))
    assert out.startswith("\r\nCisco IOS Software")
    assert "--More--" not in out
    assert out.endswith("Configuration register is 0x0\r\n\r\n")


def test_logins(client: Any) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    spec = DeviceSpec("R1", authorized_keys=[key.export_public_key().decode()], banner="Authorised users only")
    with Fleet([spec]) as fleet:
        device = fleet["R1"]
        assert "R1#" in client(device, client_keys=[key], password=None).talk()
        with pytest.raises(asyncssh.PermissionDenied):
            client(device, password="wrong").talk()
        with pytest.raises(asyncssh.PermissionDenied):
            client(device, username="nobody").talk()
        device.set_fault(refuse_login=1)
        with pytest.raises(asyncssh.PermissionDenied):
            client(device, preferred_auth="password").talk()
        assert "R1#" in client(device, preferred_auth="keyboard-interactive").talk()


def test_banner(client: Any) -> None:
    seen: list[str] = []

    class Listener(asyncssh.SSHClient):
        def auth_banner_received(self, msg: str, lang: str) -> None:
            seen.append(msg)

    with Fleet([DeviceSpec("R1", banner="Authorised users only", motd="Hello")]) as fleet:
        out = client(fleet["R1"], client_factory=Listener).talk()
    assert seen == ["Authorised users only\n"]
    assert out == "\r\nHello\r\n\r\nR1#"


def test_legacy_algorithms(client: Any) -> None:
    legacy = {
        "kex_algs": "diffie-hellman-group14-sha1",
        "encryption_algs": "aes128-cbc",
        "mac_algs": "hmac-sha1",
        "server_host_key_algs": ["ssh-rsa"],
    }
    with Fleet([DeviceSpec("R1", legacy=True)]) as fleet:
        with pytest.raises((asyncssh.Error, ConnectionError)):
            client(fleet["R1"]).talk()
        assert "R1#" in client(fleet["R1"], **legacy).talk()


def test_a_host_key_and_algorithms_of_its_own(client: Any) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    own = DeviceSpec("R1", host_key=key.export_private_key().decode(), ssh={"kex_algs": ["ecdh-sha2-nistp256"]})
    with Fleet([own, DeviceSpec("R2", address="10.0.0.2")]) as fleet:
        known = asyncssh.import_known_hosts(fleet.known_hosts())
        assert "ssh-ed25519" in fleet.known_hosts()
        for name in ("R1", "R2"):
            assert f"{name}#" in client(fleet[name], known_hosts=known).talk()
        with pytest.raises((asyncssh.Error, OSError)):
            client(fleet["R1"], kex_algs="curve25519-sha256").talk()


def test_a_fixed_port_that_is_taken() -> None:
    with Fleet([DeviceSpec("R1")]) as fleet, pytest.raises(OSError, match="in use"):
        Fleet([DeviceSpec("R2", port=fleet["R1"].port)]).__enter__()


def test_vty_limit(client: Any) -> None:
    async def crowd(device: Any) -> tuple[int, int]:
        inside, refused = [], 0
        for dummy in range(7):
            try:
                inside.append(await client(device).connect())
            except (asyncssh.Error, OSError):
                refused += 1
        for connection in inside:
            connection.close()
            await connection.wait_closed()
        return len(inside), refused

    with Fleet([DeviceSpec("R1", overrides={"vty_lines": 5})]) as fleet:
        assert asyncio.run(crowd(fleet["R1"])) == (5, 2)
        assert "R1#" in client(fleet["R1"]).talk()


def test_one_session_per_connection(client: Any) -> None:
    async def twice(device: Any) -> None:
        async with client(device).connect() as connection:
            await connection.create_process()
            await connection.create_process()

    with Fleet([DeviceSpec("R1")]) as fleet, pytest.raises(asyncssh.ChannelOpenError):
        asyncio.run(twice(fleet["R1"]))


def test_closed_and_silent(client: Any) -> None:
    with Fleet([DeviceSpec("R1", faults={"closed": True}), DeviceSpec("R2", faults={"silent": True})]) as fleet:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((fleet["R1"].host, fleet["R1"].port), 2).close()
        with socket.create_connection((fleet["R2"].host, fleet["R2"].port), 2) as sock:
            sock.settimeout(0.3)
            with pytest.raises(TimeoutError):
                sock.recv(1)
        fleet["R1"].clear_faults()
        fleet["R2"].clear_faults()
        assert "R1#" in client(fleet["R1"]).talk()
        assert "R2#" in client(fleet["R2"]).talk()


def test_silent_after_login(client: Any) -> None:
    with Fleet([DeviceSpec("R1", faults={"silent_after_login": True})]) as fleet:
        assert client(fleet["R1"]).talk("\r", limit=0.3) == ""


def test_reload_drops_everybody_and_comes_back(client: Any) -> None:
    spec = DeviceSpec("R1", keys=[KeySpec("KEPT"), KeySpec("LOST", pool=1, saved=False)], reload_seconds=0.3)
    with Fleet([spec]) as fleet:
        device = fleet["R1"]
        port = device.port
        out = client(device).talk("reload\r", "no\r" if device.dirty else "\r")
        assert out.replace("\r\n", "\n").endswith("[confirm]\n")
        with pytest.raises(OSError, match=r"."):
            socket.create_connection((device.host, port), 1).close()
        _wait(lambda: device.alive)
        assert list(device.keys) == ["KEPT"]
        assert "R1#" in client(device).talk()
        device.reload(0.1)
        assert not device.alive
        _wait(lambda: device.alive)
        assert device.port == port


def _wait(done: Any) -> None:
    end = time.monotonic() + 5
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.05)


def test_cut_by_reload_over_ssh(client: Any) -> None:
    with Fleet([DeviceSpec("R1", reload_seconds=0.2)]) as fleet:
        fleet["R1"].set_fault(cut={"at": "generate", "do": "reload"})
        client(fleet["R1"]).talk("configure terminal\r", "crypto key generate rsa label X modulus 2048\r")
        _wait(lambda: fleet["R1"].alive)
        assert not fleet["R1"].keys
        assert not fleet["R1"].crashes


def test_killed_client_leaves_no_paste_behind(client: Any) -> None:
    async def abort(device: Any) -> None:
        connection = await client(device).connect()
        process = await connection.create_process(term_type="vt100", encoding="latin-1")
        process.stdin.write(
            "configure terminal\rcrypto key import rsa L pem terminal cisco123\r-----BEGIN PUBLIC KEY-----\r"
        )
        await asyncio.sleep(0.2)
        connection.abort()

    with Fleet([DeviceSpec("R1")]) as fleet:
        asyncio.run(abort(fleet["R1"]))
        _wait(lambda: not fleet["R1"].shells)
        assert not fleet["R1"].keys
        assert not fleet["R1"].crashes


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_ipv6(client: Any) -> None:
    with Fleet([DeviceSpec("R1", listen="::1")]) as fleet:
        assert "R1#" in client(fleet["R1"]).talk()
        assert fleet.inventory()["key_servers"]["hosts"]["R1"]["ansible_host"] == "::1"


def test_ssh_without_rsa_key(client: Any) -> None:
    with (
        Fleet([DeviceSpec("R1", overrides={"ssh_needs_rsa_key": True})]) as fleet,
        pytest.raises((asyncssh.Error, OSError)),
    ):
        client(fleet["R1"]).talk()


def test_inventory(tmp_path: Path) -> None:
    with Fleet([DeviceSpec("R1"), DeviceSpec("R2", enable=None, address="10.0.0.2")]) as fleet:
        inventory = fleet.inventory()["key_servers"]
        assert inventory["vars"]["ansible_connection"] == "ansible.netcommon.network_cli"
        assert inventory["hosts"]["R1"]["ansible_become_password"] == "lab-enable"
        assert "ansible_become_password" not in {**inventory["vars"], **inventory["hosts"]["R2"]}
        assert fleet.write_inventory(tmp_path / "inventory.yml").exists()
        assert fleet.known_hosts().count("ssh-rsa AAAA") == 2


def test_groups_are_elected_over_ssh(client: Any) -> None:
    specs = [
        DeviceSpec(f"k{n}", address=f"10.0.0.{n}", groups=[GroupSpec("G", 1, "L", n, [f"10.0.0.{3 - n}"])])
        for n in (1, 2)
    ]
    with Fleet(specs) as fleet:
        fleet["k2"].reload(30)
        assert "Local KS Role: Primary" in client(fleet["k1"]).talk("terminal length 0\r", "show crypto gdoi ks coop\r")


# -- with the OpenSSH client

ssh = pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh client")


def _openssh(fleet: Fleet, name: str, directory: Path, *options: str, feed: str = "", command: str = "") -> Any:
    known = directory / "known_hosts"
    known.write_text(fleet.known_hosts(), encoding="ascii")
    ask = directory / "askpass"
    ask.write_text("#!/bin/sh\necho lab-login\n", encoding="ascii")
    ask.chmod(0o700)
    device = fleet[name]
    line = ["ssh", "-F", "none", "-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes", *options]
    line += [
        "-o",
        "PubkeyAuthentication=no",
        "-p",
        str(device.port),
        f"admin@{device.host}",
        *([command] if command else []),
    ]
    environment = {"PATH": "/usr/bin:/bin", "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
    return subprocess.run(line, input=feed, capture_output=True, text=True, timeout=20, env=environment, check=False)


@ssh
def test_openssh_shell_and_exec(tmp_path: Path) -> None:
    with Fleet([DeviceSpec("R1", banner="Authorised users only")]) as fleet:
        shell = _openssh(fleet, "R1", tmp_path, "-tt", feed="show privilege\nexit\n")
        assert "R1#show privilege" in shell.stdout
        assert "Current privilege level is 15" in shell.stdout
        assert "Authorised users only" in shell.stderr
        piped = _openssh(fleet, "R1", tmp_path, "-T", feed="terminal length 0\nshow version\nexit\n")
        assert "Configuration register" in piped.stdout
        ended = _openssh(fleet, "R1", tmp_path, "-T", feed="show privilege\n")
        assert "level is 15" in ended.stdout
        one = _openssh(fleet, "R1", tmp_path, command="show clock")
        assert "UTC" in one.stdout


@ssh
def test_openssh_legacy(tmp_path: Path) -> None:
    options = (
        "-oKexAlgorithms=diffie-hellman-group14-sha1",
        "-oHostKeyAlgorithms=ssh-rsa",
        "-oCiphers=aes128-cbc",
        "-oMACs=hmac-sha1",
    )
    with Fleet([DeviceSpec("R1", legacy=True)]) as fleet:
        refused = _openssh(fleet, "R1", tmp_path, command="show clock")
        assert "no matching" in refused.stderr
        assert "UTC" in _openssh(fleet, "R1", tmp_path, *options, command="show clock").stdout
