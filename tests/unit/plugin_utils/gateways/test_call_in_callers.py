# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of callers: each gateway enters itself alone."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.plugin_utils.gateways.call_in_callers import entered, record

ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{ONE} gw1\n"),
        (f"{ONE} gw1\n", f"{ONE} gw1\n"),
        (f"{TWO} gw1\n", f"{ONE} gw1\n"),
        (f"# ours\n{TWO} gw2\n", f"# ours\n{TWO} gw2\n{ONE} gw1\n"),
        (f"{TWO} gw1\n{THREE} gw1\n{'4' * 64} gw11\n", f"{'4' * 64} gw11\n{ONE} gw1\n"),
        (f"{TWO} gw2", f"{TWO} gw2\n{ONE} gw1\n"),
    ],
)
def test_a_gateway_has_one_line(before: str, after: str) -> None:
    assert entered(before, "gw1", ONE) == after


def test_the_token_of_another_gateway_is_refused() -> None:
    with pytest.raises(VpnKeysError) as caught:
        entered(f"{ONE} gw2\n{TWO} gw1\n", "gw1", ONE)
    assert (caught.value.code, caught.value.host) == ("refused", "gw1")


@pytest.mark.parametrize("name", ["all", "ungrouped", "gw 1", "gw*", "gw1,gw2", "!gw1", "", "gw1\n", "-x"])
def test_a_name_is_one_host(name: str) -> None:
    with pytest.raises(VpnKeysError, match="can call in"):
        entered("", name, ONE)


NAMES = st.sampled_from(["gw1", "gw2", "gw3", "gw10"])
TOKENS = st.sampled_from([ONE, TWO, THREE])


@given(st.lists(st.tuples(NAMES, TOKENS)))
def test_whatever_one_shows_the_lines_of_others_stay(shown: list[tuple[str, str]]) -> None:
    """Any sequence of entries: no token of two gateways, and a refusal changes nothing."""
    text = "# head\n"
    for name, token in shown:
        before = text
        try:
            text = entered(text, name, token)
        except VpnKeysError:
            assert any(
                line == f"{token} {other}"
                for line in text.splitlines()
                for other in {"gw1", "gw2", "gw3", "gw10"} - {name}
            )
            continue
        others = [line for line in before.splitlines() if not line.endswith(f" {name}")]
        assert text.splitlines() == [*others, f"{token} {name}"] or text == before
        tokens = [line.split()[0] for line in text.splitlines()[1:]]
        assert len(tokens) == len(set(tokens))


def test_file(tmp_path: Path) -> None:
    """Made for its owner alone, and left as it is where nothing changes."""
    path = tmp_path / "callers"
    assert record(str(path), "gw1", ONE, write=False)
    assert not path.exists()
    assert record(str(path), "gw1", ONE, write=True)
    assert path.stat().st_mode & 0o777 == 0o600
    inode = path.stat().st_ino
    assert not record(str(path), "gw1", ONE, write=True)
    assert path.stat().st_ino == inode
    os.chmod(path, 0o644)
    record(str(path), "gw1", ONE, write=True)
    assert path.stat().st_mode & 0o777 == 0o600


def test_many_at_once(tmp_path: Path) -> None:
    path = str(tmp_path / "callers")
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: record(path, f"gw{number}", f"{number:064x}", True), range(50)))
    assert len(Path(path).read_text().splitlines()) == 50


def test_what_cannot_be_read(tmp_path: Path) -> None:
    for path in (str(tmp_path), str(tmp_path / "missing" / "callers")):
        with pytest.raises(VpnKeysError):
            record(path, "gw1", ONE, write=True)
