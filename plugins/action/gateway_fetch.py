# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

from ..plugin_utils.device_answer import Data
from ..plugin_utils.gateways import fetch_program
from ..plugin_utils.gateways.action import GatewayAction
from .gateway_call_in import path_option, text_of


class ActionModule(GatewayAction):
    MODULE = "gateway_fetch"

    def sent(self, options: Data) -> Data:
        """The program and the certificate themselves go to the gateway."""
        if options.get("state", "present") == "absent":
            return options
        ca = text_of(path_option(options["ca"], "ca")) if options.get("ca") else ""
        return {**options, "ca": ca, "program": base64.b64encode(fetch_program.built()).decode()}
