# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make demo`, which the README begins with."""

from __future__ import annotations

import subprocess

import pytest
from integration.control_node import CHECKOUT


@pytest.mark.thorough
@pytest.mark.timeout(1200)
def test_demo() -> None:
    done = subprocess.run(
        ["make", "demo"], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "4. Synchronize again: nothing is left to do" in done.stdout
    assert "To try more:" in done.stdout
