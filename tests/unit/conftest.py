# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties are tested on machines that do other work meanwhile: how long an example takes says nothing."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from unit.effort import promised

settings.register_profile(
    "busy", max_examples=promised(100), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")
