# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers of the pictures: where each mark stands. Pure; the templates draw."""

from __future__ import annotations

import math
import typing as t
from collections.abc import Sequence
from datetime import datetime

from ...module_utils._fleet.status import FleetStatus
from ...module_utils._fleet.stored import APART, CHANGING, DRIFT, PENDING, RIGHT, UNSEEN
from . import times

Data = dict[str, t.Any]
FEW = 16
"""Up to so many gateways every name, and every pair, can be read."""
MANY = 400
"""With more of them a cell would be smaller than what a screen or a printer can show."""
NAMED = 40
WORST = (DRIFT, PENDING, CHANGING, UNSEEN, RIGHT, APART)
NARROW = 560
"""The width of a circle whose names can still be read on a telephone."""
LANES, PITCH = 16, 26
"""Of the strip: how many lanes, and the pixels from one to the next."""


def cut(name: str, most: int = 18) -> str:
    return name if len(name) <= most else name[: most - 1] + "\u2026"


# ------------------------------------------------------------------ a few gateways: a circle


def circle(fleet: FleetStatus, rows: Sequence[Data]) -> Data | None:
    """Gateways as marks on a circle, pairs as lines between them."""
    if not 2 <= len(rows) <= FEW:
        return None
    height, radius = 540, 195
    longest = max(len(cut(row["gateway"])) for row in rows)
    width = 2 * (radius + 32 + 10 * longest)
    nodes = []
    for number, row in enumerate(rows):
        angle = 2 * math.pi * number / len(rows) - math.pi / 2
        across, down = math.cos(angle), math.sin(angle)
        nodes.append(
            {
                "name": row["gateway"],
                "label": cut(row["gateway"]),
                "serial": row["serial"],
                "observed": row["observed"],
                "shape": "revoked" if row["state"] == "revoked" else "open" if row["state"] != "current" else "current",
                "x": round(width / 2 + radius * across, 1),
                "y": round(height / 2 + radius * down, 1),
                "label_x": round(width / 2 + (radius + 24) * across, 1),
                "label_y": round(height / 2 + (radius + 30) * down + 5, 1),
                "anchor": "middle" if abs(across) < 0.2 else "start" if across > 0 else "end",
            }
        )
    edges = []
    for first, one in enumerate(nodes):
        for other in nodes[first + 1 :]:
            pair = (fleet.cell(one["name"], other["name"]), fleet.cell(other["name"], one["name"]))
            state = min((cell.state for cell in pair), key=WORST.index)
            if state != APART:
                tunnel = any(cell.tunnel for cell in pair)
                edges.append({"from": one, "to": other, "state": state, "tunnel": tunnel, "pair": pair})
    return {"width": width, "height": height, "nodes": nodes, "edges": edges, "narrow": width <= NARROW}


# ------------------------------------------------------------------ all pairs: a matrix


def cells(fleet: FleetStatus) -> list[Data] | None:
    """Every pair as text, for a table: rows are holders, columns whose key it is."""
    names = fleet.names
    if not 2 <= len(names) <= FEW:
        return None
    return [
        {"holder": holder, "cells": [None if owner == holder else fleet.cell(holder, owner) for owner in names]}
        for holder in names
    ]


def matrix(fleet: FleetStatus) -> Data | None:
    """Every pair as a square. Equal ones that touch in a row are drawn as one, and those that are right not at all."""
    names = fleet.names
    if not FEW < len(names) <= MANY:
        return None
    size = max(2, min(16, 640 // len(names)))
    named = len(names) <= NAMED
    left, top = (150, 120) if named else (10, 24)
    runs = [
        {"x": left + start * size, "y": top + row * size, "width": length * size, "state": state}
        for row, holder in enumerate(names)
        for start, length, state in _runs(fleet, holder, names)
    ]
    side = len(names) * size
    return {
        "size": size,
        "side": side,
        "left": left,
        "top": top,
        "width": left + side + 10,
        "height": top + side + 10,
        "runs": runs,
        "names": [
            {"label": cut(name), "middle": (row + 0.5) * size} for row, name in enumerate(names if named else [])
        ],
        "count": len(names),
    }


def _runs(fleet: FleetStatus, holder: str, names: Sequence[str]) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    for column, owner in enumerate(names):
        state = RIGHT if owner == holder else fleet.cell(holder, owner).state
        if found and found[-1][2] == state and sum(found[-1][:2]) == column:
            found[-1] = (found[-1][0], found[-1][1] + 1, state)
        else:
            found.append((column, 1, state))
    return [run for run in found if run[2] != RIGHT]


# ------------------------------------------------------------------ rotations: a strip of time


def strip(rotations: Sequence[Data], at: str) -> Data | None:
    """A lane for each of the gateways that changed their keys last, a mark for each rotation. Across in per cent, so
    that it fits any window; down in pixels."""
    lanes = list(dict.fromkeys(one["gateway"] for one in rotations))[:LANES]
    marks = [(one, times.moment(one["begun_at"])) for one in rotations if one["gateway"] in lanes]
    dated = [(one, when) for one, when in marks if when]
    if not dated:
        return None
    first = min(when for dummy, when in dated)
    last = max([times.moment(at) or first, *(when for dummy, when in dated)])
    length = max((last - first).total_seconds(), 1.0)
    day, texts = _axis([first, first + (last - first) / 2, last])
    return {
        "pitch": PITCH,
        "height": PITCH * len(lanes),
        "lanes": [{"name": name, "y": PITCH * row + PITCH / 2} for row, name in enumerate(lanes)],
        "marks": [
            {
                "rotation": one,
                "x": round((when - first).total_seconds() / length * 100, 2),
                "y": PITCH * lanes.index(one["gateway"]) + PITCH / 2,
            }
            for one, when in dated
        ],
        "day": day,
        "ticks": [
            {"x": x, "anchor": anchor, "text": text}
            for x, anchor, text in zip((0, 50, 100), ("start", "middle", "end"), texts, strict=False)
        ],
        "left_out": len({one["gateway"] for one in rotations}) - len(lanes),
    }


def _axis(moments: Sequence[datetime]) -> tuple[str, list[str]]:
    """What all moments share, and what tells them apart, as short as can be; one text where they are the same."""
    texts = [times.iso(when) for when in moments]
    for start, end in ((0, 10), (11, 16), (5, 16), (11, 19), (0, 19)):
        parts = [text[start:end].replace("T", " ") for text in texts]
        if len(set(parts)) == len(parts) and len({text[:start] for text in texts}) == 1:
            return texts[0][:start].rstrip("-T"), parts
    return texts[0][:10], [texts[0][11:19]]
