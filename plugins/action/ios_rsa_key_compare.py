# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._errors import VpnKeysError
from ..module_utils._fleet_options import FLEET_MUTUALLY_EXCLUSIVE
from ..modules.ios_rsa_key_compare import ARGUMENT_SPEC
from ..plugin_utils import advice
from ..plugin_utils.ios.results import groups_to_result, keys_to_result
from ..plugin_utils.key_servers import survey
from ..plugin_utils.key_servers.action import IosAction, Result


class ActionModule(IosAction):
    BYPASS_HOST_LOOP = True
    PER_HOST = False
    ARGUMENT_SPEC = ARGUMENT_SPEC
    CONSTRAINTS = {"mutually_exclusive": FLEET_MUTUALLY_EXCLUSIVE}

    async def operate(self, options: dict[str, t.Any]) -> Result:
        targets = self.fleet(options)
        addresses, details = self.addresses(targets), options["details"]
        seen = await survey.observe(list(targets.values()), options["parallel"], options["timeout"], policies=details)
        plans, names = survey.plan_all(seen, options, addresses), advice.of_task(self._task)
        result: Result = {"changed": False, **survey.compared(plans, targets, names)}
        if details:
            result["devices"] = {
                name: {"rsa_keys": keys_to_result(found), "groups": groups_to_result(found)}
                for name, found in seen.items()
                if not isinstance(found, VpnKeysError)
            }
        if options["render"]:
            from ..plugin_utils.key_servers import manual

            result["manual"] = manual.commands_for(plans.planned, names)
        return result
