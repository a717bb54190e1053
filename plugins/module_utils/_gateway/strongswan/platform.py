# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""strongSwan with swanctl and raw public keys, as a platform. PRIVATE to the collection.

Which private key charon uses is decided by the public key file that local.pubkeys names. So a key comes into use when
that file is replaced, at a moment when both private keys can be loaded; then the old private key goes.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace

from ... import _public_key
from ..._errors import LEFT_OUT, NOTHING_CHANGED, VpnKeysError
from ..._fingerprint import short
from ..._public_key import PublicKey
from .. import files
from ..platform import Observation, OwnKey, PeerChange, WantedPeer
from ..state import ROOT, State
from . import bridge as swan_bridge
from . import peers as swan_peers
from . import sessions, swanctl
from . import site as swan_site
from . import store as swan_store
from .config import BRIDGE, Bridge, Connection, overlay
from .runtime import View, note_load, recall, remember
from .site import NEXT, Own, Site
from .store import PUBLIC


class StrongSwan:
    """The charon of this host. `identity`: the IKE identity whose key is meant; "": that of all connections."""

    name = "strongswan"

    def __init__(self, identity: str = "", directory: str = "/etc/swanctl", state_root: str = ROOT) -> None:
        self.identity = identity
        self.directory = directory
        self._state = State(self.name, state_root)

    @property
    def state(self) -> State:
        return self._state

    def observe(self) -> Observation:
        site = self._site()
        own = swan_site.own(site)
        view = View(site, self._state)
        runtime = view.own(own)
        return Observation(
            OwnKey(own.key if own.copies else None, runtime),
            self._key(self._state.pending),
            self._key(self._state.previous),
            tuple(view.stored()),
            tuple(view.tunnels(runtime)),
            tuple(swan_peers.blocked(view)),
        )

    def obstacles(self, writing: bool) -> list[str]:
        try:
            complaint = swanctl.answers() or swanctl.why_no_pki()
            if complaint:
                return [complaint]
            site = self._site()
        except VpnKeysError as error:
            return [str(error)]
        found = [swan_site.why_not_own(site) or self._why_not_pair(site), swan_site.why_not_overlaid(site)]
        found.append(_why_not_loaded(site))
        if writing:
            below = [os.path.join(self.directory, name) for name in ("pubkey", "private", "conf.d")]
            reasons = [files.why_not_writable(place) for place in (*below, self._state.path)]
            found += [f"{reason}." for reason in dict.fromkeys(reasons) if reason]
        return [sentence for sentence in found if sentence]

    def prove(self, key: PublicKey, challenge: str) -> str:
        """What the platform protocol says."""
        for path in (self._state.pending, *self._own().copies):
            if self._key(path) == key:
                return swanctl.request(path, challenge)
        raise VpnKeysError(
            "not_found",
            f"The private key of {short(key.fingerprint)} is in no file that can be used without a passphrase or a "
            "token",
        )

    def generate(self, algorithm: str, bits: int) -> PublicKey:
        self._refuse_to_unload()
        own = self._own()
        if own.copies:
            raise VpnKeysError("refused", f"There is a private key for {own.file} already", state=NOTHING_CHANGED)
        if own.key and own.key in View(self._site(), self._state).usable():
            raise VpnKeysError("refused", _locked(own), state=NOTHING_CHANGED)
        self._refuse_to_make(algorithm, bits, None)
        private = swanctl.generate(algorithm, bits)
        key = swanctl.public_of_text(private)
        place = os.path.join(self.directory, "private", _free_name(self.directory, own.file))
        files.write(place, private)
        files.write(own.file, _public_key.pem(key), PUBLIC)
        # charon does not start where a key file is missing; once it starts, it loads the new one.
        if not swanctl.answers():
            self._load(key)
        return key

    def stage(self, algorithm: str, bits: int) -> PublicKey:
        own, key = self._own().key, self._key(self._state.pending)
        self._refuse_to_make(algorithm, bits, own)
        fits = key is not None and key.algorithm == algorithm and (algorithm != "rsa" or key.bits == bits)
        # In use but not persisted: a rotation that was cut off goes on with it.
        if key is None or not (fits or key == own):
            self._state.write(self._state.pending, swanctl.generate(algorithm, bits))
            key = self._key(self._state.pending)
        if key is None:
            raise VpnKeysError(
                "generate_failed", "The new key cannot be read back", state="The one in use was not changed"
            )
        return key

    def activate(self, awaited: bool = True) -> None:
        self._refuse_to_unload()
        pending, own = self._key(self._state.pending), self._own()
        if pending is None:
            raise VpnKeysError("not_found", "There is no new key to activate", state=NOTHING_CHANGED)
        if not own.copies:
            raise VpnKeysError("not_found", f"No private key belongs to {own.file}", state=NOTHING_CHANGED)
        if own.key != pending:
            self._keep(self._previous_public, own.file)
            self._keep(self._state.previous, own.copies[0])
        self._place(own, self._text(self._state.pending), _public_key.pem(pending))
        self._use(pending)

    def deactivate(self) -> None:
        pending, own = self._key(self._state.pending), self._own()
        if own.key != pending:
            self._tidy(own)
            self._load()
            return
        self._go_back(own)

    def persist(self) -> None:
        pending = self._key(self._state.pending)
        if pending is not None and pending != self._own().key:
            raise VpnKeysError("refused", "The new key is not in use, so it cannot be confirmed.")
        files.remove(self._state.pending)

    def discard_previous(self) -> None:
        files.remove(self._state.previous)
        files.remove(self._previous_public)

    def restore(self) -> None:
        own, previous = self._own(), self._key(self._state.previous)
        if previous is not None and previous != own.key:
            self._go_back(own)
        elif previous is not None or self._key(self._state.pending) is not None:
            self._tidy(own)
            self._load()
        files.remove(self._state.pending)
        self.discard_previous()

    def store(self, wanted: t.Sequence[WantedPeer], follow: float, write: bool) -> list[PeerChange]:
        view = self._view()
        found = swan_peers.find_all(view, wanted)
        predicted = [(one.peer, swan_peers.change(view, one)) for one in found]
        changes = [change for dummy, change in predicted]
        peers = [peer for peer, change in predicted if change.changed]
        gone = [peer for peer in peers if peer.current is None]
        living = [peer for peer in peers if peer.current]
        unloaded = _why_not_loaded(view.site) if view.charon and peers else ""
        failed = {peer.name: f"Peer {peer.name}: {unloaded} {LEFT_OUT}." for peer in living if unloaded}
        if write and unloaded:
            self._forget(gone, view)
        elif write:
            # First, and by a load of their own: what is wrong with another peer's key must not undo a withdrawal.
            failed = {**self._store(gone, view), **self._store(living, None if gone else view)}
        if write:
            self._settle(view)
        changes = [
            PeerChange(change.name, False, (), (), failed[change.name]) if change.name in failed else change
            for change in changes
        ]
        still = {peer.name: _why_still_accepted(view, peer) for peer in wanted if peer.current is None}
        return [
            replace(change, refused=still[change.name]) if still.get(change.name) and not change.refused else change
            for change in changes
        ]

    def _forget(self, peers: t.Sequence[WantedPeer], view: View) -> None:
        """Withdraw these peers where nothing can be loaded: the files say so for the next start, and charon loses their
        connections at once."""
        to_store = [(one.peer, one.entry) for one in swan_peers.find_all(view, peers) if one.entry]
        names = {item.name for dummy, entry in to_store for item in entry.connections} & view.loaded.keys()

        def unload() -> None:
            swanctl.unload(sorted(names))
            if view.fresh:
                note_load(self._state, self._site(), None)

        if to_store:
            swan_store.apply(self._state, view, to_store, unload, self._site)

    def _store(self, peers: t.Sequence[WantedPeer], view: View | None = None) -> dict[str, str]:
        """Store the keys of these peers by one load; where charon refuses it, of each half for itself. Returns why."""
        if not peers:
            return {}
        view = view or self._view()
        pending = [(one.peer, one.entry) for one in swan_peers.find_all(view, peers) if one.entry]
        try:
            swan_store.apply(self._state, view, pending, self._load, self._site)
        except VpnKeysError as error:
            if error.code != "refused":
                raise
            self._load()  # raises where it is not these keys that charon refuses
            if len(peers) == 1:
                return {peers[0].name: str(error.about(f"Peer {peers[0].name}", state=LEFT_OUT))}
            middle = len(peers) // 2
            return {**self._store(peers[:middle]), **self._store(peers[middle:])}
        return {}

    def _view(self) -> View:
        return View(self._site(), self._state)

    @property
    def _previous_public(self) -> str:
        return self._state.file("previous.pub")

    def _site(self) -> Site:
        return swan_site.read(self.directory, self.identity)

    def _own(self) -> Own:
        return swan_site.own(self._site())

    def _key(self, path: str) -> PublicKey | None:
        return swanctl.public_of(path) if os.path.exists(path) else None

    def _text(self, path: str) -> str:
        text = files.read(path)
        if text is None:
            raise VpnKeysError(
                "not_found", f"{path} does not exist any more", advice="Run the rotation again, or abort it"
            )
        return text

    def _refuse_to_unload(self) -> None:
        """Raises VpnKeysError(blocked) where loading would take away what somebody else gave to charon."""
        reason = "" if swanctl.answers() else _why_not_loaded(self._site())
        if reason:
            raise VpnKeysError("blocked", reason, state=NOTHING_CHANGED)

    def _refuse_to_make(self, algorithm: str, bits: int, now: PublicKey | None) -> None:
        """Raises VpnKeysError(blocked) where the connections would not work with such a key."""
        reason = swan_site.why_not_accepted(self._site(), algorithm, bits, now)
        if reason:
            raise VpnKeysError("blocked", reason, state=NOTHING_CHANGED)

    def _load(self, own: PublicKey | None = None) -> None:
        swanctl.load()
        note_load(self._state, self._site(), own)

    def _keep(self, path: str, original: str) -> None:
        self._state.write(path, self._text(original))

    def _place(self, own: Own, private: str, public: str) -> None:
        """Replace the pair. At every instant there is a private key for what the public key file holds."""
        if own.private is None:
            raise VpnKeysError("not_found", f"No private key belongs to {own.file}", state=NOTHING_CHANGED)
        files.write(own.private + NEXT, private)
        site = self._site()
        bridged = swan_bridge.needed(site.connections)
        if bridged:
            files.write(own.file + NEXT, public, PUBLIC)
            swan_bridge.build(site, {item.name: _bridge(item) for item in bridged})
        files.write(own.file, public, PUBLIC)
        files.write(own.private, private)
        self._tidy(own)

    def _tidy(self, own: Own) -> None:
        """Remove what is needed only while the pair is replaced, or was left by a kill in the middle of it."""
        swan_bridge.write_overlay(self.directory, overlay(swan_bridge.accepted(self._site()), {}))
        for path in (own.private, own.file):
            if path:
                files.remove(path + NEXT)
                files.remove_unfinished(path)
                files.remove_unfinished(path + NEXT)

    def _go_back(self, own: Own) -> None:
        previous = self._key(self._state.previous)
        if previous is None:
            raise VpnKeysError("not_found", "The previous key does not exist any more, so it cannot be restored.")
        self._place(own, self._text(self._state.previous), self._text(self._previous_public))
        self._use(previous)

    def _use(self, key: PublicKey) -> None:
        """Load the pair, prove that charon has no other one, and renew the IKE_SAs."""
        self._load(key)
        site = self._site()
        view = View(site, self._state)
        if view.own(swan_site.own(site)) != key or len(view.usable()) > 1:
            raise VpnKeysError(
                "refused",
                f"charon has the key {short(key.fingerprint)}, but another private key of this identity as well.",
            )
        swan_bridge.leave()
        self._settle(view)

    def _settle(self, view: View) -> None:
        """Renew what still runs with the own key before; done again whenever keys are stored, until nothing is left."""
        left = [item for item in view.site.connections if item.name in view.memory.keeping]
        if left:
            kept = sessions.renew(left)
            memory = recall(self._state)
            memory.keeping = kept
            remember(self._state, memory)

    def _why_not_pair(self, site: Site) -> str:
        own = swan_site.own(site)
        lasting = [path for path in own.copies if not path.endswith(NEXT)]
        if len(lasting) > 1:
            return f"Its own private key is in several files ({', '.join(lasting)}); keep one of them."
        if own.key is None and os.path.exists(own.file):
            return f"{own.file} holds no public key that can be read."
        if own.key and not own.copies and own.key in View(site, self._state).usable():
            return _locked(own)
        return ""


