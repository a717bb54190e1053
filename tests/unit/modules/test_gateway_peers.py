# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gateway_peers answers where some of the peers cannot be stored; without a daemon."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from unit.gateway.wireguard.samples import A, B, C

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import (
    by_fetch,
    commands,
    detached,
    managed,
    peer_store,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.platform import PeerChange, WantedPeer
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.state import State
from ansible_collections.vpnops.keys.plugins.modules import gateway_peers


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks in a directory of the test, and a gateway that fetches nothing."""
    monkeypatch.setattr(detached, "RUNTIME", str(tmp_path / "run"))
    monkeypatch.setattr(peer_store, "CONFIG", str(tmp_path / "fetch.json"))
    return tmp_path


EMPTY = dict.fromkeys(("identity", "current", "staged", "previous", "endpoint", "revision"))


def entry(name: str, platform: str = "wireguard", **more: Any) -> dict[str, Any]:
    return {**EMPTY, "name": name, "platform": platform, "withdrawn": False, "known": [], "networks": [], **more}


class Daemon:
    """Stores everything but the peer `refused`."""

    name = "daemon"

    def __init__(self, refused: str, place: Path) -> None:
        self.refused = refused
        self.state = State("daemon", str(place))
        self.asked: list[str] = []

    def store(self, wanted: Sequence[WantedPeer], follow: float, write: bool) -> list[PeerChange]:
        self.asked = [peer.name for peer in wanted]
        return [
            PeerChange(peer.name, False, (), (), "No.") if peer.name == self.refused
            else PeerChange(peer.name, True, (), ("current x",))
            for peer in wanted
        ]  # fmt: skip


def test_who_is_refused_is_named_and_not_acknowledged_and_all_others_are_stored(place: Path) -> None:
    peers = [
        entry("gw1", current=A.text),
        entry("gw2", current=A.text, endpoint="h:1\n[Peer]"),
        entry("gw3", current=B.text),
        entry("gw4", current=C.text),
        entry("gw5", withdrawn=True, endpoint="h:1\n[Peer]"),
        entry("gw6", "strongswan", current="garbage"),
        entry("gw7", "strongswan", withdrawn=True),
    ]
    options = {
        "platform": "wireguard", "gateway": "gw1", "peers": peers, "follow_seconds": 0, "accept_previous": False,
        "checkpoint": None, "require_newest": False, "fetch_timeout": None,
    }  # fmt: skip
    daemon = Daemon("gw4", place)
    answer = gateway_peers.operate(SimpleNamespace(params=options, check_mode=False), daemon)  # type: ignore[arg-type]
    assert daemon.asked == ["gw3", "gw4", "gw5"]
    assert [one["gateway"] for one in answer["stored"]] == ["gw3", "gw5", "gw7"]
    assert [one["gateway"] for one in answer["refused"]] == ["gw2", "gw6", "gw4"]
    assert all(set(one) == {"gateway", "why"} and one["why"] for one in answer["refused"])
    assert answer["neighbors"] == ["gw3", "gw5"]


def test_where_a_gateway_fetches_it_remembers_what_a_playbook_brought(place: Path) -> None:
    """The newest revision only rises; without a program that fetches nothing is written."""
    daemon = Daemon("", place)

    def store(revision: int | None, way_back: bool = False, check: bool = False) -> peer_store.ByPlaybook:
        options = {
            "platform": "wireguard", "gateway": "gw1", "peers": [entry("gw3", current=B.text, revision=revision)],
            "follow_seconds": 0, "accept_previous": way_back, "revision": None, "checkpoint": None,
            "require_newest": False, "fetch_timeout": None,
        }  # fmt: skip
        gateway_peers.operate(SimpleNamespace(params=options, check_mode=check), daemon)  # type: ignore[arg-type]
        return peer_store.read(daemon)  # type: ignore[arg-type]

    assert store(7) == peer_store.ByPlaybook()
    assert not (place / "daemon").exists()
    (place / "fetch.json").touch()
    assert store(7, check=True) == peer_store.ByPlaybook()
    assert store(7) == peer_store.ByPlaybook(7, 0)
    assert store(5) == store(None) == peer_store.ByPlaybook(7, 0)
    assert store(8, way_back=True).until > time.time()
    assert store(8) == peer_store.ByPlaybook(8, 0)
    (place / "daemon/by_playbook.json").write_text('{"revision": [1], "until": NaN}')
    assert peer_store.read(daemon) == peer_store.ByPlaybook()  # type: ignore[arg-type]


class Fetching(Daemon):
    """Has what it fetches after it was started so often; the rest of `wanted` it never gets."""

    def __init__(self, place: Path, after: int, never: str = "") -> None:
        super().__init__(never, place)
        self.after, self.never, self.started = after, never, 0

    def store(self, wanted: Sequence[WantedPeer], follow: float, write: bool) -> list[PeerChange]:
        assert not write, "what it fetches is nothing that a playbook brings"
        there = self.started >= self.after
        return [
            PeerChange(one.name, True, ("current y",), ("current y",))
            if there and one.name != self.never
            else PeerChange(one.name, True, ("current x",), ("current y",))
            for one in wanted
        ]


@pytest.mark.parametrize(("after", "never", "late"), [(0, "", []), (1, "", []), (2, "", []), (3, "gw4", ["gw4"])])
def test_who_fetches_is_told_to_fetch_and_says_when_it_has(
    after: int, never: str, late: list[str], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon, now, words = Fetching(place, after, never), [0.0], []

    def start(*command: str) -> None:
        daemon.started += 1
        words.append(command)

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(commands, "attempt", start)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", sleep)
    peers = [entry("gw3", current=B.text), entry("gw4", current=C.text)]
    options = {
        "platform": "wireguard", "gateway": "gw1", "peers": peers, "follow_seconds": 60, "accept_previous": False,
        "revision": None, "checkpoint": "note", "require_newest": False, "fetch_timeout": 45.0,
    }  # fmt: skip
    module = SimpleNamespace(params=options, check_mode=False)
    with pytest.raises(VpnKeysError, match=r"does not fetch by itself\. Its stored keys were not changed"):
        gateway_peers.operate(module, daemon)  # type: ignore[arg-type]
    assert words == []
    (place / "fetch.json").touch()
    answer = gateway_peers.operate(module, daemon)  # type: ignore[arg-type]
    assert [one["gateway"] for one in answer["refused"]] == late
    assert [one["gateway"] for one in answer["stored"]] == [name for name in ("gw3", "gw4") if name not in late]
    assert set(words) == {("systemctl", "start", "--no-block", "vpnops-keys-fetch.service")}
    assert not answer["changed"]
    assert now[0] == (45.0 if late else by_fetch.AGAIN * max(after - 1, 0))
    assert list(place.iterdir()) == [place / "fetch.json"], "nothing is noted as brought by a playbook"


@pytest.mark.parametrize("interface", ["", ".", "..", "../wg0", "wg 0", "-wg0", "wg0\n", "a" * 16])
def test_an_interface_is_no_path_and_no_option(interface: str) -> None:
    with pytest.raises(VpnKeysError, match="is not the name of a network interface"):
        managed.open_platform({"platform": "wireguard", "interface": interface})
