# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-playbook processes that run while a test does something else, or that it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from integration.control_node import ControlNode

from lab.device import Device

SYNC = "vpnops.keys.sync_key_servers"
PATIENCE = 240.0
"""Seconds until something that must happen counts as not happening."""


@contextmanager
def started(
    node: ControlNode, *command: str, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A playbook under way, in a process group of its own, of which nothing is left in the end."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # Tests in the background of a shell: the playbook would ignore Ctrl-C as well.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        node.command(command[0], *command[1:]),
        cwd=node.path,
        env=node.env(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill(process)
        process.communicate()


def interrupt(process: subprocess.Popen[str]) -> None:
    """What Ctrl-C does."""
    os.killpg(process.pid, signal.SIGINT)


def interrupt_twice(process: subprocess.Popen[str]) -> None:
    """What ends it at once: the first time it lets the devices in hand be finished."""
    interrupt(process)
    time.sleep(2)
    interrupt(process)


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9 for the process and the workers it forked, each of which leads a session of its own."""
    for pid in [process.pid, *_descendants(process.pid)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [one for child in map(int, children) for one in (child, *_descendants(child))]
    return []


def wait_for_cut(device: Device, process: subprocess.Popen[str]) -> None:
    """Until the fault `cut` has struck."""
    end = time.monotonic() + PATIENCE
    while device.faults.cut is not None and device.faults.cut.times:
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        assert time.monotonic() < end, f"{device.name} never got the line"
        time.sleep(0.02)
