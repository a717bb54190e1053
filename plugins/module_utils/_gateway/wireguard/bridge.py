# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A second WireGuard interface that carries the traffic while keys change on the first. PRIVATE to the collection.

It lives at run time only. Both ends know each other there by the keys that they will have in the end. Nobody sends by
it before a handshake has shown that the other end is there, and both ends receive on both interfaces all the time; so
it does not matter which of them begins or ends first.

A guard, a process of its own, makes the interface, takes the traffic off it where the other end falls silent, and
removes it when its time is over. Its job lies in a file of public data, which only the process with the lock changes.
"""

from __future__ import annotations

import ipaddress
import json
import os
import time
import typing as t
from dataclasses import dataclass

from ..._errors import VpnKeysError
from .. import commands, detached, files
from . import bridge_plan, follow, routes
from . import runtime as wg_runtime
from .bridge_plan import Neighbor, Wanted, all_networks, is_there, name_of, rp_filter
from .platform import WireGuard
from .runtime import KICK, Setting

POLL = 0.1
WATCH = 0.5
SILENCE = 5.0
LINGER = 30.0
GIVE_WAY = 1.0
HANDSHAKE = 8.0
FRESH = 160.0  # a session ends after 180 seconds, and nothing renews one that carries nothing
READY = 30.0


@dataclass(frozen=True)
class Carried:
    """Names of the peers whose traffic goes over the second interface, and of those whose traffic stays."""

    there: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


# ---- the steps


def obstacles(gateway: WireGuard, port: int) -> list[str]:
    """Why there can be no second interface here, one sentence each."""
    interface = gateway.interface
    return bridge_plan.obstacles(gateway, port, made=is_there(name_of(interface)) and _job(interface) is not None)


def up(interface: str, want: Wanted, within: float) -> None:
    """Bring up the second interface for `within` seconds from now on. Raises VpnKeysError(refused).

    It carries nothing yet, unless it was there already and did.
    """
    with follow.locked(name_of(interface)):
        job = _job(interface)
        if job and is_up(interface, want):
            _write(interface, {**job, "until": time.monotonic() + within})
            if not detached.running(_guard_name(interface)):
                detached.start(_guard_name(interface), lambda: _watch(interface))
            return
    down(interface)
    peers = {one.key: {"name": one.name, "networks": one.networks} for one in want.neighbors}
    job = {"until": time.monotonic() + within, "own": want.own, "port": want.port, "peers": peers, "carried": []}
    _write(interface, job)
    detached.start(_guard_name(interface), lambda: _guard(interface, want))
    _await(lambda: bool({"ready", "error"} & set(_job(interface) or ())), READY)
    job = _job(interface)
    if not job or "ready" not in job:
        down(interface)
        reason = (job or {}).get("error") or f"it was not ready within {READY:.0f} seconds."
        raise VpnKeysError("refused", f"The second interface {name_of(interface)} could not be created: {reason}")


def is_up(interface: str, want: Wanted) -> bool:
    """Whether there is nothing to do for `up` but to give it more time."""
    job, runtime = _job(interface), wg_runtime.read(name_of(interface))
    if not job or "ready" not in job or runtime is None or runtime.own != want.own or job["port"] != want.port:
        return False
    peers = {one.key: set(one.networks) for one in want.neighbors}
    return peers == {key: set(peer.networks) for key, peer in runtime.peers.items()}


def carry(interface: str) -> None:
    """Send to every peer over the second interface. One that is not heard of in time stays where it is."""
    bridge = name_of(interface)
    job = _job(interface)
    if not job or not is_there(bridge):
        return
    peers = set(job["peers"])
    before = wg_runtime.received(bridge)

    def heard() -> set[str]:
        stamps, now = wg_runtime.handshakes(bridge), wg_runtime.received(bridge)
        return {key for key in peers if stamps.get(key) and now.get(key, 0) > before.get(key, 0)}

    there = _meet(peers, job["own"], heard, lambda keys: _keep_alive(bridge, keys, KICK))
    with follow.locked(bridge):
        job = _job(interface)
        if job:
            _lead(interface, {**job, "carried": sorted(there | set(job["carried"]))})


def _meet(
    peers: set[str], own: str, heard: t.Callable[[], set[str]], call: t.Callable[[set[str]], None]
) -> set[str]:
    """Make these peers shake hands; who is heard of in time.

    Two handshakes that cross cost five seconds, so one end gives way; the order of the keys tells both which.
    """
    begun = time.monotonic()
    rest = {key for key in peers if key > own}
    call(peers - rest)
    there: set[str] = set()
    while there != peers and time.monotonic() < begun + HANDSHAKE:
        time.sleep(POLL)
        there = heard()
        if rest and time.monotonic() > begun + GIVE_WAY:
            call(rest - there)
            rest = set()
    return there


def carried(interface: str) -> Carried:
    """Whose traffic goes over the second interface now."""
    job = _job(interface) or {"peers": {}, "carried": []}
    names = {key: peer["name"] for key, peer in job["peers"].items()}
    there = sorted(names[key] for key in job["carried"])
    return Carried(tuple(there), tuple(sorted(set(names.values()) - set(there))))


def idle(interface: str) -> None:
    """Route traffic over the first interface again; the second one goes on receiving."""
    job = _job(interface)
    if job:
        _refresh(interface, job)
    with follow.locked(name_of(interface)):
        job = _job(interface)
        if job:
            _lead(interface, {**job, "carried": []})


def _refresh(interface: str, job: t.Mapping[str, t.Any]) -> None:
    """Renew the sessions of the first interface that have ended meanwhile, before both ends need them at once."""
    runtime, before = wg_runtime.read(interface), wg_runtime.handshakes(interface)
    known = runtime.peers if runtime else {}
    stale = {key for key in job["carried"] if key in known and time.time() - before.get(key, 0) > FRESH}
    if not stale:
        return

    def heard() -> set[str]:
        now = wg_runtime.handshakes(interface)
        return {key for key in stale if now.get(key, 0) > before.get(key, 0)}

    # Only a keepalive that was off sends something when it is turned on.
    with follow.locked(interface):
        try:
            _keep_alive(interface, stale, 0)
            _meet(stale, job["own"], heard, lambda keys: _keep_alive(interface, keys, KICK))
        finally:
            wg_runtime.apply(interface, [[Setting(key, keepalive=known[key].keepalive)] for key in stale])


def down(interface: str) -> None:
    """Remove the second interface with its routes and its guard, whatever the state is."""
    with follow.locked(name_of(interface)):
        _remove(interface)
    _await(lambda: not detached.running(_guard_name(interface)), READY)


def is_gone(interface: str) -> bool:
    """Whether there is nothing to do for `down`."""
    return _job(interface) is None and not routes.is_led(name_of(interface))


def networks(interface: str) -> list[str]:
    """The networks that are led over the second interface."""
    return routes.shown(name_of(interface))


def planned(interface: str) -> list[str]:
    """The networks that would be, were all peers there."""
    return [network for peer in (_job(interface) or {"peers": {}})["peers"].values() for network in peer["networks"]]


def _lead(interface: str, job: dict[str, t.Any]) -> None:
    """Let the traffic of `carried` go over the second interface, and no other; the lock must be held."""
    mine = {network for key in job["carried"] for network in job["peers"][key]["networks"]}
    _write(interface, job)
    others = all_networks(wg_runtime.read(interface)) - mine
    routes.lead(sorted(mine), sorted(others), interface, name_of(interface))


def _keep_alive(bridge: str, keys: t.Iterable[str], interval: int) -> None:
    wg_runtime.apply(bridge, [[Setting(key, keepalive=interval)] for key in keys])


# ---- the guard


def _guard(interface: str, want: Wanted) -> None:
    with follow.locked(name_of(interface)):
        job = _job(interface)
        if job is None:
            return
        try:
            _make(interface, want)
        except VpnKeysError as error:
            _write(interface, {**job, "error": str(error)})
            return
        _write(interface, {**job, "ready": True})
    _watch(interface)


def _watch(interface: str) -> None:
    """Go on until the interface is gone or its time is over."""
    heard: dict[str, tuple[int, float]] = {}
    awake: set[str] = set()
    while True:
        try:
            with follow.locked(name_of(interface)):
                if not _look_after(interface, heard, awake):
                    return
        except VpnKeysError:
            pass  # the next look may succeed; what it is about is at worst removed at the end of its time
        time.sleep(WATCH)


def _look_after(interface: str, heard: dict[str, tuple[int, float]], awake: set[str]) -> bool:
    """One look at all peers; whether there is something left to look after."""
    bridge, job, now = name_of(interface), _job(interface), time.monotonic()
    if job is None or now > job["until"] + LINGER or not is_there(bridge):
        _remove(interface)
        return False
    over = now > job["until"]
    stamps = wg_runtime.handshakes(bridge)
    for key, came in wg_runtime.received(bridge).items():
        if key not in heard or heard[key][0] != came:
            heard[key] = came, now
    silent = {key for key in job["peers"] if now - heard.get(key, (0, now))[1] > SILENCE}
    carried = [key for key in job["carried"] if not over and key not in silent]
    if carried != job["carried"]:
        _lead(interface, {**job, "carried": carried})
    if over and silent == set(job["peers"]):
        _remove(interface)
        return False
    if over:
        _keep_alive(bridge, job["peers"], 0)
        return True
    # Keepalives go to every peer that answered: the other end measures the silence by them.
    new = {key for key in job["peers"] if stamps.get(key)} - awake
    _keep_alive(bridge, new, KICK)
    awake |= new
    return True


# ---- the interface


def _make(interface: str, want: Wanted) -> None:
    bridge = name_of(interface)
    if commands.attempt("ip", "link", "add", "dev", bridge, "type", "wireguard").code:
        commands.run(os.environ.get("WG_QUICK_USERSPACE_IMPLEMENTATION", "wireguard-go"), bridge)
    wg_runtime.set_key(bridge, want.secret, {})
    commands.run("wg", "set", bridge, "listen-port", str(want.port))
    wg_runtime.apply(bridge, [[_setting(one, want.port)] for one in want.neighbors])
    _relax(bridge)
    lines = [f"address add {address} dev {bridge}" for address in _addresses(interface)]
    mtu = (files.read(f"/sys/class/net/{interface}/mtu") or "1420").strip()
    commands.run("ip", "-batch", "-", given="\n".join([f"link set {bridge} mtu {mtu} up", *lines]) + "\n")


def _setting(one: Neighbor, port: int) -> Setting:
    return Setting(one.key, networks=one.networks, endpoint=f"{one.host}:{port}" if one.host else "", psk=one.psk)


def _addresses(interface: str) -> list[str]:
    """The addresses of an interface, each for itself. The same one on both keeps the kernel's source checks content."""
    shown = commands.run("ip", "-o", "address", "show", "dev", interface, "scope", "global")
    hosts = [ipaddress.ip_interface(line.split()[3]).ip for line in shown.splitlines()]
    return [f"{host}/32" if host.version == 4 else f"{host}/128 nodad" for host in hosts]


