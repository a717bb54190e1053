# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateways' part of `python -m bench`."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.gateways import available

from ..cases import HERE
from ..run import machine
from . import cases, growth, interruption, report

RESULTS = HERE / "results" / "gateways.json"
PACKAGES = ("wireguard-go", "wireguard-tools", "strongswan-swanctl", "openssh-server")


def measure(quick: bool, only: str, most: int, output: Path | None, raw: Path | None) -> None:
    """Measure, write the results, show them."""
    if reason := available():
        print(f"gateways are left out: {reason}")
        return
    if raw:
        raw.mkdir(parents=True, exist_ok=True)
    where, started = machine(), time.monotonic()
    where["versions"] = {"ansible-core": where["versions"]["ansible-core"], **_packages()}
    found: dict[str, list[dict[str, Any]]] = {"interruption": [], "growth": []}
    for case in cases.QUICK_MESHES if quick else cases.MESHES:
        if only in case.title:
            print(case.title, flush=True)
            case = replace(case, most=min(most or case.most, case.most))
            found["interruption"] += interruption.runs(case, _tell, raw)
    for count in cases.QUICK_SIZES if quick else cases.SIZES:
        title = f"growth, {count} gateways"
        if only in title:
            print(title, flush=True)
            found["growth"] += growth.runs(count, _tell)
    where["seconds"] = round(time.monotonic() - started)
    where["load_after"] = round(os.getloadavg()[0], 2)
    results = {"machine": where, **found}
    whole = not (quick or only or most)
    if path := output or (RESULTS if whole else None):
        path.write_text(json.dumps(results) + "\n", encoding="utf-8")
    print(report.goals(results), end="")
    if whole:
        report.write(results)


def rewrite() -> None:
    """Write the tables from the last results."""
    if RESULTS.exists():
        report.write(json.loads(RESULTS.read_text(encoding="utf-8")))


def _packages() -> dict[str, str]:
    form = "-f=${Package} ${Version}\\n"
    shown = subprocess.run(("dpkg-query", "-W", form, *PACKAGES), capture_output=True, text=True, check=True).stdout
    return dict(line.split() for line in shown.splitlines())


def _tell(line: str) -> None:
    print(line, flush=True)
