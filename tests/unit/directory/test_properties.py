# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is done to a directory in whatever order: what always holds."""

from __future__ import annotations

import typing as t

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.directory.samples import DEFAULTS, Data, Records, context, gateway, key_of, names, new_key, pending
from unit.effort import examples

from ansible_collections.vpnops.keys.plugins.module_utils import _pending
from ansible_collections.vpnops.keys.plugins.module_utils._directory import records, states, stored, view
from ansible_collections.vpnops.keys.plugins.module_utils._directory.records import Snapshot
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError

GATEWAYS = ("gw1", "gw2", "gw3")
STEPS = [state for state in states.STATES if state not in ("present", "staged")]
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


def check(before: Snapshot, after: Snapshot) -> None:
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
    given_before = max(one["revision"] for one in before.gateways.values())
    for name, row in after.gateways.items():
        assert row["revision"] == before.gateways[name]["revision"] or row["revision"] > given_before
    assert shown["directory"]["revision"] == max(row["revision"] for row in after.gateways.values())
    for peer, names_ in pending(shown).items():
        assert not records.is_gone(after.gateways[peer])
        assert peer not in names_


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(steps(), max_size=25))
def test_whatever_is_done(sequence: list[Step]) -> None:
    snapshot = Snapshot("directory", lambda _kind, _row: True)
    options: dict[str, t.Any] = {**DEFAULTS, "gateways": [gateway(name, new_key()) for name in GATEWAYS]}
    snapshot = states.apply(snapshot, "present", options, context())
    for state, given_options in sequence:
        try:
            after = states.apply(snapshot, state, {**DEFAULTS, **given_options}, context())
        except VpnKeysError:
            continue
        after.original = None
        check(snapshot, after)
        again = states.apply(after, state, {**DEFAULTS, **given_options}, context())
        if state != "prepared":
            assert [one["what"] for one in again.events[len(after.events) :]] == []
        snapshot = after


# -- who has to store what yet

FLEET = ("gw1", "gw2", "gw3", "gw4", "gw5", "gw6")
Pair = tuple[str, str]


class Pairs:
    """The same with a note for every pair of gateways: what the marks must come to."""

    def __init__(self) -> None:
        self.has: dict[Pair, bool] = {}

    def change(self, before: Snapshot, after: Snapshot) -> None:
        for name, row in after.gateways.items():
            old = before.gateways.get(name)
            if old is None or old["revision"] != row["revision"]:
                self.has = {pair: has for pair, has in self.has.items() if pair[1] != name}
            if old is not None and old["platform"] != row["platform"]:
                self.has = {pair: has for pair, has in self.has.items() if pair[0] != name}

    def acknowledge(self, snapshot: Snapshot, given: Data) -> None:
        keys = records.keys_of_one(snapshot, given["gateway"])
        if given["serial"] in [row["serial"] for row in keys] and self._may(snapshot, given["peer"]):
            wanted = stored.wanted(snapshot.gateways[given["gateway"]], keys)
            self.has[given["peer"], given["gateway"]] = (given["role"], given["serial"]) == wanted

    def learn(self, snapshot: Snapshot, given: Data) -> None:
        for name, row in snapshot.gateways.items():
            if row["revision"] <= given["revision"] <= snapshot.revision and self._may(snapshot, given["peer"]):
                self.has[given["peer"], name] = True

    def _may(self, snapshot: Snapshot, peer: str) -> bool:
        return not records.is_gone(snapshot.gateways[peer])

    def pending(self, snapshot: Snapshot) -> dict[str, list[str]]:
        return {
            peer: found
            for peer, one in snapshot.gateways.items()
            if self._may(snapshot, peer)
            and (found := [name for name in snapshot.gateways if self._lacks(snapshot, one, name)])
        }

    def _lacks(self, snapshot: Snapshot, peer: Data, name: str) -> bool:
        row = snapshot.gateways[name]
        stores = name != peer["name"] and row["platform"] == peer["platform"]
        wanted = stored.wanted(row, records.keys_of_one(snapshot, name))
        return stores and wanted is not None and not self.has.get((peer["name"], name), False)


def sayings() -> st.SearchStrategy[Data]:
    some = st.sampled_from(FLEET)
    given_ones = st.fixed_dictionaries(
        {
            "peer": some,
            "gateway": some,
            "role": st.sampled_from(["current", "current", "staged", "withdrawn"]),
            "serial": st.integers(1, 3),
        }
    )
    learned = st.fixed_dictionaries({"peer": some, "revision": st.integers(0, 30)})
    whole = st.sampled_from(FLEET).map(lambda peer: {"peer": peer, "revision": None})
    return st.one_of(
        st.fixed_dictionaries({"acknowledgements": st.lists(given_ones, max_size=8)}),
        st.fixed_dictionaries({"learned": st.lists(learned, max_size=3)}),
        st.fixed_dictionaries({"learned": st.lists(whole, min_size=1, max_size=6)}),
        st.fixed_dictionaries({"truth": st.sets(some), "but": st.sets(some, max_size=2)}),
    )


