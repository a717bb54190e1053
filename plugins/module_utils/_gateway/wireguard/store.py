# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What storing the keys of peers comes to on WireGuard: decided here, done elsewhere. PRIVATE to the collection.

The file is edited as text, and tells what the running interface shall have. A peer that runs without being in the file
keeps its networks; one that is in the file and does not run is set up from it. What would be lost at the next start
is done all the same, and is said not to be stored.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from ..._errors import LEFT_OUT, VpnKeysError
from ..._public_key import PublicKey
from ..platform import CURRENT, STAGED, WITHDRAWN, PeerChange, WantedPeer
from . import sections
from .follow import Pair
from .record import Record
from .runtime import KICK, Peer, Runtime, Setting
from .sections import Block

_ENDPOINT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*):[0-9]{1,5}")


@dataclass
class Plan:
    """The file, the changes of the running interface, and what is to be followed and no longer followed then.

    `names`: to whom each of `settings` belongs. `new_networks`: whose each of them is. `unread`: why the service does
    not know what the file says now, a clause.
    """

    blocks: list[Block]
    settings: list[list[Setting]]
    pairs: list[Pair]
    forget: set[str]
    new_networks: dict[str, str]
    changes: list[PeerChange]
    names: list[str] = field(default_factory=list)
    unread: str = ""

    def endpoints(self) -> list[str]:
        return [setting.endpoint for change in self.settings for setting in change if setting.endpoint]

    def removes(self) -> bool:
        """Whether a key is to be accepted no more."""
        return any(setting.remove for change in self.settings for setting in change)

    def unresolved(self, addresses: t.Mapping[str, str]) -> dict[str, str]:
        """Why those peers are left out whose endpoint has no address, by name."""
        return {
            name: f"The name in {setting.endpoint}, the endpoint of {name}, cannot be resolved. {LEFT_OUT}."
            for position, name in enumerate(self.names)
            for setting in self.settings[position]
            if setting.endpoint and not addresses[setting.endpoint]
        }

    def without_routes(self, taken: t.Mapping[str, str]) -> dict[str, str]:
        """Why those peers are left out to whose network there is a route of somebody else, by name."""
        return {
            name: f"There is another route to {network}, a network of {name} ({taken[network]}), and it is not "
            f"replaced. {LEFT_OUT}."
            for network, name in self.new_networks.items()
            if network in taken
        }

    def resolved(self, addresses: t.Mapping[str, str]) -> list[list[Setting]]:
        """The settings with addresses instead of names."""
        return [
            [replace(setting, endpoint=addresses.get(setting.endpoint, "")) for setting in change]
            for change in self.settings
        ]


def plan(
    blocks: list[Block],
    runtime: Runtime | None,
    wanted: t.Sequence[WantedPeer],
    own: t.Container[str],
    refused: t.Mapping[str, str] | None = None,
) -> Plan:
    """`own`: the keys of this gateway. `refused`: why peers are left out that are known not to be usable, by name."""
    new, why, edited = blocks, dict(refused or {}), []
    for peer in wanted:
        if peer.current and (peer.name in why or _is_us(peer, own)):
            continue
        mine = peer if peer.current else replace(peer, known=tuple(key for key in peer.known if key.text not in own))
        try:
            _check(mine, own)
            new = _edit(new, runtime, mine)
        except VpnKeysError as error:
            why[peer.name] = str(error.about(f"Peer {peer.name}", state=LEFT_OUT))
            continue
        edited.append((peer, mine))
    owners = sections.owners(new)
    made = Plan(new, [], [], set(), {}, [])
    done = {id(peer): _carry_out(made, blocks, runtime, mine, owners) for peer, mine in edited}
    changes = (done.get(id(peer), PeerChange(peer.name, False, (), ())) for peer in wanted)
    made.changes = [replace(change, refused=why.get(change.name, "")) for change in changes]
    return made


def _is_us(peer: WantedPeer, own: t.Container[str]) -> bool:
    """Whether a peer is this gateway under another name. A key that comes into use cannot tell: it is refused."""
    return any(key.text in own for key in peer.known) and not any(
        key and key.text in own for key in (peer.current, peer.staged)
    )


def keys_of(peer: WantedPeer) -> dict[str, str]:
    """All keys by which the entry of a peer may be found, with their fingerprints."""
    keys = [*peer.known, *(key for key in (peer.current, peer.staged) if key)]
    return {key.text: key.fingerprint for key in keys}


