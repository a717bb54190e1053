# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A key server that somebody else controls, in the inventory of others: it speaks for itself alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from integration.control_node import ControlNode
from integration.devices import group_of, held, key, spec, unchanged, writes

from lab import DeviceSpec, Fleet, KeySpec
from lab.device import Device
from lab.tampered import Lie, says

StartFleet = Callable[..., Fleet]
MakeNode = Callable[[Fleet], ControlNode]
SYNC, COMPARE = "vpnops.keys.sync_key_servers", "vpnops.keys.compare_key_servers"
ONE, TWO = "10.0.1.1", "10.0.1.2"
"""Of a1 and a2."""


def options(**values: Any) -> list[str]:
    return ["-e", json.dumps({f"key_server_sync_{name}": value for name, value in values.items()})]


def customers(*a: tuple[KeySpec, ...]) -> list[DeviceSpec]:
    """Two customers: a1 and a2 hold what is given, b1 and b2 are in sync; and zz, which nobody names."""
    return [
        *group_of(*((f"a{n}", "xe17", keys) for n, keys in enumerate(a, 1)), name="A", identity=1, label="AKEY"),
        *group_of(*((f"b{n}", "ios15", (KeySpec("BKEY", 7),)) for n in (1, 2)), name="B", identity=2, label="BKEY"),
        spec("zz", "xe16", address="10.66.6.6"),
    ]


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def exports(device: Device) -> list[str]:
    return [line for line in device.commands() if " key export " in line]


LIES: dict[str, Mapping[str, str]] = {
    "identity_label_and_peers": says(Lie("A", 1, "AKEY", (ONE, TWO))),
    "and_the_role_of_the_primary": says(Lie("A", 1, "AKEY", (ONE, TWO), role="Primary")),
    "the_address_of_another": says(Lie("A", 1, "AKEY", (ONE,), address=TWO)),
    "two_customers": says(Lie("A", 1, "AKEY", (ONE, TWO)), Lie("B", 2, "AKEY", ("10.0.2.1", "10.0.2.2"))),
    "nonsense": {"show .*": "% Key pair was generated at: \x1b[2J\nKey name: \x1b]0;x\n" * 50},
    "a_label_that_is_a_command": says(Lie("A", 1, "all", (ONE,)), Lie("C", 3, "-x;reload")),
    "a_thousand_groups": says(*(Lie(f"G{n}", n, "AKEY", (ONE, TWO)) for n in range(1000))),
}


@pytest.mark.parametrize("lie", LIES)
def test_it_is_given_no_key_and_the_others_go_on(start_fleet: StartFleet, control_node: MakeNode, lie: str) -> None:
    """a2 lacks the key and gets it; zz, which lacks it too, does not. What it says is told; the run is no success."""
    fleet = start_fleet(*customers((KeySpec("AKEY", 1),), ()))
    fleet["zz"].set_fault(says=LIES[lie])
    with unchanged([fleet["zz"], fleet["b1"], fleet["b2"]]):
        done = control_node(fleet).run(SYNC, *options(overwrite="always"))
    assert {held(fleet[name])["AKEY"] for name in ("a1", "a2")} == {(key(1).fingerprint, True, True)}
    assert not writes(fleet["zz"])
    assert not exports(fleet["b1"]) + exports(fleet["b2"])
    assert "A): in sync now" in done.output
    assert "B): in sync" in done.output
    assert "\x1b" not in done.output
    assert done.code == 2
    assert "zz" in done.error("key_server_report")[1]


def test_who_names_nobody_is_alone(start_fleet: StartFleet, control_node: MakeNode) -> None:
    """A group of one key server, as far as it says: it gets a key of its own, and no other."""
    fleet = start_fleet(*customers((KeySpec("AKEY", 1),), (KeySpec("AKEY", 1),)))
    fleet["zz"].set_fault(says=says(Lie("A", 1, "AKEY")))
    with unchanged([fleet[name] for name in ("a1", "a2", "b1", "b2")]):
        done = control_node(fleet).run(SYNC, *options(overwrite="always"))
    assert done.code == 0, done.output
    assert held(fleet["zz"])["AKEY"][0] != key(1).fingerprint


def test_the_claim_is_told(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*customers((KeySpec("AKEY", 1),), (KeySpec("AKEY", 1),)))
    fleet["zz"].set_fault(says=LIES["identity_label_and_peers"])
    node = control_node(fleet)
    why = "zz names a1 and a2 as peers of A (1), and neither names it."
    with unchanged(fleet):
        found = node.run(COMPARE)
        planned = node.run(SYNC, *options(mode="plan"))
    assert (found.code, planned.code) == (2, 2)
    assert found.result("ios_rsa_key_compare")["in_sync"] is False
    assert found.result("ios_rsa_key_compare")["claims"] == [
        {"host": "zz", "group": "A", "names": ["a1", "a2"], "why": why}
    ]
    assert why in one_line(found.output)
    assert why in found.error("key_server_report")[1]
    assert "or set key_server_sync_groups" in found.error("key_server_report")[1]
    assert why in one_line(planned.output)


