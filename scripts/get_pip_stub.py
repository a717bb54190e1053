# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the get-pip.py that ansible-test wants to download: installs the pip version asked for from
the wheels that lie beside it."""

from __future__ import annotations

import sys
from pathlib import Path

here = Path(__file__).resolve().parent
arguments = [a for a in sys.argv[1:] if a not in ("--no-setuptools", "--no-wheel")]
version = next(a.removeprefix("pip==") for a in arguments if a.startswith("pip=="))
sys.path.insert(0, str(here / f"pip-{version}-py3-none-any.whl"))

from pip._internal.cli.main import main  # noqa: E402

sys.exit(main(["install", "--no-index", "--find-links", str(here), *arguments]))
