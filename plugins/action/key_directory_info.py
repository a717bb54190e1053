# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils import claims
from ..plugin_utils.directory_action import Data, DirectoryAction


class ActionModule(DirectoryAction):
    """Reads what gateways answered."""

    def arguments(self, given: Data, variables: Data) -> Data:
        return claims.read(given)
