# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._ios import group_key, rsa_keys
from ..module_utils._ios.dialogue import Dialogue, Terminal
from ..module_utils._ios.getvpn import survey
from ..module_utils._ios.labels import Label
from ..modules.ios_getvpn_group_key import ARGUMENT_SPEC
from ..plugin_utils.ios import session
from ..plugin_utils.key_servers.action import IosAction, Result


class ActionModule(IosAction):
    ARGUMENT_SPEC = ARGUMENT_SPEC

    async def operate(self, options: dict[str, t.Any]) -> Result:
        label = Label.parse(options["label"])
        async with session.session(self.target()) as device:
            return await self.changing(device, lambda tty: self._converge(tty, label, options))

    def _converge(self, tty: Terminal, label: Label, options: dict[str, t.Any]) -> Dialogue[Result]:
        name = options["group"]
        group = yield from group_key.observe_group(tty, name)
        ring = yield from rsa_keys.observe(tty)
        held = rsa_keys.held_label(tty, ring, label)
        seen = yield from survey(tty, whole=True)
        work = group.label != label.name
        startup = seen.startup_label(name)
        unsaved = seen.unsaved if startup is None else startup != label.name
        saves = options["save"] and (work or unsaved)
        result: Result = {
            "changed": work or saves,
            "diff": _difference(name, group.label, label),
            "previous_label": group.label,
            "fingerprint": rsa_keys.identity(ring.of(held.label)),
        }
        if self.check:
            return result
        if work:
            yield from group_key.set_label(tty, name, label)
        if saves:
            yield from rsa_keys.save(tty)
        return result


def _difference(group: str, before: str | None, after: Label) -> dict[str, str]:
    return {
        "before_header": group,
        "after_header": group,
        "before": f"label: {before or '(none)'}\n",
        "after": f"label: {after}\n",
    }
