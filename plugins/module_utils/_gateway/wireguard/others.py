# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What beside the backends may set up the interface at a boot, with peers of its own. Text in, facts out. PRIVATE."""

from __future__ import annotations

import re

from .wg_quick import config, programs

_OPTION = re.compile(r"\s+(?:pre-up|up|post-up)\s+(\S.*)")
_STANZA = re.compile(r"(?:iface\s+(\S+)|auto|allow-\S+|mapping|source\S*|template|no-\S+|rename)\b")
INTERFACES = ("/etc/network/interfaces", "/etc/network/interfaces.d/*")
"""Files of ifupdown."""


def in_interfaces(text: str, interface: str, path: str) -> int:
    """The number of the first line by which ifupdown gives the interface peers, but for those of the file of wg-quick
    itself, 0 where none does."""
    mine = False
    for number, line in enumerate(text.splitlines(), 1):
        stanza, option = _STANZA.match(line), _OPTION.match(line)
        if stanza:
            mine = stanza[1] == interface
        elif mine and option and _gives_peers(option[1].replace("$IFACE", interface), interface, path):
            return number
    return 0


def _gives_peers(line: str, interface: str, path: str) -> bool:
    commands = [command for command in config.commands(line) or [[line]] if programs.touches_peers(" ".join(command))]
    return any(
        not (programs.is_tool(command) and command[2:] == [interface, path])
        and not programs.is_elsewhere(command, interface)
        for command in commands
    )
