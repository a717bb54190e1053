# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rows of the page have to be looked at; the others fold where they are many. Pure."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...module_utils._fleet.periods import DUE, OVERDUE

Data = dict[str, t.Any]
MOST = 12
"""Rows of one kind that need not be looked at and are shown all the same: so many are read at a glance."""


@dataclass(frozen=True)
class Rows:
    shown: Sequence[Data]
    folded: Sequence[Data]


def apart(rows: Sequence[Data], good: Callable[[Data], bool], most: int = MOST) -> Rows:
    """Rows that are good fold where there are more than `most` of them."""
    fine = [row for row in rows if good(row)]
    return Rows(rows, ()) if len(fine) <= most else Rows([row for row in rows if not good(row)], fine)


def newest(rows: Sequence[Data], most: int = MOST) -> Rows:
    """Rows are newest first; what is older folds."""
    return Rows(rows[:most], rows[most:])


def servers(units: Sequence[Data], minimum_size: int) -> list[Rows]:
    """Of each unit. Those of all units count together: thirty groups of two are as long as one of sixty."""
    checks = [functools.partial(_good_server, unit=unit, minimum_size=minimum_size) for unit in units]
    number = sum(good(one) for unit, good in zip(units, checks, strict=False) for one in unit["key_servers"])
    most = MOST if number <= MOST else 1
    return [apart(unit["key_servers"], good, most) for unit, good in zip(units, checks, strict=False)]


def _good_server(server: Data, unit: Data, minimum_size: int) -> bool:
    """It holds, saved and alone, the key that all shall hold."""
    return bool(
        unit["verdict"] == "in_sync"
        and server["fingerprint"]
        and server["fingerprint"] == unit["fingerprint"]
        and server["saved"] is not False
        and not (server["problem"] or server["staged"] or server["acks_missed"])
        and (server["size"] or minimum_size) >= minimum_size
    )


def good_gateway(row: Data) -> bool:
    """It says itself that all is as recorded, and nothing is open."""
    return bool(
        row["observed"]
        and row["state"] == "current"
        and row["own"] == "as recorded"
        and row["holds"]["right"] == row["holds"]["any"]
        and not row["pending"]["count"]
    )


def good_key(key: Data) -> bool:
    """In use, neither weak nor to be replaced soon."""
    return good_term(key) and not (key["weak"] or key["accepted_by"]["count"])


def good_term(row: Data) -> bool:
    """In use, and its period goes on."""
    return row["state"] == "current" and row["period"] not in (DUE, OVERDUE)
