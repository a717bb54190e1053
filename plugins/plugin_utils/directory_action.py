# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the actions of the directory share."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ..module_utils._errors import VpnKeysError, rendered
from ..module_utils._printable import printable
from . import advice, claimed_variables, failures

Data = dict[str, t.Any]
LONGEST_REASON = 1000


class DirectoryAction(ActionBase):  # type: ignore[misc]
    """Runs the module of the same name where the directory is, its options by standard input.

    One of them may be the directory's signing key, and without pipelining Ansible would write them to a file.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def arguments(self, given: Data, variables: Data) -> Data:
        """The options for the module."""
        return given

    def run(self, tmp: str | None = None, task_vars: Data | None = None) -> Data:
        result: Data = super().run(tmp, task_vars)
        variables = task_vars or {}
        if getattr(self._connection, "has_pipelining", False):
            self._connection.set_option("pipelining", True)
        try:
            claimed_variables.refuse(variables, connection=False)
            arguments = self.arguments(dict(self._task.args), variables)
        except VpnKeysError as error:
            return result | failures.failure(error, self._task)
        result.update(self._execute_module(self._task.resolved_action, arguments, task_vars=variables))
        names = advice.of_task(self._task)
        for place, field in ((result, "msg"), *((one, "why") for one in result.get("refused", ()))):
            if isinstance(place.get(field), str):
                place[field] = rendered(place[field], names)
        if "code" in result:
            # A refusal in our words is no crash; ansible-core 2.19 and later put its text there once more, unrendered.
            result.pop("exception", None)
        return result | _warnings(result)


def _warnings(result: Data) -> Data:
    """With who was left out where the user sees it, whatever the play goes on to report."""
    claims = (f"{one['gateway']}: {one['why']}" for one in result.get("claimed", ()))
    refused = (one["why"] for one in result.get("refused", ()))
    reasons = dict.fromkeys(printable(why, LONGEST_REASON) for why in (*refused, *claims))
    return {"warnings": [*result.get("warnings", ()), *reasons]} if reasons else {}
