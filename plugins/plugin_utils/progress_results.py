# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What results of tasks say to people: one sentence for a failure, and who is still owed something. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

Data = Mapping[str, t.Any]
CORE = "Task failed: "
"""What newer releases of ansible-core put before it, and who reads that something failed knows."""
SHOWN = 3
"""Failed items of a loop that are told one by one."""
LABEL = 40
"""What is longer says nothing to a reader in passing."""


def sentence(result: Data) -> str:
    """Why a task failed, in one line."""
    if items := [one for one in result.get("results") or () if isinstance(one, Mapping) and _bad(one)]:
        told = [_of_item(one) for one in items[:SHOWN]]
        return " ".join([*told, *([f"And {len(items) - SHOWN} more."] if len(items) > SHOWN else [])])
    text = str(result.get("msg") or result.get("censored") or result.get("reason") or "It failed and did not say why.")
    more = _last_line(result.get("module_stderr") or result.get("stderr") or result.get("module_stdout") or "")
    return " ".join(f"{text.removeprefix(CORE)} {more if more not in text else ''}".split())


def _bad(item: Data) -> bool:
    return bool(item.get("failed") or item.get("unreachable"))


def _of_item(item: Data) -> str:
    label = str(item.get("_ansible_item_label", item.get("item", "")))
    text = sentence({key: value for key, value in item.items() if key != "results"})
    return f"{label}: {text}" if label and len(label) <= LABEL and "censored" not in item else text


def _last_line(text: t.Any) -> str:
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return lines[-1] if lines else ""


# ------------------------------------------------------------------ results of this collection


def worked_on(result: Data) -> dict[str, str]:
    """Whom a task that looks at many key servers worked on: ok, changed, or why one could not be read."""
    units = [one for one in result.get("units") or () if isinstance(one, Mapping)]
    hosts = {str(server["host"]): "ok" for unit in units for server in unit.get("key_servers", ())}
    changed = {str(host): "changed" for unit in units for host, words in unit.get("done", {}).items() if words}
    return hosts | changed | {str(host): str(text) for host, text in dict(result.get("problems") or {}).items()}


def owed(result: Data) -> dict[str, str] | None:
    """Who is still to get something, as a result of gateway_report knows it; None where it does not tell."""
    for key, read in REPORTS.items():
        if isinstance(result.get(key), Mapping):
            return read(result[key])
    return None


def _by_outcome(found: Data) -> dict[str, str]:
    return _sentences((peer, str(row["gateway"])) for row in found["gateways"] for peer in row["pending"])


def _by_converged(found: Data) -> dict[str, str]:
    return {
        str(row["gateway"]): f"{str(row['why']).rstrip('.')}; still to learn the keys of {', '.join(row['owed'])}"
        for row in found["gateways"]
        if not row["stored"] and row["state"] != "refused"
    }


def _sentences(pairs: t.Iterable[tuple[str, str]]) -> dict[str, str]:
    lacking: dict[str, list[str]] = {}
    for peer, gateway in pairs:
        lacking.setdefault(str(peer), []).append(gateway)
    return {peer: f"still to learn the key of {', '.join(gateways)}" for peer, gateways in lacking.items()}


REPORTS: dict[str, Callable[[Data], dict[str, str]]] = {
    "outcome": _by_outcome,
    "converged": _by_converged,
    "status": _by_outcome,
}