def _bridge(connection: Connection) -> Bridge:
    keys = (connection.local.keys[0] + NEXT,)
    return Bridge(connection.local.section, keys, tuple(child.name for child in connection.children))


def _locked(own: Own) -> str:
    return f"charon has the private key of {own.file}, but no file has it without a passphrase or a token."


def _why_not_loaded(site: Site) -> str:
    """Loading unloads whatever is not in the files."""
    strange = [item.name for item in _strange(swanctl.loaded(), site)]
    if not strange:
        return ""
    return f"charon has connections that are not in swanctl.conf ({', '.join(strange)}); loading would remove them."


def _strange(loaded: t.Iterable[swanctl.Loaded], site: Site) -> list[swanctl.Loaded]:
    """What somebody else gave to charon."""
    found = (item for item in loaded if item.name not in site.plain and not item.name.endswith(BRIDGE))
    return sorted(found, key=lambda item: item.name)


def _why_still_accepted(view: View, peer: WantedPeer) -> str:
    """Why a withdrawal is not acknowledged, although it is carried out in everything that is ours, or ""."""
    names = [
        item.name
        for item in _strange(view.loaded.values(), view.site)
        if any(not identity or swan_site.same_id(identity, peer.identity) for identity in item.identities)
    ]
    if not names:
        return ""
    error = VpnKeysError(
        "blocked",
        f"charon has connections that are not in swanctl.conf ({', '.join(names)}) and may still accept its key",
        state="Those of swanctl.conf do not accept it any more",
        advice="remove them, or write them into swanctl.conf",
    )
    return str(error.about(f"Peer {peer.name}"))


def _free_name(directory: str, public: str) -> str:
    """A name for a private key that no file has, like that of its public key."""
    stem, number = os.path.splitext(os.path.basename(public))[0], 0
    while os.path.exists(os.path.join(directory, "private", name := f"{stem}{f'.{number}' if number else ''}.key")):
        number += 1
    return name
