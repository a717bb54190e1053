# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An error as the result of a task, of every action alike."""

from __future__ import annotations

import typing as t

from ..module_utils._errors import VpnKeysError, rendered
from ..module_utils._printable import printable
from . import advice

LONGEST_MESSAGE = 20_000
"""Characters. One sentence for each of a few hundred devices; a message is no place for more."""


def failure(error: VpnKeysError, task: t.Any) -> dict[str, t.Any]:
    """What went wrong, by the names of what the reader can set. `task`: as Ansible has it."""
    text = rendered(error.marked, advice.of_task(task))
    return {
        "failed": True,
        "msg": printable(text, LONGEST_MESSAGE),
        "code": error.code,
        "changed": error.changed,
    }
