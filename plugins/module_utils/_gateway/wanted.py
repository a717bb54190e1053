# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Peers as the options of a module give them, checked before they get near a file or a daemon. Pure. PRIVATE.

What is said of a peer may come from somebody who tampered with it. So one that cannot be used is left out and named,
and the others are stored. But nothing that is wrong with a peer keeps it from being withdrawn.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .._errors import LEFT_OUT, VpnKeysError
from .._printable import printable
from .._public_key import PublicKey, parse
from .platform import WantedPeer

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,252}")
"""As the directory has it."""
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_ENDPOINT = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?")
_IDENTITY = re.compile(r'(?:@#)?[^"{}\\#]{1,1024}')
_LONGEST = 80  # of a text that is quoted in an error
WITHDRAWN_SO_FAR = "Its key was removed, found by the peer's other values"

if t.TYPE_CHECKING:
    Entry = t.Mapping[str, t.Any]


class Refusal(t.NamedTuple):
    """A peer that was left out, and why, in sentences."""

    gateway: str
    why: str


def name(text: str) -> str:
    """Raises VpnKeysError(bad_input), as all of these do."""
    if not NAME.fullmatch(text):
        raise _bad(text, "the name of a gateway")
    return text


def identity(text: str) -> str:
    """An IKE identity: one printable line that no configuration file has to escape."""
    if not _IDENTITY.fullmatch(text) or not text.isprintable():
        raise _bad(text, "an IKE identity without quotes, braces and control characters")
    return text


def endpoint(text: str) -> str:
    """HOST or HOST:PORT, an IPv6 address in brackets where a port follows; "" for none."""
    found = _ENDPOINT.fullmatch(text)
    if not text or _is_address(text):
        return text
    if not found or not _is_host(found.group(1)) or not 0 < int(found.group(2) or 1) < 1 << 16:
        raise _bad(text, "an endpoint like vpn.example.com:51820")
    return text


def network(text: str) -> str:
    """A network in its usual form."""
    try:
        if not text.isascii() or "%" in text:  # ipaddress takes digits of all scripts, and any text as a zone
            raise ValueError
        return str(ipaddress.ip_interface("".join(text.split())).network)
    except ValueError:
        raise _bad(text, "a network like 10.79.1.0/24") from None


def _is_host(text: str) -> bool:
    if text.startswith("["):
        return ":" in text and _is_address(text[1:-1])
    return bool(_HOST.fullmatch(text))


def _is_address(text: str) -> bool:
    try:
        return "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _bad(text: str, what: str) -> VpnKeysError:
    return VpnKeysError("bad_input", f'"{printable(text, _LONGEST)}" is not {what}')


# ---- one peer


def live(entry: Entry, staged: PublicKey | None) -> WantedPeer:
    """A peer whose keys are accepted. Raises VpnKeysError(bad_input, bad_public_key)."""
    if not entry.get("current"):
        raise VpnKeysError("bad_input", "It has no current key and is not withdrawn")
    return WantedPeer(
        name=name(entry["name"]),
        identity=identity(entry.get("identity") or entry["name"]),
        current=parse(entry["current"]),
        staged=staged,
        known=tuple(parse(text) for text in entry.get("known") or ()),
        endpoint=endpoint(entry.get("endpoint") or ""),
        networks=tuple(network(text) for text in entry.get("networks") or ()),
    )


def withdrawal(entry: Entry) -> tuple[WantedPeer, VpnKeysError | None]:
    """A peer of which nothing is accepted any more, by all that is usable of it, and what is not.

    Where it is reached and what lies behind it does not matter.
    """
    errors: list[VpnKeysError] = []

    def usable(reader: t.Callable[[str], t.Any], text: str, otherwise: t.Any) -> t.Any:
        try:
            return reader(text)
        except VpnKeysError as error:
            errors.append(error)
            return otherwise

    substitute = "_" + re.sub(r"[^A-Za-z0-9_.:@-]", "_", entry["name"])[:250]
    keys = (usable(parse, text, None) for text in entry.get("known") or ())
    peer = WantedPeer(
        name=usable(name, entry["name"], substitute),
        identity=usable(identity, entry.get("identity") or entry["name"], ""),
        current=None,
        staged=None,
        known=tuple(key for key in keys if key),
    )
    return peer, next(iter(errors), None)


# ---- all of them


def sort_out(
    entries: t.Iterable[Entry], beside: t.Callable[[Entry], PublicKey | None]
) -> tuple[list[WantedPeer], list[Refusal]]:
    """The peers that can be stored, and those that cannot. `beside`: the key accepted beside the current one."""
    peers: list[WantedPeer] = []
    refusals: list[Refusal] = []
    for entry in entries:
        shown = printable(entry["name"], _LONGEST)
        if entry.get("withdrawn"):
            peer, wrong = withdrawal(entry)
            peers.append(peer)
            if wrong:
                refusals.append(Refusal(peer.name, str(wrong.about(f"Peer {shown}", state=WITHDRAWN_SO_FAR))))
            continue
        try:
            peers.append(live(entry, beside(entry)))
        except VpnKeysError as error:
            refusals.append(Refusal(shown, str(error.about(f"Peer {shown}", state=LEFT_OUT))))
    return _without_contradictions(peers, refusals)


def _without_contradictions(
    peers: t.Sequence[WantedPeer], refusals: list[Refusal]
) -> tuple[list[WantedPeer], list[Refusal]]:
    """Two peers cannot have one name or one key. A withdrawal counts; of two that are live nobody knows which is."""
    claims: dict[str, set[int]] = {}
    for position, peer in enumerate(peers):
        for claim in _claims(peer):
            claims.setdefault(claim, set()).add(position)
    left: list[WantedPeer] = []
    for position, peer in enumerate(peers):
        others = {other for claim in _claims(peer) for other in claims[claim]} - {position}
        if peer.current is None or not others:
            left.append(peer)
            continue
        other = peers[min(others)].name
        what = "it is given more than once" if other == peer.name else f"{other} has the same key"
        error = VpnKeysError("conflict", what).about(f"Peer {peer.name}", state=LEFT_OUT)
        refusals.append(Refusal(peer.name, str(error)))
    return left, refusals


def _claims(peer: WantedPeer) -> set[str]:
    keys = {key.text for key in (*peer.known, peer.current, peer.staged) if key}
    return {f"name {peer.name}", *keys}
