# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who changes a directory and when, and the history that is written of it. Pure. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .records import Row, Snapshot

EVENT_FIELDS = ("gateway", "peer", "outcome", "why", "details")


@dataclass(frozen=True)
class Context:
    """Who asks for a change, and when. `check`: keys that are not made yet may be given without their text."""

    by: str
    why: str | None
    now: str
    lock_owner: Row
    lease: int
    take_over: bool
    is_gone: Callable[[Mapping[str, t.Any]], bool]
    check: bool


def event(context: Context, what: str, **fields: t.Any) -> Row:
    row: Row = {name: fields.get(name) for name in EVENT_FIELDS}
    return {"at": context.now, "by": context.by, "what": what, **row, "why": row["why"] or context.why}


def log(snapshot: Snapshot, context: Context, what: str, **fields: t.Any) -> None:
    snapshot.events.append(event(context, what, **fields))
