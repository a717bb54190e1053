# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where reports go: to the screen, and to a file where one is named."""

from __future__ import annotations

import typing as t

from ansible import constants as C
from ansible.utils.display import Display

from .. import whole_file

display = Display()


def show(text: str) -> dict[str, t.Any]:
    """Print a report, and return it as a result does. Among JSON it would spoil the output for whoever parses it."""
    if "json" not in str(C.config.get_config_value("DEFAULT_STDOUT_CALLBACK")):
        display.display(text)
    return {"changed": False, "lines": text.splitlines()}


def read(path: str) -> str | None:
    """What a file says; None where that cannot be told."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError):
        return None


def keep(path: str, content: str, check: bool) -> bool:
    """Write a report to a file unless it holds just that, and return whether that is a change."""
    if read(path) == content:
        return False
    if not check:
        whole_file.write(path, content)
    return True
