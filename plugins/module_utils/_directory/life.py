# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happens to a gateway besides its keys: it is renamed, retired, and its records are purged. Pure. PRIVATE."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from .._errors import NOTHING_CHANGED, VpnKeysError, sentence
from .._printable import printable
from . import acknowledgements, changes, records, rotation
from .context import Context, log
from .records import Row, Snapshot

RETIRED = "gateway retired"
PURGED = "purged"

Options = Mapping[str, t.Any]


def _refusal(name: str, what: str, advice: str) -> VpnKeysError:
    return VpnKeysError("refused", what, host=name, state=NOTHING_CHANGED, advice=advice)


# -- another name


def rename(snapshot: Snapshot, options: Options, context: Context) -> None:
    """Keys, serials and history stay, and so does what peers know the gateway by."""
    for given in options["gateways"] or ():
        _rename(snapshot, str(given["name"]), given.get("new_name"), context)
    changes.names_in(options, "renamed")


def _rename(snapshot: Snapshot, name: str, new: str | None, context: Context) -> None:
    if not new:
        raise _refusal(name, "its new name is missing", "give new_name with it in O(gateways)")
    if name not in snapshot.gateways and records.now_called(snapshot, name) == new:
        return
    gateway = changes.known(snapshot, name, revoked_too=True)
    _refuse_name(snapshot, name, new)
    if records.open_rotation(snapshot, name):
        raise _refusal(name, "it has an open rotation", "finish or abort it first")
    # Without an identity of its own, its name was that.
    row = {**gateway, "name": new, "identity": gateway["identity"] or name}
    gateways = snapshot.gateways.items()
    snapshot.gateways = {new if one == name else one: row if one == name else was for one, was in gateways}
    snapshot.keys = {_place(was): was for was in (_renamed(was, name, new) for was in snapshot.keys.values())}
    snapshot.drop_index()
    last = snapshot.rotations.pop(name, None)
    if last:
        snapshot.rotations[new] = {**last, "gateway": new}
    snapshot.earlier = {number: _renamed(was, name, new) for number, was in snapshot.earlier.items()}
    marks = (_renamed(was, name, new) for was in snapshot.marks.values())
    snapshot.marks = {row["peer"]: row for row in marks}
    held = (_renamed(was, name, new) for was in snapshot.acknowledgements.values())
    snapshot.acknowledgements = {(row["peer"], row["gateway"]): row for row in held}
    snapshot.former[name] = new
    log(snapshot, context, changes.RENAMED, gateway=new, outcome="done", details={"from": name})


def _place(key: Row) -> tuple[str, int]:
    return key["gateway"], key["serial"]


def _renamed(row: Row, name: str, new: str) -> Row:
    found = {field: new for field in ("gateway", "peer") if row.get(field) == name}
    return {**row, **found} if found else row


def _refuse_name(snapshot: Snapshot, name: str, new: str) -> None:
    if not changes.NAME.fullmatch(new):
        raise VpnKeysError(
            "bad_input",
            f"{new[: changes.LONGEST_NAME]!r} is not a valid name of a gateway",
            state=NOTHING_CHANGED,
            advice="use letters, digits and _.:@- only",
        )
    if new in snapshot.gateways:
        raise _refusal(name, f"{new} is another gateway of the directory", "give it another name")
    changes.refuse_tampered(snapshot, new)
    if records.now_called(snapshot, new) not in (None, name):
        changes.refuse_former(snapshot, new)


# -- out of use


def retire(snapshot: Snapshot, options: Options, context: Context) -> None:
    """The gateway is not needed any more: peers drop its keys, although they are not compromised."""
    for name in changes.names_in(options, "gateway_retired"):
        gateway = snapshot.gateways.get(name)
        if gateway and gateway["retired_at"] and not gateway["revoked"]:
            changes.refuse_tampered(snapshot, name)
            continue
        gateway = changes.known(snapshot, name)
        if changes.held(snapshot, name, context):
            changes.advance(snapshot, name, "rolled_back", context)
        for row in records.keys_of_one(snapshot, name):
            if row["state"] != "revoked":
                row["state"] = "retired"
        gateway["retired_at"] = context.now
        log(snapshot, context, RETIRED, gateway=name, outcome="done")


# -- the end of its records


def purge(snapshot: Snapshot, options: Options, context: Context) -> None:
    """Of gateways that were retired long enough ago, and that no peer accepts any more. What was done to them stays in
    the events. Without names, all that can be; who cannot is named."""
    names = list(dict.fromkeys(str(one["name"]) for one in options["gateways"] or ()))
    known = acknowledgements.ledger(snapshot, acknowledgements.suspects_of(snapshot))
    pending = known.pending()
    for name in names or [name for name, row in sorted(snapshot.gateways.items()) if _is_retired(row)]:
        try:
            changes.refuse_tampered(snapshot, name)
            # Of a peer that was tampered with nobody knows what it accepts.
            doubtful = [peer for peer in known.suspects if peer in snapshot.gateways and known.peers(peer, name)]
            peers = [*pending.peers_pending(name), *doubtful]
            _refuse_purge(snapshot, name, peers, options["older_than_days"], context)
        except VpnKeysError as error:
            if names:
                raise
            if error.code != "wrong_state":
                told = VpnKeysError(error.code, error.what, host=error.host, advice=error.advice)
                snapshot.refused.append({"gateway": name, "code": error.code, "why": sentence(told.marked)})
            continue
        _purge(snapshot, name, context)


def _is_retired(gateway: Row) -> bool:
    return bool(gateway["retired_at"] and not gateway["revoked"])


def _refuse_purge(snapshot: Snapshot, name: str, peers: t.Sequence[str], days: int, context: Context) -> None:
    gateway = snapshot.gateways.get(name)
    if gateway is None:
        raise VpnKeysError(
            "not_found",
            f"The directory has no gateway {printable(name, changes.LONGEST_NAME)}",
            state=NOTHING_CHANGED,
        )
    if not _is_retired(gateway):
        why = "is revoked as lost, and that record is never deleted" if gateway["revoked"] else "is in use"
        raise _refusal(name, f"it {why}", "only a gateway that is retired can be purged")
    if rotation.later(gateway["retired_at"], days * 86_400) > context.now:
        raise VpnKeysError(
            "wrong_state",
            f"it was retired at {gateway['retired_at']}, less than {days} days ago",
            host=name,
            state=NOTHING_CHANGED,
            advice="wait, or set O(older_than_days)",
        )
    if peers:
        some = changes.some(sorted(peers))
        raise _refusal(name, f"{some} may still accept its key", "run vpnops.keys.converge_gateways for them first")


def _purge(snapshot: Snapshot, name: str, context: Context) -> None:
    keys = [changes.about(row) for row in records.keys_of_one(snapshot, name)]
    details = {"retired_at": snapshot.gateways[name]["retired_at"], "keys": keys}
    log(snapshot, context, PURGED, gateway=name, outcome="done", details=details)
    snapshot.keys = {place: row for place, row in snapshot.keys.items() if place[0] != name}
    snapshot.drop_index()
    for rows in (snapshot.gateways, snapshot.rotations, snapshot.marks):
        rows.pop(name, None)
    snapshot.earlier = {number: row for number, row in snapshot.earlier.items() if row["gateway"] != name}
    snapshot.acknowledgements = {pair: row for pair, row in snapshot.acknowledgements.items() if name not in pair}
