# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of callers on the control node: which gateway has the token with which SHA-256."""

from __future__ import annotations

import fcntl
import os
import re

from ...module_utils._errors import NOTHING_WRITTEN, VpnKeysError
from .. import whole_file

# As the event source reads it: a name, and nothing that Ansible would take for a pattern.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
EVERYBODY = ("all", "ungrouped")
LARGEST = 16 * 1024 * 1024


def entered(text: str, name: str, sha256: str) -> str:
    """The file with that gateway's line in place of those that it has. Raises VpnKeysError(refused, bad_input) where
    the SHA-256 is another gateway's already, or the name could mean more than one host."""
    if not NAME.fullmatch(name) or name in EVERYBODY:
        raise VpnKeysError(
            "bad_input",
            "only a gateway whose name consists of letters, digits, dots, dashes and underscores can call in",
            host=name,
            state=NOTHING_WRITTEN,
            advice="rename it in the inventory",
        )
    kept = [line for line in text.splitlines() if line.split()[1:] != [name]]
    if any(line.split()[:1] == [sha256] for line in kept):
        raise VpnKeysError(
            "refused",
            "it reports the SHA-256 of another gateway's token, which cannot happen by chance",
            host=name,
            state=NOTHING_WRITTEN,
            advice="find out what runs there before it is used again",
        )
    line = f"{sha256} {name}"
    if text.splitlines().count(line) == 1 and len(kept) == len(text.splitlines()) - 1:
        return text
    return "".join(f"{one}\n" for one in [*kept, line])


def record(path: str, name: str, sha256: str, write: bool) -> bool:
    """Enter a gateway, whoever else does so just now; whether that is a change. Raises VpnKeysError."""
    if not write:
        text = _read(path)
        return entered(text, name, sha256) != text
    with _locked(path):
        text = _read(path)
        wanted = entered(text, name, sha256)
        if wanted == text and not _open_to_others(path):
            return False
        whole_file.write(path, wanted)
        return True


class _locked:  # noqa: N801
    """Alone with the file: a lock beside it, as the file itself is replaced."""

    def __init__(self, path: str) -> None:
        self.path = f"{path}.lock"

    def __enter__(self) -> None:
        try:
            self.handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise VpnKeysError(
                "bad_input", f"{self.path} cannot be opened: {error.strerror}", state=NOTHING_WRITTEN
            ) from None
        fcntl.flock(self.handle, fcntl.LOCK_EX)

    def __exit__(self, *dummy: object) -> None:
        os.close(self.handle)


def _open_to_others(path: str) -> bool:
    return bool(os.path.exists(path) and os.stat(path).st_mode & 0o077)


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(LARGEST)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise VpnKeysError("bad_input", f"{path} cannot be read: {error}", state=NOTHING_WRITTEN) from None
