# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a gateway: calls the WireGuard platform as its modules would. One request and one answer, as JSON."""

from __future__ import annotations

import glob
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.vpnops.keys.plugins.module_utils import _public_key
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import change, commands, detached, files, platform
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import platform as wireguard


def text(key: _public_key.PublicKey | None) -> str | None:
    return key.text if key else None


def key(line: str | None) -> _public_key.PublicKey | None:
    return _public_key.parse(line) if line else None


def observe(gateway: wireguard.WireGuard) -> dict[str, Any]:
    seen = gateway.observe()
    journal = gateway.state.journal()
    return {
        "file": text(seen.own.file),
        "runtime": text(seen.own.runtime),
        "pending": text(seen.pending),
        "previous": text(seen.previous),
        "stored": {stored.key.text: [stored.file, stored.runtime] for stored in seen.stored},
        "tunnels": [[text(tunnel.with_own), text(tunnel.with_peer), tunnel.age] for tunnel in seen.tunnels],
        "blocked": [[text(one.key), one.why] for one in seen.blocked],
        "at_restart": list(seen.at_restart),
        "backend": seen.backend,
        "step": journal.step if journal else None,
        "error": journal.error if journal else None,
        "changing": detached.running(f"change-{gateway.name}"),
    }


def store(gateway: wireguard.WireGuard, peers: list[dict[str, Any]], follow: float, write: bool) -> list[Any]:
    wanted = [
        platform.WantedPeer(
            peer["name"],
            "",
            key(peer.get("current")),
            key(peer.get("staged")),
            tuple(_public_key.parse(line) for line in peer.get("known", [])),
            peer.get("endpoint", ""),
            tuple(peer.get("networks", [])),
        )
        for peer in peers
    ]
    changes = gateway.store(wanted, follow, write)
    return [[done.name, done.neighbor, done.changed, done.before, done.after, done.refused] for done in changes]


def killed(work: Callable[[], Any], step: int, after: bool) -> bool:
    """Do it in a process that is killed before or after its Nth step that leaves a trace; whether it came so far."""
    child = os.fork()
    if not child:
        count = 0

        def stepping(original: Callable[..., Any]) -> Callable[..., Any]:
            def stepped(*words: Any, **options: Any) -> Any:
                nonlocal count
                if words[:2] == ("wg", "show") or words[:2] == ("wg", "pubkey"):
                    return original(*words, **options)
                count += 1
                if count == step and not after:
                    os.kill(os.getpid(), signal.SIGKILL)
                result = original(*words, **options)
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return result

            return stepped

        for module, name in ((commands, "attempt"), (files, "write"), (files, "remove")):
            setattr(module, name, stepping(getattr(module, name)))
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def kill(name: str) -> int:
    """Kill detached work, and wait until it is gone; how many processes there were."""
    lock = f"{detached.RUNTIME}/{name}.lock"
    processes = {int(link.split("/")[2]) for link in glob.glob("/proc/[0-9]*/fd/*") if points_to(link, lock)}
    for process in processes:
        os.kill(process, signal.SIGKILL)
    while detached.running(name):
        time.sleep(0.01)
    return len(processes)


def points_to(link: str, path: str) -> bool:
    try:
        return os.readlink(link) == path
    except OSError:
        return False


def call(what: str, **options: Any) -> Any:
    gateway = wireguard.WireGuard(backend=options.pop("backend", "detect"))
    if what == "killed":
        return killed(lambda: call(**options["work"]), options["step"], options["after"])
    if what == "kill":
        return kill(**options)
    if what == "running":
        return detached.running(**options)
    if what == "look":
        return observe(gateway)
    if what == "store":
        return store(gateway, **options)
    if what == "begin":
        return change.begin(gateway.name, gateway, gateway.state, **options)
    if what == "confirm":
        return change.confirm(gateway.name, gateway, gateway.state)
    if what in ("stage", "generate"):
        return getattr(gateway, what)("x25519", 0).text
    return getattr(gateway, what)(**options)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": call(**request)}
    except VpnKeysError as error:
        return {"error": str(error), "code": error.code}


if __name__ == "__main__":
    print(json.dumps(answer(json.loads(sys.argv[1]))))
