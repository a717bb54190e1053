# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is done to a directory in whatever order: what always holds."""

from __future__ import annotations

import typing as t

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.directory.samples import DEFAULTS, Data, context, gateway, names, new_key

from ansible_collections.vpnops.keys.plugins.module_utils._directory import book as records
from ansible_collections.vpnops.keys.plugins.module_utils._directory import changes, view
from ansible_collections.vpnops.keys.plugins.module_utils._directory.book import Book
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError

GATEWAYS = ("gw1", "gw2", "gw3")
STEPS = [state for state in changes.STATES if state not in ("present", "staged")]
Step = tuple[str, Data]


def steps() -> st.SearchStrategy[Step]:
    some = st.lists(st.sampled_from(GATEWAYS), min_size=1, max_size=2, unique=True)
    moving = st.builds(
        lambda state, which, mode, lost: (state, {"gateways": names(*which), "mode": mode, "lost": lost}),
        st.sampled_from(STEPS),
        some,
        st.sampled_from(["planned", "emergency"]),
        st.sampled_from([False, False, False, True]),
    )
    keys = st.builds(
        lambda which, only_keys: (
            "staged",
            {"keys": [{"gateway": name, "public_key": new_key()} for name in which]}
            | ({} if only_keys else {"gateways": names(*which), "minimum_share": 0}),
        ),
        some,
        st.booleans(),
    )
    adopting = st.builds(
        lambda name: ("present", {"gateways": [gateway(name, new_key())], "adopt": True}), st.sampled_from(GATEWAYS)
    )
    return st.one_of(moving, keys, adopting)


def check(before: Book, after: Book) -> None:
    assert records.tampered(after) == []
    for name in GATEWAYS:
        keys = records.keys_of_one(after, name)
        assert [row["serial"] for row in keys] == list(range(len(keys), 0, -1))
        for row in keys:
            old = before.keys.get((name, row["serial"]))
            assert old is None or old["state"] != "revoked" or row["state"] == "revoked"
            assert old is None or old["public_key"] == row["public_key"]
        assert before.gateways[name]["revision"] <= after.gateways[name]["revision"]
    prints = [row["fingerprint"] for row in after.keys.values()]
    assert len(prints) == len(set(prints))
    shown = view.build(after, {}, None)
    for entry in shown["peers"]:
        states = {row["public_key"]: row["state"] for row in records.keys_of_one(after, entry["name"])}
        accepted = {entry[field] for field in ("current", "staged", "previous")} - {None}
        assert "revoked" not in {states[key] for key in accepted}
        assert entry["withdrawn"] == (not accepted)
    for peer, owed in shown["owed"].items():
        assert not after.gateways[peer]["revoked"]
        assert peer not in owed


@settings(max_examples=100, deadline=None)
@given(st.lists(steps(), max_size=25))
def test_whatever_is_done(sequence: list[Step]) -> None:
    book = Book("directory", lambda _kind, _row: True)
    options: dict[str, t.Any] = {**DEFAULTS, "gateways": [gateway(name, new_key()) for name in GATEWAYS]}
    book = changes.apply(book, "present", options, context())
    for state, given_options in sequence:
        try:
            after = changes.apply(book, state, {**DEFAULTS, **given_options}, context())
        except VpnKeysError:
            continue
        after.original = None
        check(book, after)
        again = changes.apply(after, state, {**DEFAULTS, **given_options}, context())
        if state != "prepared":
            assert [one["what"] for one in again.events[len(after.events) :]] == []
        book = after
