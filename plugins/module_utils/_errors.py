# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one error of this collection. PRIVATE to the collection."""

from __future__ import annotations

CODES = frozenset(
    {
        "auth_failed",
        "bad_input",
        "bad_public_key",
        "blocked",
        "conflict",
        "drift",
        "duplicate_key",
        "export_failed",
        "generate_failed",
        "held",
        "host_key_changed",
        "host_key_unknown",
        "import_failed",
        "in_use",
        "internal",
        "missing_library",
        "no_privilege",
        "not_exportable",
        "not_found",
        "not_proved",
        "refused",
        "remove_failed",
        "save_failed",
        "schema",
        "session_lost",
        "signing_key",
        "tampered",
        "timeout",
        "too_few",
        "unexpected_question",
        "unreachable",
        "unreadable",
        "wrong_state",
    }
)


class VpnKeysError(Exception):
    """Something the user must know about: a code for programs, one sentence for people.

    Neither ever holds a secret or raw device text. `changed`: whether something had been written to a device by then.
    """

    changed = False

    def __init__(self, code: str, message: str) -> None:
        if code not in CODES:
            raise ValueError(f"{code!r} is not an error code of this collection")
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[VpnKeysError], tuple[str, str]]:
        # An exception made from two arguments does not survive pickling by default.
        return type(self), (self.code, str(self))
