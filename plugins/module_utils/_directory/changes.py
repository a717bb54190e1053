# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each state of the module key_directory does to the records. Pure. PRIVATE to the collection.

Every function works on a snapshot and may leave it half changed when it raises: the caller throws it away then.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence

from .. import _public_key
from .._backends import BACKENDS
from .._errors import NOTHING_CHANGED, VpnKeysError, sentence
from .._fingerprint import short
from .._printable import printable
from . import acknowledgements, records
from . import rotation as steps
from .acknowledgements import Ledger
from .context import Context, log
from .records import Row, Snapshot

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,252}")
LONGEST_NAME = 80
"""Characters of a name that may be none that a sentence shows."""
MOST_NAMES = 12
"""So many peers are named in a sentence."""
METADATA = ("platform", "algorithm", "identity", "endpoint", "networks")

Options = Mapping[str, t.Any]


# -- gateways


def names_in(options: Options, state: str) -> list[str]:
    names = [str(one["name"]) for one in options["gateways"] or ()]
    if not names:
        raise VpnKeysError("bad_input", f"state={state} needs O(gateways)", state=NOTHING_CHANGED)
    return list(dict.fromkeys(names))


def known(snapshot: Snapshot, name: str, revoked_too: bool = False) -> Row:
    """A gateway that may be worked on. All its records are genuine."""
    refuse_tampered(snapshot, name)
    row = snapshot.gateways.get(name)
    if row is None:
        raise VpnKeysError(
            "not_found",
            f"The directory has no gateway {printable(name, LONGEST_NAME)}",
            state=NOTHING_CHANGED,
            advice="check the name, or enroll it with state=present",
        )
    if records.is_gone(row) and not revoked_too:
        raise _lost(name) if row["revoked"] else _retired(row)
    return row


def _retired(gateway: Row) -> VpnKeysError:
    return VpnKeysError(
        "refused",
        f"{gateway['name']} was retired at {gateway['retired_at']}",
        state=NOTHING_CHANGED,
        advice="a gateway that takes its place needs another name, or state=purged for this one first",
    )


LOST = "gateway revoked"
"""The event of a gateway that nobody may accept again."""
RENAMED = "renamed"
"""The event of a gateway that has another name now."""


def _lost(name: str) -> VpnKeysError:
    return VpnKeysError(
        "refused",
        f"{name} is revoked as lost",
        state=NOTHING_CHANGED,
        advice="a gateway that replaces it needs another name",
    )


def refuse_tampered(snapshot: Snapshot, name: str) -> None:
    if name not in snapshot.repaired and (found := records.tampered(snapshot, [name])):
        raise VpnKeysError(
            "tampered",
            f"its records ({_what(found)}) are not as the directory signed them, so the database was "
            "modified outside vpnops.keys",
            host=name,
            state=NOTHING_CHANGED,
            advice="restore the database from a backup, or enroll the gateway again with state=present and "
            "repair=true, with the public key that the gateway itself reports",
        )


def _what(found: Sequence[Row]) -> str:
    return ", ".join(one["what"] + (f" {one['serial']}" if one["serial"] else "") for one in found)


def enroll(snapshot: Snapshot, given: Options, options: Options, context: Context) -> None:
    """The gateway is in the directory as given, and so is its key."""
    name = str(given["name"])
    if not NAME.fullmatch(name):
        raise VpnKeysError(
            "bad_input",
            f"{name[:LONGEST_NAME]!r} is not a valid name of a gateway",
            state=NOTHING_CHANGED,
            advice="rename it in the inventory (letters, digits and _.:@- only), and set its address in ansible_host",
        )
    key = _parsed(name, given["public_key"]) if given.get("public_key") else None
    if options["repair"] and name not in snapshot.repaired and records.tampered(snapshot, [name]):
        _repair(snapshot, name, key, context)
    facts = _facts(snapshot.gateways.get(name), given, key)
    if name not in snapshot.gateways:
        refuse_tampered(snapshot, name)  # its record was removed
        refuse_former(snapshot, name)
        snapshot.gateways[name] = {
            "name": name,
            **facts,
            "enrolled_at": context.now,
            "enrolled_by": context.by,
            "revoked": False,
            "revision": 0,
            "revoked_at": None,
            "retired_at": None,
            "signature": "",
        }
        log(snapshot, context, "enrolled", gateway=name, outcome="done")
    else:
        row = known(snapshot, name)
        if before := {field: row[field] for field in METADATA if row[field] != facts[field]}:
            row.update(facts)
            log(snapshot, context, "updated", gateway=name, outcome="done", details={"before": before})
    if key:
        _present_key(snapshot, name, key, options, context)


