# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a mesh: network, disks, power. A lab leaves no trace but its directory and what carries its id:
network namespaces ID-gwN and ID-sw, the cgroup ID with everything that runs. The disks are tmpfs in the mount namespace
of one holding process, so they end with it.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from . import disk, net, relay
from .machine import HERE, NETNS, GatewayLabError, cgroups, command, ip
from .plan import Files, Plan

SWITCH = "sw"
HOLDER = "holder"
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23
ETH_P_ALL = 3
MEMORY_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}
DEVICES = {**MEMORY_DEVICES, "tty": (5, 0), "net/tun": (10, 200)}
DEVICE_LINKS = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
ROOT = "usr etc var proc sys dev run tmp root home mnt".split()


def cgroup(lab: str) -> Path:
    """The cgroup of a lab."""
    place = cgroups()
    assert place is not None
    return place / lab


def claim(prefix: str) -> str:
    """A lab id that nobody else has, with its cgroup."""
    for number in range(1, 1000):
        lab = f"{prefix}x{number}" if number > 1 else prefix
        with suppress(FileExistsError):
            cgroup(lab).mkdir()
            return lab
    raise GatewayLabError(f"there are already 999 labs called {prefix}, the most that are possible: see {cgroups()}")


def connect(plan: Plan) -> None:
    """The namespaces, and a switch between them."""
    switch = plan.namespace(SWITCH)
    ip(*(f"netns add {plan.namespace(name)}" for name in [SWITCH, *plan.names]))
    lines = ["link set lo up"]
    if not plan.delay_ms:
        lines += ["link add br0 type bridge", "link set br0 up"]
    for name in plan.names:
        lines += [f"link add {name} type veth peer name eth0 netns {plan.namespace(name)}", f"link set {name} up"]
        lines += [] if plan.delay_ms else [f"link set {name} master br0"]
    ip(*lines, namespace=switch)
    for number, name in zip(plan.numbers, plan.names, strict=True):
        inner = f"{plan.address(number)}/24"
        namespace = plan.namespace(name)
        lines = ["link set lo up", f"addr add {plan.underlay(number)}/24 dev eth0", "link set eth0 up"]
        lines += [] if plan.platform == "wireguard" else [f"addr add {inner} dev lo"]
        ip(*lines, namespace=namespace)
        net.sysctl(namespace, {"net.ipv4.conf.all.rp_filter": "2", "net.ipv4.conf.default.rp_filter": "2"})
    if plan.link == "hub":
        net.sysctl(plan.namespace("gw1"), {"net.ipv4.ip_forward": "1"})


def link(plan: Plan, names: Iterable[str], state: str) -> None:
    """Cables in (`up`) or out (`down`), at the switch."""
    ip(*(f"link set {name} {state}" for name in names), namespace=plan.namespace(SWITCH))


def hold_disks(plan: Plan, directory: Path) -> None:
    """A process whose mount namespace has the disks of all gateways."""
    disks = directory / "disks"
    disks.mkdir()
    place = _quote(disks)
    # Into the new file system only after it is mounted.
    script = [f"mount -t tmpfs -o size=8m,mode=700 {plan.lab} {place}", f"cd {place}"]
    for name in plan.names:
        script.append(f"mkdir {name} && mount -t tmpfs -o size={disk.SIZE},mode=755 {plan.lab}-{name} {name}")
    script += ["read -r pid dummy </proc/self/stat", f"echo $pid >../{HOLDER}.pid", "exec sleep infinity"]
    start(plan.lab, HOLDER, ["unshare", "--mount", "sh", "-e", "-c", "; ".join(script)], directory)
    pid(directory, HOLDER)


def disks_of(directory: Path) -> Path:
    """Where the disks are, seen from outside."""
    return Path(f"/proc/{pid(directory, HOLDER)}/root{directory.resolve()}/disks")


def lay_disks(plan: Plan, directory: Path, files: dict[str, Files], symlinks: dict[str, str]) -> None:
    """Write what is on the disks at the first start, and keep a copy for `wipe`."""
    place = disks_of(directory)
    (place / "dev").mkdir()
    for name in ("pts", "shm", "net", "mqueue"):
        (place / "dev" / name).mkdir()
    for name, numbers in DEVICES.items():
        os.mknod(place / "dev" / name, 0o666 | stat.S_IFCHR, os.makedev(*numbers))
        (place / "dev" / name).chmod(0o666)
    for name, target in DEVICE_LINKS.items():
        (place / "dev" / name).symlink_to(target)
    for name in plan.names:
        pristine = place / name / "pristine"
        disk.write(pristine, files[name], symlinks)
        wipe(directory, name)


