# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each state of the module key_directory does to the records. Pure. PRIVATE to the collection.

Every function works on a book and may leave it half changed when it raises: the caller throws it away then.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .. import _public_key
from .._errors import VpnKeysError
from .._fingerprint import short
from . import book as records
from . import rotation as steps
from . import view
from .book import Book, Row

ALGORITHMS = {"wireguard": ("x25519",), "strongswan": ("ed25519", "rsa")}
"""What each platform can use, the default first."""
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,252}")
METADATA = ("platform", "algorithm", "identity", "endpoint", "networks")
EVENT_FIELDS = ("gateway", "peer", "outcome", "why", "details")

Options = Mapping[str, t.Any]


@dataclass(frozen=True)
class Context:
    """Who asks for a change, and when. `check`: keys that are not made yet may be given without their text."""

    by: str
    why: str | None
    now: str
    holder: Row
    lease: int
    take_over: bool
    is_gone: Callable[[Mapping[str, t.Any]], bool]
    check: bool


def event(context: Context, what: str, **fields: t.Any) -> Row:
    row: Row = {name: fields.get(name) for name in EVENT_FIELDS}
    return {"at": context.now, "by": context.by, "what": what, **row, "why": row["why"] or context.why}


def _log(book: Book, context: Context, what: str, **fields: t.Any) -> None:
    book.events.append(event(context, what, **fields))


# -- gateways


def _names(options: Options, state: str) -> list[str]:
    names = [str(one["name"]) for one in options["gateways"] or ()]
    if not names:
        raise VpnKeysError("bad_input", f"state={state} needs gateways. Nothing was changed.")
    return list(dict.fromkeys(names))


def _known(book: Book, name: str, revoked_too: bool = False) -> Row:
    """A gateway that may be worked on. All its records are genuine."""
    row = book.gateways.get(name)
    if row is None:
        raise VpnKeysError(
            "not_found",
            f"The directory knows no gateway {name}. Nothing was changed; see that the name is right, or enrol it "
            "with state=present.",
        )
    if name not in book.repaired and (found := records.tampered(book, [name])):
        raise VpnKeysError(
            "tampered",
            f"{name}: what the directory signed is not what is there now ({_what(found)}), so somebody else wrote to "
            "the database. Nothing was changed; restore the database from a backup, or enrol the gateway anew with "
            "state=present and repair, giving the key that the gateway itself shows.",
        )
    if row["revoked"] and not revoked_too:
        raise VpnKeysError(
            "refused", f"{name} is revoked as lost. Nothing was changed; a gateway that replaces it needs another name."
        )
    return row


def _what(found: Sequence[Row]) -> str:
    return ", ".join(one["what"] + (f" {one['serial']}" if one["serial"] else "") for one in found)


def enrol(book: Book, given: Options, options: Options, context: Context) -> None:
    """The gateway is in the directory as given, and so is its key."""
    name = str(given["name"])
    if not NAME.fullmatch(name):
        raise VpnKeysError(
            "bad_input", f"{name[:80]!r} is not the name of a gateway. Nothing was changed; use its inventory name."
        )
    key = _parsed(name, given["public_key"]) if given.get("public_key") else None
    if options["repair"] and name not in book.repaired and records.tampered(book, [name]):
        _repair(book, name, key, context)
    facts = _facts(book.gateways.get(name), given, key)
    if name not in book.gateways:
        book.gateways[name] = {
            "name": name,
            **facts,
            "enrolled_at": context.now,
            "enrolled_by": context.by,
            "revoked": False,
            "revision": _latest_acknowledged(book, name),
            "signature": "",
        }
        _log(book, context, "enrolled", gateway=name, outcome="done")
    else:
        row = _known(book, name)
        if before := {field: row[field] for field in METADATA if row[field] != facts[field]}:
            row.update(facts)
            _log(book, context, "updated", gateway=name, outcome="done", details={"before": before})
    if key:
        _present_key(book, name, key, options, context)


def _latest_acknowledged(book: Book, name: str) -> int:
    """The revision that peers may know. 0 unless the gateway is enrolled anew after it was tampered with."""
    return max((row["revision"] for row in book.acknowledgements.values() if row["gateway"] == name), default=0)


