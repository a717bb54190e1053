# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ForceCommand of a gateway that has been tampered with: runs on that gateway, as whoever logs in.

It does what was asked, keeps all that it was given, and prints something else for the result of a module. `plan.json`
beside it has the mutation of each module, "*" for all others; "gateway_key active" only where that word is among the
options.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
if TYPE_CHECKING or __package__:
    from ..tampering import Mutation
else:
    # Python was told to look nowhere but in its own library.
    sys.path.insert(0, str(HERE))
    from tampering import Mutation

RECEIVED = HERE / "received"
SFTP = "/usr/lib/openssh/sftp-server"
FORGED = "forged"
# How a module is named where Ansible sends it by standard input, and where it has put it into a file before.
NAMED = re.compile(rb"(?:plugins\.modules|ansible\.modules|ansible\.legacy)\.(\w+)|AnsiballZ_(\w+)\.py")


def sleeps(dummy: str) -> Iterator[bytes]:
    """Nothing, and no end."""
    while True:
        time.sleep(60)
        yield b""


def endless(dummy: str) -> Iterator[bytes]:
    """A line that has no end."""
    while True:
        yield b"x" * 65536


def closes(text: str) -> Iterator[bytes]:
    """Half of it, and the connection is gone."""
    yield text[: len(text) // 2].encode()
    os.kill(os.getppid(), signal.SIGKILL)


BEHAVIOR: dict[str, Callable[[str], Iterator[bytes]]] = {"sleeps": sleeps, "endless": endless, "closes": closes}


def keep(data: bytes) -> None:
    """What the control node sends, for tests that look for secrets in it."""
    with RECEIVED.open("ab", buffering=0) as file:
        file.write(data)


class Module:
    """The name of the module that is asked for, as far as that is known yet."""

    def __init__(self, command: str) -> None:
        self.seen = command.encode("utf-8", "surrogateescape")

    def read(self, data: bytes) -> None:
        self.seen += data

    def mutation(self, plan: dict[str, Any]) -> Mutation | None:
        names = [(one or other).decode() for one, other in NAMED.findall(self.seen)]
        closer = [one for one in plan if one.partition(" ")[0] in names and self._is_asked(one.partition(" ")[2])]
        told = [plan[name] for name in [*closer, *names, "*"] if name in plan]
        return Mutation.from_json(told[0]) if names and told else None

    def _is_asked(self, word: str) -> bool:
        """Whether an option of the module, sent by standard input, has that name or value."""
        return bool(word) and re.search(rb'"%b\\?"' % word.encode(), self.seen) is not None


def hand_over(module: Module, target: IO[bytes]) -> None:
    """Standard input, for the command and for the module's name."""
    try:
        while data := os.read(0, 65536):
            keep(data)
            module.read(data)
            target.write(data)
            target.flush()
        target.close()
    except OSError:
        pass


def result_of(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def answer(line: bytes, module: Module, plan: dict[str, Any]) -> Iterator[bytes]:
    """What is printed instead of a line of the command's output."""
    result = result_of(line) if line.lstrip().startswith(b"{") else None
    mutation = module.mutation(plan) if result is not None else None
    if result is None or mutation is None:
        yield line
        return
    (HERE / FORGED).open("ab").write(f"{mutation.name}\n".encode("utf-8", "backslashreplace"))
    if mutation.form in BEHAVIOR:
        yield from BEHAVIOR[mutation.form](json.dumps(mutation.result(result)))
    else:
        yield from mutation.printed(result)
    yield b"\n"


def main() -> int:
    command = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    keep(f"\n# {command}\n".encode("utf-8", "surrogateescape"))
    plan = json.loads((HERE / "plan.json").read_text())
    words = [SFTP] if "sftp" in command.partition(" ")[0] else ["/bin/sh", "-c", command]
    module = Module(command)
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin
    assert child.stdout
    threading.Thread(target=hand_over, args=(module, child.stdin), daemon=True).start()
    if words == [SFTP]:
        while data := os.read(child.stdout.fileno(), 65536):
            os.write(1, data)
        return child.wait()
    out = sys.stdout.buffer
    for line in child.stdout:
        for part in answer(line, module, plan):
            out.write(part)
            out.flush()
    return child.wait()


if __name__ == "__main__":
    code = main()
    # Not to wait for a thread that still reads standard input.
    os._exit(code if code >= 0 else 128 - code)
