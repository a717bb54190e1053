# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of what is about the files of any backend."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.gateway.wireguard.gateways import Gateway, below


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    return below(tmp_path, monkeypatch)
