# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: Progress of work on many hosts, and a short summary
version_added: 1.0.0
author:
  - vpnops.keys authors (@vpnops)
description:
  - On a terminal, a live bar per task that is under way, with the hosts that are done, failed and deferred, and the
    time that remains. Each task that is over leaves one line.
  - Without a terminal, as in a log, one line per task.
  - Failures are shown when they happen, one sentence each; the end is one summary, not a line for every host. The same
    can be written to files as JSON and as JUnit.
  - A host counts as deferred if it was unreachable and the play continued without it (C(ignore_unreachable)), or if a
    report of M(vpnops.keys.gateway_report) says that it has pending changes.
  - Tasks that are skipped everywhere leave no line. With C(-v) every result is shown, as with
    P(ansible.builtin.default#callback).
requirements:
  - the Python library rich on the control node
extends_documentation_fragment:
  - ansible.builtin.result_format_callback
options:
  display:
    description: What to show.
    type: str
    choices:
      auto: bars on a terminal, else lines
      lines: lines, on a terminal as well
    default: auto
    env:
      - name: VPNOPS_KEYS_PROGRESS_DISPLAY
    ini:
      - section: callback_vpnops_keys_progress
        key: display
  progress_json:
    description:
      - A file that gets the summary as JSON, with the outcome of every host, every failure and every task.
      - Results of tasks that work on many hosts are listed for each key server, group and gateway.
      - It is written when the run ends, also if it is interrupted.
    type: path
    env:
      - name: VPNOPS_KEYS_PROGRESS_JSON
    ini:
      - section: callback_vpnops_keys_progress
        key: json
  progress_junit:
    description:
      - A file that gets the summary as JUnit, with a test case for every host, for every group of a key server, and for
        every task that failed for all.
      - What failed is a failure, what was unreachable or not finished is an error, what is deferred is skipped.
    type: path
    env:
      - name: VPNOPS_KEYS_PROGRESS_JUNIT
    ini:
      - section: callback_vpnops_keys_progress
        key: junit
"""

EXAMPLES = r"""
# For one run: ANSIBLE_STDOUT_CALLBACK=vpnops.keys.progress ansible-playbook ...
# For all, in ansible.cfg:
ansible.cfg: |
  [defaults]
  stdout_callback = vpnops.keys.progress
  [callback_vpnops_keys_progress]
  json = /var/log/vpnops/last-run.json
"""

import atexit
import functools
import multiprocessing
import os
import signal
import sys
import textwrap
import threading
import time
import typing as t

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import action_loader

from ..module_utils._errors import NOTHING_DONE
from ..module_utils._printable import printable
from ..plugin_utils.progress import files, found, pipe, results, view
from ..plugin_utils.progress.live import StatusLines, Ticker
from ..plugin_utils.progress.model import Devices, Outcome, Run, Section
from ..plugin_utils.progress.view import Terminal

try:
    import rich
except ImportError:
    rich = None  # type: ignore[assignment]

EACH_FOR_ITSELF = ("free", "host_pinned")
"""Strategies in which hosts do not wait for each other: several tasks are under way at once."""
COLORS = {
    "ok": C.COLOR_OK,
    "changed": C.COLOR_CHANGED,
    "skipped": C.COLOR_SKIP,
    "not run": C.COLOR_SKIP,
    "not finished": C.COLOR_ERROR,
    "unknown": C.COLOR_WARN,
    "ignored": C.COLOR_SKIP,
    "deferred": C.COLOR_WARN,
    "failed": C.COLOR_ERROR,
    "unreachable": C.COLOR_UNREACHABLE,
}
FOR_MANY: dict[str, t.Callable[[dict[str, t.Any]], list[found.Found]]] = {
    "ios_rsa_key_compare": found.on_key_servers,
    "ios_rsa_key_sync": found.on_key_servers,
    "ios_getvpn_rotation": found.of_rotations,
}
"""Modules of which one task works on many hosts, and what its result says of each."""
PARTS: tuple[Section, ...] = ("rescue", "always")
ALWAYS_SAID: tuple[Outcome, ...] = ("failed", "unreachable", "ignored", "deferred")


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "vpnops.keys.progress"

    def __init__(self) -> None:
        super().__init__()
        if rich is None:
            raise AnsibleError(
                "The callback vpnops.keys.progress needs the Python library rich on the control node. "
                f"{NOTHING_DONE}; install it for the Python that runs Ansible (pip install rich), or choose another "
                "stdout_callback."
            )
        self._run = Run("ansible", time.time())
        self._guard = threading.Lock()
        self._strategy = ""
        self._status_lines: StatusLines | None = None
        self._ticker: Ticker | None = None
        self._reader = -1
        self._shown = False
        self._items: dict[tuple[str, str], list[str]] = {}
        self._pid = os.getpid()
        self._just_said = ""

    # ------------------------------------------------------------------ the run

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        self._run = Run("ansible", time.time())  # of several playbooks, each has its own end
        self._run.playbook = os.path.basename(playbook._file_name)
        self._run.check = bool(context.CLIARGS.get("check"))

    def v2_playbook_on_vars_prompt(self, *dummy: t.Any, **more: t.Any) -> None:
        self._show(False)

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._close()
        self._begin_once()
        variables = play.get_variable_manager().get_vars(play=play, include_hostvars=False)
        self._strategy = str(play.strategy).rpartition(".")[2]
        with self._guard:
            batch, every = variables["ansible_play_batch"], variables["ansible_play_hosts_all"]
            self._run.begin_play(play.get_name().strip(), batch, every, time.time())
            heading = view.heading(self._run)
        self._say(heading, stamped=False)
        self._show(not self._asks(play))

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._finish([host for host, count in stats.failures.items() if count])

    def v2_playbook_on_no_hosts_matched(self) -> None:
        self._say("No host matches.", "skipped")

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        self._say("No host is left to continue with.", "failed")

    # ------------------------------------------------------------------ tasks

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        if self._strategy not in EACH_FOR_ITSELF and task._uuid not in self._run.keys:
            self._close()
        self._begin(task)

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        self.v2_playbook_on_task_start(task, False)

    def v2_playbook_on_include(self, included_file: t.Any) -> None:
        with self._guard:
            self._run.include(included_file._task._uuid, [host.get_name() for host in included_file._hosts])

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._begin(task)
        with self._guard:
            self._run.start(task._uuid, host.get_name())

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._done(result, "changed" if result._result.get("changed") else "ok")
        said = result._result
        if result._task.action in C._ACTION_DEBUG and "results" not in said and self._display.verbosity < 1:
            self._say_debug(result)

    def v2_runner_item_on_failed(self, result: t.Any) -> None:
        self._handle_warnings(result._result)
        key = result._task._uuid, result._host.get_name()
        self._items.setdefault(key, []).append(results.of_item(result._result))

    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        self._handle_warnings(result._result)
        if result._task.action in C._ACTION_DEBUG and self._display.verbosity < 1:
            self._say_debug(result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._done(result, "skipped")

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._done(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._done(result, "deferred" if result._task.ignore_unreachable else "unreachable")

    def v2_on_file_diff(self, result: t.Any) -> None:
        looped = result._result.get("results") if result._task.loop else None
        for one in looped or [result._result]:
            if one.get("diff") and one.get("changed") and (diff := self._get_diff(one["diff"])):
                self._display.display(diff)

    # ------------------------------------------------------------------ counting

    def _begin(self, task: t.Any) -> None:
        section, within = _place(task)
        with self._guard:
            self._run.begin(
                task._uuid,
                task.get_name().rpartition(" : ")[2].strip(),
                time.time(),
                section,
                once=_once(task),
                hidden=task.action in C._ACTION_ALL_INCLUDES or task.action.endswith("validate_argument_spec"),
                within=within,
            )

    def _done(self, result: t.Any, outcome: Outcome) -> None:
        said, task, host = result._result, result._task, result._host.get_name()
        items = self._items.pop((task._uuid, host), ())
        sentence = results.sentence(said, items) if outcome in ALWAYS_SAID else ""
        self._begin(task)
        with self._guard:
            elsewhere = task.delegate_to not in (None, host) or _module(task.action) in FOR_MANY
            self._run.finish(task._uuid, host, outcome, sentence, elsewhere=elsewhere)
            self._read(task.action, said)
        self._handle_warnings(said)
        if outcome in ALWAYS_SAID:
            where = self.host_label(result).removeprefix(host)
            once = _once(task)
            shown = view.FOR_ALL if once and outcome != "unreachable" else host
            self._say(view.problem(shown, where, outcome, sentence), outcome)
            self._just_said = sentence if once else ""
        if self._display.verbosity >= 1 and outcome != "skipped":
            shown = self._dump_results(said, indent=4 if self._display.verbosity > 2 else None)
            self._display.display(f"{outcome}: [{self.host_label(result)}] => {shown}", color=COLORS[outcome])
        if self._strategy in EACH_FOR_ITSELF:
            with self._guard:
                over = self._run.complete(task._uuid)
            if over:
                self._close(task._uuid)

    def _read(self, action: str, said: dict[str, t.Any]) -> None:
        """What results of this collection say about other hosts than the one they are for."""
        if action.endswith("gateway_report"):
            if (pending := results.pending(said)) is not None:
                self._run.pending = pending
            self._run.find(found.on_gateways(said))
        if action.endswith("key_directory"):
            self._run.rotations = results.open_rotations(said)
        if read := FOR_MANY.get(_module(action)):
            self._run.find(read(said))
            self._run.interrupted |= found.is_interrupted(said)

    def _close(self, key: str | None = None) -> None:
        """The task, or all of them, is over: its line."""
        if self._ticker:
            self._ticker.drain()
        with self._guard:
            closed = self._run.close(time.time(), key)
        for step in closed:
            if step.worth_a_line:
                self._say(*view.line(step))

    # ------------------------------------------------------------------ showing

    def _say(self, text: str, what: str = "", *, stamped: bool = True) -> None:
        if self._status_lines:
            columns = self._status_lines.size.columns
            text = textwrap.fill(
                text, columns, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
            )
        elif stamped:
            text = f"{time.strftime('%H:%M:%S')} {text}"
        self._display.display(text, color=COLORS.get(what))

    def _say_debug(self, result: t.Any) -> None:
        said = result._result
        text = said.get("msg")
        shown = _lines(text) if isinstance(text, str) and text else self._dump_results(said)
        self._display.display(f"{self.host_label(result)}: {shown}", color=C.COLOR_DEBUG)

    def _begin_once(self) -> None:
        if self._ticker:
            return
        live = self.get_option("display") == "auto" and os.environ.get("TERM", "dumb") != "dumb"
        if live and not self._status_lines and sys.stdout.isatty():
            self._status_lines = StatusLines(sys.stdout, [sys.stderr], self._display._lock, pipe.tell_text)
        self._reader = pipe.opened()
        self._ticker = Ticker(self._reader, self._hear, self._tick)
        atexit.register(self._interrupted)
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) != _as_ctrl_c:
            signal.signal(signal.SIGTERM, _as_ctrl_c)

    def _hear(self, data: bytes) -> None:
        with self._guard:
            for message in pipe.messages(data):
                if message.get("what") in TOLD:
                    TOLD[message["what"]](self, message)
                    continue
                total, done, failed = (int(message.get(key, 0)) for key in ("total", "done", "failed"))
                counted = Devices(total, done, failed, time.time())
                tell = self._run.work if message.get("what") == "operations" else self._run.fleet
                tell(str(message.get("task")), counted)

    def _hear_result(self, message: dict[str, t.Any]) -> None:
        self._run.find([found.Found.from_message(message)])

    def _hear_text(self, message: dict[str, t.Any]) -> None:
        with self._display._lock:
            sys.stdout.write(str(message["text"]))
            sys.stdout.flush()

    def _tick(self) -> None:
        if not self._status_lines or not self._shown:
            return
        size = self._status_lines.size
        from ansible.utils.color import ANSIBLE_COLOR

        terminal = Terminal(size.columns, size.lines, ANSIBLE_COLOR, sys.stdout.encoding)
        with self._guard:
            lines = view.bars(self._run, time.time(), terminal)
        self._status_lines.paint(lines)

    def _show(self, shown: bool) -> None:
        self._shown = shown
        if self._status_lines and not shown:
            self._status_lines.remove()

    @staticmethod
    def _asks(play: t.Any) -> bool:
        """Whether Ansible will ask on the terminal, which the bars would spoil: --step, and the debugger."""
        return bool(
            context.CLIARGS.get("step")
            or C.config.get_config_value("ENABLE_TASK_DEBUGGER")
            or play.debugger
            or str(play.strategy).rpartition(".")[2] == "debug"
        )

    # ------------------------------------------------------------------ the end

    def _interrupted(self) -> None:
        # Workers are forks, and some libraries end them in ways that call this as well.
        if os.getpid() == self._pid and self._run.ended is None:
            self._finish(None, interrupted=True)

    def _finish(self, failed: list[str] | None, *, interrupted: bool = False) -> None:
        self._close()
        self._show(False)
        if self._ticker:
            self._ticker.stop()
            pipe.closed(self._reader)
            self._ticker = None
        self._run.end(time.time(), failed, interrupted=interrupted)
        for text, what in view.summary(self._run, self._just_said):
            self._say(text, what, stamped=False)
        for option, form in (("progress_json", files.as_json), ("progress_junit", files.as_junit)):
            if path := self.get_option(option):
                self._write(path, form(self._run))

    def _write(self, path: str, content: str) -> None:
        try:
            with open(f"{path}.new", "w", encoding="utf-8") as file:
                file.write(content)
            os.replace(f"{path}.new", path)
        except OSError as error:
            self._display.warning(f"The summary could not be written to {path}: {error.strerror}.")


TOLD: dict[str, t.Callable[[CallbackModule, dict[str, t.Any]], None]] = {
    "result": CallbackModule._hear_result,
    "text": CallbackModule._hear_text,
}
"""Messages of tasks that are no counts."""


def _as_ctrl_c(dummy: int, frame: t.Any) -> None:
    """SIGTERM ends the run as Ctrl-C does: with its summary and its files. A worker ends as ever."""
    if multiprocessing.parent_process() is not None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(signal.SIGINT, frame)
    raise KeyboardInterrupt


def _once(task: t.Any) -> bool:
    """Whether a task runs once, for all hosts: it says so, or its action is of that kind."""
    return bool(task.run_once) or _bypasses(task.action)


def _module(action: str) -> str:
    """A module without its collection."""
    return action.rpartition(".")[2]


@functools.cache
def _bypasses(action: str) -> bool:
    return bool(getattr(action_loader.get(action, class_only=True), "BYPASS_HOST_LOOP", False))


def _lines(text: str) -> str:
    """It may be of a device, and hold what steers a terminal."""
    return "\n".join(printable(line, len(line)) for line in text.split("\n"))


def _place(task: t.Any) -> tuple[Section, list[str]]:
    """In which part of which block a task stands (the innermost that is not the plain one), and what includes it."""
    if type(task).__name__ == "Handler":
        return "handler", []
    section: Section = "block"
    within = []
    child, parent = task, task._parent
    while parent is not None:
        within.append(parent._uuid)
        for name in PARTS:
            if section == "block" and any(one._uuid == child._uuid for one in getattr(parent, name, ())):
                section = name
        child, parent = parent, parent._parent
    return section, within
