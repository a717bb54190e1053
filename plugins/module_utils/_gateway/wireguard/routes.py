# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leads the networks of some peers over a second interface, without touching a route that is there. PRIVATE.

The routes over the second interface are in a table of their own, which a rule looks up before the main table. Taking
the rule and the table away leaves the routes as they were, whatever happened meanwhile. What the table shall not
decide is thrown back to the main table.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
import zlib
from dataclasses import dataclass

from ..._errors import VpnKeysError
from .. import commands

FAMILIES = ("-4", "-6")
MAIN = "main"
_TYPES = "anycast blackhole broadcast local multicast nat prohibit throw unicast unreachable".split()
_ANY = {"-4": "0.0.0.0/0", "-6": "::/0"}
_RULE = re.compile(r"(\d+):\s.*\blookup (\S+)")

Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@dataclass(frozen=True)
class Route:
    """A route: to where, by which interface ("": by none, or by several), from which address ("": any)."""

    network: Network
    device: str
    source: str = ""
    metric: int = 0


def parse(text: str, family: str) -> list[Route]:
    """What `ip route show` prints."""
    routes = []
    for line in text.splitlines():
        words = line.split()
        if not words or line[0].isspace():  # a further hop of the route above
            continue
        if words[0] in _TYPES:
            words = words[1:]
        network = ipaddress.ip_network(_ANY[family] if words[0] == "default" else words[0])
        routes.append(Route(network, _said(words, "dev"), _said(words, "src"), int(_said(words, "metric") or 0)))
    return routes


def _said(words: t.Sequence[str], keyword: str) -> str:
    return words[words.index(keyword) + 1] if keyword in words else ""


def table_of(bridge: str) -> int:
    """The number of the table of a second interface: always the same, so that it is found after any accident."""
    return 0x40000000 | zlib.crc32(bridge.encode()) & 0x0FFFFFFF


def wanted(
    carried: t.Iterable[str], others: t.Iterable[str], main: t.Sequence[Route], interface: str, bridge: str
) -> dict[str, str]:
    """The routes of the table, by their networks.

    `carried`: the networks that go over the bridge, as far as they go over the interface now. `others`: what remains
    on the interface. All are of one family, `main` too.
    """
    moved: dict[Network, str] = {}
    for text in carried:
        network = ipaddress.ip_network(text)
        now = _route(network, main)
        if now and now.device == interface:
            source = f" src {now.source}" if now.source else ""
            moved[network] = f"{network} dev {bridge}{source}"
    back = [route.network for route in main if route.device != interface]
    back += [ipaddress.ip_network(text) for text in others]
    thrown = {
        network: f"throw {network}"
        for network in back
        if network not in moved and any(_within(network, outer) for outer in moved)
    }
    return {str(network): line for network, line in {**thrown, **moved}.items()}


def _route(network: Network, main: t.Iterable[Route]) -> Route | None:
    """The route that a whole network takes."""
    covering = [route for route in main if _within(network, route.network)]
    return min(covering, key=lambda route: (-route.network.prefixlen, route.metric), default=None)


def _within(network: Network, outer: Network) -> bool:
    return network.version == outer.version and network.subnet_of(outer)  # type: ignore[arg-type]


def place(rules: str) -> int:
    """The preference of a rule that comes right before the main table; `rules` as `ip rule show` prints them."""
    numbers = [int(number) for number, table in _RULE.findall(rules) if table == MAIN]
    return max(min(numbers, default=32766) - 1, 1)


def has_rule(rules: str, table: int) -> bool:
    """Whether a rule looks the table up."""
    return any(found == str(table) for dummy, found in _RULE.findall(rules))


# ---- the kernel's


def lead(carried: t.Iterable[str], others: t.Iterable[str], interface: str, bridge: str) -> None:
    """Lead these networks over the bridge, and no other any more. Not a packet is lost between."""
    sides = (list(carried), list(others))
    for family in FAMILIES:
        mine, rest = ([network for network in side if _family(network) == family] for side in sides)
        _lead(family, mine, rest, interface, bridge)


def _lead(family: str, carried: t.Sequence[str], others: t.Sequence[str], interface: str, bridge: str) -> None:
    table = table_of(bridge)
    if not carried:
        _clear(family, table)
        return
    main = parse(commands.run("ip", family, "route", "show", "table", MAIN), family)
    new = wanted(carried, others, main, interface, bridge)
    # `new` has what is thrown back first; a detour goes before what is thrown back because of it.
    gone = [route for route in _shown(family, table) if str(route.network) not in new]
    gone.sort(key=lambda route: route.device != bridge)
    lines = [f"route replace {line} table {table}" for line in new.values()]
    lines += [f"route del {route.network} table {table}" for route in gone]
    if lines:
        commands.run("ip", family, "-batch", "-", given="\n".join(lines) + "\n")
    rules = commands.run("ip", family, "rule", "show")
    if new and not has_rule(rules, table):
        commands.run("ip", family, "rule", "add", "preference", str(place(rules)), "lookup", str(table))


def is_led(bridge: str) -> bool:
    """Whether the kernel looks up the table of the bridge."""
    rules = (commands.attempt("ip", family, "rule", "show").output for family in FAMILIES)
    return any(has_rule(text, table_of(bridge)) for text in rules)


def shown(bridge: str) -> list[str]:
    """The networks that are led over the bridge now."""
    return [
        str(route.network)
        for family in FAMILIES
        for route in _shown(family, table_of(bridge))
        if route.device == bridge and has_rule(commands.attempt("ip", family, "rule", "show").output, table_of(bridge))
    ]


def _shown(family: str, table: int) -> list[Route]:
    done = commands.attempt("ip", family, "route", "show", "table", str(table))
    return [] if done.code else parse(done.output, family)  # there is no table as long as nothing is in it


def _clear(family: str, table: int) -> None:
    while has_rule(commands.attempt("ip", family, "rule", "show").output, table):
        if commands.attempt("ip", family, "rule", "del", "lookup", str(table)).code:
            raise VpnKeysError("remove_failed", f"The rule that looks up the routing table {table} cannot be removed.")
    if _shown(family, table):
        commands.run("ip", family, "route", "flush", "table", str(table))


def _family(network: str) -> str:
    return "-6" if ":" in network else "-4"
