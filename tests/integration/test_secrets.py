# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret is left where people look, or where machines write: each run is searched for all that was secret in it."""

from __future__ import annotations

import base64
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import lab.pem
from integration.control_node import ControlNode, Data, Run
from integration.devices import LABEL, after_reload, encrypted_pem, group_of, key, one_time_passphrases, spec
from lab import DeviceSpec, Fleet, KeySpec
from lab.keys import RsaKey

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]

LOGIN, ENABLE = "login-Aq7vKz1x", "enable-Wm4cTy8r"
USERS = {"kept_under": "file-Jd5nRb3s-phrase", "given_under": "text-Hx2kPf9w-phrase", "wrong": "wrong-Lg6tVn0u-phrase"}
"""Passphrases of the user, by the names of the variables that hold them."""
ALLOWED = ("inventory.yml", "given.pem")
"""Files that the user wrote, with secrets in them."""
COLUMNS = 64


# ------------------------------------------------------------------------------------------- what is secret


def of_key(one: RsaKey) -> Iterator[str]:
    """What betrays a private key: its lines in PEM after the public numbers, and its numbers in hex and decimal."""
    text = base64.b64encode(one.pkcs1).decode()
    public = (len(one.spki) // 3 + 1) * 4
    yield from (text[at : at + COLUMNS] for at in range(0, len(text) - COLUMNS, COLUMNS) if at > public)
    for number in (one.d, one.p, one.q):
        digits = f"{number:x}"
        yield from (digits[:48], digits[-48:], digits[:48].upper(), digits[-48:].upper(), str(number)[:60])


def of_pem(text: str) -> Iterator[str]:
    """The whole lines of every encrypted body in it."""
    for block in text.split("-----BEGIN RSA PRIVATE KEY-----")[1:]:
        body = block.split("-----END RSA")[0]
        yield from (line for line in body.splitlines() if len(line) == COLUMNS and ":" not in line)


@dataclass
class Secrets:
    """All that was secret in the runs so far: what it is, and how it reads."""

    fleet: Fleet
    exported: list[str]
    keys: Iterable[RsaKey]
    given: str

    def found(self) -> dict[str, list[bytes]]:
        pasted = "\n".join(entry.text for device in self.fleet for entry in list(device.log) if entry.kind == "paste")
        on_devices = (part.key for device in self.fleet for held in device.keys.values() for part in held.parts)
        kinds: dict[str, Iterable[str]] = {
            "private key": (line for one in (*self.keys, *on_devices) for line in of_key(one)),
            "exported PEM": (line for text in self.exported for line in of_pem(text)),
            "imported PEM": of_pem(pasted),
            "PEM of the user": of_pem(self.given),
            "one-time passphrase": one_time_passphrases(self.fleet),
            "login or enable password": (LOGIN, ENABLE),
            "passphrase of the user": USERS.values(),
        }
        return {kind: sorted({one.encode() for one in some}) for kind, some in kinds.items()}


def seen_in(data: bytes, secrets: Mapping[str, list[bytes]]) -> set[str]:
    return {kind for kind, some in secrets.items() if any(one in data for one in some)}


# ------------------------------------------------------------------------------------------- where it is looked for


@dataclass
class Watch:
    """Command lines and environments of the processes of a control node, and what appears in /tmp meanwhile."""

    home: Path
    processes: set[bytes] = field(default_factory=set)
    appeared: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tmp = Path(tempfile.gettempdir())
        self._before = set(os.listdir(self._tmp))
        self._new: list[str] = []

    def look(self) -> None:
        mark = f"HOME={self.home}\0".encode()
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    environment = Path("/proc", entry, "environ").read_bytes()
                    if mark in environment:
                        self.processes |= {environment, Path("/proc", entry, "cmdline").read_bytes()}
                except OSError:  # it has ended
                    pass
        for name in set(os.listdir(self._tmp)) - self._before:
            self._before.add(name)
            self._new.append(name)
            self.look_again(name)

    def look_again(self, *names: str) -> None:
        for name in names or self._new:
            self.appeared |= files_below(self._tmp / name)


@contextmanager
def watched(home: Path) -> Iterator[Watch]:
    watch, ended = Watch(home), threading.Event()

    def poll() -> None:
        while not ended.wait(0.02):
            watch.look()

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join(10)
        watch.look()
        watch.look_again()


def files_below(path: Path) -> dict[str, bytes]:
    """The content of every regular file that can be read; nothing is followed."""
    files = [path] if path.is_file() else [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
    found = {}
    for file in files:
        if file.is_file() and not file.is_symlink():
            try:
                found[str(file)] = file.read_bytes()
            except OSError:  # it is gone, or not ours
                pass
    return found


def leaks(run: Run, watch: Watch, secrets: Mapping[str, list[bytes]]) -> dict[str, set[str]]:
    """Where (the screen, a process, a file) which kinds of secrets stand."""
    places = {"screen": run.output.encode(errors="replace"), "processes": b"\n".join(watch.processes)}
    places |= watch.appeared
    for file, content in files_below(watch.home).items():
        if Path(file).name not in ALLOWED:
            places[file] = content
    return {place: kinds for place, data in places.items() if (kinds := seen_in(data, secrets))}


# ------------------------------------------------------------------------------------------- what is run


MODES: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "default": (("--diff",), {}),
    "verbose": (("-vvvvv", "--diff"), {"ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1"}),
    "debug": ((), {"ANSIBLE_DEBUG": "1", "ANSIBLE_LOG_PATH": "ansible.log"}),
    "messages": (
        ("-vvv",),
        {
            "ANSIBLE_PERSISTENT_LOG_MESSAGES": "1",
            "ANSIBLE_NETWORK_CLI_RECORD": "1",
            "ANSIBLE_LOG_PATH": "ansible.log",
        },
    ),
}
CACHE = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": "facts"}

FAILING: dict[str, tuple[list[KeySpec], dict[str, Any], str]] = {
    "no-import": ([], {"faults": {"import_fails": True}}, "import_failed"),
    "no-replacement": ([KeySpec(LABEL, 7)], {"faults": {"import_fails": "% Not so\n"}}, "import_failed"),
    "other-words": ([], {"overrides": {"import_mode": "exec"}}, ""),
    "cut-import": ([], {"faults": {"cut": {"at": "BEGIN RSA", "unit": "line"}}}, "session_lost"),
}
FAILING_EXPORTS: dict[str, tuple[list[KeySpec], dict[str, Any], str]] = {
    "no-export": ([KeySpec(LABEL, 3)], {"faults": {"export_fails": True}}, "export_failed"),
    "other-mode": ([KeySpec(LABEL, 3)], {"overrides": {"export_mode": "exec"}}, ""),
    "cut-export": (
        [KeySpec(LABEL, 3)],
        {"faults": {"cut": {"at": "key export", "when": "during", "bytes": 1500}}},
        "session_lost",
    ),
}


def key_servers() -> list[DeviceSpec]:
    """A group to be made equal, one where that fails, and devices for the modules."""
    good = group_of(
        ("ks1", "ios15", (KeySpec(LABEL, 1),)), ("ks2", "xe17", (KeySpec(LABEL, 2),)), ("ks3", "xe16", ())
    )
    bad = group_of(
        ("ks4", "xe17", (KeySpec("BAD", 4),)), ("ks5", "xe16", (KeySpec("BAD", 5),)), name="BAD", identity=2, label="BAD"
    )
    bad[1] = replace(bad[1], faults={"import_fails": True})
    others = [spec("one", "xe17", KeySpec(LABEL, 3)), spec("two", "xe16"), spec("three", "ios15")]
    failing = [spec(name, "xe17", *keys, **how) for name, (keys, how, _) in (FAILING | FAILING_EXPORTS).items()]
    return [replace(one, password=LOGIN, enable=ENABLE, login_privilege=1) for one in (*good, *bad, *others, *failing)]


KEYS = tuple(key(number) for number in (1, 2, 3, 4, 5, 6, 7))
IMPORT, EXPORT = "vpnops.keys.ios_rsa_key_import", "vpnops.keys.ios_rsa_key_export"
GIVEN = {"content": "{{ lookup('ansible.builtin.file', 'given.pem') }}", "passphrase": "{{ given_under }}"}


def play(hosts: str, no_log: bool, *tasks: Data) -> Data:
    """Tasks whose results also go to the fact cache; what fails does not end it."""
    listed: list[Data] = []
    for number, task in enumerate(tasks):
        listed.append({**task, "register": f"result_{number}"})
        listed.append({"set_fact": {f"kept_{number}": f"{{{{ result_{number} }}}}", "cacheable": True}})
    how = {"gather_facts": False, "ignore_errors": True, "ignore_unreachable": True, "no_log": no_log}
    return {"hosts": hosts, **how, "tasks": listed}


def sync(no_log: bool) -> Data:
    """What the playbook of the collection does, with backups."""
    options: Data = {
        "key_server_sync_hosts": ["ks1", "ks2", "ks3", "ks4", "ks5"],
        "key_server_sync_overwrite": "always",
        "key_server_sync_backup_directory": "{{ inventory_dir }}/backup",
        "key_server_sync_backup_passphrase": "{{ kept_under }}",
        "key_server_sync_report_path": "{{ inventory_dir }}/report.json",
    }
    role = {"import_role": {"name": "vpnops.keys.key_server_sync"}, "run_once": True, "vars": options}
    return {"hosts": "ks1", "gather_facts": False, "ignore_errors": True, "no_log": no_log, "tasks": [role]}


def everything(no_log: bool) -> list[Data]:
    """Every operation that moves a private key; then every way in which they fail."""
    out = {"label": LABEL, "passphrase": "{{ kept_under }}"}
    saved = {"path": "{{ inventory_dir }}/saved-{{ inventory_hostname }}.pem", "passphrase": "{{ kept_under }}"}
    mistaken = {**GIVEN, "passphrase": "{{ wrong }}"}
    return [
        sync(no_log),
        play(
            "one",
            no_log,
            {"name": "export", EXPORT: {**out, **saved}},
            {"name": "export ios", EXPORT: {**out, **saved, "path": "{{ inventory_dir }}/saved-ios.pem", "format": "ios"}},
            {"name": "content", EXPORT: {**out, "return_content": True}},
        ),
        play("two", no_log, {"name": "from host", IMPORT: {"label": LABEL, "from_host": "one", "exportable": True}}),
        play(
            "three",
            no_log,
            {"name": "from text", IMPORT: {"label": LABEL, **GIVEN, "exportable": True}},
            {
                "name": "from file",
                IMPORT: {
                    "label": LABEL,
                    "overwrite": True,
                    "path": "{{ inventory_dir }}/saved-one.pem",
                    "passphrase": "{{ kept_under }}",
                    "backup_path": "{{ inventory_dir }}/backup/three.pem",
                    "backup_passphrase": "{{ kept_under }}",
                },
            },
            {"name": "mistaken", IMPORT: {"label": "OTHER", **mistaken}},
            {"name": "mixed up", IMPORT: {"label": "OTHER", **GIVEN, "path": "x.pem", "exportable": "{{ wrong }}"}},
            {"name": "existing", EXPORT: {**out, "path": "{{ inventory_dir }}/inventory.yml"}},
        ),
        play(":".join(FAILING), no_log, {"name": "in", IMPORT: {"label": LABEL, **GIVEN, "overwrite": True}}),
        play(":".join(FAILING_EXPORTS), no_log, {"name": "out", EXPORT: out}),
    ]


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every private key that simulated devices print."""
    printed: list[str] = []
    original = lab.pem.private_pem

    def private_pem(one: RsaKey, cipher: str, passphrase: str) -> tuple[str, int]:
        made = original(one, cipher, passphrase)
        printed.append(made[0])
        return made

    monkeypatch.setattr(lab.pem, "private_pem", private_pem)
    return printed


def prepare(node: ControlNode) -> str:
    """What the user has on the control node. Returns the PEM of the user."""
    node.shared.update(USERS)
    (node.path / "backup").mkdir()
    given = encrypted_pem(key(6), USERS["given_under"])
    (node.path / "given.pem").write_text(given)
    return given


def run_plays(node: ControlNode, plays: list[Data], *arguments: str, env: Mapping[str, str]) -> tuple[Run, Watch]:
    playbook = node.path / "everything.yml"
    playbook.write_text(yaml.safe_dump(plays, sort_keys=False))
    with watched(node.path) as watch:
        run = node.run(str(playbook), *arguments, env=env)
    return run, watch


@pytest.mark.parametrize("no_log", [False, True], ids=["shown", "no_log"])
@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_left_behind(
    mode: str, no_log: bool, start_fleet: StartFleet, control_node: MakeNode, exported: list[str]
) -> None:
    fleet = start_fleet(*key_servers())
    node = control_node(fleet)
    given = prepare(node)
    arguments, environment = MODES[mode]
    run, watch = run_plays(node, everything(no_log), *arguments, env=CACHE | environment)
    secrets = Secrets(fleet, exported, KEYS, given).found()
    # First that all of it did happen, and that there was something to find.
    assert {after_reload(fleet[name])[LABEL] for name in ("ks1", "ks2", "ks3")} == {key(1).fingerprint}, run.output
    assert after_reload(fleet["ks5"])["BAD"] == key(5).fingerprint
    assert {after_reload(fleet[name])[LABEL] for name in ("two", "three")} == {key(3).fingerprint}
    for kind, least in (("exported PEM", 100), ("imported PEM", 100), ("one-time passphrase", 12)):
        assert len(secrets[kind]) >= least, kind
    assert not leaks(run, watch, secrets)
    assert len(watch.processes) > 2
    kept = [*(node.path / "backup").iterdir(), node.path / "saved-one.pem", node.path / "saved-ios.pem"]
    assert len(kept) == 5
    for file in kept:
        assert "ENCRYPTED" in file.read_text() and file.stat().st_mode & 0o777 == 0o600
    if no_log:
        assert all("censored" in str(one["result"]) for one in run.results if one["action"] in (IMPORT, EXPORT))
        return
    for task, failing in (("in", FAILING), ("out", FAILING_EXPORTS)):
        for name, (_, _, code) in failing.items():
            assert run.error(task, name)[0] == (code or run.error(task, name)[0]), run.error(task, name)
            assert "\n" not in run.error(task, name)[1]
    assert run.error("mistaken")[0] == "bad_input"
    assert "BEGIN ENCRYPTED PRIVATE KEY" in run.result("content")["content"]


# ------------------------------------------------------------------------------------------- crashes


CRASHES = '''
"""An error deep inside, whose text tells everything that its function knows."""
import hashlib
import os
import secrets
import sys

def crashing(name, original):
    def crash(*arguments, **options):
        caller = sys._getframe(1)
        if caller.f_code.co_name == name and "module_utils" in caller.f_code.co_filename:
            known = caller.f_locals
            raise RuntimeError(f"{known['passphrase']!r} {getattr(known.get('private'), 'der', b'').hex()}")
        return original(*arguments, **options)
    return crash

if os.environ["CRASH"] == "seal_3des":
    secrets.token_bytes = crashing("seal_3des", secrets.token_bytes)
else:
    hashlib.new = crashing("_derive", hashlib.new)
'''


@pytest.mark.parametrize("mode", ["default", "verbose", "debug"])
@pytest.mark.parametrize("crash", ["seal_3des", "_derive"])
def test_a_crash_tells_nothing(
    crash: str, mode: str, start_fleet: StartFleet, control_node: MakeNode, exported: list[str]
) -> None:
    fleet = start_fleet(*key_servers()[:6])
    node = control_node(fleet)
    given = prepare(node)
    (node.path / "sitecustomize.py").write_text(CRASHES)
    path = os.pathsep.join([str(node.path), os.environ.get("PYTHONPATH", "")])
    out = {"label": LABEL, "passphrase": "{{ kept_under }}", "return_content": True, "format": "ios"}
    plays = [
        play("one", False, {"name": "in", IMPORT: {"label": "NEW", **GIVEN}}, {"name": "out", EXPORT: out}),
        *([sync(False)] if crash == "_derive" else []),
    ]
    arguments, environment = MODES[mode]
    run, watch = run_plays(node, plays, *arguments, env={**CACHE, **environment, "CRASH": crash, "PYTHONPATH": path})
    assert not leaks(run, watch, Secrets(fleet, exported, KEYS, given).found())
    for task in ("in", "out", *(["Make the key servers equal"] if crash == "_derive" else [])):
        name = next(one["task"] for one in run.results if one["task"].endswith(task))
        code, message = run.error(name)
        assert code == "internal" and f"internal error RuntimeError in {'crash'}" in message, message
        assert "\n" not in message
    assert exported and held_as_before(fleet)


def held_as_before(fleet: Fleet) -> bool:
    return all(after_reload(device) == {one.label: key(one.pool).fingerprint for one in device.spec.keys} for device in fleet)


# ------------------------------------------------------------------------------------------- the search itself


def test_the_search_finds_what_is_there(start_fleet: StartFleet, control_node: MakeNode, exported: list[str]) -> None:
    fleet = start_fleet(replace(spec("one", "xe17", KeySpec(LABEL, 3)), password=LOGIN, enable=ENABLE, login_privilege=1))
    node = control_node(fleet)
    given = prepare(node)
    tasks: list[Data] = [
        {"name": "in", IMPORT: {"label": "NEW", **GIVEN}},
        {"name": "out", EXPORT: {"label": LABEL}},
        {"name": "screen and result", "debug": {"msg": "{{ kept_under }}"}},
        {"name": "process", "command": {"cmd": "sleep 0.5 0.{{ 1 }}"}, "environment": {"TOLD": "{{ wrong }}"}},
    ]
    for task in tasks[2:]:
        task["vars"] = {"ansible_connection": "local", "ansible_become": False}
    run, watch = run_plays(node, [play("one", False, *tasks)], env=CACHE)
    secrets = Secrets(fleet, exported, KEYS, given).found()
    assert all(secrets.values())
    places = {kind: node.path / "facts" / f"planted-{number}" for number, kind in enumerate(secrets)}
    places["one-time passphrase"] = Path(tempfile.gettempdir(), f"vpnops-planted-{os.getpid()}")
    for kind, place in places.items():
        place.write_bytes(b"x" * 1000 + secrets[kind][-1] + b"\n")
        try:
            watch.look()
            assert leaks(run, watch, secrets)[str(place)] == {kind}
        finally:
            place.unlink()
            watch.appeared.pop(str(place), None)
    found = leaks(run, watch, secrets)
    assert found.pop("screen") == found.pop("processes") == {"passphrase of the user"}
    assert set(found) == {str(node.path / "results.jsonl"), str(node.path / "facts" / "one")} | {
        place for place in found if Path(place).parent == node.path / "facts"
    }
