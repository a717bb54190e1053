# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs playbooks against a mesh, as from a control node of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..run import BenchError

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent.parent
LIMIT = 900.0


def play(folder: Path, forks: int, playbook: str, *words: str, through: Sequence[str] = ()) -> None:
    """Run one against the inventory in `folder`. BenchError when it fails. `through`: words before the command."""
    where = playbook if playbook.startswith("vpnops.") else str(HERE / "playbooks" / f"{playbook}.yml")
    # Beside this Python, whether or not its virtual environment is activated.
    ansible = str(Path(sys.executable).parent / "ansible-playbook")
    output = folder / "output"
    with output.open("w", encoding="utf-8") as sink:
        done = subprocess.run(
            [*through, sys.executable, ansible, "-i", str(folder / "inventory.yml"), where, *words],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment(folder, forks),
            timeout=LIMIT,
            check=False,
        )
    if done.returncode:
        tail = "\n".join(output.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
        raise BenchError(f"{playbook} {' '.join(words)} ended with {done.returncode}:\n{tail}")


def environment(folder: Path, forks: int) -> dict[str, str]:
    """Little more than nothing, the same on every machine."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (folder / "ansible.cfg").touch()
    build = TESTS.parent / ".build"
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "PYTHONPATH": f"{build}:{TESTS}",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(build),
        "ANSIBLE_FORKS": str(forks),
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "task_count",
        "BENCH_TASKS": str(folder / "tasks.json"),
        "VPNOPS_KEYS_DIRECTORY_URL": f"sqlite:///{home}/directory.db",
    }
