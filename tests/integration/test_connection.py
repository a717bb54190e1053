# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way to reach a device, and every way to be kept from it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from integration.control_node import ControlNode, Data, Run
from integration.devices import spec, unchanged

from lab import Fleet, KeySpec

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]
LOOK: list[Data] = [{"name": "look", "vpnops.keys.ios_rsa_key_info": {}}]
KEY = KeySpec("A", 1)
RELAY = """
import os, select, socket, sys
there = socket.create_connection((sys.argv[1], int(sys.argv[2])))
open(sys.argv[3], "a").write("used\\n")
while True:
    ready = select.select([0, there], [], [])[0]
    if there in ready:
        data = there.recv(65536)
        if not data: break
        os.write(1, data)
    if 0 in ready:
        data = os.read(0, 65536)
        if not data: break
        there.sendall(data)
"""


def reached(run: Run, host: str | None = None) -> None:
    assert run.status("look", host) == "ok", run.result("look", host)
    assert [one["label"] for one in run.result("look", host)["rsa_keys"]] == ["A"]


def refused(run: Run, code: str, *parts: str, host: str | None = None) -> None:
    """One sentence or two that begin with the host; no traceback, no second line."""
    found, message = run.error("look", host)
    assert found == code, message
    assert re.match(rf"{host or 'ks1'}: [a-z0-9]", message)
    assert "\n" not in message
    for part in parts:
        assert part in message
    assert "Traceback" not in run.output
    assert "internal error" not in run.output