def refuse_former(snapshot: Snapshot, name: str) -> None:
    """A name in the history means one gateway."""
    if now := records.now_called(snapshot, name):
        raise VpnKeysError(
            "refused",
            f"{name} is the former name of the gateway {now}",
            state=NOTHING_CHANGED,
            advice=f"rename it to {now} in the inventory, or give another gateway another name",
        )


def _facts(row: Row | None, given: Options, key: _public_key.PublicKey | None) -> Row:
    """What the record of a gateway says; what is not given stays as it is."""
    name = given["name"]
    facts = {field: (row or {}).get(field) for field in METADATA}
    facts.update({field: given[field] for field in METADATA if given.get(field) is not None})
    backend = BACKENDS.get(str(facts["platform"]))
    if backend is None:
        raise VpnKeysError("bad_input", "platform is missing", host=name, state=NOTHING_CHANGED)
    possible = backend.algorithms
    facts["algorithm"] = facts["algorithm"] or (key.algorithm if key else possible[0])
    if facts["algorithm"] not in possible:
        raise VpnKeysError(
            "bad_input",
            f"{facts['platform']} does not support keys of the algorithm {facts['algorithm']}, only "
            f"{' or '.join(possible)}",
            host=name,
            state=NOTHING_CHANGED,
        )
    try:
        facts["networks"] = [str(ipaddress.ip_network(str(one), strict=False)) for one in facts["networks"] or ()]
    except ValueError:
        raise VpnKeysError(
            "bad_input",
            "one of its networks is not a network such as 10.79.1.0/24",
            host=name,
            state=NOTHING_CHANGED,
        ) from None
    return facts


def _present_key(snapshot: Snapshot, name: str, key: _public_key.PublicKey, options: Options, context: Context) -> None:
    keys = records.keys_of_one(snapshot, name)
    current, rotation = records.in_state(keys, "current"), records.open_rotation(snapshot, name)
    if current and current["fingerprint"] == key.fingerprint:
        return
    under_way = (rotation["old_serial"], rotation["new_serial"]) if rotation else ()
    if any(row["serial"] in under_way and row["fingerprint"] == key.fingerprint for row in keys):
        return  # the rotation decides which of the two is current
    if rotation:
        raise VpnKeysError(
            "conflict",
            f"{name} reports the key {short(key.fingerprint)}, which is neither the old nor the new one of its open "
            "rotation",
            state=NOTHING_CHANGED,
            advice="abort the rotation first",
        )
    if keys and not (options["adopt"] or name in snapshot.repaired):
        has = f"{short(current['fingerprint'])} (serial {current['serial']})" if current else "no valid key"
        raise VpnKeysError(
            "conflict",
            f"{name} reports the key {short(key.fingerprint)}, and the directory has {has}",
            state=NOTHING_CHANGED,
            advice="if the gateway is right, set O(adopt)",
        )
    row = _record(snapshot, name, key, "current", context)
    if current:
        current["state"] = "retired"
    log(snapshot, context, "adopted" if keys else "key enrolled", gateway=name, outcome="done", details=about(row))


