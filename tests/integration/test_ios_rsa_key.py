# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from integration.control_node import ControlNode, Data
from integration.devices import NAMES, after_reload, held, key, spec, unchanged, writes

from lab import Fleet, KeySpec

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]
SECOND_KEY = KeySpec("OTHER", 9)


def task(name: str, **options: Any) -> Data:
    return {"name": name, "vpnops.keys.ios_rsa_key": {"label": "OWN", **options}}


def predicted(name: str, **options: Any) -> list[Data]:
    """The task in check mode, for real, and once more."""
    return [
        {**task(f"{name}: check", **options), "check_mode": True},
        task(name, **options),
        task(f"{name}: again", **options),
    ]


def test_made_kept_replaced_and_removed(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*(spec(name, name, SECOND_KEY) for name in NAMES))
    tasks = [
        *predicted("make", size=3072, exportable=True),
        task("accept", regenerate="never"),
        {**task("refuse", exportable=True), "ignore_errors": True},
        *predicted("adapt", size=4096, exportable=False, regenerate="partial_idempotence"),
        {**task("always: check", size=4096, regenerate="always"), "check_mode": True},
        task("always", size=4096, regenerate="always"),
        *predicted("remove", state="absent"),
        *predicted("sign", usage="signature"),
    ]
    run = control_node(fleet).run(tasks, "--diff")
    assert run.code == 0, run.output
    for name in NAMES:
        for what in ("make", "adapt", "always", "remove", "sign"):
            assert run.changed(what, name)
            assert run.changed(f"{what}: check", name)
            assert run.result(what, name)["diff"] == run.result(f"{what}: check", name)["diff"]
            if what != "always":
                again = run.result(f"{what}: again", name)
                assert not again["changed"]
                assert again["diff"]["before"] == again["diff"]["after"]
        made, adapted, always = (run.result(what, name)["key"] for what in ("make", "adapt", "always"))
        assert (made["size"], made["exportable"], made["usage"], made["saved"]) == (3072, True, "general", True)
        assert (adapted["size"], adapted["exportable"]) == (4096, False)
        assert len({made["fingerprint"], adapted["fingerprint"], always["fingerprint"]}) == 3
        assert run.result("accept", name)["key"] == made
        code, message = run.error("refuse", name)
        assert code == "conflict"
        assert message.startswith(
            f"{name}: key OWN differs from the options: size is 3072, not 2048. Nothing was changed; set regenerate: "
            "partial_idempotence to replace it, or never to keep it"
        )
        assert run.result("make", name)["diff"]["before"] == ""
        assert run.result("make", name)["diff"]["after"].splitlines() == [
            "fingerprint: (new)",
            "size: 3072",
            "usage: general",
            "exportable: true",
            "saved: true",
        ]
        assert made["fingerprint"] in run.result("adapt", name)["diff"]["before"]
        assert always["fingerprint"] in run.result("remove", name)["diff"]["before"]
        assert run.result("remove", name)["diff"]["after"] == ""
        assert run.result("sign", name)["key"]["usage"] == "signature"
        assert held(fleet[name])["OTHER"] == (key(9).fingerprint, True, True)
        assert after_reload(fleet[name])["OWN"] == run.result("sign", name)["key"]["fingerprint"]
        assert len(after_reload(fleet[name])) == 2


def test_saving_is_asked_for(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*(spec(name, name) for name in NAMES))
    tasks = [
        *predicted("make", save=False),
        *predicted("save"),
        *predicted("remove", state="absent", save=False, allow_last_key=True),
    ]
    run = control_node(fleet).run(tasks)
    assert run.code == 0, run.output
    for name in NAMES:
        for what in ("make", "save", "remove"):
            assert run.changed(what, name)
            assert run.changed(f"{what}: check", name)
            assert run.result(what, name)["diff"] == run.result(f"{what}: check", name)["diff"]
            assert not run.changed(f"{what}: again", name), what
        assert run.result("make", name)["key"]["saved"] is False
        assert run.result("save", name)["key"]["saved"] is True
        assert held(fleet[name]) == {}
        assert after_reload(fleet[name]) == {"OWN": run.result("make", name)["key"]["fingerprint"]}
        assert fleet[name].saves == 1


ERRORS: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "huge": ({}, {"size": 16384}, "bad_input", "the device makes keys of {low} to 4096 bits, not 16384"),
    "small": (
        {"overrides": {"modulus_low": 2048}},
        {"size": 1024},
        "bad_input",
        "the device makes keys of 2048 to 4096 bits, not 1024",
    ),
    "fails": ({"faults": {"generate_fails": True}}, {}, "generate_failed", "no new key OWN was made"),
    "odd": (
        {"faults": {"generate_fails": "% Whatever this means\n"}},
        {},
        "generate_failed",
        "There is no key OWN on it now.",
    ),
    "slow": (
        {"faults": {"generation_seconds": 30}},
        {"generation_timeout": 2},
        "timeout",
        "no answer within 2 s",
    ),
    "low": ({"login_privilege": 7, "enable": None}, {}, "no_privilege", "privilege level 7 is not enough"),
    "drop": ({"faults": {"cut": "crypto key gen"}}, {}, "session_lost", "the device closed the session unexpectedly."),
}


