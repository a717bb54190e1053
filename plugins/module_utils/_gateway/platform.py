# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a VPN daemon must be able to do for its keys to be looked after: the one protocol. PRIVATE to the collection.

A gateway has its own private key, and stores the public keys of its peers. A change of the own key goes

    stage -> activate -> persist -> discard_previous

and can be turned round by `deactivate` until `persist`, by `restore` until `discard_previous`. Each step may be
repeated after a kill at any instant: at every instant the gateway holds a whole key that works.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._public_key import PublicKey

CURRENT, STAGED, WITHDRAWN = "current", "staged", "withdrawn"


@dataclass(frozen=True)
class OwnKey:
    """The gateway's own key, as the file and as the running daemon have it; None where there is none."""

    file: PublicKey | None
    runtime: PublicKey | None


@dataclass(frozen=True)
class StoredKey:
    """One key that is stored for a peer. `peer` is the identity the configuration gives it, "" where it gives none.

    `file` and `runtime` are its role there: current (traffic flows by it), staged (accepted, carries no traffic yet),
    withdrawn (kept as a comment, accepted no more) or None (not there).
    """

    peer: str
    key: PublicKey
    file: str | None
    runtime: str | None


@dataclass(frozen=True)
class Tunnel:
    """A live tunnel. `with_own` and `with_peer` are the keys that provably authenticated it, None where unknown.

    `peer`: as in StoredKey. `age`: seconds since it was authenticated. `proof`: one clause for people. `by`: the latest
    moment at which that can have been, in Unix seconds: some daemons tell whole seconds only.
    """

    peer: str
    with_own: PublicKey | None
    with_peer: PublicKey | None
    age: float
    proof: str
    by: float


@dataclass(frozen=True)
class Blocked:
    """A peer whose keys cannot be stored here so that they hold, and why: a sentence. `peer`: as in StoredKey; `key`:
    one by which it is known, where there is one."""

    peer: str
    key: PublicKey | None
    why: str


@dataclass(frozen=True)
class Observation:
    """Everything a gateway knows about keys, without any secret. `at_restart`: what the next start of the daemon would
    change for its peers, in sentences. `backend`: what starts it, "" where that is always the same."""

    own: OwnKey
    pending: PublicKey | None
    previous: PublicKey | None
    stored: tuple[StoredKey, ...]
    tunnels: tuple[Tunnel, ...]
    blocked: tuple[Blocked, ...] = ()
    at_restart: tuple[str, ...] = ()
    backend: str = ""


@dataclass(frozen=True)
class WantedPeer:
    """What shall be stored for one peer. `known`: all keys it ever had, by which its entry is found.

    `current` None: withdraw whatever is stored. `staged`: accepted beside the current one. `endpoint` (host:port or
    host) and `networks` allow to write an entry where there is none yet; without them such a peer is no neighbor.
    """

    name: str
    identity: str
    current: PublicKey | None
    staged: PublicKey | None
    known: tuple[PublicKey, ...]
    endpoint: str = ""
    networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class PeerChange:
    """What storing (or, in check mode, predicting) did for one peer.

    `before` and `after` are the stored keys as "current FINGERPRINT" and the like, the file's first, for the diff;
    `neighbor` is False where this gateway has no tunnel to that peer. `refused`: why the peer was left out, or why
    what was done for it does not hold, in sentences, or "".
    """

    name: str
    neighbor: bool
    before: tuple[str, ...]
    after: tuple[str, ...]
    refused: str = ""

    @property
    def changed(self) -> bool:
        return self.before != self.after


class Platform(t.Protocol):
    """A VPN daemon on this host. Every method raises VpnKeysError with one sentence."""

    def observe(self) -> Observation:
        """Read files and the running daemon."""

    def obstacles(self, writing: bool) -> list[str]:
        """Why a change of keys could not be carried out here, one sentence each; `writing` tries the file systems."""

    def prove(self, key: PublicKey, challenge: str) -> str:
        """What only who has the private half of this key can answer: for WireGuard what `_possession` says, for
        strongSwan a certificate request for the challenge as a name. Raises VpnKeysError(not_found) without it."""

    def generate(self, algorithm: str, bits: int) -> PublicKey:
        """Make and load the first own key. Only where there is none."""

    def stage(self, algorithm: str, bits: int) -> PublicKey:
        """Make the next own key and keep it pending beside the one in use; a pending one is used again."""

    def activate(self, awaited: bool = True) -> None:
        """Put the pending key into use, with as little silence as can be; the old one is kept as the previous.

        `awaited` False: no peer may accept it yet, so none is waited for.
        """

    def deactivate(self) -> None:
        """Put the previous key back into use; the pending one stays pending."""

    def persist(self) -> None:
        """Make the key in use the one that a restart of the daemon brings up, too. No key is pending any more."""

    def discard_previous(self) -> None:
        """Destroy the previous key. The last step, which nothing can undo."""

    def restore(self) -> None:
        """Put the previous key back into use and into the files, and destroy the one that replaced it."""

    def store(self, wanted: t.Sequence[WantedPeer], follow: float, write: bool) -> list[PeerChange]:
        """Store the keys of these peers, in files and in the running daemon; nobody else's entries are touched.

        No two of them share a key, and no two that are live a name. What is wrong with one of them stops none of the
        others; nothing that the daemon refuses of others stops a withdrawal.

        `follow`: for how many seconds a peer's traffic moves by itself to whichever of its two stored keys it uses.
        `write` False: only predict.
        """
