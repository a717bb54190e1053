# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m lab gateways ...`: a mesh that stays up when the command ends."""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import kernel
from . import mesh as meshes
from .machine import available
from .mesh import Mesh
from .traffic import Traffic

INVENTORY = "inventory.yml"
# Verbs that do one thing to one gateway.
ACTIONS: dict[str, tuple[Callable[[Mesh, str], object], str]] = {
    "cut": (Mesh.cut, "take a gateway off the network of the gateways; ssh still works"),
    "reconnect": (Mesh.reconnect, "undo cut"),
    "stop": (Mesh.stop, "power off; the disk stays"),
    "start": (Mesh.start, "power on"),
    "reboot": (Mesh.reboot, "power off and on"),
    "no-ssh": (Mesh.no_ssh, "refuse ssh; everything else goes on"),
    "ssh-back": (Mesh.ssh_back, "undo no-ssh"),
    "fill-disk": (Mesh.fill_disk, "leave no room in /etc and /var"),
    "empty-disk": (Mesh.empty_disk, "undo fill-disk"),
    "read-only-etc": (Mesh.read_only_etc, "make /etc read-only"),
    "writable-etc": (Mesh.writable_etc, "undo read-only-etc"),
}


def add(verbs: Any) -> None:
    """Add the commands to a command line."""
    text = "real gateways in network namespaces (needs root)"
    top = verbs.add_parser("gateways", help=text, description=text)
    below = top.add_subparsers(required=True, metavar="COMMAND")

    def verb(name: str, run: Callable[[argparse.Namespace], int | None], help: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = below.add_parser(name, help=help, description=help)
        made.set_defaults(run=run)
        made.add_argument("--dir", type=Path, default=Path(".lab"), help="directory of the lab (default: .lab)")
        return made

    up = verb("up", _up, f"start gateways in the background; adds group gateways to {INVENTORY} in the directory")
    up.add_argument("count", type=int, help="how many; with 0 none are started")
    up.add_argument("--platform", choices=sorted(meshes.PLATFORMS), default="wireguard")
    up.add_argument("--algorithm", choices=("x25519", "ed25519", "rsa"), default="")
    up.add_argument("--link", choices=("full", "hub", "none"), default="full")
    up.add_argument("--delay", type=float, default=0, help="milliseconds of round trip between any two")
    up.add_argument("--root", action="store_true", help="ssh as root, not as admin with sudo")
    up.add_argument("--kernel", action="store_true", help="virtual machines with their own kernels, in a full mesh")
    up.add_argument("--suites", default="", help="releases of Debian of these machines, in turn: bookworm,trixie")
    up.add_argument("--accelerator", choices=("kvm", "uml", "tcg"), default="", help="what they run by")
    up.add_argument("--if-possible", action="store_true", help="if no gateway can run here, print why and succeed")
    down = verb("down", _down, "stop them")
    down.add_argument("--lab", default="", metavar="ID", help="those of a lab whose directory is gone, such as vk4711")
    run = verb("exec", _exec, "run a command as root inside a gateway")
    run.add_argument("name")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    for name, (do, help) in ACTIONS.items():
        verb(name, _do, help).add_argument("name")
        below.choices[name].set_defaults(do=do)
    traffic = verb("traffic", _traffic, "numbered packets through a tunnel, and what became of them")
    traffic.add_argument("source")
    traffic.add_argument("target")
    traffic.add_argument("--seconds", type=float, default=10)
    traffic.add_argument("--rate", type=float, default=200, help="packets a second, in each direction")
    traffic.add_argument("--output", type=Path, help="keep the raw data, JSON")


def _up(args: argparse.Namespace) -> None:
    if not args.count:
        print("no gateways, as asked")
        return
    reason = kernel.available() if args.kernel else available()
    if reason and args.if_possible:
        print(f"no gateways: {reason}")
        return
    mesh = (_machines(args) if args.kernel else _mesh(args)).up()
    # Never the directory of whoever runs this: that may be one in use.
    mesh.write_inventory(args.dir / INVENTORY, key_directory_url=f"sqlite:///{mesh.directory.resolve()}/directory.db")
    play = f".venv/bin/ansible-playbook -i {args.dir / INVENTORY}"
    print(
        f"{args.count} gateways are up, with a directory of their own.\n"
        f"  playbooks: {play} vpnops.keys.enroll_gateways (group gateways)\n"
        f"  password of their administrator: {mesh.password} (the inventory has it, and counts more than -K)\n"
        f"  by hand: PYTHONPATH=tests .venv/bin/python -m lab gateways exec --dir {args.dir} gw1 COMMAND"
    )


def _mesh(args: argparse.Namespace) -> Mesh:
    return Mesh(
        args.count,
        platform=args.platform,
        directory=args.dir,
        delay_ms=args.delay,
        link=args.link,
        algorithm=args.algorithm,
        users=not args.root,
        detached=True,
    )


def _machines(args: argparse.Namespace) -> Mesh:
    some = tuple(args.suites.split(",")) if args.suites else kernel.SUITES
    return kernel.Machines(
        kernel.suites(args.count, some),
        platform=args.platform,
        directory=args.dir,
        accelerator=args.accelerator,
        detached=True,
    )


def _down(args: argparse.Namespace) -> None:
    print("stopped the gateways" if meshes.down(args.dir, args.lab) else "no gateways were up")


def _exec(args: argparse.Namespace) -> int:
    return subprocess.run(kernel.attach(args.dir).enter(args.name) + (args.words or ["bash"]), check=False).returncode


def _do(args: argparse.Namespace) -> None:
    args.do(kernel.attach(args.dir), args.name)


def _traffic(args: argparse.Namespace) -> None:
    with Traffic(kernel.attach(args.dir), args.source, args.target, args.rate) as traffic:
        time.sleep(args.seconds)
        result = traffic.stop()
    if args.output:
        result.save(args.output)
    print(json.dumps(result.summary(), indent=2))