def _check(peer: WantedPeer, own: t.Container[str]) -> None:
    for key in (peer.current, peer.staged):
        if key and key.text in own:
            raise VpnKeysError("conflict", f"The key of {peer.name} is that of this gateway itself")
        if key and key.algorithm != "x25519":
            raise VpnKeysError("bad_input", f"The {key.algorithm} key of {peer.name} is not a WireGuard key")


# ---- the file


def _entries(blocks: t.Iterable[Block], peer: WantedPeer) -> dict[str, list[Block]]:
    """What the file has of a peer, by kind. A withdrawn entry is also known by its name."""
    found: dict[str, list[Block]] = {sections.PEER: [], sections.STAGED: [], sections.WITHDRAWN: []}
    keys = keys_of(peer)
    for block in blocks:
        if block.kind in found and (
            sections.public_key(block).text in keys
            or (block.kind == sections.WITHDRAWN and block.name == peer.name)
        ):
            found[block.kind].append(block)
    return found


def _only_one(found: t.Mapping[str, list[Block]], peer: WantedPeer) -> Block | None:
    """The entry of a peer that is live, or is to be again."""
    for kind in (sections.PEER, sections.WITHDRAWN):
        if len(found[kind]) > 1:
            raise VpnKeysError(
                "conflict",
                f"The configuration file has {len(found[kind])} entries for {peer.name}",
                advice="leave one of them there and run this again",
            )
    return next(iter([*found[sections.PEER], *found[sections.WITHDRAWN]]), None)


def _edit(blocks: list[Block], runtime: Runtime | None, peer: WantedPeer) -> list[Block]:
    """The file with the keys of one peer as they shall be."""
    found = _entries(blocks, peer)
    if peer.current is None:
        return _withdrawn(blocks, found, peer.name)
    entry = _only_one(found, peer)
    if entry is None and _can_be_written(peer):
        blocks = sections.append(blocks, peer.name, _new_entry(runtime, peer))
        found = _entries(blocks, peer)
        entry = _only_one(found, peer)
    next_key = _next_key(peer)
    kept = [block for block in found[sections.STAGED] if entry and sections.public_key(block) == next_key][:1]
    new: list[Block] = []
    for block in blocks:
        if block is entry:
            section = _section(block, peer.current)
            new.append(section)
            if next_key and not kept:
                new.append(sections.staged(section, next_key.text, peer.name))
        elif block.kind != sections.STAGED or block in kept or block not in found[sections.STAGED]:
            new.append(block)
    return new


def _can_be_written(peer: WantedPeer) -> bool:
    """Whether enough is known for an entry of a peer that has none."""
    if not (peer.current and peer.endpoint and peer.networks):
        return False
    if not _ENDPOINT.fullmatch(peer.endpoint):
        raise VpnKeysError("bad_input", f"{peer.endpoint!r}, the endpoint of {peer.name}, is not HOST:PORT")
    return True


def _new_entry(runtime: Runtime | None, peer: WantedPeer) -> dict[str, str]:
    """What an entry says; where the peer runs already, what runs."""
    running = [runtime.peers[key] for key in keys_of(peer) if key in runtime.peers] if runtime else []
    entry = next((one for one in running if one.networks), None)
    return {
        "PublicKey": t.cast(PublicKey, peer.current).text,
        "PresharedKey": entry.psk if entry else "",
        "AllowedIPs": ", ".join(entry.networks if entry else [sections.network(text) for text in peer.networks]),
        "Endpoint": peer.endpoint,
        "PersistentKeepalive": str(entry.keepalive or "") if entry else "",
    }


def _next_key(peer: WantedPeer) -> PublicKey | None:
    return peer.staged if peer.current and peer.staged != peer.current else None


def _section(block: Block, current: PublicKey) -> Block:
    """The entry of a peer, live or withdrawn, with its current key."""
    live = sections.brought_back(block) if block.kind == sections.WITHDRAWN else block
    if sections.public_key(live) == current:
        return live
    return sections.with_value(live, "publickey", current.text)


def _withdrawn(blocks: list[Block], found: t.Mapping[str, list[Block]], name: str) -> list[Block]:
    """The file without any key of a peer; each of its entries stays as a comment."""
    staged = found[sections.STAGED]
    return [
        sections.withdrawn(block, name) if block in found[sections.PEER] else block
        for block in blocks
        if block not in staged
    ]


# ---- the running interface


