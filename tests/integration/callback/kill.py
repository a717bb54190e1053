# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills ansible-playbook and all its workers at one instant: $KILL_AT is `before:TASK`, or `within:TASK` for when the
first host has done it."""

from __future__ import annotations

import os
import signal
import typing as t
from contextlib import suppress
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: kill
type: aggregate
short_description: Kills the playbook at a task
description: For the tests of this collection.
"""


def descendants(pid: int) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [one for child in map(int, children) for one in (child, *descendants(child))]
    return []


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kill"
    CALLBACK_NEEDS_ENABLED = True

    def _at(self, when: str, task: t.Any) -> None:
        wanted, dummy, name = os.environ.get("KILL_AT", "").partition(":")
        if (wanted, name) != (when, task.get_name().rpartition(" : ")[2]) or task.action.endswith("include_tasks"):
            return
        for pid in [*descendants(os.getpid()), os.getpid()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        self._at("before", task)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._at("within", result._task)
