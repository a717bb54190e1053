# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The running WireGuard interface, by `wg` and `ip`. PRIVATE to the collection.

Only `wg set` changes it: `syncconf` and `setconf` open the socket again, and wipe a key that the file does not hold.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import struct
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from ..._errors import NOTHING_CHANGED, VpnKeysError
from ..._printable import printable
from .. import commands, detached, files
from . import netlink
from .netlink import Seen

SOCKETS = ("/run/wireguard", "/var/run/wireguard")
KICK = 1
_AT_ONCE = 200
_NAMES_AT_ONCE = 16


@dataclass(frozen=True)
class Peer:
    """A peer of the running interface. `handshake`: Unix seconds, 0 for never. `psk` is a secret, "" for none."""

    key: str
    psk: str = field(repr=False)
    endpoint: str
    networks: tuple[str, ...]
    handshake: float
    keepalive: int


@dataclass(frozen=True)
class Runtime:
    """The running interface: its own public key (None: it has none) and its peers by their keys."""

    own: str | None
    peers: dict[str, Peer]


@dataclass(frozen=True)
class Setting:
    """What one peer shall have; None: as it is. A secret is among it."""

    key: str
    networks: tuple[str, ...] | None = None
    keepalive: int | None = None
    endpoint: str = ""
    psk: str = field(default="", repr=False)
    remove: bool = False


def read(interface: str) -> Runtime | None:
    """What runs, None where there is no such interface."""
    done = commands.attempt("wg", "show", interface, "dump")
    if done.code:
        if interface not in commands.run("wg", "show", "interfaces").split():
            return None
        raise VpnKeysError("unreadable", f"wg show {interface} failed: {done.complaint}", state=NOTHING_CHANGED)
    rows = [line.split("\t") for line in done.output.splitlines()]
    return Runtime(_some(rows[0][1]) or None, {row[0]: _peer(row) for row in rows[1:]})


def _peer(row: t.Sequence[str]) -> Peer:
    key, psk, endpoint, networks, handshake, dummy, dummy, keepalive = row
    allowed = tuple(_some(networks).split(",")) if _some(networks) else ()
    interval = 0 if keepalive == "off" else int(keepalive)
    return Peer(key, _some(psk), _some(endpoint), allowed, float(handshake), interval)


def _some(text: str) -> str:
    return "" if text == "(none)" else text


def calmed(runtime: Runtime, keepalive: t.Mapping[str, int]) -> Runtime:
    """The same with these keepalive intervals for the peers that are being woken."""
    return Runtime(
        runtime.own,
        {
            key: replace(peer, keepalive=keepalive.get(key, KICK)) if peer.keepalive == KICK else peer
            for key, peer in runtime.peers.items()
        },
    )


def is_up(interface: str) -> bool:
    """Whether the interface exists and is up."""
    flags = files.read(f"/sys/class/net/{interface}/flags")
    return bool(flags and int(flags, 16) & 1)


# ---- handshakes


def control_socket(interface: str) -> str:
    """The socket of a userspace daemon, "" where the kernel does the work."""
    paths = (f"{directory}/{interface}.sock" for directory in SOCKETS)
    return next((path for path in paths if os.path.exists(path)), "")


def handshakes(interface: str) -> dict[str, float]:
    """When each peer was last authenticated, in Unix seconds."""
    return {key: one.handshake for key, one in _seen(interface).items()}


def received(interface: str) -> dict[str, int]:
    """How many bytes have come from each peer."""
    return {key: one.received for key, one in _seen(interface).items()}


def _seen(interface: str) -> dict[str, Seen]:
    """Of each peer. A userspace daemon and the kernel are asked directly: that costs no process and tells nanoseconds,
    where `wg`, which is asked if the kernel says nothing, tells whole seconds."""
    path = control_socket(interface)
    if path:
        try:
            return read_seen(_ask(path))
        except OSError as error:
            raise VpnKeysError("unreadable", f"The daemon of {interface} does not answer: {error.strerror}.") from None
    try:
        return netlink.peers(interface)
    except (OSError, ValueError, struct.error):
        rows = [line.split("\t") for line in commands.run("wg", "show", interface, "dump").splitlines()]
        return {row[0]: Seen(float(row[4]), int(row[5])) for row in rows[1:]}


