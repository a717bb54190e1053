# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

from ..module_utils._directory import lock_owner
from ..module_utils._fleet import findings
from ..plugin_utils import claims, interruption
from ..plugin_utils.directory_action import Data, DirectoryAction
from ..plugin_utils.progress import pipe, results

USERS = ("awx_user_name", "tower_user_name")

# Every change of gateways goes through the directory: what imports this in Ansible's main process may be interrupted.
interruption.prepare()


class ActionModule(DirectoryAction):
    """Says who runs the task, which only the control node knows, and reads what gateways answered."""

    def run(self, tmp: str | None = None, task_vars: Data | None = None) -> Data:
        result = super().run(tmp, task_vars)
        # The callback says it in its summary.
        if isinstance(result.get("directory"), dict) and not self._task.check_mode and not pipe.is_open():
            interruption.note_under_way(f"interrupted. {findings.open_rotations(results.open_rotations(result))}")
        return result

    def arguments(self, given: Data, variables: Data) -> Data:
        user = next((str(variables[name]) for name in USERS if variables.get(name)), None)
        # The run is the process that started this worker: it lives as long as the play.
        me = given.get("lock_owner") or lock_owner.describe(os.getppid(), user)
        arguments = {**given, "lock_owner": me, "by": given.get("by") or me.get("user")}
        if isinstance(given.get("gateways"), list):
            arguments["gateways"] = [{"name": one} if isinstance(one, str) else one for one in given["gateways"]]
        return claims.read(arguments)
