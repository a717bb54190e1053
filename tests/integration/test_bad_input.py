# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people get wrong: one clear sentence each, and no device notices."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from integration.control_node import ControlNode, Data, Run
from integration.devices import (
    LABEL,
    NAMES,
    PASSPHRASE,
    encrypted_pem,
    held,
    key,
    one_time_passphrases,
    spec,
    unchanged,
    writes,
)

from lab import Fleet, KeySpec
from lab.pem import private_pem, public_pem

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]
SENTENCES = re.compile(r"(?:[^\n]{10,400}[.:?])\Z")


def sentence(run: Run, task: str) -> str:
    """The message of a failed task: some sentences on one line, of this collection."""
    assert run.status(task) == "ignored", run.result(task)
    code, message = run.error(task)
    assert code != "internal", message
    assert SENTENCES.match(message), message
    return message


def only_looked(fleet: Fleet) -> bool:
    return not any(writes(device) for device in fleet) and not one_time_passphrases(fleet)


LABELS = {
    "space": "RE KEY",
    "end": "REKEY ",
    "double quote": 'RE"KEY',
    "single quote": "RE'KEY",
    "question mark": "REKEY?",
    "newline": "REKEY\nwrite erase",
    "carriage return": "REKEY\rreload",
    "control": "REKEY\x03",
    "escape": "\x1b[A",
    "tab": "RE\tKEY",
    "pipe": "REKEY|",
    "exclamation": "!REKEY",
    "option": "-REKEY",
    "umlaut": "SCHLÜSSEL",
    "empty": "",
    "long": "K" * 65,
    "keyword": "all",
    "usage keyword": "general-keys",
    "error": "ERROR",
    "helper": "REKEY.server",
    "scratch": "REKEY.vpnops-new",
}
MODULES: dict[str, dict[str, Any]] = {
    "ios_getvpn_group_key": {"group": "GETVPN"},
    "ios_getvpn_rotation": {"hosts": ["ks1", "ks2"]},
    "ios_rsa_key_info": {},
    "ios_rsa_key": {},
    "ios_rsa_key_export": {},
    "ios_rsa_key_import": {"from_host": "ks1", "from_label": LABEL},
    "ios_rsa_key_compare": {"hosts": ["ks1", "ks2"]},
    "ios_rsa_key_sync": {"hosts": ["ks1", "ks2"], "overwrite": True},
}


def test_labels(start_fleet: StartFleet, control_node: MakeNode) -> None:
    """Each of them with one module; every module with each kind of mistake in turn."""
    fleet = start_fleet(spec("ks1", "ios15", KeySpec(LABEL, 1)), spec("ks2", "xe17", KeySpec(LABEL, 2)))
    modules = list(MODULES.items())
    tasks: list[Data] = []
    for number, (name, label) in enumerate(LABELS.items()):
        for step in (0, 3):
            module, options = modules[(number + step) % len(modules)]
            if label or module not in ("ios_rsa_key_compare", "ios_rsa_key_sync"):
                task: Data = {"name": f"{name}, {module}", f"vpnops.keys.{module}": {**options, "label": label}}
                tasks.append({**task, "ignore_errors": True, "run_once": True})
    with unchanged(fleet):
        run = control_node(fleet).run(tasks)
    for task in tasks:
        message = sentence(run, task["name"])
        assert run.error(task["name"])[0] == "bad_input", message
        assert "label" in message.lower()
    assert only_looked(fleet)


