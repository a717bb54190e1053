# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures a playbook: `python -m bench.gateways.meter RESULT.json SECONDS NAMESPACES COMMAND ...`

As bench.meter does, and the bytes that it pushed to the gateways: the kernel counts them for each connection to port 22
in their namespaces (a list with commas). The connections that Ansible leaves open are looked at, then ended.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from ..meter import measure

SS = ("ss", "--tcp", "--info", "--numeric", "--no-header", "state", "established", "sport = :22")


def received(namespace: str) -> list[int]:
    """Bytes that came in by each connection to sshd."""
    enter = ("nsenter", f"--net=/run/netns/{namespace}")
    shown = subprocess.run((*enter, *SS), capture_output=True, text=True, check=True).stdout
    return [int(number) for number in re.findall(r"bytes_received:(\d+)", shown)]


def main(result: str, limit: str, namespaces: str, *command: str) -> None:
    """See above."""
    pushed: dict[str, list[int]] = {}

    def ended() -> None:
        pushed.update((namespace, received(namespace)) for namespace in namespaces.split(","))

    measured = measure(list(command), float(limit), linger=0, ended=ended)
    Path(result).write_text(json.dumps({**measured, "pushed": pushed}), encoding="utf-8")
    sys.exit(int(str(measured["exit_code"])))


if __name__ == "__main__":
    main(*sys.argv[1:])