def moves() -> st.SearchStrategy[Step]:
    platform = st.builds(
        lambda name, facts: ("present", {"gateways": [gateway(name, **facts)]}),
        st.sampled_from(FLEET[:4]),
        st.sampled_from(
            [
                {"platform": "strongswan", "algorithm": "ed25519"},
                {"platform": "wireguard", "algorithm": "x25519"},
                {"endpoint": "192.0.2.1:1"},
                {"endpoint": "192.0.2.2:1"},
            ]
        ),
    )
    return st.one_of(steps(), steps(), platform)


def filled_in(snapshot: Snapshot, said: Data) -> Data:
    """`truth`: these peers store all that there is `but` for some gateways. A revision of None is the present one."""
    truth = [
        {"peer": peer, "gateway": name, "role": wanted[0], "serial": wanted[1]}
        for peer in sorted(said.get("truth", ()))
        for name, row in snapshot.gateways.items()
        if name not in said["but"] and (wanted := stored.wanted(row, records.keys_of_one(snapshot, name)))
    ]
    learned = [
        {**one, "revision": snapshot.revision if one["revision"] is None else one["revision"]}
        for one in said.get("learned", ())
    ]
    return {"acknowledgements": [*said.get("acknowledgements", ()), *truth], "learned": learned}


def fleet() -> Records:
    """Two platforms, and a key for each gateway."""
    kept = Records()
    kept.do(gateways=[gateway(name, key_of(name)) for name in FLEET])
    kept.do(gateways=[gateway(name, platform="strongswan", algorithm="ed25519") for name in FLEET[4:]])
    return kept


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.one_of(moves(), sayings()), max_size=30))
def test_marks_say_what_a_note_for_every_pair_would_say(sequence: list[Step | Data]) -> None:
    kept, pairs = fleet(), Pairs()
    for one in sequence:
        before = kept.snapshot
        if isinstance(one, tuple):
            try:
                kept.do(one[0], **one[1])
            except VpnKeysError:
                continue
            pairs.change(before, kept.snapshot)
        else:
            given_now = filled_in(before, one)
            kept.do(**given_now)
            for said in given_now["acknowledgements"]:
                pairs.acknowledge(before, said)
            for said in given_now["learned"]:
                pairs.learn(before, said)
            rows = kept.snapshot.acknowledgements
            assert not kept.do(**given_now), "said again, it is no news"
            assert kept.snapshot.acknowledgements == rows
        shown = view.build(kept.snapshot, {}, None)
        assert pending(shown) == pairs.pending(kept.snapshot)
        asked = _pending.of_result(shown["peers"], shown["learned"])
        for name in FLEET:
            assert asked.count_of(name) == len(asked.pending_of(name))
            found = pairs.pending(kept.snapshot)
            assert asked.peers_pending(name) == [peer for peer, of in found.items() if name in of]


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.one_of(moves(), sayings(), st.sampled_from(FLEET)), max_size=30))
def test_what_was_tampered_with_and_is_as_before_again_was_never_learned(sequence: list[Step | Data | str]) -> None:
    """A name: somebody changes the record of that gateway, or changes it back. Whatever is said meanwhile, no peer is
    taken to have stored what it has not."""
    kept, pairs = fleet(), Pairs()
    for one in sequence:
        before = kept.snapshot
        if isinstance(one, str):
            forged = ("gateway", one, None)
            kept.forged = [other for other in kept.forged if other != forged] or [forged]
            continue
        undecided = {name for _kind, name, _serial in kept.forged}
        given_now = {} if isinstance(one, tuple) else filled_in(before, one)
        try:
            kept.do(*one[:1], **one[1]) if isinstance(one, tuple) else kept.do(**given_now)
        except VpnKeysError:
            continue
        pairs.change(before, kept.snapshot)
        for said in given_now.get("acknowledgements", ()):
            if said["peer"] not in undecided and said["gateway"] not in undecided:
                pairs.acknowledge(before, said)
        for said in given_now.get("learned", ()):
            if said["peer"] not in undecided:
                has = {pair: known for pair, known in pairs.has.items() if pair[1] in undecided}
                pairs.learn(before, said)
                pairs.has = {pair: known for pair, known in pairs.has.items() if pair[1] not in undecided} | has
        forged_now, kept.forged = kept.forged, []
        shown = pending(view.build(kept.snapshot, {}, None))
        for peer, lacking in pairs.pending(kept.snapshot).items():
            assert set(lacking) <= set(shown.get(peer, ()))
        kept.forged = forged_now
