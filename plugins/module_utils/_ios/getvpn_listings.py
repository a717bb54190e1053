# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only reader of the GET VPN configuration and state that IOS shows. PRIVATE to the collection.

Each reader takes any text and either returns what is listed there or raises VpnKeysError("unreadable"). Echo,
prompts, CRLF, paging remnants and log messages in the middle of the output do no harm. An answer is never shorter than
what is there: what may stand in the place of something that is missing is unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NoReturn

from .._printable import printable
from .fields import LONGEST_TEXT, at_most, maybe_name, name, number, text
from .screen import expect_no_refusal, is_echo, quote, refusal, strip_noise, unreadable

GroupKind = Literal["gdoi", "gkm"]

MOST_GROUPS = 1_000
MOST_PEERS = 100
"""Peers of one key server in one group: IOS takes 7."""
MOST_TEKS = 1_000
MOST_MEMBERS = 10_000
"""Of one device. The largest key servers have some thousands."""

# -- GET VPN: configuration ----------------------------------------------------------------------------------


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
            seconds = _number(found[1], "The configuration of the device")
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
    """Whether a line under something that is no group can only have been one of a group, or of an IPsec profile."""
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
    unreadable(f'The configuration of the device shows a line that no configuration has there: "{quote(line)}".')


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


# -- GET VPN: state ------------------------------------------------------------------------------------------

# One or more "name : value" on a line, parted by " , " or by two spaces.
# A run of spaces is looked at from its beginning only: from each of its places it would cost the square of its length.
_FIELD_BREAK = re.compile(r"(?<![ \t])(?:[ \t]{1,40},(?:[ \t]|$)|(?:[ \t]{2}|\t)[ \t]*(?=[A-Za-z]))")
_LONGEST_LINE = 1000


def _fields(line: str) -> Iterator[tuple[str, str]]:
    """What a line says, field by field. A line that says nothing is a field of its own, without a value."""
    line = line.strip()
    if not line or is_echo(line):
        return
    if ":" not in line or len(line) > _LONGEST_LINE:
        yield line[:_LONGEST_LINE], ""
        return
    # Most lines hold one field, and a fleet's listings have many lines.
    several = "  " in line or "\t" in line or " ," in line
    parts = _FIELD_BREAK.split(line) if several else [line]
    for place, part in enumerate(parts, 1):
        field, colon, value = part.partition(":")
        if not value.strip() and colon and place < len(parts) and ":" not in parts[place]:
            value, parts[place] = parts[place], ""  # more blanks than one before a value
        if field := " ".join(field.split()).lower():
            yield field, value.strip()


def _put(found: dict[str, str], field: str, value: str, read: Collection[str], what: str) -> None:
    """What is read stands once in its place: twice means that the line between is missing."""
    if field in read and (field in found or not value):
        unreadable(f"{what} shows '{quote(field)}' {'twice in one place' if field in found else 'without a value'}.")
    found.setdefault(field, value)


def _expect_whole(found: Mapping[str, str], read: Collection[str], others: Collection[str], what: str) -> None:
    """A field that is not known may be the one that is missing. Where none is missing, it is a field of its own."""
    missing = [field for field in read if field not in found]
    if missing and (unknown := [field for field in found if field not in read and field not in others]):
        unreadable(f"{what} does not show '{missing[0]}', and shows something else: \"{quote(unknown[0])}\".")


_NO_VALUE = frozenset(("-", "n/a", "na", "none", "not applicable", "not available", "undefined", "unknown"))


def _number(value: str | None, what: str) -> int | None:
    if value is not None and value.lower() not in _NO_VALUE and not value.isdigit():
        unreadable(f'{what} shows "{quote(value)}" where a number stands.')
    return number(value)


@dataclass(frozen=True)
class CoopPeer:
    address: str
    priority: int | None = None
    role: Literal["Primary", "Secondary"] | None = None
    status: str | None = None
    ike: str | None = None


@dataclass(frozen=True)
class Coop:
    """How one key server sees the cooperation for one group. Without redundancy there is nothing but that."""

    redundancy: bool = True
    address: str | None = None
    priority: int | None = None
    role: Literal["Primary", "Secondary"] | None = None
    status: str | None = None
    peers: tuple[CoopPeer, ...] = ()