@pytest.mark.parametrize("release", NAMES)
def test_errors_leave_the_keys_alone(release: str, start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*(spec(name, release, SECOND_KEY, **how) for name, (how, *dummy) in ERRORS.items()))
    node = control_node(fleet)
    for name, (_how, options, _code, _sentence) in ERRORS.items():
        node.hosts[name] |= {"size": 2048, "limit": 60} | {
            {"size": "size", "generation_timeout": "limit"}[option]: value for option, value in options.items()
        }
    with unchanged(fleet):
        run = node.run([task("make", size="{{ size }}", generation_timeout="{{ limit }}")])
    assert run.code != 0
    low = 2048 if release == "xe17" else 360
    for name, (dummy, dummy, code, sentence) in ERRORS.items():
        assert run.error("make", name)[0] == code, name
        assert sentence.format(low=low) in run.error("make", name)[1]
        assert "\n" not in run.error("make", name)[1]
        assert not [line for line in writes(fleet[name]) if not line.startswith("crypto key generate")]


@pytest.mark.parametrize("release", NAMES)
def test_what_cannot_be_saved_is_said(release: str, start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(spec("ks1", release, SECOND_KEY, faults={"nvram_full": True}))
    run = control_node(fleet).run([task("make")])
    code, message = run.error("make")
    assert code == "save_failed"
    assert "the configuration was not written" in message
    assert "run again" in message
    assert set(held(fleet["ks1"])) == {"OWN", "OTHER"}
    assert set(after_reload(fleet["ks1"])) == {"OTHER"}


def test_a_key_made_in_the_background_that_never_comes(start_fleet: StartFleet, control_node: MakeNode) -> None:
    only_exec = {"generate_mode": "exec"}
    fleet = start_fleet(
        spec("fails", "xe17", SECOND_KEY, overrides=only_exec, faults={"generate_fails": True}),
        spec("late", "xe17", SECOND_KEY, overrides=only_exec, faults={"generation_seconds": 2.5}),
    )
    run = control_node(fleet).run([task("make", generation_timeout=4)])
    assert run.error("make", "fails")[0] == "generate_failed"
    assert set(held(fleet["fails"])) == {"OTHER"}
    assert run.changed("make", "late")
    assert after_reload(fleet["late"])["OWN"] == run.result("make", "late")["key"]["fingerprint"]


def test_each_run_changes_once_however_devices_show_saving(start_fleet: StartFleet, control_node: MakeNode) -> None:
    """A device that never shows it, or at the next boot only, beside a key that it shows as saved."""
    modes = ("on_save", "at_boot", "never")
    fleet = start_fleet(*(spec(mode, "xe17", KeySpec("OLD", 9), overrides={"show_saved": mode}) for mode in modes))
    run = control_node(fleet).run([*predicted("make"), *predicted("remove", state="absent")])
    assert run.code == 0, run.output
    for device in fleet:
        assert run.result("make", device.name)["key"]["saved"] is True
        for what in ("make", "remove"):
            assert run.changed(what, device.name)
            assert not run.changed(f"{what}: again", device.name)
        assert device.saves == 2
        assert after_reload(device) == {"OLD": key(9).fingerprint}


def test_what_an_interrupted_run_did_not_save_the_next_one_saves(
    start_fleet: StartFleet, control_node: MakeNode
) -> None:
    """Made and removed; the device never shows what it has saved, and drops the session instead of saving."""
    fleet = start_fleet(spec("ks1", "xe17", KeySpec("OLD", 9), overrides={"show_saved": "never"}))
    node = control_node(fleet)
    for state, left in (("present", {"OLD", "OWN"}), ("absent", {"OLD"})):
        fleet["ks1"].set_fault(cut={"at": "write memory"})
        run = node.run([task("cut", state=state)])
        assert run.error("cut", "ks1")[0] == "session_lost"
        run = node.run(predicted("saved", state=state))
        assert run.code == 0, run.output
        assert run.changed("saved: check", "ks1")
        assert run.changed("saved", "ks1")
        assert not run.changed("saved: again", "ks1")
        assert set(after_reload(fleet["ks1"])) == left


def test_the_first_key_brings_ssh(start_fleet: StartFleet, control_node: MakeNode) -> None:
    """A device that closes SSH with its last key is not locked out by this: it has another one."""
    fleet = start_fleet(*(spec(name, name, SECOND_KEY, overrides={"ssh_needs_rsa_key": True}) for name in NAMES))
    run = control_node(fleet).run([task("make"), task("remove", state="absent")])
    assert run.code == 0, run.output
    for name in NAMES:
        assert held(fleet[name]) == {"OTHER": (key(9).fingerprint, True, True)}


def test_the_last_key_stays_unless_it_is_said(start_fleet: StartFleet, control_node: MakeNode) -> None:
    """Beside it stands the helper key of SSH, which old IOS does not mark as one."""
    old = spec("old", "ios15", KeySpec("OWN", 9), overrides={"key_listing": "old"})
    fleet = start_fleet(old, *(spec(name, name, KeySpec("OWN", 9)) for name in NAMES))
    with unchanged(fleet):
        run = control_node(fleet).run([task("remove", state="absent")])
    for name in (*NAMES, "old"):
        assert run.error("remove", name)[0] == "blocked"
        assert "OWN is the last RSA key of the device" in run.error("remove", name)[1]
