# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public keys as text: what is one, and what is not."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils import _public_key
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError


def der(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


KEYS: dict[str, PublicKeyTypes] = {
    "x25519": x25519.X25519PrivateKey.generate().public_key(),
    "ed25519": ed25519.Ed25519PrivateKey.generate().public_key(),
    "rsa": rsa.generate_private_key(65537, 2048).public_key(),
}


@pytest.mark.parametrize("algorithm", KEYS)
def test_every_form_is_the_same_key(algorithm: str) -> None:
    key = KEYS[algorithm]
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    one = _public_key.from_der(der(key))
    assert one.algorithm == algorithm
    assert one.fingerprint == hashlib.sha256(der(key)).hexdigest()
    assert _public_key.parse(one.text) == one == _public_key.parse(pem)
    assert _public_key.pem(one) == pem
    assert one.bits == {"x25519": 256, "ed25519": 256, "rsa": 2048}[algorithm]


def test_the_text_of_x25519_is_wireguards() -> None:
    raw = KEYS["x25519"].public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert _public_key.parse(base64.b64encode(raw).decode()).der == der(KEYS["x25519"])


@pytest.mark.parametrize("number", sorted(_public_key.LOW_ORDER))
@pytest.mark.parametrize("beyond", [0, _public_key.P, 2**255])
def test_points_of_low_order_are_refused_in_every_spelling(number: int, beyond: int) -> None:
    """cryptography refuses to compute with just these, which shows that the list is right."""
    if (number + beyond) >= 2**256 or (beyond == _public_key.P and number + beyond >= 2**255):
        beyond = 0
    raw = (number + beyond).to_bytes(32, "little")
    with pytest.raises(ValueError, match="shared key"):
        x25519.X25519PrivateKey.generate().exchange(x25519.X25519PublicKey.from_public_bytes(raw))
    with pytest.raises(VpnKeysError, match="low order") as caught:
        _public_key.parse(base64.b64encode(raw).decode())
    assert caught.value.code == "bad_public_key"


OTHER = der(ec.generate_private_key(ec.SECP256R1()).public_key())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64!",
        "QUJD",
        base64.b64encode(OTHER).decode(),
        base64.b64encode(der(KEYS["rsa"])[:-1]).decode(),
        base64.b64encode(der(KEYS["rsa"]) + b"\0").decode(),
        base64.b64encode(der(KEYS["ed25519"]) + b"\0").decode(),
        base64.b64encode(b"\0" * 31).decode(),
    ],
    ids=["nothing", "not base64", "too short", "another curve", "cut off", "longer", "longer ed25519", "31 bytes"],
)
def test_whatever_is_no_key_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(VpnKeysError, match=r"^This is not a public key that a gateway can have: .*\.$"):
        _public_key.parse(text)


@given(st.binary(max_size=600))
def test_any_bytes_are_a_key_or_refused(raw: bytes) -> None:
    try:
        key = _public_key.parse(base64.b64encode(raw).decode())
    except VpnKeysError as error:
        assert error.code == "bad_public_key"  # noqa: PT017
    else:
        assert _public_key.parse(key.text) == key


def length(size: int) -> bytes:
    return bytes([size]) if size < 128 else bytes([0x81, size])


def element(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + length(len(content)) + content


def test_a_small_rsa_key_is_refused() -> None:
    """Made by hand: libraries make no such keys any more."""
    numbers = element(0x30, element(0x02, b"\0" + b"\xc1" * 64) + element(0x02, b"\1\0\1"))
    whole = element(0x30, _public_key.RSA_ALGORITHM + element(0x03, b"\0" + numbers))
    with pytest.raises(VpnKeysError, match="1024 bits"):
        _public_key.from_der(whole)
