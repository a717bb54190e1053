# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How virtual machines run here: by KVM where it really works, else user-mode Linux, else emulated by qemu."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from ..gateways import machine
from . import words
from .plan import Accelerator

IMAGES = Path(__file__).resolve().parents[3] / ".build" / "kernel"
"""What scripts/kernel-images makes."""
CHOICE = "LAB_ACCELERATOR"
FIRST_WORDS = b"Linux version"
PRINTS_WITHIN = 10.0
"""Seconds. There are machines whose /dev/kvm opens, and a guest comes no further than its firmware."""


def available() -> str:
    """Why no virtual machine can run here, with the command that fixes it; empty when they can."""
    if os.geteuid() != 0:
        return "Gateways with their own kernels need root: run the same command as root (sudo -E ...)."
    if not all((IMAGES / suite / "disk.raw").exists() for suite in ("bookworm", "trixie")):
        return "Gateways with their own kernels need disks: run make test-kernel, or scripts/kernel-images."
    if reason := machine.lacking("Gateways with their own kernels"):
        return reason
    try:
        chosen()
    except machine.GatewayLabError as error:
        return str(error)
    return ""


def chosen(wish: str = "") -> Accelerator:
    """What machines run by: as wished, or as the environment says, or the best that works."""
    wish = wish or os.environ.get(CHOICE, "")
    ways: dict[Accelerator, bool] = {"kvm": False, "uml": uml_is_there(), "tcg": qemu_is_there()}
    if wish in ("", "kvm"):
        ways["kvm"] = kvm_works()
    for way, works in ways.items():
        if works and wish in ("", way):
            return way
    if wish:
        raise machine.GatewayLabError(f"{wish} does not work here: choose one of {', '.join(ways)}, or none")
    raise machine.GatewayLabError("Neither KVM nor user-mode Linux nor qemu runs here, so no gateway has a kernel.")


def uml_is_there() -> bool:
    """Whether there is user-mode Linux with WireGuard."""
    return (IMAGES / "uml" / "linux").exists()


def qemu_is_there() -> bool:
    """Whether there is qemu."""
    return shutil.which(words.QEMU) is not None


@lru_cache
def kvm_works() -> bool:
    """Whether a kernel says its first words in time."""
    kernel = IMAGES / "bookworm" / "vmlinuz"
    if not qemu_is_there() or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    line = "console=ttyS0 panic=-1"
    guest = [*words.machine("kvm"), "-m", "256", "-kernel", str(kernel), "-append", line]
    return prints(guest, FIRST_WORDS, PRINTS_WITHIN)


def prints(command: Sequence[str], wanted: bytes, within: float) -> bool:
    """Whether a command prints this within so many seconds. It is ended then."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        assert process.stdout is not None
        end, found = time.monotonic() + within, b""
        try:
            while wanted not in found and select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                more = os.read(process.stdout.fileno(), 4096)
                if not more:
                    break
                found += more
        finally:
            process.kill()
    return wanted in found
