# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files below /etc/swanctl, read: which connections there are, and which keys their files hold. PRIVATE."""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import os
import re
import typing as t
from dataclasses import dataclass

from ... import _public_key
from ..._errors import NOTHING_CHANGED, VpnKeysError
from ..._public_key import PublicKey
from .. import files
from . import auth, swanctl
from .config import OVERLAY, Connection, Section, connections, parse

# Beside a key file: the key that comes next, under a name that no administrator would choose.
NEXT = ".vpnops.keys.next"
_ID_TYPE = re.compile(r"(?:fqdn|dns|email|rfc822|userfqdn|ipv4|ipv6):(?=.)", re.IGNORECASE)
PRIVATE_DIRECTORIES = ("private", "rsa", "ecdsa", "pkcs8")


@dataclass(frozen=True)
class Own:
    """The gateway's own pair: the file of its public key with the key in it, and the file of the private half.

    `copies`: every file that holds that private half.
    """

    file: str
    key: PublicKey | None
    private: str | None
    copies: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """What the files say. `connections`: this gateway's own, as charon would load them; `plain`: as the administrator
    wrote them; `others`: those of other identities on this host; `overlaid`: a file of ours would be read."""

    directory: str
    connections: tuple[Connection, ...]
    plain: dict[str, Connection]
    others: tuple[Connection, ...]
    digest: str
    overlaid: bool

    def key_file(self, name: str) -> str:
        return os.path.join(self.directory, "pubkey", name)


def overlay_path(directory: str) -> str:
    return os.path.join(directory, "conf.d", OVERLAY)


def read(directory: str, identity: str) -> Site:
    """Raises VpnKeysError where the configuration is missing or cannot be understood."""
    texts: list[str] = []
    patterns: list[str] = []
    plain = {item.name: item for item in connections(_configuration(directory, [], patterns, own_file=False))}
    found = connections(_configuration(directory, texts, [], own_file=True))
    everything = [item for item in found if item.name in plain]
    meant = [item for item in everything if not identity or same_id(item.local.identity, identity)]
    # Beside connections by raw public keys, others (by certificates, say) are none of our business.
    mine = [item for item in meant if not _why_not_raw(item)] or meant
    named = {key for item in mine for key in (*item.local.keys, *item.remote.keys)}
    contents = [files.read(os.path.join(directory, "pubkey", name)) or "" for name in sorted(named)]
    digest = hashlib.sha256("\0".join([*texts, *contents]).encode("utf-8", "surrogateescape")).hexdigest()
    return Site(
        directory,
        tuple(mine),
        plain,
        tuple(item for item in everything if item not in mine),
        digest,
        any(fnmatch.fnmatch(overlay_path(directory), pattern) for pattern in patterns),
    )


def same_id(one: str, other: str) -> bool:
    """Whether two IKE identities are the same as far as strings tell: "@gw1", "fqdn:gw1" and "GW1" are other ways to
    write "gw1"."""
    return bool(one) and plain_id(one).lower() == plain_id(other).lower()


def plain_id(identity: str) -> str:
    """An identity without what only tells its type."""
    bare = _ID_TYPE.sub("", identity)
    return bare[1:] if bare.startswith("@") and bare[1:2] not in ("", "#", "@") else bare


def key_in(path: str) -> PublicKey | None:
    """The public key that a file holds, None where there is none that can be used."""
    text = files.read(path)
    if text is None:
        return None
    if text.startswith("-----BEGIN PUBLIC KEY-----"):
        try:
            return _public_key.parse(text)
        except VpnKeysError:
            return None
    return swanctl.public_in(path)


def own(site: Site) -> Own:
    """Raises VpnKeysError(blocked) where it is not one raw public key that all connections use."""
    reason = why_not_own(site)
    if reason:
        raise VpnKeysError("blocked", reason, state=NOTHING_CHANGED)
    file = site.key_file(site.connections[0].local.keys[0])
    key = key_in(file)
    copies = tuple(path for path in _private_files(site.directory, file) if key and swanctl.public_of(path) == key)
    lasting = [path for path in copies if not path.endswith(NEXT)]
    private = lasting[0] if lasting else copies[0][: -len(NEXT)] if copies else None
    return Own(file, key, private, copies)


def why_not_own(site: Site) -> str:
    """"" when the connections authenticate this gateway by one raw public key, else one sentence."""
    if not site.connections:
        return "swanctl.conf has no connection with this gateway's identity as local.id."
    reason = next((reason for reason in map(_why_not_raw, site.connections) if reason), "")
    if reason:
        return reason
    used = sorted({site.key_file(item.local.keys[0]) for item in site.connections})
    if len(used) > 1:
        return f"The connections use several own keys ({', '.join(used)}); set gateway_id to the right identity."
    return ""


def _why_not_raw(connection: Connection) -> str:
    local, name = connection.local, connection.name
    other = auth.why_not_public_key(name, "this gateway", local)
    if other:
        return other
    return "" if local.keys else f"Connection {name} names no file in local.pubkeys; give it one."


def why_not_accepted(site: Site, algorithm: str, bits: int, now: PublicKey | None) -> str:
    """Why the connections would not work with an own key like that instead of the one of `now`, or ""."""
    reasons = (auth.why_not_accepted(one.name, one.local.auth, algorithm, bits, now) for one in site.connections)
    return next((reason for reason in reasons if reason), "")


def why_not_overlaid(site: Site) -> str:
    """"" when a file of ours is read by charon, else one sentence."""
    path = overlay_path(site.directory)
    return "" if site.overlaid else f"swanctl.conf does not read {path}; give it the line 'include conf.d/*.conf'."


def _private_files(directory: str, public: str) -> list[str]:
    """The files that charon looks into for private keys, the one that is named like the public key first."""
    stem = os.path.splitext(os.path.basename(public))[0]
    found = [
        path
        for name in PRIVATE_DIRECTORIES
        for path in sorted(glob.glob(os.path.join(glob.escape(os.path.join(directory, name)), "*")))
        if os.path.isfile(path) and not path.endswith(files.UNFINISHED)
    ]
    return sorted(found, key=lambda path: not os.path.basename(path).startswith(stem))


def _configuration(directory: str, texts: list[str], patterns: list[str], own_file: bool) -> Section:
    path = os.path.join(directory, "swanctl.conf")
    left_out = "" if own_file else overlay_path(directory)

    def include(base: str, pattern: str) -> t.Iterator[tuple[str, str]]:
        patterns.append(os.path.join(os.path.dirname(base), pattern))
        for found in sorted(glob.glob(patterns[-1])):
            text = None if found == left_out else files.read(found)
            if text is not None:
                texts.append(text)
                yield found, text

    text = files.read(path)
    if text is None:
        raise VpnKeysError("not_found", f"{path} does not exist", state=NOTHING_CHANGED)
    texts.append(text)
    return parse(path, text, include)
