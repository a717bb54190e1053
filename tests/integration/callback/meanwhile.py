# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does something to the gateways in the middle of a run: before the task $RUN_BEFORE the shell command $RUN."""

from __future__ import annotations

import os
import subprocess
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: meanwhile
type: aggregate
short_description: Runs a command before a task
description: For the tests of this collection.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "meanwhile"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        if task.get_name().rpartition(" : ")[2] == os.environ["RUN_BEFORE"] and not is_conditional:
            subprocess.run(os.environ["RUN"], shell=True, check=True, timeout=900)
