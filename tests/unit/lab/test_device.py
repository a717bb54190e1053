# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modes, enable, GET VPN, COOP."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._ios import (
    getvpn_config,
    getvpn_coop,
    getvpn_members,
    getvpn_policy,
)
from lab import DeviceSpec, GroupSpec, KeySpec
from lab.faults import Faults
from lab.personality import PERSONALITIES, personality
from lab.spec import parse as parse_lab

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def _three(personality_: str = "ios15", label: str = "getvpnkey", **more: Any) -> list[DeviceSpec]:
    all_ = (A, B, C)
    return [
        DeviceSpec(
            f"KS-{n}",
            personality=personality_,
            address=address,
            keys=[KeySpec(label)],
            groups=[GroupSpec("mygroup", 66666, label, 100 - 25 * n, [p for p in all_ if p != address], 2)],
            **more,
        )
        for n, address in enumerate(all_, 1)
    ]


# -- enable and modes


def test_enable(console: Any) -> None:
    r1 = console(DeviceSpec("R1", enable="secret"), privilege=1)
    assert "Invalid input" in r1.run("configure terminal")
    assert "Invalid input" in r1.run("show running-config")
    assert r1.type("enable\r") == "enable\r\nPassword: "
    assert r1.type("secret\r") == "\r\nR1#"
    assert r1.run("show privilege") == "Current privilege level is 15\n"
    assert r1.type("enable\r") == "enable\r\nR1#"
    assert r1.type("disable\r") == "disable\r\nR1>"


def test_three_wrong_secrets(console: Any) -> None:
    r1 = console(DeviceSpec("R1", enable="secret"), privilege=1)
    r1.type("enable\r")
    assert r1.type("a\r") == "\r\nPassword: "
    assert r1.type("b\r") == "\r\nPassword: "
    assert r1.type("c\r") == "\r\n% Bad secrets\r\n\r\nR1>"
    assert all(entry.text == "********" for entry in r1.device.log if entry.kind == "password")


@pytest.mark.parametrize(
    ("how", "text"), [("access_denied", "% Access denied"), ("authentication_error", "% Error in authentication.")]
)
def test_enable_with_aaa(console: Any, how: str, text: str) -> None:
    r1 = console(DeviceSpec("R1", overrides={"enable_failure": how}), privilege=1)
    r1.type("enable\r")
    assert text in r1.type("wrong\r")


def test_no_enable_secret(console: Any) -> None:
    assert console(DeviceSpec("R1", enable=None), privilege=1).run("enable") == "% No password set\n"


def test_privilege_7_sees_a_hash_and_can_do_little(console: Any) -> None:
    r1 = console(DeviceSpec("R1"), privilege=7)
    assert r1.greeting == "\r\nR1#"
    assert "Invalid input" in r1.run("configure terminal")
    assert r1.run("show privilege") == "Current privilege level is 7\n"


def test_modes(console: Any) -> None:
    r1 = console()
    assert r1.type("conf t\r") == (
        "conf t\r\nEnter configuration commands, one per line.  End with CNTL/Z.\r\nR1(config)#"
    )
    assert r1.type("quit\r").endswith("% Invalid input detected at '^' marker.\r\n\r\nR1(config)#")
    assert r1.type("interface g0/0\r").endswith("R1(config-if)#")
    assert r1.type("exit\r").endswith("R1(config)#")
    assert "Invalid" in r1.run("show clock")
    assert "UTC" in r1.run("do show clock")
    assert r1.type("exit\r").endswith("R1#")
    assert "Configured from console by admin on vty0 (192.0.2.1)" in r1.run("show logging")
    assert r1.type("configure\r").endswith("[terminal]? ")
    assert r1.type("\r").endswith("R1(config)#")
    assert r1.type("end\r") == "end\r\nR1#"


def test_do_puts_the_caret_right(console: Any) -> None:
    r1 = console()
    r1.run("configure terminal")
    assert r1.run("do show zzz").startswith(" " * len("R1(config)#do show ") + "^\n")


