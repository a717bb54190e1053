# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All records of a directory in memory, and questions about them. Pure. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from . import rotation

Row = dict[str, t.Any]


@dataclass
class Book:
    """`genuine(kind, row)`: whether a record bears the signature of the directory. `rotations` has the last one of each
    gateway, open or not. `events` has the new ones only. `repaired`: gateways whose records may be signed anew whatever
    was done to them. `original`: what this one is a changed copy of.
    """

    id: str
    genuine: Callable[[str, Row], bool]
    gateways: dict[str, Row] = field(default_factory=dict)
    keys: dict[tuple[str, int], Row] = field(default_factory=dict)
    acknowledgements: dict[tuple[str, str], Row] = field(default_factory=dict)
    rotations: dict[str, Row] = field(default_factory=dict)
    last_rotation_id: int = 0
    events: list[Row] = field(default_factory=list)
    repaired: set[str] = field(default_factory=set)
    original: Book | None = None

    def copy(self) -> Book:
        """Rows can be changed, what is in them must be replaced."""
        return replace(
            self,
            gateways={name: dict(row) for name, row in self.gateways.items()},
            keys={name: dict(row) for name, row in self.keys.items()},
            acknowledgements={name: dict(row) for name, row in self.acknowledgements.items()},
            rotations={name: dict(row) for name, row in self.rotations.items()},
            events=list(self.events),
            repaired=set(self.repaired),
            original=self,
        )


def keys_of(book: Book) -> dict[str, list[Row]]:
    """The keys of every gateway, newest first."""
    found: dict[str, list[Row]] = {name: [] for name in book.gateways}
    for (gateway, _serial), row in sorted(book.keys.items(), key=lambda item: -item[0][1]):
        found.setdefault(gateway, []).append(row)
    return found


def keys_of_one(book: Book, gateway: str) -> list[Row]:
    """The same of one gateway."""
    return sorted((row for row in book.keys.values() if row["gateway"] == gateway), key=lambda row: -int(row["serial"]))


def in_state(keys: Iterable[Row], state: str) -> Row | None:
    return next((row for row in keys if row["state"] == state), None)


def withdrawn_serial(keys: Sequence[Row]) -> int:
    """Which key a peer names that accepts none any more: the newest that it may have had. `keys`: newest first."""
    return int((in_state(keys, "revoked") or keys[0])["serial"])


def open_rotation(book: Book, gateway: str) -> Row | None:
    found = book.rotations.get(gateway)
    return found if rotation.is_open(found) else None


def tampered(book: Book, only: Iterable[str] | None = None) -> list[Row]:
    """Records that the directory did not sign as they were found, of all gateways or only these."""
    book = book.original or book  # changed rows are signed when they are written
    wanted = None if only is None else set(only)
    kinds: tuple[tuple[str, Iterable[Row]], ...] = (
        ("gateway", book.gateways.values()),
        ("key", book.keys.values()),
        ("rotation", book.rotations.values()),
    )
    found = []
    for kind, rows in kinds:
        for row in rows:
            name = row["name"] if kind == "gateway" else row["gateway"]
            if (wanted is None or name in wanted) and not book.genuine(kind, row):
                serial = row["serial"] if kind == "key" else None
                found.append({"gateway": name, "serial": serial, "what": kind})
    for name, keys in keys_of(book).items():
        what = _impossible([row["state"] for row in keys])
        if what and (wanted is None or name in wanted):
            found.append({"gateway": name, "serial": None, "what": what})
    return sorted(found, key=lambda one: (one["gateway"], one["what"], one["serial"] or 0))


def _impossible(states: list[str]) -> str | None:
    """What no step ever leaves, though each record was signed once: somebody put an old one back, or removed one."""
    if states.count("current") > 1:
        return "two current keys"
    if states and not {"current", "staged"} & set(states) and set(states) != {"revoked"}:
        return "no current key"
    return None