def test_the_inventorys_word_counts_in_place_of_what_devices_say(
    start_fleet: StartFleet, control_node: MakeNode
) -> None:
    """A new key server is taken in by what the finding says."""
    fleet = start_fleet(*customers((KeySpec("AKEY", 1),), (KeySpec("AKEY", 1),)))
    fleet["zz"].set_fault(says=LIES["identity_label_and_peers"])
    groups = [{"name": "A", "label": "AKEY", "hosts": ["a1", "a2", "zz"]}]
    done = control_node(fleet).run(SYNC, *options(groups=groups))
    assert done.code == 0, done.output
    assert held(fleet["zz"])["AKEY"][0] == key(1).fingerprint


def without_addresses(inventory: dict[str, Any]) -> dict[str, Any]:
    for variables in inventory["key_servers"]["hosts"].values():
        variables.pop("key_server_addresses", None)
    return inventory


@pytest.mark.parametrize("known", [True, False])
def test_who_takes_the_address_of_one_that_is_down_gets_no_key(
    start_fleet: StartFleet, control_node: MakeNode, known: bool
) -> None:
    fleet = start_fleet(*customers((KeySpec("AKEY", 1),), (KeySpec("AKEY", 1),)))
    fleet["a2"].set_fault(closed=True)
    fleet["zz"].set_fault(says=says(Lie("A", 1, "AKEY", (ONE,), address=TWO)))
    node = control_node(fleet)
    if not known:
        without_addresses(node.inventory)
    with unchanged([fleet["zz"], fleet["a1"]]):
        assert node.run(SYNC, *options(overwrite="always")).code == 2
    assert not exports(fleet["a1"])


def test_without_addresses_in_the_inventory_nothing_is_changed_and_it_is_said_what_to_set(
    start_fleet: StartFleet, control_node: MakeNode
) -> None:
    fleet = start_fleet(*group_of(("ks1", "xe17", (KeySpec("REKEY", 1),)), ("ks2", "ios15", ())))
    node = control_node(fleet)
    without_addresses(node.inventory)
    with unchanged(fleet):
        done = node.run(SYNC, *options(overwrite="always"))
    assert done.code == 2
    assert "set key_server_addresses of ks1" in one_line(done.output)
    addresses = {"ks1": "10.0.1.1", "ks2": ["10.0.1.2"]}
    for name, value in addresses.items():
        node.inventory["key_servers"]["hosts"][name]["key_server_addresses"] = value
    assert node.run(SYNC).code == 0
    assert held(fleet["ks2"])["REKEY"][0] == key(1).fingerprint


def test_addresses_that_cannot_be(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = start_fleet(*group_of(("ks1", "xe17", ()), ("ks2", "ios15", ())))
    node = control_node(fleet)
    wrong = {
        "ks1": "ks1: key_server_addresses must be an IP address or a list of them. Nothing was done.",
        ("10.0.1.9", 5): "ks1: key_server_addresses must be an IP address or a list of them. Nothing was done.",
        "10.0.1.2": "key_server_addresses gives 10.0.1.2 to ks1, ks2. Nothing was done; give each address to one",
    }
    for value, sentence in wrong.items():
        given = value if isinstance(value, str) else list(value)
        node.inventory["key_servers"]["hosts"]["ks1"]["key_server_addresses"] = given
        assert sentence in node.run(COMPARE).error("ios_rsa_key_compare")[1]


# Two primaries


def split_fleet(start_fleet: StartFleet) -> Fleet:
    """a2, whose key is another one, says that it is the primary as well."""
    fleet = start_fleet(*customers((KeySpec("AKEY", 1),), (KeySpec("AKEY", 2),)))
    fleet["a2"].set_fault(says=says(Lie("A", 1, "AKEY", (ONE,), TWO, role="Primary")))
    return fleet


def test_a_split_group_is_left_alone_and_told(start_fleet: StartFleet, control_node: MakeNode) -> None:
    fleet = split_fleet(start_fleet)
    node = control_node(fleet)
    with unchanged(fleet):
        compared, forced = node.run(COMPARE), node.run(SYNC, *options(overwrite="always"))
        chosen = node.run(SYNC, *options(overwrite="never", primary=["a1"]))
        both = node.run(SYNC, *options(overwrite="always", primary=["a1", "a2"]))
        nobody = node.run(SYNC, *options(overwrite="always", primary=["a7"]))
    unit = compared.result("ios_rsa_key_compare")["units"][0]
    assert (unit["verdict"], unit["steps"], unit["would"], unit["needs_consent"]) == ("split", [], [], False)
    for run in (compared, forced):
        assert run.code == 2
        assert "More than one key server says that it is the primary: a1, a2 of A." in run.error("key_server_report")[1]
        assert "key_server_sync_primary" in run.error("key_server_report")[1]
        assert "more than one primary" in run.output
    assert {one.code for one in (chosen, both, nobody)} == {2}
    assert "a1 is chosen. With key_server_sync_overwrite, " in chosen.error("key_server_report")[1]
    assert "only one can be its primary" in both.error("key_server_report")[1]
    why = nobody.error("Check that the synchronization could start")[1]
    assert "key_server_sync_primary names a7, not one of the key servers" in why


@pytest.mark.parametrize("survivor", ["a1", "a2"])
def test_a_split_group_with_choice_and_consent(start_fleet: StartFleet, control_node: MakeNode, survivor: str) -> None:
    fleet = split_fleet(start_fleet)
    done = control_node(fleet).run(SYNC, *options(overwrite="always", primary=[survivor]))
    assert done.code == 0, done.output
    wanted = key(1 if survivor == "a1" else 2).fingerprint
    assert {held(fleet[name])["AKEY"][0] for name in ("a1", "a2")} == {wanted}
