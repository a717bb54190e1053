# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory of many gateways, in each kind of database: what one task on it costs, in a process of its own.

What the server of PostgreSQL itself uses is not counted: it may be another machine.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import postgres

from .cases import HERE
from .run import BenchError, machine

RESULTS = HERE / "results" / "directory.json"
GATEWAYS, FEW = 10_000, 200
SECONDS, MEGABYTES = 2.0, 300
"""Of one task, with all that it imports, on a machine with nothing else to do."""
ROUNDS = 5
LOOP = 5_000_000
"""Additions that tell how fast a machine is."""
Options = dict[str, t.Any]

# Runs one task as a module does; the options that are not given are those that the module has by default.
TASK = """
import json, re, resource, sys
from pathlib import Path
task = json.load(sys.stdin)
from importlib import import_module
OURS = "ansible_collections.vpnops.keys.plugins."
spec = import_module(OURS + "modules." + task["module"]).ARGUMENT_SPEC
options = {name: one.get("default") for name, one in spec.items()} | task["options"]
if task["module"] == "key_directory_publish":
    result = import_module(OURS + "module_utils._publishing.publish").publish(options, check=False)
elif task["module"] == "key_directory":
    result = import_module(OURS + "module_utils._directory.transfer").write(options, check=False)
else:
    result = import_module(OURS + "module_utils._directory.transaction").read(options)
used = resource.getrusage(resource.RUSAGE_SELF)
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
json.dump({"cpu_s": used.ru_utime + used.ru_stime, "peak_mb": peak / 1024,
           "revision": result.get("directory", {}).get("revision"), "verify_key": result.get("verify_key"),
           "bytes_written": result.get("bytes_written")}, sys.stdout)
"""


def _key(name: str) -> str:
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


def gateway(name: str, **more: t.Any) -> Options:
    return {"name": name, "platform": "wireguard", "endpoint": f"{name}.example.net:51820", **more}


def run_task(place: Options, module: str, **options: t.Any) -> Options:
    """Its cost. Raises BenchError."""
    paths = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", TASK],
        input=json.dumps({"module": module, "options": {**place, **options}}),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"{module}: {done.stderr.strip().splitlines()[-1]}")
    return t.cast(Options, json.loads(done.stdout))


def filled(place: Options, names: list[str]) -> None:
    """All have stored everything, and then the first one has changed."""
    made = run_task(place, "key_directory", gateways=[gateway(name, public_key=_key(name)) for name in names])
    learned = [{"peer": name, "revision": made["revision"]} for name in names]
    run_task(place, "key_directory", learned=learned)
    run_task(place, "key_directory", gateways=[gateway(names[0], endpoint="192.0.2.1:51820")])


WORKS: dict[str, tuple[str, t.Callable[[int], Options]]] = {
    "write one change": (
        "key_directory",
        lambda turn: {"gateways": [gateway("gw2", endpoint=f"192.0.2.{turn + 2}:51820")]},
    ),
    "make a checkpoint": ("key_directory", lambda turn: {"events": [{"what": "looked"}]}),
    "read the status": ("key_directory_info", lambda turn: {}),
}


@contextmanager
def _places() -> Iterator[dict[str, Options]]:
    with tempfile.TemporaryDirectory(prefix="bench") as folder, postgres.server() as server:
        keys = {name: str(Path(folder) / f"{name}.key") for name in ("SQLite", "PostgreSQL")}
        yield {
            "SQLite": {"url": f"sqlite:///{folder}/directory.db", "signing_key_path": keys["SQLite"]},
            "PostgreSQL": {"url": server.new_database(), "signing_key_path": keys["PostgreSQL"]},
        }


def measure(quick: bool, output: Path | None) -> None:
    """Print what each task costs, beside what it may cost."""
    count, rounds = (FEW, 1) if quick else (GATEWAYS, ROUNDS)
    where, runs = {**machine(), "loop_s": _loop()}, list[Options]()
    with _places() as places:
        for database, place in places.items():
            filled(place, [f"gw{number}" for number in range(1, count + 1)])
            for work, (module, options) in WORKS.items():
                found = [run_task(place, module, **options(turn)) for turn in range(rounds)]
                least = {"cpu_s": min(one["cpu_s"] for one in found), "peak_mb": max(one["peak_mb"] for one in found)}
                runs.append({"work": work, "database": database, "gateways": count, **least})
                print(_line(runs[-1]), flush=True)
    if target := output or (None if quick else RESULTS):
        target.write_text(json.dumps({"machine": where, "runs": runs}, indent=1) + "\n", encoding="utf-8")


def _line(run: Options) -> str:
    reached = "yes" if run["cpu_s"] <= SECONDS and run["peak_mb"] <= MEGABYTES else "NO"
    return (
        f"{run['work']}, {run['gateways']} gateways, {run['database']}: {run['cpu_s']:.2f} s CPU "
        f"(at most {SECONDS:g}), {run['peak_mb']:.0f} MB (at most {MEGABYTES}): {reached}"
    )


def _loop() -> float:
    begun, total = time.process_time(), 0
    for number in range(LOOP):
        total += number
    return round(time.process_time() - begun, 3)
