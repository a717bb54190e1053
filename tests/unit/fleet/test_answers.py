# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a registered result to what is said of its gateway: what cannot be trusted is itself a finding."""

from __future__ import annotations

import typing as t

import pytest
from unit.fleet.samples import entry, fp, key, names, snapshot

from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import status
from ansible_collections.vpnops.keys.plugins.plugin_utils import device_answer

Data = dict[str, t.Any]
NAMES = names(2)
MESH = snapshot(*map(entry, NAMES))


def answer(name: str, peer: str) -> Data:
    own = {"public_key": key(name), "fingerprint": fp(name), "algorithm": "x25519", "bits": 256}
    stored = [
        {"peer": "", "public_key": key(peer), "fingerprint": fp(peer), "file": "current", "runtime": "current"}
    ]
    gateway = {
        "platform": "wireguard", "own": {"file": own, "runtime": own}, "pending": None, "previous": None,
        "change": None, "stored": stored, "tunnels": [], "blocked": [], "at_restart": [],
    }  # fmt: skip
    return {"changed": False, "gateway": gateway}


def kinds(**results: t.Any) -> set[tuple[str, str]]:
    found = status(MESH, device_answer.observations(results))
    return {(one.host, one.kind) for one in found.findings}


def test_honest_answers_are_no_finding() -> None:
    assert kinds(gw1=answer("gw1", "gw2"), gw2=answer("gw2", "gw1")) == set()


@pytest.mark.parametrize(
    "forged",
    [
        {"gateway": 7},
        answer("gw2", "gw1") | {"gateway": {}},
        answer("gw2", "gw1") | {"obstacles": [{}]},
        {"failed": "yes"},
        [1],
        "text",
    ],
)
def test_an_answer_that_cannot_be_read_is_a_problem_of_its_host_alone(forged: t.Any) -> None:
    assert kinds(gw1=answer("gw1", "gw2"), gw2=forged) == {
        ("gw2", "forged or unreadable answer"),
        ("gw2", "refused"),
    }


def test_fields_that_no_module_of_ours_sends_are_a_problem_of_their_host() -> None:
    forged = answer("gw2", "gw1") | {"findings": ["Its answer has unexpected parts, which were ignored."]}
    assert kinds(gw1=answer("gw1", "gw2"), gw2=forged) == {("gw2", "forged or unreadable answer")}
