# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory of 5,000 gateways: no work, no row and no byte of a result for each pair of them."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from unit.directory.samples import Data, Directory, acknowledgements, gateway, key_of, pending

GATEWAYS = 5_000
SECONDS = 10.0
"""Of a processor, for one task with all that it imports. With nothing else to do a machine needs a quarter of it."""
MEGABYTES = 300
NAMES = [f"gw{number}" for number in range(1, GATEWAYS + 1)]

# Runs one task as a module does: in a process of its own.
TASK = """
import json, re, resource, sys
from pathlib import Path
from unit.directory.samples import Directory
task = json.load(sys.stdin)
directory = Directory(task["url"], Path(task["key_path"]))
result = getattr(directory, task["how"])(**task["options"])
used = resource.getrusage(resource.RUSAGE_SELF)
# Not ru_maxrss: that begins with the memory of the process that started this one.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
cost = {"seconds": used.ru_utime + used.ru_stime, "megabytes": peak / 1024}
json.dump({"result": result, **cost}, sys.stdout)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Directory:
    """All have stored everything, and then the first one has changed."""
    folder = tmp_path_factory.mktemp("large")
    directory = Directory(f"sqlite:///{folder}/directory.db", folder / "directory.db.key")
    enrolled = directory.change(gateways=[gateway(name, key_of(name)) for name in NAMES])
    learned = [{"peer": name, "revision": enrolled.after.revision} for name in NAMES]
    directory.change(learned=learned)
    directory.change(gateways=[gateway("gw1", endpoint="192.0.2.1:51820")])
    return directory


def run(directory: Directory, how: str, **options: object) -> Data:
    task = {"url": directory.url, "key_path": str(directory.key_path), "how": how, "options": options}
    done = subprocess.run(
        [sys.executable, "-c", TASK],
        input=json.dumps(task),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: Data = json.loads(done.stdout)
    assert found["seconds"] < SECONDS
    assert found["megabytes"] < MEGABYTES
    result: Data = found["result"]
    return result


def rows(directory: Directory, table: str) -> int:
    path = Path(directory.url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)


@pytest.mark.timeout(300)
def test_every_task_on_a_large_directory_is_quick_and_small(large: Directory) -> None:
    assert (rows(large, "acknowledgements"), rows(large, "marks")) == (0, GATEWAYS)
    shown = run(large, "read", events_limit=100)
    assert len(json.dumps(shown)) < 2_000 * GATEWAYS
    assert pending(shown) == {name: ["gw1"] for name in NAMES[1:]}

    given = acknowledgements("gw1", *NAMES[2:])
    result = run(large, "write", acknowledgements=given)
    assert pending(result) == {"gw2": ["gw1"]}
    assert (rows(large, "acknowledgements"), rows(large, "marks")) == (0, GATEWAYS)

    everything = [{"peer": "gw3", "gateway": name, "role": "current", "serial": 1} for name in [*NAMES[:2], *NAMES[3:]]]
    run(large, "write", gateways=[gateway("gw2", endpoint="192.0.2.2:51820")], acknowledgements=everything)
    assert rows(large, "acknowledgements") == 0
