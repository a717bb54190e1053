# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A control node: real ansible-playbook processes in a directory, home and environment of their own."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from integration import forked

HERE = Path(__file__).parent
CHECKOUT = HERE.parent.parent
MARKED = re.compile(r"\b[OV]\([a-z_]\w*\)")
"""An option in a message is marked, until it is replaced by what the reader can set."""
FINISHED_WITHIN = 120
PATIENCE = 5.0
"""Seconds without a reaction after which an answer is typed again."""
WHOLE = 0.3
"""Seconds of silence after which a question has been asked to its end."""
Data = dict[str, t.Any]

# A session leader without a terminal gets the first one it opens as its own: that is where -k and pause ask.
ON_TERMINAL = "import os, sys; os.close(os.open(sys.argv[1], os.O_RDWR)); os.execvp(sys.argv[2], sys.argv[2:])"


@dataclass(frozen=True)
class Run:
    """One ansible-playbook process: its exit code, all it printed, and every task result."""

    code: int
    output: str = field(repr=False)
    results: list[Data] = field(repr=False)

    def _found(self, what: str, host: str | None) -> Data:
        """The last result of a module (the end of its name), or of a task by its name without that of the role."""
        here = [one for one in self.results if host in (None, one["host"])]
        named = [one for one in here if one["task"].rpartition(" : ")[2] == what]
        found = named or [one for one in here if one["action"].endswith(what)]
        assert found, f"{what} did not run:\n{self.output}"
        return found[-1]

    def result(self, what: str, host: str | None = None) -> Data:
        """What it returned."""
        return t.cast(Data, self._found(what, host)["result"])

    def status(self, what: str, host: str | None = None) -> str:
        """ok, failed, ignored, unreachable or skipped."""
        return str(self._found(what, host)["status"])

    def changed(self, what: str, host: str | None = None) -> bool:
        """Whether it succeeded and changed something; fails where it did not succeed."""
        assert self.status(what, host) == "ok", self.result(what, host)
        return bool(self.result(what, host)["changed"])

    def error(self, what: str, host: str | None = None) -> tuple[str, str]:
        """Code and sentence of a failure; fails where there is none."""
        assert self.status(what, host) in ("failed", "ignored", "unreachable"), self.result(what, host)
        result = self.result(what, host)
        return str(result.get("code")), str(result["msg"])


