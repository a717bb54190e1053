# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody else puts a key on a device while a sync works on it, at each line that the device receives: that key is
never lost, and the run names it and the one that was planned."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from datetime import datetime, timezone

import pytest
from integration import rounds
from integration.rounds import LABEL, SCRATCH, Point, key, key_server

from ansible_collections.vpnops.keys.plugins.module_utils._fingerprint import short
from lab import DeviceSpec
from lab.device import Device, Part, StoredKey
from lab.keys import pool_key

FOREIGN = pool_key(2048, 40)
STARTS: dict[str, list[DeviceSpec]] = {
    "replaced": [key_server(1, "ios15", key(0), of=2), key_server(2, "xe17", key(1), of=2)],
    "replaced_without_a_way_back": [
        key_server(1, "xe16", key(0), of=2),
        key_server(2, "ios15", key(1, exportable=False), of=2),
    ],
    "another_leftover": [
        key_server(1, "ios15", key(0), of=2),
        key_server(2, "xe16", key(1), key(2, label=SCRATCH), of=2),
    ],
    "interrupted": [
        key_server(1, "ios15", key(0), of=2),
        key_server(2, "xe17", key(0, label=SCRATCH), of=2),
    ],
    "missing": [key_server(1, "ios15", key(0), of=2), key_server(2, "xe16", of=2)],
    "new_key": [
        key_server(1, "xe16", key(0, exportable=False)),
        key_server(2, "ios15", key(0, exportable=False)),
        key_server(3, "xe17"),
    ],
}


def moments(points: Sequence[Point], slot: str) -> list[Point]:
    """Between the look of the plan and the end. Not in the midst of a command about that very label: between our look
    and its zeroize line lies nothing but the way to the device, and what an import finds is up to the device."""
    midst = False
    found = []
    for point in points:
        if point.kind == "command":
            midst = False
        if not point.looking and not midst and not point.text.endswith(f"zeroize rsa {slot}"):
            found.append(point)
        if point.kind == "command" and (f" {slot} " in f"{point.text} ") and "key" in point.text:
            midst = True
    return found


def put(device: Device, slot: str) -> None:
    part = Part("General Purpose", FOREIGN, datetime.now(timezone.utc))
    device.store(StoredKey(slot, (part,), exportable=False))


@pytest.mark.parametrize("slot", [LABEL, SCRATCH])
@pytest.mark.parametrize("start", STARTS)
def test_a_key_that_appears_is_never_lost(start: str, slot: str) -> None:
    wrong = asyncio.run(_everywhere(STARTS[start], slot))
    assert not wrong, "\n".join(wrong)


async def _everywhere(specs: list[DeviceSpec], slot: str) -> list[str]:
    points = await rounds.record(specs, overwrite=True)
    here = moments([point for point in points if point.host == "ks2"], slot)
    assert len(here) > 5
    return list(itertools.chain.from_iterable([await _at(specs, slot, point) for point in here]))


async def _at(specs: list[DeviceSpec], slot: str, point: Point) -> list[str]:
    async with rounds.running(specs) as devices:
        device = devices["ks2"]
        rounds.at_line(device, point.line, lambda: put(device, slot))
        outcome = await rounds.sync(devices, patience=5, overwrite=True)
        proof = (await rounds.observe(devices, overwrite=False)).plan
        wrong = []
        if FOREIGN.fingerprint not in {stored.fingerprint for stored in device.keys.values()}:
            wrong.append("the key is lost")
        seen = " ".join([outcome.told, proof.blocked or "", *proof.findings])
        if short(FOREIGN.fingerprint) not in seen:
            wrong.append(f"nobody tells of it: {seen}")
        planned = {
            short(one.fingerprint)
            for before in outcome.plan.observed
            for one in (before.copy, before.staged)
            if one is not None
        } | {short(stored.fingerprint) for stored in devices["ks1"].keys.values()}
        if outcome.told and not any(one in outcome.told for one in planned) and "no key" not in outcome.told:
            wrong.append(f"the planned key is not named: {outcome.told}")
        if slot == LABEL and not outcome.told:
            wrong.append("another key stands under the label, and the run is content")
        return [f"{point}: {one}" for one in wrong]