_NO_REDUNDANCY = re.compile(r"\*NO\* +redundancy configured\b.*", re.IGNORECASE)
_COOP_GROUP = re.compile(r"crypto (?:gdoi|gkm) group name")
_SESSION = re.compile(r"session ([0-9]{1,4})")
_COOP = "The COOP state"
_COOP_OWN = ("local address", "local priority", "local ks role", "local ks status")
_COOP_PEER = ("peer address", "peer priority", "peer ks role", "peer ks status", "ike status")
_COOP_OTHERS = frozenset(
    (
        "group handle", "local key server handle", "group handle: , local key server handle", "local ks version",
        "local coop version", "primary timers", "secondary timers", "primary refresh policy time",
        "primary periodic time", "sec primary periodic time", "remaining time", "per-user timer remaining time",
        "antireplay sequence number", "retries", "peer sessions", "server handle", "peer version", "peer coop version",
        "coop protocol", "counters", "ann msgs sent", "ann msgs sent with reply request", "ann msgs recv",
        "ann msgs recv with reply request", "packet sent drops", "packet recv drops", "total bytes sent",
        "total bytes recv",
    )
)  # fmt: skip


@dataclass
class _CoopGroup:
    """The fields of one group: its own, and those of each session."""

    own: dict[str, str]
    peers: list[dict[str, str]]

    def add(self, field: str, value: str) -> None:
        if session := _SESSION.fullmatch(field):
            self.peers.append({})
            if int(session[1]) != len(self.peers):
                unreadable(f"{_COOP} shows session {session[1]} where session {len(self.peers)} stands.")
        elif field in _COOP_PEER and not self.peers:
            unreadable(f"{_COOP} shows '{field}' outside of a session.")
        elif field in _COOP_OWN or not self.peers:
            _put(self.own, field, value, _COOP_OWN, _COOP)
        else:
            _put(self.peers[-1], field, value, _COOP_PEER, _COOP)


def read_coop(listing: str) -> dict[str, Coop]:
    """`show crypto gdoi ks coop` and its gkm and detail forms: cooperation by group name."""
    groups: dict[str, _CoopGroup] = {}
    group: _CoopGroup | None = None
    for line in strip_noise(listing).split("\n"):
        for field, value in _fields(line):
            if _COOP_GROUP.fullmatch(field):
                if not value:
                    unreadable(f"{_COOP} shows a group without a name.")
                if name(value) in groups:
                    unreadable(f"{_COOP} shows group {name(value)} twice.")
                group = groups[name(value)] = _CoopGroup({}, [])
            elif group and _NO_REDUNDANCY.fullmatch(field):
                if group.peers or group.own.keys() & _COOP_OWN:
                    unreadable(f"{_COOP} shows a group with and without redundancy.")
                group.own["alone"] = value
            elif group:
                group.add(field, value)
            else:
                _not_before_the_first(listing, field, "its COOP state")
    return {
        title: _coop(title, found) for title, found in at_most(MOST_GROUPS, [*groups.items()], "groups")
    }


def _not_before_the_first(listing: str, field: str, what: str) -> None:
    """Nothing is listed before the first head; where no group is, the device says so."""
    if field in _HEADINGS or field.lower().startswith(("group member not found", "number of ", "duration of ")):
        return
    expect_no_refusal(listing, what)
    found = refusal(listing)
    if not found or found.code != "not_found":
        unreadable(f'The device did not show {what} but: "{quote(field)}".')


_HEADINGS = frozenset(("key server policy", "group member information", "^"))


def _coop(group: str, found: _CoopGroup) -> Coop:
    own, what = found.own, f"{_COOP} of group '{group}'"
    alone = "alone" in own
    if not alone:
        _expect_whole(own, _COOP_OWN, _COOP_OTHERS, what)
    _expect_all(own, () if alone else ("local address", "local ks role", "local ks status"), what)
    for peer in at_most(MOST_PEERS, found.peers, "peers"):
        _expect_whole(peer, _COOP_PEER, _COOP_OTHERS, what)
        _expect_all(peer, ("peer address", "peer ks role", "peer ks status"), what)
    return Coop(
        redundancy=not alone,
        address=maybe_name(own.get("local address")),
        priority=_number(own.get("local priority"), what),
        role=_role(own.get("local ks role"), what),
        status=text(own.get("local ks status")),
        peers=tuple(
            CoopPeer(
                address=name(peer["peer address"]),
                priority=_number(peer.get("peer priority"), what),
                role=_role(peer.get("peer ks role"), what),
                status=text(peer.get("peer ks status")),
                ike=text(peer.get("ike status")),
            )
            for peer in found.peers
        ),
    )