def _ask(path: str) -> str:
    answer = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
        daemon.settimeout(5)
        daemon.connect(path)
        daemon.sendall(b"get=1\n\n")
        while not answer.endswith(b"\n\n"):
            part = daemon.recv(1 << 16)
            if not part:
                break
            answer += part
    return answer.decode(errors="replace")


_OF_PEER = re.compile(r"^public_key=([0-9a-f]{64})$", re.MULTILINE)
_FIELD = re.compile(r"^(last_handshake_time_sec|last_handshake_time_nsec|rx_bytes)=(\d+)$", re.MULTILINE)


def read_seen(answer: str) -> dict[str, Seen]:
    """The peers in what a userspace daemon answers."""
    parts = _OF_PEER.split(answer)
    return {
        base64.b64encode(bytes.fromhex(parts[at])).decode(): _seen_in(dict(_FIELD.findall(parts[at + 1])))
        for at in range(1, len(parts), 2)
    }


def _seen_in(fields: t.Mapping[str, str]) -> Seen:
    seconds, nanoseconds, came = (
        int(fields.get(name, "0")) for name in ("last_handshake_time_sec", "last_handshake_time_nsec", "rx_bytes")
    )
    return Seen(seconds + nanoseconds / 1e9, came)


# ---- keys


def new_key() -> str:
    """A new private key."""
    return commands.run("wg", "genkey").strip()


def running_key(interface: str) -> str:
    """The private key in use."""
    return commands.run("wg", "show", interface, "private-key").strip()


def public_of(secret: str) -> str:
    """The public key of a private one, "" for a text that is not a private key."""
    try:
        if len(base64.b64decode(secret, validate=True)) != 32:
            return ""
    except ValueError:
        return ""
    done = commands.attempt("wg", "pubkey", given=secret + "\n")
    return "" if done.code else done.output.strip()


def set_key(interface: str, secret: str, kicked: t.Mapping[str, int]) -> None:
    """Change the own key, and in the same breath make every one of these peers shake hands.

    `kicked`: their keepalive intervals. Only one that was off sends something when it is turned on.
    """
    words = []
    for peer, keepalive in kicked.items():
        if keepalive:
            words += ["peer", peer, "persistent-keepalive", "0"]
        words += ["peer", peer, "persistent-keepalive", str(KICK)]
    commands.run("wg", "set", interface, "private-key", "/dev/stdin", *words, given=secret + "\n")


# ---- peers


def apply(interface: str, changes: t.Sequence[t.Sequence[Setting]]) -> None:
    """Change peers. What belongs together is done in one call, in its order."""
    batch: list[Setting] = []
    for change in changes:
        batch += change
        if len(batch) >= _AT_ONCE:
            _apply(interface, batch)
            batch = []
    if batch:
        _apply(interface, batch)


def carry(interface: str, moves: t.Sequence[t.Sequence[Setting]]) -> None:
    """The same for networks and keepalive intervals of peers that are there. The kernel is told directly, since packets
    are lost until then, and a process takes its time."""
    settings = [setting for move in moves for setting in move]
    if not control_socket(interface):
        try:
            return netlink.carry(interface, [(one.key, one.networks, one.keepalive or 0) for one in settings])
        except (OSError, ValueError, struct.error):
            pass  # `wg` will say why
    return apply(interface, moves)


def apply_each(interface: str, changes: t.Sequence[t.Sequence[Setting]]) -> dict[int, str]:
    """The same, where what `wg` refuses of one change stops no other; removals come first. Why, by position."""
    removals = [position for position, change in enumerate(changes) if all(setting.remove for setting in change)]
    others = sorted(set(range(len(changes))) - set(removals))
    return {**_apply_apart(interface, changes, removals), **_apply_apart(interface, changes, others)}


def _apply_apart(
    interface: str, changes: t.Sequence[t.Sequence[Setting]], positions: t.Sequence[int]
) -> dict[int, str]:
    """All at once; where that is refused, each half for itself."""
    try:
        apply(interface, [changes[position] for position in positions])
    except VpnKeysError as error:
        if error.code != "refused":
            raise
        if len(positions) == 1:
            return {positions[0]: str(error)}
        middle = len(positions) // 2
        first, second = (_apply_apart(interface, changes, part) for part in (positions[:middle], positions[middle:]))
        return {**first, **second}
    return {}


