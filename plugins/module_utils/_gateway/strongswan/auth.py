# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words `auth` of swanctl.conf: which of them mean a public key, and which keys they let in. PRIVATE.

`pubkey` may go on with the hash algorithms of the signatures that count (`pubkey-sha512`), a key type may stand in its
place, and `ike:` before it. Of a raw public key charon looks at neither the type nor the strength that is named there
(tried with 5.9.8: an RSA key gets in by `ike:ed25519`, an Ed25519 key by `rsa-3072`), but at the hash algorithms.
"""

from __future__ import annotations

import re

from ..._public_key import PublicKey
from .config import End

_PUBLIC_KEY = re.compile(r"(?:pubkey|rsa|ecdsa|ike:(?:pubkey|rsa|ecdsa|ed25519|ed448))(?:[/-][a-z0-9]+)*")
_MEANT = re.compile("pubkey|rsa|ecdsa|ed25519|ed448", re.IGNORECASE)
_HASHES = frozenset(("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "identity"))


def is_public_key(auth: str) -> bool:
    """Whether it means a public key. `auth = ed25519` does not: charon discards a connection that says so."""
    return _PUBLIC_KEY.fullmatch(auth) is not None


def why_not_public_key(name: str, whom: str, side: End) -> str:
    """Why the connection of that name does not authenticate one side, `whom`, by one public key, or ""."""
    if side.rounds > 1:
        return f"Connection {name} authenticates {whom} in several rounds, which cannot be handled."
    if is_public_key(side.auth):
        return ""
    advice = "; write auth = pubkey" if _MEANT.match(side.auth) else ""
    return f"Connection {name} authenticates {whom} by {side.auth}, not by a raw public key{advice}."


def hashes(auth: str) -> frozenset[str]:
    """The hash algorithms that it names; where it names none, all count."""
    return _HASHES.intersection(re.split("[:/-]", auth))


def accepts(auth: str, algorithm: str, bits: int, now: PublicKey | None) -> bool:
    """Whether signatures by such a key count. `now`: the key that is in use there; another one like it always fits, as
    both ends may have agreed on a hash algorithm that nobody would guess."""
    named = hashes(auth)
    alike = now is not None and now.algorithm == algorithm and (algorithm == "ed25519" or now.bits == bits)
    return not named or alike or _hash(algorithm, bits) in named


def _hash(algorithm: str, bits: int) -> str:
    """What charon signs with where both ends take everything. An Ed25519 signature takes no hash algorithm."""
    if algorithm == "ed25519":
        return "identity"
    return "sha256" if bits <= 3072 else "sha384" if bits <= 7680 else "sha512"


def why_not_accepted(name: str, auth: str, algorithm: str, bits: int, now: PublicKey | None) -> str:
    """Why a connection would not work with such a key, or ""."""
    if accepts(auth, algorithm, bits, now):
        return ""
    key = "an Ed25519 key" if algorithm == "ed25519" else f"an RSA key of {bits} bits"
    return (
        f"Connection {name} has auth = {auth}, which does not accept {key}; write auth = pubkey, or add "
        f"{_hash(algorithm, bits)} to it at both ends."
    )
