# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only reader of the GET VPN policy that IOS shows: the keys that a key server hands out. PRIVATE."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._printable import printable
from .fields import LONGEST_TEXT, at_most, name, text
from .getvpn_fields import (
    MOST_GROUPS,
    expect_all,
    expect_whole,
    fields_of,
    not_before_the_first,
    number_in,
    put,
)
from .screen import quote, strip_noise, unreadable

MOST_TEKS = 1_000


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
    time_to_rekey: int | None = None
    antireplay_window: int | None = None


@dataclass(frozen=True)
class Policy:
    """What a key server hands out for a group. Before the first key there is no KEK.

    `sequence`: the number of its last rekey.
    """

    group: str
    server: str | None = None
    sequence: int | None = None
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
_TEK_READ = (
    "spi", "access-list", "transform", "orig life(sec)", "remaining life(sec)", "tek life(sec)", "time to rekey (sec)",
    "antireplay window size",
)  # fmt: skip
_OWN_READ = ("seq num",)
_POLICY_OTHERS = frozenset(
    (
        "kind", "transport", "# of teks", "seq num", "management alg", "crypto iv length", "key size", "alg key size",
        "sig key size", "elapsed time(sec)", "override life (sec)", "override life(sec)",
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
            for field, _value in fields_of(line):
                not_before_the_first(listing, field, "its GET VPN policy")
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
        read = {"kek": _KEK_READ, "tek": _TEK_READ}.get(part.get("kind", ""), _OWN_READ)
        for field, value in fields_of(line):
            put(part, field, value, read, _POLICY)


def _policy(listed: _PolicyOf) -> Policy:
    what = f"{_POLICY} of group '{name(listed.group)}'"
    keks = [part for part in listed.parts if part["kind"] == "kek"]
    teks = [part for part in listed.parts if part["kind"] == "tek"]
    expect_whole(listed.own, ("its keys",), _POLICY_OTHERS, what)
    if len(keks) > 1 or len(teks) < (number_in(listed.own.get("# of teks"), what) or 0):
        unreadable(f"{what} shows {len(keks)} KEKs and {len(teks)} TEKs, which are not those that it counts.")
    for part, read in (*((kek, _KEK_READ) for kek in keks), *((tek, _TEK_READ) for tek in teks)):
        expect_whole(part, read, _POLICY_OTHERS, what)
        expect_all(part, ("spi",), what)
    return Policy(
        group=name(listed.group),
        server=text(listed.server),
        sequence=number_in(listed.own.get("seq num") or None, what),
        kek=_kek(keks[0], what) if keks else None,
        teks=at_most(MOST_TEKS, [_tek(tek, what) for tek in teks], "TEKs"),
    )


def _kek(part: dict[str, str], what: str) -> Kek:
    return Kek(
        spi=printable(part["spi"], LONGEST_TEXT),
        transport=text(part["transport"]),
        algorithm=text(part.get("encrypt alg")),
        lifetime=number_in(part.get("orig life(sec)"), what),
        remaining=number_in(part.get("remaining life(sec)"), what),
        time_to_rekey=number_in(part.get("time to rekey (sec)"), what),
        sig_hash=text(part.get("sig hash algorithm")),
        sig_key_label=text(part.get("sig key name")),
        sig_key_bytes=number_in(part.get("sig key length"), what),
        sig_bytes=number_in(part.get("sig size"), what),
        acknowledgement=text(part.get("acknowledgement")),
    )


def _tek(part: dict[str, str], what: str) -> Tek:
    return Tek(
        spi=printable(part["spi"], LONGEST_TEXT),
        access_list=text(part.get("access-list")),
        transform=text(part.get("transform")),
        lifetime=number_in(part.get("tek life(sec)") or part.get("orig life(sec)"), what),
        remaining=number_in(part.get("remaining life(sec)"), what),
        time_to_rekey=number_in(part.get("time to rekey (sec)") or None, what),
        antireplay_window=number_in(part.get("antireplay window size") or None, what),
    )