def _expect_all(found: Mapping[str, str], fields: Sequence[str], what: str) -> None:
    for field in fields:
        if not found.get(field):
            unreadable(f"{what} does not show '{field}'.")


def _role(word: str | None, what: str) -> Literal["Primary", "Secondary"] | None:
    """No role where the device does not know one."""
    if word in ("Primary", "Secondary"):
        return "Primary" if word == "Primary" else "Secondary"
    if word is not None and word.lower() not in _NO_VALUE:
        unreadable(f'{what} shows a role that no key server has: "{quote(word)}".')
    return None


@dataclass(frozen=True)
class Kek:
    """The key that protects rekeys. Seconds.

    `sig_key_bytes` is the length of the public key's DER; an old IOS 15 showed the bits of the modulus.
    """

    spi: str
    transport: str | None = None
    algorithm: str | None = None
    lifetime: int | None = None
    remaining: int | None = None
    time_to_rekey: int | None = None
    sig_hash: str | None = None
    sig_key_label: str | None = None
    sig_key_bytes: int | None = None
    sig_bytes: int | None = None
    acknowledgement: str | None = None


@dataclass(frozen=True)
class Tek:
    """A key that protects traffic. Seconds."""

    spi: str
    access_list: str | None = None
    transform: str | None = None
    lifetime: int | None = None
    remaining: int | None = None


@dataclass(frozen=True)
class Policy:
    """What a key server hands out for a group. Before the first key there is no KEK."""

    group: str
    server: str | None = None
    kek: Kek | None = None
    teks: tuple[Tek, ...] = ()


_HANDLE = r"(?: \([^()\n]{0,60}\))?"
_POLICY_GROUP = re.compile(rf"For group (\S+?):?(?!\S){_HANDLE}(?: server (\S+?):?(?!\S))?{_HANDLE}:?")
_KEK = re.compile(r"KEK POLICY(?: \(transport type *: *(\w+) *\))?")
_TEK = re.compile(r"TEK POLICY(?: \(encaps *: *\w+ *\))?")
_POLICY = "The GET VPN policy"
_KEK_READ = (
    "spi", "encrypt alg", "orig life(sec)", "remaining life(sec)", "time to rekey (sec)", "sig hash algorithm",
    "sig key name", "sig key length", "sig size", "acknowledgement",
)  # fmt: skip
_TEK_READ = ("spi", "access-list", "transform", "orig life(sec)", "remaining life(sec)", "tek life(sec)")
_POLICY_OTHERS = frozenset(
    (
        "kind", "transport", "# of teks", "seq num", "management alg", "crypto iv length", "key size", "alg key size",
        "sig key size", "elapsed time(sec)", "override life (sec)", "override life(sec)", "antireplay window size",
        "time to rekey (sec)",
    )
)  # fmt: skip


@dataclass
class _PolicyOf:
    """What is listed of one group: the fields outside of its keys, and those of each key."""

    group: str
    server: str | None
    own: dict[str, str]
    parts: list[dict[str, str]]


def read_policy(listing: str) -> tuple[Policy, ...]:
    """`show crypto gdoi ks policy` and its gkm form."""
    policies: list[_PolicyOf] = []
    for line in map(str.strip, strip_noise(listing).split("\n")):
        if found := _POLICY_GROUP.fullmatch(line):
            policies.append(_PolicyOf(found[1], found[2], {}, []))
        elif line.startswith("For group") or (policies and "(handle" in line):
            unreadable(f'{_POLICY} shows a group that cannot be read: "{quote(line)}".')
        elif not policies:
            for field, _value in _fields(line):
                _not_before_the_first(listing, field, "its GET VPN policy")
        else:
            _read_policy_line(policies[-1], line)
    return tuple(map(_policy, at_most(MOST_GROUPS, policies, "policies")))


def _read_policy_line(policy: _PolicyOf, line: str) -> None:
    if found := _KEK.fullmatch(line):
        policy.parts.append({"kind": "kek", "transport": found[1] or ""})
    elif _TEK.fullmatch(line):
        policy.parts.append({"kind": "tek"})
    else:
        part = policy.parts[-1] if policy.parts else policy.own
        read = {"kek": _KEK_READ, "tek": _TEK_READ}.get(part.get("kind", ""), ())
        for field, value in _fields(line):
            _put(part, field, value, read, _POLICY)


