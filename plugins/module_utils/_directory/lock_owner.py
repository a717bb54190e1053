# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who runs this, and whether another one still does. PRIVATE to the collection; standard library only."""

from __future__ import annotations

import getpass
import os
import socket
import typing as t
from collections.abc import Mapping


def describe(pid: int, user: str | None = None) -> dict[str, t.Any]:
    """How a process of this machine is named as the owner of a lock. `user`: who started it."""
    host, started = socket.gethostname(), _started(pid)
    return {
        "user": user or _user(),
        "host": host,
        "pid": pid,
        "started": started,
        "machine": _machine(),
        "run": f"{host}:{pid}:{started}",
    }


def is_gone(owner: Mapping[str, t.Any]) -> bool:
    """Whether the process certainly has ended. Of another machine, or of this one before its last boot, nothing
    is certain: its lease will tell."""
    if owner.get("machine") != _machine() or not owner.get("machine"):
        return False
    pid = int(owner["pid"])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    started = _started(pid)
    return started is not None and started != owner.get("started")


def _started(pid: int) -> int | None:
    """Clock ticks from boot to the start of the process: another process with the same number has another one."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _machine() -> str:
    """Within it a process number means one process: this boot, and this namespace of process numbers."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