def _repair(snapshot: Snapshot, name: str, key: _public_key.PublicKey | None, context: Context) -> None:
    """Sign again what is left when all that was tampered with is removed. Only the gateway itself can say which of
    the keys is its own; the numbers of all stay taken, as serials only rise."""
    if key is None:
        raise VpnKeysError(
            "bad_input",
            f"{name} can be repaired only with the public key that it reports itself, in O(public_key)",
            state=NOTHING_CHANGED,
        )
    if name in snapshot.lost:
        raise _lost(name)
    found = records.tampered(snapshot, [name])
    log(snapshot, context, "repaired", gateway=name, outcome="done", details={"tampered": found})
    lost = {one["serial"] for one in found if one["what"] == "key"}
    for row in records.keys_of_one(snapshot, name):
        if (row["public_key"], row["fingerprint"]) == (key.text, key.fingerprint):
            row.update(state="current", revoked_at=None)
        elif row["serial"] in lost:
            _revoke_key(row, context)
        elif row["state"] != "revoked":
            row["state"] = "retired"
    if last := snapshot.rotations.get(name):
        last.update(state="rolled_back", ended_at=last["ended_at"] or context.now)
    snapshot.gateways.pop(name, None)
    snapshot.taken[name] = max([one["serial"] or 0 for one in snapshot.strays if one["gateway"] == name], default=0)
    snapshot.strays = [one for one in snapshot.strays if one["gateway"] != name]
    snapshot.repaired.add(name)


# -- keys


def _parsed(gateway: str, text: str) -> _public_key.PublicKey:
    try:
        return _public_key.parse(text)
    except VpnKeysError as error:
        raise VpnKeysError(error.code, error.what, host=gateway, state=NOTHING_CHANGED) from None


def _record(
    snapshot: Snapshot, gateway: str, key: _public_key.PublicKey | None, state: str, context: Context
) -> Row:
    """A new key under the next serial. `key` is None if a check mode run predicts it."""
    if key:
        _refuse_duplicate(snapshot, gateway, key)
        possible = BACKENDS[snapshot.gateways[gateway]["platform"]].algorithms
        if key.algorithm not in possible:
            raise VpnKeysError(
                "bad_public_key",
                f"its key is {key.algorithm}, which {snapshot.gateways[gateway]['platform']} cannot use",
                host=gateway,
                state=NOTHING_CHANGED,
            )
    keys = records.keys_of_one(snapshot, gateway)
    serial = max(keys[0]["serial"] if keys else 0, snapshot.taken.get(gateway, 0)) + 1
    row = {
        "gateway": gateway,
        "serial": serial,
        "algorithm": key.algorithm if key else snapshot.gateways[gateway]["algorithm"],
        "public_key": key.text if key else "",
        "fingerprint": key.fingerprint if key else f"(new) {gateway} {serial}",
        "state": state,
        "created_at": context.now,
        "created_by": context.by,
        "reason": context.why,
        "revoked_at": None,
        "signature": "",
    }
    snapshot.add_key(row)
    return row


def _refuse_duplicate(snapshot: Snapshot, gateway: str, key: _public_key.PublicKey) -> None:
    if row := snapshot.index().by_fingerprint.get(key.fingerprint):
        raise VpnKeysError(
            "duplicate_key",
            f"the key {short(key.fingerprint)} already belongs to {row['gateway']} (serial {row['serial']}, "
            f"{row['state']}), and a key is never used twice",
            host=gateway,
            state=NOTHING_CHANGED,
            advice=f"generate a new key on {gateway}",
        )


def _revoke_key(row: Row, context: Context) -> None:
    row.update(state="revoked", revoked_at=context.now)


def about(row: Row) -> Row:
    return {"serial": row["serial"], "fingerprint": row["fingerprint"]}


# -- rotations


def _begin(snapshot: Snapshot, name: str, options: Options, context: Context) -> None:
    known(snapshot, name)
    keys = records.keys_of_one(snapshot, name)
    if not keys:
        raise VpnKeysError(
            "wrong_state",
            f"{name} has no key in the directory that could be replaced",
            state=NOTHING_CHANGED,
            advice="enroll its key with state=present",
        )
    if rotation := held(snapshot, name, context):
        _resume(snapshot, rotation, options, context)
        return
    snapshot.last_rotation_id += 1
    snapshot.add_rotation({
        "id": snapshot.last_rotation_id,
        "gateway": name,
        "mode": options["mode"],
        "strategy": options["strategy"],
        "state": "prepared",
        "old_serial": (records.in_state(keys, "current") or keys[0])["serial"],
        "new_serial": None,
        "why": context.why,
        "begun_by": context.by,
        "begun_at": context.now,
        "holder": context.lock_owner,
        "lease_until": steps.later(context.now, context.lease),
        "ended_at": None,
        "signature": "",
    })  # fmt: skip
    log(snapshot, context, "prepared", gateway=name, outcome=options["mode"], details={"strategy": options["strategy"]})


