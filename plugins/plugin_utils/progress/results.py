# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What results of tasks say to people: one sentence for a failure, and who has still to store something. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence

from ...module_utils import _errors
from ...module_utils._errors import clause
from ...module_utils._fleet.findings import Open, listed
from ...module_utils._printable import printable

Data = Mapping[str, t.Any]
BEFORE = "Task failed: "
"""What ansible-core from 2.19 on puts before its sentence, and who reads that something failed knows."""
AFTER = "The error appears to be in"
"""What ansible-core before 2.19 puts after it, with a piece of the playbook."""
QUOTES = 'It says "'
"""How a failure of a gateway begins, in its own words: whole, with the mark that closes them."""
SHOWN = 3
"""Failed items of a loop that are told one by one."""
LONGEST = 4000
"""Characters of a sentence: some name each of hundreds of hosts."""
LABEL = 40
"""What is longer says nothing to a reader in passing."""


def sentence(result: Data, items: Sequence[str] = ()) -> str:
    """Why a task failed, in one line; `items`: why those of its loop did."""
    if items:
        return " ".join([*items[:SHOWN], *([f"And {len(items) - SHOWN} more."] if len(items) > SHOWN else [])])
    text = str(result.get("msg") or result.get("censored") or result.get("reason") or "It failed without a message.")
    more = _last_line(result.get("module_stderr") or result.get("stderr") or result.get("module_stdout") or "")
    text = text.removeprefix(BEFORE)
    if not text.startswith(QUOTES):
        text = text.partition(AFTER)[0]
    # Of the results of other collections' modules anything may be the word of a device.
    return printable(" ".join(f"{text} {more if more not in text else ''}".split()), LONGEST)


def of_item(item: Data) -> str:
    """Why an item of a loop failed."""
    told = _errors.sentence(sentence(item))
    label = printable(str(item.get("_ansible_item_label", item.get("item", ""))))
    return f"{label}: {told}" if 0 < len(label) <= LABEL else told


def _last_line(text: t.Any) -> str:
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return lines[-1] if lines else ""


# ------------------------------------------------------------------ results of this collection


def pending(result: Data) -> dict[str, str] | None:
    """Who has still to store something, as a result of gateway_report knows it; None where it does not tell."""
    if isinstance(result.get("pending"), Sequence):
        return {str(host): str(part["missing"]) for part in result["pending"] for host in part["gateways"]}
    for key, read in REPORTS.items():
        if isinstance(result.get(key), Mapping):
            return read(result[key])
    return None


def in_brief(pending: Mapping[str, str]) -> list[dict[str, t.Any]]:
    """For a result that failed: what several lack is said once."""
    groups: dict[str, list[str]] = {}
    for host, missing in pending.items():
        groups.setdefault(missing, []).append(host)
    return [{"gateways": hosts, "missing": missing} for missing, hosts in groups.items()]


def _by_outcome(found: Data) -> dict[str, str]:
    lacking: dict[str, list[str]] = {}
    for row in found["gateways"]:
        for peer in row["pending"]:
            lacking.setdefault(str(peer), []).append(str(row["gateway"]))
    return {peer: f"missing the key of {listed(gateways)}" for peer, gateways in lacking.items()}


def _by_converged(found: Data) -> dict[str, str]:
    return {
        str(row["gateway"]): f"{clause(str(row['why']))}; {_missing(row)}"
        for row in found["gateways"]
        if not row["stored"] and row["state"] != "refused"
    }


def _by_status(found: Data) -> dict[str, str]:
    return {str(row["gateway"]): _missing(row) for row in found["gateways"] if row["pending"]["count"]}


def _missing(row: Data) -> str:
    return f"missing keys of {listed(row['pending']['first'], row['pending']['count'])}"


def open_rotations(result: Data) -> dict[str, Open]:
    """Of a result of key_directory, the gateways whose rotation is open."""
    directory = result.get("directory")
    gateways = directory.get("gateways") if isinstance(directory, Mapping) else None
    if not isinstance(gateways, Mapping):
        return {}
    rotations = {str(name): one.get("rotation") for name, one in gateways.items() if isinstance(one, Mapping)}
    return {
        name: Open(printable(str(one.get("state"))), printable(str(one.get("mode"))))
        for name, one in rotations.items()
        if isinstance(one, Mapping)
    }


REPORTS: dict[str, Callable[[Data], dict[str, str]]] = {
    "outcome": _by_outcome,
    "converged": _by_converged,
    "status": _by_status,
}
