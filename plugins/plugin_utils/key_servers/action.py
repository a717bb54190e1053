# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ios_* actions share: how each device is reached, and an operation on the one of the task."""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import typing as t
from collections.abc import Callable, Mapping

from ansible import constants as C
from ansible.errors import AnsibleError

from ...module_utils._errors import NOTHING_CHANGED, NOTHING_DONE, VpnKeysError
from ...module_utils._ios.dialogue import Dialogue, Terminal
from ...module_utils._printable import quoted
from .. import interruption
from ..claimed_variables import LONGEST, claimed
from ..control_action import ControlAction, Result, display
from ..ios import session as ios_session
from ..ios.options import OPTIONS, VARIABLES, Target, read_target
from ..ios.ssh import NotReached
from ..progress import pipe
from . import survey

__all__ = ["IosAction", "Result", "display"]

T = t.TypeVar("T")

UNREACHABLE = frozenset(("unreachable", "timeout", "host_key_unknown", "host_key_changed", "auth_failed"))
"""Codes that mean, before a session stands, what Ansible calls an unreachable host."""


# Nothing else of this collection runs in Ansible's main process before it forks the workers of these actions.
interruption.prepare()


class IosAction(ControlAction):
    """An action that talks to IOS devices."""

    LIBRARIES = ("asyncssh", "cryptography")
    PER_HOST: t.ClassVar[bool] = True
    """Whether a device that cannot be reached makes this host unreachable, or is a failure of the whole task."""

    def check_facts(self) -> None:
        """Of one that works on its own host, the facts steer nobody else, and `target` refuses it."""
        if not self.PER_HOST:
            super().check_facts()

    def prepare(self) -> None:
        pipe.begin(self._task._uuid)
        interruption.leave_the_terminal()
        delegated = self._task.delegate_to
        if self.PER_HOST and delegated and delegated != self.host:
            raise VpnKeysError(
                "bad_input",
                f"the task is delegated to {delegated}, but it works on the host that it runs for",
                host=self.host,
                state=NOTHING_DONE,
                advice="run it for that host",
            )

    def failure(self, error: VpnKeysError) -> Result:
        result = super().failure(error)
        not_reached = isinstance(error, NotReached) and error.code in UNREACHABLE
        if self.PER_HOST and not_reached and error.host == self.host:
            result |= {"failed": False, "unreachable": True}
        return result

    # ------------------------------------------------------------------ devices

    def target(self, name: str | None = None) -> Target:
        """How to reach a host of the inventory (default: the one this task runs for). Raises VpnKeysError bad_input."""
        if name is None:
            return self._read(self.host, self.variables, self._given(), self.variables.get("ansible_facts"))
        hostvars = self.variables.get("hostvars", {})
        if name not in hostvars:
            raise VpnKeysError("bad_input", f"There is no host {name} in the inventory", state=NOTHING_DONE)
        # Only what is needed: reading a variable of hostvars means templating it, and hosts may be hundreds.
        own = self._of_host(name)
        said = {variable: own[variable] for variable in VARIABLES if variable in own}
        return self._read(name, {**self._of_play, **said}, self._given_to_all, own.get("ansible_facts"))

    def fleet(self, options: Mapping[str, t.Any]) -> dict[str, Target]:
        """How to reach every host that `hosts` and `groups` name. Raises bad_input."""
        return {name: self.target(name) for name in survey.check_options(options, self.variables.get("groups", {}))}

    def addresses(self, targets: Mapping[str, Target]) -> dict[str, tuple[str, ...]]:
        """The addresses that the inventory gives each key server. Raises bad_input."""
        return survey.own_addresses(targets, {name: self._of_host(name) for name in targets})

    def _of_host(self, name: str) -> Mapping[str, t.Any]:
        """What the inventory says of a host. Ansible merges it anew at each look."""
        if name not in self._hosts:
            self._hosts[name] = self.variables["hostvars"][name]
        return self._hosts[name]

    @functools.cached_property
    def _hosts(self) -> dict[str, Mapping[str, t.Any]]:
        return {}

    def _read(self, name: str, variables: Mapping[str, t.Any], given: Mapping[str, t.Any], facts: t.Any) -> Target:
        if claimed_name := variable_among_facts(facts):
            return Target(name, name, refused=claimed_name)
        try:
            return read_target(name, self._templated(variables), given)
        except AnsibleError as error:
            raise VpnKeysError(
                "bad_input",
                f"a variable for the connection cannot be read ({type(error).__name__})",
                host=name,
                state=NOTHING_DONE,
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

    async def on_device(self, operation: Callable[[Terminal], Dialogue[T]]) -> T:
        """One operation in one session with the host of this task."""
        async with ios_session.session(self.target()) as session:
            return await session.do(operation)

    async def changing(self, session: ios_session.Session, operation: Callable[[Terminal], Dialogue[T]]) -> T:
        """One operation that changes the host of this task: when the user interrupts Ansible, it is finished."""
        with interruption.in_hand() as asked:
            if asked():
                raise VpnKeysError("interrupted", "the run was interrupted", host=self.host, state=NOTHING_CHANGED)
            watch = asyncio.ensure_future(interruption.watch(asked, self._interrupted))
            try:
                return await session.do(operation)
            finally:
                watch.cancel()
                if asked():
                    self._say("its work is finished")

    def _interrupted(self, times: int) -> None:
        self._say(
            "interrupted: it is finished first. A second interrupt stops at once and leaves work half done"
            if times == 1
            else "stopped at once, with work half done: check its keys, and run the same command again"
        )

    def _say(self, text: str) -> None:
        display.display(f"vpnops.keys: {self.host}: {text}.", stderr=True)


def variable_among_facts(facts: t.Any) -> str:
    """The first variable of ours among the facts of a host, or nothing; of the connection rather than another one.

    Ansible makes a variable of every fact, and it outranks the inventory: a device that is asked for facts could say
    how it is reached, and name a command that runs on the control node. Ansible drops the `ansible_` of facts.
    """
    names = set(facts) if isinstance(facts, Mapping) else set()
    ours = [name for name in sorted(VARIABLES) if {name, name.removeprefix("ansible_")} & names]
    return "".join(ours[:1] or [quoted(name, LONGEST) for name in claimed(names)[:1]])


def _command_line(name: str) -> t.Any:
    from ansible import context

    value = context.CLIARGS.get(name)
    return value[0] if isinstance(value, (list, tuple)) and value else value
