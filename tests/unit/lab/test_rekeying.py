# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running group: rekeys, members and COOP, in both ways that devices may behave."""

from __future__ import annotations

from typing import Any

import pytest

from lab.personality import personality
from lab.rekeying import DEAD, Group, Member, Server

OLD, NEW = "GETVPN", "GETVPN-2"
KEYS = {OLD: "aa" * 32, NEW: "bb" * 32}


def group(servers: int = 3, members: int = 4, kek: int = 1800, tek: int = 600, **switches: Any) -> Group:
    made = personality("ios15", switches)
    return Group(
        [Server(f"10.0.0.{n}", 100 - n, made, OLD, dict(KEYS)) for n in range(1, servers + 1)],
        [Member(f"172.16.0.{n}") for n in range(1, members + 1)],
        kek_life=kek,
        tek_life=tek,
    )


def primaries(one: Group) -> list[str]:
    return [server.address for server in one.servers.values() if server.up and server.role == "Primary"]


def entries(one: Group) -> list[tuple[int, int, int]]:
    server = one.primary()
    assert server is not None
    return [(entry.sent, entry.acked, entry.missed) for entry in server.entries.values()]


def switch_all(one: Group, label: str = NEW) -> None:
    for address in sorted(one.servers, reverse=True):
        one.set_label(address, label)


# -- an undisturbed group


def test_members_accept_rekeys_and_never_register_again() -> None:
    one = group()
    for _minute in range(120):
        one.advance(60)
        assert not one.without_key()
    assert {member.registrations for member in one.members.values()} == {1}
    assert {member.rejected for member in one.members.values()} == {0}
    assert {(sent == acked, missed) for sent, acked, missed in entries(one)} == {(True, 0)}
    assert entries(one)[0][0] > 10
    assert primaries(one) == ["10.0.0.1"]


def test_keys_are_new_after_a_rekey_and_the_old_tek_lives_on_for_a_while() -> None:
    one = group(1)
    before = one.servers["10.0.0.1"].policy
    one.advance(60)
    assert one.rekey("10.0.0.1")
    after = one.servers["10.0.0.1"].policy
    assert before is not None
    assert after is not None
    assert after.kek.spi != before.kek.spi
    assert [tek.spi for tek in after.teks[:-1]] == [before.teks[-1].spi]
    assert after.teks[0].ends == one.now + 90
    one.advance(60)
    one.rekey("10.0.0.1", replace_now=True)
    newest = one.servers["10.0.0.1"].policy
    assert newest is not None
    assert len(newest.teks) == 1


def test_a_secondary_sends_no_rekey() -> None:
    one = group()
    assert not one.rekey("10.0.0.2")
    assert entries(one)[0] == (0, 0, 0)


def test_a_member_that_is_off_misses_rekeys_and_registers_when_it_is_back() -> None:
    one = group()
    one.stop("172.16.0.1")
    one.rekey("10.0.0.1")
    one.advance(5)
    server = one.servers["10.0.0.1"]
    assert server.entries["172.16.0.1"].missed == 0
    one.advance(60)
    assert (server.entries["172.16.0.1"].missed, server.entries["172.16.0.1"].retries) == (1, 2)
    assert server.entries["172.16.0.2"].missed == 0
    one.start("172.16.0.1")
    assert server.entries["172.16.0.1"].sent == 0
    assert not one.without_key()


# -- the label changes


def test_in_band_members_acknowledge_both_rekeys_and_nobody_registers_again() -> None:
    one = group(rekey_new_key="in_band")
    switch_all(one)
    for _rekey in range(2):
        one.advance(60)
        one.rekey("10.0.0.1")
    one.advance(60)
    assert {member.key for member in one.members.values()} == {KEYS[NEW]}
    assert {member.registrations for member in one.members.values()} == {1}
    assert set(entries(one)) == {(2, 2, 0)}


def test_out_of_band_members_miss_the_rekey_and_register_before_their_keys_end() -> None:
    one = group(rekey_new_key="out_of_band")
    switch_all(one)
    one.rekey("10.0.0.1")
    one.advance(60)
    assert set(entries(one)) == {(1, 0, 1)}
    assert {member.key for member in one.members.values()} == {KEYS[OLD]}
    for _second in range(600):
        one.advance(1)
        assert not one.without_key()
    assert {member.key for member in one.members.values()} == {KEYS[NEW]}
    assert {member.registrations for member in one.members.values()} == {2}


