# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._ios import rsa_keys
from ..module_utils._ios.labels import Label
from ..modules.ios_rsa_key_info import ARGUMENT_SPEC
from ..plugin_utils.ios.results import to_result
from ..plugin_utils.key_servers.action import IosAction, Result


class ActionModule(IosAction):
    ARGUMENT_SPEC = ARGUMENT_SPEC

    async def operate(self, options: dict[str, t.Any]) -> Result:
        label = Label.parse(options["label"]) if options["label"] is not None else None
        ring = await self.on_device(rsa_keys.observe)
        keys = ring.of(label) if label else [key for key in ring.keys if not key.temporary]
        return {"changed": False, "rsa_keys": [to_result(key) for key in keys]}
