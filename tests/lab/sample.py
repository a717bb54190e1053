# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lab files of any size, for benchmarks."""

from __future__ import annotations

from typing import Any

MOST_PEERS = 7


def sample(
    count: int, groups: int = 1, latency_ms: float = 0, personality: str = "xe16", state: str = "equal"
) -> dict[str, Any]:
    """`count` key servers in `groups` groups of nearly equal size.

    state: equal (all hold the same key), absent (nobody has one), missing (only the first of each group), conflict
    (each its own). A key server names its next seven neighbors as peers, as many as COOP allows.
    """
    groups = max(1, min(groups, count))
    devices = []
    for index in range(count):
        group = index * groups // count
        members = [i for i in range(count) if i * groups // count == group]
        place = members.index(index)
        near = [members[(place + step) % len(members)] for step in range(-MOST_PEERS // 2, MOST_PEERS // 2 + 1)]
        has = state in ("equal", "conflict") or (state == "missing" and place == 0)
        devices.append(
            {
                "name": f"ks{index + 1:03d}",
                "address": _address(index),
                "keys": [{"label": f"GETVPN{group + 1}", "pool": index % 64 if state == "conflict" else group % 64}]
                if has
                else [],
                "groups": [
                    {
                        "name": f"G{group + 1}",
                        "identity": 1000 + group,
                        "label": f"GETVPN{group + 1}",
                        "priority": max(255 - place, 1),
                        "peers": [_address(i) for i in dict.fromkeys(near) if i != index],
                        "members": 2,
                    }
                ],
            }
        )
    return {
        "defaults": {"personality": personality, "faults": {"latency_ms": latency_ms} if latency_ms else {}},
        "devices": devices,
    }


def _address(index: int) -> str:
    return f"10.{index // 62500 % 250}.{index // 250 % 250}.{index % 250 + 1}"
