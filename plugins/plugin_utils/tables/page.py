# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables and notes, one below the other, as text. Pure."""

from __future__ import annotations

import io
import re
import textwrap
import typing as t
from collections.abc import Callable, Collection, Mapping, Sequence

try:
    from rich import box
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
except ImportError:  # the action names the missing library
    pass

Column = Callable[[Mapping[str, t.Any]], str]
"""A row to what stands in its cell."""
NARROWEST = 60


class Page:
    """`width`: columns of the terminal."""

    def __init__(self, width: int) -> None:
        self.out = io.StringIO()
        self.console = Console(
            file=self.out, width=max(width, NARROWEST), no_color=True, highlight=False, markup=False, emoji=False
        )

    def table(
        self,
        title: str,
        columns: Mapping[str, Column],
        rows: Sequence[Mapping[str, t.Any]],
        narrow: Collection[str] = (),
    ) -> None:
        """`narrow`: columns whose cells are not wrapped. No word is broken, and no name: where they do not fit side by
        side, there is a list instead."""
        cells = [[cell(row) for cell in columns.values()] for row in rows]
        widths = fitting([list(columns), *cells], [name in narrow for name in columns], self.console.width)
        if not widths:
            self._list(title, list(columns), cells)
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for position, name in enumerate(columns):
            table.add_column(name, overflow="fold", no_wrap=name in narrow, max_width=widths[position])
        for row in cells:
            table.add_row(*map(Text, row))
        self._title(title)
        self.console.print(table)

    def _list(self, title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self._title(title)
        for row in rows:
            self.console.print()
            self.note(*(f"{name}: {row[position]}" for position, name in enumerate(names)))

    def _title(self, title: str) -> None:
        self.console.print()
        self._fill(title, "", "    ")

    def note(self, *texts: str) -> None:
        for text in texts:
            self._fill(text, "  ", "      ")

    def _fill(self, text: str, first: str, others: str) -> None:
        filled = textwrap.fill(
            text, self.console.width, initial_indent=first, subsequent_indent=others, break_on_hyphens=False,
            break_long_words=False,
        )  # fmt: skip
        self.console.print(Text(filled), soft_wrap=True)

    def text(self) -> str:
        lines = "\n".join(line.rstrip() for line in self.out.getvalue().splitlines())
        return re.sub("\n\n\n+", "\n\n", lines).strip("\n")


def fitting(rows: Sequence[Sequence[str]], whole: Sequence[bool], width: int) -> list[int]:
    """How wide the columns are so that no word is broken, and no cell of a column that is `whole`; none where that is
    more than `width` characters."""
    columns = range(len(whole))
    most = [max(cell_len(row[column]) for row in rows) for column in columns]
    words = [max((cell_len(word) for row in rows for word in row[column].split()), default=0) for column in columns]
    widths = [most[column] if whole[column] else words[column] for column in columns]
    spare = width - sum(widths) - 2 * len(widths)  # for the space between two, and at both ends
    if spare < 0:
        return []
    while spare > 0 and widths != most:
        narrowest = min((one for one in columns if widths[one] < most[one]), key=lambda one: widths[one])
        widths[narrowest] += 1
        spare -= 1
    return widths
