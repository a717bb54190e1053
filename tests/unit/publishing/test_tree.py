# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tree of a publication is that of RFC 6962, and each of its files proves itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._directory import merkle
from ansible_collections.vpnops.keys.plugins.module_utils._publishing import tree

SIZES = (0, 1, 2, 15, 16, 17, 33, 4095, 4096, 4097, 10_000)


def some(size: int) -> list[bytes]:
    return [f"line {number}".encode() for number in range(size)]


def walked(root: bytes, size: int, files: dict[str, bytes]) -> list[bytes]:
    """All lines, from the root down, by what the files say."""
    found: list[bytes] = []
    parts = tree.top(root, size)
    while parts:
        part = parts.pop(0)
        data = files[part.name]
        assert len(data) <= part.longest
        if part.height:
            parts[:0] = tree.below(part, data)
        else:
            found += tree.lines_of(part, data)
    return found


@pytest.mark.parametrize("size", SIZES)
def test_all_sizes(size: int) -> None:
    lines = some(size)
    root, files = tree.built(lines)
    assert root == merkle.root([merkle.leaf(line) for line in lines])
    assert walked(root, size, files) == lines


@given(st.lists(st.binary(max_size=20).filter(lambda one: b"\n" not in one), max_size=70))
def test_any_lines(lines: list[bytes]) -> None:
    root, files = tree.built(lines)
    assert root == merkle.root([merkle.leaf(line) for line in lines])
    assert walked(root, len(lines), files) == lines


def test_a_change_makes_one_page_and_the_tiles_above_it_new() -> None:
    lines = some(10_000)
    before = tree.built(lines)[1]
    lines[4711] = b"another one"
    root, after = tree.built(lines)
    new = {name: len(data) for name, data in after.items() if name not in before}
    assert len(new) == 3
    assert sum(new.values()) < 9000
    assert f"{root.hex()}.tile" in new


@settings(deadline=None)
@given(data=st.data(), size=st.sampled_from([1, 16, 17, 40, 4100]))
def test_no_file_stands_for_another(data: st.DataObject, size: int) -> None:
    """Cut, made longer, changed in a byte, or swapped for another one of the same tree, it is refused."""
    lines = some(size)
    root, files = tree.built(lines)
    at, parts = tree.top(root, size)[0], tree.top(root, size)
    while at.height:
        parts = tree.below(at, files[at.name])
        at = data.draw(st.sampled_from(parts)) if data.draw(st.booleans()) else at
        if at not in parts:
            break
    genuine = files[at.name]
    place = data.draw(st.integers(0, len(genuine) - 1))
    changed = bytearray(genuine)
    changed[place] ^= data.draw(st.integers(1, 255))
    bad = [genuine[:place], genuine + genuine[-1:], genuine + b"x\n", bytes(changed), b""]
    bad += [other for name, other in files.items() if name != at.name][:5]
    for one in bad:
        with pytest.raises(ValueError, match="hash does not match its file name"):
            (tree.below if at.height else tree.lines_of)(at, one)


@pytest.mark.parametrize("size", [1, 16, 17, 4096, 4097])
@pytest.mark.parametrize("by", [-1, 1])
def test_another_size_is_noticed(size: int, by: int) -> None:
    """The size is signed; but a list of another size cannot be shown under the same root either."""
    root, files = tree.built(some(size))
    with pytest.raises((ValueError, KeyError)):
        walked(root, size + by, files)
