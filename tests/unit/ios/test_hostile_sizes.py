# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""10 MB of anything cost about ten times as much as 1 MB, whoever reads them: a limit elsewhere is no excuse."""

from __future__ import annotations

import functools

import pytest
from unit.ios.test_hostile import PATTERNS, READERS, asked, is_linear

from ansible_collections.vpnops.keys.plugins.module_utils._ios import fields, output

MEGABYTE = 1_000_000
NOISE = 0.1
"""Seconds of which nothing can be told: 10 MB do not fit into a cache, and 1 MB may."""
FIELDS = {"name": fields.name, "text": fields.text, "number": fields.number}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_linear(name: str) -> None:
    slow = [pattern for pattern, text in PATTERNS.items() if not is_linear(FIELDS[name], text, MEGABYTE, NOISE)]
    assert not slow


@pytest.mark.thorough
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", READERS)
def test_readers_are_linear(name: str, pattern: str) -> None:
    assert is_linear(READERS[name], PATTERNS[pattern], MEGABYTE, NOISE)


@pytest.mark.thorough
@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_dialogue_is_linear_up_to_its_limit(pattern: str, echo: bool) -> None:
    assert is_linear(functools.partial(asked, size=2_000, echo=echo), PATTERNS[pattern], output.MOST_OUTPUT // 11)
