# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ..module_utils._errors import VpnKeysError
from ..modules.check_facts import ARGUMENT_SPEC
from ..plugin_utils import claimed_variables, failures

Data = dict[str, t.Any]


class ActionModule(ActionBase):  # type: ignore[misc]
    """Decides by the facts themselves: every variable may be one of them."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Data | None = None) -> Data:
        result: Data = super().run(tmp, task_vars)
        self.validate_argument_spec(ARGUMENT_SPEC)
        variables = task_vars or {}
        result["changed"] = False
        try:
            claimed_variables.refuse(variables)
        except VpnKeysError as error:
            result |= failures.failure(error, self._task)
        return result
