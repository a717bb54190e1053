# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The records in memory: copies of them, and which ones nobody can believe."""

from __future__ import annotations

import copy
import dataclasses
import typing as t

import pytest
from unit.directory.samples import Data, Records, acknowledgements, gateway, key_of, names

from ansible_collections.vpnops.keys.plugins.module_utils._directory import records as book_module
from ansible_collections.vpnops.keys.plugins.module_utils._directory import view
from ansible_collections.vpnops.keys.plugins.module_utils._directory.records import Snapshot

Rows = dict[t.Any, Data]


@pytest.fixture
def records() -> Records:
    found = Records()
    found.do(gateways=[gateway(name, key_of(name)) for name in ("gw1", "gw2")])
    found.do("prepared", gateways=names("gw1"), acknowledgements=acknowledgements("gw1", "gw2"))
    return found


def rows_of(snapshot: Snapshot) -> tuple[Rows, ...]:
    return snapshot.gateways, snapshot.keys, snapshot.acknowledgements, snapshot.rotations


def test_a_copy_can_be_changed_and_the_original_stays_as_it_was(records: Records) -> None:
    snapshot = records.snapshot
    before = copy.deepcopy(rows_of(snapshot))
    changed = snapshot.copy()
    assert changed == dataclasses.replace(snapshot, original=snapshot)
    for rows in rows_of(changed):
        for row in rows.values():
            row["state"] = "changed"
        rows.clear()
    changed.events.append({"what": "changed"})
    changed.repaired.add("gw1")
    assert (rows_of(snapshot), snapshot.events, snapshot.repaired) == (before, [], set())


def test_what_a_change_has_not_signed_yet_is_not_tampered_with() -> None:
    snapshot = Snapshot("directory", lambda dummy, row: row["signature"] == row["platform"])
    snapshot.gateways["gw1"] = {
        "name": "gw1", "platform": "wireguard", "signature": "wireguard", "revoked": False, "retired_at": None,
    }  # fmt: skip
    changed = snapshot.copy()
    changed.gateways["gw1"]["platform"] = "strongswan"
    assert book_module.tampered(changed) == []
    changed.original = None
    assert book_module.tampered(changed) == [{"gateway": "gw1", "serial": None, "what": "gateway"}]


def with_states(*states: str, name: str = "gw1") -> dict[tuple[str, int], Data]:
    return {
        (name, serial): {"gateway": name, "serial": serial, "state": state, "fingerprint": f"{name} {serial}"}
        for serial, state in enumerate(states, 1)
    }


@pytest.mark.parametrize(
    ("states", "what"),
    [
        ([], None),
        (["current"], None),
        (["retired", "current", "staged"], None),
        (["revoked", "staged"], None),
        (["revoked", "revoked"], None),
        (["current", "current"], "two current keys"),
        (["current", "retired", "current", "current"], "two current keys"),
        (["retired"], "no current key"),
        (["revoked", "retired"], "no current key"),
    ],
)
def test_states_that_no_step_leaves(states: list[str], what: str | None) -> None:
    """Each record was signed once, but not all of them at the same time."""
    snapshot = Snapshot("directory", lambda dummy, row: True, keys=with_states(*states))
    found = [{"gateway": "gw1", "serial": None, "what": what}] if what else []
    assert book_module.tampered(snapshot) == found
    assert book_module.tampered(snapshot, ["gw1"]) == found
    assert book_module.tampered(snapshot, ["gw2"]) == []


def test_all_that_was_tampered_with_in_order() -> None:
    snapshot = Snapshot("directory", lambda dummy, row: False)
    for name in ("gw2", "gw1"):
        snapshot.keys |= dict(reversed(with_states(*["retired"] * 11, name=name).items()))
        snapshot.rotations[name] = {"gateway": name}
        snapshot.gateways[name] = {"name": name, "revoked": False, "retired_at": None}
    expected = [
        {"gateway": name, "serial": serial, "what": what}
        for name in ("gw1", "gw2")
        for what, serial in [
            ("gateway", None),
            *(("key", serial) for serial in range(1, 12)),
            ("no current key", None),
            ("rotation", None),
        ]
    ]
    assert book_module.tampered(snapshot) == expected
    assert book_module.tampered(snapshot, ["gw2"]) == expected[len(expected) // 2 :]


def test_the_keys_of_a_gateway_that_is_gone_are_in_nobodys_way(records: Records) -> None:
    records.do(gateways=[gateway("gw2", key_of("gw2", 2))], adopt=True)
    del records.snapshot.gateways["gw1"]
    assert [row["serial"] for row in book_module.keys_of(records.snapshot)["gw2"]] == [2, 1]
    assert [one["name"] for one in view.build(records.snapshot, {}, None)["peers"]] == ["gw2"]


@pytest.mark.parametrize(("former", "now"), [*book_module.FORMER_STATES.items(), ("verified", "verified")])
@pytest.mark.parametrize("genuine", [True, False])
def test_states_of_the_first_version_are_renamed_where_they_are_genuine(former: str, now: str, genuine: bool) -> None:
    known = Records(forged=[] if genuine else [("rotation", "gw1", None)])
    known.do(gateways=[gateway("gw1", key_of("gw1"))])
    known.do("prepared", gateways=names("gw1"))
    known.snapshot.rotations["gw1"]["state"] = former
    assert book_module.renamed_states(known.snapshot).rotations["gw1"]["state"] == (now if genuine else former)
