# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way to reach and enter a device, and every way not to: what the inventory of a network_cli user says counts."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration.control_node import CHECKOUT, ControlNode, Run
from integration.devices import LABEL, key, spec
from lab import DeviceSpec, Fleet, KeySpec
from lab.pem import plain_pem

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]

HELD = KeySpec(LABEL, 1)
LOGIN_PASSPHRASE = "opens-the-login-key"
INFO: dict[str, Any] = {"name": "info", "vpnops.keys.ios_rsa_key_info": {"label": LABEL}}
COMPARE: dict[str, Any] = {
    "name": "compare",
    "vpnops.keys.ios_rsa_key_compare": {"hosts": "{{ groups.key_servers }}", "label": LABEL},
    "run_once": True,
}
CHECKED = {"ANSIBLE_HOST_KEY_CHECKING": "true"}
LIKE_PROMPTS = "router>\nrouter#\nPassword: \nAuthorised users only [yes/no]: \nks9(config)#\n"
RELAY = """
import os, socket, sys, threading
_, host, port, mark = sys.argv
there = socket.create_connection((host, int(port)))
with open(mark, "a") as out:
    out.write(f"{host} {port}\\n")

def up():
    while data := os.read(0, 65536):
        there.sendall(data)
    there.shutdown(socket.SHUT_WR)

threading.Thread(target=up, daemon=True).start()
while data := there.recv(65536):
    os.write(1, data)
"""


def ssh_key(file: Path, passphrase: str = "", *form: str) -> str:
    """A new key pair in a file; the public line."""
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", passphrase, *form, "-f", file], check=True)
    return file.with_suffix(".pub").read_text().strip()


@contextmanager
def ssh_agent(socket: Path, *keys: Path) -> Iterator[dict[str, str]]:
    """An agent that holds these keys: the environment that leads to it."""
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while not socket.exists():
            assert time.monotonic() < end, "ssh-agent does not start"
            time.sleep(0.01)
        environment = {"SSH_AUTH_SOCK": str(socket)}
        subprocess.run(["ssh-add", "-q", *keys], env={**os.environ, **environment}, check=True, stderr=subprocess.PIPE)
        yield environment
    finally:
        agent.send_signal(signal.SIGTERM)
        agent.wait(10)


def vaulted(node: ControlNode, name: str, value: str) -> list[str]:
    """Give a host its password as an inline vault string; returns the arguments that open it."""
    secret = node.path / "vault-password"
    secret.write_text("vault-secret\n")
    vault = ["vault", "encrypt_string", "--vault-password-file", str(secret), "--name", "ansible_password", value]
    done = subprocess.run(
        [sys.executable, "-m", "ansible", *vault], cwd=node.path, env=node.env(), capture_output=True, text=True, check=True
    )
    assert value not in done.stdout
    (node.path / "host_vars").mkdir()
    (node.path / "host_vars" / f"{name}.yml").write_text(done.stdout)
    return ["--vault-password-file", str(secret)]


def write_known_hosts(node: ControlNode, lines: str) -> Path:
    file = node.path / ".ssh" / "known_hosts"
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.write_text(lines)
    return file


def known(fleet: Fleet, *names: str) -> str:
    """Their lines for known_hosts, with the keys they really have."""
    ends = tuple(f":{fleet[name].port}" for name in names)
    return "".join(
        line for line in fleet.known_hosts().splitlines(keepends=True) if line.split()[0].endswith(ends)
    )


def looked_at(device: Any) -> bool:
    """Whether anybody saw its keys."""
    return "show crypto key mypubkey rsa" in device.commands()


def assert_reached(run: Run, fleet: Fleet) -> None:
    """Every device showed its key to the task of its own and to the one for all, in one session each."""
    problems = run.result("compare")["problems"]
    for device in fleet:
        assert run.status("info", device.name) == "ok", run.result("info", device.name)
        assert [one["fingerprint"] for one in run.result("info", device.name)["rsa_keys"]] == [key(1).fingerprint]
        assert device.name not in problems, problems
        assert device.sessions == 2, device.name
    assert run.code == 0, run.output
    assert run.result("compare")["in_sync"] is True
    assert "Traceback" not in run.output
    assert "[WARNING]" not in run.output


