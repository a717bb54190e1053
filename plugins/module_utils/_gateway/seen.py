# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The newest state of the directory that this gateway was given keys of, as the signed checkpoint. PRIVATE to the
collection; standard library only.

The gateway cannot verify it, and need not: it keeps what it is given, and shows it to a control node, which can.
"""

from __future__ import annotations

import re
import typing as t

from .. import _checkpoint
from .._checkpoint import Checkpoint
from .._errors import NOTHING_CHANGED, VpnKeysError
from .state import State

FILE = "checkpoint"
_SHOWN = re.compile(r"[\x20-\x7e\n\u2014]{0,2000}")
_STRANGE = "?"


def kept(state: State) -> str:
    """The signed note that is kept, "" for none, "?" for a text that is not one."""
    text = state.read(state.file(FILE)) or ""
    return text if _SHOWN.fullmatch(text) else _STRANGE


def keep(state: State, given: str | None) -> None:
    """The newest one of a directory stays; another directory takes its place."""
    now = _checkpoint.unverified(given or "")
    before = _checkpoint.unverified(kept(state))
    if now and not (before and before.directory == now.directory and before.number >= now.number):
        state.write(state.file(FILE), t.cast(str, given))


def refuse_older(state: State, given: str | None) -> None:
    """Raises VpnKeysError(older_directory) where this gateway was given keys of a newer state, or of another
    directory."""
    now, before = _checkpoint.unverified(given or ""), _checkpoint.unverified(kept(state))
    if before is None or now is None:
        return
    if before.directory != now.directory:
        raise VpnKeysError(
            "older_directory",
            f"It has the keys of another directory ({before.directory}, number {before.number})",
            state=NOTHING_CHANGED,
            advice="check that the right directory is used; if it is, name this gateway in O(ignored_witnesses)",
        )
    if before.number > now.number or (before.number == now.number and before.root != now.root):
        raise VpnKeysError(
            "older_directory",
            f"It has the keys of checkpoint {before.number} of the directory, and this run has {_other(before, now)}",
            state=NOTHING_CHANGED,
            advice="run it again; if it fails again, the directory is an old copy, so restore its newest backup",
        )


def _other(before: Checkpoint, now: Checkpoint) -> str:
    return f"checkpoint {now.number}" if now.number != before.number else "a different checkpoint with the same number"