def _facts(row: Row | None, given: Options, key: _public_key.PublicKey | None) -> Row:
    """What the record of a gateway says; what is not given stays as it is."""
    name = given["name"]
    facts = {field: (row or {}).get(field) for field in METADATA}
    facts.update({field: given[field] for field in METADATA if given.get(field) is not None})
    if facts["platform"] not in ALGORITHMS:
        raise VpnKeysError("bad_input", f"{name}: platform is missing. Nothing was changed.")
    possible = ALGORITHMS[facts["platform"]]
    facts["algorithm"] = facts["algorithm"] or (key.algorithm if key else possible[0])
    if facts["algorithm"] not in possible:
        raise VpnKeysError(
            "bad_input",
            f"{name}: {facts['platform']} has no keys of the algorithm {facts['algorithm']}, only "
            f"{' or '.join(possible)}. Nothing was changed.",
        )
    try:
        facts["networks"] = [str(ipaddress.ip_network(str(one), strict=False)) for one in facts["networks"] or ()]
    except ValueError:
        raise VpnKeysError(
            "bad_input",
            f"{name}: networks must be networks like 10.79.1.0/24, and one of them is not. Nothing was changed.",
        ) from None
    return facts


def _present_key(book: Book, name: str, key: _public_key.PublicKey, options: Options, context: Context) -> None:
    keys = records.keys_of_one(book, name)
    current, rotation = records.in_state(keys, "current"), records.open_rotation(book, name)
    if current and current["fingerprint"] == key.fingerprint:
        return
    under_way = (rotation["old_serial"], rotation["new_serial"]) if rotation else ()
    if any(row["serial"] in under_way and row["fingerprint"] == key.fingerprint for row in keys):
        return  # the rotation decides which of the two is current
    if rotation:
        raise VpnKeysError(
            "conflict",
            f"{name} shows the key {short(key.fingerprint)}, which is neither the old nor the new one of its open "
            "rotation. Nothing was changed; abort the rotation first.",
        )
    if keys and not (options["adopt"] or name in book.repaired):
        has = f"{short(current['fingerprint'])} (serial {current['serial']})" if current else "no valid key"
        raise VpnKeysError(
            "conflict",
            f"{name} shows the key {short(key.fingerprint)}, and the directory has {has}. Nothing was changed; if the "
            "gateway is right, set adopt.",
        )
    row = _record(book, name, key, "current", context)
    if current:
        current["state"] = "retired"
    _log(book, context, "adopted" if keys else "key enrolled", gateway=name, outcome="done", details=_about(row))


def _repair(book: Book, name: str, key: _public_key.PublicKey | None, context: Context) -> None:
    """Sign anew what is left when all that was tampered with is thrown away. Only the gateway itself can say which of
    the keys is its own; the numbers of all stay taken, as serials only rise."""
    if key is None:
        raise VpnKeysError(
            "bad_input", f"{name} can be repaired only with the public_key that it shows itself. Nothing was changed."
        )
    found = records.tampered(book, [name])
    _log(book, context, "repaired", gateway=name, outcome="done", details={"tampered": found})
    lost = {one["serial"] for one in found if one["what"] == "key"}
    for row in records.keys_of_one(book, name):
        if (row["public_key"], row["fingerprint"]) == (key.text, key.fingerprint):
            row["state"] = "current"
        elif row["serial"] in lost:
            row["state"] = "revoked"
        elif row["state"] != "revoked":
            row["state"] = "retired"
    if last := book.rotations.get(name):
        last.update(state="aborted", ended_at=last["ended_at"] or context.now)
    book.gateways.pop(name, None)
    book.repaired.add(name)


# -- keys


def _parsed(gateway: str, text: str) -> _public_key.PublicKey:
    try:
        return _public_key.parse(text)
    except VpnKeysError as error:
        raise VpnKeysError(error.code, f"{gateway}: {error} Nothing was changed.") from None


def _record(book: Book, gateway: str, key: _public_key.PublicKey | None, state: str, context: Context) -> Row:
    """A new key under the next serial. `key` is None if a check mode run foretells it."""
    if key:
        _refuse_duplicate(book, gateway, key)
        possible = ALGORITHMS[book.gateways[gateway]["platform"]]
        if key.algorithm not in possible:
            raise VpnKeysError(
                "bad_public_key",
                f"{gateway}: its key is {key.algorithm}, which {book.gateways[gateway]['platform']} cannot use. "
                "Nothing was changed.",
            )
    keys = records.keys_of_one(book, gateway)
    serial = keys[0]["serial"] + 1 if keys else 1
    row = {
        "gateway": gateway,
        "serial": serial,
        "algorithm": key.algorithm if key else book.gateways[gateway]["algorithm"],
        "public_key": key.text if key else "",
        "fingerprint": key.fingerprint if key else f"(new) {gateway} {serial}",
        "state": state,
        "created_at": context.now,
        "created_by": context.by,
        "reason": context.why,
        "signature": "",
    }
    book.keys[gateway, serial] = row
    return row