def test_every_way_in(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("id_file", "id_encrypted", "id_agent")}
    keys = {name: ssh_key(file) for name, file in files.items() if name != "id_encrypted"}
    keys["id_encrypted"] = ssh_key(files["id_encrypted"], LOGIN_PASSPHRASE, "-m", "PEM")
    by_key = {"password": "never-typed", "login_privilege": 1}
    fleet = start_fleet(
        spec("password", "ios15", HELD, login_privilege=1),
        spec("vaulted", "xe16", HELD, login_privilege=1, password="only-in-the-vault"),
        spec("key-file", "xe17", HELD, **by_key, authorized_keys=[keys["id_file"]]),
        spec("encrypted-key", "ios15", HELD, **by_key, authorized_keys=[keys["id_encrypted"]]),
        spec("agent", "xe16", HELD, **by_key, authorized_keys=[keys["id_agent"]]),
        spec("privileged", "xe17", HELD, enable=None),
        spec("privileged-become", "ios15", HELD),
        spec("port-argument", "xe16", HELD),
        spec("proxied", "xe17", HELD, login_privilege=1),
        spec("ipv6", "ios15", HELD, listen="::1"),
        spec("learned", "xe16", HELD),
        spec("unchecked", "xe17", HELD),
        spec("old", "ios15", HELD, login_privilege=1, legacy=True),
        spec("prompts", "xe17", HELD, login_privilege=1, banner=LIKE_PROMPTS, motd=LIKE_PROMPTS),
        spec("configured", "ios15", HELD, username="keyadmin"),
    )
    node = control_node(fleet)
    hosts = node.hosts
    del node.shared["ansible_host_key_checking"]
    for name in ("vaulted", "key-file", "encrypted-key", "agent"):
        del hosts[name]["ansible_password"]
    opened = vaulted(node, "vaulted", "only-in-the-vault")
    hosts["key-file"]["ansible_ssh_private_key_file"] = str(files["id_file"])
    hosts["encrypted-key"]["ansible_private_key_file"] = str(files["id_encrypted"])
    hosts["encrypted-key"]["ansible_private_key_passphrase"] = LOGIN_PASSPHRASE
    hosts["privileged"]["ansible_become"] = False
    hosts["port-argument"]["ansible_ssh_extra_args"] = f"-C -p {hosts['port-argument'].pop('ansible_port')}"
    relay, mark = tmp_path / "relay.py", tmp_path / "relayed"
    relay.write_text(RELAY)
    command = f"{sys.executable} {relay} %h %p {mark}"
    hosts["proxied"]["ansible_ssh_common_args"] = f"-o ProxyCommand={shlex.quote(command)}"
    hosts["learned"]["ansible_host_key_auto_add"] = True
    hosts["unchecked"]["ansible_ssh_common_args"] = "-o StrictHostKeyChecking=no"
    hosts["old"]["vpnops_keys_ssh_legacy"] = True
    for variable in ("ansible_host", "ansible_port", "ansible_user"):
        del hosts["configured"][variable]
    place = fleet["configured"]
    known_names = [device.name for device in fleet if device.name not in ("learned", "unchecked")]
    known_hosts = write_known_hosts(node, known(fleet, *known_names))
    (known_hosts.parent / "config").write_text(
        f"Host configured\n  HostName {place.host}\n  Port {place.port}\n  User keyadmin\n"
    )
    assert node.shared["ansible_connection"] == "ansible.netcommon.network_cli"
    assert node.shared["ansible_network_os"] == "cisco.ios.ios"
    assert node.shared["ansible_become_method"] == "enable"

    with ssh_agent(tmp_path / "agent.sock", files["id_agent"]) as agent:
        assert_reached(node.run([INFO, COMPARE], *opened, env=CHECKED | agent), fleet)

    enabled = {device.name for device in fleet if "enable" in device.commands()}
    assert enabled == {device.name for device in fleet if device.spec.login_privilege == 1}
    assert mark.read_text().splitlines() == [f"127.0.0.1 {fleet['proxied'].port}"] * 2
    assert known_hosts.read_text() == known(fleet, *known_names) + known(fleet, "learned")


