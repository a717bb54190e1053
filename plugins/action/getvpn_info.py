# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._ios import getvpn
from ..modules.getvpn_info import ARGUMENT_SPEC
from ..plugin_utils.ios.results import groups_to_result
from ..plugin_utils.key_servers.action import IosAction, Result


class ActionModule(IosAction):
    ARGUMENT_SPEC = ARGUMENT_SPEC

    async def operate(self, _options: dict[str, t.Any]) -> Result:
        seen = await self.on_device(lambda tty: getvpn.survey(tty, whole=True))
        return {"changed": False, "release": seen.release, "groups": groups_to_result(seen)}
