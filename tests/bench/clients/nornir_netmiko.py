# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nornir with netmiko: 64 worker threads, fast_cli (netmiko's default), no session log, prompts known beforehand."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nornir import InitNornir  # type: ignore[import-not-found,unused-ignore]
from nornir.core import Nornir  # type: ignore[import-not-found,unused-ignore]
from nornir.core.task import AggregatedResult, Result, Task  # type: ignore[import-not-found,unused-ignore]

from . import job


def nornir(folder: Path) -> Nornir:
    """As in its tutorial: SimpleInventory (hosts.yaml and defaults.yaml in `folder`), and a threaded runner."""
    return InitNornir(
        runner={"plugin": "threaded", "options": {"num_workers": job.AT_ONCE}},
        inventory={
            "plugin": "SimpleInventory",
            "options": {
                "host_file": str(folder / "hosts.yaml"),
                "group_file": str(folder / "groups.yaml"),
                "defaults_file": str(folder / "defaults.yaml"),
            },
        },
        logging={"enabled": False},
    )


def _connection(task: Task) -> Any:
    connection = task.host.get_connection("netmiko", task.nornir.config)
    if not connection.check_enable_mode():
        connection.enable()
    return connection


def _ask(connection: Any, line: str, expect: str | None = None, **options: Any) -> str:
    expect = expect or re.escape(connection.base_prompt) + r"(?:\(config\))?#"
    return str(connection.send_command(line, expect_string=expect, strip_prompt=False, **options))


def look(task: Task) -> Result:
    """The RSA keys."""
    return Result(host=task.host, result=job.keys(_ask(_connection(task), job.SHOWS[0])))


def survey(task: Task) -> Result:
    """The four shows."""
    connection = _connection(task)
    seen = job.read([_ask(connection, line) for line in job.SHOWS])
    task.host.close_connections()
    return Result(host=task.host, result=seen)


def generate(task: Task) -> Result:
    """A key; its two PEM blocks."""
    connection = _connection(task)
    connection.config_mode()
    _ask(connection, job.GENERATE, read_timeout=300)
    blocks = job.pem_blocks(_ask(connection, job.EXPORT))
    connection.exit_config_mode()
    return Result(host=task.host, result=blocks)


def bring(task: Task, public: list[str], private: list[str]) -> Result:
    """Import."""
    connection = _connection(task)
    connection.config_mode()
    _ask(connection, job.IMPORT, job.PASTE_PUBLIC)
    connection.write_channel("\n".join([*public, "", ""]))
    connection.read_until_pattern(job.PASTE_PRIVATE)
    connection.write_channel("\n".join([*private, ""]))
    done = "import succeeded" in _ask(connection, "quit", r"import \w+\.\s+.*#")
    connection.exit_config_mode()
    if not done:
        raise RuntimeError("import failed")
    return Result(host=task.host)


def save(task: Task) -> Result:
    """write memory."""
    if "[OK]" not in _connection(task).save_config():
        raise RuntimeError("not saved")
    return Result(host=task.host)


def _results(done: AggregatedResult) -> Mapping[str, Any]:
    done.raise_on_error()
    return {name: result[0].result for name, result in done.items()}


def compare(fleet: Nornir) -> bool:
    """The four shows of everybody."""
    return job.in_sync(list(_results(fleet.run(survey)).values()))


def sync(fleet: Nornir) -> bool:
    """Look, generate on the first, export there, import on the others, look, save, look."""
    before = _results(fleet.run(look))
    if any(job.LABEL in held for held in before.values()):
        return False
    first = next(iter(before))
    made = _results(fleet.filter(name=first).run(generate))[first]
    others = fleet.filter(filter_func=lambda host: host.name != first)
    others.run(bring, public=made[0], private=made[1]).raise_on_error()
    proof = list(_results(fleet.run(look)).values())
    fleet.run(save).raise_on_error()
    proof += _results(fleet.run(look)).values()
    fleet.close_connections()
    return len({held.get(job.LABEL) for held in proof} - {None}) == 1


def wait(fleet: Nornir) -> bool:
    """Generate on everybody."""
    made = _results(fleet.run(generate)).values()
    fleet.close_connections()
    return all(len(blocks) == 2 for blocks in made)


if __name__ == "__main__":
    job.end({"compare": compare, "sync": sync, "wait": wait}[sys.argv[1]](nornir(Path(sys.argv[2]).parent)))
