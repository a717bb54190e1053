# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of systemd-networkd: how they are written, and what they say of an interface. PRIVATE to the collection.

A `.netdev` file and its drop-ins are read one after the other. What systemd-networkd would ignore with a warning is
refused, so that nobody is told of a peer that does not come up; keywords and sections that it does not know are ignored
here as well.
"""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ...._errors import NOTHING_CHANGED, VpnKeysError
from ..record import HIDDEN, IN_CONFIG, IN_FILE, NOWHERE, Place
from ..sections import INTERFACE, OTHER, PEER, STAGED, Block, Syntax, networks, public_key, setting, value, values
from ..sections import parse as parse_sections

_WORDS = frozenset(
    "WireGuard WireGuardPeer PrivateKey PrivateKeyFile FirewallMark RouteTable RouteMetric PublicKey PublicKeyFile "
    "PresharedKey PresharedKeyFile AllowedIPs Endpoint PersistentKeepalive Name Kind Type".split()
)
_KEY = r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="  # the last character has two bits that must be 0
_16_BITS = r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_OFF = frozenset(("", "0", "no", "n", "false", "f", "off"))
_ALLOWED = {
    "privatekey": rf"(?:{_KEY}|@.*)?",
    "privatekeyfile": r"(?:/.*)?",
    "presharedkey": rf"(?:{_KEY})?",
    "presharedkeyfile": r"(?:/.*)?",
    "publickeyfile": r"(?!)",
    "allowedips": r"(?!.*/0[0-9]).+",  # it would be read as octal
    "endpoint": r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?):" + _16_BITS,
    "persistentkeepalive": rf"off|0|{_16_BITS}",
    "routemetric": r"[1-3]?[0-9]{1,9}",
    "routetable": rf"default|main|local|[1-3]?[0-9]{{1,9}}|{'|'.join(sorted(_OFF))}",
}
_SPACE = r"[ \t]*"
SYNTAX = Syntax(
    interface="WireGuard",
    peer="WireGuardPeer",
    header=re.compile(rf"{_SPACE}\[([A-Za-z0-9][A-Za-z0-9 _-]*)\]{_SPACE}\r?\Z"),
    entry=re.compile(rf"({_SPACE}([^=\[#;\s\\][^=\n]*?){_SPACE}={_SPACE})(.*?)([ \t\r\n]*)\Z", re.DOTALL),
    nothing=re.compile(rf"{_SPACE}(?:[#;].*)?\r?\Z"),
    keyword=lambda text: text.lower() if text in _WORDS else f"={text}",
    between=re.compile(r"[, \t\r\n]+"),
    continued=True,
    others=True,
    allowed={keyword: re.compile(pattern) for keyword, pattern in _ALLOWED.items()},
)
_STRANGE = re.compile(r"\r(?!\n|\Z)|\0|[\ud800-\udfff]")
"""Ends of lines for systemd and for nobody else, but for one at the end of the file; what is no UTF-8."""


class Named(t.NamedTuple):
    """A line with something that is found there."""

    number: int
    what: str


def parse(text: str, path: str) -> list[Block]:
    """The blocks of a file, as `sections.parse` has them."""
    strange = _STRANGE.search(text)
    if strange:
        number = text.count("\n", 0, strange.start()) + 1
        what = f"{path}: line {number} has a character that systemd takes for an end of a line, or for none at all"
        raise VpnKeysError("unreadable", what, state=NOTHING_CHANGED, advice="fix the file first")
    return parse_sections(text, path, SYNTAX)


class Name(t.NamedTuple):
    """The name that some files give an interface, with the place of the line. `file`: as in the files."""

    name: str
    line: int = 0
    file: str = ""


def sets_up(texts: t.Mapping[str, str]) -> Name:
    """The name of the WireGuard interface that a file and its drop-ins set up, "" where they set up none.

    They need not be free of errors.
    """
    kind, found = "", Name("")
    for file, text in texts.items():
        section, number = "", 1
        for line in SYNTAX.lines(text):
            header, entry = SYNTAX.header.match(line), SYNTAX.entry.match(line)
            if header:
                section = header.group(1)
            elif entry and section == "NetDev":
                keyword, value = SYNTAX.keyword(entry.group(2)), SYNTAX.value(entry.group(3))
                kind = kind or (value if keyword == "kind" else "")
                found = Name(value, number, file) if keyword == "name" else found
            number += 1 + line.count("\n")
    return found if kind == "wireguard" else Name("")


def conditions(blocks: t.Sequence[Block], file: str) -> int:
    """The number of the first line of a file that says under which conditions it counts, 0 where none does."""
    number = 1
    for block in blocks:
        if block.file == file:
            for line in block.lines:
                if block.kind == OTHER and block.name == "Match" and SYNTAX.entry.match(line):
                    return number
                number += 1 + line.count("\n")
    return 0


def is_key(text: str) -> bool:
    """Whether systemd takes it for a key."""
    return re.fullmatch(_KEY, text) is not None


# ---- the own key


def key_place(blocks: t.Sequence[Block], interface: str) -> Place:
    """Where the own private key comes from. A file counts more than a line."""
    path, line = setting(blocks, "privatekeyfile"), setting(blocks, "privatekey")
    if path:
        return Place(HIDDEN) if path.startswith(("/dev/", "/proc/", "/run/")) else Place(IN_FILE, path)
    if line.startswith("@"):
        return Place(HIDDEN)  # a credential, which the service manager hands over
    return Place(IN_CONFIG) if line else Place(NOWHERE)


# ---- peers


def repeated(blocks: t.Sequence[Block]) -> dict[str, str]:
    """Why it cannot be analyzed which of several sections counts, a clause, by the key of the peer.

    What comes of them depends on the version of systemd.
    """
    found: dict[str, str] = {}
    owner: dict[str, str] = {}
    seen: set[str] = set()
    for block in blocks:
        if block.kind not in (PEER, STAGED):
            continue
        key = public_key(block).text
        if key in seen:
            found[key] = f"which has more than one [{SYNTAX.peer}] for {key}"
        seen.add(key)
        for network in networks(block):
            other = owner.setdefault(network, key)
            if other != key:
                why = f"which gives {network} to more than one peer"
                found.update({key: why, other: why})
    return found


def psk_file(block: Block) -> str:
    """The file that a section names for its preshared key, which counts more than a line."""
    return value(block, "presharedkeyfile")


def table(blocks: t.Sequence[Block], network: str) -> str:
    """As Backend.table has it. A peer's own counts more, and without any there is no route."""
    peers = [block for block in blocks if block.kind == PEER and network in networks(block)]
    own = [text for block in peers for text in values(block, "routetable")]
    said = (own or [setting(blocks, "routetable")])[-1]
    return "off" if said in _OFF else said


