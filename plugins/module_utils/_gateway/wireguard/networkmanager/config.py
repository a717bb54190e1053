# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The profiles of NetworkManager: how they are written, and what they say of an interface. PRIVATE to the collection.

A profile is a file of GLib's: the same section or entry again adds to the first or replaces it, and a value that
NetworkManager does not understand is ignored, or read as another one. What it would read in another way is refused.
"""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ...._errors import NOTHING_CHANGED, VpnKeysError
from ..record import HIDDEN, IN_CONFIG, NOWHERE, Place
from ..sections import OTHER, PEER, STAGED, Block, Syntax, networks, public_key, setting, value
from ..sections import parse as parse_sections

_WORDS = {
    "wireguard": "wireguard",
    "wireguard-peer": "publickey",
    "private-key": "privatekey",
    "private-key-flags": "privatekeyflags",
    "preshared-key": "presharedkey",
    "preshared-key-flags": "presharedkeyflags",
    "allowed-ips": "allowedips",
    "endpoint": "endpoint",
    "persistent-keepalive": "persistentkeepalive",
    "peer-routes": "peerroutes",
    "fwmark": "fwmark",
}
_WRITTEN = {
    "PresharedKey": "preshared-key={}\npreshared-key-flags=0",
    "AllowedIPs": "allowed-ips={};",
    "Endpoint": "endpoint={}",
    "PersistentKeepalive": "persistent-keepalive={}",
}
_KEY = r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="  # the last character has two bits that must be 0
_16_BITS = r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_ALLOWED = {
    "privatekey": rf"(?:{_KEY})?",
    "privatekeyflags": r"[0-3]",
    "presharedkey": rf"(?:{_KEY})?",
    "presharedkeyflags": r"[04]",
    "allowedips": r"(?:[^;,\s\\]+(?:;[^;,\s\\]+)*;?)?",
    "endpoint": rf"(?:(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?):{_16_BITS})?",
    "persistentkeepalive": rf"off|0|{_16_BITS}",  # with a 0 in front, it would be read as octal
}
_SPACE = r"[ \t]*"


def _written(settings: t.Mapping[str, str]) -> list[str]:
    lines = [f"[wireguard-peer.{settings['PublicKey']}]"]
    for keyword, text in settings.items():
        if keyword in _WRITTEN:
            lines += _WRITTEN[keyword].format(text.replace(", ", ";")).split("\n")
    return lines


SYNTAX = Syntax(
    interface="wireguard",
    peer="wireguard-peer",
    header=re.compile(rf"{_SPACE}\[([^\[\]\x00-\x1f\x7f]+)\]{_SPACE}\r?\Z"),
    entry=re.compile(rf"({_SPACE}([^=\[\]#\s](?:[^=\[\]\n]*[^=\[\]\s])?){_SPACE}={_SPACE})(.*?)([ \t\r]*)\Z"),
    nothing=re.compile(rf"{_SPACE}(?:#.*)?\r?\Z"),
    keyword=lambda text: _WORDS.get(text, f"={text}"),
    between=re.compile(";"),
    others=True,
    allowed={keyword: re.compile(pattern) for keyword, pattern in _ALLOWED.items()},
    named=re.compile(rf"({_SPACE}\[(wireguard-peer)\.)([^\[\]\x00-\x1f\x7f]*)(\]{_SPACE}\r?)\Z"),
    written=_written,
    own_key="private-key={}",
)
_STRANGE = re.compile(r"\r(?!\n|\Z)|[\x00\x0b\x0c\ud800-\udfff]")
"""Blanks for GLib and for nobody else, and what is no UTF-8."""
_TRUE, _FALSE = frozenset(("true", "1")), frozenset(("false", "0"))
_UNROUTED = frozenset(("disabled", "ignore"))


def parse(text: str, path: str) -> list[Block]:
    """The blocks of a profile, as `sections.parse` has them."""
    strange = _STRANGE.search(text)
    if strange:
        number = text.count("\n", 0, strange.start()) + 1
        raise _unreadable(path, number, "has a character that NetworkManager does not take for text")
    blocks = parse_sections(text, path, SYNTAX)
    for block, number in numbered(blocks):
        if block.kind in (PEER, STAGED):
            if not re.fullmatch(_KEY, value(block, "publickey")):
                raise _unreadable(path, number, "begins a peer whose key NetworkManager does not take for one")
            _check_once(block, path, number)
    return blocks


def numbered(blocks: t.Iterable[Block]) -> t.Iterator[tuple[Block, int]]:
    """The blocks with the numbers of their first lines."""
    number = 1
    for block in blocks:
        yield block, number
        number += len(block.lines)


def _check_once(block: Block, path: str, first: int) -> None:
    """The last one would count, and not what is on both lines."""
    seen: set[str] = set()
    for number, line in enumerate(block.lines, first):
        entry = SYNTAX.entry.match(line)
        if entry:
            keyword = SYNTAX.keyword(entry.group(2))
            if keyword in seen:
                raise _unreadable(path, number, f"gives {entry.group(2)} a value for the second time")
            seen.add(keyword)


def _unreadable(path: str, number: int, what: str) -> VpnKeysError:
    return VpnKeysError(
        "unreadable", f"{path}: line {number} {what}", state=NOTHING_CHANGED, advice="fix the file first"
    )


# ---- what it sets up


class Said(t.NamedTuple):
    """A value with the number of its line."""

    text: str
    number: int


class Profile(t.NamedTuple):
    """The [connection] of a profile. `interface`: "" where it does not set up one of WireGuard."""

    interface: str
    line: int
    uuid: str
    autoconnect: bool


def profile(text: str) -> Profile:
    """What a profile, which need not be free of errors, is for.

    NetworkManager writes one, too, for each interface that somebody else has set up.
    """
    said = dict(settings(text))

    def of(name: str) -> Said:
        return said.get(("connection", name), Said("", 0))

    mine = of("type").text == "wireguard" and said.get((".nmmeta", "nm-generated"), Said("", 0)).text not in _TRUE
    name = of("interface-name") if mine else Said("", 0)
    return Profile(name.text, name.number, of("uuid").text.lower(), of("autoconnect").text not in _FALSE)


def settings(text: str) -> t.Iterator[tuple[tuple[str, str], Said]]:
    """The entries of a file with their sections, in their order."""
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        header, entry = SYNTAX.header.match(line), SYNTAX.entry.match(line)
        if header:
            section = header.group(1)
        elif entry:
            yield (section, entry.group(2)), Said(entry.group(3), number)


# ---- the own key


def key_place(blocks: t.Sequence[Block], interface: str) -> Place:
    """Where the own private key comes from: this line, or an agent (flags 1), or whoever is asked (2)."""
    if setting(blocks, "privatekeyflags") not in ("", "0"):
        return Place(HIDDEN)
    return Place(IN_CONFIG) if setting(blocks, "privatekey") else Place(NOWHERE)


# ---- peers


class Doubt(t.NamedTuple):
    """What NetworkManager makes of a section in another way than it looks, a clause; what to do; the key of the peer,
    "" for any."""

    what: str
    advice: str
    key: str = ""


def doubts(blocks: t.Sequence[Block]) -> t.Iterator[Doubt]:
    seen: set[str] = set()
    for block, number in numbered(blocks):
        if block.kind not in (PEER, STAGED):
            continue
        key, flags, psk = public_key(block).text, value(block, "presharedkeyflags"), value(block, "presharedkey")
        if key in seen:
            what = f"line {number} begins a section that is there for {key} already, so both count as one"
            yield Doubt(what, "leave one of them there", key)
        seen.add(key)
        if psk and flags != "0":
            what = f"line {number} begins a peer with a preshared key that NetworkManager ignores without its flags"
            yield Doubt(what, "add `preshared-key-flags=0` to the section, or remove the key", key)
        if flags == "0" and not psk:
            what = f"line {number} begins a peer without the preshared key that preshared-key-flags=0 announces, so "
            yield Doubt(what + "NetworkManager does not start the interface", "remove the flags, or add the key")


def names_an_endpoint(blocks: t.Iterable[Block]) -> bool:
    """Whether the endpoint of a peer has a name, which NetworkManager resolves again and again."""
    hosts = (value(block, "endpoint").rpartition(":")[0] for block in blocks if block.kind in (PEER, STAGED))
    return any(host and not re.fullmatch(r"\[.*\]|[0-9.]+", host) for host in hosts)


# ---- routes


def table(blocks: t.Sequence[Block], network: str) -> str:
    """As Backend.table has it."""
    section = "ipv6" if ":" in network else "ipv4"
    said = _other(blocks, section)
    if setting(blocks, "peerroutes") in _FALSE or said.get("method", "") in _UNROUTED:
        return "off"
    number = said.get("route-table", "")
    return "" if number in ("", "0") else number


def _other(blocks: t.Iterable[Block], name: str) -> dict[str, str]:
    """The entries of the sections of a name that is not of WireGuard."""
    found: dict[str, str] = {}
    for block in blocks:
        if block.kind == OTHER and block.name == name:
            entries = (SYNTAX.entry.match(line) for line in block.lines)
            found.update({entry.group(2): entry.group(3) for entry in entries if entry})
    return found


def sets_table(blocks: t.Sequence[Block]) -> bool:
    """Whether packets of the interface have a mark, or routes another table than the main one."""
    tables = {table(blocks, network) for block in blocks if block.kind == PEER for network in networks(block)}
    said = {_other(blocks, section).get("route-table", "0") for section in ("ipv4", "ipv6")}
    return setting(blocks, "fwmark") not in ("", "0") or not (tables | said) <= {"", "0", "off", "254"}


def first(blocks: t.Sequence[Block], name: str, *keywords: str) -> int:
    """The number of the first line of a section of that name that gives something to one of these keywords, to any
    where none is said; 0 where none does."""
    for block, number in numbered(blocks):
        if block.kind == OTHER and block.name == name:
            for position, line in enumerate(block.lines):
                entry = SYNTAX.entry.match(line)
                if entry and entry.group(3) and (not keywords or entry.group(2) in keywords):
                    return number + position
    return 0


# ---- the configuration of NetworkManager itself


def in_the_way(text: str, interface: str, directory: str) -> t.Iterator[tuple[int, str]]:
    """The lines of a file of its configuration by which it does not read the profiles in `directory`, or leaves the
    interface alone, with what they do."""
    for (section, name), said in settings(text):
        if section == "keyfile" and name == "path" and said.text.rstrip("/") != directory:
            yield said.number, f"lets NetworkManager read its profiles from {said.text}"
        if section == "keyfile" and name == "unmanaged-devices" and _is_among(said.text, interface):
            yield said.number, f"lets NetworkManager leave {interface} alone"


def _is_among(devices: str, interface: str) -> bool:
    """Whether a list of devices has the interface in it, and does not except it."""
    fitting = {one.startswith("except:") for one in re.split(r"[;,\s]+", devices) if _fits(one, interface)}
    return fitting == {False}


def _fits(device: str, interface: str) -> bool:
    kind, _colon, pattern = device.replace("except:", "", 1).partition(":")
    said = {"interface-name": interface, "type": "wireguard"}.get(kind, "")
    return kind == "*" or (said != "" and fnmatch.fnmatchcase(said, pattern.lstrip("=~")))
