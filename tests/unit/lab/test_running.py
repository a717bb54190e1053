# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices whose groups run: what is configured on them has its effect, and they show it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._ios import getvpn_coop, getvpn_members, getvpn_policy
from lab import DeviceSpec, GroupSpec, KeySpec, control
from lab.fleet import Lab
from lab.running import Running
from lab.spec import parse

A, B = "10.0.0.1", "10.0.0.2"


def two(personality: str = "ios15", **switches: Any) -> list[DeviceSpec]:
    return [
        DeviceSpec(
            name,
            personality=personality,
            address=address,
            keys=[KeySpec("OLD", 0), KeySpec("NEW", 1)],
            groups=[GroupSpec("G", 7, "OLD", priority, [peer], 3)],
            overrides=switches,
        )
        for name, address, peer, priority in (("ks1", A, B, 90), ("ks2", B, A, 50))
    ]


class Devices:
    """Two consoles of one lab whose clock stands still until it is moved."""

    def __init__(self, console: Any, specs: list[DeviceSpec]) -> None:
        self.ks1 = console(*specs)
        self.coop = self.ks1.lab.coop
        self.running = self.coop.running = Running(self.coop, 0)
        self.running.catch_up()
        self.ks1.run("terminal length 0")

    def members(self) -> list[getvpn_members.Member]:
        return list(getvpn_members.read_members(self.ks1.run("show crypto gdoi ks members")))

    def policy(self) -> getvpn_policy.Policy:
        return getvpn_policy.read_policy(self.ks1.run("show crypto gdoi ks policy"))[0]

    def switch(self) -> None:
        for device in self.coop.devices.values():
            device.config.groups["G"].label = "NEW"
        self.ks1.lines("configure terminal", "crypto gdoi group G", "server local")
        self.ks1.lines("rekey authentication mypubkey rsa NEW", "end")


@pytest.mark.parametrize("personality", ["ios15", "xe16"])
def test_time_passes_and_the_keys_with_it(console: Any, personality: str) -> None:
    lab = Devices(console, two(personality))
    first = lab.policy()
    lab.running.move(1000)
    later = lab.policy()
    assert first.kek
    assert later.kek
    assert (first.kek.spi, first.kek.remaining) == (later.kek.spi, 86400)
    assert (later.kek.remaining, [tek.remaining for tek in later.teks]) == (85400, [2600])
    assert lab.ks1.run("crypto gdoi ks rekey") == ""
    rekeyed = lab.policy()
    assert rekeyed.kek
    assert rekeyed.kek.spi != first.kek.spi
    assert [tek.remaining for tek in rekeyed.teks] == [3600, 180]
    lab.running.move(200)
    assert [tek.remaining for tek in lab.policy().teks] == [3400]


@pytest.mark.parametrize("in_band", [True, False])
def test_members_learn_a_new_label_in_one_of_two_ways(console: Any, in_band: bool) -> None:
    lab = Devices(console, two(rekey_new_key="in_band" if in_band else "out_of_band"))
    lab.running.move(100)
    lab.switch()
    lab.ks1.run("crypto gdoi ks rekey")
    lab.running.move(60)
    listed = lab.ks1.run("show crypto gdoi ks members")
    assert listed.count(f" Rekey Acks missed : {0 if in_band else 1}\n") == len(lab.members())
    assert (" Rekeys retries    : 2\n" in listed) is not in_band
    lab.running.move(3600)
    group = lab.running.groups[7]
    new = lab.coop.devices[A].keys["NEW"].fingerprint
    assert {member.key for member in group.members.values()} == {new}
    assert not group.without_key()
    policy = lab.policy()
    assert policy.kek
    assert policy.kek.sig_key_label == "NEW"


@pytest.mark.parametrize("strict", [True, False])
def test_key_servers_show_whether_they_hear_each_other(console: Any, strict: bool) -> None:
    lab = Devices(console, two("xe16", coop_needs_key=strict))
    lab.running.move(100)
    lab.ks1.lines("configure terminal", "crypto gdoi group G", "server local")
    lab.ks1.lines("rekey authentication mypubkey rsa NEW", "end")
    for seconds, alive in ((30, True), (60, not strict)):
        lab.running.move(seconds)
        coop = getvpn_coop.read_coop(lab.ks1.run("show crypto gdoi ks coop"))["G"]
        assert (coop.role, coop.peers[0].status) == ("Primary", "Alive" if alive else "Dead")
        assert coop.peers[0].role == ("Secondary" if alive else None)
    assert (lab.running.groups[7].servers[B].role == "Primary") is strict


def test_all_members_are_on_one_key_server_each(console: Any) -> None:
    lab = Devices(console, two())
    summary = lab.ks1.run("show crypto gdoi ks members summary")
    assert "Group Members: 6\n" in summary
    assert summary.count("GMDB state") == 2
    local = [member.address for member in lab.members()]
    assert 0 < len(local) < 6
    assert all(summary.count(f" {address} ") == 1 for address in local)


def test_a_device_that_is_away_hands_over_and_comes_back_as_secondary(console: Any) -> None:
    lab = Devices(console, two())
    device = lab.coop.devices[A]
    device.alive = False
    lab.running.move(1)
    lab.running.move(90)
    assert lab.running.groups[7].servers[B].role == "Primary"
    device.alive = True
    lab.running.move(1)
    lab.running.move(60)
    assert getvpn_coop.read_coop(lab.ks1.run("show crypto gdoi ks coop"))["G"].role == "Secondary"
    assert len(lab.running.groups[7].servers[A].entries) == 6


def test_the_outage_command_makes_all_members_register_again(console: Any) -> None:
    lab = Devices(console, two())
    lab.running.move(100)
    lab.ks1.type("clear crypto gdoi\r")
    lab.ks1.type("yes\r")
    assert {member.registrations for member in lab.running.groups[7].members.values()} == {2}


def test_a_lab_file_sets_the_speed() -> None:
    assert parse({"devices": [{"name": "a"}], "speed": 60}).speed == 60
    assert parse({"devices": [{"name": "a"}]}).speed is None
    assert Lab(two(), speed=0).coop.running is not None
    assert Lab(two()).coop.running is None


def test_the_clock_is_moved_over_the_control_socket() -> None:
    lab = Lab(two(), speed=0)
    with pytest.raises(ValueError, match="stand still"):
        control._VERBS["move"](Lab(two()).devices["ks1"], {"seconds": 1})
    control._VERBS["move"](lab.devices["ks1"], {"seconds": 600})
    assert lab.coop.running is not None
    assert lab.coop.running.groups[7].now == 600


def test_with_a_speed_a_second_is_many(console: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [50.0]
    monkeypatch.setattr("lab.running.time.monotonic", lambda: now[0])
    ks = console(*two())
    running = ks.lab.coop.running = Running(ks.lab.coop, 60)
    running.catch_up()
    now[0] += 10
    running.catch_up()
    assert running.groups[7].now == 600
