# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the process that holds a rotation is there."""

from __future__ import annotations

import os
import subprocess
import sys

from ansible_collections.vpnops.keys.plugins.module_utils._directory import lock_owner


def test_a_process_that_runs_and_then_does_not() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    me = lock_owner.describe(child.pid, "alice")
    assert me["user"] == "alice"
    assert not lock_owner.is_gone(me)
    child.communicate()
    assert lock_owner.is_gone(me)


def test_another_process_with_the_same_number() -> None:
    mine = lock_owner.describe(os.getpid())
    assert not lock_owner.is_gone(mine)
    assert lock_owner.is_gone({**mine, "started": mine["started"] - 1})


def test_nothing_is_certain_about_other_machines() -> None:
    gone = {**lock_owner.describe(os.getpid()), "started": 1}
    assert lock_owner.is_gone(gone)
    assert not lock_owner.is_gone({**gone, "machine": "another boot, or another container"})
    assert not lock_owner.is_gone({"user": "alice"})


def test_each_run_is_another_one() -> None:
    assert lock_owner.describe(os.getpid())["run"] == lock_owner.describe(os.getpid())["run"]
    assert lock_owner.describe(os.getpid())["run"] != lock_owner.describe(os.getppid())["run"]
