# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gateways have seen of a directory: the signed checkpoints that they keep. PRIVATE to the collection.

A gateway cannot sign one. So a note that bears the signature of the directory is evidence, whichever gateway shows it.
Anything else is a claim of that gateway about itself, and stops only that gateway.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .. import _checkpoint
from .._checkpoint import Checkpoint
from .._errors import NOTHING_CHANGED, VpnKeysError, sentence
from .._printable import printable, quoted
from .._tampered import WHOLE
from . import note, signing, witness

ALL = "all"
SHOWN = 12
LONGEST = 80


@dataclass(frozen=True)
class Evidence:
    """`proved`: by what is wrong with the directory (`WHOLE`), the gateways whose notes show it; `claimed`: by gateway,
    what it says without any proof; `strange`: of those the ones that name another directory, and which."""

    proved: Mapping[str, Sequence[str]] = field(default_factory=dict)
    claimed: Mapping[str, str] = field(default_factory=dict)
    strange: Mapping[str, str] = field(default_factory=dict)
    highest: int = 0

    def to_result(self) -> list[dict[str, str]]:
        return [{"gateway": printable(name, LONGEST), "why": why} for name, why in sorted(self.claimed.items())]


def evaluate(
    given: Iterable[Mapping[str, t.Any]],
    ignored: Collection[str],
    newest: Checkpoint | None,
    public: bytes,
    root_at: Callable[[int], bytes | None],
) -> Evidence:
    """`given`: `gateway` and `note` of each; `ignored`: names of gateways that are not believed, or `all`; `public`:
    the key (DER) that signs now. In the time of as many signatures as there are different notes."""
    gateways: dict[str, list[str]] = {}
    for one in given:
        if ALL not in ignored and one["gateway"] not in ignored and one["note"]:
            gateways.setdefault(str(one["note"]), []).append(str(one["gateway"]))
    proved: dict[str, list[str]] = {}
    claimed: dict[str, str] = {}
    strange: dict[str, str] = {}
    highest = 0
    for text, names in gateways.items():
        said = _checkpoint.unverified(text)
        if said is None:
            claimed.update(dict.fromkeys(names, "It keeps something that is not a checkpoint of a directory."))
        elif newest and _is_signed(text, said, public):
            seen = witness.Seen(said.directory, said.number, said.root.hex())
            if wrong := witness.against(seen, newest, root_at):
                proved.setdefault(wrong, []).extend(names)
                highest = max(highest, said.number if said.directory == newest.directory else 0)
        elif not (newest and said.directory == newest.directory and _was(said, newest, root_at)):
            claimed.update(dict.fromkeys(names, _unproved(said, newest)))
            if newest is None or said.directory != newest.directory:
                strange.update(dict.fromkeys(names, said.directory))
    return Evidence(proved, claimed, strange, highest)


def joined(found: Evidence, late: Evidence) -> Evidence:
    """What came too late is a claim of each that shows it."""
    proved = {
        name: f"It has seen that something is wrong with the directory: {WHOLE[what]}."
        for what, names in late.proved.items()
        for name in names
    }
    return Evidence(found.proved, {**found.claimed, **late.claimed, **proved}, found.strange, found.highest)


def shown(names: Collection[str]) -> str:
    return f" (seen by {some(names)})" if names else ""


def _is_signed(text: str, said: Checkpoint, public: bytes) -> bool:
    key = signing.public_key(public)
    return key is not None and note.opened(text, _checkpoint.origin(said.directory), key) is not None


def _was(said: Checkpoint, newest: Checkpoint, root_at: Callable[[int], bytes | None]) -> bool:
    """Whether the directory has or had it, as before its key was replaced."""
    if said.number == newest.number:
        return said.root == newest.root
    return said.number < newest.number and root_at(said.number) in (said.root, None)


def _unproved(said: Checkpoint, newest: Checkpoint | None) -> str:
    other = newest is None or said.directory != newest.directory
    which = f"another directory ({quoted(said.directory, LONGEST)})" if other else "this directory"
    return f"It says that it has seen checkpoint {said.number} of {which}, but this directory did not sign that."


def some(names: Collection[str], clean: Callable[[str, int], str] = printable) -> str:
    shown = [clean(name, LONGEST) for name in sorted(names)]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + more


def a_few(found: Evidence, asked: Collection[str]) -> Collection[str]:
    """Those that say, without proof, that they have the keys of another directory, if they are less than half of those
    that are to be enrolled. Where the address of the directory is wrong, nearly all of them say so."""
    anything_proved = found.proved.get("another directory", ())
    return found.strange.keys() if not anything_proved and 2 * len(found.strange) < len(asked) else ()


def excluded(found: Evidence, names: Collection[str]) -> list[dict[str, str]]:
    """For each of them why it is not enrolled, as key_directory returns it."""
    about = {
        name: VpnKeysError(
            "tampered",
            f"it says that it has the keys of another directory, {quoted(found.strange[name], LONGEST)}",
            host=name,
            advice="if it shall use this directory, name it in O(ignored_witnesses)",
        )
        for name in names
    }
    return [{"gateway": name, "code": error.code, "why": sentence(error.marked)} for name, error in about.items()]


def refuse_empty(found: Evidence, where: str) -> None:
    """An empty directory must not start from serial 1 where gateways have the keys of another one. Raises
    VpnKeysError(tampered)."""
    names = {*found.strange, *found.proved.get("another directory", ())}
    if not names:
        return
    others = f" ({some(set(found.strange.values()), quoted)})" if found.strange else ""
    raise VpnKeysError(
        "tampered",
        f"The directory {where} is empty, and {some(names)} {'has' if len(names) == 1 else 'have'} the keys of another "
        f"one{others}: this directory would number all keys from 1 again",
        state=NOTHING_CHANGED,
        advice="check that O(url) is right, or restore the backup of that directory; to start a new directory anyway, "
        "name those gateways in O(ignored_witnesses)",
    )
