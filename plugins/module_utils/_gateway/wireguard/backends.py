# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may set up a WireGuard interface, one row each. A gateway says by its files which one it has. PRIVATE.

Where the files of several are there, the first one counts, and its record names the files of the others.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..._errors import NOTHING_CHANGED, VpnKeysError
from .networkd import record as networkd
from .record import Backend, Found, Record, Unanalyzed
from .wg_quick import record as wg_quick

BACKENDS: t.Sequence[Backend] = (wg_quick.BACKEND, networkd.BACKEND)


def read(interface: str) -> Record:
    """The record of the interface. Raises VpnKeysError(not_found, unreadable)."""
    for backend in BACKENDS:
        found = backend.there(interface)
        if found:
            return _alone(backend.read(found.path, interface))
    names = " or ".join(backend.name for backend in BACKENDS)
    raise VpnKeysError(
        "not_found",
        f"No file of {names} sets up {interface}",
        state=NOTHING_CHANGED,
        advice="write one first, or set O(interface)",
    )


def _alone(record: Record) -> Record:
    """With what is to be said where another backend sets up the interface, too."""
    others = ((backend, backend.there(record.interface)) for backend in BACKENDS if backend is not record.backend)
    also = [_too(record, backend, found) for backend, found in others if found]
    return replace(record, unanalyzed=(*record.unanalyzed, *also))


def _too(record: Record, other: Backend, found: Found) -> Unanalyzed:
    what = f"line {found.line} lets {other.name} set up {record.interface} with peers of its own"
    alone = f"so that {record.backend.name} alone sets up {record.interface}"
    advice = f"remove {found.path}, {alone} (or {record.path}, so that {other.name} does)"
    return Unanalyzed(what, advice, file=found.file or found.path)
