# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What auditors ask: the period of each class of keys, the dates of each key, and where the answers are. Pure."""

from __future__ import annotations

import csv
import io
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ...module_utils._fleet.model import Directory, Gateway
from ...module_utils._fleet.model import Key as GatewayKey
from ...module_utils._fleet.periods import DUE, GATEWAY, KEY_SERVER, OVERDUE, SIGNING_KEY, Calendar
from . import keys
from .keys import CURVE_STRENGTH, IN_USE, Key

Data = dict[str, t.Any]
ACTIVATED = ("active", "swapped")
"""The event when a gateway begins to use a key, and its name in events of version 1.0.0."""
COLUMNS = (
    "class", "owner", "name", "state", "algorithm", "bits", "strength", "protocol", "custodian", "activated", "ends",
    "ended", "period", "hosts", "fingerprint",
)  # fmt: skip
PROTOCOLS = {KEY_SERVER: "GET VPN rekeys", SIGNING_KEY: "records of the directory"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would calculate, were it at the beginning of a cell."""


def build(
    every: Sequence[Key], directory: Directory | None, view: Mapping[str, t.Any] | None, calendar: Calendar
) -> Data:
    """`every`: all keys of key servers and gateways; `directory`: the result `view`, parsed."""
    activated, ended = _activations(view or {}), _ends(directory, view or {})
    rows = [_row(one, directory, activated, ended, calendar) for one in every]
    rows += _of_directory(directory, calendar)
    return {"periods": [_period(kind, rows, calendar) for kind in calendar.periods], "keys": rows}


def _row(
    key: Key,
    directory: Directory | None,
    activated: Mapping[tuple[str, str], str],
    ended: Mapping[tuple[str, str], str],
    calendar: Calendar,
) -> Data:
    place = (key.owner, key.name) if key.kind == keys.GATEWAY else ("", "")
    owner = directory.gateways.get(key.owner) if directory and key.kind == keys.GATEWAY else None
    return _line(
        KEY_SERVER if owner is None else GATEWAY,
        calendar,
        key.made,
        owner=key.owner,
        name=key.name,
        state=key.state,
        algorithm=key.algorithm,
        bits=key.bits,
        strength=key.strength,
        hosts=sorted(key.hosts),
        fingerprint=key.fingerprint,
        activated=activated.get(place) or key.made,
        ended=ended.get(place),
        **({"protocol": owner.protocol} if owner else {}),
    )


def _of_directory(directory: Directory | None, calendar: Calendar) -> Iterator[Data]:
    found = directory.signing_keys if directory else ()
    for number, one in zip(range(len(found), 0, -1), found, strict=True):
        yield _line(
            SIGNING_KEY,
            calendar,
            one.since,
            owner="directory",
            name=str(number),
            state="retired" if one.retired_at else "current",
            algorithm="ed25519",
            bits=None,
            strength=CURVE_STRENGTH,
            hosts=[],
            fingerprint=one.fingerprint,
            activated=one.since,
            ended=one.retired_at,
        )


def _line(kind: str, calendar: Calendar, since: str | None, **fields: t.Any) -> Data:
    term = calendar.term(kind, since)
    return {
        "class": kind,
        "protocol": PROTOCOLS.get(kind),
        "custodian": term.period.custodian,
        "ends": term.ends,
        "period": term.state if fields["state"] in IN_USE else None,
        **fields,
    }


def _activations(view: Mapping[str, t.Any]) -> dict[tuple[str, str], str]:
    """By gateway and serial, when it began to use that key, where the events still say so."""
    serials = {one["id"]: (one["gateway"], str(one["new_serial"])) for one in view.get("rotations", ())}
    return {
        serials[number]: event["at"]
        for event in view.get("events", ())
        if event["what"] in ACTIVATED and (number := (event["details"] or {}).get("rotation")) in serials
    }


def _ends(directory: Directory | None, view: Mapping[str, t.Any]) -> dict[tuple[str, str], str]:
    """By gateway and serial, since when nobody is to accept that key."""
    replaced = {(one["gateway"], str(one["old_serial"])): one for one in reversed(view.get("rotations", ()))}
    found: dict[tuple[str, str], str] = {}
    for gateway in directory.gateways.values() if directory else ():
        for key in gateway.keys:
            place = gateway.name, str(key.serial)
            if key.state not in IN_USE and (when := _end(gateway, key, replaced.get(place))):
                found[place] = when
    return found


def _end(gateway: Gateway, key: GatewayKey, rotation: Mapping[str, t.Any] | None) -> str | None:
    by_rotation = rotation["ended_at"] if rotation and rotation["state"] != "rolled_back" else None
    return key.revoked_at or by_rotation or gateway.revoked_at or gateway.retired_at


def _period(kind: str, rows: Iterable[Data], calendar: Calendar) -> Data:
    one, mine = calendar.periods[kind], [row for row in rows if row["class"] == kind]
    return {
        "class": kind,
        "days": one.days,
        "due_days": one.due_days,
        "reason": one.reason,
        "custodian": one.custodian,
        "keys": sum(row["state"] in IN_USE for row in mine),
        "due": sum(row["period"] == DUE for row in mine),
        "overdue": sum(row["period"] == OVERDUE for row in mine),
    }


# ------------------------------------------------------------------ questions


def answers(sheet: Data, report: Data) -> list[Data]:
    """What is asked, who asks it, and the answer. `report`: its other parts."""
    return [
        {"source": source, "question": question, "answer": answer(sheet, report)} for source, question, answer in ASKED
    ]


def _inventory(sheet: Data, report: Data) -> str:
    own = sum(one["keys"] for one in sheet["periods"] if one["class"] == SIGNING_KEY)
    all_keys = sum(one["keys"] for one in sheet["periods"])
    also = f", {own} of them of the directory itself" if own else ""
    return f"Keys in use: {all_keys}{also}. The table of dates has all of them."


def _periods(sheet: Data, report: Data) -> str:
    each = [f"{one['class'].replace('_', ' ')}: {one['days']} days ({one['reason']})" for one in sheet["periods"]]
    return f"{'; '.join(each)}."


def _dates(sheet: Data, report: Data) -> str:
    due, overdue = (sum(one[name] for one in sheet["periods"]) for name in ("due", "overdue"))
    return f"The table of dates has each key. Overdue: {overdue}, due: {due}."


def _changes(sheet: Data, report: Data) -> str:
    done = [one for one in report["rotations"] if one["ended_at"] and one["state"] != "rolled_back"]
    last = f", the last one at {max(one['ended_at'] for one in done)}" if done else ""
    return f"Finished rotations of gateways: {len(done)}{last}."


def _revoked(sheet: Data, report: Data) -> str:
    revoked = sum(row["state"] == "revoked" for row in sheet["keys"])
    accepted = sum(bool(key["accepted_by"]["count"]) for key in report["keys"])
    return f"Revoked keys: {revoked}. Keys that may still be accepted although they should not be: {accepted}."


def _trail(sheet: Data, report: Data) -> str:
    signed = report["checkpoint"]
    proof = f" They are chained, and signed by checkpoint {signed['number']} at {signed['time']}." if signed else ""
    return f"Events in the report: {len(report['events'])}.{proof}"


ASKED: Sequence[tuple[str, str, t.Callable[[Data, Data], str]]] = (
    (
        "PCI DSS 4.0.1, 4.2.1.1",
        "Which trusted keys are there, with algorithm, protocol, strength, custodian and expiry?",
        _inventory,
    ),
    ("PCI DSS 4.0.1, 3.7.4; NIST SP 800-57 Part 1, 5.3", "How long may a key of each type be used, and why?", _periods),
    ("(EU) 2024/2690, 9.1.2 (c) (xii)", "When is each key activated and deactivated?", _dates),
    ("(EU) 2024/2690, 9.1.2 (c) (v)", "When are keys changed?", _changes),
    ("(EU) 2024/2690, 9.1.2 (c) (vi), (vii)", "Which keys were revoked, and are they still accepted?", _revoked),
    ("(EU) 2024/2690, 9.1.2 (c) (xi)", "What is logged, and can it be changed unnoticed?", _trail),
)
"""Source, question, and what answers it."""


# ------------------------------------------------------------------ CSV


def to_csv(sheet: Data) -> str:
    """A line for each key, with the names of the columns first."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(row[name]) for name in COLUMNS] for row in sheet["keys"])
    return file.getvalue()


def _cell(value: t.Any) -> str:
    text = "" if value is None else " ".join(value) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
