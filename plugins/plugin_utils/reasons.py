# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why Ansible does not get to a host, or to its root: the part of its message that people need, and what to check.
Pure.

The message may hold what the host itself printed, so it is never part of a sentence of ours unquoted.
"""

from __future__ import annotations

import re

from ..module_utils._printable import printable

LONGEST = 200
"""Characters of a reason."""
READ = 2000
"""Characters of a message that are looked at, its last ones: a host may print without end."""
NETWORK = "Check ansible_host, ansible_port and the network."
TIMEOUT = "Check the gateway and the network; a higher gateway_keys_timeout gives it more time."
BECOME = "Check ansible_become_password or -K."
# What ssh says, without the address: gateways with the same reason are named together.
_CORES = {
    r"Could not resolve hostname .+": "Check ansible_host.",
    r"Permission denied \([^()]{1,200}\)": "Check ansible_user and its SSH key or password.",
    r"Host key verification failed": "Compare its host key with the one in known_hosts.",
    r"Connection (?:refused|timed out|closed|reset)|Operation timed out": NETWORK,
    r"No route to host|Network is unreachable": NETWORK,
}
_NO_ROOT = re.compile(r"(?:Incorrect|Missing) \S+ password|password is required|privilege escalation prompt")
_BEFORE = re.compile(r"^(?:Failed to connect to the host via ssh: )?(?:ssh: )?")


def of_connection(message: str) -> str:
    """The reason in the last line, where ssh says it, behind banners and warnings."""
    lines = [line.strip() for line in message[-READ:].splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    found = next((match for core in _CORES if (match := re.search(core, last))), None)
    return printable(found[0] if found else _BEFORE.sub("", last), LONGEST)


def advice(reason: str) -> str:
    """What to check where a host cannot be reached for that reason."""
    return next((text for core, text in _CORES.items() if re.search(core, reason)), NETWORK)


def become_advice(message: str) -> str:
    """What to check where that is why the user did not become root; empty where it is something else."""
    return BECOME if _NO_ROOT.search(message[:READ]) else ""
