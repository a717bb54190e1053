# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of rotations of groups: one small signed file per group, and one of what releases were found to do.

Files of a directory on the control node, for their owner alone, each whole or not there. The Ed25519 key that signs
them lies beside them and is made at the first use: a record that was edited, or belongs to another group, is refused.

What a key server calls a group, and whether it says which identity it has, is its own word. So a record tells which key
servers it is about, and is found by them as well: one that takes another name hides no rotation that is under way, and
one that takes the name of a group gets no record of it.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import json
import os
import re
import typing as t
from collections.abc import Iterator
from pathlib import Path

from ...module_utils._directory import key_file, signing
from ...module_utils._errors import NOTHING_CHANGED, VpnKeysError
from ...module_utils._key_servers.rotation import Baseline, CoopFact, Facts, Member, RekeyFact, Rotation, Trial

if t.TYPE_CHECKING:
    from .live_group import LiveGroup

Row = dict[str, t.Any]
FORM = 1
FACTS = "releases"
_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class Claim(t.NamedTuple):
    """A record that a group has by what its key servers say. `rank`: how much it is that of this group: how many of its
    key servers the group has, and whether the group has its very name."""

    name: str
    rank: tuple[int, bool]
    key_servers: frozenset[str]
    rotation: Rotation


class RotationStore:
    """The records in one directory. Raises VpnKeysError signing_key, tampered, bad_input."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(os.path.expanduser(folder))
        path = os.path.join(self.folder, "signing.key")
        key = key_file.read(path)
        self._new = key is None
        self._path, self._key = path, key or signing.new_private_key()

    def rotation(self, live: LiveGroup) -> Rotation | None:
        """The rotation of a group, if one was begun. Raises blocked where its record is that of other key servers."""
        found = self._found(live)
        return None if found is None else self._parsed(_rotation, found[1], found[0])

    def claim(self, live: LiveGroup) -> Claim | None:
        """The record of a group, which another group may claim as well. Raises as `rotation`."""
        found = self._found(live)
        if found is None:
            return None
        name, record = found
        rank = (_shared(record, live), name == _name(live.title, live.identity))
        return Claim(name, rank, frozenset(record.get("key_servers", ())), self._parsed(_rotation, record, name))

    def facts(self) -> Facts:
        """What releases were found to do, by all rotations so far."""
        found = self._read(FACTS)
        return Facts() if found is None else self._parsed(_facts, found, FACTS)

    def keep(self, rotation: Rotation, live: LiveGroup) -> None:
        found = self._found(live)
        name, before = found if found else (_name(live.title, live.identity), {"key_servers": ()})
        servers = sorted({*before["key_servers"], *live.hosts})
        self._write(name, {**dataclasses.asdict(rotation), "identity": live.identity, "key_servers": servers})

    def _found(self, live: LiveGroup) -> tuple[str, Row] | None:
        """The name of the record of a group, and what is in it."""
        name = _name(live.title, live.identity)
        record = self._read(name)
        if record is None:
            others = [(alike, *one) for one in self._all() if (alike := _alike(one[1], live))]
            best = max(others, key=lambda one: one[0], default=None)
            return best[1:] if best else None
        if not _shared(record, live):
            raise VpnKeysError(
                "blocked",
                f"The record {self._file(name)} is of a group of that name on other key servers, "
                f"{', '.join(record['key_servers'])}",
                state=NOTHING_CHANGED,
                advice="set O(state_directory) to another directory; or remove the record if these key servers have "
                "taken their place",
            )
        return name, record

    def _all(self) -> Iterator[tuple[str, Row]]:
        """All records that can be read."""
        for path in sorted(Path(self.folder).glob("group-*.json")):
            with contextlib.suppress(VpnKeysError):
                record = self._read(path.stem)
                if record is not None:
                    yield path.stem, record

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
            why = error.strerror if isinstance(error, OSError) else "it is not a record"
            raise self._tampered(name, f"cannot be read: {why}") from None
        whole = found if isinstance(found, dict) else {}
        signature, record = whole.get("signature"), whole.get("record")
        public = signing.public_der(self._key)
        if not isinstance(signature, str) or not signing.is_signed(public, signature, _message(name, record)):
            raise self._tampered(name, "does not have the signature of this control node")
        return record

    def _tampered(self, name: str, why: str) -> VpnKeysError:
        return VpnKeysError(
            "tampered",
            f"The record {self._file(name)} {why}",
            state=NOTHING_CHANGED,
            advice="restore it with signing.key beside it; or remove it, and the rotation continues from what the key "
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


def _shared(record: Row, live: LiveGroup) -> int:
    """How many key servers a record and a group have in common."""
    return len(set(live.hosts).intersection(record.get("key_servers", ())))


def _alike(record: Row, live: LiveGroup) -> tuple[int, bool] | None:
    """How much a record of another name looks like that of a group; None where it is of another one."""
    both = None not in (record.get("identity"), live.identity)
    called = record.get("group") in live.known_as
    same = record.get("identity") == live.identity if both else called
    return (_shared(record, live), called) if same and _shared(record, live) else None


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
        **{name: value for name, value in found.items() if name not in ("identity", "key_servers")},
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
        tuple(CoopFact(tuple(one["releases"]), one["behavior"], tuple(one["seen_on"])) for one in found["coop"]),
        tuple(RekeyFact(**{**one, "seen_on": tuple(one["seen_on"])}) for one in found["rekey"]),
    )
