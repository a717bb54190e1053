# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the daemon answers, and what `wg set` is told."""

from __future__ import annotations

import base64

import pytest
from unit.gateway.wireguard.samples import NEW, NEWER, PSK, A, B, C

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import commands
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import runtime as wg_runtime
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.runtime import Peer, Runtime, Setting


def hexadecimal(text: str) -> str:
    return base64.b64decode(text).hex()


def test_handshakes_of_a_userspace_daemon() -> None:
    answer = (
        f"private_key={'1' * 64}\nlisten_port=51820\n"
        f"public_key={hexadecimal(A.text)}\npreshared_key={'0' * 64}\nprotocol_version=1\nendpoint=192.0.2.1:1\n"
        "last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=250000000\ntx_bytes=1\nallowed_ip=::/0\n"
        f"public_key={hexadecimal(B.text)}\nlast_handshake_time_sec=0\nlast_handshake_time_nsec=0\nerrno=0\n\n"
    )
    seen = wg_runtime.read_seen(answer)
    assert {key: one.handshake for key, one in seen.items()} == {A.text: 1700000000.25, B.text: 0}


def test_arguments_in_the_order_that_leaves_no_gap() -> None:
    new = Setting(A.text, ("10.0.0.1/32", "::/0"), 25, "192.0.2.1:1", PSK)
    assert wg_runtime.arguments(new, "/run/x") == [
        *("peer", A.text, "preshared-key", "/run/x", "endpoint", "192.0.2.1:1"),
        *("persistent-keepalive", "25", "allowed-ips", "10.0.0.1/32,::/0"),
    ]
    assert wg_runtime.arguments(Setting(A.text, networks=()), "") == ["peer", A.text, "allowed-ips", ""]
    assert wg_runtime.arguments(Setting(B.text, remove=True), "") == ["peer", B.text, "remove"]


def test_no_secret_is_shown() -> None:
    shown = repr([Setting(A.text, psk=PSK), Peer(A.text, PSK, "", (), 0, 0)])
    assert PSK not in shown


def test_peers_that_are_being_woken_count_with_the_interval_they_will_have_again() -> None:
    intervals = {"a": 1, "b": 7, "c": 1}
    runtime = Runtime(None, {key: Peer(key, "", "", (), 0, interval) for key, interval in intervals.items()})
    calm = wg_runtime.calmed(runtime, {"a": 25, "b": 25})
    assert [peer.keepalive for peer in calm.peers.values()] == [25, 7, 1]


def test_what_is_no_private_key_has_no_public_one() -> None:
    assert [wg_runtime.public_of(text) for text in ("", "x", PSK[:-5], PSK + "AAAA")] == [""] * 4


@pytest.mark.parametrize("bad", [set(), {A.text}, {C.text, NEW.text}, {A.text, B.text, C.text, NEW.text}])
def test_what_wg_refuses_of_one_peer_stops_no_other_and_removals_come_first(
    bad: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def apply(interface: str, changes: list[list[Setting]]) -> None:
        keys = [setting.key for change in changes for setting in change]
        if bad & set(keys):
            raise VpnKeysError("refused", "wg set wg0 failed")
        done.extend(keys)

    monkeypatch.setattr(wg_runtime, "apply", apply)
    changes = [[Setting(key.text, keepalive=1)] for key in (A, B, C, NEW)] + [[Setting(NEWER.text, remove=True)]]
    failed = wg_runtime.apply_each("wg0", changes)
    assert done[0] == NEWER.text
    assert set(done) == {NEWER.text, A.text, B.text, C.text, NEW.text} - bad
    assert {changes[position][0].key for position in failed} == bad


def test_an_interface_that_cannot_be_changed_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def apply(interface: str, changes: list[list[Setting]]) -> None:
        raise VpnKeysError("save_failed", "the disk is full")

    monkeypatch.setattr(wg_runtime, "apply", apply)
    with pytest.raises(VpnKeysError, match="the disk is full"):
        wg_runtime.apply_each("wg0", [[Setting(A.text, keepalive=1)]])


def test_endpoints_get_addresses() -> None:
    assert wg_runtime.resolve(["192.0.2.1:5", "[2001:db8::1]:5", "name.invalid:5", "", "nonsense", "a\0b:1"]) == {
        "192.0.2.1:5": "192.0.2.1:5",
        "[2001:db8::1]:5": "[2001:db8::1]:5",
        "name.invalid:5": "",
        "nonsense": "",
        "a\0b:1": "",
    }


@pytest.mark.parametrize(
    ("line", "family", "is_in_the_way"),
    [
        ("10.9.0.0/24 via 192.0.2.1 dev eth0", "-4", True),
        ("10.9.0.0/24 dev eth0 proto kernel scope link src 10.9.0.1", "-4", True),
        ("blackhole 10.9.0.0/24", "-4", True),
        ("10.9.0.0/24 dev eth0 metric 100", "-4", False),
        ("10.9.0.0/24 dev wg0 scope link", "-4", False),
        ("10.9.0.0/24 proto bird", "-4", True),
        ("\tnexthop via 192.0.2.1 dev eth0 weight 1", "-4", False),
        ("", "-4", False),
        ("fd00::/64 dev eth0 metric 1024 pref medium", "-6", True),
        ("fd00::/64 dev eth0 proto kernel metric 256 pref medium", "-6", False),
        ("fd00::/64 dev wg0 metric 1024 pref medium", "-6", False),
    ],
)
def test_which_routes_are_in_the_way(line: str, family: str, is_in_the_way: bool) -> None:
    """Of another device, and with the metric of those that wg-quick adds: the kernel takes no second one."""
    assert wg_runtime.in_the_way(line, family, "wg0") is is_in_the_way


def test_a_network_that_cannot_be_routed_keeps_no_other_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    routed: list[str] = []

    def run(*words: str) -> str:
        if "fd00::/64" in words:
            raise VpnKeysError("refused", "ip -6 route failed")
        routed.append(words[4])
        return ""

    monkeypatch.setattr(commands, "attempt", lambda *words: commands.Done(0, "", ""))
    monkeypatch.setattr(commands, "run", run)
    with pytest.raises(VpnKeysError, match="ip -6 route failed"):
        wg_runtime.add_routes("wg0", ["fd00::/64", "10.9.0.0/24"], "auto")
    assert routed == ["10.9.0.0/24"]
