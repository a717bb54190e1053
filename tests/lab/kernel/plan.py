# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a mesh of virtual machines: who has which release, and the networks around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Literal

from ..gateways.plan import Plan

Accelerator = Literal["kvm", "uml", "tcg"]
SUITES = ("bookworm", "bookworm", "trixie", "bookworm")
SWITCH = "sw"
SIDES = ("adm", "wan", "lan")
"""The networks of a gateway: for ssh, to other gateways, and to what is behind it."""


@dataclass(frozen=True)
class KernelPlan(Plan):
    """A mesh of virtual machines. Each has a network behind it, with one host: the namespace with its name."""

    suites: tuple[str, ...] = ()
    accelerator: Accelerator = "tcg"
    memory: int = 512

    def suite(self, number: int) -> str:
        """The release of Debian."""
        return self.suites[number - 1]

    def management(self, number: int) -> tuple[str, str]:
        """ssh goes by a network of its own."""
        return self.namespace(SWITCH), f"10.76.0.{number}"

    def address(self, number: int) -> str:
        """The host behind a gateway."""
        return f"10.79.{number}.1"

    def inner(self, number: int) -> str:
        """The address of wg0."""
        return f"10.78.0.{number}"

    def network(self, number: int) -> str:
        """What is behind a gateway."""
        return f"10.79.{number}.0/24"


def suites(count: int, some: tuple[str, ...] = SUITES) -> tuple[str, ...]:
    """As many releases as there are gateways, in turn."""
    return tuple(islice(cycle(some), count))


def taps(number: int) -> tuple[str, ...]:
    """The cables of a gateway, in the order of SIDES. The one to other gateways has its name, since that one is cut."""
    return f"adm{number}", f"gw{number}", f"lan{number}"


def mac(side: int, number: int) -> str:
    """By this a gateway knows which interface is which; see guest/lab-identity."""
    return f"52:54:00:77:{side:02x}:{number:02x}"


def switch(plan: Plan) -> list[str]:
    """What iproute2 does in the namespace of the switch: a bridge for each side, with the taps of the gateways."""
    lines = ["link set lo up"]
    for side in SIDES:
        lines += [f"link add {side} type bridge", f"link set {side} up"]
    lines.append("addr add 10.76.0.254/24 dev adm")
    for number in plan.numbers:
        for side, tap in zip(SIDES, taps(number), strict=True):
            lines += [f"tuntap add dev {tap} mode tap", f"link set {tap} master {side}", f"link set {tap} up"]
        cable = f"behind{number}"
        lines.append(f"link add {cable} type veth peer name eth0 netns {plan.namespace(f'gw{number}')}")
        lines += [f"link set {cable} master lan", f"link set {cable} up"]
    return lines


def behind(plan: Plan, number: int) -> list[str]:
    """The same in the namespace of the host behind a gateway."""
    address = plan.address(number)
    gateway = f"10.79.{number}.254"
    return ["link set lo up", f"addr add {address}/24 dev eth0", "link set eth0 up", f"route add default via {gateway}"]


def cables(plan: Plan) -> Iterator[tuple[str, str]]:
    """Every end of a cable, as its namespace and its name."""
    there = plan.namespace(SWITCH)
    for number in plan.numbers:
        yield from ((there, tap) for tap in (*taps(number), f"behind{number}"))
        yield plan.namespace(f"gw{number}"), "eth0"
    yield from ((there, side) for side in SIDES)