def _resume(snapshot: Snapshot, rotation: Row, options: Options, context: Context) -> None:
    """What may change about a rotation that has begun: a planned one becomes an emergency, and the strategy may be
    another one as long as nothing was done."""
    name = rotation["gateway"]
    if (rotation["mode"], options["mode"]) == ("planned", "emergency"):
        rotation["mode"] = "emergency"
        log(snapshot, context, "made an emergency", gateway=name, outcome=rotation["state"])
    if rotation["strategy"] != options["strategy"]:
        if rotation["state"] != "prepared":
            raise VpnKeysError(
                "wrong_state",
                f"The rotation of {name} is {rotation['state']} with the strategy {rotation['strategy']}",
                state=NOTHING_CHANGED,
                advice="continue with that O(strategy), or abort the rotation",
            )
        rotation["strategy"] = options["strategy"]
        log(snapshot, context, "strategy chosen", gateway=name, outcome=options["strategy"])


def held(snapshot: Snapshot, name: str, context: Context) -> Row | None:
    """The open rotation of a gateway, locked by this run from now on. Raises VpnKeysError(held)."""
    rotation = records.open_rotation(snapshot, name)
    if rotation is None:
        return None
    taken = steps.claim(rotation, context.lock_owner, context.now, context.is_gone, context.take_over)
    if taken:
        former = {name: rotation["holder"].get(name) for name in ("user", "host", "pid")}
        log(snapshot, context, "taken over", gateway=name, outcome=taken, details={"from": former})
    rotation["holder"] = context.lock_owner
    rotation["lease_until"] = steps.later(context.now, context.lease)
    return rotation


def advance(snapshot: Snapshot, name: str, state: str, context: Context) -> Row | None:
    """The rotation if it has to be brought to that state."""
    known(snapshot, name)
    rotation = held(snapshot, name, context) or snapshot.rotations.get(name)
    if not steps.must_advance(rotation, name, state) or rotation is None:
        return None
    rotation["state"] = state
    if state in steps.CLOSED:
        rotation["ended_at"] = context.now
    log(snapshot, context, state, gateway=name, outcome="done", details={"rotation": rotation["id"]})
    return rotation


def _stage_key(snapshot: Snapshot, given: Options, options: Options, context: Context) -> None:
    name = str(given["gateway"])
    known(snapshot, name)
    if context.check and not records.open_rotation(snapshot, name):
        _begin(snapshot, name, options, context)  # as the task before this one would have done
    rotation = held(snapshot, name, context)
    if rotation is None:
        raise VpnKeysError(
            "wrong_state",
            f"No rotation of {name} is open",
            state=NOTHING_CHANGED,
            advice="start one with state=prepared",
        )
    key = _parsed(name, given["public_key"]) if given.get("public_key") else None
    if key is None and not context.check:
        raise VpnKeysError("bad_input", "its new public key is missing", host=name, state=NOTHING_CHANGED)
    before = snapshot.keys.get((name, rotation["new_serial"] or 0))
    if before and (key is None or before["fingerprint"] == key.fingerprint):
        return
    if rotation["state"] not in ("prepared", "staged"):
        raise VpnKeysError(
            "wrong_state",
            f"The rotation of {name} is {rotation['state']} with another key",
            state=NOTHING_CHANGED,
            advice="finish or abort it first",
        )
    if before:
        # With the old key revoked, an abort leaves none. Then all are revoked: a retired one would look like a record
        # that somebody put back.
        old = snapshot.keys[name, rotation["old_serial"]]
        if old["state"] == "revoked":
            _revoke_key(before, context)
        else:
            before["state"] = "retired"
        rotation["state"] = "prepared"
        log(snapshot, context, "replaced before use", gateway=name, outcome=before["state"], details=about(before))
    row = _record(snapshot, name, key, "staged", context)
    rotation["new_serial"] = row["serial"]
    log(snapshot, context, "key staged", gateway=name, outcome="done", details=about(row))