@dataclass
class ControlNode:
    """A directory with an inventory, an empty home and an environment of its own.

    `listed`: its runs are in the list of processes with all their words, as a user's are."""

    path: Path
    inventory: Data
    environment: dict[str, str] = field(default_factory=dict)
    group: str = "key_servers"
    finished_within: float = FINISHED_WITHIN
    listed: bool = False

    @property
    def hosts(self) -> dict[str, Data]:
        """The variables of each host; to be changed by tests."""
        return t.cast("dict[str, Data]", self.inventory[self.group]["hosts"])

    @property
    def shared(self) -> Data:
        """The variables of all hosts."""
        return t.cast(Data, self.inventory[self.group]["vars"])

    def write_inventory(self) -> Path:
        inventory = self.path / "inventory.yml"
        inventory.write_text(yaml.safe_dump(self.inventory))
        return inventory

    def command(self, what: str | Sequence[Data], *arguments: str) -> list[str]:
        inventory = self.write_inventory()
        if isinstance(what, str):
            playbook = what
        else:
            playbook = str(self.path / "play.yml")
            play = {"hosts": self.group, "gather_facts": False, "tasks": list(what)}
            Path(playbook).write_text(yaml.safe_dump([play], sort_keys=False))
        return [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), playbook, *arguments]

    def _collections(self) -> str:
        """Ours, and what stands in for ansible.netcommon, which may not be installed."""
        stand_in = self.path / "collections" / "ansible_collections" / "ansible" / "netcommon"
        if not stand_in.exists():
            stand_in.parent.mkdir(parents=True)
            stand_in.symlink_to(HERE / "netcommon")
        return f"{CHECKOUT / '.build'}:{self.path / 'collections'}"

    def env(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        keep = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LC_ALL", "LANG") if name in os.environ}
        return {
            **keep,
            "HOME": str(self.path),
            "ANSIBLE_COLLECTIONS_PATH": self._collections(),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "record",
            "ANSIBLE_INVENTORY_ENABLED": "yaml",  # 0.3 s of each run go into reading about the others
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORKS": "12",
            "ANSIBLE_HOST_KEY_CHECKING": "false",
            "RECORD": str(self.path / "results.jsonl"),
            **self.environment,
            **(extra or {}),
        }

    def run(
        self,
        what: str | Sequence[Data],
        *arguments: str,
        env: Mapping[str, str] | None = None,
        typed: str = "",
    ) -> Run:
        """Run a playbook of the collection by name, or a list of tasks on the group."""
        return self.run_words(self.command(what, *arguments), env, typed)

    def run_words(self, words: Sequence[str], env: Mapping[str, str] | None = None, typed: str = "") -> Run:
        """Run any command there."""
        (self.path / "results.jsonl").unlink(missing_ok=True)
        environment = self.env(env)
        if not self.listed and forked.is_possible(words, environment):
            return self.recorded(*forked.run(words, self.path, environment, typed, self.finished_within))
        done = subprocess.run(
            words,
            cwd=self.path,
            env=environment,
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=self.finished_within,
            check=False,
        )
        return self.recorded(done.returncode, done.stdout)

    def run_on_terminal(
        self, what: str | Sequence[Data], *arguments: str, answers: Sequence[tuple[str, str]] = ()
    ) -> Run:
        """A playbook on a terminal, where the questions that match come in this order and are answered."""
        return self.run_words_on_terminal(self.command(what, *arguments), answers)

    def run_words_on_terminal(
        self, words: Sequence[str], answers: Sequence[tuple[str, str]] = (), env: Mapping[str, str] | None = None
    ) -> Run:
        """Any command on a terminal."""
        (self.path / "results.jsonl").unlink(missing_ok=True)
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", ON_TERMINAL, os.ttyname(theirs), *words],
            cwd=self.path,
            env=self.env(env),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            output = _converse(ours, answers, self.finished_within)
            code = process.wait(10)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
            os.close(ours)
        return self.recorded(code, output)

    def recorded(self, code: int, output: str) -> Run:
        """What the process that just ended left."""
        # Ansible itself shows the specification of arguments with its descriptions.
        told = [line for line in output.splitlines() if "argument_spec_data" not in line]
        assert not MARKED.search("\n".join(told)), f"an option is still marked:\n{output}"
        record = self.path / "results.jsonl"
        results = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
        return Run(code, output, results)


def _converse(terminal: int, answers: Sequence[tuple[str, str]], within: float) -> str:
    """All that comes from the terminal until its other end is closed.

    A question is answered once it stands there whole, and again when nothing follows but the answer's own echo:
    `pause` throws away what was typed before it got ready.
    """
    last: str | None = None
    output, asked, answered, waiting = "", False, 0, list(answers)
    end = time.monotonic() + within
    while time.monotonic() < end:
        if not select.select([terminal], [], [], WHOLE if asked else PATIENCE)[0]:
            if asked:
                asked, answered, last = False, len(output), waiting.pop(0)[1]
            elif last is None or _reaction(output[answered:], last):
                continue
            os.write(terminal, f"{last}\r".encode())
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other end is closed
            data = b""
        if not data:
            assert not waiting, f"{waiting[0][0]!r} was never asked:\n{output}"
            return output
        output += data.decode(errors="replace")
        asked = bool(waiting and re.search(waiting[0][0], output[answered:]))
    raise AssertionError(f"not finished within {within} s, as {output[answered:]!r} came after {last!r}:\n{output}")


def _reaction(output: str, answer: str) -> str:
    """What is more than an echo of the answer, however often that was typed."""
    return output.replace(answer, "").replace("^M", "").strip()