def wipe(directory: Path, name: str) -> None:
    """The disk of a gateway that is off, as it was at the first start."""
    place = disks_of(directory) / name
    for old in place.iterdir():
        if old.name != "pristine":
            shutil.rmtree(old)
    for part in ROOT:
        (place / "root" / part).mkdir(parents=True)
    for short in ("bin", "sbin", "lib", "lib64"):
        if Path("/", short).is_symlink():
            (place / "root" / short).symlink_to(os.readlink(f"/{short}"))
    for part in ("etc", "var"):
        (place / f"{part}.work").mkdir()
    command("cp", "-a", f"{place}/pristine/.", str(place))


def boot(plan: Plan, directory: Path, name: str) -> None:
    """Power on."""
    pid_file(directory, name).write_text("", encoding="ascii")
    spaces = ["nsenter", f"--mount=/proc/{pid(directory, HOLDER)}/ns/mnt", f"--net={NETNS / plan.namespace(name)}"]
    fresh = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--fork"]
    init = [str(HERE / "gateway-init"), name, str(directory.resolve() / "disks" / name), str(directory.resolve())]
    start(plan.lab, name, [*spaces, *fresh, *init], directory)


def power_off(plan: Plan, directory: Path, name: str) -> None:
    """Power off: whatever runs there ends at once."""
    end_cgroup(cgroup(plan.lab) / name)
    pid_file(directory, name).unlink(missing_ok=True)


def pid_file(directory: Path, name: str) -> Path:
    """Where the process id of a gateway's init stands while it is on."""
    return directory / f"{name}.pid"


def pid(directory: Path, name: str, timeout: float = 10) -> int:
    """The process that is the init of a gateway, as this machine numbers it."""
    path = pid_file(directory, name)
    found: list[str] = []

    def written() -> bool:
        nonlocal found
        with suppress(FileNotFoundError):
            found = path.read_text(encoding="ascii").splitlines(keepends=True)
        return bool(found) and found[0].endswith("\n")

    if not until(written, timeout):
        raise GatewayLabError(f"{name} did not start within {timeout:g} s: see {directory / (name + '.log')}")
    return int(found[0])


def until(true: Callable[[], bool], timeout: float, pause: float = 0.01) -> bool:
    """Wait for something; whether it came in time."""
    end = time.monotonic() + timeout
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def end_cgroup(place: Path) -> None:
    """Kill what runs in a cgroup and remove it."""
    if place.exists() and not until(lambda: _killed(place) and _removed(place), 20):
        raise GatewayLabError(f"what runs in {place} does not end")


def remove(lab: str, directory: Path) -> None:
    """Everything that carries the id of a lab, and what is in its directory."""
    end_cgroup(cgroup(lab))
    namespaces = [path.name for path in NETNS.glob(f"{lab}-*")]
    if namespaces:
        ip(*(f"netns del {name}" for name in namespaces))
    shutil.rmtree(directory, ignore_errors=True)


def start_relay(plan: Plan, directory: Path) -> None:
    """The switch that takes its time: one process with a packet socket on every link."""
    links = []
    with net.inside(plan.namespace(SWITCH)):
        for name in plan.names:
            link_ = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            link_.setsockopt(SOL_PACKET, relay.PACKET_VNET_HDR, 1)
            link_.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            link_.bind((name, ETH_P_ALL))
            links.append(link_)
    numbers = [link_.fileno() for link_ in links]
    words = [sys.executable, "-I", str(HERE / "relay.py"), str(plan.delay_ms / 2), *map(str, numbers)]
    start(plan.lab, "relay", words, directory, numbers)
    for link_ in links:
        link_.close()


def joined(lab: str, name: str, words: list[str]) -> list[str]:
    """A command that runs in a cgroup of the lab, and so ends with it."""
    place = cgroup(lab) / name
    place.mkdir(exist_ok=True)
    return ["sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', str(place), *words]


def is_populated(place: Path) -> bool:
    """Whether anything runs in a cgroup."""
    return "populated 0" not in (place / "cgroup.events").read_text(encoding="ascii")


def _killed(place: Path) -> bool:
    # Again and again: something may just be about to join.
    (place / "cgroup.kill").write_text("1", encoding="ascii")
    return not is_populated(place)


def _removed(place: Path) -> bool:
    try:
        for found in os.walk(place, topdown=False):
            os.rmdir(found[0])
    except OSError:
        return False
    return True


def start(lab: str, name: str, words: list[str], directory: Path, descriptors: Sequence[int] = ()) -> None:
    """Start something in a cgroup of its own, as nobody's child."""
    with (directory / f"{name}.log").open("ab") as log:
        subprocess.run(
            ["setsid", "--fork", *joined(lab, name, words)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=descriptors,
            check=True,
        )


def _quote(path: Path) -> str:
    return "'" + str(path.resolve()).replace("'", "'\\''") + "'"
