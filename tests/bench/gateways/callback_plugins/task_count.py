# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what a run does, into the file that BENCH_TASKS names."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_count
type: aggregate
short_description: Counts tasks
description: Counts tasks per host, and the time of each task.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """A task counts for a host that it really ran for; one with run_once is of the whole play."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_count"

    def __init__(self) -> None:
        super().__init__()
        self._hosts: dict[str, int] = {}
        self._once = 0
        self._started: list[tuple[str, float]] = []

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """The time of the one before ends."""
        self._started.append((task.get_name(), time.monotonic()))

    def v2_runner_on_ok(self, result: Any) -> None:
        """Done on one host."""
        # The other names of these two were taken away in different versions.
        task = getattr(result, "task", None) or result._task
        host = getattr(result, "host", None) or result._host
        if task.action.rpartition(".")[2] in ("include_tasks", "import_tasks"):
            return
        if task.run_once:
            self._once += 1
        else:
            self._hosts[host.name] = self._hosts.get(host.name, 0) + 1

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The end."""
        times = [when for dummy, when in self._started[1:]] + [time.monotonic()]
        tasks = [[name, round(end - start, 3)] for (name, start), end in zip(self._started, times, strict=True)]
        counted = {"hosts": self._hosts, "once": self._once, "tasks": tasks}
        Path(os.environ["BENCH_TASKS"]).write_text(json.dumps(counted), encoding="utf-8")
