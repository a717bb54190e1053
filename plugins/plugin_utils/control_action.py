# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every action on the control node shares: options in, a result with one sentence for what went wrong out."""

from __future__ import annotations

import asyncio
import importlib
import typing as t
from collections.abc import Mapping

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._errors import NOTHING_DONE, VpnKeysError
from . import claimed_variables, failures
from .internal import internal_error

Result = dict[str, t.Any]

display = Display()


class ControlAction(ActionBase):  # type: ignore[misc]
    """An action that does its work here, in an event loop of its own: no connection plugin is started for it."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    ARGUMENT_SPEC: t.ClassVar[dict[str, t.Any]]
    CONSTRAINTS: t.ClassVar[dict[str, t.Any]] = {}
    LIBRARIES: t.ClassVar[tuple[str, ...]] = ()

    async def operate(self, options: dict[str, t.Any]) -> Result:
        """The work of one task. Raises VpnKeysError."""
        raise NotImplementedError

    def check_facts(self) -> None:
        """Its options are templates, and every variable in them may be a fact. Raises VpnKeysError."""
        claimed_variables.refuse(self.variables, connection=False)

    def prepare(self) -> None:
        """What comes before the options are read. Raises VpnKeysError."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        self.variables: Mapping[str, t.Any] = task_vars or {}
        self.host = str(self.variables.get("inventory_hostname", "localhost"))
        self.check = bool(self._task.check_mode)
        try:
            self.check_facts()
            self.prepare()
            _require(self.LIBRARIES)
            options = self.validate_argument_spec(self.ARGUMENT_SPEC, **self.CONSTRAINTS)[1]
            result |= asyncio.run(self.operate(options))
        except VpnKeysError as error:
            result |= self.failure(error)
        except Exception as error:
            if type(error).__module__.startswith("ansible."):
                raise
            result |= self.failure(internal_error(self.host, error))
        return result

    def failure(self, error: VpnKeysError) -> Result:
        """What failures.failure says, for this task."""
        return failures.failure(error, self._task)


def _require(libraries: tuple[str, ...]) -> None:
    for library in libraries:
        try:
            importlib.import_module(library)
        except ImportError:
            raise VpnKeysError(
                "missing_library",
                f"The Python library {library} is missing on the control node",
                state=NOTHING_DONE,
                advice=f"install it for the Python that runs Ansible (pip install {library})",
            ) from None
