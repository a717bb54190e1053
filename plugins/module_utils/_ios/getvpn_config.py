# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only reader of the GET VPN configuration that IOS shows. PRIVATE to the collection.

What holds of every reader is said in getvpn_fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NoReturn

from .fields import at_most, maybe_name, name, number, text
from .getvpn_fields import MOST_GROUPS, MOST_PEERS, number_in
from .screen import expect_no_refusal, is_echo, quote, strip_noise, unreadable

GroupKind = Literal["gdoi", "gkm"]


@dataclass(frozen=True)
class Group:
    """A GET VPN group as configured: seconds, addresses as written. A group member's is no `local_server`."""

    name: str
    kind: GroupKind
    identity: str | None = None
    label: str | None = None
    priority: int | None = None
    peers: tuple[str, ...] = ()
    address: str | None = None
    redundancy: bool = False
    rekey_lifetime: int | None = None
    rekey_algorithm: str | None = None
    rekey_transport: str | None = None
    sa_lifetimes: tuple[int, ...] = ()
    """Of the IPsec profiles that its SAs name, as far as the text shows those profiles."""
    local_server: bool = False


_GROUP = re.compile(r"crypto (gdoi|gkm) group (?:ipv6 )?(\S+)\s*")
_IPSEC_PROFILE = re.compile(r"crypto ipsec profile (\S+)\s*")
_SA_LIFETIME = re.compile(r"set security-association lifetime seconds (\S+)")
_OF_PROFILES = re.compile(
    r"(?:no |default )?(?:description|dialer|redundancy|responder-only)\b.*|no set \S.*"
    r"|set (?:group|identity|ikev2-profile|isakmp-profile|mixed-mode|nat|peer|pfs|reverse-route|security-policy|trans"
    r"form-set)\b.*|set security-association (?:dfbit|dummy|ecn|idle-time|level|replay|lifetime (?:days|kilobytes))\b.*"
)
_ONLY_IN_PROFILES = re.compile(r"set (?:security-association|transform-set|pfs|ikev2-profile|isakmp-profile) ")
_MAY_SET = ("crypto ipsec ", "crypto map ", "crypto dynamic-map ")
_WHOLE = re.compile(r"^(?:version \d|hostname |Building configuration|Current configuration)", re.MULTILINE)
_SECTION = "crypto g"

# What is read, by the place where it stands. A line that begins with one of its first words must be whole and in its
# place; what begins with another word of IOS is another setting.
_OPENS = {"group": {"server local": "server"}, "server": {"redundancy": "coop"}}
_SA = re.compile(r"sa (?:ipsec|d3p) \S+")
_KNOWN: dict[str, dict[str, str]] = {
    "group": {
        "identity": r"identity (?:number|address ipv[46]) (\S+)",
        "local_server": r"(server local)",
        "": r"server address ipv[46] \S+()",
    },
    "server": {
        "label": r"rekey authentication mypubkey \S+ (\S+)",
        "seconds": r"rekey lifetime seconds (\d+)",
        "days": r"rekey lifetime days (\d+)",
        "rekey_algorithm": r"rekey algorithm (\S.*)",
        "rekey_transport": r"rekey transport (\S+)",
        "address": r"address ipv[46] (\S+)",
        "redundancy": r"(redundancy)",
        "": r"(?:rekey (?:acknowledgement|acl|address|retransmit|sig-hash) \S.*|sa (?:ipsec|d3p|receive-only).*)()",
    },
    "sa": {"profile": r"profile (\S+)", "": r"match address ipv[46] \S+()"},
    "coop": {"priority": r"local priority (\d+)", "peer": r"peer address ipv[46] (\S+)"},
}
_READ = {
    place: [(option, re.compile(pattern)) for option, pattern in options.items()] for place, options in _KNOWN.items()
}
_FIRST_WORDS = frozenset("identity server rekey address redundancy sa profile match local peer".split())
_OTHER_WORDS = frozenset(
    "acl authorization ckm client d3p default description exit gdoi gikev2 group identifier ike no passive pfs protocol"
    " range receive-only registration replay resiliency retransmit security split-resiliency status tag tek transform"
    " transport value version".split()
)
_ONLY_IN_GROUPS = re.compile(
    r"server (?:local|address ipv)|identity (?:number|address ipv[46]) |rekey (?:auth|life|trans|algo|retr)"
    r"|peer address ipv|local priority "
)


@dataclass
class _Block:
    """A top-level line of a configuration, with the lines under it: how deep each stands, and what it says."""

    head: str
    lines: list[tuple[int, str]]


def read_groups(running_config: str) -> tuple[Group, ...]:
    """The GET VPN groups in a running configuration, or in its section `crypto g`.

    What is no line of a configuration makes it unreadable, above all where it parts a group from its settings. What no
    reader can notice: a setting that is missing with its whole line, where a group may be without it, and a changed
    character that makes another name, number or setting.
    """
    blocks = _config_blocks(running_config)
    profiles = {found[1]: block.lines for block in blocks if (found := _IPSEC_PROFILE.fullmatch(block.head))}
    heads = [(_GROUP.fullmatch(block.head), block.lines) for block in blocks]
    shown = profiles if _WHOLE.search(running_config) else None
    groups = [_group(head, lines, shown) for head, lines in heads if head]
    return at_most(MOST_GROUPS, groups, "GET VPN groups")