def _relax(bridge: str) -> None:
    """A new interface gets the default, which may be strict."""
    if rp_filter(bridge) == 1:
        try:
            with open(f"/proc/sys/net/ipv4/conf/{bridge}/rp_filter", "w", encoding="ascii") as file:
                file.write("2")
        except OSError as error:
            raise VpnKeysError("refused", f"rp_filter of {bridge} cannot be set to 2: {error.strerror}.") from None


def _remove(interface: str) -> None:
    """The lock must be held. The job goes last: as long as it is there, this is to be done."""
    bridge = name_of(interface)
    routes.lead([], [], interface, bridge)
    if _job(interface) is None:
        return
    if is_there(bridge):
        commands.run("ip", "link", "del", "dev", bridge)
    # Its daemon goes by itself, and must have gone before another one of the same name comes.
    _await(lambda: not wg_runtime.control_socket(bridge), 2)
    control = wg_runtime.control_socket(bridge)
    if control:
        files.remove(control)
    files.remove(_path(interface))


# ---- the job


def _path(interface: str) -> str:
    return os.path.join(detached.RUNTIME, f"bridge-{interface}.json")


def _guard_name(interface: str) -> str:
    return f"bridge-{interface}"


def _job(interface: str) -> dict[str, t.Any] | None:
    text = files.read(_path(interface))
    job: dict[str, t.Any] | None = json.loads(text) if text else None
    return job


def _write(interface: str, job: t.Mapping[str, t.Any]) -> None:
    files.private_directory(detached.RUNTIME)
    files.write(_path(interface), json.dumps(job) + "\n")


def _await(until: t.Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        time.sleep(POLL)
