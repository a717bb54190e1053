# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the new key of a gateway carries its tunnels. Pure. PRIVATE to the collection.

Only the gateway itself and the acknowledgements in the directory say so: one peer that lies, or refuses, cannot undo
the change of another one's key.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from .._errors import NOTHING_REPORTED, VpnKeysError, clause, sentence
from . import stored
from .barrier import SEVERAL
from .findings import listed
from .model import EMERGENCY, Directory, Gateway
from .observed import Observation, Observations, Tunnel, absent

MEASURED = "interruption measured"
"""The event that says how long a change of keys took until the tunnels used the new one."""
FRESH = 110.0
"""Seconds after which WireGuard may have shaken hands once more: what is seen then is not the first time."""


@dataclass(frozen=True)
class Proof:
    """Of one target. Its tunnels by peer: proved to use the new key; not, although the peer has the key; and with peers
    that do not have it yet. `measured`: an event for the directory."""

    verified: bool
    problem: str
    proven: Sequence[str]
    unproven: Sequence[str]
    not_stored: Sequence[str]
    measured: dict[str, t.Any] | None

    def to_result(self) -> dict[str, t.Any]:
        return asdict(self)

    @property
    def nothing_to_prove(self) -> bool:
        """Whether no tunnel was up before, so that none tells whether the new key works."""
        return self.verified and not (self.proven or self.unproven or self.not_stored)

    @classmethod
    def from_result(cls, result: t.Any) -> Proof:
        """Raises VpnKeysError(bad_input) for any other value."""
        try:
            return cls(**result)
        except TypeError:
            raise VpnKeysError("bad_input", "O(proof) must be that of gateway_verify", state=NOTHING_REPORTED) from None


def verify(
    directory: Directory,
    before: Observations,
    after: Observations,
    targets: Iterable[str],
    minimum_share: int,
    fetching: t.Collection[str] = (),
) -> dict[str, Proof]:
    """For each target: whether its new key carries at least that share (per cent) of the tunnels that it saw before.
    `fetching`: peers that have had the time to fetch the key. Whether they have it their tunnels tell, or an answer;
    time alone is not enough for the old key to be destroyed."""
    return {
        name: _proof(
            directory,
            directory.gateways[name],
            before.get(name) or absent(name),
            after.get(name) or absent(name),
            minimum_share,
            fetching,
        )
        for name in targets
        if name in directory.gateways
    }


def _proof(
    directory: Directory,
    one: Gateway,
    before: Observation,
    after: Observation,
    minimum_share: int,
    fetching: t.Collection[str],
) -> Proof:
    emergency = bool(one.rotation and one.rotation.mode == EMERGENCY)
    new = one.rotation.new[1] if one.rotation and one.rotation.new else one.fingerprint
    carrying = _carrying(directory, one, after.tunnels, new)
    expected = peers_with_tunnels(directory, one, before.tunnels)
    if emergency and not expected:
        # With the old key revoked there is nothing to see before: whom it knows tells whom it should see.
        expected = set(stored.read(directory, after).of)
    proven: list[str] = []
    unproven: list[str] = []
    not_stored: list[str] = []
    for peer in sorted(expected):
        known = peer in fetching or not directory.pending.is_pending(peer, one.name)
        (proven if peer in carrying else unproven if known else not_stored).append(peer)
    problem = _does_not_use(one, after, new, bool(carrying))
    if not problem and not emergency:
        problem = _too_few(one.name, proven, unproven, minimum_share)
    if not problem and not emergency:
        problem = _by_time_alone(directory, one, carrying, fetching)
    measured = None if problem or emergency else _measured(one, after, carrying, [*proven, *not_stored])
    return Proof(not problem, problem, proven, unproven, not_stored, measured)


def peers_with_tunnels(directory: Directory, one: Gateway, tunnels: Iterable[Tunnel]) -> set[str]:
    """The peers in use to which the gateway has one of these tunnels."""
    owners = (directory.owner(tunnel.peer, tunnel.with_peer) for tunnel in tunnels)
    return {
        owner
        for owner in owners
        if owner and directory.are_peers(one.name, owner) and not directory.gateways[owner].gone
    }


def _carrying(
    directory: Directory, one: Gateway, tunnels: Iterable[Tunnel], new: str | None
) -> dict[str, list[Tunnel]]:
    """The tunnels that the new key provably authenticated, by peer."""
    found: dict[str, list[Tunnel]] = {}
    for tunnel in tunnels:
        for peer in peers_with_tunnels(directory, one, [tunnel]) if tunnel.with_own == new else ():
            found.setdefault(peer, []).append(tunnel)
    return found


def _does_not_use(one: Gateway, after: Observation, new: str | None, proven: bool) -> str:
    """A strongSwan that has both keys does not tell which of them it uses; then its tunnels have to."""
    if not after.seen:
        return f"{one.name} could not be observed after the change ({clause(after.why)})."
    if after.own_runtime == new or (after.own_runtime is None and proven):
        return ""
    why = (after.change.error if after.change else "") or "the gateway rolled back to the old key"
    return f"{one.name} does not use its new key: {sentence(why)}"


def _too_few(name: str, proven: Sequence[str], unproven: Sequence[str], minimum_share: int) -> str:
    number = len(proven) + len(unproven)
    if not number or (proven and 100 * len(proven) >= minimum_share * number):
        return ""
    return (
        f"{name} has no tunnel with its new key to {listed(unproven)}, where one was up before: {len(proven)} of "
        f"{number} are proved, and {minimum_share} % are needed."
    )


def _by_time_alone(
    directory: Directory, one: Gateway, carrying: t.Container[str], fetching: t.Iterable[str]
) -> str:
    """Several peers that fetch have to show that the new key arrives, for one could lie; of two, one, as the other one
    may be off."""
    peers = [peer for peer in fetching if peer in directory.in_use and directory.are_peers(one.name, peer)]
    silent = [peer for peer in peers if peer not in carrying and directory.pending.is_pending(peer, one.name)]
    needed = min(SEVERAL, max(1, len(peers) - 1))
    if not silent or len(peers) - len(silent) >= needed:
        return ""
    return (
        f"Of the peers of {one.name} that fetch, {len(peers) - len(silent)} showed by an answer or a tunnel that they "
        f"have its new key, and {needed} are needed; nothing is known of {listed(silent)}."
    )


def _measured(
    one: Gateway, after: Observation, carrying: dict[str, list[Tunnel]], peers: Sequence[str]
) -> dict[str, t.Any] | None:
    """The time from the change of the key until the last of the tunnels used the new one, by the clock of the gateway
    alone. None where that cannot be told.

    It is never shorter than the silence was: the change begins before the old key goes, and of each tunnel the latest
    moment counts at which it can have been authenticated.
    """
    began = after.change.began if after.change else 0
    seen = {
        peer: tunnel.by - began for peer in peers for tunnel in (carrying.get(peer, ()) if began else ())
    }
    if not one.rotation or not seen or not 0 <= min(seen.values()) <= max(seen.values()) < FRESH:
        return None
    details = {
        "rotation": one.rotation.id,
        "seconds": round(max(seen.values()), 3),
        "tunnels": len(seen),
        "missing": len(peers) - len(seen),
    }
    return {"what": MEASURED, "gateway": one.name, "outcome": "done", "details": details}
