# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable

from ..module_utils._errors import VpnKeysError
from ..modules.gateway_report import ARGUMENT_SPEC
from ..plugin_utils import gateway_tables, gateways, printed
from ..plugin_utils.control_action import ControlAction, Result, display

Data = dict[str, t.Any]


class ActionModule(ControlAction):
    BYPASS_HOST_LOOP = True
    ARGUMENT_SPEC = ARGUMENT_SPEC
    LIBRARIES = ("rich",)

    async def operate(self, options: Data) -> Result:
        try:
            return WHAT[options["what"]](self, options)
        except (KeyError, TypeError, AttributeError):
            raise VpnKeysError(
                "bad_input",
                "directory must be a result of key_directory or key_directory_info, and looks results of gateway_info. "
                "Nothing was reported.",
            ) from None

    def targets(self, options: Data) -> Result:
        return {"changed": False, **self._planned(options)}

    def plan(self, options: Data) -> Result:
        planned = self._planned(options)
        if "failed" in planned:
            return planned
        return printed.show(gateway_tables.plan(planned["plan"], display.columns)) | planned

    def dropped(self, options: Data) -> Result:
        planned = gateways.dropped(options["directory"], options["looks"], options["plan"])
        result = printed.show(gateway_tables.dropped(planned, display.columns)) | {"plan": planned}
        # With a new key to make there is more to do first; the outcome tells it then.
        if options["mode"] != "emergency" and (problems := gateways.still_accept(planned)):
            result |= {"failed": True, "code": "not_proved", "msg": " ".join(problems)}
        return result

    def converged(self, options: Data) -> Result:
        found = gateways.converged(options["directory"], options["looks"])
        refused = [row for row in found["gateways"] if row["state"] == "refused"]
        problems = [f"{row['gateway']}: {row['why'].rstrip('.')}." for row in refused]
        return self._told(options, found, gateway_tables.converged(found, display.columns), "refused", problems)

    def _planned(self, options: Data) -> Result:
        view = options["directory"]
        known = [name for name, one in view["directory"]["gateways"].items() if not one["revoked"]]
        names = options["targets"]
        if options["confirm"] is not None:
            names = gateways.check_names(names, options["confirm"], known)
        planned = gateways.plan(view, options["looks"], names, options)
        refusals = [*planned["refusals"], *gateways.not_approved(planned, options["approved"])]
        if not refusals:
            return {"plan": planned}
        reasons = " ".join(refusals)
        return {"failed": True, "code": "refused", "msg": f"{reasons} Nothing was changed."}

    def proof(self, options: Data) -> Result:
        return {
            "changed": False,
            "proof": gateways.prove(options["directory"], options["before"], options["looks"], options["targets"]),
        }

    def outcome(self, options: Data) -> Result:
        emergency = options["mode"] == "emergency"
        found = gateways.outcome(options["directory"], options["plan"], options["proof"])
        text = gateway_tables.outcome(found, options["plan"], emergency, display.columns)
        problems = [row["problem"] for row in found["gateways"] if row["problem"]]
        problems += gateways.still_accept(options["plan"]) if emergency else []
        return self._told(options, found, text, "not_proved", problems)

    def status(self, options: Data) -> Result:
        found = gateways.status(options["directory"], options["looks"])
        problems = found["differences"] if options["require"] == "in_line" and not found["in_line"] else []
        return self._told(options, found, gateway_tables.status(found, display.columns), "drift", problems)

    def _told(self, options: Data, found: Data, text: str, code: str, problems: list[str]) -> Result:
        """Shown, kept where a file is asked for, and failed where there are problems."""
        result = printed.show(text) | {options["what"]: found} | self._kept(options["path"], found)
        if problems:
            del result["lines"]
            result |= {"failed": True, "code": code, "msg": " ".join(problems)}
        return result

    def _kept(self, path: str | None, found: Data) -> Result:
        if not path:
            return {}
        content = json.dumps(found, indent=2, sort_keys=True) + "\n"
        return {"path": path, "changed": printed.keep(path, content, self.check)}


WHAT: dict[str, Callable[[ActionModule, Data], Result]] = {
    "targets": ActionModule.targets,
    "plan": ActionModule.plan,
    "dropped": ActionModule.dropped,
    "proof": ActionModule.proof,
    "outcome": ActionModule.outcome,
    "converged": ActionModule.converged,
    "status": ActionModule.status,
}
