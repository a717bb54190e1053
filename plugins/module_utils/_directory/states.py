# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states of the module key_directory, and what follows from each change. Pure. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

from . import acknowledgements, changes, life, records, stored
from .context import EVENT_FIELDS, Context, log
from .records import Snapshot

Options = Mapping[str, t.Any]

STATES: dict[str, Callable[[Snapshot, Options, Context], None]] = {
    "present": changes.present,
    "prepared": changes.prepared,
    "staged": changes.staged,
    "active": changes.active,
    "verified": changes.verified,
    "retired": changes.retired,
    "rolled_back": changes.rolled_back,
    "revoked": changes.revoked,
    "gateway_retired": life.retire,
    "renamed": life.rename,
    "purged": life.purge,
}


def apply(before: Snapshot, state: str, options: Options, context: Context) -> Snapshot:
    """The snapshot after the change. Raises VpnKeysError; then nothing is to be kept."""
    snapshot = before.copy()
    STATES[state](snapshot, options, context)
    _revise(before, snapshot)
    held, learned = options["acknowledgements"] or (), options["learned"] or ()
    # Whose records are genuine is looked up for all gateways here, which a change without any of this need not pay for.
    if held or learned or snapshot.acknowledgements or state == "staged":
        known = acknowledgements.ledger(snapshot, acknowledgements.suspects_of(snapshot))
        acknowledgements.acknowledge(known, held, learned, context)
        if state == "staged":
            changes.stage_rotations(known, options, context)
        acknowledgements.tidy(known)
    for given in options["events"] or ():
        log(snapshot, context, str(given["what"]), **{name: given.get(name) for name in EVENT_FIELDS})
    return snapshot


def _revise(before: Snapshot, snapshot: Snapshot) -> None:
    """Where peers must now store something else, they have to hear of it: it gets the next number of the directory."""
    was, now = records.keys_of(before), records.keys_of(snapshot)
    others: set[str] = set(snapshot.repaired)
    for name, row in sorted(snapshot.gateways.items()):
        old = before.gateways.get(name)
        if old == row and was.get(name) == now[name] and name not in snapshot.repaired:
            continue  # as nearly all are
        if old and old["platform"] != row["platform"]:
            others.add(name)
        if (
            name in snapshot.repaired
            or not old
            or stored.without_revision(old, was[name]) != stored.without_revision(row, now[name])
        ):
            snapshot.revision += 1
            row["revision"] = snapshot.revision
    acknowledgements.start_anew(snapshot, others)
