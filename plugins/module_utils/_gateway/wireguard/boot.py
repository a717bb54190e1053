# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what may change a WireGuard interface at a boot beside its own files: units, scripts, programs. PRIVATE."""

from __future__ import annotations

import glob
import os
import shutil
import typing as t

from .. import commands
from . import others
from .record import Unanalyzed
from .wg_quick import hooks, units

UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
_SCRIPT_BYTES = 1 << 18


def of_others(interface: str, path: str, mine: str) -> t.Iterator[Unanalyzed]:
    """What else gives the interface peers at a boot. `mine`: what sets it up by the file at `path`."""
    for file, text in texts(others.INTERFACES):
        number = others.in_interfaces(text, interface, path)
        if number:
            what = f"line {number} changes the peers of {interface}"
            yield Unanalyzed(what, f"remove that line, and load the peers by {mine}", file=file)


def texts(patterns: t.Iterable[str]) -> t.Iterator[tuple[str, str]]:
    for file in (file for pattern in patterns for file in sorted(glob.glob(pattern))):
        text = script(file)
        if text and not text.startswith(hooks.DATA):
            yield file, text


def unit_files(unit: str) -> dict[str, str]:
    """The files of a unit, by their paths: itself, and where an administrator has changed it; also, as lines, what is
    linked to start with it."""
    names = [f"{where}/{name}" for where in UNITS for name in units.templates(unit)]
    changes = (path for name in names for path in sorted([name, *glob.glob(f"{glob.escape(name)}.d/*.conf")]))
    found = {path: text for path in changes if (text := script(path)) and not text.startswith(hooks.DATA)}
    for name in names:
        for path in sorted(glob.glob(f"{glob.escape(name)}.wants/*") + glob.glob(f"{glob.escape(name)}.requires/*")):
            found[path] = f"Wants={os.path.basename(path)}"
    return found


def script(name: str) -> str | None:
    """The text of something that a hook runs, None if it does not exist; hooks.PROGRAM or DATA if it is not text."""
    path = name if "/" in name else shutil.which(name, path=commands.PATH)
    if not path or not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            content = file.read(_SCRIPT_BYTES + 1)
    except OSError:
        return hooks.DATA
    if b"\0" in content or len(content) > _SCRIPT_BYTES:
        return hooks.PROGRAM if os.access(path, os.X_OK) else hooks.DATA
    return content.decode("utf-8", "replace")
