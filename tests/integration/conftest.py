# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulated key servers and a control node, for tests of whole tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from integration.control_node import ControlNode
from integration.devices import assert_spared

from lab import DeviceSpec, Fleet


@pytest.fixture
def start_fleet() -> Iterator[Callable[..., Fleet]]:
    """Starts simulated devices; they end with the test. Whatever the test does, no device may have got a line that
    destroys keys unasked, or a piece of a key as a command."""
    fleets: list[Fleet] = []
    with ExitStack() as stack:

        def start(*specs: DeviceSpec) -> Fleet:
            fleets.append(stack.enter_context(Fleet(list(specs), host="127.0.0.1")))
            return fleets[-1]

        yield start
        for fleet in fleets:
            for device in fleet:
                assert_spared(device)


@pytest.fixture
def control_node(tmp_path: Path) -> Callable[[Fleet], ControlNode]:
    def make(fleet: Fleet) -> ControlNode:
        return ControlNode(tmp_path, fleet.inventory())

    return make
