# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action import ActionBase

from ..module_utils._directory import holder

USERS = ("awx_user_name", "tower_user_name")


class ActionModule(ActionBase):  # type: ignore[misc]
    """Says who runs the task, which only the control node knows, and runs the module."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        user = next((str(variables[name]) for name in USERS if variables.get(name)), None)
        # The run is the process that started this worker: it lives as long as the play.
        arguments["holder"] = arguments.get("holder") or holder.describe(os.getppid(), user)
        arguments["by"] = arguments.get("by") or arguments["holder"].get("user")
        if isinstance(arguments.get("gateways"), list):
            arguments["gateways"] = [
                {"name": one} if isinstance(one, str) else one for one in arguments["gateways"]
            ]
        result.update(self._execute_module("vpnops.keys.key_directory", arguments, task_vars=task_vars))
        return result
