# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real VPN gateways in network namespaces. See README.md."""

from .machine import GatewayLabError, available
from .mesh import Mesh
from .traffic import Traffic

__all__ = ["GatewayLabError", "Mesh", "Traffic", "available"]