def test_typed_passwords(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(spec("ks1", "ios15", HELD, login_privilege=1), spec("ks2", "xe17", HELD, login_privilege=1))
    node = control_node(fleet)
    for variable in ("ansible_password", "ansible_become_password", "ansible_user"):
        del node.shared[variable]
    answers = [(r"SSH password: ", "lab-login"), (r"BECOME password.*: ", "lab-enable")]
    run = node.run_on_terminal([INFO, COMPARE], "-u", "admin", "-k", "-K", answers=answers)
    assert_reached(run, fleet)
    assert "lab-login" not in run.output
    assert "lab-enable" not in run.output


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "wrong-password": ({}, {"ansible_password": "wrong"}, "auth_failed", "the login was refused for user admin"),
    "other-key": (
        {"authorized_keys": ["ID_CLEAR"], "faults": {"refuse_login": True}},
        {"ansible_password": None, "ansible_private_key_file": "id_clear"},
        "auth_failed",
        "the login was refused for user admin",
    ),
    "wrong-enable": (
        {"login_privilege": 1},
        {"ansible_become_password": "wrong"},
        "auth_failed",
        "the enable password was not accepted",
    ),
    "no-enable": (
        {"login_privilege": 1},
        {"ansible_become_password": None},
        "auth_failed",
        "an enable password is needed",
    ),
    "no-secret": ({"login_privilege": 1, "enable": None}, {}, "no_privilege", "enable was refused"),
    "no-become": ({"login_privilege": 1}, {"ansible_become": False}, "no_privilege", "set ansible_become: true"),
    "level-7": ({"login_privilege": 7}, {}, "no_privilege", "privilege level 7 is not enough"),
    "sudo": ({}, {"ansible_become_method": "sudo"}, "bad_input", "become_method is sudo, but IOS knows only enable"),
    "closed": ({"faults": {"closed": True}}, {}, "unreachable", "refuses the connection"),
    "silent": ({"faults": {"silent": True}}, {}, "timeout", "no SSH login at .* within 2 s"),
    "mute": ({"faults": {"silent_after_login": True}}, {}, "timeout", "no prompt appeared within 2 s"),
    "no-line": ({"overrides": {"vty_lines": 0}}, {}, "unreachable", "Are all its vty lines in use"),
    "old": ({"legacy": True}, {}, "unreachable", "set vpnops_keys_ssh_legacy: true"),
    "unknown": ({}, {}, "host_key_unknown", "the SSH host key SHA256:.* is not known"),
    "changed": ({}, {}, "host_key_changed", "the SSH host key has changed"),
    "changed-learn": ({}, {"ansible_host_key_auto_add": True}, "host_key_changed", "the SSH host key has changed"),
    "locked-key": (
        {},
        {"ansible_password": None, "ansible_private_key_file": "id_locked"},
        "bad_input",
        "needs ansible_private_key_passphrase",
    ),
    "wrong-passphrase": (
        {},
        {"ansible_private_key_file": "id_locked", "ansible_private_key_passphrase": "wrong"},
        "bad_input",
        "ansible_private_key_passphrase",
    ),
    "openssh-key": (
        {},
        {"ansible_private_key_file": "id_openssh", "ansible_private_key_passphrase": LOGIN_PASSPHRASE},
        "missing_library",
        "needs the Python library bcrypt",
    ),
    "no-key-file": ({}, {"ansible_private_key_file": "/no/such/id"}, "bad_input", "/no/such/id, which does not exist"),
    "no-proxy": ({}, {"ansible_ssh_common_args": "-o ProxyCommand=false"}, "unreachable", "ended the connection"),
    "no-port": ({}, {"ansible_port": 65536}, "bad_input", "ansible_port is 65536, which is no port"),
}
"""Per host: the device, its variables (None: not set), the code and the sentence."""
FAILED = ("no_privilege", "bad_input", "missing_library")
STRICT = ("unknown", "changed", "changed-learn")


