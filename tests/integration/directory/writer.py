# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One of several processes that write to a directory at the same time. Started by test_concurrent.py.

Reads its task as JSON: url, signing key, its number, how many writes. Each write adopts a new key for one of the
gateways, which all writers share, so that every write takes the next serial of somebody else's. Prints the keys.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from unit.directory.samples import Directory, gateway, new_key

task = json.load(sys.stdin)
directory = Directory(task["url"], Path(task["key_path"]))
for number in range(task["writes"]):
    name = task["gateways"][(task["number"] + number) % len(task["gateways"])]
    key = new_key()
    done = directory.change(
        gateways=[gateway(name, key)],
        adopt=True,
        events=[{"what": "written", "gateway": name, "outcome": f"{task['number']}/{number}"}],
    )
    assert done.changed
    print(key, flush=True)
