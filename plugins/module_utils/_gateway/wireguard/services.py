# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what backends share that are services: which files last, what netplan writes, what starts at a boot, and what
runs beside their files. PRIVATE to the collection.
"""

from __future__ import annotations

import glob
import os
import re
import typing as t

from .. import files
from . import boot
from .record import Unanalyzed
from .sections import Syntax
from .wg_quick import hooks, programs

NETPLAN = "/etc/netplan/*.yaml"


def why_fixed(path: str) -> str:
    """Why a file is not changed, a clause, "" where it can be."""
    if path.startswith(("/run/", "/dev/")):
        written = "netplan writes anew at each start" if _is_of_netplan(path) else "a reboot removes"
        return f"is a file that {written}"
    return "" if not path.startswith("/usr/") else "is a file of a package, which its next version replaces"


def instead(path: str, interface: str, directory: str, kind: str) -> str:
    """What to do about a file that is not changed. `kind`: what to write into the directory."""
    if not _is_of_netplan(path):
        return f"move it to {directory}"
    place = next(iter(_in_netplan(interface)), NETPLAN)
    return f"take {interface} out of {place}, and write {kind} for it in {directory}"


def _is_of_netplan(path: str) -> bool:
    return "netplan" in os.path.basename(path)


def _in_netplan(interface: str) -> t.Iterator[str]:
    """The files of netplan that name the interface, with the line."""
    name = rf"([\"']?){re.escape(interface)}\1"
    line = re.compile(rf"\s+(?:{name}\s*:|[\w.-]*name:\s*([\"']?){re.escape(interface)}\2\s*\Z)")
    for path in sorted(glob.glob(NETPLAN)):
        for number, text in enumerate((files.read(path) or "").splitlines(), 1):
            if line.match(text):
                yield f"{path} (line {number})"
                break


def starts_at_boot(unit: str) -> bool:
    """Whether something starts a unit, not only until the next boot, and nothing forbids it."""
    if any(os.path.realpath(os.path.join(where, unit)) == os.devnull for where in boot.UNITS):
        return False
    lasting = [where for where in boot.UNITS if not where.startswith("/run/")]
    return any(glob.glob(f"{where}/*.{kind}/{unit}") for where in lasting for kind in ("wants", "requires"))


def not_started(unit: str) -> t.Iterator[Unanalyzed]:
    """What is to be said where no boot starts the service."""
    if not starts_at_boot(unit):
        yield Unanalyzed(f"which nothing reads at a boot, as {unit} is not enabled", f"run `systemctl enable {unit}`")


def beside(unit: str, effects: hooks.Effects, syntax: Syntax) -> t.Iterator[Unanalyzed]:
    """What the unit of the service does to the peers. There only sections are loaded."""
    move = _move(syntax)
    for one in effects.unanalyzed:
        _first, vouching, rest = one.advice.partition(hooks.VOUCHING)
        yield Unanalyzed(one.what, f"{move}{vouching}{rest}", one.keys, one.file)
    for file in effects.files:
        yield Unanalyzed(f"beside which {unit} loads peers from {file}", move)


def dispatched(interface: str, patterns: t.Iterable[str], syntax: Syntax) -> t.Iterator[Unanalyzed]:
    """Of scripts that a dispatcher runs once the interface is there."""
    for file, text in boot.texts(patterns):
        for number, line in enumerate(text.splitlines(), 1):
            if programs.touches_peers(line) and not programs.is_elsewhere(line.split(), interface):
                yield Unanalyzed(f"line {number} changes peers", _move(syntax), file=file)
                break


def _move(syntax: Syntax) -> str:
    return f"move these peers into [{syntax.peer}] sections"