def _need_new_key(snapshot: Snapshot, name: str) -> Row:
    rotation = records.open_rotation(snapshot, name) or {}
    row = snapshot.keys.get((name, rotation.get("new_serial") or 0))
    if row is None:
        raise VpnKeysError(
            "wrong_state",
            f"The rotation of {name} has no new key yet",
            state=NOTHING_CHANGED,
            advice="record it with state=staged and O(keys)",
        )
    return row


def _need_share(known: Ledger, names: Iterable[str], holders: Mapping[str, list[str]], minimum: int) -> None:
    missing = []
    for name in names:
        _need_new_key(known.snapshot, name)
        # One that was tampered with is neither asked nor counted: it stops no other.
        peers, have = sorted(peer for peer in known.learned if known.peers(peer, name)), holders.get(name, [])
        if len(have) * 100 < minimum * len(peers):
            lacking = some([peer for peer in peers if peer not in have])
            missing.append(f"{name}: {len(have)} of {len(peers)} peers, not yet {lacking}")
    if missing:
        raise VpnKeysError(
            "too_few",
            f"Fewer than {minimum} percent of the peers hold the new key ({'; '.join(missing)})",
            state=NOTHING_CHANGED,
            advice="make those peers reachable, or allow a smaller O(minimum_share)",
        )


def some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


# -- the states of the module


def present(snapshot: Snapshot, options: Options, context: Context) -> None:
    _each(snapshot, options, options["gateways"] or (), "name", lambda given: enroll(snapshot, given, options, context))


def _each(
    snapshot: Snapshot, options: Options, claims: Sequence[Options], named: str, step: Callable[[Options], None]
) -> None:
    """One step for each gateway. With `skip_refused` a gateway whose claim is refused is left out and named, and the
    others go on: one that lies must not stop them."""
    if not options["skip_refused"]:
        for given in claims:
            step(given)
        return
    recorded = {row["public_key"] for row in snapshot.keys.values()}
    shared = _shown_by_several((one for one in claims if one.get("public_key") not in recorded), named)
    for given in claims:
        name = str(given[named])
        others = shared.get(name)
        act = functools.partial(_refuse_shared, others) if others else functools.partial(step, given)
        _or_refuse(snapshot, name, act)


def _refuse_shared(names: Sequence[str]) -> None:
    raise VpnKeysError(
        "duplicate_key",
        f"{', '.join(names)} report the same key, and only one of them can have generated it; none was recorded",
        advice="find out which, and generate a new key on the others",
    )


def _or_refuse(snapshot: Snapshot, name: str, step: Callable[[], None]) -> None:
    """A step about one gateway; where it is refused, the gateway is left out and named."""
    part = snapshot.part(name)
    try:
        step()
    except VpnKeysError as error:
        snapshot.put_back(part)
        failure = VpnKeysError(error.code, error.what, host=error.host, advice=error.advice)
        snapshot.refused.append({"gateway": name, "code": error.code, "why": sentence(failure.marked)})


def _shown_by_several(claims: Iterable[Options], named: str) -> dict[str, list[str]]:
    """By gateway, all that claim the key that it claims, where those are several."""
    claimants: dict[str, list[str]] = {}
    for given in claims:
        claimants.setdefault(str(given.get("public_key") or f" {given[named]}"), []).append(str(given[named]))
    return {name: names for names in claimants.values() if len(names) > 1 for name in names}


def prepared(snapshot: Snapshot, options: Options, context: Context) -> None:
    for name in names_in(options, "prepared"):
        _begin(snapshot, name, options, context)


def staged(snapshot: Snapshot, options: Options, context: Context) -> None:
    """Records new keys. The rotations of the gateways that are named are staged once it is known who holds the keys."""
    given = [options[name] for name in ("keys", "acknowledgements", "learned", "gateways")]
    if not any(given) and not options["skip_refused"]:
        raise VpnKeysError(
            "bad_input", "state=staged needs O(keys), O(acknowledgements) or O(gateways)", state=NOTHING_CHANGED
        )
    _each(snapshot, options, options["keys"] or (), "gateway", lambda one: _stage_key(snapshot, one, options, context))


