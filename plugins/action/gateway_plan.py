# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible import constants as C
from ansible import context

from ..module_utils._errors import NOTHING_CHANGED, VpnKeysError, rendered
from ..module_utils._fleet.model import Directory
from ..module_utils._fleet.plan import PlanOptions, check_names, not_approved, plan
from ..modules.gateway_plan import ARGUMENT_SPEC
from ..plugin_utils import advice, device_answer
from ..plugin_utils.control_action import ControlAction, Result, display
from ..plugin_utils.tables import gateways, output

WISH = ("mode", "strategy", "unreachable", "minimum_share", "confirm_timeout", "settle_timeout", "timeout")


class ActionModule(ControlAction):
    BYPASS_HOST_LOOP = True
    ARGUMENT_SPEC = ARGUMENT_SPEC
    LIBRARIES = ("rich",)

    async def operate(self, options: dict[str, t.Any]) -> Result:
        directory = Directory.from_result(options["directory"])
        names = options["targets"]
        if options["confirm"] is not None:
            names = check_names(names, options["confirm"], _known(directory), directory.in_use)
        observations = device_answer.observations(options["observations"])
        forks = int(context.CLIARGS.get("forks") or C.DEFAULT_FORKS)
        wish = {name: options[name] for name in WISH}
        fetching = frozenset(options["fetching"])
        made = plan(directory, observations, names, PlanOptions(**wish, forks=forks, fetching=fetching))
        if refusals := [*made.refusals, *not_approved(made, options["approved"])]:
            raise VpnKeysError("refused", " ".join(refusals), state=NOTHING_CHANGED)
        settable = advice.of_task(self._task)
        made = replace(made, excluded=[replace(one, why=rendered(one.why, settable)) for one in made.excluded])
        shown = output.show(gateways.plan(made, display.columns)) if options["show"] else {"changed": False}
        return shown | {"plan": made.to_result()}


def _known(directory: Directory) -> list[str]:
    """Of one that is revoked, or whose records were tampered with, the plan says more than that it is not known."""
    return [*directory.gateways, *(one.gateway for one in directory.tampered if one.gateway)]
