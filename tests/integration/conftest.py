# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A control node (real ansible-playbook processes) and simulated key servers, for tests of whole tasks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from lab import DeviceSpec, Fleet

HERE = Path(__file__).parent
CHECKOUT = HERE.parent.parent
FINISHED_WITHIN = 120
Data = dict[str, t.Any]


@dataclass(frozen=True)
class Run:
    """One ansible-playbook process: its exit code, all it printed, and every task result."""

    code: int
    output: str
    results: list[Data]

    def result(self, action: str, host: str | None = None) -> Data:
        """The last result of a module, on one host where there are several."""
        found = [one for one in self.results if one["action"].endswith(action) and host in (None, one["host"])]
        assert found, f"{action} did not run:\n{self.output}"
        return t.cast(Data, found[-1]["result"])

    def status(self, action: str, host: str | None = None) -> str:
        found = [one for one in self.results if one["action"].endswith(action) and host in (None, one["host"])]
        assert found, f"{action} did not run:\n{self.output}"
        return str(found[-1]["status"])


@dataclass
class ControlNode:
    """A directory with an inventory, an empty home and an environment of its own."""

    path: Path
    inventory: Data
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, what: str | Sequence[Data], *arguments: str) -> list[str]:
        inventory = self.path / "inventory.yml"
        inventory.write_text(yaml.safe_dump(self.inventory))
        if isinstance(what, str):
            playbook = what
        else:
            playbook = str(self.path / "play.yml")
            play = {"hosts": "key_servers", "gather_facts": False, "tasks": list(what)}
            Path(playbook).write_text(yaml.safe_dump([play], sort_keys=False))
        return [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), playbook, *arguments]

    def env(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        keep = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LC_ALL", "LANG") if name in os.environ}
        return {
            **keep,
            "HOME": str(self.path),
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build"),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "record",
            "ANSIBLE_NOCOLOR": "1",
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
        """Run a playbook of the collection by name, or a list of tasks on the group key_servers."""
        record = self.path / "results.jsonl"
        record.unlink(missing_ok=True)
        done = subprocess.run(
            self.command(what, *arguments),
            cwd=self.path,
            env=self.env(env),
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=FINISHED_WITHIN,
            check=False,
        )
        results = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
        return Run(done.returncode, done.stdout, results)


@pytest.fixture
def start_fleet() -> Iterator[Callable[..., Fleet]]:
    """Starts simulated devices; they end with the test."""
    with ExitStack() as stack:

        def start(*specs: DeviceSpec) -> Fleet:
            return stack.enter_context(Fleet(list(specs), host="127.0.0.1"))

        yield start


@pytest.fixture
def control_node(tmp_path: Path) -> Callable[[Fleet], ControlNode]:
    def make(fleet: Fleet) -> ControlNode:
        return ControlNode(tmp_path, fleet.inventory())

    return make
