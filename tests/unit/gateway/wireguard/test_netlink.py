# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel's WireGuard answers by netlink is what `wg` says of it, with more digits."""

from __future__ import annotations

import base64
import json
import os
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
