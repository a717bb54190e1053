# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IP addresses as devices and inventories write them."""

from __future__ import annotations

try:
    from netaddr import AddrFormatError, IPAddress
except ImportError:
    pass  # ios_action names the missing library


def spelled(address: str) -> str:
    """In the one usual spelling; what is no address stays as it is."""
    try:
        return str(IPAddress(address))
    except (AddrFormatError, ValueError):
        return address


def rank(address: str | None) -> tuple[int, int]:
    """For finding the highest: IPv6 above IPv4, anything that is no address below both."""
    try:
        parsed = IPAddress(address or "")
    except (AddrFormatError, ValueError):
        return (0, 0)
    return (parsed.version, int(parsed))
