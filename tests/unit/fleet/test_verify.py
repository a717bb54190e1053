# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof that a new key carries the tunnels, by the word of the gateway itself, and what the change cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from unit.fleet import samples
from unit.fleet.samples import Data, change, entry, fp, names, seen, snapshot, unreachable

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import Observation, StoredKey, Tunnel
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.verify import Proof, verify

NAMES = names(4)
OTHERS = NAMES[1:]
ROTATING = snapshot(samples.rotating("gw1"), *map(entry, OTHERS))
BEFORE = seen("gw1", NAMES)


def changed(*peers: str, **more: object) -> Observation:
    """gw1 uses its new key, and sees tunnels by it to these peers."""
    one = seen("gw1", NAMES, own=1, runtime=2, **more)
    return replace(one, tunnels=tuple(samples.tunnel(peer, fp("gw1", 2)) for peer in peers))


def proof(
    after: Observation,
    before: Observation = BEFORE,
    directory: Directory = ROTATING,
    share: int = 50,
    fetching: Sequence[str] = (),
) -> Proof:
    return verify(directory, {"gw1": before}, {"gw1": after}, ["gw1"], share, fetching)["gw1"]


def test_proved_by_the_gateway_itself() -> None:
    found = proof(changed(*OTHERS))
    assert (found.verified, found.problem) == (True, "")
    assert found.proven == OTHERS


@pytest.mark.parametrize(
    ("peers", "share", "verified"), [(2, 50, True), (1, 50, False), (1, 33, True), (2, 67, False), (0, 0, False)]
)
def test_a_share_of_the_tunnels_has_to_be_proved(peers: int, share: int, verified: bool) -> None:
    """One peer that lost its tunnel, or was tampered with, does not undo the change; it is named."""
    found = proof(changed(*OTHERS[:peers]), share=share)
    assert found.verified == verified
    assert found.unproven == OTHERS[peers:]
    if not verified:
        assert f"to {', '.join(OTHERS[peers:])}, where one was up before: {peers} of 3 are proved" in found.problem


def test_a_tunnel_that_was_down_before_is_not_waited_for() -> None:
    found = proof(changed("gw2", "gw4"), before=samples.without(BEFORE, "gw3"))
    assert found.verified
    assert (found.proven, found.unproven) == (["gw2", "gw4"], [])


def test_a_peer_that_does_not_have_the_key_yet_is_away() -> None:
    directory = snapshot(samples.rotating("gw1"), *map(entry, OTHERS), pending={"gw4": ["gw1"]})
    found = proof(changed("gw2", "gw3"), directory=directory)
    assert found.verified
    assert found.not_stored == ["gw4"]


def test_of_a_peer_that_fetches_nothing_but_its_tunnel_tells_whether_it_has_the_key() -> None:
    """It has acknowledged nothing, and is expected all the same: without enough of them the old key comes back."""
    away = {name: ["gw1"] for name in OTHERS}
    directory = snapshot(samples.rotating("gw1"), *map(entry, OTHERS), pending=away)
    assert proof(changed(*OTHERS), directory=directory, fetching=OTHERS).proven == OTHERS
    found = proof(changed("gw2"), directory=directory, fetching=OTHERS)
    assert (found.verified, found.unproven, found.not_stored) == (False, ["gw3", "gw4"], [])
    assert not proof(changed(), directory=directory, fetching=OTHERS, share=0).verified
    assert proof(changed("gw2"), directory=directory, fetching=["gw2"]).not_stored == ["gw3", "gw4"]


@pytest.mark.parametrize(
    ("fetching", "acknowledged", "tunnels", "verified"),
    [
        (OTHERS, [], [], False),  # an idle gateway: only time has passed
        (OTHERS, [], ["gw2"], False),  # one alone could lie
        (OTHERS, ["gw3"], ["gw2"], True),
        (OTHERS, ["gw2", "gw3"], [], True),
        (OTHERS, [], ["gw2", "gw3"], True),
        (["gw2", "gw3"], [], ["gw3"], True),  # the other one may be off
        (["gw2", "gw3"], [], [], False),
        (["gw2"], [], ["gw2"], True),
        (["gw2"], ["gw2"], [], True),
        (["gw2"], [], ["gw3"], False),  # whoever was sent the key does not show that it can be fetched
        ([], [], [], True),
    ],
)
def test_time_alone_is_not_enough_for_the_old_key_to_be_destroyed(
    fetching: list[str], acknowledged: list[str], tunnels: list[str], verified: bool
) -> None:
    away = {name: ["gw1"] for name in fetching if name not in acknowledged}
    directory = snapshot(samples.rotating("gw1"), *map(entry, OTHERS), pending=away)
    found = proof(changed(*tunnels), samples.without(BEFORE, *OTHERS), directory, 50, fetching)
    assert found.verified == verified, found.problem
    assert found.problem == "" or "nothing is known of gw" in found.problem


