# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ios_* actions share: options in, one operation in an event loop of its own, a result without secrets out."""

from __future__ import annotations

import asyncio
import functools
import importlib
import traceback
import typing as t
from collections.abc import Callable, Mapping

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._errors import VpnKeysError
from ..module_utils._ios.dialogue import Talk, Terminal
from . import ios_session, key_servers
from .ios_options import OPTIONS, VARIABLES, Target, read_target

T = t.TypeVar("T")
Result = dict[str, t.Any]

UNREACHABLE = frozenset(("unreachable", "timeout", "host_key_unknown", "host_key_changed", "auth_failed"))
"""Codes that mean, before a session stands, what Ansible calls an unreachable host."""

display = Display()


class IosAction(ActionBase):  # type: ignore[misc]
    """An action that talks to devices itself: no connection plugin is started for it."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    ARGUMENT_SPEC: t.ClassVar[dict[str, t.Any]]
    CONSTRAINTS: t.ClassVar[dict[str, t.Any]] = {}
    LIBRARIES: t.ClassVar[tuple[str, ...]] = ("asyncssh", "cryptography", "netaddr")
    PER_HOST: t.ClassVar[bool] = True
    """Whether a device that cannot be reached makes this host unreachable, or is a failure of the whole task."""

    async def operate(self, options: dict[str, t.Any]) -> Result:
        """The work of one task. Raises VpnKeysError."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        self.variables: Mapping[str, t.Any] = task_vars or {}
        self.host = str(self.variables.get("inventory_hostname", "localhost"))
        self.check = bool(self._task.check_mode)
        try:
            _require(self.LIBRARIES)
            options = self.validate_argument_spec(self.ARGUMENT_SPEC, **self.CONSTRAINTS)[1]
            result |= asyncio.run(self.operate(options))
        except VpnKeysError as error:
            result |= {"failed": True, "msg": str(error), "code": error.code}
            if self.PER_HOST and error.code in UNREACHABLE and str(error).startswith(f"{self.host}: "):
                result |= {"failed": False, "unreachable": True}
        except (KeyboardInterrupt, SystemExit):
            raise
        except Exception as error:
            if type(error).__module__.startswith("ansible."):
                raise
            # The text of a foreign exception may quote what the device said, so only its kind and place are shown.
            place = traceback.extract_tb(error.__traceback__)[-1]
            result |= {
                "failed": True,
                "code": "internal",
                "msg": f"{self.host}: internal error {type(error).__name__} in {place.name} "
                f"({place.filename}:{place.lineno}). "
                "Look at the device before running again, and please report this.",
            }
        return result

    # ------------------------------------------------------------------ devices

    def target(self, name: str | None = None) -> Target:
        """How to reach a host of the inventory (default: the one this task runs for). Raises VpnKeysError bad_input."""
        if name is None:
            return read_target(self.host, self._templated(self.variables), self._given())
        hostvars = self.variables.get("hostvars", {})
        if name not in hostvars:
            raise VpnKeysError("bad_input", f"There is no host {name} in the inventory. Nothing was done.")
        return read_target(name, self._templated(hostvars[name]), self._given_to_all)

    def fleet(self, options: Mapping[str, t.Any]) -> dict[str, Target]:
        """How to reach every host that `hosts` and `groups` name. Raises bad_input."""
        hostvars = self.variables.get("hostvars", {})
        return {name: self.target(name) for name in key_servers.check_options(options, lambda name: name in hostvars)}

    def _templated(self, variables: Mapping[str, t.Any]) -> dict[str, t.Any]:
        return {name: self._template(variables[name]) for name in VARIABLES if name in variables}

    def _template(self, value: t.Any) -> t.Any:
        # Most values are plain, and with hundreds of hosts there are thousands of them.
        return value if isinstance(value, str) and "{" not in value else self._templar.template(value)

    def _given(self) -> dict[str, t.Any]:
        """What the command line, the play and ansible.cfg say, for the host of this task."""
        play = self._play_context
        return {
            "port": play.port,
            "user": play.remote_user,
            "password": play.password,
            "key_file": play.private_key_file,
            "become": play.become,
            "become_method": play.become_method if play.become else None,
            "become_password": play.become_pass,
            "host_key_checking": C.HOST_KEY_CHECKING,
            "ssh_args": [_command_line("ssh_common_args"), _command_line("ssh_extra_args")],
        }

    @functools.cached_property
    def _given_to_all(self) -> dict[str, t.Any]:
        """The same for any host: without what the play context took from the variables of this task's host and play."""
        own = {
            option.name for option in OPTIONS if any(self.variables.get(name) is not None for name in option.variables)
        }
        given = {key: value for key, value in self._given().items() if key not in own}
        return given | {
            key: value
            for key, value in (
                ("user", _command_line("remote_user")),
                ("key_file", _command_line("private_key_file")),
                ("become", _command_line("become")),
            )
            if key in own and value
        }

    async def on_device(self, operation: Callable[[Terminal], Talk[T]]) -> T:
        """One operation in one session with the host of this task."""
        async with ios_session.session(self.target()) as session:
            return await session.do(operation)


def _command_line(name: str) -> t.Any:
    from ansible import context

    value = context.CLIARGS.get(name)
    return value[0] if isinstance(value, (list, tuple)) and value else value


def _require(libraries: tuple[str, ...]) -> None:
    for library in libraries:
        try:
            importlib.import_module(library)
        except ImportError:
            raise VpnKeysError(
                "missing_library",
                f"The Python library {library} is missing on the control node. Nothing was done; install it "
                f"for the Python that runs Ansible (pip install {library}).",
            ) from None
