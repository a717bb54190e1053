# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report in a terminal: how many findings, and which. Pure."""

from __future__ import annotations

import textwrap
import typing as t

from ...module_utils._fleet.findings import PROBLEM, SEVERITIES, WARNING, listed

Data = dict[str, t.Any]
MOST = 20
"""Findings; a screen has not many more lines."""
UNWANTED = {"nothing": (), "problems": (PROBLEM,), "warnings": (PROBLEM, WARNING)}


def counted(report: Data) -> str:
    numbers = [(report["counts"][f"{severity}s"], severity) for severity in SEVERITIES]
    return ", ".join(f"{number or 'no'} {severity}{'' if number == 1 else 's'}" for number, severity in numbers)


def sentence(one: Data) -> str:
    return f"{listed(one['hosts'])}: {one['what']}"


def render(report: Data, width: int, fail_on: str = "nothing") -> str:
    """At most `width` columns wide; without what the complaint says, which follows."""
    lines = [f"{report['title']}: {counted(report)}"]
    found = [one for one in report["findings"] if one["severity"] not in UNWANTED[fail_on]]
    for one in found[:MOST]:
        whole = f"{one['severity']:<9}{sentence(one)}"
        lines += textwrap.wrap(whole, max(width, 60) - 2, subsequent_indent=" " * 9, break_on_hyphens=False)
    if len(found) > MOST:
        lines.append(f"{len(found) - MOST} more")
    return "\n".join(line if number == 0 else f"  {line}" for number, line in enumerate(lines))


def complaint(report: Data, fail_on: str) -> str | None:
    """Why the task fails, None if it does not."""
    unwanted = [one for one in report["findings"] if one["severity"] in UNWANTED[fail_on]]
    if not unwanted:
        return None
    more = f" And {len(unwanted) - MOST} more." if len(unwanted) > MOST else ""
    return " ".join(sentence(one) for one in unwanted[:MOST]) + more
