# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.control_node import ControlNode, Data
from integration.devices import (
    LABEL,
    NAMES,
    PASSPHRASE,
    after_reload,
    encrypted_pem,
    held,
    key,
    one_time_passphrases,
    spec,
    unchanged,
    writes,
)

from lab import Fleet, KeySpec

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]
OLD, NEW = KeySpec(LABEL, 1), key(2)


def task(name: str, **options: Any) -> Data:
    return {"name": name, "vpnops.keys.ios_rsa_key_import": {"label": LABEL, **options}}


def predicted(name: str, **options: Any) -> list[Data]:
    """The task in check mode, for real, and once more."""
    return [
        {**task(f"{name}: check", **options), "check_mode": True},
        task(name, **options),
        task(f"{name}: again", **options),
    ]


def given(number: int = 2, cipher: str = "3des", **options: Any) -> dict[str, Any]:
    return {"content": encrypted_pem(key(number), cipher=cipher), "passphrase": PASSPHRASE, **options}


def test_from_text_file_and_host(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    """On each release, from each release; the key of the file replaces that of the text, that of the host both."""
    (tmp_path / "key.pem").write_text(encrypted_pem(key(3)).replace("\n", "\r\n"))
    fleet = start_fleet(*(spec(name, name, KeySpec("MINE", 10 + i)) for i, name in enumerate(NAMES)))
    others = dict(zip(NAMES, (*NAMES[1:], NAMES[0]), strict=True))
    node = control_node(fleet)
    for name, other in others.items():
        node.hosts[name]["other"] = other
    from_host = {"from_host": "{{ other }}", "from_label": "MINE", "overwrite": True, "exportable": True}
    tasks = [
        *predicted("text", **given()),
        {**task("refused", path="key.pem", passphrase=PASSPHRASE), "ignore_errors": True},
        *predicted("file", path="key.pem", passphrase=PASSPHRASE, overwrite=True, exportable=True),
        *predicted("host", **from_host),
    ]
    run = node.run(tasks, "--diff")
    assert run.code == 0, run.output
    for number, name in enumerate(NAMES):
        theirs = key(10 + (number + 1) % len(NAMES))
        expected = {"text": (key(2), False), "file": (key(3), True), "host": (theirs, True)}
        before = ""
        for what, (one, exportable) in expected.items():
            assert run.changed(what, name)
            assert run.changed(f"{what}: check", name)
            assert not run.changed(f"{what}: again", name)
            assert run.result(what, name)["fingerprint"] == one.fingerprint
            assert run.result(what, name)["diff"] == run.result(f"{what}: check", name)["diff"]
            assert run.result(what, name)["diff"]["before"] == before
            before = run.result(what, name)["diff"]["after"]
            assert before.splitlines() == [
                f"fingerprint: {one.fingerprint}",
                "size: 2048",
                "usage: general",
                f"exportable: {exportable}".lower(),
                "saved: true",
            ]
            again = run.result(f"{what}: again", name)
            assert again["diff"]["before"] == again["diff"]["after"] == before
            for result in (run.result(what, name), again):
                assert (result["key"]["fingerprint"], result["key"]["exportable"]) == (one.fingerprint, exportable)
                assert result["key"]["saved"] is True
        code, message = run.error("refused", name)
        assert code == "conflict"
        assert message == (
            f"{name}: under REKEY is another key ({key(2).fingerprint[:12]}), not {key(3).fingerprint[:12]}. "
            "Nothing was changed; overwrite: true would replace it."
        )
        mine = (key(10 + number).fingerprint, True, True)
        assert held(fleet[name]) == {"MINE": mine, LABEL: (theirs.fingerprint, True, True)}
        assert set(after_reload(fleet[name])) == {"MINE", LABEL}
    for line in (line for device in fleet for line in device.commands()):
        assert PASSPHRASE not in line


def test_nothing_is_exported_that_need_not_be(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(spec("ks1", "xe17", OLD), spec("ks2", "ios15", OLD), spec("ks3"))
    run = control_node(fleet).run([task("in", from_host="ks1")], "--check", "--limit", "ks2,ks3")
    assert not run.changed("in", "ks2")
    assert run.changed("in", "ks3")
    assert not one_time_passphrases(fleet)
    assert [device.sessions for device in fleet] == [2, 1, 1]
    assert not any(writes(device) for device in fleet)


@pytest.mark.parametrize("release", NAMES)
def test_the_order_of_a_replacement(
    release: str, start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path
) -> None:
    fleet = start_fleet(spec("ks1", release, OLD))
    backup = {"backup_path": str(tmp_path / "old.pem"), "backup_passphrase": PASSPHRASE}
    run = control_node(fleet).run([task("in", **given(), overwrite=True, **backup)])
    assert run.changed("in"), run.output
    sent = [line.split(" exportable")[0].split(" pem")[0] for line in writes(fleet["ks1"])]
    assert [line for line in sent if not line.startswith("crypto key export")] == [
        "crypto key import rsa REKEY.vpnops-new",
        "write memory",
        "crypto key zeroize rsa REKEY",
        "crypto key import rsa REKEY",
        "write memory",
        "crypto key zeroize rsa REKEY.vpnops-new",
        "write memory",
    ]
    assert fleet["ks1"].sessions == 1
    put_back = control_node(fleet).run(
        [task("in", path=str(tmp_path / "old.pem"), passphrase=PASSPHRASE, overwrite=True)]
    )
    assert put_back.changed("in")
    assert held(fleet["ks1"]) == {LABEL: (key(1).fingerprint, False, True)}
    assert (tmp_path / "old.pem").stat().st_mode & 0o777 == 0o600


def test_an_equal_key_of_somebody_else_may_be_saved_or_not(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*(spec(name, name, KeySpec(LABEL, 2, saved=False, exportable=False)) for name in NAMES))
    run = control_node(fleet).run(predicted("left", **given()))
    assert run.code == 0, run.output
    for name in NAMES:
        assert not run.changed("left", name)
        assert run.result("left", name)["key"]["saved"] is None
        assert writes(fleet[name]) == []


def test_a_key_that_this_control_node_did_not_save(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*(spec(name, name, overrides={"show_saved": "at_boot"}) for name in NAMES))
    run = control_node(fleet).run([task("in", **given(save=False)), *predicted("saved", **given())])
    assert run.code == 0, run.output
    for name in NAMES:
        assert run.changed("in", name)
        assert run.result("in", name)["key"]["saved"] is False
        assert run.changed("saved", name)
        assert not run.changed("saved: again", name)
        assert run.result("saved", name)["diff"] == run.result("saved: check", name)["diff"]
        assert run.result("saved", name)["key"]["saved"] is True
        assert held(fleet[name]) == {LABEL: (NEW.fingerprint, False, True)}
        assert writes(fleet[name])[1:] == ["write memory"]


def test_not_saved_if_not_wanted(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(spec("empty", "ios15"), spec("other", "xe17", OLD))
    run = control_node(fleet).run(predicted("in", **given(save=False, overwrite=True)))
    assert run.code == 0, run.output
    for device in fleet:
        assert held(device) == {LABEL: (NEW.fingerprint, False, False)}
        assert device.saves == 0
        assert run.result("in", device.name)["diff"] == run.result("in: check", device.name)["diff"]
        assert not run.changed("in: again", device.name)


ERRORS: dict[str, tuple[dict[str, Any], str, str]] = {
    "fails": ({"faults": {"import_fails": True}}, "import_failed", "import of REKEY failed"),
    "odd": (
        {"faults": {"import_fails": "% Whatever this means\n"}},
        "import_failed",
        "There is no key REKEY on it now.",
    ),
    "full": ({"faults": {"import_fails": "% Not enough space\n"}}, "import_failed", "There is no key REKEY on it now."),
    "drops": (
        {"faults": {"cut": {"at": "BEGIN RSA", "unit": "line"}}},
        "session_lost",
        "closed the session unexpectedly",
    ),
    "low": ({"login_privilege": 1, "enable": None}, "auth_failed", "enable password"),
    "closed": ({"faults": {"closed": True}}, "unreachable", "refuses the connection"),
}


@pytest.mark.parametrize("release", NAMES)
def test_errors_leave_an_empty_label_empty(release: str, start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*(spec(name, release, KeySpec("OTHER", 8), **how) for name, (how, *dummy) in ERRORS.items()))
    node = control_node(fleet)
    with unchanged(fleet):
        run = node.run([task("in", **given())])
    for name, (dummy, code, sentence) in ERRORS.items():
        if name == "low":
            assert run.error("in", name)[0] in ("auth_failed", "no_privilege")
            continue
        assert run.error("in", name)[0] == code, name
        assert run.error("in", name)[1].startswith(f"{name}: ")
        assert sentence in run.error("in", name)[1]
        assert "\n" not in run.error("in", name)[1]


REFUSALS: dict[str, dict[str, Any]] = {
    "plain": {},
    "at-line": {"import_bad_private": "at_line"},
    "at-once": {"import_bad_public": "at_once"},
    "no-echo": {"pem_echo": False},
}


@pytest.mark.parametrize("release", NAMES)
def test_a_failing_replacement_keeps_the_old_key(release: str, start_fleet: StartFleet, control_node: MakeNode) -> None:
    """No scratch key is left behind either, as the device never took one."""
    fails = {"import_fails": True}
    fleet = start_fleet(*(spec(name, release, OLD, overrides=how, faults=fails) for name, how in REFUSALS.items()))
    with unchanged(fleet):
        run = control_node(fleet).run([task("in", **given(), overwrite=True)])
    for name in REFUSALS:
        assert run.error("in", name)[0] == "import_failed"
        assert "import of REKEY.vpnops-new failed" in run.error("in", name)[1]


def test_sources_that_cannot_give(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(
        spec("target", "xe16", OLD),
        spec("kept", "ios15", KeySpec(LABEL, 2, exportable=False)),
        spec("pair", "ios15", KeySpec(LABEL, 2, usage="usage")),
        spec("weak", "ios15", KeySpec(LABEL, 0, bits=1024)),
        spec("none", "xe17"),
        spec("closed", faults={"closed": True}),
        spec("fails", "xe17", KeySpec(LABEL, 2), faults={"export_fails": True}),
    )
    cases = {
        "kept": ("not_exportable", "kept: key REKEY is not exportable"),
        "pair": ("bad_input", "pair: REKEY is a pair of usage keys"),
        "weak": ("bad_input", "the key has 1024 bits, fewer than minimum_size (2048). Nothing was changed."),
        "none": ("not_found", "none: there is no RSA key REKEY. Nothing was changed."),
        "fails": ("export_failed", "fails: export of REKEY failed"),
        "nobody": ("bad_input", "There is no host nobody in the inventory. Nothing was done."),
        "closed": ("unreachable", "closed: 127.0.0.1 port"),  # the last one: it ends the play for the target
    }
    tasks = [{**task(name, from_host=name, overwrite=True), "ignore_errors": True} for name in cases]
    with unchanged(fleet):
        run = control_node(fleet).run(tasks, "--limit", "target")
    for name, (code, sentence) in cases.items():
        assert run.error(name)[0] == code, name
        assert sentence in run.error(name)[1]


def test_backups_and_options_that_cannot_be(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    fleet = start_fleet(
        spec("ks1", "xe17", KeySpec(LABEL, 1)), spec("ks2", "xe17", KeySpec(LABEL, 1, exportable=False))
    )
    backup: dict[str, Any] = {
        "overwrite": True,
        "backup_passphrase": PASSPHRASE,
        "backup_path": str(tmp_path / "old.pem"),
    }
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "kept": (given(**backup), "the old key REKEY is not exportable, so no backup of it can be made."),
        "short": (given(**{**backup, "backup_passphrase": "short"}), "The passphrase must have at least 8 characters."),
        "two": (given(path="x"), "mutually exclusive"),
        "nothing": ({}, "one of the following is required: from_host, content, path"),
        "label": (given(from_label="X"), "from_label"),
        "alone": (given(backup_path="x"), "backup_passphrase"),
        "no file": (
            {"path": "none.pem", "passphrase": PASSPHRASE},
            "none.pem cannot be read: No such file or directory.",
        ),
    }
    tasks = [{**task(name, **options), "ignore_errors": True} for name, (options, dummy) in cases.items()]
    with unchanged(fleet):
        run = control_node(fleet).run(tasks, "--limit", "ks2")
        nowhere = given(**{**backup, "backup_path": str(tmp_path / "no" / "old.pem")})
        unwritable = control_node(fleet).run([task("in", **nowhere)], "--limit", "ks1")
    for name, (dummy, sentence) in cases.items():
        assert sentence in run.error(name)[1], name
    assert "cannot be written: No such file or directory." in unwritable.error("in")[1]
    assert not (tmp_path / "old.pem").exists()
