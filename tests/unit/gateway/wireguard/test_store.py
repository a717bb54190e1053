# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What storing keys comes to: the file, the running interface, and both when they have drifted apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.gateway.wireguard.samples import NEW, NEWER, OWN, PSK, A, B, C, key
from unit.gateway.wireguard.syntaxes import SYNTAXES, Written

from ansible_collections.vpnops.keys.plugins.module_utils._gateway.platform import WantedPeer
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import sections, store
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.runtime import Peer, Runtime, Setting
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import PublicKey

NETS_A = ("10.0.0.2/32", "fd00::2/128")
NETS_B = ("10.0.0.3/32", "10.3.0.0/16")


def wanted(current: PublicKey | None, staged: PublicKey | None = None, **more: Any) -> WantedPeer:
    return WantedPeer("gw1", "", current, staged, more.pop("known", (A,)), **more)


def running(*peers: Peer) -> Runtime:
    return Runtime(OWN.text, {peer.key: peer for peer in peers})


def peer(key: PublicKey, networks: tuple[str, ...] = (), psk: str = "", keepalive: int = 0) -> Peer:
    return Peer(key.text, psk, "192.0.2.7:1", networks, 0, keepalive)


RUNNING = running(peer(A, NETS_A, PSK, 25), peer(B, NETS_B))


@pytest.fixture(params=SYNTAXES, scope="module")
def written(request: pytest.FixtureRequest) -> Written:
    return SYNTAXES[request.param]


def plan(written: Written, text: str, runtime: Runtime | None, *peers: WantedPeer) -> store.Plan:
    return store.plan(written.parse(text, "wg0.conf"), runtime, peers, {OWN.text})


def carried_out(runtime: Runtime, made: store.Plan) -> Runtime:
    """What WireGuard makes of it: a network belongs to the last peer it was given to."""
    peers = dict(runtime.peers)
    for setting in (setting for group in made.settings for setting in group):
        if setting.remove:
            del peers[setting.key]
            continue
        entry = peers.get(setting.key, Peer(setting.key, "", "", (), 0, 0))
        if setting.networks is not None:
            for key, other in list(peers.items()):
                left = tuple(net for net in other.networks if net not in setting.networks)
                peers[key] = replace(other, networks=left)
            entry = replace(entry, networks=setting.networks)
        peers[setting.key] = replace(
            entry,
            keepalive=entry.keepalive if setting.keepalive is None else setting.keepalive,
            endpoint=setting.endpoint or entry.endpoint,
            psk=setting.psk or entry.psk,
        )
    return Runtime(runtime.own, peers)


def assert_settled(
    written: Written, text: str, runtime: Runtime | None, made: store.Plan, *peers: WantedPeer
) -> None:
    """Doing it once more would change nothing, and it came out as predicted."""
    after = carried_out(runtime, made) if runtime else None
    again = plan(written, sections.render(made.blocks), after, *peers)
    assert sections.render(again.blocks) == sections.render(made.blocks)
    assert again.settings == []
    for first, second in zip(made.changes, again.changes, strict=True):
        assert second.before == first.after
        assert not second.changed
    assert any(change.changed for change in made.changes) == (
        sections.render(made.blocks) != text or bool(made.settings)
    )


# ---- the usual way


def test_what_is_right_is_left_alone(written: Written) -> None:
    made = plan(written, written.typical, RUNNING, wanted(A))
    assert sections.render(made.blocks) == written.typical
    assert (made.settings, made.pairs) == ([], [])
    assert made.changes[0].neighbor
    assert made.changes[0].before == made.changes[0].after == (f"current {A.fingerprint}",)


def test_a_staged_key_has_no_networks_but_endpoint_and_preshared_key(written: Written) -> None:
    made = plan(written, written.typical, RUNNING, wanted(A, NEW))
    assert made.settings == [[Setting(NEW.text, (), None, "192.0.2.7:1", PSK)]]
    (pair,) = made.pairs
    assert (pair.current, pair.staged, pair.networks, pair.keepalive) == (A.text, NEW.text, NETS_A, 25)
    assert made.changes[0].after == (f"current {A.fingerprint}", f"staged {NEW.fingerprint}")
    assert_settled(written, written.typical, RUNNING, made, wanted(A, NEW))


def test_the_next_key_becomes_the_current_one_without_a_gap(written: Written) -> None:
    staged = plan(written, written.typical, RUNNING, wanted(A, NEW))
    text, runtime = sections.render(staged.blocks), carried_out(RUNNING, staged)
    made = plan(written, text, runtime, wanted(NEW))
    assert sections.render(made.blocks) == written.typical.replace(A.text, NEW.text)
    assert made.settings == [[Setting(NEW.text, NETS_A, 25), Setting(A.text, remove=True)]]
    assert made.forget >= {A.text, NEW.text}
    assert_settled(written, text, runtime, made, wanted(NEW))


