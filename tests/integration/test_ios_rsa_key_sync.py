# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from integration.control_node import ControlNode, Data
from integration.devices import LABEL, NAMES, PASSPHRASE, after_reload, group_of, held, key, unchanged, writes

from lab import DeviceSpec, Fleet, KeySpec

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]
ALL = "{{ groups.key_servers }}"
K1, K2, K3 = (KeySpec(LABEL, number) for number in (1, 2, 3))


def task(name: str = "sync", **options: Any) -> Data:
    return {"name": name, "vpnops.keys.ios_rsa_key_sync": {"hosts": ALL, **options}, "run_once": True}


def predicted(**options: Any) -> list[Data]:
    """The task in check mode, for real, and once more."""
    return [{**task("check", **options), "check_mode": True}, task("sync", **options), task("again", **options)]


def four(*keys: KeySpec | None) -> list[DeviceSpec]:
    releases = ("ios15", "xe17", "xe16", "xe17")
    return group_of(*((f"ks{i + 1}", releases[i], (one,) if one else ()) for i, one in enumerate(keys)))


ROWS: dict[str, tuple[tuple[KeySpec | None, ...], int | None]] = {
    "absent": ((None, None, None, None), None),
    "missing": ((None, K2, None, K2), 2),
    "conflict": ((K1, K2, None, K3), 1),
    "not exportable": ((KeySpec(LABEL, 1, exportable=False), K2, None, None), None),
    "weak": ((KeySpec(LABEL, 0, bits=1024), None, K2, None), None),
    "perhaps not saved": ((KeySpec(LABEL, 1, saved=False), None, K1, K1), 1),
}


@pytest.mark.parametrize("row", ROWS)
def test_every_row(row: str, start_fleet: StartFleet, control_node: MakeNode) -> None:
    keys, expected = ROWS[row]
    fleet = start_fleet(*four(*keys))
    run = control_node(fleet).run(predicted(overwrite=True), "--diff")
    assert run.code == 0, run.output
    assert run.changed("sync")
    assert run.changed("check")
    assert not run.changed("again")
    assert run.result("sync")["diff"] == run.result("check")["diff"]
    for before, after in zip(run.result("check")["units"], run.result("sync")["units"], strict=True):
        assert before["steps"] == after["steps"]
        assert before["digest"] == after["digest"]
    assert run.result("again")["diff"] == []
    assert run.result("again")["units"][0]["in_sync"]
    common = {held(device)[LABEL][0] for device in fleet}
    assert len(common) == 1
    if expected is not None:
        assert common == {key(expected).fingerprint}
    for device in fleet:
        assert held(device)[LABEL][1:] == (True, True)
        assert list(held(device)) == [LABEL]
        assert after_reload(device) == {LABEL: held(device)[LABEL][0]}
        done = run.result("sync")["units"][0]["done"].get(device.name, [])
        assert bool(done) is bool(writes(device)), device.name
    (diff,) = run.result("sync")["diff"]
    assert diff["before_header"] == LABEL
    assert diff["before"] != diff["after"]
    shown = "(new)" if expected is None else key(expected).fingerprint
    assert diff["after"] == "".join(f"ks{number}: {shown}\n" for number in range(1, 5))


SAVING = ("on_save", "at_boot", "never")


@pytest.mark.parametrize("row", ["missing", "conflict"])
def test_a_second_sync_changes_nothing_however_devices_show_saving(
    row: str, start_fleet: StartFleet, control_node: MakeNode
) -> None:
    """Each mode, and that of a C9800: an old key is private-config, the new one stays `not specified`."""
    keys, expected = ROWS[row]
    old = KeySpec("OLD", 7)
    specs = [
        dataclasses.replace(one, keys=(*one.keys, old), overrides={"show_saved": mode})
        for one, mode in zip(four(*keys), ("at_boot", *SAVING), strict=True)
    ]
    fleet = start_fleet(*specs)
    run = control_node(fleet).run([task(overwrite=True), task("again", overwrite=True)])
    assert run.code == 0, run.output
    assert run.changed("sync")
    assert not run.changed("again")
    assert run.result("again")["units"][0]["steps"] == []
    for device in fleet:
        assert device.keys[LABEL].fingerprint == key(expected or 0).fingerprint
        assert after_reload(device) == {"OLD": key(7).fingerprint, LABEL: device.keys[LABEL].fingerprint}
    assert not any("not saved" in text for text in run.result("again")["units"][0]["findings"])


def test_without_consent_only_what_takes_no_key(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*four(K1, K2, None, K1))
    with unchanged(fleet):
        run = control_node(fleet).run(predicted())
    assert run.code == 0, run.output
    assert not run.changed("sync")
    assert run.result("sync")["units"][0]["needs_consent"] is True
    assert "With overwrite, the key of ks1" in run.result("sync")["units"][0]["blocked"]


def test_an_unreachable_key_server_holds_back_its_group_alone(start_fleet: StartFleet, control_node: MakeNode) -> None:
    other = [("x1", "ios15", (KeySpec("OTHER", 4),)), ("x2", "xe17", ())]
    fleet = start_fleet(*four(K1, None, K2, K1), *group_of(*other, name="OTHER", identity=2, label="OTHER"))
    fleet["ks4"].set_fault(closed=True)
    group = [fleet[f"ks{number}"] for number in range(1, 5)]
    with unchanged(group):
        run = control_node(fleet).run([task(overwrite=True)])
    assert run.changed("sync")
    units = {unit["label"]: unit for unit in run.result("sync")["units"]}
    assert units[LABEL]["verdict"] == "unknown"
    assert "ks4: " in units[LABEL]["blocked"]
    assert units["OTHER"]["error"] is None
    assert held(fleet["x2"]) == {"OTHER": (key(4).fingerprint, True, True)}
    assert not any(writes(device) for device in group)


