# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several control nodes write at once: nothing is lost, nothing is doubled, serials rise without gaps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from unit.directory.samples import Directory

PROCESSES = 8
PATIENCE = 840
"""Seconds. On a machine with nothing else to do it takes half a minute for each database."""
GATEWAYS = [f"gw{number}" for number in range(1, 21)]
WRITER = Path(__file__).with_name("writer.py")


def write(directory: Directory, number: int, writes: int) -> list[str]:
    task = {
        "url": directory.url,
        "key_path": str(directory.key_path),
        "number": number,
        "writes": writes,
        "gateways": GATEWAYS,
    }
    done = subprocess.run(
        [sys.executable, str(WRITER)],
        input=json.dumps(task),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("writes", [160, pytest.param(1000, marks=pytest.mark.thorough)])
@pytest.mark.timeout(PATIENCE + 60)
def test_eight_processes_write(writes: int, directory: Directory) -> None:
    """The directory itself does not exist when they begin: only one of them makes it."""
    with ThreadPoolExecutor(PROCESSES) as pool:
        work = [pool.submit(write, directory, number, writes // PROCESSES) for number in range(PROCESSES)]
        written = [key for one in work for key in one.result()]
    assert len(written) == len(set(written)) == writes

    found = directory.read(events_limit=10 * writes)
    assert found["directory"]["tampered"] == []
    assert found["directory"]["checkpoint"]["number"] == writes
    assert {row["public_key"] for row in found["all_keys"]} == set(written)
    assert len(found["all_keys"]) == writes
    for name in GATEWAYS:
        mine = [row for row in found["all_keys"] if row["gateway"] == name]
        assert [row["serial"] for row in mine] == list(range(len(mine), 0, -1))
        assert [row["state"] for row in mine] == ["current"] + ["retired"] * (len(mine) - 1)
    outcomes = [one["outcome"] for one in found["events"] if one["what"] == "written"]
    assert sorted(outcomes) == sorted(f"{one}/{two}" for one in range(PROCESSES) for two in range(writes // PROCESSES))
    numbers = [one["id"] for one in found["events"]]
    assert numbers == sorted(set(numbers), reverse=True)