@pytest.fixture(scope="module")
def login_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A private key file without a passphrase, and its public line."""
    path = tmp_path_factory.mktemp("login") / "id_login"
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(path)
    path.chmod(0o600)
    return path, key.export_public_key().decode().strip()


def test_passwords_and_privileges(start_fleet: StartFleet, control_node: MakeNode) -> None:
    """Each device by what its inventory entry says."""
    unprivileged: dict[str, Any] = {"login_privilege": 1}
    fleet = start_fleet(
        spec("plain", "ios15", KEY),
        spec("no-become", "xe17", KEY),
        spec("enable", "ios15", KEY, **unprivileged),
        spec("enable-xe", "xe17", KEY, **unprivileged),
        spec("other-variable", "xe16", KEY, **unprivileged),
        spec("user", "xe16", KEY, username="jane", password="p4ss with $pace"),
        spec("prompts", "ios15", KEY, banner="Router#\nks1>\nPassword: \nUsername: ", motd="login#\nPassword:\nks9#"),
        spec(
            "prompts-enable",
            "xe17",
            KEY,
            banner="a>\nb#",
            motd="Really? [yes/no]: \nx(config)#\n--More--",
            **unprivileged,
        ),
        spec("without-become", "xe17", KEY, **unprivileged),
        spec("wrong-enable", "ios15", KEY, **unprivileged),
        spec("wrong-enable-xe", "xe17", KEY, overrides={"enable_failure": "access_denied"}, **unprivileged),
        spec("wrong-enable-aaa", "xe17", KEY, overrides={"enable_failure": "authentication_error"}, **unprivileged),
        spec("no-enable-password", "xe17", KEY, **unprivileged),
        spec("no-secret-set", "ios15", KEY, enable=None, **unprivileged),
        spec("seven", "xe16", KEY, login_privilege=7),
        spec("wrong-password", "ios15", KEY),
        spec("wrong-user", "xe17", KEY),
        spec("refused", "xe16", KEY, faults={"refuse_login": True}),
        spec("su", "ios15", KEY, **unprivileged),
    )
    node = control_node(fleet)
    node.hosts["no-become"]["ansible_become"] = False
    node.hosts["without-become"]["ansible_become"] = False
    node.hosts["seven"]["ansible_become"] = False
    node.hosts["other-variable"] |= {"ansible_enable_password": "lab-enable", "ansible_become_password": None}
    for host in ("wrong-enable", "wrong-enable-xe", "wrong-enable-aaa"):
        node.hosts[host]["ansible_become_password"] = "not-it"
    node.hosts["no-enable-password"]["ansible_become_password"] = None
    node.hosts["wrong-password"]["ansible_password"] = "not-it"
    node.hosts["wrong-user"]["ansible_user"] = "nobody"
    node.hosts["su"]["ansible_become_method"] = "su"
    with unchanged(fleet):
        run = node.run(LOOK)
    for host in ("plain", "no-become", "enable", "enable-xe", "other-variable", "user", "prompts", "prompts-enable"):
        reached(run, host)
        assert fleet[host].sessions == 1
    assert "enable" in fleet["enable"].commands()
    assert "enable" not in fleet["plain"].commands()
    refused(
        run, "no_privilege", "the login ends at an unprivileged prompt", "ansible_become: true", host="without-become"
    )
    for host in ("wrong-enable", "wrong-enable-xe", "wrong-enable-aaa"):
        assert run.error("look", host)[0] in ("auth_failed", "no_privilege")
        assert "check ansible_become_password" in run.error("look", host)[1]
    refused(run, "auth_failed", "an enable password is needed", host="no-enable-password")
    assert run.error("look", "no-secret-set")[0] in ("auth_failed", "no_privilege")
    refused(run, "no_privilege", "privilege level 7 is not enough", host="seven")
    refused(run, "auth_failed", "the login was refused for user admin.", host="wrong-password")
    refused(run, "auth_failed", "the login was refused for user nobody.", host="wrong-user")
    refused(run, "auth_failed", "the login was refused", host="refused")
    refused(run, "bad_input", "become_method is su, but IOS knows only enable.", host="su")
    assert {host for host in node.hosts if run.status("look", host) == "unreachable"} >= {"wrong-password", "refused"}


def test_vaulted_passwords(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    fleet = start_fleet(spec("ks1", "ios15", KEY, login_privilege=1))
    node = control_node(fleet)
    (tmp_path / "vault-pass").write_text("vault-pass-word")
    (tmp_path / "group_vars").mkdir()
    vaulted = tmp_path / "group_vars" / "key_servers.yml"
    vaulted.write_text("ansible_password: lab-login\nansible_become_password: lab-enable\n")
    vault = [sys.executable, "-m", "ansible", "vault", "encrypt", "--vault-password-file", "vault-pass", str(vaulted)]
    subprocess.run(vault, cwd=tmp_path, env=node.env(), check=True, capture_output=True, timeout=60)
    assert "lab-login" not in vaulted.read_text()
    for name in ("ansible_password", "ansible_become_password"):
        node.shared.pop(name, None)
        node.hosts["ks1"].pop(name, None)
    reached(node.run(LOOK, "--vault-password-file", "vault-pass"))


def test_passwords_asked_for(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(spec("ks1", "ios15", KEY, login_privilege=1), spec("ks2", "xe17", KEY, login_privilege=1))
    node = control_node(fleet)
    for name in ("ansible_password", "ansible_become_password"):
        node.shared.pop(name, None)
        for host in node.hosts.values():
            host.pop(name, None)
    answers = [("SSH password: ", "lab-login"), ("BECOME password.*: ", "lab-enable")]
    run = node.run_on_terminal(LOOK, "-k", "-K", answers=answers)
    reached(run, "ks1")
    reached(run, "ks2")
    compare = [
        {"name": "look", "vpnops.keys.ios_rsa_key_compare": {"hosts": ["ks1", "ks2"], "label": "A"}, "run_once": True}
    ]
    assert node.run_on_terminal(compare, "-k", "-K", answers=answers).result("look")["in_sync"] is True
    asked_wrong = node.run_on_terminal(LOOK, "-k", "-K", answers=[answers[0], (answers[1][0], "not-it")])
    assert asked_wrong.error("look", "ks1")[0] in ("auth_failed", "no_privilege")


@contextmanager
def ssh_agent(key: Path, directory: Path) -> Iterator[str]:
    """An agent of our own that holds the key: its socket."""
    path = str(directory / "agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for dummy in range(100):
            added = subprocess.run(
                ["ssh-add", str(key)], env=os.environ | {"SSH_AUTH_SOCK": path}, capture_output=True, check=False
            )
            if added.returncode == 0:
                break
        assert added.returncode == 0, added.stderr
        yield path
    finally:
        agent.terminate()
        agent.wait(10)


def test_keys_for_the_login(
    start_fleet: StartFleet, control_node: MakeNode, login_key: tuple[Path, str], tmp_path: Path
) -> None:
    path, public = login_key
    fleet = start_fleet(
        *(spec(name, release, KEY, authorized_keys=[public]) for name, release in (("ks1", "ios15"), ("ks2", "xe17")))
    )
    node = control_node(fleet)
    node.shared.pop("ansible_password")
    protected = tmp_path / "protected"
    asyncssh.read_private_key(path).write_private_key(protected, "pkcs8-pem", passphrase="key-phrase")
    (tmp_path / "garbage").write_text("no key\n")

    with_file = node.run(LOOK, "--private-key", str(path))
    reached(with_file, "ks1")
    reached(with_file, "ks2")
    with ssh_agent(path, tmp_path) as agent:
        by_agent = node.run(LOOK, env={"SSH_AUTH_SOCK": agent})
    reached(by_agent, "ks1")
    reached(by_agent, "ks2")
    node.hosts["ks1"]["ansible_ssh_private_key_file"] = str(path)
    node.hosts["ks2"] |= {
        "ansible_ssh_private_key_file": str(protected),
        "ansible_private_key_passphrase": "key-phrase",
    }
    by_inventory = node.run(LOOK)
    reached(by_inventory, "ks1")
    reached(by_inventory, "ks2")
    node.hosts["ks1"]["ansible_ssh_private_key_file"] = str(tmp_path / "none")
    node.hosts["ks2"].pop("ansible_private_key_passphrase")
    without = node.run(LOOK)
    refused(without, "bad_input", "which does not exist", host="ks1")
    refused(without, "bad_input", "ansible_private_key_passphrase", host="ks2")
    node.hosts["ks1"]["ansible_ssh_private_key_file"] = str(tmp_path / "garbage")
    refused(node.run(LOOK, "--limit", "ks1"), "bad_input", "cannot be read", host="ks1")
    node.hosts["ks1"].pop("ansible_ssh_private_key_file")
    refused(node.run(LOOK, "--limit", "ks1"), "auth_failed", "the login was refused", host="ks1")


def test_host_keys(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    fleet = start_fleet(spec("ks1", "ios15", KEY), spec("ks2", "xe17", KEY))
    node = control_node(fleet)
    node.shared.pop("ansible_host_key_checking")
    known = tmp_path / ".ssh" / "known_hosts"
    checking = {"ANSIBLE_HOST_KEY_CHECKING": "true"}

    unknown = node.run(LOOK, env=checking)
    refused(
        unknown, "host_key_unknown", fleet.host_key.get_fingerprint(), "ansible_host_key_auto_add: true", host="ks1"
    )
    assert unknown.status("look", "ks2") == "unreachable"
    assert not known.exists()
    assert not any(device.sessions for device in fleet)

    known.parent.mkdir(exist_ok=True)
    known.write_text(fleet.known_hosts())
    both = node.run(LOOK, env=checking)
    reached(both, "ks1")
    reached(both, "ks2")

    other = asyncssh.generate_private_key("ssh-rsa").export_public_key().decode().strip()
    known.write_text(f"[127.0.0.1]:{fleet['ks1'].port} {other}\n")
    node.hosts["ks2"]["ansible_host_key_auto_add"] = True
    node.hosts["ks1"]["ansible_host_key_auto_add"] = True
    mixed = node.run(LOOK, env=checking)
    refused(mixed, "host_key_changed", "the SSH host key has changed", fleet.host_key.get_fingerprint(), host="ks1")
    reached(mixed, "ks2")
    assert known.read_text().count(fleet.host_key.export_public_key().decode().split()[1]) == 1
    node.hosts["ks2"].pop("ansible_host_key_auto_add")
    reached(node.run(LOOK, "--limit", "ks2", env=checking), "ks2")
    node.hosts["ks1"]["ansible_ssh_common_args"] = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no"
    reached(node.run(LOOK, "--limit", "ks1", env=checking), "ks1")


def test_old_algorithms_only_where_asked_for(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(
        spec("old", "ios15", KEY, legacy=True, login_privilege=1),
        spec("listed", "ios15", KEY, legacy=True),
        spec("without", "ios15", KEY, legacy=True),
    )
    node = control_node(fleet)
    node.hosts["old"]["vpnops_keys_ssh_legacy"] = True
    node.hosts["listed"] |= {
        "ansible_libssh_key_exchange_algorithms": "+diffie-hellman-group14-sha1",
        "ansible_libssh_hostkeys": "+ssh-rsa",
        "ansible_libssh_ciphers": "+aes128-cbc",
        "ansible_libssh_hmac": "+hmac-sha1",
    }
    run = node.run(LOOK)
    reached(run, "old")
    reached(run, "listed")
    refused(run, "unreachable", "vpnops_keys_ssh_legacy: true", host="without")


def test_ipv6_proxies_and_the_ssh_configuration(
    start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path
) -> None:
    fleet = start_fleet(
        spec("six", "xe17", KEY, listen="::1"),
        spec("proxied", "ios15", KEY),
        spec("by-variable", "ios15", KEY),
        spec("configured", "xe16", KEY, username="jane"),
        spec("included", "xe16", KEY),
        spec("bad-proxy", "xe16", KEY),
    )
    node = control_node(fleet)
    (tmp_path / "relay.py").write_text(RELAY)
    relay = f"{sys.executable} {tmp_path}/relay.py %h %p {tmp_path}"
    node.hosts["proxied"]["ansible_ssh_common_args"] = f"-o ProxyCommand='{relay}/proxied'"
    node.hosts["by-variable"]["ansible_libssh_proxy_command"] = f"{relay}/by-variable"
    node.hosts["bad-proxy"]["ansible_ssh_common_args"] = "-o ProxyCommand='false'"
    (tmp_path / ".ssh").mkdir(exist_ok=True)
    (tmp_path / ".ssh" / "config").write_text(
        f"Host configured\n  HostName 127.0.0.1\n  Port {fleet['configured'].port}\n  User jane\n"
    )
    (tmp_path / "own_config").write_text(f"Host *\n  ProxyCommand {relay}/included\n")
    for name in ("ansible_host", "ansible_port", "ansible_user"):
        node.hosts["configured"].pop(name, None)
    user = node.shared.pop("ansible_user", None)
    for name, variables in node.hosts.items():
        if name != "configured" and user:
            variables["ansible_user"] = user
    node.hosts["included"]["ansible_ssh_common_args"] = f"-F {tmp_path}/own_config"
    run = node.run(LOOK)
    for host in ("six", "proxied", "by-variable", "configured", "included"):
        reached(run, host)
    assert node.hosts["six"]["ansible_host"] == "::1"
    assert {name for name in ("proxied", "by-variable", "included") if (tmp_path / name).exists()} == {
        "proxied",
        "by-variable",
        "included",
    }
    assert run.status("look", "bad-proxy") == "unreachable"
    assert run.error("look", "bad-proxy")[1].startswith("bad-proxy: ")


def test_devices_that_do_not_answer(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(
        spec("good", "ios15", KEY),
        spec("closed", faults={"closed": True}),
        spec("silent", faults={"silent": True}),
        spec("mute", "xe17", KEY, faults={"silent_after_login": True}),
        spec("full", "xe16", KEY, overrides={"vty_lines": 0}),
        spec("nowhere", "xe16"),
        spec("no-name", "xe16"),
        spec("bad-port", "xe16"),
    )
    node = control_node(fleet)
    node.hosts["silent"]["ansible_connect_timeout"] = 2
    node.hosts["mute"] |= {"ansible_command_timeout": 2}
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        node.hosts["nowhere"]["ansible_port"] = taken.getsockname()[1]
        node.hosts["no-name"]["ansible_host"] = "no-such-name.invalid"
        node.hosts["bad-port"]["ansible_port"] = 70000
        run = node.run(LOOK)
    reached(run, "good")
    refused(run, "unreachable", f"127.0.0.1 port {fleet['closed'].port} refuses the connection.", host="closed")
    refused(run, "timeout", "no SSH login at 127.0.0.1", "within 2 s", host="silent")
    refused(run, "timeout", "no prompt appeared within 2 s", host="mute")
    refused(run, "unreachable", "ended the connection before the login. Are all its vty lines in use?", host="full")
    refused(run, "unreachable", "refuses the connection", host="nowhere")
    refused(run, "unreachable", "no-such-name.invalid", host="no-name")
    refused(run, "bad_input", "ansible_port is 70000, which is not a valid port.", host="bad-port")
    assert all(run.status("look", host) == "unreachable" for host in ("closed", "silent", "full", "nowhere", "no-name"))
    assert all("Nothing was" in run.error("look", host)[1] for host in node.hosts if host != "good")


def test_the_last_vty_line_is_enough(start_fleet: StartFleet, control_node: MakeNode) -> None:
    """Sessions are closed before the next task needs the line."""
    fleet = start_fleet(spec("ks1", "ios15", KEY, overrides={"vty_lines": 1}))
    tasks: list[Data] = [*LOOK, {"vpnops.keys.ios_rsa_key": {"label": "A", "regenerate": "never"}}, *LOOK]
    run = control_node(fleet).run(tasks)
    assert run.code == 0, run.output
    assert fleet["ks1"].sessions == 3