def resolve(endpoints: t.Iterable[str]) -> dict[str, str]:
    """The numeric form of each endpoint, "" where its name cannot be resolved.

    `wg` would try for more than a minute, and refuse all that it was told in the same call.
    """
    names = sorted({endpoint for endpoint in endpoints if endpoint})
    if not names:
        return {}
    with ThreadPoolExecutor(_NAMES_AT_ONCE) as pool:
        return dict(pool.map(lambda name: (name, _numeric(name)), names))


def _numeric(endpoint: str) -> str:
    host, dummy, port = endpoint.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)
    except (OSError, ValueError):
        return ""
    address, number = socket.getnameinfo(found[0][4], socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    return f"[{address}]:{number}" if ":" in address else f"{address}:{number}"


def _apply(interface: str, settings: t.Sequence[Setting]) -> None:
    directory = files.private_directory(detached.RUNTIME)
    secrets = []
    words = []
    try:
        for index, setting in enumerate(settings):
            path = ""
            if setting.psk:
                path = os.path.join(directory, f"psk-{interface}-{index}")
                secrets.append(path)
                files.write(path, setting.psk + "\n")
            words += arguments(setting, path)
        commands.run("wg", "set", interface, *words)
    finally:
        for path in secrets:
            files.remove(path)


def arguments(setting: Setting, psk_file: str) -> list[str]:
    """What `wg set` is told about one peer."""
    words = ["peer", setting.key]
    if setting.remove:
        return [*words, "remove"]
    if psk_file:
        words += ["preshared-key", psk_file]
    if setting.endpoint:
        words += ["endpoint", setting.endpoint]
    if setting.keepalive is not None:
        words += ["persistent-keepalive", str(setting.keepalive)]
    if setting.networks is not None:
        words += ["allowed-ips", ",".join(setting.networks)]
    return words


def add_routes(interface: str, networks: t.Iterable[str], table: str) -> None:
    """Route networks to the interface where they are not yet, as wg-quick does; `table` as in its file.

    One that cannot be routed keeps none of the others from it; the first of them is raised in the end.
    """
    if table.lower() == "off":
        return
    errors = []
    where = [] if table.lower() in ("", "auto", "main") else ["table", table]
    for network in networks:
        if network.endswith("/0") and not where:
            continue  # wg-quick makes rules for a default route; they stand if one was there at its start
        try:
            _add_route(interface, network, where)
        except VpnKeysError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _add_route(interface: str, network: str, where: t.Sequence[str]) -> None:
    """Never in place of another route."""
    if not _is_routed(interface, network, where):
        commands.run("ip", _family(network), "route", "add", network, "dev", interface, *where)


def _is_routed(interface: str, network: str, where: t.Sequence[str]) -> bool:
    """Whether wg-quick would not add a route."""
    shown = commands.attempt("ip", _family(network), "route", "show", "dev", interface, "match", network, *where)
    return bool(shown.output.strip())


def taken_routes(interface: str, networks: t.Iterable[str], table: str) -> dict[str, str]:
    """The routes of others that are where one of these networks needs one, by network. `table` as in the file.

    wg-quick would not start with such a peer in its file: it adds its routes, too.
    """
    if table.lower() == "off":
        return {}
    where = [] if table.lower() in ("", "auto", "main") else ["table", table]
    found = {}
    for network in networks:
        family = _family(network)
        if network.endswith("/0") or _is_routed(interface, network, where):
            continue
        shown = commands.attempt("ip", family, "route", "show", "exact", network, *where).output
        lines = [line for line in shown.splitlines() if in_the_way(line, family, interface)]
        if lines:
            found[network] = printable(lines[0].strip(), 120)
    return found


def in_the_way(line: str, family: str, interface: str) -> bool:
    """Whether a route, as `ip route show` prints it, is another one's and has the metric of those that are added."""
    words = line.split()
    if not words or line[0].isspace():
        return False
    said = {word: words[position + 1] for position, word in enumerate(words[:-1])}
    return said.get("dev") != interface and said.get("metric", "0") == ("1024" if family == "-6" else "0")


def _family(network: str) -> str:
    return "-6" if ":" in network else "-4"
