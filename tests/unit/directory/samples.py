# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories, gateways and keys for tests."""

from __future__ import annotations

import base64
import hashlib
import os
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils import _pending
from ansible_collections.vpnops.keys.plugins.module_utils._directory import states, transaction, transfer, view
from ansible_collections.vpnops.keys.plugins.module_utils._directory.context import Context
from ansible_collections.vpnops.keys.plugins.module_utils._directory.records import Snapshot
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError

Data = dict[str, t.Any]
DEFAULTS: Data = {
    "signing_key_path": None,
    "signing_key": None,
    "signing_key_url": None,
    "new_signing_key": None,
    "new_signing_key_url": None,
    "verify_key": None,
    "only": None,
    "by": None,
    "why": None,
    "lease": 120,
    "take_over": False,
    "gateways": None,
    "keys": None,
    "acknowledgements": None,
    "learned": None,
    "events": None,
    "adopt": False,
    "repair": False,
    "lost": False,
    "minimum_share": 100,
    "fetching": None,
    "skip_refused": False,
    "mode": "planned",
    "strategy": "in_place",
    "events_limit": 1000,
    "witness_path": None,
    "fail_on_tampered": False,
    "confirm": None,
    "older_than_days": 365,
    "to_url": None,
    "path": None,
}


def new_key() -> str:
    """An X25519 public key that nobody has."""
    return base64.b64encode(os.urandom(32)).decode()


def key_of(name: str, serial: int = 1) -> str:
    """One that is always the same."""
    return base64.b64encode(hashlib.sha256(f"{name} {serial}".encode()).digest()).decode()


def gateway(name: str, key: str | None = None, **more: t.Any) -> Data:
    return {
        "name": name,
        "platform": "wireguard",
        "algorithm": None,
        "identity": None,
        "endpoint": f"{name}.example.net:51820",
        "networks": [],
        "public_key": key,
        **more,
    }


def names(*gateways: str) -> list[Data]:
    return [{"name": name} for name in gateways]


def run_by(user: str, number: int = 1) -> Data:
    """A run somewhere else: nothing is known of its process."""
    return {"user": user, "host": "ctl1", "pid": 4711, "machine": "elsewhere", "run": f"ctl1:4711:{number}"}


NOW = "2026-11-22T03:12:45Z"


def context(**more: t.Any) -> Context:
    known: Data = {
        "by": "alice",
        "why": None,
        "now": NOW,
        "lock_owner": run_by("alice"),
        "lease": 120,
        "take_over": False,
        "is_gone": lambda dummy: False,
        "check": False,
    }
    return Context(**known | more)


