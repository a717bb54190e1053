# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last sentence about a run that was interrupted. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

RUN_AGAIN = "Run the same command again: it reads the devices again and continues with what is left."
ALL_DONE = "The run was interrupted. All that was planned is done."


def ending(units: Sequence[Mapping[str, t.Any]]) -> str:
    """`units`: as the result of the sync has them."""
    return RUN_AGAIN if any(unit["error"] for unit in units) else ALL_DONE
