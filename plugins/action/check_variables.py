# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..modules.check_variables import ARGUMENT_SPEC
from ..plugin_utils import known_variables
from ..plugin_utils.control_action import ControlAction, Result


class ActionModule(ControlAction):
    BYPASS_HOST_LOOP = True
    ARGUMENT_SPEC = ARGUMENT_SPEC

    async def operate(self, options: dict[str, t.Any]) -> Result:
        hostvars = self.variables.get("hostvars", {})
        by_host = {host: hostvars[host] for host in self.variables.get("ansible_play_hosts", ()) if host in hostvars}
        role = self._task._role
        known_variables.check(self.variables, by_host, role.get_name(include_role_fqcn=False) if role else None)
        return {"changed": False}
