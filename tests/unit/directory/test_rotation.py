# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a rotation, and who may take them."""

from __future__ import annotations

import itertools
import typing as t

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._directory import rotation
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError

EVERY = (*rotation.STATES, "rolled_back")
ALLOWED = {
    ("prepared", "staged"),
    ("staged", "active"),
    ("active", "verified"),
    ("verified", "retired"),
    ("prepared", "rolled_back"),
    ("staged", "rolled_back"),
    ("active", "rolled_back"),
    ("verified", "rolled_back"),
}
NOW = "2026-11-22T03:12:00Z"


@pytest.mark.parametrize(("state", "wanted"), list(itertools.product(EVERY, EVERY)))
@pytest.mark.parametrize("mode", rotation.MODES)
def test_steps(mode: str, state: str, wanted: str) -> None:
    one = {"mode": mode, "state": state}
    allowed = ALLOWED | ({("prepared", "active"), ("active", "retired")} if mode == "emergency" else set())
    open_and_passed = state not in rotation.CLOSED and EVERY.index(wanted) < EVERY.index(state)
    if state == wanted or open_and_passed:
        assert rotation.must_advance(one, "gw1", wanted) is False
    elif (state, wanted) in allowed:
        assert rotation.must_advance(one, "gw1", wanted) is True
    else:
        with pytest.raises(VpnKeysError, match=f"gw1 is {state}.*Nothing was changed") as caught:
            rotation.must_advance(one, "gw1", wanted)
        assert caught.value.code == "wrong_state"


@pytest.mark.parametrize(
    ("state", "wanted", "rest"),
    [
        ("retired", "staged", "start another one with state=prepared."),
        ("rolled_back", "staged", "start another one with state=prepared."),
        ("prepared", "active", "the next step is staged, or rolled_back."),
        ("staged", "retired", "the next step is active, or rolled_back."),
        ("active", "retired", "the next step is verified, or rolled_back."),
    ],
)
def test_what_to_do_instead(state: str, wanted: str, rest: str) -> None:
    begin = "The last rotation" if state in rotation.CLOSED else "The rotation"
    with pytest.raises(VpnKeysError) as caught:
        rotation.must_advance({"mode": "planned", "state": state}, "gw1", wanted)
    assert str(caught.value) == (
        f"{begin} of gw1 is {state}, so it cannot become {wanted}. Nothing was changed; {rest}"
    )


def test_later() -> None:
    assert rotation.later("2026-12-31T23:59:30Z", 90) == "2027-01-01T00:01:00Z"


def test_no_rotation() -> None:
    with pytest.raises(VpnKeysError, match="gw1 has no rotation") as caught:
        rotation.must_advance(None, "gw1", "staged")
    assert caught.value.code == "wrong_state"


def held(**more: t.Any) -> dict[str, t.Any]:
    return {
        "gateway": "gw1",
        "state": "staged",
        "begun_at": "2026-11-22T03:10:00Z",
        "lease_until": "2026-11-22T03:13:00Z",
        "holder": {"user": "alice", "host": "ctl1", "pid": 4711, "run": "a"},
        **more,
    }


def claim(one: dict[str, t.Any], run: str = "b", gone: bool = False, take_over: bool = False) -> str | None:
    return rotation.claim(one, {"run": run}, NOW, lambda _owner: gone, take_over)


def test_claims() -> None:
    assert claim(held(), run="a") is None
    assert claim(held(lease_until=NOW)) == "its lease had expired"
    assert claim(held(), gone=True) == "its process has ended"
    assert claim(held(), take_over=True) == "take_over was asked for"


def test_somebody_else_holds_it() -> None:
    with pytest.raises(VpnKeysError) as caught:
        claim(held())
    assert caught.value.code == "held"
    assert str(caught.value) == (
        "gw1 is being rotated by alice on ctl1 (pid 4711) since 03:10 UTC, state staged. Nothing was changed; wait "
        "until that run has ended, or set take_over if it is known to be dead."
    )


def test_the_lock_owner_is_the_one_that_may_be_gone() -> None:
    def is_gone(owner: t.Any) -> bool:
        assert owner == held()["holder"]
        return True

    assert rotation.claim(held(), {"run": "b"}, NOW, is_gone, take_over=False) == "its process has ended"
