# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory as the fleet's engine knows it: parsed once, typed, indexed. Pure. PRIVATE to the collection.

Nothing in it takes time or space for each pair of gateways.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .. import _pending
from .._backends import protocol
from .._errors import NOTHING_REPORTED, VpnKeysError
from .._pending import Pending
from .._tampered import WHOLE

REVOKED, RETIRED = "revoked", "retired"
IN_USE = ("current", "staged")
EMERGENCY = "emergency"


@dataclass(frozen=True)
class Key:
    """A key of a gateway. `state`: staged, current, retired or revoked. `created_at`, `revoked_at`: ISO 8601."""

    serial: int
    fingerprint: str
    state: str
    public_key: str
    created_at: str | None
    algorithm: str
    revoked_at: str | None = None


@dataclass(frozen=True)
class Rotation:
    """The open rotation. `old` and `new`: (serial, fingerprint); there is no new one until it is made."""

    id: int
    mode: str
    strategy: str
    state: str
    old: tuple[int, str] | None
    new: tuple[int, str] | None
    begun_by: str
    begun_at: str


@dataclass(frozen=True)
class Gateway:
    """`keys`: newest first. `serial`, `fingerprint`, `created_at`: of the current key, None without one. `dropped`: the
    keys that no peer may accept any more, and since when; a rolled-back key that was never used is not among them.
    `rolled_back_at`: when its last rotation was, ISO 8601; None where that was not rolled back, or another one is open.
    `retired_at`: since when it is retired."""

    name: str
    platform: str
    algorithm: str
    identity: str
    revoked: bool
    revoked_at: str | None
    serial: int | None
    fingerprint: str | None
    created_at: str | None
    keys: tuple[Key, ...]
    rotation: Rotation | None
    dropped: Mapping[str, str | None] = field(default_factory=dict)
    rolled_back_at: str | None = None
    retired_at: str | None = None

    @property
    def retired(self) -> bool:
        """Not if it was revoked as lost since then."""
        return bool(self.retired_at) and not self.revoked

    @property
    def gone(self) -> bool:
        """Whether no peer may accept a key of it any more."""
        return self.revoked or self.retired

    @property
    def protocol(self) -> str:
        return protocol(self.platform)

    @property
    def state(self) -> str:
        """For people."""
        if self.gone:
            return REVOKED if self.revoked else RETIRED
        return f"rotation {self.rotation.state}" if self.rotation else "current"

    @property
    def expected(self) -> set[str]:
        """Fingerprints that the gateway may use now: two while a rotation is open."""
        rotation = self.rotation
        pairs = (rotation.old, rotation.new) if rotation else ()
        return {one for one in (self.fingerprint, *(pair[1] for pair in pairs if pair)) if one}

    @property
    def acceptable(self) -> set[str]:
        """Fingerprints of it that its peers may store now."""
        return set() if self.gone else self.expected - self.dropped.keys()


@dataclass(frozen=True)
class SigningKey:
    """A key of the directory itself. `since`, `retired_at`: ISO 8601; the one that signs now is not retired."""

    fingerprint: str
    since: str
    retired_at: str | None


@dataclass(frozen=True)
class Tampered:
    """A record that is not as the directory signed it. `what`: which kind of record; without a gateway it is what is
    wrong with the directory as a whole, and then nothing of it is known."""

    gateway: str | None
    serial: int | None
    what: str
    seen_by: Sequence[str] = ()

    @property
    def sentence(self) -> str:
        if self.gateway is None:
            seen = f" (seen by {', '.join(self.seen_by[:12])})" if self.seen_by else ""
            return f"It cannot be trusted: {WHOLE.get(self.what, self.what)}{seen}"
        return f"Its {self.what}{f' {self.serial}' if self.serial else ''} is not as the directory signed it"


