# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules return about a directory. Pure. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Sequence

from . import book as records
from .book import Book, Row

AFTER_SWAP = ("swapped", "verified")
NEW = "(new)"
"""Instead of the text of a key that a check mode run only foretells."""


def text(key: Row | None) -> str | None:
    return (key["public_key"] or NEW) if key else None


def identified(key: Row | None) -> Row | None:
    if key is None:
        return None
    mark = key["fingerprint"] if key["public_key"] else NEW
    return {"serial": key["serial"], "public_key": text(key), "fingerprint": mark}


def peer(gateway: Row, keys: Sequence[Row], rotation: Row | None) -> Row:
    """What every other gateway must store of this one. `keys`: newest first; `rotation`: the open one."""
    current = records.in_state(keys, "current")
    staged = records.in_state(keys, "staged") if current else None
    former = rotation["old_serial"] if rotation and rotation["state"] in AFTER_SWAP else None
    # A revoked key is never accepted again, also not while the rotation goes on.
    previous = records.in_state((row for row in keys if row["serial"] == former), "retired")
    return {
        "name": gateway["name"],
        "platform": gateway["platform"],
        "identity": gateway["identity"],
        "endpoint": gateway["endpoint"],
        "networks": gateway["networks"],
        "current": text(current),
        "staged": text(staged),
        "previous": text(previous),
        # In an emergency there is no current key, until the new one is in use.
        "withdrawn": bool(gateway["revoked"] or (keys and not current)),
        "known": [row["public_key"] for row in keys if row["public_key"]],
        "serial": current["serial"] if current else None,
        "staged_serial": staged["serial"] if staged else None,
    }


def wanted(peer_entry: Row, keys: Sequence[Row]) -> tuple[str, int] | None:
    """The acknowledgement (role, serial) that every other gateway has to give; None where there is nothing to store."""
    if peer_entry["withdrawn"]:
        return ("withdrawn", records.withdrawn_serial(keys)) if keys else None
    if peer_entry["staged_serial"] is not None:
        return "staged", peer_entry["staged_serial"]
    return None if peer_entry["serial"] is None else ("current", peer_entry["serial"])


def peers_of(book: Book, gateway: Row) -> list[str]:
    """Names of the gateways that store this one's key: all others of its platform."""
    return sorted(
        name
        for name, other in book.gateways.items()
        if other["platform"] == gateway["platform"] and name != gateway["name"] and not other["revoked"]
    )


def acknowledged(book: Book, gateway: Row, serial: int | None) -> list[str]:
    """Peers that hold this key, whether the one before is gone there or not."""
    return [
        name
        for name in peers_of(book, gateway)
        if serial is not None
        and (row := book.acknowledgements.get((name, gateway["name"])))
        and row["serial"] == serial
        and row["role"] in ("current", "staged")
    ]


def _rotation(book: Book, gateway: Row, keys: Sequence[Row], rotation: Row | None) -> Row | None:
    if rotation is None:
        return None
    by_serial = {row["serial"]: row for row in keys}
    return {
        "id": rotation["id"],
        "mode": rotation["mode"],
        "strategy": rotation["strategy"],
        "state": rotation["state"],
        "old": identified(by_serial.get(rotation["old_serial"])),
        "new": identified(by_serial.get(rotation["new_serial"])),
        "begun_by": rotation["begun_by"],
        "begun_at": rotation["begun_at"],
        "holder": rotation["holder"],
        "why": rotation["why"],
        "acknowledged": acknowledged(book, gateway, rotation["new_serial"]),
    }


def _gateway(book: Book, gateway: Row, keys: Sequence[Row], rotation: Row | None) -> Row:
    current = records.in_state(keys, "current")
    shown = identified(current) or {"serial": None, "public_key": None, "fingerprint": None}
    return {
        "name": gateway["name"],
        "platform": gateway["platform"],
        "algorithm": gateway["algorithm"],
        "identity": gateway["identity"],
        "endpoint": gateway["endpoint"],
        "networks": gateway["networks"],
        "revoked": gateway["revoked"],
        "revision": gateway["revision"],
        **shown,
        "created_at": current["created_at"] if current else None,
        "created_by": current["created_by"] if current else None,
        "known_keys": [row["public_key"] for row in keys if row["public_key"]],
        "rotation": _rotation(book, gateway, keys, rotation),
    }


def build(book: Book, about: Row, only: Collection[str] | None) -> Row:
    """`directory`, `peers` and `owed`. A gateway of which any record was tampered with is in neither: what is known of
    it cannot be told from what somebody wants to be believed."""
    tampered = records.tampered(book)
    suspect = {one["gateway"] for one in tampered}
    sound = [row for name, row in sorted(book.gateways.items()) if name not in suspect]
    owed: dict[str, list[str]] = {row["name"]: [] for row in sound if not row["revoked"]}
    keys, peers, gateways = records.keys_of(book), [], {}
    by_platform: dict[str, list[str]] = {}
    for row in sound:
        if not row["revoked"]:
            by_platform.setdefault(row["platform"], []).append(row["name"])
    for row in sound:
        name = row["name"]
        rotation = records.open_rotation(book, name)
        entry = peer(row, keys[name], rotation)
        peers.append(entry)
        if only is None or name in only:
            gateways[name] = _gateway(book, row, keys[name], rotation)
        want = wanted(entry, keys[name])
        for other in by_platform.get(row["platform"], ()) if want else ():
            if other != name and not _satisfied(book.acknowledgements.get((other, name)), want, row["revision"]):
                owed[other].append(name)
    return {
        "directory": {**about, "gateways": gateways, "tampered": tampered},
        "peers": peers,
        "owed": {name: names for name, names in owed.items() if names},
    }


def _satisfied(given: Row | None, want: t.Any, revision: int) -> bool:
    return bool(given and (given["role"], given["serial"]) == want and given["revision"] >= revision)


def outline(book: Book) -> str:
    """For a diff: a line per gateway and per key, keys by fingerprint."""
    lines = []
    keys_of = records.keys_of(book)
    for name, gateway in sorted(book.gateways.items()):
        keys, rotation = keys_of[name], records.open_rotation(book, name)
        facts = [gateway["platform"], gateway["identity"], gateway["endpoint"], *gateway["networks"]]
        facts += ["revoked"] if gateway["revoked"] else []
        facts += [f"rotation {rotation['state']} ({rotation['mode']})"] if rotation else []
        lines.append(f"{name}: {', '.join(str(fact) for fact in facts if fact)}")
        lines += [
            f"  serial {row['serial']} {row['state']}: {row['fingerprint'] if row['public_key'] else NEW}"
            for row in reversed(keys)
        ]
    lines += [
        f"{peer} has serial {row['serial']} of {gateway} as {row['role']}"
        for (peer, gateway), row in sorted(book.acknowledgements.items())
    ]
    return "".join(f"{line}\n" for line in lines)
