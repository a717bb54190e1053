# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a start of a WireGuard interface brings up, as its files say it, and where that is not what runs. PRIVATE.

The record is the main file of a backend with the other files from which peers are loaded. What is stored is
acknowledged only as far as the record and the running interface both have it: then it holds after the next start.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._errors import NOTHING_CHANGED, VpnKeysError
from .. import files
from . import sections
from .runtime import Runtime
from .sections import PEER, STAGED, Block

MOST = 12
"""So many sentences of a kind are told."""
IN_CONFIG, IN_FILE, NOWHERE, HIDDEN = "in the configuration", "in a file", "nowhere", "hidden"


@dataclass(frozen=True)
class Place:
    """Where the own private key comes from at a start: a line of the file, another file, or (`how` says it) neither."""

    how: str
    path: str = ""


@dataclass(frozen=True)
class Unanalyzed:
    """Something that a start does to peers and this collection cannot follow. `what`: a clause that begins with the
    place of the line; `advice`: what to do. `keys`: the peers that it is about, none: any. `file`: where the line is,
    "" for the main file."""

    what: str
    advice: str
    keys: tuple[str, ...] = ()
    file: str = ""

    def about(self, keys: t.Container[str]) -> bool:
        """Whether it may be about a peer with these keys."""
        return not self.keys or any(key in keys for key in self.keys)


class Found(t.NamedTuple):
    """The main file for an interface. `line`: the number of the line that says so, 0 where its name does; `file`: where
    that line is, "" for the main file."""

    path: str
    line: int = 0
    file: str = ""


@dataclass(frozen=True)
class Backend:
    """What sets up a WireGuard interface. All that differs between backends is here, or behind one of these functions.

    `start`: the command that does it. `hidden`: what is said of its file where the own key cannot be analyzed, with the
    advice; `key_line`: the line that names a file for the own key. `there`: the main file for an interface, None where
    this backend does not set it up. `read` raises VpnKeysError(not_found, unreadable). `key_place`: where the own key
    comes from. `table`: the routing table in which a network of a peer gets its route, "" for the main one, "off" for
    no route. `in_the_way`: why there can be no second interface of that name, in sentences. `starts`: whether a boot
    sets the interface up by it. `group`: who, beside root, has to be able to read a new file with a secret.

    For a service that keeps what it has read: `load` lets it read the main file again, or says why not, a clause.
    `remembers`: whether it may add a removed peer of these blocks again; `forget` keeps it from that, and may end all
    sessions.
    """

    name: str
    start: str
    hidden: str
    key_line: str
    there: t.Callable[[str], Found | None]
    read: t.Callable[[str, str], Record]
    key_place: t.Callable[[t.Sequence[Block], str], Place]
    table: t.Callable[[t.Sequence[Block], str], str]
    in_the_way: t.Callable[[Record, str], list[str]]
    starts: t.Callable[[str], bool]
    group: str = ""
    load: t.Callable[[str], str] = lambda path: ""
    remembers: t.Callable[[t.Sequence[Block]], bool] = lambda blocks: False
    forget: t.Callable[[str], None] = lambda interface: None


