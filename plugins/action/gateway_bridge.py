# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._fleet.findings import listed
from ..module_utils._printable import quoted
from ..plugin_utils.device_answer import Data
from ..plugin_utils.gateways.action import GatewayAction


class ActionModule(GatewayAction):
    MODULE = "gateway_bridge"

    def run(self, tmp: str | None = None, task_vars: Data | None = None) -> Data:
        result = super().run(tmp, task_vars)
        if self._task.args.get("state") == "carrying" and result.get("left") and not self._task.check_mode:
            names = listed([quoted(name) for name in result["left"]])
            silent = f"it says that {names} did not answer on {result['interface']}"
            effect = "so its traffic stays on the first interface and is interrupted briefly when the key changes"
            result["warnings"] = [*result.get("warnings", ()), f"{self.host}: {silent}, {effect}."]
        return result