def stage_rotations(known: Ledger, options: Options, context: Context) -> None:
    """With `skip_refused` each for itself: a peer that does not accept the key of one stops no other."""
    names = list(dict.fromkeys(str(one["name"]) for one in options["gateways"] or ()))
    holders, minimum = acknowledgements.holders(known), options["minimum_share"]
    counted = {name: _counted(known, name, holders.get(name, ()), options["fetching"] or ()) for name in names}

    def stage(some: Sequence[str]) -> None:
        moving = [name for name in some if not _beyond_prepared(known.snapshot, name)]
        _need_share(known, moving, {name: [*holders.get(name, ()), *counted[name]] for name in moving}, minimum)
        for name in sorted(some, key=lambda name: name not in moving):
            if advance(known.snapshot, name, "staged", context) and counted[name]:
                _log_counted(known.snapshot, context, name, counted[name])

    if options["skip_refused"]:
        for name in names:
            _or_refuse(known.snapshot, name, functools.partial(stage, [name]))
    else:
        stage(names)


def _counted(known: Ledger, name: str, holding: Sequence[str], fetching: Iterable[str]) -> list[str]:
    """The peers that fetch and have not acknowledged the new key: they had the time to store it."""
    if name not in known.snapshot.gateways:
        return []
    silent = set(fetching).difference(holding) & known.learned.keys()
    return sorted(peer for peer in silent if known.peers(peer, name))


def _log_counted(snapshot: Snapshot, context: Context, name: str, peers: Sequence[str]) -> None:
    """Of many only some are named, as in every sentence: they are those of the inventory."""
    details = {"peers": list(peers[:MOST_NAMES]), "count": len(peers)}
    log(snapshot, context, "counted as fetched", gateway=name, outcome="done", details=details)


def _beyond_prepared(snapshot: Snapshot, name: str) -> bool:
    rotation = records.open_rotation(snapshot, name)
    return rotation is None or rotation["state"] != "prepared"


def active(snapshot: Snapshot, options: Options, context: Context) -> None:
    for name in names_in(options, "active"):
        _swap(snapshot, name, context)


def _swap(snapshot: Snapshot, name: str, context: Context) -> None:
    if advance(snapshot, name, "active", context) is None:
        return
    new = _need_new_key(snapshot, name)
    for row in records.keys_of_one(snapshot, name):
        if row["state"] == "current":
            row["state"] = "retired"
    new["state"] = "current"


def verified(snapshot: Snapshot, options: Options, context: Context) -> None:
    """A change that is proved was made: where that was not entered yet, it is entered now."""
    for name in names_in(options, "verified"):
        rotation = records.open_rotation(snapshot, name)
        if rotation and rotation["state"] == "staged":
            _swap(snapshot, name, context)
        advance(snapshot, name, "verified", context)


def retired(snapshot: Snapshot, options: Options, context: Context) -> None:
    for name in names_in(options, "retired"):
        advance(snapshot, name, "retired", context)


def rolled_back(snapshot: Snapshot, options: Options, context: Context) -> None:
    """The new key is never used again; the old one is current again unless it was revoked."""
    for name in names_in(options, "rolled_back"):
        rotation = advance(snapshot, name, "rolled_back", context)
        if rotation is None:
            continue
        if new := snapshot.keys.get((name, rotation["new_serial"] or 0)):
            _revoke_key(new, context)
        old = snapshot.keys[name, rotation["old_serial"]]
        if old["state"] == "retired":
            old["state"] = "current"


def revoked(snapshot: Snapshot, options: Options, context: Context) -> None:
    """Nobody may accept the keys of these gateways any more, but for the new one of an open rotation; with lost, not
    even that, and the gateway itself is out."""
    for name in names_in(options, "revoked"):
        gateway = known(snapshot, name, revoked_too=True)
        rotation = held(snapshot, name, context)
        spared = rotation["new_serial"] if rotation and not options["lost"] else None
        for row in records.keys_of_one(snapshot, name):
            if row["serial"] != spared and row["state"] != "revoked":
                _revoke_key(row, context)
                log(snapshot, context, "key revoked", gateway=name, outcome="done", details=about(row))
        if options["lost"] and rotation:
            advance(snapshot, name, "rolled_back", context)
        if options["lost"] and not gateway["revoked"]:
            gateway.update(revoked=True, revoked_at=context.now)
            log(snapshot, context, LOST, gateway=name, outcome="done")
