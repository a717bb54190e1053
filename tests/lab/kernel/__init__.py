# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways as virtual machines, each with a kernel of its own. See README.md."""

from .accelerate import available, chosen
from .machines import Machines, attach
from .plan import SUITES, suites

__all__ = ["SUITES", "Machines", "attach", "available", "chosen", "suites"]
