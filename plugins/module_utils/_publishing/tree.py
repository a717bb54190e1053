# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tree of RFC 6962 over a list of lines, as files that prove themselves. Pure. PRIVATE to the collection; standard
library only.

Sixteen lines are a page, the hashes of up to 256 pages are a tile, those of up to 256 tiles another one, and so on up
to the root. Each file is named by the root of its own part of the tree, and never changes: with the root of
all can tell whether a file is the right one, and a line that changes makes one page and the tiles above it new.
"""

from __future__ import annotations

import typing as t

from .._directory import merkle

LINES, HASHES = 16, 256
MOST = 100_000
"""Lines of a publication."""
LONGEST_LINE = 256 * 1024
PAGE, TILE = "page", "tile"
HASH = 32


class Part(t.NamedTuple):
    """A file of the tree: its root, how many `height` tiles are above its lines, and how many of all lines it has."""

    root: bytes
    height: int
    lines: int

    @property
    def name(self) -> str:
        return f"{self.root.hex()}.{TILE if self.height else PAGE}"

    @property
    def longest(self) -> int:
        """Bytes that it can have."""
        return HASH * HASHES if self.height else LINES * (LONGEST_LINE + 1)


def built(lines: t.Sequence[bytes]) -> t.Tuple[bytes, t.Dict[str, bytes]]:  # noqa: UP006, read as Python 3.8
    """The root, and the files by name."""
    level: list[tuple[bytes, bytes]] = []
    for start in range(0, len(lines), LINES):
        page = lines[start : start + LINES]
        level.append((merkle.root([merkle.leaf(line) for line in page]), b"".join(line + b"\n" for line in page)))
    files: dict[str, bytes] = {}
    kind = PAGE
    while True:
        files.update((f"{root.hex()}.{kind}", data) for root, data in level)
        if len(level) < 2:
            return level[0][0] if level else merkle.root([]), files
        roots, kind = [root for root, _data in level], TILE
        groups = [roots[start : start + HASHES] for start in range(0, len(roots), HASHES)]
        level = [(merkle.root(group), b"".join(group)) for group in groups]


def top(root: bytes, size: int) -> list[Part]:
    """Where to begin: one file, or none where the list is empty. Raises ValueError for another root of nothing."""
    if size:
        return [Part(root, _height(size), size)]
    if root != merkle.root([]):
        raise ValueError("the root of an empty list is another one")
    return []


def lines_of(part: Part, data: bytes) -> list[bytes]:
    """Of a page. Raises ValueError if it is not the one of that name."""
    lines = data.split(b"\n")
    if lines.pop() or len(lines) != part.lines or merkle.root([merkle.leaf(line) for line in lines]) != part.root:
        raise ValueError("its hash does not match its file name")
    return lines


def below(part: Part, data: bytes) -> list[Part]:
    """The files below a tile. Raises ValueError if it is not the one of that name."""
    hashes = [data[start : start + HASH] for start in range(0, len(data), HASH)]
    each = LINES * HASHES ** (part.height - 1)
    if len(data) % HASH or len(hashes) != -(-part.lines // each) or merkle.root(hashes) != part.root:
        raise ValueError("its hash does not match its file name")
    return [
        Part(one, part.height - 1, min(each, part.lines - place * each)) for place, one in enumerate(hashes)
    ]


def _height(size: int) -> int:
    height, holds = 0, LINES
    while holds < size:
        height, holds = height + 1, holds * HASHES
    return height