def test_config_quit_switch(console: Any) -> None:
    r1 = console(DeviceSpec("R1", overrides={"config_quit": "exit"}))
    r1.run("configure terminal")
    assert r1.type("quit\r") == "quit\r\nR1#"


def test_running_configuration(console: Any) -> None:
    ks = console(*_three(), name="KS-1")
    ks.run("terminal length 0")
    text = ks.run("show running-config")
    assert re.match(r"Building configuration\.\.\.\n\nCurrent configuration : \d+ bytes\n!\nversion 15\.7\n", text)
    assert text.endswith("end\n\n")
    assert ks.run("show running-config | section crypto gdoi") == (
        "crypto gdoi group mygroup\n identity number 66666\n server local\n  rekey algorithm aes 256\n"
        "  rekey authentication mypubkey rsa getvpnkey\n  rekey transport unicast\n  sa ipsec 1\n   profile GETVPN\n"
        "   match address ipv4 GETVPN\n   replay time window-size 5\n  address ipv4 10.0.0.1\n  redundancy\n"
        "   local priority 75\n   peer address ipv4 10.0.0.2\n   peer address ipv4 10.0.0.3\n"
    )


@pytest.mark.parametrize(("name", "prefix"), [("ios15", "gdoi"), ("xe17", "gkm")])
def test_configuring_a_group_by_hand(console: Any, name: str, prefix: str) -> None:
    r1 = console(DeviceSpec("KS", personality=name))
    steps = [
        ("configure terminal", "config"),
        ("crypto gdoi group mygroup", f"config-{prefix}-group"),
        ("identity number 66666", f"config-{prefix}-group"),
        ("server local", f"{prefix}-local-server"),
        ("rekey authentication mypubkey rsa getvpnkey", f"{prefix}-local-server"),
        ("rekey algorithm aes 256", f"{prefix}-local-server"),
        ("rekey lifetime seconds 86400", f"{prefix}-local-server"),
        ("rekey transport unicast", f"{prefix}-local-server"),
        ("address ipv4 202.100.1.1", f"{prefix}-local-server"),
        ("sa ipsec 1", f"{prefix}-sa-ipsec"),
        ("profile P", f"{prefix}-sa-ipsec"),
        ("match address ipv4 ACL", f"{prefix}-sa-ipsec"),
        ("replay time window-size 3", f"{prefix}-sa-ipsec"),
        ("exit", f"{prefix}-local-server"),
        ("redundancy", f"{prefix}-coop-ks-config"),
        ("local priority 100", f"{prefix}-coop-ks-config"),
        ("peer address ipv4 202.100.1.2", f"{prefix}-coop-ks-config"),
        ("hostname KS2", "config"),
    ]
    for command, mode in steps:
        out = r1.type(command + "\r")
        assert out.endswith(f"({mode})#"), out
        assert "%" not in out
    group = r1.device.config.groups["mygroup"]
    assert (group.identity, group.label, group.priority, group.peers) == (66666, "getvpnkey", 100, ["202.100.1.2"])
    assert "Invalid" in r1.run("bogus")


def test_bad_addresses_and_ranges(console: Any) -> None:
    r1 = console()
    for command in ("configure terminal", "crypto gdoi group G", "server local"):
        r1.type(command + "\r")
    assert "Invalid" in r1.run("address ipv4 300.1.1.1")
    assert "Invalid" in r1.run("rekey lifetime seconds 299")


def test_long_host_names_are_cut_in_configuration_prompts(console: Any) -> None:
    r1 = console(DeviceSpec("a-very-long-router-name-indeed"))
    assert r1.greeting.endswith("a-very-long-router-name-indeed#")
    assert r1.type("configure terminal\r").endswith("\na-very-long-router-n(config)#")


# -- GET VPN