def test_every_way_not_in(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    keys = {"ID_CLEAR": ssh_key(tmp_path / "id_clear")}
    ssh_key(tmp_path / "id_locked", LOGIN_PASSPHRASE, "-m", "PEM")
    ssh_key(tmp_path / "id_openssh", LOGIN_PASSPHRASE)
    own = plain_pem(key(3))
    specs: list[DeviceSpec] = []
    for name, (device, *dummy) in REFUSED.items():
        lines = [keys[one] for one in device.get("authorized_keys", ())]
        # A right password would count down what refuse_login says: it must not even come.
        strict = {"host_key": own, "faults": {"refuse_login": 9}} if name in STRICT else {}
        specs.append(spec(name, "xe17", HELD, **{**device, "authorized_keys": lines, **strict}))
    fleet = start_fleet(spec("good", "ios15", HELD), *specs)
    node = control_node(fleet)
    for name, (dummy, variables, *dummy) in REFUSED.items():
        for variable, value in variables.items():
            file = variable == "ansible_private_key_file"
            node.hosts[name][variable] = str(tmp_path / value) if file else value
    for name in STRICT:
        node.hosts[name]["ansible_host_key_checking"] = True
    lines = known(fleet, "changed", "changed-learn").splitlines()
    public = fleet.host_key.export_public_key().decode().split()[1]
    known_hosts = write_known_hosts(node, "".join(f"{line.split()[0]} ssh-rsa {public}\n" for line in lines))
    before = known_hosts.read_text()
    node.shared.update(ansible_connect_timeout=2, ansible_command_timeout=2)
    begun = time.monotonic()
    run = node.run([INFO, COMPARE], env={"PYTHONPATH": without(tmp_path, "bcrypt")})
    assert time.monotonic() - begun < 30

    problems = run.result("compare")["problems"]
    assert run.code != 0
    assert run.status("info", "good") == "ok"
    assert set(problems) == set(REFUSED)
    for name, (dummy, dummy, code, sentence) in REFUSED.items():
        assert run.error("info", name)[0] == code, run.error("info", name)
        assert run.status("info", name) == ("failed" if code in FAILED else "unreachable"), name
        assert_one_sentence(run.error("info", name)[1], name, sentence)
        assert_one_sentence(problems[name], name, sentence)
        assert {line for line in fleet[name].commands() if not line.startswith("terminal ")} <= MAY_SEE.get(name, set())
    for name in STRICT:
        assert fleet[name].faults.refuse_login == 9, "a password was sent to a stranger"
    assert known_hosts.read_text() == before
    assert "Traceback" not in run.output
    assert "[WARNING]" not in run.output


MAY_SEE = {
    "wrong-enable": {"enable"},
    "no-enable": {"enable"},
    "no-secret": {"enable"},
    "level-7": {"show crypto key mypubkey rsa", "show running-config", "show privilege"},
}
"""What reaches a device before it is known that it is no use."""


def assert_one_sentence(message: str, name: str, expected: str) -> None:
    assert message.startswith(f"{name}: "), message
    assert re.search(expected, message), message
    assert "Nothing was " in message
    assert "\n" not in message
    assert len(message) < 350
    for secret in ("lab-login", "lab-enable", LOGIN_PASSPHRASE, "wrong "):
        assert secret not in message


def without(path: Path, library: str) -> str:
    """A PYTHONPATH with which this library cannot be imported."""
    place = path / f"without-{library}"
    place.mkdir()
    (place / f"{library}.py").write_text(f"raise ImportError('No module named {library}')\n")
    return f"{place}:{os.environ.get('PYTHONPATH', '')}"


@pytest.mark.parametrize("library", ["asyncssh", "netaddr"])
def test_missing_library(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path, library: str) -> None:
    fleet = start_fleet(spec("ks1", "ios15", HELD))
    tasks = [INFO | {"ignore_errors": True}, COMPARE]
    run = control_node(fleet).run(tasks, env={"PYTHONPATH": without(tmp_path, library)})
    for task in ("info", "compare"):
        code, message = run.error(task)
        assert code == "missing_library"
        assert message == (
            f"The Python library {library} is missing on the control node. Nothing was done; install it for the Python "
            f"that runs Ansible (pip install {library})."
        )
    assert "Traceback" not in run.output
    assert "[WARNING]" not in run.output
    assert fleet["ks1"].sessions == 0


@pytest.mark.parametrize("runs_for", ["with", "without", "no-enable"])
def test_secrets_of_one_host_go_to_no_other(
    start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path, runs_for: str
) -> None:
    """Every device takes the same secrets, but only one host has them: the task for all must not lend them."""
    accepted = [ssh_key(tmp_path / "id")]
    fleet = start_fleet(
        spec("with", "ios15", HELD, login_privilege=1, authorized_keys=accepted),
        spec("with-password", "xe16", HELD, login_privilege=1),
        spec("without", "xe17", HELD, login_privilege=1, authorized_keys=accepted),
        spec("no-enable", "ios15", HELD, login_privilege=1),
    )
    node = control_node(fleet)
    password, enable = node.shared.pop("ansible_password"), node.shared.pop("ansible_become_password")
    node.hosts["with"] |= {"ansible_ssh_private_key_file": str(tmp_path / "id"), "ansible_become_password": enable}
    node.hosts["with-password"] |= {"ansible_password": password, "ansible_become_password": enable}
    node.hosts["no-enable"]["ansible_password"] = password
    run = node.run([COMPARE], "--limit", runs_for)
    problems = run.result("compare")["problems"]
    assert set(problems) == {"without", "no-enable"}
    assert "the login was refused" in problems["without"]
    assert "an enable password is needed" in problems["no-enable"]
    assert fleet["without"].sessions == 0
    assert [line for line in fleet["no-enable"].log if line.kind == "password"] == []
    assert looked_at(fleet["with"])
    assert looked_at(fleet["with-password"])
