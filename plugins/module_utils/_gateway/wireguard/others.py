# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What beside the backends may set up the interface at a boot, with peers of its own. Text in, facts out. PRIVATE.

`nmcli connection import` leaves the file of wg-quick where it was.
"""

from __future__ import annotations

import re
import typing as t

from .wg_quick import config, programs

_SECTION = re.compile(r"\s*\[([^]]*)\]\s*\Z")
_ENTRY = re.compile(r"\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*\Z")
_OPTION = re.compile(r"\s+(?:pre-up|up|post-up)\s+(\S.*)")
_STANZA = re.compile(r"(?:iface\s+(\S+)|auto|allow-\S+|mapping|source\S*|template|no-\S+|rename)\b")


class Program(t.NamedTuple):
    """`files`: patterns of the paths of its files, in which `section` says the kind and the name of an interface."""

    name: str
    files: tuple[str, ...]
    section: str
    kind: str
    interface: str


PROGRAMS = (
    Program(
        "NetworkManager",
        tuple(f"{where}/NetworkManager/system-connections/*" for where in ("/etc", "/run", "/usr/lib")),
        "connection", "type", "interface-name",
    ),
)  # fmt: skip
INTERFACES = ("/etc/network/interfaces", "/etc/network/interfaces.d/*")
"""Files of ifupdown."""


def sets_up(program: Program, text: str, interface: str) -> int:
    """The number of the line by which a file of that program sets up the interface, 0 where it does not."""
    section, number, kind = "", 0, ""
    for position, line in enumerate(text.splitlines(), 1):
        begins, entry = _SECTION.match(line), _ENTRY.match(line)
        if begins:
            section = begins[1]
        elif entry and section == program.section:
            if entry[1] == program.kind:
                kind = entry[2]
            elif entry[1] == program.interface and entry[2] == interface:
                number = position
    return number if kind == "wireguard" else 0


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
