# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file is there whole or not at all, and nobody but its owner may read it unless told otherwise."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.plugin_utils import whole_file


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_has_its_content_and_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "report.txt"
    path.write_text("before")
    whole_file.write(str(path), "after", mode)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("after", mode)
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.txt"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "key.pem").mkdir()
    with pytest.raises(VpnKeysError, match=r"cannot be written: Is a directory\."):
        whole_file.write(str(tmp_path / "key.pem"), "text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]


def test_a_directory_that_is_missing_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(VpnKeysError, match=r"cannot be written: No such file or directory\."):
        whole_file.write(str(tmp_path / "no" / "key.pem"), "text")
