# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signed notes (https://c2sp.org/signed-note) with Ed25519. PRIVATE to the collection. No I/O.

A text that ends with a newline, an empty line, and a line for each signature: a dash, the name of the key, and base64
of the key's number and the signature.
"""

from __future__ import annotations

import base64

from . import note_lines
from .note_lines import DASH, ED25519, key_number
from .signing import Signer

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519
except ImportError:  # the modules name the missing library
    pass


def raw(public: ed25519.Ed25519PublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def verifier_key(name: str, public: bytes) -> str:
    """The public key as other programs take it."""
    number = key_number(name, public)
    return f"{name}+{number.hex()}+{base64.b64encode(ED25519 + public).decode()}"


def sign(text: str, name: str, key: Signer) -> str:
    """`text` ends with a newline; `name` has neither spaces nor plus signs."""
    signature = key_number(name, raw(key.public_key())) + key.sign(text.encode())
    return f"{text}\n{DASH}{name} {base64.b64encode(signature).decode()}\n"


def opened(note: str, name: str, public: ed25519.Ed25519PublicKey) -> str | None:
    """The text, if this key signed it; lines of other keys are passed over."""
    return note_lines.opened(note, name, raw(public), lambda _raw, signature, text: _signs(public, signature, text))


def _signs(public: ed25519.Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        public.verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
