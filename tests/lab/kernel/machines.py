# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh of virtual machines: as one of namespaces, but with kernels of their own, and real reboots."""

from __future__ import annotations

import io
import shlex
import shutil
import subprocess
import tarfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import partial
from pathlib import Path

from ..gateways import hosts, inventory, mesh, net, tunnels
from ..gateways.machine import NETNS, GatewayLabError, command, ip, last_line
from ..gateways.plan import Files, Plan, Platform
from . import accelerate, words
from . import plan as plans
from .plan import KernelPlan

BOOT = 900.0
"""Seconds until a machine counts as one that does not start. An emulated one on a busy machine takes its time."""
START = 10.0
"""Seconds until the process of a machine counts as one that does not start."""
PATIENCE = 300.0
"""Seconds for a script."""
SSHD = "UseDNS no\nMaxSessions 50\nMaxStartups 50\n"
QUIET = "for device in {0}; do ethtool -K $device tso off gso off gro off tx off >/dev/null 2>&1 || true; done"
STARTED = "systemctl is-system-running --wait"
# Ansible logs in as an administrator, the lab itself as root.
ROOT = "-o ConnectTimeout=10 -o BatchMode=yes -o ServerAliveInterval=5 -o ServerAliveCountMax=6"


class Machines(mesh.Mesh):
    """Virtual machines with tunnels between them, from `with` to its end; see README.md."""

    plan: KernelPlan

    def __init__(
        self,
        suites: Sequence[str],
        *,
        platform: Platform = "wireguard",
        directory: Path | str,
        accelerator: str = "",
        memory: int = 512,
        wait: bool = True,
        detached: bool = False,
    ) -> None:
        super().__init__(len(suites), platform=platform, directory=directory, wait=wait, detached=detached)
        common = {field.name: getattr(self.plan, field.name) for field in fields(Plan)}
        way = accelerate.chosen(accelerator)
        self.plan = KernelPlan(**common, suites=tuple(suites), accelerator=way, memory=memory)

    # -- life

    @classmethod
    def attach(cls, directory: Path | str) -> Machines:
        """Those that another process brought up."""
        state = mesh.state_of(directory)
        made = cls(state["plan"]["suites"], directory=directory, accelerator=state["plan"]["accelerator"])
        made.plan = KernelPlan(**{**state["plan"], "suites": tuple(state["plan"]["suites"])})
        made.password = state["password"]
        return made

    def _available(self) -> str:
        return accelerate.available()

    def _build(self) -> None:
        shutil.copy(accelerate.IMAGES / "id", self.directory / "id")
        self._connect()
        self._files = self._platform.configure(self.plan)
        self._power_on(self.names)
        self._set_up()

    def _connect(self) -> None:
        switch = self.plan.namespace(plans.SWITCH)
        ip(*(f"netns add {self.plan.namespace(name)}" for name in [plans.SWITCH, *self.names]))
        ip(*plans.switch(self.plan), namespace=switch)
        for number in self.plan.numbers:
            ip(*plans.behind(self.plan, number), namespace=self.plan.namespace(f"gw{number}"))
        # User-mode Linux drops large frames that this kernel would hand over whole.
        for namespace in {namespace for namespace, dummy in plans.cables(self.plan)}:
            ends = " ".join(end for where, end in plans.cables(self.plan) if where == namespace)
            command("nsenter", f"--net={NETNS / namespace}", "sh", "-c", QUIET.format(ends))

    def _set_up(self) -> None:
        """What an administrator does on every gateway, and the tunnels."""
        with ThreadPoolExecutor(len(self.names)) as pool:
            list(pool.map(self._configure, self.plan.numbers))
        self._call(self.names)
        if self._wait_for_tunnels:
            self._wait(self.names)

    def _configure(self, number: int) -> None:
        name = f"gw{number}"
        # What the lab of namespaces has for ESP without a kernel is not wanted here.
        own = {path: file for path, file in self._files[number].items() if not path.startswith("etc/strongswan.d/")}
        files = {**own, "etc/ssh/sshd_config.d/lab.conf": (0o644, SSHD)}
        self._ssh(name, "tar -x -C / --no-same-owner", archive(files))
        self._ssh(name, "chpasswd", f"admin:{self.password}\n".encode())
        unit = self._platform.UNIT
        self.run(name, f"systemctl reload ssh; systemctl enable --quiet {unit}; systemctl restart {unit}")

    # -- what it is

    def path(self, name: str, path: str) -> Path:
        """There is none: what is on the disk of a virtual machine is seen only by itself."""
        raise GatewayLabError(f"{name} is a virtual machine: read {path} by run()")

    def console(self, name: str) -> str:
        """What a machine printed."""
        path = self.directory / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    # -- what one does with it

    def enter(self, name: str) -> list[str]:
        """The words in front of a command, as one word for a shell, that shall run as root on a gateway."""
        namespace, address = self.plan.management(self._number(name))
        options = shlex.split(inventory.SSH.format(netns=NETNS / namespace, address=address))
        target = f"root@{name}.{self.plan.lab}.invalid"
        return ["ssh", *options, *shlex.split(ROOT), "-i", str(self.directory / "id"), target]

    def run(self, name: str, script: str, *, check: bool = True, timeout: float = PATIENCE) -> str:
        """Run a shell script as root on a gateway, by ssh; what it printed."""
        return self._ssh(name, script, b"", check=check, timeout=timeout)

    def _ssh(self, name: str, script: str, given: bytes, *, check: bool = True, timeout: float = PATIENCE) -> str:
        done = subprocess.run(
            [*self.enter(name), script], input=given, capture_output=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            said = last_line((done.stderr or done.stdout).decode(errors="replace"))
            raise GatewayLabError(f"{name}: {script!r} ended with {done.returncode}: {said}")
        return done.stdout.decode(errors="replace")

    def restart(self, name: str, *, wait: bool = False) -> None:
        """Reboot as an administrator does: everything is shut down first."""
        self.run(name, words.SHUT_DOWN[self.plan.accelerator], check=False)
        if not hosts.until(partial(self._has_ended, name), BOOT, 0.1):
            raise GatewayLabError(f"{name} did not shut down within {BOOT:g} s: {last_line(self.console(name))}")
        self.reboot(name, wait=wait)

    def reset(self) -> None:
        """Everything as it was just after the start: power off, fresh disks, power on."""
        for name in self.names:
            hosts.power_off(self.plan, self.directory, name)
            words.disk_of(self.plan, self.plan.number(name), self.directory).unlink(missing_ok=True)
        hosts.link(self.plan, self.names, "up")
        self._power_on(self.names)
        self._set_up()

    def _boot(self, names: Sequence[str]) -> None:
        self._power_on(names)
        self._call(names)

    def _power_on(self, names: Sequence[str]) -> None:
        for name in names:
            number = self.plan.number(name)
            create = words.disk(self.plan, number, accelerate.IMAGES, self.directory)
            if create and not words.disk_of(self.plan, number, self.directory).exists():
                command(*create)
            hosts.pid_file(self.directory, name).touch()
            start = words.start(self.plan, number, accelerate.IMAGES, self.directory)
            switch = NETNS / self.plan.namespace(plans.SWITCH)
            hosts.start(self.plan.lab, name, ["nsenter", f"--net={switch}", *start], self.directory)
            hosts.until(partial(hosts.is_populated, hosts.cgroup(self.plan.lab) / name), START)
        end = time.monotonic() + BOOT
        for name in names:
            if not hosts.until(partial(self._has_booted, name), end - time.monotonic(), 0.5):
                raise GatewayLabError(f"{name} did not start within {BOOT:g} s: {last_line(self.console(name))}")

    def _has_booted(self, name: str) -> bool:
        """Whether ssh answers and all has started."""
        if self._has_ended(name):
            raise GatewayLabError(f"{name} has ended: {last_line(self.console(name))}")
        answers = net.ssh_answers(*self.plan.management(self.plan.number(name)))
        return answers and self.run(name, STARTED, check=False).strip() in ("running", "degraded")

    def _has_ended(self, name: str) -> bool:
        return not hosts.is_populated(hosts.cgroup(self.plan.lab) / name)

    def _call(self, booted: Sequence[str]) -> None:
        """From those that just started, since a peer may still believe in an older tunnel."""
        if self.plan.platform == "strongswan" and self.plan.start_action == "none":
            self._initiate(booted)
        tunnels.ping(self.plan, self._own_tunnels(booted), mesh.KICK)


def attach(directory: Path | str) -> mesh.Mesh:
    """The mesh that another process brought up, of whatever kind."""
    kind = Machines if "suites" in mesh.state_of(directory)["plan"] else mesh.Mesh
    return kind.attach(directory)


def archive(files: Files) -> bytes:
    """Files as a tar, for root."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for path, (mode, text) in files.items():
            content = text.encode()
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return sink.getvalue()