def _refuse_duplicate(book: Book, gateway: str, key: _public_key.PublicKey) -> None:
    for row in book.keys.values():
        if row["fingerprint"] == key.fingerprint:
            raise VpnKeysError(
                "duplicate_key",
                f"{gateway}: the key {short(key.fingerprint)} is that of {row['gateway']} already (serial "
                f"{row['serial']}, {row['state']}), and no key is ever used twice. Nothing was changed; make a new "
                f"key on {gateway}.",
            )


def _about(row: Row) -> Row:
    return {"serial": row["serial"], "fingerprint": row["fingerprint"]}


# -- acknowledgements


def acknowledge(book: Book, given: Sequence[Options], context: Context) -> None:
    """What peers have stored. One event for each gateway, however many peers."""
    for name in dict.fromkeys(str(one[side]) for one in given for side in ("peer", "gateway")):
        _known(book, name, revoked_too=True)
    new: dict[tuple[str, int, str], list[str]] = {}
    keys = records.keys_of(book)
    for one in given:
        peer, gateway, role = str(one["peer"]), str(one["gateway"]), one["role"]
        serial = _serial(gateway, keys[gateway], one)
        before = book.acknowledgements.get((peer, gateway))
        revision = book.gateways[gateway]["revision"]
        if before and (before["serial"], before["role"], before["revision"]) == (serial, role, revision):
            continue
        book.acknowledgements[peer, gateway] = {
            "peer": peer,
            "gateway": gateway,
            "serial": serial,
            "role": role,
            "revision": revision,
            "at": context.now,
        }
        new.setdefault((gateway, serial, role), []).append(peer)
    for (gateway, serial, role), peers in new.items():
        details = {"serial": serial, "peers": sorted(peers)}
        _log(book, context, "acknowledged", gateway=gateway, outcome=role, details=details)


def _serial(gateway: str, keys: Sequence[Row], given: Options) -> int:
    if not keys:
        raise VpnKeysError("not_found", f"{gateway} has no key to acknowledge. Nothing was changed.")
    if given.get("public_key"):
        fingerprint = _parsed(gateway, given["public_key"]).fingerprint
        found = [row["serial"] for row in keys if row["fingerprint"] == fingerprint]
    elif given.get("serial") is not None:
        found = [row["serial"] for row in keys if row["serial"] == given["serial"]]
    else:
        found = [records.withdrawn_serial(keys) if given["role"] == "withdrawn" else keys[0]["serial"]]
    if not found:
        raise VpnKeysError(
            "not_found",
            f"{given['peer']} acknowledges a key of {gateway} that the directory does not know. Nothing was changed; "
            f"look at what {given['peer']} has stored.",
        )
    return int(found[0])


# -- rotations


def _begin(book: Book, name: str, options: Options, context: Context) -> None:
    _known(book, name)
    keys = records.keys_of_one(book, name)
    if not keys:
        raise VpnKeysError(
            "wrong_state",
            f"{name} has no key in the directory that could be replaced. Nothing was changed; enrol its key with "
            "state=present.",
        )
    if rotation := _held(book, name, context):
        _resume(book, rotation, options, context)
        return
    book.last_rotation_id += 1
    book.rotations[name] = {
        "id": book.last_rotation_id,
        "gateway": name,
        "mode": options["mode"],
        "strategy": options["strategy"],
        "state": "prepared",
        "old_serial": (records.in_state(keys, "current") or keys[0])["serial"],
        "new_serial": None,
        "why": context.why,
        "begun_by": context.by,
        "begun_at": context.now,
        "holder": context.holder,
        "lease_until": steps.later(context.now, context.lease),
        "ended_at": None,
        "signature": "",
    }
    _log(book, context, "prepared", gateway=name, outcome=options["mode"], details={"strategy": options["strategy"]})


def _resume(book: Book, rotation: Row, options: Options, context: Context) -> None:
    """What may change about a rotation that has begun: a planned one becomes an emergency, and the strategy may be
    another one as long as nothing was done."""
    name = rotation["gateway"]
    if (rotation["mode"], options["mode"]) == ("planned", "emergency"):
        rotation["mode"] = "emergency"
        _log(book, context, "made an emergency", gateway=name, outcome=rotation["state"])
    if rotation["strategy"] != options["strategy"]:
        if rotation["state"] != "prepared":
            raise VpnKeysError(
                "wrong_state",
                f"The rotation of {name} is {rotation['state']} by the strategy {rotation['strategy']}. Nothing was "
                f"changed; go on with that strategy, or abort it.",
            )
        rotation["strategy"] = options["strategy"]
        _log(book, context, "strategy chosen", gateway=name, outcome=options["strategy"])