@dataclass
class Records:
    """A directory without a database. `forged`: kind, name and serial (of keys) of each record that it did not sign."""

    snapshot: Snapshot = field(init=False)
    ignored: list[Data] = field(init=False)
    forged: list[tuple[str, str, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.snapshot = Snapshot("directory", self._genuine)

    def _genuine(self, kind: str, row: Data) -> bool:
        return (kind, row["name" if kind == "gateway" else "gateway"], row.get("serial")) not in self.forged

    def do(self, state: str = "present", who: Data | None = None, **given: t.Any) -> list[Data]:
        """The events. `who`: what is special about whoever asks for it."""
        after = states.apply(self.snapshot, state, {**DEFAULTS, **given}, context(**who or {}))
        events, after.events, after.original = after.events, [], None
        self.ignored = after.ignored
        self.snapshot = after
        return events

    def states(self, gateway: str) -> dict[int, str]:
        return {row["serial"]: row["state"] for row in self.snapshot.keys.values() if row["gateway"] == gateway}

    def refused(self, state: str = "present", who: Data | None = None, **given: t.Any) -> tuple[str, str]:
        with pytest.raises(VpnKeysError) as caught:
            self.do(state, who, **given)
        return caught.value.code, str(caught.value)


@dataclass
class Directory:
    """A directory as the modules see it."""

    url: str
    key_path: Path
    options: Data = field(default_factory=lambda: {"lock_owner": run_by("alice")})

    def _all(self, given: Data) -> Data:
        return {**DEFAULTS, "url": self.url, "signing_key_path": str(self.key_path), **self.options, **given}

    def change(self, state: str = "present", **given: t.Any) -> transaction.Outcome:
        """A step without the survey of everything that the modules return after it."""
        return transaction.change(self._all({"state": state, **given}), check=False)

    def write(self, state: str = "present", check: bool = False, diff: bool = False, **given: t.Any) -> Data:
        return transfer.write(self._all({"state": state, **given}), check, diff)

    def read(self, **given: t.Any) -> Data:
        return transaction.read(self._all(given))

    def refused(self, code: str, state: str = "present", **given: t.Any) -> str:
        """The sentence; nothing has changed."""
        before = self.read() if self.exists() else None
        with pytest.raises(VpnKeysError) as caught:
            self.write(state, **given)
        assert caught.value.code == code, caught.value
        assert (self.read() if self.exists() else None) == before
        return str(caught.value)

    def exists(self) -> bool:
        try:
            self.read()
        except VpnKeysError as error:
            return error.code not in ("not_found", "bad_input")
        return True

    def acknowledge(
        self, gateway: str, *peers: str, role: str = "current", state: str = "present", **more: t.Any
    ) -> Data:
        return self.write(state, acknowledgements=acknowledgements(gateway, *peers, role=role), **more)

    def states(self, gateway: str) -> dict[int, str]:
        return {row["serial"]: row["state"] for row in self.read()["all_keys"] if row["gateway"] == gateway}

    def entry(self, gateway: str) -> Data:
        """What peers have to store of it."""
        (found,) = [one for one in self.read()["peers"] if one["name"] == gateway]
        return t.cast(Data, found)


def acknowledgements(gateway: str, *peers: str, role: str = "current", serial: int | None = None) -> list[Data]:
    return [{"peer": peer, "gateway": gateway, "role": role, "public_key": None, "serial": serial} for peer in peers]


def pending(view: Data) -> dict[str, list[str]]:
    """For each peer that has to store something yet, of whom, by name."""
    asked = _pending.of_result(view["peers"], view["learned"])
    found = {peer: sorted(asked.pending_of(peer)) for peer in view["learned"]}
    return {peer: names for peer, names in found.items() if names}


def pending_now(records: Records) -> dict[str, list[str]]:
    return pending(view.build(records.snapshot, {}, None))


def mesh(directory: Directory, count: int = 3) -> list[str]:
    """Enrolled gateways gw1, gw2, ... that have stored each other's keys. Their keys.

    The first one of each size is made; the next ones are its copies, unless something is there already."""
    place = directory.key_path.parent
    is_plain = directory.url == f"sqlite:///{place}/directory.db" and directory.options == {"holder": run_by("alice")}
    if not is_plain or any(place.iterdir()):
        return _made(directory, count)
    if count not in MADE:
        keys = _made(directory, count)
        MADE[count] = keys, {file.name: file.read_bytes() for file in place.iterdir()}
        return keys
    keys, files = MADE[count]
    for name, content in files.items():
        with open(place / name, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(content)
    return list(keys)


MADE: dict[int, tuple[list[str], dict[str, bytes]]] = {}


def _made(directory: Directory, count: int) -> list[str]:
    keys = [new_key() for _number in range(count)]
    everybody = [f"gw{number}" for number in range(1, count + 1)]
    directory.write(gateways=[gateway(name, key) for name, key in zip(everybody, keys, strict=True)])
    for name in everybody:
        directory.acknowledge(name, *(peer for peer in everybody if peer != name))
    assert pending(directory.read()) == {}
    return keys


def stage(directory: Directory, name: str = "gw1", peers: t.Sequence[str] = ("gw2", "gw3"), **more: t.Any) -> str:
    """A rotation that every peer is ready for. The new key."""
    key = new_key()
    directory.write("prepared", gateways=names(name), **more)
    directory.write("staged", keys=[{"gateway": name, "public_key": key}])
    directory.acknowledge(name, *peers, role="staged", state="staged", gateways=names(name))
    return key
