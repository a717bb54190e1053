# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moments and ages. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timezone

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# 06:51:40 UTC Aug 30 2026. The zone's name says nothing certain, and for an age in days it need not.
IOS = re.compile(r"(\d{1,2}):(\d\d):(\d\d)(?:\.\d+)? \S+ (?:[A-Z][a-z]{2} )?([A-Z][a-z]{2}) (\d{1,2}) (\d{4})")


def moment(text: str | None) -> datetime | None:
    """From ISO 8601 or the words of an IOS device; None where it is neither."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        return found.replace(tzinfo=found.tzinfo or timezone.utc).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return _ios(str(text))


def _ios(text: str) -> datetime | None:
    found = IOS.search(text)
    if not found or found[4] not in MONTHS:
        return None
    hour, minute, second, dummy, day, year = found.groups()
    try:
        return datetime(
            int(year), MONTHS.index(found[4]) + 1, int(day), int(hour), int(minute), int(second), tzinfo=timezone.utc
        )
    except ValueError:
        return None


def iso(when: datetime) -> str:
    return when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> str:
    return iso(datetime.now(timezone.utc))


def seconds(start: str | None, end: str | None) -> int | None:
    first, last = moment(start), moment(end)
    return int((last - first).total_seconds()) if first and last else None


def age_days(since: str | None, at: str) -> int | None:
    """Whole days; negative where the clock of whoever made it was ahead."""
    passed = seconds(since, at)
    return None if passed is None else passed // 86400


def span(length: float | None) -> str:
    """For people: the two largest units."""
    if length is None:
        return "-"
    whole = int(length)
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {name}" if rest else "")
    return f"{whole} s"
