# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read about gateways: plan, outcome and status as tables. Pure: facts in, text out."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ...module_utils._errors import clause, sentence
from ...module_utils._fingerprint import short
from ...module_utils._fleet.due import Selection
from ...module_utils._fleet.findings import OPEN, PROBLEM, STILL_ACCEPTED, Finding, listed, next_step, sentences
from ...module_utils._fleet.observed import ABSENT
from ...module_utils._fleet.outcome import Converged, Outcome
from ...module_utils._fleet.plan import Plan, grouped, reasons_of
from ...module_utils._fleet.running import RunningNext
from ...module_utils._fleet.status import FleetStatus
from .page import Column, Page

NARROW = ("gateway", "serial", "key", "key now", "key before", "holds", "tunnels")


def _key(fingerprint: str | None) -> str:
    return short(fingerprint) if fingerprint else "none"


def _serials(row: Mapping[str, t.Any]) -> str:
    if row["serial"] is None or row["resumes"]:
        return str(row["serial"] or "-")
    return f"{row['serial']} -> {row['serial'] + 1}"


def _pending(row: Mapping[str, t.Any]) -> str:
    return listed(row["pending"]["first"], row["pending"]["count"]) or "-"


def _own_key(row: Mapping[str, t.Any]) -> str:
    """Nothing is known of the key of a gateway that this run did not ask, as in a slice."""
    if row["observed"]:
        return RunningNext(**row["next_key"]).text if row["next_key"] else str(row["own"])
    return "not asked" if row["reachability"] == ABSENT else str(row["reachability"])


PLAN: dict[str, Column] = {
    "gateway": lambda row: str(row["gateway"]),
    "platform": lambda row: row["platform"] or "-",
    "serial": _serials,
    "key now": lambda row: _key(row["fingerprint"]),
    "expected outage": lambda row: row["expected_outage"] or "-",
}
DUE: dict[str, Column] = {
    "gateway": lambda row: str(row["gateway"]),
    "period ends": lambda row: str(row["ends"]),
}
OUTCOME: dict[str, Column] = {
    "gateway": lambda row: str(row["gateway"]),
    "key before": lambda row: _key(row["before"]),
    "key now": lambda row: _key(row["fingerprint"]),
    "serial": lambda row: str(row["serial"] or "-"),
    "state": lambda row: str(row["state"]),
    "tunnels verified": lambda row: str(row["tunnels"]),
    "pending peers": lambda row: listed(row["pending"]) or "-",
}
CONVERGED: dict[str, Column] = {
    "gateway": lambda row: str(row["gateway"]),
    "missing keys of": _pending,
    "now": lambda row: "done" if row["stored"] else row["why"],
}
ENROLLED: dict[str, Column] = {
    "gateway": lambda row: str(row["gateway"]),
    "platform": lambda row: row["platform"] or "-",
    "serial": lambda row: str(row["serial"] or "-"),
    "key": lambda row: _key(row["fingerprint"]),
    "pending": _pending,
}
STATUS: dict[str, Column] = {
    "gateway": lambda row: str(row["gateway"]),
    "serial": lambda row: str(row["serial"] or "-"),
    "key": lambda row: _key(row["fingerprint"]),
    "state": lambda row: str(row["state"]),
    "own key": _own_key,
    "holds": lambda row: f"{row['holds']['right']}/{row['holds']['any']}" if row["holds"] else "-",
    "tunnels": lambda row: "-" if row["tunnels"] is None else str(row["tunnels"]),
    "pending": _pending,
}
"""The one table of gateways, here and on the page of the audit: what stands in a row is that gateway's own word."""


# ------------------------------------------------------------------ pages


def plan(made: Plan, width: int) -> str:
    found, page = made.to_result(), Page(width)
    page.table("Plan: keys to rotate", PLAN, found["targets"], NARROW)
    for target in made.targets:
        if target.resumes:
            page.note(f"{target.gateway}: resumes the open rotation, state {target.resumes}.")
    if idle := [target.gateway for target in made.targets if target.idle]:
        page.note(f"{listed(idle)}: no tunnel is up now, so none can be verified to use the new key.")
    excluded = _excluded(made)
    page.note(*_notes(made), *[f"Excluded unless this changes: {text}" for text in excluded])
    page.note(f"Peers that can be updated now: {listed(made.peers) or 'none'}.")
    if made.fetching:
        page.note(f"Fetch the new keys by themselves: {listed(made.fetching)}.")
    if made.unreachable:
        page.note(f"Unreachable, updated later by converge_gateways: {grouped(made.unreachable)}.")
    refused = reasons_of({one.gateway: f"{one.gateway}: {sentence(one.why)}" for one in made.refused})
    page.note(*[text for text in refused if text not in excluded])
    page.note(f"Digest: {made.digest}")
    return page.text()


def _excluded(made: Plan) -> list[str]:
    return reasons_of({one.gateway: one.why for one in made.excluded})


def due(found: Selection, width: int) -> str:
    """The gateways that get a new key, and the others whose keys are due."""
    page = Page(width)
    if found.names:
        rows = [{"gateway": name, "ends": found.ends[name]} for name in found.names]
        page.table("To be rotated now", DUE, rows, NARROW)
    elif not (found.skipped or found.waiting):
        page.note("No key of a gateway is due.")
    if found.skipped:
        page.note(f"Skipped, although their keys are due: {grouped(found.skipped)}.")
    if found.waiting:
        most = "the maximum number of gateways in one run is reached"
        why = "the maintenance window is closed" if found.closed else most
        page.note(f"Left for another run, because {why}: {listed(found.waiting)}.")
    return page.text()