def test_unknown_labels(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(spec("ks1", "ios15", KeySpec(LABEL, 1)), spec("ks2", "xe17", KeySpec(LABEL, 2)))
    tasks: list[Data] = [
        {"name": "export", "vpnops.keys.ios_rsa_key_export": {"label": "NONE"}},
        {
            "name": "import",
            "vpnops.keys.ios_rsa_key_import": {"label": LABEL, "from_host": "ks1", "from_label": "NONE"},
        },
        {"name": "remove", "vpnops.keys.ios_rsa_key": {"label": "NONE", "state": "absent"}},
        {"name": "case", "vpnops.keys.ios_rsa_key": {"label": "rekey", "state": "absent"}},
    ]
    with unchanged(fleet):
        run = control_node(fleet).run([{**task, "ignore_errors": True} for task in tasks])
    for name in ("export", "import"):
        assert "there is no RSA key NONE. Nothing was changed." in sentence(run, name)
    for name in ("remove", "case"):
        assert not run.changed(name, "ks1")
        assert not run.changed(name, "ks2")
    assert only_looked(fleet)


@pytest.mark.parametrize("release", NAMES)
def test_sizes(release: str, start_fleet: StartFleet, control_node: MakeNode) -> None:
    """The device names its limits; where none is asked for them, nobody guesses."""
    fleet = start_fleet(spec("ks1", release, KeySpec("OTHER", 1)), spec("ks2", release, KeySpec("OTHER", 1)))
    low = 2048 if release == "xe17" else 360
    sizes = [0, -2048, low - 1, 4097, 10**9]
    tasks: list[Data] = [
        {"name": f"size {size}", "vpnops.keys.ios_rsa_key": {"label": "OWN", "size": size}} for size in sizes
    ]
    tasks += [
        {"name": "text", "vpnops.keys.ios_rsa_key": {"label": "OWN", "size": "2048 exportable"}},
        {
            "name": "replace",
            "vpnops.keys.ios_rsa_key": {"label": "OTHER", "size": 4097, "regenerate": "always", "exportable": True},
        },
        {
            "name": "sync",
            "vpnops.keys.ios_rsa_key_sync": {"hosts": ["ks1", "ks2"], "label": "NEW", "size": 5000},
            "run_once": True,
        },
    ]
    with unchanged(fleet):
        run = control_node(fleet).run([{**task, "ignore_errors": True} for task in tasks])
    for size in sizes:
        assert str(size) in sentence(run, f"size {size}")
    assert f"the device makes keys of {low} to 4096 bits, not 4097" in sentence(run, "replace")
    assert "not 5000" in sentence(run, "sync")
    assert run.status("text") == "ignored"
    assert {line.split(" label ")[0] for device in fleet for line in writes(device)} <= {
        "crypto key generate rsa general-keys"
    }


def pems() -> dict[str, tuple[str, str | None, str]]:
    """name: (text, passphrase, what the sentence says)"""
    good = encrypted_pem(key(2))
    private = private_pem(key(2), "3des", PASSPHRASE)[0]
    lines = good.splitlines(keepends=True)
    curve = ec.generate_private_key(ec.SECP256R1())
    elliptic = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode()))
    plain = encrypted_pem(key(2)).split("-----BEGIN RSA", maxsplit=1)[0] + _plain(key(2).pkcs1)
    damaged = good[:-400] + ("A" if good[-400] != "A" else "B") + good[-399:]
    return {
        "nothing": ("", PASSPHRASE, "PEM"),
        "a story": ("Once upon a time\n", PASSPHRASE, "has no BEGIN RSA PRIVATE KEY line"),
        "truncated": ("".join(lines[:-3]), PASSPHRASE, ""),
        "truncated in a line": (good[: len(good) // 2], PASSPHRASE, ""),
        "without its head": (private.replace("DEK-Info", "DEK"), PASSPHRASE, "damaged head"),
        "without lines": ("".join(lines[:14] + lines[18:]), PASSPHRASE, "damaged"),
        "one letter": (damaged, PASSPHRASE, "the passphrase is wrong or the file is damaged"),
        "unencrypted": (plain, PASSPHRASE, "is not encrypted"),
        "unencrypted, no passphrase": (plain, None, "passphrase is missing"),
        "no passphrase": (good, None, "A private key is taken only encrypted: passphrase is missing."),
        "wrong passphrase": (good, "wrong-passphrase", "the passphrase is wrong or the file is damaged"),
        "another public key": (public_pem(key(3)) + private, PASSPHRASE, "belongs to another private key"),
        "only the public key": (public_pem(key(2)), PASSPHRASE, ""),
        "two private keys": (good + private, PASSPHRASE, "The PEM holds 2 private keys; exactly one is needed."),
        "elliptic": (elliptic.decode(), PASSPHRASE, "not RSA"),
        "10 MB": (good + "A" * 10_000_000, PASSPHRASE, "longer than 64 kB, too long for an RSA key."),
        "unknown cipher": (private.replace("DES-EDE3-CBC", "ROT13"), PASSPHRASE, ""),
    }


def _plain(der: bytes) -> str:
    body = base64.encodebytes(der).decode().replace("\n", "")
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----\n"


@pytest.mark.parametrize("source", ["content", "path"])
def test_pems(source: str, start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    fleet = start_fleet(spec("ks1", "xe17", KeySpec(LABEL, 1)))
    tasks: list[Data] = []
    for name, (text, passphrase, dummy) in pems().items():
        if source == "path":
            (tmp_path / f"{name}.pem").write_text(text)
        elif len(text) > 100_000:
            continue  # the command line of no playbook has that; the file has
        given = {"path": f"{name}.pem"} if source == "path" else {"content": text}
        options = {"label": LABEL, "overwrite": True, **given, **({"passphrase": passphrase} if passphrase else {})}
        tasks.append({"name": name, "vpnops.keys.ios_rsa_key_import": options, "ignore_errors": True})
    with unchanged(fleet):
        run = control_node(fleet).run(tasks)
    for task in tasks:
        message = sentence(run, task["name"])
        assert pems()[task["name"]][2] in message, f"{task['name']}: {message}"
        assert "Nothing was changed." in message
        assert run.error(task["name"])[0] == "bad_input"
    assert only_looked(fleet)


def test_files_that_are_no_text(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    fleet = start_fleet(spec("ks1", "xe17", KeySpec(LABEL, 1)))
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "empty").write_bytes(b"")
    names = ("binary", "empty", ".", "/dev/zero")
    tasks: list[Data] = [
        {
            "name": f"file {name}",
            "vpnops.keys.ios_rsa_key_import": {
                "label": LABEL,
                "path": name,
                "passphrase": PASSPHRASE,
                "overwrite": True,
            },
            "ignore_errors": True,
        }
        for name in names
    ]
    with unchanged(fleet):
        run = control_node(fleet).run(tasks)
    for name in names:
        assert "Nothing was changed." in sentence(run, f"file {name}")


def test_line_ends_and_order_do_not_matter(start_fleet: StartFleet, control_node: MakeNode) -> None:
    good = encrypted_pem(key(2))
    private = private_pem(key(2), "3des", PASSPHRASE)[0]
    ways = {
        "lf": good,
        "crlf": good.replace("\n", "\r\n"),
        "no-end": good.rstrip("\n"),
        "private-first": private + public_pem(key(2)),
        "private-only": private,
        "spaces": good.replace("\n", "  \n", 3),
        "around": f"% Key name: X\n\n{good}\n\nquit\n",
        "des": encrypted_pem(key(2), cipher="des"),
        "aes-of-xe": encrypted_pem(key(2), cipher="aes"),
    }
    fleet = start_fleet(*(spec(name, NAMES[number % 3], KeySpec("OTHER", 7)) for number, name in enumerate(ways)))
    node = control_node(fleet)
    for name, text in ways.items():
        node.hosts[name]["pem"] = text
    task = {"label": LABEL, "content": "{{ pem }}", "passphrase": PASSPHRASE}
    run = node.run([{"name": "in", "vpnops.keys.ios_rsa_key_import": task}])
    for name in ways:
        assert run.changed("in", name)
        assert held(fleet[name])[LABEL] == (key(2).fingerprint, False, True)
