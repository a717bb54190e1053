# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report finds: kinds, how much each matters, what to do next. Pure."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable
from dataclasses import dataclass

PROBLEM, WARNING, NOTE = "problem", "warning", "note"
SEVERITIES = (PROBLEM, WARNING, NOTE)

FEW = 16
"""So many hosts are named in a command."""

SYNC = "Run vpnops.keys.sync_key_servers with key_server_sync_mode=plan, read the plan, then run it without."
NEW_SERVER_KEY = (
    "Make a new key: run vpnops.keys.sync_key_servers with key_server_sync_compromised set to the fingerprint of the "
    "old one, after a plan. Members have to register again."
)
NEW_GATEWAY_KEY = "Run vpnops.keys.regenerate_gateway with gateway={host} and confirm={host}."
CONVERGE = "Run vpnops.keys.converge_gateways while {host} can be reached."
RESTORE = (
    "Find out who wrote to the database. Restore it from a backup, or enrol the gateway anew with repair, giving "
    "the key that the gateway itself shows."
)
REPLACE_SOON = (
    "Make a new, exportable key while all key servers still work: run vpnops.keys.sync_key_servers with "
    "key_server_sync_compromised set to the fingerprint of the old one, after a plan. Members have to register again."
)
SETTLE = (
    "See which side is right (vpnops.keys.gateway_status), then run vpnops.keys.converge_gateways with "
    "gateway_keys_full=true, or enrol the gateway with gateway_keys_adopt=true."
)
HEAL_SPLIT = (
    "Find out why they do not hear each other; to make them equal, run vpnops.keys.sync_key_servers with "
    "key_server_sync_primary."
)
CONFIRM = (
    "Find out who configured it. If it is right, name {host} as a peer on the others, or set key_server_addresses in "
    "the inventory."
)
FINISH = (
    "Run vpnops.keys.regenerate_gateway again with gateway={host} and confirm={host} to finish it, an emergency with "
    "gateway_keys_mode=emergency; or vpnops.keys.abort_rotation to go back from a planned one."
)

# kind: severity, what to do next. In the order in which they are shown.
KINDS: dict[str, tuple[str, str]] = {
    "tampered": (PROBLEM, RESTORE),
    "duplicate": (PROBLEM, "Find out how the key came to both places, then make a new one for one of them."),
    "weak key server": (PROBLEM, NEW_SERVER_KEY),
    "weak gateway": (PROBLEM, NEW_GATEWAY_KEY),
    "not exportable": (PROBLEM, REPLACE_SOON),
    "drifted key servers": (PROBLEM, SYNC),
    "split key servers": (PROBLEM, HEAL_SPLIT),
    "unconfirmed claim": (PROBLEM, CONFIRM),
    "not dropped": (PROBLEM, CONVERGE),
    "drifted gateway": (PROBLEM, SETTLE),
    "not saved": (PROBLEM, "Save the configuration: run vpnops.keys.sync_key_servers, or type write memory on {host}."),
    "unreadable": (WARNING, "Put right what the sentence says, then run the report again."),
    "pending": (WARNING, CONVERGE),
    "unfinished": (WARNING, FINISH),
    "missed rekeys": (
        WARNING,
        "See that the members can be reached, and that they hold the group's current public key.",
    ),
    "old key server": (WARNING, NEW_SERVER_KEY),
    "old gateway": (WARNING, NEW_GATEWAY_KEY),
    "not enrolled": (WARNING, "Run vpnops.keys.enroll_gateways, or take {host} out of the inventory group."),
    "left over": (NOTE, "Run vpnops.keys.sync_key_servers: it finishes or removes what was left."),
    "not judged": (NOTE, "Check the clock of {host}, or give the report the results of ios_rsa_key_info."),
    "unknown keys": (NOTE, "Find out whose they are. The collection leaves them alone."),
    "not looked at": (NOTE, "Run the report when {host} can be reached; until then it says what the directory knows."),
}


@dataclass(frozen=True)
class Finding:
    """`hosts`: whom it is about; `what`: one sentence."""

    kind: str
    hosts: tuple[str, ...]
    what: str


def about(kind: str, host: str, what: str) -> Finding:
    return Finding(kind, (host,), what)


def natural(name: str) -> list[tuple[int, str]]:
    """For sorting: gw2 before gw10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def shown(findings: Iterable[Finding]) -> list[dict[str, t.Any]]:
    """As data, those that matter most first. What is said of several hosts is said once."""
    hosts: dict[tuple[str, str], set[str]] = {}
    for one in findings:
        hosts.setdefault((one.kind, one.what), set()).update(one.hosts)
    order = {kind: (SEVERITIES.index(KINDS[kind][0]), number) for number, kind in enumerate(KINDS)}
    rows = [(kind, what, sorted(where, key=natural)) for (kind, what), where in hosts.items()]
    rows.sort(key=lambda row: (order[row[0]], [natural(host) for host in row[2]], row[1]))
    return [
        {
            "kind": kind,
            "severity": KINDS[kind][0],
            "hosts": where,
            "what": what,
            # Not str.format: a name may hold braces.
            "next": KINDS[kind][1].replace("{host}", ",".join(where) if len(where) <= FEW else "..."),
        }
        for kind, what, where in rows
    ]


def counts(found: Iterable[dict[str, t.Any]]) -> dict[str, int]:
    severities = [one["severity"] for one in found]
    return {f"{severity}s": severities.count(severity) for severity in SEVERITIES}
