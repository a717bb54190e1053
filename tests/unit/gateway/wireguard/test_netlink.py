# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel's WireGuard answers by netlink is what `wg` says of it, with more digits."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import commands
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import netlink, runtime

ANSWERS: dict[str, Any] = json.loads((Path(__file__).parent / "kernel_answers.json").read_text("utf-8"))
DUMP = [base64.b64decode(packet) for packet in ANSWERS["dump"]]


def bodies() -> list[bytes]:
    return [body for packet in DUMP for body in netlink.read_messages(packet)[0]]


def test_a_dump_is_what_wg_says() -> None:
    found = netlink.read_peers(bodies())
    assert {key: [int(one.handshake), one.received] for key, one in found.items()} == ANSWERS["peers"]
    assert [one.handshake % 1 > 0 for one in found.values() if one.handshake] == [True]
    assert netlink.read_messages(DUMP[-1])[1]


def test_a_peer_in_several_messages_keeps_what_the_first_said() -> None:
    key = base64.b64decode(next(key for key, seen in ANSWERS["peers"].items() if seen[0]))
    again = netlink.attribute(8, netlink.attribute(0, netlink.attribute(1, key)))
    assert netlink.read_peers([*bodies(), again]) == netlink.read_peers(bodies())


def test_the_number_of_the_family() -> None:
    found, dummy = netlink.read_messages(base64.b64decode(ANSWERS["family"]))
    assert netlink.read_family(found) > 16
    with pytest.raises(ValueError, match="no number"):
        netlink.read_family([])


@pytest.mark.parametrize("refused", ANSWERS["refused"], ids=lambda one: str(one["errno"]))
def test_what_the_kernel_refuses_is_an_error(refused: dict[str, Any]) -> None:
    with pytest.raises(OSError, match=os.strerror(refused["errno"])) as caught:
        netlink.read_messages(base64.b64decode(refused["packet"]))
    assert caught.value.errno == refused["errno"]


@given(st.data())
def test_damage_is_refused_or_seen_in_full(data: st.DataObject) -> None:
    """Any cut of an answer and any other byte in it: nothing but ValueError, OSError or peers comes of it."""
    packet = bytearray(data.draw(st.sampled_from(DUMP)))
    place = data.draw(st.integers(0, len(packet) - 1))
    if data.draw(st.booleans()):
        del packet[place:]
    else:
        packet[place] ^= data.draw(st.integers(1, 255))
    try:
        netlink.read_peers(netlink.read_messages(bytes(packet))[0])
    except (ValueError, OSError, struct.error):
        return


# ---- which source is asked


def test_the_kernel_is_asked_where_no_daemon_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "control_socket", lambda interface: "")
    monkeypatch.setattr(netlink, "peers", lambda interface: {"key": netlink.Seen(7.5, 9)})
    assert runtime.handshakes("wg0") == {"key": 7.5}
    assert runtime.received("wg0") == {"key": 9}


@pytest.mark.parametrize("why", [OSError(95, "Not supported"), ValueError("no answer"), struct.error("short")])
def test_wg_is_asked_where_netlink_says_nothing(why: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def peers(interface: str) -> dict[str, netlink.Seen]:
        raise why

    monkeypatch.setattr(runtime, "control_socket", lambda interface: "")
    monkeypatch.setattr(netlink, "peers", peers)
    dump = "private\town\t51820\toff\nkey\t(none)\t192.0.2.1:1\t10.0.0.0/8\t7\t9\t11\toff\n"
    monkeypatch.setattr(commands, "run", lambda *words: dump)
    assert runtime.handshakes("wg0") == {"key": 7.0}
    assert runtime.received("wg0") == {"key": 9}


def test_a_daemon_that_does_not_answer_is_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "control_socket", lambda interface: "/nowhere/wg0.sock")
    with pytest.raises(VpnKeysError, match="does not answer"):
        runtime.handshakes("wg0")


# ---- what the kernel is told

KEY, OTHER = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


def test_a_move_is_told_in_its_order() -> None:
    """Byte for byte what `wg set` sends, but that a peer which is gone is not created."""
    ((peers, told),) = netlink.attributes(netlink.moved([(KEY, ["10.79.2.0/24", "fd00::/8"], 25), (OTHER, None, 0)]))
    first, second = (dict(netlink.attributes(one)) for dummy, one in netlink.attributes(told))
    assert peers == 8
    assert (first[1], first[3], first[5]) == (bytes([1]) * 32, struct.pack("=I", 6), struct.pack("=H", 25))
    networks = [dict(netlink.attributes(one)) for dummy, one in netlink.attributes(first[9])]
    assert [one[1] for one in networks] == [struct.pack("=H", family) for family in (socket.AF_INET, socket.AF_INET6)]
    assert [one[2] for one in networks] == [bytes([10, 79, 2, 0]), bytes([0xFD]) + bytes(15)]
    assert [one[3] for one in networks] == [bytes([24]), bytes([8])]
    assert second == {1: bytes([2]) * 32, 3: struct.pack("=I", 4), 5: struct.pack("=H", 0)}


def test_what_is_too_long_for_a_message_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        netlink.moved([(KEY, ["10.79.2.0/24"], 25)] * 900)


MOVE = [runtime.Setting(KEY, networks=("10.79.2.0/24",), keepalive=25), runtime.Setting(OTHER, keepalive=0)]


def test_the_kernel_is_told_where_no_daemon_is(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(runtime, "control_socket", lambda interface: "")
    monkeypatch.setattr(netlink, "carry", lambda interface, moves: told.append((interface, moves)))
    runtime.carry("wg0", [MOVE])
    assert told == [("wg0", [(KEY, ("10.79.2.0/24",), 25), (OTHER, None, 0)])]


@pytest.mark.parametrize("daemon", ["", "/run/wireguard/wg0.sock"])
def test_wg_is_told_where_netlink_refuses_or_a_daemon_works(daemon: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(interface: str, moves: Any) -> None:
        assert not daemon
        raise OSError(1, "Operation not permitted")

    told: list[Any] = []
    monkeypatch.setattr(runtime, "control_socket", lambda interface: daemon)
    monkeypatch.setattr(netlink, "carry", refuse)
    monkeypatch.setattr(runtime, "apply", lambda interface, moves: told.append(moves))
    runtime.carry("wg0", [MOVE])
    assert told == [[MOVE]]
