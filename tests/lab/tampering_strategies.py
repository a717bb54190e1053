# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutations of any field of any result, for hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from . import contract
from .tampering import ESCAPES, FORMS, JINJA, LARGE, Edit, Mutation

ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**63,
    -(10**40),
    1e308,
    float("nan"),
    float("-inf"),
    "",
    " ",
    "0",
    "\x00",
    "\ud800",
    "\u2028",
    "x" * 70_000,
    ESCAPES,
    JINJA,
    "{% set x = 1 %}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "..",
    "-oProxyCommand=x",
    "$(touch x)",
    "gw1\n",
    "all",
    "localhost",
    [],
    {},
    [[]],
    {"": ""},
    [None] * 300,
]
"""Values that hardly any field may have."""
ANSIBLES = (
    "add_host",
    "ansible_facts",
    "ansible_stats",
    "deprecations",
    "diff",
    "exception",
    "failed",
    "invocation",
    "msg",
    "skipped",
    "unreachable",
    "warnings",
    "_ansible_delegated_vars",
    "_ansible_no_log",
)
"""Fields that mean something to Ansible."""
STEERING = sorted({*ANSIBLES, *contract.fields()})
"""Fields that mean something to Ansible or to us."""


def values(names: Sequence[str]) -> st.SearchStrategy[Any]:
    """Odd ones, names of gateways, and any JSON around them."""
    leaves = st.one_of(st.sampled_from(ODD), st.sampled_from([*names, *STEERING]), st.integers(), st.text(max_size=8))
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=6,
    )


def edits(names: Sequence[str]) -> st.SearchStrategy[Edit]:
    """One change at any place of any result."""
    somewhere = st.lists(st.integers(0, 40), min_size=1, max_size=6).map(tuple)
    named = st.tuples(st.sampled_from(STEERING)) | st.tuples(st.sampled_from(STEERING), st.sampled_from(STEERING))
    anywhere = st.one_of(somewhere, named)
    more = st.dictionaries(st.sampled_from(STEERING), values(names), max_size=3)
    # So long that it leads to a leaf.
    leaf = st.lists(st.integers(0, 40), min_size=6, max_size=6).map(tuple)
    odd = [one for one in ODD if isinstance(one, str) and 0 < len(one) < 100]
    word = st.sampled_from([*names, *odd])
    return st.one_of(
        st.builds(Edit, st.just("set"), anywhere, values(names)),
        st.builds(Edit, st.sampled_from(["drop", "double", "wrap", "text"]), somewhere),
        st.builds(Edit, st.just("extend_text"), leaf, st.sampled_from(odd)),
        st.builds(Edit, st.just("rename"), st.just(()), st.tuples(st.sampled_from(list(names)), word)),
        st.builds(Edit, st.just("append"), anywhere, values(names)),
        st.builds(Edit, st.just("merge"), st.just(()), more),
    )


def mutations(names: Sequence[str], *, forms: bool = True) -> st.SearchStrategy[Mutation]:
    """Some edits, and, at times, a form that is not one of the large ones. Without `forms` only what JSON can say:
    those that pure code is given as dicts."""
    printed = st.sampled_from([form for form in FORMS if form not in LARGE]) if forms else st.nothing()
    return st.builds(
        Mutation,
        st.just("drawn"),
        st.lists(edits(names), min_size=1, max_size=4).map(tuple),
        st.one_of(st.just("plain"), printed),
    )
