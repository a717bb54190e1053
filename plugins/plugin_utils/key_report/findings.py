# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report finds: kinds, how much each matters, what to do next. Pure."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...module_utils._errors import about_host
from ...module_utils._fleet import findings as fleet
from ...module_utils._fleet.findings import NOTE, PROBLEM, SEVERITIES, WARNING
from ...module_utils._fleet.model import natural

FEW = 16
"""So many hosts are named in a command."""

SYNC = "Run vpnops.keys.sync_key_servers with key_server_sync_mode=plan, check the plan, then run it without."
NEW_SERVER_KEY = (
    "Generate a new key: run vpnops.keys.sync_key_servers with key_server_sync_compromised set to the fingerprint of "
    "the old one, after a plan. Members have to register again."
)
NEW_GATEWAY_KEY = "Run vpnops.keys.regenerate_gateway with gateway={host} and confirm={host}."
REPLACE_SOON = (
    "Generate a new, exportable key while all key servers still work: run vpnops.keys.sync_key_servers with "
    "key_server_sync_compromised set to the fingerprint of the old one, after a plan. Members have to register again."
)
HEAL_SPLIT = (
    "Find out why they do not receive COOP messages from each other; to synchronize them, run "
    "vpnops.keys.sync_key_servers with key_server_sync_primary."
)
CONFIRM = (
    "Find out who configured it. If it is correct, configure {host} as a peer on the others, or set "
    "key_server_addresses in the inventory."
)

# kind: severity, what to do next.
OF_KEYS: dict[str, tuple[str, str]] = {
    "duplicate": (PROBLEM, "Find out why the key is in both places, then generate a new one for one of them."),
    "weak key server": (PROBLEM, NEW_SERVER_KEY),
    "weak gateway": (PROBLEM, NEW_GATEWAY_KEY),
    "not exportable": (PROBLEM, REPLACE_SOON),
    "drifted key servers": (PROBLEM, SYNC),
    "split key servers": (PROBLEM, HEAL_SPLIT),
    "unconfirmed claim": (PROBLEM, CONFIRM),
    "not saved": (PROBLEM, "Save the configuration: run vpnops.keys.sync_key_servers, or type write memory on {host}."),
    "not read": (PROBLEM, "Fix that, then run the report again: it has nothing about the {host}."),
    "unreadable": (PROBLEM, "Fix that, then run the report again."),
    "missed rekeys": (
        WARNING,
        "Check that the members are reachable, and that they have the group's current public key.",
    ),
    "overdue key server": (WARNING, NEW_SERVER_KEY),
    "due key server": (NOTE, NEW_SERVER_KEY),
    "left over": (NOTE, "Run vpnops.keys.sync_key_servers: it finishes or removes what was left."),
    "not judged": (NOTE, "Check the clock of {host}, or give the report the results of ios_rsa_key_info."),
}
# In the order in which they are shown, within what matters alike: what the gateways' own status finds comes first.
KINDS = {**{kind: (one.severity, one.next) for kind, one in fleet.KINDS.items()}, **OF_KEYS}


@dataclass(frozen=True)
class Finding:
    """`hosts`: whom it is about; `what`: one sentence; `since`: ISO 8601, where that is known."""

    kind: str
    hosts: tuple[str, ...]
    what: str
    since: str | None = None


def about(kind: str, host: str, what: str) -> Finding:
    return Finding(kind, (host,), about_host(host, what))


def to_result(findings: Iterable[Finding]) -> list[dict[str, t.Any]]:
    """As data, those that matter most first. What is said of several hosts is said once."""
    hosts: dict[tuple[str, str], set[str]] = {}
    since: dict[tuple[str, str], str | None] = {}
    for one in findings:
        hosts.setdefault((one.kind, one.what), set()).update(one.hosts)
        since[one.kind, one.what] = one.since
    order = {kind: (SEVERITIES.index(KINDS[kind][0]), number) for number, kind in enumerate(KINDS)}
    rows = [(kind, what, sorted(where, key=natural)) for (kind, what), where in hosts.items()]
    rows.sort(key=lambda row: (order[row[0]], [natural(host) for host in row[2]], row[1]))
    return [
        {
            "kind": kind,
            "severity": KINDS[kind][0],
            "hosts": where,
            "what": what,
            "since": since[kind, what],
            "next": _next(KINDS[kind][1], where),
        }
        for kind, what, where in rows
    ]


def _next(what: str, where: Sequence[str]) -> str:
    """Of all of them, in a sentence or as the value of a variable. Not str.format: a name may hold braces."""
    few = len(where) <= FEW
    sentence, value = (", ".join(where), ",".join(where)) if few else ("each of them", "...")
    return re.sub("(=?){host}", lambda found: f"={value}" if found[1] else sentence, what)


def counts(found: Iterable[dict[str, t.Any]]) -> dict[str, int]:
    severities = [one["severity"] for one in found]
    return {f"{severity}s": severities.count(severity) for severity in SEVERITIES}
