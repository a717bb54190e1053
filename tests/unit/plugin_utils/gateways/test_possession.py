# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Only who has the private half of a public key can prove it, and only in answer to this very question."""

from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils import _possession
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import (
    ED25519_PREFIX,
    X25519_PREFIX,
    PublicKey,
    from_der,
)
from ansible_collections.vpnops.keys.plugins.plugin_utils.gateways import possession

RFC_7748 = [
    (
        "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    ),
    (
        "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
        "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
    ),
]
"""Private key, public key and shared secret of section 5.2."""


def pair() -> tuple[bytes, PublicKey]:
    private = X25519PrivateKey.generate()
    return private.private_bytes_raw(), from_der(X25519_PREFIX + private.public_key().public_bytes_raw())


@pytest.mark.parametrize(("private", "public", "secret"), RFC_7748)
def test_x25519_is_that_of_the_rfc(private: str, public: str, secret: str) -> None:
    assert _possession.shared(bytes.fromhex(private), bytes.fromhex(public)).hex() == secret


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_x25519_is_that_of_the_library(private: bytes, public: bytes) -> None:
    """Whatever the bytes, with numbers that are not reduced and the highest bit set, too."""
    try:
        secret = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        secret = bytes(32)
    assert _possession.shared(private, public) == secret


@pytest.mark.parametrize("number", [0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18, 2**256 - 1])
def test_x25519_at_the_edges(number: int) -> None:
    test_x25519_is_that_of_the_library.hypothesis.inner_test(  # type: ignore[attr-defined]
        number.to_bytes(32, "little"), number.to_bytes(32, "little")
    )


def test_who_has_the_private_key_of_wireguard() -> None:
    private, key = pair()
    challenge = possession.new()
    assert challenge.is_met(key, _possession.prove(private, key.der[-32:], challenge.text))


def test_who_has_another_one_of_wireguard() -> None:
    private, mine = pair()
    victim = pair()[1]
    challenge = possession.new()
    for public in (victim.der[-32:], mine.der[-32:]):
        assert not challenge.is_met(victim, _possession.prove(private, public, challenge.text))


def test_an_answer_to_another_question() -> None:
    private, key = pair()
    earlier, now = possession.new(), possession.new()
    assert earlier.text != now.text
    assert not now.is_met(key, _possession.prove(private, key.der[-32:], earlier.text))


def test_a_key_with_which_every_secret_is_zero_proves_nothing() -> None:
    challenge = possession.new()
    for number in (0, 1, 2**255 - 20):
        public = number.to_bytes(32, "little")
        known = _possession.code(bytes(32), public, bytes.fromhex(challenge.text))
        assert not challenge.is_met(PublicKey("x25519", "", X25519_PREFIX + public, 256), known)


# -- certificate requests

Signer = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
SIGNERS: dict[str, Signer] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "rsa": rsa.generate_private_key(65537, 2048),
}
THIEF = ed25519.Ed25519PrivateKey.generate()


def public(signer: Signer) -> PublicKey:
    return from_der(signer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def request(signer: Signer, name: str, *more: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one) for one in (name, *more)])
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(signer, digest).public_bytes(Encoding.DER)


def met(challenge: possession.Challenge, key: PublicKey, der: bytes) -> bool:
    return challenge.is_met(key, base64.b64encode(der).decode())


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_who_has_the_private_key_of_strongswan(algorithm: str) -> None:
    signer, challenge = SIGNERS[algorithm], possession.new()
    assert met(challenge, public(signer), request(signer, challenge.text))


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_requests_that_prove_nothing(algorithm: str) -> None:
    victim, challenge = SIGNERS[algorithm], possession.new()
    key = public(victim)
    assert not met(challenge, key, request(THIEF, challenge.text))
    assert not met(challenge, key, request(victim, possession.new().text)), "an answer to another question"
    assert not met(challenge, key, request(victim, challenge.text, "more"))


def test_a_request_with_the_key_of_another_one_in_it() -> None:
    victim, challenge = SIGNERS["ed25519"], possession.new()
    mine, theirs = (public(one).der[len(ED25519_PREFIX) :] for one in (THIEF, victim))
    forged = request(THIEF, challenge.text).replace(mine, theirs)
    assert theirs in forged
    assert not met(challenge, public(victim), forged)


ASKED = possession.new()
GENUINE = request(SIGNERS["ed25519"], ASKED.text)


UNUSED_BITS = len(GENUINE) - 64 - 1
"""Before the signature, how many of its last bits do not count; where these are 0, more than none may be taken."""
MEANT = [place for place in range(len(GENUINE)) if place != UNUSED_BITS]


@given(st.sampled_from(MEANT), st.integers(1, 255))
def test_no_byte_of_it_can_be_another_one(place: int, difference: int) -> None:
    changed = bytearray(GENUINE)
    changed[place] ^= difference
    assert not met(ASKED, public(SIGNERS["ed25519"]), bytes(changed))


@pytest.mark.parametrize("proof", ["", "A", "AAAA", "é", "{}", "0" * 64])
def test_what_is_no_proof(proof: str) -> None:
    for key in (pair()[1], public(SIGNERS["ed25519"]), public(SIGNERS["rsa"])):
        assert not possession.new().is_met(key, proof)
