# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

from ..module_utils._errors import rendered
from ..modules.key_server_report import ARGUMENT_SPEC
from ..plugin_utils import advice
from ..plugin_utils.control_action import ControlAction, Result, display
from ..plugin_utils.key_servers import results
from ..plugin_utils.tables import key_servers, output


class ActionModule(ControlAction):
    BYPASS_HOST_LOOP = True
    ARGUMENT_SPEC = ARGUMENT_SPEC
    LIBRARIES = ("rich",)

    async def operate(self, options: dict[str, t.Any]) -> Result:
        given = options["found"], options["done"], options["proof"]
        results.check(*given)
        whole = key_servers.merge(*given)
        complaint = key_servers.complaint(whole, options["fail_on"])
        text = key_servers.render(whole, width=display.columns, said=complaint or "")
        result: Result = output.show(text) | {"in_sync": whole["in_sync"]}
        if options["path"]:
            result["path"] = options["path"]
            content = json.dumps(whole, indent=2, sort_keys=True) + "\n"
            result["changed"] = output.keep(options["path"], content, self.check)
        if complaint:
            # The table has been shown; a failed task would print it a second time, in JSON.
            del result["lines"]
            result |= {"failed": True, "msg": rendered(complaint, advice.of_task(self._task))}
        return result
