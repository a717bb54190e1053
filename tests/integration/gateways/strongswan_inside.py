# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a gateway: calls the strongSwan platform as its modules would. One request and one answer, as JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from ansible_collections.vpnops.keys.plugins.module_utils import _public_key
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import change, commands, detached, platform
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.strongswan import platform as strongswan

WORDS = {"--load-creds", "--load-conns", "--initiate", "--terminate"}


def text(key: _public_key.PublicKey | None) -> str | None:
    return key.text if key else None


def key(line: str | None) -> _public_key.PublicKey | None:
    return _public_key.parse(line) if line else None


def observe(gateway: strongswan.StrongSwan) -> dict[str, Any]:
    seen = gateway.observe()
    journal = gateway.state.journal()
    return {
        "file": text(seen.own.file),
        "runtime": text(seen.own.runtime),
        "pending": text(seen.pending),
        "previous": text(seen.previous),
        "stored": [[stored.peer, stored.key.text, stored.file, stored.runtime] for stored in seen.stored],
        "tunnels": [[item.peer, text(item.with_own), text(item.with_peer), item.proof] for item in seen.tunnels],
        "step": journal.step if journal else None,
        "error": journal.error if journal else None,
        "changing": detached.running(f"change-{gateway.name}"),
    }


def store(gateway: strongswan.StrongSwan, peers: list[dict[str, Any]], write: bool = True) -> list[Any]:
    wanted = [
        platform.WantedPeer(
            peer["name"],
            peer.get("identity", peer["name"]),
            key(peer.get("current")),
            key(peer.get("staged")),
            tuple(_public_key.parse(line) for line in peer.get("known", [])),
        )
        for peer in peers
    ]
    changes = gateway.store(wanted, 0, write)
    return [
        [done.name, done.neighbor, done.changed, list(done.before), list(done.after), done.refused] for done in changes
    ]


def die_at(number: int) -> None:
    """SIGKILL instead of the step of that number: a file put into place or removed, an order to charon."""
    count = 0

    def mortal(work: Callable[..., Any]) -> Callable[..., Any]:
        def step(*values: Any, **options: Any) -> Any:
            nonlocal count
            count += work is not tool or not WORDS.isdisjoint(values)
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return work(*values, **options)

        return step

    tool = commands.attempt
    for module, name in ((os, "replace"), (os, "unlink"), (commands, "attempt")):
        setattr(module, name, mortal(getattr(module, name)))


def call(what: str, die: int = 0, identity: str = "", **options: Any) -> Any:
    gateway = strongswan.StrongSwan(identity)
    if die:
        die_at(die)
    if what == "look":
        return observe(gateway)
    if what == "store":
        return store(gateway, **options)
    if what in ("begin", "confirm"):
        return getattr(change, what)(gateway.name, gateway, gateway.state, **options)
    if what == "await_swap":
        return change.await_swap(gateway.name, gateway.state)
    if what in ("stage", "generate"):
        return getattr(gateway, what)(**options).text
    return getattr(gateway, what)(**options)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": call(**request)}
    except VpnKeysError as error:
        return {"error": str(error), "code": error.code}


if __name__ == "__main__":
    print(json.dumps(answer(json.load(sys.stdin))))
