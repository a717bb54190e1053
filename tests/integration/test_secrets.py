# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing secret on any screen, in any log, file, cache or process list, whatever happens."""

from __future__ import annotations

import base64
import glob
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from integration.control_node import FINISHED_WITHIN, ControlNode, Data
from integration.devices import LABEL, encrypted_pem, group_of, held, key, one_time_passphrases, spec

from lab import Fleet, KeySpec
from lab.device import Device

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]
ALL = "{{ groups.key_servers }}"
K1, K2, K3 = (KeySpec(LABEL, number) for number in (1, 2, 3))
PASSPHRASE = "tr0ub4dor.of-these-tests-alone"
"""Not that of other tests: those may run beside these, and show theirs in the process list."""
LOGIN, ENABLE = "l0gin-Secret-77", "en4ble-Secret-88"
HOW: dict[str, tuple[list[str], dict[str, str]]] = {
    "default": ([], {}),
    "verbose": (["-vvvvv", "--diff"], {}),
    "debug": ([], {"ANSIBLE_DEBUG": "1"}),
    "logged": (["-vvv"], {"ANSIBLE_PERSISTENT_LOG_MESSAGES": "1", "ANSIBLE_LOG_PATH": "ansible.log"}),
    "cached": (["--diff"], {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": "facts"}),
}


def secrets(devices: Iterable[Device], numbers: Iterable[int]) -> dict[str, bytes]:
    """What must be nowhere, by a name that may be shown."""
    found = {
        "login password": LOGIN.encode(),
        "enable password": ENABLE.encode(),
        "passphrase of the user": PASSPHRASE.encode(),
    }
    keys = {f"key {number}": key(number) for number in numbers}
    keys |= {f"key {label} of {device.name}": one.key for device in devices for label, one in device.keys.items()}
    for name, one in keys.items():
        body = base64.b64encode(one.pkcs1)
        # A line of the PEM that belongs to the private half alone, and the private numbers themselves.
        found |= {f"{name}, line {at // 64}": body[at : at + 64] for at in range(6 * 64, len(body), 64)}
        found[f"{name}, DER"] = one.pkcs1
        found |= {f"{name}, d": str(one.d).encode(), f"{name}, p": str(one.p).encode(), f"{name}, hex": b"%x" % one.p}
    found |= {f"one-time passphrase {i}": text.encode() for i, text in enumerate(sorted(one_time_passphrases(devices)))}
    return found


class Watch:
    """The command lines of all processes while something runs."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._over.wait(0.02):
            for path in glob.glob("/proc/[0-9]*/cmdline"):
                try:
                    with open(path, "rb") as file:
                        self.seen.add(file.read())
                except OSError:
                    continue

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *dummy: object) -> None:
        self._over.set()
        self._thread.join(10)


def run_watched(node: ControlNode, tasks: list[Data], arguments: list[str], env: Mapping[str, str]) -> dict[str, bytes]:
    """All that is left of a run, by where it is: output, process list, every file that was written meanwhile."""
    # A short path: Ansible puts a socket there, and the path of a socket has at most 107 characters.
    temporary = Path(tempfile.mkdtemp(prefix="vk-", dir="/tmp"))
    before = {path: path.stat().st_mtime_ns for path in Path("/tmp").glob("*") if path.is_file()}
    with Watch() as watch:
        done = subprocess.run(
            node.command(tasks, *arguments),
            cwd=node.path,
            env=node.env({"TMPDIR": str(temporary), **env}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=FINISHED_WITHIN,
            check=False,
        )
    left = {"output": done.stdout, "process list": b"\n".join(watch.seen)}
    assert any(b"playbook" in line for line in watch.seen), "the process list was not looked at"
    ours = {"play.yml", "inventory.yml"}
    for path in node.path.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.name not in ours and "collections" not in path.parts:
            left[str(path.relative_to(node.path))] = path.read_bytes()
    for path in temporary.rglob("*"):
        if path.is_file() and not path.is_symlink():
            left[f"tmp: {path.relative_to(temporary)}"] = path.read_bytes()
    shutil.rmtree(temporary)
    for path in Path("/tmp").glob("*"):
        if path.is_file() and before.get(path) != path.stat().st_mtime_ns:
            left[str(path)] = path.read_bytes()
    return left


def assert_clean(left: Mapping[str, bytes], hidden: Mapping[str, bytes]) -> None:
    for where, content in left.items():
        for name, secret in hidden.items():
            assert secret not in content, f"{name} is in {where}"


def everything() -> list[Data]:
    """Tasks that carry keys, and tasks that fail while they do. None has no_log."""
    out = {"label": LABEL, "passphrase": PASSPHRASE}
    given = {"label": LABEL, "content": encrypted_pem(key(4), PASSPHRASE), "passphrase": PASSPHRASE, "overwrite": True}
    tasks: list[Data] = [
        {"vpnops.keys.ios_rsa_key_export": {**out, "path": "{{ inventory_hostname }}.pem"}},
        {"vpnops.keys.ios_rsa_key_export": {**out, "return_content": True, "format": "pkcs8"}, "register": "content"},
        {"vpnops.keys.ios_rsa_key_export": {"label": "NONE", "passphrase": PASSPHRASE, "path": "no/where.pem"}},
        {
            "vpnops.keys.ios_rsa_key_import": {
                "label": "COPY",
                "from_host": "ks1",
                "from_label": LABEL,
            }
        },
        {
            "vpnops.keys.ios_rsa_key_sync": {
                "hosts": ALL,
                "label": LABEL,
                "overwrite": True,
                "backup_directory": "old",
                "backup_passphrase": PASSPHRASE,
            },
            "run_once": True,
        },
        {"vpnops.keys.ios_rsa_key_import": given},
        {"vpnops.keys.ios_rsa_key_import": {**given, "content": encrypted_pem(key(5), "the wrong passphrase")}},
        {
            "vpnops.keys.ios_rsa_key_import": {
                **given,
                "content": encrypted_pem(key(5), PASSPHRASE),
                "minimum_size": "many",
            }
        },
        {"vpnops.keys.ios_rsa_key_info": {}, "register": "keys"},
        {"ansible.builtin.set_fact": {"kept": "{{ keys }}", "cacheable": True}},
    ]
    return [{**task, "ignore_errors": True, "ignore_unreachable": True} for task in tasks]


def given_passwords(node: ControlNode) -> None:
    node.shared.update(ansible_password=LOGIN, ansible_become_password=ENABLE)
    for host in node.hosts.values():
        host.pop("ansible_password", None)
        host.pop("ansible_become_password", None)


@pytest.mark.parametrize("how", HOW)
def test_nothing_is_told(how: str, start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    passwords: dict[str, Any] = {"password": LOGIN, "enable": ENABLE, "login_privilege": 1}
    fleet = start_fleet(
        spec("ks1", "ios15", K1, **passwords),
        spec("ks2", "xe17", K2, **passwords),
        spec("ks3", "xe16", K3, **passwords),
    )
    node = control_node(fleet)
    given_passwords(node)
    (tmp_path / "old").mkdir()
    arguments, env = HOW[how]
    left = run_watched(node, everything(), arguments, env)
    assert set(held(fleet["ks2"])) == {LABEL, "COPY"}, left["output"].decode()
    assert held(fleet["ks2"])[LABEL][0] == key(4).fingerprint
    hidden = secrets(fleet, (1, 2, 3, 4, 5))
    assert len(one_time_passphrases(fleet)) > 10
    assert_clean(left, hidden)
    written = {name for name, content in left.items() if b"PRIVATE KEY" in content}
    files = {f"ks{number}.pem" for number in (1, 2, 3)}
    files |= {f"old/ks{number}-{LABEL}-{key(number).fingerprint[:12]}.pem" for number in (2, 3)}
    # return_content was asked for; what it returns is encrypted under the passphrase of the user.
    assert files <= written <= files | {"output", "results.jsonl", "ansible.log"}
    assert all(b"ENCRYPTED" in left[name] for name in written)
    if how == "logged":
        assert left["ansible.log"]
    if how == "cached":
        assert any(name.startswith("facts/") for name in left)


FAILING: dict[str, dict[str, Any]] = {
    "import fails": {"import_fails": True},
    "export fails": {"export_fails": True},
    "drops at the import": {"cut": {"at": "BEGIN RSA", "unit": "line"}},
    "drops in the export": {"cut": {"at": "key export", "when": "during", "bytes": 1200}},
    "reads no more": {"cut": {"at": "key import", "when": "after"}},
}


@pytest.mark.parametrize("failure", FAILING)
def test_nothing_is_told_by_failures(failure: str, start_fleet: StartFleet, control_node: MakeNode) -> None:
    passwords: dict[str, Any] = {"password": LOGIN, "enable": ENABLE, "login_privilege": 1}
    fleet = start_fleet(
        spec("ks1", "ios15", K1, **passwords), spec("ks2", "xe17", K2, faults=FAILING[failure], **passwords)
    )
    node = control_node(fleet)
    given_passwords(node)
    tasks: list[Data] = [
        {
            "vpnops.keys.ios_rsa_key_sync": {"hosts": ALL, "label": LABEL, "overwrite": True},
            "run_once": True,
            "no_log": True,
        },
        {"vpnops.keys.ios_rsa_key_export": {"label": LABEL, "path": "x.pem", "passphrase": PASSPHRASE}},
        {"vpnops.keys.ios_rsa_key_import": {"label": "COPY", "from_host": "ks1", "from_label": LABEL}},
    ]
    tasks = [{**task, "ignore_errors": True, "ignore_unreachable": True} for task in tasks]
    left = run_watched(node, tasks, ["-vvvvv", "--diff"], {"ANSIBLE_DEBUG": "1", "ANSIBLE_LOG_PATH": "ansible.log"})
    assert b"...ignoring" in left["output"], "nothing failed"
    assert_clean(left, secrets(fleet, (1, 2)))
    assert one_time_passphrases(fleet)


CRASH = """
import sys
from ansible_collections.vpnops.keys.plugins.module_utils._ios import pem, rsa_keys
def crash(private, passphrase):
    raise RuntimeError(f"{private.der!r} {passphrase} {private.der.hex()}")
pem.seal_3des = crash
"""
STRATEGY = """
from ansible.plugins.strategy.linear import StrategyModule as Linear
DOCUMENTATION = "name: crashing\\nshort_description: x\\ndescription: x\\noptions: {}\\n"
class StrategyModule(Linear):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        import crash
"""


def test_nothing_is_told_by_a_crash(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    """A programming error whose exception quotes the key and its passphrase."""
    fleet = start_fleet(*group_of(("ks1", "ios15", (K1,)), ("ks2", "xe17", ())))
    node = control_node(fleet)
    (tmp_path / "crash").mkdir()
    (tmp_path / "crash" / "crash.py").write_text(CRASH)
    (tmp_path / "crash" / "crashing.py").write_text(STRATEGY)
    env = {
        "ANSIBLE_STRATEGY": "crashing",
        "ANSIBLE_STRATEGY_PLUGINS": str(tmp_path / "crash"),
        "PYTHONPATH": f"{tmp_path / 'crash'}:{os.environ.get('PYTHONPATH', '')}",
        "ANSIBLE_DEBUG": "1",
        "ANSIBLE_LOG_PATH": "ansible.log",
    }
    tasks: list[Data] = [
        {"vpnops.keys.ios_rsa_key_sync": {"hosts": ALL, "label": LABEL}, "run_once": True, "ignore_errors": True},
        {"vpnops.keys.ios_rsa_key_export": {"label": LABEL, "passphrase": PASSPHRASE, "path": "x.pem"}},
    ]
    left = run_watched(node, tasks, ["-vvvvv"], env)
    assert b"internal error RuntimeError" in left["output"], left["output"].decode()
    assert b"please report this" in left["output"]
    hidden = secrets(fleet, (1,)) | {"DER in hex": key(1).pkcs1.hex().encode()[1000:1100]}
    assert_clean(left, hidden | {"DER as bytes": repr(key(1).pkcs1).encode()[1000:1100]})
