# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway below a directory, with the files of any backend."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from unit.gateway.wireguard.samples import PSK, A, B
from unit.gateway.wireguard.test_store import carried_out, running
from unit.gateway.wireguard.test_store import peer as running_peer

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.platform import PeerChange, WantedPeer
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import (
    backends,
    boot,
    others,
    services,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import (
    record as wg_record,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import (
    store as wg_store,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.networkd import record as networkd
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.networkmanager import (
    record as networkmanager,
)
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.runtime import Runtime
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.wg_quick import record as wg_quick

RUNNING = running(
    running_peer(A, ("10.0.0.2/32", "fd00::2/128"), PSK, 25), running_peer(B, ("10.0.0.3/32", "10.3.0.0/16"))
)
_WHY_FIXED = services.why_fixed


class Gateway:
    """Its files are below `root`; `main` is the one of the interface."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.main = ""

    def path(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, **texts: str) -> None:
        """As root writes it, who lets nobody else read it."""
        for name, text in texts.items():
            self.path(name).write_text(text, newline="")
            self.path(name).chmod(0o600)

    def read(self, name: str = "") -> str:
        return (self.root / (name or self.main)).read_text()

    def record(self, demanded: str = backends.DETECT) -> wg_record.Record:
        return backends.read("wg0", demanded)

    def store(self, runtime: Runtime, *peers: WantedPeer) -> tuple[list[PeerChange], Runtime]:
        """What storing does and acknowledges."""
        found = self.record()
        made = wg_store.plan(found.blocks, runtime, peers, {}, wg_store.unsaved(found, peers))
        found.write(made.blocks, found.texts)
        return wg_store.lasting(made, found, peers, True), carried_out(runtime, made)

    def said(self, demanded: str = backends.DETECT) -> list[str]:
        """The sentences, with the paths as on a gateway."""
        record = self.record(demanded)
        return [record.sentence(one).replace(str(self.root), "") for one in record.unanalyzed]

    def refusal(self) -> str:
        """Why it is refused, or what is said; "" for neither."""
        try:
            return " ".join(self.said())
        except VpnKeysError as error:
            return str(error)


def below(root: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """Nothing of this machine is looked at. What its owner can read, a service can."""

    def move(module: object, *names: str) -> None:
        for name in names:
            paths = getattr(module, name)
            moved = f"{root}{paths}" if isinstance(paths, str) else tuple(f"{root}{path}" for path in paths)
            monkeypatch.setattr(module, name, moved)

    move(wg_quick, "DIRECTORY")
    move(networkd, "DIRECTORIES", "DISPATCHED")
    move(networkmanager, "RUN", "ETC", "LIB", "DIRECTORIES", "CONFIGURATION", "DISPATCHED")
    move(services, "NETPLAN")
    move(boot, "UNITS")
    monkeypatch.setattr(services, "why_fixed", lambda path: _WHY_FIXED(path.removeprefix(str(root))))
    monkeypatch.setattr(others, "INTERFACES", ())
    monkeypatch.setattr(networkd, "USER", pwd.getpwuid(os.getuid()).pw_name)
    monkeypatch.setattr(networkmanager, "OWNER", os.getuid())
    return Gateway(root)
