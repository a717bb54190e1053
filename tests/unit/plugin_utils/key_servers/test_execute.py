# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every step is carried out."""

from __future__ import annotations

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers import rotation_steps
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.steps import STEPS
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers import execute, rotate


def test_every_step_of_a_synchronization_has_its_operation() -> None:
    assert set(execute.Worker.OPERATIONS) == set(STEPS)


def test_every_step_of_a_rotation_has_its_operation() -> None:
    assert set(rotate.Rotator.OPERATIONS) == set(rotation_steps.Step.__subclasses__())
