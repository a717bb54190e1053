# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands for doing it by hand, typed as they are printed, with each device's own output as what is pasted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence

import pytest
from integration.devices import NAMES, variants
from unit.lab.conftest import Console

from ansible_collections.vpnops.keys.plugins.module_utils._ios.key_listings import KeyRing, read_rsa_keys
from ansible_collections.vpnops.keys.plugins.module_utils._ios.labels import Label
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.grouping import Unit
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.plan import KeyServer, Policy, plan
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers import manual
from ansible_collections.vpnops.keys.plugins.plugin_utils.key_servers.survey import Planned, observed_copies
from lab.spec import DeviceSpec, KeySpec

LABEL = Label("REKEY")
SCRATCH = LABEL.scratch.name
OTHER = KeySpec("OTHER", 9)
PASSPHRASE = "long.and-only-once"
PROMPT = re.compile(r"[\w.-]+(?:\([\w-]+\))?[>#] ?\Z")


class Person:
    """Types what is printed, and does what the remarks say."""

    def __init__(self, consoles: Mapping[str, Console]) -> None:
        self.consoles = consoles
        self.at = next(iter(consoles.values()))
        self.exported = self.block = ""

    def follow(self, instructions: str) -> None:
        self._wait_for_keys()
        for block in re.split(r"(?m)^! ---- on ", instructions)[1:]:
            host, *lines = block.splitlines()
            self.at = self.consoles[host]
            if not self._type_all(lines):
                # Refused in all its forms: in exec mode, as the head of the instructions says.
                assert self._type_all([line for line in lines if line not in ("configure terminal", "end")])
            self._wait_for_keys()

    def _type_all(self, lines: Sequence[str]) -> bool:
        """False where all forms of a command were refused."""
        said, refused = "", False
        for line in lines:
            instead = line.removeprefix(manual.INSTEAD)
            if not line.startswith("!") or (instead != line and refused):
                if refused and instead == line:
                    self._type("end")
                    return False
                said = self._type(instead.replace(manual.PASSPHRASE, PASSPHRASE))
                refused = "% Invalid input" in said
            elif refused and instead == line:
                self._type("end")
                return False
            elif line.startswith("! answer"):
                said = self._answer(said, line.split()[2])
            elif line.startswith("! paste"):
                self._paste(said)
            if "-----END RSA PRIVATE KEY-----" in said:
                self.exported = said
        assert PROMPT.search(self._type(""))
        return not refused

    def _type(self, line: str) -> str:
        return self.at.type(line + "\r").replace("\r\n", "\n")

    def _answer(self, said: str, word: str) -> str:
        """As often as it is asked."""
        while said.endswith("]: "):
            said = self._type(word)
        assert PROMPT.search(said), said
        return said

    def _paste(self, said: str) -> None:
        assert "PEM-formatted public" in said
        public, private = re.findall(r"-----BEGIN.*?-----END[^\n]*-----", self.exported, re.DOTALL)
        for line in (*public.split("\n"), "", *private.split("\n"), "quit"):
            said = self._type(line)
        assert "% Key pair import succeeded." in said

    def _wait_for_keys(self) -> None:
        """Look before and after each step: some releases make keys in the background."""
        for console in self.consoles.values():
            if console.device.tasks:
                console.loop.run_until_complete(asyncio.gather(*console.device.tasks))


CASES: dict[str, tuple[tuple[KeySpec, ...], ...]] = {
    "one without and one with another key": ((KeySpec("REKEY", 1),), (), (KeySpec("REKEY", 2),)),
    "nobody has one": ((), (), ()),
    "no copy is exportable": ((KeySpec("REKEY", 1, exportable=False),), (), (KeySpec("REKEY", 2),)),
    "an interrupted replacement": ((KeySpec(SCRATCH, 1),), (KeySpec("REKEY", 1),), (KeySpec("REKEY", 1),)),
    "a key that is left over": ((KeySpec("REKEY", 1), KeySpec(SCRATCH, 1)), (KeySpec("REKEY", 1),), ()),
}


def planned(consoles: Mapping[str, Console]) -> Planned:
    """What a comparison plans."""
    servers = []
    for host, console in consoles.items():
        ring = KeyRing(read_rsa_keys(console.run("show crypto key mypubkey rsa")))
        servers.append(KeyServer(host, *observed_copies(ring, LABEL), None, None, None, None))
    made = plan(str(LABEL), servers, Policy(overwrite=True))
    return Planned(Unit(str(LABEL), ("G",), tuple(consoles), None, (), ()), made, tuple(servers), ())


def typed(specs: Sequence[DeviceSpec]) -> Iterator[Console]:
    """The devices after somebody has typed the commands for them."""
    consoles = {spec.name: Console([spec], spec.name) for spec in specs}
    try:
        for console in consoles.values():
            console.type("terminal length 0\r")
        instructions = manual.commands_for([planned(consoles)], {})
        Person(consoles).follow(instructions)
        again = planned(consoles).plan
        assert (again.verdict, again.blocked) == ("in_sync", None)
        yield from consoles.values()
    finally:
        for console in consoles.values():
            console.close()


def assert_equal_also_after_a_reload(specs: Sequence[DeviceSpec]) -> None:
    found = set()
    for console in typed(specs):
        keys = console.device.keys
        console.device.restart()
        assert set(console.device.keys) == {"REKEY", "OTHER"} == set(keys)
        found |= {keys["REKEY"].fingerprint, console.device.keys["REKEY"].fingerprint}
    assert len(found) == 1


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("release", NAMES)
def test_typed_as_printed_on_each_release(release: str, case: str) -> None:
    """The first one gives the key away; the others are of each release."""
    releases = (release, *(name for name in NAMES if name != release))
    assert_equal_also_after_a_reload(
        [
            DeviceSpec(f"ks{number}", name, keys=(*keys, OTHER))
            for number, (name, keys) in enumerate(zip(releases, CASES[case], strict=True), 1)
        ]
    )


@pytest.mark.parametrize("way", [f"{release} {name}" for release in NAMES for name in variants(release)])
def test_typed_as_printed_however_devices_may_behave(way: str) -> None:
    """For each value of each switch that nobody is sure of, one after the other."""
    release, name = way.split()
    switch = variants(release)[name]
    keys = CASES["one without and one with another key"]
    assert_equal_also_after_a_reload(
        [
            DeviceSpec(f"ks{number}", release, keys=(*own, OTHER), overrides=switch)
            for number, own in enumerate(keys, 1)
        ]
    )
