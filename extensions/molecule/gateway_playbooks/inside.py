# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""inside.py DIRECTORY SCRIPT NAME,NAME...: runs a shell script as root inside gateways; what it printed, as JSON."""

from __future__ import annotations

import json
import sys

from lab.gateways import Mesh

directory, script, names = sys.argv[1:]
mesh = Mesh.attach(directory)
print(json.dumps({name: mesh.run(name, script).splitlines() for name in names.split(",")}))
