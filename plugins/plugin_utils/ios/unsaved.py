# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which devices had keys changed from this control node without being saved since.

Many devices never show whether a key is saved. What a run changed and did not save, because it was interrupted or told
not to, is found out here by the next one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os

from .options import Target

FOLDER = "~/.ansible/vpnops.keys"


class UnsavedMark:
    """The mark of one device. A control node that can keep no files has none: then nothing is known."""

    def __init__(self, target: Target) -> None:
        name = hashlib.sha256(f"{target.name}\n{target.host}\n{target.port}".encode()).hexdigest()[:24]
        self._folder = os.path.expanduser(FOLDER)
        self._path = os.path.join(self._folder, f"{name}.unsaved")

    @property
    def stands(self) -> bool:
        return os.path.exists(self._path)

    def note(self, saved: bool) -> None:
        """Set before a command that changes keys is sent; taken away once the device has said that it saved them."""
        with contextlib.suppress(OSError):
            if saved:
                os.remove(self._path)
            else:
                os.makedirs(self._folder, mode=0o700, exist_ok=True)
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600))
