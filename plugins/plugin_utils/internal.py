# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mistake of our own as an error of this collection."""

from __future__ import annotations

import traceback

from ..module_utils._errors import VpnKeysError


def internal_error(name: str, error: Exception) -> VpnKeysError:
    """The text of a foreign exception may quote what a device said, so only its kind and place are shown."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return VpnKeysError(
        "internal",
        f"internal error {type(error).__name__} in {place.name} ({place.filename}:{place.lineno})",
        host=name,
        advice="Check the device before you run it again, and please report this",
    )
