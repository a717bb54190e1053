# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a file of wg-quick says that a second interface would not have. PRIVATE to the collection."""

from __future__ import annotations

import re
import typing as t

from ..record import Record
from ..sections import INTERFACE, Block, setting, values

_FILTERS = re.compile(r"\b(iptables|ip6tables|nft|ufw|firewall-cmd)\b")
_HOOKS = ("preup", "postup")


def in_the_way(record: Record, bridge: str) -> list[str]:
    """As Backend.in_the_way has it."""
    table = setting(record.blocks, "table").lower()
    checks = {
        f"{record.path} sets Table or FwMark, so its routes are not in the main table; use the strategy in_place.":
            table not in ("", "auto", "main") or bool(setting(record.blocks, "fwmark")),
        f"{record.path} sets up a packet filter for {record.interface}, which would not know the second interface; use "
        f"the strategy in_place, or move these rules elsewhere and let them name {bridge} too.":
            sets_filters(record.blocks),
    }  # fmt: skip
    return [sentence for sentence, applies in checks.items() if applies]


def sets_filters(blocks: t.Iterable[Block]) -> bool:
    """Whether a start of the interface sets up a packet filter."""
    own = [block for block in blocks if block.kind == INTERFACE]
    return any(_FILTERS.search(hook) for block in own for word in _HOOKS for hook in values(block, word))