def test_a_member_that_ignores_the_carried_key_accepts_one_rekey_and_misses_the_next() -> None:
    one = group(rekey_new_key="in_band")
    one.members["172.16.0.1"].learns = False
    switch_all(one)
    one.rekey("10.0.0.1")
    one.advance(60)
    one.rekey("10.0.0.1")
    one.advance(60)
    assert sorted(entries(one)) == [(2, 1, 1), (2, 2, 0), (2, 2, 0), (2, 2, 0)]
    one.advance(600)
    assert {member.key for member in one.members.values()} == {KEYS[NEW]}
    assert not one.without_key()


@pytest.mark.parametrize("by_itself", [True, False])
def test_whether_the_change_sends_a_rekey_by_itself(by_itself: bool) -> None:
    one = group(label_change_rekeys=by_itself)
    switch_all(one)
    assert one.servers["10.0.0.1"].rekeys == by_itself


# -- COOP


@pytest.mark.parametrize("strict", [True, False])
def test_key_servers_of_different_labels_hear_each_other_or_split_after_the_dead_time(strict: bool) -> None:
    one = group(coop_needs_key=strict)
    one.advance(100)
    one.set_label("10.0.0.3", NEW)
    one.advance(30)
    assert primaries(one) == ["10.0.0.1"]
    heard = one.servers["10.0.0.3"].heard["10.0.0.1"]
    one.advance(DEAD)
    assert (one.servers["10.0.0.3"].heard["10.0.0.1"] > heard) is not strict
    assert one.alive(one.servers["10.0.0.3"], "10.0.0.1") is not strict
    assert primaries(one) == (["10.0.0.1", "10.0.0.3"] if strict else ["10.0.0.1"])
    assert one.splits == strict


@pytest.mark.parametrize("start", range(0, 20, 3))
def test_a_change_that_is_taken_back_soon_splits_nothing(start: int) -> None:
    one = group(coop_needs_key=True)
    one.advance(100 + start)
    one.set_label("10.0.0.3", NEW)
    one.advance(30)
    one.set_label("10.0.0.3", OLD)
    one.advance(300)
    assert (one.splits, primaries(one)) == (0, ["10.0.0.1"])


def test_a_saved_change_survives_a_reload_another_does_not() -> None:
    one = group()
    one.set_label("10.0.0.3", NEW)
    one.servers["10.0.0.3"].save()
    one.set_label("10.0.0.2", NEW)
    for address in ("10.0.0.2", "10.0.0.3"):
        one.reload(address)
    one.advance(200)
    assert [server.label for server in one.servers.values()] == [OLD, OLD, NEW]
    assert primaries(one) == ["10.0.0.1"]


def test_the_next_one_takes_over_from_a_primary_that_is_away_and_keeps_the_members() -> None:
    one = group(members=40)
    one.reload("10.0.0.1", 300)
    one.advance(100)
    assert primaries(one) == ["10.0.0.2"]
    one.advance(3600)
    assert primaries(one) == ["10.0.0.2"]
    assert one.splits == 0
    assert not one.without_key()
    assert len(one.servers["10.0.0.2"].entries) == 40


def test_after_a_split_heals_the_lower_one_yields() -> None:
    one = group(2)
    one.parted.add(frozenset(("10.0.0.1", "10.0.0.2")))
    one.advance(120)
    assert primaries(one) == ["10.0.0.1", "10.0.0.2"]
    one.parted.clear()
    one.advance(40)
    assert primaries(one) == ["10.0.0.1"]
    assert one.servers["10.0.0.2"].policy == one.servers["10.0.0.1"].policy


def test_the_same_events_happen_at_the_same_times_whatever_the_steps() -> None:
    fine, coarse = group(), group()
    for _second in range(2000):
        fine.advance(1)
    coarse.advance(2000)
    assert fine.servers["10.0.0.1"].policy == coarse.servers["10.0.0.1"].policy
    assert entries(fine) == entries(coarse)
