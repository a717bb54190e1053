# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from integration.control_node import ControlNode, Data
from integration.devices import LABEL, NAMES, PASSPHRASE, encrypted_pem, key, one_time_passphrases, spec, unchanged

from lab import Fleet, KeySpec
from lab.keys import RsaKey
from lab.pem import public_pem

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]


def task(name: str, **options: Any) -> Data:
    return {"name": name, "vpnops.keys.ios_rsa_key_export": {"label": LABEL, **options}}


def opened(text: str, passphrase: str = PASSPHRASE) -> int:
    """The modulus of the private key in a text."""
    private = text[text.index("-----END PUBLIC KEY-----") + 25 :]
    found = load_pem_private_key(private.encode(), passphrase.encode())
    assert isinstance(found, RSAPrivateKey)
    return found.private_numbers().public_numbers.n


def test_to_a_file_to_a_variable_or_only_proved(
    start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path
) -> None:
    fleet = start_fleet(*(spec(name, name, KeySpec(LABEL, number)) for number, name in enumerate(NAMES)))
    file = {"path": str(tmp_path / "{{ inventory_hostname }}.pem"), "passphrase": PASSPHRASE}
    ios_file = {**file, "path": str(tmp_path / "{{ inventory_hostname }}-ios.pem"), "format": "ios"}
    tasks = [
        task("proof"),
        {**task("file: check", **file), "check_mode": True},
        task("file", **file),
        task("file: again", **file),
        task("ios", **ios_file),
        task("ios: again", **ios_file),
        task("content", passphrase=PASSPHRASE, return_content=True),
        task("ios content", passphrase=PASSPHRASE, return_content=True, format="ios"),
    ]
    with unchanged(fleet):
        run = control_node(fleet).run(tasks, "--diff")
    assert run.code == 0, run.output
    for number, name in enumerate(NAMES):
        expected: RsaKey = key(number)
        for what in ("proof", "file: check", "file", "file: again", "ios", "content"):
            result = run.result(what, name)
            assert (result["label"], result["fingerprint"]) == (LABEL, expected.fingerprint)
            assert result["public_key"] == public_pem(expected)
            assert result["changed"] is (what in ("file: check", "file", "ios")), what
            assert ("content" in result) is (what == "content")
            assert ("diff" in result) is (what not in ("proof", "content"))
        path = tmp_path / f"{name}.pem"
        assert run.result("file: check", name)["diff"] == run.result("file", name)["diff"]
        assert run.result("file", name)["diff"] == {
            "before_header": str(path),
            "after_header": str(path),
            "before": "",
            "after": f"{expected.fingerprint}\n",
        }
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "BEGIN ENCRYPTED PRIVATE KEY" in path.read_text()
        assert opened(path.read_text()) == expected.n
        assert opened((tmp_path / f"{name}-ios.pem").read_text()) == expected.n
        assert "DEK-Info: DES-EDE3-CBC," in (tmp_path / f"{name}-ios.pem").read_text()
        assert opened(run.result("content", name)["content"]) == expected.n
        assert opened(run.result("ios content", name)["content"]) == expected.n
        assert len(one_time_passphrases([fleet[name]])) == 8, "each export has a passphrase of its own"


def test_check_mode_writes_no_file(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    fleet = start_fleet(spec("ks1", "xe17", KeySpec(LABEL)))
    path = tmp_path / "key.pem"
    run = control_node(fleet).run([task("file", path=str(path), passphrase=PASSPHRASE)], "--check")
    assert run.changed("file")
    assert not path.exists()


def test_another_key_in_the_file(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    fleet = start_fleet(spec("ks1", "xe16", KeySpec(LABEL, 1)))
    path = tmp_path / "key.pem"
    path.write_text(encrypted_pem(key(2)))
    run = control_node(fleet).run([task("file", path=str(path), passphrase=PASSPHRASE)], "--diff")
    assert run.changed("file")
    assert run.result("file")["diff"]["before"] == f"{key(2).fingerprint}\n"
    assert opened(path.read_text()) == key(1).n


ERRORS: dict[str, tuple[dict[str, Any], list[KeySpec], str, str]] = {
    "none": ({}, [], "not_found", "there is no RSA key REKEY. Nothing was changed."),
    "kept": (
        {},
        [KeySpec(LABEL, exportable=False)],
        "not_exportable",
        "key REKEY is not exportable, and IOS cannot",
    ),
    "pair": (
        {},
        [KeySpec(LABEL, usage="usage")],
        "bad_input",
        "REKEY is a pair of usage keys; only general-purpose keys can be",
    ),
    "fails": ({"faults": {"export_fails": True}}, [KeySpec(LABEL)], "export_failed", "export of REKEY failed"),
    "says": (
        {"faults": {"export_fails": "% RSA keypair REKEY is not exportable.\n"}},
        [KeySpec(LABEL)],
        "not_exportable",
        "changed",
    ),
    "drops": (
        {"faults": {"cut": {"at": "key export", "when": "during", "bytes": 900}}},
        [KeySpec(LABEL)],
        "session_lost",
        "the device closed the session unexpectedly",
    ),
}


@pytest.mark.parametrize("release", NAMES)
def test_errors(release: str, start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    fleet = start_fleet(*(spec(name, release, *keys, **how) for name, (how, keys, *dummy) in ERRORS.items()))
    with unchanged(fleet):
        run = control_node(fleet).run(
            [task("out", path=str(tmp_path / "{{ inventory_hostname }}.pem"), passphrase=PASSPHRASE)]
        )
    for name, (*dummy, code, sentence) in ERRORS.items():
        assert run.error("out", name)[0] == code, name
        assert run.error("out", name)[1].startswith(f"{name}: ")
        assert sentence in run.error("out", name)[1]
        assert "\n" not in run.error("out", name)[1]
    assert not list(tmp_path.glob("*.pem"))


def test_files_that_cannot_be(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    fleet = start_fleet(spec("ks1", "xe17", KeySpec(LABEL)))
    text, other = tmp_path / "notes.txt", tmp_path / "other.pem"
    text.write_text("somebody's notes\n")
    other.write_text(encrypted_pem(key(3), "another passphrase"))
    before = other.read_text()
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "no directory": ({"path": str(tmp_path / "no" / "key.pem")}, "cannot be written: No such file or directory."),
        "a directory": ({"path": str(tmp_path)}, ""),
        "something else": ({"path": str(text)}, f"{text} exists and has no key that this passphrase opens."),
        "other passphrase": ({"path": str(other)}, "It was not changed; choose another path."),
        "short": ({"path": "x.pem", "passphrase": "short"}, "The passphrase must have at least 8 characters."),
        "no passphrase": ({"path": "x.pem", "passphrase": None}, "missing parameter(s) required by 'path': passphrase"),
        "content": (
            {"passphrase": None, "return_content": True},
            "return_content is True but all of the following are",
        ),
    }
    tasks = []
    for name, (options, dummy) in cases.items():
        given = {"passphrase": PASSPHRASE} | options
        given = {option: value for option, value in given.items() if value is not None}
        tasks.append({**task(name, **given), "ignore_errors": True})
    with unchanged(fleet):
        run = control_node(fleet).run(tasks)
    for name, (_given, sentence) in cases.items():
        assert run.status(name) == "ignored", name
        assert sentence in run.error(name)[1]
    assert text.read_text() == "somebody's notes\n"
    assert other.read_text() == before
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".vpnops-") or name == "x.pem"]
