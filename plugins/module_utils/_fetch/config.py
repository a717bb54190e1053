# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a gateway fetches what it has to store: a file that the playbook wrote. PRIVATE to the collection; standard
library only.
"""

from __future__ import annotations

import base64
import json
import re
import typing as t
from urllib.parse import urlsplit

from .._backends import BACKENDS
from .._directory import note_lines
from .._errors import NOTHING_CHANGED, VpnKeysError
from .._gateway import files, peer_store, wanted
from .._gateway.wireguard.backends import CHOICES
from .._publishing import entries

URL = re.compile(r"(?:https://[!#-;=?-\[\]-z~]{1,2000}|file:///[!#-\[\]-~]{1,2000})")
"""Without quotes, angle brackets and blanks."""
_ORIGIN = re.compile(r"vpnops\.keys/[A-Za-z0-9-]{1,64}/gateways(?:/[0-9a-f]{16})?")
SHORTEST, LONGEST = 10, 7 * 86_400
"""Seconds between two fetches."""


class Config(t.NamedTuple):
    """`name`: of this gateway, as it is published. `public`: 32 bytes of the key that signs. `number`: the least that
    a publication may have. `interval`: seconds between two fetches. `ca`: file, "" for those of the system."""

    url: str
    origin: str
    public: bytes
    name: str
    number: int
    interval: int
    ca: str
    daemon: t.Mapping[str, str]


def load(path: str = peer_store.CONFIG) -> Config:
    """Raises VpnKeysError(bad_input, not_found)."""
    text = files.read(path)
    if text is None:
        raise VpnKeysError("not_found", f"There is no {path}", advice="run gateway_fetch for this gateway")
    return parsed(text)


def parsed(text: str) -> Config:
    """Raises VpnKeysError(bad_input)."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.keys() != FIELDS.keys():
        raise _bad("fetch.json is not from this version of the collection")
    for name, kind in FIELDS.items():
        if not isinstance(found[name], kind) or isinstance(found[name], bool):
            raise _bad(f"{name} has the wrong type")
    return _checked(found)


FIELDS: t.Mapping[str, type] = {
    "url": str,
    "verify_key": str,
    "gateway": str,
    "name_salt": str,
    "number": int,
    "interval": int,
    "ca": str,
    "platform": str,
    "interface": str,
    "backend": str,
    "identity": str,
}


def _checked(found: t.Mapping[str, t.Any]) -> Config:
    origin, public = verifier(found["verify_key"])
    if not URL.fullmatch(found["url"]):
        raise _bad("O(url) must begin with https:// or file:/// and have no blanks or quotes")
    if not _is_plain(found["url"]):
        raise _bad("O(url) may have a host, a port and a path only, and no password, because messages show it")
    if not SHORTEST <= found["interval"] <= LONGEST:
        raise _bad(f"O(interval) is not between {SHORTEST} and {LONGEST} seconds")
    known = found["platform"] in BACKENDS and found["backend"] in CHOICES
    if not known or not 0 <= found["number"] < 10**9:
        raise _bad("platform, backend or number has an invalid value")
    return Config(
        url=found["url"].rstrip("/"),
        origin=origin,
        public=public,
        name=entries.pseudonym(wanted.name(found["gateway"]), found["name_salt"]),
        number=found["number"],
        interval=found["interval"],
        ca=found["ca"],
        daemon={name: found[name] for name in ("platform", "interface", "backend", "identity")},
    )


def _is_plain(url: str) -> bool:
    """Above all without user and password: messages show the address."""
    try:
        parts = urlsplit(url)
        usable = url.startswith("file:") or bool(parts.hostname and parts.port != 0)
    except ValueError:  # an invalid port, or invalid brackets
        return False
    return usable and not (url.startswith("https:") and set("@?#").intersection(url))


def verifier(text: str) -> tuple[str, bytes]:
    """Name and key (32 bytes) of a verifier key, as key_directory_publish returns it. Raises VpnKeysError."""
    name, _plus, rest = text.partition("+")
    number, _plus, encoded = rest.partition("+")
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        key = b""
    good = len(key) == 33 and key[:1] == note_lines.ED25519 and _ORIGIN.fullmatch(name)
    if not good or note_lines.key_number(name, key[1:]).hex() != number:
        raise _bad("O(verify_key) is not the verify_key that key_directory_publish returned")
    return name, key[1:]


def _bad(what: str) -> VpnKeysError:
    return VpnKeysError("bad_input", what, state=NOTHING_CHANGED)