def test_coop_like_the_transcript(console: Any) -> None:
    ks = console(*_three(), name="KS-2")
    out = ks.run("show crypto gdoi ks coop")
    for expected in (
        "Crypto Gdoi Group Name :mygroup \n",
        "        Local Address: 10.0.0.2 \n",
        "        Local Priority: 50       \n",
        "        Local KS Role: Secondary , Local KS Status: Alive     \n",
        "                Peer KS Role: Primary   , Peer KS Status: Alive     \n",
        "                IKE status: Established\n",
    ):
        assert expected in out
    assert "version" not in out
    xe = console(*_three("xe17"), name="KS-1").run("show crypto gkm ks coop")
    assert "        Local KS version: 1.0.27\n        Local COOP version: 1.0.8 \n" in xe


def test_election(console: Any) -> None:
    ks = console(*_three(), name="KS-1")
    devices, coop = ks.lab.devices, ks.lab.coop

    def primaries() -> set[str]:
        return {coop.primary(d, d.config.groups["mygroup"]) for d in devices.values() if d.alive}

    assert primaries() == {A}
    devices["KS-1"].alive = False
    coop.elect()
    assert primaries() == {B}
    assert "KS_TRANS_TO_PRI: KS 10.0.0.2" in "".join(devices["KS-2"].messages)
    devices["KS-1"].alive = True
    coop.elect()
    assert primaries() == {B}, "no preemption"


def test_equal_priorities_highest_address_wins(console: Any) -> None:
    specs = [
        DeviceSpec(
            name,
            address=address,
            groups=[GroupSpec("G", 1, "L", 10, [p for p in ("10.0.0.9", "10.0.0.10") if p != address])],
        )
        for name, address in (("a", "10.0.0.9"), ("b", "10.0.0.10"))
    ]
    ks = console(*specs)
    assert "Local KS Role: Secondary" in ks.run("show crypto gdoi ks coop")


def test_a_peer_that_does_not_name_us_is_dead(console: Any) -> None:
    specs = [
        DeviceSpec("a", address=A, groups=[GroupSpec("G", 1, "L", 10, [B])]),
        DeviceSpec("b", address=B, groups=[GroupSpec("G", 1, "L", 20, [C])]),
    ]
    ks = console(*specs)
    out = ks.run("show crypto gdoi ks coop")
    assert "Local KS Role: Primary" in out
    assert "Peer KS Status: Dead" in out


def test_coop_needs_the_same_key_if_told_so(console: Any) -> None:
    specs = _three(overrides={"coop_needs_key": True})
    specs[1] = DeviceSpec(**{**vars(specs[1]), "keys": [KeySpec("getvpnkey", pool=7)]})
    ks = console(*specs, name="KS-2")
    assert "Local KS Role: Primary" in ks.run("show crypto gdoi ks coop")


def test_no_redundancy(console: Any) -> None:
    ks = console(DeviceSpec("a", groups=[GroupSpec("G", 1, "L")]))
    assert "*NO* redundancy configured for this group" in ks.run("show crypto gdoi ks coop")


@pytest.mark.parametrize(("name", "bits", "length"), [("ios15", 1024, 162), ("xe16", 2048, 294), ("xe17", 4096, 550)])
def test_policy_names_the_key(console: Any, name: str, bits: int, length: int) -> None:
    ks = console(
        DeviceSpec("a", personality=name, keys=[KeySpec("REKEYRSA", bits=bits)], groups=[GroupSpec("G", 1, "REKEYRSA")])
    )
    out = ks.run("show crypto gdoi ks policy")
    assert "    sig key name       : REKEYRSA\n" in out
    assert f"sig key length    : {length} " in out
    assert f"    sig size           : {129 if name == 'ios15' else bits // 8} " in out


