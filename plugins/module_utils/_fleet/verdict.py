# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of a fleet in one line: how many gateways match the directory, and why the others do not. Pure. PRIVATE to
the collection.

It is made of the findings alone, as `fail_on` is: what makes `drift` fail is in this line, and the other way round, but
for gateways that nobody asked.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .findings import KINDS, NOT_ASKED, WORDS, Finding, listed, worst_first

REASONS = 4
"""So many different reasons are in the line."""


@dataclass(frozen=True)
class Verdict:
    """`matching` of so many `gateways` in use match. `reasons`: what is the matter with the others, and with hosts that
    are none of them; who has the same is in one of them."""

    matching: int
    gateways: int
    reasons: Sequence[tuple[Sequence[str], str]]

    @property
    def in_sync(self) -> bool:
        return not self.reasons

    @property
    def text(self) -> str:
        if self.in_sync:
            return "all match the directory" if self.gateways else "the directory has no gateway"
        first = f"{self.matching} of {self.gateways} match the directory" if self.gateways else "none can be compared"
        more = len(self.reasons) - REASONS
        parts = [f"{listed(hosts)}: {words}" for hosts, words in self.reasons[:REASONS]]
        return "; ".join([first, *parts, *([f"{more} more reasons"] if more > 0 else [])])


def verdict(in_use: t.Collection[str], found: Iterable[Finding]) -> Verdict:
    """`in_use`: the gateways that shall match. A difference that rests on the word of two counts for the one that
    differs from more others, else for both: one that lies about all of them does not make all of them differ."""
    found = worst_first(found)
    pairs = Counter(name for one in found if one.also for name in (one.host, one.also))
    words: dict[str, dict[str, None]] = {}
    for one in found:
        if KINDS[one.kind].differs or one.kind == NOT_ASKED:
            both = [name for name in (one.host, one.also) if name]
            most = max(pairs[name] for name in both)
            for host in (name for name in both if pairs[name] == most):
                words.setdefault(host, {})[WORDS.get(one.kind, one.kind)] = None
    reasons: dict[str, list[str]] = {}
    for host, told in words.items():
        reasons.setdefault(", ".join(told), []).append(host)
    matching = sum(name not in words for name in in_use)
    return Verdict(matching, len(in_use), [(hosts, text) for text, hosts in reasons.items()])
