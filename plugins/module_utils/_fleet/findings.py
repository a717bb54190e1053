# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be wrong in a fleet of gateways: how much it matters, what to do next. Pure. PRIVATE to the collection."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .._errors import sentence
from .model import EMERGENCY
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
UNFINISHED_EMERGENCY = "unfinished emergency"
OPEN = (UNFINISHED, UNFINISHED_EMERGENCY)
NOT_OBSERVED = "not observed"
NOT_ASKED = "not asked"
RETIRED = "retired"
DUE = {name: f"due {name.replace('_', ' ')}" for name in (GATEWAY, SIGNING_KEY)}
OVERDUE = {name: f"overdue {name.replace('_', ' ')}" for name in (GATEWAY, SIGNING_KEY)}
REPLACED = "unknown own key"


class Kind(t.NamedTuple):
    """`next`: what to do, with {host}. `overdue`: whether it says that the period of a key is over."""

    severity: str
    next: str
    overdue: bool = False

    @property
    def differs(self) -> bool:
        """Whether a gateway with it does not match the directory: all that is no mere note, but for the age of keys."""
        return self.severity != NOTE and not self.overdue


SETTLE = (
    "Find out which side is right, then run vpnops.keys.converge_gateways with gateway_keys_converge_all=true, or "
    "vpnops.keys.enroll_gateways with gateway_keys_adopt_reported_key=true."
)
ROTATE = "Run vpnops.keys.rotate_due, or vpnops.keys.regenerate_gateway with gateway={host} and confirm={host}."
REKEY = "Run vpnops.keys.key_directory with state=rekeyed."
KINDS: dict[str, Kind] = {
    STILL_ACCEPTED: Kind(PROBLEM, "Make {host} reachable, then run vpnops.keys.converge_gateways."),
    FORGED: Kind(PROBLEM, "Find out what runs on {host} before you trust it again."),
    "tampered": Kind(
        PROBLEM,
        "Find out who wrote to the database, or whether an old backup was restored. Restore its newest backup, or "
        "repair it with vpnops.keys.key_directory and repair=true: a gateway with the public key that it reports "
        "itself, the whole directory with the confirm value that the task shows.",
    ),
    "wrong key": Kind(PROBLEM, SETTLE),
    REPLACED: Kind(
        PROBLEM,
        "If its hardware was replaced, run vpnops.keys.enroll_gateways with --limit {host} and "
        "gateway_keys_adopt_reported_key=true, then vpnops.keys.converge_gateways. If not, find out who changed its "
        "key before you trust it again.",
    ),
    NOT_STORED: Kind(PROBLEM, "Fix this, then run vpnops.keys.converge_gateways."),
    "drifted gateway": Kind(WARNING, SETTLE),
    NOT_LASTING: Kind(
        WARNING, "Fix this on {host}, then run vpnops.keys.converge_gateways."
    ),
    NOT_FETCHING: Kind(
        WARNING, "Fix this, then run systemctl start vpnops-keys-fetch on {host}."
    ),
    "refused": Kind(WARNING, "Fix this on {host}, then compare again."),
    "empty directory": Kind(WARNING, "Run vpnops.keys.enroll_gateways."),
    PENDING: Kind(WARNING, "Run vpnops.keys.converge_gateways when {host} can be reached."),
    UNFINISHED: Kind(
        WARNING,
        "To finish it, run vpnops.keys.regenerate_gateway with gateway={host} and confirm={host}. To roll back to the "
        "old key, run vpnops.keys.abort_rotation with gateway={host} and confirm={host}.",
    ),
    UNFINISHED_EMERGENCY: Kind(
        WARNING,
        "To finish it, run vpnops.keys.regenerate_gateway with gateway={host} and confirm={host} and "
        "gateway_keys_mode=emergency. The old key is revoked and cannot come back.",
    ),
    NOT_OBSERVED: Kind(
        WARNING, "Run this again when {host} can be reached; until then its row shows only what the directory has."
    ),
    OVERDUE[GATEWAY]: Kind(WARNING, ROTATE, overdue=True),
    OVERDUE[SIGNING_KEY]: Kind(WARNING, REKEY, overdue=True),
    "not enrolled": Kind(
        WARNING, "Run vpnops.keys.enroll_gateways, or remove {host} from the inventory group."
    ),
    RETIRED: Kind(
        NOTE,
        "Remove {host} from the inventory group; vpnops.keys.key_directory with state=purged deletes its records.",
    ),
    DUE[GATEWAY]: Kind(NOTE, ROTATE),
    DUE[SIGNING_KEY]: Kind(NOTE, REKEY),
    "unknown keys": Kind(NOTE, "Find out whose they are. The collection does not change them."),
    NOT_ASKED: Kind(NOTE, "Run this without --limit, or for {host}; its row shows only what the directory has."),
}
"""In the order in which they are shown."""