def test_what_the_follower_has_moved_is_not_moved_back(written: Written) -> None:
    staged = plan(written, written.typical, RUNNING, wanted(A, NEW))
    text = sections.render(staged.blocks)
    runtime = running(peer(A, (), PSK), peer(NEW, NETS_A, PSK, 25), peer(B, NETS_B))
    assert plan(written, text, runtime, wanted(A, NEW)).settings == []
    assert not plan(written, text, runtime, wanted(A, NEW)).changes[0].changed
    made = plan(written, text, runtime, wanted(NEW, known=(A, NEW)))
    assert made.settings == [[Setting(A.text, remove=True)]]
    back = plan(written, text, runtime, wanted(NEW, A))
    assert back.settings == []
    assert back.pairs[0].keys == (NEW.text, A.text)
    assert_settled(written, text, runtime, back, wanted(NEW, A))


def test_a_staged_key_that_is_not_wanted_any_more_goes_without_a_trace(written: Written) -> None:
    staged = plan(written, written.typical, RUNNING, wanted(A, NEW))
    runtime = running(peer(A, (), PSK), peer(NEW, NETS_A, PSK, 25), peer(B, NETS_B))
    made = plan(written, sections.render(staged.blocks), runtime, wanted(A, known=(A, NEW)))
    assert sections.render(made.blocks) == written.typical
    assert made.settings == [[Setting(A.text, NETS_A, 25), Setting(NEW.text, remove=True)]]
    other = plan(written, sections.render(staged.blocks), runtime, wanted(A, NEWER, known=(A, NEW)))
    assert_settled(written, sections.render(staged.blocks), runtime, other, wanted(A, NEWER, known=(A, NEW)))


def test_withdrawn_and_back(written: Written) -> None:
    staged = plan(written, written.typical, RUNNING, wanted(A, NEW))
    text, runtime = sections.render(staged.blocks), carried_out(RUNNING, staged)
    gone = plan(written, text, runtime, wanted(None, known=(A, NEW)))
    assert sorted(setting.key for setting in gone.settings[0] if setting.remove) == sorted([A.text, NEW.text])
    assert gone.changes[0].after == (f"withdrawn {A.fingerprint}",)
    assert_settled(written, text, runtime, gone, wanted(None, known=(A, NEW)))
    without = carried_out(runtime, gone)
    made = plan(written, sections.render(gone.blocks), without, wanted(NEWER))
    assert sections.render(made.blocks) == written.typical.replace(A.text, NEWER.text)
    assert made.settings == [[Setting(NEWER.text, NETS_A, 25, "a.example:51820", PSK)]]
    assert_settled(written, sections.render(gone.blocks), without, made, wanted(NEWER))


# ---- new peers, and no peers


def test_a_peer_without_an_entry_is_no_neighbor(written: Written) -> None:
    for wish in (wanted(C, known=()), wanted(C, NEW, known=()), wanted(None, known=(C,))):
        made = plan(written, written.typical, RUNNING, wish)
        assert sections.render(made.blocks) == written.typical
        assert made.settings == []
        assert [(change.neighbor, change.changed) for change in made.changes] == [(False, False)]


def test_a_peer_is_added_where_it_is_said_how_to_reach_it(written: Written) -> None:
    wish = wanted(C, NEW, known=(), endpoint="192.0.2.9:51820", networks=("10.0.9.1/24",))
    made = plan(written, written.typical, RUNNING, wish)
    assert made.settings == [
        [
            Setting(C.text, ("10.0.9.0/24",), 1, "192.0.2.9:51820"),
            Setting(C.text, keepalive=0),
            Setting(NEW.text, (), None, "192.0.2.9:51820"),
        ]
    ]
    assert made.new_networks == {"10.0.9.0/24": "gw1"}
    assert_settled(written, written.typical, RUNNING, made, wish)
    assert_settled(written, written.typical, None, plan(written, written.typical, None, wish), wish)


def test_the_gateway_is_no_peer_of_its_own(written: Written) -> None:
    wish = wanted(NEW, known=(OWN, A), endpoint="192.0.2.9:1", networks=("10.0.9.0/24",))
    made = plan(written, written.typical, RUNNING, wish)
    assert (sections.render(made.blocks), made.settings) == (written.typical, [])
    assert not made.changes[0].neighbor


# ---- drift


