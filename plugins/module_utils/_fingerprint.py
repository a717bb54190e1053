# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way keys are told apart. PRIVATE to the collection."""

from __future__ import annotations

import hashlib


def fingerprint(spki_der: bytes) -> str:
    """SHA-256, lower-case hex, over a DER SubjectPublicKeyInfo.

    `openssl pkey -pubin -outform der | sha256sum` gives the same.
    """
    return hashlib.sha256(spki_der).hexdigest()


def short(fingerprint: str) -> str:
    """What sentences and tables show: enough to tell keys apart. Results and reports have all of it."""
    return fingerprint[:12]
