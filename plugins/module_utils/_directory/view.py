# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules return about a directory. Pure. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .._printable import printable
from . import acknowledgements, records, stored
from .records import Row, Snapshot


def identified(key: Row | None) -> Row | None:
    if key is None:
        return None
    mark = key["fingerprint"] if key["public_key"] else stored.NEW
    return {"serial": key["serial"], "public_key": stored.text(key), "fingerprint": mark}


KEY_FIELDS = ("serial", "public_key", "fingerprint", "algorithm", "state", "created_at", "revoked_at")


def _keys(keys: Sequence[Row]) -> list[Row]:
    """Of the keys that there are, not those that a check mode run only predicts."""
    return [{name: row[name] for name in KEY_FIELDS} for row in keys if row["public_key"]]


def _rotation(keys: Sequence[Row], rotation: Row | None, holders: Sequence[str]) -> Row | None:
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
        "lock_owner": rotation["holder"],
        "why": rotation["why"],
        "acknowledged": list(holders),
    }


def _gateway(gateway: Row, keys: Sequence[Row], rotation: Row | None, holders: Sequence[str]) -> Row:
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
        "revoked_at": gateway["revoked_at"],
        "retired_at": gateway["retired_at"],
        "revision": gateway["revision"],
        **shown,
        "created_at": current["created_at"] if current else None,
        "created_by": current["created_by"] if current else None,
        "keys": _keys(keys),
        "rotation": _rotation(keys, rotation, holders),
    }


def build(snapshot: Snapshot, about: Row, only: Collection[str] | None) -> Row:
    """`directory`, `peers` and `learned`. A gateway of which any record was tampered with is in none of them: what is
    known of it cannot be told from what somebody wants to be believed. Where that is so of the directory as a whole,
    nothing is."""
    tampered = records.tampered(snapshot)
    found = [{**one, "gateway": one["gateway"] and printable(one["gateway"])} for one in tampered]
    if snapshot.whole:
        shown = {**about, "revision": snapshot.revision, "gateways": {}, "tampered": found}
        return {"directory": shown, "peers": [], "learned": {}}
    known = acknowledgements.ledger(snapshot, {one["gateway"] for one in tampered})
    holders = acknowledgements.holders(known)
    sound = [row for name, row in sorted(snapshot.gateways.items()) if name not in known.suspects]
    keys, peers, gateways = records.keys_of(snapshot), [], {}
    for row in sound:
        name = row["name"]
        rotation = records.open_rotation(snapshot, name)
        peers.append(stored.peer(row, keys[name], rotation))
        if only is None or name in only:
            gateways[name] = _gateway(row, keys[name], rotation, holders.get(name, ()))
    return {
        "directory": {**about, "revision": snapshot.revision, "gateways": gateways, "tampered": found},
        "peers": peers,
        "learned": {
            name: {"upto": has.upto, "also": sorted(has.also), "missing": sorted(has.missing)}
            for name, has in sorted(known.learned.items())
        },
    }


def outline(snapshot: Snapshot) -> str:
    """For a diff: a line per gateway and per key, keys by fingerprint."""
    lines = []
    keys_of = records.keys_of(snapshot)
    for name, gateway in sorted(snapshot.gateways.items()):
        keys, rotation = keys_of[name], records.open_rotation(snapshot, name)
        facts = [gateway["platform"], gateway["identity"], gateway["endpoint"], *gateway["networks"]]
        facts += ["revoked"] if gateway["revoked"] else []
        facts += ["retired"] if gateway["retired_at"] else []
        facts += [f"rotation {rotation['state']} ({rotation['mode']})"] if rotation else []
        lines.append(f"{name}: {', '.join(str(fact) for fact in facts if fact)}")
        lines += [
            f"  serial {row['serial']} {row['state']}: {row['fingerprint'] if row['public_key'] else stored.NEW}"
            for row in reversed(keys)
        ]
    lines += [f"{peer} has all up to revision {row['revision']}" for peer, row in sorted(snapshot.marks.items())]
    lines += [_acknowledged(row) for dummy, row in sorted(snapshot.acknowledgements.items())]
    return "".join(f"{line}\n" for line in lines)


def _acknowledged(row: Row) -> str:
    if row["role"] == acknowledgements.NOTHING:
        return f"{row['peer']} has not stored {row['gateway']}"
    return f"{row['peer']} has serial {row['serial']} of {row['gateway']} as {row['role']}"
