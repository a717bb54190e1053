# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of rotations of groups: one small signed file per group, and one of what releases were found to do.

Files of a directory on the control node, for their owner alone, each whole or not there. The Ed25519 key that signs
them lies beside them and is made at the first use: a record that was edited, or belongs to another group, is refused.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import re
import typing as t

from ...module_utils._directory import key_file, signing
from ...module_utils._errors import NOTHING_CHANGED, VpnKeysError
from ...module_utils._key_servers.rotation import Baseline, CoopFact, Facts, Member, RekeyFact, Rotation, Trial

FORM = 1
FACTS = "releases"
_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class RotationStore:
    """The records in one directory. Raises VpnKeysError signing_key, tampered, bad_input."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(os.path.expanduser(folder))
        path = os.path.join(self.folder, "signing.key")
        key = key_file.read(path)
        self._new = key is None
        self._path, self._key = path, key or signing.new_private_key()

    def rotation(self, title: str, identity: str | None) -> Rotation | None:
        """The rotation of a group, if one was begun."""
        found = self._read(_name(title, identity))
        return None if found is None else self._parsed(_rotation, found, _name(title, identity))

    def facts(self) -> Facts:
        """What releases were found to do, by all rotations so far."""
        found = self._read(FACTS)
        return Facts() if found is None else self._parsed(_facts, found, FACTS)

    def keep(self, rotation: Rotation, identity: str | None) -> None:
        self._write(_name(rotation.group, identity), dataclasses.asdict(rotation))

    def keep_facts(self, facts: Facts) -> None:
        self._write(FACTS, dataclasses.asdict(facts))

    def _parsed(self, parse: t.Callable[[t.Any], t.Any], found: t.Any, name: str) -> t.Any:
        try:
            return parse(found)
        except (KeyError, TypeError, ValueError):
            raise self._tampered(name, "was written by another version of this collection") from None

    def _file(self, name: str) -> str:
        return os.path.join(self.folder, f"{name}.json")

    def _read(self, name: str) -> t.Any:
        try:
            with open(self._file(name), encoding="ascii") as file:
                found = json.load(file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no record"
            raise self._tampered(name, f"cannot be read: {why}") from None
        whole = found if isinstance(found, dict) else {}
        signature, record = whole.get("signature"), whole.get("record")
        public = signing.public_der(self._key)
        if not isinstance(signature, str) or not signing.is_signed(public, signature, _message(name, record)):
            raise self._tampered(name, "does not bear the signature of this control node")
        return record

    def _tampered(self, name: str, why: str) -> VpnKeysError:
        return VpnKeysError(
            "tampered",
            f"The record {self._file(name)} {why}",
            state=NOTHING_CHANGED,
            advice="restore it with signing.key beside it; or remove it, and the rotation goes on from what the key "
            "servers show",
        )

    def _write(self, name: str, record: t.Any) -> None:
        signature = base64.b64encode(self._key.sign(_message(name, record))).decode()
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            if self._new:
                key_file.write(self._path, self._key)
                self._new = False
            key_file.replace(self._file(name), json.dumps({"record": record, "signature": signature}, indent=1))
        except OSError as error:
            raise VpnKeysError(
                "bad_input",
                f"The record of the rotation cannot be kept in {self.folder}: {error.strerror}",
                state=NOTHING_CHANGED,
                advice="set O(state_directory)",
            ) from None


def _name(title: str, identity: str | None) -> str:
    """Of the file of a group; no two groups have the same."""
    told = hashlib.sha256(json.dumps([title, identity]).encode()).hexdigest()[:12]
    return f"group-{_FILE_NAME.sub('_', title)[:60]}-{told}"


def _message(name: str, record: t.Any) -> bytes:
    whole = {"kind": "rotation of a GET VPN group", "form": FORM, "name": name, "record": record}
    return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()


def _rotation(found: dict[str, t.Any]) -> Rotation:
    trial, baseline = found["trial"], found["baseline"]
    values = {
        **found,
        "trial": Trial(**trial) if trial else None,
        "baseline": _baseline(baseline) if baseline else None,
        "registered": tuple(found["registered"]),
    }
    return Rotation(**values)


def _baseline(found: dict[str, t.Any]) -> Baseline:
    rekeys = tuple((str(host), int(count)) for host, count in found["rekeys"])
    return Baseline(tuple(Member(**one) for one in found["members"]), rekeys, found["asked"])


def _facts(found: dict[str, t.Any]) -> Facts:
    return Facts(
        tuple(CoopFact(tuple(one["releases"]), one["behavior"]) for one in found["coop"]),
        tuple(RekeyFact(**one) for one in found["rekey"]),
    )