@dataclass(frozen=True, eq=False)
class Directory:
    """`pending`: who has to store what yet; `undropped`: the part of it that may leave a revoked key accepted,
    `leaving` that about gateways that are retired, `waiting` the rest. `keys`: fingerprint to (gateway, key).
    `identities`: to the one gateway that has it. `claimed`: what a gateway says of it and cannot prove."""

    gateways: Mapping[str, Gateway]
    tampered: Sequence[Tampered]
    pending: Pending
    undropped: Pending
    leaving: Pending
    waiting: Pending
    keys: Mapping[str, tuple[str, Key]]
    identities: Mapping[str, str]
    by_protocol: Mapping[str, Sequence[str]]
    """The gateways in use."""
    alike: Mapping[str, frozenset[str]]
    """By protocol, revoked ones, too."""
    behind: Sequence[str]
    """The gateways that have to store anything yet."""
    dropped: frozenset[str]
    """The fingerprints of the keys that nobody may accept."""
    rank: Mapping[str, int]
    """Of each name in natural order."""
    owners: Mapping[str | None, str]
    """Of each fingerprint."""
    claimed: Mapping[str, str] = field(default_factory=dict)
    signing_keys: Sequence[SigningKey] = ()
    """The one that signs now first."""

    @classmethod
    def from_result(cls, result: t.Any) -> Directory:
        """From a result of key_directory or key_directory_info. Raises VpnKeysError(bad_input) for anything else."""
        try:
            parsed = _parse(result)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise VpnKeysError(
                "bad_input",
                "O(directory) must be a result of key_directory or key_directory_info",
                state=NOTHING_REPORTED,
            ) from None
        return replace(_indexed(*parsed[:3]), claimed=parsed[3], signing_keys=parsed[4])

    def owner(self, identity: str, fingerprint: str | None) -> str | None:
        """The gateway for which something is stored, or with which a tunnel is up: the one that the configuration names
        or else the one whose key it is."""
        if identity and identity in self.identities:
            return self.identities[identity]
        return self.owners.get(fingerprint)

    def peers_of(self, name: str) -> list[str]:
        """The gateways that may store keys of this one."""
        return [peer for peer in self.by_protocol.get(self.gateways[name].protocol, ()) if peer != name]

    def are_peers(self, name: str, other: str) -> bool:
        """Whether the first one, which is in use, may store keys of the other one."""
        ours, theirs = self.gateways[name], self.gateways[other]
        return name != other and not ours.gone and ours.protocol == theirs.protocol

    def peers_pending(self, name: str) -> list[str]:
        """The peers that have to store something of this gateway yet, by name."""
        return [peer for peer in self.behind if self.pending.is_pending(peer, name)]

    @property
    def trusted(self) -> bool:
        """Whether anything that it says can be."""
        return all(one.gateway is not None for one in self.tampered)

    @property
    def in_use(self) -> list[str]:
        return [name for name, one in self.gateways.items() if not one.gone]