def test_only_what_was_approved(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*four(K1, K2, None, K1))
    node = control_node(fleet)
    digest = node.run([{**task("check"), "check_mode": True}]).result("check")["units"][0]["digest"]
    with unchanged(fleet):
        refused = node.run([task(overwrite=True, approved=["0" * 64])])
    assert "the keys of its key servers have changed since the plan was approved." in refused.error("sync")[1]
    assert node.run([task(overwrite=True, approved=[digest])]).changed("sync")
    assert {held(device)[LABEL][0] for device in fleet} == {key(1).fingerprint}


def test_nobody_is_changed_outside_of_the_allowed(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*four(K1, K2, None, K1))
    node = control_node(fleet)
    with unchanged(fleet):
        run = node.run([task(overwrite=True, allowed_hosts=["ks2"])])
    assert "the plan also changes ks3, which this run is not allowed to touch." in run.error("sync")[1]
    assert node.run([task(overwrite=True, allowed_hosts=["ks2", "ks3"])]).changed("sync")


def test_the_old_keys_are_kept_on_request(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    fleet = start_fleet(*four(K1, K2, KeySpec(LABEL, 3, exportable=False), None))
    (tmp_path / "old").mkdir()
    options = {"overwrite": True, "backup_directory": str(tmp_path / "old"), "backup_passphrase": PASSPHRASE}
    run = control_node(fleet).run(predicted(**options))
    assert run.code == 0, run.output
    (file,) = (tmp_path / "old").iterdir()
    assert file.name == f"ks2-{LABEL}-{key(2).fingerprint[:12]}.pem"
    assert file.stat().st_mode & 0o777 == 0o600
    private = load_pem_private_key(
        file.read_text().split("-----END PUBLIC KEY-----\n")[1].encode(), PASSPHRASE.encode()
    )
    assert isinstance(private, RSAPrivateKey)
    assert private.private_numbers().public_numbers.n == key(2).n
    assert run.result("sync")["units"][0]["done"]["ks2"][0] == "backed up"


def test_backups_that_cannot_be(start_fleet: StartFleet, control_node: MakeNode, tmp_path: Path) -> None:
    fleet = start_fleet(*four(K1, K2, None, K1))
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "nowhere": (
            {"backup_directory": str(tmp_path / "no"), "backup_passphrase": PASSPHRASE},
            "is not a directory. Nothing was done; create it, or set another one.",
        ),
        "short": (
            {"backup_directory": str(tmp_path), "backup_passphrase": "short"},
            "The passphrase must have at least 8 characters. Nothing was done.",
        ),
        "alone": ({"backup_directory": str(tmp_path)}, "backup_passphrase"),
    }
    tasks = [
        {**task(name, overwrite=True, **options), "ignore_errors": True} for name, (options, dummy) in cases.items()
    ]
    with unchanged(fleet):
        run = control_node(fleet).run(tasks)
    for name, (dummy, sentence) in cases.items():
        assert sentence in run.error(name)[1], name
    assert not any(device.sessions for device in fleet)


FAILURES: dict[str, dict[str, Any]] = {
    "import fails": {"import_fails": True},
    "dropped in the paste": {"cut": {"at": "Proc-Type", "unit": "line"}},
    "no room": {"nvram_full": True},
    "login refused": {"refuse_login": True},
    "hangs": {"cut": {"at": "^configure", "do": "hang"}},
}


@pytest.mark.parametrize("failure", FAILURES)
def test_one_that_fails_keeps_every_old_key(failure: str, start_fleet: StartFleet, control_node: MakeNode) -> None:
    """All get the new key under the scratch label before the first old one goes, so none of them goes."""
    fleet = start_fleet(*four(K1, K2, K3, K2))
    node = control_node(fleet)
    node.shared["ansible_command_timeout"] = 2
    fleet["ks3"].set_fault(**FAILURES[failure])
    before = {device.name: held(device)[LABEL] for device in fleet}
    run = node.run([task(overwrite=True)])
    assert {device.name: held(device)[LABEL] for device in fleet} == before
    if failure == "login refused":
        assert run.result("sync")["units"][0]["verdict"] == "unknown"
    else:
        assert "ks3: " in run.error("sync")[1]
    # Nor does a reload bring back what was taken back.
    for name in ("ks2", "ks4"):
        assert after_reload(fleet[name]).keys() == {LABEL}
    for device in fleet:
        device.clear_faults()
    again = node.run(predicted(overwrite=True))
    assert again.changed("sync"), again.output
    assert not again.changed("again"), again.output
    for device in fleet:
        assert held(device) == {LABEL: (key(1).fingerprint, True, True)}
        assert after_reload(device) == {LABEL: key(1).fingerprint}


def test_imported_keys_can_be_kept_in(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*four(None, None, None, None))
    run = control_node(fleet).run(predicted(exportable=False, save=False))
    assert run.changed("sync"), run.output
    assert not run.changed("again"), run.output
    assert {device.name: held(device)[LABEL][1:] for device in fleet} == {
        "ks1": (True, False),
        "ks2": (False, False),
        "ks3": (False, False),
        "ks4": (False, False),
    }
    assert not any(device.saves for device in fleet)


@pytest.mark.parametrize("release", NAMES)
def test_nothing_to_do_takes_one_session_and_no_write(
    release: str, start_fleet: StartFleet, control_node: MakeNode
) -> None:
    fleet = start_fleet(*group_of(*((f"ks{number}", release, (K1,)) for number in range(3))))
    run = control_node(fleet).run([task(overwrite=True)])
    assert run.code == 0
    assert not run.changed("sync")
    assert [device.sessions for device in fleet] == [1, 1, 1]
    assert not any(writes(device) for device in fleet)
