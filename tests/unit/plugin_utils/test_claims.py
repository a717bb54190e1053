# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gateways claim, as options of key_directory: each claim is about the one who made it."""

from __future__ import annotations

import typing as t

import pytest
from unit.plugin_utils.test_device_answer import INFO, KEY, PEERS, Data, key

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.plugin_utils import claims

STORED: Data = {**PEERS, "learned": None, "findings": []}
LEARNED: Data = {**STORED, "stored": [], "learned": 41}
OWN: Data = {**KEY, "findings": []}
TO_BE_MADE: Data = {**OWN, "public_key": None, "fingerprint": None, "algorithm": None}
FAILED: Data = {"failed": True, "changed": False, "code": "refused", "msg": "no resolver", "findings": []}
UNREACHABLE: Data = {"unreachable": True, "msg": "no route to host"}
SKIPPED: Data = {"skipped": True, "changed": False}
NOTE = "vpnops.keys/one\n3\nroot\n\n\u2014 vpnops.keys/one signature\n"
SILENT = {"gw4": FAILED, "gw5": UNREACHABLE, "gw6": SKIPPED, "gw7": {}, "gw8": [7], "gw9": "{{ x }}", "gw10": {"a": 1}}
"""Who answered nothing that can be used, in every form that Ansible registers, and in some that it does not."""


def held(peer: str) -> list[Data]:
    return [{"peer": peer, **one} for one in PEERS["stored"]]


CASES: dict[str, tuple[Data, Data]] = {
    "nothing from gateways": ({"state": "present", "url": "x"}, {"state": "present", "url": "x"}),
    "None is not given": ({"answers": None, "staged": None, "enrolled": None, "inventory": None}, {}),
    "what each one stored": (
        {"answers": {"gw1": STORED, "gw2": LEARNED, **SILENT}},
        {"acknowledgements": held("gw1"), "learned": [{"peer": "gw2", "revision": 41}]},
    ),
    "nobody answered": ({"answers": SILENT}, {"acknowledgements": [], "learned": []}),
    "beside what the task itself says": (
        {"answers": {"gw1": STORED}, "acknowledgements": [{"peer": "gw9"}], "learned": [{"peer": "gw8"}]},
        {"acknowledgements": [{"peer": "gw9"}, *held("gw1")], "learned": [{"peer": "gw8"}]},
    ),
    "another name in the answer": (
        {"answers": {"gw1": {**STORED, "peer": "gw2", "stored": [{**one, "peer": "gw2"} for one in PEERS["stored"]]}}},
        {"acknowledgements": held("gw1"), "learned": []},
    ),
    "enrolled: the key is its own, all else is of the inventory": (
        {
            "enrolled": {"gw1": {**OWN, "name": "gw2", "networks": ["0.0.0.0/0"]}, "gw2": TO_BE_MADE, **SILENT},
            "inventory": {"gw1": {"platform": "wireguard", "networks": []}, "gw4": {"platform": "wireguard"}},
        },
        {
            "gateways": [{"platform": "wireguard", "networks": [], "name": "gw1", "public_key": key("own")}],
            "skip_refused": True,
        },
    ),
    "the inventory cannot rename or give a key": (
        {"enrolled": {"gw1": OWN}, "inventory": {"gw1": {"name": "gw2", "public_key": key("evil")}}},
        {"gateways": [{"name": "gw1", "public_key": key("own")}], "skip_refused": True},
    ),
    "enrolled beside gateways of the task": (
        {"enrolled": {"gw1": OWN}, "gateways": [{"name": "gw9"}]},
        {"gateways": [{"name": "gw9"}, {"name": "gw1", "public_key": key("own")}], "skip_refused": True},
    ),
    "the inventory alone enrolls nobody": ({"inventory": {"gw1": {"platform": "wireguard"}}}, {}),
    "staged, or still to be made": (
        {"staged": {"gw1": {**OWN, "gateway": "gw2"}, "gw2": TO_BE_MADE, **SILENT}},
        {
            "keys": [{"gateway": "gw1", "public_key": key("own")}, {"gateway": "gw2", "public_key": None}],
            "skip_refused": True,
        },
    ),
    "nobody staged a key": ({"staged": SILENT}, {"keys": [], "skip_refused": True}),
    "an answer of another module": (
        {"staged": {"gw1": {**INFO, "findings": []}, "gw2": STORED}, "answers": {"gw1": OWN}},
        {"keys": [], "skip_refused": True, "acknowledgements": [], "learned": []},
    ),
    "what gateways have seen of the directory": (
        {
            "observations": {"gw1": {**INFO, "findings": [], "checkpoint": NOTE}, "gw2": INFO, **SILENT},
            "answers": {"gw3": {**LEARNED, "checkpoint": NOTE}},
            "witnesses": [{"gateway": "gw9", "note": "of the task"}],
        },
        {
            "witnesses": [
                {"gateway": "gw9", "note": "of the task"},
                {"gateway": "gw1", "note": NOTE, "late": False},
                {"gateway": "gw3", "note": NOTE, "late": True},
            ],
            "acknowledgements": [],
            "learned": [{"peer": "gw3", "revision": 41}],
        },
    ),
    "and those that are to be enrolled": (
        {"enrolled": {"gw1": {**OWN, "checkpoint": NOTE, "witnesses": [{"gateway": "gw2", "note": "?"}]}}},
        {
            "witnesses": [{"gateway": "gw1", "note": NOTE, "late": False}],
            "gateways": [{"name": "gw1", "public_key": key("own")}],
            "skip_refused": True,
        },
    ),
    "a checkpoint that is none makes no answer of it": (
        {"answers": {"gw1": {**LEARNED, "checkpoint": "\x1b[2J"}, "gw2": {**LEARNED, "checkpoint": {"note": NOTE}}}},
        {"acknowledgements": [], "learned": []},
    ),
    "skip_refused of the task": ({"answers": {}, "skip_refused": False}, {
        "acknowledgements": [], "learned": [], "skip_refused": False
    }),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_claims_as_options(case: str) -> None:
    given, expected = CASES[case]
    assert claims.read(given) == expected


@pytest.mark.parametrize("name", claims.RESULTS)
@pytest.mark.parametrize("value", ["{{ x }}", [{"gw1": OWN}], 7, True])
def test_what_is_not_by_host_is_refused_before_anything(name: str, value: t.Any) -> None:
    with pytest.raises(VpnKeysError) as raised:
        claims.read({name: value})
    assert str(raised.value) == (
        f"{name} must be results by the name of their host. Nothing was changed; use the filter "
        "vpnops.keys.by_host."
    )


def test_the_options_of_the_task_are_left_as_they_are() -> None:
    given: Data = {"answers": {"gw1": STORED}, "acknowledgements": [], "keys": [], "staged": {"gw1": OWN}}
    claims.read(given)
    assert given == {"answers": {"gw1": STORED}, "acknowledgements": [], "keys": [], "staged": {"gw1": OWN}}