def _lifetime(profile: str, lines: Sequence[tuple[int, str]]) -> int | None:
    seconds = None
    for _depth, line in lines:
        if found := _SA_LIFETIME.fullmatch(line):
            seconds = number_in(found[1], "The configuration of the device")
        elif not _OF_PROFILES.fullmatch(line):
            unreadable(
                f"The configuration of IPsec profile '{name(profile)}' shows a line that cannot be read there: "
                f'"{quote(line)}".'
            )
    return seconds


def _config_blocks(text: str) -> list[_Block]:
    config = strip_noise(text)
    whole = _WHOLE.search(config) is not None
    blocks: list[_Block] = []
    for line in config.split("\n"):
        words = line.strip()
        if not words or is_echo(words):
            continue
        if not line[0].isspace():
            if not _may_be_a_head(words, blocks) if whole else _SECTION not in line and words != "!":
                _no_configuration(text, words)
            blocks.append(_Block(words, []))
        elif _GROUP.fullmatch(blocks[-1].head if blocks else "") is None and _parted(blocks, line):
            _no_configuration(text, blocks[-1].head if blocks else words)
        elif blocks:
            blocks[-1].lines.append((len(line) - len(line.lstrip()), words))
    if whole and (not blocks or "end" not in [block.head for block in blocks]):
        unreadable("The configuration of the device has no end.")
    return blocks


def _may_be_a_head(line: str, blocks: Sequence[_Block]) -> bool:
    """Behind a group anything that is one line of settings may follow, in a whole configuration."""
    return not blocks or not _GROUP.fullmatch(blocks[-1].head) or "  " not in line


def _parted(blocks: Sequence[_Block], line: str) -> bool:
    """Whether a line under something other than a group can only belong to a group, or to an IPsec profile."""
    if _ONLY_IN_GROUPS.match(line.strip()):
        return True
    if _ONLY_IN_PROFILES.match(line.strip()) and not (blocks and blocks[-1].head.startswith(_MAY_SET)):
        return True
    if not line[:2].isspace() or (blocks and blocks[-1].lines):
        return False
    for block in islice(reversed(blocks), 1, None):
        if block.lines or block.head == "!":
            return _GROUP.fullmatch(block.head) is not None
    return False


def _no_configuration(text: str, line: str) -> NoReturn:
    expect_no_refusal(text, "its GET VPN groups")
    unreadable(f'The configuration of the device has an unexpected line: "{quote(line)}".')


def _group(
    head: re.Match[str], lines: Sequence[tuple[int, str]], shown: Mapping[str, Sequence[tuple[int, str]]] | None
) -> Group:
    """`shown`: the lines of the IPsec profiles by their names, None where these are not shown."""
    values = _settings(head[2], lines)

    def one(option: str) -> str | None:
        return values[option][0] if option in values else None

    days = number(one("days"))
    profiles = values.get("profile", [])
    missing = [profile for profile in profiles if shown is not None and profile not in shown]
    if missing:
        unreadable(f"Group '{name(head[2])}' names an IPsec profile that is not shown: '{quote(missing[0])}'.")
    known = [_lifetime(profile, shown[profile]) for profile in profiles] if shown else []
    return Group(
        name=name(head[2]),
        kind="gkm" if head[1] == "gkm" else "gdoi",
        identity=maybe_name(one("identity")),
        label=maybe_name(one("label")),
        priority=number(one("priority")),
        peers=at_most(MOST_PEERS, [name(peer) for peer in values.get("peer", [])], "peers"),
        address=maybe_name(one("address")),
        redundancy="redundancy" in values,
        rekey_lifetime=number(one("seconds")) if days is None else days * 86400,
        rekey_algorithm=text(one("rekey_algorithm")),
        rekey_transport=text(one("rekey_transport")),
        sa_lifetimes=at_most(MOST_PEERS, [one for one in known if one is not None], "IPsec profiles"),
        local_server="local_server" in values,
    )


def _settings(group: str, lines: Sequence[tuple[int, str]]) -> dict[str, list[str]]:
    """The settings of one group, by option."""
    values: dict[str, list[str]] = {}
    above: list[tuple[int, str]] = [(0, "group")]
    previous = 0
    for depth, line in lines:
        if _SECTION in line:  # of somebody else's block: the filter shows it without its head
            continue
        while depth <= above[-1][0]:
            above.pop()
        place = above[-1][1]
        if previous and depth > previous and above[-1][0] != previous:
            _damaged(group, line)
        option, value = _setting(group, place, line)
        if option in values and option not in ("peer", "profile", ""):
            _damaged(group, line)
        values.setdefault(option, []).append(value)
        inside = "sa" if place == "server" and _SA.fullmatch(line) else _OPENS.get(place, {}).get(line, "")
        if inside or not _is_read(line):
            above.append((depth, inside or "other"))
        previous = depth
    return values


def _is_read(line: str) -> bool:
    return line.split(" ", 1)[0] in _FIRST_WORDS


def _setting(group: str, place: str, line: str) -> tuple[str, str]:
    """The option that a line sets, and its value; no option where it is another setting."""
    for option, pattern in _READ.get(place, ()):
        if found := pattern.fullmatch(line):
            return option, found[1]
    if _is_read(line) or line.split(" ", 1)[0] not in _OTHER_WORDS:
        _damaged(group, line)
    return "", ""


def _damaged(group: str, line: str) -> NoReturn:
    unreadable(f"The configuration of group '{name(group)}' shows a line that cannot be read there: \"{quote(line)}\".")