@pytest.mark.parametrize("name", ["ios15", "xe16", "xe17"])
def test_what_each_release_shows_of_its_groups_is_read(console: Any, name: str) -> None:
    """Primary of one group and secondary of another, in one output; after a rekey the old TEK is shown, too."""
    groups = {
        name: [GroupSpec(group, number, "L", priority, [peer], members=2) for group, number, priority in of]
        for name, peer, of in (
            ("a", B, (("V4", 4, 90), ("V6", 6, 50))),
            ("b", A, (("V4", 4, 50), ("V6", 6, 90))),
        )
    }
    specs = [
        DeviceSpec(host, name, address, keys=[KeySpec("L")], groups=groups[host])
        for host, address in (("a", A), ("b", B))
    ]
    ks = console(*specs)
    ks.run("terminal length 0")
    coop = getvpn_coop.read_coop(ks.run("show crypto gdoi ks coop"))
    assert {group: (seen.role, seen.peers[0].role) for group, seen in coop.items()} == {
        "V4": ("Primary", "Secondary"),
        "V6": ("Secondary", "Primary"),
    }
    assert getvpn_coop.read_coop(ks.run("show crypto gdoi ks coop detail")) == coop
    assert len(getvpn_members.read_members(ks.run("show crypto gdoi ks members"))) == 4
    configured = getvpn_config.read_groups(ks.run("show running-config"))
    assert getvpn_config.read_groups(ks.run("show running-config | section crypto g")) == tuple(
        dataclasses.replace(group, sa_lifetimes=()) for group in configured
    )
    assert [len(policy.teks) for policy in getvpn_policy.read_policy(ks.run("show crypto gdoi ks policy"))] == [1, 1]
    ks.run("crypto gdoi ks rekey")
    out = ks.run("show crypto gdoi ks policy")
    assert "time to rekey (sec): n/a" in out
    policies = getvpn_policy.read_policy(out)
    assert [len(policy.teks) for policy in policies] == [2, 1]
    assert policies[0].kek
    assert policies[0].kek.time_to_rekey is not None


def _keywords(text: str) -> list[list[str]]:
    """What each line of a policy names, in its order."""
    lines = text.replace("\r\n", "\n").split("\n")
    return [found for line in lines if (found := re.findall(r"([A-Za-z#][\w() ]*?)\s*:", line))]


def test_the_policy_of_ios_15_has_the_lines_of_the_transcript(console: Any) -> None:
    transcript = (Path(__file__).parent.parent / "ios/transcripts/policy_ios15.txt").read_text()
    group = GroupSpec("GDOI_GROUP", 1, "L", 90, [], members=1)
    ks = console(DeviceSpec("a", "ios15", A, keys=[KeySpec("L")], groups=[group]))
    ks.run("terminal length 0")
    ks.run("crypto gdoi ks rekey")
    shown, seen = _keywords(ks.run("show crypto gdoi ks policy")), _keywords(transcript)
    assert shown == seen[:-9], "this one has two TEKs, that one three of nine lines"


def test_no_key_no_kek(console: Any) -> None:
    ks = console(DeviceSpec("a", groups=[GroupSpec("G", 1, "L")]))
    assert "KEK" not in ks.run("show crypto gdoi ks policy")