def _held(book: Book, name: str, context: Context) -> Row | None:
    """The open rotation of a gateway, now held by whoever asks. Raises VpnKeysError(held)."""
    rotation = records.open_rotation(book, name)
    if rotation is None:
        return None
    taken = steps.claim(rotation, context.holder, context.now, context.is_gone, context.take_over)
    if taken:
        former = {name: rotation["holder"].get(name) for name in ("user", "host", "pid")}
        _log(book, context, "taken over", gateway=name, outcome=taken, details={"from": former})
    rotation["holder"] = context.holder
    rotation["lease_until"] = steps.later(context.now, context.lease)
    return rotation


def _advance(book: Book, name: str, state: str, context: Context) -> Row | None:
    """The rotation if it has to be brought to that state."""
    _known(book, name)
    rotation = _held(book, name, context) or book.rotations.get(name)
    if not steps.must_advance(rotation, name, state) or rotation is None:
        return None
    rotation["state"] = state
    if state in steps.CLOSED:
        rotation["ended_at"] = context.now
    _log(book, context, state, gateway=name, outcome="done", details={"rotation": rotation["id"]})
    return rotation


def _stage_key(book: Book, given: Options, options: Options, context: Context) -> None:
    name = str(given["gateway"])
    _known(book, name)
    if context.check and not records.open_rotation(book, name):
        _begin(book, name, options, context)  # as the task before this one would have done
    rotation = _held(book, name, context)
    if rotation is None:
        raise VpnKeysError(
            "wrong_state", f"No rotation of {name} is open. Nothing was changed; begin with state=prepared."
        )
    key = _parsed(name, given["public_key"]) if given.get("public_key") else None
    if key is None and not context.check:
        raise VpnKeysError("bad_input", f"{name}: its new public key is missing. Nothing was changed.")
    before = book.keys.get((name, rotation["new_serial"] or 0))
    if before and (key is None or before["fingerprint"] == key.fingerprint):
        return
    if rotation["state"] not in ("prepared", "staged"):
        raise VpnKeysError(
            "wrong_state",
            f"The rotation of {name} is {rotation['state']} with another key. Nothing was changed; finish or abort it "
            "first.",
        )
    if before:
        # With the old key revoked, an abort leaves none. Then all are revoked: a retired one would look like a record
        # that somebody put back.
        old = book.keys[name, rotation["old_serial"]]
        before["state"] = "revoked" if old["state"] == "revoked" else "retired"
        rotation["state"] = "prepared"
        _log(book, context, "replaced before use", gateway=name, outcome=before["state"], details=_about(before))
    row = _record(book, name, key, "staged", context)
    rotation["new_serial"] = row["serial"]
    _log(book, context, "key staged", gateway=name, outcome="done", details=_about(row))


def _need_new_key(book: Book, name: str) -> Row:
    rotation = records.open_rotation(book, name) or {}
    row = book.keys.get((name, rotation.get("new_serial") or 0))
    if row is None:
        raise VpnKeysError(
            "wrong_state",
            f"The rotation of {name} has no new key yet. Nothing was changed; record it with state=staged and keys.",
        )
    return row


def _need_share(book: Book, names: Iterable[str], minimum: int) -> None:
    missing = []
    for name in names:
        row = book.gateways[name]
        peers = view.peers_of(book, row)
        have = view.acknowledged(book, row, _need_new_key(book, name)["serial"])
        if len(have) * 100 < minimum * len(peers):
            lacking = ", ".join(peer for peer in peers if peer not in have)
            missing.append(f"{name}: {len(have)} of {len(peers)} peers, not yet {lacking}")
    if missing:
        raise VpnKeysError(
            "too_few",
            f"Fewer than {minimum} percent of the peers hold the new key ({'; '.join(missing)}). Nothing was changed; "
            "bring those peers back, or allow a smaller minimum_share.",
        )


# -- the states of the module


def present(book: Book, options: Options, context: Context) -> None:
    for given in options["gateways"] or ():
        enrol(book, given, options, context)


def prepared(book: Book, options: Options, context: Context) -> None:
    for name in _names(options, "prepared"):
        _begin(book, name, options, context)


