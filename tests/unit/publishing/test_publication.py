# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is published of a directory: what peers must store, no more, and signed."""

from __future__ import annotations

import json
import typing as t

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from unit.directory.samples import Directory, gateway, key_of, mesh, names, stage

from ansible_collections.vpnops.keys.plugins.module_utils._directory import note
from ansible_collections.vpnops.keys.plugins.module_utils._publishing import entries, publication
from ansible_collections.vpnops.keys.plugins.module_utils._publishing.publication import Publication

ORIGIN = "vpnops.keys/5f0c/gateways"
ONE = Publication(ORIGIN, 3, b"r" * 32, 7, b"d" * 32, 41, 1_800_000_000, 1_800_604_800)
KEY = Ed25519PrivateKey.generate()
PUBLIC = note.raw(KEY.public_key())


def signed(one: Publication, key: Ed25519PrivateKey = KEY) -> bytes:
    return note.sign(publication.text(one), one.origin, key).encode()


def test_it_is_read_as_it_was_signed() -> None:
    assert publication.opened(signed(ONE), ORIGIN, PUBLIC) == ONE
    assert publication.opened(signed(ONE), ORIGIN, note.raw(Ed25519PrivateKey.generate().public_key())) is None
    assert publication.opened(signed(ONE), "vpnops.keys/other/gateways", PUBLIC) is None


def test_no_other_checkpoint_of_the_same_key_is_taken_for_it() -> None:
    """That of the directory itself has another origin and other lines."""
    text = publication.text(ONE)
    for other in (text.replace("/gateways", ""), text.replace("revision 41\n", ""), text + "more\n"):
        assert publication.opened(note.sign(other, ORIGIN, KEY).encode(), ORIGIN, PUBLIC) is None


@given(st.data())
def test_any_change_is_noticed(data: st.DataObject) -> None:
    genuine = signed(ONE)
    place = data.draw(st.integers(0, len(genuine) - 1))
    changed = bytearray(genuine)
    changed[place] ^= data.draw(st.integers(1, 255))
    assert publication.opened(bytes(changed), ORIGIN, PUBLIC) is None
    assert publication.opened(genuine[:place], ORIGIN, PUBLIC) is None


def test_the_bits_that_base64_does_not_use_are_no_exception() -> None:
    genuine = signed(ONE)
    place = genuine.rindex(b"=") - 1
    for bits in range(1, 256):
        changed = bytearray(genuine)
        changed[place] ^= bits
        assert publication.opened(bytes(changed), ORIGIN, PUBLIC) is None, bits


def test_nothing_endless_is_verified() -> None:
    assert publication.opened(signed(ONE) + b"\xe2\x80\x94 x AAAA\n" * 10_000, ORIGIN, PUBLIC) is None


# -- entries


def read(directory: Directory, salt: str = "") -> dict[str, t.Any]:
    return {one["name"]: one for one in map(entries.read, entries.lines(directory.read(), salt))}


@pytest.fixture
def enrolled(directory: Directory) -> Directory:
    directory.write("present", gateways=[gateway(name, key_of(name)) for name in ("gw1", "gw2", "gw3")])
    return directory


def test_what_the_push_stores_is_what_is_published(enrolled: Directory) -> None:
    view = enrolled.read()
    for peer in view["peers"]:
        published = read(enrolled)[peer["name"]]
        assert published == {name: peer[name] for name in published}


def test_how_a_rotation_is_published(directory: Directory) -> None:
    """The next key beside the old one; the old one until the gateway cannot go back to it any more."""
    old, new = mesh(directory)[0], stage(directory)
    assert (read(directory)["gw1"]["current"], read(directory)["gw1"]["staged"]) == (old, new)
    directory.write("active", gateways=names("gw1"))
    active = read(directory)["gw1"]
    assert (active["current"], active["staged"], active["staged_serial"]) == (new, old, 1)
    directory.write("verified", gateways=names("gw1"))
    assert (read(directory)["gw1"]["current"], read(directory)["gw1"]["staged"]) == (new, None)


def test_what_is_revoked_is_published_as_withdrawn(enrolled: Directory) -> None:
    enrolled.write("revoked", gateways=names("gw1"))
    assert read(enrolled)["gw1"]["withdrawn"]
    assert read(enrolled)["gw1"]["current"] is None


def test_names_can_be_hidden(enrolled: Directory) -> None:
    told = b"".join(entries.lines(enrolled.read(), "salt")).decode()
    hidden = entries.pseudonym("gw1", "salt")
    assert hidden in read(enrolled, "salt")
    assert '"name":"gw' not in told
    assert hidden != entries.pseudonym("gw1", "pepper")
    assert publication.origin("5f0c", "salt") != publication.origin("5f0c", "pepper")


BAD: dict[str, t.Callable[[dict[str, t.Any]], t.Any]] = {
    "a list": lambda one: [one],
    "another form": lambda one: {**one, "form": 2},
    "a field more": lambda one: {**one, "private_key": "x"},
    "a field less": lambda one: {name: value for name, value in one.items() if name != "known"},
    "a name that is a number": lambda one: {**one, "name": 7},
    "a flag that is text": lambda one: {**one, "withdrawn": "no"},
    "a number that is a flag": lambda one: {**one, "revision": True},
    "no number": lambda one: {**one, "revision": float("nan")},
    "too many keys": lambda one: {**one, "known": ["x"] * 2000},
    "a key that is too long": lambda one: {**one, "current": "A" * 5000},
}


@pytest.mark.parametrize("kind", BAD)
def test_nothing_else_is_an_entry(kind: str, enrolled: Directory) -> None:
    line = entries.lines(enrolled.read())[0]
    bad = json.dumps(BAD[kind](json.loads(line)), sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(ValueError, match=r"it is|its fields|Expecting|decode"):
        entries.read(bad)


@pytest.mark.parametrize("bad", [b"", b"{", b"\xff", b"[" * 100_000, b"null", b'{"form":1}'])
def test_no_entry_at_all(bad: bytes) -> None:
    with pytest.raises(ValueError, match=r"it is|its fields|Expecting|decode"):
        entries.read(bad)


def test_one_spelling(enrolled: Directory) -> None:
    line = entries.lines(enrolled.read())[0]
    with pytest.raises(ValueError, match="usual form"):
        entries.read(line.replace(b",", b", ", 1))
    with pytest.raises(ValueError, match="usual form"):
        entries.read(line[:-1] + b',"name":"gw9"}')
