# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many examples a property is tried with, by $EFFORT, which the Makefile sets."""

from __future__ import annotations

import os

SHARES = {"quick": 0.02, "": 0.25, "thorough": 1.0}
SHARE = SHARES[os.environ.get("EFFORT", "")]
LEAST = 5


def examples(thorough: int) -> int:
    """Of so many in `make test-thorough` a quarter in `make test`, and a handful in `make quick`."""
    return max(LEAST, round(thorough * SHARE))


def promised(number: int) -> int:
    """So many in `make test`, too, as somebody relies on that number."""
    return examples(number) if SHARES[""] > SHARE else number
