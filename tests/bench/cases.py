# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured: tools, works, sizes. Data."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PER_GROUP = 8
"""Key servers in a GET VPN group: as many as COOP takes."""
GENERATION_SECONDS = 25.0


@dataclass(frozen=True)
class Tool:
    """One way to do the work. `needs`: the Python module without which it is left out. `config`: of ansible.cfg."""

    name: str
    title: str
    needs: str
    commands: dict[str, tuple[str, ...]]
    forks: int = 5
    config: str = ""

    @property
    def here(self) -> bool:
        """Whether it is installed beside this Python."""
        return importlib.util.find_spec(self.needs) is not None


@dataclass(frozen=True)
class Case:
    """One work on so many devices, by several tools in turn. `rounds` per tool; where a tool takes minutes, one."""

    work: str
    devices: int
    latency_ms: int
    tools: tuple[str, ...]
    rounds: int

    @property
    def title(self) -> str:
        """In words."""
        return f"{self.work}, {self.devices} key servers, {self.latency_ms} ms per command"


def _playbook(name: str) -> tuple[str, ...]:
    where = name if name.startswith("vpnops.") else str(HERE / "playbooks" / f"{name}.yml")
    # Beside this Python, whether or not its virtual environment is activated.
    return (sys.executable, str(Path(sys.executable).parent / "ansible-playbook"), "-i", "{inventory}", where)


def _script(name: str, *works: str) -> dict[str, tuple[str, ...]]:
    return {work: (sys.executable, "-m", f"bench.clients.{name}", work, "{hosts}") for work in works}


OURS, FLOOR, NORNIR, SCRAPLI = "vpnops.keys", "asyncssh", "nornir", "scrapli"
ONE_TASK, TASK_EACH, START = "ios_command", "ios_command x4", "ansible"
CALM = "vpnops.keys, calm"

TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            OURS,
            "vpnops.keys",
            "ansible",
            {
                "compare": _playbook("vpnops.keys.compare_key_servers"),
                "sync": _playbook("vpnops.keys.sync_key_servers"),
                "wait": _playbook("wait_vpnops"),
            },
            forks=8,
        ),
        Tool(
            CALM,
            "vpnops.keys, internal_poll_interval = 0.05",
            "ansible",
            {"wait": _playbook("wait_vpnops")},
            forks=8,
            config="[defaults]\ninternal_poll_interval = 0.05\n",
        ),
        Tool(FLOOR, "asyncssh script (the floor)", "asyncssh", _script("floor", "compare", "sync", "wait")),
        Tool(SCRAPLI, "scrapli script", "scrapli", _script("scrapli_asyncssh", "compare")),
        Tool(NORNIR, "nornir + netmiko script", "nornir_netmiko", _script("nornir_netmiko", "compare", "sync", "wait")),
        Tool(
            ONE_TASK,
            "ios_command, as few tasks as possible",
            "pylibsshext",
            {
                "compare": _playbook("compare_ios_command"),
                "sync": _playbook("sync_ios_command"),
                "wait": _playbook("wait_ios_command"),
            },
            # More do not help on a few cores: these tasks are bound by CPU.
            forks=32,
        ),
        Tool(
            TASK_EACH,
            "ios_command, a task per command",
            "pylibsshext",
            {"compare": _playbook("compare_ios_command_4")},
            forks=32,
        ),
        Tool(
            START,
            "Ansible alone (an empty play)",
            "ansible",
            {"compare": _playbook("start"), "sync": _playbook("start"), "wait": _playbook("pause")},
            forks=8,
        ),
    )
}
ONCE = frozenset({ONE_TASK, TASK_EACH})
"""Tools that take too long to be run more than once."""

ALL = (OURS, FLOOR, SCRAPLI, NORNIR, START, ONE_TASK)
CASES = (
    *(Case("compare", 8, latency, (*ALL, TASK_EACH), 4) for latency in (0, 50)),
    *(Case("compare", 64, latency, ALL, 4) for latency in (0, 50)),
    # No ios_command here: a connection process and more than 60 MB per device.
    *(Case("compare", 512, latency, (OURS, FLOOR, SCRAPLI, NORNIR, START), 2) for latency in (0, 50)),
    *(Case("sync", 8, latency, (OURS, FLOOR, NORNIR, START, ONE_TASK), 4) for latency in (0, 50)),
    Case("wait", 8, 0, (OURS, CALM, FLOOR, NORNIR, START, ONE_TASK), 1),
)
QUICK = (
    Case("compare", 8, 0, (OURS, FLOOR, SCRAPLI, NORNIR), 1),
    Case("sync", 8, 0, (OURS, FLOOR), 1),
)