def test_members(console: Any) -> None:
    ks = console(*_three("xe16"), name="KS-1")
    ks.run("terminal length 0")
    out = ks.run("show crypto gdoi ks members")
    assert out.count(" GM State          : Registered\n") == 2
    address = re.findall(r"Group Member ID    : (\S+)", out)[0]
    assert ks.run(f"show crypto gdoi ks members {address}").count("Group Member ID") == 1
    assert "Group Member not Found" in ks.run("show crypto gdoi ks members 1.2.3.4")
    assert "Total group members registered to this box: 2" in ks.run("show crypto gdoi ks")
    summary = ks.run("show crypto gdoi ks members summary")
    assert "Group Name: mygroup, ID: 66666, Group Members: 6\n  Key Server ID: 10.0.0.1, GMDB state: LOCAL, " in summary
    assert summary.count("GMDB state: REDUNDANT, Group Members: 2") == 2
    assert "Number of retransmits during the last rekey for group mygroup : 0\n" in out
    assert "\n Rcvd seq num : 0" in out
    for command in ("ks", "ks detail"):
        shown = ks.run(f"show crypto gdoi {command}")
        assert all(f"    {name}" in shown for name in ("IP D3P Window", "Split Resiliency Factor", "CKM status"))
    assert "GROUP INFORMATION" in ks.run("show crypto gdoi")
    assert "GROUP INFORMATION" not in ks.run("show crypto gdoi group mygroup")
    for command in ("ks coop version", "ks identifier", "ks rekey", "feature"):
        assert "Invalid" not in ks.run(f"show crypto gdoi {command}")
    assert "        Local KS Role        : Primary\n" in ks.run("show crypto gdoi group mygroup")
    assert "        Local KS Role        : Primary\n" in ks.run("show crypto gdoi ks detail")
    assert "not configured" in ks.run("show crypto gdoi group NONE")


def test_members_miss_rekeys_signed_with_another_key(console: Any) -> None:
    ks = console(*_three(), name="KS-1")
    ks.run("terminal length 0")
    ks.run("crypto gdoi ks rekey")
    assert " Rekey Acks missed : 0\n" in ks.run("show crypto gdoi ks members")
    for line in (
        "configure terminal",
        "crypto key generate rsa label getvpnkey modulus 2048",
        "end",
        "crypto gdoi ks rekey",
    ):
        ks.type(line + "\r")
    assert " Rekey Acks missed : 1\n" in ks.run("show crypto gdoi ks members")
    assert ks.type("clear crypto gdoi\r").endswith("Are you sure you want to proceed ? [yes/no]: ")
    ks.type("yes\r")
    assert " Rekeys sent       : 0\n" in ks.run("show crypto gdoi ks members")


def test_gkm_is_for_xe(console: Any) -> None:
    assert "Invalid" in console(DeviceSpec("a")).run("show crypto gkm")
    ks = console(DeviceSpec("a", personality="xe17", groups=[GroupSpec("G", 1, "L", kind="gkm")]))
    assert "crypto gkm group G\n" in ks.run("show running-config | section gkm")
    assert "G-IKEv2" in ks.run("show crypto gkm | include Type")


# -- what is refused in a lab file


def test_bad_lab_files() -> None:
    bad: Any
    for bad in (
        [],
        {"devices": 3},
        {"devices": [], "more": 1},
        {"devices": [{"name": "a", "color": "red"}]},
        {"devices": [{"name": "a"}, {"name": "a"}]},
        {"devices": [{"name": "a", "keys": [{"label": "L", "size": 3}]}]},
    ):
        with pytest.raises((ValueError, TypeError)):
            parse_lab(bad)


def test_bad_switches_and_faults() -> None:
    for overrides in (
        {"caret": "sideways"},
        {"nonsense": 1},
        {"modulus_low": "many"},
        {"text.nonsense": "x"},
        {"show_bits": 3},
    ):
        with pytest.raises(ValueError, match=r"\w"):
            personality("ios15", overrides)
    with pytest.raises(ValueError, match="unknown personality"):
        personality("ios9")
    faults: Any
    for faults in (
        {"nonsense": 1},
        {"cut": {"at": 1, "when": "later"}},
        {"cut": {}},
        {"cut": "("},
        {"syslog": "never"},
    ):
        with pytest.raises(ValueError, match=r"\w"):
            Faults().changed(faults)


def test_every_text_can_be_replaced(console: Any) -> None:
    ks = console(DeviceSpec("a", overrides={"text.zeroize_missing": "% nothing there\n"}))
    ks.run("configure terminal")
    assert ks.run("crypto key zeroize rsa X") == "% nothing there\n"


def test_three_personalities() -> None:
    assert list(PERSONALITIES) == ["ios15", "xe16", "xe17"]