def _policy(listed: _PolicyOf) -> Policy:
    what = f"{_POLICY} of group '{name(listed.group)}'"
    keks = [part for part in listed.parts if part["kind"] == "kek"]
    teks = [part for part in listed.parts if part["kind"] == "tek"]
    _expect_whole(listed.own, ("its keys",), _POLICY_OTHERS, what)
    if len(keks) > 1 or len(teks) < (_number(listed.own.get("# of teks"), what) or 0):
        unreadable(f"{what} shows {len(keks)} KEKs and {len(teks)} TEKs, which are not those that it counts.")
    for part, read in (*((kek, _KEK_READ) for kek in keks), *((tek, _TEK_READ) for tek in teks)):
        _expect_whole(part, read, _POLICY_OTHERS, what)
        _expect_all(part, ("spi",), what)
    return Policy(
        group=name(listed.group),
        server=text(listed.server),
        kek=_kek(keks[0], what) if keks else None,
        teks=at_most(MOST_TEKS, [_tek(tek, what) for tek in teks], "TEKs"),
    )


def _kek(part: dict[str, str], what: str) -> Kek:
    return Kek(
        spi=printable(part["spi"], LONGEST_TEXT),
        transport=text(part["transport"]),
        algorithm=text(part.get("encrypt alg")),
        lifetime=_number(part.get("orig life(sec)"), what),
        remaining=_number(part.get("remaining life(sec)"), what),
        time_to_rekey=_number(part.get("time to rekey (sec)"), what),
        sig_hash=text(part.get("sig hash algorithm")),
        sig_key_label=text(part.get("sig key name")),
        sig_key_bytes=_number(part.get("sig key length"), what),
        sig_bytes=_number(part.get("sig size"), what),
        acknowledgement=text(part.get("acknowledgement")),
    )


def _tek(part: dict[str, str], what: str) -> Tek:
    return Tek(
        spi=printable(part["spi"], LONGEST_TEXT),
        access_list=text(part.get("access-list")),
        transform=text(part.get("transform")),
        lifetime=_number(part.get("tek life(sec)") or part.get("orig life(sec)"), what),
        remaining=_number(part.get("remaining life(sec)"), what),
    )


@dataclass(frozen=True)
class Member:
    """A group member as its key server knows it."""

    address: str
    group: str
    state: str | None = None
    key_server: str | None = None
    version: str | None = None
    rekeys_sent: int | None = None
    rekey_retries: int | None = None
    acks_received: int | None = None
    acks_missed: int | None = None


_MEMBERS = "The list of group members"
_MEMBER_READ = (
    "group member id", "group name", "gm state", "key server id", "gm version", "rekeys sent", "rekeys retries",
    "rekey acks rcvd", "rekey acks missed",
)  # fmt: skip
_MEMBER_OTHERS = frozenset(("group id", "group type", "sent seq num", "rcvd seq num"))
_OF_GROUP = re.compile(
    r"(?:number of (?:rekeys sent|retransmits during the last rekey)|duration of the last rekey) for group .*"
)


def read_members(listing: str) -> tuple[Member, ...]:
    """`show crypto gdoi ks members` and its gkm form."""
    found: list[dict[str, str]] = []
    for line in strip_noise(listing).split("\n"):
        for field, value in _fields(line):
            if field == "group member id":
                found.append({})
            if _OF_GROUP.fullmatch(field):
                continue
            if found:
                _put(found[-1], field, value, _MEMBER_READ, _MEMBERS)
            else:
                _not_before_the_first(listing, field, "its group members")
    return tuple(_member(fields) for fields in at_most(MOST_MEMBERS, found, "group members"))


def _member(fields: dict[str, str]) -> Member:
    address, group = fields["group member id"], fields.get("group name")
    if not address or not group:
        unreadable(f"{_MEMBERS} shows one without an address or without a group.")
    what = f"{_MEMBERS}, {name(address)},"
    _expect_whole(fields, _MEMBER_READ, _MEMBER_OTHERS, what)
    return Member(
        address=name(address),
        group=name(group),
        state=text(fields.get("gm state")),
        key_server=text(fields.get("key server id")),
        version=text(fields.get("gm version")),
        rekeys_sent=_number(fields.get("rekeys sent"), what),
        rekey_retries=_number(fields.get("rekeys retries"), what),
        acks_received=_number(fields.get("rekey acks rcvd"), what),
        acks_missed=_number(fields.get("rekey acks missed"), what),
    )
