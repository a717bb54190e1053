# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options `periods` and `at` of the modules that judge the age of keys."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ...module_utils._errors import VpnKeysError
from ...module_utils._fleet.periods import Calendar
from . import times


def calendar(options: Mapping[str, t.Any], state: str) -> Calendar:
    """Without `at`, of this moment. Raises VpnKeysError(bad_input), with what was done by then as `state`."""
    at = times.moment(options["at"] or times.now())
    if at is None:
        raise VpnKeysError(
            "bad_input", f"O(at) must be a time like 2026-11-22T12:00:00Z, not {options['at']}", state=state
        )
    return Calendar.of(options["periods"], times.iso(at))
