# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a library is missing, the modules say so in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Runs a module as Ansible does, in a Python where one library cannot be imported.
WITHOUT = """
import io, json, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[1]:
            raise ImportError(name=name)

sys.meta_path.insert(0, Missing())
from ansible.module_utils import basic
from ansible_collections.vpnops.keys.plugins.modules import {module}
arguments = {{"ANSIBLE_MODULE_ARGS": {{"url": "sqlite:////nowhere/directory.db"}}}}
basic._ANSIBLE_ARGS = json.dumps(arguments).encode()
basic._ANSIBLE_PROFILE = "legacy"
{module}.main()
"""


@pytest.mark.parametrize("library", ["SQLAlchemy", "alembic", "cryptography"])
@pytest.mark.parametrize("module", ["key_directory", "key_directory_info"])
def test_missing(module: str, library: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(module=module), library.lower()],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert result["code"] == "missing_library"
    assert result["msg"].startswith(f"The Python library {library} is needed where this task runs. Nothing was changed")
