# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all scripts have in common: the devices, the words to send, and the reading of what comes back.

Reading is as lean as it can be: a few regular expressions for these very devices, no care for odd ones.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

AT_ONCE = 64
"""Devices at the same time, for every tool."""
SHOWS = (
    "show crypto key mypubkey rsa",
    "show running-config | section crypto g",
    "show crypto gdoi ks coop",
    "show crypto gdoi ks members",
)
LABEL = "GETVPN1"
PASSPHRASE = "OneTimePassphraseOfTheBenchmark0"
GENERATE = f"crypto key generate rsa general-keys label {LABEL} modulus 2048 exportable"
EXPORT = f"crypto key export rsa {LABEL} pem terminal 3des {PASSPHRASE}"
IMPORT = f"crypto key import rsa {LABEL} exportable pem terminal {PASSPHRASE}"
PASTE_PUBLIC = r"End with a blank line or .quit. on a line by itself\."
PASTE_PRIVATE = r"End with .quit. on a line by itself\."

_KEY = re.compile(r"Key name: (\S+)\r?\n.*?Key Data:\r?\n((?:[ \t]+[0-9A-F ]+\r?\n?)+)", re.DOTALL)
_LABEL = re.compile(r"crypto gdoi group (\S+).*?rekey authentication mypubkey rsa (\S+)", re.DOTALL)
_ROLE = re.compile(r"Local KS Role: (\w+)")
_MEMBER = re.compile(r"Group Member ID")
_PEM = re.compile(r"-----BEGIN (?P<kind>[A-Z ]+)-----.*?-----END (?P=kind)-----", re.DOTALL)


@dataclass(frozen=True)
class Device:
    """How to reach and enter one simulated key server."""

    name: str
    host: str
    port: int
    username: str
    password: str
    enable: str


@dataclass(frozen=True)
class Seen:
    """One key server: fingerprints by label, label by group, its role, how many members are registered."""

    keys: dict[str, str]
    labels: dict[str, str]
    role: str
    members: int


def devices(path: str | Path) -> list[Device]:
    """The devices of a hosts file."""
    return [Device(**entry) for entry in json.loads(Path(path).read_text(encoding="utf-8"))]


def keys(listing: str) -> dict[str, str]:
    """Fingerprint (SHA-256 of the DER) by label, from `show crypto key mypubkey rsa`."""
    return {
        label: hashlib.sha256(bytes.fromhex("".join(data.split()))).hexdigest() for label, data in _KEY.findall(listing)
    }


def read(shown: Sequence[str]) -> Seen:
    """The four outputs of SHOWS."""
    listing, config, coop, members = shown
    role = _ROLE.search(coop)
    return Seen(keys(listing), dict(_LABEL.findall(config)), role[1] if role else "", len(_MEMBER.findall(members)))


def in_sync(found: Sequence[Seen]) -> bool:
    """Whether all key servers of each group hold one and the same key."""
    copies: dict[str, set[str | None]] = {}
    for seen in found:
        for group, label in seen.labels.items():
            copies.setdefault(group, set()).add(seen.keys.get(label))
    return bool(copies) and all(len(held) == 1 and None not in held for held in copies.values())


def pem_blocks(text: str) -> list[list[str]]:
    """The PEM blocks in an output, as lines."""
    return [found.group().replace("\r", "").split("\n") for found in _PEM.finditer(text)]


def end(verdict: bool) -> None:
    """Say it, and leave."""
    print("in sync" if verdict else "NOT in sync")
    sys.exit(0 if verdict else 1)
