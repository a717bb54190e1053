# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A browser for each worker, and the meshes of the tests of gateways."""

from __future__ import annotations

import pytest
from integration.gateways.conftest import make_site, meshes
from integration.report.browser import started

__all__ = ["make_site", "meshes"]

browser = pytest.fixture(scope="module")(started)