@pytest.mark.parametrize(
    "runtime",
    [
        running(peer(A, ("10.0.0.2/32",), PSK, 25), peer(B, NETS_B)),  # a network is missing
        running(peer(A, (), PSK, 25), peer(B, (*NETS_A, *NETS_B))),  # another peer has them
        running(peer(A, (*NETS_A, "10.9.0.0/16"), PSK, 25), peer(B, NETS_B)),  # one too many
        running(peer(B, NETS_B)),  # the peer is missing
        running(peer(NEW, NETS_A, PSK, 25), peer(B, NETS_B)),  # it runs with another key
        running(peer(A, NETS_A, PSK, 25), peer(NEW), peer(B, NETS_B)),  # a key is left over
    ],
)
@pytest.mark.parametrize("next_key", [None, NEWER])
def test_the_running_interface_is_repaired_from_the_file(
    written: Written, runtime: Runtime, next_key: PublicKey | None
) -> None:
    wish = wanted(A, next_key, known=(A, NEW))
    made = plan(written, written.typical, runtime, wish)
    assert made.changes[0].changed
    after = carried_out(runtime, made)
    assert set(after.peers[A.text].networks) == set(NETS_A)
    assert after.peers[A.text].psk == PSK
    assert after.peers[A.text].keepalive == 25
    assert set(after.peers) - {B.text} == {A.text, *([next_key.text] if next_key else [])}
    assert_settled(written, written.typical, runtime, made, wish)


def test_a_file_behind_the_running_interface_is_repaired(written: Written) -> None:
    runtime = running(peer(NEW, NETS_A, PSK, 25), peer(B, NETS_B))
    made = plan(written, written.typical, runtime, wanted(NEW))
    assert sections.render(made.blocks) == written.typical.replace(A.text, NEW.text)
    assert made.settings == []
    assert_settled(written, written.typical, runtime, made, wanted(NEW))


def test_a_peer_that_only_runs_keeps_what_it_has(written: Written) -> None:
    runtime = running(peer(C, ("10.9.0.0/16",), PSK, 7))
    made = plan(written, written.typical, runtime, wanted(NEW, known=(C,)))
    assert sections.render(made.blocks) == written.typical
    assert made.settings == [[Setting(NEW.text, ("10.9.0.0/16",), 7, "192.0.2.7:1", PSK), Setting(C.text, remove=True)]]
    assert_settled(written, written.typical, runtime, made, wanted(NEW, known=(C,)))


def test_a_network_that_two_peers_claim_is_the_last_ones(written: Written) -> None:
    between = ";" if written.syntax.between.match(";") else ","
    text = written.typical.replace("10.0.0.3", f"10.0.0.3{between}10.0.0.2/32")
    runtime = running(peer(A, ("fd00::2/128",), PSK, 25), peer(B, (*NETS_B, "10.0.0.2/32")))
    assert plan(written, text, runtime, wanted(A)).settings == []


def test_an_interface_that_is_down_has_its_file_brought_in_line(written: Written) -> None:
    made = plan(written, written.typical, None, wanted(NEW))
    assert sections.render(made.blocks) == written.typical.replace(A.text, NEW.text)
    assert made.settings == []
    assert_settled(written, written.typical, None, made, wanted(NEW))


# ---- a service that starts over


def test_a_service_that_starts_over_leaves_the_peers_as_they_were() -> None:
    """It gives every peer what the file says, and no session is left; what it does not touch needs nothing."""
    moved = replace(peer(NEW, NETS_A, PSK, 25), handshake=7.0)
    before = running(replace(peer(A, (), PSK), handshake=9.0), moved, replace(peer(B, NETS_B), handshake=8.0))
    assert store.again(before, before) == []
    after = running(peer(A, NETS_A, PSK, 25), peer(B, NETS_B), peer(C))
    assert store.again(before, after) == [
        [Setting(A.text, (), 0, "192.0.2.7:1", PSK), Setting(A.text, keepalive=0)],
        [
            Setting(NEW.text, NETS_A, 0, "192.0.2.7:1", PSK),
            Setting(NEW.text, keepalive=1),
            Setting(NEW.text, keepalive=25),
        ],
        [Setting(B.text, NETS_B, 0, "192.0.2.7:1"), Setting(B.text, keepalive=1), Setting(B.text, keepalive=0)],
        [Setting(C.text, remove=True)],
    ]


# ---- contradictions