@dataclass(frozen=True)
class Record:
    """`blocks`: of the main file, then of the others. `texts`: of each file, by the `file` of its blocks; they hold
    secrets. `unanalyzed`: why a start may bring up other peers than the blocks say. `fixed`: the paths that are not
    changed, each with the reason, a clause."""

    backend: Backend = field(repr=False)
    interface: str
    path: str
    texts: t.Mapping[str, str] = field(repr=False)
    blocks: list[Block]
    unanalyzed: tuple[Unanalyzed, ...] = ()
    saves: str = ""
    """The clause that begins with the file that says so, "" where nothing is saved."""
    key: str = ""
    """What sets the own key at a start, where that cannot be analyzed."""
    fixed: t.Mapping[str, str] = field(default_factory=dict)

    @property
    def main(self) -> list[Block]:
        """The blocks of the main file."""
        return [block for block in self.blocks if not block.file]

    @property
    def paths(self) -> list[str]:
        return [file or self.path for file in self.texts]

    def write(self, blocks: t.Sequence[Block], before: t.Mapping[str, str]) -> dict[str, str]:
        """Write the files that have to change from what they were `before`. Returns what they hold now."""
        now = {
            file: before[file] if (file or self.path) in self.fixed else sections.render(blocks, file)
            for file in self.texts
        }
        for file, text in now.items():
            if text != before[file]:
                files.write(file or self.path, text)
        return now

    def table(self, network: str, blocks: t.Sequence[Block]) -> str:
        """The routing table for a network of these blocks."""
        return self.backend.table(blocks, network)

    # ---- the own key

    @property
    def place(self) -> Place:
        return self.backend.key_place(self.blocks, self.interface)

    def secret(self) -> str:
        """The own private key that a start of the interface brings up, "" where there is none."""
        place = self.place
        if place.how == IN_FILE:
            return (files.read(place.path) or "").strip()
        return sections.private_key(self.blocks) if place.how == IN_CONFIG else ""

    def write_secret(self, secret: str) -> None:
        """Let a start of the interface bring up this private key."""
        place = self.place
        if place.how == HIDDEN:
            raise VpnKeysError("refused", f"{self.path} {self.backend.hidden}", state=NOTHING_CHANGED)
        if place.how == IN_FILE:
            self._refuse_fixed([place.path])
            files.write(place.path, secret + "\n", group=self.backend.group)
            return
        blocks = sections.with_private_key(self.blocks, secret)
        changed = (file for file, text in self.texts.items() if sections.render(blocks, file) != text)
        self._refuse_fixed(file or self.path for file in changed)
        self.write(blocks, self.texts)
        self.tell()

    def tell(self) -> None:
        """Let the service read what is written, with the own key. Raises VpnKeysError(refused)."""
        why = self.backend.load(self.path)
        if why:
            raise VpnKeysError("refused", why, state=f"The key is in {self.path}")

    def _refuse_fixed(self, paths: t.Iterable[str]) -> None:
        for path in paths:
            if path in self.fixed:
                raise VpnKeysError("refused", f"{path} {self.fixed[path]}", state=NOTHING_CHANGED)

    # ---- what holds

    def why_not_lasting(self, keys: t.Container[str]) -> Unanalyzed | None:
        """What may undo at the next start what is stored of a peer with these keys."""
        return next((one for one in self.unanalyzed if one.about(keys)), None)

    def sentences(self) -> list[str]:
        """What a start does to any peer, whatever the record says."""
        return few([self.sentence(one) for one in self.unanalyzed if not one.keys])

    def sentence(self, one: Unanalyzed) -> str:
        ends = "so what is stored here would be lost at the next start"
        return f"{one.file or self.path}, {one.what}, {ends}; {one.advice}."


# ---- beside what runs


def differences(record: Record, runtime: Runtime | None) -> list[str]:
    """What the next start would change for peers that are in the record and run, in sentences. Without any secret."""
    found = [record.sentence(one) for one in record.unanalyzed]
    if runtime:
        staging = any(block.kind == STAGED for block in record.blocks)
        owners = sections.owners(record.blocks)
        for block in record.blocks:
            key = sections.public_key(block).text if block.kind == PEER else ""
            peer = runtime.peers.get(key)
            if peer and peer.psk != sections.preshared_key(block):
                found.append(
                    f"The peer {key} runs with another preshared key than {block.file or record.path} gives it; "
                    f"after its next start, {record.interface} uses the one in the file."
                )
            expected = {net for net in sections.networks(block) if owners.get(net) == key} if peer else set()
            if peer and not staging and set(peer.networks) != expected:
                found.append(
                    f"The peer {key} runs with other networks than {block.file or record.path} gives it; "
                    f"after its next start, {record.interface} uses those in the file."
                )
    return few(found)


def few(sentences: t.Sequence[str]) -> list[str]:
    more = [f"And {len(sentences) - MOST} more."] if len(sentences) > MOST else []
    return [*sentences[:MOST], *more]
