# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may set up a WireGuard interface, one row each. A gateway says by its files which one it has. PRIVATE.

Where the files of several are there, the first one counts, and its record names the files of the others. Where one of
them is demanded, it counts, and of the others what a boot would start.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..._errors import NOTHING_CHANGED, VpnKeysError
from .networkd import record as networkd
from .networkmanager import record as networkmanager
from .record import Backend, Found, Record, Unanalyzed
from .wg_quick import record as wg_quick

BACKENDS: t.Sequence[Backend] = (wg_quick.BACKEND, networkd.BACKEND, networkmanager.BACKEND)
DETECT = "detect"
CHOICES = (DETECT, *(backend.name for backend in BACKENDS))


def read(interface: str, demanded: str = DETECT) -> Record:
    """The record of the interface. `demanded`: a name. Raises VpnKeysError(not_found, unreadable)."""
    found = [(backend, place) for backend in BACKENDS if (place := backend.there(interface))]
    for backend, place in found:
        if demanded in (DETECT, backend.name):
            return _alone(backend.read(place.path, interface), found, demanded)
    if demanded != DETECT:
        raise _another(interface, demanded, found)
    names = " or ".join(", ".join(CHOICES[1:]).rsplit(", ", 1))
    raise VpnKeysError(
        "not_found",
        f"No file of {names} sets up {interface}",
        state=NOTHING_CHANGED,
        advice="write one first, or set O(interface)",
    )


def _another(interface: str, demanded: str, found: t.Sequence[tuple[Backend, Found]]) -> VpnKeysError:
    others = " and ".join(f"{place.path} of {backend.name}" for backend, place in found)
    but = f"{interface} is set up by {others}" if others else f"no file of it sets up {interface}"
    return VpnKeysError(
        "not_found",
        f"O(backend) is {demanded}, but {but}",
        state=NOTHING_CHANGED,
        advice=f"set O(backend) to {DETECT}" if others else "write one first, or set O(interface)",
    )


def _alone(record: Record, found: t.Sequence[tuple[Backend, Found]], demanded: str) -> Record:
    """With what is to be said where another backend sets up the interface, too."""
    others = [(backend, place) for backend, place in found if backend is not record.backend]
    also = [
        _too(record, backend, place)
        for backend, place in others
        if demanded == DETECT or backend.starts(record.interface)
    ]
    return replace(record, unanalyzed=(*record.unanalyzed, *also))


def _too(record: Record, other: Backend, found: Found) -> Unanalyzed:
    what = f"line {found.line} lets {other.name} set up {record.interface} with peers of its own"
    alone = f"so that {record.backend.name} alone sets up {record.interface}"
    advice = f"remove {found.path}, {alone} (or {record.path}, so that {other.name} does)"
    return Unanalyzed(what, advice, file=found.file or found.path)