def natural(name: str) -> list[tuple[int, str]]:
    """For sorting: gw2 before gw10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


# ------------------------------------------------------------------ reading

def _parse(result: t.Any) -> tuple[list[Gateway], list[Tampered], t.Any, dict[str, str], list[SigningKey]]:
    directory = result["directory"]
    history = list(result.get("rotations") or ())
    unused = {(_text(one["gateway"]), one["new_serial"]) for one in history if _never_used(one)}
    since = {
        (_text(one["gateway"]), one["old_serial"]): _text(one["begun_at"])
        for one in history
        if one["mode"] == EMERGENCY
    }
    # Newest first.
    last = {_text(one["gateway"]): one for one in reversed(history)}
    rolled_back = {name: _maybe(_text, one.get("ended_at")) for name, one in last.items() if _never_used(one)}
    gateways = [_gateway(one, unused, since, rolled_back) for one in directory["gateways"].values()]
    tampered = [
        Tampered(_maybe(_text, one["gateway"]), _maybe(int, one.get("serial")), _text(one["what"]), _names(one))
        for one in directory["tampered"]
    ]
    claimed = {_text(one["gateway"]): _text(one["why"]) for one in result.get("claimed") or ()}
    signing_keys = [
        SigningKey(_text(one["fingerprint"]), _text(one["since"]), _maybe(_text, one["retired_at"]))
        for one in directory.get("signing_keys") or ()
    ]
    return gateways, tampered, _marks(result["peers"], result["learned"]), claimed, signing_keys


def _names(one: Mapping[str, t.Any]) -> tuple[str, ...]:
    return tuple(map(_text, one.get("seen_by") or ()))


def _never_used(rotation: Mapping[str, t.Any]) -> bool:
    return bool(rotation["mode"] != EMERGENCY and rotation["state"] == "rolled_back")


@dataclass(frozen=True)
class _Marks:
    entries: Sequence[_pending.Entry]
    protocols: Mapping[str, str]
    learned: Mapping[str, _pending.Learned]

    def about(self, names: t.Container[str]) -> Pending:
        return Pending([one for one in self.entries if one.name in names], self.protocols, self.learned)


def _marks(peers: t.Any, learned: t.Any) -> _Marks:
    return _Marks(
        [
            _pending.Entry(_text(one["name"]), protocol(_text(one["platform"])), int(one["revision"]))
            for one in peers
            if _pending.is_stored(one)
        ],
        {_text(one["name"]): protocol(_text(one["platform"])) for one in peers},
        {
            _text(name): _pending.Learned(
                int(one["upto"]), frozenset(map(_text, one["also"])), frozenset(map(_text, one.get("missing") or ()))
            )
            for name, one in learned.items()
        },
    )


def _gateway(
    one: Mapping[str, t.Any],
    unused: t.Container[tuple[str, int]],
    since: Mapping[tuple[str, int], str],
    rolled_back: Mapping[str, str | None],
) -> Gateway:
    name, revoked_at = _text(one["name"]), _maybe(_text, one.get("revoked_at"))
    revoked = one["revoked"] is True
    keys = tuple(_key(key) for key in one["keys"])
    dropped = {
        key.fingerprint: key.revoked_at or revoked_at or since.get((name, key.serial))
        for key in keys
        if revoked or (key.state == REVOKED and (name, key.serial) not in unused)
    }
    return Gateway(
        name=name,
        platform=_text(one["platform"]),
        algorithm=_text(one["algorithm"]),
        identity=_maybe(_text, one["identity"]) or name,
        revoked=revoked,
        revoked_at=revoked_at,
        serial=_maybe(int, one["serial"]),
        fingerprint=_maybe(_text, one["fingerprint"]),
        created_at=_maybe(_text, one["created_at"]),
        keys=keys,
        rotation=_maybe(_rotation, one["rotation"]),
        dropped=dropped,
        rolled_back_at=None if one["rotation"] else rolled_back.get(name),
        retired_at=_maybe(_text, one.get("retired_at")),
    )


def _key(one: Mapping[str, t.Any]) -> Key:
    return Key(
        serial=int(one["serial"]),
        fingerprint=_text(one["fingerprint"]),
        state=_text(one["state"]),
        public_key=_text(one["public_key"]),
        created_at=_maybe(_text, one["created_at"]),
        algorithm=_text(one["algorithm"]),
        revoked_at=_maybe(_text, one.get("revoked_at")),
    )


def _rotation(one: Mapping[str, t.Any]) -> Rotation:
    def pair(key: Mapping[str, t.Any]) -> tuple[int, str]:
        return int(key["serial"]), _text(key["fingerprint"])

    texts = {name: _text(one[name]) for name in ("mode", "strategy", "state", "begun_by", "begun_at")}
    return Rotation(id=int(one["id"]), old=_maybe(pair, one["old"]), new=_maybe(pair, one["new"]), **texts)


def _text(value: t.Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


_Value = t.TypeVar("_Value")


def _maybe(reader: t.Callable[[t.Any], _Value], value: t.Any) -> _Value | None:
    return None if value is None else reader(value)


# ------------------------------------------------------------------ indexes


def _indexed(gateways: Sequence[Gateway], tampered: Sequence[Tampered], marks: _Marks) -> Directory:
    by_name = {one.name: one for one in sorted(gateways, key=lambda one: natural(one.name))}
    undropped = {name for name, one in by_name.items() if one.dropped}
    retired = {name for name, one in by_name.items() if one.retired} - undropped
    pending = marks.about(by_name)
    return Directory(
        gateways=by_name,
        tampered=tampered,
        pending=pending,
        undropped=marks.about(undropped),
        leaving=marks.about(retired),
        waiting=marks.about(by_name.keys() - undropped - retired),
        keys={key.fingerprint: (one.name, key) for one in by_name.values() for key in one.keys},
        identities=_unique((one.identity, one.name) for one in by_name.values()),
        by_protocol=_by_protocol(by_name.values()),
        alike=_alike(by_name.values()),
        dropped=frozenset(mark for one in by_name.values() for mark in one.dropped),
        rank={name: number for number, name in enumerate(by_name)},
        owners={key.fingerprint: one.name for one in by_name.values() for key in one.keys},
        behind=[name for name in by_name if pending.pending_of(name, 1)],
    )


def _by_protocol(gateways: Iterable[Gateway]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in gateways:
        if not one.gone:
            found.setdefault(one.protocol, []).append(one.name)
    return found


def _alike(gateways: Iterable[Gateway]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for one in gateways:
        found.setdefault(one.protocol, set()).add(one.name)
    return {shared: frozenset(names) for shared, names in found.items()}


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What two have says nothing about either."""
    found: dict[str, set[str]] = {}
    for mark, name in pairs:
        found.setdefault(mark, set()).add(name)
    return {mark: names.pop() for mark, names in found.items() if len(names) == 1}
