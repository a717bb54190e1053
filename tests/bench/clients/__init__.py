# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this collection is compared with: scripts as the documentation of each tool has them, fast settings included.

Each is run as `python -m bench.clients.NAME WORK HOSTS.json` and ends with exit code 0 only if it found what it had to.
"""
