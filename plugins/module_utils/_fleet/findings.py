# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be wrong in a fleet of gateways: how much it matters, what to do next. Pure. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .._errors import sentence
from .periods import GATEWAY, SIGNING_KEY

PROBLEM, WARNING, NOTE = "problem", "warning", "note"
SEVERITIES = (PROBLEM, WARNING, NOTE)
SHOWN = 12
"""So many names are in a sentence."""

STILL_ACCEPTED = "still accepted"
FORGED = "forged or unreadable answer"
NOT_STORED = "not stored"
NOT_LASTING = "not lasting"
NOT_FETCHING = "not fetching"
PENDING = "pending"
UNFINISHED = "unfinished"
RETIRED = "retired"
DUE = {name: f"due {name.replace('_', ' ')}" for name in (GATEWAY, SIGNING_KEY)}
OVERDUE = {name: f"overdue {name.replace('_', ' ')}" for name in (GATEWAY, SIGNING_KEY)}
REPLACED = "unknown own key"


class Kind(t.NamedTuple):
    """`drift`: whether it is a difference between the directory and a gateway. `next`: what to do, with {host}.
    `overdue`: whether it says that the period of a key is over."""

    severity: str
    drift: bool
    next: str
    overdue: bool = False


SETTLE = (
    "Find out which side is right, then run vpnops.keys.converge_gateways with gateway_keys_converge_all=true, or "
    "vpnops.keys.enroll_gateways with gateway_keys_adopt_reported_key=true."
)
ROLLS_BACK = "In a planned rotation, a gateway whose new key was not confirmed rolls back to the old one by itself."
# In the order in which they are shown.
ROTATE = "Run vpnops.keys.rotate_due, or vpnops.keys.regenerate_gateway with gateway={host} and confirm={host}."
REKEY = "Run vpnops.keys.key_directory with state=rekeyed."
KINDS: dict[str, Kind] = {
    STILL_ACCEPTED: Kind(PROBLEM, True, "Make {host} reachable, then run vpnops.keys.converge_gateways."),
    FORGED: Kind(PROBLEM, True, "Find out what runs on {host} before you trust it again."),
    "tampered": Kind(
        PROBLEM,
        True,
        "Find out who wrote to the database, or whether an old backup was restored. Restore its newest backup, or "
        "repair it with vpnops.keys.key_directory and repair=true: a gateway with the public key that it reports "
        "itself, the whole directory with the confirm value that the task shows.",
    ),
    "wrong key": Kind(PROBLEM, True, SETTLE),
    REPLACED: Kind(
        PROBLEM,
        True,
        "If its hardware was replaced, run vpnops.keys.enroll_gateways with --limit {host} and "
        "gateway_keys_adopt_reported_key=true, then vpnops.keys.converge_gateways. If not, find out who changed its "
        "key before you trust it again.",
    ),
    NOT_STORED: Kind(PROBLEM, True, "Fix this, then run vpnops.keys.converge_gateways."),
    "drifted gateway": Kind(WARNING, True, SETTLE),
    NOT_LASTING: Kind(
        WARNING, True, "Fix this on {host}, then run vpnops.keys.converge_gateways."
    ),
    NOT_FETCHING: Kind(
        WARNING, True, "Fix this, then run systemctl start vpnops-keys-fetch on {host}."
    ),
    "refused": Kind(WARNING, True, "Fix this on {host}, then compare again."),
    "empty directory": Kind(WARNING, True, "Run vpnops.keys.enroll_gateways."),
    PENDING: Kind(WARNING, False, "Run vpnops.keys.converge_gateways when {host} can be reached."),
    UNFINISHED: Kind(
        WARNING,
        False,
        "Run vpnops.keys.regenerate_gateway again with gateway={host} and confirm={host} to finish it, an emergency "
        "with gateway_keys_mode=emergency; or vpnops.keys.abort_rotation to roll back a planned one.",
    ),
    OVERDUE[GATEWAY]: Kind(WARNING, False, ROTATE, overdue=True),
    OVERDUE[SIGNING_KEY]: Kind(WARNING, False, REKEY, overdue=True),
    "not enrolled": Kind(
        WARNING, False, "Run vpnops.keys.enroll_gateways, or remove {host} from the inventory group."
    ),
    RETIRED: Kind(
        NOTE,
        False,
        "Remove {host} from the inventory group; vpnops.keys.key_directory with state=purged deletes its records.",
    ),
    DUE[GATEWAY]: Kind(NOTE, False, ROTATE),
    DUE[SIGNING_KEY]: Kind(NOTE, False, REKEY),
    "unknown keys": Kind(NOTE, False, "Find out whose they are. The collection does not change them."),
    "not observed": Kind(
        NOTE, False, "Run this again when {host} can be reached; until then its row shows only what the directory has."
    ),
}


@dataclass(frozen=True)
class Finding:
    """`host`: the device whose word, or whose missing acknowledgement, it is. `what`: a sentence about it that does not
    name it. `since`: ISO 8601, where that is known. `also`: another device on whose word it rests as well."""

    kind: str
    host: str
    what: str
    since: str | None = None
    also: str = ""

    @property
    def severity(self) -> str:
        return KINDS[self.kind].severity

    def to_result(self) -> dict[str, t.Any]:
        return {
            "host": self.host,
            "kind": self.kind,
            "severity": self.severity,
            "what": self.what,
            "since": self.since,
            # Not str.format: a name may hold braces.
            "next": KINDS[self.kind].next.replace("{host}", self.host),
        }


def worst_first(found: Iterable[Finding]) -> list[Finding]:
    """In the order of the kinds; within one, as they came."""
    order = {kind: number for number, kind in enumerate(KINDS)}
    return sorted(found, key=lambda one: order[one.kind])


FAILING: Mapping[str, t.Callable[[Kind], bool]] = {
    "nothing": lambda kind: False,
    "problems": lambda kind: kind.severity == PROBLEM,
    "drift": lambda kind: kind.severity == PROBLEM or kind.drift,
    "overdue": lambda kind: kind.severity == PROBLEM or kind.drift or kind.overdue,
}
"""What makes a task fail, by its option `fail_on`."""


def failing(found: Iterable[Finding], fail_on: str) -> list[Finding]:
    return [one for one in found if FAILING[fail_on](KINDS[one.kind])]


def listed(names: Sequence[str], count: int | None = None) -> str:
    """Names for people: the first ones, and how many more of `count` in all."""
    more = (len(names) if count is None else count) - min(len(names), SHOWN)
    text = ", ".join(names[:SHOWN])
    return f"{text} and {more} more" if more > 0 else text


def open_rotations(states: Mapping[str, str]) -> str:
    """What an interrupted run leaves open, and how to go on or back. `states`: of each such rotation by gateway, as the
    directory said last."""
    if not states:
        return "No rotation is open. vpnops.keys.gateway_status says whether anything is left to do."
    told = [f"{name} ({state})" for name, state in states.items()]
    following = KINDS[UNFINISHED].next.replace("{host}", ",".join(states))
    unconfirmed = f" {ROLLS_BACK}" if "staged" in states.values() else ""
    return f"Open rotation{'s' if len(told) > 1 else ''}: {listed(told)}.{unconfirmed} {following}"


def sentences(found: Iterable[Finding]) -> list[str]:
    """For people: what is said of several hosts is said once, with the first of them."""
    hosts: dict[tuple[str, str], list[str]] = {}
    for one in found:
        hosts.setdefault((one.kind, one.what), []).append(one.host)
    return [f"{listed(names)}: {sentence(what)}" for (_kind, what), names in hosts.items()]
