# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a gateway that shows a public key as its own has the private half of it.

Anybody knows the public keys of others. A gateway that showed one of them as its own would be enrolled in the place of
its owner, or be given at its next rotation what others lead to that key.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field

from ...module_utils import _possession
from ...module_utils._errors import NOTHING_DONE, VpnKeysError
from ...module_utils._public_key import X25519_PREFIX, PublicKey

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError:  # `new` names the missing library
    x509 = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Challenge:
    """A question to one gateway, never asked twice. `text`: the public half of its pair, in hexadecimal digits."""

    private: X25519PrivateKey = field(repr=False)
    text: str

    def is_met(self, key: PublicKey, proof: str) -> bool:
        """Whether that proof can only come from who has the private half of this key."""
        met = self._by_code if key.algorithm == "x25519" else self._by_request
        return met(key, proof)

    def _by_code(self, key: PublicKey, proof: str) -> bool:
        raw = key.der[len(X25519_PREFIX) :]
        try:
            secret = self.private.exchange(X25519PublicKey.from_public_bytes(raw))
        except ValueError:  # a key with which the secret is known to all
            return False
        return hmac.compare_digest(_possession.code(secret, raw, bytes.fromhex(self.text)).encode(), proof.encode())

    def _by_request(self, key: PublicKey, proof: str) -> bool:
        """A certificate request (PKCS #10) for the challenge as a name, which is signed by the key that it is for."""
        try:
            request = x509.load_der_x509_csr(base64.b64decode(proof, validate=True))
            names = [str(one.value) for one in request.subject]
            public = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return names == [self.text] and public == key.der and request.is_signature_valid
        except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
            return False


def new() -> Challenge:
    """Raises VpnKeysError(missing_library)."""
    if x509 is None:
        raise VpnKeysError(
            "missing_library",
            "The Python library cryptography is missing on the control node",
            state=NOTHING_DONE,
            advice="install it for the Python that runs Ansible (pip install cryptography)",
        )
    private = X25519PrivateKey.generate()
    return Challenge(private, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex())
