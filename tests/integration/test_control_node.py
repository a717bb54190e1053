# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The terminal on which the other tests answer questions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from integration import control_node

SLOW_TO_GET_READY = """
import sys, termios, time
for part in ("Type ", "yes; anything else", " is a no: "):
    print(part, end="", flush=True)
    time.sleep(0.1)
time.sleep({readies})
termios.tcflush(sys.stdin, termios.TCIFLUSH)
print("\\ngot", repr(sys.stdin.readline()))
"""


@pytest.mark.parametrize("answer", ["yes", ""])
@pytest.mark.parametrize("readies", [0, 2])
def test_an_answer_is_typed_until_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, readies: float
) -> None:
    monkeypatch.setattr(control_node, "PATIENCE", 0.7)
    node = control_node.ControlNode(tmp_path, {}, finished_within=20)
    program = SLOW_TO_GET_READY.format(readies=readies)
    done = node.run_words_on_terminal([sys.executable, "-c", program], [("Type yes", answer)])
    assert f"got '{answer}\\n'" in done.output
    assert done.code == 0