def _carry_out(
    made: Plan, before: list[Block], runtime: Runtime | None, peer: WantedPeer, owners: t.Mapping[str, str]
) -> PeerChange:
    """Add to the plan what the running interface needs for one peer."""
    keys = keys_of(peer)
    main = next(iter(_entries(made.blocks, peer)[sections.PEER]), None)
    running = {key: entry for key, entry in runtime.peers.items() if key in keys} if runtime else {}
    made.forget.update(keys)
    target = _target(running, main, peer, owners) if runtime else {}
    settings = [setting for key, entry in target.items() for setting in _differences(entry, running.get(key))]
    settings += [Setting(key, remove=True) for key in running if key not in target]
    if settings:
        made.settings.append(settings)
        made.names.append(peer.name)
    new = (net for key, entry in target.items() if key not in running for net in entry.networks)
    made.new_networks.update(dict.fromkeys(new, peer.name))
    next_key = _next_key(peer)
    if next_key and next_key.text in target and peer.current:
        carrier = next((entry for entry in target.values() if entry.networks), target[peer.current.text])
        made.pairs.append(Pair(peer.current.text, next_key.text, carrier.networks, _keepalive(main, carrier)))
    expected = _expected(running, main, owners)
    states = [
        _described(_entries(blocks, peer), peers, runtime is not None, keys, expected)
        for blocks, peers in ((before, running), (made.blocks, target))
    ]
    return PeerChange(peer.name, bool(states[0] or states[1]), states[0], states[1])


def _expected(
    running: t.Mapping[str, Peer], main: Block | None, owners: t.Mapping[str, str]
) -> tuple[str, ...]:
    """The networks of a peer: the file's, and where it is not in the file, those that it has."""
    if main is None:
        return tuple(net for entry in running.values() for net in entry.networks)
    key = sections.public_key(main).text
    return tuple(net for net in sections.networks(main) if owners[net] == key)


def _target(
    running: t.Mapping[str, Peer], main: Block | None, peer: WantedPeer, owners: t.Mapping[str, str]
) -> dict[str, Peer]:
    """The peers that shall run instead of those that do."""
    if peer.current is None or not (main or running):
        return {}
    expected = _expected(running, main, owners)
    source = next((entry for entry in running.values() if entry.networks), next(iter(running.values()), None))
    model = Peer(
        key="",
        psk=source.psk if source else sections.preshared_key(t.cast(Block, main)),
        endpoint=(source.endpoint if source else "") or (sections.value(main, "endpoint") if main else ""),
        networks=(),
        handshake=0,
        keepalive=_keepalive(main, source),
    )
    current, next_key = peer.current.text, _next_key(peer)
    carrier = current
    if next_key and next_key.text in running and current in running and running[next_key.text].networks:
        carrier = next_key.text  # the follower has seen it in use
    target = {}
    for key in (current, next_key.text) if next_key else (current,):
        entry = running.get(key)
        keepalive = model.keepalive if key == carrier else 0
        if entry and (key != carrier or entry is source):
            keepalive = entry.keepalive
        target[key] = replace(
            entry or model, key=key, networks=expected if key == carrier else (), keepalive=keepalive
        )
    # The carrier first: networks move to it at once, and are then no longer there to be taken away.
    return {key: target[key] for key in sorted(target, key=lambda key: key != carrier)}


def _keepalive(main: Block | None, source: Peer | None) -> int:
    in_file = sections.keepalive(main) if main else None
    return in_file if in_file is not None else source.keepalive if source else 0


def _differences(target: Peer, running: Peer | None) -> list[Setting]:
    """What `wg` must be told to make a peer as wished.

    One that carries traffic from now on and was never heard of is woken: it may believe in a session that we have lost.
    """
    keepalive: int | None
    if running is None:
        keepalive = target.keepalive or None
        setting = Setting(target.key, target.networks, keepalive, target.endpoint, target.psk)
    else:
        networks = target.networks if set(target.networks) != set(running.networks) else None
        keepalive = target.keepalive if target.keepalive != running.keepalive else None
        setting = Setting(target.key, networks, keepalive)
    if setting == Setting(target.key):
        return []
    if target.networks and not target.keepalive and not (running and running.handshake):
        return [replace(setting, keepalive=KICK), Setting(target.key, keepalive=0)]
    return [setting]


