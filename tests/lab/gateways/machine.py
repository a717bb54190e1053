# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine must offer: root, cgroups of version 2, /dev/net/tun, Debian packages."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
NETNS = Path("/run/netns")
INOTIFY_INSTANCES = 1024


class GatewayLabError(Exception):
    """Something a user should read."""


def packages() -> dict[str, Path]:
    """The Debian packages that gateways need, each with a file that shows that it is installed."""
    rows = (line.split() for line in (HERE / "packages.txt").read_text(encoding="utf-8").splitlines())
    return {row[0]: Path(row[1]) for row in rows if row and row[0] != "#"}


def missing_packages() -> list[str]:
    """Those that are not installed."""
    return [package for package, proof in packages().items() if not proof.exists()]


@lru_cache
def cgroups() -> Path | None:
    """Where cgroups of version 2 are mounted."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    return next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)


def available() -> str:
    """Why no gateway can run on this machine, with the command that fixes it; empty when they can."""
    missing = missing_packages()
    line = f"apt-get install -y --no-install-recommends {' '.join(missing)}"
    if os.geteuid() != 0:
        more = f"; first install what is missing: sudo {line}" if missing else ""
        return f"Real gateways need root: run the same command as root (sudo -E ...){more}."
    if missing:
        return f"Real gateways need Debian packages that are not installed: run scripts/gateway-packages, or {line}."
    return lacking("Real gateways")


def lacking(who: str) -> str:
    """What the kernel of this machine does not offer to any gateway; empty when nothing."""
    if not Path("/dev/net/tun").exists():
        return f"{who} need /dev/net/tun: mkdir -p /dev/net && mknod -m 666 /dev/net/tun c 10 200."
    if cgroups() is None:
        return f"{who} need cgroups of version 2: mount -t cgroup2 none /sys/fs/cgroup."
    return ""


def allow_inotify() -> None:
    """systemd and wireguard-go need four inotify instances a gateway, and all root processes of a machine share what is
    often 128. wireguard-go exits when it gets none. Raised until the next boot of this machine."""
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text(encoding="ascii")) < INOTIFY_INSTANCES:
        with suppress(OSError):  # a container that may not; up to 25 gateways or so work nevertheless
            limit.write_text(str(INOTIFY_INSTANCES), encoding="ascii")


def command(*words: str, text: str | None = None, timeout: float = 60) -> str:
    """Run a command of this machine; its output. GatewayLabError with its last words when it fails."""
    done = subprocess.run(
        words, input=text, capture_output=True, text=True, timeout=timeout, check=False, errors="replace"
    )
    if done.returncode:
        raise GatewayLabError(f"{words[0]} ended with {done.returncode}: {last_line(done.stderr or done.stdout)}")
    return done.stdout


def ip(*lines: str, namespace: str = "") -> None:
    """Run lines of iproute2 in one process."""
    command("ip", *(["-n", namespace] if namespace else []), "-batch", "-", text="\n".join(lines) + "\n")


def last_line(text: str) -> str:
    """The last words of a program, for an error message."""
    lines: Sequence[str] = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
