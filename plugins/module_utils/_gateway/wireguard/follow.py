# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves a peer's traffic to whichever of its two keys it uses, at the moment it begins to. PRIVATE to the collection.

While a peer's next key is staged, WireGuard accepts both but can send by one only. Nobody can tell from afar when the
peer changes over, so a process on this gateway looks at the handshakes. Its job lies in a file of public data.
"""

from __future__ import annotations

import json
import os
import time
import typing as t
from dataclasses import asdict, dataclass, field, replace

from ..._errors import VpnKeysError
from .. import detached, files
from . import runtime as wg_runtime
from .runtime import Setting

POLL = 0.02
"""Seconds between two looks, or as long as a look took: where a process must look, that is longer."""

Version = t.Tuple[int, int]  # noqa: UP006, a value on Python 3.8


@dataclass(frozen=True)
class Pair:
    """Two keys of one peer, and what the one in use has. `before`: their handshakes when the pair was made."""

    current: str
    staged: str
    networks: tuple[str, ...]
    keepalive: int
    before: dict[str, float] = field(default_factory=dict, compare=False)

    @property
    def keys(self) -> tuple[str, str]:
        return self.current, self.staged


def locked(interface: str) -> t.ContextManager[None]:
    """The lock for changes of peers: naming a peer that another process has just removed would create it again."""
    return detached.locked(f"peers-{interface}")


def arm(interface: str, pairs: t.Sequence[Pair], seconds: float, forget: t.Container[str]) -> None:
    """Follow these pairs from now on, and no other any more that has a key among `forget`. The lock must be held."""
    before = _pairs(interface)
    kept = [pair for pair in before if not any(key in forget for key in pair.keys)]
    if pairs:
        stamps = wg_runtime.handshakes(interface)
        starts = {pair.keys: pair.before for pair in before}
        for pair in pairs:
            start = starts.get(pair.keys, {key: stamps.get(key, 0) for key in pair.keys})
            kept.append(replace(pair, before=start))
    elif kept == before:
        return
    until = time.monotonic() + seconds if pairs else _job(interface)["until"]
    alive = os.path.exists(_path(interface)) and detached.running(_name(interface))
    _write(interface, kept, until)
    if kept and not alive:
        _start(interface)


def _start(interface: str) -> None:
    """Start the follower. One that has just ended, which removes its job first, may still be on its way out."""
    deadline = time.monotonic() + 5
    while True:
        try:
            detached.start(_name(interface), lambda: follow(interface))
            return
        except VpnKeysError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL)


def follow(interface: str) -> None:
    """The work of the follower, until nothing is left to be followed."""
    written: Version = (-1, -1)
    pairs: list[Pair] = []
    until = 0.0
    seen: dict[str, float] = {}
    carriers: dict[tuple[str, str], str] = {}
    while True:
        stamp = _written(interface)
        if stamp != written:
            written, pairs, until = stamp, _pairs(interface), _job(interface).get("until", 0)
            known = {key for pair in pairs for key in pair.keys}
            seen = {**{key: value for pair in pairs for key, value in pair.before.items()},
                    **{key: value for key, value in seen.items() if key in known}}  # fmt: skip
            carriers = {}
        if (not pairs or time.monotonic() > until) and _end(interface, written):
            return
        began = time.monotonic()
        try:
            now = wg_runtime.handshakes(interface)
            if not carriers or any(now.get(key, 0) < seen.get(key, 0) for pair in pairs for key in pair.keys):
                carriers = _carriers(interface, pairs)  # first look, or the interface was restarted
            there = [pair for pair in pairs if pair.current in now and pair.staged in now]
            choice = {pair: choose(pair.keys, carriers[pair.keys], seen, now) for pair in there}
            due = [(pair, key) for pair, key in choice.items() if key != carriers[pair.keys]]
            if not due or _move(interface, due, written):
                carriers.update((pair.keys, key) for pair, key in due)
                seen = now
        except VpnKeysError:
            pass  # the interface is down; it may come back
        time.sleep(max(POLL, time.monotonic() - began))


def choose(
    keys: tuple[str, str], carrier: str, before: t.Mapping[str, float], now: t.Mapping[str, float]
) -> str:
    """Which of two keys carries the traffic: the one that has been used for a handshake last.

    Where that cannot be told, stamps being whole seconds, the one that did not carry it so far.
    """
    fresh = [key for key in keys if now.get(key, 0) > before.get(key, 0)]
    if not fresh:
        return carrier
    last = max(now[key] for key in fresh)
    candidates = [key for key in fresh if now[key] == last]
    return next((key for key in candidates if key != carrier), candidates[0])


def _carriers(interface: str, pairs: t.Iterable[Pair]) -> dict[tuple[str, str], str]:
    runtime = wg_runtime.read(interface)
    peers = runtime.peers if runtime else {}
    return {
        pair.keys: pair.staged if pair.staged in peers and peers[pair.staged].networks else pair.current
        for pair in pairs
    }


def _move(interface: str, due: t.Sequence[tuple[Pair, str]], written: Version) -> bool:
    """Give the traffic to those keys; False where the job has changed meanwhile."""
    with locked(interface):
        if _written(interface) != written:
            return False
        wg_runtime.carry(interface, [move(pair, key) for pair, key in due])
    return True


def move(pair: Pair, key: str) -> list[Setting]:
    """What gives the traffic of a pair to one of its keys, without a gap."""
    other = pair.current if key == pair.staged else pair.staged
    return [Setting(key, networks=pair.networks, keepalive=pair.keepalive), Setting(other, keepalive=0)]


def _end(interface: str, written: Version) -> bool:
    with locked(interface):
        if _written(interface) != written:
            return False
        files.remove(_path(interface))
    return True


def _name(interface: str) -> str:
    return f"follow-{interface}"


def _path(interface: str) -> str:
    return os.path.join(detached.RUNTIME, f"follow-{interface}.json")


def _written(interface: str) -> Version:
    """Tells one writing of the job from another."""
    try:
        found = os.stat(_path(interface))
    except FileNotFoundError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def _job(interface: str) -> dict[str, t.Any]:
    text = files.read(_path(interface))
    job: dict[str, t.Any] = json.loads(text) if text else {}
    return job


def _pairs(interface: str) -> list[Pair]:
    return [Pair(**{**entry, "networks": tuple(entry["networks"])}) for entry in _job(interface).get("pairs", [])]


def _write(interface: str, pairs: t.Sequence[Pair], until: float) -> None:
    files.write(_path(interface), json.dumps({"until": until, "pairs": [asdict(pair) for pair in pairs]}) + "\n")
