# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One case: a lab in processes of its own, each tool in turn, what it cost."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from lab import control, daemon, sample

from .cases import GENERATION_SECONDS, ONCE, PER_GROUP, TOOLS, Case, Tool

LIMIT = 900.0
LAB_PROCESSES = {8: 1, 64: 2, 512: 4}
_TICK = os.sysconf("SC_CLK_TCK")
Run = dict[str, Any]


class BenchError(Exception):
    """A tool did not do its work: there is nothing to measure."""


def run_case(case: Case, tell: Callable[[str], None]) -> list[Run]:
    """All runs of a case, tools taking turns so that a noisy moment does not hit one of them only."""
    tools = [TOOLS[name] for name in case.tools if TOOLS[name].here]
    runs = []
    if case.work == "compare":
        with _lab(case) as folder:
            for number in range(case.rounds):
                runs += [_one(case, tool, folder, tell) for tool in tools if number == 0 or tool.name not in ONCE]
        return runs
    for number in range(case.rounds):
        for tool in tools:
            if number == 0 or tool.name not in ONCE:
                with _lab(case) as folder:
                    runs.append(_one(case, tool, folder, tell))
    return runs


@contextmanager
def _lab(case: Case) -> Iterator[Path]:
    """A running lab, and the files by which the tools find its devices."""
    content = sample.sample(
        case.devices,
        max(1, case.devices // PER_GROUP),
        case.latency_ms,
        state="equal" if case.work == "compare" else "absent",
    )
    content["defaults"]["login_privilege"] = 1
    if case.work == "wait":
        content["defaults"]["faults"] = {**content["defaults"]["faults"], "generation_seconds": GENERATION_SECONDS}
    with tempfile.TemporaryDirectory(prefix="bench") as made:
        folder = Path(made)
        (folder / "lab.in").write_text(yaml.safe_dump(content), encoding="utf-8")
        daemon.up(folder / "lab.in", folder, LAB_PROCESSES.get(case.devices, 1))
        try:
            _write_hosts(folder)
            yield folder
        finally:
            daemon.down(folder)


def _write_hosts(folder: Path) -> None:
    """The lab's inventory again, as the other tools read it."""
    group = yaml.safe_load((folder / "inventory.yml").read_text(encoding="utf-8"))["key_servers"]
    hosts = {name: {**group["vars"], **own} for name, own in group["hosts"].items()}
    devices = [
        {
            "name": name,
            "host": own["ansible_host"],
            "port": own["ansible_port"],
            "username": own["ansible_user"],
            "password": own["ansible_password"],
            "enable": own["ansible_become_password"],
        }
        for name, own in hosts.items()
    ]
    (folder / "hosts.json").write_text(json.dumps(devices), encoding="utf-8")
    first = devices[0]
    nornir_hosts = {device["name"]: {"hostname": device["host"], "port": device["port"]} for device in devices}
    nornir_defaults = {
        "username": first["username"],
        "password": first["password"],
        "platform": "cisco_ios",
        "connection_options": {"netmiko": {"extras": {"secret": first["enable"], "fast_cli": True}}},
    }
    for name, value in (("hosts", nornir_hosts), ("defaults", nornir_defaults)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(value), encoding="utf-8")


def _one(case: Case, tool: Tool, folder: Path, tell: Callable[[str], None]) -> Run:
    places = {"inventory": str(folder / "inventory.yml"), "hosts": str(folder / "hosts.json")}
    command = [word.format(**places) for word in tool.commands[case.work]]
    result, output = folder / "measured.json", folder / "output"
    pids = [int(line.split()[0]) for line in (folder / "pids").read_text(encoding="utf-8").splitlines()]
    before, lab_before = _sessions(folder), [cpu_of(pid) for pid in pids]
    with output.open("w", encoding="utf-8") as sink:
        subprocess.run(
            [sys.executable, "-m", "bench.meter", str(result), str(LIMIT), *command],
            check=True,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=_environment(folder, tool),
        )
    run: Run = json.loads(result.read_text(encoding="utf-8"))
    lab = [cpu_of(pid) - start for pid, start in zip(pids, lab_before, strict=True)]
    after = _sessions(folder)
    sessions = [count - before[name] for name, count in after.items()]
    timeline, started = run.pop("cpu_timeline"), run.pop("started")
    if run["exit_code"] or not _done(case, tool, folder):
        tail = "\n".join(output.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
        raise BenchError(f"{tool.title}: {case.title}: did not do its work (exit code {run['exit_code']}):\n{tail}")
    run |= {
        "work": case.work,
        "devices": case.devices,
        "latency_ms": case.latency_ms,
        "tool": tool.name,
        "sessions_per_device": round(sum(sessions) / case.devices, 2),
        "lab_cpu_s": round(sum(lab), 2),
        "lab_busiest": round(max(lab) / run["wall_s"], 2),
        "load": round(os.getloadavg()[0], 2),
    }
    if case.work == "wait":
        run["waiting"] = _waiting(case, folder, timeline, started)
    shown = f"{run['wall_s']:7.2f} s, {run['cpu_s']:7.2f} CPU s, {run['peak_mb']:7.0f} MB"
    tell(f"  {tool.title:<40} {shown}")
    return run


def _environment(folder: Path, tool: Tool) -> dict[str, str]:
    """Little more than nothing, the same on every machine."""
    here = Path(__file__).resolve().parent.parent
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (folder / "ansible.cfg").write_text(tool.config, encoding="utf-8")
    build = here.parent / ".build"
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": f"{build}:{here}",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(build),
        "ANSIBLE_FORKS": str(tool.forks),
    }


def _state(folder: Path) -> list[dict[str, Any]]:
    return list(control.request(control.socket_path(folder, 0), do="state"))


def _sessions(folder: Path) -> dict[str, int]:
    return {device["name"]: device["sessions"] for device in _state(folder)}


def _done(case: Case, tool: Tool, folder: Path) -> bool:
    """After a sync all devices hold one key, saved; after a wait each has one. The devices are asked, not the tool."""
    if case.work == "compare" or tool.name == "ansible":
        return True
    copies = [[key for key in device["keys"] if key["label"] == "GETVPN1"] for device in _state(folder)]
    if not all(len(held) == 1 for held in copies):
        return False
    keys = [held[0] for held in copies]
    return case.work == "wait" or (len({key["fingerprint"] for key in keys}) == 1 and all(k["saved"] for k in keys))


def _waiting(case: Case, folder: Path, timeline: list[list[float]], started: float) -> dict[str, float] | None:
    """CPU while every device is generating: % of a core per device, and in all. None if there was no such time.

    For a tool that does not generate: in the middle of its own waiting.
    """
    logs = control.request(control.socket_path(folder, 0), do="log")
    asked = [[entry[0] for entry in log if "key generate" in entry[4] or entry[4] == "2048"] for log in logs]
    times = [max(of_device) for of_device in asked if of_device]
    first, last = (min(times), max(times)) if times else (started + 2, started + 2)
    end = first + (GENERATION_SECONDS if times else 12) - 0.5
    inside = [entry for entry in timeline if last + 1 <= entry[0] <= end]
    if len(inside) < 2 or inside[-1][0] - inside[0][0] < 2:
        return None
    seconds = inside[-1][0] - inside[0][0]
    whole, own = (100 * (inside[-1][column] - inside[0][column]) / seconds for column in (1, 2))
    return {
        "seconds": round(seconds, 1),
        "percent_of_a_core": round(whole, 3),
        "percent_per_device": round(whole / case.devices, 4),
        # In Ansible all work for devices is done in other processes than the one that was started.
        "percent_per_device_beside_main": round((whole - own) / case.devices, 4),
    }


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / _TICK


def machine() -> dict[str, Any]:
    """Where this ran, when, with what."""
    versions = {}
    names = "ansible ansible-core asyncssh cryptography ansible-pylibssh netmiko nornir scrapli"
    for name in names.split():
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line.partition(":")[2].strip() for line in cpu.splitlines() if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": len(os.sched_getaffinity(0)),
        "cpu": model,
        "memory_gib": round(memory, 1),
        "system": f"Linux {platform.release()}",
        "python": platform.python_version(),
        "versions": versions,
        "load_before": round(os.getloadavg()[0], 2),
    }
