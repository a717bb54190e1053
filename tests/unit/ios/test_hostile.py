# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a hostile device can print costs time in proportion to its length, for every reader, and is bounded."""

from __future__ import annotations

import functools
import gc
import re
import time
import typing as t
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._ios import (
    commands,
    dialogue,
    getvpn_config,
    getvpn_coop,
    getvpn_fields,
    getvpn_members,
    getvpn_policy,
    key_listings,
    output,
    pem,
    screen,
)
from ansible_collections.vpnops.keys.plugins.module_utils._ios.dialogue import Exchange, Terminal

HEX = "30820122 300D0609 2A864886 F70D0101 01050003 82010F00 3082010A 02820101 \n"
PATTERNS = {
    "a log message that is none": "%A",
    "lines of it": "%A\n",
    "refusals that are none": "%pass pass pass pass pass pass pass pass pass pass pass pass pass pass\n",
    "a refusal that cannot be told yet": "%not a not a not a cannot a not a unable to a error in a\n",
    "words of refusals": "authori locked no space open failed\n",
    "prompts": "R1#\n",
    "one line": "a",
    "one line of spaces": " ",
    "tabs": "\t",
    "empty lines": "\n",
    "carriage returns": "\r",
    "pager": " --More-- ",
    "pager with erasure": " --More-- \r          \r",
    "colors": "\x1b[31m",
    "backspaces": "\b",
    "corrected typing": "a\b",
    "echo": "show x\r\n",
    "questions": "Really? [yes/no]: ",
    "brackets": "[",
    "times": "00:00:00: ",
    "dates": "*Nov 22 10:00:00",
    "facilities": "%A-A-A-A-A",
    "hex": HEX,
    "keys": f"Key name: A\n Usage: General Purpose Key\n Key Data:\n {HEX}",
    "key data again and again": f"Key Data:\n {HEX}",
    "usage": "Usage: a",
    "closing lines that are none": "\n \t\n% Generating",
    "fields": "a: b  c: d\n",
    "spaces in fields": f"a: b{' ' * 300}5\n",
    "members": "Group Member ID: 1.1.1.1\nGroup Name: G\n",
    "cooperation": "Crypto Gdoi Group Name :G\nPeer Address: 1\n",
    "groups": "crypto gdoi group A\n server local\n peer address ipv4 1\n",
    "policies": "For group ",
    "policies in lines": "For group A:\n KEK POLICY\n SPI: 1\n TEK POLICY\n SPI: 1\n",
    "no redundancy": "*NO*   ",
    "begin": "-----BEGIN PUBLIC KEY-----",
    "private": "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,0011223344556677\n",
    "dashes": "-",
    "base64": "A" * 64 + "\n",
}
_PUBLIC = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
_PRIVATE = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,0011223344556677\n"
READERS: dict[str, Callable[[str], object]] = {
    "strip_noise": screen.strip_noise,
    "refusal": screen.refusal,
    "quote": screen.quote,
    "closing lines": lambda text: (
        screen.generation(text),
        screen.imported(text),
        screen.saved(text),
        screen.modulus_range(text),
        screen.read_privilege(text),
    ),
    "host_of": screen.host_of,
    "keys": key_listings.read_rsa_keys,
    "export": key_listings.read_export,
    "body of an export": lambda text: key_listings.read_export(
        f"{_PUBLIC}{_PRIVATE}{text}!\n-----END RSA PRIVATE KEY-----"
    ),
    "groups": getvpn_config.read_groups,
    "cooperation": getvpn_coop.read_coop,
    "policy": getvpn_policy.read_policy,
    "members": getvpn_members.read_members,
    "open_private": functools.partial(pem.open_private, passphrase="p"),
    "spki_of": lambda text: pem.spki_of(f"-----BEGIN PUBLIC KEY-----{text}-----END PUBLIC KEY-----"),
    "paste_lines": lambda text: commands.paste_lines(f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----"),
}
SHORT, TIMES, MORE_TIME = 5_000, 10, 15
NOISE = 0.02
"""Seconds of which nothing can be told."""


def seconds(reader: Callable[[str], object], text: str) -> float:
    """Of the processor, without Python's search for cycles, as timeit has it: that goes by all objects that there are.
    A reader may refuse, in its own words."""
    gc.disable()
    try:
        begun = time.process_time()
        with suppress(VpnKeysError, ValueError):
            reader(text)
        return time.process_time() - begun
    finally:
        gc.enable()


def is_linear(
    reader: Callable[[str], object], pattern: str, short_size: int = SHORT, noise: float = NOISE
) -> bool:
    short, long = (pattern * (size // len(pattern) + 1) for size in (short_size, short_size * TIMES))
    # A busy machine makes a measurement longer, never shorter.
    return any(seconds(reader, long) <= MORE_TIME * max(seconds(reader, short), noise / TIMES) for dummy in range(5))


QUADRATIC: dict[str, tuple[Callable[[str], object], str, int]] = {
    "a pattern that looks ahead": (lambda text: re.search(r"(?:%A)*!", text), "%A", 1_000),
    "each line again and again": (lambda text: [text.count("\n", at) for at in range(0, len(text), 4)], "%A\n", SHORT),
}


@pytest.mark.parametrize("name", QUADRATIC)
def test_what_is_not_linear_is_found(name: str) -> None:
    assert not is_linear(*QUADRATIC[name])


@pytest.mark.parametrize("name", READERS)
def test_readers_are_linear(name: str) -> None:
    slow = [pattern for pattern, text in PATTERNS.items() if not is_linear(READERS[name], text)]
    assert not slow


# -- the dialogue --------------------------------------------------------------------------------------------


def asked(text: str, size: int, *, echo: bool = True) -> None:
    """A command whose answer is that text, in pieces of that size, and no prompt. Silence costs no time."""
    tty = Terminal("ks1", timeout=30)
    talk: t.Any = tty.ask("show x", answers=[(r"\[yes/no\]: ?", "no")])
    pieces: Iterator[str] = (text[at : at + size] for at in range(0, len(text), size))
    wire: Exchange = next(talk)
    assert wire.send == "show x\r"
    if echo:
        talk.send("show x\r\n")
    with suppress(StopIteration, VpnKeysError):
        while True:
            talk.send(next(pieces, None))


@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.parametrize(("size", "names"), [(2000, list(PATTERNS)), (50, ["a log message that is none", "prompts"])])
def test_a_dialogue_is_linear_however_the_output_comes(size: int, names: list[str], echo: bool) -> None:
    read = functools.partial(asked, size=size, echo=echo)
    slow = [name for name in names if not is_linear(read, PATTERNS[name])]
    assert not slow


def test_a_pager_that_does_not_go_on_is_given_up() -> None:
    talk: t.Any = Terminal("ks1", timeout=30).ask("show x")
    next(talk)
    talk.send("show x\r\n --More-- ")
    assert any(isinstance(raised(talk, None), VpnKeysError) for dummy in range(50))


@pytest.mark.parametrize("name", PATTERNS)
def test_no_answer_is_longer_than_the_limit(name: str) -> None:
    """32 MiB of anything: refused long before, in about the time of the limit."""
    pattern = PATTERNS[name]
    piece = pattern * (65_536 // len(pattern))
    talk: t.Any = Terminal("ks1").ask("show x")
    next(talk)
    error, taken = None, 0
    while error is None and taken < 32 * 1024 * 1024:
        error, taken = raised(talk, piece), taken + len(piece)
    assert isinstance(error, VpnKeysError)
    assert (error.code, error.host) == ("unreadable", "ks1")
    assert taken <= output.MOST_OUTPUT + len(piece)


def raised(talk: t.Any, piece: str | None) -> BaseException | None:
    """What ends a dialogue that is sent something."""
    try:
        talk.send(piece)
    except (VpnKeysError, StopIteration) as error:
        return error
    return None


def test_a_drip_behind_a_flood_costs_what_the_drip_is_worth() -> None:
    """Without an echo prompts are counted at each silence: not from the beginning each time."""
    talk: t.Any = Terminal("ks1", timeout=30).ask("show x")
    next(talk)
    for dummy in range(50):
        talk.send(f"R1 {' ' * 60}\n" * 1_000)
    begun = time.process_time()
    talk.send(None)
    first = time.process_time() - begun
    begun = time.process_time()
    for dummy in range(20):
        talk.send("x")
        talk.send(None)
    assert time.process_time() - begun < max(first, NOISE)


def test_a_device_that_talks_on_is_not_waited_for() -> None:
    talk: t.Any = dialogue.snooze(5.0)
    next(talk)
    assert any(isinstance(raised(talk, "x" * 100), StopIteration) for dummy in range(100))


# -- what is listed ------------------------------------------------------------------------------------------


def refused(reader: Callable[[str], object], text: str) -> str:
    with pytest.raises(VpnKeysError) as caught:
        reader(text)
    assert caught.value.code == "unreadable"
    return str(caught.value)


def test_more_than_any_device_has_is_unreadable() -> None:
    members = "Group Member ID: 1.1.1.1\nGroup Name: G\n" * (getvpn_members.MOST_MEMBERS + 1)
    assert "10001 group members" in refused(getvpn_members.read_members, members)
    groups = "".join(f"crypto gdoi group G{number}\n" for number in range(getvpn_fields.MOST_GROUPS + 1))
    assert "1001 GET VPN groups" in refused(getvpn_config.read_groups, groups)
    peers = "crypto gdoi group G\n server local\n  redundancy\n" + "   peer address ipv4 10.0.0.1\n" * 101
    assert "101 peers" in refused(getvpn_config.read_groups, peers)
    tall = "Key name: A\nUsage: General Purpose Key\nKey is exportable.\nKey Data:\n"
    tall += f" {pem.rsa_spki(2**20_000 + 1, 65537).hex()}\n"
    lines = [tall[at : at + 8] for at in range(tall.index(" 30") + 1, len(tall), 8)]
    assert "more than 16384 bits" in refused(key_listings.read_rsa_keys, tall[: tall.index(" 30")] + "\n".join(lines))


ODD = ["G\x1b[31m", "G\\x1b[31m", "G\x1b", "G\\x1b", "G\u202e", "G\udcfc", "G\udce4", "G", "G\x07", "g", "G "]


def test_names_that_cannot_be_printed_are_shown_and_stay_apart() -> None:
    names = [name for name in ODD if not name.endswith(" ")]
    config = "".join(
        f"crypto gdoi group {name}\n server local\n  rekey authentication mypubkey rsa {name}\n" for name in names
    )
    groups = getvpn_config.read_groups(screen.Clean(config))
    assert len(groups) == len({group.name for group in groups}) == len({group.label for group in groups}) == len(names)
    assert all(f"{group.name}{group.label}".isprintable() for group in groups)
    assert [group.name for group in groups if "escaped" not in group.name] == ["G\\x1b[31m", "G\\x1b", "G", "g"]


def test_a_name_that_is_no_name_is_unreadable() -> None:
    assert "a name of 256 characters" in refused(getvpn_config.read_groups, f"crypto gdoi group {'G' * 256}\n")


# In angle brackets what a device may put there.
GROUP = """crypto gdoi group <G>
 identity number <1>
 server local
  rekey authentication mypubkey rsa <L>
  rekey algorithm <aes 256>
  rekey transport <unicast>
  rekey lifetime seconds <300>
  address ipv4 <10.0.0.1>
  redundancy
   local priority <100>
   peer address ipv4 <10.0.0.2>
"""
COOP = """Crypto Gdoi Group Name :<G>
Local Address: <10.0.0.1>
Local Priority: <100>
Local KS Role: <Primary>
Local KS Status: <Alive>
Session 1:
Peer Address: <10.0.0.2>
Peer Priority: <75>
Peer KS Role: <Secondary>
Peer KS Status: <Alive>
IKE status: <Established>
"""
MEMBER = """Group Member ID: <10.1.0.1>
GM Version: <1.0.4>
Group Name: <G>
GM State: <Registered>
Key Server ID: <10.0.0.1>
Rekeys sent: <3>
"""
POLICY = """For group <G>:
KEK POLICY (transport type : x)
spi: <0x1>
encrypt alg: <AES>
sig key name: <L>
acknowledgement: <Cisco>
orig life(sec): <300>
TEK POLICY
spi: <0x2>
access-list: <acl>
transform: <esp-aes>
"""
KEY = f"""% Key pair was generated at: <06:51:40 UTC Aug 30 2022>
Key name: <L>
Storage Device: <private-config>
Usage: General Purpose Key
Key is exportable.
Key Data:
 {pem.rsa_spki(2**2047 + 1, 65537).hex(" ", 4)}
"""
LISTINGS: dict[str, tuple[Callable[[str], object], str]] = {
    "groups": (getvpn_config.read_groups, GROUP),
    "cooperation": (getvpn_coop.read_coop, COOP),
    "members": (getvpn_members.read_members, MEMBER),
    "policy": (getvpn_policy.read_policy, POLICY),
    "keys": (key_listings.read_rsa_keys, KEY),
}
NAMES = {"groups": 6, "cooperation": 6, "members": 5, "policy": 7, "keys": 3}
"""How many of the places take any text."""
HOSTILE = ["\x1b]0;owned\x07", "\u202egro.elpmaxe", "99999999999999999999", "x\x9b31m", "\ud800"]


def filled(text: str, value: str) -> Iterator[str]:
    """The listing with that value in one place after the other."""
    parts = re.split("<(.*?)>", text)
    for place in range(1, len(parts), 2):
        yield "".join([*parts[:place], value, *parts[place + 1 :]])


@pytest.mark.parametrize("name", LISTINGS)
@pytest.mark.parametrize("value", HOSTILE)
def test_whatever_is_listed_can_be_printed(name: str, value: str) -> None:
    reader, text = LISTINGS[name]
    assert reader(re.sub("[<>]", "", text))
    read = 0
    for listing in filled(text, value):
        try:
            found: object = reader(screen.Clean(listing))
            read += 1
        except VpnKeysError as error:
            found = (error.code, str(error))
        for word in words(found):
            assert word.isprintable()
            assert word.encode()
    assert read >= NAMES[name]


@pytest.mark.parametrize("name", LISTINGS)
def test_each_text_is_bounded(name: str) -> None:
    reader, text = LISTINGS[name]
    for listing in filled(text, "x" * 700):
        try:
            found: object = reader(listing)
        except VpnKeysError as error:
            found = (error.code, str(error))
        assert max(map(len, words(found)), default=0) < 300


def words(found: t.Any) -> Iterator[str]:
    """Every text in a result."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for key, value in found.items():
            yield from words(key)
            yield from words(value)
    elif isinstance(found, tuple):
        for one in found:
            yield from words(one)
    elif hasattr(found, "__dataclass_fields__"):
        for field in found.__dataclass_fields__:
            yield from words(getattr(found, field))


def test_a_quote_shows_what_was_hidden() -> None:
    assert screen.quote("% bad \x1b[31mthing\u202e") == "% bad \\x1b[31mthing\\u202e"
