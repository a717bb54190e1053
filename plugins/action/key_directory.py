# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

from ..module_utils._directory import lock_owner
from ..plugin_utils import claims
from ..plugin_utils.directory_action import Data, DirectoryAction

USERS = ("awx_user_name", "tower_user_name")


class ActionModule(DirectoryAction):
    """Says who runs the task, which only the control node knows, and reads what gateways answered."""

    def arguments(self, given: Data, variables: Data) -> Data:
        user = next((str(variables[name]) for name in USERS if variables.get(name)), None)
        # The run is the process that started this worker: it lives as long as the play.
        me = given.get("holder") or lock_owner.describe(os.getppid(), user)
        arguments = {**given, "holder": me, "by": given.get("by") or me.get("user")}
        if isinstance(given.get("gateways"), list):
            arguments["gateways"] = [{"name": one} if isinstance(one, str) else one for one in given["gateways"]]
        return claims.read(arguments)