def sets_table(blocks: t.Sequence[Block]) -> bool:
    """Whether packets of the interface have a mark, or routes another table than the main one."""
    own = [block for block in blocks if block.kind in (INTERFACE, PEER)]
    tables = {text for block in own for text in values(block, "routetable")}
    return bool(setting(blocks, "firewallmark")) or not tables <= {*_OFF, "main", "254"}


# ---- .network files


def matches(text: str, interface: str) -> int:
    """The number of the line by which a `.network` file is for a WireGuard interface of that name, 0 where it is not.

    One that asks for more than a name or a type may be for any: that counts.
    """
    section, number = "", 1
    said: dict[str, Named] = {}
    for line in SYNTAX.lines(text):
        header, entry = SYNTAX.header.match(line), SYNTAX.entry.match(line)
        if header:
            section = header.group(1)
            if section == "Match":
                said.setdefault("", Named(number, ""))
        elif entry and section == "Match":
            keyword = SYNTAX.keyword(entry.group(2))
            before = said[keyword].what if keyword in said else ""
            said[keyword] = Named(number, f"{before} {SYNTAX.value(entry.group(3))}")
        number += 1 + line.count("\n")
    wanted = (("name", interface), ("type", "wireguard"))
    fits = all(_fits(said[keyword].what, word) for keyword, word in wanted if keyword in said)
    first = next((said[keyword].number for keyword in ("name", "type", "") if keyword in said), 0)
    return first if fits else 0


def _fits(patterns: str, word: str) -> bool:
    """Whether one of the patterns is for the word; with `!` in front of them, whether none is."""
    words = patterns.split()
    inverted = bool(words) and words[0].startswith("!")
    found = any(fnmatch.fnmatchcase(word, pattern.lstrip("!")) for pattern in words)
    return found is not inverted
