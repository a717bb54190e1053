# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the actions of the gateway modules share: the module runs on the gateway, and Ansible sees nothing of what it
printed but what the strict reader makes of it.

Ansible by itself would merge `ansible_facts` of a result into the variables of all, print its `warnings`, and hand its
`ansible_stats` to the next job of a workflow.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import resource
import signal
import threading
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ...module_utils._errors import NOTHING_DONE, VpnKeysError
from ...module_utils._printable import quoted
from .. import claimed_variables, device_answer, failures, reasons
from ..device_answer import Asked, Data

LONGEST_MESSAGE = 1000
LONGEST_PATH = 256
MEMORY = 512 << 20
"""Bytes that a worker may take more while it waits for an answer: what a device prints is kept before it is counted."""
TIMEOUT = 120
"""Seconds, if the task does not say otherwise; as the documentation of the modules says."""
TIDY_SECONDS = 10
"""For the removal of Ansible's temporary files, after the answer."""

display = Display()


class NoAnswerError(BaseException):
    """A gateway did not answer in the time that it has. Nothing on the way here may take it for a failure to retry."""


class GatewayAction(ActionBase):  # type: ignore[misc]
    """Runs the module of the same name on the gateway."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    MODULE: t.ClassVar[str]
    WAITS: t.ClassVar[str | None] = None
    """The option with the seconds for which the module itself may wait."""
    host = ""
    silent = False
    """Whether it has not answered: then nothing more is asked of it."""
    spent = 0.0
    """Seconds that it took, beside those for which the module waits."""

    def run(self, tmp: str | None = None, task_vars: Data | None = None) -> Data:
        result: Data = super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            claimed_variables.refuse(variables, connection=False)
        except VpnKeysError as error:
            return result | self.failure(error)
        self.host = str(variables.get("inventory_hostname", "localhost"))
        delegated = self._task.delegate_to
        if delegated and delegated != self.host:
            return result | self.failure(
                VpnKeysError(
                    "bad_input",
                    f"the task is delegated to {delegated}, but it works on the host that it runs for",
                    host=self.host,
                    state=NOTHING_DONE,
                    advice="run it for that host",
                )
            )
        try:
            options = self.sent(dict(self._task.args))
        except VpnKeysError as error:
            return result | self.failure(error)
        if "timeout" in (options.pop("earlier", None) or ()):
            return result | _silent("It did not answer in time before, so it was not asked again in this run.")
        gateways = int(_number(options.pop("fleet_size", None), 0)) or None
        self.asked = Asked(self.MODULE, options, bool(self._task.check_mode), gateways)
        self.answer: Data | None = None
        return result | self._with_warnings(self._asked(variables))

    def failure(self, error: VpnKeysError) -> Data:
        return {**failures.failure(error, self._task), "findings": []}

    def sent(self, options: Data) -> Data:
        """The options for the module, from those of the task."""
        return options

    def _with_warnings(self, answer: Data) -> Data:
        """With what is wrong with the answer itself where the user sees it, whatever the play goes on to report."""
        found = answer.get("findings") or ()
        return answer | {"warnings": [f"{self.host}: {text}" for text in found]} if found else answer

    def _asked(self, variables: Data) -> Data:
        waits = _number(self.asked.options.get(self.WAITS), 0) if self.WAITS else 0
        seconds = _number(self.asked.options.get("timeout"), TIMEOUT) + waits
        began = time.monotonic()
        try:
            return self._believed(seconds, variables)
        finally:
            self.spent = round(max(0.0, time.monotonic() - began - waits), 1)

    def _believed(self, seconds: float, variables: Data) -> Data:
        try:
            with _within(seconds), _little_memory():
                reported = self._execute_module(
                    module_name=self._task.resolved_action, module_args=dict(self.asked.options), task_vars=variables
                )
        except MemoryError:
            self.silent = True
            _end_children()
            return device_answer.refused(f"its answer is longer than {MEMORY >> 20} MiB")
        except NoAnswerError:
            self.silent = True
            unknown = "What was under way may or may not have happened; run it again"
            return _silent(f"No answer within {seconds:g} s. {unknown}.")
        except AnsibleConnectionFailure as error:
            self.silent = True
            reason = reasons.of_connection(str(error))
            return {"unreachable": True, "msg": _of_ansible(error), "reason": reason}
        except VpnKeysError as error:
            return self.failure(error)
        except AnsibleError as error:
            return {"failed": True, "code": "refused", "msg": _of_ansible(error), "findings": []}
        if self.answer is None:  # Ansible never came so far as to run the module
            return device_answer.refused(_of_ansible(reported.get("msg", "no module ran")))
        return self.answer | self._interpreter()

    def _parse_returned_data(self, res: Data, *more: t.Any, **named: t.Any) -> t.Any:
        """Where Ansible parses what a module printed: it gets an answer of ours instead."""
        output = str(res.get("stdout", ""))
        self.answer = device_answer.arrived(self.host, self.asked, output)
        if not output.strip():
            said = quoted(str(res.get("stderr", "")).strip(), 300)
            self.answer = device_answer.refused(f"the module printed nothing, only {said}")
        nothing = {"stdout": "{}", "stdout_lines": ["{}"], "stderr": "", "stderr_lines": []}
        return super()._parse_returned_data({**res, **nothing}, *more, **named)

    def _remove_tmp_path(self, tmp_path: str | None, force: bool = False) -> None:
        """Ansible does it behind the task, with no limit, and prints what the gateway says to it, or takes that for the
        result."""
        if self.silent or not (force or self._should_remove_tmp_path(tmp_path)):
            return
        try:
            with _within(TIDY_SECONDS), _little_memory():
                command = self._connection._shell.remove(tmp_path, recurse=True)
                removed = self._low_level_execute_command(command, sudoable=False).get("rc") == 0
        except (NoAnswerError, MemoryError, AnsibleError, ValueError):
            _end_children()
            removed = False
        if removed:
            self._connection._shell.tmpdir = None
        else:
            display.warning(f"{self.host}: the temporary files of Ansible may still be there.")

    def _interpreter(self) -> Data:
        """The Python that Ansible itself found on the host, which spares the next task the search."""
        key, found = getattr(self, "_discovered_interpreter_key", None), getattr(self, "_discovered_interpreter", None)
        usual = isinstance(found, str) and found.startswith("/") and found.isprintable() and len(found) < LONGEST_PATH
        return {"ansible_facts": {key: found}} if key and usual else {}


def _of_ansible(message: object) -> str:
    """What Ansible says of a host: it may hold what that host printed."""
    return f"Ansible says {quoted(str(message), LONGEST_MESSAGE)}"


def _silent(why: str) -> Data:
    return {"unreachable": True, "code": "timeout", "msg": why}


def _number(value: t.Any, default: float) -> float:
    try:
        found = default if value is None else max(1.0, float(value))
    except (TypeError, ValueError):
        return default  # the module says what is wrong with it
    return found if math.isfinite(found) else default


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raises NoAnswerError when the time is over, and ends what waits for the gateway.

    A task with `timeout` has a timer of its own already, and a thread can have none.
    """
    if signal.getitimer(signal.ITIMER_REAL)[0] or threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(*dummy: object) -> None:
        raise NoAnswerError

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except NoAnswerError:
        _end_children()
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _little_memory() -> Iterator[None]:
    """Raises MemoryError when this process has taken MEMORY bytes more. Only in a worker, which ends with its task, and
    where the system tells how much it has."""
    size = _address_space() if multiprocessing.parent_process() else None
    if size is None:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    limits = [limit for limit in (size + MEMORY, *before) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _address_space() -> int | None:
    """Bytes of this process, None where that is not told."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    except OSError:
        return None
    return int(pages) * resource.getpagesize()


def _end_children() -> None:
    """The ssh that still listens would keep the worker from ending."""
    with suppress(OSError, ValueError):
        for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split():
            with suppress(OSError):
                os.kill(int(child), signal.SIGTERM)
