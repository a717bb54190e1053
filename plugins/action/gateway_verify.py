# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._fleet.model import Directory
from ..module_utils._fleet.verify import verify
from ..modules.gateway_verify import ARGUMENT_SPEC
from ..plugin_utils import device_answer
from ..plugin_utils.control_action import ControlAction, Result


class ActionModule(ControlAction):
    BYPASS_HOST_LOOP = True
    ARGUMENT_SPEC = ARGUMENT_SPEC

    async def operate(self, options: dict[str, t.Any]) -> Result:
        before, after = (device_answer.observations(options[name]) for name in ("before", "observations"))
        directory = Directory.from_result(options["directory"])
        fetching = frozenset(options["fetching"])
        proofs = verify(directory, before, after, options["targets"], options["minimum_share"], fetching)
        return {
            "changed": False,
            "proof": {name: one.to_result() for name, one in proofs.items()},
            "verified": [name for name, one in proofs.items() if one.verified],
        }
