# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work that goes on when the session that began it is cut off. PRIVATE to the collection.

The way to the gateway may lead through the tunnel that is being changed, so nothing that must be finished may depend
on the session. The work is a child of the running module that has left its session, its terminal and, where systemd
runs, its control group; everything it needs must have been imported before it starts.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import traceback
import typing as t

from .._errors import NOTHING_CHANGED, VpnKeysError
from . import commands, files

RUNTIME = "/run/vpnops.keys"


def start(name: str, work: t.Callable[[], None]) -> None:
    """Start `work` under that name, in a process of its own, and return at once.

    It is started under a lock that `running` sees. Raises VpnKeysError(in_use) where work of that name is going on.
    """
    os.makedirs(RUNTIME, mode=0o700, exist_ok=True)
    lock = os.open(os.path.join(RUNTIME, f"{name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise VpnKeysError("in_use", f"{name} is already running on this gateway", state=NOTHING_CHANGED) from None
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        os.close(lock)
        return
    # From here on: never back into the module's own code, whatever happens.
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        _leave(name, keep=lock)
        work()
    except BaseException:  # noqa: BLE001
        _complain(name)
    finally:
        os._exit(0)


def running(name: str) -> bool:
    """Whether work of that name is going on."""
    try:
        lock = os.open(os.path.join(RUNTIME, f"{name}.lock"), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


@contextlib.contextmanager
def locked(name: str) -> t.Iterator[None]:
    """Wait for the lock of that name, and hold it."""
    files.private_directory(RUNTIME)
    lock = os.open(os.path.join(RUNTIME, f"{name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.SECRET)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        # Not by closing alone: a process started meanwhile may still share it.
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


def _leave(name: str, keep: int) -> None:
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(nothing, handle)
    for entry in os.listdir("/proc/self/fd"):
        handle = int(entry)
        if handle > 2 and handle != keep:
            try:
                os.close(handle)
            except OSError:
                pass
    _own_scope(name)


def _own_scope(name: str) -> None:
    """Ask systemd for a scope of its own: a session's processes may be killed with it (KillUserProcesses=yes)."""
    if not os.path.isdir("/run/systemd/system"):
        return
    call = "org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StartTransientUnit"
    unit = f"vpnops.keys-{name}-{os.getpid()}.scope"
    try:
        commands.attempt(
            "busctl", "call", *call.split(), "ssa(sv)a(sa(sv))", unit, "fail",
            "2", "PIDs", "au", "1", str(os.getpid()), "CollectMode", "s", "inactive-or-failed", "0", seconds=5,
        )  # fmt: skip
    except VpnKeysError:
        pass


def _complain(name: str) -> None:
    """An error nobody foresaw; its place in the code, not its text, which might hold anything."""
    try:
        places = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(sys.exc_info()[2])]
        with open(os.path.join(RUNTIME, f"{name}.error"), "w", encoding="utf-8") as file:
            file.write(" ".join(places) + "\n")
    except OSError:
        pass
