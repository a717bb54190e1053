# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab as background processes: start, wait until every device answers, stop.

The lab directory holds: inventory.yml, known_hosts, ssh_config, ssh_host_rsa_key, pids, log, control.sock, lab.yml
(a copy of the lab file) and, per process, ports-N.json.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import asyncssh

from . import control, inventory
from .fleet import Lab
from .spec import DeviceSpec, LabSpec, load

LAB_FILE = "lab.yml"


class LabError(Exception):
    """Something a user should read."""


def shards(specs: Sequence[DeviceSpec], processes: int) -> list[list[str]]:
    """Device names per process. Key servers of a group stay together: they elect their primary among themselves."""
    root: dict[str, str] = {}

    def find(item: str) -> str:
        while root.setdefault(item, item) != item:
            root[item] = root[root[item]]
            item = root[item]
        return item

    for spec in specs:
        for group in spec.groups:
            root[find(f"group {group.identity}")] = find(spec.name)
    families: dict[str, list[str]] = {}
    for spec in specs:
        families.setdefault(find(spec.name), []).append(spec.name)
    if processes > 1 and len(families) < processes:
        families = {spec.name: [spec.name] for spec in specs}
    parts: list[list[str]] = [[] for dummy in range(processes)]
    for family in sorted(families.values(), key=len, reverse=True):
        min(parts, key=len).extend(family)
    return parts


def host_key(directory: Path) -> asyncssh.SSHKey:
    """The host key of a lab directory, made at the first call."""
    path = directory / "ssh_host_rsa_key"
    if not path.exists():
        key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
        key.write_private_key(str(path))
        path.chmod(0o600)
    return asyncssh.read_private_key(str(path))


async def serve(lab: LabSpec, directory: Path | None, shard: tuple[int, int] = (0, 1)) -> None:
    """Run (a part of) a lab in this process until SIGTERM or SIGINT."""
    index, count = shard
    parts = shards(lab.devices, count)
    key = host_key(directory) if directory else None
    running = Lab(lab.devices, lab.host, key, served=parts[index], slice_of=shard, speed=lab.speed)
    await running.start()
    server = None
    ports = [(device.spec, device.host, device.port) for device in running.devices.values()]
    if directory:
        elsewhere = {}
        if index == 0:
            elsewhere = {name: control.socket_path(directory, n) for n in range(1, count) for name in parts[n]}
        server = await control.serve(control.socket_path(directory, index), running.devices, elsewhere)
        fresh = directory / f"ports-{index}.new"
        fresh.write_text(json.dumps({spec.name: [host, port] for spec, host, port in ports}), encoding="utf-8")
        fresh.rename(directory / f"ports-{index}.json")
    if count == 1 and sys.stdout.isatty():
        for spec, host, port in ports:
            print(
                f"{spec.name:<16} ssh -p {port} {spec.username}@{host}    password {spec.password}, "
                f"enable {spec.enable}"
            )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    if server:
        server.close()
    await running.stop()


def up(file: Path, directory: Path, processes: int = 1, timeout: float = 60) -> int:
    """Start a lab in the background and return the number of devices when all of them answer. LabError otherwise."""
    lab = load(file)
    directory.mkdir(parents=True, exist_ok=True)
    if any(_is_ours(pid, started) for pid, started in _pids(directory)):
        by_hand = f"`python -m lab down --dir {directory}`"
        raise LabError(f"a lab is up in {directory}: stop it with `make lab-down`, or {by_hand}")
    _clean(directory)
    processes = max(1, min(processes, len(lab.devices)))
    key = host_key(directory)
    (directory / LAB_FILE).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    children = [_spawn(directory, n, processes) for n in range(processes)]
    lines = [f"{child.pid} {_start_time(child.pid)}\n" for child in children]
    (directory / "pids").write_text("".join(lines), encoding="utf-8")
    try:
        ports = _wait_for_ports(directory, children, timeout)
        reach = [(spec, *ports[spec.name]) for spec in lab.devices]
        _wait_for_banners([r for r in reach if not (r[0].faults.get("silent") or r[0].faults.get("closed"))], timeout)
    except BaseException:
        down(directory)
        raise
    inventory.write(directory / "inventory.yml", inventory.inventory(reach))
    (directory / "known_hosts").write_text(inventory.known_hosts(reach, key), encoding="utf-8")
    (directory / "ssh_config").write_text(inventory.ssh_config(reach, directory.resolve()), encoding="utf-8")
    return len(reach)


def down(directory: Path, timeout: float = 10) -> int:
    """Stop the processes of a lab, and nothing else; returns how many there were."""
    ours = [(pid, started) for pid, started in _pids(directory) if _is_ours(pid, started)]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid, started in ours:
            if _is_ours(pid, started):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        end = time.monotonic() + timeout
        while any(_is_ours(pid, started) for pid, started in ours) and time.monotonic() < end:
            time.sleep(0.02)
    _clean(directory)
    return len(ours)


def _spawn(directory: Path, index: int, count: int) -> subprocess.Popen[bytes]:
    here = str(Path(__file__).resolve().parent.parent)
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [
        sys.executable,
        "-m",
        "lab",
        "serve",
        str(directory / LAB_FILE),
        "--dir",
        str(directory),
        "--shard",
        f"{index}/{count}",
    ]
    with (directory / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )


def _wait_for_ports(
    directory: Path, children: Sequence[subprocess.Popen[bytes]], timeout: float
) -> dict[str, tuple[str, int]]:
    end = time.monotonic() + timeout
    files = [directory / f"ports-{n}.json" for n in range(len(children))]
    while not all(file.exists() for file in files):
        if any(child.poll() is not None for child in children):
            tail = (directory / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise LabError(f"the lab did not start: {' '.join(tail)}; see {directory / 'log'}")
        if time.monotonic() > end:
            raise LabError(f"the lab did not start within {timeout:g} s; see {directory / 'log'}")
        time.sleep(0.02)
    return {
        name: (reach[0], reach[1])
        for file in files
        for name, reach in json.loads(file.read_text(encoding="utf-8")).items()
    }


def _wait_for_banners(devices: Sequence[inventory.Reach], timeout: float) -> None:
    end = time.monotonic() + timeout
    for spec, host, port in devices:
        while True:
            try:
                with socket.create_connection((host, port), 5) as sock:
                    if sock.recv(4) == b"SSH-":
                        break
            except OSError:
                pass
            if time.monotonic() > end:
                raise LabError(f"{spec.name} does not answer on {host} port {port}")
            time.sleep(0.02)


def _pids(directory: Path) -> list[tuple[int, str]]:
    path = directory / "pids"
    rows = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    return [(int(pid), started) for pid, started in (row.split() for row in rows if row)]


def _start_time(pid: int) -> str:
    """When a process was started, in clock ticks since boot: tells it from a later one with the same id."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return "gone"
    fields = stat.rpartition(")")[2].split()
    return "gone" if fields[0] == "Z" else fields[19]


def _is_ours(pid: int, started: str) -> bool:
    return started != "gone" and _start_time(pid) == started


def _clean(directory: Path) -> None:
    for pattern in ("pids", "control*.sock", "ports-*", "inventory.yml", "known_hosts", "ssh_config", LAB_FILE):
        for path in directory.glob(pattern):
            path.unlink(missing_ok=True)