def again(before: Runtime, after: Runtime) -> list[list[Setting]]:
    """What `wg` must be told so that a service that started over leaves the peers as they were. Those that carry
    traffic and have lost their session are woken."""
    changes = []
    for key, peer in before.peers.items():
        now = after.peers.get(key)
        if now is None or now.handshake < peer.handshake or set(now.networks) != set(peer.networks):
            changes.append([Setting(key, peer.networks, 0, peer.endpoint, peer.psk)])
            if peer.networks and peer.endpoint:
                changes[-1].append(Setting(key, keepalive=KICK))
            changes[-1].append(Setting(key, keepalive=peer.keepalive))
    return [*changes, *([Setting(key, remove=True)] for key in after.peers if key not in before.peers)]


# ---- what holds


def unsaved(record: Record, wanted: t.Iterable[WantedPeer]) -> dict[str, str]:
    """Why those peers are left out of which a stop of the interface would save something else, by name.

    What runs and what the file says are the same but for a staged key: nothing in the running interface tells it from
    the key of another peer.
    """
    if not record.saves:
        return {}
    what = f"{record.saves}, which would save a staged key as a separate peer"
    error = VpnKeysError("blocked", what, state=LEFT_OUT, advice="remove that line")
    return {peer.name: str(error.about(f"Peer {peer.name}")) for peer in wanted if _next_key(peer)}


def lasting(made: Plan, record: Record, wanted: t.Sequence[WantedPeer], up: bool) -> list[PeerChange]:
    """The changes, where those are refused that the next start may undo. They are carried out all the same."""
    result = []
    for position, change in enumerate(made.changes):
        peer = wanted[position]
        error = None if change.refused else _why_not_lasting(made, record, peer, change, up)
        result.append(replace(change, refused=str(error.about(f"Peer {peer.name}"))) if error else change)
    return result


def _why_not_lasting(
    made: Plan, record: Record, peer: WantedPeer, change: PeerChange, up: bool
) -> VpnKeysError | None:
    reason = record.why_not_lasting(keys_of(peer))
    if peer.current is None:
        state = "The running interface does not accept it any more" if up else "The interface is down"
        ends = "so its key may be accepted again after the next start"
    else:
        state = "The running interface has it" if up else "The interface is down"
        ends = "so its key would be lost at the next start"
    if reason and (change.neighbor or peer.current is None or not up):
        what = f"{reason.file or record.path}, {reason.what}, {ends}"
        return VpnKeysError("blocked", what, state=state, advice=reason.advice)
    if made.unread and (change.neighbor or peer.current is None):
        return VpnKeysError("blocked", f"{made.unread}, {ends}", state=state)
    if change.neighbor and peer.current and not _entries(made.blocks, peer)[sections.PEER]:
        what = f"{record.path} has no [{record.blocks[0].syntax.peer}] section for it, {ends}"
        return VpnKeysError("blocked", what, state=state, advice="write one, or give its endpoint and networks")
    return None


def not_in_effect(wanted: t.Sequence[WantedPeer], runtime: Runtime, own: t.Container[str]) -> set[str]:
    """The names of the peers of which the running interface still has a key that it shall not have."""
    return {
        peer.name
        for peer in wanted
        if any(
            key.text in runtime.peers and key.text not in own and key not in (peer.current, peer.staged)
            for key in peer.known
        )
    }


# ---- for people


def _described(
    entries: t.Mapping[str, list[Block]],
    running: t.Mapping[str, Peer],
    is_running: bool,
    keys: t.Mapping[str, str],
    expected: tuple[str, ...],
) -> tuple[str, ...]:
    """The stored keys, the file's first; those of the running interface where they are not the same."""
    roles = {sections.PEER: CURRENT, sections.STAGED: STAGED, sections.WITHDRAWN: WITHDRAWN}
    blocks = [block for found in entries.values() for block in found]
    in_file = [f"{roles[block.kind]} {sections.public_key(block).fingerprint}" for block in blocks]
    live = [text for text in in_file if not text.startswith(WITHDRAWN)]
    current = {sections.public_key(block).text for block in entries[sections.PEER]}
    in_runtime = [_role(entry, key in current, expected) + f" {keys[key]}" for key, entry in sorted(running.items())]
    if not is_running or sorted(live) == sorted(in_runtime):
        return tuple(in_file)
    return (*in_file, *(f"running: {text}" for text in sorted(in_runtime) or ["nothing"]))


def _role(entry: Peer, is_current: bool, expected: tuple[str, ...]) -> str:
    if not entry.networks and not (is_current and not expected):
        return STAGED
    return CURRENT if set(entry.networks) == set(expected) else f"{CURRENT}, for other networks,"
