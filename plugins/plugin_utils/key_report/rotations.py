# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rotations over time, and what each of them is known to have cost. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ...module_utils._fleet.verify import MEASURED
from . import times

Data = dict[str, t.Any]


def to_result(view: Mapping[str, t.Any] | None) -> list[Data]:
    """Newest first, with the interruption where one was recorded, and null where none was."""
    measured = {}
    for event in reversed((view or {}).get("events", ())):
        details = event["details"] or {}
        if event["what"] == MEASURED and "rotation" in details:
            measured[details["rotation"]] = {name: details.get(name) for name in ("seconds", "tunnels", "missing")}
    return [
        {
            **{name: one[name] for name in FIELDS},
            "seconds": times.seconds(one["begun_at"], one["ended_at"]),
            "interruption": measured.get(one["id"]),
        }
        for one in (view or {}).get("rotations", ())
    ]


FIELDS = (
    "id", "gateway", "mode", "strategy", "state", "old_serial", "new_serial", "why", "begun_by", "begun_at", "ended_at",
)  # fmt: skip


def interruption(one: Data) -> str:
    """In words; what was not measured is not guessed."""
    found = one["interruption"]
    if not found or found["seconds"] is None:
        return "not measured"
    words = f"at most {found['seconds']:.2f} s, {found['tunnels']} tunnel{'' if found['tunnels'] == 1 else 's'}"
    return f"{words}; {found['missing']} not seen" if found["missing"] else words