def staged(book: Book, options: Options, context: Context) -> None:
    """Records new keys; with acknowledgements, or where only gateways are named, the rotations are staged then."""
    for given in options["keys"] or ():
        _stage_key(book, given, options, context)
    names = [str(one["name"]) for one in options["gateways"] or ()]
    names += [str(one["gateway"]) for one in options["acknowledgements"] or ()]
    if not (names or options["keys"]):
        raise VpnKeysError("bad_input", "state=staged needs keys, acknowledgements or gateways. Nothing was changed.")
    moving = [name for name in dict.fromkeys(names) if not _beyond_prepared(book, name)]
    acknowledge(book, options["acknowledgements"] or (), context)
    _need_share(book, moving, options["minimum_share"])
    for name in moving:
        _advance(book, name, "staged", context)
    for name in dict.fromkeys(names):
        if name not in moving:
            _advance(book, name, "staged", context)


def _beyond_prepared(book: Book, name: str) -> bool:
    rotation = records.open_rotation(book, name)
    return rotation is None or rotation["state"] != "prepared"


def swapped(book: Book, options: Options, context: Context) -> None:
    for name in _names(options, "swapped"):
        _swap(book, name, context)


def _swap(book: Book, name: str, context: Context) -> None:
    if _advance(book, name, "swapped", context) is None:
        return
    new = _need_new_key(book, name)
    for row in records.keys_of_one(book, name):
        if row["state"] == "current":
            row["state"] = "retired"
    new["state"] = "current"


def verified(book: Book, options: Options, context: Context) -> None:
    """A change that is proved was made: where that was not entered yet, it is entered now."""
    for name in _names(options, "verified"):
        rotation = records.open_rotation(book, name)
        if rotation and rotation["state"] == "staged":
            _swap(book, name, context)
        _advance(book, name, "verified", context)


def retired(book: Book, options: Options, context: Context) -> None:
    for name in _names(options, "retired"):
        _advance(book, name, "retired", context)


def aborted(book: Book, options: Options, context: Context) -> None:
    """The new key is never used again; the old one is current again unless it was revoked."""
    for name in _names(options, "aborted"):
        rotation = _advance(book, name, "aborted", context)
        if rotation is None:
            continue
        if new := book.keys.get((name, rotation["new_serial"] or 0)):
            new["state"] = "revoked"
        old = book.keys[name, rotation["old_serial"]]
        if old["state"] == "retired":
            old["state"] = "current"


def revoked(book: Book, options: Options, context: Context) -> None:
    """Nobody may accept the keys of these gateways any more, but for the new one of an open rotation; with lost, not
    even that, and the gateway itself is out."""
    for name in _names(options, "revoked"):
        gateway = _known(book, name, revoked_too=True)
        rotation = _held(book, name, context)
        spared = rotation["new_serial"] if rotation and not options["lost"] else None
        for row in records.keys_of_one(book, name):
            if row["serial"] != spared and row["state"] != "revoked":
                row["state"] = "revoked"
                _log(book, context, "key revoked", gateway=name, outcome="done", details=_about(row))
        if options["lost"] and rotation:
            _advance(book, name, "aborted", context)
        if options["lost"] and not gateway["revoked"]:
            gateway["revoked"] = True
            _log(book, context, "gateway revoked", gateway=name, outcome="done")


STATES: dict[str, Callable[[Book, Options, Context], None]] = {
    "present": present,
    "prepared": prepared,
    "staged": staged,
    "swapped": swapped,
    "verified": verified,
    "retired": retired,
    "aborted": aborted,
    "revoked": revoked,
}


def apply(before: Book, state: str, options: Options, context: Context) -> Book:
    """The book after the change. Raises VpnKeysError; then nothing is to be kept."""
    book = before.copy()
    STATES[state](book, options, context)
    if state != "staged":
        acknowledge(book, options["acknowledgements"] or (), context)
    for given in options["events"] or ():
        _log(book, context, str(given["what"]), **{name: given.get(name) for name in EVENT_FIELDS})
    _revise(before, book)
    return book


def _revise(before: Book, book: Book) -> None:
    """Where peers must now store something else, older acknowledgements are no longer enough."""
    was, now = _stored(before), _stored(book)
    for name, row in book.gateways.items():
        if was.get(name) != now[name]:
            row["revision"] += 1
            for (peer, gateway), given in book.acknowledgements.items():
                if gateway == name and given != before.acknowledgements.get((peer, gateway)):
                    given["revision"] = row["revision"]


def _stored(book: Book) -> dict[str, Row]:
    """What peers have to store of each gateway. Keys that are merely known, or good for going back, are not stored."""
    keys = records.keys_of(book)
    return {name: {**view.peer(row, keys[name], None), "known": None} for name, row in book.gateways.items()}
