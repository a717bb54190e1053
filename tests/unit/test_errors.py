# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an error says, and that nothing of it is lost on the way out of a worker."""

from __future__ import annotations

import pickle

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import (
    NOTHING_CHANGED,
    VpnKeysError,
    about_host,
    clause,
    rendered,
    sentence,
    stated,
)

WHOLE = {"host": "gw1", "state": NOTHING_CHANGED, "advice": "set O(adopt) if its own key is right"}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "it is down"),
        ({"host": "gw1"}, "gw1: it is down."),
        ({"state": NOTHING_CHANGED}, "it is down. Nothing was changed."),
        ({"advice": "start it"}, "it is down. Start it."),
        ({"host": "gw1", "advice": "Is it up?"}, "gw1: it is down. Is it up?"),
        (WHOLE, "gw1: it is down. Nothing was changed; set adopt if its own key is right."),
    ],
)
def test_the_text_is_composed_of_the_fields(fields: dict[str, str], text: str) -> None:
    assert str(VpnKeysError("refused", "it is down", **fields)) == text


def test_options_are_named_by_what_the_reader_can_set() -> None:
    error = VpnKeysError("refused", "it is down", **WHOLE)
    said = rendered(error.marked, {"adopt": "gateway_keys_adopt_reported_key"})
    assert said == "gw1: it is down. Nothing was changed; set gateway_keys_adopt_reported_key if its own key is right."


def test_a_sentence_ends_once() -> None:
    assert [sentence(text) for text in ("It is.", "Is it?", "it is ")] == ["It is.", "Is it?", "it is."]


def test_an_unknown_code_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="'nonsense' is not an error code"):
        raise VpnKeysError("nonsense", "it is down")


class Special(VpnKeysError):
    pass


def test_it_survives_pickling() -> None:
    error = Special("refused", "it is down", **WHOLE)
    error.changed = True
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.code, copy.changed, copy.host, str(copy)) == (
        Special, "refused", True, "gw1", str(error),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "Peer gw2: it is down. Nothing was changed."),
        ({"state": "It waits"}, "Peer gw2: it is down. It waits."),
        (WHOLE, "gw1: Peer gw2: it is down. Nothing was changed; set adopt if its own key is right."),
    ],
)
def test_an_error_is_told_of_somebody_with_all_its_fields(fields: dict[str, str], text: str) -> None:
    error = Special("refused", "it is down", **fields)
    error.changed = True
    told = error.about("Peer gw2", state=NOTHING_CHANGED)
    assert (type(told), told.code, told.changed, str(told)) == (Special, "refused", True, text)
    assert str(error.about()) == str(error)


def test_a_sentence_within_a_sentence() -> None:
    assert [clause(text) for text in ("It is. ", "It is", "It is... ")] == ["It is", "It is", "It is.."]
    assert f"gw1 ({clause(sentence('it is'))})." == "gw1 (it is)."


def test_a_host_is_named_once() -> None:
    error = VpnKeysError("refused", "it is down", host="gw1")
    assert [about_host(host, str(error)) for host in ("gw1", "gw", "")] == ["it is down.", str(error), str(error)]


def test_what_is_no_error_is_told_like_one() -> None:
    assert stated("It differs", NOTHING_CHANGED, "set O(adopt)") == "It differs. Nothing was changed; set O(adopt)."
    assert stated("It differs.", NOTHING_CHANGED) == "It differs. Nothing was changed."
