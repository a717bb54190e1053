# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A device that does not stop talking is given up, in its time, and nobody else notices."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from integration import rounds
from integration.devices import spec

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._ios import getvpn
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios import session as ios_session
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios.options import Target
from lab import KeySpec

LIMIT = 20.0
"""Seconds that each device has."""
PATTERNS = {
    "a log message that is none": "%A",
    "prompts": "R1#\\r\\n",
    "one line": "a",
    "pager": " --More-- ",
    "colors": "\\x1b[31m",
    "backspaces": "a\\x08",
    "echo": "show crypto key mypubkey rsa\\r\\n",
    "questions": "Really? [yes/no]: ",
    "empty lines": "\\r\\n",
    "refusals that are none": "%A\\r\\n",
}


@contextmanager
def flooding(pattern: str, quiet_lines: int) -> Iterator[int]:
    """The port of a device that floods."""
    words = [sys.executable, str(Path(__file__).with_name("flood.py")), pattern, str(quiet_lines)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def _both(port: int) -> tuple[dict[str, t.Any], dict[str, float]]:
    took: dict[str, float] = {}

    async def survey(target: Target) -> getvpn.Survey:
        begun = time.monotonic()
        try:
            async with ios_session.session(target, LIMIT) as session:
                return await session.do(getvpn.survey)
        finally:
            took[target.name] = time.monotonic() - begun

    flood = Target("flood", "127.0.0.1", port=port, user="x", host_key_checking=False)
    async with rounds.running([spec("good", "xe17", KeySpec("A", 1))], ssh=True) as devices:
        return await ios_session.on_all([flood, rounds.target(devices["good"])], survey), took


@pytest.mark.parametrize("quiet_lines", [0, 4], ids=["at login", "in an answer"])
@pytest.mark.parametrize("name", PATTERNS)
def test_one_device_floods_and_the_other_finishes_in_time(name: str, quiet_lines: int) -> None:
    with flooding(PATTERNS[name], quiet_lines) as port:
        found, took = asyncio.run(_both(port))
    assert not isinstance(found["good"], VpnKeysError), found["good"]
    assert "A" in found["good"].ring.labels
    flood = found["flood"]
    if isinstance(flood, VpnKeysError):
        assert flood.code in ("unreadable", "timeout", "unexpected_question", "session_lost")
        assert flood.host == "flood" or flood.code == "unreadable"  # a reader of outputs does not know the host
    else:  # a prompt behind an echo is an answer, if nothing has come after it yet: that it holds nothing
        assert (flood.ring.keys, flood.groups) == ((), ())
    assert max(took.values()) < LIMIT + 5
