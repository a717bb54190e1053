# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the tools of the daemons. PRIVATE to the collection.

Secrets go in by standard input or by the name of a root-only file, never as an argument. What a tool prints may hold
a secret (`wg genkey`); it is in no error but for the tool's own complaint on standard error.
"""

from __future__ import annotations

import os
import subprocess
import typing as t

from .._errors import VpnKeysError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 60.0


class Done(t.NamedTuple):
    """How a tool ended. `complaint`: the last line on standard error."""

    code: int
    output: str
    complaint: str


def attempt(*words: str, given: str = "", seconds: float = PATIENCE) -> Done:
    """Run a tool to its end. Raises VpnKeysError(not_found, timeout)."""
    environment = {**os.environ, "PATH": PATH, "LC_ALL": "C"}
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            words, input=given, env=environment, timeout=seconds, check=False,
            capture_output=True, text=True, errors="replace",
        )  # fmt: skip
    except FileNotFoundError:
        raise VpnKeysError("not_found", f"The program {words[0]} is not installed on this gateway.") from None
    except subprocess.TimeoutExpired:
        raise VpnKeysError("timeout", f"{' '.join(words[:2])} did not end within {seconds:.0f} seconds.") from None
    lines = done.stderr.strip().splitlines()
    return Done(done.returncode, done.stdout, lines[-1] if lines else "")


def run(*words: str, given: str = "", seconds: float = PATIENCE) -> str:
    """The output of a tool that has to succeed. Raises VpnKeysError(refused)."""
    done = attempt(*words, given=given, seconds=seconds)
    if done.code:
        reason = done.complaint or f"it ended with {done.code}"
        raise VpnKeysError("refused", f"{' '.join(words[:3])} failed: {reason}.")
    return done.output
