# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ed25519 without a library: what RFC 8032 says, as OpenSSL does."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._directory.note import raw
from ansible_collections.vpnops.keys.plugins.module_utils._publishing.ed25519 import ORDER, P, verify

# RFC 8032, section 7.1: public key, message, signature.
VECTORS = {
    "1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        ("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
         "55141438e7a100b"),
    ),
    "2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        ("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
         "00d291612bb0c00"),
    ),
    "3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        ("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc"
         "027beceea1ec40a"),
    ),
}
# Points whose order divides eight: with them as a key, one signature is good for many messages.
SMALL = [0, 1, P - 1, 2707385501144840649318225287225658788936804267575313519463743609750303021816]


@pytest.mark.parametrize("vector", VECTORS)
def test_vectors(vector: str) -> None:
    public, message, signature = map(bytes.fromhex, VECTORS[vector])
    assert verify(public, signature, message)
    assert not verify(public, signature, message + b"x")
    assert not verify(public, signature[:-1], message)
    assert not verify(public[:-1], signature, message)


def by_library(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@settings(max_examples=25, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200), place=st.integers(0, 767))
def test_as_the_library_does(seed: bytes, message: bytes, place: int) -> None:
    """A good signature, and one with a bit of key, signature or message changed."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = raw(key.public_key()), key.sign(message)
    assert verify(public, signature, message)
    whole = bytearray(public + signature + message)
    place %= len(whole) * 8
    whole[place // 8] ^= 1 << place % 8
    changed = bytes(whole[:32]), bytes(whole[32:96]), bytes(whole[96:])
    assert (verify(*changed), by_library(*changed)) == (False, False)


def test_another_scalar_that_means_the_same() -> None:
    public, message, signature = map(bytes.fromhex, VECTORS["2"])
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    again = signature[:32] + scalar.to_bytes(32, "little")
    assert not verify(public, again, message)
    assert not by_library(public, again, message)


@pytest.mark.parametrize("y", [*SMALL, P, P + 1, 2**255 - 1])
@pytest.mark.parametrize("sign", [0, 1])
def test_keys_that_nobody_has(y: int, sign: int) -> None:
    """Of small order, or not in their one encoding: whatever is made up for them is refused."""
    public = (y % 2**255 | sign << 255).to_bytes(32, "little")
    neutral = (1).to_bytes(32, "little")
    assert not any(verify(public, neutral + bytes(32), str(number).encode()) for number in range(8))
