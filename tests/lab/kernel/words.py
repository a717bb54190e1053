# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts a virtual machine."""

from __future__ import annotations

from pathlib import Path

from .plan import KernelPlan, mac, taps

QEMU = "qemu-system-x86_64"
# Some hosts offer the model-specific register arch-capabilities, and don't let it be set.
CPUS = {"kvm": "host,-arch-capabilities", "tcg": "max"}

SHUT_DOWN = {"kvm": "systemctl reboot", "tcg": "systemctl reboot", "uml": "systemctl poweroff"}
"""What ends its process, too. User-mode Linux that starts anew in its process does not find its network again."""


def start(plan: KernelPlan, number: int, images: Path, home: Path) -> list[str]:
    """The words that start a gateway with what is in `images`; its disk is in `home`."""
    return (uml if plan.accelerator == "uml" else qemu)(plan, number, images, home)


def disk(plan: KernelPlan, number: int, images: Path, home: Path) -> list[str]:
    """The words that make its disk, over that of its release; none where the machine does it itself."""
    if plan.accelerator == "uml":
        return []
    base = images / plan.suite(number) / "disk.raw"
    return ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base), str(disk_of(plan, number, home))]


def disk_of(plan: KernelPlan, number: int, home: Path) -> Path:
    """Where its disk is."""
    return home / f"gw{number}.{'cow' if plan.accelerator == 'uml' else 'qcow2'}"


def machine(accelerator: str) -> list[str]:
    """A machine without anything, for qemu."""
    bare = ["-display", "none", "-nodefaults", "-no-user-config", "-serial", "stdio"]
    return [QEMU, "-machine", f"microvm,accel={accelerator}", "-cpu", CPUS[accelerator], *bare]


def qemu(plan: KernelPlan, number: int, images: Path, home: Path) -> list[str]:
    """By KVM, or emulated."""
    place = images / plan.suite(number)
    words = [*machine(plan.accelerator), "-no-reboot", "-name", f"gw{number}", "-m", str(plan.memory), "-smp", "1"]
    words += ["-kernel", str(place / "vmlinuz"), "-initrd", str(place / "initrd")]
    words += ["-append", f"root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet lab.number={number}"]
    # Nobody writes to the disk of a release, and user-mode Linux locks all of it.
    backing = "backing.file.locking=off"
    words += ["-drive", f"id=root,file={disk_of(plan, number, home)},if=none,format=qcow2,{backing}"]
    words += ["-device", "virtio-blk-device,drive=root", "-device", "virtio-rng-device"]
    for side, tap in enumerate(taps(number)):
        words += ["-netdev", f"tap,id={tap},ifname={tap},script=no,downscript=no"]
        words += ["-device", f"virtio-net-device,netdev={tap},mac={mac(side, number)}"]
    return words


def uml(plan: KernelPlan, number: int, images: Path, home: Path) -> list[str]:
    """The kernel as a process of this machine."""
    words = [str(images / "uml" / "linux"), f"uml_dir={home}", f"umid=gw{number}", f"mem={plan.memory}M"]
    words += ["con=null", "con0=null,fd:1", "console=tty0", "root=/dev/ubda", "rw", "quiet", "net.ifnames=0"]
    words.append(f"ubd0={disk_of(plan, number, home)},{images / plan.suite(number) / 'disk.raw'}")
    words.append(f"ubd1r={images / 'uml' / 'modules.ext4'}")
    for side, tap in enumerate(taps(number)):
        words.append(f"vec{side}:transport=tap,ifname={tap},depth=128,gro=0,mac={mac(side, number)}")
    return [*words, f"lab.number={number}"]