def test_no_tunnel_was_expected() -> None:
    found = proof(changed(), before=samples.without(BEFORE, *OTHERS))
    assert (found.verified, found.nothing_to_prove) == (True, True)
    away = snapshot(samples.rotating("gw1"), *map(entry, OTHERS), pending={name: ["gw1"] for name in OTHERS})
    for other in (proof(changed(*OTHERS)), proof(changed("gw2"), share=33), proof(changed(), directory=away)):
        assert other.verified
        assert not other.nothing_to_prove
    assert not proof(seen("gw1", NAMES), before=samples.without(BEFORE, *OTHERS)).nothing_to_prove


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (seen("gw1", NAMES, change=change("failed", error="No handshake came.")), "No handshake came."),
        (seen("gw1", NAMES), "the gateway rolled back to the old key."),
        (unreachable("gw1"), "could not be observed after the change (unreachable)."),
        (replace(changed(), own_runtime=None), "does not use its new key"),
    ],
)
def test_it_does_not_use_its_new_key(after: Observation, words: str) -> None:
    found = proof(after)
    assert not found.verified
    assert words in found.problem


def test_strongswan_names_peers_by_identity_and_not_always_its_own_key() -> None:
    one = samples.rotating("gw1") | {"platform": "strongswan", "identity": "one.example"}
    directory = snapshot(one, entry("gw2", platform="strongswan", identity="two.example"))

    def tunnels(own: int) -> tuple[Tunnel, ...]:
        return (Tunnel("two.example", fp("gw1", own), None, 1.0, 0.0),)

    before = replace(BEFORE, tunnels=tunnels(1))
    after = replace(BEFORE, own_runtime=None, tunnels=tunnels(2))
    assert proof(after, before, directory).proven == ["gw2"]
    assert proof(after, before, directory).verified
    stale = replace(after, tunnels=tunnels(1))
    assert proof(stale, before, directory).unproven == ["gw2"]
    assert not proof(stale, before, directory).verified


def test_after_an_emergency_all_whom_it_knows_are_asked_for_and_none_is_a_failure() -> None:
    one = entry("gw1", 2, {1: "revoked"}, rotation=samples.rotation("gw1", "active", "emergency"))
    directory = snapshot(one, *map(entry, OTHERS), pending={"gw4": ["gw1"]})
    after = replace(changed("gw2"), stored=tuple(StoredKey("", fp(name), "current", "current") for name in OTHERS))
    found = proof(after, samples.unreachable("gw1"), directory)
    assert found.verified
    assert (found.proven, found.unproven, found.not_stored) == (["gw2"], ["gw3"], ["gw4"])


def test_after_an_emergency_no_tunnel_is_asked_for_that_never_was() -> None:
    """A spoke has entries of the other spokes, and no tunnel but that to the hub."""
    one = entry("gw1", 2, {1: "revoked"}, rotation=samples.rotation("gw1", "active", "emergency"))
    directory = snapshot(one, *map(entry, OTHERS))
    before = samples.without(samples.seen("gw1", ["gw1", *OTHERS]), "gw3", "gw4")
    after = replace(changed("gw2"), stored=tuple(StoredKey("", fp(name), "current", "current") for name in OTHERS))
    found = proof(after, before, directory)
    assert (found.proven, found.unproven, found.not_stored) == (["gw2"], [], [])


def test_a_proof_survives_its_way_through_a_playbook() -> None:
    found = proof(changed(*OTHERS))
    assert Proof.from_result(found.to_result()) == found
    with pytest.raises(VpnKeysError, match="proof must be that of gateway_verify"):
        Proof.from_result({"verified": True})


# -- what a change cost


def measured(began: float, by: dict[str, float]) -> Data | None:
    """gw1 has changed its key, and sees its tunnels with it from these moments on."""
    tunnels = tuple(samples.tunnel(peer, fp("gw1", 2), by=moment) for peer, moment in by.items())
    after = replace(changed(), change=change(began=began), tunnels=tunnels)
    missing = [name for name in OTHERS if name not in by]
    directory = snapshot(samples.rotating("gw1"), *map(entry, OTHERS), pending={name: ["gw1"] for name in missing})
    return proof(after, directory=directory).measured


def test_the_last_tunnel_counts() -> None:
    assert measured(1000.0, {"gw2": 1000.05, "gw3": 1000.3, "gw4": 1000.1}) == {
        "what": "interruption measured",
        "gateway": "gw1",
        "outcome": "done",
        "details": {"rotation": 7, "seconds": 0.3, "tunnels": 3, "missing": 0},
    }


def test_tunnels_to_peers_that_do_not_have_the_key_yet_are_missing() -> None:
    event = measured(1000.0, {"gw2": 1000.05})
    assert event
    assert event["details"] == {"rotation": 7, "seconds": 0.05, "tunnels": 1, "missing": 2}


@pytest.mark.parametrize("by", [{}, {"gw2": 1000.1, "gw3": 999.0}, {"gw2": 1000.1, "gw3": 1121.0}])
def test_what_cannot_be_told_is_not_measured(by: dict[str, float]) -> None:
    """Nothing seen, a tunnel from before the change, one that may have been renewed since."""
    assert measured(1000.0, by) is None


def test_no_beginning_no_measure() -> None:
    assert measured(0, {"gw2": 1000.1}) is None
