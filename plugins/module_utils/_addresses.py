# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IP addresses as devices and inventories write them."""

from __future__ import annotations

import functools
import ipaddress


@functools.lru_cache(maxsize=4096)
def spelled(address: str) -> str:
    """The address in its usual spelling; a text that is not an address is returned as it is."""
    parsed = _parsed(address)
    return address if parsed is None else str(parsed)


def rank(address: str | None) -> tuple[int, int]:
    """For finding the highest: IPv6 above IPv4, a text that is not an address below both."""
    parsed = _parsed(address or "")
    return (0, 0) if parsed is None else (parsed.version, int(parsed))


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        # An address with a zone says something on one machine only.
        return None if "%" in address else ipaddress.ip_address(address)
    except ValueError:
        return None
