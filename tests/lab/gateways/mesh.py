# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh of gateways: up, down, and everything that can happen to them in between."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from .. import tampering
from . import disk, hosts, inventory, net, strongswan, tampered, tunnels, wireguard
from .machine import HERE, GatewayLabError, allow_inotify, available, last_line
from .plan import Link, Plan, Platform

PLATFORMS: dict[str, ModuleType] = {"wireguard": wireguard, "strongswan": strongswan}
STATE = "mesh.json"
MOST = 99
PATIENCE = 60.0
"""Seconds until something that must happen counts as not happening."""
SOON = 10.0
"""Seconds until a VPN that does not start is left alone: a test may have broken it."""
KICK = 0.3
"""Seconds of pings from a gateway that just started, so that its peers notice."""
TAMPERED = "/var/lib/tampered"
FORCED = f"ForceCommand /usr/bin/python3 -I -B {TAMPERED}/tampered.py"


class Mesh:
    """Gateways with tunnels between them, from `with` to its end; see README.md."""

    def __init__(
        self,
        count: int,
        *,
        platform: Platform = "wireguard",
        directory: Path | str,
        delay_ms: float = 0,
        link: Link = "full",
        algorithm: str = "",
        users: bool = True,
        wait: bool = True,
        private_key_file: bool = False,
        start_action: str = "none",
        detached: bool = False,
    ) -> None:
        if platform not in PLATFORMS:
            raise GatewayLabError(f"the platforms are {' and '.join(PLATFORMS)}, not {platform!r}")
        if not 1 <= count <= MOST:
            raise GatewayLabError(f"a mesh has from 1 to {MOST} gateways, not {count}")
        self.directory = Path(directory).resolve() / "gateways"
        self.plan = Plan(
            "",
            count,
            platform,
            delay_ms,
            link,
            algorithm or ("x25519" if platform == "wireguard" else "ed25519"),
            users,
            private_key_file,
            "start" if start_action == "start" else "none",
        )
        self.password = secrets.token_urlsafe(12)
        self._wait_for_tunnels = wait
        self._detached = detached
        self._keeper: subprocess.Popen[bytes] | None = None

    # -- life

    @classmethod
    def attach(cls, directory: Path | str) -> Mesh:
        """A mesh that another process brought up."""
        state = state_of(directory)
        mesh = cls(state["plan"]["count"], directory=directory, detached=True)
        mesh.plan = Plan(**state["plan"])
        mesh.password = state["password"]
        return mesh

    def up(self) -> Mesh:
        """Bring everything up. GatewayLabError when that does not work; nothing is left then."""
        if reason := self._available():
            raise GatewayLabError(reason)
        if (self.directory / STATE).exists():
            raise GatewayLabError(f"gateways are up in {self.directory.parent}: take them down first")
        allow_inotify()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.plan = replace(self.plan, lab=hosts.claim(f"vk{os.getpid()}"))
        state = {"plan": asdict(self.plan), "password": self.password}
        _secret(self.directory / STATE, json.dumps(state))
        try:
            if not self._detached:
                self._keep()
            self._build()
        except BaseException:
            self.down()
            raise
        return self

    def down(self) -> None:
        """Remove everything."""
        hosts.remove(self.plan.lab, self.directory)
        if self._keeper and self._keeper.stdin:
            try:
                self._keeper.stdin.write(b"done\n")
                self._keeper.stdin.close()
            except BrokenPipeError:
                pass
            self._keeper.wait()
            self._keeper = None

    def __enter__(self) -> Mesh:
        return self.up()

    def __exit__(self, *dummy: object) -> None:
        self.down()

    def _available(self) -> str:
        return available()

    def _keep(self) -> None:
        """A process that takes the lab down should this one end without doing so."""
        self._keeper = subprocess.Popen(
            ["sh", "-c", 'read -r word || exec "$@"', "keeper", sys.executable, "-m", "lab", "gateways", "down"]
            + ["--dir", str(self.directory.parent), "--lab", self.plan.lab],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(HERE.parent.parent)},
        )

    def _build(self) -> None:
        key = Ed25519PrivateKey.generate()
        _secret(self.directory / "id", _openssh(key))
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        access = disk.Access(f"{public}\n", _openssh(Ed25519PrivateKey.generate()), self.password)
        platform = self._platform
        files = {
            f"gw{number}": {**disk.system_files(f"gw{number}", access), **own}
            for number, own in platform.configure(self.plan).items()
        }
        hosts.connect(self.plan)
        hosts.hold_disks(self.plan, self.directory)
        hosts.lay_disks(self.plan, self.directory, files, disk.links(platform.UNIT))
        if self.plan.delay_ms:
            hosts.start_relay(self.plan, self.directory)
        self._boot(self.names)
        if self._wait_for_tunnels:
            self._wait(self.names)

    # -- what it is

    @property
    def _platform(self) -> ModuleType:
        return PLATFORMS[self.plan.platform]

    @property
    def names(self) -> list[str]:
        """gw1, gw2, ..."""
        return self.plan.names

    def inventory(self) -> dict[str, Any]:
        """Group `gateways`, for Ansible."""
        return inventory.inventory(self.plan, self.directory, self.password)

    def write_inventory(self, path: Path | str, **shared: str) -> Path:
        """Write group `gateways`, and variables for everybody, into an inventory; what else is in that file stays."""
        target = Path(path)
        content = yaml.safe_load(target.read_text(encoding="utf-8")) if target.exists() else {}
        whole = {**(content or {}), **self.inventory(), **({"all": {"vars": shared}} if shared else {})}
        _secret(target, yaml.safe_dump(whole, sort_keys=False))
        return target

    def address(self, name: str) -> str:
        """The address inside the tunnel."""
        return self.plan.address(self._number(name))

    def underlay(self, name: str) -> str:
        """The address outside the tunnel."""
        return self.plan.underlay(self._number(name))

    def namespace(self, name: str) -> str:
        """The name of a gateway's network namespace."""
        self._number(name)
        return self.plan.namespace(name)

    def path(self, name: str, path: str) -> Path:
        """A file of a running gateway, seen from outside."""
        return Path(f"/proc/{self.pid(name)}/root") / path.lstrip("/")

    def pid(self, name: str) -> int:
        """The process id of a gateway's init."""
        self._number(name)
        if not self.is_on(name):
            raise GatewayLabError(f"{name} is off")
        return hosts.pid(self.directory, name)

    def _number(self, name: str) -> int:
        if name not in self.names:
            raise GatewayLabError(f"there is no {name}: the gateways are {', '.join(self.names)}")
        return self.plan.number(name)

    # -- what one does with it

    def enter(self, name: str) -> list[str]:
        """The words in front of a command that shall run as root inside a gateway."""
        environment = ["HOME=/root", "LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        return ["nsenter", f"--target={self.pid(name)}", "--all", "env", "-i", *environment]

    def run(self, name: str, script: str, *, check: bool = True, timeout: float = PATIENCE) -> str:
        """Run a shell script as root inside a gateway, without ssh; what it printed."""
        done = subprocess.run(
            [*self.enter(name), "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            said = last_line(done.stderr or done.stdout)
            raise GatewayLabError(f"{name}: {script!r} ended with {done.returncode}: {said}")
        return done.stdout

    def wait(self, timeout: float = PATIENCE) -> None:
        """Until every tunnel between gateways that are on and connected works."""
        self._wait((), timeout)

    def unreachable(self, timeout: float = 1) -> list[tuple[str, str]]:
        """The pairs of gateways that are on and cannot ping each other through the tunnel."""
        return tunnels.ping(self.plan, tunnels.pairs(self.plan, [n for n in self.names if self.is_on(n)]), timeout)

    def cut(self, name: str) -> None:
        """Take a gateway off the network of the gateways; ssh still works."""
        self._number(name)
        hosts.link(self.plan, [name], "down")

    def reconnect(self, name: str) -> None:
        """Undo `cut`."""
        self._number(name)
        hosts.link(self.plan, [name], "up")

    def is_on(self, name: str) -> bool:
        """Whether a gateway has power."""
        return hosts.pid_file(self.directory, name).exists()

    def stop(self, name: str) -> None:
        """Power off, without a shutdown; the disk stays."""
        self.cut(name)
        hosts.power_off(self.plan, self.directory, name)

    def start(self, name: str, *, wait: bool = False) -> None:
        """Power on; returns when ssh answers. With `wait`, when its tunnels work: they need not, as peers may know
        another key by now."""
        self.reconnect(name)
        self._boot([name])
        if wait:
            self._wait([name])

    def reboot(self, name: str, *, wait: bool = False) -> None:
        """Power off and on."""
        self.stop(name)
        self.start(name, wait=wait)

    def no_ssh(self, name: str) -> None:
        """Refuse ssh, and end what is connected; everything else goes on."""
        self.run(name, "systemctl stop ssh; pkill -x sshd; true")

    def ssh_back(self, name: str) -> None:
        """Undo `no_ssh`."""
        self.run(name, "systemctl start ssh")

    def fill_disk(self, name: str) -> None:
        """Not a byte more fits on the disk (/etc and /var; /home, /root, /run and /tmp are elsewhere)."""
        self.run(name, "cat /dev/zero >/var/tmp/fill 2>/dev/null || true")

    def empty_disk(self, name: str) -> None:
        """Undo `fill_disk`."""
        self.run(name, "rm -f /var/tmp/fill")

    def read_only_etc(self, name: str) -> None:
        """/etc cannot be written."""
        self.run(name, "mount -o remount,ro /etc")

    def writable_etc(self, name: str) -> None:
        """Undo `read_only_etc`."""
        self.run(name, "mount -o remount,rw /etc")

    def tamper(self, name: str, mutation: tampering.Mutation, *modules: str) -> None:
        """From now on a gateway answers with this mutation of the result of these modules, by default of all that it
        was not told about. Whatever is asked is done, and kept: see `received`."""
        place = self.path(name, TAMPERED)
        plan = place / "plan.json"
        known = json.loads(plan.read_text()) if plan.exists() else {}
        place.mkdir(exist_ok=True)
        for source in (tampering.__file__, tampered.__file__):
            (place / Path(source).name).write_bytes(Path(source).read_bytes())
        plan.write_text(json.dumps({**known, **{module: mutation.to_json() for module in modules or ("*",)}}))
        for kept in ("received", tampered.FORGED):
            (place / kept).touch()
            (place / kept).chmod(0o666)
        self._force(name, f"{FORCED}\n")

    def heal(self, name: str) -> None:
        """Undo `tamper`."""
        self._force(name, "")
        self.run(name, f"rm -rf {TAMPERED}")

    def received(self, name: str) -> bytes:
        """All that a tampered gateway was sent by ssh: commands and their standard input."""
        return (self.path(name, TAMPERED) / "received").read_bytes()

    def forged(self, name: str) -> list[str]:
        """The names of the mutations in place of results that it has sent, in order."""
        return (self.path(name, TAMPERED) / tampered.FORGED).read_text().splitlines()

    def _force(self, name: str, line: str) -> None:
        """A line at the end of sshd's configuration. Connections that stand would know nothing of it."""
        config = self.path(name, "/etc/ssh/sshd_config")
        wanted = disk.SSHD + line
        if config.read_text() != wanted:
            config.write_text(wanted)
            # Whoever does it often meets the limit that systemd has for starts.
            self.run(name, "systemctl stop ssh; pkill -x sshd; systemctl reset-failed ssh; systemctl start ssh")
            hosts.until(partial(net.ssh_answers, self.namespace(name)), PATIENCE)

    def reset(self) -> None:
        """Everything as it was just after the start: power off, fresh disks, power on."""
        for name in self.names:
            hosts.power_off(self.plan, self.directory, name)
            hosts.wipe(self.directory, name)
        hosts.link(self.plan, self.names, "up")
        self._boot(self.names)
        if self._wait_for_tunnels:
            self._wait(self.names)

    def _boot(self, names: Sequence[str]) -> None:
        for name in names:
            hosts.boot(self.plan, self.directory, name)
        end = time.monotonic() + PATIENCE
        for name in names:
            if not hosts.until(partial(net.ssh_answers, self.namespace(name)), end - time.monotonic()):
                log = (self.directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")
                raise GatewayLabError(f"{name} did not start within {PATIENCE:g} s: {last_line(log)}")
        soon = time.monotonic() + SOON
        for name in names:
            hosts.until(partial(self._platform.is_ready, self.namespace(name)), soon - time.monotonic())
        time.sleep(self._platform.SETTLE)
        if self.plan.platform == "strongswan" and self.plan.start_action == "none":
            self._initiate(names)
        tunnels.ping(self.plan, self._own_tunnels(names), KICK)

    def _initiate(self, booted: Sequence[str]) -> None:
        """From those that just started, since a peer may still believe in an older tunnel."""
        pairs = self._own_tunnels(booted)

        def initiate(name: str) -> None:
            peers = [self.plan.number(target) for source, target in pairs if source == name]
            self.run(name, strongswan.initiate(peers))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: self.run(name, f"set -e; {strongswan.AWAIT_LOADED}"), booted))
            list(pool.map(initiate, booted))

    def _own_tunnels(self, booted: Sequence[str]) -> list[tuple[str, str]]:
        return tunnels.direct(self.plan, tunnels.pairs(self.plan, self._connected(), booted))

    def _connected(self) -> list[str]:
        return [name for name in self.names if self.is_on(name) and net.is_up(self.plan.namespace(hosts.SWITCH), name)]

    def _wait(self, booted: Sequence[str], timeout: float = PATIENCE) -> None:
        missing = tunnels.wait(self.plan, tunnels.pairs(self.plan, self._connected(), booted), timeout)
        if missing:
            few = ", ".join(f"{source} to {target}" for source, target in missing[:5])
            raise GatewayLabError(f"{len(missing)} tunnels did not work within {timeout:g} s: {few}")


def state_of(directory: Path | str) -> dict[str, Any]:
    """What is written down of the gateways that are up in a directory."""
    path = Path(directory).resolve() / "gateways" / STATE
    try:
        return cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise GatewayLabError(f"no gateways are up in {directory}") from None


def down(directory: Path | str, lab: str = "") -> bool:
    """Take down what is up in a directory, or the lab of an id (its directory may be gone); whether there was any."""
    there = True
    try:
        lab = lab or state_of(directory)["plan"]["lab"]
        there = hosts.cgroup(lab).exists()
    except GatewayLabError:
        return False
    hosts.remove(lab, Path(directory).resolve() / "gateways")
    return there


def _openssh(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def _secret(path: Path, content: str) -> None:
    """Write a file that only root reads."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(content, encoding="utf-8")