def dropped(made: Plan, width: int) -> str:
    """The first thing to know on the night when a key was stolen."""
    page = Page(width)
    page.note(_still(made), *_notes(made))
    return page.text()


def retired(made: Plan, width: int) -> str:
    """Nothing is urgent about it."""
    page, names = Page(width), listed(made.names)
    if made.deferred:
        later = _advice(made) if made.refused else "Run converge_gateways when they are reachable."
        page.note(f"Retired: {names}. Pending peers: {grouped(made.deferred)}. {later}")
    else:
        page.note(f"Retired: {names}. No peer accepts the key any more.")
    page.note("Remove the gateway from the inventory group, and switch it off.", *_notes(made))
    return page.text()


def _notes(made: Plan) -> list[str]:
    return [f"{target.gateway}: {target.note}" for target in made.targets if target.note]


def _still(made: Plan) -> str:
    if not made.deferred:
        return "No peer accepts the old key any more."
    still = grouped(made.deferred, every=True)
    return f"MAY STILL ACCEPT THE OLD KEY: {still}. {_advice(made)}"


def _advice(made: Plan) -> str:
    """For peers that are pending. Who was reached and refused need not be made reachable."""
    if made.unreachable and made.refused:
        first = "Make those reachable that are not, fix what the others report"
    else:
        first = "Fix what they report" if made.refused else "Make them reachable"
    return f"{first}, then run converge_gateways."


IDLE = "no tunnel was up before the change, so none was verified to use the new key."


def outcome(found: Outcome, made: Plan, emergency: bool, width: int, said: str = "") -> str:
    """`said`: as in `status`."""
    page = Page(width)
    if emergency:
        page.note(_still(made))
    page.table("Outcome", OUTCOME, found.to_result()["gateways"], NARROW)
    page.note(*[row.problem for row in found.gateways if row.problem and row.problem not in said], *_notes(made))
    if not emergency and (idle := [row.gateway for row in found.gateways if row.idle]):
        page.note(f"{listed(idle)}: {IDLE}")
    for row in found.gateways:
        if row.no_tunnel and not row.problem:
            page.note(f"{row.gateway}: no tunnel with the new key yet to {listed(row.no_tunnel)}.")
    if made.fetching:
        fetching = f"Fetch by themselves: {listed(made.fetching)}. They are pending until they have acknowledged it"
        page.note(f"{fetching}; converge_gateways asks them.")
    if made.deferred and not emergency:
        untold = [one for one in made.deferred if clause(one.why) not in said]
        told = [one.gateway for one in made.deferred if one not in untold]
        page.note(f"To be updated by converge_gateways: {', '.join(filter(None, (grouped(untold), listed(told))))}.")
    return page.text()


def converged(found: Converged, width: int, said: str = "") -> str:
    """`said`: as in `status`."""
    page = Page(width)
    page.note(*_untold([one for one in found.findings if one.kind == STILL_ACCEPTED], said))
    if found.rows:
        page.table("Converged", CONVERGED, found.rows, NARROW)
    else:
        page.note("Nothing is pending: all gateways have acknowledged what the directory says.")
    # What is pending stands in the table.
    rest = [one for one in found.findings if one.severity == PROBLEM and one.kind != STILL_ACCEPTED]
    page.note(*_untold(rest, said))
    opened = [one for one in found.findings if one.kind in OPEN]
    page.note(*_untold(opened, said), *_next_steps(opened))
    return page.text()


def _next_steps(found: Sequence[Finding]) -> list[str]:
    """How to go on or back with the rotations that are open: one sentence for all of a kind."""
    kinds = {kind: [one.host for one in found if one.kind == kind] for kind in OPEN}
    return [next_step(kind, hosts) for kind, hosts in kinds.items() if hosts]


def enrolled(found: Mapping[str, t.Any], predicted: bool, width: int) -> str:
    """`found`: rows, `where` the directory and its signing key are (None where that is not known), and the gateways
    `without_key`. `predicted`: in check mode, where there may be no directory yet."""
    page = Page(width)
    title = "Would be enrolled (check mode)" if predicted else "Enrolled"
    if found["gateways"]:
        page.table(title, ENROLLED, found["gateways"], NARROW)
    else:
        page.note(f"{title}: no gateway.")
    if predicted:
        if found["without_key"]:
            page.note(f"Would generate their first key, and be enrolled with it: {listed(found['without_key'])}.")
        return page.text()
    if found["where"]:
        page.note(f"The directory is {found['where']}.")
    if key := found["signing_key_path"] or found["signing_key_url"]:
        in_file = bool(found["signing_key_path"])
        keep = "Keep a copy of both" if in_file else "Keep a copy of the directory; the signing key stays in Vault"
        page.note(f"Its signing key is {key}.", f"{keep}. Without both, no gateway can be changed.")
    return page.text()


def status(found: FleetStatus, width: int, said: str = "") -> str:
    """`said`: what follows it anyway, and is not told here, too."""
    shown, page = found.to_result(), Page(width)
    problems = [one for one in found.findings if one.severity == PROBLEM]
    page.note(*_untold(problems, said))
    page.table(f"Gateways: {shown['summary']}", STATUS, shown["gateways"], NARROW)
    page.note(*_untold([one for one in found.findings if one.severity != PROBLEM], said))
    page.note(*_next_steps(found.findings))
    return page.text()


def _untold(found: Sequence[Finding], said: str) -> list[str]:
    return [text for text in sentences(found) if text not in said]
