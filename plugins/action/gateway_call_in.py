# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

from ..module_utils._errors import NOTHING_DONE, VpnKeysError
from ..plugin_utils.device_answer import Data
from ..plugin_utils.gateways import call_in_callers
from ..plugin_utils.gateways.action import GatewayAction

LARGEST_CA = 1024 * 1024


class ActionModule(GatewayAction):
    """The files on the gateway by the module, then its line in the file of callers here."""

    MODULE = "gateway_call_in"

    def sent(self, options: Data) -> Data:
        """The certificate itself goes to the gateway, and nothing about the file of callers."""
        self.callers = path_option(options.pop("callers", None), "callers")
        return {**options, "callers": "-", "ca": text_of(path_option(options.get("ca"), "ca"))}

    def run(self, tmp: str | None = None, task_vars: Data | None = None) -> Data:
        try:
            result = super().run(tmp, task_vars)
            sha256 = None if result.get("failed") or result.get("unreachable") else result.get("token_sha256")
            if sha256:
                entered = call_in_callers.record(self.callers, self.host, sha256, not self._task.check_mode)
                result["changed"] = bool(result["changed"] or entered)
        except VpnKeysError as error:
            return self.failure(error)
        return result


def path_option(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise VpnKeysError("bad_input", f"O({name}) is missing", state=NOTHING_DONE)
    return os.path.expanduser(value)


def text_of(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read(LARGEST_CA)
    except (OSError, ValueError):
        raise VpnKeysError("bad_input", f"{path} cannot be read", state=NOTHING_DONE) from None
