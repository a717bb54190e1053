# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory in SQLite for every test."""

from __future__ import annotations

from unit.directory.conftest import directory

__all__ = ["directory"]
