# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""awx.awx for tests, whose modules do not cost a process each: the same code runs in the worker of the task.

`overlay` makes a directory for ANSIBLE_COLLECTIONS_PATH with the real collection, and with this file as the action
plugin of each of its modules.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import typing as t
from pathlib import Path

from ansible.module_utils.testing import patch_module_args
from ansible.plugins.action import ActionBase

CHECKOUT = Path(__file__).parents[3]
MODULES = "ansible_collections.awx.awx.plugins.modules"

with contextlib.suppress(ImportError):  # not where tests import this file
    # Once, before the tasks are forked.
    importlib.import_module("ansible_collections.awx.awx.plugins.module_utils.controller_api")


def overlay(path: Path) -> Path:
    """The directory, below `path`."""
    real, made = CHECKOUT / ".build/ansible_collections/awx/awx", path / "one_process/ansible_collections/awx/awx"
    (made / "plugins/action").mkdir(parents=True)
    for name in ("meta", "MANIFEST.json", "plugins/modules", "plugins/module_utils", "plugins/lookup",
                 "plugins/doc_fragments"):  # fmt: skip
        (made / name).symlink_to(real / name)
    for module in (real / "plugins/modules").glob("[!_]*.py"):
        (made / "plugins/action" / module.name).symlink_to(Path(__file__))
    return path / "one_process"


class ActionModule(ActionBase):  # type: ignore[misc]
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        module = importlib.import_module(f"{MODULES}.{self._task.action.rpartition('.')[2]}")
        arguments = dict(self._task.args)
        self._update_module_args(self._task.action, arguments, task_vars)
        said = io.StringIO()
        with patch_module_args(arguments), contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            module.main()
        return result | t.cast("dict[str, t.Any]", json.loads(said.getvalue()))
