# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file with the directory's signing key. PRIVATE to the collection.

While the key is changed there are two: PATH and PATH.new. The database says which of them signs; the other name is
removed afterwards, by the next run if this one was killed.
"""

from __future__ import annotations

import os
import stat

from .._errors import NOTHING_CHANGED, VpnKeysError
from . import signing

try:
    from cryptography.hazmat.primitives.asymmetric import ed25519
except ImportError:  # the modules name the missing library
    pass


def read(path: str) -> ed25519.Ed25519PrivateKey | None:
    """None where there is no file. Raises VpnKeysError(signing_key)."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, f"it cannot be read ({error.strerror})") from None
    with os.fdopen(handle, encoding="utf-8", errors="replace") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise VpnKeysError(
                "signing_key",
                f"The signing key {path} can be read or written by others than its owner",
                state=NOTHING_CHANGED,
                advice=f"check who could have read it; then chmod 600 {path}, or replace the key with state=rekeyed",
            )
        try:
            return signing.from_pem(file.read())
        except (ValueError, OSError) as error:
            raise _unusable(path, str(error) if isinstance(error, ValueError) else "it cannot be read") from None


def _unusable(path: str, why: str) -> VpnKeysError:
    return VpnKeysError(
        "signing_key",
        f"The signing key {path} cannot be used: {why}",
        state=NOTHING_CHANGED,
        advice="restore it from a backup",
    )


def write(path: str, key: ed25519.Ed25519PrivateKey) -> None:
    """Whole and on the disk, or not there; for its owner alone."""
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        replace(path, signing.to_pem(key))
    except OSError as error:
        raise VpnKeysError(
            "signing_key",
            f"The signing key {path} cannot be written: {error.strerror}",
            state=NOTHING_CHANGED,
            advice=f"make {folder} writable for the user that runs this",
        ) from None


def replace(path: str, text: str) -> None:
    """The same of any small file. Raises OSError."""
    partial = f"{path}.partial"
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    move(partial, path)


def move(path: str, to: str) -> None:
    """In one step that is on the disk afterwards."""
    os.replace(path, to)
    folder = os.open(os.path.dirname(to), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
