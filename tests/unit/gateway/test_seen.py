# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway keeps the newest checkpoint that it was given, and stores nothing of an older directory."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils import _checkpoint
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import seen
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.state import State


def note(number: int, directory: str = "one", root: bytes = bytes(32)) -> str:
    one = _checkpoint.Checkpoint(directory, 1, root, number, bytes(32), "2026-11-22T03:12:45Z", "2026-12-22T03:12:45Z")
    signature = base64.b64encode(bytes(68)).decode()
    return f"{_checkpoint.text(one)}\n\u2014 vpnops.keys/{directory} {signature}\n"


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State("wireguard-wg0", str(tmp_path / "state"))


def test_the_newest_one_is_kept_for_root_alone(state: State) -> None:
    assert seen.kept(state) == ""
    for given, wanted in ((3, 3), (2, 3), (3, 3), (4, 4)):
        seen.keep(state, note(given))
        assert seen.kept(state) == note(wanted)
    assert os.stat(state.file(seen.FILE)).st_mode & 0o777 == 0o600
    assert os.listdir(state.path) == [seen.FILE]


@pytest.mark.parametrize("given", [None, "", "nonsense", note(9).replace("number", "numbers")])
def test_what_is_no_checkpoint_is_not_kept(state: State, given: str | None) -> None:
    seen.keep(state, note(3))
    seen.keep(state, given)
    assert seen.kept(state) == note(3)


def test_another_directory_takes_its_place(state: State) -> None:
    """It is given only where somebody said that this is right."""
    seen.keep(state, note(9))
    seen.keep(state, note(1, "two"))
    assert seen.kept(state) == note(1, "two")


@pytest.mark.parametrize("text", ["\x1b[31mred", "x" * 3000, "\udcff"])
def test_a_file_that_somebody_else_wrote_is_not_shown(state: State, text: str) -> None:
    os.makedirs(state.path)
    Path(state.file(seen.FILE)).write_bytes(text.encode(errors="surrogateescape"))
    assert seen.kept(state) == "?"
    seen.refuse_older(state, note(1))
    seen.keep(state, note(1))
    assert seen.kept(state) == note(1)


REFUSED = {
    "an older one": (note(4), "It has the keys of checkpoint 5 of the directory, and this run has checkpoint 4"),
    "another history": (note(5, root=bytes([1] * 32)), "the directory is an old copy"),
    "another directory": (note(9, "two"), "It has the keys of another directory (one, number 5)"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(state: State, what: str) -> None:
    given, why = REFUSED[what]
    seen.keep(state, note(5))
    with pytest.raises(VpnKeysError) as caught:
        seen.refuse_older(state, given)
    assert caught.value.code == "older_directory"
    assert why in caught.value.marked


@pytest.mark.parametrize("given", [note(5), note(6), None, ""])
def test_what_is_not_refused(state: State, given: str | None) -> None:
    seen.refuse_older(state, note(1))
    seen.keep(state, note(5))
    seen.refuse_older(state, given)
