# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""To be run: status, convergence, plan and page of a fleet of that many gateways, and what it cost as JSON.

One gateway has a new key, half of the peers have not acknowledged it, and some gateways were observed, each of which
stores keys of all the others. `fresh`: nobody has acknowledged anything yet.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from unit.plugin_utils.key_report import samples

from ansible_collections.vpnops.keys.plugins.module_utils._fleet import observed, outcome, plan
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import status
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_report import build, page
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import gateways

Data = dict[str, object]


def fingerprint(name: str, serial: int) -> str:
    return hashlib.sha256(f"{name} {serial}".encode()).hexdigest()


def entry(name: str, serial: int) -> Data:
    keys = [
        {
            "serial": number, "public_key": fingerprint(name, number), "fingerprint": fingerprint(name, number),
            "algorithm": "x25519", "state": "current" if number == serial else "retired", "created_at": "2026-06-01",
        }
        for number in range(serial, 0, -1)
    ]  # fmt: skip
    return {
        "name": name, "platform": "wireguard", "algorithm": "x25519", "identity": None, "revoked": False,
        "revoked_at": None, "serial": serial, "fingerprint": fingerprint(name, serial), "keys": keys,
        "created_at": "2026-06-01", "rotation": None,
    }  # fmt: skip


def directory(names: list[str], fresh: bool) -> Data:
    peers: list[Data] = [
        {"name": name, "platform": "wireguard", "current": "key", "withdrawn": False, "known": [],
         "revision": 2 if name == "gw1" else 1}
        for name in names
    ]  # fmt: skip
    learned: Data = {
        name: {"upto": 0 if fresh else 1 + number % 2, "also": [], "missing": []} for number, name in enumerate(names)
    }
    entries = {name: entry(name, 2 if name == "gw1" else 1) for name in names}
    return {"directory": {"gateways": entries, "tampered": []}, "peers": peers, "learned": learned}


def observations(names: list[str], seen: int) -> dict[str, observed.Observation]:
    """What is equal is one object, as the fleet and not the sample is measured."""
    stored = {name: observed.StoredKey("", fingerprint(name, 1), "current", "current") for name in names}
    tunnels = {name: observed.Tunnel("", None, fingerprint(name, 1), 1.0, 1.0) for name in names}
    every = {name: observed.absent(name) for name in names}
    for name in names[-seen:]:
        own = fingerprint(name, 1)
        every[name] = observed.Observation(
            name, observed.READY, "", True, own, own,
            stored=tuple(one for peer, one in stored.items() if peer != name),
            tunnels=tuple(one for peer, one in tunnels.items() if peer != name),
        )  # fmt: skip
    return every


@dataclass
class Meter:
    """CPU seconds by part."""

    seconds: dict[str, float] = field(default_factory=dict)
    begun: float = 0.0

    def start(self) -> None:
        self.begun = time.process_time()

    def stop(self, part: str) -> None:
        self.seconds[part] = round(time.process_time() - self.begun, 3)


def main(number: int, seen: int, fresh: bool) -> Data:
    names = [f"gw{one}" for one in range(1, number + 1)]
    given, every, meter = directory(names, fresh), observations(names, seen), Meter()
    meter.start()
    found = status(Directory.from_result(given), every)
    text = gateways.status(found, 120)
    shown = json.dumps(found.to_result())
    meter.stop("status")
    meter.start()
    snapshot = Directory.from_result(given)
    converged = outcome.converged(snapshot, snapshot, {name: observed.absent(name) for name in names})
    gateways.converged(converged, 120)
    meter.stop("converged")
    meter.start()
    made = plan.plan(Directory.from_result(given), every, ["gw1"], plan.PlanOptions(minimum_share=0))
    gateways.plan(made, 120)
    meter.stop("plan")
    meter.start()
    inputs = samples.inputs(directory=given, gateways=every)
    fleet = build.fleet_of(inputs)
    report = build.build(inputs, fleet)
    html = page.render(report, fleet)
    meter.stop("page")
    return {
        "seconds": meter.seconds,
        "megabytes": peak() // 1024,
        "rows": len(found.rows),
        "pending": sum(row.pending for row in found.rows),
        "cells": len(report["mesh"]["cells"]),
        "sizes": [len(text), len(shown), len(html)],
    }


def peak() -> int:
    """In kB. Not ru_maxrss: that begins with the memory of the process that started this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == ["fresh"])))
