# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils.directory_action import Data, DirectoryAction


class ActionModule(DirectoryAction):
    def arguments(self, given: Data, variables: Data) -> Data:
        """Without what defaults of the group have for its other modules: here nothing is heard of gateways."""
        return {name: value for name, value in given.items() if name != "ignored_witnesses"}
