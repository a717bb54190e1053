# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One fetch: what was published is verified, and what is new of it stored as a playbook would. PRIVATE to the
collection; standard library only.

Whatever goes wrong, tunnels stay as they are, and no key is stored that the directory has not signed, or signed before
something that this gateway knows already.
"""

from __future__ import annotations

import time
import typing as t

from .._errors import NOTHING_CHANGED, VpnKeysError, sentence
from .._gateway import peer_store, wanted
from .._gateway.managed import Managed
from .._gateway.state import ACTIVATING, ACTIVE
from .._public_key import PublicKey, parse
from .._publishing import entries, publication, tree
from .._publishing.publication import Publication
from . import memory
from .config import Config
from .memory import Seen
from .source import Source

CLOCKS = 300
"""Seconds by which two clocks may differ."""
CHECKPOINT = "checkpoint"


class Fetch:
    """One fetch of one gateway. `seen`: what it knows; it is kept whenever it knows more."""

    def __init__(self, config: Config, source: Source, gateway: Managed, place: str = memory.PLACE) -> None:
        self.config, self.source, self.gateway, self.place = config, source, gateway, place
        self.now = int(time.time())
        before = memory.read(place)
        self.seen = before if before and before.origin == config.origin else Seen(origin=config.origin)

    def download(self) -> list[entries.Entry] | None:
        """The newest publication, verified; None where all of it is stored. Raises VpnKeysError."""
        one, signed, etag = self._newest()
        self._check(one)
        memory.keep_file(CHECKPOINT, signed, self.place)
        self._remember(one, etag)
        return None if self.seen.stored and not self.seen.pending else self._entries(one)

    def _newest(self) -> t.Tuple[Publication, bytes, str]:  # noqa: UP006, read as Python 3.8
        kept = memory.kept(CHECKPOINT, self.place) or b""
        before = self._opened(kept) if self.seen.etag else None
        answer = self.source.get(CHECKPOINT, publication.LONGEST, self.seen.etag if before else "")
        if answer.data is None and before:
            return before, kept, self.seen.etag
        one = self._opened(answer.data or b"")
        if one is None:
            raise _tampered("The checkpoint is not signed by the key of the directory")
        return one, answer.data or b"", answer.etag

    def _opened(self, signed: bytes) -> Publication | None:
        return publication.opened(signed, self.config.origin, self.config.public)

    def _check(self, one: Publication) -> None:
        """Signed is not enough: it must be good now, and not older than what was believed before."""
        seen, least = self.seen, max(self.seen.number, self.config.number)
        if one.number < least:
            raise _tampered(f"The server has publication {one.number}, but publication {least} was published before")
        same = (one.root.hex(), one.directory.hex()) == (seen.root, seen.directory)
        if one.number == seen.number and not same:
            raise _tampered(f"There are two different publications with the number {one.number}")
        if one.time > self.now + CLOCKS:
            raise _not_now("The checkpoint was signed in the future", "check the clock of this gateway")
        if one.expires <= self.now:
            advice = "publish again, and check the clock of this gateway"
            raise _not_now("The checkpoint has expired", advice)

    def _remember(self, one: Publication, etag: str) -> None:
        """Nothing older is believed from now on, whether all of this one arrives or not."""
        same = (one.root.hex(), one.revision) == (self.seen.root, self.seen.revision)
        self.seen = self.seen._replace(
            number=one.number,
            root=one.root.hex(),
            directory=one.directory.hex(),
            revision=one.revision,
            time=one.time,
            expires=one.expires,
            stored=self.seen.stored and same,
            etag=etag,
        )
        memory.keep(self.seen, self.place)

    def _entries(self, one: Publication) -> list[entries.Entry]:
        found: list[entries.Entry] = []
        used = {CHECKPOINT}
        try:
            parts = tree.top(one.root, one.size)
            while parts:
                part = parts.pop()
                used.add(part.name)
                parts += self._below(part, found)
        except ValueError as error:
            raise _tampered(f"The publication cannot be read: {error}") from None
        memory.keep_only(used, self.place)
        names = [entry["name"] for entry in found]
        if len(set(names)) != len(names):
            raise _tampered("The publication names a gateway twice")
        return sorted(found, key=lambda entry: str(entry["name"]))

    def _below(self, part: tree.Part, found: list[entries.Entry]) -> list[tree.Part]:
        """What is below a file of the tree. One that is kept and has become another one is fetched again."""
        kept = memory.kept(part.name, self.place)
        if kept is not None:
            try:
                return _read(part, kept, found)
            except ValueError:
                pass
        data = self.source.get(f"files/{part.name}", part.longest).data or b""
        try:
            below = _read(part, data, found)
        except ValueError as error:
            raise _tampered(f"{part.name} cannot be trusted: {error}") from None
        memory.keep_file(part.name, data, self.place)
        return below

    # -- storing

    def store(self, found: t.Sequence[entries.Entry] | None) -> str:
        """What was done, in a sentence. Raises VpnKeysError where something could not be stored."""
        if found is None:
            return f"Nothing new: publication {self.seen.number} is stored."
        mine = self._mine(found)
        waits = self._why_not_now()
        if waits:
            return waits
        with peer_store.locked(self.gateway.name):
            if peer_store.read(self.gateway).revision > self.seen.revision:  # since it was looked at
                return _NEWER
            refusals, count = self._carry_out(mine)
        self.seen = self.seen._replace(stored=not refusals, pending=any(one["staged"] for one in mine))
        memory.keep(self.seen, self.place)
        if refusals:
            more = f" {len(refusals) - 1} more were excluded." if len(refusals) > 1 else ""
            raise VpnKeysError("refused", sentence(refusals[0].why) + more)
        return f"Publication {self.seen.number} is stored: {count} of {len(mine)} peers changed."

    def _mine(self, found: t.Sequence[entries.Entry]) -> list[entries.Entry]:
        """What this gateway has to store. Who is revoked is told nothing by a playbook either."""
        own = next((one for one in found if one["name"] == self.config.name), None)
        if own is None:
            raise VpnKeysError("blocked", "The publication does not name this gateway", state=NOTHING_CHANGED)
        if own["withdrawn"]:
            raise VpnKeysError("blocked", "The key of this gateway is revoked", state=NOTHING_CHANGED)
        platform = self.config.daemon["platform"]
        return [one for one in found if one["platform"] == platform and one is not own]

    def _why_not_now(self) -> str:
        heard, journal = peer_store.read(self.gateway), self.gateway.state.journal()
        if heard.revision > self.seen.revision:
            return _NEWER
        if self.now < heard.until <= self.now + peer_store.WAY_BACK:
            return "A peer may be rolling back to its old key, so nothing is stored now."
        if journal and journal.step in (ACTIVATING, ACTIVE) and self.now < journal.at + CLOCKS:
            return "This gateway is changing its own key, so nothing is stored now."
        return ""

    def _carry_out(self, mine: t.Sequence[entries.Entry]) -> t.Tuple[list[wanted.Refusal], int]:  # noqa: UP006
        follow = 2 * self.config.interval + 60 if any(one["staged"] for one in mine) else 0
        peers, refusals = wanted.sort_out(mine, _staged)
        changes = peer_store.store(self.gateway, peers, follow, write=True)
        refusals += [wanted.Refusal(one.name, one.refused) for one in changes if one.refused]
        return refusals, sum(one.changed for one in changes)

    # -- how it ended

    def end(self, msg: str, code: str = "") -> None:
        succeeded_at = self.seen.succeeded_at if code else self.now
        self.seen = self.seen._replace(code=code, msg=msg, at=self.now, succeeded_at=succeeded_at)
        memory.keep(self.seen, self.place)


_NEWER = "A playbook has stored newer keys than the published ones, so nothing is stored now."


def _staged(entry: t.Mapping[str, t.Any]) -> PublicKey | None:
    return parse(entry["staged"]) if entry["staged"] else None


def _read(part: tree.Part, data: bytes, found: list[entries.Entry]) -> list[tree.Part]:
    if part.height:
        return tree.below(part, data)
    found += [entries.read(line) for line in tree.lines_of(part, data)]
    return []


def _tampered(what: str) -> VpnKeysError:
    return VpnKeysError("tampered", what, state=NOTHING_CHANGED)


def _not_now(what: str, advice: str) -> VpnKeysError:
    return VpnKeysError("blocked", what, state=NOTHING_CHANGED, advice=advice)
