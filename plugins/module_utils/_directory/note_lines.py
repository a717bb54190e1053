# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a signed note (https://c2sp.org/signed-note) is written. Pure. PRIVATE to the collection; standard library only,
for the gateways.

A text that ends with a newline, an empty line, and a line for each signature: a dash, the name of the key, and base64
of the key's number and the signature.
"""

from __future__ import annotations

import base64
import hashlib
import typing as t

DASH = "\u2014 "
ED25519 = b"\x01"

Verify = t.Callable[[bytes, bytes, bytes], bool]
"""(public key of 32 bytes, signature, message) -> whether that key signed it."""


def key_number(name: str, public: bytes) -> bytes:
    """Four bytes that say which key a line is of. `public`: 32 bytes."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def opened(note: str, name: str, public: bytes, verify: Verify) -> str | None:
    """The text, if this key signed it; lines of other keys are passed over."""
    text, blank, lines = note.rpartition("\n\n")
    text += "\n"
    start = DASH + name + " "
    number = key_number(name, public)
    signatures = lines[:-1].split("\n")
    if not blank or not lines.endswith("\n") or not all(line.startswith(DASH) for line in signatures):
        return None
    ours = (from_base64(line[len(start) :]) for line in signatures if line.startswith(start))
    return text if any(one[:4] == number and verify(public, one[4:], text.encode()) for one in ours) else None


def from_base64(text: str) -> bytes:
    """Nothing for whatever is not base64 in its one usual form: in the bits that a last character has too many, a text
    could be changed and still be taken for the signature that it was."""
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return found if base64.b64encode(found).decode() == text else b""
