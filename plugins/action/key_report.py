# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

from ..module_utils._errors import NOTHING_WRITTEN
from ..modules.key_report import ARGUMENT_SPEC
from ..plugin_utils import device_answer
from ..plugin_utils.control_action import ControlAction, Result, display
from ..plugin_utils.key_report import build, page, sheet, store, text
from ..plugin_utils.key_report.calendar import calendar
from ..plugin_utils.tables import output

Data = dict[str, t.Any]


class ActionModule(ControlAction):
    BYPASS_HOST_LOOP = True
    ARGUMENT_SPEC = ARGUMENT_SPEC
    LIBRARIES = ("jinja2",)

    async def operate(self, options: Data) -> Result:
        mode = store.parse_mode(options["mode"])
        inputs, failures = build.usable(_inputs(options))
        fleet = build.fleet_of(inputs)
        report = build.build(inputs, fleet, failures)
        table = sheet.to_csv(report["sheet"])
        html = page.render(report, fleet) if options["path"] or options["return_content"] else ""
        result: Result = output.show(text.render(report, display.columns, options["fail_on"]))
        result["summary"] = {name: report[name] for name in ("at", "counts", "findings", "digest")}
        files = {
            "path": (html, page.template_digest(report)),
            "json_path": (json.dumps(report, indent=2, sort_keys=True) + "\n", report["digest"]),
            # No time stands in it, so it differs only where it says something else.
            "csv_path": (table, table),
        }
        kept = {
            name: store.File(options[name], content, digest, mode).keep(options["refresh"], self.check)
            for name, (content, digest) in files.items()
            if options[name]
        }
        result |= {name: options[name] for name in kept}
        result["changed"] = any(kept.values())
        if self._task.diff:
            result["diff"] = [difference for difference in kept.values() if difference]
        if options["return_content"]:
            result["content"] = html
        if complaint := text.complaint(report, options["fail_on"]):
            del result["lines"]
            result |= {"failed": True, "code": "drift", "msg": complaint}
        return result


def _inputs(options: Data) -> build.Inputs:
    judged = calendar(options, NOTHING_WRITTEN)
    given = ("key_servers", "directory", "title", "minimum_size")
    devices = (options["key_servers"] or {}).get("devices", {})
    listed = {name: devices if options[name] is None else options[name] for name in ("rsa_keys", "groups")}
    gateways = device_answer.observations(options["gateways"])
    return build.Inputs(calendar=judged, gateways=gateways, **listed, **{name: options[name] for name in given})
