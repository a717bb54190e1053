# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ios_* actions share: options in, one operation in an event loop of its own, a result without secrets out."""

from __future__ import annotations

import asyncio
import functools
import importlib
import multiprocessing
import typing as t
from collections.abc import Callable, Mapping

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._errors import VpnKeysError
from ..module_utils._ios.dialogue import Talk, Terminal
from . import ios_session, key_servers, progress_fleet
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
        progress_fleet.begin(self._task._uuid)
        try:
            delegated = self._task.delegate_to
            if self.PER_HOST and delegated and delegated != self.host:
                raise VpnKeysError(
                    "bad_input",
                    f"{self.host}: the task is delegated to {delegated}, but it works on the host that it runs for. "
                    "Nothing was done; run it for that host.",
                )
            _require(self.LIBRARIES)
            options = self.validate_argument_spec(self.ARGUMENT_SPEC, **self.CONSTRAINTS)[1]
            result |= asyncio.run(self.operate(options))
        except VpnKeysError as error:
            result |= self._failure(error)
        except (KeyboardInterrupt, SystemExit):
            raise
        except Exception as error:
            if type(error).__module__.startswith("ansible."):
                raise
            result |= self._failure(ios_session.internal_error(self.host, error))
        return result

    def _failure(self, error: VpnKeysError) -> Result:
        result: Result = {"failed": True, "msg": _one_line(str(error)), "code": error.code, "changed": error.changed}
        not_reached = isinstance(error, ios_session.NotReached) and error.code in UNREACHABLE
        if self.PER_HOST and not_reached and str(error).startswith(f"{self.host}: "):
            result |= {"failed": False, "unreachable": True}
        return result

    # ------------------------------------------------------------------ devices

    def target(self, name: str | None = None) -> Target:
        """How to reach a host of the inventory (default: the one this task runs for). Raises VpnKeysError bad_input."""
        if name is None:
            return self._read(self.host, self.variables, self._given())
        hostvars = self.variables.get("hostvars", {})
        if name not in hostvars:
            raise VpnKeysError("bad_input", f"There is no host {name} in the inventory. Nothing was done.")
        # Only what is needed: reading a variable of hostvars means templating it, and hosts may be hundreds.
        own = hostvars[name]
        said = {variable: own[variable] for variable in VARIABLES if variable in own}
        return self._read(name, {**self._of_play, **said}, self._given_to_all)

    def fleet(self, options: Mapping[str, t.Any]) -> dict[str, Target]:
        """How to reach every host that `hosts` and `groups` name. Raises bad_input."""
        hostvars = self.variables.get("hostvars", {})
        return {name: self.target(name) for name in key_servers.check_options(options, lambda name: name in hostvars)}

    def _read(self, name: str, variables: Mapping[str, t.Any], given: Mapping[str, t.Any]) -> Target:
        try:
            return read_target(name, self._templated(variables), given)
        except AnsibleError as error:
            raise VpnKeysError(
                "bad_input",
                f"{name}: a variable for the connection cannot be read ({type(error).__name__}). Nothing was done.",
            ) from None

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
        """The same for any host: the play context of this task holds what this host's own variables say, and a password
        of one host must never go to another one."""
        own = {
            option.name for option in OPTIONS if any(self.variables.get(name) is not None for name in option.variables)
        }
        # The worker was forked with the play context as it was before the variables of the host came in.
        play = getattr(multiprocessing.current_process(), "_play_context", None)
        typed = {
            "user": _command_line("remote_user"),
            "key_file": _command_line("private_key_file"),
            "become": _command_line("become"),
            "password": getattr(play, "password", None),
            "become_password": getattr(play, "become_pass", None),
        }
        return {key: typed.get(key) if key in own else value for key, value in self._given().items()}

    @functools.cached_property
    def _of_play(self) -> dict[str, t.Any]:
        """Variables of the play (vars, vars_files, vars_prompt), which `hostvars` does not have: for hosts that say
        nothing themselves. What this task's host says under any name is its own, also where Ansible repeats it."""
        of_host = self.variables.get("hostvars", {}).get(self.host, {})
        return {
            name: self.variables[name]
            for option in OPTIONS
            if option.name != "become" and not any(name in of_host for name in option.variables)
            for name in option.variables
            if self.variables.get(name) is not None
        }

    async def on_device(self, operation: Callable[[Terminal], Talk[T]]) -> T:
        """One operation in one session with the host of this task."""
        async with ios_session.session(self.target()) as session:
            return await session.do(operation)


def _one_line(text: str) -> str:
    """What users named may hold anything, and is quoted."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


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
