# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-playbook in a process that has the libraries already: a third of the CPU of a short run is importing them.

What reads the environment while it is imported is not there before: most of Ansible, and all of this collection.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

LIBRARIES = [
    "ansible._internal._ssh._ssh_agent", "ansible.config.manager", "ansible.parsing.utils.addresses",
    "asyncio", "asyncssh", "cryptography.hazmat.backends.openssl.backend",
    "cryptography.hazmat.primitives.asymmetric.ed25519", "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.hazmat.primitives.ciphers", "cryptography.hazmat.primitives.serialization", "cryptography.x509",
    "importlib.metadata", "inspect", "jinja2.nativetypes", "logging", "multiprocessing.managers",
    "multiprocessing.queues", "packaging.specifiers", "rich.console", "rich.live", "rich.table", "sqlalchemy",
    "sqlalchemy.dialects.sqlite", "unittest.mock", "urllib.request", "xml.etree.ElementTree", "yaml", "zipfile",
]  # fmt: skip
ANSIBLE = [sys.executable, "-m", "ansible"]
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([*LIBRARIES, "integration.remembered"])


def is_possible(words: Sequence[str], env: Mapping[str, str]) -> bool:
    """Not for other programs, and not where other libraries are to be found."""
    return list(words[: len(ANSIBLE)]) == ANSIBLE and env.get("PYTHONPATH") == os.environ.get("PYTHONPATH")


def run(words: Sequence[str], cwd: Path, env: Mapping[str, str], typed: str, within: float) -> tuple[int, str]:
    """Exit code and output of such a command. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryDirectory() as place:
        given, printed = Path(place, "given"), Path(place, "printed")
        given.write_text(typed, encoding="utf-8")
        options = (list(words[len(ANSIBLE) :]), str(cwd), dict(env), str(given), str(printed))
        process = _context.Process(target=_ansible, args=options)
        process.start()
        process.join(within)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(words), within)
        return process.exitcode, printed.read_text(encoding="utf-8", errors="replace")


def _ansible(words: list[str], cwd: str, env: dict[str, str], given: str, printed: str) -> None:
    assert "ansible.constants" not in sys.modules, "Ansible's settings would be those of another environment."
    os.dup2(os.open(given, os.O_RDONLY), 0)
    os.dup2(os.open(printed, os.O_WRONLY | os.O_CREAT, 0o600), 1)
    os.dup2(1, 2)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    tempfile.tempdir = None  # that of the environment
    sys.argv = ["ansible", *words]
    try:
        runpy.run_module("ansible", run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out
