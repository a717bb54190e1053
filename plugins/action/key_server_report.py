# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

from ansible import constants as C

from ..module_utils._errors import VpnKeysError
from ..modules.key_server_report import ARGUMENT_SPEC
from ..plugin_utils import key_files, report
from ..plugin_utils.ios_action import IosAction, Result, display


class ActionModule(IosAction):
    BYPASS_HOST_LOOP = True
    PER_HOST = False
    ARGUMENT_SPEC = ARGUMENT_SPEC
    LIBRARIES = ("rich",)

    async def operate(self, options: dict[str, t.Any]) -> Result:
        try:
            whole = report.merge(options["found"], options["done"], options["proof"])
        except (KeyError, TypeError, AttributeError):
            raise VpnKeysError(
                "bad_input",
                "found, done and proof must be results of ios_rsa_key_compare, ios_rsa_key_sync and "
                "ios_rsa_key_compare. Nothing was reported.",
            ) from None
        text = report.render(whole, width=display.columns)
        if not _machine_readable_output():
            display.display(text)
        result: Result = {"changed": False, "in_sync": whole["in_sync"], "lines": text.splitlines()}
        if options["path"]:
            result["path"] = options["path"]
            result["changed"] = self._keep(options["path"], json.dumps(whole, indent=2, sort_keys=True) + "\n")
        if complaint := report.complaint(whole, options["require"]):
            # The table has been shown; a failed task would print it a second time, in JSON.
            del result["lines"]
            result |= {"failed": True, "msg": complaint}
        return result

    def _keep(self, path: str, content: str) -> bool:
        try:
            with open(path, encoding="utf-8") as file:
                if file.read() == content:
                    return False
        except (OSError, ValueError):
            pass
        if not self.check:
            key_files.write(path, content)
        return True


def _machine_readable_output() -> bool:
    """A table among JSON would spoil it for whoever parses the output."""
    return "json" in str(C.config.get_config_value("DEFAULT_STDOUT_CALLBACK"))
