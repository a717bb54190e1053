# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service that remembers peers is told, and how long it is owed."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from unit.gateway.wireguard.gateways import RUNNING, Gateway
from unit.gateway.wireguard.networkmanager.test_config import TYPICAL
from unit.gateway.wireguard.networkmanager.test_record import ENABLED, MAIN
from unit.gateway.wireguard.samples import NEW, OWN, A, B
from unit.gateway.wireguard.test_store import wanted

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import commands, detached
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.commands import Done
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import follow, platform
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import runtime as wg_runtime
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.runtime import Runtime, Setting

NAMED = TYPICAL.replace("192.0.2.4:51820", "gw2.example:51820")
PENDING = base64.b64encode(bytes(range(32))).decode()
REFUSED = Done(0, "", "Could not load file")


class Service:
    """NetworkManager, and the interface that it has set up. `refuses`: whether it takes no file now."""

    def __init__(self) -> None:
        self.running: Runtime | None = RUNNING
        self.refuses = False
        self.told: list[str] = []

    def attempt(self, *words: str, given: str = "") -> Done:
        self.told.append(" ".join(words[:3]))
        return REFUSED if self.refuses and words[2] == "load" else Done(0, "", "")

    def apply(self, _interface: str, changes: Sequence[Sequence[Setting]]) -> dict[int, str]:
        gone = {setting.key for change in changes for setting in change if setting.remove}
        if self.running:
            left = {key: peer for key, peer in self.running.peers.items() if key not in gone}
            self.running = Runtime(self.running.own, left)
        return {}


@contextmanager
def free(_interface: str) -> Iterator[None]:
    yield


@pytest.fixture
def service(gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()
    monkeypatch.setattr(commands, "attempt", made.attempt)
    monkeypatch.setattr(detached, "RUNTIME", str(tmp_path / "run"))
    monkeypatch.setattr(follow, "locked", free)
    monkeypatch.setattr(follow, "arm", lambda *words: None)
    monkeypatch.setattr(wg_runtime, "read", lambda interface: made.running)
    monkeypatch.setattr(wg_runtime, "is_up", lambda interface: made.running is not None)
    monkeypatch.setattr(wg_runtime, "public_of", lambda secret: "")
    monkeypatch.setattr(wg_runtime, "running_key", lambda interface: "")
    monkeypatch.setattr(wg_runtime, "apply", made.apply)
    monkeypatch.setattr(wg_runtime, "apply_each", made.apply)
    gateway.path(ENABLED).symlink_to("/usr/lib/systemd/system/NetworkManager.service")
    gateway.write(**{MAIN: NAMED})
    return made


def withdraw(tmp_path: Path) -> str:
    """Why it is refused, "" where it is acknowledged."""
    gateway = platform.WireGuard("wg0", str(tmp_path / "state"))
    (change,) = gateway.store([wanted(None, known=(A,))], 0, True)
    return change.refused


def test_a_service_that_did_not_read_the_file_still_has_to_forget(service: Service, tmp_path: Path) -> None:
    """It would start over with the old file. Once it has read the new one, the peer runs no more, and it may yet add it
    again."""
    service.refuses = True
    assert "NetworkManager has not read" in withdraw(tmp_path)
    assert service.running
    assert set(service.running.peers) == {B.text}
    service.refuses, service.told = False, []
    assert withdraw(tmp_path) == ""
    assert service.told == ["nmcli connection load", "nmcli device reapply"]
    service.told = []
    assert withdraw(tmp_path) == ""
    assert service.told == ["nmcli connection load"]


def test_a_service_without_the_interface_has_nothing_to_forget(service: Service, tmp_path: Path) -> None:
    """What was owed from before stops nothing that is stored there now."""
    service.refuses = True
    assert withdraw(tmp_path)
    service.refuses, service.running, service.told = False, None, []
    assert withdraw(tmp_path) == ""
    assert service.told == ["nmcli connection load"]
    assert not (tmp_path / "run" / "forget-wg0").exists()


def test_a_service_that_did_not_read_the_own_key_is_told_again(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then, it would bring the old one up again: the key is pending as long as that."""
    gateway = platform.WireGuard("wg0", str(tmp_path / "state"))
    monkeypatch.setattr(wg_runtime, "public_of", lambda secret: {PENDING: NEW.text}.get(secret, OWN.text))
    service.running = replace(RUNNING, own=NEW.text)
    gateway.state.write(gateway.state.pending, PENDING + "\n")
    service.refuses = True
    for _turn in range(2):
        with pytest.raises(VpnKeysError, match="NetworkManager has not read"):
            gateway.persist()
        assert Path(gateway.state.pending).exists()
    service.refuses = False
    gateway.persist()
    assert not Path(gateway.state.pending).exists()
