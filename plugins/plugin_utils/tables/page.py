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
        """`narrow`: columns whose cells are not wrapped."""
        table = Table(
            box=box.SIMPLE_HEAD, title=Text(title), title_justify="left", title_style="bold", pad_edge=False,
            padding=(0, 1, 0, 0),
        )  # fmt: skip
        for name in columns:
            table.add_column(name, overflow="fold", no_wrap=name in narrow)
        for row in rows:
            table.add_row(*(Text(cell(row)) for cell in columns.values()))
        self.console.print()
        self.console.print(table)

    def note(self, *texts: str) -> None:
        for text in texts:
            filled = textwrap.fill(
                text, self.console.width, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False
            )
            self.console.print(Text(filled))

    def text(self) -> str:
        lines = "\n".join(line.rstrip() for line in self.out.getvalue().splitlines())
        return re.sub("\n\n\n+", "\n\n", lines).strip("\n")