@pytest.mark.parametrize(
    ("again", "bad", "words"),
    [
        ([], wanted(A, known=(B,)), "2 entries for gw1"),
        ([C], wanted(A, known=(C,)), "2 entries for gw1"),
        ([], wanted(OWN), "that of this gateway itself"),
        ([], wanted(A, OWN), "that of this gateway itself"),
        ([], wanted(C, known=(), endpoint="host", networks=("10.0.0.9/32",)), "is not HOST:PORT"),
        ([], wanted(C, known=(), endpoint="-h:1", networks=("10.0.0.9/32",)), "is not HOST:PORT"),
        ([], wanted(C, known=(), endpoint="h:1\n[Peer]", networks=("10.0.0.9/32",)), "is not HOST:PORT"),
        ([], wanted(C, known=(), endpoint="h:1", networks=("all",)), "is not a network"),
    ],
)
def test_what_cannot_be_stored_is_left_out_and_named_and_stops_nobody_else(
    written: Written, again: list[PublicKey], bad: WantedPeer, words: str
) -> None:
    other = WantedPeer("gw2", "", NEW, None, (key("other"),), "192.0.2.9:51820", ("10.0.9.0/24",))
    gone = WantedPeer("gw3", "", None, None, (key("gone"),))
    text = written.typical + "".join(written.section(one.text, "10.0.7.0/24") for one in again)
    text += written.section(key("gone").text, "10.0.8.0/24")
    for order in ([bad, other, gone], [gone, other, bad]):
        made = plan(written, text, RUNNING, *order)
        alone = plan(written, text, RUNNING, *(one for one in order if one is not bad))
        (refused,) = (change for change in made.changes if change.name == bad.name)
        assert words in refused.refused
        assert refused.refused.startswith("Peer gw1: ")
        assert refused.refused.endswith(("It was excluded.", "run this again.", "Nothing was changed."))
        assert not refused.changed
        assert (made.blocks, made.settings) == (alone.blocks, alone.settings)
        assert [change for change in made.changes if change is not refused] == alone.changes


@pytest.mark.parametrize("known", [(A,), (A, B), (OWN, A), (A, OWN)])
def test_nothing_keeps_a_peer_from_being_withdrawn(written: Written, known: tuple[PublicKey, ...]) -> None:
    """Neither several entries, nor an endpoint, nor a key of this gateway among those that the peer is said to have."""
    wish = wanted(None, known=(*known, C), endpoint="no\nendpoint", networks=("none",))
    text = written.typical + written.section(C.text, "10.0.8.0/24")
    made = plan(written, text, RUNNING, wish)
    kept = {sections.public_key(block) for block in made.blocks if block.kind == sections.PEER}
    assert kept == {B} - set(known)
    assert set(carried_out(RUNNING, made).peers) == {B.text} - {one.text for one in known}
    assert made.changes[0].refused == ""
    assert_settled(written, text, RUNNING, made, wish)


def test_a_name_without_an_address_leaves_its_peer_out(written: Written) -> None:
    """Its entry in the file would keep the interface from starting."""
    bad = WantedPeer("gw9", "", C, None, (), "nowhere.invalid:1", ("10.0.9.0/24",))
    first = plan(written, written.typical, RUNNING, bad, wanted(A, NEW))
    addresses = {one: "" if "invalid" in one else one for one in first.endpoints()}
    unknown = first.unresolved(addresses)
    assert list(unknown) == ["gw9"]
    assert "nowhere.invalid:1" in unknown["gw9"]
    made = store.plan(written.parse(written.typical, "wg0.conf"), RUNNING, [bad, wanted(A, NEW)], {OWN.text}, unknown)
    alone = plan(written, written.typical, RUNNING, wanted(A, NEW))
    assert (made.blocks, made.settings) == (alone.blocks, alone.settings)
    assert made.changes[0].refused == unknown["gw9"]


# ---- whatever came before


KEYS = (A, NEW, NEWER)
WISHES = st.builds(
    lambda current, staged: wanted(current, staged, known=KEYS),
    st.sampled_from([None, *KEYS]),
    st.sampled_from([None, *KEYS]),
)


@given(st.data(), st.lists(WISHES, max_size=6), st.booleans())
def test_any_wish_is_fulfilled_after_any_others_and_nobody_else_is_touched(
    written: Written, data: st.DataObject, wishes: list[WantedPeer], up: bool
) -> None:
    text = start = data.draw(written.files)
    a, b = (peer(one, tuple(net.format(number) for net in written.networks)) for number, one in enumerate((A, B), 2))
    runtime = running(a, b) if up else None
    for wish in [*wishes, wanted(A, known=KEYS)]:
        made = plan(written, text, runtime, wish)
        assert_settled(written, text, runtime, made, wish)
        text = sections.render(made.blocks)
        runtime = carried_out(runtime, made) if runtime else None
        if runtime:
            next_key = wish.staged if wish.current and wish.staged != wish.current else None
            assert set(runtime.peers) - {B.text} == {key.text for key in (wish.current, next_key) if key}
            assert runtime.peers[B.text] == b
    assert text == start