WORDS = {
    STILL_ACCEPTED: "may accept a revoked key",
    "drifted gateway": "differs",
    "empty directory": "has no gateway",
    PENDING: "pending keys",
    UNFINISHED: "open rotation",
    UNFINISHED_EMERGENCY: "open emergency rotation",
}
"""Of a kind in a few words, where its name is not enough."""


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
            "next": next_step(self.kind, [self.host]),
        }


def worst_first(found: Iterable[Finding]) -> list[Finding]:
    """In the order of the kinds; within one, as they came."""
    order = {kind: number for number, kind in enumerate(KINDS)}
    return sorted(found, key=lambda one: order[one.kind])


FAILING: Mapping[str, t.Callable[[Kind], bool]] = {
    "nothing": lambda kind: False,
    "problems": lambda kind: kind.severity == PROBLEM,
    "drift": lambda kind: kind.differs,
    "overdue": lambda kind: kind.differs or kind.overdue,
}
"""What makes a task fail, by its option `fail_on`."""


def failing(found: Iterable[Finding], fail_on: str) -> list[Finding]:
    return [one for one in found if FAILING[fail_on](KINDS[one.kind])]


def listed(names: Sequence[str], count: int | None = None) -> str:
    """Names for people: the first ones, and how many more of `count` in all."""
    more = (len(names) if count is None else count) - min(len(names), SHOWN)
    text = ", ".join(names[:SHOWN])
    return f"{text} and {more} more" if more > 0 else text


class Open(t.NamedTuple):
    """A rotation that is not finished, as the directory said last."""

    state: str
    mode: str


ACTIVE = (
    "The new key may be active now. If it is and nobody confirms it, the gateway rolls back to the old key by itself "
    "when gateway_keys_confirm_timeout is over (60 seconds by default, longer if several gateways change in one run). "
    "vpnops.keys.gateway_status shows which key it runs, and when it rolls back."
)
KEPT = "The new key is in use, and the gateway does not roll back by itself."
IN_USE = {"prepared": "The old key is still in use.", "staged": ACTIVE, "active": KEPT, "verified": KEPT}
"""Which key a gateway runs, by the state of its planned rotation."""


def open_rotations(rotations: Mapping[str, Open]) -> str:
    """What an interrupted run leaves open, by gateway: which key may be active, and how to go on or back."""
    if not rotations:
        return "No rotation is open. vpnops.keys.gateway_status says whether anything is left to do."
    told = listed([f"{name} ({one.state})" for name, one in rotations.items()])
    planned = {name: one.state for name, one in rotations.items() if one.mode != EMERGENCY}
    kinds = {UNFINISHED: list(planned), UNFINISHED_EMERGENCY: [name for name in rotations if name not in planned]}
    in_use: dict[str, list[str]] = {}
    for name, state in planned.items():
        if state in IN_USE:
            in_use.setdefault(IN_USE[state], []).append(name)
    alone = len(rotations) == len(planned) and len(in_use) == 1
    return " ".join(
        [
            f"Open rotation{'s' if len(rotations) > 1 else ''}: {told}.",
            *(text if alone else f"{listed(names)}: {text}" for text, names in in_use.items()),
            *(next_step(kind, names) for kind, names in kinds.items() if names),
        ]
    )


def next_step(kind: str, hosts: Sequence[str]) -> str:
    """What to do about a kind of finding, for all of these hosts at once. Not str.format: a name may hold braces."""
    return KINDS[kind].next.replace("{host}", ",".join(hosts) if len(hosts) <= SHOWN else "...")


def sentences(found: Iterable[Finding]) -> list[str]:
    """For people: what is said of several hosts is said once, with the first of them."""
    hosts: dict[tuple[str, str], list[str]] = {}
    for one in found:
        hosts.setdefault((one.kind, one.what), []).append(one.host)
    return [f"{listed(names)}: {sentence(what)}" for (_kind, what), names in hosts.items()]
