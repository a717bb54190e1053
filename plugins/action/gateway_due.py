# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from zoneinfo import ZoneInfo

from ..module_utils._errors import NOTHING_CHANGED, VpnKeysError
from ..module_utils._fleet.due import Window, select
from ..module_utils._fleet.model import Directory
from ..module_utils._fleet.observed import none_reached
from ..module_utils._fleet.periods import moment
from ..modules.gateway_due import ARGUMENT_SPEC
from ..plugin_utils import device_answer
from ..plugin_utils.control_action import ControlAction, Result, display
from ..plugin_utils.key_report.calendar import calendar
from ..plugin_utils.tables import gateways, output


class ActionModule(ControlAction):
    BYPASS_HOST_LOOP = True
    ARGUMENT_SPEC = ARGUMENT_SPEC
    LIBRARIES = ("rich",)

    async def operate(self, options: dict[str, t.Any]) -> Result:
        directory = Directory.from_result(options["directory"])
        given = options["observations"]
        observations = None if given is None else device_answer.observations(given)
        judged = calendar(options, NOTHING_CHANGED)
        if options["max_gateways"] < 1:
            raise VpnKeysError("bad_input", "O(max_gateways) must be at least 1", state=NOTHING_CHANGED)
        found = select(directory, observations, judged, options["max_gateways"], _is_open(options, judged.at))
        shown = output.show(gateways.due(found, display.columns)) if options["show"] else {"changed": False}
        result: Result = shown | {"due": found.to_result()}
        if found.skipped and not found.names and (why := none_reached(observations or {})):
            result |= {"failed": True, "code": "unreachable", "msg": f"{why} {NOTHING_CHANGED}."}
        return result


def _is_open(options: dict[str, t.Any], at: str) -> bool:
    """Whether this is a time for rotations. Raises VpnKeysError(bad_input)."""
    windows = [Window.parse(text) for text in options["window"]]
    now = moment(at)
    if not windows or now is None:
        return True
    try:
        local = now.astimezone(ZoneInfo(options["timezone"]))
    except (LookupError, ValueError, OSError):
        raise VpnKeysError(
            "bad_input",
            f"O(timezone) is {options['timezone']}, which is not a time zone that this control node knows",
            state=NOTHING_CHANGED,
            advice="write it like Europe/Berlin, or install the package tzdata",
        ) from None
    return any(one.contains(local) for one in windows)
