# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files on the control node that are there whole or not at all: keys, reports, the list of callers."""

from __future__ import annotations

import os
import tempfile

from ..module_utils._errors import NOTHING_CHANGED, VpnKeysError


def write(path: str, content: str, mode: int = 0o600) -> None:
    """Whole or not at all, readable by its owner alone unless told otherwise. Raises bad_input."""
    folder = os.path.dirname(os.path.abspath(path))
    try:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".vpnops-")  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(content)
                os.fchmod(handle, mode)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except (OSError, ValueError) as error:
        raise VpnKeysError(
            "bad_input", f"{path} cannot be written: {reason(error)}", state=f"{NOTHING_CHANGED} on any device"
        ) from None


def reason(error: OSError | ValueError) -> str:
    return error.strerror or "" if isinstance(error, OSError) else "the path has a NUL character"
